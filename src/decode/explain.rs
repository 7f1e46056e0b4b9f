//! Says of an undecodable record what is wrong with it.

use crate::decode::FieldReader;
use crate::decode::csv_row::cells;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::Part;
use crate::record::RecordDefect;
use crate::record::RecordView;
use crate::record::Root;
use crate::record::ValueFormat;
use crate::scan_json::PathTrie;
use crate::scan_json::Scanner;

impl FieldReader {
    /// Returns what is wrong with a record of which a path cannot be decoded; nothing if all can.
    pub fn explain(&mut self, view: RecordView<'_>) -> Option<String> {
        let mut values = vec![FieldValue::Missing; self.paths().len()];
        self.read(view, &mut values);
        let mut paths = self.paths().iter().zip(&values);
        let (path, _) = paths.find(|&(_, value)| *value == FieldValue::Undecodable)?;
        let path = &undecodable_place(path, view);
        Some(match view.slot().defect {
            // Broken headers say nothing of a key or value.
            Some(RecordDefect::InvalidHeaders) if !matches!(path.root, Root::Header(_)) => {
                explain_path(path, view)
            }
            Some(defect) => explain_defect(defect, view),
            None => explain_path(path, view),
        })
    }
}

/// Returns the one of a field's places that cannot be decoded.
fn undecodable_place(path: &FieldPath, view: RecordView<'_>) -> FieldPath {
    let mut place = path.clone();
    while let Some(other) = place.otherwise.take() {
        let mut value = [FieldValue::Missing];
        FieldReader::new(vec![place.clone()]).read(view, &mut value);
        if value == [FieldValue::Undecodable] {
            break;
        }
        place = *other;
    }
    place
}

fn explain_defect(defect: RecordDefect, view: RecordView<'_>) -> String {
    match defect {
        RecordDefect::InvalidText => match &view.block().value_format {
            ValueFormat::Json => view.value().bytes().and_then(json_fault).map_or_else(
                || "invalid JSON".to_owned(),
                |fault| format!("invalid JSON: {fault}"),
            ),
            ValueFormat::Csv { .. } => "invalid CSV row".to_owned(),
        },
        RecordDefect::TooLong => "the line is longer than the limit".to_owned(),
        RecordDefect::WrongCellCount => cell_counts(view),
        RecordDefect::InvalidEnvelope => {
            "the envelope lacks a part of the record or has one of the wrong kind".to_owned()
        }
        RecordDefect::InvalidHeaders => "the headers cannot be read".to_owned(),
    }
}

fn cell_counts(view: RecordView<'_>) -> String {
    match (&view.block().value_format, view.value().bytes()) {
        (ValueFormat::Csv { delimiter, columns }, Some(row)) => {
            let count = cells(row, *delimiter).count();
            let cells = if count == 1 { "cell" } else { "cells" };
            format!("row has {count} {cells}, the header row {}", columns.len())
        }
        _ => "row has another number of cells than the header row".to_owned(),
    }
}

/// Says why the path of a record without defects cannot be decoded.
fn explain_path(path: &FieldPath, view: RecordView<'_>) -> String {
    let (part, place) = match &path.root {
        Root::Key => (Part::Key, " in the key"),
        Root::Value => (Part::Value, ""),
        Root::Header(name) => return format!("header `{name}` is repeated with another value"),
        Root::Topic | Root::Partition | Root::Offset | Root::Timestamp => {
            return format!("`{path}` cannot be decoded");
        }
    };
    let is_row = matches!(view.block().value_format, ValueFormat::Csv { .. });
    if is_row && path.is_in_value() {
        return format!("the header row names the column of `{path}` more than once");
    }
    if let Some(reason) = view.unread_reason(part) {
        return format!("the {}: {reason}", part.name());
    }
    let payload = view.part(part).bytes();
    if let Some(id) = payload.and_then(schema_id) {
        return format!(
            "the {} is in the wire format of a schema registry, of schema {id}: \
             --schema-registry URL or --schemas DIR reads it",
            part.name()
        );
    }
    match payload.and_then(json_fault) {
        Some(fault) => format!("invalid JSON{place}: {fault}"),
        None => format!("a member name on the path `{path}` is repeated in its object"),
    }
}

