//! CSV rows: where each ends and how many cells it has.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// One row in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// End of the row without its line end.
    pub(crate) end: usize,
    /// Start of the next row.
    pub(crate) next: usize,
    /// Number of cells.
    pub(crate) cells: usize,
    /// Newlines in the row, its line end included.
    pub(crate) newlines: usize,
    /// Whether every quote that opens is closed.
    pub(crate) is_closed: bool,
}

/// Walks over rows; those without quotes at the speed of counting bytes.
#[derive(Debug)]
pub(crate) struct RowWalk {
    delimiter: u8,
    /// No quote lies between the place reached and this one.
    quote: usize,
}

impl RowWalk {
    /// Starts at the front of a buffer.
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            quote: 0,
        }
    }

    /// Returns the row that starts at `start`, which ascends from call to call.
    pub(crate) fn row_at(&mut self, bytes: &[u8], start: usize) -> Row {
        let rest = bytes.get(start..).unwrap_or_default();
        if self.quote <= start {
            self.quote = start + memchr(b'"', rest).unwrap_or(rest.len());
        }
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let end = start + length;
        if self.quote < end {
            return row_at(bytes, start, self.delimiter);
        }
        let row = rest.get(..length).unwrap_or_default();
        let behind = rest.get(length..).unwrap_or_default();
        let (end_bytes, newlines) = match behind {
            [b'\r', b'\n', ..] => (2, 1),
            [b'\n', ..] => (1, 1),
            [_, ..] => (1, 0),
            [] => (0, 0),
        };
        Row {
            end,
            next: end + end_bytes,
            cells: 1 + memchr_iter(self.delimiter, row).count(),
            newlines,
            is_closed: true,
        }
    }
}

/// Returns the row that starts at `start`.
pub(crate) fn row_at(bytes: &[u8], start: usize, delimiter: u8) -> Row {
    let mut row = Row {
        end: bytes.len(),
        next: bytes.len(),
        cells: 1,
        newlines: 0,
        is_closed: true,
    };
    let mut at = start;
    loop {
        if bytes.get(at) == Some(&b'"') {
            let close = closing_quote(bytes, at + 1);
            let quoted = bytes.get(at..close.unwrap_or(bytes.len()));
            row.newlines += memchr_iter(b'\n', quoted.unwrap_or_default()).count();
            let Some(close) = close else {
                row.is_closed = false;
                return row;
            };
            at = close + 1;
            if bytes.get(at) == Some(&delimiter) {
                row.cells += 1;
                at += 1;
                continue;
            }
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(found) = memchr3(delimiter, b'\n', b'\r', rest) else {
            return row;
        };
        let place = at + found;
        match bytes.get(place..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {
                row.newlines += 1;
                (row.end, row.next) = (place, place + 2);
                return row;
            }
            [b'\n', ..] => {
                row.newlines += 1;
                (row.end, row.next) = (place, place + 1);
                return row;
            }
            [b'\r', ..] => {
                (row.end, row.next) = (place, place + 1);
                return row;
            }
            _ => {
                row.cells += 1;
                at = place + 1;
            }
        }
    }
}

/// Returns the place of the quote that closes a cell whose inside starts at `start`.
fn closing_quote(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let quote = at + memchr(b'"', bytes.get(at..)?)?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        at = quote + 2;
    }
}

/// Returns the cells of a row without its line end, unquoted.
pub(crate) fn cells(row: &[u8], delimiter: u8) -> Vec<Box<[u8]>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(row);
    let mut record = csv::ByteRecord::new();
    // Reading from a slice meets no error of the system, and one row has no other length.
    let _ = reader.read_byte_record(&mut record);
    record.iter().map(Box::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &[u8]) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut at = 0;
        let mut walk = RowWalk::new(b',');
        while at < text.len() {
            let row = row_at(text, at, b',');
            assert_eq!(walk.row_at(text, at), row);
            if row.end > at {
                rows.push(row);
            }
            at = row.next;
        }
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn rows_are_those_of_the_csv_crate(text in "[ab\",\r\n]{0,40}") {
            let rows = rows(text.as_bytes());
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let mut record = csv::ByteRecord::new();
            let mut expected = Vec::new();
            while reader.read_byte_record(&mut record).unwrap() {
                expected.push(record.len());
            }
            let found: Vec<usize> = rows.iter().map(|row| row.cells).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_open_quote_takes_the_rest() {
        let row = row_at(b"a,\"b\nc\"\"\n", 0, b',');
        assert_eq!(
            (row.end, row.cells, row.newlines, row.is_closed),
            (9, 2, 2, false)
        );
    }

    #[test]
    fn cells_are_unquoted() {
        let cells = cells(b"id;\"a;\"\"b\"\"\";c", b';');
        assert_eq!(cells, [&b"id"[..], b"a;\"b\"", b"c"].map(Box::from));
    }
}
