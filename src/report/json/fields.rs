//! The members of the JSON report's objects, in the order of the contract; what the contract
//! does not name comes last in its object.

use std::io;
use std::io::Write;
use std::ops::Range;

use crate::finding::AuditHeader;
use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::Coverage;
use crate::finding::CoverageConflict;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::FileCoverage;
use crate::finding::GroupStanding;
use crate::finding::KeyText;
use crate::finding::PartitionCoverage;
use crate::finding::RedactionKind;
use crate::finding::ReportedRecord;
use crate::report::json::output::JsonOutput;
use crate::report::json::pictures;
use crate::report::json::summary::{amount_at_risk, amounts_at_risk};

/// Version of the fields, a number that only grows.
pub(in crate::report) const SCHEMA_VERSION: u32 = 1;

/// What of a record is written only where it was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::report) struct ShownFields {
    /// Amount and currency.
    pub(in crate::report) amounts: bool,
    /// Subject.
    pub(in crate::report) subjects: bool,
    /// The value.
    pub(in crate::report) values: bool,
}

impl ShownFields {
    /// Returns what is shown of any audit: values where they are asked for.
    pub(in crate::report) fn new(values: bool) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// Adds what the audit was asked for.
    pub(in crate::report) fn take_header(&mut self, header: &AuditHeader) {
        self.amounts = header.amount_field.is_some();
        self.subjects = header.subject_field.is_some();
        self.values &= header.shows_values;
    }
}

/// Writes the members of `header`.
pub(in crate::report) fn header<W: Write>(
    json: &mut JsonOutput<W>,
    header: &AuditHeader,
) -> io::Result<()> {
    json.member("dupaudit_version", &header.dupaudit_version)?;
    json.member("command_line", &header.command_line)?;
    json.timestamp("started_at", Some(header.started_at_millis))?;
    json.timestamp("finished_at", Some(header.finished_at_millis))?;
    json.member("by", &header.by)?;
    json.member("within_ms", &header.within_millis)?;
    json.member("isolation", header.isolation)?;
    json.member("amount_field", &header.amount_field)?;
    let unit = header.amount_field.as_ref().map(|_| header.amount_unit);
    json.member("amount_unit", &unit)?;
    json.member("subject_field", &header.subject_field)?;
    json.timestamp("from", header.from_millis)?;
    json.timestamp("to", header.to_millis)?;
    json.member("reversal", &header.reversal)?;
    json.member("offset_range", &header.offset_range)?;
    json.member("shows_values", &header.shows_values)?;
    json.member("preset", &header.preset)?;
    json.member("where", &header.filter)?;
    json.member("currency_field", &header.currency_field)?;
    json.member("redaction", &header.redaction.map(RedactionKind::code))?;
    let key = match header.redaction {
        Some(RedactionKind::Hash(key)) => key.map(|key| format!("{key:016x}")),
        Some(RedactionKind::Mask) | None => None,
    };
    json.member("redaction_key", &key)
}

/// Writes the members of `coverage`.
pub(in crate::report) fn coverage<W: Write>(
    json: &mut JsonOutput<W>,
    coverage: &Coverage,
) -> io::Result<()> {
    json.name("conflicts")?;
    json.open("[")?;
    for found in &coverage.conflicts {
        conflict(json, found)?;
    }
    json.close("]")?;
    json.name("partitions")?;
    json.open("[")?;
    for read in &coverage.partitions {
        partition(json, read)?;
    }
    json.close("]")?;
    json.name("files")?;
    json.open("[")?;
    for read in &coverage.files {
        file(json, read)?;
    }
    json.close("]")
}

fn conflict<W: Write>(json: &mut JsonOutput<W>, conflict: &CoverageConflict) -> io::Result<()> {
    json.item()?;
    json.open("{")?;
    json.member("topic", &*conflict.topic_partition.topic)?;
    json.member("partition", &conflict.topic_partition.number())?;
    json.member("offset", &conflict.offset)?;
    json.member("audited", &conflict.audited)?;
    json.member("other", &conflict.other)?;
    json.close("}")
}

fn partition<W: Write>(json: &mut JsonOutput<W>, read: &PartitionCoverage) -> io::Result<()> {
    json.item()?;
    json.open("{")?;
    json.member("topic", &*read.topic_partition.topic)?;
    json.member("partition", &read.topic_partition.number())?;
    json.member("log_start_offset", &read.log_start_offset)?;
    json.member("high_watermark", &read.high_watermark)?;
    json.member("last_stable_offset", &read.last_stable_offset)?;
    json.member("start_offset", &read.start_offset)?;
    json.member("end_offset", &read.end_offset)?;
    json.member("next_offset", &read.next_offset)?;
    json.member("records_read", &read.records_read)?;
    json.member("complete", &read.is_complete())?;
    json.name("gaps")?;
    json.open("[")?;
    for gap in &read.gaps {
        json.item()?;
        json.open("{")?;
        json.member("start", &gap.start)?;
        json.member("end", &gap.end)?;
        json.member("reason", gap.reason.code())?;
        json.close("}")?;
    }
    json.close("]")?;
    json.member("notes", &read.notes)?;
    json.member("log_append_time", &read.is_log_append_time)?;
    json.close("}")
}

fn file<W: Write>(json: &mut JsonOutput<W>, read: &FileCoverage) -> io::Result<()> {
    json.item()?;
    json.open("{")?;
    json.member("path", &read.path)?;
    json.member("format", &read.format)?;
    json.member("bytes", &read.bytes)?;
    json.member("records_read", &read.records_read)?;
    json.member("complete", &read.is_complete())?;
    json.member("damage", &read.damage)?;
    json.member("format_reason", &read.format_reason)?;
    json.member("notes", &read.notes)?;
    json.close("}")
}

