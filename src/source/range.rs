//! The range asked for: half-open, by the records' own timestamps or by offsets.

use std::collections::BTreeMap;

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A time in milliseconds since the epoch.
    Timestamp(i64),
    /// The same offset in every partition.
    Offset(i64),
    /// An offset for each partition named; the others are not bounded.
    PartitionOffsets(BTreeMap<i32, i64>),
}

/// What `--from`, `--to` and `--look-back` come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordRange {
    /// First timestamp or offset in the range.
    pub from: Option<Bound>,
    /// First timestamp or offset after the range.
    pub to: Option<Bound>,
    /// How far before a `from` time records are read as possible originals, in milliseconds.
    pub look_back_millis: i64,
    /// How long after the first record later than a `to` time a partition is still read, in
    /// milliseconds; to its end where absent.
    pub late_millis: Option<i64>,
}

impl RecordRange {
    /// Returns the offsets at which the range begins and ends, for people: half-open, such as
    /// `offsets [5, 9)`, or `offsets [0=5 1=7, end)` where partitions differ.
    pub fn offsets_text(&self) -> Option<String> {
        let (from, to) = (shown(self.from.as_ref()), shown(self.to.as_ref()));
        if from.is_none() && to.is_none() {
            return None;
        }
        let from = from.unwrap_or_else(|| "start".to_owned());
        let to = to.unwrap_or_else(|| "end".to_owned());
        Some(format!("offsets [{from}, {to})"))
    }
}

/// Returns an offset, or those of partitions; nothing for a time.
fn shown(bound: Option<&Bound>) -> Option<String> {
    match bound? {
        Bound::Timestamp(_) => None,
        Bound::Offset(offset) => Some(offset.to_string()),
        Bound::PartitionOffsets(offsets) => {
            let parts = offsets
                .iter()
                .map(|(partition, offset)| format!("{partition}={offset}"));
            Some(parts.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_shown_half_open() {
        let of_partitions = Bound::PartitionOffsets(BTreeMap::from([(0, 5), (1, 7)]));
        let time = Bound::Timestamp(1);
        for (from, to, expected) in [
            (None, None, None),
            (Some(time.clone()), None, None),
            (
                Some(Bound::Offset(5)),
                Some(Bound::Offset(9)),
                Some("offsets [5, 9)"),
            ),
            (Some(of_partitions), None, Some("offsets [0=5 1=7, end)")),
            (
                Some(time),
                Some(Bound::Offset(9)),
                Some("offsets [start, 9)"),
            ),
        ] {
            let range = RecordRange {
                from,
                to,
                ..RecordRange::default()
            };
            assert_eq!(range.offsets_text().as_deref(), expected);
        }
    }
}
