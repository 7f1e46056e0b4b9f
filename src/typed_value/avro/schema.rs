//! The schema that an Avro file was written with.

use std::collections::HashMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::typed_value::json_value::{TimeUnit, push_string};

/// Types within types that a schema may have.
const DEPTH_MAX: usize = 64;

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// It is no JSON.
    #[error("is no JSON: {0}")]
    Json(String),
    /// A type is none that Avro has, and none that was defined before.
    #[error("names a type that it does not define: `{0}`")]
    UnknownType(String),
    /// A type lacks what it needs.
    #[error("has a type `{0}` without a valid `{1}`")]
    Incomplete(String, &'static str),
    /// Types are nested too deep.
    #[error("is nested more than {DEPTH_MAX} deep")]
    TooDeep,
}

/// A type, by its place in the schema.
pub(super) type TypeId = usize;

/// A type of Avro, with what its logical type makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Integer,
    Date,
    Time(TimeUnit),
    Timestamp(TimeUnit, bool),
    Float,
    Double,
    Bytes,
    String,
    /// Bytes that are a decimal with so many digits of fraction.
    Decimal(usize),
    Fixed(usize),
    FixedDecimal(usize, usize),
    /// Symbols, as JSON.
    Enumeration(Vec<Box<[u8]>>),
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    /// Names, as JSON, and types of the fields.
    Record(Vec<(Box<[u8]>, TypeId)>),
}

/// A schema, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    types: Vec<Type>,
    root: TypeId,
}

impl Schema {
    /// Parses the JSON of a schema.
    pub fn parse(json: &[u8]) -> Result<Self, SchemaError> {
        Self::parse_after(&[], json)
    }

    /// Parses the JSON of a schema that names types of others, which come before it.
    pub fn parse_after(others: &[&[u8]], json: &[u8]) -> Result<Self, SchemaError> {
        let mut parser = Parser::default();
        for other in others {
            parser.parse(&read(other)?, "", 0)?;
        }
        let root = parser.parse(&read(json)?, "", 0)?;
        Ok(Self {
            types: parser.types,
            root,
        })
    }

    /// Returns the type of a record.
    pub(super) fn root(&self) -> TypeId {
        self.root
    }

    /// Returns a type.
    pub(super) fn of(&self, id: TypeId) -> &Type {
        self.types.get(id).unwrap_or(&Type::Null)
    }
}

fn read(json: &[u8]) -> Result<Value, SchemaError> {
    serde_json::from_slice(json).map_err(|error| SchemaError::Json(error.to_string()))
}

#[derive(Default)]
struct Parser {
    types: Vec<Type>,
    named: HashMap<String, TypeId>,
}

impl Parser {
    fn parse(&mut self, json: &Value, space: &str, depth: usize) -> Result<TypeId, SchemaError> {
        if depth > DEPTH_MAX {
            return Err(SchemaError::TooDeep);
        }
        match json {
            Value::String(name) => self.by_name(name, space),
            Value::Array(branches) => {
                let branches = branches.iter();
                let branches = branches.map(|branch| self.parse(branch, space, depth + 1));
                let branches = branches.collect::<Result<_, _>>()?;
                Ok(self.add(Type::Union(branches)))
            }
            Value::Object(object) => self.parse_object(object, space, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Err(SchemaError::UnknownType(json.to_string()))
            }
        }
    }

    fn by_name(&mut self, name: &str, space: &str) -> Result<TypeId, SchemaError> {
        if let Some(primitive) = primitive(name) {
            return Ok(self.add(primitive));
        }
        let full = full_name(name, space);
        let known = self.named.get(&full).or_else(|| self.named.get(name));
        let unknown = || SchemaError::UnknownType(name.to_owned());
        known.copied().ok_or_else(unknown)
    }

