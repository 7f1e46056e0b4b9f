//! Unpacks the records of a batch into a block: one buffer, one slot a record, no allocation.

mod pick;

use std::ops::Range;

use crate::record::{BatchStamp, RecordBlock, RecordDefect, RecordSlot, Span, TimestampType};

use super::compression::Unpacker;
use super::cursor::Cursor;
use super::damage::DamageReason;
use super::header::BatchHeader;
use super::legacy;
use super::reader::RecordBatch;

/// Bytes of the smallest record of magic 2.
const RECORD_BYTES_MIN: usize = 7;
/// A block takes another batch only below this; spans end at 4 GiB.
const BLOCK_BYTES_MAX: usize = 1 << 31;
/// No batch may unpack to more, whatever the limit.
const UNPACKED_BYTES_MAX: usize = 1 << 30;
/// What Kafka writes where there is no timestamp.
const NO_TIMESTAMP: i64 = -1;

/// What came of a batch.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The batch's stamp, with true offsets and record count in every format.
    pub stamp: BatchStamp,
    /// The block's slots that hold its records.
    pub slots: Range<usize>,
}

/// Unpacks one batch after the other and keeps what the codecs can use again.
pub struct RecordDecoder {
    unpacker: Unpacker,
    unpacked_bytes_max: usize,
    /// What the last batch held that single records were picked from.
    unpacked: Vec<u8>,
}

impl RecordDecoder {
    /// Returns a decoder to which a batch of more than `unpacked_bytes_max` bytes is damaged.
    pub fn new(unpacked_bytes_max: usize) -> Self {
        Self {
            unpacker: Unpacker::default(),
            unpacked_bytes_max: unpacked_bytes_max.min(UNPACKED_BYTES_MAX),
            unpacked: Vec::new(),
        }
    }

    /// Appends the batch's records whose offsets are `wanted` to `block`: all of them, or none
    /// where the batch is damaged.
    pub fn decode_into(
        &mut self,
        batch: &RecordBatch<'_>,
        wanted: &Range<i64>,
        topic_partition: u32,
        block: &mut RecordBlock,
    ) -> Result<Decoded, DamageReason> {
        let (bytes, slots) = (block.bytes.len(), block.slots.len());
        if bytes > BLOCK_BYTES_MAX {
            return Err(DamageReason::BlockFull);
        }
        let placed = Placement::next_in(block, wanted, topic_partition)?;
        let stamp = self.append(batch, &placed, block);
        match stamp {
            Ok(stamp) => {
                block.batches.push(stamp);
                let slots = slots..block.slots.len();
                Ok(Decoded { stamp, slots })
            }
            Err(reason) => {
                block.bytes.truncate(bytes);
                block.slots.truncate(slots);
                Err(reason)
            }
        }
    }

    fn append(
        &mut self,
        batch: &RecordBatch<'_>,
        placed: &Placement,
        block: &mut RecordBlock,
    ) -> Result<BatchStamp, DamageReason> {
        let RecordBatch { header, payload } = batch;
        if header.magic < 2 {
            return legacy::append(self, batch, placed, block);
        }
        let start = block.bytes.len();
        // An empty batch that compaction left behind has nothing to unpack.
        if !payload.is_empty() {
            self.unpack(header, payload, &mut block.bytes)?;
        }
        append_records(header, start, placed, block)?;
        Ok(header.stamp)
    }

    /// Appends what `packed` holds to `bytes`.
    pub(super) fn unpack(
        &mut self,
        header: &BatchHeader,
        packed: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<(), DamageReason> {
        let limit = self.unpacked_bytes_max;
        self.unpacker
            .unpack((header.codec, header.magic), packed, limit, bytes)
            .map_err(|error| error.into_reason(limit))
    }
}

/// What all records of a batch have in common, and which of them are wanted.
pub(super) struct Placement {
    pub(super) wanted: Range<i64>,
    pub(super) topic_partition: u32,
    pub(super) batch: u32,
}

impl Placement {
    /// Returns that of the batch that `block` takes next.
    fn next_in(
        block: &RecordBlock,
        wanted: &Range<i64>,
        topic_partition: u32,
    ) -> Result<Self, DamageReason> {
        Ok(Self {
            wanted: wanted.clone(),
            topic_partition,
            batch: u32::try_from(block.batches.len()).map_err(|_| DamageReason::BlockFull)?,
        })
    }

