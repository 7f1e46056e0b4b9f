//! One pass over a JSON document that checks all of it and picks the wanted values.

#![expect(
    clippy::inline_always,
    reason = "measured: a fifth faster, as positions and errors then stay in registers"
)]

use crate::record::FieldValue;

use super::error::{JsonError, JsonFault, Stop};
use super::grammar::bit_stack::BitStack;
use super::grammar::skip::{Name, first_name, no_comma_or_end, skip_name, skip_space, skip_value};
use super::grammar::string::unescape;
use super::trie::{Node, PathTrie, ROOT};

/// Scans JSON documents; reuses its memory from one to the next.
#[derive(Debug, Default)]
pub struct Scanner {
    /// Containers on a wanted path that are open around the current one.
    outer: Vec<Frame>,
    /// Containers open inside a value that no path leads into.
    open: BitStack,
    /// For each node of the trie, the number of the last scan that met it.
    met: Vec<u64>,
    /// Number of the current scan.
    scan: u64,
    /// A member name with its escapes resolved.
    name: Vec<u8>,
}

/// An open container on a wanted path.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: usize,
    start: usize,
    /// The place of the current item; nothing in an object.
    item: Option<usize>,
}

/// A value that is about to be read.
struct Pending {
    position: usize,
    /// Its node, if a path leads to it or into it.
    node: Option<usize>,
}

/// Returns whether all of many bytes are UTF-8; ends at the first that are not.
pub fn is_utf8(bytes: &[u8]) -> bool {
    simdutf8::compat::from_utf8(bytes).is_ok()
}

impl Scanner {
    /// Returns a scanner.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that `document` is one JSON document and puts the values at the trie's paths into
    /// their slots of `out`.
    ///
    /// Slots of paths that lead nowhere get `Missing`; slots of paths with a member name that
    /// occurs twice in an object on the path get `Undecodable`; so do all on an error.
    pub fn scan<'a>(
        &mut self,
        document: &'a [u8],
        trie: &PathTrie,
        out: &mut [FieldValue<'a>],
    ) -> Result<(), JsonError> {
        // Most documents are short and have no other characters, and that is told sooner.
        if !document.is_ascii() && simdutf8::basic::from_utf8(document).is_err() {
            trie.fill(FieldValue::Undecodable, out);
            return Err(utf8_error(document));
        }
        self.scan_utf8_checked(document, trie, out)
    }

    /// As [`Scanner::scan`], for a document that is known to be UTF-8.
    pub fn scan_utf8_checked<'a>(
        &mut self,
        document: &'a [u8],
        trie: &PathTrie,
        out: &mut [FieldValue<'a>],
    ) -> Result<(), JsonError> {
        trie.fill(FieldValue::Missing, out);
        self.scan += 1;
        self.outer.clear();
        if self.met.len() < trie.node_count() {
            self.met.resize(trie.node_count(), 0);
        }
        self.walk(document, trie, out).map_err(|stop| {
            trie.fill(FieldValue::Undecodable, out);
            name_byte_order_mark(document, stop)
        })
    }

    fn walk<'a>(
        &mut self,
        document: &'a [u8],
        trie: &PathTrie,
        out: &mut [FieldValue<'a>],
    ) -> Result<(), Stop> {
        let start = skip_space(document, 0);
        if start == document.len() {
            return Err(Stop::new(start, JsonFault::Empty));
        }
        let mut pending = Pending {
            position: start,
            node: Some(ROOT),
        };
        loop {
            let position = match self.enter(document, trie, &pending, out)? {
                Step::Value(next) => {
                    pending = next;
                    continue;
                }
                Step::Behind(position) => position,
            };
            match self.leave(document, trie, position, out)? {
                Step::Value(next) => pending = next,
                Step::Behind(end) => return check_end(document, end),
            }
        }
    }

