//! What a report read of what another one read.

use std::collections::BTreeSet;

use crate::finding::Coverage;
use crate::finding::PartitionCoverage;
use crate::finding::ReportedRecord;
use crate::report::diff::StoredHead;
use crate::report::timestamp_text::rfc3339;

/// Partitions and files that are named at most.
const NAMED: usize = 3;

/// Returns whether the report read the place where a record of another one stood.
pub(super) fn was_read(report: &StoredHead, record: &ReportedRecord) -> bool {
    let header = &report.header;
    if let Some(millis) = record.timestamp_millis
        && (header.from_millis.is_some_and(|from| millis < from)
            || header.to_millis.is_some_and(|to| millis >= to))
    {
        return false;
    }
    let coverage = &report.coverage;
    let file = record.file.as_ref();
    let has_file = file.is_some_and(|file| {
        let mut files = coverage.files.iter();
        files.any(|read| read.path == *file && read.is_complete())
    });
    let place = record.topic.as_ref().zip(record.partition);
    let partition = place.and_then(|place| partition(coverage, place));
    has_file
        || partition
            .zip(record.offset)
            .is_some_and(|(read, offset)| has_offset(read, offset))
}

fn partition<'c>(
    coverage: &'c Coverage,
    (topic, number): (&String, i32),
) -> Option<&'c PartitionCoverage> {
    coverage.partitions.iter().find(|read| {
        *read.topic_partition.topic == **topic && read.topic_partition.partition == number
    })
}

fn has_offset(read: &PartitionCoverage, offset: i64) -> bool {
    let is_in_gap = read
        .unread_gaps()
        .any(|gap| (gap.start..gap.end).contains(&offset));
    (read.start_offset..read.next_offset.min(read.end_offset)).contains(&offset) && !is_in_gap
}

/// Returns in what two reports differ beside their groups.
pub(super) fn notes(old: &StoredHead, new: &StoredHead) -> Vec<String> {
    let mut notes = Vec::new();
    if !old.summary.complete {
        notes.push(
            "the older report did not read everything: what is new may have been there".to_owned(),
        );
    }
    if !new.summary.complete {
        notes.push(
            "the newer report did not read everything: what is gone may still be there".to_owned(),
        );
    }
    if old.header.within_millis != new.header.within_millis {
        notes.push("--within differs, so that groups are split in other places".to_owned());
    }
    let (before, after) = (range(old), range(new));
    if before != after {
        notes.push(format!(
            "the ranges asked for differ: {before}, then {after}"
        ));
    }
    notes.extend(sources(old, new));
    notes.extend(offsets(old, new));
    notes
}

fn range(report: &StoredHead) -> String {
    let header = &report.header;
    let time = |millis: Option<i64>, without: &str| millis.map_or(without.to_owned(), rfc3339);
    let from = time(header.from_millis, "the start");
    let to = time(header.to_millis, "the end");
    match &header.offset_range {
        Some(offsets) => format!("{from} to {to}, {offsets}"),
        None => format!("{from} to {to}"),
    }
}

fn sources(old: &StoredHead, new: &StoredHead) -> Vec<String> {
    let names = |report: &StoredHead| -> BTreeSet<String> {
        let files = report.coverage.files.iter().map(|read| read.path.clone());
        let partitions = report.coverage.partitions.iter();
        let partitions = partitions.map(|read| read.topic_partition.to_string());
        files.chain(partitions).collect()
    };
    let (before, after) = (names(old), names(new));
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>, which: &str| {
        let only: Vec<&String> = these.difference(those).collect();
        (!only.is_empty()).then(|| format!("only the {which} report read {}", listed(&only)))
    };
    let old_only = only(&before, &after, "older");
    old_only
        .into_iter()
        .chain(only(&after, &before, "newer"))
        .collect()
}

fn listed(names: &[&String]) -> String {
    let mut parts: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| (*name).clone())
        .collect();
    if names.len() > NAMED {
        parts.push(format!("{} more", names.len() - NAMED));
    }
    parts.join(", ")
}

fn offsets(old: &StoredHead, new: &StoredHead) -> Option<String> {
    let mut differing = Vec::new();
    for after in &new.coverage.partitions {
        let place = &after.topic_partition;
        let before = partition(&old.coverage, (&place.topic.to_string(), place.partition));
        let range = |read: &PartitionCoverage| (read.start_offset, read.end_offset);
        if let Some(before) = before.filter(|before| range(before) != range(after)) {
            let text =
                |read: &PartitionCoverage| format!("[{}, {})", read.start_offset, read.end_offset);
            differing.push(format!("{place} {} then {}", text(before), text(after)));
        }
    }
    let names: Vec<&String> = differing.iter().collect();
    (!names.is_empty()).then(|| format!("the offsets read differ: {}", listed(&names)))
}
