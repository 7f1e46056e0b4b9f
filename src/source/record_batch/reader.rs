//! Walks over the record batches in some bytes, whatever the bytes are.

use std::ops::Range;

use super::compression::{Codec, Unpacker};
use super::damage::DamageReason;
use super::header::{BatchHeader, ControlMarker, Parsed, parse};
use super::records::first_key;

/// A batch of records whose checksum is right, still packed.
#[derive(Clone, Copy, Debug)]
pub struct RecordBatch<'a> {
    /// What its header says.
    pub header: BatchHeader,
    /// The records as stored.
    pub(super) payload: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// Returns a batch that was taken apart before, without a second look at its checksum.
    pub(crate) fn from_parts(header: BatchHeader, payload: &'a [u8]) -> Self {
        Self { header, payload }
    }

    /// Returns the records as stored, which are the end of the batch.
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A batch that cannot be read, and was stepped over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBatch {
    /// Where it starts, in bytes.
    pub position: u64,
    /// Bytes stepped over.
    pub length: usize,
    /// Offsets that its header tells of, where the header can be true.
    pub offsets: Option<Range<i64>>,
    /// What is wrong with it.
    pub reason: DamageReason,
}

/// What comes next in the log.
#[derive(Clone, Debug)]
pub enum BatchEvent<'a> {
    /// Records.
    Data(RecordBatch<'a>),
    /// The end of a transaction.
    Control {
        /// The header: producer id, producer epoch, offset.
        header: BatchHeader,
        /// What the marker says; nothing where compaction removed it from its batch.
        marker: Option<ControlMarker>,
    },
    /// A batch that cannot be read.
    Damaged(DamagedBatch),
    /// The bytes end within a batch; this is the last event.
    Incomplete {
        /// Where the batch starts, in bytes.
        position: u64,
        /// Bytes of it that are there.
        available: usize,
        /// Bytes that it takes, or takes to know more.
        needed: usize,
    },
}

/// Walks over the record batches in some bytes. Where damage reaches their end and more bytes
/// follow, the walk is best begun again at the damage with more of them.
#[derive(Clone, Debug)]
pub struct BatchReader<'a> {
    rest: &'a [u8],
    position: u64,
    floor: i64,
    has_damage: bool,
}

impl<'a> BatchReader<'a> {
    /// Returns a reader of `bytes`, which start at `position` of the file or response.
    pub fn new(bytes: &'a [u8], position: u64) -> Self {
        Self {
            rest: bytes,
            position,
            floor: 0,
            has_damage: false,
        }
    }

    /// Sets the lowest offset that can come; batches below it are damaged.
    #[must_use]
    pub fn with_floor(self, floor: i64) -> Self {
        Self { floor, ..self }
    }

    /// Returns where the next batch starts, in bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the lowest offset that can come next.
    pub fn floor(&self) -> i64 {
        self.floor
    }

    fn advance(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.position += u64::try_from(length).unwrap_or(u64::MAX);
    }

    /// Returns where the damage ends: where the batch's length says if that may be true,
    /// otherwise at the next batch with a true checksum.
    fn damaged_length(&self, size: Option<usize>, floor: i64) -> usize {
        let after = size.and_then(|size| self.rest.get(size..));
        if let (Some(size), Some(after)) = (size, after) {
            let is_end = after.is_empty();
            if is_end || matches!(parse(after, 0, floor), Parsed::Batch { .. }) {
                return size;
            }
        }
        let later = self.rest.get(1..).unwrap_or_default();
        let found = find_batch(later, self.floor).map(|found| found + 1);
        match (size, after) {
            (Some(size), Some(after))
                if may_be_batch(after, floor) && found.is_none_or(|found| found > size) =>
            {
                size
            }
            _ => found.unwrap_or(self.rest.len()),
        }
    }

    fn step_over(
        &mut self,
        size: Option<usize>,
        offsets: Option<Range<i64>>,
        reason: DamageReason,
    ) -> DamagedBatch {
        let floor = offsets.as_ref().map_or(self.floor, |offsets| offsets.end);
        let length = self.damaged_length(size, floor);
        let after = self.rest.get(length..).unwrap_or_default();
        // A header that what follows belies tells of no offsets.
        let offsets = offsets.filter(|_| Some(length) == size && may_be_batch(after, floor));
        if offsets.is_some() {
            self.floor = floor;
        }
        self.has_damage = true;
        let position = self.position;
        self.advance(length);
        DamagedBatch {
            position,
            length,
            offsets,
            reason,
        }
    }
}

impl<'a> Iterator for BatchReader<'a> {
    type Item = BatchEvent<'a>;

