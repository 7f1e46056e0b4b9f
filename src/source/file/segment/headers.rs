//! Looks at the headers of a segment's batches alone, for the transactions in it.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::source::StopFlag;
use crate::source::file::revisit::read_at;
use crate::source::file::segment::batches::{BatchWalk, Piece};
use crate::source::file::segment::transactions::Transactions;
use crate::source::record_batch::{BatchEvent, BatchReader};

/// Bytes read at a time; small batches share them.
const WINDOW_BYTES: usize = 8 * 1024;
/// Bytes of a header of magic 2.
const HEADER_BYTES: usize = 61;
/// No control batch is larger.
const CONTROL_BYTES_MAX: u64 = 64 * 1024;
/// Batches between two looks at the stop flag.
const STOP_INTERVAL: u32 = 4096;

const TRANSACTIONAL: u8 = 1 << 4;
const CONTROL: u8 = 1 << 5;

/// What the headers of one segment tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// First offset.
    pub(super) first_offset: Option<i64>,
    /// Offset behind the last batch.
    pub(super) end_offset: i64,
    /// Whether offsets are missing between or within batches, as compaction leaves them.
    pub(super) has_holes: bool,
}

/// Notes the transactions of a segment and returns its outline. Where the headers do not fit
/// together, whole batches are read from there on, and their checksums decide.
pub(super) fn scan(
    file: &Arc<File>,
    length: u64,
    transactions: &mut Transactions,
    stop: &StopFlag,
) -> io::Result<Outline> {
    let mut walk = HeaderWalk {
        file,
        length,
        window: Vec::new(),
        window_start: 0,
        outline: Outline::default(),
    };
    let mut place = (0, 0);
    let mut batches = 0_u32;
    while place.0 < length {
        batches = batches.wrapping_add(1);
        if batches.is_multiple_of(STOP_INTERVAL) && stop.is_stopped() {
            break;
        }
        let Some(next) = walk.step(place, transactions)? else {
            walk.read_whole(place, transactions, stop)?;
            break;
        };
        place = next;
    }
    Ok(walk.outline)
}

struct HeaderWalk<'a> {
    file: &'a Arc<File>,
    length: u64,
    window: Vec<u8>,
    window_start: u64,
    outline: Outline,
}

/// What a header says, unchecked.
struct Header {
    base_offset: i64,
    size: u64,
    magic: u8,
    attributes: u8,
    offset_delta: i32,
    producer_id: i64,
    record_count: i32,
}

