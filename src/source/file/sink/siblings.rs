//! Files beside a sink's file: the keys and headers of its records, one line for each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::record::{RecordBlock, RecordDefect, RecordSlot, Span};
use crate::source::file::cut::envelope::HeaderList;
use crate::source::file::cut::envelope::opener::{Opener, Scratch};
use crate::source::file::cut::envelope::parts::{Part, members};
use crate::source::file::sink::column::{Column, ColumnStore};
use crate::source::file::sink::{split_sibling, stem_of_file};
use crate::source::{ReadError, RecordSource, SplitCoverage};

/// What a sibling holds of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SiblingKind {
    /// Its key.
    Keys,
    /// Its headers.
    Headers,
}

impl SiblingKind {
    pub(super) const ALL: [Self; 2] = [Self::Keys, Self::Headers];

    /// Returns what stands before the ending of a sibling's name.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Keys => ".keys.",
            Self::Headers => ".headers.",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Headers => "headers",
        }
    }
}

/// A file of keys or headers that was opened, or why it could not be.
pub(crate) struct Sibling {
    kind: SiblingKind,
    path: PathBuf,
    is_json: bool,
    source: Result<Box<dyn RecordSource>, String>,
}

/// A file of keys or headers that was found.
pub(crate) struct SiblingPath {
    pub(crate) kind: SiblingKind,
    pub(crate) path: PathBuf,
    /// Whether its content tells its format; the others are lines.
    pub(crate) is_container: bool,
    /// Whether its lines are JSON; the others are bytes.
    pub(crate) is_json: bool,
}

impl SiblingPath {
    /// Returns the siblings of a file, by its path.
    pub(crate) fn all_of(path: &Path) -> Vec<Self> {
        let found = || {
            let name = path.file_name()?.to_str()?;
            let stem = stem_of_file(name)?;
            let folder = path.parent()?;
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            let entries = fs::read_dir(folder).ok()?;
            let mut names: Vec<String> = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect();
            names.sort();
            Some(Self::among(&names, stem, path))
        };
        found().unwrap_or_default()
    }

    fn among(names: &[String], stem: &str, path: &Path) -> Vec<Self> {
        let of_kind = |kind: SiblingKind| {
            names.iter().find_map(|name| {
                let (of, ending) = split_sibling(name, kind)?;
                (of == stem).then(|| Self::new(kind, path.with_file_name(name), ending))
            })
        };
        SiblingKind::ALL.into_iter().filter_map(of_kind).collect()
    }

    /// Returns a file of keys as it is.
    pub(crate) fn of_keys(path: &Path) -> Option<Self> {
        let (_, ending) = split_sibling(path.file_name()?.to_str()?, SiblingKind::Keys)?;
        Some(Self::new(SiblingKind::Keys, path.to_owned(), ending))
    }

    /// The ending of the name says what the file is made of.
    fn new(kind: SiblingKind, path: PathBuf, ending: &str) -> Self {
        let has_part = |part: &str| ending.split('.').any(|of| of == part);
        Self {
            kind,
            path,
            is_container: has_part("avro") || has_part("parquet"),
            is_json: !has_part("bin"),
        }
    }

    /// Returns the sibling with its records.
    pub(crate) fn opened(self, source: Result<Box<dyn RecordSource>, String>) -> Sibling {
        Sibling {
            kind: self.kind,
            path: self.path,
            is_json: self.is_json,
            source,
        }
    }
}

/// What one record's cell is.
pub(super) const NULL: u8 = 0;
pub(super) const BYTES: u8 = 1;
const UNREADABLE: u8 = 2;

/// The keys or headers of a file's records.
pub(super) struct Joined {
    kind: SiblingKind,
    path: String,
    outcome: Result<Column, String>,
}

impl Sibling {
    /// Reads all keys or headers; they are joined only where there is one for each of `records`.
    pub(super) fn join(
        self,
        records: Result<u64, String>,
        store: &ColumnStore,
    ) -> io::Result<Joined> {
        let joined = |outcome| Joined {
            kind: self.kind,
            path: self.path.display().to_string(),
            outcome,
        };
        let source = match self.source {
            Ok(source) => source,
            Err(why) => return Ok(joined(Err(why))),
        };
        let column = match read(&*source, self.kind, self.is_json, store)? {
            Ok(column) => column,
            Err(why) => return Ok(joined(Err(why))),
        };
        let count = column.count();
        Ok(joined(match records {
            Ok(records) if records == count => Ok(column),
            Ok(records) => Err(format!("it has {count} for {records} records")),
            // Nothing at all is no disagreement.
            Err(_) if count == 0 => Ok(column),
            Err(why) => Err(format!("of the file of values, {why}")),
        }))
    }
}

