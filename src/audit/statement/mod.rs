//! What an audit may say: whether everything was read, and the verdict.

pub(in crate::audit) mod places;
pub(in crate::audit) mod reasons;
mod warnings;

use crate::audit::AuditError;
use crate::audit::collect::Counts;
use crate::audit::groups::totals::Totals;
use crate::audit::overlap::Conflict;
use crate::audit::placement::range;
use crate::audit::plan::AuditPlan;
use crate::audit::statement::places::place_name;
use crate::audit::statement::reasons::{coverage_reasons, record_reasons};
use crate::audit::statement::warnings::warnings;
use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::CoverageConflict;
use crate::finding::Episode;
use crate::finding::ReversalTotal;
use crate::finding::Verdict;
use crate::record::{counted, grouped};
use crate::source::RecordSource;
use crate::source::SplitCoverage;

/// All that the verdict is made of.
pub(super) struct Evidence<'a> {
    pub(super) counts: Counts,
    pub(super) distinct_keys: u64,
    /// Records that could not be read again.
    pub(super) gone: u64,
    /// Offsets that hold other bytes in one source than in another.
    pub(super) conflicts: u64,
    pub(super) totals: Totals,
    pub(super) episodes: &'a [Episode],
}

/// Times or offsets were asked for, and no record has one: the question cannot be answered.
pub(super) fn check_places(plan: &AuditPlan, counts: &Counts) -> Result<(), AuditError> {
    if counts.records_read == 0 {
        return Ok(());
    }
    let lacking = counts.records_unplaced + counts.skipped.undecodable;
    let is_none_placed = counts.records_unplaced > 0 && lacking == counts.records_read;
    if range::needs_offsets(&plan.range) && is_none_placed {
        return Err(AuditError::Unusable(format!(
            "`offset:` in `--from/--to` needs offsets, and none of {} read has one; \
             say which fields hold them: --map topic=FIELD --map partition=FIELD \
             --map offset=FIELD",
            counted(counts.records_read, "record")
        )));
    }
    if counts.records_with_timestamp > 0 {
        return Ok(());
    }
    let Some(flag) = time_flag(plan) else {
        return Ok(());
    };
    Err(AuditError::Unusable(format!(
        "`{flag}` needs timestamps, and none of {} read has one; \
         say which field holds it: --map timestamp=FIELD, of a table --timestamp COLUMN",
        counted(counts.records_read, "record")
    )))
}

/// Returns the option that needs timestamps, if one is given.
fn time_flag(plan: &AuditPlan) -> Option<&'static str> {
    if range::needs_timestamps(&plan.range) {
        Some("--from/--to")
    } else {
        plan.within_millis.map(|_| "--within")
    }
}

/// Returns what was read of everything, sorted by name.
pub(super) fn coverage(sources: &[Box<dyn RecordSource>], conflicts: Vec<Conflict>) -> Coverage {
    let mut coverage = Coverage::default();
    for source in sources {
        for split in source.coverage() {
            match split {
                SplitCoverage::File(file) => coverage.files.push(file),
                SplitCoverage::Partition(partition) => coverage.partitions.push(partition),
            }
        }
    }
    coverage
        .files
        .sort_by(|left, right| left.path.cmp(&right.path));
    coverage
        .partitions
        .sort_by(|left, right| left.topic_partition.cmp(&right.topic_partition));
    let describe = |conflict: Conflict| CoverageConflict {
        topic_partition: conflict.topic_partition,
        offset: conflict.offset,
        audited: place_name(sources, conflict.audited.split, conflict.audited.position),
        other: place_name(sources, conflict.other.split, conflict.other.position),
    };
    coverage.conflicts = conflicts.into_iter().map(describe).collect();
    coverage.conflicts.sort();
    coverage
}

/// Returns the summary; fails where the counts do not add up.
pub(super) fn summarize(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    coverage: &Coverage,
    evidence: Evidence<'_>,
) -> Result<AuditSummary, AuditError> {
    check_sums(&evidence.counts, coverage)?;
    let incomplete_reasons = incomplete_reasons(plan, sources, coverage, &evidence);
    let Evidence {
        counts,
        distinct_keys,
        totals,
        episodes,
        ..
    } = evidence;
    let complete = incomplete_reasons.is_empty();
    let verdict = match (totals.groups, complete) {
        (0, true) => Verdict::Clean,
        (0, false) => Verdict::Incomplete,
        _ => Verdict::Duplicates,
    };
    let reversals = plan.reversal.as_ref().map(|_| ReversalTotal {
        records: counts.reversals,
        ..totals.reversals
    });
    let partitions = totals.partitions(episodes);
    let partitions_over_time = totals.pictures.partitions(&partitions);
    let summary = AuditSummary {
        verdict,
        complete,
        incomplete_reasons,
        records_read: counts.records_read,
        records_audited: counts.records_audited,
        skipped: counts.skipped,
        distinct_keys,
        groups: totals.groups,
        extra_records: totals.extra_records,
        conflicting_groups: totals.conflicting_groups,
        uncompared_groups: totals.uncompared_groups,
        largest_group: totals.largest_group,
        amounts: totals.amounts(),
        amounts_unusable: totals.amounts_unusable,
        causes: totals.causes(),
        partitions,
        audited_span: counts.audited_span,
        timestamp_types: counts.timestamp_types.clone(),
        extra_span: totals.extra_span,
        timeline: totals.timeline.clone(),
        causes_over_time: totals.pictures.causes.clone(),
        partitions_over_time,
        warnings: warnings(plan, sources, &counts, &totals),
        reversals,
        standing: None,
        thresholds: None,
        subjects: 0,
        top_subjects: Vec::new(),
    };
    let subjects = totals.subjects()?;
    Ok(AuditSummary {
        subjects: subjects.distinct,
        top_subjects: subjects.top,
        ..summary
    })
}

