//! Why an audit is not complete: what was not read, and what the records leave open.

use crate::audit::collect::Counts;
use crate::audit::placement::remap::Remapper;
use crate::audit::plan::AuditPlan;
use crate::audit::probe::{PATHS_MAX, Sample};
use crate::audit::statement::places::record_place;
use crate::audit::statement::{count, time_flag};
use crate::decode;
use crate::finding::Coverage;
use crate::record::{RecordBlock, SplitId};
use crate::record::{counted, grouped};
use crate::source::RecordSource;

/// Returns what was not read.
pub(super) fn coverage_reasons(coverage: &Coverage) -> Vec<String> {
    let mut reasons = Vec::new();
    for partition in &coverage.partitions {
        let name = &partition.topic_partition;
        for gap in partition
            .gaps
            .iter()
            .filter(|gap| !partition.is_gap_complete(gap))
        {
            reasons.push(format!(
                "{name}: [{}, {}) not read: {}",
                gap.start, gap.end, gap.reason
            ));
        }
        let is_explained = partition.gaps.iter().any(|gap| !gap.reason.is_complete());
        if partition.next_offset < partition.end_offset && !is_explained {
            let (next, end) = (partition.next_offset, partition.end_offset);
            reasons.push(format!("{name}: [{next}, {end}) not read"));
        }
    }
    for file in &coverage.files {
        if let Some(damage) = &file.damage {
            reasons.push(format!("{}: {damage}", file.path));
        }
    }
    reasons
}

/// What the records themselves leave open.
pub(super) fn record_reasons(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    counts: &Counts,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let skipped = &counts.skipped;
    if skipped.undecodable > plan.acceptance.undecodable {
        let examples = counts.sample.undecodable_text(|example| {
            record_place(sources, example.split, example.position, example.line)
        });
        reasons.push(format!(
            "{} undecodable, such as {examples}",
            count(skipped.undecodable, "record is", "records are"),
        ));
    }
    if counts.records_unplaced > 0 {
        reasons.push(format!(
            "{} no {} and cannot be placed by `{}`",
            count(counts.records_unplaced, "record has", "records have"),
            time_flag(plan).map_or("offset", |_| "timestamp"),
            time_flag(plan).unwrap_or("--from/--to")
        ));
    }
    let keyed = counts.records_audited + skipped.missing_key;
    if counts.records_audited == 0 && skipped.missing_key > 0 {
        reasons.push(no_key_reason(plan, sources, counts));
    } else if counts.records_audited == 0 && !plan.acceptance.empty {
        let what = if counts.records_read == 0 {
            "no record was read"
        } else if skipped.filtered > 0 && skipped.filtered == skipped.total() {
            "no record was audited, `--where` leaves all of them out"
        } else {
            "no record was audited"
        };
        reasons.push(format!("{what}; `--allow-empty` accepts that"));
    }
    if let Some(rate) = plan.acceptance.missing_rate {
        let missing = ratio(skipped.missing_key, keyed);
        if missing > rate {
            reasons.push(format!(
                "{} of {} lack the dedup key, more than --max-missing allows",
                grouped(skipped.missing_key),
                counted(keyed, "record")
            ));
        }
    }
    reasons
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a rate is compared"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn no_key_reason(plan: &AuditPlan, sources: &[Box<dyn RecordSource>], counts: &Counts) -> String {
    let fields: Vec<String> = plan
        .dedup_key
        .fields
        .iter()
        .map(|field| field.path.short())
        .collect();
    let paths = match &*existing_paths(plan, sources, &counts.sample) {
        [] => String::new(),
        paths => format!("; these paths exist: {}", paths.join(", ")),
    };
    format!(
        "none of {} has the dedup key `{}`{paths}",
        counted(counts.skipped.missing_key, "record"),
        fields.join(",")
    )
}

/// Returns the paths that the first record without the dedup key has.
fn existing_paths(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    sample: &Sample,
) -> Vec<String> {
    let Some((split, position, paths)) = &sample.existing_paths else {
        return Vec::new();
    };
    let read_again = || paths_of(plan, sources, (*split, *position)).unwrap_or_default();
    paths.clone().unwrap_or_else(read_again)
}

/// Reads the paths again that a later message may list, while the sources are at hand.
pub(in crate::audit) fn look_up_paths(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    counts: &mut Counts,
) {
    if let Some((split, position, paths @ None)) = &mut counts.sample.existing_paths {
        *paths = Some(paths_of(plan, sources, (*split, *position)).unwrap_or_default());
    }
}

