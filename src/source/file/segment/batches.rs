//! Walks over the record batches of a segment, chunk by chunk, and past what is damaged.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::source::file::revisit::read_at;
use crate::source::file::unpack::length_u64;
use crate::source::record_batch::{
    BatchEvent, BatchHeader, BatchReader, Codec, ControlMarker, DamageReason, find_batch,
};

/// Larger batches than this are taken for damage: no broker is set up for them.
const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes that tell a batch's offset and format.
const HEADER_BYTES: usize = 17;
/// Bytes in which the next good batch is looked for at a time.
const SEARCH_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a search that the next one looks at again, for a batch that lies across its end.
const SEARCH_OVERLAP_BYTES: usize = 2 * 1024 * 1024;

/// What stands in a segment at one place.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// Records whose checksum is right, by their place in the chunk.
    Data {
        /// What their header says.
        header: BatchHeader,
        /// The records as stored.
        payload: Range<usize>,
    },
    /// The end of a transaction.
    Control {
        /// Producer and offset.
        header: BatchHeader,
        /// What it says.
        marker: Option<ControlMarker>,
    },
    /// What cannot be read.
    Damaged(DamagedPiece),
}

/// Bytes that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DamagedPiece {
    /// Where they start in the file.
    pub(super) position: u64,
    /// How many there are.
    pub(super) length: u64,
    /// Offsets that a header tells of, or that follow from what comes before and after.
    pub(super) offsets: Option<Range<i64>>,
    /// What is wrong.
    pub(super) kind: DamageKind,
}

/// What is wrong with bytes that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DamageKind {
    /// A record batch that fails its checks.
    Batch(DamageReason),
    /// The file ends within a record batch of so many bytes.
    Truncated(u64),
    /// Zeros up to the end of the file, as in a segment that is allocated in advance.
    Unused,
}

/// Gives out chunk after chunk of whole batches.
#[derive(Debug)]
pub(super) struct BatchWalk {
    file: Arc<File>,
    length: u64,
    position: u64,
    /// Where the chunk starts that is looked at.
    chunk_start: u64,
    floor: i64,
    chunk_bytes: usize,
}

/// Damage behind which no good batch came yet.
struct Guess {
    place: (u64, i64),
    /// Pieces before it.
    pieces: usize,
    reason: DamageReason,
}

/// Whether a batch has its true offset.
enum OffsetPlace {
    True,
    False,
    /// The next batch tells, and is not in the chunk.
    Unknown,
}

/// What a look at a chunk came to.
enum Look {
    /// All bytes are dealt with, up to this place and offset.
    Whole,
    /// A batch needs so many bytes from where it starts.
    Needs(usize),
    /// The header behind the chunk tells more.
    More,
    /// What is damaged may go on behind the chunk.
    Damaged(DamageReason),
}

impl BatchWalk {
    /// Starts at a batch, below whose offset `floor` nothing can come.
    pub(super) fn new(
        file: Arc<File>,
        length: u64,
        (position, floor): (u64, i64),
        chunk_bytes: usize,
    ) -> Self {
        Self {
            file,
            length,
            position,
            chunk_start: position,
            floor,
            chunk_bytes: chunk_bytes.max(64),
        }
    }

    /// Returns where the next chunk starts, and the lowest offset in it.
    pub(super) fn place(&self) -> (u64, i64) {
        (self.position, self.floor)
    }

