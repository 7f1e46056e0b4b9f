//! How sure the report is: what was read of what was asked for, and what is missing.

use crate::finding::Coverage;
use crate::finding::PartitionCoverage;
use crate::report::ReportHead;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::counted;
use crate::report::terminal::numbers::grouped;

/// Lines about single gaps, files and records at most.
const MOST_DETAILS: usize = 12;

/// Adds what was read, and each reason why that is not all.
pub(super) fn sure(screen: &mut Screen, report: &ReportHead<'_>) {
    let summary = report.summary;
    let word = if summary.complete {
        "complete"
    } else {
        "INCOMPLETE"
    };
    let read = read_parts(report);
    let undecodable = grouped(summary.skipped.undecodable);
    let missing = grouped(summary.skipped.missing_key);
    screen.labelled_parts(
        "SURE?",
        &format!("coverage {word}: {read};"),
        &format!("{undecodable} undecodable, {missing} without key"),
    );
    let skipped = summary.skipped.by_code().into_iter();
    let skipped: Vec<String> = skipped
        .filter(|&(code, count)| count > 0 && !matches!(code, "undecodable" | "missing-key"))
        .map(|(code, count)| format!("{} {code}", grouped(count)))
        .collect();
    if !skipped.is_empty() {
        screen.below(&format!("not compared: {}", skipped.join(", ")));
    }
    for reason in &summary.incomplete_reasons {
        screen.below(&visible(reason));
    }
    if !summary.complete {
        details(screen, report);
    }
    notes(screen, report.coverage);
}

fn notes(screen: &mut Screen, coverage: &Coverage) {
    let notes = coverage.partitions.iter().flat_map(|read| {
        let noted = read.notes.iter();
        noted.map(|note| visible(&format!("{}: {note}", read.topic_partition)))
    });
    let of_files = coverage.files.iter().flat_map(|read| {
        let noted = read.notes.iter();
        noted.map(|note| visible(&format!("{}: {note}", read.path)))
    });
    let mut notes = notes.chain(of_files).fuse();
    for note in notes.by_ref().take(MOST_DETAILS) {
        screen.below(&note);
    }
    more(screen, notes.count());
}

fn more(screen: &mut Screen, count: usize) {
    if count > 0 {
        let count = grouped(u64::try_from(count).unwrap_or(u64::MAX));
        screen.below(&format!("and {count} more, in the JSON report"));
    }
}

/// Returns how much was read of what was asked for.
pub(in crate::report) fn read_parts(report: &ReportHead<'_>) -> String {
    let coverage = report.coverage;
    let mut parts = Vec::new();
    if !coverage.partitions.is_empty() {
        let offsets = coverage.partitions.iter().map(offsets_read);
        let (read, asked) =
            offsets.fold((0, 0), |sum, (read, asked)| (sum.0 + read, sum.1 + asked));
        let noun = if asked == 1 { "offset" } else { "offsets" };
        parts.push(format!("{} of {} {noun}", grouped(read), grouped(asked)));
        let complete = coverage.partitions.iter().filter(|read| read.is_complete());
        parts.push(of(complete.count(), coverage.partitions.len(), "partition"));
    }
    if !coverage.files.is_empty() {
        let complete = coverage.files.iter().filter(|read| read.is_complete());
        parts.push(of(complete.count(), coverage.files.len(), "file"));
    }
    if coverage.partitions.is_empty() {
        parts.push(counted(report.summary.records_read, "record"));
    }
    parts.join(", ")
}

fn of(part: usize, whole: usize, noun: &str) -> String {
    let plural = if whole == 1 { "" } else { "s" };
    let number = |count: usize| grouped(u64::try_from(count).unwrap_or(u64::MAX));
    format!("{} of {} {noun}{plural}", number(part), number(whole))
}

/// Returns the offsets dealt with and those asked for; a gap where nothing was to read is dealt
/// with, and one that lies outside the frozen range was asked for all the same.
fn offsets_read(read: &PartitionCoverage) -> (i128, i128) {
    let asked = (read.start_offset, read.end_offset);
    let gaps = read.unread_gaps();
    let mut unread: Vec<(i64, i64)> = gaps.map(|gap| (gap.start, gap.end)).collect();
    let mut wanted = unread.clone();
    unread.push((read.next_offset.max(read.start_offset), read.end_offset));
    wanted.push(asked);
    let wanted = length_of_union(wanted);
    (wanted - length_of_union(unread), wanted)
}

