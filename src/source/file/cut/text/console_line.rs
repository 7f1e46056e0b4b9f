//! Lines of `kafka-console-consumer`, from Kafka 2.0 on.

use std::ops::Range;

use crate::record::{Header, TimestampType, push_header};
use crate::source::file::mark_ends::Marks;

/// How lines start that show a timestamp.
pub(crate) const STAMPED: Marks = &["CreateTime:", "LogAppendTime:", "NO_TIMESTAMP\t"];
/// How lines start that show a partition first.
pub(crate) const PARTITIONED: Marks = &["Partition:"];
/// How lines start that show an offset first.
pub(crate) const NUMBERED: Marks = &["Offset:"];

/// Which fields the lines show; `print.…` of the tool, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the tool has a switch for each of them"
)]
pub(crate) struct ConsoleShape {
    /// Fields with a name of their own before them.
    pub(crate) has_timestamp: bool,
    pub(crate) has_partition: bool,
    pub(crate) has_offset: bool,
    pub(crate) has_delivery: bool,
    pub(crate) has_epoch: bool,
    /// Fields told by their place.
    pub(crate) has_headers: bool,
    pub(crate) has_key: bool,
    /// Kafka 2.5 and 2.6 put a bare partition at the end.
    pub(crate) has_last_partition: bool,
    /// Byte between fields: a tab, unless the tool was told another.
    pub(crate) separator: u8,
}

impl Default for ConsoleShape {
    fn default() -> Self {
        Self {
            has_timestamp: false,
            has_partition: false,
            has_offset: false,
            has_delivery: false,
            has_epoch: false,
            has_headers: false,
            has_key: false,
            has_last_partition: false,
            separator: b'\t',
        }
    }
}

/// One line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConsoleLine {
    pub(crate) timestamp: Option<(i64, TimestampType)>,
    pub(crate) partition: Option<i32>,
    pub(crate) offset: Option<i64>,
    pub(crate) headers: Option<Range<usize>>,
    pub(crate) key: Option<Range<usize>>,
    pub(crate) value: Range<usize>,
}

impl ConsoleShape {
    /// Returns how lines start that start a record; nothing where any line does.
    pub(crate) fn marks(self) -> Option<Marks> {
        match (self.has_timestamp, self.has_partition, self.has_offset) {
            (true, ..) => Some(STAMPED),
            (_, true, _) => Some(PARTITIONED),
            (_, _, true) => Some(NUMBERED),
            (false, false, false) => None,
        }
    }

    /// Tells the fields by the first lines.
    pub(crate) fn of(lines: &[&[u8]]) -> Option<Self> {
        let mut shape = Self::default();
        let first = lines.first()?;
        let mut rest = Fields::new(first, shape.separator);
        shape.has_timestamp = rest.timestamp().is_some();
        shape.has_partition = rest.number("Partition:").is_some();
        shape.has_offset = rest.number("Offset:").is_some();
        shape.has_delivery = rest.named("Delivery:").is_some();
        shape.has_epoch = rest.named("Epoch:").is_some();
        let records = whole_records(lines, shape.marks()?);
        let mut fields: Vec<Vec<&[u8]>> = Vec::new();
        for record in &records {
            let Some(parsed) = shape.parse(record) else {
                continue;
            };
            let at = parsed.value.start;
            let rest = record.get(at..).unwrap_or_default();
            fields.push(rest.split(|&byte| byte == b'\t').collect());
        }
        shape.tell_by_place(&fields);
        Some(shape)
    }

    fn tell_by_place(&mut self, lines: &[Vec<&[u8]>]) {
        let mut fewest = lines.iter().map(Vec::len).min().unwrap_or(1);
        let all = |place: usize, is: &dyn Fn(&[u8]) -> bool| {
            lines
                .iter()
                .all(|fields| fields.get(place).is_some_and(|field| is(field)))
        };
        let is_document = |field: &[u8]| matches!(field.first(), Some(b'{' | b'['));
        let is_headers = |field: &[u8]| field == b"NO_HEADERS" || is_header_list(field);
        let has_none = lines
            .iter()
            .any(|fields| fields.first() == Some(&&b"NO_HEADERS"[..]));
        if all(0, &is_headers) && !all(0, &is_document) && (has_none || fewest >= 3) {
            self.has_headers = true;
            fewest -= 1;
        }
        let first = usize::from(self.has_headers);
        let is_last_number = |fields: &Vec<&[u8]>| {
            let last = fields.last().copied().unwrap_or_default();
            !last.is_empty() && last.iter().all(u8::is_ascii_digit)
        };
        let is_old = self.has_timestamp && !self.has_partition && !self.has_offset && first == 0;
        if is_old
            && lines.iter().all(is_last_number)
            && (fewest >= 3 || (fewest == 2 && all(0, &is_document)))
        {
            self.has_last_partition = true;
            fewest -= 1;
        }
        self.has_key = fewest >= 2 && !all(first, &is_document);
    }

