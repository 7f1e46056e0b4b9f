//! Cuts chunks of whole records into records.

pub(crate) mod envelope;
pub(crate) mod layout;
mod open;
pub(crate) mod rows;
pub(crate) mod text;

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use crate::record::{RecordBlock, RecordDefect, RecordSlot, Span};
use crate::source::file::chunk::{ChunkStart, newlines};
use crate::source::file::cut::envelope::opener::Scratch;
use crate::source::file::cut::layout::{Body, Layout};
use crate::source::file::cut::rows::RowWalk;
use crate::source::file::document_ends::{DocumentScan, Framing};
use crate::source::file::mark_ends;
use crate::source::file::mark_ends::Marks;
use crate::source::file::row_ends::RecordEnds;
use crate::source::file::unpack::length_u64;
use crate::source::kafka::Isolation;

/// One record as it lies in the block.
struct Piece {
    /// Its bytes in the block.
    place: Range<usize>,
    /// Byte offset in the file.
    position: u64,
    /// Line in the file.
    line: u64,
    /// Whether it is no whole record.
    is_stray: bool,
}

/// Cuts chunks of one file.
#[derive(Debug)]
pub(crate) struct Cutter {
    pub(crate) layout: Layout,
    pub(crate) line_bytes_max: usize,
    pub(crate) assume_topic: Option<Arc<str>>,
    /// Which transactions of dumps count.
    pub(crate) isolation: Isolation,
}

impl Cutter {
    /// Adds the records in `block.bytes` from `from` on, which start at `start`.
    pub(crate) fn cut(
        &self,
        block: &mut RecordBlock,
        from: usize,
        start: ChunkStart,
        scratch: &mut Scratch,
    ) {
        if start.is_too_long {
            block.slots.push(too_long(start.byte_offset, start.line));
            return;
        }
        match (self.layout.ends, &self.layout.body) {
            (RecordEnds::Lines, Body::Value) => self.cut_lines(block, from, start),
            (RecordEnds::Rows { delimiter }, Body::Row(columns)) => {
                self.cut_rows(block, from, start, (delimiter, columns.len()));
            }
            _ => self.cut_pieces(block, from, start, scratch),
        }
    }

    fn cut_lines(&self, block: &mut RecordBlock, from: usize, start: ChunkStart) {
        let slots = &mut block.slots;
        for_each_line(&block.bytes, from, start, |line, position, number| {
            slots.push(self.slot(line, position, number));
        });
    }

    fn cut_rows(
        &self,
        block: &mut RecordBlock,
        from: usize,
        start: ChunkStart,
        (delimiter, column_count): (u8, usize),
    ) {
        let mut number = start.line;
        let mut at = from;
        let mut walk = RowWalk::new(delimiter);
        while at < block.bytes.len() {
            let row = walk.row_at(&block.bytes, at);
            if row.end > at {
                let position = start.byte_offset + length_u64(at - from);
                let mut slot = self.slot(at..row.end, position, number);
                if slot.defect.is_none() && !row.is_closed {
                    slot.defect = Some(RecordDefect::InvalidText);
                } else if slot.defect.is_none() && row.cells != column_count {
                    slot.defect = Some(RecordDefect::WrongCellCount);
                }
                block.slots.push(slot);
            }
            number += length_u64(row.newlines);
            at = row.next;
        }
    }

    fn cut_pieces(
        &self,
        block: &mut RecordBlock,
        from: usize,
        start: ChunkStart,
        scratch: &mut Scratch,
    ) {
        scratch.appended.clear();
        let bytes = std::mem::take(&mut block.bytes);
        if let Body::DumpedBatch(segments) = &self.layout.body {
            self.cut_dump(&bytes, (from, start), segments, block);
        } else {
            self.for_each_piece(&bytes, from, start, |piece| {
                self.open(&bytes, &piece, block, scratch);
            });
        }
        block.bytes = bytes;
        block.bytes.extend_from_slice(&scratch.appended);
    }

