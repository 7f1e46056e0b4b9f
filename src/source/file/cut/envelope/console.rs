//! The messages of Redpanda Console's JSON download.

use crate::record::{RecordDefect, TimestampType};
use crate::source::file::cut::envelope::parts::{Part, inner_members, members, plain_text};
use crate::source::file::cut::envelope::{Content, Envelope, HeaderList};
use crate::source::file::cut::envelope::{millis_of, offset_of, partition_of};

const MEMBERS: [&str; 8] = [
    "partitionID",
    "offset",
    "timestamp",
    "headers",
    "key",
    "value",
    "compression",
    "isTransactional",
];

const PAYLOAD_MEMBERS: [&str; 4] = ["payload", "rawPayload", "encoding", "isPayloadNull"];

/// Parses one element of the download.
pub(super) fn parse(text: &[u8]) -> Result<Envelope, RecordDefect> {
    let members = members(text, &MEMBERS)?;
    if members.has_foreign {
        return Err(RecordDefect::InvalidEnvelope);
    }
    assemble(text, members.parts).ok_or(RecordDefect::InvalidEnvelope)
}

fn assemble(text: &[u8], parts: [Part; MEMBERS.len()]) -> Option<Envelope> {
    let [partition, offset, timestamp, headers, key, value, ..] = parts;
    Some(Envelope {
        topic: Part::Absent,
        partition: Some(partition_of(text, &partition)?),
        offset: Some(offset_of(text, &offset)?),
        timestamp_type: TimestampType::Unrecorded,
        timestamp_millis: millis_of(text, &timestamp)?,
        headers: match headers {
            Part::Absent => HeaderList::Unrecorded,
            Part::Json(place) => HeaderList::Objects(place, ["key", "value"]),
            Part::Null | Part::Text(_) => HeaderList::Invalid,
        },
        key: payload(text, &key)?,
        value: payload(text, &value)?,
    })
}

/// Returns the payload of a key, a value or a header: its bytes where they were downloaded too,
/// else the text, or the JSON value that the console made of it.
pub(super) fn payload(text: &[u8], part: &Part) -> Option<Content> {
    let place = match part {
        Part::Null => return Some(Content::Null),
        Part::Json(place) => place,
        Part::Absent | Part::Text(_) => return None,
    };
    let [payload, raw, encoding, is_null] = inner_members(text, place, &PAYLOAD_MEMBERS)?.parts;
    let is_null = matches!(&is_null, Part::Json(place) if text.get(place.clone()) == Some(b"true"));
    if is_null {
        return Some(Content::Null);
    }
    let is_document = plain_text(text, &encoding) == Some("json");
    Some(match (raw, payload) {
        (Part::Text(raw), _) => Content::Base64(raw),
        (_, Part::Json(place)) => Content::Json(place),
        // The string is the document, so its quotes belong to it.
        (_, Part::Text(inside)) if is_document => {
            Content::Json(inside.inside.start - 1..inside.inside.end + 1)
        }
        (_, Part::Text(inside)) => Content::Text(inside),
        (_, Part::Null) if is_document => Content::Json(place_of_null(text, place)?),
        (_, Part::Null | Part::Absent) => Content::Unrecorded,
    })
}

/// Returns the place of the word `null` that is the payload.
fn place_of_null(text: &[u8], place: &std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    let inside = text.get(place.clone())?;
    let payload = memchr::memmem::find(inside, b"\"payload\"")?;
    let null = payload + memchr::memmem::find(inside.get(payload..)?, b"null")?;
    Some(place.start + null..place.start + null + 4)
}