/// Writes the members of an episode.
pub(in crate::report) fn episode<W: Write>(
    json: &mut JsonOutput<W>,
    episode: &Episode,
) -> io::Result<()> {
    json.member("id", &episode.id)?;
    json.member("cause", episode.cause.code())?;
    json.member("topic", &episode.topic)?;
    json.member("partition", &episode.partition)?;
    json.member("groups", &episode.groups)?;
    json.member("extra_records", &episode.extra_records)?;
    json.timestamp("first_timestamp", episode.first_timestamp_millis)?;
    json.timestamp("last_timestamp", episode.last_timestamp_millis)?;
    offsets(json, "original_offsets", episode.original_offsets.as_ref())?;
    offsets(json, "extra_offsets", episode.extra_offsets.as_ref())?;
    json.member("original_topic", &episode.original_topic)?;
    json.member("original_partition", &episode.original_partition)?;
    amounts_at_risk(json, &episode.amounts)?;
    json.member("ongoing", &episode.is_ongoing)?;
    pictures::links(json, episode)
}

fn offsets<W: Write>(
    json: &mut JsonOutput<W>,
    name: &str,
    offsets: Option<&Range<i64>>,
) -> io::Result<()> {
    json.name(name)?;
    let Some(offsets) = offsets else {
        return json.value(&());
    };
    json.open("{")?;
    json.member("start", &offsets.start)?;
    json.member("end", &offsets.end)?;
    json.close("}")
}

/// Writes the members of a group, its records one by one.
pub(in crate::report) fn group<W: Write>(
    json: &mut JsonOutput<W>,
    group: &DuplicateGroup,
    shown: ShownFields,
) -> io::Result<()> {
    json.member("id", &group.id)?;
    key(json, &group.key)?;
    json.member("count", &group.count)?;
    json.member("extra", &group.extra)?;
    json.member("span_ms", &group.span_millis())?;
    json.member("identical", &group.identical)?;
    json.member("differing_fields", &group.differing_fields)?;
    json.member("cause", group.cause.code())?;
    json.member("confidence", &group.confidence.map(Confidence::code))?;
    json.member("evidence", &group.evidence)?;
    json.member("contrary", &group.contrary)?;
    json.member("episode", &group.episode)?;
    json.name("amount")?;
    match &group.amount {
        None => json.value(&())?,
        Some(amount) => amount_at_risk(json, amount)?,
    }
    json.member("subject", &group.subject)?;
    json.name("records")?;
    json.open("[")?;
    for reported in group.records.walk() {
        record(json, &reported?, shown)?;
    }
    json.close("]")?;
    json.member("review", group.review.code())?;
    json.member("reversals", &group.reversals)?;
    standing(json, group.standing.as_ref())
}

fn standing<W: Write>(
    json: &mut JsonOutput<W>,
    standing: Option<&GroupStanding>,
) -> io::Result<()> {
    json.member("status", &standing.map(|of| of.standing.code()))?;
    json.timestamp("first_found", standing.and_then(|of| of.first_found_millis))?;
    json.member("new_extra", &standing.map(|of| of.new_extra))?;
    json.member("known_by", &standing.and_then(|of| of.known_by.as_ref()))
}

/// Writes the dedup key, each part with its type.
pub(super) fn key<W: Write>(
    json: &mut JsonOutput<W>,
    fields: &[(String, KeyText)],
) -> io::Result<()> {
    json.name("key")?;
    json.open("{")?;
    for (path, text) in fields {
        json.name(path)?;
        match text {
            KeyText::Null => json.value(&())?,
            KeyText::Text(text) => json.value(text)?,
            KeyText::Boolean(flag) => json.value(flag)?,
            KeyText::Number(text) | KeyText::Json(text) => json.exact(text)?,
        }
    }
    json.close("}")
}

fn record<W: Write>(
    json: &mut JsonOutput<W>,
    record: &ReportedRecord,
    shown: ShownFields,
) -> io::Result<()> {
    json.item()?;
    json.open("{")?;
    json.member("occurrence", &record.occurrence)?;
    json.member("topic", &record.topic)?;
    json.member("partition", &record.partition)?;
    json.member("offset", &record.offset)?;
    json.timestamp("timestamp", record.timestamp_millis)?;
    json.member("timestamp_type", &record.timestamp_type.name())?;
    json.member("cause", &record.cause.map(Cause::code))?;
    json.member("confidence", &record.confidence.map(Confidence::code))?;
    json.member("episode", &record.episode)?;
    json.member("key", &record.key)?;
    json.member("file", &record.file)?;
    json.member("line", &record.line)?;
    json.member("byte_offset", &record.byte_offset)?;
    let texts = record.texts.as_deref();
    json.member("evidence", &texts.map(|texts| &texts.evidence))?;
    json.member("contrary", &texts.map(|texts| &texts.contrary))?;
    if shown.amounts {
        json.member("amount", &record.amount)?;
        json.member("currency", &record.currency)?;
        let reversal = record.reversal.as_ref();
        json.member("reversed", &reversal.map(|of| &of.reversed))?;
        json.member("net", &reversal.map(|of| &of.net))?;
    }
    if shown.subjects {
        json.member("subject", &record.subject)?;
    }
    if shown.values {
        json.member("value", &record.value)?;
    }
    json.close("}")
}
