//! Rows of `COPY … (FORMAT binary)` become records.

use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::record::{RecordBlock, RecordDefect, RecordSlot, Span, TimestampType, TopicPartition};
use crate::source::file::cut::text::json_text::{is_document, push_document_or_string};
use crate::source::file::unpack::length_u64;
use crate::source::postgres::relation::{Cell, Relation};
use crate::typed_value::json_value::push_string;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Cells beyond this are not kept; no record that Kafka would take is as long.
const CELL_BYTES_MAX: usize = 256 << 20;

/// Reads the rows of one copy.
pub(super) struct RowReader<'a, Input> {
    input: Input,
    relation: &'a Relation,
    scratch: Vec<u8>,
    is_begun: bool,
}

impl<'a, Input: BufRead> RowReader<'a, Input> {
    /// Returns a reader of rows of a relation.
    pub(super) fn new(input: Input, relation: &'a Relation) -> Self {
        Self {
            input,
            relation,
            scratch: Vec::new(),
            is_begun: false,
        }
    }

    /// Adds the next row to the block; returns its position, or nothing at the end.
    pub(super) fn next(&mut self, block: &mut RecordBlock) -> io::Result<Option<i64>> {
        if !self.is_begun {
            self.begin()?;
        }
        let fields = i16::from_be_bytes(self.array()?);
        if fields < 0 {
            // The copy has succeeded only when the server says so after it.
            let mut rest = Vec::new();
            self.input.read_to_end(&mut rest)?;
            return Ok(None);
        }
        if usize::try_from(fields) != Ok(self.relation.columns.len() + 2) {
            return Err(wrong("a row has another number of columns"));
        }
        let position = self
            .number()?
            .ok_or_else(|| wrong("a row has no position"))?;
        let millis = self.number()?;
        let index = u64::try_from(position).map_err(|_| wrong("a position is negative"))?;
        let mut slot = RecordSlot::new(index);
        slot.offset = position;
        slot.topic_partition =
            block.intern_topic_partition(&self.relation.topic, TopicPartition::UNKNOWN);
        if let Some(millis) = millis {
            slot.timestamp_millis = millis;
            slot.timestamp_type = TimestampType::Database;
        }
        let start = block.bytes.len();
        slot.defect = self.document(&mut block.bytes)?;
        slot.value = Span::new(start, block.bytes.len());
        block.slots.push(slot);
        Ok(Some(position))
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.array::<11>()? != *SIGNATURE {
            return Err(wrong("this is no binary copy"));
        }
        let _flags: [u8; 4] = self.array()?;
        let extension = u32::from_be_bytes(self.array()?);
        let mut extension = self.input.by_ref().take(u64::from(extension));
        io::copy(&mut extension, &mut io::sink())?;
        self.is_begun = true;
        Ok(())
    }

