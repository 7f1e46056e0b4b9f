//! Random schemas and values of them, written by another implementation of Avro.

use std::collections::{BTreeSet, HashMap};

use apache_avro::types::Value as AvroValue;
use apache_avro::writer::datum::GenericDatumWriter;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::typed_value::avro::{DatumWriter, Schema};

/// A value that knows its type.
#[derive(Clone, Debug)]
enum Datum {
    Null,
    Boolean(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(Vec<u8>),
    Text(String),
    Fixed([u8; 3]),
    Decimal(i32, u8),
    Millis(i64),
    Symbol(u8),
    /// The branch that is not null, whether null comes first, and whether it is null.
    Optional(Box<Datum>, bool, bool),
    Array(Box<Datum>, usize),
    Map(Box<Datum>, BTreeSet<String>),
    Record(Vec<Datum>),
}

fn data() -> impl Strategy<Value = Datum> {
    let leaf = prop_oneof![
        Just(Datum::Null),
        any::<bool>().prop_map(Datum::Boolean),
        any::<i32>().prop_map(Datum::Int),
        any::<i64>().prop_map(Datum::Long),
        any::<f32>().prop_map(Datum::Float),
        any::<f64>().prop_map(Datum::Double),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Datum::Bytes),
        "\\PC{0,4}[\\x00-\\x7f]{0,4}".prop_map(Datum::Text),
        any::<[u8; 3]>().prop_map(Datum::Fixed),
        (any::<i32>(), 0..8_u8).prop_map(|(unscaled, scale)| Datum::Decimal(unscaled, scale)),
        (-60_000_000_000_000..250_000_000_000_000_i64).prop_map(Datum::Millis),
        (0..3_u8).prop_map(Datum::Symbol),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let inner_optional = inner
            .clone()
            .prop_filter("null is a branch already", |datum| {
                !matches!(datum, Datum::Null | Datum::Optional(..))
            });
        let boxed = |inner: BoxedStrategy<Datum>| inner.prop_map(Box::new);
        prop_oneof![
            (boxed(inner_optional.boxed()), any::<bool>(), any::<bool>()).prop_map(
                |(inner, null_first, is_null)| { Datum::Optional(inner, null_first, is_null) }
            ),
            (boxed(inner.clone().boxed()), 0..4_usize)
                .prop_map(|(inner, count)| Datum::Array(inner, count)),
            (
                boxed(inner.clone().boxed()),
                proptest::collection::btree_set("[a-c\"\\\\]{0,2}", 0..4)
            )
                .prop_map(|(inner, names)| Datum::Map(inner, names)),
            proptest::collection::vec(inner, 0..5).prop_map(Datum::Record),
        ]
    })
}

impl Datum {
    /// Returns the schema; every named type has a name of its own.
    fn schema(&self, names: &mut u32) -> Value {
        let mut name = || {
            *names += 1;
            format!("N{names}")
        };
        match self {
            Self::Null => json!("null"),
            Self::Boolean(_) => json!("boolean"),
            Self::Int(_) => json!("int"),
            Self::Long(_) => json!({"type": "long"}),
            Self::Float(_) => json!("float"),
            Self::Double(_) => json!("double"),
            Self::Bytes(_) => json!("bytes"),
            Self::Text(_) => json!("string"),
            Self::Fixed(_) => json!({"type": "fixed", "name": name(), "size": 3}),
            Self::Decimal(_, scale) => json!({
                "type": "bytes", "logicalType": "decimal", "precision": 12, "scale": scale}),
            Self::Millis(_) => json!({"type": "long", "logicalType": "timestamp-millis"}),
            Self::Symbol(_) => json!({"type": "enum", "name": name(), "symbols": ["A", "B", "C"]}),
            Self::Optional(inner, true, _) => json!(["null", inner.schema(names)]),
            Self::Optional(inner, false, _) => json!([inner.schema(names), "null"]),
            Self::Array(inner, _) => json!({"type": "array", "items": inner.schema(names)}),
            Self::Map(inner, _) => json!({"type": "map", "values": inner.schema(names)}),
            Self::Record(fields) => {
                let name = name();
                let fields = fields.iter().enumerate();
                let fields: Vec<Value> = fields
                    .map(|(at, field)| json!({"name": field_name(at), "type": field.schema(names)}))
                    .collect();
                json!({"type": "record", "name": name, "fields": fields})
            }
        }
    }

