//! Reads the values at field paths out of records, whatever part they lie in.

use crate::decode::columns::WantedColumns;
use crate::decode::connect_envelope::{connect_payload, into_payload};
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::Headers;
use crate::record::Part;
use crate::record::Payload;
use crate::record::RecordBlock;
use crate::record::RecordDefect;
use crate::record::RecordView;
use crate::record::Root;
use crate::record::ValueFormat;
use crate::scan_json;
use crate::scan_json::PathTrie;
use crate::scan_json::Scanner;

/// Reads the values at a list of field paths; each part of a record is walked over once.
#[derive(Debug)]
pub struct FieldReader {
    paths: Vec<FieldPath>,
    /// Slots of topic, partition, offset and timestamp.
    coordinates: Vec<(usize, Root)>,
    headers: Vec<(usize, Box<str>)>,
    key: PayloadPaths,
    value: PayloadPaths,
    columns: WantedColumns,
    scanner: Scanner,
    alternatives: Option<Alternatives>,
}

/// Where to look for what is not found at its first place.
#[derive(Debug)]
struct Alternatives {
    /// Slots of paths that have another place, in the order of the reader's own.
    slots: Vec<usize>,
    reader: Box<FieldReader>,
}

impl Alternatives {
    fn new(paths: &[FieldPath]) -> Option<Self> {
        let others = (0..).zip(paths);
        let others = others.filter_map(|(slot, path)| Some((slot, path.otherwise.as_deref()?)));
        let (slots, others): (Vec<usize>, Vec<FieldPath>) =
            others.map(|(slot, path)| (slot, path.clone())).unzip();
        let reader = (!slots.is_empty()).then(|| Box::new(FieldReader::new(others)))?;
        Some(Self { slots, reader })
    }

    /// Fills slots that hold nothing from the other places.
    fn fill<'a>(&mut self, view: RecordView<'a>, out: &mut [FieldValue<'a>]) {
        let is_absent = |slot: usize, out: &[FieldValue<'a>]| {
            out.get(slot).is_some_and(|value| value.is_absent())
        };
        if !self.slots.iter().any(|&slot| is_absent(slot, out)) {
            return;
        }
        let mut values = vec![FieldValue::Missing; self.slots.len()];
        self.reader.read(view, &mut values);
        for (&slot, value) in self.slots.iter().zip(values) {
            // A null stays one where the other place has nothing at all.
            if is_absent(slot, out) && value != FieldValue::Missing {
                put(slot, value, out);
            }
        }
    }
}

/// The paths to a key or value and into it.
#[derive(Debug)]
struct PayloadPaths {
    /// Slots of the whole payload.
    whole: Vec<usize>,
    inside: PathTrie,
    /// The same in documents that Kafka Connect wrote with their schema.
    inside_payload: PathTrie,
}

impl PayloadPaths {
    fn new(paths: &[FieldPath], root: &Root) -> Self {
        let mine = || (0..).zip(paths).filter(|(_, path)| path.root == *root);
        let inside = || mine().filter(|(_, path)| !path.steps.is_empty());
        let in_payload: Vec<_> = inside()
            .map(|(slot, path)| (slot, into_payload(&path.steps)))
            .collect();
        let in_payload = in_payload.iter().map(|(slot, steps)| (*slot, &**steps));
        Self {
            whole: mine()
                .filter(|(_, path)| path.steps.is_empty())
                .map(|(slot, _)| slot)
                .collect(),
            inside_payload: PathTrie::with_slots(in_payload),
            inside: PathTrie::with_slots(inside().map(|(slot, path)| (slot, &*path.steps))),
        }
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.inside.is_empty()
    }

    /// Returns the paths into a document.
    #[inline]
    fn paths_into(&self, document: &[u8]) -> &PathTrie {
        match connect_payload(document) {
            Some(_) => &self.inside_payload,
            None => &self.inside,
        }
    }