/// Returns why the audit is not complete, one sentence each.
fn incomplete_reasons(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    coverage: &Coverage,
    evidence: &Evidence<'_>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if !coverage.is_complete() {
        reasons.extend(coverage_reasons(coverage));
    }
    reasons.extend(record_reasons(plan, sources, &evidence.counts));
    let reversals = evidence.counts.reversals;
    if evidence.distinct_keys == 0 && reversals > 0 && !plan.acceptance.empty {
        reasons.push(format!(
            "all of {} audited match `--reversal`, so nothing was compared; `--allow-empty` \
             accepts that",
            counted(reversals, "record")
        ));
    }
    if evidence.gone > 0 {
        reasons.push(format!(
            "{} gone when read again",
            count(
                evidence.gone,
                "record of a suspected group was",
                "records of suspected groups were"
            )
        ));
    }
    if evidence.conflicts > 0 {
        reasons.push(format!(
            "{} other bytes in one source than in another (coverage.conflicts): \
             are these the same topic of the same cluster?",
            count(evidence.conflicts, "offset holds", "offsets hold")
        ));
    }
    reasons
}

/// Every record delivered is audited or skipped, once.
fn check_sums(counts: &Counts, coverage: &Coverage) -> Result<(), AuditError> {
    let partitions = coverage
        .partitions
        .iter()
        .map(|partition| partition.records_read);
    let delivered: u64 = partitions
        .chain(coverage.files.iter().map(|file| file.records_read))
        .sum();
    let taken = counts.records_audited + counts.skipped.total();
    if delivered == counts.records_read && taken == counts.records_read {
        return Ok(());
    }
    Err(AuditError::Internal(format!(
        "{delivered} records delivered, {} read, {taken} audited or skipped",
        counts.records_read
    )))
}

fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FileCoverage;
    use crate::finding::SkippedRecords;
    use crate::source::{Bound, RecordRange};

    fn coverage_of(records_read: u64) -> Coverage {
        Coverage {
            files: vec![FileCoverage {
                path: "a.jsonl".to_owned(),
                format: "jsonl".to_owned(),
                format_reason: String::new(),
                bytes: 0,
                records_read,
                damage: None,
                notes: Vec::new(),
            }],
            ..Coverage::default()
        }
    }

    #[test]
    fn every_record_delivered_is_read_and_every_record_read_has_an_outcome() {
        let counts = |records_read, records_audited, filtered| Counts {
            records_read,
            records_audited,
            skipped: SkippedRecords {
                filtered,
                ..SkippedRecords::default()
            },
            ..Counts::default()
        };
        for (delivered, counts, is_sound) in [
            (5, counts(5, 3, 2), true),
            (0, counts(0, 0, 0), true),
            (6, counts(5, 3, 2), false),
            (5, counts(5, 3, 1), false),
            (5, counts(5, 3, 3), false),
        ] {
            let checked = check_sums(&counts, &coverage_of(delivered));
            assert_eq!(checked.is_ok(), is_sound, "{delivered} {counts:?}");
        }
    }

    #[test]
    fn options_that_need_what_no_record_has_are_refused() {
        let timed = RecordRange {
            from: Some(Bound::Timestamp(0)),
            ..RecordRange::default()
        };
        let offsets = RecordRange {
            from: Some(Bound::Offset(0)),
            ..RecordRange::default()
        };
        let none = RecordRange::default();
        for (range, within, with_timestamp, unplaced, problem) in [
            (&timed, None, 0, 0, Some("`--from/--to` needs timestamps")),
            (&timed, None, 1, 0, None),
            (&none, Some(5), 0, 0, Some("`--within` needs timestamps")),
            (&none, None, 0, 0, None),
            (
                &offsets,
                None,
                0,
                2_000,
                Some("none of 2,000 records read has one"),
            ),
            (&offsets, None, 0, 1_999, None),
        ] {
            let mut plan = AuditPlan::sample(&["id"]);
            plan.range = range.clone();
            plan.within_millis = within;
            let counts = Counts {
                records_read: 2_000,
                records_with_timestamp: with_timestamp,
                records_unplaced: unplaced,
                ..Counts::default()
            };
            let checked = check_places(&plan, &counts).map_err(|error| error.to_string());
            match problem {
                None => assert_eq!(checked, Ok(())),
                Some(problem) => assert!(checked.unwrap_err().contains(problem), "{problem}"),
            }
        }
        assert!(check_places(&AuditPlan::sample(&["id"]), &Counts::default()).is_ok());
    }
}
