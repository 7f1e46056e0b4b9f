//! Message sets of magic 0 and 1: a checksum each, compressed ones wrapped in another message.

use crate::record::{BatchStamp, RecordBlock, Span, TimestampType};

use super::compression::Codec;
use super::cursor::Cursor;
use super::damage::DamageReason;
use super::header::{BatchHeader, Parsed, Prefix};
use super::reader::RecordBatch;
use super::records::{Placement, RecordDecoder, set_timestamp};

const LOG_APPEND_TIME: i8 = 1 << 3;
const NO_TIMESTAMP: i64 = -1;

/// One message, from its magic on.
struct Message<'a> {
    crc: u32,
    magic: i8,
    attributes: i8,
    timestamp_millis: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Takes a message apart and checks it.
    fn parse(body: &'a [u8]) -> Result<Self, DamageReason> {
        let mut cursor = Cursor::new(body);
        let crc = cursor.u32().ok_or(DamageReason::Header)?;
        let computed = crc32fast::hash(cursor.rest());
        if crc != computed {
            return Err(DamageReason::Checksum {
                stored: crc,
                computed,
            });
        }
        let message = Self::take(crc, &mut cursor).ok_or(DamageReason::Record(0))?;
        match cursor.remaining() {
            0 => Ok(message),
            left => Err(DamageReason::TrailingBytes(left)),
        }
    }

    fn take(crc: u32, cursor: &mut Cursor<'a>) -> Option<Self> {
        let magic = cursor.i8()?;
        let attributes = cursor.i8()?;
        let timestamp_millis = match magic {
            0 => NO_TIMESTAMP,
            _ => cursor.i64()?,
        };
        let mut take_payload = || {
            let length = cursor.i32()?;
            Some(match usize::try_from(length) {
                Ok(length) => Some(cursor.take(length)?),
                Err(_) => None,
            })
        };
        Some(Self {
            crc,
            magic,
            attributes,
            timestamp_millis,
            key: take_payload()?,
            value: take_payload()?,
        })
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.magic {
            0 => TimestampType::Unrecorded,
            _ if self.attributes & LOG_APPEND_TIME != 0 => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }
}

/// Takes apart a message of magic 0 or 1, which `body` holds behind offset and length.
pub(super) fn parse<'a>(prefix: &Prefix, magic: i8, body: &'a [u8]) -> Parsed<'a> {
    let offset = prefix.base_offset;
    let offsets = (offset >= prefix.floor && offset < i64::MAX).then(|| offset..offset + 1);
    let damaged = |reason| Parsed::Damaged {
        size: Some(prefix.size),
        offsets: offsets.clone(),
        reason,
    };
    let message = match Message::parse(body) {
        Ok(message) => message,
        Err(reason) => return damaged(reason),
    };
    if offsets.is_none() {
        return damaged(DamageReason::OffsetOrder(offset, prefix.floor));
    }
    let codec = match Codec::from_attributes(i16::from(message.attributes)) {
        Ok(codec) => codec,
        Err(codec) => return damaged(DamageReason::Codec(codec)),
    };
    let is_wrapper = codec != Codec::None;
    let payload = if is_wrapper {
        message.value.unwrap_or_default()
    } else {
        body
    };
    Parsed::Batch {
        header: BatchHeader {
            position: prefix.position,
            magic,
            codec,
            timestamp_type: message.timestamp_type(),
            base_timestamp: message.timestamp_millis,
            max_timestamp: message.timestamp_millis,
            has_delete_horizon: false,
            is_control: false,
            stamp: BatchStamp {
                base_offset: if is_wrapper { prefix.floor } else { offset },
                last_offset: offset,
                crc: message.crc,
                length: prefix.stamped_length(),
                record_count: i32::from(!is_wrapper),
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                leader_epoch: -1,
                is_transactional: false,
                is_aborted: None,
            },
        },
        payload,
        size: prefix.size,
    }
}