    fn avro(&self) -> AvroValue {
        match self {
            Self::Null => AvroValue::Null,
            Self::Boolean(value) => AvroValue::Boolean(*value),
            Self::Int(value) => AvroValue::Int(*value),
            Self::Long(value) => AvroValue::Long(*value),
            Self::Float(value) => AvroValue::Float(*value),
            Self::Double(value) => AvroValue::Double(*value),
            Self::Bytes(bytes) => AvroValue::Bytes(bytes.clone()),
            Self::Text(text) => AvroValue::String(text.clone()),
            Self::Fixed(bytes) => AvroValue::Fixed(3, bytes.to_vec()),
            Self::Decimal(unscaled, _) => AvroValue::Decimal(unscaled.to_be_bytes().into()),
            Self::Millis(value) => AvroValue::TimestampMillis(*value),
            Self::Symbol(at) => AvroValue::Enum(u32::from(*at), symbol(*at).to_owned()),
            Self::Optional(inner, null_first, is_null) => {
                let branch = u32::from(*null_first != *is_null);
                let value = if *is_null {
                    AvroValue::Null
                } else {
                    inner.avro()
                };
                AvroValue::Union(branch, Box::new(value))
            }
            Self::Array(inner, count) => AvroValue::Array(vec![inner.avro(); *count]),
            Self::Map(inner, names) => {
                let members = names.iter().map(|name| (name.clone(), inner.avro()));
                AvroValue::Map(members.collect::<HashMap<_, _>>())
            }
            Self::Record(fields) => {
                let fields = fields.iter().enumerate();
                AvroValue::Record(fields.map(|(at, of)| (field_name(at), of.avro())).collect())
            }
        }
    }

    fn json(&self) -> Value {
        let number = |text: String| serde_json::from_str(&text).unwrap();
        match self {
            Self::Null | Self::Optional(_, _, true) => Value::Null,
            Self::Boolean(value) => json!(value),
            Self::Int(value) => json!(value),
            Self::Long(value) => json!(value),
            Self::Float(value) if value.is_finite() => number(value.to_string()),
            Self::Double(value) if value.is_finite() => number(value.to_string()),
            Self::Float(value) => json!(no_number(f64::from(*value))),
            Self::Double(value) => json!(no_number(*value)),
            Self::Bytes(bytes) => json!(STANDARD.encode(bytes)),
            Self::Fixed(bytes) => json!(STANDARD.encode(bytes)),
            Self::Text(text) => json!(text),
            Self::Decimal(unscaled, scale) => {
                let decimal = rust_decimal::Decimal::new((*unscaled).into(), (*scale).into());
                number(decimal.to_string())
            }
            Self::Millis(value) => {
                let time = DateTime::from_timestamp_millis(*value).unwrap();
                json!(time.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            Self::Symbol(at) => json!(symbol(*at)),
            Self::Optional(inner, ..) => inner.json(),
            Self::Array(inner, count) => json!(vec![inner.json(); *count]),
            Self::Map(inner, names) => Value::Object(
                names
                    .iter()
                    .map(|name| (name.clone(), inner.json()))
                    .collect(),
            ),
            Self::Record(fields) => {
                let fields = fields.iter().enumerate();
                Value::Object(fields.map(|(at, of)| (field_name(at), of.json())).collect())
            }
        }
    }
}

fn field_name(at: usize) -> String {
    format!("f{at}")
}

fn symbol(at: u8) -> &'static str {
    ["A", "B", "C"][usize::from(at)]
}

fn no_number(value: f64) -> &'static str {
    match (value.is_nan(), value.is_sign_negative()) {
        (true, _) => "NaN",
        (false, true) => "-Infinity",
        (false, false) => "Infinity",
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_another_implementation_wrote_is_read_exactly(datum in data()) {
        let schema = datum.schema(&mut 0).to_string();
        let theirs = apache_avro::Schema::parse_str(&schema).unwrap();
        let writer = GenericDatumWriter::builder(&theirs).build().unwrap();
        let bytes = writer.write_value_to_vec(datum.avro()).unwrap();
        let ours = Schema::parse(schema.as_bytes()).unwrap();
        let (mut rest, mut out) = (bytes.as_slice(), Vec::new());
        DatumWriter::new(&ours, 1 << 20).write(&mut rest, &mut out).unwrap();
        prop_assert!(rest.is_empty());
        let written: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(written, datum.json(), "{} {}", schema, String::from_utf8_lossy(&out));
    }

    #[test]
    fn any_bytes_of_any_schema_give_json_or_an_error(
        datum in data(),
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let schema = datum.schema(&mut 0).to_string();
        let schema = Schema::parse(schema.as_bytes()).unwrap();
        let mut out = Vec::new();
        if DatumWriter::new(&schema, 10_000).write(&mut &*bytes, &mut out).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        } else {
            prop_assert!(out.is_empty());
        }
    }
}