    /// Fills `bytes` with the next chunk and `pieces` with what stands in it; both are empty at
    /// the end. Fails where the file cannot be read on, or is shorter than it was.
    pub(super) fn next_chunk(
        &mut self,
        bytes: &mut Vec<u8>,
        pieces: &mut Vec<Piece>,
    ) -> io::Result<()> {
        bytes.clear();
        pieces.clear();
        let mut wanted = self.chunk_bytes;
        let mut is_grown = false;
        while self.position < self.length {
            self.fill(bytes, wanted)?;
            let start = self.position;
            let is_last = start + length_u64(bytes.len()) == self.length;
            let look = self.look(bytes, pieces, is_last);
            if self.position > start {
                return Ok(());
            }
            match look {
                Look::Whole => return Ok(()),
                Look::Needs(needed) if needed <= BATCH_BYTES_MAX && !is_last => {
                    let rest = usize::try_from(self.length - start).unwrap_or(usize::MAX);
                    // The chunk is not the last: what it needs more than the rest is false.
                    if needed > rest {
                        return self.skip_damage(bytes, pieces, DamageKind::truncated(needed));
                    }
                    wanted = needed;
                }
                Look::More => wanted = bytes.len() + HEADER_BYTES,
                Look::Needs(needed) => {
                    return self.skip_damage(bytes, pieces, DamageKind::truncated(needed));
                }
                Look::Damaged(_) if !is_grown && !is_last => {
                    // One more batch in view shows where this one ends.
                    is_grown = true;
                    wanted = bytes.len() + self.chunk_bytes.max(1024 * 1024);
                }
                Look::Damaged(reason) => {
                    return self.skip_damage(bytes, pieces, DamageKind::Batch(reason));
                }
            }
        }
        Ok(())
    }

    /// Reads `wanted` bytes, or those up to the end.
    fn fill(&self, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
        let rest = usize::try_from(self.length - self.position).unwrap_or(usize::MAX);
        let kept = bytes.len();
        bytes.resize(wanted.min(rest).max(kept), 0);
        let missing = bytes.get_mut(kept..).unwrap_or_default();
        let count = read_at(&self.file, missing, self.position + length_u64(kept))?;
        if count == missing.len() {
            return Ok(());
        }
        let now = self.position + length_u64(kept + count);
        Err(io::Error::other(format!(
            "the file shrank while it was read: it had {} bytes and ends after {now}",
            self.length
        )))
    }

    /// Notes what stands in `bytes` and moves behind it.
    fn look(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>, is_last: bool) -> Look {
        self.chunk_start = self.position;
        let mut reader = BatchReader::new(bytes, self.position).with_floor(self.floor);
        // Damage ends where a good batch follows; before that its end is a guess.
        let mut guessed: Option<Guess> = None;
        let mut look = Look::Whole;
        while let Some(event) = reader.next() {
            let place = (self.position, self.floor);
            match event {
                BatchEvent::Data(batch) => {
                    let rest = self.behind(bytes, &reader);
                    match self.place_of(&batch.header, rest, is_last) {
                        OffsetPlace::True => {}
                        OffsetPlace::False => {
                            pieces.push(Piece::Damaged(self.misplaced(&batch.header)));
                            self.position = reader.position();
                            reader = BatchReader::new(rest, self.position).with_floor(self.floor);
                            continue;
                        }
                        OffsetPlace::Unknown => {
                            look = Look::More;
                            break;
                        }
                    }
                    guessed = None;
                    let payload = self.tail(&reader, batch.payload().len());
                    let header = batch.header;
                    pieces.push(Piece::Data { header, payload });
                }
                BatchEvent::Control { header, marker } => {
                    guessed = None;
                    pieces.push(Piece::Control { header, marker });
                }
                BatchEvent::Damaged(damaged) => {
                    guessed.get_or_insert_with(|| Guess {
                        place,
                        pieces: pieces.len(),
                        reason: damaged.reason.clone(),
                    });
                    pieces.push(Piece::Damaged(DamagedPiece {
                        position: damaged.position,
                        length: length_u64(damaged.length),
                        offsets: damaged.offsets,
                        kind: DamageKind::Batch(damaged.reason),
                    }));
                }
                BatchEvent::Incomplete { needed, .. } => {
                    look = Look::Needs(needed);
                    break;
                }
            }
            (self.position, self.floor) = (reader.position(), reader.floor());
        }
        match guessed.filter(|guess| !is_last || guess.reason == DamageReason::Zeros) {
            Some(guess) => {
                (self.position, self.floor) = guess.place;
                pieces.truncate(guess.pieces);
                Look::Damaged(guess.reason)
            }
            None => look,
        }
    }

