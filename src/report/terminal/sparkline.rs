//! Counts over time as one line of blocks.

use crate::finding::Timeline;

/// Counts of equally long stretches of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Buckets {
    /// First minute of the first bucket, since the epoch.
    pub(super) start_minute: i64,
    /// Minutes that each bucket holds.
    pub(super) minutes: i64,
    /// The counts.
    pub(super) counts: Vec<u64>,
}

impl Buckets {
    /// Puts counts into at most `columns` buckets over `[first_minute, last_minute]`, a range that
    /// is widened to hold every count.
    pub(super) fn new(
        timeline: &Timeline,
        first_minute: i64,
        last_minute: i64,
        columns: usize,
    ) -> Self {
        let step = timeline.step_minutes();
        let first_count = timeline.counts().next().map(|(minute, _)| minute);
        let last_count = timeline.counts().next_back().map(|(minute, _)| minute);
        let (first_key, last_key) = (
            first_count.unwrap_or(first_minute),
            last_count.unwrap_or(last_minute),
        );
        let start_minute = first_minute
            .min(first_key)
            .div_euclid(step)
            .saturating_mul(step);
        let minutes_in_all = last_minute
            .max(last_key)
            .saturating_sub(start_minute)
            .saturating_add(1)
            .max(1);
        let columns = i64::try_from(columns.max(1)).unwrap_or(i64::MAX);
        let minutes = (minutes_in_all - 1) / columns + 1;
        // A step of the timeline lies in one bucket as a whole.
        let minutes = ((minutes - 1) / step + 1).saturating_mul(step);
        let length = usize::try_from((minutes_in_all - 1) / minutes + 1).unwrap_or_default();
        let mut counts = vec![0_u64; length];
        for (minute, count) in timeline.counts() {
            let index = minute.saturating_sub(start_minute) / minutes;
            let bucket = usize::try_from(index)
                .ok()
                .and_then(|at| counts.get_mut(at));
            if let Some(bucket) = bucket {
                *bucket = bucket.saturating_add(count);
            }
        }
        Self {
            start_minute,
            minutes,
            counts,
        }
    }

    /// Returns the largest count.
    pub(super) fn peak(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or_default()
    }

    /// Returns a block for each count, a dot for none; anything above none is seen.
    pub(super) fn line(&self) -> String {
        blocks(&self.counts)
    }
}

/// Returns a block for each count, a dot for none; anything above none is seen.
pub(super) fn blocks(counts: &[u64]) -> String {
    let peak = counts.iter().copied().max().unwrap_or_default();
    let peak = u128::from(peak.max(1));
    let block = |&count: &u64| match (u128::from(count) * 8).div_ceil(peak) {
        0 => '·',
        1 => '▁',
        2 => '▂',
        3 => '▃',
        4 => '▄',
        5 => '▅',
        6 => '▆',
        7 => '▇',
        _ => '█',
    };
    counts.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(counts: impl IntoIterator<Item = (i64, u64)>) -> Timeline {
        let mut timeline = Timeline::default();
        for (minute, count) in counts {
            timeline.add(minute, count);
        }
        timeline
    }

    #[test]
    fn long_steps_of_the_timeline_are_not_cut() {
        let timeline = timeline((0..20_000).map(|number| (number * 7, 1)));
        assert!(timeline.step_minutes() > 7);
        let buckets = Buckets::new(&timeline, 3, 20_000 * 7, 40);
        assert_eq!(buckets.minutes % timeline.step_minutes(), 0);
        assert_eq!(buckets.counts.iter().sum::<u64>(), 20_000);
        assert!(buckets.counts.len() <= 40);
    }

    #[test]
    fn few_minutes_get_a_column_each() {
        let buckets = Buckets::new(&timeline([(11, 1), (13, 8)]), 10, 14, 40);
        assert_eq!(buckets.line(), "·▁·█·");
        assert_eq!((buckets.minutes, buckets.peak()), (1, 8));
    }

    #[test]
    fn many_minutes_share_columns_and_none_is_lost() {
        let per_minute = timeline((0..1000).map(|minute| (minute, 1)));
        for columns in 1..50 {
            let buckets = Buckets::new(&per_minute, 0, 999, columns);
            assert!(buckets.counts.len() <= columns);
            assert_eq!(buckets.counts.iter().sum::<u64>(), 1000);
        }
    }

    #[test]
    fn counts_outside_the_range_widen_it_whatever_the_numbers() {
        let ends = timeline([(i64::MIN / 60_000, 3), (i64::MAX / 60_000, u64::MAX)]);
        let buckets = Buckets::new(&ends, 5, 6, 40);
        assert_eq!(buckets.counts.first(), Some(&3));
        assert_eq!(buckets.counts.last(), Some(&u64::MAX));
        assert_eq!(Buckets::new(&Timeline::default(), 5, 4, 0).line(), "·");
    }
}
