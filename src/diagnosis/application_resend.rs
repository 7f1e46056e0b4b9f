//! The application sent the same thing again: a later `CreateTime`, here and there.

use crate::diagnosis::consumer_replay::is_replay_like;
use crate::diagnosis::judge::{
    RunCase, Weight, content_evidence, design_evidence, named_evidence, producer_evidence,
    scattered, shape_evidence, time_evidence,
};
use crate::diagnosis::pair::{ContentKind, Family, PairFeatures, ProducerKind, TimeKind};
use crate::finding::{Confidence, Evidence};

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    let class = case.run.class;
    if let Some(evidence) = design_evidence(pair) {
        return Weight::Excluded(evidence);
    }
    let is_create_time = matches!(class.time, TimeKind::Kept | TimeKind::Later);
    match class.content {
        ContentKind::Attempt if is_create_time && class.family != Family::Placeless => {
            return Weight::Open(Confidence::Strong);
        }
        ContentKind::Attempt => return Weight::Open(Confidence::Weak),
        ContentKind::Changed => return Weight::Excluded(content_evidence(pair)),
        ContentKind::Unknown => return Weight::Undecided(Evidence::ContentUnknown),
        ContentKind::Identical | ContentKind::Volatile => {}
    }
    if class.producers == ProducerKind::SameBatch {
        return Weight::Open(Confidence::Strong);
    }
    if class.family == Family::Placeless {
        return Weight::Undecided(Evidence::NoCoordinates);
    }
    if class.time == TimeKind::Later || class.content == ContentKind::Volatile {
        return by_shape(case);
    }
    match class.producers {
        ProducerKind::OtherSequence | ProducerKind::OtherId => by_shape(case),
        ProducerKind::NoIds if case.run.is_part_of_batches() && case.run.is_create_time_kept() => {
            Weight::Open(Confidence::Weak)
        }
        ProducerKind::SameSequence => {
            Weight::Excluded(producer_evidence(pair).unwrap_or(Evidence::NoBatches))
        }
        _ if case.run.is_create_time_kept() && class.family == Family::OtherPartition => {
            by_shape(case)
        }
        ProducerKind::Unknown
        | ProducerKind::NoIds
        | ProducerKind::NewEpoch
        | ProducerKind::SameBatch => {
            let (run, time) = (case.run, time_evidence(case, pair));
            let is_run = run.is_contiguous() || run.is_reversed() || run.has_batch_repeats();
            if !run.is_create_time_kept() {
                Weight::Undecided(time)
            } else if is_run {
                Weight::Excluded(time)
            } else {
                Weight::Undecided(Evidence::OwnTimestampsPossible)
            }
        }
    }
}

/// Scattered repeats are an application's; those of a whole stretch are a replay's.
fn by_shape(case: &RunCase<'_>) -> Weight {
    let run = case.run;
    if run.is_overflow {
        return Weight::Undecided(Evidence::TooManyRuns);
    }
    if is_replay_like(case) {
        return Weight::Excluded(shape_evidence(run));
    }
    let is_two_sends = run.class.producers == ProducerKind::OtherSequence;
    let waits = run.class.time == TimeKind::Later && run.timer().is_some();
    let is_strong = (is_two_sends || waits) && !run.is_contiguous();
    Weight::Open(if is_strong {
        Confidence::Strong
    } else {
        Confidence::Weak
    })
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let run = case.run;
    let mut evidence = vec![content_evidence(pair)];
    if pair.class.time == TimeKind::Later {
        evidence.push(time_evidence(case, pair));
    }
    if let Some((timer_millis, pairs)) = run.timer() {
        let of = run.pairs;
        evidence.push(Evidence::TimerGap {
            timer_millis,
            pairs,
            of,
        });
    }
    if run.pairs == 1 {
        evidence.push(Evidence::Alone);
    } else if !run.is_contiguous() && run.class.family != Family::Placeless {
        evidence.push(scattered(run));
    }
    if run.is_part_of_batches()
        && let Some((original, _)) = pair.batches
    {
        let record_count = original.record_count;
        evidence.push(Evidence::PartOfBatch { record_count });
    }
    match producer_evidence(pair) {
        None | Some(Evidence::NoProducerId) => {}
        Some(told) => evidence.push(told),
    }
    let named = named_evidence(pair);
    evidence.extend(named.filter(|named| matches!(named, Evidence::NamedByHeaders(_))));
    evidence
}

/// Returns what speaks against it in one pair.
pub(super) fn contradicting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if case.run.is_contiguous() && pair.class.content != ContentKind::Attempt {
        evidence.push(shape_evidence(case.run));
        evidence.push(Evidence::ReplayOrResend);
    }
    if pair.class.time != TimeKind::Later {
        evidence.push(time_evidence(case, pair));
    }
    evidence
}
