//! The members of the JSON report's summary, and of what is at risk wherever it stands.

use std::io;
use std::io::Write;

use crate::finding::Advice;
use crate::finding::AmountAtRisk;
use crate::finding::AuditSummary;
use crate::finding::Confidence;
use crate::finding::ReversalTotal;
use crate::finding::StandingTotal;
use crate::finding::ThresholdTotal;
use crate::finding::TimeSpan;
use crate::finding::Timeline;
use crate::report::json::output::JsonOutput;
use crate::report::json::pictures;

const MINUTE_MILLIS: i64 = 60_000;

/// Writes the members of `summary`.
pub(in crate::report) fn summary<W: Write>(
    json: &mut JsonOutput<W>,
    summary: &AuditSummary,
) -> io::Result<()> {
    json.member("verdict", summary.verdict.code())?;
    json.member("complete", &summary.complete)?;
    json.member("records_read", &summary.records_read)?;
    json.member("records_audited", &summary.records_audited)?;
    json.name("skipped")?;
    json.open("{")?;
    for (code, count) in summary.skipped.by_code() {
        json.member(code, &count)?;
    }
    json.close("}")?;
    json.member("groups", &summary.groups)?;
    json.member("extra_records", &summary.extra_records)?;
    json.member("conflicting_groups", &summary.conflicting_groups)?;
    json.member("largest_group", &summary.largest_group)?;
    json.member("subjects", &summary.subjects)?;
    amounts(json, summary)?;
    causes(json, summary)?;
    json.member("distinct_keys", &summary.distinct_keys)?;
    json.member("amounts_unusable", &summary.amounts_unusable)?;
    json.member("incomplete_reasons", &summary.incomplete_reasons)?;
    json.member("warnings", &summary.warnings)?;
    reversals(json, summary.reversals)?;
    top_subjects(json, summary)?;
    partition_totals(json, summary)?;
    per_minute(json, &summary.timeline)?;
    pictures::pictures(json, summary)?;
    standing(json, summary.standing.as_ref())?;
    json.member("uncompared_groups", &summary.uncompared_groups)?;
    span(json, "audited_span", summary.audited_span)?;
    let types = summary.timestamp_types.iter();
    let types: Vec<_> = types.map(|kind| kind.name()).collect();
    json.member("timestamp_types", &types)?;
    span(json, "extra_span", summary.extra_span)?;
    fail_at(json, summary.thresholds.as_deref())
}

fn standing<W: Write>(
    json: &mut JsonOutput<W>,
    standing: Option<&StandingTotal>,
) -> io::Result<()> {
    json.member("new_groups", &standing.map(|of| of.new_groups))?;
    json.member(
        "new_extra_records",
        &standing.map(|of| of.new_extra_records),
    )?;
    json.member("known_groups", &standing.map(|of| of.known_groups))?;
    json.member(
        "known_extra_records",
        &standing.map(|of| of.known_extra_records),
    )?;
    json.member("gone_groups", &standing.and_then(|of| of.gone_groups))?;
    json.name("new_amounts")?;
    match standing {
        None => json.value(&())?,
        Some(of) => amount_list(json, &of.new_amounts)?,
    }
    json.name("known_by")?;
    let Some(standing) = standing else {
        return json.value(&());
    };
    json.open("[")?;
    for total in &standing.known_by {
        json.item()?;
        json.open("{")?;
        json.member("by", &total.by)?;
        json.member("groups", &total.groups)?;
        json.member("extra_records", &total.extra_records)?;
        json.close("}")?;
    }
    json.close("]")
}

fn span<W: Write>(json: &mut JsonOutput<W>, name: &str, span: Option<TimeSpan>) -> io::Result<()> {
    json.name(name)?;
    let Some(span) = span else {
        return json.value(&());
    };
    json.open("{")?;
    json.timestamp("first_timestamp", Some(span.first_millis))?;
    json.timestamp("last_timestamp", Some(span.last_millis))?;
    json.close("}")
}

fn fail_at<W: Write>(
    json: &mut JsonOutput<W>,
    thresholds: Option<&[ThresholdTotal]>,
) -> io::Result<()> {
    json.name("fail_at")?;
    let Some(thresholds) = thresholds else {
        return json.value(&());
    };
    json.open("[")?;
    for total in thresholds {
        json.item()?;
        json.open("{")?;
        json.member("threshold", &total.threshold)?;
        json.member("found", &total.found)?;
        json.member("reached", &total.is_reached)?;
        json.close("}")?;
    }
    json.close("]")
}

fn reversals<W: Write>(
    json: &mut JsonOutput<W>,
    reversals: Option<ReversalTotal>,
) -> io::Result<()> {
    json.name("reversals")?;
    let Some(reversals) = reversals else {
        return json.value(&());
    };
    json.open("{")?;
    json.member("records", &reversals.records)?;
    json.member("in_groups", &reversals.in_groups)?;
    json.member("repeated", &reversals.repeated)?;
    json.member("unusable", &reversals.unusable)?;
    json.close("}")
}

