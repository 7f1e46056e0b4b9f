//! Trees of sinks: coordinates where they are certain, and none where they are not.

use std::fs;
use std::path::Path;

use crate::record::{RecordBlock, SplitId};
use crate::source::file::{FileOpener, FileOptions};
use crate::source::{RecordSource, SplitCoverage, StopFlag};

fn open(path: &Path) -> (Box<dyn RecordSource>, bool) {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.chunk_bytes = 16;
    let mut opener = FileOpener::new(&options, StopFlag::default());
    let opened = opener.open(path, SplitId(0)).unwrap();
    (opened.source, opened.names_topics)
}

/// Returns the coordinates of all records, and why the format was chosen.
fn read(path: &Path) -> (Vec<String>, String) {
    let (source, names_topics) = open(path);
    let mut block = RecordBlock::default();
    let mut positions = Vec::new();
    let mut coordinates = Vec::new();
    let collect = |block: &RecordBlock, coordinates: &mut Vec<String>| {
        for view in block.views() {
            let of = view
                .topic_partition()
                .map_or(String::new(), ToString::to_string);
            coordinates.push(format!("{of}@{}", view.slot().offset));
        }
    };
    while source.next_block(&mut block).unwrap() {
        positions.extend(block.slots.iter().map(|slot| slot.position));
        collect(&block, &mut coordinates);
    }
    assert_eq!(
        names_topics,
        coordinates.iter().any(|of| !of.starts_with('@'))
    );
    let mut again = Vec::new();
    let mut revisitor = source.revisit(SplitId(0)).unwrap();
    while again.len() < positions.len() {
        revisitor
            .fetch(&positions[again.len()..], &mut block)
            .unwrap();
        collect(&block, &mut again);
    }
    assert_eq!(again, coordinates);
    let [SplitCoverage::File(coverage)] = &source.coverage()[..] else {
        panic!("a file");
    };
    (coordinates, coverage.format_reason.clone())
}

const TWO: &str = "{\"id\":1}\n{\"id\":2}\n";
const THREE: &str = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n";

#[test]
fn offsets_are_derived_only_where_they_are_certain() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("orders+0+0000000042.json", TWO),
        ("orders+0+0000000044.json", TWO),
        ("orders+0+0000000050.json", TWO),
        ("orders+0+0000000042.keys.json", TWO),
        ("paid+1+0000000007+0000000009.json", THREE),
        ("paid+1+0000000010+0000000019.json", THREE),
        (
            "paid+1+0000000020+0000000021.json",
            "{\"id\":1}\n\n{\"id\":2}\n",
        ),
        ("log-3-5.jsonl", TWO),
        ("log-3-7.jsonl", TWO),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    for (name, expected, reason) in [
        (
            "orders+0+0000000042.json",
            &["orders-0@42", "orders-0@43"][..],
            "are derived: it has",
        ),
        (
            "orders+0+0000000044.json",
            &["orders-0@-1"; 2],
            "2 records for the 6 offsets",
        ),
        (
            "orders+0+0000000050.json",
            &["orders-0@-1"; 2],
            "nothing says",
        ),
        (
            "paid+1+0000000007+0000000009.json",
            &["paid-1@7", "paid-1@8", "paid-1@9"],
            "[7, 10)",
        ),
        (
            "paid+1+0000000010+0000000019.json",
            &["paid-1@-1"; 3],
            "3 records for the 10",
        ),
        (
            "paid+1+0000000020+0000000021.json",
            &["paid-1@-1"; 2],
            "not one to a line",
        ),
        ("log-3-5.jsonl", &["log-3@5", "log-3@6"], "are derived"),
        ("log-3-7.jsonl", &["@-1"; 2], "JSON documents"),
    ] {
        let (coordinates, why) = read(&folder.path().join(name));
        assert_eq!(coordinates, expected, "{name}");
        assert!(why.contains(reason), "{why}");
    }
}
