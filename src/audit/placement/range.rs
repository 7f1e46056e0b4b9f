//! Where a record lies against the range asked for.

use crate::record::RecordView;
use crate::source::Bound;
use crate::source::RecordRange;

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum RangePlace {
    /// In the range.
    Inside,
    /// Before it, and kept as a possible original.
    LookBack,
    /// Outside.
    Outside,
}

/// Returns where a record lies; one that lacks what the range is in lies outside.
pub(in crate::audit) fn place(range: &RecordRange, view: RecordView<'_>) -> RangePlace {
    let from =
        range
            .from
            .as_ref()
            .map_or(RangePlace::Inside, |bound| match distance(bound, view, 0) {
                Some(distance) if distance >= 0 => RangePlace::Inside,
                Some(distance) if is_time(bound) && distance >= -range.look_back_millis => {
                    RangePlace::LookBack
                }
                Some(_) | None => RangePlace::Outside,
            });
    let is_before_end = range
        .to
        .as_ref()
        .is_none_or(|bound| distance(bound, view, -1).is_some_and(|distance| distance < 0));
    if is_before_end {
        from
    } else {
        RangePlace::Outside
    }
}

/// Returns whether a record has what the range is in.
pub(in crate::audit) fn can_place(range: &RecordRange, view: RecordView<'_>) -> bool {
    let mut bounds = range.from.iter().chain(&range.to);
    bounds.all(|bound| distance(bound, view, 0).is_some())
}

/// Returns whether a record that was not left out lies before the range, as a possible original.
pub(in crate::audit) fn is_before(range: &RecordRange, timestamp_millis: Option<i64>) -> bool {
    match (&range.from, timestamp_millis) {
        (Some(Bound::Timestamp(from)), Some(millis)) => millis < *from,
        // Only time is looked back.
        _ => false,
    }
}

/// Returns whether timestamps decide.
pub(in crate::audit) fn needs_timestamps(range: &RecordRange) -> bool {
    range.from.as_ref().is_some_and(is_time) || range.to.as_ref().is_some_and(is_time)
}

/// Returns whether offsets decide.
pub(in crate::audit) fn needs_offsets(range: &RecordRange) -> bool {
    let mut bounds = range.from.iter().chain(&range.to);
    bounds.any(|bound| !is_time(bound))
}

fn is_time(bound: &Bound) -> bool {
    matches!(bound, Bound::Timestamp(_))
}

/// How far behind the bound the record lies, in the bound's unit; `unbounded` where its partition
/// has no bound, nothing where the record does not say.
fn distance(bound: &Bound, view: RecordView<'_>, unbounded: i64) -> Option<i64> {
    match bound {
        Bound::Timestamp(millis) => Some(view.timestamp()?.millis.saturating_sub(*millis)),
        Bound::Offset(offset) => Some(view.offset()?.saturating_sub(*offset)),
        Bound::PartitionOffsets(offsets) => match offsets.get(&view.topic_partition()?.partition) {
            Some(offset) => Some(view.offset()?.saturating_sub(*offset)),
            None => Some(unbounded),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;

    fn place_of(range: &RecordRange, timestamp: i64, offset: i64) -> RangePlace {
        let mut block = RecordBlock::default();
        let topic_partition = block.intern_topic_partition("t", 1);
        block.slots.push(RecordSlot {
            timestamp_millis: timestamp,
            offset,
            topic_partition,
            ..RecordSlot::new(0)
        });
        place(range, block.view(0).unwrap())
    }

    #[test]
    fn ranges_are_half_open() {
        let range = RecordRange {
            from: Some(Bound::Timestamp(100)),
            to: Some(Bound::Timestamp(200)),
            look_back_millis: 10,
            late_millis: None,
        };
        let places = [89, 90, 99, 100, 199, 200, i64::MIN].map(|time| place_of(&range, time, 0));
        let (outside, before) = (RangePlace::Outside, RangePlace::LookBack);
        let inside = RangePlace::Inside;
        assert_eq!(
            places,
            [outside, before, before, inside, inside, outside, outside]
        );
    }

    #[test]
    fn what_a_range_is_in_has_to_be_there() {
        let range = |bound| RecordRange {
            from: Some(bound),
            to: None,
            look_back_millis: 0,
            late_millis: None,
        };
        let mut block = RecordBlock::default();
        block.slots.push(RecordSlot::new(0));
        let bare = block.view(0).unwrap();
        for bound in [
            Bound::Timestamp(0),
            Bound::Offset(0),
            Bound::PartitionOffsets(BTreeMap::from([(0, 0)])),
        ] {
            assert_eq!(place(&range(bound.clone()), bare), RangePlace::Outside);
            assert!(!can_place(&range(bound), bare));
        }
        assert!(can_place(&RecordRange::default(), bare));
    }

    #[test]
    fn partitions_that_are_not_named_are_not_bounded() {
        let bounds = |partition| Some(Bound::PartitionOffsets(BTreeMap::from([(partition, 5)])));
        let range = |partition| RecordRange {
            from: bounds(partition),
            to: bounds(partition),
            look_back_millis: 0,
            late_millis: None,
        };
        assert_eq!(place_of(&range(0), 0, 3), RangePlace::Inside);
        assert_eq!(place_of(&range(1), 0, 5), RangePlace::Outside);
        let from = RecordRange {
            from: bounds(1),
            to: None,
            look_back_millis: 0,
            late_millis: None,
        };
        assert_eq!(place_of(&from, 0, 5), RangePlace::Inside);
        assert_eq!(place_of(&from, 0, 4), RangePlace::Outside);
    }
}