/// Reads the whole of a record of which not all was looked into.
fn paths_of(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    (split, position): (SplitId, u64),
) -> Option<Vec<String>> {
    let source = sources
        .iter()
        .find(|source| source.splits().contains(&split))?;
    let mut block = RecordBlock::default();
    let mut revisitor = source.revisit(split).ok()?;
    revisitor.fetch(&[position], &mut block).ok()?;
    Remapper::new(plan).apply(&mut block);
    Some(decode::existing_paths(block.view(0)?, PATHS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::SkippedRecords;
    use crate::finding::{FileCoverage, GapReason, OffsetGap, PartitionCoverage};
    use crate::record::TopicPartition;

    fn partition(next_offset: i64, gaps: &[(i64, i64, GapReason)]) -> Coverage {
        let gap = |(start, end, reason): &(i64, i64, GapReason)| OffsetGap {
            start: *start,
            end: *end,
            reason: *reason,
        };
        Coverage {
            partitions: vec![PartitionCoverage {
                topic_partition: TopicPartition {
                    topic: "t".into(),
                    partition: 0,
                },
                log_start_offset: 0,
                high_watermark: 100,
                last_stable_offset: 100,
                start_offset: 0,
                end_offset: 100,
                next_offset,
                records_read: 0,
                is_log_append_time: false,
                gaps: gaps.iter().map(gap).collect(),
                notes: Vec::new(),
            }],
            ..Coverage::default()
        }
    }

    #[test]
    fn each_gap_that_matters_is_named_once() {
        for (next_offset, gaps, expected) in [
            (100, &[][..], &[][..]),
            (100, &[(3, 4, GapReason::Control)], &[]),
            (
                100,
                &[(3, 9, GapReason::Corrupt)],
                &["t-0: [3, 9) not read: corrupt"],
            ),
            (40, &[], &["t-0: [40, 100) not read"]),
            (
                40,
                &[(3, 4, GapReason::Compacted)],
                &["t-0: [40, 100) not read"],
            ),
            (
                40,
                &[(40, 100, GapReason::Stalled)],
                &["t-0: [40, 100) not read: stalled"],
            ),
        ] {
            assert_eq!(coverage_reasons(&partition(next_offset, gaps)), expected);
        }
        let mut coverage = Coverage::default();
        coverage.files.push(FileCoverage {
            path: "a.gz".to_owned(),
            format: "jsonl".to_owned(),
            format_reason: String::new(),
            bytes: 1,
            records_read: 1,
            damage: Some("cut off".to_owned()),
            notes: Vec::new(),
        });
        assert_eq!(coverage_reasons(&coverage), ["a.gz: cut off"]);
    }

    fn counts(records_audited: u64, missing_key: u64, undecodable: u64) -> Counts {
        Counts {
            records_read: records_audited + missing_key + undecodable,
            records_audited,
            skipped: SkippedRecords {
                missing_key,
                undecodable,
                ..SkippedRecords::default()
            },
            ..Counts::default()
        }
    }

    #[test]
    fn what_the_records_leave_open_is_a_reason_unless_it_is_accepted() {
        let reasons = |accept: &dyn Fn(&mut AuditPlan), counts: &Counts| {
            let mut plan = AuditPlan::sample(&["id"]);
            accept(&mut plan);
            record_reasons(&plan, &[], counts)
        };
        let nothing = |_: &mut AuditPlan| {};
        assert_eq!(reasons(&nothing, &counts(5, 0, 0)), [""; 0]);
        assert_eq!(reasons(&nothing, &counts(5, 9, 0)), [""; 0]);
        let few = reasons(&nothing, &counts(5, 0, 1_200));
        assert!(
            few[0].starts_with("1,200 records are undecodable, such as "),
            "{few:?}"
        );
        let accepted = |plan: &mut AuditPlan| plan.acceptance.undecodable = 1_200;
        assert_eq!(reasons(&accepted, &counts(5, 0, 1_200)), [""; 0]);
        let none = reasons(&nothing, &counts(0, 0, 0));
        assert_eq!(none, ["no record was read; `--allow-empty` accepts that"]);
        let empty = |plan: &mut AuditPlan| plan.acceptance.empty = true;
        assert_eq!(reasons(&empty, &counts(0, 0, 0)), [""; 0]);
        // Records without the dedup key are never accepted as nothing at all.
        let keyless = reasons(&empty, &counts(0, 3, 0));
        assert_eq!(keyless, ["none of 3 records has the dedup key `id`"]);
    }

    #[test]
    fn the_rate_of_missing_keys_may_be_reached_and_not_passed() {
        let mut plan = AuditPlan::sample(&["id"]);
        plan.acceptance.missing_rate = Some(0.5);
        assert_eq!(
            record_reasons(&plan, &[], &counts(500, 500, 7_000)).len(),
            1
        );
        plan.acceptance.undecodable = 7_000;
        assert_eq!(
            record_reasons(&plan, &[], &counts(500, 500, 7_000)),
            [""; 0]
        );
        let passed = record_reasons(&plan, &[], &counts(499, 501, 0));
        let expected = "501 of 1,000 records lack the dedup key, more than --max-missing allows";
        assert_eq!(passed, [expected]);
        plan.acceptance.missing_rate = Some(0.0);
        assert_eq!(record_reasons(&plan, &[], &counts(5, 0, 0)), [""; 0]);
    }
}
