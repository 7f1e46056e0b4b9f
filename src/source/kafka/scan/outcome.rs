//! What became of a partition by the end of the scan, as coverage.

use std::collections::BTreeMap;

use crate::finding::{GapReason, OffsetGap, PartitionCoverage};
use crate::record::counted;
use crate::source::kafka::LogBounds;
use crate::source::kafka::TopicListing;
use crate::source::kafka::freeze::PartitionPlan;
use crate::source::kafka::{Ledger, PartitionScan};

/// What was seen of a partition beside its records.
#[derive(Clone, Debug, Default)]
pub(super) struct FinalState {
    pub(super) notes: Vec<String>,
    /// Offsets that were read, or not, and are void.
    pub(super) void: Option<OffsetGap>,
    /// Where the log was cut off under the scan, as far as the client was told.
    pub(super) cut_at: Option<i64>,
    /// Whether a record came that has no timestamp of the broker's.
    pub(super) has_other_timestamps: bool,
}

impl FinalState {
    /// Compares the log after the scan with the log that was frozen.
    pub(super) fn compare(&mut self, plan: &PartitionPlan, scan: &PartitionScan, now: LogBounds) {
        let frozen = plan.bounds;
        let is_other_topic =
            matches!((frozen.topic_id, now.topic_id), (Some(a), Some(b)) if a != b);
        let next = scan.next_offset();
        if is_other_topic {
            self.void = void(plan.read_start, plan.read_end, GapReason::Recreated);
            self.note_void("the topic was deleted and made again", scan.ledger());
        } else if now.high_watermark < next {
            let log_end = now.high_watermark;
            self.void = void(log_end.max(plan.read_start), next, GapReason::Truncated);
            self.note_void(&format!("the log ends at {log_end} now"), scan.ledger());
        } else if let Some(cut_at) = self.cut_at {
            // The log has grown again since, by other records.
            self.void = void(cut_at.max(plan.read_start), next, GapReason::Truncated);
            self.note_void(&format!("the log was cut off at {cut_at}"), scan.ledger());
        } else if now.high_watermark > frozen.high_watermark {
            let came = counted(now.high_watermark - frozen.high_watermark, "offset");
            self.notes
                .push(format!("{came} came after the scan began, not audited"));
        }
    }

    fn note_void(&mut self, what: &str, ledger: &Ledger) {
        let Some(void) = self.void else {
            return;
        };
        let OffsetGap { start, end, .. } = void;
        let records = match delivered_within(ledger, void) {
            Some(count) => counted(count, "record"),
            None => "records".to_owned(),
        };
        self.notes.push(format!(
            "[{start}, {end}): {what}; {records} read from there do not count as read"
        ));
    }
}

fn void(start: i64, end: i64, reason: GapReason) -> Option<OffsetGap> {
    (start < end).then_some(OffsetGap { start, end, reason })
}

/// Returns the records delivered within `void`, unless too many gaps are not listed.
fn delivered_within(ledger: &Ledger, void: OffsetGap) -> Option<i64> {
    let within = |gap: &OffsetGap| (gap.end.min(void.end) - gap.start.max(void.start)).max(0);
    let absent: i64 = ledger.gaps().iter().map(within).sum();
    (ledger.unlisted() == (0, 0)).then_some(void.end - void.start - absent)
}

/// Puts `void` over the gaps: of what it covers nothing else is said.
fn overlay(gaps: &mut Vec<OffsetGap>, void: OffsetGap) {
    let mut parts = Vec::with_capacity(gaps.len() + 2);
    for gap in gaps.drain(..) {
        let before = OffsetGap {
            end: gap.end.min(void.start),
            ..gap
        };
        let after = OffsetGap {
            start: gap.start.max(void.end),
            ..gap
        };
        parts.extend([before, after]);
    }
    parts.push(void);
    parts.retain(|gap| gap.start < gap.end);
    parts.sort();
    *gaps = parts;
}

/// Returns what was read of a partition.
pub(super) fn coverage_of(
    plan: &PartitionPlan,
    scan: &PartitionScan,
    state: &FinalState,
) -> PartitionCoverage {
    let ledger = scan.ledger();
    let mut gaps: Vec<_> = plan.gap_before().into_iter().collect();
    gaps.extend(ledger.gaps());
    gaps.extend(plan.gap_after());
    if let Some(void) = state.void {
        overlay(&mut gaps, void);
    }
    let next_offset = match plan.gap_after() {
        Some(gap) if scan.next_offset() >= ledger.end() => gap.start,
        Some(_) | None => scan.next_offset(),
    };
    PartitionCoverage {
        topic_partition: plan.topic_partition.clone(),
        log_start_offset: plan.bounds.log_start_offset,
        high_watermark: plan.bounds.high_watermark,
        last_stable_offset: plan.bounds.last_stable_offset,
        start_offset: plan.start_offset,
        end_offset: plan.end_offset,
        next_offset,
        records_read: ledger.delivered(),
        is_log_append_time: ledger.delivered() > 0 && !state.has_other_timestamps,
        gaps,
        notes: notes_of(plan, scan, state),
    }
}

