//! Which records of a log were aborted, told by the markers that stand behind them.

use std::collections::BTreeMap;

use super::header::{BatchHeader, ControlMarker};

/// Aborted transactions kept of one partition; records of later ones are not told as aborted.
const SPANS_MAX: usize = 1 << 18;

/// Takes the batches of a partition in order and remembers what was aborted.
///
/// A reader of uncommitted records gets no list of aborted transactions with them, but it gets
/// their markers. Only once the log was read up to a marker are the records before it known.
#[derive(Clone, Debug, Default)]
pub struct AbortedSpans {
    /// First offset of the transaction under way, by producer id.
    open: BTreeMap<i64, i64>,
    /// First offsets of aborted transactions, by producer id and offset of the marker.
    aborted: BTreeMap<(i64, i64), i64>,
}

impl AbortedSpans {
    /// Takes note of a batch of records.
    pub fn take_batch(&mut self, header: &BatchHeader) {
        let stamp = &header.stamp;
        if stamp.is_transactional {
            self.open
                .entry(stamp.producer_id)
                .or_insert(stamp.base_offset);
        }
    }

    /// Takes note of a transaction marker. What a first reading found is not changed by another.
    pub fn pass_marker(&mut self, header: &BatchHeader, marker: Option<ControlMarker>) {
        let stamp = &header.stamp;
        let Some(first_offset) = self.open.remove(&stamp.producer_id) else {
            return;
        };
        if marker == Some(ControlMarker::Abort) && self.aborted.len() < SPANS_MAX {
            let end = (stamp.producer_id, stamp.last_offset);
            self.aborted.entry(end).or_insert(first_offset);
        }
    }

    /// Forgets the transactions under way, where the reading goes on at another place.
    pub fn interrupt(&mut self) {
        self.open.clear();
    }

    /// Returns whether a producer's transactional record is known to be aborted.
    pub fn contains(&self, producer_id: i64, offset: i64) -> bool {
        let markers = self.aborted.range((producer_id, offset)..);
        let next = markers.take_while(|((id, _), _)| *id == producer_id).next();
        next.is_some_and(|(_, first_offset)| *first_offset <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch_encoder::TestBatch;
    use super::super::reader::{BatchEvent, BatchReader};
    use super::*;

    /// Returns what is known of a log after it was read from its start.
    fn read(log: &[u8]) -> AbortedSpans {
        let mut spans = AbortedSpans::default();
        walk(&mut spans, log);
        spans
    }

    fn walk(spans: &mut AbortedSpans, log: &[u8]) {
        for event in BatchReader::new(log, 0) {
            match event {
                BatchEvent::Data(batch) => spans.take_batch(&batch.header),
                BatchEvent::Control { header, marker } => spans.pass_marker(&header, marker),
                BatchEvent::Damaged(_) | BatchEvent::Incomplete { .. } => panic!("a good log"),
            }
        }
    }

    fn transactional(base_offset: i64, count: i32, producer_id: i64) -> Vec<u8> {
        TestBatch::transactional(base_offset, count, producer_id).encode()
    }

    fn marker(base_offset: i64, producer_id: i64, is_commit: bool) -> Vec<u8> {
        TestBatch::marker(base_offset, producer_id, i16::from(is_commit)).encode()
    }

    fn aborted(spans: &AbortedSpans, producer_id: i64, offsets: i64) -> Vec<i64> {
        (0..offsets)
            .filter(|offset| spans.contains(producer_id, *offset))
            .collect()
    }

    #[test]
    fn what_an_abort_marker_ends_is_aborted_and_nothing_else() {
        let log = [
            transactional(0, 2, 11),
            transactional(2, 1, 12),
            transactional(3, 1, 11),
            marker(4, 11, false),
            transactional(5, 1, 11),
            marker(6, 12, true),
            marker(7, 11, true),
            transactional(8, 1, 11),
            marker(9, 11, false),
            transactional(10, 1, 11),
        ];
        let spans = read(&log.concat());
        // Of offsets 2 and 4, producer 11 wrote none but the marker.
        assert_eq!(aborted(&spans, 11, 12), [0, 1, 2, 3, 4, 8, 9]);
        assert_eq!(aborted(&spans, 12, 12), Vec::<i64>::new());
    }

    #[test]
    fn reading_on_elsewhere_changes_nothing_that_is_known() {
        let committed = [transactional(0, 1, 11), marker(1, 11, true)];
        let aborted_later = [transactional(2, 1, 11), marker(3, 11, false)];
        let mut spans = read(&[committed.concat(), aborted_later.concat()].concat());
        spans.interrupt();
        walk(&mut spans, &transactional(0, 1, 11));
        spans.interrupt();
        walk(&mut spans, &aborted_later.concat());
        walk(&mut spans, &marker(3, 11, false));
        assert_eq!(aborted(&spans, 11, 4), [2, 3]);
    }
}