/// Appends the records of one message or of one compressed message set to `block`.
pub(super) fn append(
    decoder: &mut RecordDecoder,
    batch: &RecordBatch<'_>,
    placed: &Placement,
    block: &mut RecordBlock,
) -> Result<BatchStamp, DamageReason> {
    let RecordBatch { header, payload } = batch;
    if header.codec == Codec::None {
        return append_message(header, payload, placed, block);
    }
    let start = block.bytes.len();
    decoder.unpack(header, payload, &mut block.bytes)?;
    let first_slot = block.slots.len();
    let RecordBlock { bytes, slots, .. } = block;
    let set = bytes.get(start..).unwrap_or_default();
    let mut cursor = Cursor::new(set);
    let mut record_count = 0_i32;
    let mut inner_floor = 0;
    while cursor.remaining() > 0 {
        let damaged = || DamageReason::Record(record_count);
        let inner_offset = cursor.i64().ok_or_else(damaged)?;
        let length = cursor.i32().ok_or_else(damaged)?;
        let length = usize::try_from(length).map_err(|_| damaged())?;
        let body = cursor.take(length).ok_or_else(damaged)?;
        let message = Message::parse(body)?;
        let is_plain = Codec::from_attributes(message.attributes.into()) == Ok(Codec::None);
        if !is_plain || message.magic != header.magic || inner_offset < inner_floor {
            return Err(damaged());
        }
        inner_floor = inner_offset.checked_add(1).ok_or_else(damaged)?;
        let end = start + set.len() - cursor.remaining();
        let mut slot = placed.slot(inner_offset);
        (slot.key, slot.value) = payload_spans(&message, end);
        slot.headers = Span::new(end, end);
        // The broker's clock stamps the wrapper alone.
        let millis = match header.timestamp_type {
            TimestampType::LogAppendTime => header.max_timestamp,
            TimestampType::CreateTime | TimestampType::Unrecorded | TimestampType::Database => {
                message.timestamp_millis
            }
        };
        set_timestamp(&mut slot, millis, header.timestamp_type);
        slots.push(slot);
        record_count = record_count.checked_add(1).ok_or_else(damaged)?;
    }
    let base = base_of_inner_offsets(header, inner_floor - 1)?;
    let mut stamp = header.stamp;
    stamp.record_count = record_count;
    let added = slots.get_mut(first_slot..).unwrap_or_default();
    for slot in &mut *added {
        slot.offset += base;
        slot.position = u64::try_from(slot.offset).unwrap_or_default();
    }
    stamp.base_offset = added.first().map_or(stamp.last_offset, |slot| slot.offset);
    if stamp.base_offset < header.stamp.base_offset {
        let due = header.stamp.base_offset;
        return Err(DamageReason::OffsetOrder(stamp.base_offset, due));
    }
    drop_unwanted(block, first_slot, placed);
    Ok(stamp)
}

fn append_message(
    header: &BatchHeader,
    body: &[u8],
    placed: &Placement,
    block: &mut RecordBlock,
) -> Result<BatchStamp, DamageReason> {
    let offset = header.stamp.base_offset;
    if placed.wanted.contains(&offset) {
        let message = Message::parse(body)?;
        block.bytes.extend_from_slice(body);
        let end = block.bytes.len();
        let mut slot = placed.slot(offset);
        (slot.key, slot.value) = payload_spans(&message, end);
        slot.headers = Span::new(end, end);
        set_timestamp(&mut slot, header.max_timestamp, header.timestamp_type);
        block.slots.push(slot);
    }
    Ok(header.stamp)
}

/// Returns where key and value are in a block whose bytes up to `end` are the message.
fn payload_spans(message: &Message<'_>, end: usize) -> (Span, Span) {
    let value_bytes = message.value.map_or(0, <[u8]>::len);
    let span = |payload: Option<&[u8]>, end: usize| match payload {
        Some(payload) => Span::new(end - payload.len(), end),
        None => Span::NULL,
    };
    let key_end = end - value_bytes - 4;
    (span(message.key, key_end), span(message.value, end))
}

