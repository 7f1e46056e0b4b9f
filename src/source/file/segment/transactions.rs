//! Which transactions of one partition were committed and which aborted, by their markers.

use std::collections::{HashMap, HashSet};

use crate::record::BatchStamp;
use crate::source::record_batch::ControlMarker;

/// What became of the transaction that a batch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in none, or in one that was committed.
    Committed,
    /// It was aborted.
    Aborted,
    /// No marker was found.
    Open,
}

/// The transaction markers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// By producer id, ascending by offset; of markers that say the same in a row, the last.
    markers: HashMap<i64, Vec<Marker>>,
    /// Producer ids of transactions whose marker did not come yet.
    open: HashSet<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    offset: i64,
    is_abort: bool,
}

impl Transactions {
    /// Takes note of a batch of records; those of one partition come in order.
    pub(super) fn note_records(&mut self, stamp: &BatchStamp) {
        if stamp.is_transactional {
            self.open.insert(stamp.producer_id);
        }
    }

    /// Takes note of a batch in a transaction of which only the header was looked at.
    pub(super) fn note_unchecked(&mut self, producer_id: i64) {
        self.open.insert(producer_id);
    }

    /// Takes note of a marker of a producer.
    pub(crate) fn note_marker(
        &mut self,
        producer_id: i64,
        offset: i64,
        marker: Option<ControlMarker>,
    ) {
        let is_abort = match marker {
            Some(ControlMarker::Abort) => true,
            Some(ControlMarker::Commit) => false,
            Some(ControlMarker::Other(_)) | None => return,
        };
        self.open.remove(&producer_id);
        let markers = self.markers.entry(producer_id).or_default();
        match markers.last_mut() {
            Some(last) if last.is_abort == is_abort => last.offset = offset,
            _ => markers.push(Marker { offset, is_abort }),
        }
    }

    /// Returns whether some transaction has no marker so far.
    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns what became of a batch's transaction.
    pub(crate) fn fate(&self, stamp: &BatchStamp) -> Fate {
        if stamp.is_transactional {
            self.fate_of(stamp.producer_id, stamp.last_offset)
        } else {
            Fate::Committed
        }
    }

    /// Returns what became of the transaction that a producer had open at an offset: what its next
    /// marker says.
    pub(crate) fn fate_of(&self, producer_id: i64, offset: i64) -> Fate {
        let Some(markers) = self.markers.get(&producer_id) else {
            return Fate::Open;
        };
        let next = markers.partition_point(|marker| marker.offset <= offset);
        match markers.get(next) {
            Some(marker) if marker.is_abort => Fate::Aborted,
            Some(_) => Fate::Committed,
            None => Fate::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::record_batch::batch_encoder::TestBatch;
    use crate::source::record_batch::{BatchEvent, BatchReader};

    fn stamp(producer_id: i64, offset: i64, is_transactional: bool) -> BatchStamp {
        let mut batch = TestBatch::of_records(offset, 2);
        batch.producer_id = producer_id;
        batch.attributes |= i16::from(is_transactional) << 4;
        let bytes = batch.encode();
        match BatchReader::new(&bytes, 0).next() {
            Some(BatchEvent::Data(batch)) => batch.header.stamp,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_next_marker_of_the_producer_decides() {
        let mut transactions = Transactions::default();
        let (abort, commit) = (Some(ControlMarker::Abort), Some(ControlMarker::Commit));
        for (producer_id, offset, marker) in [
            (7, 10, commit),
            (8, 12, abort),
            (7, 14, commit),
            (7, 20, abort),
            (7, 30, Some(ControlMarker::Other(4))),
            (7, 40, None),
        ] {
            transactions.note_marker(producer_id, offset, marker);
        }
        for (producer_id, offset, fate) in [
            (7, 0, Fate::Committed),
            (7, 11, Fate::Committed),
            (7, 15, Fate::Aborted),
            (7, 21, Fate::Open),
            (8, 0, Fate::Aborted),
            (8, 13, Fate::Open),
            (9, 0, Fate::Open),
        ] {
            assert_eq!(transactions.fate(&stamp(producer_id, offset, true)), fate);
        }
        assert_eq!(transactions.fate(&stamp(7, 21, false)), Fate::Committed);
    }

    #[test]
    fn a_transaction_is_open_until_its_marker() {
        let mut transactions = Transactions::default();
        transactions.note_records(&stamp(1, 0, false));
        assert!(!transactions.has_open());
        transactions.note_records(&stamp(1, 2, true));
        transactions.note_marker(2, 4, Some(ControlMarker::Commit));
        assert!(transactions.has_open());
        transactions.note_marker(1, 5, Some(ControlMarker::Commit));
        assert!(!transactions.has_open());
    }
}
