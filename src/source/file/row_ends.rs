//! Finds where lines or CSV rows end in bytes that come piece by piece.

use memchr::{memchr, memchr2, memrchr, memrchr2};

use crate::source::file::document_ends::{DocumentScan, Framing, Open};
use crate::source::file::mark_ends::{MarkScan, Marks};

/// What ends a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordEnds {
    /// A newline.
    Lines,
    /// A newline or carriage return outside quotes; a quote opens quoting at the start of a cell
    /// only.
    Rows {
        /// Byte between cells.
        delimiter: u8,
    },
    /// The end of a JSON document.
    Documents(Framing),
    /// A newline before a line that starts a record.
    Marks(Marks),
}

impl RecordEnds {
    /// Returns the word for what lies between two ends.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Lines => "line",
            Self::Rows { .. } => "row",
            Self::Documents(_) => "document",
            Self::Marks(_) => "record",
        }
    }
}

/// Which end is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The first, behind a record that is too long.
    First,
    /// The last, so that as many whole records as possible come before it.
    Last,
}

/// A scan from the start of a record over bytes that grow at their end.
#[derive(Debug)]
pub(crate) struct RowScan {
    ends: RecordEnds,
    /// Bytes that need no second look.
    scanned: usize,
    is_quoted: bool,
    inner: Inner,
}

/// What ends that are no single byte need to be found.
#[derive(Debug)]
enum Inner {
    Nothing,
    Documents(DocumentScan),
    Marks(MarkScan),
}

impl RowScan {
    /// Starts at the start of a record.
    pub(crate) fn new(ends: RecordEnds) -> Self {
        Self {
            ends,
            scanned: 0,
            is_quoted: false,
            inner: match ends {
                RecordEnds::Documents(framing) => Inner::Documents(DocumentScan::new(framing)),
                RecordEnds::Marks(marks) => Inner::Marks(MarkScan::new(marks)),
                RecordEnds::Lines | RecordEnds::Rows { .. } => Inner::Nothing,
            },
        }
    }

