//! Writes one row of a Parquet file as JSON.

use ::parquet::basic::TimeUnit as ParquetUnit;
use ::parquet::basic::{ConvertedType, LogicalType};
use ::parquet::record::{Field, Row};
use ::parquet::schema::types::{ColumnDescriptor, Type};

use crate::typed_value::json_value::{
    TimeUnit, push_bytes, push_date, push_decimal, push_display, push_double, push_float,
    push_string, push_time, push_timestamp,
};

/// Appends a row as a JSON object; `schema` says what the decoder does not keep.
pub(super) fn push_row(out: &mut Vec<u8>, row: &Row, schema: Option<&Type>) {
    out.push(b'{');
    let fields = schema.map(fields_of).unwrap_or_default();
    for (index, (name, field)) in row.get_column_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, name.as_bytes());
        out.push(b':');
        push_field(out, field, fields.get(index).map(AsRef::as_ref));
    }
    out.push(b'}');
}

pub(super) fn fields_of(of: &Type) -> &[std::sync::Arc<Type>] {
    match of {
        Type::GroupType { fields, .. } => fields,
        Type::PrimitiveType { .. } => &[],
    }
}

/// Appends a value; `of` says of it what the decoder does not keep.
pub(super) fn push_field(out: &mut Vec<u8>, field: &Field, of: Option<&Type>) {
    match field {
        Field::Null => out.extend_from_slice(b"null"),
        Field::Bool(value) => push_display(out, value),
        Field::Byte(value) => push_display(out, value),
        Field::Short(value) => push_display(out, value),
        Field::Int(value) => push_display(out, value),
        Field::Long(value) => push_long(out, *value, of),
        Field::UByte(value) => push_display(out, value),
        Field::UShort(value) => push_display(out, value),
        Field::UInt(value) => push_display(out, value),
        Field::ULong(value) => push_display(out, value),
        Field::Float16(value) => push_float(out, f32::from(*value)),
        Field::Float(value) => push_float(out, *value),
        Field::Double(value) => push_double(out, *value),
        Field::Decimal(value) => {
            let scale = usize::try_from(value.scale()).unwrap_or_default();
            push_decimal(out, value.data(), scale);
        }
        Field::Str(text) => push_string(out, text.as_bytes()),
        Field::Bytes(bytes) => push_binary(out, bytes.data(), of),
        Field::Date(days) => push_date(out, *days),
        Field::TimeMillis(value) => push_time(out, i64::from(*value), TimeUnit::Millis),
        Field::TimeMicros(value) => push_time(out, *value, TimeUnit::Micros),
        Field::TimestampMillis(value) => {
            push_timestamp(out, *value, TimeUnit::Millis, is_utc(of));
        }
        Field::TimestampMicros(value) => {
            push_timestamp(out, *value, TimeUnit::Micros, is_utc(of));
        }
        Field::Group(row) => push_row(out, row, of),
        Field::ListInternal(list) => push_list(out, list.elements(), of),
        Field::MapInternal(map) => push_map(out, map.entries(), of),
    }
}

/// Returns whether the decoder makes text of a column's values, which must be UTF-8 for it.
pub(super) fn is_text(of: &ColumnDescriptor) -> bool {
    matches!(
        of.converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
    )
}

fn logical(of: Option<&Type>) -> Option<&LogicalType> {
    of.and_then(|of| of.get_basic_info().logical_type_ref())
}

/// A timestamp of the older annotation is in UTC.
fn is_utc(of: Option<&Type>) -> bool {
    match logical(of) {
        Some(LogicalType::Timestamp(timestamp)) => timestamp.is_adjusted_to_u_t_c,
        _ => true,
    }
}

fn push_long(out: &mut Vec<u8>, value: i64, of: Option<&Type>) {
    match logical(of) {
        Some(LogicalType::Timestamp(timestamp)) if timestamp.unit == ParquetUnit::NANOS => {
            push_timestamp(out, value, TimeUnit::Nanos, timestamp.is_adjusted_to_u_t_c);
        }
        Some(LogicalType::Time(time)) if time.unit == ParquetUnit::NANOS => {
            push_time(out, value, TimeUnit::Nanos);
        }
        _ => push_display(out, value),
    }
}

fn push_binary(out: &mut Vec<u8>, bytes: &[u8], of: Option<&Type>) {
    let is_text = matches!(
        logical(of),
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)
    );
    match (logical(of), <[u8; 16]>::try_from(bytes)) {
        (Some(LogicalType::Uuid), Ok(id)) => {
            out.push(b'"');
            push_display(out, uuid::Uuid::from_bytes(id).hyphenated());
            out.push(b'"');
        }
        _ if is_text && std::str::from_utf8(bytes).is_ok() => push_string(out, bytes),
        _ => push_bytes(out, bytes),
    }
}

fn push_list(out: &mut Vec<u8>, elements: &[Field], of: Option<&Type>) {
    let of = of.map(element_of);
    out.push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_field(out, element, of);
    }
    out.push(b']');
}

/// Returns the type of a list's elements: two levels down, or one in older files.
fn element_of(list: &Type) -> &Type {
    match fields_of(list) {
        [repeated] => match fields_of(repeated) {
            [element] if repeated.name() != "array" => element,
            _ => repeated,
        },
        _ => list,
    }
}

fn push_map(out: &mut Vec<u8>, entries: &[(Field, Field)], of: Option<&Type>) {
    let pair = of.and_then(|of| fields_of(of).first());
    let value_type = pair.and_then(|pair| fields_of(pair).get(1));
    let key_type = pair.and_then(|pair| fields_of(pair).first());
    out.push(b'{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_member_name(out, key, key_type.map(AsRef::as_ref));
        out.push(b':');
        push_field(out, value, value_type.map(AsRef::as_ref));
    }
    out.push(b'}');
}

/// Appends a map's key; one that is no string becomes the string of its JSON.
fn push_member_name(out: &mut Vec<u8>, key: &Field, of: Option<&Type>) {
    let start = out.len();
    push_field(out, key, of);
    let name = out.get(start..).unwrap_or_default().to_vec();
    if !name.starts_with(b"\"") {
        out.truncate(start);
        push_string(out, &name);
    }
}