    /// Fills the slots of the whole payload and returns its bytes if paths lead into them.
    #[inline]
    fn bytes<'a>(
        &self,
        payload: Payload<'a>,
        is_defective: bool,
        out: &mut [FieldValue<'a>],
    ) -> Option<&'a [u8]> {
        let value = match payload {
            _ if is_defective => FieldValue::Undecodable,
            Payload::Unrecorded => FieldValue::Missing,
            Payload::Null => FieldValue::Null,
            Payload::Bytes(bytes) => FieldValue::Bytes(bytes),
        };
        for &slot in &self.whole {
            put(slot, value, out);
        }
        if self.inside.is_empty() {
            return None;
        }
        if let FieldValue::Bytes(bytes) = value {
            return Some(bytes);
        }
        self.inside.fill(value, out);
        None
    }
}

impl FieldReader {
    /// Returns a reader of the values at `paths`.
    pub fn new(paths: Vec<FieldPath>) -> Self {
        let mut coordinates = Vec::new();
        let mut headers = Vec::new();
        for (slot, path) in paths.iter().enumerate() {
            match &path.root {
                Root::Key | Root::Value => {}
                Root::Header(name) => headers.push((slot, name.clone())),
                Root::Topic | Root::Partition | Root::Offset | Root::Timestamp => {
                    coordinates.push((slot, path.root.clone()));
                }
            }
        }
        Self {
            coordinates,
            headers,
            key: PayloadPaths::new(&paths, &Root::Key),
            value: PayloadPaths::new(&paths, &Root::Value),
            columns: WantedColumns::new(&paths),
            scanner: Scanner::new(),
            alternatives: Alternatives::new(&paths),
            paths,
        }
    }

    /// Returns the paths, one for each slot.
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    /// Returns whether all of a block is UTF-8, where that spares a check of each value in it.
    pub fn is_utf8(&self, block: &RecordBlock) -> bool {
        let is_scanned = block.value_format == ValueFormat::Json && !self.value.inside.is_empty();
        is_scanned && scan_json::is_utf8(&block.bytes)
    }

    /// Puts the value at path *i* of the record into slot *i* of `out`.
    #[inline]
    pub fn read<'a>(&mut self, view: RecordView<'a>, out: &mut [FieldValue<'a>]) {
        self.read_in(view, false, out);
    }

    /// As [`FieldReader::read`], for a record of a block that was found to be UTF-8, or not.
    #[inline]
    pub fn read_in<'a>(
        &mut self,
        view: RecordView<'a>,
        is_block_utf8: bool,
        out: &mut [FieldValue<'a>],
    ) {
        let defect = view.slot().defect;
        let is_defective = defect.is_some_and(|defect| defect != RecordDefect::InvalidHeaders);
        if !self.value.is_empty() {
            let is_unread = is_defective || view.unread_reason(Part::Value).is_some();
            let bytes = self.value.bytes(view.value(), is_unread, out);
            if let Some(bytes) = bytes {
                let is_utf8 = is_block_utf8 && view.is_value_of_characters();
                self.read_value((bytes, is_utf8), &view.block().value_format, out);
            }
        }
        if !self.key.is_empty() {
            let is_unread = is_defective || view.unread_reason(Part::Key).is_some();
            let bytes = self.key.bytes(view.key(), is_unread, out);
            if let Some(bytes) = bytes {
                // On an error the slots say that the key cannot be decoded.
                let paths = self.key.paths_into(bytes);
                let _ = self.scanner.scan(bytes, paths, out);
            }
        }
        for (slot, name) in &self.headers {
            let value = match defect {
                Some(_) => FieldValue::Undecodable,
                None => header_value(view.headers(), name.as_bytes()),
            };
            put(*slot, value, out);
        }
        for (slot, coordinate) in &self.coordinates {
            put(*slot, coordinate_value(view, coordinate), out);
        }
        if let Some(alternatives) = &mut self.alternatives {
            alternatives.fill(view, out);
        }
    }

