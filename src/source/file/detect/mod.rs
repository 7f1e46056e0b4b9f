//! Tells a file's format by its first bytes, and says why.

mod json;
mod rows;
mod text;

use std::sync::Arc;

use thiserror::Error;

use crate::source::file::FileFormat;
use crate::source::file::cut::envelope::EnvelopeKind;
use crate::source::file::cut::layout::{Body, Layout};
use crate::source::file::detect::json::{detect_json, events, force_json};
use crate::source::file::detect::rows::{detect_rows, header_row, rows_layout};
use crate::source::file::detect::text::detect_text_lines;
use crate::source::file::row_ends::RecordEnds;

/// The first bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample<'a> {
    /// The bytes, unpacked.
    pub(crate) bytes: &'a [u8],
    /// Whether they are all that the file holds.
    pub(crate) is_whole: bool,
}

/// A format with what was found out about it.
#[derive(Clone, Debug)]
pub(crate) struct Detected {
    /// The layout of the records.
    pub(crate) layout: Layout,
    /// Why, for people.
    pub(crate) reason: String,
    /// Bytes before the first record.
    pub(crate) lead_bytes: usize,
    /// Line of the first record.
    pub(crate) line: u64,
    /// What the format loses, for people.
    pub(crate) notes: Vec<String>,
    /// Whether its records carry offsets, but not the topic that they are of.
    pub(crate) lacks_topic: bool,
}

/// Why a file is not read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// It is UTF-16.
    #[error("is UTF-16 text; try: iconv -f UTF-16 -t UTF-8 FILE | dupaudit scan -")]
    Utf16,
    /// It is a binary format that is not read.
    #[error("is {0}, which this version does not read")]
    Container(&'static str),
    /// It is of a known binary format, but cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It is compressed in a way that is not unpacked.
    #[error(
        "is compressed with {0}, which this version does not unpack; \
         try: {1} FILE | dupaudit scan -"
    )]
    Compressed(&'static str, &'static str),
    /// It looks like rows, but its first one does not look like names.
    #[error(
        "looks like {0} without a header row: its first line is {1}; if that line is the header \
         row, say `--format {0}`; `--format csv-no-header` names the columns c1, c2 and so on"
    )]
    NoHeaderRow(&'static str, String),
    /// The header row is longer than the part that is looked at.
    #[error("has no whole header row in its first {0} bytes")]
    LongHeaderRow(usize),
    /// Commas of keys and values were replaced when it was made.
    #[error(
        "is Redpanda Console's CSV download, in which `;` stands for every comma of a key or \
         value: what the records held cannot be told from it; download them as JSON"
    )]
    LossyCsv,
    /// A dump of a log that shows no records.
    #[error(
        "is what kafka-dump-log writes of batches without their records; run it again with \
         --print-data-log"
    )]
    DumpWithoutRecords,
    /// Lines after a template, which says no more what is key and what is value.
    #[error(
        "is what kcat -f writes of records, from which keys and values cannot be told for certain; \
         run it again with -J"
    )]
    KcatTemplate,
    /// Nothing known.
    #[error(
        "is in no format that is known by its content: its first line is {0}; \
         `--format {names}` overrides", names = FileFormat::names().join("|")
    )]
    Unrecognised(String),
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const LINES_MAX: usize = 100;

/// Returns whether more bytes are needed to tell the format.
pub(crate) fn is_short(bytes: &[u8]) -> bool {
    json::is_short(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))
}

/// Returns what is made of a damaged file that ends before its first line does.
pub(crate) fn nothing_whole() -> Detected {
    let reason = "the file ends before its first line does".to_owned();
    lines_layout(Layout::lines(), reason)
}

/// Returns the layout of a file's records: of the format `forced`, or by content.
pub(crate) fn detect(sample: Sample<'_>, forced: Option<FileFormat>) -> Result<Detected, Refusal> {
    refuse_binary(sample.bytes, forced)?;
    let text = sample.bytes.strip_prefix(BYTE_ORDER_MARK);
    let mut detected = detect_text(
        Sample {
            bytes: text.unwrap_or(sample.bytes),
            is_whole: sample.is_whole,
        },
        forced,
    )?;
    if text.is_some() {
        detected.lead_bytes += BYTE_ORDER_MARK.len();
        detected.reason.push_str("; a byte order mark was skipped");
    }
    Ok(detected)
}

fn refuse_binary(bytes: &[u8], forced: Option<FileFormat>) -> Result<(), Refusal> {
    // A NUL in every second of the first bytes is ASCII in 16 bits.
    let is_wide = |nul: usize| {
        let (pairs, _) = bytes.get(..8).unwrap_or_default().as_chunks::<2>();
        let is_nul = |pair: &[u8; 2]| pair.get(nul) == Some(&0) && pair.get(1 - nul) != Some(&0);
        !pairs.is_empty() && pairs.iter().all(is_nul)
    };
    let is_marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if is_marked || is_wide(0) || is_wide(1) {
        return Err(Refusal::Utf16);
    }
    if forced.is_some() {
        return Ok(());
    }
    let containers: [(&[u8], &str); 4] = [
        (b"PAR1", "a Parquet file"),
        (b"Obj\x01", "an Avro object container file"),
        (b"ORC", "an ORC file"),
        (b"ARROW1", "an Arrow file"),
    ];
    match containers
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic))
    {
        Some((_, name)) => Err(Refusal::Container(name)),
        None => Ok(()),
    }
}