fn read(
    source: &dyn RecordSource,
    kind: SiblingKind,
    is_json: bool,
    store: &ColumnStore,
) -> io::Result<Result<Column, String>> {
    let mut writer = store.writer()?;
    let mut block = RecordBlock::default();
    let mut scratch = Scratch::default();
    let mut cell = Vec::new();
    loop {
        match source.next_block(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Ok(Err(error.to_string())),
        }
        for view in block.views() {
            let text = view
                .value()
                .bytes()
                .filter(|_| view.slot().defect.is_none());
            cell.clear();
            match text {
                None => cell.push(UNREADABLE),
                Some(text) => encode(text, kind, is_json, &mut cell, &mut scratch),
            }
            writer.push(&cell)?;
        }
    }
    let damage = source.coverage().into_iter().find_map(|of| match of {
        SplitCoverage::File(file) => file.damage,
        SplitCoverage::Partition(_) => None,
    });
    Ok(match damage {
        Some(damage) => Err(damage),
        None => Ok(writer.finish(store)?),
    })
}

fn encode(
    text: &[u8],
    kind: SiblingKind,
    is_json: bool,
    cell: &mut Vec<u8>,
    scratch: &mut Scratch,
) {
    match kind {
        SiblingKind::Keys => encode_key_line(text, is_json, cell),
        SiblingKind::Headers => {
            cell.push(BYTES);
            scratch.appended.clear();
            let mut opener = Opener {
                line: text,
                line_start: 0,
                appended_start: 0,
                scratch,
            };
            match header_list(text).and_then(|list| opener.headers(&list)) {
                Some(_) => cell.extend_from_slice(&scratch.appended),
                None => *cell = vec![UNREADABLE],
            }
        }
    }
}

/// Appends what a line of a file of keys comes to.
pub(super) fn encode_key_line(text: &[u8], is_json: bool, cell: &mut Vec<u8>) {
    cell.push(BYTES);
    if is_json {
        encode_key(text, cell);
    } else {
        cell.extend_from_slice(text);
    }
}

/// A string is the key's text, as it was before it became JSON; all else is the key as written.
fn encode_key(text: &[u8], cell: &mut Vec<u8>) {
    let text = text.trim_ascii();
    if text == b"null" {
        *cell = vec![NULL];
    } else if text.starts_with(b"\"") {
        match serde_json::from_slice::<String>(text) {
            Ok(key) => cell.extend_from_slice(key.as_bytes()),
            Err(_) => *cell = vec![UNREADABLE],
        }
    } else if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        cell.extend_from_slice(text);
    } else {
        *cell = vec![UNREADABLE];
    }
}

/// `{"headers":[{"key":"k","value":"v"}]}`, or the array alone.
fn header_list(text: &[u8]) -> Option<HeaderList> {
    const NAMES: [&str; 2] = ["key", "value"];
    if text.trim_ascii_start().starts_with(b"[") {
        let start = text.len() - text.trim_ascii_start().len();
        return Some(HeaderList::Objects(start..text.len(), NAMES));
    }
    let members = members(text, &["headers"]).ok()?;
    match members.parts {
        [Part::Json(place)] if !members.has_foreign => Some(HeaderList::Objects(place, NAMES)),
        [Part::Absent | Part::Null] if !members.has_foreign => Some(HeaderList::Nothing),
        [Part::Absent | Part::Null | Part::Json(_) | Part::Text(_)] => None,
    }
}