    fn read_value<'a>(
        &mut self,
        (bytes, is_utf8): (&'a [u8], bool),
        format: &ValueFormat,
        out: &mut [FieldValue<'a>],
    ) {
        match format {
            ValueFormat::Json => {
                // On an error the slots say that the value cannot be decoded.
                let paths = self.value.paths_into(bytes);
                let _ = if is_utf8 {
                    self.scanner.scan_utf8_checked(bytes, paths, out)
                } else {
                    self.scanner.scan(bytes, paths, out)
                };
            }
            ValueFormat::Csv { delimiter, columns } => {
                self.value.inside.fill(FieldValue::Missing, out);
                self.columns.read(bytes, *delimiter, columns, out);
            }
        }
    }
}

/// Returns the first header of that name, unless another one contradicts it.
fn header_value<'a>(headers: Option<Headers<'a>>, name: &[u8]) -> FieldValue<'a> {
    let all = headers.into_iter().flatten();
    let mut named = all.filter(|header| header.name == name);
    let Some(first) = named.next() else {
        return FieldValue::Missing;
    };
    if named.any(|other| other.value != first.value) {
        return FieldValue::Undecodable;
    }
    first.value.map_or(FieldValue::Null, FieldValue::Bytes)
}

fn coordinate_value<'a>(view: RecordView<'a>, coordinate: &Root) -> FieldValue<'a> {
    let topic_partition = || view.topic_partition();
    let value = match coordinate {
        Root::Topic => view
            .topic()
            .map(|topic| FieldValue::Bytes(topic.as_bytes())),
        Root::Partition => {
            topic_partition().map(|place| FieldValue::Integer(place.partition.into()))
        }
        Root::Offset => view.offset().map(FieldValue::Integer),
        Root::Timestamp => view
            .timestamp()
            .map(|time| FieldValue::Integer(time.millis)),
        Root::Key | Root::Value | Root::Header(_) => None,
    };
    value.unwrap_or(FieldValue::Missing)
}

