//! Writes one Avro record as JSON.

use thiserror::Error;

use crate::typed_value::avro::schema::{Schema, Type, TypeId};
use crate::typed_value::json_value::{
    push_bytes, push_date, push_decimal, push_display, push_double, push_float, push_string,
    push_time, push_timestamp,
};

/// Values within values that a record may have.
const DEPTH_MAX: usize = 100;

/// Why the bytes are no record of the schema.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DatumError {
    /// They end within a value.
    #[error("it ends within a value")]
    Ended,
    /// A number is too long, or a length negative.
    #[error("it has a number that cannot be")]
    Number,
    /// A union or enum has no such branch or symbol.
    #[error("it names branch or symbol {0}, which the schema does not have")]
    Branch(i64),
    /// Its text is no UTF-8.
    #[error("it has text that is no UTF-8")]
    Text,
    /// It is nested too deep.
    #[error("it is nested more than {DEPTH_MAX} deep")]
    TooDeep,
    /// Its JSON is too long.
    #[error("its JSON takes more than {0} bytes")]
    TooLong(usize),
}

/// Writes records of one schema.
pub struct DatumWriter<'a> {
    schema: &'a Schema,
    json_bytes_max: usize,
}

/// Writes one record.
struct Writing<'a, 'b, 'o> {
    schema: &'a Schema,
    bytes: &'b [u8],
    out: &'o mut Vec<u8>,
    out_end: usize,
    json_bytes_max: usize,
}

impl<'a> DatumWriter<'a> {
    /// Returns a writer of records whose JSON takes at most `json_bytes_max` bytes.
    pub fn new(schema: &'a Schema, json_bytes_max: usize) -> Self {
        Self {
            schema,
            json_bytes_max,
        }
    }

    /// Takes one record off the front of `bytes` and appends its JSON to `out`.
    ///
    /// Nothing is appended where it is damaged.
    pub fn write(&self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), DatumError> {
        let start = out.len();
        let mut writing = Writing {
            schema: self.schema,
            bytes,
            out_end: start.saturating_add(self.json_bytes_max),
            out,
            json_bytes_max: self.json_bytes_max,
        };
        let written = writing.value(self.schema.root(), 0);
        let rest = writing.bytes;
        match written {
            Ok(()) => *bytes = rest,
            Err(_) => out.truncate(start),
        }
        written
    }
}

impl<'b> Writing<'_, 'b, '_> {
    fn value(&mut self, id: TypeId, depth: usize) -> Result<(), DatumError> {
        if depth > DEPTH_MAX {
            return Err(DatumError::TooDeep);
        }
        if self.out.len() > self.out_end {
            return Err(DatumError::TooLong(self.json_bytes_max));
        }
        let schema = self.schema;
        match schema.of(id) {
            Type::Null => self.out.extend_from_slice(b"null"),
            Type::Boolean => {
                let [byte] = self.array()?;
                let text: &[u8] = if byte == 0 { b"false" } else { b"true" };
                self.out.extend_from_slice(text);
            }
            Type::Integer => {
                let number = self.long()?;
                push_display(self.out, number);
            }
            Type::Date => {
                let days = i32::try_from(self.long()?).map_err(|_| DatumError::Number)?;
                push_date(self.out, days);
            }
            Type::Time(unit) => {
                let value = self.long()?;
                push_time(self.out, value, *unit);
            }
            Type::Timestamp(unit, is_utc) => {
                let value = self.long()?;
                push_timestamp(self.out, value, *unit, *is_utc);
            }
            Type::Float => {
                let value = f32::from_le_bytes(self.array()?);
                push_float(self.out, value);
            }
            Type::Double => {
                let value = f64::from_le_bytes(self.array()?);
                push_double(self.out, value);
            }
            Type::Bytes | Type::String | Type::Decimal(_) => {
                let length = self.length()?;
                self.take_bytes(schema.of(id), length)?;
            }
            Type::Fixed(size) | Type::FixedDecimal(size, _) => {
                self.take_bytes(schema.of(id), *size)?;
            }
            Type::Enumeration(symbols) => {
                let index = self.long()?;
                let symbol = usize::try_from(index).ok().and_then(|at| symbols.get(at));
                let symbol = symbol.ok_or(DatumError::Branch(index))?;
                self.out.extend_from_slice(symbol);
            }
            Type::Union(branches) => {
                let index = self.long()?;
                let branch = usize::try_from(index).ok().and_then(|at| branches.get(at));
                let branch = branch.ok_or(DatumError::Branch(index))?;
                self.value(*branch, depth + 1)?;
            }
            Type::Array(items) => self.items(*items, depth)?,
            Type::Map(values) => self.members(*values, depth)?,
            Type::Record(fields) => self.fields(fields, depth)?,
        }
        Ok(())
    }

