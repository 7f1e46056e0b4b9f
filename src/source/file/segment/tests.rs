//! Segments that a real broker wrote, read whole, in part and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId};
use crate::source::file::{FileOpener, FileOptions, walk};
use crate::source::kafka::Isolation;
use crate::source::record_batch::batch_encoder::TestBatch;
use crate::source::{RecordSource, SplitCoverage, StopFlag};

const COMMITTED: Isolation = Isolation::ReadCommitted;
const UNCOMMITTED: Isolation = Isolation::ReadUncommitted;
const SEGMENT: &str = "00000000000000000000.log";

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/segments");
    fs::read(folder.join(name)).unwrap()
}

/// Records of one file: value by offset.
type Values = BTreeMap<i64, Option<Vec<u8>>>;

struct Read {
    values: Values,
    coverage: FileCoverage,
    topic: Option<String>,
    aborted: usize,
}

fn note(block: &RecordBlock, read: &mut Read) {
    for view in block.views() {
        let value = view.value().bytes().map(<[u8]>::to_vec);
        let offset = view.offset().unwrap();
        assert_eq!(view.slot().position, u64::try_from(offset).unwrap());
        assert!(read.values.insert(offset, value).is_none(), "{offset}");
        read.topic = view.topic_partition().map(ToString::to_string);
        let is_aborted = view.batch().unwrap().is_aborted.unwrap();
        read.aborted += usize::from(is_aborted);
    }
}

fn read_all(source: &dyn RecordSource) -> Read {
    let mut block = RecordBlock::default();
    let [SplitCoverage::File(coverage)] = &source.coverage()[..] else {
        panic!("a segment is a file");
    };
    let mut read = Read {
        values: Values::new(),
        coverage: coverage.clone(),
        topic: None,
        aborted: 0,
    };
    while source.next_block(&mut block).unwrap() {
        note(&block, &mut read);
    }
    if let [SplitCoverage::File(coverage)] = &source.coverage()[..] {
        read.coverage = coverage.clone();
    }
    assert_eq!(
        read.coverage.records_read,
        u64::try_from(read.values.len()).unwrap()
    );
    read
}

/// Reads single records again and compares.
fn revisit(source: &dyn RecordSource, expected: &Values) {
    let split = source.splits()[0];
    let mut revisitor = source.revisit(split).unwrap();
    let wanted: Vec<u64> = expected
        .keys()
        .filter(|offset| *offset % 3 != 1)
        .map(|offset| u64::try_from(*offset).unwrap())
        .collect();
    let mut block = RecordBlock::default();
    let mut found = Values::new();
    let mut done = 0;
    while done < wanted.len() {
        done += revisitor.fetch(&wanted[done..], &mut block).unwrap();
        for view in block.views() {
            let value = view.value().bytes().map(<[u8]>::to_vec);
            found.insert(view.offset().unwrap(), value);
        }
    }
    let mut expected = expected.clone();
    expected.retain(|offset, _| *offset % 3 != 1);
    assert_eq!(found, expected);
}

fn open(paths: &[PathBuf], isolation: Isolation, chunk_bytes: usize) -> Vec<Box<dyn RecordSource>> {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.isolation = isolation;
    options.chunk_bytes = chunk_bytes;
    let mut opener = FileOpener::new(&options, StopFlag::default());
    let opened = (0..).zip(paths).map(|(split, path)| {
        let opened = opener.open(path, SplitId(split)).unwrap();
        assert_eq!(opened.names_topics, opened.source.can_repeat_coordinates());
        opened.source
    });
    opened.collect()
}

