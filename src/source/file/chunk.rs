//! Takes a file apart into chunks of whole lines or rows, with the place of each.

use std::io;
use std::sync::Arc;

use memchr::memchr;

use crate::record::grouped;
use crate::source::StopFlag;
use crate::source::file::cut::text::dump_log::Segments;
use crate::source::file::row_ends::{RecordEnds, RowScan, Wanted};
use crate::source::file::unpack::{StreamEnd, UnpackedStream, length_u64};

/// Parts of a chunk whose places are noted, so that little of it is read again for one record.
const PARTS_PER_CHUNK: u64 = 16;

/// Most parts noted between one power of two of the file's length and the next.
const PARTS_MAX: u64 = 256 * 1024;

/// Where a chunk starts, or a part of one: behind a newline, which may be inside of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkStart {
    /// Byte offset in the unpacked file.
    pub(crate) byte_offset: u64,
    /// Line, from 1.
    pub(crate) line: u64,
    /// Whether the chunk is one record that is too long, and its bytes were not kept.
    pub(crate) is_too_long: bool,
}

/// Sizes to stay within.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkLimits {
    /// Bytes to read at a time.
    pub(crate) chunk_bytes: usize,
    /// Longest line or row that is a record.
    pub(crate) line_bytes_max: usize,
}

/// How a file ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What kept it from being read whole.
    pub(crate) damage: Option<String>,
    /// What else is to be stated.
    pub(crate) note: Option<String>,
}

/// Gives out chunk after chunk.
pub(crate) struct Chunker {
    stream: UnpackedStream,
    ends: RecordEnds,
    limits: ChunkLimits,
    stop: StopFlag,
    /// Where segments of a dump are noted.
    segments: Option<Arc<Segments>>,
    /// Whether records can be told from their own bytes, so that parts of chunks are noted too.
    has_parts: bool,
    /// Bytes before the first record that are still to be dropped.
    lead_bytes: usize,
    /// Bytes read that are in no chunk yet.
    carry: Vec<u8>,
    /// The next chunk.
    next: ChunkStart,
    /// The chunks given out, and their parts.
    starts: Vec<ChunkStart>,
    /// Where a record starts that has no end, if the last one has none.
    open_end: Option<ChunkStart>,
    outcome: Outcome,
    is_finished: bool,
    /// Whether the end was looked at for what is still open there.
    is_end_checked: bool,
}

impl Chunker {
    /// Starts behind a byte order mark and a header row: at `lead_bytes`, in `line`.
    pub(crate) fn new(
        stream: UnpackedStream,
        ends: RecordEnds,
        limits: ChunkLimits,
        (lead_bytes, line): (usize, u64),
        stop: StopFlag,
    ) -> Self {
        Self {
            stream,
            ends,
            limits,
            stop,
            segments: None,
            has_parts: false,
            lead_bytes,
            carry: Vec::new(),
            next: ChunkStart {
                byte_offset: length_u64(lead_bytes),
                line,
                is_too_long: false,
            },
            starts: Vec::new(),
            open_end: None,
            outcome: Outcome::default(),
            is_finished: false,
            is_end_checked: false,
        }
    }

    /// Notes the segments of a dump, which the records after them need.
    pub(crate) fn noting(mut self, segments: Option<Arc<Segments>>) -> Self {
        self.segments = segments;
        self
    }

    /// Ends early by another request than that of the scan.
    pub(crate) fn stopped_by(mut self, stop: StopFlag) -> Self {
        self.stop = stop;
        self
    }

    /// Begins at a byte offset and its line, where the stream stands.
    pub(crate) fn going_on_at(mut self, (byte_offset, line): (u64, u64)) -> Self {
        self.lead_bytes = 0;
        self.next = ChunkStart {
            byte_offset,
            line,
            is_too_long: false,
        };
        self
    }

