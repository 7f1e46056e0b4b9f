//! The pipeline: collect, group, revisit, build groups.

mod collect;
mod detail;
mod filter;
mod groups;
mod key_reader;
mod overlap;
mod placement;
pub mod plan;
mod probe;
pub mod progress;
mod recall;
mod revisit;
mod statement;

pub use groups::SortedGroups;
pub use plan::{Acceptance, AuditPlan, FieldMapping, TimestampUnit};
pub use progress::{AuditProgress, Phase};
pub use recall::{RecalledRecord, recall};

use std::path::Path;

use thiserror::Error;

use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::Episode;
use crate::finding::SkipReason;
use crate::finding::SkippedRecords;
use crate::index::DuplicateIndex;
use crate::index::IndexError;
use crate::index::MemoryBudget;
use crate::source::ReadError;
use crate::source::RecordSource;
use crate::source::StopFlag;

/// Why an audit failed, or cannot be what was asked for.
#[derive(Debug, Error)]
pub enum AuditError {
    /// A source failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The disk failed while records were set aside.
    #[error("cannot set records aside on disk: {0}")]
    Disk(#[from] std::io::Error),
    /// A record set aside does not read back: a fault of this program or of the disk.
    #[error("internal error: a record set aside does not read back: {0}")]
    Encoding(#[from] postcard::Error),
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
    /// The episodes, most extra records first.
    pub episodes: Vec<Episode>,
    /// The groups, most extra records first.
    pub groups: SortedGroups,
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
        ..
    } = context;
    let budget = MemoryBudget::from_bytes(plan.memory_bytes / 2);
    let index = DuplicateIndex::new(budget, spill_dir, plan.workers());
    progress.enter(Phase::Collect);
    let collected = collect::collect(plan, sources, &index, context)?;
    let mut counts = collected.counts;
    statement::check_places(plan, &counts)?;

    progress.enter(Phase::Group);
    let suspects = index.finish(collected.writers, plan.within_millis)?;
    let distinct_keys = suspects.distinct_fingerprints();
    let overlap = collected
        .coordinates
        .finish(plan.memory_share(8), spill_dir)?;
    move_same_records(&mut counts, &overlap.same_records);

    progress.enter(Phase::Revisit);
    let revisit = revisit::Revisit::new(plan, sources, spill_dir, progress);
    let revisited = revisit.run(suspects, overlap.excluded)?;
    let coverage = statement::coverage(sources, overlap.conflicts.listed);
    let context = groups::diagnosis_context(&coverage, counts.audited_span);
    let concluded = groups::build(plan, revisited.details, context, spill_dir)?;

    progress.enter(Phase::Report);
    let evidence = statement::Evidence {
        counts,
        distinct_keys,
        gone: revisited.gone,
        conflicts: overlap.conflicts.count,
        totals: concluded.totals,
        episodes: &concluded.episodes,
    };
    let summary = statement::summarize(plan, sources, &coverage, evidence)?;
    Ok(Audit {
        summary,
        coverage,
        episodes: concluded.episodes,
        groups: concluded.groups,
    })
}

/// Records that turned out to be read twice are counted as such, not as what they seemed.
fn move_same_records(counts: &mut collect::Counts, moved: &[(Option<SkipReason>, u64)]) {
    for (outcome, count) in moved {
        match outcome {
            // Outside the range comes before all other reasons.
            Some(SkipReason::OutsideRange) => continue,
            Some(reason) => *counter(&mut counts.skipped, *reason) -= count,
            None => counts.records_audited -= count,
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
