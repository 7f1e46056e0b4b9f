//! Tells JSON Lines from other JSON, and plain documents from envelopes.

use serde::de::IgnoredAny;

use crate::record::RecordDefect;
use crate::source::file::FileFormat;
use crate::source::file::cut::envelope::parts::{Part, members};
use crate::source::file::cut::envelope::{Content, Envelope, EnvelopeKind};
use crate::source::file::cut::layout::{Body, Layout};
use crate::source::file::detect::{Detected, LINES_MAX, Sample, lines_layout};
use crate::source::file::document_ends::{DocumentScan, Framing};
use crate::source::file::row_ends::RecordEnds;

/// How the documents of a file lie in it, and where the first may start.
struct Framed {
    ends: RecordEnds,
    lead_bytes: usize,
    /// What the documents are, for people.
    documents: &'static str,
}

const LINE_ENDS: Framed = Framed {
    ends: RecordEnds::Lines,
    lead_bytes: 0,
    documents: "lines",
};

const STREAM: Framed = Framed {
    ends: RecordEnds::Documents(Framing::Stream),
    lead_bytes: 0,
    documents: "documents",
};

/// Returns the layout of JSON, or nothing where the text is none.
pub(super) fn detect_json(sample: Sample<'_>, first: &[u8], lines: &[&[u8]]) -> Option<Detected> {
    if !starts_json(first) {
        // A broken first line does not make a log of JSON documents something else.
        let json_count = lines.iter().filter(|line| starts_json(line)).count();
        let is_json = json_count * 2 > lines.len();
        let reason = format!("{json_count} of the first {} lines are JSON", lines.len());
        return is_json.then(|| lines_layout(Layout::lines(), reason));
    }
    if starts_with_member(sample.bytes, "events") {
        return Some(events(
            sample,
            "an object whose events are records".to_owned(),
        ))
        .filter(|_| holds_events(sample));
    }
    let mut framed = frame(sample);
    if framed.ends == RecordEnds::Lines && spans_some_lines(sample, lines) {
        framed = STREAM;
    }
    if starts_with_member(sample.bytes, "resourceLogs") {
        let layout = Layout {
            format: FileFormat::Otel,
            ends: framed.ends,
            body: Body::OtelLogs,
        };
        let reason = "objects of resourceLogs: OpenTelemetry logs".to_owned();
        return Some(framed.detected(sample, layout, reason));
    }
    let documents = match framed.ends {
        RecordEnds::Lines => lines.to_vec(),
        RecordEnds::Documents(framing) => whole_documents(sample, framing, framed.lead_bytes),
        RecordEnds::Rows { .. } | RecordEnds::Marks(_) => Vec::new(),
    };
    if let Some((kind, reason)) = envelopes(&documents, framed.documents) {
        let layout = Layout {
            format: kind.format(),
            ends: framed.ends,
            body: Body::Envelope(kind),
        };
        let mut detected = framed.detected(sample, layout, reason);
        note_envelopes(kind, &documents, &mut detected);
        return Some(detected);
    }
    Some(match framed.ends {
        RecordEnds::Lines => {
            let reason = valid_lines(lines);
            let hint = "values only; kcat -J would keep the offsets of a topic";
            lines_layout(Layout::lines(), format!("{reason}: {hint}"))
        }
        RecordEnds::Documents(_) | RecordEnds::Rows { .. } | RecordEnds::Marks(_) => {
            let layout = Layout {
                format: FileFormat::Json,
                ends: framed.ends,
                body: Body::Value,
            };
            let reason = match framed.ends {
                RecordEnds::Documents(Framing::Arrays) => "a JSON array; its elements are records",
                RecordEnds::Lines
                | RecordEnds::Rows { .. }
                | RecordEnds::Marks(_)
                | RecordEnds::Documents(_) => "JSON documents that are not one per line",
            };
            framed.detected(sample, layout, reason.to_owned())
        }
    })
}

/// Returns the layout of JSON that was asked for.
pub(super) fn force_json(sample: Sample<'_>, format: FileFormat, body: Body) -> Detected {
    let framed = match (frame(sample), format) {
        (framed, FileFormat::Json) if framed.ends == RecordEnds::Lines => Framed {
            ends: RecordEnds::Documents(Framing::Stream),
            ..framed
        },
        (framed, _) => framed,
    };
    let layout = Layout {
        format,
        ends: framed.ends,
        body,
    };
    framed.detected(sample, layout, "as asked for with `--format`".to_owned())
}

