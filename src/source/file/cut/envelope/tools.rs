//! The envelopes of rpk, kafka-ui, AKHQ, kaf and kafkactl.

use chrono::DateTime;

use crate::record::{RecordDefect, TimestampType};
use crate::source::file::cut::envelope::parts::{Part, for_each_element, inner_members};
use crate::source::file::cut::envelope::parts::{members, plain_text};
use crate::source::file::cut::envelope::{Content, Envelope, HeaderList};
use crate::source::file::cut::envelope::{content_of, millis_of, offset_of, partition_of};

/// Returns the members, all of which must be among `names`.
fn own_members<const N: usize>(text: &[u8], names: &[&str; N]) -> Result<[Part; N], RecordDefect> {
    let members = members(text, names)?;
    if members.has_foreign {
        return Err(RecordDefect::InvalidEnvelope);
    }
    Ok(members.parts)
}

/// Parses what `rpk topic consume -f json` writes: a key that is null or empty is left out, and
/// so is a value that is null.
pub(super) fn parse_rpk(text: &[u8]) -> Result<Envelope, RecordDefect> {
    let [
        topic,
        partition,
        offset,
        timestamp,
        headers,
        key,
        value,
        size,
    ] = own_members(
        text,
        &[
            "topic",
            "partition",
            "offset",
            "timestamp",
            "headers",
            "key",
            "value",
            "value_size",
        ],
    )?;
    let assemble = || {
        Some(Envelope {
            topic,
            partition: Some(partition_of(text, &partition)?),
            offset: Some(offset_of(text, &offset)?),
            timestamp_type: TimestampType::Unrecorded,
            timestamp_millis: millis_of(text, &timestamp).filter(|_| timestamp != Part::Absent)?,
            headers: match headers {
                Part::Absent => HeaderList::Nothing,
                Part::Null | Part::Text(_) | Part::Json(_) => objects(headers, ["key", "value"]),
            },
            key: or_null(key),
            value: if size == Part::Absent {
                or_null(value)
            } else {
                content_of(value)
            },
        })
    };
    assemble().ok_or(RecordDefect::InvalidEnvelope)
}

/// Parses what kafkactl writes with `-o json`; what was not asked for is left out.
pub(super) fn parse_kafkactl(text: &[u8]) -> Result<Envelope, RecordDefect> {
    let [partition, offset, headers, key, value, timestamp, ..] = own_members(
        text,
        &[
            "Partition",
            "Offset",
            "Headers",
            "Key",
            "Value",
            "Timestamp",
            "keySchema",
            "keySchemaId",
            "valueSchema",
            "valueSchemaId",
        ],
    )?;
    capitalised(text, [partition, offset, headers, key, value, timestamp])
}

/// Parses what kafka-ui saves of a page, or what its interface for programs answers.
pub(super) fn parse_kafka_ui(text: &[u8]) -> Result<Envelope, RecordDefect> {
    let saved = [
        "Partition",
        "Offset",
        "Headers",
        "Key",
        "Value",
        "Timestamp",
    ];
    if let Ok(parts) = own_members(text, &saved) {
        return capitalised(text, parts);
    }
    let [
        partition,
        offset,
        headers,
        key,
        value,
        timestamp,
        kind,
        serde,
        ..,
    ] = own_members(
        text,
        &[
            "partition",
            "offset",
            "headers",
            "key",
            "value",
            "timestamp",
            "timestampType",
            "valueSerde",
            "keySerde",
            "content",
            "keySize",
            "valueSize",
            "headersSize",
            "keyFormat",
            "valueFormat",
            "keyDeserializeProperties",
            "valueDeserializeProperties",
        ],
    )?;
    let assemble = || {
        // Without these two it could be anyone's.
        if kind == Part::Absent && serde == Part::Absent {
            return None;
        }
        Some(Envelope {
            topic: Part::Absent,
            partition: Some(partition_of(text, &partition)?),
            offset: Some(offset_of(text, &offset)?),
            timestamp_type: match plain_text(text, &kind) {
                Some("CREATE_TIME") => TimestampType::CreateTime,
                Some("LOG_APPEND_TIME") => TimestampType::LogAppendTime,
                _ => TimestampType::Unrecorded,
            },
            timestamp_millis: millis_of(text, &timestamp)?,
            headers: map(headers),
            key: or_null(key),
            value: or_null(value),
        })
    };
    assemble().ok_or(RecordDefect::InvalidEnvelope)
}

fn capitalised(text: &[u8], parts: [Part; 6]) -> Result<Envelope, RecordDefect> {
    let [partition, offset, headers, key, value, timestamp] = parts;
    let is_shown = |part: &Part| *part != Part::Absent;
    let assemble = || {
        if value == Part::Absent {
            return None;
        }
        Some(Envelope {
            topic: Part::Absent,
            partition: if is_shown(&partition) {
                Some(partition_of(text, &partition)?)
            } else {
                None
            },
            offset: if is_shown(&offset) {
                Some(offset_of(text, &offset)?)
            } else {
                None
            },
            timestamp_type: TimestampType::Unrecorded,
            timestamp_millis: millis_of(text, &timestamp)?,
            headers: map(headers),
            key: content_of(key),
            value: content_of(value),
        })
    };
    assemble().ok_or(RecordDefect::InvalidEnvelope)
}

