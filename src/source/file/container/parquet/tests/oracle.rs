//! The plain way to read rows, value by value, to compare with.

use std::fs::File;
use std::path::Path;

use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;

use crate::source::file::container::parquet::row_json::push_row;

/// Returns all rows of a file.
pub(super) fn rows(path: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema().clone();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let mut out = Vec::new();
        push_row(&mut out, &row.unwrap(), Some(&schema));
        String::from_utf8(out).unwrap()
    })
    .collect()
}
