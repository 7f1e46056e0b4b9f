//! What to read from a cluster, as resolved from the command line.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::record::TopicPartition;
use crate::source::RecordRange;
use crate::source::kafka::Properties;
use crate::source::kafka::Reader;

/// Longest time until an unreachable or refusing cluster is an error.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(14);

/// Longest silence of all partitions until those not at their end are given up.
pub const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Least limit of what one record batch may unpack to: batches of some records of 20 MB.
const UNPACKED_BYTES_MIN: u64 = 64 << 20;

/// Memory of an audit that nothing is kept of for the second pass: small audits need all of it.
const UNKEPT_MEMORY_BYTES: u64 = 64 << 20;

/// Least and most that the client holds fetched and not yet delivered.
const QUEUE_BYTES: (u64, u64) = (2 << 20, 16 << 20);

/// Highest limit of what one record batch may unpack to: spans within a block have 32 bits.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Which records of transactions are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions, up to the last stable offset.
    #[default]
    ReadCommitted,
    /// All, those of open and aborted transactions too.
    ReadUncommitted,
}

impl Isolation {
    /// Returns Kafka's name for the level.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// Where an earlier run ended in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    /// The offset that it would have read next.
    pub offset: i64,
    /// The topic's id by then, where the cluster told it.
    pub topic_id: Option<[u8; 16]>,
    /// Which run that was, for people.
    pub run: String,
}

/// What to read from a cluster.
#[derive(Clone, Debug)]
pub struct KafkaSpec {
    /// Bootstrap brokers, comma-separated.
    pub brokers: String,
    /// Topics by name, or by regular expression where they start with `^`.
    pub topics: Vec<String>,
    /// Partitions to read; all where absent.
    pub partitions: Option<BTreeSet<i32>>,
    /// Client properties given by the user.
    pub properties: Properties,
    /// Which records of transactions are read.
    pub isolation: Isolation,
    /// The range asked for.
    pub range: RecordRange,
    /// Where earlier runs ended: partitions named here are read from there.
    pub resume: BTreeMap<TopicPartition, ResumePoint>,
    /// See [`STALL_TIMEOUT`].
    pub stall_timeout: Duration,
    /// See [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// Which client reads.
    pub reader: Reader,
    /// Bytes of records a second to stay within.
    pub max_rate_bytes: Option<u64>,
    /// Start of the run, milliseconds since the epoch, where it matters how old something is.
    pub now_millis: Option<i64>,
    /// Bytes that the client may hold fetched and not yet delivered; our own reader asks for half
    /// as many at once.
    pub queue_bytes: u64,
    /// Bytes that one record batch may unpack to, where the client can keep to it.
    pub unpacked_bytes_max: u64,
    /// Bytes of record batches, as they came, that the client may keep for the second pass.
    pub kept_bytes: u64,
    /// Threads that the second pass may use.
    pub threads: usize,
}

impl KafkaSpec {
    /// Shares an audit's memory out. The client holds up to a 32nd of it ahead, and up to a quarter
    /// of what goes beyond a small audit's needs for the second pass. One record batch may unpack
    /// to a quarter, but to no less than what the largest records that brokers are set up for take.
    pub fn limit_memory(&mut self, bytes: u64) {
        self.unpacked_bytes_max = (bytes / 4).clamp(UNPACKED_BYTES_MIN, UNPACKED_BYTES_MAX);
        self.kept_bytes = bytes.saturating_sub(UNKEPT_MEMORY_BYTES) / 4;
        self.queue_bytes = (bytes / 32).clamp(QUEUE_BYTES.0, QUEUE_BYTES.1);
    }

    /// Stays below `bytes` a second, and holds no more ahead than comes in a moment.
    pub fn limit_rate(&mut self, bytes: u64) {
        const PARTITION_BYTES_MIN: u64 = 64 << 10;
        // librdkafka takes no less.
        const FETCH_BYTES_MIN: u64 = 1_000_000;
        self.max_rate_bytes = Some(bytes);
        self.queue_bytes = self.queue_bytes.min(bytes.max(PARTITION_BYTES_MIN));
        let sizes = [
            ("fetch.message.max.bytes", PARTITION_BYTES_MIN),
            ("fetch.max.bytes", FETCH_BYTES_MIN),
        ];
        for (name, least) in sizes {
            if self.properties.get(name).is_none() {
                let size = (bytes / 4).clamp(least, 8 << 20).to_string();
                // A number is always taken; without it reading is only less even.
                let _ = self.properties.add(name, &size);
            }
        }
    }

    /// Returns a spec that reads `topics` whole, with the default limits.
    pub fn new(brokers: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topics,
            partitions: None,
            properties: Properties::default(),
            isolation: Isolation::default(),
            range: RecordRange::default(),
            resume: BTreeMap::new(),
            stall_timeout: STALL_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            reader: Reader::default(),
            max_rate_bytes: None,
            now_millis: None,
            queue_bytes: QUEUE_BYTES.1,
            unpacked_bytes_max: 256 << 20,
            kept_bytes: 0,
            threads: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_batch_may_unpack_to_is_a_part_of_the_memory_and_enough_for_large_records() {
        let mut spec = KafkaSpec::new("localhost", vec![]);
        let limits = [16 << 20, 1 << 30, 64 << 30].map(|memory: u64| {
            spec.limit_memory(memory);
            spec.unpacked_bytes_max
        });
        assert_eq!(limits, [64 << 20, 256 << 20, 1 << 30]);
    }

    #[test]
    fn what_is_held_ahead_and_kept_is_a_part_of_the_memory() {
        let mut spec = KafkaSpec::new("localhost", vec![]);
        let shares = [16 << 20, 128 << 20, 4 << 30].map(|memory: u64| {
            spec.limit_memory(memory);
            (spec.queue_bytes, spec.kept_bytes)
        });
        assert_eq!(shares[0], (2 << 20, 0));
        assert_eq!(shares[1], (4 << 20, 16 << 20));
        assert_eq!(shares[2], (16 << 20, 1008 << 20));
    }
}