/// Parses an element of AKHQ's download.
pub(super) fn parse_akhq(text: &[u8]) -> Result<Envelope, RecordDefect> {
    let [
        partition,
        offset,
        timestamp,
        headers,
        key,
        value,
        key_schema,
        value_schema,
        ..,
    ] = own_members(
        text,
        &[
            "partition",
            "offset",
            "timestamp",
            "headers",
            "key",
            "value",
            "keySchemaId",
            "valueSchemaId",
            "exceptions",
            "truncated",
            "magic_BYTE",
        ],
    )?;
    let assemble = || {
        let has_schemas = key_schema != Part::Absent || value_schema != Part::Absent;
        if headers == Part::Absent && !has_schemas {
            return None;
        }
        let is_map = matches!(&headers, Part::Json(at) if text.get(at.start) == Some(&b'{'));
        Some(Envelope {
            topic: Part::Absent,
            partition: Some(partition_of(text, &partition)?),
            offset: Some(offset_of(text, &offset)?),
            timestamp_type: TimestampType::Unrecorded,
            timestamp_millis: zoned_millis(text, &timestamp)?,
            headers: match headers {
                Part::Absent => HeaderList::Unrecorded,
                Part::Json(_) if is_map => map(headers),
                Part::Null | Part::Text(_) | Part::Json(_) => objects(headers, ["key", "value"]),
            },
            key: or_null(key),
            value: or_null(value),
        })
    };
    assemble().ok_or(RecordDefect::InvalidEnvelope)
}

/// Java's zoned times are seconds with a fraction where nothing else is asked for.
fn zoned_millis(text: &[u8], part: &Part) -> Option<i64> {
    let Part::Json(place) = part else {
        return millis_of(text, part);
    };
    let number = std::str::from_utf8(text.get(place.clone())?).ok()?;
    let Some((seconds, fraction)) = number.split_once('.') else {
        return millis_of(text, part);
    };
    let seconds: i64 = seconds.parse().ok()?;
    let millis = fraction.get(..fraction.len().min(3))?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let millis = format!("{millis:0<3}").parse::<u32>().ok()?;
    let time = DateTime::from_timestamp(seconds, millis * 1_000_000)?;
    Some(time.timestamp_millis())
}

/// Parses what kaf writes with `--output json`, and with `json-each-row`.
pub(super) fn parse_kaf(text: &[u8]) -> Result<Envelope, RecordDefect> {
    let [
        topic,
        partition,
        offset,
        timestamp,
        headers,
        key,
        payload,
        ..,
    ] = own_members(
        text,
        &[
            "topic",
            "partition",
            "offset",
            "timestamp",
            "headers",
            "key",
            "payload",
            "schema_id",
            "key_schema_id",
        ],
    )?;
    let assemble = || {
        if payload == Part::Absent || timestamp == Part::Absent {
            return None;
        }
        Some(Envelope {
            topic,
            partition: Some(partition_of(text, &partition)?),
            offset: Some(offset_of(text, &offset)?),
            timestamp_type: TimestampType::Unrecorded,
            timestamp_millis: millis_of(text, &timestamp)?,
            headers: match headers {
                Part::Absent | Part::Null => HeaderList::Nothing,
                Part::Json(place) if has_capitals(text, &place) => {
                    HeaderList::Base64Objects(place, ["Key", "Value"])
                }
                Part::Text(_) | Part::Json(_) => objects(headers, ["key", "value"]),
            },
            key: empty_as_null(key),
            value: empty_as_null(payload),
        })
    };
    assemble().ok_or(RecordDefect::InvalidEnvelope)
}

/// Returns whether the headers are `Key` and `Value`, which kaf writes in base64.
fn has_capitals(text: &[u8], place: &std::ops::Range<usize>) -> bool {
    let mut count = 0;
    let all = for_each_element(text, place, |element| {
        count += 1;
        let Part::Json(place) = element else {
            return false;
        };
        let members = inner_members(text, &place, &["Key", "Value"]);
        members.is_some_and(|members| !members.has_foreign)
    });
    all && count > 0
}

fn objects(part: Part, names: [&'static str; 2]) -> HeaderList {
    match part {
        Part::Absent => HeaderList::Unrecorded,
        Part::Null => HeaderList::Nothing,
        Part::Json(place) => HeaderList::Objects(place, names),
        Part::Text(_) => HeaderList::Invalid,
    }
}

fn map(part: Part) -> HeaderList {
    match part {
        Part::Absent => HeaderList::Unrecorded,
        Part::Null => HeaderList::Nothing,
        Part::Json(place) => HeaderList::Map(place),
        Part::Text(_) => HeaderList::Invalid,
    }
}

/// kaf writes null as an empty text.
fn empty_as_null(part: Part) -> Content {
    match part {
        Part::Text(text) if text.inside.is_empty() => Content::Null,
        Part::Absent | Part::Null | Part::Text(_) | Part::Json(_) => or_null(part),
    }
}

fn or_null(part: Part) -> Content {
    match part {
        Part::Absent => Content::Null,
        Part::Null | Part::Text(_) | Part::Json(_) => content_of(part),
    }
}
