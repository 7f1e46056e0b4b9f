//! What a file comes to: records in both passes, coverage, refusals.

mod archives;
mod changes;
mod exports;
mod pieces;
mod text;

use super::*;
use crate::record::{RecordDefect, RecordView, TimestampType, ValueFormat};
use crate::source::file::{FileFormat, FileOptions};
use proptest::prelude::*;
use std::io::{Cursor, Write};

/// All that is known of one record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    position: u64,
    line: u64,
    coordinates: Option<String>,
    timestamp: Option<(i64, TimestampType)>,
    key: String,
    value: String,
    headers: Option<Vec<u8>>,
    batch: Option<String>,
    defect: Option<RecordDefect>,
}

fn seen(view: RecordView<'_>) -> Seen {
    let shown = |payload: crate::record::Payload<'_>| match payload.bytes() {
        Some(bytes) => format!("={}", bytes.escape_ascii()),
        None => format!("{payload:?}"),
    };
    let partition = view.topic_partition();
    let offset = view.offset();
    Seen {
        position: view.slot().position,
        line: view.slot().line,
        coordinates: partition.map(|partition| format!("{partition}@{offset:?}")),
        timestamp: view.timestamp().map(|at| (at.millis, at.timestamp_type)),
        key: shown(view.key()),
        value: shown(view.value()),
        headers: view.headers().map(|headers| headers.encoded().to_vec()),
        batch: view.batch().map(|batch| format!("{batch:?}")),
        defect: view.slot().defect,
    }
}

fn options(format: Option<FileFormat>, chunk_bytes: usize) -> FileOptions {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.format = format;
    options.chunk_bytes = chunk_bytes;
    options
}

fn open(content: &[u8], options: &FileOptions) -> (FileSource, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let source = FileSource::open(file.path(), SplitId(3), options, StopFlag::default());
    (source.unwrap(), file)
}

fn open_pipe(content: &[u8], options: &FileOptions) -> FileSource {
    let input = Cursor::new(content.to_vec());
    let stop = StopFlag::default();
    FileSource::open_pipe(Path::new("-"), input, SplitId(3), options, stop).unwrap()
}

fn drain(source: &FileSource) -> Vec<Seen> {
    let mut block = RecordBlock::default();
    let mut records = Vec::new();
    while source.next_block(&mut block).unwrap() {
        records.extend(block.views().map(seen));
    }
    records
}

fn coverage(source: &FileSource) -> FileCoverage {
    match source.coverage().remove(0) {
        SplitCoverage::File(coverage) => coverage,
        SplitCoverage::Partition(_) => panic!("a file has file coverage"),
    }
}

fn refusal(content: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let options = options(None, 1024);
    match FileSource::open(file.path(), SplitId(0), &options, StopFlag::default()) {
        Ok(source) => panic!("read as {}", coverage(&source).format),
        Err(error) => error.to_string(),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Fetches some positions as the second pass does.
fn fetch(source: &FileSource, positions: &[u64]) -> Vec<Seen> {
    let mut revisitor = source.revisit(SplitId(3)).unwrap();
    let mut block = RecordBlock::default();
    let mut records = Vec::new();
    let mut rest = positions;
    while !rest.is_empty() {
        let done = revisitor.fetch(rest, &mut block).unwrap();
        assert!(done > 0);
        rest = &rest[done..];
        records.extend(block.views().map(seen));
    }
    records
}

fn quiet() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn values(records: &[Seen]) -> Vec<&str> {
    records.iter().map(|record| record.value.as_str()).collect()
}

fn numbered_lines(count: usize) -> Vec<u8> {
    let line = |number| {
        format!(
            "{{\"id\":{number},\"n\":\"{}\"}}\n",
            number * 7919 % 104_729
        )
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

/// Splits at newlines, as plainly as it can be written.
fn naive_lines(text: &[u8]) -> Vec<(u64, u64, String)> {
    let (mut lines, mut position) = (Vec::new(), 0);
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let value = line.strip_suffix(b"\r").unwrap_or(line);
        if !value.trim_ascii().is_empty() {
            let number = length_u64(index) + 1;
            lines.push((position, number, format!("={}", value.escape_ascii())));
        }
        position += length_u64(line.len()) + 1;
    }
    lines
}
