//! Finds where JSON documents that are not one per line start and end, in bytes that come piece
//! by piece.

use std::ops::Range;

use memchr::memchr2;

/// What lies around the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// White space only.
    Stream,
    /// Arrays, one after the other; the scan starts behind the first opening bracket.
    Arrays,
    /// Arrays that are this member of an object; what is around them is skipped.
    Member(&'static str),
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its place.
    pub(crate) place: Range<usize>,
    /// Whether it is no document: cut off, a bracket too many, or beside the arrays.
    pub(crate) is_stray: bool,
}

/// What is still open where the bytes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// Nothing.
    Nothing,
    /// A document.
    Document,
    /// The array around the documents.
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Where a document may start.
    Between,
    /// Behind the array.
    Outside,
    /// In a string behind the array; how much of it is the start of the member's name.
    OutsideText(Option<usize>),
    /// Behind the member's name.
    OutsideName,
    /// In a number or a word.
    Scalar,
    /// In an object or array.
    Nested,
    /// In a string, of a document or by itself.
    Text,
}

/// A scan that starts where a document may start, over bytes that grow at their end.
#[derive(Debug)]
pub(crate) struct DocumentScan {
    framing: Framing,
    state: State,
    /// Bytes that need no second look.
    scanned: usize,
    /// Whether the last byte is a backslash that escapes the next one.
    is_escaped: bool,
    depth: usize,
    start: usize,
    /// Whether the document at hand lies beside the arrays.
    is_beside: bool,
    /// The last place where a scan may start anew.
    safe: usize,
}

