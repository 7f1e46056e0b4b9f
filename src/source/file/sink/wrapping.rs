//! Objects and rows that Aiven's sinks put around records: key, value, offset, timestamp, headers.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;

use crate::record::{
    Header, RecordBlock, RecordDefect, RecordSlot, Span, ValueFormat, push_header,
};
use crate::source::file::cut::envelope::opener::{Opener, Scratch};
use crate::source::file::cut::envelope::parts::{Part, integer, members, plain_text};
use crate::source::file::cut::envelope::{HeaderList, content_of};
use crate::source::file::cut::rows;
use crate::source::file::sink::siblings;

/// All members that the sink writes.
const MEMBERS: [&str; 5] = ["key", "value", "offset", "timestamp", "headers"];

/// What stands around the records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// An object with members of these names and no others.
    Object,
    /// A row without a header row.
    Row(Cells),
    /// Nothing: they are keys of tombstones, as JSON or as bytes.
    Tombstone(Json),
}

/// Whether keys are written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Json(pub(crate) bool);

/// Which cell of a row is what; keys are in base64 always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    delimiter: u8,
    count: usize,
    offset: usize,
    timestamp: Option<usize>,
    key: Option<usize>,
    value: Option<usize>,
    headers: Option<usize>,
    /// Whether values are in base64 too.
    is_value_packed: bool,
}

impl Wrapping {
    /// Returns what stands around the first records of a file whose name says that the first of
    /// them has the offset `start`; nothing where that one does not say so too.
    pub(crate) fn of(block: &RecordBlock, start: i64) -> Option<Self> {
        let first = block.view(0).filter(|view| view.slot().defect.is_none())?;
        let text = first.value().bytes()?;
        let ValueFormat::Csv { delimiter, .. } = &block.value_format else {
            let members = members(text, &MEMBERS).ok().filter(|of| !of.has_foreign)?;
            let [_, _, offset, ..] = &members.parts;
            return (integer(text, offset) == Some(start)).then_some(Self::Object);
        };
        // Most files that only look like a sink's by their name are told by their first row.
        let is_start = |cell: &[u8]| whole_number(cell) == Some(start);
        if !rows::cells(text, *delimiter)
            .iter()
            .any(|cell| is_start(cell))
        {
            return None;
        }
        let rows = block.views().map(|view| {
            let row = view.value().bytes().unwrap_or_default();
            rows::cells(row, *delimiter)
        });
        let rows: Vec<_> = rows.collect();
        let mut cells = Cells::of(&rows, *delimiter, start)?;
        // One value that is no base64 shows that none is meant to be.
        cells.is_value_packed = rows.iter().all(|row| {
            let value = cells.value.and_then(|place| row.get(place));
            value.is_none_or(|value| STANDARD.decode(value).is_ok())
        });
        Some(Self::Row(cells))
    }

    /// Returns the words that tell it to people.
    pub(crate) fn signs(&self) -> &'static str {
        match self {
            Self::Object => "objects of key, value, offset, timestamp and headers",
            Self::Row(cells) if cells.is_value_packed => {
                "rows of key, value, offset, timestamp and headers, key and value in base64"
            }
            Self::Row(_) => "rows of key, value, offset, timestamp and headers, the key in base64",
            Self::Tombstone(_) => "keys of tombstones",
        }
    }

    /// Takes the records of a block out of what stands around them.
    pub(crate) fn open(&self, block: &mut RecordBlock, scratch: &mut Scratch) {
        let bytes = std::mem::take(&mut block.bytes);
        scratch.appended.clear();
        for slot in &mut block.slots {
            if slot.defect.is_some() {
                continue;
            }
            let place = slot.value.range().unwrap_or_default();
            let mut opener = Opener {
                line: bytes.get(place.clone()).unwrap_or_default(),
                line_start: place.start,
                appended_start: bytes.len(),
                scratch,
            };
            let mut opened = *slot;
            let outcome = match self {
                Self::Object => open_object(&mut opener, &mut opened),
                Self::Row(cells) => cells.open(&mut opener, &mut opened),
                Self::Tombstone(json) => open_tombstone(&mut opener, &mut opened, *json),
            };
            match outcome {
                Ok(()) => *slot = opened,
                Err(defect) => slot.defect = Some(defect),
            }
        }
        block.bytes = bytes;
        block.bytes.extend_from_slice(&scratch.appended);
        block.value_format = ValueFormat::Json;
    }
}