    /// Calls `visit` with every record in `bytes` from `from` on.
    fn for_each_piece(
        &self,
        bytes: &[u8],
        from: usize,
        start: ChunkStart,
        mut visit: impl FnMut(Piece),
    ) {
        match self.layout.ends {
            RecordEnds::Lines => for_each_line(bytes, from, start, |place, position, line| {
                visit(Piece {
                    place,
                    position,
                    line,
                    is_stray: false,
                });
            }),
            RecordEnds::Rows { delimiter } => for_each_row(bytes, from, start, delimiter, visit),
            RecordEnds::Documents(framing) => {
                for_each_document(bytes, from, start, framing, visit);
            }
            RecordEnds::Marks(marks) => for_each_marked(bytes, from, start, marks, visit),
        }
    }

    /// Returns the slot of a line or row as it is.
    fn slot(&self, line: Range<usize>, position: u64, number: u64) -> RecordSlot {
        if line.len() > self.line_bytes_max {
            return too_long(position, number);
        }
        let mut slot = RecordSlot::new(position);
        slot.line = number;
        slot.value = Span::new(line.start, line.end);
        slot
    }
}

fn too_long(position: u64, line: u64) -> RecordSlot {
    let mut slot = RecordSlot::new(position);
    slot.line = line;
    slot.defect = Some(RecordDefect::TooLong);
    slot
}

fn without_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// Calls `visit` with every record that starts with a mark, and with what comes before the first.
fn for_each_marked(
    bytes: &[u8],
    from: usize,
    start: ChunkStart,
    marks: Marks,
    mut visit: impl FnMut(Piece),
) {
    let chunk = bytes.get(from..).unwrap_or_default();
    let mut line = start.line;
    mark_ends::for_each(chunk, marks, |place| {
        let record = chunk.get(place.clone()).unwrap_or_default();
        if !record.trim_ascii().is_empty() {
            let at = from + place.start;
            visit(Piece {
                place: at..at + without_line_end(record).len(),
                position: start.byte_offset + length_u64(place.start),
                line,
                is_stray: false,
            });
        }
        line += newlines(record);
    });
}

/// Calls `visit` with every JSON document, and with what is none.
fn for_each_document(
    bytes: &[u8],
    from: usize,
    start: ChunkStart,
    framing: Framing,
    mut visit: impl FnMut(Piece),
) {
    let chunk = bytes.get(from..).unwrap_or_default();
    let mut scan = DocumentScan::new(framing);
    let (mut counted, mut line) = (0, start.line);
    loop {
        let (document, is_last) = match scan.next(chunk) {
            Some(document) => (document, false),
            None => match scan.rest(chunk) {
                Some(document) => (document, true),
                None => return,
            },
        };
        let at = document.place.start;
        line += newlines(chunk.get(counted..at).unwrap_or_default());
        counted = at;
        visit(Piece {
            place: from + at..from + document.place.end,
            position: start.byte_offset + length_u64(at),
            line,
            is_stray: document.is_stray,
        });
        if is_last {
            return;
        }
    }
}

/// Calls `visit` with every row that is not blank.
fn for_each_row(
    bytes: &[u8],
    from: usize,
    start: ChunkStart,
    delimiter: u8,
    mut visit: impl FnMut(Piece),
) {
    let mut walk = RowWalk::new(delimiter);
    let (mut at, mut line) = (from, start.line);
    while at < bytes.len() {
        let row = walk.row_at(bytes, at);
        if row.end > at {
            visit(Piece {
                place: at..row.end,
                position: start.byte_offset + length_u64(at - from),
                line,
                is_stray: !row.is_closed,
            });
        }
        line += length_u64(row.newlines);
        at = row.next;
    }
}

/// Calls `visit` with the place, byte offset and number of every line that is not blank.
fn for_each_line(
    bytes: &[u8],
    from: usize,
    start: ChunkStart,
    mut visit: impl FnMut(Range<usize>, u64, u64),
) {
    let mut at = from;
    let mut number = start.line;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_blank = line.iter().all(u8::is_ascii_whitespace);
        if !is_blank {
            let position = start.byte_offset + length_u64(at - from);
            visit(at..at + line.len(), position, number);
        }
        at += length + 1;
        number += 1;
    }
}
