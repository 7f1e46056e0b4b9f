//! A group of a report comes back as it was; what of its records is too much for memory goes to a
//! file.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::DuplicateGroup;
use crate::finding::EvidenceTexts;
use crate::finding::GroupStanding;
use crate::finding::KeyText;
use crate::finding::OccurrenceList;
use crate::finding::ReportedRecord;
use crate::finding::ReversedAmount;
use crate::finding::Review;
use crate::finding::Standing;
use crate::record::TimestampType;
use crate::report::read::codes::{Code, Millis};
use crate::report::read::document::members;
use crate::report::read::head::AmountFields;

/// Bytes of text in the records of one group that are held, roughly.
const HELD_BYTES: usize = 4 << 20;
/// What a record takes beside its text, roughly.
const RECORD_BYTES: usize = 400;

/// Members of a group.
#[derive(Deserialize)]
pub(super) struct GroupFields {
    id: String,
    #[serde(deserialize_with = "members")]
    key: Vec<(String, Box<RawValue>)>,
    count: u64,
    extra: u64,
    identical: Option<bool>,
    differing_fields: Vec<String>,
    cause: Code<Cause>,
    confidence: Option<Code<Confidence>>,
    evidence: Vec<String>,
    contrary: Vec<String>,
    episode: Option<u64>,
    amount: Option<AmountFields>,
    subject: Option<String>,
    records: ReadRecords,
    review: Code<Review>,
    reversals: Option<u64>,
    status: Option<Code<Standing>>,
    first_found: Option<Millis>,
    new_extra: Option<u64>,
    known_by: Option<String>,
}

impl From<GroupFields> for DuplicateGroup {
    fn from(read: GroupFields) -> Self {
        let standing = read.status.map(|status| GroupStanding {
            standing: status.0,
            new_extra: read.new_extra.unwrap_or_default(),
            first_found_millis: read.first_found.map(|of| of.0),
            known_by: read.known_by,
        });
        Self {
            id: read.id,
            key: read
                .key
                .into_iter()
                .map(|(path, value)| (path, key_text(value.get())))
                .collect(),
            count: read.count,
            extra: read.extra,
            first_timestamp_millis: read.records.first_millis,
            last_timestamp_millis: read.records.last_millis,
            identical: read.identical,
            differing_fields: read.differing_fields,
            cause: read.cause.0,
            confidence: read.confidence.map(|code| code.0),
            evidence: read.evidence,
            contrary: read.contrary,
            episode: read.episode,
            amount: read.amount.map(Into::into),
            reversals: read.reversals,
            review: read.review.0,
            subject: read.subject,
            standing,
            records: Box::new(read.records),
        }
    }
}

/// Returns a part of a dedup key from its JSON.
fn key_text(json: &str) -> KeyText {
    match json.as_bytes().first() {
        Some(b'n') => KeyText::Null,
        Some(b't' | b'f') => KeyText::Boolean(json == "true"),
        Some(b'"') => KeyText::Text(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())),
        Some(b'{' | b'[') => KeyText::Json(unguarded(json)),
        Some(_) | None => KeyText::Number(json.to_owned()),
    }
}

