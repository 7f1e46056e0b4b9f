//! Retry after a lost acknowledgement: the producer's bytes and `CreateTime` at another offset.

use crate::diagnosis::judge::{
    RunCase, Weight, content_evidence, design_evidence, named_evidence, partition_evidence,
    producer_evidence, shape_evidence, time_evidence,
};
use crate::diagnosis::pair::{ContentKind, Family, PairFeatures, ProducerKind, TimeKind};
use crate::finding::{Confidence, Evidence};

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    let class = case.run.class;
    if let Some(evidence) = design_evidence(pair) {
        return Weight::Excluded(evidence);
    }
    if class.family == Family::OtherPartition {
        return Weight::Excluded(partition_evidence(pair));
    }
    match class.content {
        ContentKind::Identical => {}
        ContentKind::Unknown => return Weight::Undecided(Evidence::ContentUnknown),
        ContentKind::Volatile | ContentKind::Attempt | ContentKind::Changed => {
            return Weight::Excluded(content_evidence(pair));
        }
    }
    match class.time {
        TimeKind::Later => return Weight::Excluded(time_evidence(case, pair)),
        TimeKind::Kept
        | TimeKind::UnknownEqual
        | TimeKind::UnknownLater
        | TimeKind::Appended
        | TimeKind::Missing => {}
    }
    if class.family == Family::Placeless {
        return Weight::Undecided(Evidence::NoCoordinates);
    }
    by_producers(case, pair)
}

fn by_producers(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    let run = case.run;
    match run.class.producers {
        ProducerKind::SameBatch | ProducerKind::OtherSequence | ProducerKind::OtherId => {
            Weight::Excluded(producer_evidence(pair).unwrap_or(Evidence::NoBatches))
        }
        // One sequence appended twice is one request appended twice, whatever the clock says.
        ProducerKind::SameSequence => Weight::Open(Confidence::Strong),
        _ if !run.is_create_time_kept() => Weight::Undecided(time_evidence(case, pair)),
        ProducerKind::NoIds if run.is_part_of_batches() => Weight::Excluded(part_of_batch(pair)),
        ProducerKind::NoIds
            if !run.has_batch_repeats() && (case.is_late() || !run.is_contiguous()) =>
        {
            Weight::Open(Confidence::Weak)
        }
        ProducerKind::NoIds | ProducerKind::NewEpoch => Weight::Open(Confidence::Strong),
        ProducerKind::Unknown if case.is_late() => Weight::Excluded(late(case)),
        ProducerKind::Unknown if run.is_reversed() && !run.class.is_redelivered => {
            Weight::Open(Confidence::Strong)
        }
        ProducerKind::Unknown => Weight::Open(Confidence::Weak),
    }
}

fn part_of_batch(pair: &PairFeatures) -> Evidence {
    let record_count = pair
        .batches
        .map_or(0, |(reference, _)| reference.record_count);
    Evidence::PartOfBatch { record_count }
}

fn late(case: &RunCase<'_>) -> Evidence {
    Evidence::AppendedLate {
        at_least_millis: case.run.delay_millis().unwrap_or_default(),
    }
}

/// Returns whether nothing but a request that was appended twice explains the pair: a batch of two
/// records or more repeats, as most batches of its run do, made without a producer id, with its
/// `CreateTime`, and nothing speaks for a mirror or a replay.
pub(super) fn is_certain(case: &RunCase<'_>, pair: &PairFeatures, run: Confidence) -> bool {
    run == Confidence::Strong
        && pair
            .batch_repeat
            .is_some_and(|batch| batch.record_count >= 2)
        && pair.class.producers == ProducerKind::NoIds
        && pair.class.time == TimeKind::Kept
        && pair.class.content == ContentKind::Identical
        && pair.is_all_known
        && contradicting(case, pair).is_empty()
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if let Some((repeat, (reference, extra))) = pair.batch_repeat.zip(pair.batches) {
        evidence.push(Evidence::RepeatedBatch {
            record_count: repeat.record_count,
            crc: repeat.crc,
            length: repeat.length,
            earlier_base_offset: reference.base_offset,
            extra_base_offset: extra.base_offset,
        });
    }
    evidence.push(content_evidence(pair));
    if case.run.is_create_time_kept() {
        evidence.push(Evidence::EqualCreateTime);
    }
    if !case.run.is_burst {
        evidence.push(shape_evidence(case.run));
    }
    if case.run.is_adjacent() {
        evidence.push(Evidence::Adjacent);
    }
    evidence.extend(producer_evidence(pair));
    if let Some((earlier, extra)) = pair.leader_epochs {
        evidence.push(Evidence::LeaderEpochChanged { earlier, extra });
    }
    evidence
}

/// Returns what speaks against it in one pair.
pub(super) fn contradicting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if case.is_late() {
        evidence.push(late(case));
    }
    if let Some((source, mirror)) = case.mirror {
        let (source, mirror) = (source.to_owned(), mirror.to_owned());
        evidence.push(Evidence::MirrorName { source, mirror });
    }
    if let Some(topic) = pair.elsewhere.clone() {
        evidence.push(Evidence::CopyElsewhere { topic });
    }
    if pair.class.is_redelivered {
        evidence.extend(named_evidence(pair));
    }
    if !case.run.is_create_time_kept() {
        evidence.push(time_evidence(case, pair));
    }
    match pair.class.producers {
        // Connectors and mirrors work without producer ids too, and keep no batches together.
        ProducerKind::NoIds if !case.run.is_reversed() && !case.run.has_batch_repeats() => {
            evidence.push(Evidence::BatchesDiffer);
        }
        ProducerKind::Unknown if !case.run.is_reversed() => {
            evidence.push(Evidence::KeptTimestampsPossible);
        }
        ProducerKind::NoIds
        | ProducerKind::Unknown
        | ProducerKind::SameSequence
        | ProducerKind::NewEpoch
        | ProducerKind::OtherSequence
        | ProducerKind::OtherId
        | ProducerKind::SameBatch => {}
    }
    let is_run = case.run.is_contiguous() || case.run.is_reversed();
    if !is_run && pair.batch_repeat.is_none() {
        evidence.push(Evidence::OwnTimestampsPossible);
    }
    evidence
}
