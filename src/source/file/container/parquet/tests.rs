//! Parquet files that `PyArrow` wrote, whole and damaged.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId};
use crate::source::file::{FileError, FileOpener, FileOptions};
use crate::source::{RecordSource, SplitCoverage, StopFlag};

const FILES: [&str; 6] = [
    "charges.parquet",
    "charges.gzip.parquet",
    "charges.snappy.parquet",
    "charges.zstd.parquet",
    "charges.lz4.parquet",
    "charges.brotli.parquet",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/formats")
        .join(name)
}

fn open(path: &Path, chunk_bytes: usize) -> Result<Box<dyn RecordSource>, FileError> {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.chunk_bytes = chunk_bytes;
    let mut opener = FileOpener::new(&options, StopFlag::default());
    opener.open(path, SplitId(0)).map(|opened| opened.source)
}

/// Reads a file twice, in both passes, and returns its values.
fn read(source: &dyn RecordSource) -> (Vec<String>, FileCoverage) {
    let mut block = RecordBlock::default();
    let mut values = Vec::new();
    let collect = |block: &RecordBlock, values: &mut Vec<(u64, String)>| {
        for view in block.views() {
            let value = view.value().bytes().unwrap().to_vec();
            assert_eq!(view.slot().line, view.slot().position + 1);
            values.push((view.slot().position, String::from_utf8(value).unwrap()));
        }
    };
    while source.next_block(&mut block).unwrap() {
        collect(&block, &mut values);
    }
    let wanted: Vec<u64> = values
        .iter()
        .map(|(number, _)| *number)
        .step_by(2)
        .collect();
    let mut revisitor = source.revisit(SplitId(0)).unwrap();
    let (mut again, mut done) = (Vec::new(), 0);
    while done < wanted.len() {
        done += revisitor.fetch(&wanted[done..], &mut block).unwrap();
        collect(&block, &mut again);
    }
    assert_eq!(again, values.iter().step_by(2).cloned().collect::<Vec<_>>());
    let [SplitCoverage::File(coverage)] = &source.coverage()[..] else {
        panic!("a file");
    };
    let values = values.into_iter().map(|(_, value)| value).collect();
    (values, coverage.clone())
}

fn read_bytes(bytes: &[u8]) -> Result<(Vec<String>, FileCoverage), FileError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    open(file.path(), 1).map(|source| read(&*source))
}

#[test]
fn every_codec_gives_the_same_records() {
    for name in FILES {
        for chunk_bytes in [1, 300, 1 << 20] {
            let source = open(&fixture(name), chunk_bytes).unwrap();
            let (values, coverage) = read(&*source);
            assert_eq!(values.len(), 12, "{name}");
            assert_eq!(
                values[4],
                r#"{"charge_id":"ch_4","amount":4.50,"currency":"USD","note":"card \"4\", paid","#
                    .to_owned()
                    + r#""created":"2026-01-15T02:30:04.000Z","customer":{"id":"cus_4","#
                    + r#""tags":["a","b\"c"]},"position":9007199254740997}"#
            );
            assert_eq!(coverage.damage, None);
            assert_eq!(coverage.format, "parquet");
            assert_eq!(coverage.records_read, 12);
        }
    }
}

#[test]
fn truncation_and_damage_are_stated() {
    let bytes = fs::read(fixture("charges.snappy.parquet")).unwrap();
    let (values, coverage) = read_bytes(&bytes[..bytes.len() - 20]).unwrap();
    assert_eq!(values.len(), 0);
    let damage = coverage.damage.unwrap();
    assert!(damage.contains("it may be truncated"), "{damage}");
    let mut flipped = bytes.clone();
    for byte in flipped.iter_mut().skip(1200).take(300) {
        *byte ^= 0xff;
    }
    let (values, coverage) = read_bytes(&flipped).unwrap();
    assert!(values.len() < 12);
    assert!(coverage.damage.unwrap().contains("row group"));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 128,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_damage_ends_in_records_or_words(
        file in 0..FILES.len(),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 1..=u8::MAX), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = fs::read(fixture(FILES[file])).unwrap();
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()).max(4));
        }
        for (at, flip) in flips {
            let at = at.index(bytes.len()).max(4).min(bytes.len() - 1);
            bytes[at] ^= flip;
        }
        bytes[..4].copy_from_slice(b"PAR1");
        drop(read_bytes(&bytes));
    }
}
