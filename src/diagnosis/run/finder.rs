//! Finds runs in one pass over sorted pairs; what is held of a partition is bounded.

use std::collections::VecDeque;

use super::Run;
use crate::diagnosis::PairMark;
use crate::diagnosis::pair::{Family, PairClass, PairFacts, PairFeatures, TimeKind};

/// Runs of one partition that may still grow.
const OPEN_RUNS_MAX: usize = 16;

/// Bursts of one partition that may still grow.
const OPEN_BURSTS_MAX: usize = 64;

/// Runs and bursts kept of one partition; what comes then is put into overflows, one per class.
const RUNS_PER_PARTITION_MAX: usize = 1024;

/// Runs and bursts kept of all partitions before each new one gets overflows only.
const RUNS_MAX: usize = 1 << 16;

/// Offsets between neighbours of a run.
const STEP_MAX: i64 = 64;

/// Offsets between neighbours once a run is known as a stretch.
const STRETCH_STEP_MAX: i64 = 8;

/// Offsets between originals whose repeats follow one another.
const FORWARD_STEP_MAX: i64 = 1024;

/// Offsets between blocks of a run whose `CreateTime` is kept: other producers write in between.
const BLOCK_STEP_MAX: i64 = 1 << 14;

/// Time without an extra record that ends a burst.
const BURST_GAP_MILLIS: i64 = 600_000;

/// A run that may still grow; its first pair waits until a second shows that it is one.
#[derive(Debug)]
struct OpenRun {
    run: Run,
    first_extra: i64,
    number: Option<u32>,
    waiting: Option<(PairFacts, PairFeatures)>,
}

/// Finds runs; numbers each pair's run once it is known.
#[derive(Debug, Default)]
pub(crate) struct RunFinder {
    runs: Vec<Run>,
    place: Option<(Option<String>, Option<i32>)>,
    runs_before: usize,
    open: Vec<OpenRun>,
    bursts: VecDeque<u32>,
    ready: VecDeque<PairMark>,
}

impl RunFinder {
    /// Takes the next pair, sorted by topic, partition and offset of the extra record.
    pub(crate) fn push(&mut self, pair: PairFacts) {
        self.enter(&pair);
        let features = PairFeatures::new(&pair);
        match (pair.extra.offset, pair.reference.copy.offset) {
            (Some(extra), Some(reference)) if may_run(features.class) => {
                self.close_behind(extra);
                self.extend(pair, features, extra, reference);
            }
            _ => self.add_to_burst(&pair, features),
        }
    }

    /// Returns the next pair whose run is known.
    pub(crate) fn next_ready(&mut self) -> Option<PairMark> {
        self.ready.pop_front()
    }

    /// Closes all runs and returns them, with the pairs whose runs were not known before.
    pub(crate) fn finish(mut self) -> (Vec<Run>, VecDeque<PairMark>) {
        self.close_partition();
        (self.runs, self.ready)
    }

    fn enter(&mut self, pair: &PairFacts) {
        let place = (&pair.extra.topic, pair.extra.partition);
        let is_same = self
            .place
            .as_ref()
            .is_some_and(|known| (&known.0, known.1) == place);
        if !is_same {
            self.close_partition();
            self.place = Some((place.0.clone(), place.1));
            self.runs_before = self.runs.len();
        }
    }

    fn close_partition(&mut self) {
        for open in std::mem::take(&mut self.open) {
            self.close(open);
        }
        self.bursts.clear();
    }

    fn close_behind(&mut self, extra: i64) {
        let (mut index, keep) = (0, |open: &OpenRun| {
            extra.saturating_sub(open.run.last_extra) <= reach(&open.run)
        });
        while let Some(open) = self.open.get(index) {
            if keep(open) {
                index += 1;
            } else {
                let open = self.open.remove(index);
                self.close(open);
            }
        }
    }

    fn close(&mut self, open: OpenRun) {
        if let Some((pair, features)) = open.waiting {
            self.add_to_burst(&pair, features);
        } else if let Some(number) = open.number
            && let Some(run) = self.runs.get_mut(index_of(number))
        {
            *run = open.run;
        }
    }

    fn extend(&mut self, pair: PairFacts, features: PairFeatures, extra: i64, reference: i64) {
        let fitting = self.open.iter().enumerate().filter_map(|(index, open)| {
            open.fit(&pair, features.class, extra, reference)
                .map(|fit| (fit, index))
        });
        match fitting.min() {
            Some((_, index)) => self.join(index, &pair, features),
            None => self.open_run(pair, features, extra),
        }
    }

    fn join(&mut self, index: usize, pair: &PairFacts, features: PairFeatures) {
        let is_full = self.is_full();
        let Some(open) = self.open.get_mut(index) else {
            return;
        };
        if open.number.is_none() && is_full {
            // The first pair goes to the overflow when the run closes, and so do the others.
            self.add_to_burst(pair, features);
            return;
        }
        open.run.add(pair, &features);
        let number = *open.number.get_or_insert_with(|| {
            self.runs.push(open.run.clone());
            number_of(self.runs.len() - 1)
        });
        if let Some((first, first_features)) = open.waiting.take() {
            self.ready
                .push_back(PairMark::new(&first, first_features, number));
        }
        self.ready.push_back(PairMark::new(pair, features, number));
    }

