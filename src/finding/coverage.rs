//! What was asked for against what was read, per partition and per file.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::TopicPartition;

/// Why offsets of the range asked for were not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GapReason {
    /// Below the log start: removed by retention, or by deletion before the scan.
    Retention,
    /// Removed while the scan ran.
    Deleted,
    /// Transaction markers.
    Control,
    /// Records of aborted transactions, under `read_committed`.
    Aborted,
    /// Compacted away.
    Compacted,
    /// Transaction markers or compacted away; the reader cannot tell.
    ControlOrCompacted,
    /// In a record batch that fails its checks.
    Corrupt,
    /// After the end of the allowed lateness, so not read.
    LateTail,
    /// Above the last stable offset.
    OpenTransaction,
    /// The broker stopped answering for the partition.
    Stalled,
    /// The scan was stopped.
    Interrupted,
    /// Cut off the log by a leader election.
    Truncated,
    /// The topic was deleted and made again.
    Recreated,
    /// Numbers of a database's sequence that no record has.
    SequenceHole,
}

impl GapReason {
    /// All reasons.
    pub const ALL: [Self; 14] = [
        Self::Retention,
        Self::Deleted,
        Self::Control,
        Self::Aborted,
        Self::Compacted,
        Self::ControlOrCompacted,
        Self::Corrupt,
        Self::LateTail,
        Self::OpenTransaction,
        Self::Stalled,
        Self::Interrupted,
        Self::Truncated,
        Self::Recreated,
        Self::SequenceHole,
    ];

    /// Returns the stable code of the reason.
    pub fn code(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Deleted => "deleted",
            Self::Control => "control",
            Self::Aborted => "aborted",
            Self::Compacted => "compacted",
            Self::ControlOrCompacted => "control-or-compacted",
            Self::Corrupt => "corrupt",
            Self::LateTail => "late-tail",
            Self::OpenTransaction => "open-transaction",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
            Self::Truncated => "truncated",
            Self::Recreated => "recreated",
            Self::SequenceHole => "sequence-hole",
        }
    }

    /// Returns whether coverage with such a gap is still complete: nothing was there to read.
    pub fn is_complete(self) -> bool {
        matches!(
            self,
            Self::Control
                | Self::Aborted
                | Self::Compacted
                | Self::ControlOrCompacted
                | Self::SequenceHole
        )
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

/// Offsets `[start, end)` that were not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OffsetGap {
    /// First offset of the gap.
    pub start: i64,
    /// First offset after the gap.
    pub end: i64,
    /// Why.
    pub reason: GapReason,
}

/// What was read of one topic partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCoverage {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// First offset of the log when the scan began.
    pub log_start_offset: i64,
    /// High watermark when the scan began.
    pub high_watermark: i64,
    /// Last stable offset when the scan began.
    pub last_stable_offset: i64,
    /// First offset asked for.
    pub start_offset: i64,
    /// First offset no longer asked for, frozen when the scan began.
    pub end_offset: i64,
    /// The offset that would be read next.
    pub next_offset: i64,
    /// Data records delivered.
    pub records_read: u64,
    /// Whether every record delivered has a timestamp that the broker set as it appended it.
    pub is_log_append_time: bool,
    /// Offsets not delivered, ascending.
    pub gaps: Vec<OffsetGap>,
    /// What else the reader has to state about the partition, for people.
    pub notes: Vec<String>,
}

impl PartitionCoverage {
    /// Returns whether every record of the range asked for was read.
    pub fn is_complete(&self) -> bool {
        let has_tail = self
            .gaps
            .iter()
            .any(|gap| gap.reason == GapReason::LateTail);
        self.gaps.iter().all(|gap| self.is_gap_complete(gap))
            && (has_tail || self.next_offset >= self.end_offset)
    }

    /// Returns whether nothing of the range asked for lies in one of the gaps: nothing was there
    /// to read, or what comes late cannot belong to the range.
    pub fn is_gap_complete(&self, gap: &OffsetGap) -> bool {
        gap.reason.is_complete() || (gap.reason == GapReason::LateTail && self.is_log_append_time)
    }

    /// Returns the gaps in which something of the range asked for lies.
    pub fn unread_gaps(&self) -> impl Iterator<Item = &OffsetGap> {
        self.gaps.iter().filter(|gap| !self.is_gap_complete(gap))
    }

    /// Returns the offsets behind the end of what was read, up to the high watermark.
    pub fn lag(&self) -> u64 {
        let behind = self.high_watermark.saturating_sub(self.next_offset);
        u64::try_from(behind).unwrap_or_default()
    }
}

