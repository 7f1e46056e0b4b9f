//! Where records come from: files and topic partitions behind one trait.

pub mod earlier;
pub mod file;
pub mod kafka;
pub mod message_db;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod range;
pub mod record_batch;

pub use earlier::GonePartition;
pub use range::{Bound, RecordRange};

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::finding::{FileCoverage, PartitionCoverage};
use crate::record::{RecordBlock, SplitId, TopicPartition};

/// A request to end the scan early, shared by all that read.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Returns a flag over an existing switch, such as one that a signal sets.
    pub fn from_switch(switch: Arc<AtomicBool>) -> Self {
        Self(switch)
    }

    /// Asks everyone to stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether the scan should end.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why an audit failed while it read; what merely ends a split early is coverage instead.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The cluster cannot be reached or refuses.
    #[error("{0}")]
    Cluster(String),
    /// Counts that must add up do not: a fault of this program.
    #[error("internal error: {0}")]
    Internal(String),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// How far a source has come, in bytes of files or offsets of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceProgress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 where unknown, as for standard input.
    pub total: u64,
}

/// What the positions of a file's records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PositionUnit {
    /// Bytes of the unpacked file.
    ByteOffset,
    /// Offsets of a topic partition.
    Offset,
    /// Records of the file, from 0.
    Number,
}

/// What a source has read, once it is at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SplitCoverage {
    /// A file.
    File(FileCoverage),
    /// A topic partition.
    Partition(PartitionCoverage),
}

/// Records of one or more splits.
///
/// The first pass calls [`RecordSource::next_block`] from several threads at once until it
/// returns false; the second pass asks for single records by their place.
pub trait RecordSource: Send + Sync {
    /// Name for messages and the progress line: a path, or a topic.
    fn name(&self) -> String;

    /// Splits of this source, a fixed run of ids given when it was opened.
    fn splits(&self) -> Vec<SplitId>;

    /// Returns the topic partition that a split is; nothing for files.
    fn topic_partition(&self, split: SplitId) -> Option<TopicPartition>;

    /// Returns whether a record's coordinates may come again within this source or in another:
    /// true of exports, false of a topic's partitions, which are read once.
    fn can_repeat_coordinates(&self) -> bool {
        false
    }

    /// Returns the members of values that a message store makes of its own for every record, and
    /// that copies therefore never have alike; nothing of a split that is of no store.
    fn store_members(&self, _split: SplitId) -> Option<&[String]> {
        None
    }

    /// Returns what the positions of records count.
    fn position_unit(&self) -> PositionUnit {
        PositionUnit::ByteOffset
    }

    /// Fills `block` with the next records of one split, in order within the split. Returns
    /// false at the end of all splits, when the scan was stopped, or when nothing more can be
    /// read; coverage then says which. A block may be empty.
    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError>;

    /// Returns whether a transactional record was aborted, once the first pass is over; false
    /// where the source cannot tell.
    fn is_aborted(&self, _split: SplitId, _producer_id: i64, _offset: i64) -> bool {
        false
    }

    /// How far the first pass has come.
    fn progress(&self) -> SourceProgress;

    /// What was read of each split; complete once `next_block` has returned false.
    fn coverage(&self) -> Vec<SplitCoverage>;

    /// Returns positions of a split whose records turned out, once all was read, to belong to
    /// something else: whatever they are, they are in no group.
    fn void_positions(&self, _split: SplitId) -> Option<Range<u64>> {
        None
    }

    /// Has the first pass begin where an earlier run ended, at a byte offset and its line; returns
    /// whether the source can do so.
    fn go_on_at(&mut self, _byte_offset: u64, _line: u64) -> bool {
        false
    }

    /// Returns the byte offset and the line at which a later run can go on, once the first pass is
    /// over; nothing where it cannot.
    fn next_place(&self) -> Option<(u64, u64)> {
        None
    }

    /// Returns whether several readers may read the same split again side by side, each as fast as
    /// one alone would: true of what is read by its place.
    fn can_revisit_at_once(&self) -> bool {
        false
    }

    /// Opens a split again for the second pass.
    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError>;
}

/// Reads single records of one split again.
pub trait RecordRevisitor: Send {
    /// Reads some of `positions`, which ascend over all calls, and puts those that are still
    /// there into `block`, in order. Returns how many positions are dealt with, at least one;
    /// the caller comes again with the rest.
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError>;

    /// Returns which of `positions`, ascending and fetched before, hold records of aborted
    /// transactions, where the records do not tell it and only reading again does.
    fn aborted_among(&mut self, _positions: &[u64]) -> Result<Vec<u64>, ReadError> {
        Ok(Vec::new())
    }
}