#[inline]
fn put<'a>(slot: usize, value: FieldValue<'a>, out: &mut [FieldValue<'a>]) {
    if let Some(place) = out.get_mut(slot) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::Header;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;
    use crate::record::Span;
    use crate::record::TimestampType;
    use crate::record::push_header;

    fn reader(paths: &[&str]) -> FieldReader {
        FieldReader::new(
            paths
                .iter()
                .map(|path| FieldPath::parse(path).unwrap())
                .collect(),
        )
    }

    fn block_of(value: Option<&[u8]>, key: Option<&[u8]>, headers: &[Header<'_>]) -> RecordBlock {
        let mut block = RecordBlock::default();
        let mut slot = RecordSlot::new(0);
        slot.value = value.map_or(Span::NULL, |bytes| block.push_bytes(bytes));
        slot.key = key.map_or(Span::NULL, |bytes| block.push_bytes(bytes));
        let mut encoded = Vec::new();
        for &header in headers {
            push_header(&mut encoded, header);
        }
        slot.headers = block.push_bytes(&encoded);
        block.slots.push(slot);
        block
    }

    fn read<'a>(paths: &[&str], block: &'a RecordBlock) -> Vec<FieldValue<'a>> {
        let mut out = vec![FieldValue::Boolean(true); paths.len()];
        reader(paths).read(block.views().next().unwrap(), &mut out);
        out
    }

    const UNDECODABLE: FieldValue<'static> = FieldValue::Undecodable;

    #[test]
    fn what_is_not_at_its_first_place_is_looked_for_at_the_next() {
        let mut block = RecordBlock::default();
        for (value, header) in [
            (r#"{"id":"v","n":null}"#, Some("h")),
            (r#"{"id":"v","m":2}"#, None),
            (r#"{"n":null}"#, None),
            ("{", Some("h")),
        ] {
            let mut headers = Vec::new();
            if let Some(header) = header {
                let (name, value) = (b"ce_id".as_slice(), Some(header.as_bytes()));
                push_header(&mut headers, Header { name, value });
            }
            let mut slot = RecordSlot::new(0);
            slot.value = block.push_bytes(value.as_bytes());
            slot.headers = block.push_bytes(&headers);
            block.slots.push(slot);
        }
        let mut reader = reader(&["headers.ce_id//id", "n//m//k"]);
        let mut read = |index| {
            let mut values = [FieldValue::Missing; 2];
            reader.read(block.view(index).unwrap(), &mut values);
            values
        };
        assert_eq!(read(0), [FieldValue::Bytes(b"h"), FieldValue::Null]);
        assert_eq!(read(1), [FieldValue::Bytes(b"v"), FieldValue::Number(b"2")]);
        assert_eq!(read(2), [FieldValue::Missing, FieldValue::Null]);
        assert_eq!(read(3), [FieldValue::Bytes(b"h"), FieldValue::Undecodable]);
    }

    #[test]
    fn each_part_of_a_record_is_read() {
        let header = |name, value| Header { name, value };
        let headers = [
            header(&b"id"[..], Some(&b"7"[..])),
            header(b"null", None),
            header(b"twice", Some(b"a")),
            header(b"id", Some(b"7")),
            header(b"twice", Some(b"b")),
        ];
        let value = br#"{"id":"ch_1","a":{"n":1.0}}"#;
        let mut block = block_of(Some(value), Some(b"{\"k\":2}"), &headers);
        let topic_partition = block.intern_topic_partition("orders", 3);
        block.slots[0].topic_partition = topic_partition;
        block.slots[0].offset = 42;
        block.slots[0].timestamp_millis = -5;
        block.slots[0].timestamp_type = TimestampType::CreateTime;
        let expected = [
            ("topic", FieldValue::Bytes(b"orders")),
            ("value.a.n", FieldValue::Number(b"1.0")),
            ("partition", FieldValue::Integer(3)),
            ("offset", FieldValue::Integer(42)),
            ("timestamp", FieldValue::Integer(-5)),
            ("headers.id", FieldValue::Bytes(b"7")),
            ("headers.null", FieldValue::Null),
            ("headers.twice", UNDECODABLE),
            ("headers.none", FieldValue::Missing),
            ("key", FieldValue::Bytes(b"{\"k\":2}")),
            ("key.k", FieldValue::Number(b"2")),
            ("value", FieldValue::Bytes(value)),
            ("id", FieldValue::Bytes(b"ch_1")),
            ("none", FieldValue::Missing),
        ];
        let (paths, values): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
        assert_eq!(read(&paths, &block), values);
    }

    #[test]
    fn a_block_of_text_is_not_taken_for_values_of_text() {
        // Together the two values are UTF-8, and each of them is none.
        let (first, second) = (&b"{\"a\":\"\xc3"[..], &b"\xa9\"}"[..]);
        for lengths in [[first.len(), second.len()], [first.len() + second.len(), 0]] {
            let mut block = RecordBlock::default();
            block.push_bytes(&[first, second].concat());
            let mut slot = RecordSlot::new(0);
            slot.value = Span::new(0, lengths[0]);
            block.slots.push(slot);
            let mut reader = reader(&["a"]);
            assert!(reader.is_utf8(&block));
            let mut out = [FieldValue::Missing];
            reader.read_in(block.views().next().unwrap(), true, &mut out);
            let is_whole = lengths[1] == 0;
            let expected = if is_whole {
                FieldValue::Bytes("é".as_bytes())
            } else {
                UNDECODABLE
            };
            assert_eq!(out, [expected]);
        }
        let mut block = block_of(Some(b"{\"a\":\"\xff\"}"), None, &[]);
        assert!(!reader(&["a"]).is_utf8(&block));
        block.bytes.clear();
        assert!(!reader(&["key.a"]).is_utf8(&block), "no value is scanned");
    }

    #[test]
    fn paths_lead_into_the_payload_of_a_document_with_its_schema() {
        let paths = [
            "after.id",
            "payload.after.id",
            "op",
            "schema.type",
            "none",
            "key.id",
        ];
        let expected = [
            FieldValue::Number(b"7"),
            FieldValue::Number(b"7"),
            FieldValue::Bytes(b"c"),
            FieldValue::Bytes(b"struct"),
            FieldValue::Missing,
            FieldValue::Number(b"1"),
        ];
        let key = br#"{"schema":{"type":"struct"},"payload":{"id":1}}"#;
        let value = br#"{"schema":{"type":"struct"},"payload":{"after":{"id":7},"op":"c"}}"#;
        assert_eq!(
            read(&paths, &block_of(Some(value), Some(key), &[])),
            expected
        );
        let bare = block_of(
            Some(br#"{"after":{"id":7},"op":"c"}"#),
            Some(br#"{"id":1}"#),
            &[],
        );
        let mut expected = expected;
        expected[1] = FieldValue::Missing;
        expected[3] = FieldValue::Missing;
        assert_eq!(read(&paths, &bare), expected);
    }

    #[test]
    fn null_and_unrecorded_are_not_the_same() {
        let paths = [
            "key",
            "key.a",
            "value",
            "value.a",
            "headers.h",
            "offset",
            "topic",
            "timestamp",
        ];
        let mut block = block_of(None, None, &[]);
        let mut expected = [FieldValue::Null; 8];
        expected[4..].fill(FieldValue::Missing);
        assert_eq!(read(&paths, &block), expected);
        block.slots[0] = RecordSlot::new(0);
        assert_eq!(read(&paths, &block), [FieldValue::Missing; 8]);
    }

    #[test]
    fn only_what_cannot_be_decoded_is_undecodable() {
        let block = block_of(Some(b"{\"a\":"), Some(b"\xff"), &[]);
        let paths = ["value.a", "value", "key.b", "key"];
        let whole = [FieldValue::Bytes(b"{\"a\":"), FieldValue::Bytes(b"\xff")];
        assert_eq!(
            read(&paths, &block),
            [UNDECODABLE, whole[0], UNDECODABLE, whole[1]]
        );
    }

    #[test]
    fn a_defect_spoils_the_parts_that_it_concerns() {
        let header = Header {
            name: b"h",
            value: Some(b"1"),
        };
        let block_with = |defect| {
            let mut block = block_of(Some(b"{\"a\":1}"), Some(b"k"), &[header]);
            block.slots[0].offset = 9;
            block.slots[0].defect = defect;
            block
        };
        let paths = ["key", "value", "a", "headers.h", "offset"];
        let sound = block_with(None);
        for (defect, spoiled) in [
            (RecordDefect::InvalidText, 0..4),
            (RecordDefect::TooLong, 0..4),
            (RecordDefect::WrongCellCount, 0..4),
            (RecordDefect::InvalidEnvelope, 0..4),
            (RecordDefect::InvalidHeaders, 3..4),
        ] {
            let mut expected = read(&paths, &sound);
            expected[spoiled].fill(UNDECODABLE);
            let block = block_with(Some(defect));
            assert_eq!(read(&paths, &block), expected, "{defect:?}");
        }
    }

    #[test]
    fn columns_are_found_by_the_header_row() {
        let columns = |names: &[&str]| -> Arc<[Box<[u8]>]> {
            names.iter().map(|name| name.as_bytes().into()).collect()
        };
        let csv = |names: &[&str]| ValueFormat::Csv {
            delimiter: b',',
            columns: columns(names),
        };
        let paths = ["c", "a", "twice", "a.b", "none", "a", "value", "d"];
        let mut block = block_of(Some(b"1,x\"y\",\"p\"\"q\",,5"), None, &[]);
        block.value_format = csv(&["twice", "a", "c", "d", "twice"]);
        let row = block.bytes.clone();
        let mut reader = reader(&paths);
        let mut out = [FieldValue::Null; 8];
        for _ in 0..2 {
            reader.read(block.views().next().unwrap(), &mut out);
            let expected = [
                FieldValue::QuotedCell(b"p\"\"q\""),
                FieldValue::Bytes(b"x\"y\""),
                UNDECODABLE,
                FieldValue::Missing,
                FieldValue::Missing,
                FieldValue::Bytes(b"x\"y\""),
                FieldValue::Bytes(&row),
                FieldValue::Missing,
            ];
            assert_eq!(out, expected);
        }
        let mut other = block_of(Some(b"7,8"), None, &[]);
        other.value_format = csv(&["c", "twice", "a"]);
        reader.read(other.views().next().unwrap(), &mut out);
        let missing = FieldValue::Missing;
        assert_eq!(
            out[..3],
            [FieldValue::Bytes(b"7"), missing, FieldValue::Bytes(b"8")]
        );
    }
}