/// Writes segments into the folder of a partition.
fn partition(segments: &[(&str, &[u8])]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let partition = folder.path().join("charges-3");
    fs::create_dir(&partition).unwrap();
    let paths = segments.iter().map(|(name, bytes)| {
        let path = partition.join(name);
        fs::write(&path, bytes).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

fn read_one(bytes: &[u8], isolation: Isolation, chunk_bytes: usize) -> Read {
    let (_folder, paths) = partition(&[(SEGMENT, bytes)]);
    let sources = open(&paths, isolation, chunk_bytes);
    let read = read_all(&*sources[0]);
    revisit(&*sources[0], &read.values);
    read
}

#[test]
fn every_format_and_codec_is_read_in_chunks_of_any_size() {
    for name in [
        "magic0-none.log",
        "magic0-gzip.log",
        "magic0-snappy.log",
        "magic0-lz4.log",
        "magic1-none.log",
        "magic1-gzip.log",
        "magic1-snappy.log",
        "magic1-lz4.log",
        "magic1-gzip-log-append-time.log",
        "magic2-lz4-log-append-time.log",
    ] {
        for chunk_bytes in [1, 500, 1 << 20] {
            let read = read_one(&fixture(name), COMMITTED, chunk_bytes);
            assert_eq!(read.values.len(), 120, "{name}");
            assert_eq!(read.coverage.damage, None, "{name}");
            assert_eq!(read.coverage.format, "segment");
            assert_eq!(read.topic.as_deref(), Some("charges-3"));
        }
    }
}

/// Records of the transactions in the fixture, by what became of them.
fn dumped_transactions() -> (Values, Values) {
    let bytes = fixture("magic2-zstd-transactions.log");
    let everything = read_one(&bytes, UNCOMMITTED, 1 << 20);
    let committed = read_one(&bytes, COMMITTED, 1 << 20);
    (everything.values, committed.values)
}

#[test]
fn aborted_and_open_transactions_are_left_out_and_stated() {
    let bytes = fixture("magic2-zstd-transactions.log");
    let (everything, committed) = dumped_transactions();
    // Six transactions of ten: the third and sixth aborted.
    assert_eq!((everything.len(), committed.len()), (60, 40));
    let read = read_one(&bytes, COMMITTED, 300);
    assert_eq!(read.values, committed);
    assert_eq!(read.coverage.damage, None);
    // Without its last marker.
    let bytes = &bytes[..4101];
    let read = read_one(bytes, COMMITTED, 300);
    assert_eq!(read.values, committed);
    assert_eq!(read.aborted, 0);
    let damage = read.coverage.damage.unwrap();
    assert!(
        damage.starts_with("open-transaction: 10 records"),
        "{damage}"
    );
    let notes = read.coverage.notes.join("\n");
    assert!(
        notes.contains("records of aborted transactions were left out"),
        "{notes}"
    );
    let read = read_one(bytes, UNCOMMITTED, 300);
    assert_eq!(read.values, everything);
    assert_eq!(read.coverage.damage, None);
    assert_eq!(read.aborted, 10);
}

#[test]
fn a_marker_in_a_later_segment_decides_named_or_not() {
    let mut records = TestBatch::of_records(0, 4);
    records.producer_id = 9;
    records.attributes |= 1 << 4;
    let records = records.encode();
    let marker = |abort: bool| TestBatch::marker(4, 9, i16::from(!abort)).encode();
    for (abort, delivered) in [(true, 0), (false, 4)] {
        let marker = marker(abort);
        let later = "00000000000000000004.log";
        let (_folder, paths) = partition(&[(SEGMENT, &records), (later, &marker)]);
        for named in [&paths[..], &paths[..1]] {
            let sources = open(named, COMMITTED, 1 << 20);
            let read = read_all(&*sources[0]);
            assert_eq!(read.values.len(), delivered);
            assert_eq!(read.coverage.damage, None);
            let is_noted = read.coverage.notes.iter().any(|note| note.contains(later));
            assert_eq!(is_noted, named.len() == 1);
        }
    }
}

#[test]
fn a_segment_that_is_missing_between_others_is_stated() {
    let [first, second] = [0, 40].map(|base| TestBatch::of_records(base, 10).encode());
    let (_folder, paths) = partition(&[(SEGMENT, &first), ("00000000000000000040.log", &second)]);
    let sources = open(&paths, COMMITTED, 1 << 20);
    let damage = read_all(&*sources[0]).coverage.damage.unwrap();
    assert!(
        damage.starts_with("offsets [10, 40) are neither in it nor"),
        "{damage}"
    );
    assert_eq!(read_all(&*sources[1]).coverage.damage, None);
}

#[test]
fn damage_costs_its_batch_and_is_stated_with_its_offsets() {
    let batches = [0, 10, 20].map(|base| TestBatch::of_records(base, 10).encode());
    let mut bytes = batches.concat();
    bytes[batches[0].len() + 80] ^= 1;
    let read = read_one(&bytes, COMMITTED, 1 << 20);
    assert_eq!(read.values.len(), 20);
    let damage = read.coverage.damage.unwrap();
    assert!(damage.contains("(offsets [10, 20))"), "{damage}");
    assert!(damage.contains("checksum mismatch"), "{damage}");

    let bytes = batches.concat();
    let read = read_one(&bytes[..bytes.len() - 5], COMMITTED, 64);
    assert_eq!(read.values.len(), 20);
    let damage = read.coverage.damage.unwrap();
    assert!(
        damage.starts_with("truncated within a record batch at byte"),
        "{damage}"
    );
}

#[test]
fn a_segment_outside_a_partition_folder_has_no_coordinates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copied.bin");
    fs::write(&path, TestBatch::of_records(5, 3).encode()).unwrap();
    let sources = open(&[path], COMMITTED, 1 << 20);
    assert!(!sources[0].can_repeat_coordinates());
    let read = read_all(&*sources[0]);
    assert_eq!(read.topic, None);
    assert_eq!(read.values.len(), 3);
    assert!(read.coverage.notes[0].contains("TOPIC-PARTITION"));
}

#[test]
fn an_empty_segment_is_complete_and_a_compressed_one_unpacked() {
    let (_folder, paths) = partition(&[(SEGMENT, b"")]);
    let sources = open(&paths, COMMITTED, 1 << 20);
    let read = read_all(&*sources[0]);
    assert_eq!(read.coverage.damage, None);
    assert_eq!(read.coverage.format, "segment");

    let packed = zstd::encode_all(&*TestBatch::of_records(0, 7).encode(), 1).unwrap();
    let (_folder, paths) = partition(&[("00000000000000000000.log.zst", &packed)]);
    let sources = open(&paths, COMMITTED, 1 << 20);
    let read = read_all(&*sources[0]);
    assert_eq!(read.values.len(), 7);
    assert_eq!(read.coverage.format, "segment+zstd");
    assert_eq!(read.topic.as_deref(), Some("charges-3"));
    revisit(&*sources[0], &read.values);
}

#[test]
fn a_data_folder_is_walked_past_what_is_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let batch = TestBatch::of_records(0, 2).encode();
    for (name, bytes) in [
        ("meta.properties", &b"version=1"[..]),
        ("cleaner-offset-checkpoint", b"0\n0\n"),
        ("charges-0/00000000000000000000.log", &batch),
        ("charges-0/00000000000000000000.index", b""),
        ("charges-0/00000000000000000000.timeindex", b"\0\0"),
        ("charges-0/leader-epoch-checkpoint", b"0\n1\n0 0\n"),
        ("charges-0/partition.metadata", b"version: 0\n"),
        ("charges-1.0af3-delete/00000000000000000000.log", &batch),
        ("__consumer_offsets-0/00000000000000000000.log", &batch),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let list = walk::expand(&[folder.path().to_owned()]).unwrap();
    let log = folder.path().join("charges-0").join(SEGMENT);
    assert_eq!(list.paths, [log]);
    let notes = list.notes.join("\n");
    for part in [
        "cleaner-offset-checkpoint, meta.properties",
        "00000000000000000000.index, 00000000000000000000.timeindex, leader-epoch-checkpoint, \
         partition.metadata",
        "-delete` holds a log that a broker deletes or moves",
        "__consumer_offsets-0` holds a log that brokers keep for themselves",
    ] {
        assert!(notes.contains(part), "{notes}");
    }
    let internal = folder.path().join("__consumer_offsets-0");
    assert_eq!(walk::expand(&[internal]).unwrap().paths.len(), 1);
}

#[test]
fn text_with_the_name_of_a_segment_stays_text() {
    let text = b"{\"charge_id\":\"a\"}\n";
    let (_folder, paths) = partition(&[(SEGMENT, text)]);
    let sources = open(&paths, COMMITTED, 1 << 20);
    let [SplitCoverage::File(coverage)] = &sources[0].coverage()[..] else {
        panic!("a file");
    };
    assert_eq!(coverage.format, "jsonl");
}

#[test]
fn noise_is_no_segment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.log");
    fs::write(&path, [&[0, 0, 0, 9][..], &[0x99; 100]].concat()).unwrap();
    let options = FileOptions::new(std::env::temp_dir());
    let mut opener = FileOpener::new(&options, StopFlag::default());
    let refused = opener
        .open(&path, SplitId(0))
        .map(|of| of.source.coverage());
    assert!(!format!("{refused:?}").contains("segment"), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 64,
        ..ProptestConfig::default()
    })]

    #[test]
    fn damaged_segments_never_gain_records(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 1..=u8::MAX), 1..5),
        cut in any::<proptest::sample::Index>(),
        chunk_bytes in 1..3000_usize,
    ) {
        let whole = fixture("magic2-zstd-transactions.log");
        let (everything, _) = dumped_transactions();
        let mut bytes = whole.clone();
        bytes.truncate(cut.index(bytes.len()).max(200));
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        bytes[0] = 0;
        let read = read_one(&bytes, UNCOMMITTED, chunk_bytes);
        for (offset, value) in &read.values {
            prop_assert!(everything.values().any(|known| known == value), "{}", offset);
        }
    }
}