impl DocumentScan {
    /// Starts where a document may start.
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            framing,
            state: State::Between,
            scanned: 0,
            is_escaped: false,
            depth: 0,
            start: 0,
            is_beside: false,
            safe: 0,
        }
    }

    /// Returns the last place where a scan may start anew, if there is a new one.
    pub(crate) fn find_last(&mut self, bytes: &[u8]) -> Option<usize> {
        let before = self.safe;
        while self.next(bytes).is_some() {}
        (self.safe > before).then_some(self.safe)
    }

    /// Returns the place behind the first document, if a scan may start anew there.
    pub(crate) fn find_first(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(document) = self.next(bytes) {
            if self.state == State::Between {
                return Some(document.place.end);
            }
        }
        None
    }

    /// Returns how many bytes at the front are no longer needed, and forgets them.
    pub(crate) fn forget(&mut self) -> usize {
        let count = self.scanned;
        (self.scanned, self.start, self.safe) = (0, 0, 0);
        count
    }

    /// Returns what is open at the end of the bytes, all scanned.
    pub(crate) fn open(&self) -> Open {
        match self.state {
            State::Nested | State::Text => Open::Document,
            State::Between | State::Scalar if self.framing != Framing::Stream => Open::Array,
            State::Between
            | State::Scalar
            | State::Outside
            | State::OutsideText(_)
            | State::OutsideName => Open::Nothing,
        }
    }

    /// Returns the next document that ends within `bytes`.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Option<Document> {
        loop {
            let &byte = bytes.get(self.scanned)?;
            match self.state {
                State::Between | State::Outside => {
                    if let Some(document) = self.step_between(byte) {
                        return Some(document);
                    }
                }
                State::OutsideText(matched) => self.step_outside_text(byte, matched),
                State::OutsideName => self.step_outside_name(byte),
                State::Scalar if ends_scalar(byte) => return Some(self.finish(self.scanned)),
                State::Scalar => self.scanned += 1,
                State::Nested => {
                    if self.skip_nested(bytes) {
                        return Some(self.finish(self.scanned));
                    }
                }
                State::Text => {
                    if self.skip_text(bytes) {
                        if self.depth == 0 {
                            return Some(self.finish(self.scanned));
                        }
                        self.state = State::Nested;
                    }
                }
            }
        }
    }

    /// Returns what is left at the end of all bytes, which no other document follows.
    pub(crate) fn rest(&mut self, bytes: &[u8]) -> Option<Document> {
        match self.state {
            State::Scalar => Some(self.finish(bytes.len())),
            State::Nested | State::Text => {
                self.is_beside = true;
                Some(self.finish(bytes.len()))
            }
            State::Between | State::Outside | State::OutsideText(_) | State::OutsideName => None,
        }
    }

    fn finish(&mut self, end: usize) -> Document {
        let is_stray = self.is_beside;
        let is_within = !is_stray || self.framing == Framing::Stream;
        self.state = if is_within {
            self.safe = end;
            State::Between
        } else {
            State::Outside
        };
        (self.depth, self.is_beside, self.is_escaped) = (0, false, false);
        Document {
            place: self.start..end,
            is_stray,
        }
    }

    /// Looks at a byte where a document may start, or at one behind the array.
    fn step_between(&mut self, byte: u8) -> Option<Document> {
        let is_between = self.state == State::Between;
        self.scanned += 1;
        if byte.is_ascii_whitespace() || (is_between && self.separates(byte)) {
            if is_between {
                self.safe = self.scanned;
            }
            return None;
        }
        if !is_between {
            match (self.framing, byte) {
                (Framing::Member(_), b'"') => {
                    self.state = State::OutsideText(Some(0));
                    return None;
                }
                (Framing::Member(_), _) => return None,
                (Framing::Arrays, b'[') => {
                    self.state = State::Between;
                    self.safe = self.scanned;
                    return None;
                }
                (Framing::Arrays | Framing::Stream, _) => self.is_beside = true,
            }
        }
        self.start = self.scanned - 1;
        match byte {
            b']' if is_between && self.framing != Framing::Stream => self.state = State::Outside,
            b'"' => self.state = State::Text,
            b'{' | b'[' => (self.state, self.depth) = (State::Nested, 1),
            b'}' | b']' | b',' | b':' => {
                let is_between = self.state == State::Between;
                let mut stray = self.finish(self.scanned);
                stray.is_stray = true;
                if is_between {
                    (self.state, self.safe) = (State::Between, self.scanned);
                }
                return Some(stray);
            }
            _ => self.state = State::Scalar,
        }
        None
    }

    fn separates(&self, byte: u8) -> bool {
        byte == b',' && self.framing != Framing::Stream
    }

    fn step_outside_text(&mut self, byte: u8, matched: Option<usize>) {
        self.scanned += 1;
        let Framing::Member(name) = self.framing else {
            return;
        };
        if std::mem::take(&mut self.is_escaped) {
            self.state = State::OutsideText(None);
            return;
        }
        self.state = match byte {
            b'"' if matched == Some(name.len()) => State::OutsideName,
            b'"' => State::Outside,
            b'\\' => {
                self.is_escaped = true;
                State::OutsideText(None)
            }
            _ => {
                let is_next = |&at: &usize| name.as_bytes().get(at) == Some(&byte);
                State::OutsideText(matched.filter(is_next).map(|at| at + 1))
            }
        };
    }

    /// Between the name of the member and the bracket that opens its array.
    fn step_outside_name(&mut self, byte: u8) {
        match byte {
            b'[' => {
                self.scanned += 1;
                (self.state, self.safe) = (State::Between, self.scanned);
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => self.scanned += 1,
            _ => self.state = State::Outside,
        }
    }

    /// Skips to the next quote or bracket; returns whether it closes the document.
    fn skip_nested(&mut self, bytes: &[u8]) -> bool {
        let rest = bytes.get(self.scanned..).unwrap_or_default();
        let is_sign = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
        let Some(found) = rest.iter().position(is_sign) else {
            self.scanned = bytes.len();
            return false;
        };
        self.scanned += found + 1;
        match rest.get(found) {
            Some(b'"') => self.state = State::Text,
            Some(b'{' | b'[') => self.depth += 1,
            _ => self.depth -= 1,
        }
        self.depth == 0
    }

    /// Skips to the end of a string; returns whether it is there.
    fn skip_text(&mut self, bytes: &[u8]) -> bool {
        if std::mem::take(&mut self.is_escaped) {
            self.scanned += 1;
            return false;
        }
        let rest = bytes.get(self.scanned..).unwrap_or_default();
        let Some(found) = memchr2(b'"', b'\\', rest) else {
            self.scanned = bytes.len();
            return false;
        };
        self.scanned += found + 1;
        self.is_escaped = rest.get(found) == Some(&b'\\');
        !self.is_escaped
    }
}

