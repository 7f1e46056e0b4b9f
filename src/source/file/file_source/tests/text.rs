//! Lines, rows and documents as people and programs write them.

use super::*;

#[test]
fn a_line_over_the_limit_is_one_bad_record() {
    let long = "x".repeat(1_000_000);
    let text = format!("{{\"a\":1}}\n\"{long}\"\r\n{{\"a\":2}}\n{long}");
    let mut options = options(Some(FileFormat::JsonLines), 4_096);
    options.line_bytes_max = 10_000;
    let (source, _file) = open(text.as_bytes(), &options);
    let mut block = RecordBlock::default();
    let mut records = Vec::new();
    while source.next_block(&mut block).unwrap() {
        assert!(
            block.bytes.capacity() < 100_000,
            "{}",
            block.bytes.capacity()
        );
        records.extend(block.views().map(seen));
    }
    let shape: Vec<_> = records
        .iter()
        .map(|seen| (seen.line, seen.defect))
        .collect();
    let too_long = Some(RecordDefect::TooLong);
    assert_eq!(shape, [(1, None), (2, too_long), (3, None), (4, too_long)]);
    assert!(coverage(&source).is_complete());
}

#[test]
fn a_byte_order_mark_is_skipped_and_counted() {
    let (source, _file) = open(b"\xef\xbb\xbf{\"a\":1}\r\n{\"a\":2}", &options(None, 5));
    let records = drain(&source);
    let places: Vec<_> = records
        .iter()
        .map(|seen| (seen.position, seen.line))
        .collect();
    assert_eq!(places, [(3, 1), (12, 2)]);
    assert_eq!(records[0].value, "={\\\"a\\\":1}");
    let (source, _file) = open(b"\xef\xbb\xbfid;n\r\n\r\n1;2\r\n3;4;5\n", &options(None, 5));
    let records = drain(&source);
    let shape: Vec<_> = records
        .iter()
        .map(|seen| (seen.line, seen.defect))
        .collect();
    assert_eq!(shape, [(3, None), (4, Some(RecordDefect::WrongCellCount))]);
    let mut block = RecordBlock::default();
    assert!(!source.next_block(&mut block).unwrap());
    let columns: Arc<[Box<[u8]>]> = Arc::from([&b"id"[..], b"n"].map(Box::from));
    let delimiter = b';';
    assert_eq!(block.value_format, ValueFormat::Csv { delimiter, columns });
}

#[test]
fn an_open_quote_is_damage_that_names_its_line() {
    let (source, _file) = open(b"id,n\n1,2\n3,\"4\n5,6\n", &options(None, 4));
    let records = drain(&source);
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].defect, Some(RecordDefect::InvalidText));
    assert!(
        coverage(&source)
            .damage
            .unwrap()
            .contains("starts in line 3")
    );
}

#[test]
fn documents_that_are_not_one_per_line_have_their_places() {
    let array = b"\xef\xbb\xbf [\n  {\"a\": 1},\n\n  {\n    \"a\": 2\n  }\n]\n[{\"a\":3}]";
    let (source, _file) = open(array, &options(None, 3));
    let records = drain(&source);
    let places: Vec<_> = records
        .iter()
        .map(|seen| (seen.position, seen.line))
        .collect();
    assert_eq!(places, [(8, 2), (21, 4), (41, 8)]);
    assert_eq!(records[2].value, "={\\\"a\\\":3}");
    assert!(coverage(&source).is_complete(), "{:?}", coverage(&source));
    let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
    assert_eq!(fetch(&source, &positions), records);
}

#[test]
fn what_is_never_closed_is_damage() {
    for (text, count, damage) in [
        (
            "[{\"a\":1},\n{\"a\":2}",
            2,
            "the JSON array is never closed",
        ),
        (
            "[{\"a\":1},\n{\"a\":2},\n",
            2,
            "the JSON array is never closed",
        ),
        (
            "[{\"a\":1},\n{\"a\":",
            2,
            "starts in line 2 opens the JSON document",
        ),
        (
            "{\n\"a\":1}\n{\"a\":",
            2,
            "starts in line 3 opens the JSON document",
        ),
    ] {
        for chunk_bytes in [1, 7, 1000] {
            let (source, _file) = open(text.as_bytes(), &options(None, chunk_bytes));
            assert_eq!(drain(&source).len(), count, "{text}");
            let found = coverage(&source).damage.unwrap_or_default();
            assert!(found.contains(damage), "{text}: {found}");
        }
    }
    for text in ["[]", "[\n]\n", "[{\"a\":1}]", "[{\"a\":1}]\n\n"] {
        let (source, _file) = open(text.as_bytes(), &options(None, 2));
        drain(&source);
        assert_eq!(coverage(&source).damage, None, "{text}");
    }
}