    /// Reads the pending value, or opens it if paths lead into it.
    #[inline(always)]
    fn enter<'a>(
        &mut self,
        document: &'a [u8],
        trie: &PathTrie,
        pending: &Pending,
        out: &mut [FieldValue<'a>],
    ) -> Result<Step, Stop> {
        let start = pending.position;
        let Some(number) = pending.node else {
            return Ok(Step::Behind(skip_value(document, start, &mut self.open)?));
        };
        let node = trie.node(number);
        let first = document.get(start);
        let is_object = first == Some(&b'{') && !node.members.is_empty();
        let is_array = first == Some(&b'[') && !node.items.is_empty();
        if !is_object && !is_array {
            let end = skip_value(document, start, &mut self.open)?;
            put(node, document, start..end, out);
            return Ok(Step::Behind(end));
        }
        let inside = skip_space(document, start + 1);
        if let Some(b'}' | b']') = document.get(inside) {
            // The other bracket is found wrong by the walk that knows the kind.
            let end = skip_value(document, start, &mut self.open)?;
            put(node, document, start..end, out);
            return Ok(Step::Behind(end));
        }
        self.outer.push(Frame {
            node: number,
            start,
            item: is_array.then_some(0),
        });
        if is_array {
            return Ok(Step::Value(Pending {
                position: inside,
                node: self.meet(trie, node.item(0), out),
            }));
        }
        let name = first_name(document, inside)?;
        Ok(Step::Value(Pending {
            position: name.value,
            node: self.member(trie, node, (name, document), out),
        }))
    }

    /// Leaves the containers that end behind a value and goes to the value after it.
    #[inline(always)]
    fn leave<'a>(
        &mut self,
        document: &'a [u8],
        trie: &PathTrie,
        position: usize,
        out: &mut [FieldValue<'a>],
    ) -> Result<Step, Stop> {
        let mut position = position;
        while let Some(frame) = self.outer.last_mut() {
            let node = trie.node(frame.node);
            position = skip_space(document, position);
            match (document.get(position), &mut frame.item) {
                (Some(b','), None) => {
                    let name = skip_name(document, skip_space(document, position + 1))?;
                    return Ok(Step::Value(Pending {
                        position: name.value,
                        node: self.member(trie, node, (name, document), out),
                    }));
                }
                (Some(b','), Some(item)) => {
                    *item += 1;
                    let child = node.item(*item);
                    return Ok(Step::Value(Pending {
                        position: skip_space(document, position + 1),
                        node: self.meet(trie, child, out),
                    }));
                }
                (Some(b'}'), None) | (Some(b']'), Some(_)) => {
                    position += 1;
                    put(node, document, frame.start..position, out);
                    self.outer.pop();
                }
                (_, item) => return Err(no_comma_or_end(position, item.is_none())),
            }
        }
        Ok(Step::Behind(position))
    }