fn ends_scalar(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    /// Documents as they come when the bytes grow by `step`.
    fn documents(text: &[u8], framing: Framing, step: usize) -> Vec<Document> {
        let mut scan = DocumentScan::new(framing);
        let mut found = Vec::new();
        let mut end = 0;
        while end < text.len() {
            end = (end + step).min(text.len());
            while let Some(document) = scan.next(&text[..end]) {
                found.push(document);
            }
        }
        found.extend(scan.rest(text));
        found
    }

    fn texts(text: &str, framing: Framing) -> Vec<&str> {
        let documents = documents(text.as_bytes(), framing, 3);
        let places = documents.into_iter().filter(|document| !document.is_stray);
        places.map(|document| &text[document.place]).collect()
    }

    /// Places of the documents before the first fault, as `serde_json` finds them.
    fn oracle(text: &[u8]) -> (Vec<Range<usize>>, bool) {
        let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        let mut places = Vec::new();
        let mut end = 0;
        while let Some(document) = stream.next() {
            if document.is_err() {
                return (places, false);
            }
            let gap = &text[end..stream.byte_offset()];
            let start = end
                + gap
                    .iter()
                    .take_while(|byte| byte.is_ascii_whitespace())
                    .count();
            end = stream.byte_offset();
            places.push(start..end);
        }
        (places, true)
    }

    fn quiet() -> ProptestConfig {
        ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            "[a\"\\\\{}\\[\\], \n]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                proptest::collection::vec(("[a\"]{0,2}", inner), 0..3).prop_map(|members| {
                    let map: serde_json::Map<_, _> = members.into_iter().collect();
                    map.into()
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(quiet())]

        #[test]
        fn documents_are_those_of_serde_json_for_any_piece_size(
            values in proptest::collection::vec((value(), any::<bool>(), "[ \n]{1,2}"), 0..6),
            step in 1_usize..20,
        ) {
            let mut text = String::new();
            for (value, is_pretty, gap) in &values {
                let shown = if *is_pretty { format!("{value:#}") } else { value.to_string() };
                text.push_str(&shown);
                text += gap;
            }
            let (expected, is_valid) = oracle(text.as_bytes());
            prop_assert!(is_valid);
            let found = documents(text.as_bytes(), Framing::Stream, step);
            prop_assert!(found.iter().all(|document| !document.is_stray));
            let places: Vec<_> = found.into_iter().map(|document| document.place).collect();
            prop_assert_eq!(places, expected);
        }

        #[test]
        fn documents_of_arrays_are_their_elements(
            arrays in proptest::collection::vec(
                (proptest::collection::vec(value(), 0..5), any::<bool>()), 1..4),
            step in 1_usize..20,
        ) {
            let mut text = String::new();
            let mut expected = Vec::new();
            for (elements, is_pretty) in arrays {
                expected.extend(elements.clone());
                let array = serde_json::Value::from(elements);
                let shown = if is_pretty { format!("{array:#}\n") } else { array.to_string() };
                text.push_str(&shown);
            }
            let text = &text[1..];
            let found = documents(text.as_bytes(), Framing::Arrays, step);
            prop_assert!(found.iter().all(|document| !document.is_stray));
            let parsed: Vec<serde_json::Value> = found
                .into_iter()
                .map(|document| serde_json::from_str(&text[document.place]).unwrap())
                .collect();
            prop_assert_eq!(parsed, expected);
        }

        #[test]
        fn documents_before_a_fault_are_those_of_serde_json(
            text in "[a1\"\\\\{}\\[\\],: \n]{0,40}",
            step in 1_usize..9,
        ) {
            let (mut expected, _) = oracle(text.as_bytes());
            // Whether a document ends is told by what follows it, unless that is the fault.
            expected.pop();
            let found = documents(text.as_bytes(), Framing::Stream, step);
            let places: Vec<_> = found.iter().map(|document| document.place.clone()).collect();
            prop_assert_eq!(&places[..expected.len()], &expected[..]);
            // Nothing but white space lies between documents.
            let mut end = 0;
            for place in places {
                prop_assert!(text.as_bytes()[end..place.start].iter().all(u8::is_ascii_whitespace));
                end = place.end;
            }
            prop_assert!(text.as_bytes()[end..].iter().all(u8::is_ascii_whitespace));
        }

        #[test]
        fn a_scan_may_start_anew_at_every_safe_place(
            text in "[a1\"\\\\{}\\[\\],: \n]{0,40}",
            steps in proptest::collection::vec(1_usize..9, 1..40),
            framing in prop::sample::select(vec![
                Framing::Stream, Framing::Arrays, Framing::Member("a"),
            ]),
        ) {
            let text = text.as_bytes();
            let expected = documents(text, framing, 1);
            let mut found = Vec::new();
            let (mut from, mut end) = (0, 0);
            let mut scan = DocumentScan::new(framing);
            for step in steps.into_iter().cycle() {
                if end == text.len() {
                    break;
                }
                end = (end + step).min(text.len());
                if let Some(safe) = scan.find_last(&text[from..end]) {
                    found.extend(shifted(documents(&text[from..from + safe], framing, 5), from));
                    from += safe;
                    scan = DocumentScan::new(framing);
                    scan.find_last(&text[from..end]);
                }
            }
            found.extend(shifted(documents(&text[from..], framing, 5), from));
            prop_assert_eq!(found, expected);
        }
    }

    fn shifted(documents: Vec<Document>, by: usize) -> Vec<Document> {
        let shift = |document: Document| Document {
            place: document.place.start + by..document.place.end + by,
            ..document
        };
        documents.into_iter().map(shift).collect()
    }

    #[test]
    fn a_member_is_found_by_its_name_only() {
        let text = r#"{"a":1},{"b":[2]}],"x":["events"],"y":"events","events" : [3, "]"],"n":null}
            {"events":[{"c":4}]}"#;
        let found = texts(text, Framing::Member("events"));
        assert_eq!(
            found,
            [r#"{"a":1}"#, r#"{"b":[2]}"#, "3", "\"]\"", r#"{"c":4}"#]
        );
    }

    #[test]
    fn what_is_no_document_is_stray() {
        let stray = |text: &str, framing| {
            let found = documents(text.as_bytes(), framing, 100);
            let stray: Vec<_> = found.iter().filter(|document| document.is_stray).collect();
            (found.len(), stray.len())
        };
        assert_eq!(stray("{\"a\":1} , {\"a\":2}", Framing::Stream), (3, 1));
        assert_eq!(stray("{\"a\":1}}", Framing::Stream), (2, 1));
        assert_eq!(stray("{\"a\":1", Framing::Stream), (1, 1));
        assert_eq!(stray("1,2] x", Framing::Arrays), (3, 1));
        let mut scan = DocumentScan::new(Framing::Arrays);
        assert_eq!(
            (scan.find_last(b"1, 2 "), scan.open()),
            (Some(5), Open::Array)
        );
        assert_eq!(
            (scan.find_last(b"1, 2 ]"), scan.open()),
            (None, Open::Nothing)
        );
    }
}
