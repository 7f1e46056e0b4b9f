//! The account of one partition's offsets: delivered + absent + unread = end − start.

use crate::finding::{GapReason, OffsetGap};
use crate::record::RecordSlot;

/// Most gaps of a complete reason that are listed; a compacted topic can have one per record.
const LISTED_GAP_LIMIT: usize = 1_000_000;

/// The account of the offsets `[start, end)` of one partition.
#[derive(Clone, Debug)]
pub struct Ledger {
    start: i64,
    end: i64,
    /// First offset not accounted for.
    next: i64,
    delivered: u64,
    redelivered: u64,
    beyond_end: u64,
    gaps: Vec<OffsetGap>,
    /// Offsets of all gaps, listed or not.
    gap_offsets: i64,
    unlisted_gaps: u64,
    unlisted_offsets: i64,
}

impl Ledger {
    /// Opens the account of `[start, end)`; an empty range is settled at once.
    pub fn new(start: i64, end: i64) -> Self {
        Self {
            start,
            end: end.max(start),
            next: start,
            delivered: 0,
            redelivered: 0,
            beyond_end: 0,
            gaps: Vec::new(),
            gap_offsets: 0,
            unlisted_gaps: 0,
            unlisted_offsets: 0,
        }
    }

    /// Returns the first offset of the range.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// Returns the first offset after the range.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Returns the first offset not accounted for.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Returns the records delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Returns the records that the client delivered again, which were dropped.
    pub fn redelivered(&self) -> u64 {
        self.redelivered
    }

    /// Returns the gaps, ascending, neighbours of one reason joined.
    pub fn gaps(&self) -> &[OffsetGap] {
        &self.gaps
    }

    /// Returns the gaps that are counted but not listed, and the offsets in them.
    pub fn unlisted(&self) -> (u64, i64) {
        (self.unlisted_gaps, self.unlisted_offsets)
    }

    /// Returns whether every offset is accounted for.
    pub fn is_settled(&self) -> bool {
        self.next >= self.end
    }

    /// Enters records, and drops from `slots` those seen before and those after the end. Holes
    /// get the reason that `absent` gives, up to `next_offset` where the client names one.
    pub fn admit(
        &mut self,
        slots: &mut Vec<RecordSlot>,
        absent: &[OffsetGap],
        next_offset: Option<i64>,
    ) {
        let mut known = absent.iter().copied().peekable();
        let mut is_past_end = false;
        slots.retain(|slot| {
            if slot.offset < self.next {
                self.redelivered += 1;
                return false;
            }
            if slot.offset >= self.end {
                self.beyond_end += 1;
                is_past_end = true;
                return false;
            }
            if slot.offset > self.next {
                self.fill_hole(slot.offset, &mut known);
            }
            self.next = slot.offset + 1;
            self.delivered += 1;
            true
        });
        let known_end = absent.last().map(|gap| gap.end);
        let target = if is_past_end {
            Some(self.end)
        } else {
            next_offset.max(known_end)
        };
        if let Some(target) = target {
            self.fill_hole(target, &mut known);
        }
    }

    /// Accounts for the offsets up to `to` with one reason.
    pub fn skip_to(&mut self, to: i64, reason: GapReason) {
        let to = to.min(self.end);
        if to <= self.next {
            return;
        }
        let length = to - self.next;
        self.gap_offsets += length;
        let is_full = reason.is_complete() && self.gaps.len() >= LISTED_GAP_LIMIT;
        match self.gaps.last_mut() {
            Some(last) if last.end == self.next && last.reason == reason => last.end = to,
            Some(_) if is_full => {
                self.unlisted_gaps += 1;
                self.unlisted_offsets += length;
            }
            Some(_) | None => self.gaps.push(OffsetGap {
                start: self.next,
                end: to,
                reason,
            }),
        }
        self.next = to;
    }

    /// Says what does not add up, if anything.
    pub fn check(&self) -> Result<(), String> {
        let accounted = i64::try_from(self.delivered)
            .ok()
            .and_then(|delivered| delivered.checked_add(self.gap_offsets));
        if accounted == Some(self.next - self.start) && self.next <= self.end {
            return Ok(());
        }
        Err(format!(
            "the ledger of [{}, {}) does not add up at {}: {} delivered, {} not",
            self.start, self.end, self.next, self.delivered, self.gap_offsets
        ))
    }

    fn fill_hole(
        &mut self,
        to: i64,
        known: &mut std::iter::Peekable<impl Iterator<Item = OffsetGap>>,
    ) {
        while let Some(gap) = known.peek().copied().filter(|gap| gap.start < to) {
            self.skip_to(gap.start, GapReason::ControlOrCompacted);
            self.skip_to(gap.end.min(to), gap.reason);
            if gap.end > to {
                break;
            }
            known.next();
        }
        self.skip_to(to, GapReason::ControlOrCompacted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(offsets: &[i64]) -> Vec<RecordSlot> {
        offsets
            .iter()
            .map(|&offset| RecordSlot {
                offset,
                ..RecordSlot::new(0)
            })
            .collect()
    }

    fn gap(start: i64, end: i64, reason: GapReason) -> OffsetGap {
        OffsetGap { start, end, reason }
    }

    #[test]
    fn holes_repeats_and_offsets_after_the_end_are_told_apart() {
        let mut ledger = Ledger::new(10, 20);
        let mut first = slots(&[10, 11, 14, 13, 14]);
        ledger.admit(&mut first, &[], None);
        assert_eq!(first.iter().map(|slot| slot.offset).max(), Some(14));
        assert_eq!((ledger.delivered(), ledger.redelivered()), (3, 2));
        let mut second = slots(&[18, 20, 25]);
        ledger.admit(&mut second, &[], None);
        assert_eq!(second.len(), 1);
        assert!(ledger.is_settled());
        let hole = GapReason::ControlOrCompacted;
        assert_eq!(
            ledger.gaps(),
            [gap(12, 14, hole), gap(15, 18, hole), gap(19, 20, hole)]
        );
        ledger.check().unwrap();
    }

    #[test]
    fn reasons_that_the_client_knows_win_over_the_guess() {
        let mut ledger = Ledger::new(0, 12);
        let absent = [
            gap(2, 4, GapReason::Aborted),
            gap(4, 5, GapReason::Control),
            gap(9, 12, GapReason::Corrupt),
        ];
        ledger.admit(&mut slots(&[0, 1, 7]), &absent, None);
        assert_eq!(
            ledger.gaps(),
            [
                gap(2, 4, GapReason::Aborted),
                gap(4, 5, GapReason::Control),
                gap(5, 7, GapReason::ControlOrCompacted),
                gap(8, 9, GapReason::ControlOrCompacted),
                gap(9, 12, GapReason::Corrupt),
            ]
        );
        ledger.check().unwrap();
    }

    #[test]
    fn an_empty_or_backward_range_is_settled() {
        assert!(Ledger::new(5, 5).is_settled());
        assert!(Ledger::new(5, 3).is_settled());
    }
}