    /// Returns the slot of the record at `offset`, without its contents.
    #[inline]
    pub(super) fn slot(&self, offset: i64) -> RecordSlot {
        RecordSlot {
            offset,
            topic_partition: self.topic_partition,
            batch: self.batch,
            ..RecordSlot::new(u64::try_from(offset).unwrap_or_default())
        }
    }
}

/// Puts a timestamp into a slot, unless it is the one that stands for none.
#[inline]
pub(super) fn set_timestamp(slot: &mut RecordSlot, millis: i64, timestamp_type: TimestampType) {
    if millis != NO_TIMESTAMP {
        slot.timestamp_millis = millis;
        slot.timestamp_type = timestamp_type;
    }
}

fn append_records(
    header: &BatchHeader,
    start: usize,
    placed: &Placement,
    block: &mut RecordBlock,
) -> Result<(), DamageReason> {
    let RecordBlock { bytes, slots, .. } = block;
    let end = bytes.len();
    let mut cursor = Cursor::new(bytes.get(start..).unwrap_or_default());
    let count = header.stamp.record_count;
    let bytes_min = usize::try_from(count).map(|count| count.saturating_mul(RECORD_BYTES_MIN));
    if !bytes_min.is_ok_and(|bytes_min| bytes_min <= cursor.remaining()) {
        let bytes = cursor.remaining();
        return Err(DamageReason::RecordCount { count, bytes });
    }
    let base_offset = header.stamp.base_offset;
    let mut floor = base_offset;
    for index in 0..count {
        let damaged = || DamageReason::Record(index);
        let record = take_record(&mut cursor).ok_or_else(damaged)?;
        let parts = Parts::take(record, end - cursor.remaining()).ok_or_else(damaged)?;
        let offset = base_offset + i64::from(parts.offset_delta);
        let millis = millis_of(header, &parts).ok_or_else(damaged)?;
        if offset < floor || offset > header.stamp.last_offset {
            return Err(damaged());
        }
        floor = offset + 1;
        if placed.wanted.contains(&offset) {
            let mut slot = parts.into_slot(placed.slot(offset));
            set_timestamp(&mut slot, millis, header.timestamp_type);
            slots.push(slot);
        }
    }
    match cursor.remaining() {
        0 => Ok(()),
        left => Err(DamageReason::TrailingBytes(left)),
    }
}

/// Takes the bytes of the next record, behind their length.
#[inline]
fn take_record<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(cursor.varint()?).ok()?;
    cursor.take(length)
}

/// Returns the timestamp of a record; nothing where there can be no such time.
#[inline]
fn millis_of(header: &BatchHeader, parts: &Parts) -> Option<i64> {
    match header.timestamp_type {
        TimestampType::LogAppendTime => Some(header.max_timestamp),
        TimestampType::CreateTime | TimestampType::Unrecorded | TimestampType::Database => {
            header.base_timestamp.checked_add(parts.timestamp_delta)
        }
    }
}

/// The parts of a record of magic 2.
struct Parts {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Span,
    value: Span,
    /// Nothing where they cannot be read.
    headers: Option<Span>,
}

impl Parts {
    /// Takes a record apart that ends at `end` of its block.
    #[inline]
    fn take(record: &[u8], end: usize) -> Option<Self> {
        let mut cursor = Cursor::new(record);
        let _attributes = cursor.i8()?;
        let timestamp_delta = cursor.varlong()?;
        let offset_delta = cursor.varint()?;
        let key = take_payload(&mut cursor, end)?;
        let value = take_payload(&mut cursor, end)?;
        let headers = cursor.varint().filter(|&count| {
            if count == 0 {
                cursor.remaining() == 0
            } else {
                are_headers(cursor.rest(), count)
            }
        });
        let headers = headers.map(|_| Span::new(end - cursor.remaining(), end));
        Some(Self {
            timestamp_delta,
            offset_delta,
            key,
            value,
            headers,
        })
    }

    #[inline]
    fn into_slot(self, mut slot: RecordSlot) -> RecordSlot {
        slot.key = self.key;
        slot.value = self.value;
        match self.headers {
            Some(headers) => slot.headers = headers,
            None => slot.defect = Some(RecordDefect::InvalidHeaders),
        }
        slot
    }
}

#[inline]
fn take_payload(cursor: &mut Cursor<'_>, end: usize) -> Option<Span> {
    let Ok(length) = usize::try_from(cursor.varint()?) else {
        return Some(Span::NULL);
    };
    let start = end - cursor.remaining();
    cursor.take(length)?;
    Some(Span::new(start, start + length))
}

