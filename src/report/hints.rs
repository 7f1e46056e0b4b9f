//! What to do next, chosen by what an audit came to.

use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::GapReason;
use crate::finding::PartitionCoverage;

/// Hints after one run: more are not read.
const HINTS_MAX: usize = 2;

/// Returns what would help with what happened, the most helpful first; none where nothing did.
pub fn hints(summary: &AuditSummary, coverage: &Coverage) -> Vec<String> {
    let hints = without_key(summary)
        .into_iter()
        .chain(outside_range(summary))
        .chain(undecodable(summary))
        .chain(unread(coverage))
        .chain(compacted(coverage));
    hints.take(HINTS_MAX).collect()
}

fn without_key(summary: &AuditSummary) -> Option<String> {
    let missing = summary.skipped.missing_key;
    let is_most = missing > summary.records_audited;
    is_most.then(|| {
        "`dupaudit suggest` with the same files or topics proposes fields that identify the \
         records"
            .to_owned()
    })
}

fn outside_range(summary: &AuditSummary) -> Option<String> {
    let outside = summary.skipped.outside_range;
    let is_all = outside > 0 && outside == summary.records_read;
    is_all.then(|| {
        "every record lies outside --from and --to: without them the report says when and where \
         the records are"
            .to_owned()
    })
}

/// Those that were accepted leave the audit complete.
fn undecodable(summary: &AuditSummary) -> Option<String> {
    let count = summary.skipped.undecodable;
    (count > 0 && !summary.complete).then(|| {
        format!(
            "--schema-registry or --value-schema reads records that have a schema, and \
             `--allow-undecodable {count}` accepts these"
        )
    })
}

/// Names what would read what was not read, by the first reason that has a remedy.
fn unread(coverage: &Coverage) -> Option<String> {
    let partitions = coverage.partitions.iter();
    let mut unread = partitions.flat_map(PartitionCoverage::unread_gaps);
    unread.find_map(|gap| remedy(gap.reason)).map(str::to_owned)
}

fn remedy(reason: GapReason) -> Option<&'static str> {
    match reason {
        GapReason::Retention => {
            Some("a later --from asks only for what retention has left in the log")
        }
        GapReason::LateTail => Some("without --late every partition is read to its end"),
        GapReason::OpenTransaction => Some(
            "scan again once the transaction has ended, or read past it with `--isolation \
             read_uncommitted`",
        ),
        GapReason::Stalled => {
            Some("a longer --stall-timeout waits for a partition whose leader comes back later")
        }
        GapReason::Interrupted => {
            Some("the same command again reads everything; --from and --to make it less")
        }
        GapReason::Corrupt => {
            Some("another replica may have these batches whole: its .log files can be scanned too")
        }
        GapReason::Deleted
        | GapReason::Control
        | GapReason::Aborted
        | GapReason::Compacted
        | GapReason::ControlOrCompacted
        | GapReason::Truncated
        | GapReason::Recreated
        | GapReason::SequenceHole => None,
    }
}

fn compacted(coverage: &Coverage) -> Option<String> {
    let mut partitions = coverage.partitions.iter();
    let partition = partitions.find(|read| {
        let mut gaps = read.gaps.iter();
        gaps.any(|gap| gap.reason == GapReason::Compacted)
    })?;
    let topic = &partition.topic_partition.topic;
    Some(format!(
        "`{topic}` is compacted, so earlier copies may be gone; `--expect compacted:{topic}` takes \
         later records of a key for what they are"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::OffsetGap;
    use crate::finding::SkippedRecords;
    use crate::report::sample::Sample;
    use crate::report::sample::sample;

    fn hinted(sample: &Sample) -> Vec<String> {
        hints(&sample.summary, &sample.coverage)
    }

    fn with_gaps(reasons: &[GapReason]) -> Sample {
        let mut sample = sample();
        sample.coverage.partitions[0].gaps = reasons
            .iter()
            .zip(0..)
            .map(|(reason, start)| OffsetGap {
                start,
                end: start + 1,
                reason: *reason,
            })
            .collect();
        sample
    }

    fn with_skipped(skipped: SkippedRecords) -> Sample {
        let mut sample = sample();
        sample.summary.skipped = skipped;
        sample.summary.complete = false;
        sample
    }

    #[test]
    fn an_audit_that_went_well_has_no_hint() {
        assert_eq!(hinted(&sample()), [""; 0]);
        let gaps = [
            GapReason::Control,
            GapReason::Aborted,
            GapReason::ControlOrCompacted,
        ];
        assert_eq!(hinted(&with_gaps(&gaps)), [""; 0]);
    }

    #[test]
    fn a_gap_with_a_remedy_has_its_option() {
        for (reason, option) in [
            (GapReason::Retention, "--from"),
            (GapReason::LateTail, "--late"),
            (GapReason::OpenTransaction, "--isolation read_uncommitted"),
            (GapReason::Stalled, "--stall-timeout"),
            (GapReason::Interrupted, "same command"),
            (GapReason::Corrupt, ".log"),
            (GapReason::Compacted, "--expect compacted:charges"),
        ] {
            // One without a remedy is passed over.
            let hints = hinted(&with_gaps(&[GapReason::Recreated, reason]));
            assert_eq!(hints.len(), 1, "{reason}: {hints:?}");
            assert!(hints[0].contains(option), "{reason}: {hints:?}");
        }
        let mut by_broker = with_gaps(&[GapReason::LateTail]);
        by_broker.coverage.partitions[0].is_log_append_time = true;
        assert_eq!(hinted(&by_broker), [""; 0]);
    }

    #[test]
    fn a_dedup_key_that_most_records_lack_is_looked_for() {
        let lacking = |missing_key, records_audited| {
            let mut sample = with_skipped(SkippedRecords {
                missing_key,
                ..SkippedRecords::default()
            });
            sample.summary.records_audited = records_audited;
            hinted(&sample)
        };
        assert!(lacking(192, 0)[0].contains("dupaudit suggest"));
        assert_eq!(lacking(96, 96), [""; 0]);
    }

    #[test]
    fn records_out_of_reach_are_told_how_to_be_reached() {
        let outside = |outside_range| {
            hinted(&with_skipped(SkippedRecords {
                outside_range,
                ..SkippedRecords::default()
            }))
        };
        assert!(outside(6_000)[0].contains("--from and --to"));
        assert_eq!(outside(5_999), [""; 0]);
        let mut broken = with_skipped(SkippedRecords {
            undecodable: 3,
            ..SkippedRecords::default()
        });
        assert!(hinted(&broken)[0].contains("--allow-undecodable 3"));
        broken.summary.complete = true;
        assert_eq!(hinted(&broken), [""; 0]);
    }

    #[test]
    fn there_are_two_hints_at_most_and_the_most_helpful_is_first() {
        let mut sample = with_gaps(&[GapReason::Compacted, GapReason::Stalled]);
        sample.summary.skipped.missing_key = 9_000;
        let hints = hinted(&sample);
        assert_eq!(hints.len(), 2);
        assert!(hints[0].contains("suggest") && hints[1].contains("--stall-timeout"));
    }
}
