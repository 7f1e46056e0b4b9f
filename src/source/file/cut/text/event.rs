//! Events of `CloudWatch` Logs: the record is the message, decoded once more.

use crate::record::{Header, RecordDefect, RecordSlot, push_header};
use crate::source::file::cut::envelope::Content;
use crate::source::file::cut::envelope::opener::Opener;
use crate::source::file::cut::envelope::parts::{Part, integer, members, plain_text};

const MEMBERS: [&str; 5] = [
    "message",
    "timestamp",
    "eventId",
    "logStreamName",
    "ingestionTime",
];

impl Opener<'_> {
    /// Fills `slot` from an event; what is beside the message becomes headers.
    pub(crate) fn open_event(&mut self, slot: &mut RecordSlot) -> Result<(), RecordDefect> {
        let line = self.line;
        let [message, timestamp, event_id, stream, ingestion] = members(line, &MEMBERS)?.parts;
        let Part::Text(message) = message else {
            return Err(RecordDefect::InvalidEnvelope);
        };
        slot.timestamp_millis = integer(line, &timestamp).ok_or(RecordDefect::InvalidEnvelope)?;
        slot.value = self.content(&Content::Text(message))?;
        let from = self.scratch.appended.len();
        let texts = [("eventId", &event_id), ("logStreamName", &stream)];
        let texts = texts.map(|(name, part)| (name, plain_text(line, part).map(str::to_owned)));
        let ingested = integer(line, &ingestion).map(|millis| millis.to_string());
        for (name, value) in texts.into_iter().chain([("ingestionTime", ingested)]) {
            if let Some(value) = value {
                let (name, value) = (name.as_bytes(), Some(value.as_bytes()));
                push_header(&mut self.scratch.appended, Header { name, value });
            }
        }
        slot.headers = self.appended_span(from);
        Ok(())
    }
}