/// Returns canonical JSON without the escapes that a report has for characters which terminals and
/// browsers obey: canonical JSON itself escapes only what has to be, below U+0020.
fn unguarded(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        let code = escape.get(2..6).filter(|_| escape.starts_with("\\u"));
        let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let guarded = code.and_then(char::from_u32).filter(|of| *of >= '\x7f');
        let length = if guarded.is_some() { 6 } else { 2 };
        let length = escape.chars().take(length).map(char::len_utf8).sum();
        let (escaped, after) = escape.split_at(length);
        match guarded {
            Some(character) => text.push(character),
            None => text.push_str(escaped),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Members of a record.
#[derive(Deserialize, Serialize)]
struct RecordFields {
    occurrence: u64,
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp: Option<Millis>,
    timestamp_type: Option<Code<TimestampType>>,
    cause: Option<Code<Cause>>,
    confidence: Option<Code<Confidence>>,
    episode: Option<u64>,
    key: Option<String>,
    file: Option<String>,
    line: Option<u64>,
    byte_offset: Option<u64>,
    evidence: Option<Vec<String>>,
    contrary: Option<Vec<String>>,
    amount: Option<String>,
    currency: Option<String>,
    reversed: Option<String>,
    net: Option<String>,
    subject: Option<String>,
    value: Option<String>,
}

impl RecordFields {
    fn bytes(&self) -> usize {
        let texts = [
            &self.topic,
            &self.key,
            &self.file,
            &self.subject,
            &self.value,
        ];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let evidence = self.evidence.iter().chain(&self.contrary).flatten();
        RECORD_BYTES + texts + evidence.map(String::len).sum::<usize>()
    }
}

impl From<RecordFields> for ReportedRecord {
    fn from(read: RecordFields) -> Self {
        let contrary = read.contrary.unwrap_or_default();
        let reversal = read.reversed.zip(read.net);
        Self {
            occurrence: read.occurrence,
            topic: read.topic,
            partition: read.partition,
            offset: read.offset,
            timestamp_millis: read.timestamp.map(|of| of.0),
            timestamp_type: read.timestamp_type.map(|code| code.0).unwrap_or_default(),
            cause: read.cause.map(|code| code.0),
            confidence: read.confidence.map(|code| code.0),
            episode: read.episode,
            texts: read
                .evidence
                .map(|evidence| Arc::new(EvidenceTexts { evidence, contrary })),
            key: read.key,
            file: read.file,
            line: read.line,
            byte_offset: read.byte_offset,
            amount: read.amount,
            reversal: reversal.map(|(reversed, net)| ReversedAmount { reversed, net }),
            currency: read.currency,
            subject: read.subject,
            value: read.value,
        }
    }
}

/// The records of one group.
#[derive(Default)]
struct ReadRecords {
    held: Vec<ReportedRecord>,
    held_bytes: usize,
    /// Those that came after, as JSON, one a line.
    spilled: Option<BufWriter<File>>,
    first_millis: Option<i64>,
    last_millis: Option<i64>,
}

impl ReadRecords {
    fn add(&mut self, record: RecordFields) -> io::Result<()> {
        let millis = record.timestamp.map(|of| of.0);
        if self.held.is_empty() {
            self.first_millis = millis;
        }
        self.last_millis = self.last_millis.max(millis);
        if self.spilled.is_none() && self.held_bytes <= HELD_BYTES {
            self.held_bytes += record.bytes();
            self.held.push(record.into());
            return Ok(());
        }
        let file = match &mut self.spilled {
            Some(file) => file,
            None => self.spilled.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        serde_json::to_writer(&mut *file, &record)?;
        file.write_all(b"\n")
    }
}

impl<'de> Deserialize<'de> for ReadRecords {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Records;

        impl<'de> Visitor<'de> for Records {
            type Value = ReadRecords;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<ReadRecords, A::Error> {
                let spill = |error: io::Error| {
                    A::Error::custom(format!("cannot keep its records on disk: {error}"))
                };
                let mut records = ReadRecords::default();
                while let Some(record) = from.next_element()? {
                    records.add(record).map_err(spill)?;
                }
                if let Some(file) = &mut records.spilled {
                    file.flush().map_err(spill)?;
                }
                Ok(records)
            }
        }
        from.deserialize_seq(Records)
    }
}

impl OccurrenceList for ReadRecords {
    fn walk(&self) -> Box<dyn Iterator<Item = io::Result<ReportedRecord>> + '_> {
        let held = self.held.iter().cloned().map(Ok);
        let Some(spilled) = &self.spilled else {
            return Box::new(held);
        };
        let file = BufReader::new(FromStart {
            file: spilled.get_ref(),
            position: 0,
        });
        let records = serde_json::Deserializer::from_reader(file).into_iter::<RecordFields>();
        let records = records.map(|record| Ok(record?.into()));
        Box::new(held.chain(records))
    }
}

/// Reads a file from its start, whoever else reads it.
struct FromStart<'a> {
    file: &'a File,
    position: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.position)?;
        self.position += u64::try_from(length).map_err(io::Error::other)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_what_they_were() {
        assert_eq!(key_text("null"), KeyText::Null);
        assert_eq!(key_text("false"), KeyText::Boolean(false));
        assert_eq!(key_text("-1e400"), KeyText::Number("-1e400".to_owned()));
        assert_eq!(
            key_text(r#""\u202e1""#),
            KeyText::Text("\u{202e}1".to_owned())
        );
        let json = r#"{"\\u202e\"\u009b":["\u001b\n"]}"#;
        let expected = "{\"\\\\u202e\\\"\u{9b}\":[\"\\u001b\\n\"]}";
        assert_eq!(key_text(json), KeyText::Json(expected.to_owned()));
    }

    #[test]
    fn records_beyond_what_is_held_are_walked_from_disk_as_often_as_needed() {
        let count = HELD_BYTES / RECORD_BYTES * 2;
        let items: Vec<String> = (0..count)
            .map(|at| format!("{{\"occurrence\":{at},\"timestamp\":\"epoch+{at}ms\"}}"))
            .collect();
        let records: ReadRecords = serde_json::from_str(&format!("[{}]", items.join(","))).unwrap();
        assert!(records.spilled.is_some());
        assert!(records.held.len() < count);
        for _ in 0..2 {
            let walked = records.walk().map(|record| record.unwrap().occurrence);
            assert!(walked.eq(0..u64::try_from(count).unwrap()));
        }
        let half = records.walk().nth(count / 2).unwrap().unwrap();
        assert_eq!(records.walk().nth(count / 2).unwrap().unwrap(), half);
        assert_eq!(records.first_millis, Some(0));
        assert_eq!(records.last_millis, Some(i64::try_from(count).unwrap() - 1));
    }
}