fn notes_of(plan: &PartitionPlan, scan: &PartitionScan, state: &FinalState) -> Vec<String> {
    let ledger = scan.ledger();
    let mut notes = plan.notes.clone();
    notes.extend_from_slice(scan.notes());
    notes.extend_from_slice(&state.notes);
    if ledger.redelivered() > 0 {
        let again = counted(ledger.redelivered(), "record");
        notes.push(format!(
            "the client delivered {again} twice; each counts once"
        ));
    }
    let (unlisted, offsets) = ledger.unlisted();
    if unlisted > 0 {
        notes.push(format!(
            "not listed: {} of {} in all",
            counted(unlisted, "more gap"),
            counted(offsets, "offset")
        ));
    }
    notes
}

/// Returns for topics that have partitions now which they did not have at the freeze a word
/// about them, with the place of the topic's last plan, where it is said.
pub(super) fn partitions_added(
    plans: &[PartitionPlan],
    listings: &[TopicListing],
) -> Vec<(usize, String)> {
    let mut last: BTreeMap<&str, (usize, i32)> = BTreeMap::new();
    for (index, plan) in plans.iter().enumerate() {
        let of = &plan.topic_partition;
        last.insert(&of.topic, (index, of.partition));
    }
    let mut notes = Vec::new();
    for listing in listings {
        let Some(&(index, highest)) = last.get(listing.topic.as_str()) else {
            continue;
        };
        let numbers = listing.partitions.iter().map(|listed| listed.partition);
        let added: Vec<String> = numbers
            .filter(|&number| number > highest)
            .map(|number| number.to_string())
            .collect();
        if !added.is_empty() {
            let (topic, added) = (&listing.topic, added.join(", "));
            notes.push((
                index,
                format!("{topic} got partition {added} after the scan began: not audited"),
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TopicPartition;
    use crate::source::kafka::PartitionListing;

    fn gap(start: i64, end: i64, reason: GapReason) -> OffsetGap {
        OffsetGap { start, end, reason }
    }

    fn plan(partition: i32, end: i64) -> PartitionPlan {
        let topic_partition = TopicPartition {
            topic: "t".into(),
            partition,
        };
        PartitionPlan::whole(topic_partition, bounds(end, 1))
    }

    fn bounds(high_watermark: i64, id: u8) -> LogBounds {
        LogBounds {
            log_start_offset: 0,
            high_watermark,
            last_stable_offset: high_watermark,
            topic_id: Some([id; 16]),
        }
    }

    /// The coverage of a log of 20 offsets with a hole at [5, 8), read whole, that ends as `now`.
    fn coverage(now: LogBounds) -> PartitionCoverage {
        coverage_after(FinalState::default(), now)
    }

    fn coverage_after(mut state: FinalState, now: LogBounds) -> PartitionCoverage {
        let mut ledger = Ledger::new(0, 20);
        let mut slots: Vec<_> = (0..20)
            .filter(|offset| !(5..8).contains(offset))
            .map(|offset| crate::record::RecordSlot {
                offset,
                ..crate::record::RecordSlot::new(0)
            })
            .collect();
        ledger.admit(&mut slots, &[], None);
        let scan = PartitionScan::new(ledger, None, std::time::Duration::from_secs(1));
        state.compare(&plan(0, 20), &scan, now);
        coverage_of(&plan(0, 20), &scan, &state)
    }

    #[test]
    fn what_lies_above_a_log_that_was_cut_off_is_void_and_the_rest_is_not() {
        let coverage = coverage(bounds(6, 1));
        let hole = GapReason::ControlOrCompacted;
        let expected = [gap(5, 6, hole), gap(6, 20, GapReason::Truncated)];
        assert_eq!(coverage.gaps, expected);
        assert!(!coverage.is_complete());
        assert!(coverage.notes[0].contains("12 records"), "{coverage:?}");
        assert_eq!(coverage.records_read, 17);
    }

    #[test]
    fn what_lies_above_a_cut_is_void_although_the_log_has_grown_again() {
        let state = FinalState {
            cut_at: Some(12),
            ..FinalState::default()
        };
        let coverage = coverage_after(state, bounds(100, 1));
        let hole = GapReason::ControlOrCompacted;
        let expected = [gap(5, 8, hole), gap(12, 20, GapReason::Truncated)];
        assert_eq!(coverage.gaps, expected);
        assert!(coverage.notes[0].contains("8 records"), "{coverage:?}");
    }

    #[test]
    fn nothing_of_a_topic_made_again_counts() {
        let coverage = coverage(bounds(100, 2));
        assert_eq!(coverage.gaps, [gap(0, 20, GapReason::Recreated)]);
        assert!(coverage.notes[0].contains("17 records"), "{coverage:?}");
    }

    #[test]
    fn records_that_came_later_are_stated() {
        let coverage = coverage(bounds(25, 1));
        assert!(coverage.is_complete());
        assert!(coverage.notes[0].starts_with("5 offsets came after"));
    }

    #[test]
    fn partitions_that_came_later_are_stated_once_for_their_topic() {
        let listed = |partition| PartitionListing {
            partition,
            leader: None,
            error: None,
        };
        let listing = |topic: &str| TopicListing {
            topic: topic.to_owned(),
            error: None,
            partitions: (0..4).map(listed).collect(),
        };
        let plans = [plan(0, 5), plan(1, 5)];
        let notes = partitions_added(&plans, &[listing("t"), listing("other")]);
        let [(1, note)] = notes.as_slice() else {
            panic!("{notes:?}")
        };
        assert_eq!(
            note,
            "t got partition 2, 3 after the scan began: not audited"
        );
    }
}