    fn next(&mut self) -> Option<BatchEvent<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(match parse(self.rest, self.position, self.floor) {
            Parsed::Batch {
                header,
                payload,
                size,
            } => {
                self.floor = header.stamp.last_offset.saturating_add(1);
                self.advance(size);
                if header.is_control {
                    control_event(header, payload)
                } else {
                    BatchEvent::Data(RecordBatch { header, payload })
                }
            }
            // Behind damage, an end within a batch may be one more length that leads astray.
            Parsed::Incomplete { .. }
                if self.has_damage && find_batch(self.rest, self.floor).is_some() =>
            {
                let size = find_batch(self.rest, self.floor);
                let length = i32::try_from(self.rest.len()).unwrap_or(i32::MAX);
                BatchEvent::Damaged(self.step_over(size, None, DamageReason::Length(length)))
            }
            Parsed::Incomplete { needed } => {
                let (position, available) = (self.position, self.rest.len());
                self.advance(available);
                BatchEvent::Incomplete {
                    position,
                    available,
                    needed,
                }
            }
            Parsed::Damaged {
                size,
                offsets,
                reason,
            } => BatchEvent::Damaged(self.step_over(size, offsets, reason)),
        })
    }
}

fn control_event<'a>(header: BatchHeader, payload: &[u8]) -> BatchEvent<'a> {
    /// No marker is larger.
    const MARKER_BYTES_MAX: usize = 1 << 20;
    let mut unpacked = Vec::new();
    let records = match header.codec {
        Codec::None => Ok(payload),
        codec @ (Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd) => Unpacker::default()
            .unpack((codec, 2), payload, MARKER_BYTES_MAX, &mut unpacked)
            .map(|()| &*unpacked)
            .map_err(|error| error.into_reason(MARKER_BYTES_MAX)),
    };
    let marker = records.and_then(|records| {
        if header.stamp.record_count == 0 {
            return Ok(None);
        }
        let key = first_key(records).ok_or(DamageReason::Record(0))?;
        let marker = ControlMarker::from_key(key).ok_or(DamageReason::Record(0))?;
        Ok(Some(marker))
    });
    match marker {
        Ok(marker) => BatchEvent::Control { header, marker },
        Err(reason) => BatchEvent::Damaged(DamagedBatch {
            position: header.position,
            length: usize::try_from(header.stamp.length).unwrap_or(usize::MAX),
            offsets: Some(header.offsets()),
            reason,
        }),
    }
}

/// Returns whether a batch may start here, without a look at its checksum.
fn may_be_batch(bytes: &[u8], floor: i64) -> bool {
    match parse_prefix(bytes) {
        Some((offset, length, _)) => offset >= floor && length >= 14,
        // Too short to tell; the end of the bytes among them.
        None => true,
    }
}

fn parse_prefix(bytes: &[u8]) -> Option<(i64, i32, u8)> {
    let (offset, rest) = bytes.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let (magic, _) = rest.split_first()?;
    Some((
        i64::from_be_bytes(*offset),
        i32::from_be_bytes(*length),
        *magic,
    ))
}

/// Returns the offset behind the last whole batch in `bytes` by lengths and offsets alone; nothing
/// is checked, so it is good for a guess only.
pub fn peek_end(bytes: &[u8]) -> Option<i64> {
    let mut rest = bytes;
    let mut end = None;
    while let Some((offset, length, magic)) = parse_prefix(rest) {
        let size = usize::try_from(length).ok()?.saturating_add(12);
        let Some((batch, after)) = rest.split_at_checked(size) else {
            break;
        };
        let delta = match batch.get(23..).and_then(<[u8]>::first_chunk::<4>) {
            Some(delta) if magic == 2 => i32::from_be_bytes(*delta),
            _ => 0,
        };
        end = Some(offset.checked_add(i64::from(delta))?.checked_add(1)?);
        rest = after;
    }
    end
}

