//! Trees of sinks: coordinates where they are certain, and none where they are not.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::finding::FileCoverage;
use crate::record::{Payload, RecordBlock, SplitId};
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

/// Returns key, headers and defect of every record, in both passes, and the coverage.
fn read_beside(path: &Path) -> (Vec<String>, FileCoverage) {
    let (source, _) = open(path);
    let mut block = RecordBlock::default();
    let (mut positions, mut shown) = (Vec::new(), Vec::new());
    let show = |block: &RecordBlock, shown: &mut Vec<String>| {
        for view in block.views() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let key = view.key().bytes().map_or("-".to_owned(), text);
            let headers = view.headers().into_iter().flatten().map(|header| {
                let value = header.value.map_or("-".to_owned(), text);
                format!(" {}={value}", text(header.name))
            });
            let headers: String = headers.collect();
            let defect = view.slot().defect.map(|defect| format!(" {defect:?}"));
            shown.push(format!("{key}{headers}{}", defect.unwrap_or_default()));
        }
    };
    while source.next_block(&mut block).unwrap() {
        positions.extend(block.slots.iter().map(|slot| slot.position));
        show(&block, &mut shown);
    }
    // Every second record, as suspects are.
    let wanted: Vec<u64> = positions.iter().copied().step_by(2).collect();
    let mut again = Vec::new();
    let mut revisitor = source.revisit(SplitId(0)).unwrap();
    while again.len() < wanted.len() {
        revisitor.fetch(&wanted[again.len()..], &mut block).unwrap();
        show(&block, &mut again);
    }
    let expected: Vec<String> = shown.iter().cloned().step_by(2).collect();
    assert_eq!(again, expected);
    let [SplitCoverage::File(coverage)] = &source.coverage()[..] else {
        panic!("a file");
    };
    (shown, coverage.clone())
}

#[test]
fn keys_and_headers_are_joined_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let value = folder.path().join("orders+0+0000000042.json");
    fs::write(&value, THREE).unwrap();
    let keys = folder.path().join("orders+0+0000000042.keys.json");
    fs::write(&keys, "\"ord-1\"\nnull\n\"ord-1\n").unwrap();
    let headers = folder.path().join("orders+0+0000000042.headers.json");
    let lines = "{\"headers\":[{\"key\":\"a\",\"value\":\"1\"}]}\n{\"headers\":[]}\n[]\n";
    fs::write(&headers, lines).unwrap();
    let (shown, coverage) = read_beside(&value);
    assert_eq!(shown, ["ord-1 a=1", "-", "- InvalidEnvelope"]);
    assert_eq!(coverage.damage, None);
    assert_eq!(coverage.notes.len(), 2, "{:?}", coverage.notes);
    // With another number of lines nothing says whose keys they are.
    fs::write(&keys, "\"ord-1\"\n\"ord-2\"\n").unwrap();
    let (shown, coverage) = read_beside(&value);
    assert_eq!(shown, ["- a=1", "-", "-"]);
    let damage = coverage.damage.unwrap();
    assert!(
        damage.contains("keys.json` are not joined: it has 2 for 3"),
        "{damage}"
    );
    fs::remove_file(&keys).unwrap();
    fs::create_dir(&keys).unwrap();
    let damage = read_beside(&value).1.damage.unwrap();
    assert!(damage.contains("is neither a file nor a pipe"), "{damage}");
}

#[test]
fn raw_and_packed_keys_are_joined_too() {
    let folder = tempfile::tempdir().unwrap();
    let value = folder.path().join("orders+0+0000000042+0000000043.json");
    fs::write(&value, TWO).unwrap();
    let raw = folder
        .path()
        .join("orders+0+0000000042+0000000043.keys.bin");
    fs::write(&raw, "\"a\nb\n").unwrap();
    assert_eq!(read_beside(&value).0, ["\"a", "b"]);
    fs::remove_file(raw).unwrap();
    let packed = folder
        .path()
        .join("orders+0+0000000042+0000000043.keys.json.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"\"a\"\n\"b\"\n").unwrap();
    let bytes = gzip.finish().unwrap();
    fs::write(&packed, &bytes).unwrap();
    assert_eq!(read_beside(&value).0, ["a", "b"]);
    fs::write(&packed, &bytes[..bytes.len() - 9]).unwrap();
    let (shown, coverage) = read_beside(&value);
    assert_eq!(shown, ["-", "-"]);
    assert!(coverage.damage.unwrap().contains("gzip stream ends early"));
}

