//! Makes a record of an envelope: what is encoded is copied, the rest stays in the text.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::record::{Header, RecordBlock, RecordDefect, RecordSlot, Span, push_header};
use crate::source::file::cut::envelope::parts::{
    Part, Text, for_each_element, for_each_member, inner_members, unescape,
};
use crate::source::file::cut::envelope::{Content, Envelope, EnvelopeKind, HeaderList};
use crate::source::file::cut::envelope::{NO_TIMESTAMP, console};

/// Buffers of one thread, reused from block to block.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Goes behind the chunk: what is not in it as it is.
    pub(crate) appended: Vec<u8>,
    header_name: Vec<u8>,
    header_value: Vec<u8>,
}

/// Opens one record.
pub(crate) struct Opener<'a> {
    /// The text of the record, without its line end.
    pub(crate) line: &'a [u8],
    /// Where it starts in the block.
    pub(crate) line_start: usize,
    /// Where what is appended will start in the block.
    pub(crate) appended_start: usize,
    /// Buffers.
    pub(crate) scratch: &'a mut Scratch,
}

impl Opener<'_> {
    /// Fills `slot` from an envelope.
    pub(crate) fn open_envelope(
        &mut self,
        kind: EnvelopeKind,
        slot: &mut RecordSlot,
        block: &mut RecordBlock,
        assume_topic: Option<&str>,
    ) -> Result<(), RecordDefect> {
        let envelope = kind.parse(self.line)?;
        slot.topic_partition = self.topic_partition(kind, &envelope, block, assume_topic)?;
        slot.offset = envelope.offset.unwrap_or(-1);
        if envelope.timestamp_millis != NO_TIMESTAMP {
            slot.timestamp_millis = envelope.timestamp_millis;
            slot.timestamp_type = envelope.timestamp_type;
        }
        slot.key = self.content(&envelope.key)?;
        slot.value = self.content(&envelope.value)?;
        match self.headers(&envelope.headers) {
            Some(headers) => slot.headers = headers,
            None => slot.defect = Some(RecordDefect::InvalidHeaders),
        }
        Ok(())
    }

    /// Returns the index of the topic partition; without a topic there is none.
    fn topic_partition(
        &mut self,
        kind: EnvelopeKind,
        envelope: &Envelope,
        block: &mut RecordBlock,
        assume_topic: Option<&str>,
    ) -> Result<u32, RecordDefect> {
        let invalid = RecordDefect::InvalidEnvelope;
        let topic = match (&envelope.topic, assume_topic) {
            (Part::Text(text), _) => {
                let name = text_bytes(self.line, text, &mut self.scratch.header_name);
                std::str::from_utf8(name.ok_or(RecordDefect::InvalidText)?).map_err(|_| invalid)?
            }
            (Part::Absent, Some(topic)) => topic,
            (Part::Absent, None) if kind != EnvelopeKind::Kcat && kind != EnvelopeKind::Rpk => {
                return Ok(u32::MAX);
            }
            (Part::Absent | Part::Null | Part::Json(_), _) => return Err(invalid),
        };
        let Some(partition) = envelope.partition else {
            return Ok(u32::MAX);
        };
        Ok(block.intern_topic_partition(topic, partition))
    }

    /// Returns the span of a key or value, which is in the text where nothing encodes it.
    pub(crate) fn content(&mut self, content: &Content) -> Result<Span, RecordDefect> {
        let text = match content {
            Content::Unrecorded => return Ok(Span::UNRECORDED),
            Content::Null => return Ok(Span::NULL),
            Content::Json(place) => return Ok(self.line_span(place)),
            Content::Text(text) if !text.has_escapes => return Ok(self.line_span(&text.inside)),
            Content::Text(text) | Content::Base64(text) => text,
        };
        let inside = self.line.get(text.inside.clone()).unwrap_or_default();
        let appended = &mut self.scratch.appended;
        let length_before = appended.len();
        let is_valid = match content {
            Content::Base64(_) => STANDARD.decode_vec(inside, appended).is_ok(),
            Content::Unrecorded | Content::Null | Content::Json(_) | Content::Text(_) => {
                unescape(inside, appended)
            }
        };
        if !is_valid {
            appended.truncate(length_before);
            return Err(RecordDefect::InvalidText);
        }
        Ok(self.appended_span(length_before))
    }

    /// Returns the span of the headers, or nothing where they are none.
    pub(crate) fn headers(&mut self, list: &HeaderList) -> Option<Span> {
        match list {
            HeaderList::Unrecorded => return Some(Span::UNRECORDED),
            HeaderList::Nothing => return Some(Span::new(0, 0)),
            HeaderList::Invalid => return None,
            HeaderList::Flat(_)
            | HeaderList::Objects(..)
            | HeaderList::Base64Objects(..)
            | HeaderList::Map(_) => {}
        }
        let length_before = self.scratch.appended.len();
        if !self.push_headers(list) {
            self.scratch.appended.truncate(length_before);
            return None;
        }
        Some(self.appended_span(length_before))
    }

    fn push_headers(&mut self, list: &HeaderList) -> bool {
        let line = self.line;
        match list {
            HeaderList::Unrecorded | HeaderList::Nothing | HeaderList::Invalid => false,
            HeaderList::Flat(place) => {
                let mut name = None;
                for_each_element(line, place, |element| match (name.take(), element) {
                    (None, Part::Text(text)) => {
                        name = Some(text);
                        true
                    }
                    (Some(name), value) => self.push_header(&name, value, false),
                    (None, Part::Absent | Part::Null | Part::Json(_)) => false,
                }) && name.is_none()
            }
            HeaderList::Map(place) => for_each_member(line, place, |name, value| {
                self.push_header(&name, value, false)
            }),
            HeaderList::Objects(place, names) => for_each_element(line, place, |element| {
                self.push_object(&element, names, false)
            }),
            HeaderList::Base64Objects(place, names) => for_each_element(line, place, |element| {
                self.push_object(&element, names, true)
            }),
        }
    }

    /// Appends the header that an object stands for.
    fn push_object(&mut self, element: &Part, names: &[&str; 2], is_base64: bool) -> bool {
        let Part::Json(place) = element else {
            return false;
        };
        let Some(members) = inner_members(self.line, place, names) else {
            return false;
        };
        match members.parts {
            // Redpanda Console puts the value into an object of its own.
            [Part::Text(name), Part::Json(value)] => {
                match console::payload(self.line, &Part::Json(value.clone())) {
                    Some(Content::Text(text)) => self.push_header(&name, Part::Text(text), false),
                    Some(Content::Json(place)) => self.push_header(&name, Part::Json(place), false),
                    Some(Content::Null) => self.push_header(&name, Part::Null, false),
                    Some(Content::Base64(text)) => self.push_console_header(&name, &text),
                    // Sinks of Kafka Connect write numbers as numbers.
                    None if self.line.get(value.start) != Some(&b'{') => {
                        self.push_header(&name, Part::Json(value), false)
                    }
                    Some(Content::Unrecorded) | None => false,
                }
            }
            [Part::Text(name), Part::Absent] => self.push_header(&name, Part::Null, is_base64),
            [Part::Text(name), value] => self.push_header(&name, value, is_base64),
            [Part::Absent | Part::Null | Part::Json(_), _] => false,
        }
    }

    fn push_console_header(&mut self, name: &Text, raw: &Text) -> bool {
        let Scratch {
            appended,
            header_name,
            header_value,
        } = &mut *self.scratch;
        let Some(name) = text_bytes(self.line, name, header_name) else {
            return false;
        };
        let Some(raw) = self.line.get(raw.inside.clone()) else {
            return false;
        };
        header_value.clear();
        if STANDARD.decode_vec(raw, header_value).is_err() {
            return false;
        }
        let value = Some(header_value.as_slice());
        push_header(appended, Header { name, value });
        true
    }

    /// Appends a header whose value is a string, null, or JSON as it is written.
    fn push_header(&mut self, name: &Text, value: Part, is_base64: bool) -> bool {
        let line = self.line;
        let Scratch {
            appended,
            header_name,
            header_value,
        } = &mut *self.scratch;
        let Some(mut name) = text_bytes(line, name, header_name) else {
            return false;
        };
        let decoded_name;
        if is_base64 {
            let Ok(decoded) = STANDARD.decode(name) else {
                return false;
            };
            decoded_name = decoded;
            name = &decoded_name;
        }
        let value = match value {
            Part::Absent | Part::Null => None,
            Part::Json(place) => line.get(place),
            Part::Text(text) if is_base64 => {
                header_value.clear();
                let inside = line.get(text.inside).unwrap_or_default();
                if STANDARD.decode_vec(inside, header_value).is_err() {
                    return false;
                }
                Some(header_value.as_slice())
            }
            Part::Text(text) => match text_bytes(line, &text, header_value) {
                None => return false,
                bytes => bytes,
            },
        };
        push_header(appended, Header { name, value });
        true
    }

    /// Returns the span of a place in the text.
    pub(crate) fn line_span(&self, place: &Range<usize>) -> Span {
        Span::new(self.line_start + place.start, self.line_start + place.end)
    }

    /// Returns the span of all that was appended from `from` on.
    pub(crate) fn appended_span(&self, from: usize) -> Span {
        let end = self.appended_start + self.scratch.appended.len();
        Span::new(self.appended_start + from, end)
    }
}

/// Returns the bytes of a string, through `buffer` where it has escapes; nothing where one is
/// invalid.
fn text_bytes<'a>(line: &'a [u8], text: &Text, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let inside = line.get(text.inside.clone())?;
    if !text.has_escapes {
        return Some(inside);
    }
    buffer.clear();
    unescape(inside, buffer).then_some(buffer.as_slice())
}
