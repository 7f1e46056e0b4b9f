//! The pipeline: collect, group, revisit, build groups.

mod collect;
mod detail;
mod filter;
mod groups;
mod key_reader;
mod overlap;
pub mod parts;
mod past;
mod placement;
pub mod plan;
mod probe;
pub mod progress;
mod recall;
mod revisit;
#[cfg(test)]
mod scripted;
mod statement;
mod survey;
mod unread;

pub use groups::SortedGroups;
pub use past::{Past, RememberedRecords};
pub use plan::{Acceptance, AuditPlan, ExpectedRepeat, FieldMapping, TimestampUnit};
pub use progress::{AuditProgress, Phase};
pub use recall::{RecalledRecord, recall};
pub use survey::survey;

use std::path::Path;

use thiserror::Error;

use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::Episode;
use crate::finding::KnownGroups;
use crate::finding::NewFindings;
use crate::finding::SkipReason;
use crate::finding::SkippedRecords;
use crate::index::DuplicateIndex;
use crate::index::IndexError;
use crate::index::MemoryBudget;
use crate::sorted_run::PartError;
use crate::source::ReadError;
use crate::source::RecordSource;
use crate::source::StopFlag;
use crate::state::StateError;

/// Why an audit failed, or cannot be what was asked for.
#[derive(Debug, Error)]
pub enum AuditError {
    /// A source failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// What earlier runs left cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The disk failed while records were set aside.
    #[error("cannot set records aside on disk: {0}")]
    Disk(#[from] std::io::Error),
    /// A record set aside does not read back: a fault of this program or of the disk.
    #[error("internal error: a record set aside does not read back: {0}")]
    Encoding(#[from] postcard::Error),
    /// What another process left cannot be read, or cannot be left.
    #[error(transparent)]
    Part(#[from] PartError),
    /// What other processes left does not go together.
    #[error("{0}")]
    Parts(String),
    /// Counts that must add up do not: a fault of this program.
    #[error("internal error: {0}")]
    Internal(String),
    /// The options need something that no record has.
    #[error("{0}")]
    Unusable(String),
}

/// What an audit came to.
pub struct Audit {
    /// Totals and verdict.
    pub summary: AuditSummary,
    /// What was read.
    pub coverage: Coverage,
    /// The episodes, the worst first.
    pub episodes: Vec<Episode>,
    /// The groups, most extra records first.
    pub groups: SortedGroups,
    /// What was found that no run had found before.
    pub new: NewFindings,
    /// What was read, for the runs to come.
    pub remembered: RememberedRecords,
}

/// Where an audit works, and who watches it.
#[derive(Clone, Copy)]
pub struct AuditContext<'a> {
    /// Directory for what does not fit into memory.
    pub spill_dir: &'a Path,
    /// Counters for the progress line.
    pub progress: &'a AuditProgress,
    /// Ends the reading early.
    pub stop: &'a StopFlag,
    /// What earlier runs have read.
    pub past: Option<&'a Past<'a>>,
    /// What remembers groups of before: a baseline, the state of earlier runs.
    pub known: &'a [&'a dyn KnownGroups],
}

/// Audits the records of all sources.
pub fn run(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    context: AuditContext<'_>,
) -> Result<Audit, AuditError> {
    let AuditContext {
        spill_dir,
        progress,
        known,
        past,
        ..
    } = context;
    let budget = MemoryBudget::from_bytes(plan.memory_bytes / 2);
    let index = DuplicateIndex::new(budget, spill_dir, plan.workers());
    progress.enter(Phase::Collect);
    let read = (sources, collect::may_overlap(plan, sources));
    let mut collected = collect::collect(plan, read, &index, context)?;
    let mut counts = collected.counts;
    statement::check_places(plan, &counts)?;
    if let (Some(past), Some(writer)) = (past, collected.writers.first_mut()) {
        past.add_to(writer)?;
    }

    progress.enter(Phase::Group);
    let suspects = index.finish(collected.writers, plan.within_millis)?;
    let distinct_keys = suspects.distinct_fingerprints();
    let overlap = collected
        .coordinates
        .finish(plan.memory_share(8), spill_dir)?;
    move_same_records(&mut counts, &overlap.same_records);

    progress.enter(Phase::Revisit);
    let of_before = past.iter().flat_map(|past| &past.sources);
    let all_sources = sources.iter().chain(of_before);
    let revisit = revisit::Revisit::new(plan, all_sources, spill_dir, (progress, past));
    let revisited = revisit.run(suspects, overlap.excluded)?;
    let coverage = statement::coverage(sources, overlap.conflicts.listed);
    let read = Read {
        counts,
        distinct_keys,
        conflicts: overlap.conflicts.count,
        revisited,
    };
    let audit = conclude(
        plan,
        sources,
        (read, coverage),
        (spill_dir, known, progress),
    )?;
    Ok(Audit {
        remembered: collected.remembered,
        ..audit
    })
}

/// What both passes leave.
struct Read {
    counts: collect::Counts,
    distinct_keys: u64,
    conflicts: u64,
    revisited: revisit::Revisited,
}

/// Builds the groups, and says what the audit came to.
fn conclude(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    (read, coverage): (Read, Coverage),
    (spill_dir, known, progress): (&Path, &[&dyn KnownGroups], &AuditProgress),
) -> Result<Audit, AuditError> {
    let context = groups::diagnosis_context(&coverage, read.counts.audited_span);
    let revisited = read.revisited;
    let records = (revisited.found, revisited.gone);
    let concluded = groups::build(plan, records, context, (spill_dir, known))?;

    progress.enter(Phase::Report);
    let unread = revisited.unread.warning();
    let evidence = statement::Evidence {
        counts: read.counts,
        distinct_keys: read.distinct_keys,
        gone: revisited.gone_count,
        conflicts: read.conflicts,
        totals: concluded.totals,
        episodes: &concluded.episodes,
    };
    let mut summary = statement::summarize(plan, sources, &coverage, evidence)?;
    summary.warnings.extend(unread);
    summary.standing = concluded.standing;
    Ok(Audit {
        summary,
        coverage,
        episodes: concluded.episodes,
        groups: concluded.groups,
        new: concluded.new,
        remembered: RememberedRecords::default(),
    })
}

/// Records that turned out to be read twice are counted as such, not as what they seemed.
fn move_same_records(counts: &mut collect::Counts, moved: &[(collect::Outcome, u64)]) {
    use collect::Outcome;
    for (outcome, count) in moved {
        match outcome {
            // Outside the range comes before all other reasons.
            Outcome::Skipped(SkipReason::OutsideRange) => continue,
            Outcome::Skipped(reason) => *counter(&mut counts.skipped, *reason) -= count,
            Outcome::Audited => counts.records_audited -= count,
            Outcome::Reversal => {
                counts.records_audited -= count;
                counts.reversals -= count;
            }
        }
        counts.skipped.same_record += count;
    }
}

fn counter(skipped: &mut SkippedRecords, reason: SkipReason) -> &mut u64 {
    match reason {
        SkipReason::OutsideRange => &mut skipped.outside_range,
        SkipReason::SameRecord => &mut skipped.same_record,
        SkipReason::Tombstone => &mut skipped.tombstone,
        SkipReason::Undecodable => &mut skipped.undecodable,
        SkipReason::Filtered => &mut skipped.filtered,
        SkipReason::MissingKey => &mut skipped.missing_key,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::audit::scripted::ScriptedSource;
    use crate::expression::Expression;
    use crate::finding::DuplicateGroup;
    use crate::finding::Review;
    use crate::finding::Verdict;
    use crate::record::FieldPath;
    use crate::source::{Bound, RecordRange};

    /// Audits records by their minute and document; some are gone when they are read again.
    fn audit(plan: &AuditPlan, records: &[(i64, &'static str)], gone: &[u64]) -> Audit {
        let dir = tempfile::tempdir().unwrap();
        let sources: [Box<dyn RecordSource>; 1] = [Box::new(ScriptedSource::new(records, gone))];
        let context = AuditContext {
            spill_dir: dir.path(),
            progress: &AuditProgress::default(),
            stop: &StopFlag::default(),
            known: &[],
            past: None,
        };
        run(plan, &sources, context).unwrap()
    }

    fn groups(audit: &mut Audit) -> Vec<DuplicateGroup> {
        std::iter::from_fn(|| audit.groups.next().unwrap()).collect()
    }

    /// Returns the minutes of each group's occurrences, in their order.
    fn minutes(groups: &[DuplicateGroup]) -> Vec<Vec<i64>> {
        let minute = |record: io::Result<crate::finding::ReportedRecord>| {
            record.unwrap().timestamp_millis.unwrap() / 60_000
        };
        let minutes = groups.iter();
        minutes
            .map(|group| group.records.walk().map(minute).collect())
            .collect()
    }

    const SAME: &str = r#"{"id":1}"#;

    #[test]
    fn what_is_gone_stands_where_its_first_reading_puts_it() {
        let records = [0, 1, 2].map(|minute| (minute, SAME));
        for gone in [&[][..], &[0], &[1], &[2], &[0, 2], &[0, 1, 2]] {
            let mut audit = audit(&AuditPlan::sample(&["id"]), &records, gone);
            let groups = groups(&mut audit);
            assert_eq!(minutes(&groups), [[0, 1, 2]], "{gone:?}");
            assert_eq!(groups[0].identical.is_none(), !gone.is_empty());
            let is_stated = |text: &String| text.starts_with("not re-read: ");
            assert_eq!(groups[0].evidence.iter().any(is_stated), !gone.is_empty());
            assert_eq!(audit.summary.complete, gone.is_empty());
        }
    }

    #[test]
    fn what_is_gone_joins_the_part_of_its_own_time() {
        let mut plan = AuditPlan::sample(&["id"]);
        plan.within_millis = Some(10 * 60_000);
        let records = [0, 1, 100, 101, 102].map(|minute| (minute, SAME));
        for gone in [&[][..], &[1], &[0], &[2], &[0, 2, 4]] {
            let mut groups = groups(&mut audit(&plan, &records, gone));
            groups.sort_by_key(|group| group.first_timestamp_millis);
            let expected: [&[i64]; 2] = [&[0, 1], &[100, 101, 102]];
            assert_eq!(minutes(&groups), expected, "{gone:?}");
            assert!(!groups[0].id.contains('-') && groups[1].id.ends_with("-2"));
        }
    }

    #[test]
    fn what_is_gone_and_before_the_range_is_no_duplicate_in_it() {
        let mut plan = AuditPlan::sample(&["id"]);
        plan.range = RecordRange {
            from: Some(Bound::Timestamp(5 * 60_000)),
            look_back_millis: 15 * 60_000,
            ..RecordRange::default()
        };
        let found = |minutes: [i64; 2], gone: &[u64]| {
            let records = minutes.map(|minute| (minute, SAME));
            audit(&plan, &records, gone).summary.groups
        };
        assert_eq!(found([1, 2], &[0, 1]), 0);
        assert_eq!(found([1, 2], &[1]), 0);
        assert_eq!(found([1, 6], &[1]), 1);
        assert_eq!(found([1, 6], &[0]), 1);
    }

    #[test]
    fn of_a_gone_original_the_others_are_compared_with_each_other() {
        let records = [
            (0, r#"{"id":1,"n":0}"#),
            (1, r#"{"id":1,"n":1}"#),
            (2, r#"{"id":1,"n":2}"#),
        ];
        let mut audit = audit(&AuditPlan::sample(&["id"]), &records, &[0]);
        let groups = groups(&mut audit);
        assert_eq!(groups[0].differing_fields, ["value.n"]);
        assert_eq!(groups[0].identical, Some(false));
    }

    #[test]
    fn each_extra_record_has_its_own_evidence_where_it_is_asked_for() {
        let records = [(0, SAME), (1, SAME), (2, r#"{"id":1,"attempt":2}"#)];
        let evidence = |shows_evidence: bool| {
            let mut plan = AuditPlan::sample(&["id"]);
            plan.show_evidence = shows_evidence;
            let groups = groups(&mut audit(&plan, &records, &[]));
            let texts = groups[0].records.walk().map(|record| record.unwrap().texts);
            let texts: Vec<_> = texts.map(|of| of.map(|of| of.evidence.clone())).collect();
            (groups[0].evidence.clone(), texts)
        };
        let (group, own) = evidence(true);
        assert_eq!(own[0], None);
        assert_ne!(own[1], own[2]);
        let tells_attempt = |text: &String| text.contains("value.attempt");
        assert!(
            own[2].as_ref().unwrap().iter().any(tells_attempt),
            "{own:?}"
        );
        assert!(own[1..].contains(&Some(group.clone())));
        assert_eq!(
            evidence(false),
            (group.clone(), vec![None, Some(group.clone()), Some(group)])
        );
    }

    fn with_reversals() -> AuditPlan {
        let mut plan = AuditPlan::sample(&["id"]);
        plan.reversal = Some(Expression::compile("value.type == 'refund'").unwrap());
        plan.impact.amount = Some(FieldPath::parse("amount").unwrap());
        plan
    }

    const CHARGE: &str = r#"{"id":1,"type":"charge","amount":"10.00"}"#;
    const REFUND: &str = r#"{"id":1,"type":"refund","amount":"-4.00"}"#;

    #[test]
    fn a_reversal_that_is_gone_takes_nothing_back() {
        let records = [(0, CHARGE), (1, CHARGE), (2, REFUND)];
        for (gone, net) in [(&[][..], "6.00"), (&[2], "10.00")] {
            let mut audit = audit(&with_reversals(), &records, gone);
            assert_eq!(audit.summary.amounts[0].net, net);
            let reversals = audit.summary.reversals.unwrap();
            assert_eq!((reversals.records, reversals.in_groups), (1, 1));
            assert_eq!(reversals.unusable, u64::try_from(gone.len()).unwrap());
            let groups = groups(&mut audit);
            assert_eq!(minutes(&groups), [[0, 1]]);
            assert_eq!(groups[0].amount.as_ref().unwrap().net, net);
        }
    }

    #[test]
    fn reversals_make_no_duplicate_and_no_dedup_key() {
        let records = [(0, CHARGE), (1, REFUND), (2, REFUND)];
        let audit = audit(&with_reversals(), &records, &[]);
        assert_eq!(audit.summary.verdict, Verdict::Clean);
        assert_eq!(audit.summary.distinct_keys, 1);
        assert_eq!(audit.summary.records_audited, 3);
        assert_eq!(audit.summary.reversals.unwrap().in_groups, 0);
    }

    /// Charges and refunds of some customers, with no pattern that a person would see.
    fn ledger() -> Vec<(i64, &'static str)> {
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut records = Vec::new();
        for minute in 0..400 {
            let kind = ["charge", "charge", "charge", "refund"][usize::try_from(next(4)).unwrap()];
            let (id, customer) = (next(60), next(3));
            let currency = ["USD", "EUR"][usize::try_from(id % 2).unwrap()];
            // Charges of one id agree but for some, which are in dispute.
            let amount = if kind == "charge" && id > 5 {
                id
            } else {
                next(90)
            };
            let customer = if id > 9 { id % 11 } else { customer };
            let document = format!(
                r#"{{"id":{id},"type":"{kind}","amount":"{amount}.50","currency":"{currency}",
                "customer":"cus_{customer}","n":{minute}}}"#
            );
            records.push((minute, &*document.leak()));
        }
        records
    }

    #[test]
    fn records_groups_subjects_and_minutes_add_up_to_the_totals() {
        let path = |text| Some(FieldPath::parse(text).unwrap());
        let mut plan = with_reversals();
        plan.impact.currency = path("currency");
        plan.impact.subject = path("customer");
        let mut audit = audit(&plan, &ledger(), &[]);
        let groups = groups(&mut audit);
        let summary = &audit.summary;
        assert!(summary.amounts.len() == 2 && summary.reversals.unwrap().in_groups > 20);
        for total in &summary.amounts {
            let decimal = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
            let mut of_records = [rust_decimal::Decimal::ZERO; 4];
            let mut of_groups = of_records;
            for group in &groups {
                let disputed = 2 * usize::from(group.review != Review::Ok);
                for record in group.records.walk().map(Result::unwrap) {
                    if record.currency != total.currency {
                        continue;
                    }
                    let Some(reversal) = &record.reversal else {
                        continue;
                    };
                    of_records[disputed] += decimal(record.amount.as_ref().unwrap());
                    of_records[disputed + 1] += decimal(&reversal.reversed);
                    let sum = decimal(&reversal.reversed) + decimal(&reversal.net);
                    assert_eq!(Some(sum), record.amount.as_deref().map(decimal));
                }
                if let Some(amount) = group
                    .amount
                    .as_ref()
                    .filter(|of| of.currency == total.currency)
                {
                    of_groups[disputed] += decimal(&amount.extra);
                    of_groups[disputed + 1] += decimal(&amount.reversed);
                }
            }
            let of_totals = [
                &total.extra,
                &total.reversed,
                &total.conflicting,
                &total.conflicting_reversed,
            ]
            .map(|text| decimal(text));
            assert_eq!(of_records, of_totals);
            assert_eq!(of_groups, of_totals);
            assert!(of_totals.iter().all(|sum| !sum.is_zero()), "{of_totals:?}");
            let subjects = summary.top_subjects.iter().flat_map(|of| &of.amounts);
            let subjects = subjects.filter(|amount| amount.currency == total.currency);
            let of_subjects: rust_decimal::Decimal =
                subjects.map(|amount| decimal(&amount.extra)).sum();
            assert_eq!(of_subjects, of_totals[0] + of_totals[2]);
        }
        let extra = |counts: &mut dyn Iterator<Item = u64>| counts.sum::<u64>();
        let of_subjects = extra(&mut summary.top_subjects.iter().map(|of| of.extra_records));
        let of_minutes = extra(&mut summary.timeline.counts().map(|(_, count)| count));
        assert_eq!(
            (of_subjects, of_minutes),
            (summary.extra_records, summary.extra_records)
        );
        assert_eq!(summary.subjects, 11);
    }
}