/// Returns what to add to the offsets inside a compressed message set: magic 1 counts from its
/// first record, and the wrapper has the offset of the last.
fn base_of_inner_offsets(header: &BatchHeader, last_inner: i64) -> Result<i64, DamageReason> {
    let last_offset = header.stamp.last_offset;
    if last_inner < 0 {
        return Err(DamageReason::RecordCount { count: 0, bytes: 0 });
    }
    let base = match header.magic {
        0 => 0,
        _ => last_offset - last_inner,
    };
    if base < 0 || base + last_inner > last_offset {
        return Err(DamageReason::OffsetOrder(last_inner, last_offset));
    }
    Ok(base)
}

fn drop_unwanted(block: &mut RecordBlock, first_slot: usize, placed: &Placement) {
    let is_wanted = |offset: i64| placed.wanted.contains(&offset);
    let added = block.slots.get(first_slot..).unwrap_or_default();
    if added.iter().all(|slot| is_wanted(slot.offset)) {
        return;
    }
    let mut index = 0;
    block.slots.retain(|slot| {
        index += 1;
        index <= first_slot || is_wanted(slot.offset)
    });
}

#[cfg(test)]
mod tests {
    use super::super::batch_encoder::{TestMessage, pack, pack_snappy_java};
    use super::super::reader::{BatchEvent, BatchReader};
    use super::*;
    use crate::record::{Payload, RecordView};

    fn message(magic: i8, offset: i64, value: &[u8]) -> TestMessage {
        TestMessage {
            magic,
            offset,
            timestamp_millis: 500 + offset,
            key: Some(b"key".to_vec()),
            value: Some(value.to_vec()),
            ..TestMessage::default()
        }
    }

    fn wrapper(magic: i8, codec: i8, offset: i64, inner: &[TestMessage]) -> TestMessage {
        let set: Vec<u8> = inner.iter().flat_map(TestMessage::encode).collect();
        TestMessage {
            magic,
            offset,
            attributes: codec,
            timestamp_millis: 900,
            key: None,
            value: Some(pack(codec.into(), &set)),
        }
    }

    fn decode_all(bytes: &[u8]) -> Result<RecordBlock, DamageReason> {
        let mut block = RecordBlock::default();
        let mut decoder = RecordDecoder::new(1 << 20);
        for event in BatchReader::new(bytes, 0) {
            match event {
                BatchEvent::Data(batch) => {
                    decoder.decode_into(&batch, &(0..i64::MAX), 0, &mut block)?;
                }
                BatchEvent::Damaged(damaged) => return Err(damaged.reason),
                BatchEvent::Control { .. } | BatchEvent::Incomplete { .. } => panic!("{event:?}"),
            }
        }
        Ok(block)
    }

    fn seen(block: &RecordBlock) -> Vec<(i64, Vec<u8>)> {
        let views = block.views();
        views
            .map(|view| {
                assert_eq!(view.key(), Payload::Bytes(b"key"));
                assert_eq!(view.headers().unwrap().encoded(), b"");
                (
                    view.offset().unwrap(),
                    view.value().bytes().unwrap().to_vec(),
                )
            })
            .collect()
    }

    #[test]
    fn plain_messages_have_their_own_offsets_and_timestamps() {
        let set: Vec<u8> = [message(0, 4, b"a"), message(1, 7, b"bc")]
            .iter()
            .flat_map(TestMessage::encode)
            .collect();
        let block = decode_all(&set).unwrap();
        assert_eq!(seen(&block), [(4, b"a".to_vec()), (7, b"bc".to_vec())]);
        let timestamps: Vec<_> = block.views().map(RecordView::timestamp).collect();
        assert_eq!(timestamps[0], None);
        assert_eq!(timestamps[1].unwrap().millis, 507);
        assert_eq!(block.batches[1].record_count, 1);
        assert_eq!(block.batches[1].producer_id, -1);
    }