    /// Takes a line apart, or several where the value has newlines.
    pub(crate) fn parse(self, line: &[u8]) -> Option<ConsoleLine> {
        let mut rest = Fields::new(line, self.separator);
        let mut parsed = ConsoleLine::default();
        if self.has_timestamp {
            parsed.timestamp = Some(rest.timestamp()?);
        }
        if self.has_partition {
            parsed.partition = Some(i32::try_from(rest.number("Partition:")?).ok()?);
        }
        if self.has_offset {
            parsed.offset = Some(rest.number("Offset:").filter(|&offset| offset >= 0)?);
        }
        if self.has_delivery {
            rest.named("Delivery:")?;
        }
        if self.has_epoch {
            rest.named("Epoch:")?;
        }
        if self.has_headers {
            parsed.headers = Some(rest.field()?);
        }
        if self.has_key {
            parsed.key = Some(rest.field()?);
        }
        parsed.value = rest.at..line.len();
        if self.has_last_partition {
            let inside = line.get(parsed.value.clone())?;
            let place = memchr::memrchr(b'\t', inside)?;
            let number = std::str::from_utf8(inside.get(place + 1..)?).ok()?;
            parsed.partition = Some(number.parse().ok()?);
            parsed.value.end = parsed.value.start + place;
        }
        Some(parsed)
    }
}

/// Returns the records that begin in some lines: those of values with newlines are joined, and the
/// last is left out where its end may be missing.
fn whole_records(lines: &[&[u8]], marks: Marks) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        let starts_record = marks.iter().any(|mark| line.starts_with(mark.as_bytes()));
        match records.last_mut() {
            Some(record) if !starts_record => {
                record.push(b'\n');
                record.extend_from_slice(line);
            }
            Some(_) | None => records.push(line.to_vec()),
        }
    }
    if records.len() > 1 && records.len() < lines.len() {
        records.pop();
    }
    records
}

/// Appends the headers that a field shows; a comma or colon within a value cannot be told from
/// one between two.
pub(crate) fn push_headers(field: &[u8], out: &mut Vec<u8>) {
    if field == b"NO_HEADERS" {
        return;
    }
    let mut pending: Option<(Vec<u8>, Vec<u8>)> = None;
    for part in field.split(|&byte| byte == b',') {
        match (memchr::memchr(b':', part), &mut pending) {
            (Some(colon), _) => {
                if let Some(header) = pending.take() {
                    push_pair(&header, out);
                }
                let (name, value) = part.split_at(colon);
                pending = Some((name.to_vec(), value.get(1..).unwrap_or_default().to_vec()));
            }
            (None, Some((_, value))) => {
                value.push(b',');
                value.extend_from_slice(part);
            }
            (None, None) => {}
        }
    }
    if let Some(header) = pending {
        push_pair(&header, out);
    }
}

fn push_pair((name, value): &(Vec<u8>, Vec<u8>), out: &mut Vec<u8>) {
    let value = Some(value.as_slice()).filter(|value| *value != b"null");
    push_header(out, Header { name, value });
}

fn is_header_list(field: &[u8]) -> bool {
    memchr::memchr(b':', field).is_some_and(|colon| colon > 0)
}

/// Fields taken from the front, each with the tab behind it.
struct Fields<'a> {
    line: &'a [u8],
    at: usize,
    separator: u8,
}

impl<'a> Fields<'a> {
    fn new(line: &'a [u8], separator: u8) -> Self {
        Self {
            line,
            at: 0,
            separator,
        }
    }

    fn field(&mut self) -> Option<Range<usize>> {
        let rest = self.line.get(self.at..)?;
        let length = memchr::memchr(self.separator, rest)?;
        let place = self.at..self.at + length;
        self.at += length + 1;
        Some(place)
    }

