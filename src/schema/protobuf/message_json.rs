//! Writes one Protobuf message as JSON: exact numbers, names as the schema has them, nothing lost.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MapKey, ReflectMessage, Value};

use crate::typed_value::json_value::{
    TimeUnit, push_bytes, push_decimal, push_display, push_double, push_float, push_string,
    push_timestamp,
};

/// Writes messages into a buffer.
pub(super) struct MessageWriter<'a> {
    out: &'a mut Vec<u8>,
    out_end: usize,
    json_bytes_max: usize,
}

impl<'a> MessageWriter<'a> {
    /// Returns a writer of at most `json_bytes_max` bytes.
    pub(super) fn new(out: &'a mut Vec<u8>, json_bytes_max: usize) -> Self {
        Self {
            out_end: out.len().saturating_add(json_bytes_max),
            out,
            json_bytes_max,
        }
    }

    /// Appends a message. A field without presence stands there with its default, since nobody can
    /// tell it from one that was set to that.
    pub(super) fn message(&mut self, message: &DynamicMessage) -> Result<(), String> {
        if self.known(message)? {
            return Ok(());
        }
        let descriptor = message.descriptor();
        self.out.push(b'{');
        let mut is_first = true;
        for field in descriptor.fields() {
            if message.has_field(&field) || !field.supports_presence() {
                self.name(&mut is_first, field.name());
                self.value(&message.get_field(&field), &field.kind())?;
            }
        }
        for (extension, value) in message.extensions() {
            self.name(&mut is_first, &format!("[{}]", extension.full_name()));
            self.value(value, &extension.kind())?;
        }
        self.unknown(message, &mut is_first);
        self.out.push(b'}');
        self.check()
    }

    /// Fields that the schema does not have stand under their numbers, as they were sent.
    fn unknown(&mut self, message: &DynamicMessage, is_first: &mut bool) {
        let mut unknown: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for field in message.unknown_fields() {
            field.encode(unknown.entry(field.number()).or_default());
        }
        for (number, bytes) in unknown {
            self.name(is_first, &number.to_string());
            push_bytes(self.out, &bytes);
        }
    }

    fn name(&mut self, is_first: &mut bool, name: &str) {
        if !std::mem::take(is_first) {
            self.out.push(b',');
        }
        push_string(self.out, name.as_bytes());
        self.out.push(b':');
    }

