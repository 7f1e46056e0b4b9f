//! How a sample is spread: over all files, and over the partitions of a topic.

use std::collections::HashMap;

use crate::record::SplitId;
use crate::source::RecordSource;
use crate::source::SplitCoverage;

/// Records of a file or partition that are enough to be looked at: repeats lie close to each other,
/// so that a few records of each would show none.
const LEAST_SHARE: u64 = 500;

/// Files or partitions of which even the smallest sample is made.
const LEAST_SPLITS: u64 = 8;

/// Records that are passed over, while others are waited for, for each that is wanted.
const PATIENCE: u64 = 10;

/// Records of each split that are passed over besides: what a broker sends of one at a time.
const PATIENCE_OF_SPLIT: u64 = 10_000;

/// What of a sample is still to be taken, and from where.
pub(super) struct Budget {
    /// Nothing where all is looked at.
    left: Option<u64>,
    /// The least of a split.
    least: u64,
    splits_left: u64,
}

impl Budget {
    pub(super) fn new(sources: &[Box<dyn RecordSource>], sample_max: Option<u64>) -> Self {
        Self {
            left: sample_max,
            least: (sample_max.unwrap_or_default() / LEAST_SPLITS).clamp(1, LEAST_SHARE),
            splits_left: sources.iter().map(|source| splits_of(&**source)).sum(),
        }
    }

    /// Returns the order in which sources are looked at: the first ones lie far apart.
    pub(super) fn order(&self, sources: usize) -> Vec<usize> {
        match self.left {
            None => (0..sources).collect(),
            Some(left) => spread_order(sources, classes(self.splits_left, left / self.least)),
        }
    }

    /// Returns what is to be taken of the next source; nothing more where the sample is complete.
    pub(super) fn next(&mut self, source: &dyn RecordSource) -> Option<Quotas> {
        let Some(left) = self.left else {
            return Some(Quotas::default());
        };
        let splits = splits_of(source);
        let share = share(left, self.splits_left, self.least);
        let share = share.saturating_mul(splits).min(left);
        self.splits_left = self.splits_left.saturating_sub(splits);
        (share > 0).then(|| Quotas::new(&sizes(source), share, self.least))
    }

    /// Takes note of what has been taken.
    pub(super) fn spend(&mut self, taken: u64) {
        self.left = self.left.map(|left| left.saturating_sub(taken));
    }
}

/// How many records of each split of a source are still to be taken.
#[derive(Default)]
pub(super) struct Quotas {
    /// Nothing where all are.
    left: Option<HashMap<SplitId, u64>>,
    wanted: u64,
    patience: u64,
}

impl Quotas {
    /// Parts a sample among splits of these sizes: as much of each, and more of the larger ones
    /// where others have less.
    fn new(sizes: &[(SplitId, u64)], sample: u64, least: u64) -> Self {
        let splits = u64::try_from(sizes.len()).unwrap_or(u64::MAX);
        let classes = classes(splits, sample / least);
        let class_of = |place: usize| place.checked_rem(classes).unwrap_or_default();
        let mut order: Vec<(usize, u64, SplitId)> = sizes
            .iter()
            .enumerate()
            .map(|(place, (split, size))| (class_of(place), *size, *split))
            .collect();
        order.sort_unstable();
        let (mut left, mut splits_left) = (sample, splits);
        let mut quotas = HashMap::new();
        for (_, size, split) in order {
            let quota = share(left, splits_left, least).min(left).min(size);
            splits_left -= 1;
            left -= quota;
            quotas.insert(split, quota);
        }
        Self {
            left: Some(quotas),
            wanted: sample - left,
            patience: PATIENCE * sample + PATIENCE_OF_SPLIT.saturating_mul(splits),
        }
    }

    /// Returns whether a record of the split is wanted.
    pub(super) fn wants(&self, split: SplitId) -> bool {
        let quotas = self.left.as_ref();
        quotas.is_none_or(|left| left.get(&split).is_some_and(|left| *left > 0))
    }

    /// Takes note of a record that was taken.
    pub(super) fn take(&mut self, split: SplitId) {
        if let Some(left) = self.left.as_mut().and_then(|left| left.get_mut(&split)) {
            *left = left.saturating_sub(1);
            self.wanted = self.wanted.saturating_sub(1);
        }
    }