    fn open_run(&mut self, pair: PairFacts, features: PairFeatures, extra: i64) {
        if self.open.len() == OPEN_RUNS_MAX {
            let stalest = self.open.iter().enumerate();
            let stalest = stalest.min_by_key(|(_, open)| open.run.last_extra);
            if let Some((index, _)) = stalest {
                let open = self.open.remove(index);
                self.close(open);
            }
        }
        let mut run = Run::new(&features, &pair);
        run.add(&pair, &features);
        self.open.push(OpenRun {
            run,
            first_extra: extra,
            number: None,
            waiting: Some((pair, features)),
        });
    }

    fn is_full(&self) -> bool {
        let of_partition = self.runs.len() - self.runs_before;
        of_partition >= RUNS_PER_PARTITION_MAX || self.runs_before >= RUNS_MAX
    }

    fn add_to_burst(&mut self, pair: &PairFacts, features: PairFeatures) {
        let is_full = self.is_full();
        let of_kind = self.bursts.iter().copied().rev().find(|number| {
            let burst = self.runs.get(index_of(*number));
            burst.is_some_and(|burst| {
                is_of_kind(burst, features.class, pair) && (is_full || is_near(burst, pair))
            })
        });
        let number = of_kind.unwrap_or_else(|| self.open_burst(pair, &features, is_full));
        if let Some(burst) = self.runs.get_mut(index_of(number)) {
            burst.is_overflow |= is_full && may_run(features.class);
            burst.add(pair, &features);
        }
        self.ready.push_back(PairMark::new(pair, features, number));
    }

    fn open_burst(&mut self, pair: &PairFacts, features: &PairFeatures, is_full: bool) -> u32 {
        let mut burst = Run::new(features, pair);
        burst.is_burst = true;
        // When full, only classes bound the number: nothing else may open one.
        if is_full {
            burst.reference_topic = None;
            burst.is_overflow = true;
        }
        self.runs.push(burst);
        let number = number_of(self.runs.len() - 1);
        if self.bursts.len() == OPEN_BURSTS_MAX {
            self.bursts.pop_front();
        }
        self.bursts.push_back(number);
        number
    }
}

impl OpenRun {
    /// Returns how far the pair is from the run's end, or nothing where it does not belong to it.
    fn fit(
        &self,
        pair: &PairFacts,
        class: PairClass,
        extra: i64,
        reference: i64,
    ) -> Option<(bool, i64)> {
        let run = &self.run;
        let copy = &pair.reference.copy;
        let is_same_kind = run.class == class
            && run.reference_partition == copy.partition
            && run.reference_topic == copy.topic;
        // A run never takes its own extras as references: that is the next repeat.
        let is_behind = class.family == Family::SamePartition && reference >= self.first_extra;
        if !is_same_kind || is_behind || extra <= run.last_extra {
            return None;
        }
        let extra_step = extra.saturating_sub(run.last_extra);
        let forward = reference.saturating_sub(run.last_reference);
        let back = run.block_start.saturating_sub(reference);
        let reach = reach(run);
        // One writer's repeats follow one another where its originals lay among those of others.
        let reach_forward = if run.has_dense_end(extra) {
            reach.max(FORWARD_STEP_MAX)
        } else {
            reach
        };
        let is_near = extra_step <= reach
            && ((1..=reach_forward).contains(&forward) || (1..=reach).contains(&back));
        let is_steady = extra_step == forward;
        let step = if forward > 0 { forward } else { back };
        is_near.then_some((!is_steady, step))
    }
}

/// Returns whether the order of such pairs bears on their cause.
fn may_run(class: PairClass) -> bool {
    match class.family {
        Family::SamePartition | Family::OtherPartition => true,
        Family::Aborted
        | Family::DeadLetter
        | Family::Mirror
        | Family::OtherTopic
        | Family::Placeless => false,
    }
}

fn reach(run: &Run) -> i64 {
    match run.class.time {
        TimeKind::Kept | TimeKind::UnknownEqual => BLOCK_STEP_MAX,
        _ if run.is_stretch() => STRETCH_STEP_MAX,
        TimeKind::Later | TimeKind::UnknownLater | TimeKind::Appended | TimeKind::Missing => {
            STEP_MAX
        }
    }
}

fn is_of_kind(burst: &Run, class: PairClass, pair: &PairFacts) -> bool {
    let is_same_topic = burst.reference_topic == pair.reference.copy.topic;
    burst.class == class && (is_same_topic || burst.is_overflow)
}

fn is_near(burst: &Run, pair: &PairFacts) -> bool {
    match (burst.extra_times, pair.extra.timestamp) {
        (Some(span), Some(timestamp)) => {
            let (first, last) = (span.first_millis, span.last_millis);
            timestamp.millis >= first.saturating_sub(BURST_GAP_MILLIS)
                && timestamp.millis <= last.saturating_add(BURST_GAP_MILLIS)
        }
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn number_of(index: usize) -> u32 {
    u32::try_from(index).expect("the number of runs is bounded")
}

fn index_of(number: u32) -> usize {
    usize::try_from(number).expect("an address has 32 bits at least")
}