/// Returns the layout of `CloudWatch`'s events, the elements of a member.
pub(super) fn events(sample: Sample<'_>, reason: String) -> Detected {
    let bracket = memchr::memchr(b'[', sample.bytes);
    let framed = Framed {
        ends: RecordEnds::Documents(Framing::Member("events")),
        lead_bytes: bracket.map_or(0, |place| place + 1),
        documents: "events",
    };
    let layout = Layout {
        format: FileFormat::CloudWatch,
        ends: framed.ends,
        body: Body::Event,
    };
    framed.detected(sample, layout, reason)
}

/// Returns whether the first event is one of `CloudWatch`: a message with a timestamp.
fn holds_events(sample: Sample<'_>) -> bool {
    let lead_bytes = memchr::memchr(b'[', sample.bytes).map_or(0, |place| place + 1);
    let events = whole_documents(sample, Framing::Member("events"), lead_bytes);
    let names = [
        "message",
        "timestamp",
        "ingestionTime",
        "eventId",
        "logStreamName",
    ];
    let is_event = |event: &&[u8]| {
        let parts = members(event, &names).map(|members| members.parts);
        matches!(parts, Ok([Part::Text(_), Part::Json(_), ..]))
    };
    events.first().is_none_or(is_event)
}

/// Returns whether the text is an object whose first member has this name and is an array.
fn starts_with_member(text: &[u8], name: &str) -> bool {
    let inside = || {
        let inside = text.trim_ascii_start().strip_prefix(b"{")?;
        let inside = inside.trim_ascii_start().strip_prefix(b"\"")?;
        let inside = inside.strip_prefix(name.as_bytes())?.strip_prefix(b"\"")?;
        inside.trim_ascii_start().strip_prefix(b":")
    };
    inside().is_some_and(|value| value.trim_ascii_start().starts_with(b"["))
}

/// Returns whether more is needed to see a first document.
pub(super) fn is_short(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let is_array = text.first() == Some(&b'[');
    if !is_array && memchr::memchr(b'\n', bytes).is_none() {
        return true;
    }
    if !starts_json(text) {
        return false;
    }
    let lead_bytes = usize::from(is_array);
    let mut scan = DocumentScan::new(if is_array {
        Framing::Arrays
    } else {
        Framing::Stream
    });
    let inside = text.get(lead_bytes..).unwrap_or_default();
    scan.next(inside).is_none() && !inside.trim_ascii_start().starts_with(b"]")
}

fn starts_json(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'{' | b'['))
}

fn valid_lines(lines: &[&[u8]]) -> String {
    let is_valid = |line: &&&[u8]| serde_json::from_slice::<IgnoredAny>(line).is_ok();
    let valid_count = lines.iter().filter(is_valid).count();
    match (valid_count, lines.len()) {
        (1, 1) => "the first line is a JSON document".to_owned(),
        (valid, all) if valid == all => format!("the first {all} lines are JSON documents"),
        (0, _) => "the first line starts like a JSON document".to_owned(),
        (valid, all) => format!("{valid} of the first {all} lines are JSON documents"),
    }
}

/// Tells documents that are lines from elements of an array and from all others.
fn frame(sample: Sample<'_>) -> Framed {
    let text = sample.bytes.trim_ascii_start();
    let lead_bytes = sample.bytes.len() - text.len();
    let line_end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let first = text.get(..line_end).unwrap_or_default().trim_ascii();
    let inside = first.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    let is_empty = || text.trim_ascii() == first && inside == Some(b"]");
    if matches!(inside, Some([] | [b'{', ..])) || is_empty() {
        return Framed {
            ends: RecordEnds::Documents(Framing::Arrays),
            lead_bytes: lead_bytes + 1,
            documents: "elements",
        };
    }
    if !starts_json(first) || !leaves_lines(text, first) {
        return LINE_ENDS;
    }
    STREAM
}

/// Returns whether all is JSON, but some line is no document by itself.
fn spans_some_lines(sample: Sample<'_>, lines: &[&[u8]]) -> bool {
    let is_valid = |text: &&[u8]| serde_json::from_slice::<IgnoredAny>(text).is_ok();
    if lines.iter().all(&is_valid) {
        return false;
    }
    let documents = whole_documents(sample, Framing::Stream, 0);
    documents.len() > 1 && documents.iter().all(is_valid)
}