impl Joined {
    /// Gives the records of a block what stands beside them; `first_line` is that of the first.
    pub(super) fn fill(&self, block: &mut RecordBlock, first_line: u64) -> Result<(), ReadError> {
        let Ok(column) = &self.outcome else {
            return Ok(());
        };
        let number_of = |slot: &RecordSlot| slot.line.checked_sub(first_line);
        let is_there = |number: &u64| *number < column.count();
        let places: Vec<(usize, u64)> = block
            .slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| Some((index, number_of(slot).filter(is_there)?)))
            .collect();
        let numbers: Vec<u64> = places.iter().map(|(_, number)| *number).collect();
        let filled = column.for_each(&numbers, |index, cell| {
            if let Some((slot, _)) = places.get(index) {
                self.fill_slot(block, *slot, cell);
            }
        });
        filled.map_err(|error| {
            let (kind, path) = (self.kind.name(), &self.path);
            let text = format!("read again the {kind} of `{path}`: {error}");
            ReadError::Io(io::Error::new(error.kind(), text))
        })
    }

    fn fill_slot(&self, block: &mut RecordBlock, index: usize, cell: &[u8]) {
        let (span, defect) = match cell.split_first() {
            Some((&BYTES, bytes)) => (block.push_bytes(bytes), None),
            Some((&NULL, _)) => (Span::NULL, None),
            Some(_) | None => (Span::UNRECORDED, Some(self.defect())),
        };
        let Some(slot) = block.slots.get_mut(index) else {
            return;
        };
        slot.defect = slot.defect.or(defect);
        match self.kind {
            SiblingKind::Keys => slot.key = span,
            SiblingKind::Headers => slot.headers = span,
        }
    }

    fn defect(&self) -> RecordDefect {
        match self.kind {
            SiblingKind::Keys => RecordDefect::InvalidEnvelope,
            SiblingKind::Headers => RecordDefect::InvalidHeaders,
        }
    }

    /// Returns what was joined, or why it was not: the first is a note, the second is damage.
    pub(super) fn statement(&self) -> Result<String, String> {
        let (kind, path) = (self.kind.name(), &self.path);
        match &self.outcome {
            Ok(_) => Ok(format!("{kind} were joined line by line from `{path}`")),
            Err(why) => Err(format!("the {kind} in `{path}` are not joined: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str, kind: SiblingKind, is_json: bool) -> Vec<u8> {
        let mut cell = Vec::new();
        let mut scratch = Scratch::default();
        encode(text.as_bytes(), kind, is_json, &mut cell, &mut scratch);
        cell
    }

    #[test]
    fn keys_are_what_they_were_before_they_became_json() {
        for (text, expected) in [
            ("\"ord-1\"", &b"\x01ord-1"[..]),
            ("\"\\u00e9\"", "\u{1}é".as_bytes()),
            ("{\"id\":1}", b"\x01{\"id\":1}"),
            ("17", b"\x0117"),
            ("null", b"\x00"),
            ("\"\"", b"\x01"),
            ("\"a", b"\x02"),
            ("{", b"\x02"),
            ("ord-1", b"\x02"),
        ] {
            assert_eq!(encoded(text, SiblingKind::Keys, true), expected, "{text}");
        }
        assert_eq!(encoded("\"a", SiblingKind::Keys, false), b"\x01\"a");
    }

    #[test]
    fn headers_are_lists_of_names_and_values() {
        for (text, expected) in [
            (
                "{\"headers\":[{\"key\":\"k\",\"value\":\"v\"}]}",
                &b"\x01\x02k\x02v"[..],
            ),
            ("[{\"key\":\"k\",\"value\":17}]", b"\x01\x02k\x0417"),
            ("[{\"key\":\"k\",\"value\":null}]", b"\x01\x02k\x01"),
            ("{\"headers\":[]}", b"\x01"),
            ("{\"headers\":null}", b"\x01"),
            ("{\"headers\":[{\"name\":\"k\"}]}", b"\x02"),
            ("{\"headers\":{},\"x\":1}", b"\x02"),
            ("", b"\x02"),
        ] {
            assert_eq!(
                encoded(text, SiblingKind::Headers, true),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn siblings_are_found_by_the_name_of_their_file() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "orders+0+0000000042.json.gz",
            "orders+0+0000000042.keys.avro",
            "orders+0+0000000042.headers.json.gz",
            "orders+0+0000000043.keys.bin",
            "orders+0+0000000043.json",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let shown = |name: &str| -> Vec<(String, bool, bool)> {
            let siblings = SiblingPath::all_of(&folder.path().join(name));
            let of = |sibling: SiblingPath| {
                let name = sibling.path.file_name().unwrap().to_str().unwrap();
                (name.to_owned(), sibling.is_container, sibling.is_json)
            };
            siblings.into_iter().map(of).collect()
        };
        assert_eq!(
            shown("orders+0+0000000042.json.gz"),
            [
                ("orders+0+0000000042.keys.avro".to_owned(), true, true),
                (
                    "orders+0+0000000042.headers.json.gz".to_owned(),
                    false,
                    true
                ),
            ]
        );
        let raw = ("orders+0+0000000043.keys.bin".to_owned(), false, false);
        assert_eq!(shown("orders+0+0000000043.json"), [raw]);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_line_is_a_cell(words in proptest::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "\"headers\":", "\"key\":", "\"value\":", "\"a\"", "\"", "\\u12",
            "null", "17", ",", " ", "\u{e9}",
        ]), 0..12)) {
            let text = words.concat();
            for kind in SiblingKind::ALL {
                let cell = encoded(&text, kind, true);
                prop_assert!(matches!(cell.first(), Some(&(NULL | BYTES | UNREADABLE))));
            }
        }
    }
}