    /// Returns the place in the chunk of the last `length` bytes before the reader: in every format
    /// a batch ends with its records.
    fn tail(&self, reader: &BatchReader<'_>, length: usize) -> Range<usize> {
        let end = usize::try_from(reader.position() - self.chunk_start).unwrap_or(usize::MAX);
        end.saturating_sub(length)..end
    }

    /// Returns the bytes of the chunk that the reader has not come to.
    fn behind<'b>(&self, bytes: &'b [u8], reader: &BatchReader<'_>) -> &'b [u8] {
        let place = reader.position() - self.chunk_start;
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        bytes.get(place..).unwrap_or_default()
    }

    /// Returns whether a batch has its true offset, which no checksum covers: one that leaves a
    /// hole before it is belied by a next one that lies in the hole.
    fn place_of(&self, header: &BatchHeader, rest: &[u8], is_last: bool) -> OffsetPlace {
        let offsets = header.offsets();
        let is_wrapper = header.magic < 2 && header.codec != Codec::None;
        if offsets.start == self.floor && !is_wrapper {
            return OffsetPlace::True;
        }
        let next = rest.first_chunk::<8>().map(|of| i64::from_be_bytes(*of));
        match (next, rest.get(16)) {
            (Some(next), Some(0..=2)) if (self.floor..offsets.end).contains(&next) => {
                OffsetPlace::False
            }
            (None, _) | (_, None) if !is_last => OffsetPlace::Unknown,
            _ => OffsetPlace::True,
        }
    }

    fn misplaced(&self, header: &BatchHeader) -> DamagedPiece {
        DamagedPiece {
            position: header.position,
            length: u64::try_from(header.stamp.length).unwrap_or_default(),
            offsets: None,
            kind: DamageKind::Batch(DamageReason::OffsetOrder(
                header.stamp.base_offset,
                self.floor,
            )),
        }
    }

    /// Steps over damage that starts here, up to the next good batch or the end of the file.
    fn skip_damage(
        &mut self,
        bytes: &mut Vec<u8>,
        pieces: &mut Vec<Piece>,
        kind: DamageKind,
    ) -> io::Result<()> {
        let (start, floor) = (self.position, self.floor);
        let (found, is_zeros) = self.search(bytes)?;
        let next = found.unwrap_or(self.length);
        let kind = match kind {
            DamageKind::Batch(_) if is_zeros && found.is_none() => DamageKind::Unused,
            // What follows shows that the length is false, not that the file ends early.
            DamageKind::Truncated(needed) if found.is_some() => {
                let length = i32::try_from(needed.saturating_sub(12)).unwrap_or(i32::MAX);
                DamageKind::Batch(DamageReason::Length(length))
            }
            kind @ (DamageKind::Batch(_) | DamageKind::Truncated(_) | DamageKind::Unused) => kind,
        };
        pieces.push(Piece::Damaged(DamagedPiece {
            position: start,
            length: next - start,
            offsets: None,
            kind,
        }));
        bytes.clear();
        self.position = next;
        self.floor = floor;
        Ok(())
    }

    /// Returns where the next good batch behind the start of the chunk is, and whether all bytes
    /// looked at are zero.
    fn search(&self, bytes: &mut Vec<u8>) -> io::Result<(Option<u64>, bool)> {
        let mut from = self.position + 1;
        let mut is_zeros = true;
        loop {
            let rest = usize::try_from(self.length - from).unwrap_or(usize::MAX);
            bytes.resize(SEARCH_BYTES.min(rest), 0);
            let count = read_at(&self.file, bytes, from)?;
            bytes.truncate(count);
            is_zeros &= bytes.iter().all(|&byte| byte == 0);
            // A search of zeros is long, and none is a batch.
            if !is_zeros && let Some(found) = find_batch(bytes, self.floor) {
                return Ok((Some(from + length_u64(found)), is_zeros));
            }
            if count < SEARCH_BYTES || from + length_u64(count) >= self.length {
                return Ok((None, is_zeros));
            }
            from += length_u64(SEARCH_BYTES - SEARCH_OVERLAP_BYTES);
        }
    }
}

