//! What tests of all container formats share: a file is read in both passes, as a path or bytes.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId};
use crate::source::file::{FileError, FileOpener, FileOptions};
use crate::source::{RecordSource, SplitCoverage, StopFlag};

pub(super) fn fixture(name: &str) -> PathBuf {
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
pub(super) fn read(source: &dyn RecordSource) -> (Vec<String>, FileCoverage) {
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

pub(super) fn read_bytes(bytes: &[u8]) -> Result<(Vec<String>, FileCoverage), FileError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    open(file.path(), 1).map(|source| read(&*source))
}

/// Reads files of the same twelve records, each packed in another way.
pub(super) fn every_codec_gives_the_same_records(names: &[&str], format: &str) {
    for name in names {
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
            assert_eq!(coverage.format, format);
            assert_eq!(coverage.records_read, 12);
        }
    }
}
