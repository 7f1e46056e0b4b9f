//! Ends a partition some time after its first record later than the range, by the records' times.

use std::ops::Range;

use crate::finding::OffsetGap;
use crate::record::RecordSlot;

/// Watches for the record that is later than the range by more than is waited for.
#[derive(Clone, Debug)]
pub struct LateTail {
    /// First timestamp after the range.
    to: i64,
    /// Milliseconds to read on after the first later record.
    lateness: i64,
    /// Timestamp of the record that ends the partition, once the first later one was seen.
    stop: Option<i64>,
}

impl LateTail {
    /// Returns one for a range that ends at a time.
    pub fn new(to_millis: i64, late_millis: i64) -> Self {
        Self {
            to: to_millis,
            lateness: late_millis,
            stop: None,
        }
    }

    /// Returns the first offset that need not be read, if one of these records shows it. Only
    /// records in `rest` count: others came before or do not belong to the range.
    pub(super) fn start_within(&mut self, slots: &[RecordSlot], rest: Range<i64>) -> Option<i64> {
        // What has no timestamp has the least there is.
        let later = slots
            .iter()
            .filter(|slot| rest.contains(&slot.offset) && slot.timestamp_millis >= self.to);
        for slot in later {
            let stop = slot.timestamp_millis.saturating_add(self.lateness);
            let stop = *self.stop.get_or_insert(stop);
            if slot.timestamp_millis >= stop {
                return Some(slot.offset);
            }
        }
        None
    }
}

/// Takes out of the slots what lies at or after `tail`, and returns the gaps before it.
pub(super) fn cut_off(
    slots: &mut Vec<RecordSlot>,
    absent: &[OffsetGap],
    tail: i64,
) -> Vec<OffsetGap> {
    slots.retain(|slot| slot.offset < tail);
    let before = absent.iter().filter(|gap| gap.start < tail);
    let clipped = before.map(|gap| OffsetGap {
        end: gap.end.min(tail),
        ..*gap
    });
    clipped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(late: &mut LateTail, times: &[i64]) -> Option<i64> {
        let slot = |(offset, &timestamp_millis)| RecordSlot {
            offset,
            timestamp_millis,
            ..RecordSlot::new(0)
        };
        let slots: Vec<_> = (0..).zip(times).map(slot).collect();
        late.start_within(&slots, 0..100)
    }

    #[test]
    fn the_first_later_record_starts_the_clock_wherever_it_comes() {
        let mut late = LateTail::new(100, 50);
        assert_eq!(start(&mut late, &[10, 99, i64::MIN]), None);
        assert_eq!(start(&mut late, &[130, 20, 179, 90]), None);
        assert_eq!(start(&mut late, &[90, 180, 20]), Some(1));
    }

    #[test]
    fn without_lateness_the_first_later_record_ends_it() {
        assert_eq!(start(&mut LateTail::new(100, 0), &[5, 100]), Some(1));
    }

    #[test]
    fn a_clock_far_ahead_never_ends_a_partition_too_early() {
        let mut late = LateTail::new(100, 50);
        assert_eq!(start(&mut late, &[i64::MAX - 10, 200, 300]), None);
    }

    #[test]
    fn records_that_came_before_do_not_count() {
        let slot = RecordSlot {
            offset: 3,
            timestamp_millis: 900,
            ..RecordSlot::new(0)
        };
        assert_eq!(LateTail::new(100, 0).start_within(&[slot], 4..9), None);
    }
}
