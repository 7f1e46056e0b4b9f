//! The seam between what is decided about a scan and the client that talks to the brokers.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::finding::OffsetGap;
use crate::record::{RecordBlock, TopicPartition};
use crate::source::kafka::KafkaError;
use crate::source::kafka::KeptBatches;

/// What `ListOffsets` is asked for the first offset of a log by.
pub(super) const EARLIEST: i64 = -2;

/// What `ListOffsets` is asked for the end of a log under the isolation level by.
pub(super) const LATEST: i64 = -1;

/// One partition as the cluster's metadata shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionListing {
    /// Number of the partition.
    pub partition: i32,
    /// Broker that leads it, if any does.
    pub leader: Option<i32>,
    /// What the cluster reports about it, if anything.
    pub error: Option<String>,
}

/// One topic as the cluster's metadata shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicListing {
    /// Name of the topic.
    pub topic: String,
    /// Why the topic cannot be read, if so.
    pub error: Option<TopicError>,
    /// Partitions, ascending.
    pub partitions: Vec<PartitionListing>,
}

/// Why a topic cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// There is no such topic.
    Unknown,
    /// The cluster refuses or fails; its text.
    Refused(String),
}

/// What is missing where the cluster tells nothing of a topic.
pub const NO_ACCESS: &str = "not authorized; the user needs the ACL operations Describe and Read \
                             on it";

/// Where a partition's log starts and ends at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBounds {
    /// First offset of the log.
    pub log_start_offset: i64,
    /// First offset after what all replicas in sync hold.
    pub high_watermark: i64,
    /// First offset that an open transaction may still undo; else the high watermark.
    pub last_stable_offset: i64,
    /// Id of the topic, where the cluster and the client know topic ids.
    pub topic_id: Option<[u8; 16]>,
}

/// What kind of trouble a client has with one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The offset asked for is not in the log; the client has stopped reading the partition.
    OutOfRange,
    /// The log was cut off below what was read; the client has stopped reading the partition.
    Truncated,
    /// The topic has another id now; the client has stopped reading the partition.
    Recreated,
    /// A record batch fails its checks, and the client cannot tell where it ends. The offset of
    /// the fault is the batch's first, the same from wherever in the batch reading starts.
    CorruptBatch,
    /// A record batch fails its checks and the client steps over it: a gap tells its offsets,
    /// the text what is wrong with it.
    SteppedOver,
    /// The partition cannot be read at all: a setting or a version is in the way.
    Refused,
    /// The user may not read the topic; the client has stopped reading the partition.
    Forbidden,
    /// Worth naming if nothing else comes; the client goes on by itself.
    Transient,
}

/// What a client has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Nothing came within the wait.
    Nothing,
    /// Records of one partition were put into the block.
    Records {
        /// Index of the partition.
        partition: usize,
        /// Offset that the client reads next, where it knows better than last record plus one.
        next_offset: Option<i64>,
        /// Offsets without data records whose reason the client knows, ascending, whether
        /// between the records, before or after them. A batch that is corrupt and whose extent
        /// is known is such a gap too. The block may hold no record.
        absent: Vec<OffsetGap>,
    },
    /// The log ends here for now, under the isolation level.
    End {
        /// Index of the partition.
        partition: usize,
        /// The end's own offset.
        offset: i64,
    },
    /// Trouble with one partition.
    Fault {
        /// Index of the partition.
        partition: usize,
        /// Offset that the trouble is about; −1 where it has none.
        offset: i64,
        /// What kind.
        kind: FaultKind,
        /// The client's or the broker's own words.
        text: String,
    },
    /// A broker keeps to a quota: it will answer nothing about these partitions for a while.
    Throttled {
        /// Indexes of the partitions.
        partitions: Vec<usize>,
        /// For how long.
        wait: Duration,
        /// In words.
        text: String,
    },
    /// Trouble with a broker or the cluster; the client goes on by itself.
    ClusterFault(String),
}

/// A client that lists topics and reads partitions, without group, commit or topic creation.
///
/// No call may wait much longer than it is told to, whatever brokers do. Partitions are named
/// by their index in the list given to [`ClusterClient::assign`].
pub trait ClusterClient: Send {
    /// Lists the topics named, unknown ones with their error, or all topics.
    fn list_topics(
        &mut self,
        names: Option<&[String]>,
        wait: Duration,
    ) -> Result<Vec<TopicListing>, KafkaError>;

    /// Sets the partitions that the other calls are about; reads none of them yet.
    fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError>;

    /// Returns the bounds of each partition of `partitions`, in their order, or why not.
    fn log_bounds(
        &mut self,
        partitions: &[usize],
        wait: Duration,
    ) -> Result<Vec<Result<LogBounds, String>>, KafkaError>;

    /// Returns for each partition of `partitions` the first offset whose record has a timestamp
    /// at or after `millis`, or nothing where no record has.
    fn offsets_for_timestamp(
        &mut self,
        partitions: &[usize],
        millis: i64,
        wait: Duration,
    ) -> Result<Vec<Result<Option<i64>, String>>, KafkaError>;

    /// Returns the bytes that each partition's log takes on its leader, where the client can ask
    /// and the cluster tells.
    fn log_bytes(
        &mut self,
        partitions: &[usize],
        _wait: Duration,
    ) -> Result<Vec<Option<u64>>, KafkaError> {
        Ok(vec![None; partitions.len()])
    }

    /// Reads a partition from `offset` on, also one that is being read elsewhere: what was
    /// fetched before and not yet polled never comes. `end` is where the caller will stop, a
    /// hint to fetch no further.
    fn read_from(&mut self, partition: usize, offset: i64, end: i64) -> Result<(), KafkaError>;

    /// Reads the partition no more until [`ClusterClient::read_from`]; nothing of it comes.
    fn pause(&mut self, partition: usize) -> Result<(), KafkaError>;

    /// Waits for the next event. Records go into `block`, which comes empty: many of one
    /// partition at once, slots with position, offset, timestamp, key, value, headers, batch
    /// stamp if known, and topic partition. The caller sets the block's split.
    fn poll(&mut self, wait: Duration, block: &mut RecordBlock) -> Result<ClientEvent, KafkaError>;

    /// Returns the record batches that were kept while they were read, where the client does so;
    /// from now on it keeps no more.
    fn end_keeping(&mut self) -> Option<Arc<KeptBatches>> {
        None
    }

    /// Returns whether a producer's transactional record is known to be aborted, by a marker that
    /// was read; false where the client cannot tell.
    fn is_aborted(&self, _partition: usize, _producer_id: i64, _offset: i64) -> bool {
        false
    }

    /// Returns which of `offsets`, ascending and read before, hold records of aborted
    /// transactions, where records do not tell it and only reading again does; nothing where
    /// [`ClusterClient::is_aborted`] tells. Offsets that cannot be told are not among them.
    fn aborted_among(
        &mut self,
        _partition: usize,
        _offsets: &[i64],
        _patience: Duration,
    ) -> Result<Vec<i64>, KafkaError> {
        Ok(Vec::new())
    }
}
