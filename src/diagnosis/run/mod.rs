//! Runs: pairs of one partition whose copies move together, held as sums.

mod episodes;
mod finder;
mod together;

pub(super) use episodes::episodes;
pub(super) use finder::RunFinder;
pub(super) use together::{Together, together};

use std::ops::Range;

use crate::diagnosis::pair::{Family, PairClass, PairFacts, PairFeatures, TimeKind};
use crate::finding::TimeSpan;

/// Timers that retries and commits wait for by default, in milliseconds.
pub(super) const TIMERS_MILLIS: [i64; 3] = [5_000, 30_000, 60_000];

/// Part of the range that a contiguous run fills, in tenths.
const CONTIGUOUS_TENTHS: u64 = 7;

/// Time from the first original to the last that a pace can be told from.
const PACE_MILLIS_MIN: i64 = 1000;

/// Records of a run that came together by no accident.
const LONG_PAIRS_MIN: u64 = 10;

/// Records of a run of one writer among several.
const INTERLEAVED_PAIRS_MIN: u64 = 5;

/// Part of the steps of a long contiguous run that go from record to record, in tenths: one
/// writer's batches may be small.
const DENSE_TENTHS: u64 = 5;

/// Part of the range that a run of one writer among several fills, in tenths.
const INTERLEAVED_TENTHS: u64 = 2;

/// Offsets between neighbours of a stretch: a transaction's marker may lie between them.
const DENSE_STEP_MAX: i64 = 2;

/// Records after which a run is known as a stretch.
const STRETCH_PAIRS_MIN: u64 = 8;

/// A topic and a partition.
pub(super) type Place = (String, i32);

/// Pairs that belong together, as sums.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) class: PairClass,
    /// Its first pair, for the numbers that evidence shows.
    pub(super) sample: PairFeatures,
    /// Pairs with an equal copy in another topic.
    pub(super) pairs_elsewhere: u64,
    /// Pairs whose batch repeats.
    pub(super) batch_repeats: u64,
    /// Batches of the originals.
    batches: u64,
    /// Those of which less than half came again.
    parts_of_batches: u64,
    /// The batch of the last original: where it begins, its records, and how many came again.
    last_batch: Option<(i64, i32, i32)>,
    /// Whether its pairs only came close in time, rather than one after the other.
    pub(super) is_burst: bool,
    /// Whether it takes what no run could be kept for.
    pub(super) is_overflow: bool,
    pub(super) topic: Option<String>,
    pub(super) partition: Option<i32>,
    pub(super) reference_topic: Option<String>,
    pub(super) reference_partition: Option<i32>,
    pub(super) original_place: Option<Place>,
    pub(super) pairs: u64,
    /// Steps forward on both sides by the same distance.
    steady_steps: u64,
    /// Steps forward on both sides by another distance.
    forward_jumps: u64,
    /// Steps to the next record or the one after it on both sides.
    dense_steps: u64,
    /// Steps to the next record or the one after it among the extra records.
    dense_extra_steps: u64,
    /// Steps back among the references: a new block.
    pub(super) backward_steps: u64,
    pub(super) extra_offsets: Option<Range<i64>>,
    pub(super) reference_offsets: Option<Range<i64>>,
    pub(super) original_offsets: Option<Range<i64>>,
    pub(super) extra_times: Option<TimeSpan>,
    pub(super) reference_times: Option<TimeSpan>,
    /// Pairs whose time apart is near each of the timers.
    pub(super) near_timers: [u64; TIMERS_MILLIS.len()],
    first_distance: Option<i64>,
    is_distance_constant: bool,
    last_extra: i64,
    last_reference: i64,
    block_start: i64,
}

impl Run {
    /// Begins a run without pairs.
    pub(super) fn new(features: &PairFeatures, pair: &PairFacts) -> Self {
        let reference = &pair.reference.copy;
        let original = pair.reference.original.as_ref();
        Self {
            class: features.class,
            sample: features.clone(),
            pairs_elsewhere: 0,
            batch_repeats: 0,
            batches: 0,
            parts_of_batches: 0,
            last_batch: None,
            is_burst: false,
            is_overflow: false,
            topic: pair.extra.topic.clone(),
            partition: pair.extra.partition,
            reference_topic: reference.topic.clone(),
            reference_partition: reference.partition,
            original_place: original.map(|(topic, partition, _)| (topic.clone(), *partition)),
            pairs: 0,
            steady_steps: 0,
            forward_jumps: 0,
            dense_steps: 0,
            dense_extra_steps: 0,
            backward_steps: 0,
            extra_offsets: None,
            reference_offsets: None,
            original_offsets: None,
            extra_times: None,
            reference_times: None,
            near_timers: [0; TIMERS_MILLIS.len()],
            first_distance: None,
            is_distance_constant: true,
            last_extra: i64::MIN,
            last_reference: i64::MIN,
            block_start: i64::MIN,
        }
    }

