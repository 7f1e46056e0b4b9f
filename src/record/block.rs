//! A block of records in one buffer: what a reader fills and the first pass borrows from.

use std::sync::Arc;

use crate::record::{
    BatchStamp, Headers, Part, Payload, Span, SplitId, Timestamp, TimestampType, TopicPartition,
};

/// Why the reader could not take a record apart; the record is delivered all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordDefect {
    /// The line or row is no valid text of its format.
    InvalidText,
    /// The line is longer than the limit; its bytes are not in the block.
    TooLong,
    /// The row has another number of cells than the header row.
    WrongCellCount,
    /// The envelope around the record lacks a part or has one of the wrong kind.
    InvalidEnvelope,
    /// The record's headers cannot be read.
    InvalidHeaders,
}

/// One record in a block.
#[derive(Clone, Copy, Debug)]
pub struct RecordSlot {
    /// Place in the split: the byte offset of the record in its (unpacked) file, or its offset.
    pub position: u64,
    /// Line of a file where the record starts, from 1; 0 where there are no lines.
    pub line: u64,
    /// Offset in the topic partition; −1 where the source does not say.
    pub offset: i64,
    /// Timestamp in milliseconds; `i64::MIN` where there is none.
    pub timestamp_millis: i64,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// Index into the block's topic partitions; `u32::MAX` where the source does not say.
    pub topic_partition: u32,
    /// Index into the block's batch stamps; `u32::MAX` where the source has none.
    pub batch: u32,
    /// The record's key.
    pub key: Span,
    /// The record's value.
    pub value: Span,
    /// The record's headers, encoded as [`Headers`] says.
    pub headers: Span,
    /// What is wrong with the record, if anything.
    pub defect: Option<RecordDefect>,
    /// Where the block's list of unread payloads has those of the record.
    pub first_unread: u32,
    /// How many it has there: the key, the value, both or none.
    pub unread_count: u8,
}

impl RecordSlot {
    /// Returns a slot at `position` that records nothing yet.
    pub fn new(position: u64) -> Self {
        Self {
            position,
            line: 0,
            offset: -1,
            timestamp_millis: i64::MIN,
            timestamp_type: TimestampType::Unrecorded,
            topic_partition: u32::MAX,
            batch: u32::MAX,
            key: Span::UNRECORDED,
            value: Span::UNRECORDED,
            headers: Span::UNRECORDED,
            defect: None,
            first_unread: 0,
            unread_count: 0,
        }
    }
}

/// A key or value that could not be read with its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadPayload {
    /// Which of the two it is.
    pub part: Part,
    /// Why, for people.
    pub reason: Arc<str>,
}

/// What the value bytes of a block's records are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ValueFormat {
    /// A JSON document, or bytes that only a path into the value requires to be one.
    #[default]
    Json,
    /// One CSV row without its line end.
    Csv {
        /// Byte between cells.
        delimiter: u8,
        /// Names of the cells, from the header row.
        columns: Arc<[Box<[u8]>]>,
    },
}

/// Records of one split in one reused buffer.
#[derive(Debug, Default)]
pub struct RecordBlock {
    /// The split that all records of the block come from.
    pub split: SplitId,
    /// What the value bytes are.
    pub value_format: ValueFormat,
    /// The bytes that the spans point into.
    pub bytes: Vec<u8>,
    /// The records.
    pub slots: Vec<RecordSlot>,
    /// Topic partitions that slots refer to.
    pub topic_partitions: Vec<TopicPartition>,
    /// Batch stamps that slots refer to.
    pub batches: Vec<BatchStamp>,
    /// Keys and values that could not be read with their schemas, in the order of records.
    pub unread: Vec<UnreadPayload>,
    /// Whether values lack members that are not looked into.
    pub is_partial: bool,
}

impl RecordBlock {
    /// Empties the block for `split` and keeps its memory.
    pub fn clear(&mut self, split: SplitId) {
        self.split = split;
        self.bytes.clear();
        self.slots.clear();
        self.topic_partitions.clear();
        self.batches.clear();
        self.unread.clear();
        self.is_partial = false;
    }

    /// Returns the block's index of a topic partition, adding it where it is new.
    ///
    /// # Panics
    ///
    /// If there are 2^32 of them.
    pub fn intern_topic_partition(&mut self, topic: &str, partition: i32) -> u32 {
        let is_same =
            |known: &TopicPartition| known.partition == partition && &*known.topic == topic;
        // From the end: consecutive records mostly share their topic partition.
        let index = self
            .topic_partitions
            .iter()
            .rposition(is_same)
            .unwrap_or_else(|| {
                self.topic_partitions.push(TopicPartition {
                    topic: topic.into(),
                    partition,
                });
                self.topic_partitions.len() - 1
            });
        u32::try_from(index).expect("a block has fewer topic partitions than bytes")
    }