/// Returns whether `bytes` are `count` headers and nothing else.
fn are_headers(bytes: &[u8], count: i32) -> bool {
    let mut cursor = Cursor::new(bytes);
    let mut take_header = || {
        let name_length = usize::try_from(cursor.varint()?).ok()?;
        cursor.take(name_length)?;
        // A negative length stands for null.
        let value_length = usize::try_from(cursor.varint()?).unwrap_or(0);
        cursor.take(value_length)
    };
    let are_whole = count >= 0 && (0..count).all(|_| take_header().is_some());
    are_whole && cursor.remaining() == 0
}

/// Returns the key of the first record in `records` of magic 2; nothing where it has none.
pub(super) fn first_key(records: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(records);
    let length = usize::try_from(cursor.varint()?).ok()?;
    let mut record = Cursor::new(cursor.take(length)?);
    let _attributes = record.i8()?;
    let _timestamp_delta = record.varlong()?;
    let _offset_delta = record.varint()?;
    let key_length = usize::try_from(record.varint()?).ok()?;
    record.take(key_length)
}

#[cfg(test)]
mod tests {
    use super::super::batch_encoder::{TestBatch, TestRecord, push_varlong};
    use super::super::reader::{BatchEvent, BatchReader};
    use super::*;
    use crate::record::Payload;

