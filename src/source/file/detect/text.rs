//! Tells lines of text that are neither JSON nor rows by how they start.

use std::sync::Arc;

use crate::source::file::FileFormat;
use crate::source::file::cut::layout::{Body, Layout};
use crate::source::file::cut::text::console_line::ConsoleShape;
use crate::source::file::cut::text::dump_log::{BATCH_MARKS, Segments, is_old_batch};
use crate::source::file::cut::text::logfmt;
use crate::source::file::detect::{Detected, lines_layout};
use crate::source::file::row_ends::RecordEnds;

/// Returns the layout of text whose lines say what they are.
pub(super) fn detect_text_lines(lines: &[&[u8]]) -> Option<Detected> {
    let first = lines.first()?;
    let is_old_record = || {
        let has_size = memchr::memmem::find(first, b" valuesize: ").is_some();
        first.starts_with(b"offset: ") && has_size
    };
    let marks = [&b"Dumping "[..], b"baseOffset: ", b"| offset: "];
    let is_dump = marks.iter().any(|mark| first.starts_with(mark)) || is_old_record();
    if is_dump && lines.iter().any(|line| shows_record(line)) {
        let reason = "lines of kafka-dump-log --print-data-log".to_owned();
        return Some(noted(lines_layout(dump_log(), reason)));
    }
    if let Some(shape) = ConsoleShape::of(lines) {
        return Some(noted(lines_layout(console(shape), console_reason(shape))));
    }
    if let Some(shape) = keyed_values(lines) {
        let separator = shape.separator.escape_ascii();
        let reason = format!(
            "a key, `{separator}` and a JSON document in each line: kcat -K, or \
             kafka-console-consumer with print.key"
        );
        return Some(noted(lines_layout(console(shape), reason)));
    }
    let count = lines.iter().filter(|line| is_logfmt(line)).count();
    let is_log = is_logfmt(first) && count * 5 >= lines.len() * 4;
    let reason = format!(
        "{count} of the first {} lines are name=value pairs",
        lines.len()
    );
    is_log.then(|| lines_layout(logfmt_lines(), reason))
}

/// Returns the layout of lines of `kafka-console-consumer`, with the fields that the first show.
pub(super) fn forced_console(lines: &[&[u8]]) -> Layout {
    let shape = ConsoleShape::of(lines).or_else(|| keyed_values(lines));
    console(shape.unwrap_or_default())
}

/// Returns the layout of logfmt.
pub(super) fn logfmt_lines() -> Layout {
    Layout {
        format: FileFormat::Logfmt,
        ends: RecordEnds::Lines,
        body: Body::Logfmt,
    }
}

/// Returns the layout of a dump.
pub(super) fn dump_log() -> Layout {
    Layout {
        format: FileFormat::DumpLog,
        ends: RecordEnds::Marks(BATCH_MARKS),
        body: Body::DumpedBatch(Arc::new(Segments::default())),
    }
}

fn console(shape: ConsoleShape) -> Layout {
    Layout {
        format: FileFormat::ConsoleConsumer,
        ends: shape.marks().map_or(RecordEnds::Lines, RecordEnds::Marks),
        body: Body::ConsoleLine(shape),
    }
}

fn console_reason(shape: ConsoleShape) -> String {
    let fields = [
        (shape.has_timestamp, "timestamp"),
        (shape.has_partition || shape.has_last_partition, "partition"),
        (shape.has_offset, "offset"),
        (shape.has_headers, "headers"),
        (shape.has_key, "key"),
        (true, "value"),
    ];
    let shown = fields.iter().filter(|(is_shown, _)| *is_shown);
    let shown: Vec<&str> = shown.map(|(_, name)| *name).collect();
    format!("lines of kafka-console-consumer with {}", shown.join(", "))
}

/// Adds what the format loses.
pub(super) fn noted(mut detected: Detected) -> Detected {
    let notes = &mut detected.notes;
    match &detected.layout.body {
        Body::DumpedBatch(_) => notes.push("the values of headers are lost".to_owned()),
        Body::ConsoleLine(shape) => {
            if !shape.has_offset {
                let note = "offsets are lost: kcat -J, or print.partition=true and \
                            print.offset=true keep them";
                notes.push(note.to_owned());
            }
            if !shape.has_timestamp {
                let note = "timestamps are lost: kcat -J, or print.timestamp=true keeps them";
                notes.push(note.to_owned());
            }
            let note = "a key or value that is the word null is taken for null";
            notes.push(note.to_owned());
        }
        Body::Value
        | Body::Row(_)
        | Body::Envelope(_)
        | Body::Logfmt
        | Body::OtelLogs
        | Body::Event
        | Body::TableRow(_) => {}
    }
    detected
}

/// Returns whether lines are those of a dump without `--print-data-log`, which shows batches only.
pub(super) fn is_dump_without_records(lines: &[&[u8]]) -> bool {
    let shows_batch =
        |line: &&[u8]| line.starts_with(b"baseOffset: ") || line.starts_with(b"offset: ");
    lines
        .first()
        .is_some_and(|line| line.starts_with(b"Dumping "))
        && lines.iter().any(shows_batch)
        && !lines.iter().any(|line| shows_record(line))
}

/// Returns whether a line is of a template that kcat's own documents use: `Topic t[0], offset: 5`,
/// `Topic t [0] at offset 5` or `Key (3 bytes): abc`.
pub(super) fn is_kcat_template(line: &[u8]) -> bool {
    let digits_end = |text: &[u8]| text.iter().take_while(|of| of.is_ascii_digit()).count();
    if let Some(rest) = line.strip_prefix(b"Key (") {
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        let end = digits_end(rest);
        return end > 0
            && rest
                .get(end..)
                .is_some_and(|of| of.starts_with(b" bytes):"));
    }
    let Some(rest) = line.strip_prefix(b"Topic ") else {
        return false;
    };
    let behind_topic = memchr::memchr(b'[', rest).and_then(|place| rest.get(place + 1..));
    behind_topic.is_some_and(|rest| {
        let end = digits_end(rest);
        let rest = rest.get(end..).unwrap_or_default();
        let rest = rest.strip_prefix(b"]").unwrap_or_default();
        end > 0 && (rest.starts_with(b", offset") || rest.starts_with(b" at offset "))
    })
}

fn shows_record(line: &[u8]) -> bool {
    line.starts_with(b"| offset: ") || (line.starts_with(b"offset: ") && !is_old_batch(line))
}

/// Returns the shape of lines of a key, one byte between, and a JSON document or nothing.
fn keyed_values(lines: &[&[u8]]) -> Option<ConsoleShape> {
    let first_value = memchr::memchr(b'{', lines.first()?)?;
    let separator = *lines.first()?.get(first_value.checked_sub(1)?)?;
    let is_separator = !separator.is_ascii_alphanumeric() && !b"\"{}[]=".contains(&separator);
    let value = |line: &[u8]| {
        let place = memchr::memchr(separator, line)?;
        line.get(place + 1..).map(<[u8]>::to_vec)
    };
    let is_keyed = |line: &&[u8]| {
        value(line).is_some_and(|value| {
            let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&value).is_ok();
            value.is_empty() || value == b"null" || is_json()
        })
    };
    (is_separator && lines.iter().all(is_keyed)).then(|| ConsoleShape {
        has_key: true,
        separator,
        ..ConsoleShape::default()
    })
}

fn is_logfmt(line: &[u8]) -> bool {
    logfmt::pair_count(line).is_some_and(|pairs| pairs >= 2)
}