    fn named(&mut self, name: &str) -> Option<&'a str> {
        if !self.line.get(self.at..)?.starts_with(name.as_bytes()) {
            return None;
        }
        let before = self.at;
        let place = self.field()?;
        let word = self.line.get(place.start + name.len()..place.end);
        let word = word.and_then(|word| std::str::from_utf8(word).ok());
        if word.is_none() {
            self.at = before;
        }
        word
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        let before = self.at;
        let number = self.named(name).and_then(|word| word.parse().ok());
        if number.is_none() {
            self.at = before;
        }
        number
    }

    /// Returns the timestamp, `i64::MIN` for none as in a slot; nothing where the field is missing.
    fn timestamp(&mut self) -> Option<(i64, TimestampType)> {
        if self.line.get(self.at..)?.starts_with(b"NO_TIMESTAMP\t") {
            self.field()?;
            return Some((i64::MIN, TimestampType::Unrecorded));
        }
        for kind in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
            let name = format!("{}:", kind.name()?);
            if let Some(millis) = self.number(&name) {
                return Some((millis, kind));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns partition, offset, headers, key and value of the first line.
    fn first(lines: &[&str]) -> (Option<i32>, Option<i64>, String) {
        let bytes: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let shape = ConsoleShape::of(&bytes).unwrap();
        let line = shape.parse(bytes[0]).unwrap();
        let inside = |place: Option<Range<usize>>| place.map_or("-", |place| &lines[0][place]);
        let shown = [line.headers, line.key, Some(line.value)]
            .map(inside)
            .join("|");
        (line.partition, line.offset, shown)
    }

    #[test]
    fn every_field_order_is_read() {
        for (lines, partition, offset, expected) in [
            (
                &["CreateTime:1\tk\t{}", "CreateTime:2\tnull\tnull"][..],
                None,
                None,
                "-|k|{}",
            ),
            (&["CreateTime:1\t{}"], None, None, "-|-|{}"),
            (
                &["CreateTime:1\tk\t{}\t3", "CreateTime:1\tk\tv\t4"],
                Some(3),
                None,
                "-|k|{}",
            ),
            (
                &[
                    "CreateTime:1\tk\tv\t4",
                    "CreateTime:1\tk\t{",
                    "\"a\":1",
                    "}\t3",
                    "CreateTime:1\tk\t[",
                ],
                Some(4),
                None,
                "-|k|v",
            ),
            (
                &["CreateTime:1\t{\"a\":1}\t3"],
                Some(3),
                None,
                "-|-|{\"a\":1}",
            ),
            (
                &["CreateTime:1\tPartition:2\tOffset:3\th1:v1,h2:v2\tkey\tvalue"],
                Some(2),
                Some(3),
                "h1:v1,h2:v2|key|value",
            ),
            (
                &["NO_TIMESTAMP\tPartition:0\tOffset:123\tNO_HEADERS\tkey\tvalue"],
                Some(0),
                Some(123),
                "NO_HEADERS|key|value",
            ),
            (
                &["CreateTime:1\tPartition:0\tOffset:1\tDelivery:1\tEpoch:58\th1:v1\tkey\tvalue"],
                Some(0),
                Some(1),
                "h1:v1|key|value",
            ),
            (
                &["LogAppendTime:1\tOffset:0\t{\"a\":\"x\ty\"}"],
                None,
                Some(0),
                "-|-|{\"a\":\"x\ty\"}",
            ),
            (&["Partition:4\t{}"], Some(4), None, "-|-|{}"),
            (&["Offset:4\tuser:1\t{}"], None, Some(4), "-|user:1|{}"),
        ] {
            let expected = (partition, offset, expected.to_owned());
            assert_eq!(first(lines), expected, "{lines:?}");
        }
        assert_eq!(ConsoleShape::of(&[b"k\tv"]), None);
    }

    #[test]
    fn headers_are_split_as_well_as_they_can_be() {
        let mut out = Vec::new();
        push_headers(b"h:1,g:x:y,n:null,l:a,b", &mut out);
        assert_eq!(out, b"\x02h\x021\x02g\x06x:y\x02n\x01\x02l\x06a,b");
        out.clear();
        push_headers(b"NO_HEADERS", &mut out);
        assert_eq!(out, b"");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_lines_are_taken_apart_without_a_panic(
            words in proptest::collection::vec(prop::sample::select(vec![
                "CreateTime:", "1", "\t", "Partition:", "Offset:", "-", "NO_HEADERS", "a:b,", "{",
                "9999999999999999999", "null",
            ]), 0..20),
        ) {
            let text = words.concat();
            if let Some(shape) = ConsoleShape::of(&[text.as_bytes(), b"CreateTime:1\tx"]) {
                let _ = shape.parse(text.as_bytes());
            }
            push_headers(text.as_bytes(), &mut Vec::new());
        }
    }
}
