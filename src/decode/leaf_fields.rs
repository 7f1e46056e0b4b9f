//! Every field of a record with its value, down to the leaves of its documents.

use crate::decode::connect_envelope::connect_payload;
use crate::decode::csv_row::{cell_value, cells};
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::PathStep;
use crate::record::Payload;
use crate::record::RecordView;
use crate::record::Root;
use crate::record::ValueFormat;
use crate::scan_json::leaves;

/// Calls `visit` with the path and value of each leaf in the value, the key and the headers.
///
/// A key or value that is no document is one field; nulls, empty cells, and empty objects and
/// arrays are none.
pub fn leaf_fields(view: RecordView<'_>, visit: &mut dyn FnMut(&str, FieldValue<'_>)) {
    match (&view.block().value_format, view.value()) {
        (ValueFormat::Csv { delimiter, columns }, Payload::Bytes(row)) => {
            for (column, cell) in columns.iter().zip(cells(row, *delimiter)) {
                let name = PathStep::Member(String::from_utf8_lossy(column).into());
                let path = place(Root::Value, vec![name]);
                visit_present(&path, cell_value(cell), visit);
            }
        }
        (ValueFormat::Csv { .. } | ValueFormat::Json, payload) => {
            visit_payload("value", payload, visit);
        }
    }
    visit_payload("key", view.key(), visit);
    for header in view.headers().into_iter().flatten() {
        let name = String::from_utf8_lossy(header.name);
        let value = header.value.map_or(FieldValue::Null, FieldValue::Bytes);
        visit_present(&place(Root::Header(name.into()), Vec::new()), value, visit);
    }
}

fn place(root: Root, steps: Vec<PathStep>) -> String {
    FieldPath::new(root, steps).to_string()
}

fn visit_present(path: &str, value: FieldValue<'_>, visit: &mut dyn FnMut(&str, FieldValue<'_>)) {
    if !value.is_absent() {
        visit(path, value);
    }
}

fn visit_payload(root: &str, payload: Payload<'_>, visit: &mut dyn FnMut(&str, FieldValue<'_>)) {
    let Payload::Bytes(whole) = payload else {
        return;
    };
    let document = connect_payload(whole).unwrap_or(whole);
    let is_document =
        std::str::from_utf8(document).is_ok() && leaves(document, &mut |_, _| {}).is_ok();
    let has_parts = document.trim_ascii_start().starts_with(b"{");
    if !is_document || (root == "key" && !has_parts) {
        visit(root, FieldValue::Bytes(whole));
        return;
    }
    // It was walked once before, so that nothing is visited of what is no document.
    let walked = leaves(document, &mut |path, text| {
        let joint = if path.is_empty() || path.starts_with('[') {
            ""
        } else {
            "."
        };
        visit_present(&format!("{root}{joint}{path}"), leaf(text), visit);
    });
    if walked.is_ok() && root == "key" {
        visit(root, FieldValue::Bytes(whole));
    }
}

/// Returns what the JSON text of a leaf is.
fn leaf(text: &[u8]) -> FieldValue<'_> {
    match text {
        [b'"', content @ .., b'"'] => FieldValue::EscapedText(content),
        b"true" => FieldValue::Boolean(true),
        b"false" => FieldValue::Boolean(false),
        [b'-' | b'0'..=b'9', ..] => FieldValue::Number(text),
        _ => FieldValue::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;
    use crate::scan_json::field_text;

    fn fields(block: &RecordBlock) -> Vec<String> {
        let mut found = Vec::new();
        leaf_fields(block.view(0).unwrap(), &mut |path, value| {
            let mut scratch = Vec::new();
            let text = field_text(value, &mut scratch).unwrap();
            found.push(format!("{path}={}", String::from_utf8_lossy(text)));
        });
        found
    }

    fn block(key: &[u8], value: &[u8]) -> RecordBlock {
        let mut block = RecordBlock::default();
        let (key, value) = (block.push_bytes(key), block.push_bytes(value));
        block.slots.push(RecordSlot {
            key,
            value,
            ..RecordSlot::new(0)
        });
        block
    }

    #[test]
    fn leaves_of_value_and_key_are_visited_with_what_they_say() {
        let found = fields(&block(
            br#"{"k":1}"#,
            br#"{"a":{"b":"x\n","c":null},"d":[true,{}],"e.f":-1.5}"#,
        ));
        let expected = [
            "value.a.b=x\n",
            "value.d[0]=true",
            "value.\"e.f\"=-1.5",
            "key.k=1",
        ];
        assert_eq!(found[..4], expected);
        assert_eq!(found[4], "key={\"k\":1}");
        assert_eq!(
            fields(&block(b"cus_1", b"{\"a\":")),
            ["value={\"a\":", "key=cus_1"]
        );
        let enveloped = br#"{"schema":{"type":"struct"},"payload":{"id":1}}"#;
        assert_eq!(fields(&block(b"7", enveloped)), ["value.id=1", "key=7"]);
    }

    #[test]
    fn cells_are_fields_by_their_columns() {
        let mut block = block(b"k", b"1,,\"a,\"\"b\"");
        let columns = ["id", "none", "a.b"].map(|name| name.as_bytes().into());
        block.value_format = ValueFormat::Csv {
            delimiter: b',',
            columns: columns.into(),
        };
        assert_eq!(
            fields(&block),
            ["value.id=1", "value.\"a.b\"=a,\"b", "key=k"]
        );
    }
}
