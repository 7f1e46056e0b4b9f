//! Every format of files: whatever the bytes, the same records in pieces of any size, and again in
//! the second pass.

use std::path::Path;

use dupaudit::decode::{FieldReader, existing_paths};
use dupaudit::record::{FieldPath, FieldValue, RecordBlock, RecordView, SplitId};
use dupaudit::source::file::{FileFormat, FileOpener, FileOptions};
use dupaudit::source::{RecordSource, SplitCoverage, StopFlag};

use crate::{Target, fixture};

/// Records looked at of one input: a few bytes can stand for very many.
const RECORDS_MAX: usize = 20_000;

/// What was read of a file: the place and a fingerprint of each record, and what was said of all.
#[derive(Debug)]
struct Seen {
    records: Vec<(u64, String)>,
    is_whole: bool,
    format: String,
    damage: Option<String>,
}

fn options(format: Option<FileFormat>, chunk_bytes: usize) -> FileOptions {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.format = format;
    options.chunk_bytes = chunk_bytes;
    options.line_bytes_max = 20_000;
    options.decompressed_bytes_max = Some(2 * 1024 * 1024);
    options.assume_topic = Some("assumed".into());
    options
}

/// Reads a file; nothing where it is refused.
fn read(path: &Path, options: &FileOptions) -> Option<(Box<dyn RecordSource>, Seen)> {
    let mut opener = FileOpener::new(options, StopFlag::default());
    let source = match opener.open(path, SplitId(0)) {
        Ok(opened) => opened.source,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let mut reader = FieldReader::new(paths());
    let mut block = RecordBlock::default();
    let mut records = Vec::new();
    let mut is_whole = true;
    let mut empty_blocks = 0;
    while source.next_block(&mut block).unwrap() {
        empty_blocks = if block.slots.is_empty() {
            empty_blocks + 1
        } else {
            0
        };
        assert!(empty_blocks < 1_000_000, "it goes on without records");
        records.extend(block.views().map(|view| seen(view, &mut reader)));
        if records.len() > RECORDS_MAX {
            is_whole = false;
            break;
        }
    }
    let [SplitCoverage::File(coverage)] = &source.coverage()[..] else {
        panic!("a file");
    };
    let count = u64::try_from(records.len()).unwrap();
    assert_eq!(coverage.records_read, count);
    let seen = Seen {
        records,
        is_whole,
        format: coverage.format.clone(),
        damage: coverage.damage.clone(),
    };
    Some((source, seen))
}

fn paths() -> Vec<FieldPath> {
    let paths = [
        "key",
        "value",
        "charge_id",
        "a.b[0]",
        "headers.trace",
        "timestamp",
    ];
    paths.map(|path| FieldPath::parse(path).unwrap()).into()
}

/// Returns the place of a record and all that can be asked of it.
fn seen(view: RecordView<'_>, reader: &mut FieldReader) -> (u64, String) {
    let slot = view.slot();
    let mut values = [FieldValue::Missing; 6];
    reader.read(view, &mut values);
    let _ = existing_paths(view, 5);
    let _ = reader.explain(view);
    let headers = view.headers().map(|headers| headers.encoded().to_vec());
    let partition = view.topic_partition().map(ToString::to_string);
    let parts = (
        slot.line,
        slot.defect,
        view.key(),
        view.value(),
        headers,
        values,
    );
    let places = (partition, view.offset(), view.timestamp(), view.batch());
    let text = format!("{parts:?}{places:?}");
    let length = text.len();
    let shown: String = text.chars().take(400).collect();
    let sum = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
    (slot.position, format!("{shown} {length} {sum:x}"))
}

/// Reads the records at some places again.
fn read_again(source: &dyn RecordSource, places: &[u64]) -> Vec<(u64, String)> {
    let mut revisitor = source.revisit(SplitId(0)).unwrap();
    let mut reader = FieldReader::new(paths());
    let mut block = RecordBlock::default();
    let (mut records, mut done) = (Vec::new(), 0);
    while done < places.len() {
        let count = revisitor.fetch(&places[done..], &mut block).unwrap();
        assert!(count > 0, "the second pass stands still");
        done += count;
        records.extend(block.views().map(|view| seen(view, &mut reader)));
    }
    records
}

/// Reads a file in one piece, in pieces of some bytes, and again, which must say the same.
pub(crate) fn check(path: &Path, format: Option<FileFormat>, chunk_bytes: usize) {
    let Some((whole, seen)) = read(path, &options(format, 1 << 16)) else {
        return;
    };
    if !seen.is_whole {
        return;
    }
    let (_, in_pieces) = read(path, &options(format, chunk_bytes)).unwrap();
    assert_alike(&seen.records, &in_pieces.records, chunk_bytes);
    let damage = [&seen.damage, &in_pieces.damage];
    let binary = ["avro", "parquet", "segment"];
    if binary.iter().any(|name| seen.format.starts_with(name)) {
        // How far it reaches may depend on how much is seen of it at once.
        assert_eq!(damage[0].is_some(), damage[1].is_some(), "{damage:?}");
    } else {
        assert_eq!(damage[0], damage[1], "in pieces of {chunk_bytes} bytes");
    }
    let mut wanted = seen.records;
    let mut number = 0;
    wanted.retain(|_| {
        number += 1;
        number % 3 != chunk_bytes % 3
    });
    // The second pass asks for places, each once and in order.
    if wanted.is_sorted_by(|a, b| a.0 < b.0) {
        let places: Vec<u64> = wanted.iter().map(|(place, _)| *place).collect();
        assert_alike(&wanted, &read_again(&*whole, &places), 0);
    }
}

/// Checks that records are the same in pieces of some bytes, or in the second pass.
fn assert_alike(one: &[(u64, String)], other: &[(u64, String)], chunk_bytes: usize) {
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "in pieces of {chunk_bytes} bytes");
    }
    assert_eq!(one.len(), other.len(), "in pieces of {chunk_bytes} bytes");
}