fn open_object(opener: &mut Opener<'_>, slot: &mut RecordSlot) -> Result<(), RecordDefect> {
    let invalid = RecordDefect::InvalidEnvelope;
    let line = opener.line;
    let members = members(line, &MEMBERS)?;
    let [key, value, offset, timestamp, headers] = members.parts;
    if members.has_foreign {
        return Err(invalid);
    }
    slot.offset = integer(line, &offset)
        .filter(|&offset| offset >= 0)
        .ok_or(invalid)?;
    if let Some(millis) = match &timestamp {
        Part::Absent | Part::Null => None,
        Part::Json(_) => Some(scaled(integer(line, &timestamp).ok_or(invalid)?)),
        Part::Text(_) => {
            let text = plain_text(line, &timestamp).ok_or(invalid)?;
            Some(calendar_millis(text).ok_or(invalid)?)
        }
    } {
        slot.timestamp_millis = millis;
    }
    slot.key = opener.content(&content_of(key))?;
    slot.value = opener.content(&content_of(value))?;
    let list = match headers {
        Part::Absent => HeaderList::Unrecorded,
        Part::Null => HeaderList::Nothing,
        Part::Json(place) => header_list(line, place),
        Part::Text(_) => HeaderList::Invalid,
    };
    match opener.headers(&list) {
        Some(headers) => slot.headers = headers,
        None => slot.defect = Some(RecordDefect::InvalidHeaders),
    }
    Ok(())
}

/// What stands there is the key; a tombstone has no value.
fn open_tombstone(
    opener: &mut Opener<'_>,
    slot: &mut RecordSlot,
    Json(is_json): Json,
) -> Result<(), RecordDefect> {
    let mut cell = Vec::new();
    siblings::encode_key_line(opener.line, is_json, &mut cell);
    slot.key = match cell.split_first() {
        Some((&siblings::BYTES, key)) => {
            let from = opener.scratch.appended.len();
            opener.scratch.appended.extend_from_slice(key);
            opener.appended_span(from)
        }
        Some((&siblings::NULL, _)) => Span::NULL,
        Some(_) | None => return Err(RecordDefect::InvalidEnvelope),
    };
    slot.value = Span::NULL;
    Ok(())
}

fn header_list(line: &[u8], place: Range<usize>) -> HeaderList {
    if line.get(place.start) == Some(&b'[') {
        HeaderList::Objects(place, ["key", "value"])
    } else {
        HeaderList::Map(place)
    }
}

impl Cells {
    /// Tells the cells of the first rows apart: the offset is the one that is `start`, the
    /// timestamp another number or a time, headers are lists, and the key comes before the value.
    fn of(rows: &[Vec<Box<[u8]>>], delimiter: u8, start: i64) -> Option<Self> {
        let first = rows.first()?;
        let is_start = |cell: &[u8]| whole_number(cell) == Some(start);
        let offset = first.iter().position(|cell| is_start(cell))?;
        let is_time = |place: &usize| {
            first
                .get(*place)
                .is_some_and(|of| cell_millis(of).is_some())
        };
        let others = (0..first.len()).filter(|place| *place != offset);
        let timestamp = others.clone().find(is_time);
        let mut rest: Vec<usize> = others.filter(|place| Some(*place) != timestamp).collect();
        let headers = headers_place(rows, &rest);
        rest.retain(|place| Some(*place) != headers);
        let (key, value) = match rest[..] {
            [value] => (None, value),
            [key, value] => (Some(key), value),
            // Nothing says what a further cell is.
            _ => return None,
        };
        Some(Self {
            delimiter,
            count: first.len(),
            offset,
            timestamp,
            key,
            value: Some(value),
            headers,
            is_value_packed: false,
        })
    }

    fn open(&self, opener: &mut Opener<'_>, slot: &mut RecordSlot) -> Result<(), RecordDefect> {
        let invalid = RecordDefect::InvalidEnvelope;
        let row = rows::cells(opener.line, self.delimiter);
        if row.len() != self.count {
            return Err(RecordDefect::WrongCellCount);
        }
        let cell = |place: Option<usize>| place.and_then(|place| row.get(place));
        slot.offset = cell(Some(self.offset))
            .and_then(|cell| whole_number(cell))
            .filter(|&offset| offset >= 0)
            .ok_or(invalid)?;
        if let Some(text) = cell(self.timestamp).filter(|text| !text.is_empty()) {
            slot.timestamp_millis = cell_millis(text).ok_or(invalid)?;
        }
        slot.key = Span::UNRECORDED;
        if let Some(key) = cell(self.key) {
            slot.key = push(opener, key, true).ok_or(invalid)?;
        }
        let value = cell(self.value).ok_or(invalid)?;
        slot.value = push(opener, value, self.is_value_packed).ok_or(invalid)?;
        if let Some(list) = cell(self.headers) {
            let from = opener.scratch.appended.len();
            let pairs = pairs(list).ok_or(RecordDefect::InvalidHeaders)?;
            for (name, value) in &pairs {
                let (name, value) = (name.as_slice(), Some(value.as_slice()));
                push_header(&mut opener.scratch.appended, Header { name, value });
            }
            slot.headers = opener.appended_span(from);
        }
        Ok(())
    }
}