fn length_of_union(mut ranges: Vec<(i64, i64)>) -> i128 {
    ranges.sort_unstable();
    let mut length = 0;
    let mut reached = i64::MIN;
    for (start, end) in ranges {
        let start = start.max(reached);
        if end > start {
            length += i128::from(end) - i128::from(start);
            reached = end;
        }
    }
    length
}

/// Names what is missing, as far as the reasons given have not named it.
fn details(screen: &mut Screen, report: &ReportHead<'_>) {
    let reasons: Vec<String> = report
        .summary
        .incomplete_reasons
        .iter()
        .map(|reason| visible(reason))
        .collect();
    let is_named = |detail: &Detail| {
        let mut reasons = reasons.iter();
        reasons.any(|reason| reason.contains(&detail.place) && reason.contains(&detail.what))
    };
    let mut details = missing(report.coverage).filter(|detail| !is_named(detail));
    for detail in details.by_ref().take(MOST_DETAILS) {
        screen.below(&format!("{}: {}", detail.place, detail.text()));
    }
    more(screen, details.count());
}

/// Returns what is missing, one text each, of which `limit` at most, and how many there are more.
pub(in crate::report) fn missing_texts(coverage: &Coverage, limit: usize) -> (Vec<String>, usize) {
    let mut details = missing(coverage);
    let first = details.by_ref().take(limit);
    let texts = first.map(|detail| format!("{}: {}", detail.place, detail.text()));
    (texts.collect(), details.count())
}

struct Detail {
    place: String,
    what: String,
    why: Option<&'static str>,
}

impl Detail {
    fn text(&self) -> String {
        match self.why {
            Some(why) => format!("{} {why}", self.what),
            None => self.what.clone(),
        }
    }
}

fn missing(coverage: &Coverage) -> impl Iterator<Item = Detail> {
    let gaps = coverage.partitions.iter().flat_map(partition_details);
    let files = coverage.files.iter().filter_map(|file| {
        file.damage.as_ref().map(|damage| Detail {
            place: visible(&file.path),
            what: visible(damage),
            why: None,
        })
    });
    let conflicts = coverage.conflicts.iter().map(|conflict| Detail {
        place: visible(&format!("{}@{}", conflict.topic_partition, conflict.offset)),
        what: format!(
            "read with other bytes in {} than in {}",
            visible(&conflict.other),
            visible(&conflict.audited)
        ),
        why: None,
    });
    gaps.chain(files).chain(conflicts)
}

fn partition_details(read: &PartitionCoverage) -> Vec<Detail> {
    let place = visible(&read.topic_partition.to_string());
    let mut details: Vec<Detail> = read
        .unread_gaps()
        .map(|gap| Detail {
            place: place.clone(),
            what: format!("[{}, {})", gap.start, gap.end),
            why: Some(gap.reason.code()),
        })
        .collect();
    if details.is_empty() && !read.is_complete() {
        details.push(Detail {
            place,
            what: format!("[{}, {})", read.next_offset, read.end_offset),
            why: Some("not read"),
        });
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::GapReason;
    use crate::finding::OffsetGap;
    use crate::record::TopicPartition;

    fn read(next_offset: i64, gaps: &[(i64, i64, GapReason)]) -> PartitionCoverage {
        PartitionCoverage {
            topic_partition: TopicPartition {
                topic: "t".into(),
                partition: 0,
            },
            log_start_offset: 0,
            high_watermark: 100,
            last_stable_offset: 100,
            start_offset: 10,
            end_offset: 100,
            next_offset,
            records_read: 0,
            is_log_append_time: false,
            gaps: gaps
                .iter()
                .map(|&(start, end, reason)| OffsetGap { start, end, reason })
                .collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn offsets_where_nothing_is_to_read_are_dealt_with() {
        assert_eq!(offsets_read(&read(100, &[])), (90, 90));
        assert_eq!(
            offsets_read(&read(100, &[(20, 30, GapReason::Control)])),
            (90, 90)
        );
    }

    #[test]
    fn what_is_missing_is_counted_once() {
        let corrupt = (20, 30, GapReason::Corrupt);
        assert_eq!(offsets_read(&read(100, &[corrupt])), (80, 90));
        let stalled = (50, 100, GapReason::Stalled);
        assert_eq!(offsets_read(&read(50, &[corrupt, stalled])), (30, 90));
        assert_eq!(offsets_read(&read(50, &[])), (40, 90));
        assert_eq!(offsets_read(&read(0, &[])), (0, 90));
        let open = (100, 120, GapReason::OpenTransaction);
        assert_eq!(offsets_read(&read(100, &[open])), (90, 110));
        let all = (i64::MIN, i64::MAX, GapReason::Deleted);
        assert_eq!(offsets_read(&read(100, &[all])).0, 0);
    }
}
