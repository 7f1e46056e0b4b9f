//! Rows of CSV are those of the `csv` crate, in pieces of any size.

use std::path::Path;

use dupaudit::decode::csv_row::{cell_value, cells};
use dupaudit::record::{RecordBlock, RecordDefect, SplitId};
use dupaudit::scan_json::field_text;
use dupaudit::source::file::{FileFormat, FileOptions, FileSource};
use dupaudit::source::{RecordSource, StopFlag};

use crate::{Target, fixture};

type Rows = Vec<Vec<Vec<u8>>>;

/// Returns the cells of a file's rows, and whether its last quote is closed.
fn read(path: &Path, chunk_bytes: usize) -> (Rows, bool) {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.format = Some(FileFormat::Csv);
    options.chunk_bytes = chunk_bytes;
    let stop = StopFlag::default();
    let source = FileSource::open(path, SplitId(0), &options, stop).unwrap();
    let mut block = RecordBlock::default();
    let (mut rows, mut is_closed) = (Vec::new(), true);
    while source.next_block(&mut block).unwrap() {
        for view in block.views() {
            is_closed &= view.slot().defect != Some(RecordDefect::InvalidText);
            let row = view.value().bytes().unwrap();
            rows.push(cells(row, b',').map(text).collect());
        }
    }
    (rows, is_closed)
}

fn text(cell: &[u8]) -> Vec<u8> {
    let mut scratch = Vec::new();
    let value = cell_value(cell);
    if value.is_absent() {
        return Vec::new();
    }
    field_text(value, &mut scratch).unwrap().to_vec()
}

#[test]
fn rows_are_those_of_the_csv_crate() {
    let words: &[&[u8]] = &[
        b"\"\"", b"\",\"", b"\r\n", b"\n\n", b",,", b"\"\n\"", b"\"a\"b",
    ];
    let mut target = Target::new("fixtures/corpus/rows", words);
    target.seeds = vec![
        fixture("formats/charges.csv"),
        fixture("formats/charges.message-db.csv"),
    ];
    target.run(|path, input| {
        // A header row that is as it should be; what comes under it is anything.
        let input = [b"x,y\n", input].concat();
        std::fs::write(path, &input).unwrap();
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.flexible(true).from_reader(&*input);
        let records = reader.byte_records().map(Result::unwrap);
        let expected: Rows = records
            .map(|row| row.iter().map(<[u8]>::to_vec).collect())
            .collect();
        for chunk_bytes in [1 << 16, 1 + input.len() % 61] {
            let (rows, is_closed) = read(path, chunk_bytes);
            if is_closed {
                assert_eq!(rows, expected, "in pieces of {chunk_bytes} bytes");
            } else {
                assert_eq!(rows.len(), expected.len());
            }
        }
    });
}