/// Returns which of some cells holds headers: none but such lists, or nothing, in any row. Where no
/// record has headers, it is the last of three.
fn headers_place(rows: &[Vec<Box<[u8]>>], places: &[usize]) -> Option<usize> {
    let cells = |place: usize| rows.iter().filter_map(move |row| row.get(place));
    let is_empty = |place: usize| cells(place).all(|cell| cell.is_empty());
    let is_list = |place: usize| cells(place).all(|cell| cell.is_empty() || is_header_list(cell));
    let shown = places.iter().rev();
    let shown = shown
        .copied()
        .find(|&place| is_list(place) && !is_empty(place));
    let hidden = places.get(2).copied().filter(|&place| is_empty(place));
    shown.or(hidden)
}

/// Returns whether a cell is a list of headers, and not an empty one.
pub(crate) fn is_header_list(cell: &[u8]) -> bool {
    !cell.is_empty() && pairs(cell).is_some()
}

/// Returns the headers of a list such as `bmFtZQ==:dmFsdWU=;`, or nothing where it is none.
fn pairs(list: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let Some(list) = list.strip_suffix(b";") else {
        return list.is_empty().then(Vec::new);
    };
    let pair = |text: &[u8]| {
        let colon = memchr::memchr(b':', text)?;
        let name = STANDARD.decode(text.get(..colon)?).ok()?;
        let value = STANDARD.decode(text.get(colon + 1..)?).ok()?;
        Some((name, value))
    };
    list.split(|&byte| byte == b';').map(pair).collect()
}

/// Appends a cell; an empty one is null.
fn push(opener: &mut Opener<'_>, cell: &[u8], is_packed: bool) -> Option<Span> {
    if cell.is_empty() {
        return Some(Span::NULL);
    }
    let from = opener.scratch.appended.len();
    if is_packed {
        STANDARD
            .decode_vec(cell, &mut opener.scratch.appended)
            .ok()?;
    } else {
        opener.scratch.appended.extend_from_slice(cell);
    }
    Some(opener.appended_span(from))
}

fn whole_number(cell: &[u8]) -> Option<i64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// Fewer digits than these are no time of a record, but may be a key in base64.
const TIME_DIGITS_MIN: usize = 9;

fn cell_millis(cell: &[u8]) -> Option<i64> {
    match whole_number(cell) {
        Some(number) => (cell.len() >= TIME_DIGITS_MIN).then(|| scaled(number)),
        None => calendar_millis(std::str::from_utf8(cell).ok()?),
    }
}

/// Numbers are milliseconds; older releases wrote seconds, which are smaller by far.
fn scaled(number: i64) -> i64 {
    const SECONDS_END: i64 = 100_000_000_000;
    if number < SECONDS_END {
        number.saturating_mul(1000)
    } else {
        number
    }
}