#[test]
fn records_of_aiven_are_opened_where_name_and_content_agree() {
    let folder = tempfile::tempdir().unwrap();
    let object = |offset: u64| format!("{{\"key\":\"k\",\"value\":\"v\",\"offset\":{offset}}}");
    let row = |offset: u64| format!("aw==,dg==,{offset},1554210895000");
    for (name, text, expected) in [
        (
            "orders-0-7.jsonl",
            [object(7), object(9)].join("\n"),
            &["orders-0@7", "orders-0@9"][..],
        ),
        (
            "orders-1-7.json",
            format!("[\n{},\n{}\n]\n", object(7), object(9)),
            &["orders-1@7", "orders-1@9"],
        ),
        (
            "orders-2-7.csv",
            [row(7), row(9)].join("\n"),
            &["orders-2@7", "orders-2@9"],
        ),
        (
            "orders-3-7.jsonl",
            [object(8), object(9)].join("\n"),
            &["@-1", "@-1"],
        ),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let (coordinates, why) = read(&path);
        assert_eq!(coordinates, expected, "{name}");
        assert_eq!(
            why.contains("offsets stand with the records"),
            expected[0] != "@-1",
            "{why}"
        );
    }
    fs::write(folder.path().join("orders-4-7.csv"), row(8)).unwrap();
    let options = FileOptions::new(std::env::temp_dir());
    let mut opener = FileOpener::new(&options, StopFlag::default());
    assert!(
        opener
            .open(&folder.path().join("orders-4-7.csv"), SplitId(0))
            .is_err()
    );
}

/// An Avro file of keys, offsets and values that may be null, put together by hand.
fn avro_file(records: &[(&str, i64, &str)]) -> Vec<u8> {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"key","type":"string"},
        {"name":"offset","type":"long"},{"name":"value","type":["null","string"]}]}"#;
    let long = |out: &mut Vec<u8>, number: i64| {
        let mut zigzag = number.cast_unsigned() << 1;
        while zigzag >= 0x80 {
            out.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
            zigzag >>= 7;
        }
        out.push(u8::try_from(zigzag).unwrap());
    };
    let text = |out: &mut Vec<u8>, text: &str| {
        long(out, i64::try_from(text.len()).unwrap());
        out.extend_from_slice(text.as_bytes());
    };
    let sync = [7; 16];
    let mut file = b"Obj\x01".to_vec();
    long(&mut file, 1);
    text(&mut file, "avro.schema");
    text(&mut file, schema);
    long(&mut file, 0);
    file.extend_from_slice(&sync);
    let mut block = Vec::new();
    for (key, offset, value) in records {
        text(&mut block, key);
        long(&mut block, *offset);
        long(&mut block, 1);
        text(&mut block, value);
    }
    long(&mut file, i64::try_from(records.len()).unwrap());
    long(&mut file, i64::try_from(block.len()).unwrap());
    file.extend_from_slice(&block);
    file.extend_from_slice(&sync);
    file
}

#[test]
fn records_of_aiven_are_opened_in_containers_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders-0-7.avro");
    let records = [("k", 7, "{\"id\":1}"), ("k", 9, "{\"id\":1}")];
    fs::write(&path, avro_file(&records)).unwrap();
    assert_eq!(read(&path).0, ["orders-0@7", "orders-0@9"]);
    assert_eq!(read_beside(&path).0, ["k", "k"]);
}

#[test]
fn keys_of_tombstones_are_records_without_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let apart = folder.path().join("tombstone");
    fs::create_dir(&apart).unwrap();
    let path = apart.join("orders+0+0000000042.keys.json");
    fs::write(&path, "\"ord-1\"\n{\"id\":1}\n{\n").unwrap();
    let (coordinates, why) = read(&path);
    assert_eq!(coordinates, ["orders-0@-1"; 3]);
    assert!(why.contains("keys of tombstones stand apart"), "{why}");
    let shown = read_beside(&path).0;
    assert_eq!(shown, ["ord-1", "{\"id\":1}", "- InvalidEnvelope"]);
    let (source, _) = open(&path);
    let mut block = RecordBlock::default();
    assert!(source.next_block(&mut block).unwrap());
    assert_eq!(block.view(0).unwrap().value(), Payload::Null);
}
