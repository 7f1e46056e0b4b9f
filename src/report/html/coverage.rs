//! What was read and what was not, as the page shows it.

use serde::Serialize;

use crate::finding::FileCoverage;
use crate::finding::PartitionCoverage;
use crate::report::ReportHead;
use crate::report::html::view::{long, short};
use crate::report::terminal::coverage_lines::{missing_texts, read_parts};
use crate::report::terminal::numbers::grouped;

/// Rows of a table and lines of a list at most.
const ROWS_MAX: usize = 100;

/// Gaps of one partition at most.
const GAPS_MAX: usize = 5;

/// What was read.
#[derive(Debug, Serialize)]
pub(super) struct CoverageView {
    complete: bool,
    read: String,
    skipped: Vec<String>,
    reasons: Vec<String>,
    missing: Vec<String>,
    missing_more: usize,
    partitions: Vec<PartitionRow>,
    partitions_more: usize,
    files: Vec<FileRow>,
    files_more: usize,
}

/// What was read of one partition.
#[derive(Debug, Serialize)]
struct PartitionRow {
    place: String,
    offsets: String,
    records: String,
    gaps: Vec<String>,
    complete: bool,
    notes: Vec<String>,
}

/// What was read of one file.
#[derive(Debug, Serialize)]
struct FileRow {
    path: String,
    format: String,
    records: String,
    bytes: String,
    damage: Option<String>,
    complete: bool,
    notes: Vec<String>,
}

/// Returns what was read; what is not complete comes first.
pub(super) fn coverage(report: &ReportHead<'_>) -> CoverageView {
    let (summary, coverage) = (report.summary, report.coverage);
    let skipped = summary.skipped.by_code().into_iter();
    let (missing, missing_more) = missing_texts(coverage, GAPS_MAX * 2);
    let mut partitions: Vec<&PartitionCoverage> = coverage.partitions.iter().collect();
    partitions.sort_by_key(|read| read.is_complete());
    let mut files: Vec<&FileCoverage> = coverage.files.iter().collect();
    files.sort_by_key(|read| read.is_complete());
    CoverageView {
        complete: summary.complete,
        read: read_parts(report),
        skipped: skipped
            .filter(|(_, count)| *count > 0)
            .map(|(code, count)| format!("{} {code}", grouped(count)))
            .collect(),
        reasons: texts(&summary.incomplete_reasons),
        missing: missing.iter().map(|text| long(text)).collect(),
        missing_more,
        partitions_more: partitions.len().saturating_sub(ROWS_MAX),
        partitions: partitions
            .into_iter()
            .take(ROWS_MAX)
            .map(partition)
            .collect(),
        files_more: files.len().saturating_sub(ROWS_MAX),
        files: files.into_iter().take(ROWS_MAX).map(file).collect(),
    }
}

/// Returns the first texts of a list, as people may read them.
pub(super) fn texts(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .take(GAPS_MAX * 2)
        .map(|text| long(text))
        .collect()
}

fn partition(read: &PartitionCoverage) -> PartitionRow {
    let mut gaps: Vec<String> = read
        .gaps
        .iter()
        .take(GAPS_MAX)
        .map(|gap| format!("[{}, {}) {}", gap.start, gap.end, gap.reason))
        .collect();
    if read.gaps.len() > GAPS_MAX {
        gaps.push(format!("and {} more", read.gaps.len() - GAPS_MAX));
    }
    PartitionRow {
        place: short(&read.topic_partition.to_string()),
        offsets: format!("[{}, {})", read.start_offset, read.end_offset),
        records: grouped(read.records_read),
        gaps,
        complete: read.is_complete(),
        notes: texts(&read.notes),
    }
}

fn file(read: &FileCoverage) -> FileRow {
    FileRow {
        path: short(&read.path),
        format: short(&read.format),
        records: grouped(read.records_read),
        bytes: grouped(read.bytes),
        damage: read.damage.as_deref().map(long),
        complete: read.is_complete(),
        notes: texts(&read.notes),
    }
}