    fn fields(&mut self, fields: &[(Box<[u8]>, TypeId)], depth: usize) -> Result<(), DatumError> {
        self.out.push(b'{');
        let mut is_first = true;
        for (name, of) in fields {
            self.separate(&mut is_first);
            self.out.extend_from_slice(name);
            self.out.push(b':');
            self.value(*of, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn take_bytes(&mut self, of: &Type, length: usize) -> Result<(), DatumError> {
        let bytes = self.take(length)?;
        match of {
            Type::String => {
                simdutf8::basic::from_utf8(bytes).map_err(|_| DatumError::Text)?;
                push_string(self.out, bytes);
            }
            Type::Decimal(scale) | Type::FixedDecimal(_, scale) => {
                push_decimal(self.out, bytes, *scale);
            }
            Type::Bytes
            | Type::Fixed(_)
            | Type::Null
            | Type::Boolean
            | Type::Integer
            | Type::Date
            | Type::Time(_)
            | Type::Timestamp(..)
            | Type::Float
            | Type::Double
            | Type::Enumeration(_)
            | Type::Array(_)
            | Type::Map(_)
            | Type::Union(_)
            | Type::Record(_) => push_bytes(self.out, bytes),
        }
        Ok(())
    }

    fn items(&mut self, of: TypeId, depth: usize) -> Result<(), DatumError> {
        self.out.push(b'[');
        let mut is_first = true;
        while let Some(count) = self.run()? {
            for _ in 0..count {
                self.separate(&mut is_first);
                self.value(of, depth + 1)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn members(&mut self, of: TypeId, depth: usize) -> Result<(), DatumError> {
        self.out.push(b'{');
        let mut is_first = true;
        while let Some(count) = self.run()? {
            for _ in 0..count {
                self.separate(&mut is_first);
                let length = self.length()?;
                self.take_bytes(&Type::String, length)?;
                self.out.push(b':');
                self.value(of, depth + 1)?;
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push(b',');
        }
    }

    /// Returns how many items or members come in a row; nothing at their end.
    fn run(&mut self) -> Result<Option<u64>, DatumError> {
        let count = self.long()?;
        if count < 0 {
            // The bytes that they take, for those who skip them.
            self.long()?;
        }
        Ok(Some(count.unsigned_abs()).filter(|&count| count > 0))
    }

    fn length(&mut self) -> Result<usize, DatumError> {
        usize::try_from(self.long()?).map_err(|_| DatumError::Number)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], DatumError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(DatumError::Ended)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DatumError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(DatumError::Ended)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn long(&mut self) -> Result<i64, DatumError> {
        take_long(&mut self.bytes)
    }
}

/// Takes a number of variable length off the front of `bytes`.
pub fn take_long(bytes: &mut &[u8]) -> Result<i64, DatumError> {
    let mut zigzag = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DatumError::Ended)?;
        *bytes = rest;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let magnitude = (zigzag >> 1).cast_signed();
            return Ok(magnitude ^ -(zigzag & 1).cast_signed());
        }
    }
    Err(DatumError::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(schema: &str, mut bytes: &[u8]) -> Result<String, DatumError> {
        let schema = Schema::parse(schema.as_bytes()).unwrap();
        let mut out = Vec::new();
        DatumWriter::new(&schema, 10_000).write(&mut bytes, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_become_json() {
        for (schema, bytes, json) in [
            (
                r#""long""#,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..],
                "-9223372036854775808",
            ),
            (r#"["null","string"]"#, &[2, 2, b'"'], r#""\"""#),
            (r#""bytes""#, &[2, 0xff], r#""/w==""#),
            (
                r#"{"type":"array","items":"boolean"}"#,
                &[3, 4, 1, 0, 2, 1, 0],
                "[true,false,true]",
            ),
            (
                r#"{"type":"map","values":"int"}"#,
                &[2, 2, b'k', 6, 0],
                r#"{"k":3}"#,
            ),
            (
                r#"{"type":"fixed","name":"F","size":2,"logicalType":"decimal","scale":1}"#,
                &[0xff, 0xf6],
                "-1.0",
            ),
            (
                r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
                &[2],
                r#""B""#,
            ),
        ] {
            assert_eq!(write(schema, bytes).as_deref(), Ok(json));
        }
    }

    #[test]
    fn what_would_not_end_is_cut_short() {
        let nulls = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2];
        let schema = r#"{"type":"array","items":"null"}"#;
        assert_eq!(write(schema, &nulls), Err(DatumError::TooLong(10_000)));
        let schema = r#"{"type":"record","name":"A","fields":[{"name":"a","type":"A"}]}"#;
        assert_eq!(write(schema, &[]), Err(DatumError::TooDeep));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_give_json_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let schema = r#"{"type":"record","name":"A","fields":[
                {"name":"u","type":["null","A",{"type":"array","items":["A","long"]},"double"]},
                {"name":"m","type":{"type":"map","values":
                    {"type":"bytes","logicalType":"decimal","scale":3}}},
                {"name":"t","type":{"type":"long","logicalType":"timestamp-micros"}},
                {"name":"s","type":"string"}]}"#;
            if let Ok(json) = write(schema, &bytes) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
            }
        }
    }
}
