//! Finds records that start at a line with a mark and may go on over lines without one.

use std::ops::Range;

use memchr::memchr;

/// How lines start that start a record.
pub(crate) type Marks = &'static [&'static str];

/// A scan from the start of a record over bytes that grow at their end.
#[derive(Debug)]
pub(crate) struct MarkScan {
    marks: Marks,
    /// Bytes that need no second look.
    scanned: usize,
}

impl MarkScan {
    /// Starts at the start of a record.
    pub(crate) fn new(marks: Marks) -> Self {
        Self { marks, scanned: 0 }
    }

    /// Returns the place behind the next record that is known to end within `bytes`.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let rest = bytes.get(self.scanned..)?;
            let Some(found) = memchr(b'\n', rest) else {
                self.scanned = bytes.len();
                return None;
            };
            let end = self.scanned + found + 1;
            let line = bytes.get(end..).unwrap_or_default();
            let mut is_undecided = false;
            for mark in self.marks {
                let mark = mark.as_bytes();
                if line.starts_with(mark) {
                    self.scanned = end;
                    return Some(end);
                }
                is_undecided |= mark.starts_with(line);
            }
            if is_undecided {
                self.scanned = end - 1;
                return None;
            }
            self.scanned = end;
        }
    }

    /// Returns how many bytes at the front are no longer needed, and forgets them.
    pub(crate) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.scanned)
    }
}

/// Calls `visit` with the place of every record, its line ends included.
pub(crate) fn for_each(bytes: &[u8], marks: Marks, mut visit: impl FnMut(Range<usize>)) {
    let mut scan = MarkScan::new(marks);
    let mut start = 0;
    while let Some(end) = scan.next(bytes) {
        visit(start..end);
        start = end;
    }
    if start < bytes.len() {
        visit(start..bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARKS: Marks = &["ab:", "| "];

    /// Cuts before every line with a mark but the first, as plainly as it can be written.
    fn naive(text: &str) -> Vec<String> {
        let mut records: Vec<String> = Vec::new();
        for line in text.split_inclusive('\n') {
            let is_marked = MARKS.iter().any(|mark| line.starts_with(mark));
            match records.last_mut() {
                Some(last) if !is_marked => last.push_str(line),
                _ => records.push(line.to_owned()),
            }
        }
        records
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn records_are_the_same_for_any_piece_size(text in "[ab:| \n]{0,40}", step in 1_usize..9) {
            let expected = naive(&text);
            let mut found = Vec::new();
            for_each(text.as_bytes(), MARKS, |place| found.push(text[place].to_owned()));
            prop_assert_eq!(&found, &expected);
            let mut scan = MarkScan::new(MARKS);
            let (mut start, mut end) = (0, 0);
            found.clear();
            while end < text.len() {
                end = (end + step).min(text.len());
                while let Some(place) = scan.next(&text.as_bytes()[..end]) {
                    found.push(text[start..place].to_owned());
                    start = place;
                }
            }
            if start < text.len() {
                found.push(text[start..].to_owned());
            }
            prop_assert_eq!(found, expected);
        }
    }
}
