//! Tells JSON that Kafka Connect wrote with its schema, so that paths lead into what it is about.
//!
//! Debezium and other connectors write `{"schema":…,"payload":…}` where `schemas.enable` is true.
//! A document is one of these if it has exactly these two members and its schema is one of
//! Connect's, or null.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::PathStep;

/// Types of a Connect schema.
const TYPES: [&str; 12] = [
    "struct", "map", "array", "int8", "int16", "int32", "int64", "float", "double", "boolean",
    "string", "bytes",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    schema: &'a RawValue,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
struct ConnectSchema<'a> {
    #[serde(borrow, rename = "type")]
    type_name: &'a str,
}

/// Returns the payload of a document that Kafka Connect wrote with its schema; nothing for others.
#[inline]
pub fn connect_payload(document: &[u8]) -> Option<&[u8]> {
    let members = document.trim_ascii_start().strip_prefix(b"{")?;
    let members = members.trim_ascii_start();
    let may_be = members.starts_with(b"\"schema\"") || members.starts_with(b"\"payload\"");
    if may_be { payload(document) } else { None }
}

fn payload(document: &[u8]) -> Option<&[u8]> {
    let envelope: Envelope<'_> = serde_json::from_slice(document).ok()?;
    let schema = envelope.schema.get();
    let is_schema = schema == "null"
        || serde_json::from_str(schema)
            .is_ok_and(|schema: ConnectSchema<'_>| TYPES.contains(&schema.type_name));
    is_schema.then(|| envelope.payload.get().as_bytes())
}

/// Returns the steps as they are in a document whose payload they lead into. Those that name the
/// payload or the schema themselves stay.
pub fn into_payload(steps: &[PathStep]) -> Vec<PathStep> {
    let names_member = |name: &str| {
        let first = steps.first();
        first.is_some_and(|step| matches!(step, PathStep::Member(member) if &**member == name))
    };
    if names_member("payload") || names_member("schema") {
        return steps.to_vec();
    }
    let mut inner = vec![PathStep::Member("payload".into())];
    inner.extend_from_slice(steps);
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_members_with_a_schema_of_connect_are_an_envelope() {
        let payload = |text: &'static str| connect_payload(text.as_bytes());
        for text in [
            r#"{"schema":{"type":"struct","fields":[]},"payload":{"a":1}}"#,
            r#" { "payload" : {"a":1} , "schema" : {"name":"x","type":"struct"} } "#,
            r#"{"schema":null,"payload":{"a":1}}"#,
        ] {
            assert_eq!(payload(text), Some(&br#"{"a":1}"#[..]), "{text}");
        }
        for text in [
            r#"{"schema":{"type":"struct"},"payload":{"a":1},"more":1}"#,
            r#"{"schema":{"type":"struct"}}"#,
            r#"{"payload":1}"#,
            r#"{"schema":"public","payload":1}"#,
            r#"{"schema":{"type":"object"},"payload":1}"#,
            r#"{"schema":{"type":1},"payload":1}"#,
            r#"{"schema":null,"schema":null,"payload":1}"#,
            r#"{"schema":null,"payload":1} x"#,
            r#"{"schema":null,"payload":"#,
            r#"[{"schema":null,"payload":1}]"#,
            "",
        ] {
            assert_eq!(payload(text), None, "{text}");
        }
    }
}
