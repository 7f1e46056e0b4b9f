//! Extra records over time, by what they are of, in few enough steps to be looked at.

use std::collections::BTreeMap;

/// Steps from the first count to the last.
const STEPS_MAX: i64 = 200;

/// Steps with a count, over all that is told apart.
const CELLS_MAX: usize = 20_000;

/// Counts by equal steps of whole seconds, for each of several causes or partitions. It begins with
/// seconds; where there are too many steps, all grow, so that every count stays exact whatever the
/// order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverTime<K> {
    step_seconds: i64,
    /// By the first second of the step, since the epoch.
    counts: BTreeMap<(i64, K), u64>,
}

impl<K: Ord> Default for OverTime<K> {
    fn default() -> Self {
        Self {
            step_seconds: 1,
            counts: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord> OverTime<K> {
    /// Returns counts in steps of `step_seconds`, each by the first second of its step.
    pub fn with_step(step_seconds: i64, counts: impl IntoIterator<Item = (i64, K, u64)>) -> Self {
        let mut over_time = Self {
            step_seconds: step_seconds.max(1),
            ..Self::default()
        };
        for (second, of, count) in counts {
            over_time.add(second, of, count);
        }
        over_time
    }

    /// Adds to the count of one of them at a second since the epoch.
    pub fn add(&mut self, second: i64, of: K, count: u64) {
        let sum = self.counts.entry((self.start(second), of)).or_default();
        *sum = sum.saturating_add(count);
        while self.steps() > STEPS_MAX || self.counts.len() > CELLS_MAX && self.steps() > 1 {
            self.widen();
        }
    }

    /// Returns how many seconds each step holds.
    pub fn step_seconds(&self) -> i64 {
        self.step_seconds
    }

    /// Returns the first second of each step with a count, what it is of, and the count; ascending.
    pub fn counts(&self) -> impl DoubleEndedIterator<Item = (i64, &K, u64)> {
        let counts = self.counts.iter();
        counts.map(|((start, of), count)| (*start, of, *count))
    }

    /// Returns the counts of those that are kept.
    #[must_use]
    pub fn only(&self, is_kept: impl Fn(&K) -> bool) -> Self {
        let kept = self.counts.iter().filter(|((_, of), _)| is_kept(of));
        Self {
            step_seconds: self.step_seconds,
            counts: kept.map(|(place, count)| (place.clone(), *count)).collect(),
        }
    }

    /// Returns the counts in steps of at least `seconds`, joined from whole steps.
    #[must_use]
    pub fn in_steps_of(&self, seconds: i64) -> Self {
        let mut wider = self.clone();
        while wider.step_seconds < seconds {
            wider.widen();
        }
        wider
    }

    fn steps(&self) -> i64 {
        let first = self.counts.keys().next().map(|(start, _)| *start);
        let last = self.counts.keys().next_back().map(|(start, _)| *start);
        let span = last
            .zip(first)
            .map_or(0, |(last, first)| last.saturating_sub(first));
        (span / self.step_seconds).saturating_add(1)
    }

    fn start(&self, second: i64) -> i64 {
        second
            .div_euclid(self.step_seconds)
            .saturating_mul(self.step_seconds)
    }

    /// Each step is a multiple of the one before, so that whole steps are joined.
    fn widen(&mut self) {
        self.step_seconds = wider_step(self.step_seconds);
        for ((second, of), count) in std::mem::take(&mut self.counts) {
            let start = self.start(second);
            let sum = self.counts.entry((start, of)).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

/// Returns the step after `seconds`, a multiple of it that people can read on an axis.
fn wider_step(seconds: i64) -> i64 {
    match seconds {
        1 => 5,
        5 => 15,
        15 => 60,
        60 => 300,
        300 => 900,
        900 => 3_600,
        3_600 => 21_600,
        21_600 => 86_400,
        more => more.saturating_mul(7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(seconds: impl Iterator<Item = i64>) -> OverTime<i64> {
        let mut over_time = OverTime::default();
        seconds.for_each(|second| over_time.add(second, second.rem_euclid(3), 1));
        over_time
    }

    #[test]
    fn a_short_time_is_told_by_seconds() {
        let over_time = counted([3, -1, 3].into_iter());
        let expected = [(-1, &2, 1), (3, &0, 2)];
        assert_eq!(over_time.counts().collect::<Vec<_>>(), expected);
        assert_eq!(over_time.step_seconds(), 1);
    }

    #[test]
    fn a_long_time_is_told_in_few_steps_whatever_the_order_and_no_count_is_lost() {
        let forward = counted(-7..100_000);
        assert_eq!(counted((-7..100_000).rev()), forward);
        assert_eq!(forward.step_seconds(), 900);
        assert!(forward.steps() <= STEPS_MAX);
        let total: u64 = forward.counts().map(|(.., count)| count).sum();
        assert_eq!(total, 100_007);
        let counts = forward
            .counts()
            .map(|(start, of, count)| (start, *of, count));
        assert_eq!(OverTime::with_step(900, counts), forward);
        let hours = forward.in_steps_of(3_600);
        assert_eq!(hours.step_seconds(), 3_600);
        assert_eq!(hours.counts().map(|(.., count)| count).sum::<u64>(), total);
        let kept = forward.only(|of| *of == 1);
        assert!(kept.counts().all(|(_, of, _)| *of == 1));
    }

    #[test]
    fn many_partitions_share_fewer_steps() {
        let mut over_time = OverTime::default();
        for second in 0..150 {
            (0..1_000).for_each(|of| over_time.add(second, of, 1));
        }
        assert!(over_time.counts.len() <= CELLS_MAX);
        for of in 0..30_000 {
            over_time.add(7, of, 1);
        }
        let total: u64 = over_time.counts().map(|(.., count)| count).sum();
        assert_eq!(total, 180_000);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut over_time = OverTime::default();
        for second in [i64::MIN, i64::MAX, 0, i64::MIN] {
            over_time.add(second, 0, u64::MAX);
        }
        assert!(over_time.steps() <= STEPS_MAX);
        assert_eq!(
            over_time.counts().next().map(|(.., count)| count),
            Some(u64::MAX)
        );
    }
}