/// Feeds a format, from fixtures of `fixtures/formats`.
fn fuzz(corpus: &str, format: Option<FileFormat>, fixtures: &[&str], words: &[&[u8]]) {
    let mut target = Target::new(corpus, words);
    let name = |name: &&str| fixture(&format!("formats/{name}"));
    target.seeds = fixtures.iter().map(name).collect();
    if format == Some(FileFormat::Avro) {
        // A block may come to half a gibibyte, and is read as one.
        target.memory_bytes_max = 800 * 1024 * 1024;
    }
    target.run(|path, input| {
        let chunk_bytes = 1 + input.iter().map(|&byte| usize::from(byte)).sum::<usize>() % 97;
        check(path, format, chunk_bytes);
    });
}

const JSON: &[&[u8]] = &[
    b"null",
    b"{\"a\":{\"b\":[",
    b"]}}",
    b"\"\\ud800\"",
    b"\"\\u0000\"",
    b"[[[[[[",
    b"]]]]]]",
    b"{\"charge_id\":1}",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"// x\n",
];

#[test]
fn any_bytes_are_told_or_refused() {
    let fixtures = [
        "charges.csv",
        "charges.jsonl",
        "charges.kcat.jsonl",
        "charges.akhq.json",
        "charges.logfmt",
        "charges.dump-2.0.txt",
        "charges.console-2.5.txt",
        "charges.avro",
        "charges.console-key.txt",
        "charges.message-db.csv",
        "charges.otel.json",
        "charges.redpanda-console.csv",
        "charges.no-header.csv",
    ];
    let words: &[&[u8]] = &[
        b"Dumping ",
        b"CreateTime:",
        b"{",
        b"\"events\":[",
        b"\0",
        b"PAR1",
    ];
    fuzz("fixtures/corpus/detect", None, &fixtures, words);
}

#[test]
fn json_lines_are_read_alike() {
    let format = Some(FileFormat::JsonLines);
    fuzz("fixtures/corpus/jsonl", format, &["charges.jsonl"], JSON);
}

#[test]
fn json_documents_are_read_alike() {
    let fixtures = [
        "charges.pretty.json",
        "charges.array.json",
        "charges.joined.json",
    ];
    fuzz(
        "fixtures/corpus/json",
        Some(FileFormat::Json),
        &fixtures,
        JSON,
    );
}

#[test]
fn envelopes_of_kcat_are_read_alike() {
    let words = [
        JSON,
        &[
            b"\"tstype\":\"logappend\"",
            b"\"headers\":[\"a\",null]",
            b"\"key_error\":\"x\",",
            b"\"unknown\":\"ts\"",
            b"\"payload\":{\"a\":1}",
        ],
    ]
    .concat();
    let fixtures = ["charges.kcat.jsonl"];
    fuzz(
        "fixtures/corpus/kcat",
        Some(FileFormat::Kcat),
        &fixtures,
        &words,
    );
}

#[test]
fn envelopes_of_other_tools_are_read_alike() {
    let fixtures = [
        "charges.rpk.json",
        "charges.kaf.jsonl",
        "charges.kafkactl.json",
        "charges.kafka-ui.json",
        "charges.akhq.json",
        "charges.redpanda-console-raw.json",
        "charges.kaf-each-row.jsonl",
        "charges.kafka-ui-messages.json",
    ];
    let words = [JSON, &[b"\"Headers\":{\"a\":1}", b"\"rawPayload\":\"AA=\""]].concat();
    fuzz("fixtures/corpus/envelopes", None, &fixtures, &words);
}