    fn only_batch(bytes: &[u8]) -> RecordBatch<'_> {
        match BatchReader::new(bytes, 0).next() {
            Some(BatchEvent::Data(batch)) => batch,
            event => panic!("{event:?}"),
        }
    }

    fn decode(bytes: &[u8]) -> Result<RecordBlock, DamageReason> {
        let mut block = RecordBlock::default();
        block.intern_topic_partition("orders", 3);
        RecordDecoder::new(1 << 20).decode_into(
            &only_batch(bytes),
            &(0..i64::MAX),
            0,
            &mut block,
        )?;
        Ok(block)
    }

    #[test]
    fn headers_keep_order_repeats_nulls_and_any_bytes() {
        let headers = vec![
            (b"h".to_vec(), Some(b"1".to_vec())),
            (b"h".to_vec(), None),
            (b"\xff\0".to_vec(), Some(Vec::new())),
            (Vec::new(), Some(vec![9; 300])),
        ];
        let record = TestRecord {
            headers: headers.clone(),
            value: Some(Vec::new()),
            ..TestRecord::default()
        };
        let batch = TestBatch {
            records: vec![record],
            ..TestBatch::default()
        };
        let block = decode(&batch.encode()).unwrap();
        let view = block.views().next().unwrap();
        let read: Vec<_> = view
            .headers()
            .unwrap()
            .map(|header| (header.name.to_vec(), header.value.map(<[u8]>::to_vec)))
            .collect();
        assert_eq!(read, headers);
        assert_eq!(view.key(), Payload::Null);
        assert_eq!(view.value(), Payload::Bytes(b""));
        assert_eq!(view.topic_partition().unwrap().to_string(), "orders-3");
    }

    #[test]
    fn log_append_time_is_the_batch_maximum_and_create_time_the_records_own() {
        let create_time = TestBatch::of_records(5, 3);
        let log_append_time = TestBatch {
            attributes: 0x08,
            ..create_time.clone()
        };
        let times = |batch: &TestBatch| {
            let block = decode(&batch.encode()).unwrap();
            let of = |view: crate::record::RecordView<'_>| view.timestamp().unwrap();
            block
                .views()
                .map(|view| (of(view).millis, of(view).timestamp_type))
                .collect::<Vec<_>>()
        };
        let create = TimestampType::CreateTime;
        assert_eq!(
            times(&create_time),
            [(1_000, create), (1_001, create), (1_002, create)]
        );
        let append = TimestampType::LogAppendTime;
        assert_eq!(times(&log_append_time), [(2_000, append); 3]);
    }

    #[test]
    fn a_delete_horizon_is_what_timestamps_are_relative_to() {
        let mut batch = TestBatch::of_records(0, 1);
        batch.attributes = 0x40;
        batch.base_timestamp = 90_000;
        batch.records[0].timestamp_delta = -89_000;
        let bytes = batch.encode();
        assert!(only_batch(&bytes).header.has_delete_horizon);
        assert_eq!(decode(&bytes).unwrap().slots[0].timestamp_millis, 1_000);
    }

    #[test]
    fn minus_one_is_no_timestamp() {
        let mut batch = TestBatch::of_records(0, 1);
        batch.base_timestamp = -1;
        let block = decode(&batch.encode()).unwrap();
        assert_eq!(block.views().next().unwrap().timestamp(), None);
    }

    #[test]
    fn only_wanted_offsets_are_delivered_and_holes_are_kept() {
        let mut batch = TestBatch::of_records(10, 6);
        batch.records.remove(2);
        batch.last_offset_delta = Some(9);
        let bytes = batch.encode();
        let mut block = RecordBlock::default();
        let decoded = RecordDecoder::new(1 << 20)
            .decode_into(&only_batch(&bytes), &(11..15), 0, &mut block)
            .unwrap();
        assert_eq!(decoded.slots, 0..3);
        assert_eq!(decoded.stamp.last_offset, 19);
        let offsets: Vec<_> = block.slots.iter().map(|slot| slot.offset).collect();
        assert_eq!(offsets, [11, 13, 14]);
    }

    #[test]
    fn offsets_that_go_back_or_past_the_last_delta_are_damage() {
        let mut repeated = TestBatch::of_records(0, 3);
        repeated.records[1].offset_delta = 0;
        assert_eq!(
            decode(&repeated.encode()).unwrap_err(),
            DamageReason::Record(1)
        );
        let mut beyond = TestBatch::of_records(0, 3);
        beyond.last_offset_delta = Some(1);
        assert_eq!(
            decode(&beyond.encode()).unwrap_err(),
            DamageReason::Record(2)
        );
        let mut overflow = TestBatch::of_records(0, 2);
        overflow.base_timestamp = i64::MAX;
        assert_eq!(
            decode(&overflow.encode()).unwrap_err(),
            DamageReason::Record(1)
        );
    }

    #[test]
    fn counts_and_lengths_that_lie_are_damage_and_leave_the_block_alone() {
        let batch = TestBatch::of_records(0, 3);
        let counted = |count: i32| {
            let batch = TestBatch {
                record_count: Some(count),
                ..batch.clone()
            };
            decode(&batch.encode()).unwrap_err()
        };
        assert!(matches!(
            counted(i32::MAX),
            DamageReason::RecordCount { .. }
        ));
        assert_eq!(counted(4), DamageReason::Record(3));
        assert!(matches!(counted(2), DamageReason::TrailingBytes(_)));
        assert!(matches!(counted(0), DamageReason::TrailingBytes(_)));

        let mut block = RecordBlock::default();
        let mut decoder = RecordDecoder::new(1 << 20);
        let good = batch.encode();
        let bad = batch.encode_with(&[batch.encode_records(), vec![0]].concat());
        for (bytes, is_good) in [(&good, true), (&bad, false), (&good, true)] {
            let before = (block.bytes.len(), block.slots.len(), block.batches.len());
            let result = decoder.decode_into(&only_batch(bytes), &(0..9), u32::MAX, &mut block);
            assert_eq!(result.is_ok(), is_good);
            if !is_good {
                let after = (block.bytes.len(), block.slots.len(), block.batches.len());
                assert_eq!(after, before);
            }
        }
        assert_eq!(block.slots.len(), 6);
        assert_eq!(block.slots[5].batch, 1);
    }

    #[test]
    fn headers_that_do_not_add_up_mark_the_record_alone() {
        let mut record = vec![0, 0, 0, 1, 1];
        push_varlong(&mut record, 2);
        record.extend([2, b'h', 1]);
        let mut payload = Vec::new();
        push_varlong(&mut payload, i64::try_from(record.len()).unwrap());
        payload.extend(record);
        let batch = TestBatch {
            record_count: Some(1),
            ..TestBatch::default()
        };
        let block = decode(&batch.encode_with(&payload)).unwrap();
        assert_eq!(block.slots[0].defect, Some(RecordDefect::InvalidHeaders));
        assert!(block.views().next().unwrap().headers().is_none());
    }

    #[test]
    fn a_batch_above_the_limit_is_damaged() {
        let mut batch = TestBatch::of_records(0, 1);
        batch.records[0].value = Some(vec![0; 2 << 20]);
        for codec in 0..5 {
            batch.attributes = codec;
            let error = decode(&batch.encode()).unwrap_err();
            assert_eq!(error, DamageReason::TooLarge(1 << 20), "{codec}");
        }
    }

    #[test]
    fn an_empty_batch_that_compaction_left_has_a_stamp_and_no_records() {
        let batch = TestBatch {
            last_offset_delta: Some(4),
            ..TestBatch::default()
        };
        let block = decode(&batch.encode_with(&[])).unwrap();
        assert_eq!((block.slots.len(), block.batches[0].last_offset), (0, 4));
    }
}
