//! Parquet and Avro files that other people's libraries write in the test are read value by value.

use std::fs;
use std::path::Path;

use dupaudit::record::{RecordBlock, SplitId};
use dupaudit::source::file::{FileOpener, FileOptions};
use dupaudit::source::{RecordSource, SplitCoverage, StopFlag};

use crate::support::python::{python, run};
use crate::support::{Workspace, or_skip};

/// What writes Parquet and Avro, and the codecs that they need for it.
const PACKAGES: [&str; 4] = [
    "pyarrow==26.0.1",
    "fastavro==1.13.1",
    "cramjam==2.14.0",
    "backports.zstd==1.8.0",
];

/// Reads a file in both passes, and returns its values as lines and what was said of it.
fn read(path: &Path, chunk_bytes: usize) -> (String, String) {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.chunk_bytes = chunk_bytes;
    let mut opener = FileOpener::new(&options, StopFlag::default());
    let source = opener.open(path, SplitId(0)).unwrap().source;
    let mut block = RecordBlock::default();
    let (mut lines, mut positions) = (String::new(), Vec::new());
    while source.next_block(&mut block).unwrap() {
        push_lines(&block, &mut lines);
        positions.extend(block.slots.iter().map(|slot| slot.position));
    }
    assert_eq!(
        read_again(&*source, &positions),
        lines,
        "{}",
        path.display()
    );
    let [SplitCoverage::File(coverage)] = &source.coverage()[..] else {
        panic!("a file");
    };
    assert!(coverage.is_complete(), "{coverage:?}");
    (lines, coverage.format.clone())
}

fn read_again(source: &dyn RecordSource, positions: &[u64]) -> String {
    let mut revisitor = source.revisit(SplitId(0)).unwrap();
    let mut block = RecordBlock::default();
    let (mut lines, mut done) = (String::new(), 0);
    while done < positions.len() {
        done += revisitor.fetch(&positions[done..], &mut block).unwrap();
        push_lines(&block, &mut lines);
    }
    lines
}

fn push_lines(block: &RecordBlock, lines: &mut String) {
    for view in block.views() {
        assert_eq!(view.slot().defect, None);
        let value = view.value().bytes().unwrap();
        lines.push_str(std::str::from_utf8(value).unwrap());
        lines.push('\n');
    }
}

#[test]
fn what_pyarrow_and_fastavro_write_is_read_value_by_value() {
    let Some(python) = or_skip(python("writers", &PACKAGES)) else {
        return;
    };
    let workspace = Workspace::new();
    let folder = workspace.path().display().to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/formats/writers.py");
    run(&python.display().to_string(), &[script, &folder]).unwrap();
    let mut counts = [0, 0];
    for entry in fs::read_dir(workspace.path()).unwrap() {
        let path = entry.unwrap().path();
        let Some(end) = path.extension().filter(|end| *end != "expected") else {
            continue;
        };
        let is_parquet = end == "parquet";
        counts[usize::from(is_parquet)] += 1;
        if is_parquet && !cfg!(feature = "parquet") {
            continue;
        }
        let expected = format!("{}.expected", path.display());
        let expected = fs::read_to_string(expected).unwrap();
        for chunk_bytes in [1, 1 << 20] {
            let (lines, format) = read(&path, chunk_bytes);
            assert_eq!(format.as_str(), end, "{}", path.display());
            for (line, expected) in lines.lines().zip(expected.lines()) {
                assert_eq!(line, expected, "{}", path.display());
            }
            assert_eq!(lines, expected, "{}", path.display());
        }
    }
    assert_eq!(counts, [12, 26]);
}
