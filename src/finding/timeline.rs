//! Counts over time, in as few steps as memory allows.

use std::collections::BTreeMap;

/// Steps with a count that are kept apart: a week of minutes.
const STEPS_MAX: usize = 7 * 24 * 60;

/// Counts by equal steps of whole minutes. It begins with minutes; where too many have a count, all
/// steps grow, so that every count stays exact whatever the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    step_minutes: i64,
    /// By the first minute of the step, since the epoch.
    counts: BTreeMap<i64, u64>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            step_minutes: 1,
            counts: BTreeMap::new(),
        }
    }
}

impl Timeline {
    /// Returns a timeline of steps of `step_minutes` with these counts by their first minute.
    pub fn with_step(step_minutes: i64, counts: impl IntoIterator<Item = (i64, u64)>) -> Self {
        let mut timeline = Self {
            step_minutes: step_minutes.max(1),
            counts: BTreeMap::new(),
        };
        for (minute, count) in counts {
            timeline.add(minute, count);
        }
        timeline
    }

    /// Adds to the count of a minute since the epoch.
    pub fn add(&mut self, minute: i64, count: u64) {
        let start = self.start(minute);
        let sum = self.counts.entry(start).or_default();
        *sum = sum.saturating_add(count);
        while self.counts.len() > STEPS_MAX {
            self.widen();
        }
    }

    /// Returns how many minutes each step holds.
    pub fn step_minutes(&self) -> i64 {
        self.step_minutes
    }

    /// Returns the first minute of each step with a count, and the count; ascending.
    pub fn counts(&self) -> impl DoubleEndedIterator<Item = (i64, u64)> {
        self.counts.iter().map(|(start, count)| (*start, *count))
    }

    fn start(&self, minute: i64) -> i64 {
        minute
            .div_euclid(self.step_minutes)
            .saturating_mul(self.step_minutes)
    }

    /// Each step is a multiple of the one before, so that whole steps are joined.
    fn widen(&mut self) {
        self.step_minutes = match self.step_minutes {
            1 => 5,
            5 => 15,
            15 => 60,
            60 => 360,
            360 => 1440,
            more => more.saturating_mul(7),
        };
        for (minute, count) in std::mem::take(&mut self.counts) {
            let start = self.start(minute);
            let sum = self.counts.entry(start).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(minutes: impl Iterator<Item = i64>) -> Timeline {
        let mut timeline = Timeline::default();
        minutes.for_each(|minute| timeline.add(minute, 1));
        timeline
    }

    #[test]
    fn few_minutes_stay_minutes() {
        let timeline = timeline([3, -1, 3].into_iter());
        assert_eq!(timeline.step_minutes(), 1);
        assert_eq!(timeline.counts().collect::<Vec<_>>(), [(-1, 1), (3, 2)]);
    }

    #[test]
    fn many_minutes_are_joined_and_none_is_lost_in_any_order() {
        let last = i64::try_from(STEPS_MAX).unwrap() * 20;
        let forward = timeline(-7..last);
        assert_eq!(timeline((-7..last).rev()), forward);
        assert_eq!(forward.step_minutes(), 60);
        let total: u64 = forward.counts().map(|(_, count)| count).sum();
        assert_eq!(total, u64::try_from(last + 7).unwrap());
        assert_eq!(forward.counts().next(), Some((-60, 7)));
        assert!(forward.counts().all(|(start, _)| start % 60 == 0));
    }

    #[test]
    fn minutes_at_the_ends_of_time_do_not_overflow() {
        let ends = [i64::MIN / 60_000, i64::MAX / 60_000];
        let mut timeline = timeline(ends.into_iter().chain(0..200_000));
        timeline.add(ends[0], u64::MAX);
        let first = timeline.counts().next().unwrap();
        assert!(first.0 <= ends[0] && first.1 == u64::MAX);
    }
}