    /// Adds a pair.
    pub(super) fn add(&mut self, pair: &PairFacts, features: &PairFeatures) {
        let (extra, reference) = (&pair.extra, &pair.reference.copy);
        if let Some((extra, reference)) = extra.offset.zip(reference.offset) {
            self.step(extra, reference);
        }
        self.pairs += 1;
        self.pairs_elsewhere += u64::from(features.elsewhere.is_some());
        self.batch_repeats += u64::from(features.batch_repeat.is_some());
        self.count_batch(features);
        include(&mut self.extra_offsets, extra.offset);
        include(&mut self.reference_offsets, reference.offset);
        if let Some((topic, partition, offset)) = &pair.reference.original {
            let is_counted = |place: &Place| place.0 == *topic && place.1 == *partition;
            if self.original_place.as_ref().is_some_and(is_counted) {
                include(&mut self.original_offsets, Some(*offset));
            }
        }
        if let Some(timestamp) = extra.timestamp {
            self.extra_times = Some(TimeSpan::including(self.extra_times, timestamp.millis));
        }
        if let Some(timestamp) = reference.timestamp {
            self.reference_times =
                Some(TimeSpan::including(self.reference_times, timestamp.millis));
        }
        if let Some(gap) = features.gap_millis {
            for (timer, near) in TIMERS_MILLIS.iter().zip(&mut self.near_timers) {
                *near += u64::from(gap.saturating_sub(*timer).saturating_abs() <= timer / 10);
            }
        }
    }

    fn step(&mut self, extra: i64, reference: i64) {
        let distance = extra.saturating_sub(reference);
        let is_dense = |from: i64, to: i64| (1..=DENSE_STEP_MAX).contains(&to.saturating_sub(from));
        let is_extra_dense = self.pairs > 0 && is_dense(self.last_extra, extra);
        self.dense_extra_steps += u64::from(is_extra_dense);
        let is_dense = is_extra_dense && is_dense(self.last_reference, reference);
        self.dense_steps += u64::from(is_dense);
        if self.pairs == 0 {
            self.first_distance = Some(distance);
            self.block_start = reference;
        } else if reference < self.last_reference {
            self.backward_steps += 1;
            self.block_start = reference;
            self.is_distance_constant = false;
        } else if distance == self.last_extra.saturating_sub(self.last_reference) {
            self.steady_steps += 1;
        } else {
            self.forward_jumps += 1;
            self.is_distance_constant = false;
        }
        self.last_extra = extra;
        self.last_reference = reference;
    }

    /// Returns whether most batches repeat.
    pub(super) fn has_batch_repeats(&self) -> bool {
        self.batch_repeats * 2 > self.pairs
    }

    fn count_batch(&mut self, features: &PairFeatures) {
        let Some((reference, _)) = features.batches else {
            return;
        };
        match &mut self.last_batch {
            Some((base_offset, _, seen)) if *base_offset == reference.base_offset => *seen += 1,
            last => {
                self.batches += u64::from(last.is_some());
                self.parts_of_batches += u64::from(last.is_some_and(is_part));
                *last = Some((reference.base_offset, reference.record_count, 1));
            }
        }
    }

    /// Returns whether of most of the originals' batches less than half came again.
    pub(super) fn is_part_of_batches(&self) -> bool {
        let last = u64::from(self.last_batch.is_some());
        let parts = self.parts_of_batches + u64::from(self.last_batch.is_some_and(is_part));
        !self.is_overflow && parts * 2 > self.batches + last
    }

    /// Returns the offsets between the copies, where it is the same for all.
    pub(super) fn distance(&self) -> Option<i64> {
        let is_one_partition = self.class.family == Family::SamePartition;
        self.first_distance
            .filter(|_| self.is_distance_constant && is_one_partition)
    }

    /// Returns the blocks that each moved forward.
    pub(super) fn blocks(&self) -> u64 {
        self.backward_steps + 1
    }

    /// Returns whether the blocks came back in reverse order.
    pub(super) fn is_reversed(&self) -> bool {
        !self.is_burst && self.backward_steps > self.forward_jumps
    }

    /// Returns whether nine in ten steps went forward.
    pub(super) fn is_forward(&self) -> bool {
        !self.is_burst && self.pairs >= 2 && self.backward_steps * 10 < self.pairs
    }

    /// Returns whether originals and repeats both fill their ranges, or step from record to record.
    pub(super) fn is_contiguous(&self) -> bool {
        let steps = self.pairs.saturating_sub(1);
        let tenths = if self.pairs < LONG_PAIRS_MIN {
            CONTIGUOUS_TENTHS
        } else {
            DENSE_TENTHS
        };
        let is_dense = self.dense_steps * 10 >= steps * tenths;
        !self.is_burst && self.pairs >= 2 && (is_dense || self.fills(CONTIGUOUS_TENTHS))
    }