    fn parse_object(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
        depth: usize,
    ) -> Result<TypeId, SchemaError> {
        let Some(name) = object.get("type").and_then(Value::as_str) else {
            // A type in a type: {"type": {"type": "int"}}.
            let inner = object.get("type");
            let inner = inner.ok_or_else(|| incomplete("", "type"))?;
            return self.parse(inner, space, depth + 1);
        };
        let logical = object.get("logicalType").and_then(Value::as_str);
        match name {
            "array" | "map" => {
                let member = if name == "array" { "items" } else { "values" };
                let inner = object.get(member).ok_or_else(|| incomplete(name, member))?;
                let inner = self.parse(inner, space, depth + 1)?;
                let is_array = name == "array";
                Ok(self.add(if is_array {
                    Type::Array(inner)
                } else {
                    Type::Map(inner)
                }))
            }
            "record" | "error" => self.parse_record(object, space, depth),
            "enum" => {
                let symbols = object.get("symbols").and_then(Value::as_array);
                let symbols = symbols.ok_or_else(|| incomplete(name, "symbols"))?;
                let symbols = symbols
                    .iter()
                    .map(|symbol| Some(json_string(symbol.as_str()?)));
                let symbols: Option<Vec<_>> = symbols.collect();
                let symbols = symbols.ok_or_else(|| incomplete(name, "symbols"))?;
                let id = self.add(Type::Enumeration(symbols));
                self.name(object, space, id)?;
                Ok(id)
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| incomplete(name, "size"))?;
                let id = self.add(match logical {
                    Some("decimal") => Type::FixedDecimal(size, scale(object)?),
                    _ => Type::Fixed(size),
                });
                self.name(object, space, id)?;
                Ok(id)
            }
            _ => match logical_type(name, logical, object)? {
                Some(logical) => Ok(self.add(logical)),
                None => self.by_name(name, space),
            },
        }
    }

    fn parse_record(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
        depth: usize,
    ) -> Result<TypeId, SchemaError> {
        // Known before its fields, which may be of its own type.
        let id = self.add(Type::Null);
        let space = self.name(object, space, id)?;
        let fields = object.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or_else(|| incomplete("record", "fields"))?;
        let mut parsed = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.map(json_string);
            let name = name.ok_or_else(|| incomplete("record", "fields"))?;
            let of = field.get("type");
            let of = of.ok_or_else(|| incomplete("field", "type"))?;
            // A logical type beside the name of a type stands for nothing.
            parsed.push((name, self.parse(of, &space, depth + 1)?));
        }
        if let Some(slot) = self.types.get_mut(id) {
            *slot = Type::Record(parsed);
        }
        Ok(id)
    }

    /// Names a type, and returns the namespace in which it stands.
    fn name(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
        id: TypeId,
    ) -> Result<String, SchemaError> {
        let name = object.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| incomplete("record, enum or fixed", "name"))?;
        let space = object
            .get("namespace")
            .and_then(Value::as_str)
            .unwrap_or(space);
        let full = full_name(name, space);
        let space = full
            .rsplit_once('.')
            .map_or("", |(space, _)| space)
            .to_owned();
        self.named.insert(full, id);
        Ok(space)
    }

    fn add(&mut self, added: Type) -> TypeId {
        self.types.push(added);
        self.types.len() - 1
    }
}

fn incomplete(name: &str, member: &'static str) -> SchemaError {
    SchemaError::Incomplete(name.to_owned(), member)
}

fn full_name(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() {
        name.to_owned()
    } else {
        format!("{space}.{name}")
    }
}

fn json_string(text: &str) -> Box<[u8]> {
    let mut json = Vec::new();
    push_string(&mut json, text.as_bytes());
    json.into()
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" | "long" => Type::Integer,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::String,
        _ => return None,
    })
}

/// Returns what a logical type makes of a primitive one; unknown ones make nothing of it.
fn logical_type(
    name: &str,
    logical: Option<&str>,
    object: &Map<String, Value>,
) -> Result<Option<Type>, SchemaError> {
    use TimeUnit::{Micros, Millis, Nanos};
    Ok(Some(match (name, logical) {
        ("bytes", Some("decimal")) => Type::Decimal(scale(object)?),
        ("int", Some("date")) => Type::Date,
        ("int", Some("time-millis")) => Type::Time(Millis),
        ("long", Some("time-micros")) => Type::Time(Micros),
        ("long", Some("timestamp-millis")) => Type::Timestamp(Millis, true),
        ("long", Some("timestamp-micros")) => Type::Timestamp(Micros, true),
        ("long", Some("timestamp-nanos")) => Type::Timestamp(Nanos, true),
        ("long", Some("local-timestamp-millis")) => Type::Timestamp(Millis, false),
        ("long", Some("local-timestamp-micros")) => Type::Timestamp(Micros, false),
        ("long", Some("local-timestamp-nanos")) => Type::Timestamp(Nanos, false),
        _ => return Ok(None),
    }))
}

fn scale(object: &Map<String, Value>) -> Result<usize, SchemaError> {
    let scale = match object.get("scale") {
        None => Some(0),
        Some(scale) => scale.as_u64(),
    };
    scale
        .and_then(|scale| usize::try_from(scale).ok())
        .ok_or_else(|| incomplete("decimal", "scale"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_their_namespace() {
        let json = br#"{"type":"record","name":"a.b.Node","fields":[
            {"name":"next","type":["null","Node"]},
            {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["X"]}},
            {"name":"again","type":"a.b.Kind"}]}"#;
        let schema = Schema::parse(json).unwrap();
        let Type::Record(fields) = schema.of(schema.root()) else {
            panic!("a record");
        };
        let Type::Union(branches) = schema.of(fields[0].1) else {
            panic!("a union");
        };
        assert_eq!(branches[1], schema.root());
        assert_eq!(fields[1].1, fields[2].1);
    }

    #[test]
    fn faults_are_named() {
        for (json, part) in [
            ("{", "is no JSON"),
            (r#""Missing""#, "`Missing`"),
            (r#"{"type":"record","name":"A"}"#, "`fields`"),
            (r#"{"type":"record","fields":[]}"#, "`name`"),
            (r#"{"type":"array"}"#, "`items`"),
            ("3", "`3`"),
        ] {
            let error = Schema::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let deep = format!("{}\"int\"{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(Schema::parse(deep.as_bytes()), Err(SchemaError::TooDeep));
    }
}