    /// Appends the cells as one JSON object; those that are null are left out.
    fn document(&mut self, out: &mut Vec<u8>) -> io::Result<Option<RecordDefect>> {
        let mut defect = None;
        let open = out.len();
        for column in &self.relation.columns {
            let Some(length) = length(&mut self.input)? else {
                continue;
            };
            self.scratch.clear();
            let kept = length.min(CELL_BYTES_MAX);
            let mut cell = self.input.by_ref().take(length_u64(length));
            cell.by_ref()
                .take(length_u64(kept))
                .read_to_end(&mut self.scratch)?;
            io::copy(&mut cell, &mut io::sink())?;
            if self.scratch.len() < kept {
                return Err(wrong("the copy ends within a row"));
            }
            if length > CELL_BYTES_MAX {
                defect = defect.or(Some(RecordDefect::TooLong));
                continue;
            }
            out.push(if out.len() == open { b'{' } else { b',' });
            push_string(out, column.name.as_bytes());
            out.push(b':');
            if !push_cell(out, column.cell, &self.scratch) {
                defect = defect.or(Some(RecordDefect::InvalidText));
                out.extend_from_slice(b"null");
            }
        }
        if out.len() == open {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(defect)
    }

    fn number(&mut self) -> io::Result<Option<i64>> {
        match length(&mut self.input)? {
            None => Ok(None),
            Some(8) => Ok(Some(i64::from_be_bytes(self.array()?))),
            Some(_) => Err(wrong("a number has another length")),
        }
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Returns the length of a cell; nothing for null.
fn length(input: &mut impl Read) -> io::Result<Option<usize>> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(usize::try_from(i32::from_be_bytes(bytes)).ok())
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Returns whether the cell is text where it should be; a database may hold bytes in any encoding
/// as text where its own is `SQL_ASCII`.
fn push_cell(out: &mut Vec<u8>, cell: Cell, bytes: &[u8]) -> bool {
    if cell == Cell::Bytes {
        if is_document(bytes) {
            out.extend_from_slice(bytes);
        } else {
            push_string(out, STANDARD.encode(bytes).as_bytes());
        }
        return true;
    }
    if simdutf8::basic::from_utf8(bytes).is_err() {
        return false;
    }
    match cell {
        Cell::Text => push_document_or_string(out, bytes),
        Cell::Scalar if !is_finite(bytes) => push_string(out, bytes),
        Cell::Document | Cell::Scalar => out.extend_from_slice(bytes),
        Cell::Plain | Cell::Bytes => push_string(out, bytes),
    }
    true
}

/// Floats and numerics may be NaN and infinite, which no number of JSON is.
fn is_finite(text: &[u8]) -> bool {
    !text.iter().any(|byte| matches!(byte, b'N' | b'I'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::postgres::relation::Column;

    fn relation() -> Relation {
        let cells = [
            ("doc", Cell::Document),
            ("n", Cell::Scalar),
            ("text", Cell::Text),
            ("id", Cell::Plain),
            ("raw", Cell::Bytes),
        ];
        let column = |(name, cell): (&str, Cell)| Column {
            name: name.to_owned(),
            cell,
        };
        Relation::of_columns("orders", cells.map(column).to_vec())
    }

    fn copy(rows: &[Vec<Option<&[u8]>>]) -> Vec<u8> {
        let mut bytes = [&SIGNATURE[..], &[0; 8]].concat();
        for row in rows {
            bytes.extend(i16::try_from(row.len()).unwrap().to_be_bytes());
            for cell in row {
                let length = cell.map_or(-1, |cell| i32::try_from(cell.len()).unwrap());
                bytes.extend(length.to_be_bytes());
                bytes.extend(cell.unwrap_or_default());
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> io::Result<RecordBlock> {
        let relation = relation();
        let mut rows = RowReader::new(bytes, &relation);
        let mut block = RecordBlock::default();
        while rows.next(&mut block)?.is_some() {}
        Ok(block)
    }

    #[test]
    fn every_kind_of_cell_becomes_json() {
        let numbers = [7, 1_500, 9].map(i64::to_be_bytes);
        let rows = [
            vec![
                Some(&numbers[0][..]),
                Some(&numbers[1][..]),
                Some(br#"{"a": 1}"#),
                Some(b"1.50"),
                Some(b"say \"x\""),
                Some(b"{no}"),
                Some(b"\xff\x00"),
            ],
            vec![
                Some(&numbers[2][..]),
                None,
                None,
                Some(b"NaN"),
                Some(b"[1]"),
                Some(b"\xff"),
                Some(b"{}"),
            ],
        ];
        let block = read(&copy(&rows)).unwrap();
        let value = |index: usize| {
            let bytes = block.view(index).unwrap().value().bytes().unwrap().to_vec();
            String::from_utf8(bytes).unwrap()
        };
        let first = r#"{"doc":{"a": 1},"n":1.50,"text":"say \"x\"","id":"{no}","raw":"/wA="}"#;
        assert_eq!(value(0), first);
        assert_eq!(value(1), r#"{"n":"NaN","text":[1],"id":null,"raw":{}}"#);
        let view = block.view(0).unwrap();
        assert_eq!((view.topic(), view.offset()), (Some("orders"), Some(7)));
        assert!(view.topic_partition().is_none());
        let timestamp = view.timestamp().unwrap();
        assert_eq!(timestamp.millis, 1_500);
        assert_eq!(timestamp.timestamp_type, TimestampType::Database);
        let defects: Vec<_> = block.slots.iter().map(|slot| slot.defect).collect();
        assert_eq!(defects, [None, Some(RecordDefect::InvalidText)]);
        assert_eq!(block.slots[1].timestamp_millis, i64::MIN);
    }

    #[test]
    fn a_copy_that_ends_early_is_an_error_wherever_it_does() {
        let position = 7_i64.to_be_bytes();
        let row: Vec<Option<&[u8]>> = vec![
            Some(&position[..]),
            None,
            Some(b"{}"),
            Some(b"1"),
            None,
            None,
            None,
        ];
        let bytes = copy(&[row]);
        assert!(read(&bytes).is_ok());
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        for wrong in [0, 12, 20, 24] {
            let mut bytes = bytes.clone();
            bytes[wrong] ^= 0x40;
            let _ = read(&bytes);
        }
    }
}
