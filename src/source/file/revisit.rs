//! Reads single records of a file again, by the byte offsets where they start.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use memchr::memchr;

use crate::record::{RecordBlock, SplitId};
use crate::source::file::chunk::{ChunkStart, newlines};
use crate::source::file::cut::envelope::opener::Scratch;
use crate::source::file::cut::{Cutter, rows};
use crate::source::file::row_ends::RecordEnds;
use crate::source::file::unpack::{UnpackedStream, length_u64};
use crate::source::{ReadError, RecordRevisitor};

const BLOCK_BYTES: usize = 1024 * 1024;

/// Where the bytes of chunks come from.
pub(crate) enum ChunkBytes {
    /// A plain regular file, read by place.
    ByPlace(Arc<File>),
    /// A stream from the start of the file, which is never read backwards.
    Forward(UnpackedStream),
}

/// Reads records of one file again.
pub(crate) struct FileRevisitor<'a> {
    cutter: &'a Cutter,
    split: SplitId,
    /// The chunks of the first pass and where the last ends.
    starts: Vec<ChunkStart>,
    end: u64,
    source: ChunkBytes,
    /// Bytes of the current chunk, which may be followed by others.
    bytes: Vec<u8>,
    bytes_start: u64,
    current: Option<Current>,
    /// All records of the current chunk, where one cannot be cut by itself.
    whole: RecordBlock,
    /// The chunk that they are of.
    whole_index: Option<usize>,
    scratch: Scratch,
}

/// The chunk at hand.
#[derive(Clone, Copy)]
struct Current {
    index: usize,
    length: usize,
    /// A place within it whose line is known.
    counted: usize,
    line: u64,
}

impl<'a> FileRevisitor<'a> {
    /// Returns a reader of the records in the chunks that `starts` lists.
    pub(crate) fn new(
        cutter: &'a Cutter,
        split: SplitId,
        (starts, end): (Vec<ChunkStart>, u64),
        source: ChunkBytes,
    ) -> Self {
        Self {
            cutter,
            split,
            starts,
            end,
            source,
            bytes: Vec::new(),
            bytes_start: 0,
            current: None,
            whole: RecordBlock::default(),
            whole_index: None,
            scratch: Scratch::default(),
        }
    }

    /// Adds the record at `position`, if one starts there.
    fn add(&mut self, position: u64, block: &mut RecordBlock) -> io::Result<()> {
        let after = self
            .starts
            .partition_point(|start| start.byte_offset <= position);
        let index = after.checked_sub(1).filter(|_| position < self.end);
        let Some((index, &start)) = index.and_then(|at| Some((at, self.starts.get(at)?))) else {
            return Ok(());
        };
        if start.is_too_long {
            if start.byte_offset == position {
                self.cutter.cut(block, 0, start, &mut self.scratch);
            }
            return Ok(());
        }
        let mut current = self.at_chunk(index, start)?;
        if !self.cutter.layout.is_cut_alone() {
            self.add_from_whole(current, start, position, block);
            return Ok(());
        }
        let place = usize::try_from(position - start.byte_offset).unwrap_or(usize::MAX);
        let Some(length) = self.whole_length(&mut current, place)? else {
            return Ok(());
        };
        let chunk = self.bytes.get(..current.length).unwrap_or_default();
        let current = current.moved_to(place, start.line, chunk);
        let from = block.bytes.len();
        let record = chunk.get(place..place + length).unwrap_or_default();
        block.bytes.extend_from_slice(record);
        let start = ChunkStart {
            byte_offset: position,
            line: current.line,
            is_too_long: false,
        };
        self.current = Some(current);
        self.cutter.cut(block, from, start, &mut self.scratch);
        Ok(())
    }

    /// Returns the length of the record at `place`, with more bytes read if it goes on in them.
    fn whole_length(&mut self, current: &mut Current, place: usize) -> io::Result<Option<usize>> {
        loop {
            let part = self.bytes.get(..current.length).unwrap_or_default();
            let length = record_length(part, place, self.cutter.layout.ends);
            let is_at_end = length.is_some_and(|length| place + length == part.len());
            if !is_at_end || !self.can_go_on() || !self.lengthen(current)? {
                return Ok(length);
            }
        }
    }

    /// Returns whether a record may go on behind the part that it starts in.
    fn can_go_on(&self) -> bool {
        matches!(self.cutter.layout.ends, RecordEnds::Rows { .. })
    }

    /// Reads more behind the current part; returns false at the end.
    fn lengthen(&mut self, current: &mut Current) -> io::Result<bool> {
        let left = self.end.saturating_sub(self.bytes_start);
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let length = current.length.saturating_mul(2).min(most);
        self.fill(length)?;
        let length = length.min(self.bytes.len());
        let is_longer = length > current.length;
        current.length = length;
        self.current = Some(*current);
        Ok(is_longer)
    }

