//! Turns the keys and values of a block into JSON, one reader for each thread.

use std::collections::HashMap;
use std::sync::Arc;

use crate::record::Part;
use crate::record::Payload;
use crate::record::RecordBlock;
use crate::record::Span;
use crate::record::UnreadPayload;
use crate::record::ValueFormat;
use crate::schema::frame;
use crate::schema::reading::{Reading, Written};
use crate::schema::store::{Found, PartReading, Schemas};

/// Ids that a thread keeps for itself; those of a log are few.
const SEEN_MAX: usize = 4_096;
/// Bytes that a block may grow to.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Reads the payloads of blocks; keeps what it has seen of the shared schemas.
pub struct PayloadReader {
    schemas: Arc<Schemas>,
    parts: Vec<Part>,
    seen: HashMap<u32, Found>,
    scratch: Vec<u8>,
}

/// What becomes of a payload.
enum Outcome {
    Unchanged,
    /// It begins so many bytes later.
    WithoutFirst(u32),
    /// Its JSON is in the scratch buffer.
    Replaced,
    Unread(Arc<str>),
}

impl PayloadReader {
    /// Returns a reader of these parts of records.
    pub fn new(schemas: &Arc<Schemas>, parts: &[Part]) -> Self {
        let is_read = |part: &&Part| !matches!(schemas.part(**part), PartReading::AsItIs);
        Self {
            schemas: Arc::clone(schemas),
            parts: parts.iter().filter(is_read).copied().collect(),
            seen: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Puts JSON in the place of every payload that has a schema, and notes those that cannot be
    /// read. Rows of text files have none.
    pub fn apply(&mut self, block: &mut RecordBlock) {
        if block.value_format != ValueFormat::Json {
            return;
        }
        for index in 0..block.slots.len() {
            for place in 0..self.parts.len() {
                if let Some(&part) = self.parts.get(place) {
                    self.apply_to(block, index, part);
                }
            }
        }
    }

    fn apply_to(&mut self, block: &mut RecordBlock, index: usize, part: Part) {
        let Some(Payload::Bytes(bytes)) = block.view(index).map(|view| view.part(part)) else {
            return;
        };
        match self.read(part, bytes) {
            Outcome::Unchanged => {}
            Outcome::WithoutFirst(count) => {
                put(block, index, part, |span| span.without_first(count));
            }
            Outcome::Replaced if block.bytes.len() + self.scratch.len() > BLOCK_BYTES_MAX => {
                let reason = "it and its neighbours take too much memory as JSON".into();
                block.note_unread(index, UnreadPayload { part, reason });
            }
            Outcome::Replaced => {
                let json = block.push_bytes(&self.scratch);
                put(block, index, part, |_| json);
            }
            Outcome::Unread(reason) => {
                // The id is none of the payload: two that differ in it alone are the same.
                if frame::split(bytes).is_some() {
                    put(block, index, part, |span| {
                        span.without_first(frame::FRAME_BYTES)
                    });
                }
                block.note_unread(index, UnreadPayload { part, reason });
            }
        }
    }

    fn read(&mut self, part: Part, bytes: &[u8]) -> Outcome {
        self.scratch.clear();
        let framed = frame::split(bytes);
        if let Some((id, rest)) = framed.filter(|_| self.schemas.knows_ids()) {
            return self.read_by_id(id, rest);
        }
        let PartReading::With(reading) = self.schemas.part(part) else {
            return Outcome::Unchanged;
        };
        let written = reading.write(bytes, &mut self.scratch);
        match (written, framed) {
            (Ok(Written::Json), _) => Outcome::Replaced,
            (Ok(Written::AsItIs), None) => Outcome::Unchanged,
            (Ok(Written::AsItIs), Some(_)) => Outcome::WithoutFirst(frame::FRAME_BYTES),
            (Err(_), Some((_, rest))) => outcome(
                reading,
                rest,
                &mut self.scratch,
                "it does not fit the schema given",
            ),
            (Err(why), None) => {
                Outcome::Unread(format!("it does not fit the schema given: {why}").into())
            }
        }
    }

    fn read_by_id(&mut self, id: u32, rest: &[u8]) -> Outcome {
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        let schemas = &self.schemas;
        let found = self.seen.entry(id).or_insert_with(|| schemas.by_id(id));
        match found {
            Ok(reading) => outcome(
                reading,
                rest,
                &mut self.scratch,
                format_args!("it does not fit schema {id}"),
            ),
            Err(reason) => Outcome::Unread(Arc::clone(reason)),
        }
    }
}

fn outcome(
    reading: &Reading,
    rest: &[u8],
    scratch: &mut Vec<u8>,
    fault: impl std::fmt::Display,
) -> Outcome {
    match reading.write_framed(rest, scratch) {
        Ok(Written::Json) => Outcome::Replaced,
        Ok(Written::AsItIs) => Outcome::WithoutFirst(frame::FRAME_BYTES),
        Err(why) => Outcome::Unread(format!("{fault}: {why}").into()),
    }
}

fn put(block: &mut RecordBlock, index: usize, part: Part, change: impl FnOnce(Span) -> Span) {
    if let Some(slot) = block.slots.get_mut(index) {
        let span = match part {
            Part::Key => &mut slot.key,
            Part::Value => &mut slot.value,
        };
        *span = change(*span);
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::record::RecordSlot;
    use crate::schema::{PartSpec, SchemaFile, SchemaSpec};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/values")
            .join(name)
    }

    /// Returns the payloads that serializers wrote, with the names of their schemas.
    fn payloads() -> Vec<(String, Vec<u8>)> {
        let lines = std::fs::read_to_string(fixture("records.jsonl")).unwrap();
        let parse = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let payload = STANDARD.decode(line["payload"].as_str().unwrap()).unwrap();
            (line["schema"].as_str().unwrap().to_owned(), payload)
        };
        lines.lines().map(parse).collect()
    }

    fn block_of(values: &[Vec<u8>]) -> RecordBlock {
        let mut block = RecordBlock::default();
        for (value, position) in values.iter().zip(0..) {
            let mut slot = RecordSlot::new(position);
            slot.value = block.push_bytes(value);
            slot.key = block.push_bytes(value);
            block.slots.push(slot);
        }
        block
    }

    fn read(spec: &SchemaSpec, values: &[Vec<u8>]) -> Vec<Result<String, String>> {
        let schemas = Arc::new(Schemas::open(spec).unwrap());
        let mut block = block_of(values);
        PayloadReader::new(&schemas, &[Part::Value]).apply(&mut block);
        let read = block.views().zip(values).map(|(view, value)| {
            assert_eq!(
                view.key(),
                Payload::Bytes(value),
                "the key is not asked for"
            );
            match view.unread_reason(Part::Value) {
                Some(reason) => Err(reason.to_string()),
                None => Ok(String::from_utf8(view.value().bytes().unwrap().to_vec()).unwrap()),
            }
        });
        read.collect()
    }

    fn by_id() -> SchemaSpec {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        SchemaSpec {
            folder: Some(root.join("fixtures/values/schemas")),
            ..SchemaSpec::default()
        }
    }

    fn with(path: &str, message: Option<&str>) -> SchemaSpec {
        SchemaSpec {
            value: PartSpec::With(SchemaFile {
                path: fixture(path),
                message: message.map(str::to_owned),
            }),
            ..SchemaSpec::default()
        }
    }

    const AVRO_2: &str = concat!(
        r#"{"charge_id":"ch_2","amount":-0.50,"currency":"USD","#,
        r#""created":"2026-01-15T02:30:02.000Z","customer":{"id":"cus_2","#,
        r#""referrer":{"id":"cus \"0\"","referrer":null}},"tags":{"b":2},"#,
        r#""position":9007199254740993,"rate":0.1,"raw":"AP8="}"#
    );

    #[test]
    fn payloads_of_serializers_are_read_by_their_ids() {
        let all = payloads();
        let values: Vec<Vec<u8>> = all.iter().map(|(_, payload)| payload.clone()).collect();
        let read = read(&by_id(), &values[..10]);
        assert_eq!(read[1].as_deref(), Ok(AVRO_2));
        // The same payload under another schema id is the same.
        assert_eq!(read[1], read[3]);
        assert_eq!(
            read[7].as_deref(),
            Ok(r#"{"charge_id":"ch_6","amount":3.0}"#)
        );
    }

    #[cfg(feature = "protobuf")]
    #[test]
    fn protobuf_of_serializers_is_read_exactly() {
        let (name, payload) = payloads().swap_remove(4);
        assert_eq!(name, "protobuf");
        let json = concat!(
            r#"{"charge_id":"ch_4","amount_minor":-100,"currency":"EUR","#,
            r#""created":"2026-01-15T02:30:04.000000000Z","customer":{"id":"cus_4","#,
            r#""referrer":{"id":"cus_0"}},"tags":{"a":1,"b":2},"position":18446744073709551615,"#,
            r#""rate":0.1,"raw":"AP8=","codes":[1,2],"card":"visa","note":"é\n","#,
            r#""extra":{"a":[1,null,{"b":true}]}}"#
        );
        assert_eq!(
            read(&by_id(), std::slice::from_ref(&payload)),
            [Ok(json.to_owned())]
        );
        let alone = with("charge.proto", Some("shop.Charge"));
        let bare = payloads().pop().unwrap().1;
        for spec in [alone, with("charge.desc", Some("Charge"))] {
            let read = read(&spec, &[bare.clone(), payload.clone()]);
            let nine = json
                .replace("_4", "_9")
                .replace("-100", "-225")
                .replace("04.0", "09.0");
            assert_eq!(read, [Ok(nine), Ok(json.to_owned())]);
        }
    }

    #[test]
    fn one_schema_reads_payloads_with_and_without_an_id() {
        let all = payloads();
        let (name, bare) = &all[10];
        assert_eq!(name, "avro alone");
        let read = read(
            &with("charge.avsc", None),
            &[bare.clone(), all[1].1.clone()],
        );
        assert!(
            read[0]
                .as_ref()
                .unwrap()
                .starts_with(r#"{"charge_id":"ch_8","amount":1.00,"#)
        );
        assert_eq!(read[1].as_deref(), Ok(AVRO_2));
    }

    #[test]
    fn what_cannot_be_read_stays_without_its_id_and_says_why() {
        let values = [
            &b"\0\0\0\0\x63abc"[..],
            b"\0\0\0\0\x01abc",
            b"{\"a\":1}",
            b"\0\0\0\0\0\0",
        ];
        let values = values.map(<[u8]>::to_vec);
        let schemas = Arc::new(Schemas::open(&by_id()).unwrap());
        let mut block = block_of(&values);
        PayloadReader::new(&schemas, &[Part::Key, Part::Value]).apply(&mut block);
        let views: Vec<_> = block.views().collect();
        let reason = |at: usize, part| views[at].unread_reason(part).map(|of| &**of);
        let folder = fixture("schemas").display().to_string();
        let missing = format!("schema 99 is not in {folder}");
        for part in [Part::Key, Part::Value] {
            assert_eq!(reason(0, part), Some(&*missing));
            let fault = "it does not fit schema 1: it has a number that cannot be";
            assert_eq!(reason(1, part), Some(fault));
            assert_eq!((reason(2, part), reason(3, part)), (None, None));
            assert_eq!(views[0].part(part), Payload::Bytes(b"abc"));
            assert_eq!(views[2].part(part), Payload::Bytes(&values[2]));
            assert_eq!(views[3].part(part), Payload::Bytes(&values[3]));
        }
    }

    #[test]
    fn parts_that_are_to_stay_are_left() {
        let value = payloads().swap_remove(0).1;
        let mut spec = by_id();
        spec.value = PartSpec::AsTheyAre;
        let schemas = Arc::new(Schemas::open(&spec).unwrap());
        let mut block = block_of(std::slice::from_ref(&value));
        PayloadReader::new(&schemas, &[Part::Key, Part::Value]).apply(&mut block);
        let view = block.view(0).unwrap();
        assert_eq!(view.value(), Payload::Bytes(&value));
        assert_ne!(view.key(), Payload::Bytes(&value));
    }

    #[test]
    fn files_that_are_no_schemas_are_refused() {
        let fault = |spec: &SchemaSpec| Schemas::open(spec).err().unwrap().to_string();
        let empty = tempfile::tempdir().unwrap();
        let folder = |path: &Path| SchemaSpec {
            folder: Some(path.to_owned()),
            ..SchemaSpec::default()
        };
        assert!(fault(&folder(empty.path())).contains("no schema in it"));
        assert!(fault(&folder(Path::new("/none"))).contains("`--schemas /none`"));
        assert!(fault(&with("none.avsc", None)).contains("none.avsc"));
        assert!(fault(&with("values.py", None)).contains("does not say what it is"));
        let message = fault(&with("charge.avsc", Some("Charge")));
        assert!(message.contains("only Protobuf has messages"), "{message}");
        #[cfg(feature = "protobuf")]
        assert!(fault(&with("charge.proto", None)).contains("several messages"));
    }

    #[test]
    fn a_registrys_answer_in_the_folder_is_a_schema() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("7.json", r#"{"schema":"\"string\""}"#).unwrap();
        write("8.json", r#"{"schemaType":"JSON","schema":"{}"}"#).unwrap();
        write(
            "9.json",
            r#"{"schema":"x","references":[{"name":"n","subject":"s","version":1}]}"#,
        )
        .unwrap();
        write("10.avsc", "{").unwrap();
        let spec = SchemaSpec {
            folder: Some(folder.path().to_owned()),
            ..SchemaSpec::default()
        };
        let values = [
            &b"\0\0\0\0\x07\x02a"[..],
            b"\0\0\0\0\x08[1]",
            b"\0\0\0\0\x09",
            b"\0\0\0\0\x0a",
        ];
        let read = read(&spec, &values.map(<[u8]>::to_vec));
        assert_eq!(read[..2], [Ok("\"a\"".to_owned()), Ok("[1]".to_owned())]);
        assert!(read[2].as_ref().unwrap_err().contains("refers to `n`"));
        assert!(
            read[3]
                .as_ref()
                .unwrap_err()
                .starts_with("schema 10 cannot be used: the schema is no JSON")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_are_json_or_unread(
            id in 0..6_u8,
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let value = [&[0, 0, 0, 0, id], &*bytes].concat();
            let schemas = Arc::new(Schemas::open(&by_id()).unwrap());
            let mut block = block_of(&[value, bytes]);
            PayloadReader::new(&schemas, &[Part::Key, Part::Value]).apply(&mut block);
            let view = block.view(0).unwrap();
            if (1..4).contains(&id) && view.unread_reason(Part::Value).is_none() {
                let json = view.value().bytes().unwrap();
                prop_assert!(serde_json::from_slice::<serde_json::Value>(json).is_ok());
            }
        }
    }
}
