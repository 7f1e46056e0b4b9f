//! One schema, taken apart: how payloads of it become JSON.

#[cfg(feature = "protobuf")]
use crate::schema::frame;
#[cfg(feature = "protobuf")]
use crate::schema::protobuf::{self, Messages};
use crate::typed_value::avro;

/// Bytes of JSON that any payload may become.
const JSON_BYTES_BASE: usize = 64 * 1024;
/// More of them for each of its bytes.
const JSON_BYTES_PER_BYTE: usize = 1024;
const JSON_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The language that a schema is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Avro,
    Protobuf,
    Json,
}

/// A schema as text, with the others that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SchemaText {
    pub(super) language: Language,
    pub(super) text: String,
    /// Name and text of each, those that are referred to before those that refer to them.
    pub(super) others: Vec<(String, String)>,
}

/// How payloads of one schema are read.
pub(super) enum Reading {
    Avro(avro::Schema),
    #[cfg(feature = "protobuf")]
    Protobuf(Messages),
    /// They are JSON already.
    Json,
}

/// What came of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Its JSON was appended.
    Json,
    /// It is JSON as it stands.
    AsItIs,
}

impl Reading {
    /// Takes a schema apart; the error says what is wrong with it.
    pub(super) fn parse(schema: &SchemaText) -> Result<Self, String> {
        match schema.language {
            Language::Avro => {
                let others: Vec<&[u8]> = schema
                    .others
                    .iter()
                    .map(|(_, text)| text.as_bytes())
                    .collect();
                let parsed = avro::Schema::parse_after(&others, schema.text.as_bytes());
                parsed.map(Self::Avro).map_err(|error| error.to_string())
            }
            #[cfg(feature = "protobuf")]
            Language::Protobuf => {
                Messages::compile(&schema.text, &schema.others).map(Self::Protobuf)
            }
            #[cfg(not(feature = "protobuf"))]
            Language::Protobuf => Err("is in Protobuf, which this build does not read".to_owned()),
            Language::Json => Ok(Self::Json),
        }
    }

    /// Appends the JSON of what follows a schema id; nothing where it is damaged.
    pub(super) fn write_framed(&self, rest: &[u8], out: &mut Vec<u8>) -> Result<Written, String> {
        match self {
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => {
                let mut rest = rest;
                let indexes = frame::take_message_indexes(&mut rest)
                    .ok_or("it does not say which message it is")?;
                let message = messages
                    .by_indexes(&indexes)
                    .ok_or_else(|| format!("it is of message {indexes:?}, which there is not"))?;
                protobuf::write(&message, rest, json_bytes_max(rest), out)?;
                Ok(Written::Json)
            }
            Self::Avro(_) | Self::Json => self.write(rest, out),
        }
    }

    /// Appends the JSON of a payload without a schema id; nothing where it is damaged.
    pub(super) fn write(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<Written, String> {
        match self {
            Self::Avro(schema) => {
                let start = out.len();
                let mut rest = payload;
                avro::DatumWriter::new(schema, json_bytes_max(payload))
                    .write(&mut rest, out)
                    .map_err(|error| error.to_string())?;
                if !rest.is_empty() {
                    out.truncate(start);
                    return Err(format!("{} bytes are left behind it", rest.len()));
                }
                Ok(Written::Json)
            }
            #[cfg(feature = "protobuf")]
            Self::Protobuf(messages) => {
                let message = messages
                    .chosen()
                    .ok_or("it does not say which message it is")?;
                protobuf::write(&message, payload, json_bytes_max(payload), out)?;
                Ok(Written::Json)
            }
            Self::Json => Ok(Written::AsItIs),
        }
    }
}

/// A few bytes may say that an array has 2^62 nulls.
fn json_bytes_max(payload: &[u8]) -> usize {
    let own = payload.len().saturating_mul(JSON_BYTES_PER_BYTE);
    own.saturating_add(JSON_BYTES_BASE).min(JSON_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn avro(text: &str, others: &[(&str, &str)]) -> Result<Reading, String> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Reading::parse(&SchemaText {
            language: Language::Avro,
            text: text.to_owned(),
            others: others.iter().map(owned).collect(),
        })
    }

    #[test]
    fn a_schema_may_name_the_types_of_others() {
        let customer = r#"{"type":"record","name":"shop.Customer",
            "fields":[{"name":"id","type":"string"}]}"#;
        let charge = r#"{"type":"record","name":"shop.Charge","fields":[
            {"name":"customer","type":"Customer"},{"name":"again","type":"shop.Customer"}]}"#;
        let reading = avro(charge, &[("Customer", customer)]).unwrap();
        let mut out = Vec::new();
        assert_eq!(reading.write(b"\x02a\x02b", &mut out), Ok(Written::Json));
        assert_eq!(out, br#"{"customer":{"id":"a"},"again":{"id":"b"}}"#);
        let error = avro(charge, &[]).err().unwrap();
        assert_eq!(error, "names a type that it does not define: `Customer`");
    }

    #[test]
    fn a_payload_has_to_end_where_its_schema_says() {
        let reading = avro("\"string\"", &[]).unwrap();
        let mut out = b"kept".to_vec();
        for (payload, fault) in [
            (&b"\x02ab"[..], "1 bytes are left behind it"),
            (b"\x06ab", "it ends within a value"),
            (b"", "it ends within a value"),
        ] {
            assert_eq!(reading.write(payload, &mut out), Err(fault.to_owned()));
            assert_eq!(out, b"kept");
        }
    }

    #[test]
    fn a_few_bytes_do_not_become_much() {
        let reading = avro(r#"{"type":"array","items":"null"}"#, &[]).unwrap();
        let mut out = Vec::new();
        let count = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2];
        let error = reading.write(&count, &mut out).unwrap_err();
        assert!(error.starts_with("its JSON takes more than"), "{error}");
        assert!(out.capacity() < 1 << 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_schema_text_makes_the_parser_panic(
            text in "[\\[\\]{}\":,a-z0-9. ]{0,60}",
            language in 0..3_usize,
        ) {
            let language = [Language::Avro, Language::Protobuf, Language::Json][language];
            let text = SchemaText { language, text, others: Vec::new() };
            drop(Reading::parse(&text));
        }
    }
}