fn calendar_millis(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Shown = (
        i64,
        i64,
        Option<String>,
        Option<String>,
        Option<RecordDefect>,
    );

    fn block(records: &[&str], value_format: ValueFormat) -> RecordBlock {
        let mut block = RecordBlock {
            value_format,
            ..RecordBlock::default()
        };
        for record in records {
            let mut slot = RecordSlot::new(0);
            slot.value = block.push_bytes(record.as_bytes());
            block.slots.push(slot);
        }
        block
    }

    fn opened(records: &[&str], value_format: ValueFormat, start: i64) -> Option<Vec<Shown>> {
        let mut block = block(records, value_format);
        let wrapping = Wrapping::of(&block, start)?;
        wrapping.open(&mut block, &mut Scratch::default());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let shown = block.views().map(|view| {
            let slot = view.slot();
            let (key, value) = (view.key().bytes(), view.value().bytes());
            let time = slot.timestamp_millis;
            (
                slot.offset,
                time,
                key.map(text),
                value.map(text),
                slot.defect,
            )
        });
        Some(shown.collect())
    }

    fn csv() -> ValueFormat {
        ValueFormat::Csv {
            delimiter: b',',
            columns: [].into(),
        }
    }

    #[test]
    fn objects_are_opened_where_the_first_has_the_offset_of_the_name() {
        let records = [
            "{ \"key\": \"k1\", \"value\": \"v0\", \"offset\": 1232155, \
             \"timestamp\":\"2020-01-01T00:00:01Z\" }",
            "{\"key\":null,\"value\":{\"id\":1},\"offset\":1232156,\"headers\":[]}",
            "{\"key\":\"k\",\"value\":1,\"offset\":1232157,\"foreign\":1}",
            "{\"key\":\"k\",\"value\":1,\"offset\":-1}",
        ];
        let defect = Some(RecordDefect::InvalidEnvelope);
        let none = i64::MIN;
        let expected = vec![
            (
                1_232_155,
                1_577_836_801_000,
                Some("k1".to_owned()),
                Some("v0".to_owned()),
                None,
            ),
            (1_232_156, none, None, Some("{\"id\":1}".to_owned()), None),
            (-1, none, None, Some(records[2].to_owned()), defect),
            (-1, none, None, Some(records[3].to_owned()), defect),
        ];
        assert_eq!(
            opened(&records, ValueFormat::Json, 1_232_155),
            Some(expected)
        );
        assert_eq!(opened(&records, ValueFormat::Json, 5), None);
        assert_eq!(opened(&records[2..], ValueFormat::Json, 1_232_157), None);
    }

    #[test]
    fn rows_are_told_by_their_first() {
        let records = [
            "a2V5,TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQ=,1232155,1554210895",
            ",eyJpZCI6MX0=,1232156,1554210896000",
            "a2V5,,1232157,",
            "a2V5,eA==,1232158",
        ];
        let expected = vec![
            (
                1_232_155,
                1_554_210_895_000,
                Some("key".to_owned()),
                Some("Lorem ipsum dolor sit amet".to_owned()),
                None,
            ),
            (
                1_232_156,
                1_554_210_896_000,
                None,
                Some("{\"id\":1}".to_owned()),
                None,
            ),
            (1_232_157, i64::MIN, Some("key".to_owned()), None, None),
            (
                -1,
                i64::MIN,
                None,
                Some(records[3].to_owned()),
                Some(RecordDefect::WrongCellCount),
            ),
        ];
        assert_eq!(opened(&records, csv(), 1_232_155), Some(expected));
        assert_eq!(opened(&records, csv(), 1_232_156), None);
        let plain = opened(&["2020-01-01T00:00:01Z,7,\"{\"\"id\"\":1}\""], csv(), 7);
        let expected = (
            7,
            1_577_836_801_000,
            None,
            Some("{\"id\":1}".to_owned()),
            None,
        );
        assert_eq!(plain, Some(vec![expected]));
        assert_eq!(opened(&["a2V5,eA==,7,eA==,1554210895"], csv(), 7), None);
    }

    #[test]
    fn headers_are_lists_of_pairs_in_a_cell_of_their_own() {
        let headers = |rows: &[&str]| {
            let mut block = block(rows, csv());
            let wrapping = Wrapping::of(&block, 7)?;
            wrapping.open(&mut block, &mut Scratch::default());
            let shown = block.views().map(|view| {
                let pairs = view.headers().map(|headers| {
                    let text = |header: Header<'_>| {
                        let value = header.value.map(String::from_utf8_lossy);
                        (
                            String::from_utf8_lossy(header.name).into_owned(),
                            value.unwrap().into(),
                        )
                    };
                    headers
                        .into_iter()
                        .map(text)
                        .collect::<Vec<(String, String)>>()
                });
                (pairs.unwrap_or_default(), view.slot().defect)
            });
            Some(shown.collect::<Vec<_>>())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let rows = [
            "a2V5,eA==,7,1554210895,",
            "a2V5,eA==,8,1554210895,aA==:MQ==;aQ==:;",
        ];
        let expected = vec![(vec![], None), (vec![pair("h", "1"), pair("i", "")], None)];
        assert_eq!(headers(&rows), Some(expected));
        let without = ["a2V5,eA==,7,1554210895,"];
        assert_eq!(headers(&without), Some(vec![(vec![], None)]));
        let before = ["aA==:MQ==;,eA==,7"];
        assert_eq!(headers(&before), Some(vec![(vec![pair("h", "1")], None)]));
        let other = [
            "a2V5,eA==,7,1554210895,aA==:MQ==",
            "a2V5,eA==,8,1554210895,x",
        ];
        assert_eq!(headers(&other), None);
        assert_eq!(
            headers(&["a2V5,eA==,7,1554210895,", "a2V5,eA==,8,1554210895,x"]),
            None
        );
        assert!(pairs(b"aA==:MQ").is_none() && pairs(b"?:MQ==;").is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_records_are_opened_or_defects(
            texts in proptest::collection::vec(
                proptest::collection::vec(prop::sample::select(vec![
                    "{", "}", "\"key\":", "\"value\":", "\"offset\":7", "\"headers\":[", "]", ",",
                    "\"timestamp\":", "\"2020-01-01T00:00:01Z\"", "null", "a2V5", "7", "\"", "-1",
                    "99999999999999999999", "\u{e9}",
                ]), 0..12),
                1..5,
            ),
            is_csv in any::<bool>(),
        ) {
            let format = if is_csv { csv() } else { ValueFormat::Json };
            let texts: Vec<String> = texts.iter().map(|words| words.concat()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if let Some(records) = opened(&texts, format, 7) {
                prop_assert_eq!(records.len(), texts.len());
                prop_assert!(records.iter().all(|record| record.0 >= 0 || record.4.is_some()));
            }
        }
    }
}
