//! Which batches of a Fetch response belong to aborted transactions.

use std::collections::BTreeSet;

use super::header::{BatchHeader, ControlMarker};

/// An aborted transaction that a Fetch response names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it is.
    pub producer_id: i64,
    /// Its first offset in the partition.
    pub first_offset: i64,
}

/// Tells the batches of aborted transactions, which the broker sends all the same. Made for one
/// response, and asked about each of its batches in order.
#[derive(Clone, Debug, Default)]
pub struct AbortedFilter {
    /// By first offset, the earliest last.
    pending: Vec<AbortedTransaction>,
    aborting: BTreeSet<i64>,
}

impl AbortedFilter {
    /// Returns a filter for the transactions that the response names, in any order.
    pub fn new(mut transactions: Vec<AbortedTransaction>) -> Self {
        transactions.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Self {
            pending: transactions,
            aborting: BTreeSet::new(),
        }
    }

    /// Returns whether the batch belongs to an aborted transaction.
    pub fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.stamp.last_offset);
        header.stamp.is_transactional && self.aborting.contains(&header.stamp.producer_id)
    }

    /// Takes note of a transaction marker: an abort ends what it aborts.
    pub fn pass_marker(&mut self, header: &BatchHeader, marker: Option<ControlMarker>) {
        self.begin_up_to(header.stamp.last_offset);
        if marker == Some(ControlMarker::Abort) {
            self.aborting.remove(&header.stamp.producer_id);
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(next) = self.pending.pop_if(|next| next.first_offset <= offset) {
            self.aborting.insert(next.producer_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch_encoder::TestBatch;
    use super::super::reader::{BatchEvent, BatchReader};
    use super::*;

    fn transactional(base_offset: i64, count: i32, producer_id: i64) -> Vec<u8> {
        TestBatch::transactional(base_offset, count, producer_id).encode()
    }

    fn delivered(log: &[Vec<u8>], aborted: &[(i64, i64)]) -> Vec<i64> {
        let name = |&(producer_id, first_offset): &(i64, i64)| AbortedTransaction {
            producer_id,
            first_offset,
        };
        let mut filter = AbortedFilter::new(aborted.iter().map(name).collect());
        let mut offsets = Vec::new();
        for event in BatchReader::new(&log.concat(), 0) {
            match event {
                BatchEvent::Data(batch) => {
                    if !filter.is_aborted(&batch.header) {
                        offsets.push(batch.header.stamp.base_offset);
                    }
                }
                BatchEvent::Control { header, marker } => filter.pass_marker(&header, marker),
                BatchEvent::Damaged(_) | BatchEvent::Incomplete { .. } => panic!("{event:?}"),
            }
        }
        offsets
    }

    #[test]
    fn an_abort_marker_ends_what_it_aborts_and_others_are_delivered() {
        let log = [
            transactional(0, 2, 11),
            transactional(2, 1, 12),
            TestBatch::of_records(3, 1).encode(),
            TestBatch::marker(4, 11, 0).encode(),
            transactional(5, 1, 11),
            TestBatch::marker(6, 12, 1).encode(),
            TestBatch::marker(7, 11, 1).encode(),
        ];
        assert_eq!(delivered(&log, &[(11, 0)]), [2, 3, 5]);
        assert_eq!(delivered(&log, &[]), [0, 2, 3, 5]);
    }

    #[test]
    fn a_second_aborted_transaction_of_the_same_producer_is_told_apart() {
        let log = [
            transactional(0, 1, 11),
            TestBatch::marker(1, 11, 0).encode(),
            transactional(2, 1, 11),
            TestBatch::marker(3, 11, 1).encode(),
            transactional(4, 1, 11),
            TestBatch::marker(5, 11, 0).encode(),
        ];
        assert_eq!(delivered(&log, &[(11, 4), (11, 0)]), [2]);
    }

    #[test]
    fn a_producer_without_a_transaction_is_never_aborted() {
        let idempotent = TestBatch {
            producer_id: 11,
            ..TestBatch::of_records(1, 1)
        };
        let log = [transactional(0, 1, 11), idempotent.encode()];
        assert_eq!(delivered(&log, &[(11, 0)]), [1]);
    }
}
