//! Lists the field paths that a record has, for the message that a path leads nowhere.

use crate::decode::connect_envelope::connect_payload;
use crate::record::FieldPath;
use crate::record::PathStep;
use crate::record::Payload;
use crate::record::RecordView;
use crate::record::Root;
use crate::record::ValueFormat;
use crate::scan_json::leaves;

/// Returns up to `limit` paths that exist in a record: those into the value, the key, the headers.
pub fn existing_paths(view: RecordView<'_>, limit: usize) -> Vec<String> {
    let mut found = Found {
        paths: Vec::new(),
        limit,
    };
    match (&view.block().value_format, view.value()) {
        (ValueFormat::Csv { columns, .. }, Payload::Bytes(_)) => {
            for column in columns.iter() {
                found.add(member_path(Root::Value, column));
            }
        }
        (ValueFormat::Csv { .. } | ValueFormat::Json, payload) => {
            found.add_payload("value", payload);
        }
    }
    found.add_payload("key", view.key());
    for header in view.headers().into_iter().flatten() {
        let name = String::from_utf8_lossy(header.name);
        found.add(format!("headers.{name}"));
    }
    found.paths
}

fn member_path(root: Root, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let steps = vec![PathStep::Member(name.into())];
    FieldPath::new(root, steps).to_string()
}

struct Found {
    paths: Vec<String>,
    limit: usize,
}

impl Found {
    fn add(&mut self, path: String) {
        if self.paths.len() < self.limit && !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// Adds the paths into a payload that is a JSON document, or the path of any other.
    fn add_payload(&mut self, root: &str, payload: Payload<'_>) {
        let Payload::Bytes(bytes) = payload else {
            return;
        };
        let bytes = connect_payload(bytes).unwrap_or(bytes);
        let mut inside = Vec::new();
        let limit = self.limit;
        let result = match std::str::from_utf8(bytes) {
            Ok(text) => leaves(text.as_bytes(), &mut |path, _| {
                if inside.len() < limit {
                    let joint = if path.is_empty() || path.starts_with('[') {
                        ""
                    } else {
                        "."
                    };
                    inside.push(format!("{root}{joint}{path}"));
                }
            })
            .is_ok(),
            Err(_) => false,
        };
        if result {
            for path in inside {
                self.add(path);
            }
        } else {
            self.add(root.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;
    use crate::record::push_header;

    fn block_of(value: &[u8]) -> RecordBlock {
        let mut block = RecordBlock::default();
        let mut slot = RecordSlot::new(0);
        slot.value = block.push_bytes(value);
        slot.key = block.push_bytes(b"order-1");
        let mut headers = Vec::new();
        for name in ["x", "x", "y"] {
            push_header(
                &mut headers,
                Header {
                    name: name.as_bytes(),
                    value: None,
                },
            );
        }
        slot.headers = block.push_bytes(&headers);
        block.slots.push(slot);
        block
    }

    fn paths(block: &RecordBlock, limit: usize) -> Vec<String> {
        existing_paths(block.views().next().unwrap(), limit)
    }

    #[test]
    fn every_part_of_the_record_is_listed() {
        let block = block_of(br#"{"id":1,"a.b":{"c":[1,{"d":2}]},"id":2}"#);
        let expected = [
            "value.id",
            "value.\"a.b\".c[0]",
            "value.\"a.b\".c[1].d",
            "key",
            "headers.x",
            "headers.y",
        ];
        assert_eq!(paths(&block, 10), expected);
        assert_eq!(paths(&block, 2), expected[..2]);
        for path in expected {
            assert_eq!(FieldPath::parse(path).unwrap().to_string(), path);
        }
    }

    #[test]
    fn payloads_that_are_no_json_are_listed_whole() {
        assert_eq!(paths(&block_of(b"{\"a\":"), 2), ["value", "key"]);
        assert_eq!(paths(&block_of(b"\xff"), 2), ["value", "key"]);
        assert_eq!(paths(&block_of(b"[[7]]"), 1), ["value[0][0]"]);
        let enveloped = block_of(br#"{"schema":{"type":"struct"},"payload":{"id":1}}"#);
        assert_eq!(paths(&enveloped, 1), ["value.id"]);
        let mut block = block_of(b"1,2");
        let columns = ["id", "a.b"].map(|name| name.as_bytes().into());
        block.value_format = ValueFormat::Csv {
            delimiter: b',',
            columns: columns.into(),
        };
        assert_eq!(paths(&block, 2), ["value.id", "value.\"a.b\""]);
    }
}
