//! The answer and what was looked at, in the words that all reports for people have.

use std::collections::BTreeSet;

use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::RedactionKind;
use crate::finding::Verdict;
use crate::record::FieldPath;
use crate::report::ReportHead;
use crate::report::csv::without_normalizers;
use crate::report::terminal::escape::visible;
use crate::report::terminal::numbers::{counted, date_and_time, duration, from_to, grouped};

/// Returns the answer as a word and a line.
pub(in crate::report) fn verdict_text(report: &ReportHead<'_>) -> (&'static str, String) {
    let summary = report.summary;
    let by = by_label(report.header);
    let keys = grouped(summary.distinct_keys);
    let within = report.header.within_millis.map(duration);
    match (summary.verdict, within) {
        (Verdict::Duplicates, None) => {
            let groups = grouped(summary.groups);
            let extra = counted(summary.extra_records, "extra record");
            let text = format!("{groups} of {keys} {by} came more than once: {extra}");
            ("DUPLICATES", text)
        }
        (Verdict::Duplicates, Some(within)) => {
            let groups = counted(summary.groups, "group");
            let extra = counted(summary.extra_records, "extra record");
            let text = format!("{groups} of the same {by} within {within}, {keys} in all: {extra}");
            ("DUPLICATES", text)
        }
        (Verdict::Clean, None) => ("CLEAN", format!("{keys} {by}, none more than once")),
        (Verdict::Clean, Some(within)) => {
            let text = format!("{keys} {by}, none more than once within {within}");
            ("CLEAN", text)
        }
        (Verdict::Incomplete, _) => {
            let text = format!("{keys} {by}, none more than once in what was read: not all was");
            ("INCOMPLETE", text)
        }
    }
}

/// Returns of how many groups nobody knows whether their copies differ, if of any.
pub(in crate::report) fn uncompared_text(summary: &AuditSummary) -> Option<String> {
    let groups = counted(summary.uncompared_groups, "group");
    let text = format!("copies of {groups} could not be read again to be compared");
    (summary.uncompared_groups > 0).then_some(text)
}

/// Returns the fields of the dedup key, in short.
pub(in crate::report) fn by_label(header: &AuditHeader) -> String {
    // A list of places to look says less than the name that was typed for it.
    let has_places = header.by.iter().any(|field| field.contains("//"));
    if let Some(preset) = header.preset.as_ref().filter(|_| has_places) {
        return format!("{} identities", visible(preset));
    }
    let fields: Vec<String> = header.by.iter().map(|field| short_field(field)).collect();
    fields.join(" + ")
}

/// Returns a field without its root and normalisers.
pub(in crate::report) fn short_field(field: &str) -> String {
    let path = without_normalizers(field);
    // The places to look instead are listed elsewhere.
    if let Some((first, _)) = path.split_once("//") {
        return format!("{}//…", short_field(first));
    }
    visible(&FieldPath::parse(path).map_or_else(|_| path.to_owned(), |path| path.short()))
}

/// Returns how texts of records are hidden, if they are.
pub(in crate::report) fn hidden_text(header: &AuditHeader) -> Option<&'static str> {
    header.redaction.map(|kind| match kind {
        RedactionKind::Hash(Some(_)) => {
            "dedup keys, subjects and record keys are hidden behind hashes with the key of a file"
        }
        RedactionKind::Hash(None) => {
            "dedup keys, subjects and record keys are hidden behind hashes of this report alone"
        }
        RedactionKind::Mask => "dedup keys, subjects and record keys are hidden behind a mask",
    })
}

/// Returns what was looked at.
pub(in crate::report) fn range_text(report: &ReportHead<'_>) -> String {
    let header = report.header;
    let mut parts = sources(report);
    match (header.from_millis, header.to_millis) {
        (Some(from), Some(to)) => parts.push(from_to(from, to)),
        (Some(from), None) => parts.push(format!("from {} UTC", date_and_time(from))),
        (None, Some(to)) => parts.push(format!("before {} UTC", date_and_time(to))),
        // What was asked for in offsets is said in offsets.
        (None, None) if header.offset_range.is_some() => {}
        (None, None) => {
            if let Some(span) = report.summary.audited_span {
                parts.push(from_to(span.first_millis, span.last_millis));
            }
        }
    }
    parts.extend(header.offset_range.clone());
    let types: Vec<_> = report
        .summary
        .timestamp_types
        .iter()
        .filter_map(|by| by.name())
        .collect();
    if !types.is_empty() {
        parts.push(format!("by {}", types.join(" and ")));
    }
    parts.extend(isolation_text(report));
    parts.join(", ")
}

/// Returns what of others' writing was seen; nothing of files.
fn isolation_text(report: &ReportHead<'_>) -> Option<String> {
    const SNAPSHOT: &str = "repeatable read snapshot";
    let mut partitions = report.coverage.partitions.iter();
    let level = report.header.isolation;
    let has_topic = partitions.any(|read| read.topic_partition.number().is_some());
    match (has_topic, report.coverage.has_database()) {
        (false, false) => None,
        (true, false) => Some(level.to_owned()),
        (false, true) => Some(SNAPSHOT.to_owned()),
        (true, true) => Some(format!("{level}, and a {SNAPSHOT} of the database")),
    }
}

/// Returns what copies are that have no conflict, and what those with one do: what a message store
/// makes of its own for each record counts for nothing.
pub(in crate::report) fn likeness_texts(report: &ReportHead<'_>) -> (&'static str, &'static str) {
    if report.coverage.has_store() {
        (
            "alike but for ids, positions and times",
            "differ in more than ids, positions and times",
        )
    } else {
        ("byte-identical", "are not byte-identical")
    }
}

fn sources(report: &ReportHead<'_>) -> Vec<String> {
    const NAMED: usize = 3;
    let partitions = report.coverage.partitions.iter();
    let topics: BTreeSet<&str> = partitions
        .map(|read| &*read.topic_partition.topic)
        .collect();
    let mut parts: Vec<String> = topics
        .iter()
        .take(NAMED)
        .map(|topic| visible(topic))
        .collect();
    if topics.len() > NAMED {
        parts.push(format!(
            "{} topics more",
            grouped_length(topics.len() - NAMED)
        ));
    }
    match report.coverage.files.as_slice() {
        [] => {}
        [file] if file.path == "-" => parts.push("standard input".to_owned()),
        [file] => parts.push(visible(&file.path)),
        files => parts.push(format!("{} files", grouped_length(files.len()))),
    }
    parts
}

/// Returns a length with commas between thousands.
pub(in crate::report) fn grouped_length(length: usize) -> String {
    grouped(u64::try_from(length).unwrap_or(u64::MAX))
}