    /// Returns the byte offset and the line behind the last whole record.
    pub(crate) fn next_place(&self) -> (u64, u64) {
        let place = self.open_end.unwrap_or(self.next);
        (place.byte_offset, place.line)
    }

    /// Notes parts of chunks too, if records can be told from their own bytes.
    pub(crate) fn in_parts(mut self, has_parts: bool) -> Self {
        self.has_parts = has_parts;
        self
    }

    /// Returns the chunks given out so far and where the last ends.
    pub(crate) fn table(&self) -> (Vec<ChunkStart>, u64) {
        (self.starts.clone(), self.next.byte_offset)
    }

    /// Returns the chunks given out, where the last ends, and how the file ended.
    pub(crate) fn into_table(self) -> (Vec<ChunkStart>, u64, Outcome) {
        (self.starts, self.next.byte_offset, self.outcome)
    }

    /// Fills `bytes`, which are empty, with the next chunk; nothing is left at the end.
    ///
    /// Fails only where the bytes of a pipe cannot be kept.
    pub(crate) fn next_chunk(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<ChunkStart>> {
        if self.is_finished {
            return Ok(None);
        }
        bytes.append(&mut self.carry);
        let mut scan = RowScan::new(self.ends);
        loop {
            if self.lead_bytes == 0 {
                if let Some(end) = scan.find(bytes, Wanted::Last) {
                    self.carry
                        .extend_from_slice(bytes.get(end..).unwrap_or_default());
                    bytes.truncate(end);
                    return Ok(Some(self.give(bytes)));
                }
                if bytes.len() > self.limits.line_bytes_max.saturating_add(1) {
                    return self.skip_too_long(bytes, scan);
                }
            }
            if !self.read_more(bytes)? {
                return Ok(self.last_chunk(bytes, &scan));
            }
        }
    }

    /// Reads on; returns false at the end of the stream or when the scan was stopped.
    fn read_more(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        if self.stream.end().is_some() {
            return Ok(false);
        }
        // What was read to tell the format is there already.
        if self.stop.is_stopped() && !self.stream.has_bytes_ahead() {
            return Ok(false);
        }
        self.stream.read_into(bytes, self.limits.chunk_bytes)?;
        if self.lead_bytes > 0 && bytes.len() >= self.lead_bytes {
            bytes.drain(..self.lead_bytes);
            self.lead_bytes = 0;
        }
        Ok(true)
    }

    /// Gives out whole records.
    fn give(&mut self, bytes: &[u8]) -> ChunkStart {
        let start = self.next;
        if let Some(segments) = &self.segments {
            segments.note(bytes, start.byte_offset);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(self.part_length(rest));
            self.starts.push(self.next);
            self.next.byte_offset += length_u64(part.len());
            self.next.line += newlines(part);
            rest = after;
        }
        start
    }

    /// Returns the length of the next part of a chunk: to a newline, or all.
    fn part_length(&self, rest: &[u8]) -> usize {
        let by_place = self.next.byte_offset / PARTS_MAX;
        let least = by_place.max(length_u64(self.limits.chunk_bytes) / PARTS_PER_CHUNK);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let behind = rest.get(least..).filter(|_| self.has_parts);
        let newline = behind.and_then(|behind| memchr(b'\n', behind));
        newline.map_or(rest.len(), |place| least + place + 1)
    }

    /// Gives out what is left at the end, unless it is a part of a record.
    fn last_chunk(&mut self, bytes: &mut Vec<u8>, scan: &RowScan) -> Option<ChunkStart> {
        if self.lead_bytes > 0 {
            bytes.clear();
        }
        if self.stream.end() != Some(&StreamEnd::Whole) {
            self.end_early(length_u64(bytes.len()));
            bytes.clear();
            return None;
        }
        let grown_bytes = self.stream.grown_bytes();
        if grown_bytes > 0 && self.outcome.note.is_none() {
            let partial_bytes = bytes.len();
            let unit = self.ends.unit();
            self.outcome.note = Some(grown_note(grown_bytes, partial_bytes, unit));
            bytes.clear();
            self.is_end_checked = true;
        }
        self.note_open_end(scan, bytes);
        if bytes.is_empty() {
            self.is_finished = true;
            return None;
        }
        self.open_end = Some(self.next);
        Some(self.give(bytes))
    }

    /// Drops a record that is too long, piece by piece.
    fn skip_too_long(
        &mut self,
        bytes: &mut Vec<u8>,
        mut scan: RowScan,
    ) -> io::Result<Option<ChunkStart>> {
        let mut start = self.next;
        start.is_too_long = true;
        let mut skipped = start;
        loop {
            if let Some(end) = scan.find(bytes, Wanted::First) {
                skip(&mut skipped, bytes, end);
                break;
            }
            skip(&mut skipped, bytes, scan.forget());
            if !self.read_more(bytes)? {
                if self.stream.end() != Some(&StreamEnd::Whole) {
                    let skipped_bytes = skipped.byte_offset - start.byte_offset;
                    self.end_early(skipped_bytes + length_u64(bytes.len()));
                    bytes.clear();
                    return Ok(None);
                }
                self.note_open_end(&scan, bytes);
                let end = bytes.len();
                skip(&mut skipped, bytes, end);
                break;
            }
        }
        self.carry.append(bytes);
        self.starts.push(start);
        self.next.byte_offset = skipped.byte_offset;
        self.next.line = skipped.line;
        Ok(Some(start))
    }

    /// Ends before the end of the file; `partial_bytes` of a record were read and are dropped.
    fn end_early(&mut self, partial_bytes: u64) {
        self.is_finished = true;
        let mut damage = match self.stream.end() {
            Some(StreamEnd::Damaged(what)) => what.clone(),
            Some(StreamEnd::Whole | StreamEnd::Interrupted) | None => {
                let byte_offset = grouped(self.next.byte_offset);
                self.outcome.damage = Some(format!("interrupted at byte {byte_offset}"));
                return;
            }
        };
        if partial_bytes > 0 {
            let unit = self.ends.unit();
            let partial_bytes = grouped(partial_bytes);
            damage = format!("{damage}; the last {partial_bytes} bytes are no whole {unit}");
        }
        self.outcome.damage = Some(damage);
    }

    /// A quote or bracket that is never closed swallows what follows it: that is damage, not only
    /// one bad record.
    fn note_open_end(&mut self, scan: &RowScan, bytes: &[u8]) {
        if std::mem::replace(&mut self.is_end_checked, true) {
            return;
        }
        let Some(what) = scan.open(bytes) else {
            return;
        };
        let (line, unit) = (self.next.line, self.ends.unit());
        self.outcome.damage = Some(if bytes.is_empty() {
            format!("{what} is never closed: the file ends early, after line {line}")
        } else {
            format!(
                "the {unit} that starts in line {line} opens {what} that is never closed; \
                 all that follows was taken for one {unit}"
            )
        });
    }
}

/// Drops `count` bytes from the front and counts them.
fn skip(place: &mut ChunkStart, bytes: &mut Vec<u8>, count: usize) {
    place.byte_offset += length_u64(count);
    place.line += newlines(bytes.get(..count).unwrap_or_default());
    bytes.drain(..count);
}

fn grown_note(grown_bytes: u64, partial_bytes: usize, unit: &str) -> String {
    let grown_bytes = grouped(grown_bytes);
    let mut note = format!("{grown_bytes} bytes were appended since the scan began, and not read");
    if partial_bytes > 0 {
        let partial_bytes = grouped(length_u64(partial_bytes));
        note = format!(
            "{note}; {partial_bytes} bytes before them belong to a {unit} that was not complete \
             then"
        );
    }
    note
}

/// Returns the number of newlines.
pub(crate) fn newlines(bytes: &[u8]) -> u64 {
    length_u64(memchr::memchr_iter(b'\n', bytes).count())
}
