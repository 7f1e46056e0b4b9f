//! Finds where a record batch ends that cannot be read: gallop, then bisection, by offset.

/// What to do next about a corrupt batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::kafka) enum SearchStep {
    /// Read from here and see.
    Probe(i64),
    /// The batch ends before this offset.
    Found(i64),
}

/// The search for the first offset after a corrupt batch.
///
/// Reading from any offset within the batch fails at the batch's first offset; reading from any
/// later one does not. So the end can be bisected.
#[derive(Clone, Debug)]
pub(in crate::source::kafka) struct CorruptBatchSearch {
    base_offset: i64,
    /// Highest offset known to lie within the batch.
    within: i64,
    /// Lowest offset known to lie after it.
    after: Option<i64>,
    probe: i64,
    width: i64,
    end: i64,
}

impl CorruptBatchSearch {
    /// Begins a search after reading from `from` failed at `base_offset`; `end` is as good as
    /// after the batch.
    pub(in crate::source::kafka) fn new(base_offset: i64, from: i64, end: i64) -> Self {
        Self {
            base_offset,
            within: from,
            after: None,
            probe: from,
            width: 1,
            end,
        }
    }

    /// Returns the highest offset known to lie within the batch.
    pub(in crate::source::kafka) fn within(&self) -> i64 {
        self.within
    }

    /// Returns the offset that is being probed.
    pub(in crate::source::kafka) fn probe(&self) -> i64 {
        self.probe
    }

    /// Notes that reading from the probe failed at `offset`, and goes on.
    pub(in crate::source::kafka) fn fails_at(&mut self, offset: i64) -> SearchStep {
        if offset <= self.base_offset {
            self.within = self.probe;
        } else {
            // Another corrupt batch: the probe lies after this one.
            self.after = Some(self.probe);
        }
        self.step()
    }

    /// Notes that reading from the probe works, and goes on.
    pub(in crate::source::kafka) fn works(&mut self) -> SearchStep {
        self.after = Some(self.probe);
        self.step()
    }

    /// Returns the next thing to do.
    pub(in crate::source::kafka) fn step(&mut self) -> SearchStep {
        let next = match self.after {
            Some(after) => self.within + (after - self.within) / 2,
            None => self.within.saturating_add(self.width),
        };
        self.width = self.width.saturating_mul(2);
        match self.after {
            Some(after) if next == self.within => SearchStep::Found(after),
            None if next >= self.end => {
                self.after = Some(self.end);
                self.step()
            }
            Some(_) | None => {
                self.probe = next;
                SearchStep::Probe(next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(first: i64, last: i64, from: i64, end: i64) -> (i64, u32) {
        let mut search = CorruptBatchSearch::new(first, from, end);
        let mut step = search.step();
        let mut probes = 0;
        loop {
            match step {
                SearchStep::Found(offset) => return (offset, probes),
                SearchStep::Probe(offset) if offset <= last => step = search.fails_at(first),
                SearchStep::Probe(_) => step = search.works(),
            }
            probes += 1;
        }
    }

    #[test]
    fn the_end_is_found_wherever_it_lies() {
        for last in 0..200 {
            for from in 0..=last {
                let (found, probes) = find(0, last, from, 150.max(from + 1));
                assert_eq!(
                    found,
                    (last + 1).min(150.max(from + 1)),
                    "{last} from {from}"
                );
                assert!(probes <= 18, "{probes} probes");
            }
        }
    }

    #[test]
    fn a_second_corrupt_batch_ends_the_first() {
        let mut search = CorruptBatchSearch::new(10, 10, 100);
        assert_eq!(search.step(), SearchStep::Probe(11));
        assert_eq!(search.fails_at(10), SearchStep::Probe(13));
        assert_eq!(search.fails_at(12), SearchStep::Probe(12));
        assert_eq!(search.fails_at(12), SearchStep::Found(12));
    }
}