    /// Reads on until `length` bytes are there, or the end.
    fn fill(&mut self, length: usize) -> io::Result<()> {
        let held = self.bytes.len();
        match &mut self.source {
            ChunkBytes::ByPlace(file) if length > held => {
                self.bytes.resize(length, 0);
                let room = self.bytes.get_mut(held..).unwrap_or_default();
                let count = read_at(file, room, self.bytes_start + length_u64(held))?;
                self.bytes.truncate(held + count);
            }
            ChunkBytes::ByPlace(_) => {}
            ChunkBytes::Forward(stream) => {
                while self.bytes.len() < length
                    && stream.read_into(&mut self.bytes, BLOCK_BYTES)? > 0
                {}
            }
        }
        Ok(())
    }

    /// Adds a record out of its chunk, which is cut whole, once.
    fn add_from_whole(
        &mut self,
        current: Current,
        start: ChunkStart,
        position: u64,
        block: &mut RecordBlock,
    ) {
        if self.whole_index != Some(current.index) {
            let chunk = self.bytes.get(..current.length).unwrap_or_default();
            self.whole.clear(self.split);
            self.whole.bytes.extend_from_slice(chunk);
            self.cutter
                .cut(&mut self.whole, 0, start, &mut self.scratch);
            self.whole_index = Some(current.index);
        }
        let slots = &self.whole.slots;
        let found = slots.binary_search_by_key(&position, |slot| slot.position);
        if let Some(slot) = found.ok().and_then(|index| slots.get(index)) {
            block.push_copy(&self.whole, *slot);
        }
    }

    /// Makes a chunk the current one.
    fn at_chunk(&mut self, index: usize, start: ChunkStart) -> io::Result<Current> {
        if let Some(current) = self.current.filter(|current| current.index == index) {
            return Ok(current);
        }
        let next = self.starts.get(index + 1);
        let end = next.map_or(self.end, |next| next.byte_offset);
        let length = usize::try_from(end - start.byte_offset).unwrap_or(usize::MAX);
        match &mut self.source {
            ChunkBytes::ByPlace(file) => {
                self.bytes_start = start.byte_offset;
                self.bytes.resize(length, 0);
                let count = read_at(file, &mut self.bytes, start.byte_offset)?;
                self.bytes.truncate(count);
            }
            ChunkBytes::Forward(stream) => {
                let drop_to = |bytes: &mut Vec<u8>, bytes_start: &mut u64| {
                    let unused = start.byte_offset.saturating_sub(*bytes_start);
                    let unused = usize::try_from(unused)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    bytes.drain(..unused);
                    *bytes_start += length_u64(unused);
                };
                drop_to(&mut self.bytes, &mut self.bytes_start);
                while self.bytes.len() < length || self.bytes_start < start.byte_offset {
                    if stream.read_into(&mut self.bytes, BLOCK_BYTES)? == 0 {
                        break;
                    }
                    drop_to(&mut self.bytes, &mut self.bytes_start);
                }
            }
        }
        let is_reached = self.bytes_start == start.byte_offset;
        let current = Current {
            index,
            length: if is_reached {
                length.min(self.bytes.len())
            } else {
                0
            },
            counted: 0,
            line: start.line,
        };
        self.current = Some(current);
        Ok(current)
    }
}

impl RecordRevisitor for FileRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        block.clear(self.split);
        block.value_format = self.cutter.layout.value_format();
        let mut done = 0;
        for &position in positions {
            if block.bytes.len() >= BLOCK_BYTES {
                break;
            }
            self.add(position, block)?;
            done += 1;
        }
        Ok(done)
    }
}

impl Current {
    fn moved_to(mut self, place: usize, first_line: u64, chunk: &[u8]) -> Self {
        if place < self.counted {
            (self.counted, self.line) = (0, first_line);
        }
        self.line += newlines(chunk.get(self.counted..place).unwrap_or_default());
        self.counted = place;
        self
    }
}

/// Returns the length of the record that starts at `place`, its line end included.
fn record_length(chunk: &[u8], place: usize, ends: RecordEnds) -> Option<usize> {
    let rest = chunk.get(place..).filter(|rest| !rest.is_empty())?;
    let before = place.checked_sub(1).and_then(|before| chunk.get(before));
    match ends {
        RecordEnds::Lines => {
            let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            before.is_none_or(|&byte| byte == b'\n').then_some(length)
        }
        RecordEnds::Rows { delimiter } => {
            let length = rows::row_at(rest, 0, delimiter).next;
            let is_start = before.is_none_or(|&byte| byte == b'\n' || byte == b'\r');
            is_start.then_some(length)
        }
        // Such records are cut with what is around them.
        RecordEnds::Documents(_) | RecordEnds::Marks(_) => None,
    }
}

/// Reads as much as the file still has, and returns how much.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        if room.is_empty() {
            return Ok(filled);
        }
        match file.read_at(room, position + length_u64(filled)) {
            Ok(0) => return Ok(filled),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