/// Returns how far into `bytes` the first whole batch with a true checksum starts.
pub fn find_batch(bytes: &[u8], floor: i64) -> Option<usize> {
    /// Bytes to checksum in all, so that hostile bytes cost a fixed multiple of their number.
    const CHECKED_FACTOR: usize = 8;
    /// Bytes to checksum at least: false lengths are many in few bytes.
    const CHECKED_BYTES_MIN: usize = 1 << 20;
    let budget = bytes.len().saturating_mul(CHECKED_FACTOR);
    let mut budget = budget.max(CHECKED_BYTES_MIN);
    for start in 0..bytes.len() {
        let candidate = bytes.get(start..)?;
        let (offset, length, magic) = parse_prefix(candidate)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if magic > 2 || offset < floor || length < 14 || length > candidate.len() {
            continue;
        }
        budget = budget.checked_sub(length)?;
        if let Parsed::Batch { .. } = parse(candidate, 0, floor) {
            return Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::batch_encoder::{TestBatch, TestMessage};
    use super::*;

    fn log() -> Vec<Vec<u8>> {
        (0..4)
            .map(|batch| TestBatch::of_records(batch * 5, 5).encode())
            .collect()
    }

    fn outline(bytes: &[u8]) -> Vec<String> {
        let describe = |event: BatchEvent<'_>| match event {
            BatchEvent::Data(batch) => format!("data {:?}", batch.header.offsets()),
            BatchEvent::Control { header, marker } => {
                format!(
                    "{marker:?} {} at {}",
                    header.stamp.producer_id, header.stamp.base_offset
                )
            }
            BatchEvent::Damaged(damaged) => {
                format!("damaged {:?} {} bytes", damaged.offsets, damaged.length)
            }
            BatchEvent::Incomplete { available, .. } => format!("incomplete {available}"),
        };
        BatchReader::new(bytes, 0).map(describe).collect()
    }

    #[test]
    fn a_flipped_byte_costs_its_batch_and_no_other() {
        let log = log();
        let size = log[0].len();
        // From the leader epoch on; offset and length are not under the checksum.
        for at in 16..size {
            let mut bytes = log.concat();
            bytes[size + at] ^= 0x5a;
            let outline = outline(&bytes);
            assert_eq!(outline.len(), 4, "{at} {outline:?}");
            assert!(outline[1].starts_with("damaged"), "{at} {outline:?}");
            assert_eq!(outline[0], "data 0..5");
            assert_eq!(outline[2..], ["data 10..15", "data 15..20"], "{at}");
        }
    }

    #[test]
    fn a_flipped_length_is_found_out_and_the_next_true_batch_read() {
        let log = log();
        let size = log[0].len();
        for at in 8..12 {
            for bit in 0..8 {
                let mut bytes = log.concat();
                bytes[size + at] ^= 1 << bit;
                let outline = outline(&bytes);
                assert_eq!(outline[0], "data 0..5");
                let is_cut = outline[1].starts_with("incomplete");
                let is_found = outline[1].starts_with("damaged")
                    && outline[2..] == ["data 10..15", "data 15..20"];
                assert!(is_cut || is_found, "{at} {bit} {outline:?}");
            }
        }
    }

    #[test]
    fn a_batch_below_an_earlier_one_is_damage() {
        let bytes = [
            TestBatch::of_records(10, 5).encode(),
            TestBatch::of_records(5, 5).encode(),
            TestBatch::of_records(15, 1).encode(),
        ];
        let outline = outline(&bytes.concat());
        assert!(outline[1].starts_with("damaged None"), "{outline:?}");
        assert_eq!(outline[2], "data 15..16");
    }

    #[test]
    fn a_cut_at_any_byte_is_incomplete_and_what_came_before_is_whole() {
        let log = log();
        let bytes = log.concat();
        let size = log[0].len();
        for end in 0..bytes.len() {
            let outline = outline(&bytes[..end]);
            let mut whole = 0;
            let mut left = end;
            for batch in &log {
                if left < batch.len() {
                    break;
                }
                left -= batch.len();
                whole += 1;
            }
            assert_eq!(outline.len(), whole + usize::from(left > 0), "{end} {size}");
            if left > 0 {
                assert_eq!(outline[whole], format!("incomplete {left}"));
            }
        }
    }

    #[test]
    fn markers_are_told_and_may_be_gone() {
        let gone = TestBatch {
            attributes: 0x30,
            base_offset: 2,
            ..TestBatch::default()
        };
        let bytes = [
            TestBatch::marker(0, 44, 0).encode(),
            TestBatch::marker(1, 45, 1).encode(),
            gone.encode_with(&[]),
            TestBatch::marker(3, 46, 9).encode(),
        ];
        assert_eq!(
            outline(&bytes.concat()),
            [
                "Some(Abort) 44 at 0",
                "Some(Commit) 45 at 1",
                "None -1 at 2",
                "Some(Other(9)) 46 at 3"
            ]
        );
    }

    #[test]
    fn zeros_of_a_segment_allocated_in_advance_are_named() {
        let bytes = [TestBatch::of_records(0, 1).encode(), vec![0; 4096]].concat();
        let last = BatchReader::new(&bytes, 0).last().unwrap();
        let BatchEvent::Damaged(damaged) = last else {
            panic!("{last:?}")
        };
        assert_eq!(
            (damaged.reason, damaged.length),
            (DamageReason::Zeros, 4096)
        );
    }

    #[test]
    fn unknown_codecs_and_formats_are_damage_with_their_reason() {
        let mut batch = TestBatch::of_records(0, 2);
        batch.attributes = 7;
        let mut other_magic = TestBatch::of_records(2, 1).encode();
        other_magic[16] = 3;
        let bytes = [
            batch.encode(),
            other_magic,
            TestBatch::of_records(3, 1).encode(),
        ];
        let bytes = bytes.concat();
        let reasons: Vec<_> = BatchReader::new(&bytes, 0)
            .map(|event| match event {
                BatchEvent::Damaged(damaged) => Some(damaged.reason),
                BatchEvent::Data(_)
                | BatchEvent::Control { .. }
                | BatchEvent::Incomplete { .. } => None,
            })
            .collect();
        let (codec, magic) = (DamageReason::Codec(7), DamageReason::Magic(3));
        assert_eq!(reasons, [Some(codec), Some(magic), None]);
    }

    #[test]
    fn message_sets_are_followed_by_record_batches() {
        let old = TestMessage {
            magic: 1,
            offset: 3,
            ..TestMessage::default()
        };
        let bytes = [old.encode(), TestBatch::of_records(4, 2).encode()];
        assert_eq!(outline(&bytes.concat()), ["data 3..4", "data 4..6"]);
    }
}
