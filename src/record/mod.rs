//! What was read, in Kafka's own terms; nothing inferred.

pub mod block;
pub mod counted;
pub mod field_path;
pub mod field_value;
pub mod headers;
pub mod payload;
pub mod span;
pub mod timestamp;

pub use block::{RecordBlock, RecordDefect, RecordSlot, RecordView, UnreadPayload, ValueFormat};
pub use counted::{counted, grouped};
pub use field_path::{FieldPath, FieldPathError, PathStep, Root, needs_quotes};
pub use field_value::FieldValue;
pub use headers::{Header, Headers, push_header};
pub use payload::{Part, Payload, lossless_text};
pub use span::Span;
pub use timestamp::{Timestamp, TimestampType};

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One partition of one topic; shown as Kafka shows it, `orders-3`, or as its topic where it has
/// no partitions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(String, i32)", into = "(String, i32)")]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Number of the partition within the topic.
    pub partition: i32,
}

impl TopicPartition {
    /// Number that stands for a partition that is not known, where the topic is.
    pub const UNKNOWN: i32 = -1;

    /// Returns a partition by its number, or a topic of which none is known.
    pub fn numbered(topic: Arc<str>, number: Option<i32>) -> Self {
        let partition = number.unwrap_or(Self::UNKNOWN);
        Self { topic, partition }
    }

    /// Returns the number of the partition, where it has one.
    pub fn number(&self) -> Option<i32> {
        (self.partition > Self::UNKNOWN).then_some(self.partition)
    }
}

impl From<(String, i32)> for TopicPartition {
    fn from((topic, partition): (String, i32)) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl From<TopicPartition> for (String, i32) {
    fn from(of: TopicPartition) -> Self {
        (of.topic.to_string(), of.partition)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(out, "{}-{number}", self.topic),
            None => out.write_str(&self.topic),
        }
    }
}

/// The unit of reading: one partition's offset range, or one file. Numbered in plan order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SplitId(pub u32);

/// What stamps a record batch carries, where the source shows them (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchStamp {
    /// First offset of the record batch.
    pub base_offset: i64,
    /// Last offset that the record batch covers, holes of compaction included.
    pub last_offset: i64,
    /// CRC-32C of the record batch, from attributes to the end.
    pub crc: u32,
    /// Length in bytes of the record batch as stored.
    pub length: i32,
    /// Records that the record batch holds.
    pub record_count: i32,
    /// Producer id, −1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch, −1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence of the first record, −1 without idempotence.
    pub base_sequence: i32,
    /// Epoch of the partition leader that appended the batch, −1 if unknown.
    pub leader_epoch: i32,
    /// Whether the batch belongs to a transaction.
    pub is_transactional: bool,
    /// Whether that transaction was aborted, where the source tells.
    pub is_aborted: Option<bool>,
}
