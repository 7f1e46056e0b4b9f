//! Why an extra record exists: evidence in numbers and names; `evidence_text` has the words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::group::{Cause, Confidence};

/// Whose headers name the coordinates of another record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeadLetterDialect {
    /// Kafka Connect's dead-letter queue.
    Connect,
    /// Spring Kafka's dead-letter topic.
    SpringDeadLetter,
    /// Spring Kafka's retry topics.
    SpringRetry,
    /// `SmallRye` Reactive Messaging.
    SmallRye,
    /// One of the names that other frameworks use.
    Other,
}

/// Coordinates that the headers of a record name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCoordinates {
    /// Whose headers.
    pub dialect: DeadLetterDialect,
    /// The topic named.
    pub topic: String,
    /// The partition named.
    pub partition: i32,
    /// The offset named.
    pub offset: i64,
}

impl fmt::Display for NamedCoordinates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}@{}", self.topic, self.partition, self.offset)
    }
}

/// Which copies belong to an aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AbortedCopy {
    /// The earlier copy only.
    Earlier,
    /// The extra record only.
    Extra,
    /// Both.
    Both,
}

/// One thing that speaks for or against a cause, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The copies have the same bytes.
    IdenticalContent {
        /// Whether the source shows headers and key of both.
        is_all_known: bool,
    },
    /// The producer's timestamps are equal.
    EqualCreateTime,
    /// The same batch stands at two places.
    RepeatedBatch {
        /// Records in it.
        record_count: i32,
        /// Its CRC-32C.
        crc: u32,
        /// Its length in bytes.
        length: i32,
        /// Where the earlier copy's batch begins.
        earlier_base_offset: i64,
        /// Where the extra record's batch begins.
        extra_base_offset: i64,
    },
    /// Only a part of the original's batch came again.
    PartOfBatch {
        /// Records in the batch.
        record_count: i32,
    },
    /// Both copies lie in one and the same batch.
    SameBatch {
        /// Where it begins.
        base_offset: i64,
    },
    /// Both copies were produced without a producer id.
    NoProducerId,
    /// One producer appended the same sequence twice.
    SameSequence {
        /// The producer id.
        producer_id: i64,
        /// The first sequence of both batches.
        base_sequence: i32,
    },
    /// One producer gave the copies two sequences.
    SequencesDiffer {
        /// The producer id.
        producer_id: i64,
        /// First sequence of the earlier copy's batch.
        earlier: i32,
        /// First sequence of the extra record's batch.
        extra: i32,
    },
    /// One producer id, two epochs.
    ProducerEpochsDiffer {
        /// The producer id.
        producer_id: i64,
        /// The earlier copy's.
        earlier: i16,
        /// The extra record's.
        extra: i16,
    },
    /// Two producer ids.
    ProducerIdsDiffer {
        /// The earlier copy's.
        earlier: i64,
        /// The extra record's.
        extra: i64,
    },
    /// The leader changed between the copies.
    LeaderEpochChanged {
        /// The earlier copy's.
        earlier: i32,
        /// The extra record's.
        extra: i32,
    },
    /// Neighbours came again in the same order.
    RunForward {
        /// Records that did.
        pairs: u64,
        /// Offsets between the copies, where it is the same for all.
        distance: Option<i64>,
    },
    /// Neighbours came again, block by block in reverse order.
    RunReversed {
        /// Records that did.
        pairs: u64,
        /// Blocks.
        blocks: u64,
    },
    /// The copies follow one another at once.
    Adjacent,
    /// Neither neighbour came again.
    Alone,
    /// Extra records lie far apart.
    Scattered {
        /// Extra records.
        pairs: u64,
        /// Offsets from the first to the last.
        offsets: i64,
    },
    /// The extra record's producer time is later.
    LaterCreateTime {
        /// By how much.
        millis: i64,
    },
    /// The times between the copies cluster at a usual timer.
    TimerGap {
        /// The timer.
        timer_millis: i64,
        /// Pairs that are so far apart.
        pairs: u64,
        /// Pairs in all.
        of: u64,
    },
    /// The repeats were made faster than the originals.
    FasterPace {
        /// From the first original to the last.
        original_millis: i64,
        /// From the first repeat to the last.
        extra_millis: i64,
    },
    /// Several partitions saw a run at the same time.
    PartitionsTogether {
        /// Partitions.
        partitions: u64,
        /// Pairs in their runs.
        pairs: u64,
    },
    /// A counter of attempts differs.
    ChangedAttempt {
        /// Its field paths.
        paths: Vec<String>,
    },
    /// Only times, ids of a request and the like differ.
    ChangedVolatile {
        /// Their field paths.
        paths: Vec<String>,
    },
    /// What a repeat does not change differs.
    ChangedContent {
        /// Its field paths.
        paths: Vec<String>,
    },
    /// The copies lie in two topics.
    OtherTopic {
        /// The earlier copy's.
        earlier: String,
        /// The extra record's.
        extra: String,
    },
    /// Both copies lie in one topic.
    OneTopic,
    /// One topic is named as a mirror of the other.
    MirrorName {
        /// The source.
        source: String,
        /// The mirror.
        mirror: String,
    },
    /// A mirror keeps partition numbers, and so do the copies.
    SamePartitionNumber,
    /// The copies lie in two partitions.
    OtherPartition {
        /// The earlier copy's.
        earlier: i32,
        /// The extra record's.
        extra: i32,
    },
    /// Another copy stands in another topic.
    CopyElsewhere {
        /// That topic.
        topic: String,
    },
    /// Headers of one copy name the coordinates of the other.
    NamedByHeaders(NamedCoordinates),
    /// Headers of both copies name the same third record.
    NamedTwice(NamedCoordinates),
    /// Headers name a record that is not in the group.
    NamesAnother(NamedCoordinates),
    /// No header names the other copy.
    NotNamed,
    /// An aborted transaction.
    Aborted(AbortedCopy),
    /// No copy belongs to an aborted transaction.
    NoneAborted,
    /// The repeat was appended late.
    AppendedLate {
        /// At least so long after the original.
        at_least_millis: i64,
    },
    /// Two causes explain the evidence equally well.
    CausesRemain(Vec<Cause>),
    /// An application that sets the timestamps itself would look the same.
    OwnTimestampsPossible,
    /// A process restarted with timestamps kept would look the same.
    KeptTimestampsPossible,
    /// Most batches did not come again as they were, as after a restart with timestamps kept.
    BatchesDiffer,
    /// A consumer that works again and an application that sends a stretch again look the same.
    ReplayOrResend,
    /// What was seen speaks against every cause.
    NoCauseFits,
    /// Missing: topic, partition or offset.
    NoCoordinates,
    /// Missing: timestamps.
    NoTimestamps,
    /// Missing: who set the timestamps.
    TimestampTypeUnknown,
    /// The broker set the timestamps.
    LogAppendTime,
    /// Missing: producer ids and batches.
    NoBatches,
    /// Missing: the content of one copy.
    ContentUnknown,
    /// Both follow the same message of a store.
    SameInput {
        /// Its stream.
        stream: String,
        /// Its position in the stream.
        position: i64,
    },
    /// They follow different messages of a store.
    OtherInput,
    /// Both were written to a store, each with an id and a position of its own.
    WrittenTwice,
    /// One lies in a store, the other in a topic.
    Published,
    /// But for what a store makes of its own for each record, they say the same.
    SameButForPlace,
    /// A handler may write more than once for one message by design.
    SeveralPerInput,
    /// Missing: what caused one of them.
    InputUnknown,
    /// Missing: the shape, since there were too many runs to keep apart.
    TooManyRuns,
}

/// Why one extra record exists, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cause.
    pub cause: Cause,
    /// How sure it is; nothing for `undetermined`.
    pub confidence: Option<Confidence>,
    /// What speaks for it; for `undetermined`, what was seen.
    pub supporting: Vec<Evidence>,
    /// What speaks against it; for `undetermined`, what is missing.
    pub contradicting: Vec<Evidence>,
    /// Why it is not one of the other causes.
    pub excluded: Vec<(Cause, Evidence)>,
    /// The episode that the extra record belongs to.
    pub episode: u64,
}