    /// Passes a record over; returns whether it is worth to go on for the sake of others.
    pub(super) fn pass_over(&mut self) -> bool {
        self.patience = self.patience.saturating_sub(1);
        self.wanted > 0 && self.patience > 0
    }
}

fn splits_of(source: &dyn RecordSource) -> u64 {
    u64::try_from(source.splits().len()).unwrap_or(u64::MAX)
}

/// Returns the records in each split, as far as they are known: the offsets of partitions.
fn sizes(source: &dyn RecordSource) -> Vec<(SplitId, u64)> {
    let mut offsets = HashMap::new();
    for covered in source.coverage() {
        if let SplitCoverage::Partition(read) = covered
            && read.topic_partition.number().is_some()
        {
            let size = read.end_offset.saturating_sub(read.start_offset);
            offsets.insert(read.topic_partition, u64::try_from(size).unwrap_or(0));
        }
    }
    let splits = source.splits().into_iter();
    let size = |split| {
        let place = source.topic_partition(split)?;
        offsets.get(&place).copied()
    };
    splits
        .map(|split| (split, size(split).unwrap_or(u64::MAX)))
        .collect()
}

/// Returns how much of what is left one of the splits that are left gets.
fn share(left: u64, splits_left: u64, least: u64) -> u64 {
    left.div_ceil(splits_left.max(1)).max(least)
}

/// Returns how many splits there are for each of so many shares.
fn classes(splits: u64, shares: u64) -> usize {
    usize::try_from(splits.div_ceil(shares.max(1)).max(1)).unwrap_or(usize::MAX)
}

/// Returns the numbers below `count`, first every so many of them, then those between.
fn spread_order(count: usize, classes: usize) -> Vec<usize> {
    let class = |first: usize| (first..count).step_by(classes);
    (0..classes.min(count)).flat_map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(sizes: &[u64], sample: u64) -> Vec<u64> {
        let sizes: Vec<(SplitId, u64)> = (0..).map(SplitId).zip(sizes.iter().copied()).collect();
        let quotas = Quotas::new(&sizes, sample, 500).left.unwrap();
        sizes.iter().map(|(split, _)| quotas[split]).collect()
    }

    #[test]
    fn partitions_have_equal_parts_and_the_larger_ones_what_others_lack() {
        assert_eq!(quotas(&[9000, 9000, 9000], 9000), [3000, 3000, 3000]);
        assert_eq!(
            quotas(&[90_000, 10, 0, 90_000], 10_000),
            [4995, 10, 0, 4995]
        );
        assert_eq!(quotas(&[10, 20], 10_000), [10, 20]);
        assert_eq!(quotas(&[u64::MAX], 7), [7]);
        assert_eq!(quotas(&[9000, 9000, 9000], 1000), [500, 0, 500]);
        assert!(quotas(&[], 5).is_empty());
    }

    #[test]
    fn of_too_many_those_are_taken_that_lie_far_apart() {
        let many = quotas(&[100_000; 100], 10_000);
        let taken: Vec<usize> = (0..100).filter(|place| many[*place] > 0).collect();
        assert_eq!(taken, (0..100).step_by(5).collect::<Vec<_>>());
        assert_eq!(many.iter().sum::<u64>(), 10_000);
        // What these lack is taken of those between.
        assert_eq!(quotas(&[100; 100], 10_000), [100; 100]);
        assert_eq!(spread_order(7, 3), [0, 3, 6, 1, 4, 2, 5]);
        assert_eq!(spread_order(2, 9), [0, 1]);
    }

    #[test]
    fn a_partition_that_does_not_come_is_not_waited_for_without_an_end() {
        let sizes = [(SplitId(0), 10), (SplitId(1), 10)];
        let mut quotas = Quotas::new(&sizes, 20, 1);
        (0..10).for_each(|_| quotas.take(SplitId(0)));
        assert!(!quotas.wants(SplitId(0)) && quotas.wants(SplitId(1)));
        let passed = (0..99_999).take_while(|_| quotas.pass_over()).count();
        assert_eq!(passed, 20_199);
        (0..10).for_each(|_| quotas.take(SplitId(1)));
        assert!(!quotas.pass_over());
        assert!(Quotas::default().wants(SplitId(7)));
    }
}
