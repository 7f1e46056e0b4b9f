//! Messages that other implementations wrote, and schemas that are none.

use std::path::Path;

use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Value};

use crate::schema::protobuf::{Messages, write};

fn fixture(name: &str) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fixtures/values").join(name)
}

fn compile(text: &str) -> Messages {
    Messages::compile(&format!("syntax = \"proto3\"; package p; {text}"), &[]).unwrap()
}

fn json(messages: &Messages, indexes: &[usize], payload: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    let message = messages.by_indexes(indexes).unwrap();
    write(&message, payload, 100_000, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_schema_is_the_same_as_text_as_file_and_as_descriptors() {
    let text = std::fs::read_to_string(fixture("charge.proto")).unwrap();
    let descriptors = std::fs::read(fixture("charge.desc")).unwrap();
    for mut messages in [
        Messages::compile(&text, &[]).unwrap(),
        Messages::compile_file(&fixture("charge.proto")).unwrap(),
        Messages::from_descriptors(&descriptors).unwrap(),
    ] {
        let name = |indexes: &[usize]| Some(messages.by_indexes(indexes)?.full_name().to_owned());
        assert_eq!(name(&[0]).as_deref(), Some("shop.Refund"));
        assert_eq!(name(&[1]).as_deref(), Some("shop.Charge"));
        assert_eq!(name(&[1, 0]).as_deref(), Some("shop.Charge.Customer"));
        assert_eq!((name(&[2]), name(&[1, 1]), name(&[])), (None, None, None));
        assert!(messages.choose(None).unwrap_err().contains("shop.Refund"));
        assert!(
            messages
                .choose(Some("Nope"))
                .unwrap_err()
                .contains("`Nope`")
        );
        messages.choose(Some("Charge")).unwrap();
        assert_eq!(messages.chosen().unwrap().full_name(), "shop.Charge");
    }
}

#[test]
fn fields_without_presence_stand_there_with_their_default() {
    let messages = compile(
        "enum E { A = 0; } message M { int32 a = 1; optional int32 b = 2; E e = 3; \
         repeated string l = 4; M m = 5; oneof o { bool t = 6; } map<int32, bool> d = 7; }",
    );
    let empty = r#"{"a":0,"e":"A","l":[],"d":{}}"#;
    assert_eq!(json(&messages, &[0], b"").unwrap(), empty);
    assert_eq!(
        json(&messages, &[0], b"\x10\0\x18\x05\x30\0").unwrap(),
        r#"{"a":0,"b":0,"e":5,"l":[],"t":false,"d":{}}"#
    );
}

#[test]
fn what_the_schema_does_not_have_is_not_lost() {
    let messages = compile("message M { int32 a = 1; }");
    let with = json(&messages, &[0], b"\x08\x01\x38\x02\x38\x03").unwrap();
    assert_eq!(with, r#"{"a":1,"7":"OAI4Aw=="}"#);
}

#[test]
fn messages_that_everyone_knows_are_what_they_stand_for() {
    let messages = Messages::compile(
        "syntax = \"proto3\"; import \"confluent/type/decimal.proto\"; \
         import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; \
         import \"confluent/meta.proto\"; \
         message M { confluent.type.Decimal d = 1 [(confluent.field_meta).doc = \"x\"]; \
         google.protobuf.Timestamp t = 2; google.protobuf.Int64Value w = 3; }",
        &[],
    )
    .unwrap();
    let payload = b"\x0a\x06\x0a\x02\x00\x96\x18\x02\x12\x02\x08\x01\x1a\x00";
    assert_eq!(
        json(&messages, &[0], payload).unwrap(),
        r#"{"d":1.50,"t":"1970-01-01T00:00:01.000000000Z","w":0}"#
    );
    let odd = b"\x12\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(
        json(&messages, &[0], odd).unwrap(),
        r#"{"t":{"seconds":0,"nanos":-1}}"#
    );
}

#[test]
fn schemas_that_are_none_are_errors() {
    let deep = format!(
        "syntax=\"proto3\";{}{}",
        "message A {".repeat(9_000),
        "}".repeat(9_000)
    );
    for (text, part) in [
        ("message {", "expected"),
        ("syntax = \"proto3\"; message A { B b = 1; }", "B"),
        (
            "syntax = \"proto3\"; import \"other.proto\";",
            "other.proto",
        ),
        (
            "syntax = \"proto3\"; import \"schema.proto\";",
            "schema.proto",
        ),
        (&deep, "deep"),
    ] {
        let error = Messages::compile(text, &[]).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let imports = [("a.proto", "b.proto"), ("b.proto", "a.proto")]
        .map(|(name, other)| (name.to_owned(), format!("import \"{other}\";")));
    let error = Messages::compile("import \"a.proto\";", &imports).unwrap_err();
    assert!(error.contains("a.proto"), "{error}");
    assert!(Messages::from_descriptors(b"\xff").is_err());
    assert!(Messages::from_descriptors(b"").is_err());
}

#[test]
fn messages_within_messages_end() {
    let messages = compile("message M { M m = 1; }");
    let mut payload = Vec::new();
    for _ in 0..150 {
        let mut outer = vec![0x0a];
        prost_reflect::prost::encoding::encode_varint(
            payload.len().try_into().unwrap(),
            &mut outer,
        );
        outer.extend_from_slice(&payload);
        payload = outer;
    }
    let error = json(&messages, &[0], &payload).unwrap_err();
    assert!(error.contains("recursion"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_give_json_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let messages = Messages::compile_file(&fixture("charge.proto")).unwrap();
        if let Ok(json) = json(&messages, &[1], &bytes) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
        }
    }

    #[test]
    fn numbers_are_exact(long in any::<i64>(), unsigned in any::<u64>(), double in any::<f64>()) {
        let messages = compile("message M { int64 a = 1; uint64 b = 2; double c = 3; }");
        let mut message = DynamicMessage::new(messages.by_indexes(&[0]).unwrap());
        message.set_field_by_number(1, Value::I64(long));
        message.set_field_by_number(2, Value::U64(unsigned));
        message.set_field_by_number(3, Value::F64(double));
        let json = json(&messages, &[0], &message.encode_to_vec()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        let (_, last) = json.trim_end_matches('}').rsplit_once(':').unwrap();
        prop_assert_eq!(read["a"].as_i64(), Some(long));
        prop_assert_eq!(read["b"].as_u64(), Some(unsigned));
        if double.is_finite() {
            prop_assert_eq!(last.parse(), Ok(double));
        }
    }
}