fn detect_text(sample: Sample<'_>, forced: Option<FileFormat>) -> Result<Detected, Refusal> {
    if let Some(format) = forced {
        return force(sample, format);
    }
    let lines = sample_lines(sample);
    let Some(first) = lines.first() else {
        return Ok(lines_layout(
            Layout::lines(),
            "the file is empty".to_owned(),
        ));
    };
    if let Some(detected) = detect_json(sample, first, &lines) {
        return Ok(detected);
    }
    if text::is_dump_without_records(&lines) {
        return Err(Refusal::DumpWithoutRecords);
    }
    if text::is_kcat_template(first) {
        return Err(Refusal::KcatTemplate);
    }
    if let Some(detected) = detect_text_lines(&lines) {
        return Ok(detected);
    }
    detect_rows(sample, first)
}

fn force(sample: Sample<'_>, format: FileFormat) -> Result<Detected, Refusal> {
    let reason = "as asked for with `--format`".to_owned();
    let delimiter = match format {
        FileFormat::JsonLines => return Ok(lines_layout(Layout::lines(), reason)),
        FileFormat::Json => return Ok(force_json(sample, format, Body::Value)),
        FileFormat::Kcat
        | FileFormat::Rpk
        | FileFormat::RedpandaConsole
        | FileFormat::KafkaUi
        | FileFormat::Akhq
        | FileFormat::Kaf
        | FileFormat::Kafkactl => {
            let of_format = |kind: &EnvelopeKind| kind.format() == format;
            let kind = EnvelopeKind::ALL.into_iter().find(of_format);
            let body = kind.map_or(Body::Value, Body::Envelope);
            return Ok(force_json(sample, format, body));
        }
        FileFormat::Tsv => b'\t',
        FileFormat::Csv => {
            let count =
                |delimiter| header_row(sample, delimiter).map_or(0, |header| header.2.cells);
            if count(b';') > count(b',') {
                b';'
            } else {
                b','
            }
        }
        FileFormat::ConsoleConsumer => {
            let layout = text::forced_console(&sample_lines(sample));
            return Ok(text::noted(lines_layout(layout, reason)));
        }
        FileFormat::DumpLog if text::is_dump_without_records(&sample_lines(sample)) => {
            return Err(Refusal::DumpWithoutRecords);
        }
        FileFormat::DumpLog => return Ok(text::noted(lines_layout(text::dump_log(), reason))),
        FileFormat::Logfmt => return Ok(lines_layout(text::logfmt_lines(), reason)),
        FileFormat::Otel => return Ok(force_json(sample, format, Body::OtelLogs)),
        FileFormat::CloudWatch => return Ok(events(sample, reason)),
        FileFormat::CsvNoHeader => return rows::numbered(sample, reason),
        FileFormat::MessageDb => b',',
        // Opened by those who read binary formats; none of them is made of lines.
        FileFormat::Segment | FileFormat::Avro | FileFormat::Parquet => {
            return Err(Refusal::Container("to be read as a binary format"));
        }
    };
    match header_row(sample, delimiter) {
        Some(header) if format == FileFormat::MessageDb => {
            Ok(rows::message_db(sample, &header, reason))
        }
        Some(header) => Ok(rows_layout(sample, format, delimiter, &header, reason)),
        None if sample.is_whole => Ok(lines_layout(
            Layout {
                format,
                ends: RecordEnds::Rows { delimiter },
                body: Body::Row(Arc::from([])),
            },
            reason,
        )),
        None => Err(Refusal::LongHeaderRow(sample.bytes.len())),
    }
}

fn lines_layout(layout: Layout, reason: String) -> Detected {
    Detected {
        lacks_topic: layout.format.lacks_topic(),
        layout,
        reason,
        lead_bytes: 0,
        line: 1,
        notes: Vec::new(),
    }
}

/// Returns the lines that are not blank, whole ones where there are any.
fn sample_lines(sample: Sample<'_>) -> Vec<&[u8]> {
    let text = match memchr::memrchr(b'\n', sample.bytes) {
        Some(end) if !sample.is_whole => sample.bytes.get(..end).unwrap_or_default(),
        _ => sample.bytes,
    };
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines
        .filter(|line| !line.is_empty())
        .take(LINES_MAX)
        .collect()
}

/// Describes a line without showing what it holds: records appear only where they are asked for.
fn shown(line: &[u8]) -> String {
    let length = line.len();
    let character = |byte: Option<&u8>| match byte {
        Some(byte) if byte.is_ascii_alphanumeric() => "a letter or digit".to_owned(),
        Some(byte) if byte.is_ascii_graphic() => format!("`{}`", char::from(*byte)),
        Some(_) => "no printable character".to_owned(),
        None => "nothing".to_owned(),
    };
    format!("{length} bytes that begin with {}", character(line.first()))
}