fn top_subjects<W: Write>(json: &mut JsonOutput<W>, summary: &AuditSummary) -> io::Result<()> {
    json.name("top_subjects")?;
    json.open("[")?;
    for total in &summary.top_subjects {
        json.item()?;
        json.open("{")?;
        json.member("subject", &total.subject)?;
        json.member("groups", &total.groups)?;
        json.member("extra_records", &total.extra_records)?;
        amounts_at_risk(json, &total.amounts)?;
        json.close("}")?;
    }
    json.close("]")
}

fn partition_totals<W: Write>(json: &mut JsonOutput<W>, summary: &AuditSummary) -> io::Result<()> {
    json.name("partitions")?;
    json.open("[")?;
    for total in &summary.partitions {
        json.item()?;
        json.open("{")?;
        json.member("topic", &*total.topic_partition.topic)?;
        json.member("partition", &total.topic_partition.number())?;
        json.member("episodes", &total.episodes)?;
        json.member("groups", &total.groups)?;
        json.member("extra_records", &total.extra_records)?;
        amounts_at_risk(json, &total.amounts)?;
        json.close("}")?;
    }
    json.close("]")
}

/// Minutes without an extra record are left out.
fn per_minute<W: Write>(json: &mut JsonOutput<W>, timeline: &Timeline) -> io::Result<()> {
    json.name("timeline")?;
    json.open("{")?;
    json.member("step_minutes", &timeline.step_minutes())?;
    json.name("steps")?;
    json.open("[")?;
    for (minute, extra_records) in timeline.counts() {
        json.item()?;
        json.open("{")?;
        json.timestamp("start", Some(minute.saturating_mul(MINUTE_MILLIS)))?;
        json.member("extra_records", &extra_records)?;
        json.close("}")?;
    }
    json.close("]")?;
    json.close("}")
}

/// Writes what is at risk by currency.
pub(super) fn amounts_at_risk<W: Write>(
    json: &mut JsonOutput<W>,
    amounts: &[AmountAtRisk],
) -> io::Result<()> {
    json.name("amounts")?;
    amount_list(json, amounts)
}

fn amount_list<W: Write>(json: &mut JsonOutput<W>, amounts: &[AmountAtRisk]) -> io::Result<()> {
    json.open("[")?;
    for amount in amounts {
        json.item()?;
        amount_at_risk(json, amount)?;
    }
    json.close("]")
}

/// Writes what is at risk in one currency.
pub(super) fn amount_at_risk<W: Write>(
    json: &mut JsonOutput<W>,
    amount: &AmountAtRisk,
) -> io::Result<()> {
    json.open("{")?;
    json.member("currency", &amount.currency)?;
    json.member("extra", &amount.extra)?;
    json.member("reversed", &amount.reversed)?;
    json.member("net", &amount.net)?;
    json.close("}")
}

/// Writes what is at risk in all, by currency.
pub(super) fn amounts<W: Write>(
    json: &mut JsonOutput<W>,
    summary: &AuditSummary,
) -> io::Result<()> {
    json.name("amounts")?;
    json.open("[")?;
    for total in &summary.amounts {
        json.item()?;
        json.open("{")?;
        json.member("currency", &total.currency)?;
        json.member("extra", &total.extra)?;
        json.member("copies", &total.copies)?;
        json.member("conflicting", &total.conflicting)?;
        json.member("extra_records", &total.extra_records)?;
        json.member("reversed", &total.reversed)?;
        json.member("net", &total.net)?;
        json.member("copies_records", &total.copies_records)?;
        json.member("conflicting_reversed", &total.conflicting_reversed)?;
        json.member("conflicting_records", &total.conflicting_records)?;
        json.close("}")?;
    }
    json.close("]")
}

fn causes<W: Write>(json: &mut JsonOutput<W>, summary: &AuditSummary) -> io::Result<()> {
    json.name("causes")?;
    json.open("[")?;
    for total in &summary.causes {
        json.item()?;
        json.open("{")?;
        json.member("cause", total.cause.code())?;
        json.member("groups", &total.groups)?;
        json.member("extra_records", &total.extra_records)?;
        confidences(json, &total.confidences)?;
        json.member("evidence", &total.evidence)?;
        json.member("contrary", &total.contrary)?;
        advice(json, total.cause.advice())?;
        json.close("}")?;
    }
    json.close("]")
}

fn confidences<W: Write>(
    json: &mut JsonOutput<W>,
    confidences: &[(Option<Confidence>, u64)],
) -> io::Result<()> {
    json.name("confidences")?;
    json.open("[")?;
    for (confidence, extra_records) in confidences {
        json.item()?;
        json.open("{")?;
        json.member("confidence", &confidence.map(Confidence::code))?;
        json.member("extra_records", extra_records)?;
        json.close("}")?;
    }
    json.close("]")
}

fn advice<W: Write>(json: &mut JsonOutput<W>, advice: Advice) -> io::Result<()> {
    json.name("advice")?;
    json.open("{")?;
    json.member("text", advice.text)?;
    json.member("source", advice.source)?;
    json.close("}")
}