    /// Returns whether it has stepped from record to record for long enough to be a stretch, which
    /// others are not to be taken into.
    fn is_stretch(&self) -> bool {
        self.pairs >= STRETCH_PAIRS_MIN && self.dense_steps * 10 >= (self.pairs - 1) * 9
    }

    /// Returns whether the repeats follow one another or nearly so, and the originals fill a part
    /// of their range, as one writer's do among those of others.
    fn is_interleaved(&self) -> bool {
        let steps = self.pairs.saturating_sub(1);
        let is_dense = self.dense_extra_steps * 10 >= steps * CONTIGUOUS_TENTHS;
        let fills = |range: Option<&Range<i64>>, tenths| is_filled(range, self.pairs, tenths);
        !self.is_burst
            && self.pairs >= INTERLEAVED_PAIRS_MIN
            && (is_dense || fills(self.extra_offsets.as_ref(), INTERLEAVED_TENTHS))
            && (self.dense_steps * 10 >= steps * INTERLEAVED_TENTHS
                || fills(self.reference_offsets.as_ref(), INTERLEAVED_TENTHS / 2))
    }

    /// Returns whether it looks like a stretch worked through again, however long.
    pub(super) fn is_stretch_again(&self) -> bool {
        let is_faster = self.is_interleaved() && self.faster_pace().is_some();
        // Input partitions may interleave in another way the second time.
        let is_in_order = self.backward_steps * 2 < self.pairs;
        // Commits come in the middle of batches, so that a long stretch may begin or end there;
        // a few records of a batch are no stretch.
        let is_long = self.pairs >= LONG_PAIRS_MIN && self.is_contiguous();
        let is_whole = is_long || !self.is_part_of_batches();
        is_in_order && is_whole && (self.is_contiguous() || is_faster)
    }

    pub(super) fn has_dense_end(&self, extra: i64) -> bool {
        (1..=DENSE_STEP_MAX).contains(&extra.saturating_sub(self.last_extra))
    }

    fn fills(&self, tenths: u64) -> bool {
        is_filled(self.extra_offsets.as_ref(), self.pairs, tenths)
            && is_filled(self.reference_offsets.as_ref(), self.pairs, tenths)
    }

    /// Returns whether the first repeat follows the last original at once.
    pub(super) fn is_adjacent(&self) -> bool {
        let end = self.reference_offsets.as_ref().map(|range| range.end);
        let start = self.extra_offsets.as_ref().map(|range| range.start);
        self.class.family == Family::SamePartition && end.is_some() && end == start
    }

    /// Returns how late the repeats were appended, at least: the log held all references of a run
    /// before its first repeat.
    pub(super) fn delay_millis(&self) -> Option<i64> {
        if self.is_burst || self.class.family != Family::SamePartition {
            return None;
        }
        let (references, extras) = self.reference_times.zip(self.extra_times)?;
        Some(references.last_millis.saturating_sub(extras.first_millis))
    }

    /// Returns whether the producer's timestamps are known to be equal: recorded as `CreateTime`,
    /// or going back along the log, which the broker's never do.
    pub(super) fn is_create_time_kept(&self) -> bool {
        match self.class.time {
            TimeKind::Kept => true,
            TimeKind::UnknownEqual => self.delay_millis().is_some_and(|millis| millis > 0),
            TimeKind::Later | TimeKind::UnknownLater | TimeKind::Appended | TimeKind::Missing => {
                false
            }
        }
    }

    /// Returns the timer that most pairs come near to, and how many do.
    pub(super) fn timer(&self) -> Option<(i64, u64)> {
        let near = TIMERS_MILLIS.into_iter().zip(self.near_timers);
        let most = near.max_by_key(|(_, near)| *near);
        most.filter(|(_, near)| *near >= 5 && near * 10 >= self.pairs * 8)
    }

    /// Returns the time spans of originals and repeats, where the repeats took much less.
    pub(super) fn faster_pace(&self) -> Option<(i64, i64)> {
        let length = |span: TimeSpan| span.last_millis.saturating_sub(span.first_millis);
        let (original, extra) = (length(self.reference_times?), length(self.extra_times?));
        let is_faster =
            original >= PACE_MILLIS_MIN && extra.saturating_mul(10) <= original.saturating_mul(7);
        is_faster.then_some((original, extra))
    }
}

fn is_filled(offsets: Option<&Range<i64>>, pairs: u64, tenths: u64) -> bool {
    let length = offsets.map_or(0, |range| range.end.saturating_sub(range.start));
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    length > 0 && pairs.saturating_mul(10) >= length.saturating_mul(tenths)
}

fn is_part((_, records, seen): (i64, i32, i32)) -> bool {
    i64::from(seen) * 2 < i64::from(records)
}

fn include(range: &mut Option<Range<i64>>, offset: Option<i64>) {
    let Some(offset) = offset else { return };
    let end = offset.saturating_add(1);
    *range = Some(match range.take() {
        None => offset..end,
        Some(range) => range.start.min(offset)..range.end.max(end),
    });
}