    fn check(&self) -> Result<(), String> {
        if self.out.len() > self.out_end {
            let most = self.json_bytes_max;
            return Err(format!("its JSON takes more than {most} bytes"));
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, kind: &Kind) -> Result<(), String> {
        match value {
            Value::Bool(value) => push_display(self.out, value),
            Value::I32(value) => push_display(self.out, value),
            Value::I64(value) => push_display(self.out, value),
            Value::U32(value) => push_display(self.out, value),
            Value::U64(value) => push_display(self.out, value),
            Value::F32(value) => push_float(self.out, *value),
            Value::F64(value) => push_double(self.out, *value),
            Value::String(text) => push_string(self.out, text.as_bytes()),
            Value::Bytes(bytes) => push_bytes(self.out, bytes),
            Value::EnumNumber(number) => self.symbol(*number, kind.as_enum()),
            Value::Message(message) => return self.message(message),
            Value::List(items) => return self.items(items, kind),
            Value::Map(members) => {
                let entry = kind.as_message();
                let of = entry.map(|entry| entry.map_entry_value_field().kind());
                return self.members(members, &of.unwrap_or(Kind::Bool));
            }
        }
        self.check()
    }

    /// Appends the name of an enum's value, or the number of one that the schema does not have.
    fn symbol(&mut self, number: i32, of: Option<&EnumDescriptor>) {
        match of.and_then(|of| of.get_value(number)) {
            Some(value) => push_string(self.out, value.name().as_bytes()),
            None => push_display(self.out, number),
        }
    }

    fn items(&mut self, items: &[Value], kind: &Kind) -> Result<(), String> {
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(item, kind)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Members come in the order of their keys: they have none of their own.
    fn members<'m>(
        &mut self,
        members: impl IntoIterator<Item = (&'m MapKey, &'m Value)>,
        kind: &Kind,
    ) -> Result<(), String> {
        let sorted: BTreeMap<&MapKey, &Value> = members.into_iter().collect();
        self.out.push(b'{');
        let mut is_first = true;
        for (key, value) in sorted {
            match key {
                MapKey::String(key) => self.name(&mut is_first, key),
                MapKey::Bool(key) => self.name(&mut is_first, &key.to_string()),
                MapKey::I32(key) => self.name(&mut is_first, &key.to_string()),
                MapKey::I64(key) => self.name(&mut is_first, &key.to_string()),
                MapKey::U32(key) => self.name(&mut is_first, &key.to_string()),
                MapKey::U64(key) => self.name(&mut is_first, &key.to_string()),
            }
            self.value(value, kind)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Appends messages that everyone knows as what they stand for; returns false for others.
    fn known(&mut self, message: &DynamicMessage) -> Result<bool, String> {
        // What the schema does not have must not be lost.
        if message.unknown_fields().next().is_some() {
            return Ok(false);
        }
        let descriptor = message.descriptor();
        let name = descriptor.full_name();
        match name {
            "confluent.type.Decimal" => return Ok(self.decimal(message)),
            "google.protobuf.Timestamp" => return Ok(self.timestamp(message)),
            "google.protobuf.Struct" | "google.protobuf.ListValue" | "google.protobuf.Value" => {
                return self.json_message(message);
            }
            _ => {}
        }
        let is_wrapper = matches!(
            name.strip_prefix("google.protobuf."),
            Some(
                "BoolValue"
                    | "BytesValue"
                    | "DoubleValue"
                    | "FloatValue"
                    | "Int32Value"
                    | "Int64Value"
                    | "StringValue"
                    | "UInt32Value"
                    | "UInt64Value"
            )
        );
        match descriptor.get_field(1).filter(|_| is_wrapper) {
            Some(field) => {
                self.value(&message.get_field(&field), &field.kind())?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn decimal(&mut self, message: &DynamicMessage) -> bool {
        let part = |number| message.get_field_by_number(number);
        let (unscaled, scale) = (part(1), part(3));
        let scale = scale.and_then(|scale| usize::try_from(scale.as_i32()?).ok());
        let Some((unscaled, scale)) = unscaled.zip(scale) else {
            return false;
        };
        if let Some(bytes) = unscaled.as_bytes() {
            push_decimal(self.out, bytes, scale);
        }
        unscaled.as_bytes().is_some()
    }

    /// A time that RFC 3339 has no text for stays two numbers.
    fn timestamp(&mut self, message: &DynamicMessage) -> bool {
        let part = |number| message.get_field_by_number(number);
        let seconds = part(1).and_then(|seconds| seconds.as_i64());
        let nanos = part(2).and_then(|nanos| nanos.as_i32());
        let nanos = nanos.filter(|nanos| (0..1_000_000_000).contains(nanos));
        let total = seconds.zip(nanos).and_then(|(seconds, nanos)| {
            let whole = seconds.checked_mul(1_000_000_000)?;
            whole.checked_add(i64::from(nanos))
        });
        if let Some(total) = total {
            push_timestamp(self.out, total, TimeUnit::Nanos, true);
        }
        total.is_some()
    }

    /// Appends JSON that was sent as messages.
    fn json_message(&mut self, message: &DynamicMessage) -> Result<bool, String> {
        let descriptor = message.descriptor();
        let is_value = descriptor.full_name() == "google.protobuf.Value";
        let mut set = message.fields();
        match set.next() {
            Some((_, Value::EnumNumber(_))) => self.out.extend_from_slice(b"null"),
            Some((field, value)) => self.value(value, &field.kind())?,
            None if is_value => self.out.extend_from_slice(b"null"),
            None if descriptor.full_name().ends_with("Struct") => {
                self.out.extend_from_slice(b"{}");
            }
            None => self.out.extend_from_slice(b"[]"),
        }
        Ok(true)
    }
}
