//! Schemas and the payloads that are read with them: both may hold anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dupaudit::record::{Part, RecordBlock, RecordSlot};
use dupaudit::schema::{PartSpec, PayloadReader, SchemaFile, SchemaSpec, Schemas};

use crate::{Target, fixture, root};

/// JSON that a payload may become: so much, and so much more for each of its bytes.
const JSON_BYTES: (usize, usize) = (64 * 1024, 1024);

fn with(path: PathBuf, message: Option<&str>) -> SchemaSpec {
    SchemaSpec {
        value: PartSpec::With(SchemaFile {
            path,
            message: message.map(str::to_owned),
        }),
        ..SchemaSpec::default()
    }
}

fn by_id() -> SchemaSpec {
    SchemaSpec {
        folder: Some(root("fixtures/values/schemas")),
        ..SchemaSpec::default()
    }
}

/// Returns the payloads that serializers wrote, those in the wire format or those without an id.
fn payloads(is_framed: bool) -> Vec<Vec<u8>> {
    let lines = String::from_utf8(fixture("values/records.jsonl")).unwrap();
    let payloads = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        STANDARD.decode(line["payload"].as_str().unwrap()).unwrap()
    });
    let is_wanted = |payload: &Vec<u8>| (payload.first() == Some(&0)) == is_framed;
    payloads.filter(is_wanted).collect()
}

/// Reads a payload as the value of two records, which must say the same: JSON, what was there, or
/// why it cannot be read.
fn read(schemas: &Arc<Schemas>, payload: &[u8]) {
    let mut block = RecordBlock::default();
    for position in 0..2 {
        let mut slot = RecordSlot::new(position);
        slot.value = block.push_bytes(payload);
        slot.key = slot.value;
        block.slots.push(slot);
    }
    PayloadReader::new(schemas, &[Part::Value]).apply(&mut block);
    let seen = |index| {
        let view = block.view(index).unwrap();
        assert_eq!(
            view.key().bytes(),
            Some(payload),
            "nobody asked for the key"
        );
        (view.value().bytes(), view.unread_reason(Part::Value))
    };
    assert_eq!(seen(0), seen(1));
    let (value, reason) = seen(0);
    let value = value.unwrap();
    if let Some(reason) = reason {
        assert!(!reason.is_empty());
    } else if value != payload && payload.get(5..) != Some(value) {
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(value);
        assert!(json.is_ok(), "{json:?}: {}", value.escape_ascii());
    }
    assert!(value.len() <= JSON_BYTES.0 + JSON_BYTES.1 * payload.len());
}

/// Feeds payloads that are read with schemas.
fn fuzz_payloads(corpus: &str, spec: &SchemaSpec, seeds: Vec<Vec<u8>>, words: &[&[u8]]) {
    let schemas = Arc::new(Schemas::open(spec).unwrap());
    let mut target = Target::new(corpus, words);
    target.seeds = seeds;
    target.run(|_, input| read(&schemas, input));
}

/// Feeds schemas, and reads payloads with those that are understood.
fn fuzz_schemas(corpus: &str, extension: &str, seed: &str, words: &[&[u8]]) {
    let mut target = Target::new(corpus, words);
    target.seeds.push(fixture(seed));
    let payloads = payloads(false);
    target.run(|path, input| {
        let named = path.with_extension(extension);
        fs::write(&named, input).unwrap();
        for message in [None, Some("Charge")] {
            match Schemas::open(&with(named.clone(), message)) {
                Ok(schemas) => {
                    let schemas = Arc::new(schemas);
                    for payload in &payloads {
                        read(&schemas, payload);
                    }
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        fs::remove_file(named).unwrap();
    });
}

fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/values")
        .join(name)
}

const AVRO: &[&[u8]] = &[
    b"\x02",
    b"\x01",
    b"\0",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x02",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x06ch_",
];

#[test]
fn avro_payloads_are_read_or_refused() {
    let spec = with(schema("charge.avsc"), None);
    let corpus = "fixtures/corpus/avro-payload";
    fuzz_payloads(corpus, &spec, payloads(false), AVRO);
}

const FRAMES: &[&[u8]] = &[
    b"\0\0\0\0\x01",
    b"\0\0\0\0\x02",
    b"\0\0\0\0\x03",
    b"\0\0\0\0\x04",
    b"\x02\x02",
    b"\xff\xff\xff\x0f",
    b"\x04\x02\0",
    b"{\"charge_id\":1}",
];

#[test]
fn frames_of_serializers_are_read_or_refused() {
    let corpus = "fixtures/corpus/frame";
    fuzz_payloads(corpus, &by_id(), payloads(true), FRAMES);
}

#[test]
fn schemas_of_avro_are_understood_or_refused() {
    let words: &[&[u8]] = &[
        b"\"null\"",
        b"{\"type\":\"array\",\"items\":",
        b"{\"type\":\"map\",\"values\":",
        b"\"logicalType\":\"decimal\",\"precision\":4,\"scale\":99",
        b"\"fields\":[",
        b"\"name\":\"shop.Customer\"",
        b"[\"null\",",
        b"]",
        b"}",
        b"\"type\":\"fixed\",\"size\":",
        b"\"symbols\":[]",
    ];
    fuzz_schemas("fixtures/corpus/avsc", "avsc", "values/charge.avsc", words);
}

#[cfg(feature = "protobuf")]
#[test]
fn protobuf_payloads_are_read_or_refused() {
    let words: &[&[u8]] = &[
        b"\x0a\x04ch_4",
        b"\x12\0",
        b"\x0b",
        b"\x0c",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\xff\xff\xff\xff\x07",
        b"\xfa\x01\x02\x0a\0",
    ];
    let spec = with(schema("charge.desc"), Some("Charge"));
    let corpus = "fixtures/corpus/protobuf-payload";
    fuzz_payloads(corpus, &spec, payloads(false), words);
}

#[cfg(feature = "protobuf")]
#[test]
fn schemas_of_protobuf_are_understood_or_refused() {
    let words: &[&[u8]] = &[
        b"message Charge {",
        b"}",
        b"repeated ",
        b"map<string, Charge> m = 9;",
        b"oneof card {",
        b"import \"google/protobuf/any.proto\";",
        b"import \"proto.proto\";",
        b"syntax = \"proto2\";",
        b"extensions 100 to max;",
        b"group G = 1 {",
        b"reserved ",
        b"= 536870911;",
        b"/*",
        b"option (x).y = {",
        b"enum E { A = 0; }",
    ];
    fuzz_schemas(
        "fixtures/corpus/proto",
        "proto",
        "values/charge.proto",
        words,
    );
}

#[cfg(feature = "protobuf")]
#[test]
fn sets_of_descriptors_are_understood_or_refused() {
    let words: &[&[u8]] = &[b"\x0a\x01a", b"\x22\0", b".shop.Charge", b"\x1a\0", b"\x08"];
    fuzz_schemas("fixtures/corpus/desc", "desc", "values/charge.desc", words);
}