    #[test]
    fn wrapped_offsets_are_absolute_in_magic_0_and_relative_in_magic_1() {
        for codec in 1..=3 {
            let absolute = [message(0, 10, b"a"), message(0, 12, b"b")];
            let relative = [message(1, 0, b"a"), message(1, 2, b"b")];
            for wrapped in [
                wrapper(0, codec, 12, &absolute),
                wrapper(1, codec, 12, &relative),
            ] {
                let block = decode_all(&wrapped.encode()).unwrap();
                assert_eq!(seen(&block), [(10, b"a".to_vec()), (12, b"b".to_vec())]);
                let stamp = block.batches[0];
                assert_eq!(
                    (stamp.base_offset, stamp.last_offset, stamp.record_count),
                    (10, 12, 2)
                );
            }
        }
    }

    #[test]
    fn the_broker_clock_stamps_the_wrapper_of_magic_1() {
        let inner = [message(1, 0, b"a"), message(1, 1, b"b")];
        let mut wrapped = wrapper(1, 2, 1, &inner);
        let of = |block: &RecordBlock| {
            let times = block.views().map(|view| view.timestamp().unwrap());
            times
                .map(|time| (time.millis, time.timestamp_type))
                .collect::<Vec<_>>()
        };
        let create = TimestampType::CreateTime;
        let block = decode_all(&wrapped.encode()).unwrap();
        assert_eq!(of(&block), [(500, create), (501, create)]);
        wrapped.attributes |= LOG_APPEND_TIME;
        let block = decode_all(&wrapped.encode()).unwrap();
        assert_eq!(of(&block), [(900, TimestampType::LogAppendTime); 2]);
    }

    #[test]
    fn snappy_java_and_the_old_lz4_checksum_are_read() {
        let inner = [message(0, 0, b"a"), message(0, 1, b"b")];
        let set: Vec<u8> = inner.iter().flat_map(TestMessage::encode).collect();
        let mut java = wrapper(0, 2, 1, &inner);
        java.value = Some(pack_snappy_java(&set, 16));
        assert_eq!(decode_all(&java.encode()).unwrap().slots.len(), 2);
        let mut old = wrapper(0, 3, 1, &inner);
        old.value.as_mut().unwrap()[6] ^= 0x55;
        assert_eq!(decode_all(&old.encode()).unwrap().slots.len(), 2);
    }

    #[test]
    fn only_wanted_records_of_a_wrapper_are_kept() {
        let inner: Vec<_> = (0..5).map(|offset| message(1, offset, b"v")).collect();
        let bytes = wrapper(1, 1, 104, &inner).encode();
        let mut block = RecordBlock::default();
        for event in BatchReader::new(&bytes, 0) {
            let BatchEvent::Data(batch) = event else {
                panic!("{event:?}")
            };
            RecordDecoder::new(1 << 20)
                .decode_into(&batch, &(102..104), 0, &mut block)
                .unwrap();
        }
        let offsets: Vec<_> = block.slots.iter().map(|slot| slot.offset).collect();
        assert_eq!(offsets, [102, 103]);
    }

    #[test]
    fn wrappers_in_wrappers_other_magics_and_wrong_checksums_are_damage() {
        let inner = wrapper(1, 1, 0, &[message(1, 0, b"a")]);
        let nested = wrapper(1, 1, 0, &[inner]);
        assert_eq!(
            decode_all(&nested.encode()).unwrap_err(),
            DamageReason::Record(0)
        );
        let mixed = wrapper(1, 1, 0, &[message(0, 0, b"a")]);
        assert_eq!(
            decode_all(&mixed.encode()).unwrap_err(),
            DamageReason::Record(0)
        );
        let empty = wrapper(1, 1, 3, &[]);
        assert!(decode_all(&empty.encode()).is_err());
        let below = wrapper(1, 1, 0, &[message(1, 0, b"a"), message(1, 1, b"b")]);
        assert!(matches!(
            decode_all(&below.encode()).unwrap_err(),
            DamageReason::OffsetOrder(..)
        ));
        let mut flipped = message(1, 0, b"abc").encode();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(
            decode_all(&flipped).unwrap_err(),
            DamageReason::Checksum { .. }
        ));
    }
}
