//! All that the page shows of a report's head, in the order of the page.

use serde::Serialize;

use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::SubjectTotal;
use crate::finding::shell_word;
use crate::report::ReportHead;
use crate::report::answer::{
    by_label, hidden_text, range_text, short_field, uncompared_text, verdict_text,
};
use crate::report::html::amounts;
use crate::report::html::amounts::{AmountRow, CauseAmount};
use crate::report::html::coverage;
use crate::report::html::coverage::CoverageView;
use crate::report::html::episodes;
use crate::report::html::episodes::EpisodesView;
use crate::report::html::over_time;
use crate::report::html::over_time::{BarsView, HeatView};
use crate::report::terminal::escape::visible_start;
use crate::report::terminal::numbers::{counted, from_to, grouped};
use crate::report::timestamp_text::rfc3339;

/// The page's head.
#[derive(Debug, Serialize)]
pub(super) struct View {
    title: String,
    verdict: &'static str,
    word: &'static str,
    headline: String,
    range: String,
    hidden: Option<&'static str>,
    facts: Vec<Fact>,
    warnings: Vec<String>,
    coverage: CoverageView,
    bars: Option<BarsView>,
    heat: Option<HeatView>,
    since: Option<String>,
    causes: Vec<CauseView>,
    episodes: EpisodesView,
    amounts: Vec<AmountRow>,
    amounts_more: usize,
    amounts_by_cause: Vec<CauseAmount>,
    amounts_by_cause_more: usize,
    has_reversals: bool,
    amount_unit: Option<&'static str>,
    amounts_unusable: String,
    subject: Option<String>,
    subjects: Vec<SubjectRow>,
    subjects_total: String,
    key: String,
    groups: String,
    command: String,
    version: String,
    made_at: String,
}

/// One number of the first screen.
#[derive(Debug, Serialize)]
struct Fact {
    label: String,
    value: String,
    note: String,
}

/// One cause.
#[derive(Debug, Serialize)]
struct CauseView {
    code: &'static str,
    extra_records: String,
    groups: String,
    confidences: String,
    evidence: Vec<String>,
    contrary: Vec<String>,
    advice: &'static str,
    source: &'static str,
}

/// One subject.
#[derive(Debug, Serialize)]
struct SubjectRow {
    subject: String,
    groups: String,
    extra_records: String,
    amounts: String,
}

impl View {
    /// Returns what the page shows of a report.
    pub(super) fn new(report: &ReportHead<'_>) -> Self {
        let (header, summary) = (report.header, report.summary);
        let (word, headline) = verdict_text(report);
        let span = summary.extra_span;
        let (amounts_by_cause, amounts_by_cause_more) = amounts::by_cause(report.episodes);
        Self {
            title: format!("{word} {headline}"),
            verdict: summary.verdict.code(),
            word,
            headline,
            range: range_text(report),
            hidden: hidden_text(header),
            facts: facts(header, summary),
            warnings: coverage::texts(&summary.warnings),
            coverage: coverage::coverage(report),
            bars: over_time::bars(summary),
            heat: over_time::heat(summary),
            since: span.map(|span| from_to(span.first_millis, span.last_millis)),
            causes: summary.causes.iter().map(cause).collect(),
            episodes: episodes::episodes(report.episodes),
            amounts: amounts::rows(&summary.amounts),
            amounts_more: summary.amounts.len().saturating_sub(amounts::ROWS_MAX),
            amounts_by_cause,
            amounts_by_cause_more,
            has_reversals: summary.reversals.is_some(),
            amount_unit: header.amount_field.as_ref().map(|_| header.amount_unit),
            amounts_unusable: match summary.amounts_unusable {
                0 => String::new(),
                count => counted(count, "extra record"),
            },
            subject: header.subject_field.as_deref().map(short_field),
            subjects: summary.top_subjects.iter().map(subject).collect(),
            subjects_total: grouped(summary.subjects),
            key: by_label(header),
            groups: grouped(summary.groups),
            command: command(header),
            version: header.dupaudit_version.clone(),
            made_at: rfc3339(header.finished_at_millis),
        }
    }
}

fn facts(header: &AuditHeader, summary: &AuditSummary) -> Vec<Fact> {
    let fact = |label: &str, value: String, note: String| Fact {
        label: label.to_owned(),
        value,
        note,
    };
    let mut facts = vec![fact(
        "Extra records",
        grouped(summary.extra_records),
        format!("of {} audited", grouped(summary.records_audited)),
    )];
    let largest = format!("largest {}", counted(summary.largest_group, "occurrence"));
    facts.push(fact("Groups", grouped(summary.groups), largest));
    for total in summary.amounts.iter().take(3) {
        let of = amounts::currency(total.currency.as_deref());
        let note = format!("{} extra", grouped(total.extra_records));
        let net = crate::report::terminal::numbers::grouped_decimal(&total.net);
        facts.push(fact(&format!("At risk, {of}"), net, note));
    }
    if let Some(field) = &header.subject_field {
        let subjects = grouped(summary.subjects);
        facts.push(fact("Who is hit", subjects, short_field(field)));
    }
    let conflicts = match (summary.conflicting_groups, uncompared_text(summary)) {
        (0, None) => "all copies identical".to_owned(),
        (0, Some(uncompared)) => uncompared,
        (_, None) => "groups whose copies differ".to_owned(),
        (_, Some(uncompared)) => format!("groups whose copies differ; {uncompared}"),
    };
    facts.push(fact(
        "Conflicts",
        grouped(summary.conflicting_groups),
        conflicts,
    ));
    if let Some(standing) = &summary.standing {
        let known = format!("{} known", grouped(standing.known_groups));
        facts.push(fact("New groups", grouped(standing.new_groups), known));
    }
    facts
}

fn cause(total: &CauseTotal) -> CauseView {
    let confidence = |(confidence, count): &(Option<Confidence>, u64)| {
        confidence.map(|confidence| format!("{} {}", confidence.code(), grouped(*count)))
    };
    let confidences: Vec<String> = total.confidences.iter().filter_map(confidence).collect();
    let advice = total.cause.advice();
    CauseView {
        code: total.cause.code(),
        extra_records: grouped(total.extra_records),
        groups: grouped(total.groups),
        confidences: confidences.join(", "),
        evidence: coverage::texts(&total.evidence),
        contrary: coverage::texts(&total.contrary),
        advice: advice.text,
        source: advice.source,
    }
}

fn subject(total: &SubjectTotal) -> SubjectRow {
    SubjectRow {
        subject: short(&total.subject),
        groups: grouped(total.groups),
        extra_records: grouped(total.extra_records),
        amounts: amounts::line(&total.amounts),
    }
}

/// Returns a word as one would type it; an option needs no quotes for its dashes.
fn shell_text(word: &str) -> String {
    let name = word.trim_start_matches('-');
    let quoted = shell_word(name);
    if quoted == name {
        word.to_owned()
    } else {
        shell_word(word)
    }
}

fn command(header: &AuditHeader) -> String {
    let words = header.command_line.iter();
    let words: Vec<String> = words.map(|word| shell_text(word)).collect();
    long(&words.join(" "))
}

/// Returns the start of a name, made harmless.
pub(super) fn short(text: &str) -> String {
    visible_start(text, 120)
}

/// Returns the start of a sentence, made harmless.
pub(super) fn long(text: &str) -> String {
    visible_start(text, 600)
}