#[test]
fn lines_of_the_console_consumer_are_read_alike() {
    let words: &[&[u8]] = &[
        b"CreateTime:",
        b"LogAppendTime:",
        b"NO_TIMESTAMP\t",
        b"Partition:",
        b"Offset:",
        b"NO_HEADERS",
        b"\t",
        b"\n",
        b"Epoch:",
        b"h:v,",
        b"\t0",
    ];
    let fixtures = [
        "charges.console-2.0.txt",
        "charges.console-2.5.txt",
        "charges.console-2.7.txt",
        "charges.console-4.0.txt",
        "charges.console-key.txt",
    ];
    let format = Some(FileFormat::ConsoleConsumer);
    fuzz("fixtures/corpus/console-consumer", format, &fixtures, words);
}

#[test]
fn lines_of_dumped_logs_are_read_alike() {
    let words: &[&[u8]] = &[
        b"| offset: ",
        b"baseOffset: ",
        b"offset: ",
        b"Dumping x/t-0/0.log\n",
        b" payload: ",
        b" key: ",
        b"keySize: 2 ",
        b"valuesize: -1 ",
        b" headerKeys: [",
        b"endTxnMarker: ABORT ",
        b"isControl: true ",
        b"\n",
    ];
    let fixtures = [
        "charges.dump-2.0.txt",
        "charges.dump-2.3.txt",
        "charges.dump-2.8.txt",
        "charges.dump-3.3.txt",
    ];
    let format = Some(FileFormat::DumpLog);
    fuzz("fixtures/corpus/dump-log", format, &fixtures, words);
}

#[test]
fn lines_of_logfmt_are_read_alike() {
    let words: &[&[u8]] = &[b"a=", b"=\"", b"\\\"", b" ", b"\\u", b"charge_id="];
    let fixtures = ["charges.logfmt"];
    fuzz(
        "fixtures/corpus/logfmt",
        Some(FileFormat::Logfmt),
        &fixtures,
        words,
    );
}

#[test]
fn logs_of_services_are_read_alike() {
    let fixtures = [
        "charges.otel.json",
        "charges.otel.jsonl",
        "charges.cloudwatch.json",
    ];
    let words = [
        JSON,
        &[
            b"\"intValue\":\"9\"",
            b"\"message\":\"{}\"",
            b"\"timestamp\":1,",
        ],
    ]
    .concat();
    fuzz("fixtures/corpus/services", None, &fixtures, &words);
}

#[test]
fn rows_of_message_db_are_read_alike() {
    let words: &[&[u8]] = &[
        b"\"\"",
        b",",
        b"\"{\"\"a\"\": 1}\"",
        b"2026-01-15 02:30:00",
        b"\n",
    ];
    let format = Some(FileFormat::MessageDb);
    fuzz(
        "fixtures/corpus/message-db",
        format,
        &["charges.message-db.csv"],
        words,
    );
}

#[test]
fn avro_containers_are_read_alike() {
    let fixtures = [
        "charges.avro",
        "charges.deflate.avro",
        "charges.snappy.avro",
        "charges.zstandard.avro",
        "charges.bzip2.avro",
        "charges.xz.avro",
    ];
    let words: &[&[u8]] = &[
        b"0123456789abcdef",
        b"\"null\"",
        b"\"long\"",
        b"{\"type\":\"array\",\"items\":",
        b"\"logicalType\":\"decimal\"",
        b"\x01",
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    fuzz(
        "fixtures/corpus/avro",
        Some(FileFormat::Avro),
        &fixtures,
        words,
    );
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_files_are_read_alike() {
    let fixtures = [
        "charges.parquet",
        "charges.snappy.parquet",
        "charges.gzip.parquet",
        "charges.zstd.parquet",
        "charges.lz4.parquet",
        "charges.brotli.parquet",
    ];
    let words: &[&[u8]] = &[
        b"PAR1",
        b"\x15\x80\x80\x80\x80\x10",
        b"\x19\xf5\xff\xff\xff\xff\x0f",
    ];
    fuzz(
        "fixtures/corpus/parquet",
        Some(FileFormat::Parquet),
        &fixtures,
        words,
    );
}

#[test]
fn compressed_streams_are_read_alike() {
    let words: &[&[u8]] = &[
        b"\x1f\x8b\x08\0",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"\xff\x06\0\0sNaPpY",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"\x50\x2a\x4d\x18\x04\0\0\0",
    ];
    let format = Some(FileFormat::JsonLines);
    fuzz("fixtures/corpus/compressed", format, &[], words);
}