    /// Returns the node of the member of that name in the document.
    #[inline(always)]
    fn member(
        &mut self,
        trie: &PathTrie,
        node: &Node,
        (name, document): (Name, &[u8]),
        out: &mut [FieldValue<'_>],
    ) -> Option<usize> {
        let content = name.content(document);
        let child = if name.has_escapes {
            self.name.clear();
            unescape(content, &mut self.name);
            node.member(&self.name)
        } else {
            node.member(content)
        };
        self.meet(trie, child, out)
    }

    /// Returns the node if this is the first time that the scan comes to it.
    #[inline(always)]
    fn meet(
        &mut self,
        trie: &PathTrie,
        child: Option<usize>,
        out: &mut [FieldValue<'_>],
    ) -> Option<usize> {
        let number = child?;
        let met = self.met.get_mut(number)?;
        if *met == self.scan {
            trie.node(number).mark_repeated(out);
            return None;
        }
        *met = self.scan;
        Some(number)
    }
}

enum Step {
    /// A value is to be read.
    Value(Pending),
    /// A value ended before this place, or the whole document did.
    Behind(usize),
}

fn put<'a>(
    node: &Node,
    document: &'a [u8],
    range: std::ops::Range<usize>,
    out: &mut [FieldValue<'a>],
) {
    if node.is_wanted() {
        node.put(value_of(document.get(range).unwrap_or_default()), out);
    }
}

/// Returns the value that a valid JSON text without space around it stands for.
fn value_of(text: &[u8]) -> FieldValue<'_> {
    match text {
        [b'"', content @ .., b'"'] if memchr::memchr(b'\\', content).is_some() => {
            FieldValue::EscapedText(content)
        }
        [b'"', content @ .., b'"'] => FieldValue::Bytes(content),
        [b'{' | b'[', ..] => FieldValue::Json(text),
        [b'n', ..] => FieldValue::Null,
        [b't' | b'f', ..] => FieldValue::Boolean(text.starts_with(b"t")),
        _ => FieldValue::Number(text),
    }
}

fn check_end(document: &[u8], end: usize) -> Result<(), Stop> {
    let end = skip_space(document, end);
    if end == document.len() {
        Ok(())
    } else {
        Err(Stop::new(end, JsonFault::TrailingText))
    }
}

#[cold]
fn name_byte_order_mark(document: &[u8], stop: Stop) -> JsonError {
    let error = JsonError::from(stop);
    if error.byte_offset == 0 && document.starts_with(b"\xef\xbb\xbf") {
        let what = JsonFault::ByteOrderMark;
        return JsonError { what, ..error };
    }
    error
}

/// Returns where a document stops being UTF-8.
#[cold]
fn utf8_error(document: &[u8]) -> JsonError {
    let valid = simdutf8::compat::from_utf8(document).map_or_else(|e| e.valid_up_to(), str::len);
    JsonError {
        byte_offset: valid,
        what: JsonFault::InvalidUtf8,
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::{self, Found};
    use super::super::text::field_text;
    use super::*;
    use crate::record::FieldPath;
    use crate::record::PathStep;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn steps(path: &str) -> Vec<PathStep> {
        FieldPath::parse(&format!("value{path}")).unwrap().steps
    }

    fn scan_one<'a>(document: &'a [u8], path: &str) -> FieldValue<'a> {
        let mut out = [FieldValue::Null];
        let trie = PathTrie::new(&[steps(path)]);
        Scanner::new().scan(document, &trie, &mut out).unwrap();
        out[0]
    }

    fn fault(document: &[u8]) -> Option<(usize, JsonFault)> {
        let trie = PathTrie::new(&[]);
        let error = Scanner::new().scan(document, &trie, &mut []).err()?;
        Some((error.byte_offset, error.what))
    }