impl DamageKind {
    fn truncated(needed: usize) -> Self {
        Self::Truncated(length_u64(needed))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::source::record_batch::batch_encoder::TestBatch;

    fn log(count: i64) -> Vec<Vec<u8>> {
        (0..count)
            .map(|batch| TestBatch::of_records(batch * 5, 5).encode())
            .collect()
    }

    fn outline(bytes: &[u8], chunk_bytes: usize) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let length = length_u64(bytes.len());
        let mut walk = BatchWalk::new(Arc::new(file), length, (0, 0), chunk_bytes);
        let (mut chunk, mut pieces) = (Vec::new(), Vec::new());
        let mut outline = Vec::new();
        let mut reached = 0;
        while walk.place().0 < length {
            walk.next_chunk(&mut chunk, &mut pieces).unwrap();
            assert!(walk.place().0 > reached, "{outline:?}");
            reached = walk.place().0;
            for piece in &pieces {
                outline.push(match piece {
                    Piece::Data { header, payload } => {
                        assert!(chunk.get(payload.clone()).is_some());
                        format!("data {:?}", header.offsets())
                    }
                    Piece::Control { header, .. } => format!("control {:?}", header.offsets()),
                    Piece::Damaged(damaged) => match &damaged.kind {
                        DamageKind::Batch(_) => format!("damaged {}", damaged.length),
                        DamageKind::Truncated(needed) => {
                            format!("{} of {needed}", damaged.length)
                        }
                        DamageKind::Unused => format!("unused {}", damaged.length),
                    },
                });
            }
        }
        outline
    }

    #[test]
    fn batches_come_in_chunks_of_any_size() {
        let bytes = log(6).concat();
        let whole = outline(&bytes, bytes.len());
        assert_eq!(whole.len(), 6);
        for chunk_bytes in [1, 61, 100, 200, 300] {
            assert_eq!(outline(&bytes, chunk_bytes), whole);
        }
    }

    #[test]
    fn a_flipped_byte_costs_one_batch_wherever_chunks_end() {
        let log = log(6);
        let size = log[0].len();
        for at in 0..size {
            let mut bytes = log.concat();
            bytes[2 * size + at] ^= 0x55;
            for chunk_bytes in [1, size, size + 7, 2 * size, 3 * size, 9 * size] {
                let outline = outline(&bytes, chunk_bytes);
                let good = outline.iter().filter(|line| line.starts_with("data"));
                assert!(good.count() >= 5, "{at} {chunk_bytes} {outline:?}");
            }
        }
    }

    #[test]
    fn the_tail_is_said_to_be_truncated_or_unused() {
        let log = log(3);
        let mut bytes = log.concat();
        let cut = &bytes[..bytes.len() - 10];
        let missing = format!("{} of {}", log[2].len() - 10, log[2].len());
        assert_eq!(outline(cut, 1 << 20).last(), Some(&missing));
        assert_eq!(outline(cut, 100).last(), Some(&missing));
        bytes.resize(bytes.len() + 5000, 0);
        assert_eq!(outline(&bytes, 1 << 20).last().unwrap(), "unused 5000");
        assert_eq!(outline(&bytes, 500).last().unwrap(), "unused 5000");
        bytes.extend_from_slice(&TestBatch::of_records(40, 2).encode());
        assert_eq!(outline(&bytes, 500).last().unwrap(), "data 40..42");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_come_to_an_end(
            lead in 0..3_i64,
            noise in proptest::collection::vec(any::<u8>(), 0..300),
            flips in proptest::collection::vec((0..2000_usize, any::<u8>()), 0..4),
            chunk_bytes in 1..700_usize,
        ) {
            let mut bytes = log(lead).concat();
            bytes.extend_from_slice(&noise);
            bytes.extend_from_slice(&TestBatch::of_records(50, 3).encode());
            for (at, flip) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= flip;
                }
            }
            outline(&bytes, chunk_bytes);
        }
    }
}
