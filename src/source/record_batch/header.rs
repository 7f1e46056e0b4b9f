//! The header of a record batch: parsed, checked and taken off the front of some bytes.

use std::ops::Range;

use crate::record::{BatchStamp, TimestampType};

use super::compression::Codec;
use super::cursor::Cursor;
use super::damage::DamageReason;
use super::legacy;

/// Base offset and length, which precede every batch.
const PREFIX_BYTES: usize = 12;
/// How far the byte that tells the format is from the start.
const MAGIC_END: usize = 17;
/// The smallest length there is: a message of magic 0 with neither key nor value.
const LENGTH_MIN: i32 = 14;

const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// What the header of a record batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Where the batch starts, in bytes.
    pub position: u64,
    /// Format: 2, or 0 and 1 for the message sets before it.
    pub magic: i8,
    /// How the records are compressed.
    pub codec: Codec,
    /// Who set the records' timestamps.
    pub timestamp_type: TimestampType,
    /// What the records' timestamps are relative to: the first of them, or the delete horizon.
    pub base_timestamp: i64,
    /// The latest timestamp.
    pub max_timestamp: i64,
    /// Whether the base timestamp is the time from which tombstones may go (KIP-534).
    pub has_delete_horizon: bool,
    /// Whether the batch holds transaction markers instead of records.
    pub is_control: bool,
    /// Offsets, checksum and producer. In a compressed message set the base offset is only a
    /// lower bound and the record count 0; decoding tells.
    pub stamp: BatchStamp,
}

impl BatchHeader {
    /// Returns the offsets that the batch covers, holes of compaction included.
    pub fn offsets(&self) -> Range<i64> {
        self.stamp.base_offset..self.stamp.last_offset.saturating_add(1)
    }
}

/// What a control batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlMarker {
    /// The transaction was aborted.
    Abort,
    /// The transaction was committed.
    Commit,
    /// A marker of another type, as in the cluster's metadata log.
    Other(i16),
}

impl ControlMarker {
    /// Returns the marker that a control record's key stands for.
    pub(super) fn from_key(key: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(key);
        let _version = cursor.i16()?;
        Some(match cursor.i16()? {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }
}

/// Returns the sequence of the record `offset_delta` after the first of a batch: it starts again
/// at 0 after the largest, and stays −1 without idempotence.
pub fn sequence_at(base_sequence: i32, offset_delta: i32) -> i32 {
    if base_sequence < 0 {
        return base_sequence;
    }
    base_sequence.wrapping_add(offset_delta) & i32::MAX
}

/// What some bytes start with.
pub(super) enum Parsed<'a> {
    /// A batch that passes its checks.
    Batch {
        header: BatchHeader,
        payload: &'a [u8],
        size: usize,
    },
    /// The start of a batch of `needed` bytes, as far as that is known.
    Incomplete { needed: usize },
    /// A batch that fails them. `size` is missing where it cannot be trusted at all.
    Damaged {
        size: Option<usize>,
        offsets: Option<Range<i64>>,
        reason: DamageReason,
    },
}

impl Parsed<'_> {
    fn damaged(size: usize, offsets: Option<Range<i64>>, reason: DamageReason) -> Self {
        Self::Damaged {
            size: Some(size),
            offsets,
            reason,
        }
    }
}

/// Takes apart what `bytes` start with; no offset below `floor` can come.
pub(super) fn parse(bytes: &[u8], position: u64, floor: i64) -> Parsed<'_> {
    let mut cursor = Cursor::new(bytes);
    let (Some(base_offset), Some(length)) = (cursor.i64(), cursor.i32()) else {
        let needed = PREFIX_BYTES;
        return Parsed::Incomplete { needed };
    };
    let body_bytes = match usize::try_from(length) {
        Ok(body_bytes) if length >= LENGTH_MIN => body_bytes,
        _ => {
            let reason = match length {
                0 if bytes.iter().all(|&byte| byte == 0) => DamageReason::Zeros,
                _ => DamageReason::Length(length),
            };
            return Parsed::Damaged {
                size: None,
                offsets: None,
                reason,
            };
        }
    };
    let size = PREFIX_BYTES + body_bytes;
    let Some(body) = cursor.take(body_bytes) else {
        return Parsed::Incomplete { needed: size };
    };
    let prefix = Prefix {
        position,
        base_offset,
        size,
        floor,
    };
    match bytes.get(MAGIC_END - 1).copied().map(u8::cast_signed) {
        Some(2) => parse_v2(&prefix, body),
        Some(magic @ (0 | 1)) => legacy::parse(&prefix, magic, body),
        magic => Parsed::damaged(size, None, DamageReason::Magic(magic.unwrap_or(-1))),
    }
}