/// Returns whether the first document spans lines, or another one follows it in its line.
fn leaves_lines(text: &[u8], first: &[u8]) -> bool {
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match documents.next() {
        Some(Ok(_)) => {
            let end = documents.byte_offset();
            let document = text.get(..end).unwrap_or_default();
            let is_alone = end >= first.len();
            let follows_another = || starts_json(first.get(end..).unwrap_or_default().trim_ascii());
            document.contains(&b'\n') || (!is_alone && follows_another())
        }
        // More than one line, and still within the first document.
        Some(Err(error)) => {
            first == b"{" || (error.is_eof() && memchr::memchr(b'\n', text).is_some())
        }
        None => false,
    }
}

/// Returns the first documents, whole ones only.
fn whole_documents(sample: Sample<'_>, framing: Framing, lead_bytes: usize) -> Vec<&[u8]> {
    let text = sample.bytes.get(lead_bytes..).unwrap_or_default();
    let mut scan = DocumentScan::new(framing);
    let mut documents = Vec::new();
    while let Some(document) = scan.next(text).filter(|_| documents.len() < LINES_MAX) {
        documents.extend(text.get(document.place));
    }
    documents
}

/// Returns whose envelopes the documents are, and why, where most of those that are JSON objects
/// are; the others are no records of another kind, but envelopes that cannot be opened.
fn envelopes(documents: &[&[u8]], word: &str) -> Option<(EnvelopeKind, String)> {
    let count = |kind: EnvelopeKind| {
        let (mut sure, mut others) = (0, 0);
        for document in documents {
            match kind.parse(document) {
                Ok(envelope) if kind.is_sure(&envelope) => sure += 1,
                // Cut or garbled, which says nothing about the format.
                Err(RecordDefect::InvalidText) => {}
                Ok(_)
                | Err(
                    RecordDefect::TooLong
                    | RecordDefect::WrongCellCount
                    | RecordDefect::InvalidEnvelope
                    | RecordDefect::InvalidHeaders,
                ) => others += 1,
            }
        }
        (sure, others)
    };
    let kinds = EnvelopeKind::ALL.into_iter();
    let (kind, (sure, others)) = kinds
        .map(|kind| (kind, count(kind)))
        .find(|(_, (sure, others))| sure > others)?;
    // Both write the same members, in another order.
    let kind = if kind == EnvelopeKind::Kafkactl && starts_with_value(documents) {
        EnvelopeKind::KafkaUi
    } else {
        kind
    };
    let all = sure + others;
    let which = match (sure, word) {
        _ if others > 0 => format!("{sure} of the first {all} {word} are JSON objects"),
        (1, "lines") => "the first line is a JSON object".to_owned(),
        (_, "lines") => format!("the first {sure} lines are JSON objects"),
        (_, word) => format!("the first {sure} {word} are JSON objects"),
    };
    Some((kind, format!("{which} {}", kind.signs())))
}

/// Notes what the first envelopes show to be lost.
fn note_envelopes(kind: EnvelopeKind, documents: &[&[u8]], detected: &mut Detected) {
    let mut parsed = documents.iter().filter_map(|text| kind.parse(text).ok());
    let is_decoded = |envelope: &Envelope| matches!(envelope.value, Content::Json(_));
    if parsed.clone().any(|envelope| is_decoded(&envelope)) {
        let note = "values were decoded and written anew: their bytes are not those of the topic";
        detected.notes.push(note.to_owned());
    }
    if kind.format() == FileFormat::Kaf {
        let note = "kaf writes null as an empty text: an empty key or payload is taken for null";
        detected.notes.push(note.to_owned());
    }
    let first = parsed.next();
    detected.lacks_topic = first.is_some_and(|envelope| envelope.topic == Part::Absent);
}

fn starts_with_value(documents: &[&[u8]]) -> bool {
    let name = |document: &&[u8]| {
        let inside = document.trim_ascii().strip_prefix(b"{")?;
        Some(inside.trim_ascii_start().starts_with(b"\"Value\""))
    };
    documents.first().and_then(name) == Some(true)
}

impl Framed {
    fn detected(&self, sample: Sample<'_>, layout: Layout, reason: String) -> Detected {
        let lead = sample.bytes.get(..self.lead_bytes).unwrap_or_default();
        let lacks_topic = layout.format.lacks_topic();
        Detected {
            layout,
            reason,
            lead_bytes: self.lead_bytes,
            line: 1 + crate::source::file::chunk::newlines(lead),
            notes: Vec::new(),
            lacks_topic,
        }
    }
}
