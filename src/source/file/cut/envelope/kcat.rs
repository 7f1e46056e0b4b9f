//! The envelopes of `kcat -J`.

use crate::record::{RecordDefect, TimestampType};
use crate::source::file::cut::envelope::parts::integer;
use crate::source::file::cut::envelope::parts::{Part, members};
use crate::source::file::cut::envelope::{Content, Envelope, HeaderList};
use crate::source::file::cut::envelope::{content_of, millis_of, partition_of};

/// All members that kcat writes. `unknown` is a slip of version 1.3.1-65, for `ts`.
const MEMBERS: [&str; 14] = [
    "topic",
    "partition",
    "offset",
    "tstype",
    "ts",
    "broker",
    "headers",
    "key",
    "payload",
    "key_error",
    "payload_error",
    "key_schema_id",
    "value_schema_id",
    "unknown",
];

/// Parses a line; every member must be one that kcat writes, once.
pub(super) fn parse(line: &[u8]) -> Result<Envelope, RecordDefect> {
    let members = members(line, &MEMBERS)?;
    if members.has_foreign {
        return Err(RecordDefect::InvalidEnvelope);
    }
    assemble(line, members.parts).ok_or(RecordDefect::InvalidEnvelope)
}

/// Returns nothing where a part is missing or of the wrong kind.
fn assemble(line: &[u8], parts: [Part; MEMBERS.len()]) -> Option<Envelope> {
    let [
        topic,
        partition,
        offset,
        tstype,
        ts,
        _,
        headers,
        key,
        payload,
        key_error,
        payload_error,
        ..,
    ] = parts;
    let timestamp_type = match &tstype {
        Part::Text(text) => match line.get(text.inside.clone())? {
            b"create" => TimestampType::CreateTime,
            b"logappend" => TimestampType::LogAppendTime,
            _ => TimestampType::Unrecorded,
        },
        Part::Absent | Part::Null => TimestampType::Unrecorded,
        Part::Json(_) => return None,
    };
    let timestamp_millis = match &ts {
        Part::Text(_) => return None,
        Part::Absent | Part::Null | Part::Json(_) => millis_of(line, &ts)?,
    };
    if payload == Part::Absent && payload_error == Part::Absent {
        return None;
    }
    Some(Envelope {
        topic,
        partition: Some(partition_of(line, &partition)?),
        offset: Some(offset_or_unknown(line, &offset)?).filter(|&offset| offset >= 0),
        timestamp_type,
        timestamp_millis,
        headers: match headers {
            Part::Absent => HeaderList::Nothing,
            Part::Json(place) => HeaderList::Flat(place),
            Part::Null | Part::Text(_) => HeaderList::Invalid,
        },
        key: match key {
            _ if key_error != Part::Absent => Content::Unrecorded,
            Part::Absent => Content::Null,
            Part::Null | Part::Text(_) | Part::Json(_) => content_of(key),
        },
        value: if payload_error == Part::Absent {
            content_of(payload)
        } else {
            Content::Unrecorded
        },
    })
}

/// Returns the offset, or −1, Kafka's word for one that is not known.
fn offset_or_unknown(line: &[u8], part: &Part) -> Option<i64> {
    integer(line, part).filter(|&offset| offset >= -1)
}