    #[test]
    fn each_kind_of_value_comes_as_it_is_written() {
        let text = br#" {"s":"a b","e":"a\nb","n":-1.50e+3,"t":true,"f":false,"z":null,
            "o": {"x": [1, 2 ] } ,"a":[],"":0} "#;
        for (path, expected) in [
            (".s", FieldValue::Bytes(b"a b")),
            (".e", FieldValue::EscapedText(b"a\\nb")),
            (".n", FieldValue::Number(b"-1.50e+3")),
            (".t", FieldValue::Boolean(true)),
            (".f", FieldValue::Boolean(false)),
            (".z", FieldValue::Null),
            (".o", FieldValue::Json(b"{\"x\": [1, 2 ] }")),
            (".o.x[1]", FieldValue::Number(b"2")),
            (".a", FieldValue::Json(b"[]")),
            (".a[0]", FieldValue::Missing),
            (".\"\"", FieldValue::Number(b"0")),
            (".o.x[2]", FieldValue::Missing),
            (".s.x", FieldValue::Missing),
            (".o[0]", FieldValue::Missing),
        ] {
            assert_eq!(scan_one(text, path), expected, "{path}");
        }
        assert_eq!(scan_one(b" 7\n", ""), FieldValue::Number(b"7"));
    }

    #[test]
    fn prefixes_and_repeated_paths_are_all_filled() {
        let paths = ["", ".a", ".a.b", ".a.b", ".a.c"].map(steps);
        let mut out = [FieldValue::Null; 5];
        let document = br#"{"a":{"b":1}}"#;
        let mut scanner = Scanner::new();
        for _ in 0..2 {
            scanner
                .scan(document, &PathTrie::new(&paths), &mut out)
                .unwrap();
            let expected = [
                FieldValue::Json(document),
                FieldValue::Json(b"{\"b\":1}"),
                FieldValue::Number(b"1"),
                FieldValue::Number(b"1"),
                FieldValue::Missing,
            ];
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_repeated_name_on_the_path_cannot_be_decoded() {
        let paths = [".a", ".a.b", ".c"].map(steps);
        let mut out = [FieldValue::Null; 3];
        for document in [
            r#"{"a":{"b":1},"c":2,"a":{"b":1}}"#,
            r#"{"a":{"b":1},"c":2,"\u0061":3,"a":4}"#,
            r#"{"\u0061":{},"c":2,"a":{"b":2}}"#,
        ] {
            let mut scanner = Scanner::new();
            scanner
                .scan(document.as_bytes(), &PathTrie::new(&paths), &mut out)
                .unwrap();
            let undecodable = FieldValue::Undecodable;
            assert_eq!(out, [undecodable, undecodable, FieldValue::Number(b"2")]);
        }
        // Inside the value, and beside the path, a repeated name does no harm.
        assert_eq!(
            scan_one(br#"{"x":1,"x":2,"a":3}"#, ".a"),
            FieldValue::Number(b"3")
        );
        let inside = FieldValue::Json(br#"{"b":1,"b":2}"#);
        assert_eq!(scan_one(br#"{"a":{"b":1,"b":2}}"#, ".a"), inside);
    }

    #[test]
    fn any_depth_is_walked() {
        let depth = 1_000_000;
        let arrays = format!(
            "{{\"x\":{}1{},\"id\":5}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert_eq!(scan_one(arrays.as_bytes(), ".id"), FieldValue::Number(b"5"));
        let objects = format!("{}1{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
        assert!(matches!(
            scan_one(objects.as_bytes(), ""),
            FieldValue::Json(_)
        ));
        assert!(matches!(
            scan_one(objects.as_bytes(), ".a[0].a[0]"),
            FieldValue::Json(_)
        ));
        let open = "[".repeat(depth);
        assert_eq!(fault(open.as_bytes()), Some((depth, JsonFault::NoValue)));
        let crossed = format!("{}{}", "[".repeat(70), "}".repeat(70));
        assert_eq!(fault(crossed.as_bytes()), Some((70, JsonFault::NoValue)));
    }

    #[test]
    fn errors_say_where_and_what() {
        for (document, byte_offset, message) in [
            (&b"  "[..], 2, "expected a value, the document is empty"),
            (
                b"\xef\xbb\xbf{}",
                0,
                "expected a value, found a byte order mark",
            ),
            (b"{\"a\":\"\xff\"}", 6, "invalid UTF-8"),
            (b"{\"a\":1 \"b\":2}", 7, "expected `,` or `}`"),
            (b"[1 2]", 3, "expected `,` or `]`"),
            (b"{\"a\":1,}", 7, "expected a member name in quotes"),
            (b"{a:1}", 1, "expected a member name in quotes or `}`"),
            (b"{\"a\" 1}", 5, "expected `:`"),
            (b"{\"a\":}", 5, "expected a value"),
            (b"[1,]", 3, "expected a value"),
            (b"{\"a\":\"b", 7, "the document ends inside a string"),
            (
                b"[\"a\nb\"]",
                3,
                "control character in a string; it must be escaped",
            ),
            (b"[\"\\x\"]", 3, "invalid escape in a string"),
            (b"[\"\\ud800\"]", 2, "lone surrogate in a string"),
            (b"[-]", 2, "expected a digit"),
            (b"{} {}", 3, "expected the end of the document"),
        ] {
            let trie = PathTrie::new(&[steps(".a")]);
            let mut out = [FieldValue::Null];
            let error = Scanner::new().scan(document, &trie, &mut out).unwrap_err();
            assert_eq!(
                (error.byte_offset, error.to_string().as_str()),
                (byte_offset, message)
            );
            assert_eq!(out, [FieldValue::Undecodable]);
        }
    }

    #[rustfmt::skip]
    const NASTY: &[&[u8]] = &[
        b"", b" ", b"[1,]", b"[,1]", b"[1,,2]", b"{,}", b"01", b"-01", b"1.", b".5", b"-.5", b"-",
        b"+1", b"1e", b"1e+", b"1E5", b"1e400", b"-0", b"-0.0e-0", b"1.e1", b"0x1", b"NaN",
        b"Infinity", b"-Infinity", b"nul", b"nulll", b"tru", b"True", b"null", b"\"", b"\"a",
        b"\"\\", b"\"\\\"", b"\"\\u\"", b"\"\\u12\"", b"\"\\u12G4\"", b"\"\\u0000\"",
        b"\"\\ud800\"", b"\"\\udc00\"", b"\"\\ud800\\u0041\"", b"\"\\ud800\\udc00\"",
        b"\"\\uD83D\\uDE00\"", b"\"\\ud800x\"", b"\"\\ud800\\n\"", b"\"\\udc00\\ud800\"",
        b"\"\\ud800\\ud800\\udc00\"", b"\"\\x41\"", b"\"\\a\"", b"\"\\'\"",
        b"\"\\/\\b\\f\\n\\r\\t\"", b"\"\x00\"", b"\"\x1f\"", b"\"\x7f\"", b"\"\n\"", b"\"\t\"",
        b"\"\xc3\xa9\"", b"\"\xc0\xaf\"", b"\"\xe0\x80\xaf\"", b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"", b"\"\xf5\"", b"\"\xff\"", b"\"\xe2\x80\xa8\"", b"{\"a\":1,}",
        b"{\"a\"}", b"{\"a\":}", b"{\"a\" :1}", b"{1:2}", b"{a:1}", b"{'a':1}", b"{\"a\":1}{",
        b"{} {}", b"[] 1", b"1 2", b"[1]]", b"{\"a\":[}]", b"[{]}", b"{]", b"[}",
        b"\xef\xbb\xbf{}", b"[1\x0b]", b"[1\x0c]", b"[\xa0]", b"\x00", b"{}\x00", b"[1]//x",
        b"[1/**/]", b"\t\r\n [ 1 ] \n", b"[\"\\ud834\\udd1e\"]", b"{\"\\ud800\":1}",
        b"{\"\\q\":1}", b"[1.0E+2,-1e-2]", b"[1e1.5]", b"[1-2]", b"[--1]", b"[0e]", b"[00]",
        b"[-]", b"[1 true]", b"[truefalse]", b"{\"a\":1 \"b\":2}", b"{\"a\":1,\"a\":2}",
        b"[\"a\" \"b\"]", b"][", b":", b",",
    ];

    #[test]
    fn nasty_documents_are_judged_as_serde_json_does() {
        for document in NASTY {
            let text = String::from_utf8_lossy(document);
            assert_eq!(
                fault(document).is_none(),
                oracle::is_valid(document),
                "{text}"
            );
            let inside = [b"{\"id\": [", *document, b"], \"k\":1}"].concat();
            assert_eq!(
                fault(&inside).is_none(),
                oracle::is_valid(&inside),
                "inside: {text}"
            );
            let trie = PathTrie::new(&[".id[0].a", ".id[1]"].map(steps));
            let result = Scanner::new().scan(&inside, &trie, &mut [FieldValue::Null; 2]);
            assert_eq!(
                result.is_ok(),
                oracle::is_valid(&inside),
                "on the path: {text}"
            );
        }
    }

    fn paths() -> Vec<Vec<PathStep>> {
        let mut paths = [
            "", ".a", ".b", ".c", ".a.a", ".a.b", ".b.a", ".a[0]", ".a[1]", ".b[0].a", "[0]",
            "[1].a", "[0][0]", ".\"a.b\"", ".a.a.a", ".c[1][0]",
        ]
        .map(steps)
        .to_vec();
        paths.push(vec![PathStep::Member("\u{e9}\n".into())]);
        paths
    }

    fn assert_agrees(document: &str) {
        let paths = paths();
        let mut out = vec![FieldValue::Null; paths.len()];
        Scanner::new()
            .scan(document.as_bytes(), &PathTrie::new(&paths), &mut out)
            .unwrap();
        for (path, value) in paths.iter().zip(out) {
            let mut scratch = Vec::new();
            let is_text = matches!(value, FieldValue::Bytes(_) | FieldValue::EscapedText(_));
            let text = field_text(value, &mut scratch).unwrap_or(b"null");
            let text = String::from_utf8(text.to_vec()).unwrap();
            let found = if value == FieldValue::Missing {
                Found::Missing
            } else if value == FieldValue::Undecodable {
                Found::Repeated
            } else if is_text {
                Found::Text(text)
            } else {
                Found::Raw(text)
            };
            assert_eq!(
                found,
                oracle::find(document, path),
                "{path:?} of {document}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 512,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_plain_walk_finds_the_same(value in oracle::documents(), seed in any::<u64>()) {
            assert_agrees(&value.spell(seed));
        }

        #[test]
        fn a_plain_walk_finds_the_same_where_names_repeat(
            parts in vec(("[ab]", oracle::documents()), 0..5), seed in any::<u64>(),
        ) {
            let members: Vec<_> = parts.iter().map(|(name, value)| {
                format!("\"{name}\":{}", value.spell(seed))
            }).collect();
            let object = format!("{{{}}}", members.join(","));
            assert_agrees(&object);
            assert_agrees(&format!("{{\"c\":1,\"a\":{object}}}"));
        }

        #[test]
        fn damaged_documents_are_judged_as_serde_json_does(
            value in oracle::documents(),
            seed in any::<u64>(),
            damages in vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..3),
        ) {
            let mut document = value.spell(seed).into_bytes();
            for (place, kind, byte) in damages {
                let place = place.index(document.len() + 1);
                let telling = b"\"\\{}[],:0-.eu \x1f";
                let telling = telling[usize::from(byte) % telling.len()];
                match kind {
                    0 => document.truncate(place),
                    1 => document.insert(place, telling),
                    2 => document.iter_mut().skip(place).take(1).for_each(|b| *b = byte),
                    _ if place < document.len() => drop(document.remove(place)),
                    _ => {}
                }
            }
            let is_valid = oracle::is_valid(&document);
            let text = String::from_utf8_lossy(&document);
            prop_assert_eq!(fault(&document).is_none(), is_valid, "{}", text);
            let paths = paths();
            let mut out = vec![FieldValue::Null; paths.len()];
            let result = Scanner::new().scan(&document, &PathTrie::new(&paths), &mut out);
            prop_assert_eq!(result.is_ok(), is_valid);
            if is_valid {
                assert_agrees(std::str::from_utf8(&document).unwrap());
            }
            // Nothing that looks at documents later on panics at a damaged one.
            let _ = super::super::leaves(&document, &mut |_, _| ());
            super::super::differing_paths(&document, b"{}");
            let _ = super::super::canonical::write(&document, &paths, &mut Vec::new());
        }
    }
}
