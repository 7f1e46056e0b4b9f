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