/// What is known of a batch before its format is.
pub(super) struct Prefix {
    pub(super) position: u64,
    pub(super) base_offset: i64,
    pub(super) size: usize,
    pub(super) floor: i64,
}

impl Prefix {
    /// Returns the size of the batch as it is stamped.
    pub(super) fn stamped_length(&self) -> i32 {
        i32::try_from(self.size).unwrap_or(i32::MAX)
    }
}

fn parse_v2<'a>(prefix: &Prefix, body: &'a [u8]) -> Parsed<'a> {
    let size = prefix.size;
    let Some(fields) = FieldsV2::take(body) else {
        let length = i32::try_from(body.len()).unwrap_or(i32::MAX);
        return Parsed::Damaged {
            size: None,
            offsets: None,
            reason: DamageReason::Length(length),
        };
    };
    let offsets = fields.offsets(prefix);
    let computed = crc32c::crc32c(fields.checked);
    if computed != fields.crc {
        let reason = DamageReason::Checksum {
            stored: fields.crc,
            computed,
        };
        return Parsed::damaged(size, offsets, reason);
    }
    if prefix.base_offset < prefix.floor {
        let reason = DamageReason::OffsetOrder(prefix.base_offset, prefix.floor);
        return Parsed::damaged(size, None, reason);
    }
    let Some(offsets) = offsets.filter(|_| fields.record_count >= 0) else {
        return Parsed::damaged(size, None, DamageReason::Header);
    };
    let codec = match Codec::from_attributes(fields.attributes) {
        Ok(codec) => codec,
        Err(codec) => {
            return Parsed::damaged(size, Some(offsets), DamageReason::Codec(codec));
        }
    };
    Parsed::Batch {
        header: fields.header(prefix, codec, offsets.end - 1),
        payload: fields.payload,
        size,
    }
}

/// The fields of a magic-2 header, as they come.
struct FieldsV2<'a> {
    leader_epoch: i32,
    crc: u32,
    checked: &'a [u8],
    attributes: i16,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    record_count: i32,
    payload: &'a [u8],
}

impl<'a> FieldsV2<'a> {
    fn take(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let leader_epoch = cursor.i32()?;
        let _magic = cursor.i8()?;
        let crc = cursor.u32()?;
        let checked = cursor.rest();
        Some(Self {
            leader_epoch,
            crc,
            checked,
            attributes: cursor.i16()?,
            last_offset_delta: cursor.i32()?,
            base_timestamp: cursor.i64()?,
            max_timestamp: cursor.i64()?,
            producer_id: cursor.i64()?,
            producer_epoch: cursor.i16()?,
            base_sequence: cursor.i32()?,
            record_count: cursor.i32()?,
            payload: cursor.rest(),
        })
    }

    /// Returns the offsets that the batch covers, if its fields can be true.
    fn offsets(&self, prefix: &Prefix) -> Option<Range<i64>> {
        let is_possible = self.last_offset_delta >= 0 && prefix.base_offset >= prefix.floor;
        let end = prefix
            .base_offset
            .checked_add(i64::from(self.last_offset_delta))?
            .checked_add(1)?;
        is_possible.then_some(prefix.base_offset..end)
    }

    fn header(&self, prefix: &Prefix, codec: Codec, last_offset: i64) -> BatchHeader {
        let has = |flag: i16| self.attributes & flag != 0;
        BatchHeader {
            position: prefix.position,
            magic: 2,
            codec,
            timestamp_type: if has(LOG_APPEND_TIME) {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            has_delete_horizon: has(DELETE_HORIZON),
            is_control: has(CONTROL),
            stamp: BatchStamp {
                base_offset: prefix.base_offset,
                last_offset,
                crc: self.crc,
                length: prefix.stamped_length(),
                record_count: self.record_count,
                producer_id: self.producer_id,
                producer_epoch: self.producer_epoch,
                base_sequence: self.base_sequence,
                leader_epoch: self.leader_epoch,
                is_transactional: has(TRANSACTIONAL),
                is_aborted: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_start_again_at_zero_and_minus_one_stays() {
        assert_eq!(sequence_at(5, 2), 7);
        assert_eq!(sequence_at(i32::MAX, 0), i32::MAX);
        assert_eq!(sequence_at(i32::MAX, 1), 0);
        assert_eq!(sequence_at(i32::MAX, 2), 1);
        assert_eq!(sequence_at(-1, 2), -1);
    }
}