    /// Appends bytes and returns their span.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span::new(start, self.bytes.len())
    }

    /// Appends a record of another block of the same split, with all that its slot refers to.
    ///
    /// # Panics
    ///
    /// If there are 2^32 batches in the block.
    pub fn push_copy(&mut self, other: &Self, mut slot: RecordSlot) {
        for span in [&mut slot.key, &mut slot.value, &mut slot.headers] {
            if let Payload::Bytes(bytes) = other.payload(*span) {
                *span = self.push_bytes(bytes);
            }
        }
        let index = |short| usize::try_from(short).unwrap_or(usize::MAX);
        if let Some(place) = other.topic_partitions.get(index(slot.topic_partition)) {
            slot.topic_partition = self.intern_topic_partition(&place.topic, place.partition);
        }
        if let Some(&batch) = other.batches.get(index(slot.batch)) {
            if self.batches.last() != Some(&batch) {
                self.batches.push(batch);
            }
            slot.batch = u32::try_from(self.batches.len() - 1)
                .expect("a block has fewer batches than bytes");
        }
        self.slots.push(slot);
    }

    /// Notes that a payload of the record at `index` could not be read with its schema.
    ///
    /// # Panics
    ///
    /// If there are 2^32 of them.
    pub fn note_unread(&mut self, index: usize, unread: UnreadPayload) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if slot.unread_count == 0 {
            slot.first_unread = u32::try_from(self.unread.len())
                .expect("a block has fewer unread payloads than bytes");
        }
        slot.unread_count += 1;
        self.unread.push(unread);
    }

    /// Returns the record at `index`.
    pub fn view(&self, index: usize) -> Option<RecordView<'_>> {
        self.slots
            .get(index)
            .map(|slot| RecordView { block: self, slot })
    }

    /// Iterates over the records.
    pub fn views(&self) -> impl ExactSizeIterator<Item = RecordView<'_>> {
        self.slots
            .iter()
            .map(|slot| RecordView { block: self, slot })
    }

    fn payload(&self, span: Span) -> Payload<'_> {
        match span {
            Span::UNRECORDED => Payload::Unrecorded,
            Span::NULL => Payload::Null,
            Span { start, length } => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let bytes = self.bytes.get(start..start.saturating_add(length));
                Payload::Bytes(bytes.expect("a span lies within its block"))
            }
        }
    }
}

/// One record, borrowed from its block.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    block: &'a RecordBlock,
    slot: &'a RecordSlot,
}

impl<'a> RecordView<'a> {
    /// Returns the slot: position, line, defect.
    pub fn slot(self) -> &'a RecordSlot {
        self.slot
    }

    /// Returns the block that holds the record.
    pub fn block(self) -> &'a RecordBlock {
        self.block
    }

    /// Returns the key.
    pub fn key(self) -> Payload<'a> {
        self.block.payload(self.slot.key)
    }

    /// Returns the value.
    pub fn value(self) -> Payload<'a> {
        self.block.payload(self.slot.value)
    }

    /// Returns whether the value begins and ends between characters, in a block that is UTF-8.
    #[inline]
    pub fn is_value_of_characters(self) -> bool {
        let Span { start, length } = self.slot.value;
        let is_between = |place: u32| {
            let byte = usize::try_from(place)
                .ok()
                .and_then(|place| self.block.bytes.get(place));
            byte.is_none_or(|&byte| byte & 0xc0 != 0x80)
        };
        is_between(start) && is_between(start.saturating_add(length))
    }

    /// Returns the key or the value.
    pub fn part(self, part: Part) -> Payload<'a> {
        match part {
            Part::Key => self.key(),
            Part::Value => self.value(),
        }
    }

    /// Returns why the key or value could not be read with its schema, if that is so.
    pub fn unread_reason(self, part: Part) -> Option<&'a Arc<str>> {
        let first = usize::try_from(self.slot.first_unread).ok()?;
        let all = self.block.unread.iter().skip(first);
        let mut mine = all.take(usize::from(self.slot.unread_count));
        mine.find(|unread| unread.part == part)
            .map(|unread| &unread.reason)
    }

    /// Returns the headers, or nothing where the source does not record them.
    pub fn headers(self) -> Option<Headers<'a>> {
        self.block
            .payload(self.slot.headers)
            .bytes()
            .map(Headers::from_encoded)
    }

    /// Returns the topic partition, where the source says.
    pub fn topic_partition(self) -> Option<&'a TopicPartition> {
        self.place()
            .filter(|place| place.partition > TopicPartition::UNKNOWN)
    }

    /// Returns the topic, which may be known without the partition.
    pub fn topic(self) -> Option<&'a str> {
        self.place().map(|place| &*place.topic)
    }

    fn place(self) -> Option<&'a TopicPartition> {
        let index = usize::try_from(self.slot.topic_partition).ok()?;
        self.block.topic_partitions.get(index)
    }

    /// Returns the offset, where the source says.
    pub fn offset(self) -> Option<i64> {
        (self.slot.offset >= 0).then_some(self.slot.offset)
    }

    /// Returns the timestamp, where there is one.
    pub fn timestamp(self) -> Option<Timestamp> {
        let Self { slot, .. } = self;
        (slot.timestamp_millis != i64::MIN).then_some(Timestamp {
            millis: slot.timestamp_millis,
            timestamp_type: slot.timestamp_type,
        })
    }

    /// Returns the stamps of the record batch that holds the record, where the source shows them.
    pub fn batch(self) -> Option<&'a BatchStamp> {
        self.block
            .batches
            .get(usize::try_from(self.slot.batch).ok()?)
    }
}