/// Returns the schema id of bytes that begin like the wire format of Confluent's serializers.
fn schema_id(bytes: &[u8]) -> Option<u32> {
    let [0, id @ ..] = *bytes.first_chunk::<5>()? else {
        return None;
    };
    Some(u32::from_be_bytes(id)).filter(|id| (1..1 << 24).contains(id))
}

/// Returns where and why the bytes are no JSON, if they are none.
fn json_fault(bytes: &[u8]) -> Option<String> {
    let error = Scanner::new()
        .scan(bytes, &PathTrie::new(&[]), &mut [])
        .err()?;
    Some(format!("{error} at column {}", error.byte_offset + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;
    use crate::record::push_header;

    fn explain(
        value: &str,
        defect: Option<RecordDefect>,
        path: &str,
        format: ValueFormat,
    ) -> Option<String> {
        let mut block = RecordBlock::default();
        let mut slot = RecordSlot::new(0);
        slot.value = block.push_bytes(value.as_bytes());
        slot.key = block.push_bytes(b"[1 2]");
        let mut headers = Vec::new();
        for value in [b"1", b"2"] {
            push_header(
                &mut headers,
                Header {
                    name: b"h",
                    value: Some(value),
                },
            );
        }
        slot.headers = block.push_bytes(&headers);
        slot.defect = defect;
        block.slots.push(slot);
        block.value_format = format;
        let path = FieldPath::parse(path).unwrap();
        FieldReader::new(vec![path]).explain(block.views().next().unwrap())
    }

    #[test]
    fn the_message_says_where_and_why() {
        let json = |value: &str, path: &str| explain(value, None, path, ValueFormat::Json);
        assert_eq!(json("{\"a\":1}", "a"), None);
        assert_eq!(json("{\"a\":1 2}", "value"), None);
        for (value, path, expected) in [
            (
                "{\"a\":1 2}",
                "a",
                "invalid JSON: expected `,` or `}` at column 8",
            ),
            (
                "{}",
                "key.a",
                "invalid JSON in the key: expected `,` or `]` at column 4",
            ),
            (
                "{\"a\":1,\"a\":2}",
                "a.b",
                "a member name on the path `value.a.b` is repeated in its object",
            ),
            (
                "{}",
                "headers.h",
                "header `h` is repeated with another value",
            ),
        ] {
            assert_eq!(json(value, path).as_deref(), Some(expected));
        }
    }

    #[test]
    fn defects_are_explained() {
        let columns = ["a", "b", "a"].map(|name| name.as_bytes().into());
        let csv = || ValueFormat::Csv {
            delimiter: b',',
            columns: columns.clone().into(),
        };
        for (value, defect, path, format, expected) in [
            (
                "1,\"2,3\",4,5",
                Some(RecordDefect::WrongCellCount),
                "a",
                csv(),
                "row has 4 cells, the header row 3",
            ),
            (
                "1",
                Some(RecordDefect::WrongCellCount),
                "a",
                csv(),
                "row has 1 cell, the header row 3",
            ),
            (
                "1,2,3",
                None,
                "a",
                csv(),
                "the header row names the column of `value.a` more than once",
            ),
            (
                "{",
                Some(RecordDefect::InvalidText),
                "a",
                ValueFormat::Json,
                "invalid JSON: expected a member name in quotes or `}` at column 2",
            ),
            (
                "{",
                Some(RecordDefect::InvalidHeaders),
                "headers.h",
                ValueFormat::Json,
                "the headers cannot be read",
            ),
            (
                "[1,]",
                Some(RecordDefect::InvalidHeaders),
                "value.a",
                ValueFormat::Json,
                "invalid JSON: expected a value at column 4",
            ),
            (
                "",
                Some(RecordDefect::TooLong),
                "value",
                ValueFormat::Json,
                "the line is longer than the limit",
            ),
        ] {
            assert_eq!(
                explain(value, defect, path, format).as_deref(),
                Some(expected)
            );
        }
    }
}
