//! The broker's log of one partition and the client that reads it, at random.

use std::time::Duration;

use crate::source::kafka::FaultKind;
use crate::source::kafka::LogBounds;

use super::{Random, THROTTLING_SECONDS_MAX};

/// What may go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    None,
    /// Only a quota, which nothing is lost by.
    Throttling,
    All,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchKind {
    Good,
    Control,
    Corrupt,
    /// Its bytes end early: the client stays silent for ever.
    Cut,
}

pub(super) struct Batch {
    last: i64,
    base: i64,
    kind: BatchKind,
    pub(super) offsets: Vec<i64>,
}

/// The broker's log of one partition and the client that reads it.
pub(super) struct Cluster {
    pub(super) batches: Vec<Batch>,
    pub(super) log_start: i64,
    pub(super) high_watermark: i64,
    pub(super) topic_id: [u8; 16],
    /// Where the client reads next; nothing while it does not.
    pub(super) position: Option<i64>,
    pub(super) last_end: Option<i64>,
    is_silent: bool,
    /// The log ends without the client ever saying so.
    is_end_silent: bool,
    /// The high watermark before it fell for a moment.
    lagging_from: Option<i64>,
    truncated_to: Option<i64>,
    pub(super) is_unreachable: bool,
    /// Seconds for which nothing will come, to keep to a quota.
    throttled_seconds: i64,
    faults: Faults,
}

pub(super) enum Happening {
    Nothing,
    Records(Vec<i64>),
    End(i64),
    Throttled(Duration),
    Fault(FaultKind, i64),
}

impl Cluster {
    pub(super) fn new(random: &mut Random, faults: Faults) -> Self {
        let log_start = random.below(20);
        let mut next = log_start;
        let mut batches = Vec::new();
        for _ in 0..random.below(8) {
            let base = next + if random.one_in(4) { random.below(4) } else { 0 };
            let last = base + random.below(9);
            let kind = match random.below(if faults == Faults::All { 10 } else { 6 }) {
                0 => BatchKind::Control,
                8 => BatchKind::Corrupt,
                9 if random.one_in(4) => BatchKind::Cut,
                _ => BatchKind::Good,
            };
            let has_holes = random.one_in(3);
            let mut offsets: Vec<i64> = (base..=last).collect();
            offsets.retain(|_| kind != BatchKind::Control && !(has_holes && random.one_in(2)));
            next = last + 1;
            batches.push(Batch {
                last,
                base,
                kind,
                offsets,
            });
        }
        let high_watermark = next + if random.one_in(5) { random.below(4) } else { 0 };
        Self {
            batches,
            log_start,
            high_watermark,
            topic_id: [1; 16],
            position: None,
            last_end: None,
            is_silent: false,
            is_end_silent: faults == Faults::All && random.one_in(30),
            lagging_from: None,
            truncated_to: None,
            is_unreachable: false,
            throttled_seconds: 0,
            faults,
        }
    }

    /// Lets something go wrong now and then.
    pub(super) fn disturb(&mut self, random: &mut Random) {
        if let Some(high_watermark) = self.lagging_from
            && random.one_in(6)
        {
            self.high_watermark = high_watermark;
            self.lagging_from = None;
        }
        if self.faults != Faults::All || !random.one_in(12) {
            return;
        }
        let length = self.high_watermark - self.log_start;
        match random.below(8) {
            0 => self.log_start += random.below(length + 1),
            1 if self.truncated_to.is_none() && self.lagging_from.is_none() => {
                self.high_watermark = self.some_boundary(random, length);
                self.truncated_to = Some(self.high_watermark);
            }
            2 if self.truncated_to.is_none() && self.lagging_from.is_none() => {
                self.lagging_from = Some(self.high_watermark);
                self.high_watermark = self.some_boundary(random, length);
            }
            3 if random.one_in(4) => self.is_silent = true,
            4 => self.is_silent = false,
            5 if random.one_in(6) => self.topic_id = [2; 16],
            6 => self.is_unreachable = !self.is_unreachable,
            _ => {
                self.high_watermark += if self.truncated_to.is_none() && self.lagging_from.is_none()
                {
                    random.below(5)
                } else {
                    0
                }
            }
        }
    }

    /// Returns an offset between batches: where a high watermark can fall to.
    fn some_boundary(&self, random: &mut Random, length: i64) -> i64 {
        let lowest = self.high_watermark - random.below(length + 1);
        let inside = |batch: &&Batch| batch.base < lowest && batch.last >= lowest;
        self.batches
            .iter()
            .find(inside)
            .map_or(lowest, |batch| batch.base.max(self.log_start))
    }

    pub(super) fn poll(&mut self, random: &mut Random) -> Happening {
        if self.throttled_seconds > 0 {
            self.throttled_seconds -= 1;
            return Happening::Nothing;
        }
        let can_throttle = self.faults != Faults::None && !self.is_silent;
        if can_throttle && self.position.is_some() && random.one_in(30) {
            self.throttled_seconds = random.below(THROTTLING_SECONDS_MAX);
            let seconds = self.throttled_seconds.unsigned_abs();
            return Happening::Throttled(Duration::from_secs(seconds));
        }
        if self.faults == Faults::All && random.one_in(25) {
            return Happening::Fault(FaultKind::Transient, -1);
        }
        let Some(position) = self.position.filter(|_| !self.is_silent) else {
            return Happening::Nothing;
        };
        if self.topic_id != [1; 16] && random.one_in(2) {
            self.position = None;
            return Happening::Fault(FaultKind::Recreated, position);
        }
        if self.truncated_to.is_some_and(|end| end < position) && random.one_in(2) {
            self.position = None;
            return Happening::Fault(FaultKind::Truncated, position);
        }
        if position < self.log_start || position > self.high_watermark {
            self.position = None;
            return Happening::Fault(FaultKind::OutOfRange, position);
        }
        self.fetch(position, random)
    }

    fn fetch(&mut self, position: i64, random: &mut Random) -> Happening {
        let high_watermark = self.high_watermark;
        let next = self
            .batches
            .iter()
            .find(|batch| batch.last >= position && batch.last < high_watermark);
        let Some(batch) = next else {
            if self.is_end_silent || self.last_end == Some(high_watermark) {
                return Happening::Nothing;
            }
            self.position = Some(high_watermark);
            self.last_end = Some(high_watermark);
            return Happening::End(high_watermark);
        };
        match batch.kind {
            BatchKind::Corrupt => Happening::Fault(FaultKind::CorruptBatch, batch.base),
            BatchKind::Cut => Happening::Nothing,
            BatchKind::Good | BatchKind::Control => {
                self.position = Some(batch.last + 1);
                let from = if self.faults == Faults::All && random.one_in(10) {
                    0
                } else {
                    position
                };
                let offsets = batch.offsets.iter().copied();
                let offsets: Vec<_> = offsets.filter(|&offset| offset >= from).collect();
                if offsets.is_empty() {
                    return Happening::Nothing;
                }
                Happening::Records(offsets)
            }
        }
    }

    pub(super) fn bounds(&self) -> LogBounds {
        LogBounds {
            log_start_offset: self.log_start,
            high_watermark: self.high_watermark,
            last_stable_offset: self.high_watermark,
            topic_id: Some(self.topic_id),
        }
    }
}