impl HeaderWalk<'_> {
    /// Passes one batch and returns what comes behind it; nothing where it cannot be true.
    fn step(
        &mut self,
        (position, floor): (u64, i64),
        transactions: &mut Transactions,
    ) -> io::Result<Option<(u64, i64)>> {
        let Some(header) = self.header(position)? else {
            return Ok(None);
        };
        let end = position + header.size;
        let last = header
            .base_offset
            .checked_add(i64::from(header.offset_delta));
        let Some(end_offset) = last.and_then(|last| last.checked_add(1)) else {
            return Ok(None);
        };
        let is_true = header.base_offset >= floor && header.magic <= 2 && header.offset_delta >= 0;
        if !is_true || end > self.length || !self.may_follow(end, end_offset)? {
            return Ok(None);
        }
        if header.magic == 2 && header.attributes & CONTROL != 0 {
            if header.size > CONTROL_BYTES_MAX
                || !self.note_marker(position, &header, transactions)?
            {
                return Ok(None);
            }
        } else if header.magic == 2 && header.attributes & TRANSACTIONAL != 0 {
            transactions.note_unchecked(header.producer_id);
        }
        self.outline.note(header.base_offset, end_offset);
        self.outline.has_holes |= header.magic == 2
            && i64::from(header.record_count) != i64::from(header.offset_delta) + 1;
        Ok(Some((end, end_offset)))
    }

    /// Returns whether the next batch may start at `end`: a false length leads elsewhere.
    fn may_follow(&mut self, end: u64, floor: i64) -> io::Result<bool> {
        if end == self.length {
            return Ok(true);
        }
        Ok(self
            .header(end)?
            .is_some_and(|next| next.base_offset >= floor && next.magic <= 2))
    }

    fn header(&mut self, position: u64) -> io::Result<Option<Header>> {
        if !self.holds(position) {
            self.window.resize(WINDOW_BYTES, 0);
            let count = read_at(self.file, &mut self.window, position)?;
            self.window.truncate(count);
            self.window_start = position;
        }
        let place = usize::try_from(position - self.window_start).unwrap_or(usize::MAX);
        Ok(Header::take(self.window.get(place..).unwrap_or_default()))
    }

    fn holds(&self, position: u64) -> bool {
        let place = position.checked_sub(self.window_start);
        let place = place.and_then(|place| usize::try_from(place).ok());
        place.is_some_and(|place| place.saturating_add(HEADER_BYTES) <= self.window.len())
    }

    /// Notes a marker, whose batch is read whole; returns false where it is damaged.
    fn note_marker(
        &self,
        position: u64,
        header: &Header,
        transactions: &mut Transactions,
    ) -> io::Result<bool> {
        let mut bytes = vec![0; usize::try_from(header.size).unwrap_or_default()];
        let count = read_at(self.file, &mut bytes, position)?;
        bytes.truncate(count);
        match BatchReader::new(&bytes, position).next() {
            Some(BatchEvent::Control { header, marker }) => {
                transactions.note_marker(
                    header.stamp.producer_id,
                    header.stamp.base_offset,
                    marker,
                );
                Ok(true)
            }
            Some(BatchEvent::Data(_) | BatchEvent::Damaged(_) | BatchEvent::Incomplete { .. })
            | None => Ok(false),
        }
    }

    /// Reads whole batches from a place on.
    fn read_whole(
        &mut self,
        place: (u64, i64),
        transactions: &mut Transactions,
        stop: &StopFlag,
    ) -> io::Result<()> {
        const CHUNK_BYTES: usize = 1024 * 1024;
        let mut walk = BatchWalk::new(Arc::clone(self.file), self.length, place, CHUNK_BYTES);
        let (mut bytes, mut pieces) = (Vec::new(), Vec::new());
        while walk.place().0 < self.length && !stop.is_stopped() {
            walk.next_chunk(&mut bytes, &mut pieces)?;
            for piece in &pieces {
                match piece {
                    Piece::Data { header, .. } => {
                        transactions.note_records(&header.stamp);
                        self.outline
                            .note(header.offsets().start, header.offsets().end);
                    }
                    Piece::Control { header, marker } => {
                        transactions.note_marker(
                            header.stamp.producer_id,
                            header.stamp.base_offset,
                            *marker,
                        );
                        self.outline
                            .note(header.offsets().start, header.offsets().end);
                    }
                    Piece::Damaged(_) => {}
                }
            }
        }
        Ok(())
    }
}

impl Outline {
    fn note(&mut self, base_offset: i64, end_offset: i64) {
        if self.first_offset.is_none() {
            self.first_offset = Some(base_offset);
        } else {
            self.has_holes |= base_offset > self.end_offset;
        }
        self.end_offset = end_offset;
    }
}

impl Header {
    /// Takes a header apart; nothing where it is cut or has an impossible length.
    fn take(bytes: &[u8]) -> Option<Self> {
        const LENGTH_MIN: u64 = 14;
        let i32_at = |place: usize| {
            let field = bytes.get(place..)?.first_chunk::<4>()?;
            Some(i32::from_be_bytes(*field))
        };
        let i64_at = |place: usize| {
            let field = bytes.get(place..)?.first_chunk::<8>()?;
            Some(i64::from_be_bytes(*field))
        };
        let base_offset = i64_at(0)?;
        let length = u64::try_from(i32_at(8)?).ok()?;
        let magic = *bytes.get(16)?;
        if length < LENGTH_MIN {
            return None;
        }
        let mut header = Self {
            base_offset,
            size: length + 12,
            magic,
            attributes: 0,
            offset_delta: 0,
            producer_id: -1,
            record_count: 1,
        };
        if magic == 2 {
            header.attributes = *bytes.get(22)?;
            header.offset_delta = i32_at(23)?;
            header.producer_id = i64_at(43)?;
            header.record_count = i32_at(57)?;
        }
        Some(header)
    }
}