/// What was read of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCoverage {
    /// Path as typed or walked; `-` is standard input.
    pub path: String,
    /// Format, and compression where there is one, such as `jsonl+gzip`.
    pub format: String,
    /// Why that format was chosen, for people.
    pub format_reason: String,
    /// Bytes read, as stored.
    pub bytes: u64,
    /// Records delivered.
    pub records_read: u64,
    /// What kept the file from being read whole: truncation, damage, interruption.
    pub damage: Option<String>,
    /// What its format loses of the records, for people.
    pub notes: Vec<String>,
}

impl FileCoverage {
    /// Returns whether the file was read whole.
    pub fn is_complete(&self) -> bool {
        self.damage.is_none()
    }
}

/// Two records with the same coordinates and different bytes, in two sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoverageConflict {
    /// The partition that both name.
    pub topic_partition: TopicPartition,
    /// The offset that both name.
    pub offset: i64,
    /// Where the record that was audited was read.
    pub audited: String,
    /// Where the other was read.
    pub other: String,
}

/// Why a record that was read was not audited; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// Outside the range of timestamps or offsets asked for.
    OutsideRange,
    /// The same coordinates were read before.
    SameRecord,
    /// A null value, and a part of the dedup key lies in the value.
    Tombstone,
    /// What is needed of the record cannot be decoded.
    Undecodable,
    /// Left out by `--where`.
    Filtered,
    /// A part of the dedup key is null or missing.
    MissingKey,
}

/// Records skipped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRecords {
    /// See [`SkipReason::MissingKey`].
    pub missing_key: u64,
    /// See [`SkipReason::Undecodable`].
    pub undecodable: u64,
    /// See [`SkipReason::Tombstone`].
    pub tombstone: u64,
    /// See [`SkipReason::Filtered`].
    pub filtered: u64,
    /// See [`SkipReason::OutsideRange`].
    pub outside_range: u64,
    /// See [`SkipReason::SameRecord`].
    pub same_record: u64,
}

impl SkippedRecords {
    /// Counts one skipped record.
    pub fn count(&mut self, reason: SkipReason) {
        let counter = match reason {
            SkipReason::OutsideRange => &mut self.outside_range,
            SkipReason::SameRecord => &mut self.same_record,
            SkipReason::Tombstone => &mut self.tombstone,
            SkipReason::Undecodable => &mut self.undecodable,
            SkipReason::Filtered => &mut self.filtered,
            SkipReason::MissingKey => &mut self.missing_key,
        };
        *counter += 1;
    }

    /// Adds the counts of another worker.
    pub fn add(&mut self, other: &Self) {
        self.missing_key += other.missing_key;
        self.undecodable += other.undecodable;
        self.tombstone += other.tombstone;
        self.filtered += other.filtered;
        self.outside_range += other.outside_range;
        self.same_record += other.same_record;
    }

    /// Returns the number of records skipped for any reason.
    pub fn total(&self) -> u64 {
        self.missing_key
            + self.undecodable
            + self.tombstone
            + self.filtered
            + self.outside_range
            + self.same_record
    }

    /// Returns the counters with their codes, in the order of the report.
    pub fn by_code(&self) -> [(&'static str, u64); 6] {
        [
            ("missing-key", self.missing_key),
            ("undecodable", self.undecodable),
            ("tombstone", self.tombstone),
            ("filtered", self.filtered),
            ("outside-range", self.outside_range),
            ("same-record", self.same_record),
        ]
    }
}

/// What was read of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Same coordinates, other bytes; sorted.
    pub conflicts: Vec<CoverageConflict>,
    /// Partitions, sorted by topic and number.
    pub partitions: Vec<PartitionCoverage>,
    /// Files, sorted by path.
    pub files: Vec<FileCoverage>,
}

impl Coverage {
    /// Returns whether everything asked for was read, and no two sources disagree.
    pub fn is_complete(&self) -> bool {
        self.conflicts.is_empty()
            && self.partitions.iter().all(PartitionCoverage::is_complete)
            && self.files.iter().all(FileCoverage::is_complete)
    }

    /// Returns whether records of a database were read: what has no partitions.
    pub fn has_database(&self) -> bool {
        let mut partitions = self.partitions.iter();
        partitions.any(|read| read.topic_partition.number().is_none())
    }

    /// Returns whether records of a message store were read, from where they lie or as exported.
    pub fn has_store(&self) -> bool {
        let is_export = |read: &FileCoverage| read.format.starts_with("message-db");
        self.has_database() || self.files.iter().any(is_export)
    }
}