    /// Returns what is never closed where `bytes` end, all of them scanned.
    pub(crate) fn open(&self, bytes: &[u8]) -> Option<&'static str> {
        if let Inner::Documents(documents) = &self.inner {
            return match documents.open() {
                Open::Nothing => None,
                Open::Document => Some("the JSON document"),
                Open::Array => Some("the JSON array"),
            };
        }
        // A quote as the last byte closes.
        let is_open = self.is_quoted && bytes.get(self.scanned) != Some(&b'"');
        is_open.then_some("a quote")
    }

    /// Returns how many bytes at the front are no longer needed, and forgets them.
    pub(crate) fn forget(&mut self) -> usize {
        match &mut self.inner {
            Inner::Documents(documents) => return documents.forget(),
            Inner::Marks(marks) => return marks.forget(),
            Inner::Nothing => {}
        }
        // The last byte seen tells whether a quote behind it opens a cell.
        let count = self.scanned.saturating_sub(1);
        self.scanned -= count;
        count
    }

    /// Returns the place behind the first or last record end among bytes not scanned before.
    pub(crate) fn find(&mut self, bytes: &[u8], wanted: Wanted) -> Option<usize> {
        match &mut self.inner {
            Inner::Documents(documents) => match wanted {
                Wanted::First => documents.find_first(bytes),
                Wanted::Last => documents.find_last(bytes),
            },
            Inner::Marks(marks) => {
                let first = marks.next(bytes)?;
                if wanted == Wanted::First {
                    return Some(first);
                }
                let mut last = first;
                while let Some(end) = marks.next(bytes) {
                    last = end;
                }
                Some(last)
            }
            Inner::Nothing => match self.ends {
                RecordEnds::Rows { delimiter } => self.find_row(bytes, wanted, delimiter),
                RecordEnds::Lines | RecordEnds::Documents(_) | RecordEnds::Marks(_) => {
                    self.find_line(bytes, wanted)
                }
            },
        }
    }

    fn find_line(&mut self, bytes: &[u8], wanted: Wanted) -> Option<usize> {
        let rest = bytes.get(self.scanned..).unwrap_or_default();
        let found = match wanted {
            Wanted::First => memchr(b'\n', rest),
            Wanted::Last => memrchr(b'\n', rest),
        };
        let end = found.map(|place| self.scanned + place + 1);
        self.scanned = bytes.len();
        end
    }

    fn find_row(&mut self, bytes: &[u8], wanted: Wanted, delimiter: u8) -> Option<usize> {
        let mut found = None;
        loop {
            let start = self.scanned;
            let rest = bytes.get(start..).unwrap_or_default();
            let quote = memchr(b'"', rest).map(|place| start + place);
            if self.is_quoted {
                let Some(quote) = quote else {
                    self.scanned = bytes.len();
                    return found;
                };
                match bytes.get(quote + 1..).unwrap_or_default() {
                    [b'"', ..] => self.scanned = quote + 2,
                    // Most cells of a quoted file: the next one is quoted too.
                    [byte, b'"', ..] if *byte == delimiter => self.scanned = quote + 3,
                    [b'\n', b'"', ..] if wanted == Wanted::Last => {
                        found = Some(quote + 2);
                        self.scanned = quote + 3;
                    }
                    [_, ..] => {
                        self.scanned = quote + 1;
                        self.is_quoted = false;
                    }
                    [] => {
                        // Whether it closes or doubles is told by the next byte.
                        self.scanned = quote;
                        return found;
                    }
                }
                continue;
            }
            let stretch_end = quote.unwrap_or(bytes.len());
            self.scanned = stretch_end;
            let end = self.row_end(bytes, start, stretch_end, wanted);
            found = end.or(found);
            if wanted == Wanted::First && found.is_some() {
                return found;
            }
            let Some(quote) = quote else {
                return found;
            };
            let before = quote.checked_sub(1).and_then(|place| bytes.get(place));
            let opens = before.is_none_or(|&byte| ends_cell(byte, delimiter));
            self.is_quoted = opens;
            self.scanned = quote + 1;
        }
    }

    /// Returns the row end in a stretch without quotes.
    fn row_end(&mut self, bytes: &[u8], start: usize, end: usize, wanted: Wanted) -> Option<usize> {
        let mut stretch = bytes.get(start..end).unwrap_or_default();
        // A carriage return as the last byte may have its newline still to come.
        if end == bytes.len() && stretch.last() == Some(&b'\r') {
            stretch = stretch.split_last().map_or(stretch, |(_, before)| before);
            self.scanned = end - 1;
        }
        let place = start
            + match wanted {
                Wanted::First => memchr2(b'\n', b'\r', stretch)?,
                Wanted::Last => memrchr2(b'\n', b'\r', stretch)?,
            };
        let is_pair = bytes.get(place..place + 2) == Some(b"\r\n");
        Some(place + 1 + usize::from(is_pair))
    }
}

fn ends_cell(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: RecordEnds = RecordEnds::Rows { delimiter: b',' };

    fn last(text: &str) -> Option<usize> {
        RowScan::new(CSV).find(text.as_bytes(), Wanted::Last)
    }

    #[test]
    fn a_quote_within_a_cell_opens_no_quoting() {
        assert_eq!(last("a\"b\nc"), Some(4));
        assert_eq!(last("a,\"b\nc"), None);
        assert_eq!(last("\"b\nc\"\n\"d\n"), Some(6));
        assert_eq!(last("\"a\"\"\nb\"x\"\n"), Some(10));
        assert_eq!(last("a\r\nb\r"), Some(3));
        assert_eq!(last("a\rb"), Some(2));
    }

    #[test]
    fn the_first_end_is_found_over_any_pieces() {
        let text = b"\"a\"\"\r\nb\",c\"\r\nd";
        for cut in 0..text.len() {
            let mut scan = RowScan::new(CSV);
            let first = scan.find(&text[..cut], Wanted::First);
            let dropped = if first.is_none() { scan.forget() } else { 0 };
            let found = first.or_else(|| {
                let found = scan.find(&text[dropped..], Wanted::First);
                found.map(|end| end + dropped)
            });
            assert_eq!(found, Some(13), "cut at {cut}");
        }
    }
}
