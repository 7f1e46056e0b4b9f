//! A consumer worked through its input again: a stretch of output comes again in the same order.

use crate::diagnosis::judge::{
    RunCase, Weight, content_evidence, design_evidence, named_evidence, producer_evidence,
    scattered, shape_evidence, time_evidence,
};
use crate::diagnosis::pair::{ContentKind, Family, PairFeatures, ProducerKind, TimeKind};
use crate::finding::{Confidence, Evidence};

/// Records of a stretch that came again by no accident.
const RUN_PAIRS_MIN: u64 = 10;

/// Records of such a stretch where other partitions saw one too.
const RUN_PAIRS_MIN_TOGETHER: u64 = 3;

/// Returns whether the run is a stretch that came again in the same order.
pub(super) fn is_replay_like(case: &RunCase<'_>) -> bool {
    let (run, together) = (case.run, case.together);
    let is_long = run.pairs >= RUN_PAIRS_MIN;
    let is_together = run.pairs >= RUN_PAIRS_MIN_TOGETHER
        && together.partitions >= 2
        && together.pairs >= RUN_PAIRS_MIN;
    // Its writer wrote nothing in between, then caught up: no application that waits for a timer.
    let catches_up =
        run.pairs >= RUN_PAIRS_MIN_TOGETHER && run.is_adjacent() && run.faster_pace().is_some();
    run.is_stretch_again() && (is_long || is_together || catches_up)
}

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    let class = case.run.class;
    if let Some(evidence) = design_evidence(pair) {
        return Weight::Excluded(evidence);
    }
    match class.content {
        ContentKind::Unknown => return Weight::Undecided(Evidence::ContentUnknown),
        ContentKind::Attempt => return Weight::Excluded(content_evidence(pair)),
        ContentKind::Identical | ContentKind::Volatile | ContentKind::Changed => {}
    }
    match class.producers {
        ProducerKind::SameBatch | ProducerKind::SameSequence => {
            return Weight::Excluded(producer_evidence(pair).unwrap_or(Evidence::NoBatches));
        }
        ProducerKind::Unknown
        | ProducerKind::NoIds
        | ProducerKind::NewEpoch
        | ProducerKind::OtherSequence
        | ProducerKind::OtherId => {}
    }
    if class.is_redelivered {
        let is_later = class.time == TimeKind::Later;
        return Weight::Open(if is_later {
            Confidence::Strong
        } else {
            Confidence::Weak
        });
    }
    if class.family == Family::Placeless {
        return Weight::Undecided(Evidence::NoCoordinates);
    }
    if class.time == TimeKind::Later {
        return by_shape(case);
    }
    let is_new_work = class.content != ContentKind::Identical
        || class.family == Family::OtherPartition
        || matches!(
            class.producers,
            ProducerKind::OtherSequence | ProducerKind::OtherId
        );
    let is_told = is_new_work
        && (class.content != ContentKind::Identical
            || class.producers != ProducerKind::Unknown
            || case.run.is_create_time_kept());
    if is_told {
        return by_shape(case);
    }
    kept(case, pair)
}

/// Equal content and, where it is known, equal `CreateTime`.
fn kept(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    let run = case.run;
    if !run.is_create_time_kept() {
        return Weight::Undecided(time_evidence(case, pair));
    }
    let is_stretch = run.pairs >= RUN_PAIRS_MIN && run.is_forward();
    let may_keep_time = match run.class.producers {
        ProducerKind::Unknown => (case.is_late() && is_stretch) || case.has_mirror(),
        ProducerKind::NoIds => case.is_late() && !run.has_batch_repeats(),
        ProducerKind::NewEpoch
        | ProducerKind::SameSequence
        | ProducerKind::OtherSequence
        | ProducerKind::OtherId
        | ProducerKind::SameBatch => false,
    };
    if may_keep_time {
        Weight::Open(Confidence::Weak)
    } else if run.class.producers == ProducerKind::Unknown && !run.is_reversed() {
        Weight::Undecided(Evidence::KeptTimestampsPossible)
    } else {
        Weight::Excluded(Evidence::EqualCreateTime)
    }
}

/// A stretch alone is never more than weak: an application that keeps a list of what it has sent
/// and is started again repeats one too, in all partitions at once and under another producer id.
fn by_shape(case: &RunCase<'_>) -> Weight {
    let run = case.run;
    if run.is_overflow {
        return Weight::Undecided(Evidence::TooManyRuns);
    }
    if !is_replay_like(case) {
        return Weight::Excluded(if run.pairs == 1 {
            Evidence::Alone
        } else {
            scattered(run)
        });
    }
    Weight::Open(Confidence::Weak)
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let (run, together) = (case.run, case.together);
    let mut evidence = Vec::new();
    if pair.class.is_redelivered {
        evidence.extend(named_evidence(pair));
    }
    if !run.is_burst {
        evidence.push(shape_evidence(run));
    }
    if pair.class.time == TimeKind::Later {
        evidence.push(time_evidence(case, pair));
    }
    if together.partitions >= 2 {
        evidence.push(Evidence::PartitionsTogether {
            partitions: together.partitions,
            pairs: together.pairs,
        });
    }
    if let Some((original_millis, extra_millis)) = run.faster_pace()
        && pair.class.time == TimeKind::Later
    {
        evidence.push(Evidence::FasterPace {
            original_millis,
            extra_millis,
        });
    }
    if let Some((timer_millis, pairs)) = run.timer() {
        let of = run.pairs;
        evidence.push(Evidence::TimerGap {
            timer_millis,
            pairs,
            of,
        });
    }
    if let Some(at_least_millis) = run.delay_millis()
        && case.is_late()
    {
        evidence.push(Evidence::AppendedLate { at_least_millis });
    }
    if pair.changed.is_empty() {
        evidence.push(content_evidence(pair));
    }
    match producer_evidence(pair) {
        None | Some(Evidence::NoProducerId) => {}
        Some(told) => evidence.push(told),
    }
    evidence
}

/// Returns what speaks against it in one pair.
pub(super) fn contradicting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if !pair.changed.is_empty() {
        evidence.push(content_evidence(pair));
    }
    if pair.class.time != TimeKind::Later {
        evidence.push(time_evidence(case, pair));
    }
    if !pair.class.is_redelivered {
        evidence.push(Evidence::ReplayOrResend);
    }
    evidence
}
