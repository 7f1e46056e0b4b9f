//! The cells of one CSV row, split as the `csv` crate splits them.

use std::iter;

use crate::record::FieldValue;

/// Returns the cells of a row without its line end, each as it is written, quotes and all.
///
/// A row has at least one cell.
pub fn cells(row: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(row);
    iter::from_fn(move || {
        let row = rest?;
        let cell = row.get(..end_of_cell(row, delimiter)).unwrap_or(row);
        // Behind the delimiter another cell starts, even at the end of the row.
        rest = row.get(cell.len() + 1..);
        Some(cell)
    })
}

/// Returns the value of a cell as it is written; an empty one is missing.
pub fn cell_value(cell: &[u8]) -> FieldValue<'_> {
    let content = match cell {
        [] | [b'"'] | [b'"', b'"'] => return FieldValue::Missing,
        [b'"', content @ ..] => content,
        plain => return FieldValue::Bytes(plain),
    };
    match memchr::memchr(b'"', content) {
        // A quote that is not closed ends with the row.
        None => FieldValue::Bytes(content),
        Some(quote) if quote + 1 == content.len() => {
            FieldValue::Bytes(content.get(..quote).unwrap_or_default())
        }
        Some(_) => FieldValue::QuotedCell(content),
    }
}

#[inline]
fn end_of_cell(row: &[u8], delimiter: u8) -> usize {
    let unquoted = match row {
        [b'"', ..] => end_of_quotes(row),
        _ => 0,
    };
    let rest = row.get(unquoted..).unwrap_or_default();
    unquoted + memchr::memchr(delimiter, rest).unwrap_or(rest.len())
}

/// Returns the place behind the quote that closes the one in front, or the end.
fn end_of_quotes(row: &[u8]) -> usize {
    let mut position = 1;
    while let Some(quote) = row
        .get(position..)
        .and_then(|rest| memchr::memchr(b'"', rest))
    {
        position += quote + 1;
        if row.get(position) != Some(&b'"') {
            return position;
        }
        position += 1;
    }
    row.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan_json::field_text;
    use proptest::prelude::*;

    fn texts(row: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
        let text = |cell| {
            let mut scratch = Vec::new();
            field_text(cell_value(cell), &mut scratch)
                .unwrap_or_default()
                .to_vec()
        };
        cells(row, delimiter).map(text).collect()
    }

    #[test]
    fn cells_keep_what_the_csv_crate_keeps() {
        for (row, expected) in [
            ("", &[""][..]),
            (",", &["", ""]),
            ("a,b,", &["a", "b", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("x\"y\"z,1", &["x\"y\"z", "1"]),
            ("\"ab\"c,1", &["abc", "1"]),
            ("\"a\"\"b\",1", &["a\"b", "1"]),
            ("\"\",1", &["", "1"]),
            ("\"\"\"\",1", &["\"", "1"]),
            ("1,\"a,b", &["1", "a,b"]),
            ("\"a\nb\"", &["a\nb"]),
            (" \"a\"", &[" \"a\""]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|cell| cell.as_bytes().to_vec())
                .collect();
            assert_eq!(texts(row.as_bytes(), b','), expected, "{row}");
        }
    }

    #[test]
    fn empty_cells_are_missing_and_quotes_are_kept_only_where_needed() {
        assert_eq!(cell_value(b""), FieldValue::Missing);
        assert_eq!(cell_value(b"\"\""), FieldValue::Missing);
        assert_eq!(cell_value(b"\"a b\""), FieldValue::Bytes(b"a b"));
        assert_eq!(
            cell_value(b"\"a\"\"b\""),
            FieldValue::QuotedCell(b"a\"\"b\"")
        );
        assert_eq!(cell_value(b"\xff"), FieldValue::Bytes(b"\xff"));
    }

    fn plain_cell() -> impl Strategy<Value = String> {
        "([ab ;\u{e9}][ab\" ;\u{e9}]{0,5})?"
    }

    fn quoted_cell() -> impl Strategy<Value = String> {
        ("[ab\",;\r\n\t]{0,8}", plain_cell())
            .prop_map(|(inside, tail)| format!("\"{}\"{tail}", inside.replace('"', "\"\"")))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 512,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn rows_are_split_as_the_csv_crate_splits_them(
            start in proptest::collection::vec(prop_oneof![plain_cell(), quoted_cell()], 0..5),
            last in prop_oneof![3 => plain_cell(), 3 => quoted_cell(), 1 => "\"[ab,\r\n]{0,5}"],
            delimiter in prop_oneof![Just(','), Just('\t')],
        ) {
            // A tab is also a delimiter, and a comma a plain byte, in half of the cases.
            let row = start.iter().chain([&last]).map(|cell| match cell.strip_prefix('"') {
                None if delimiter == '\t' => cell.replace(';', ","),
                _ => cell.clone(),
            }).collect::<Vec<_>>().join(&delimiter.to_string());
            prop_assume!(!row.is_empty());
            let delimiter = u8::try_from(delimiter).unwrap();
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .has_headers(false)
                .flexible(true)
                .from_reader(row.as_bytes());
            let records: Vec<_> = reader.byte_records().map(Result::unwrap).collect();
            prop_assert_eq!(records.len(), 1);
            let expected: Vec<_> = records[0].iter().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(texts(row.as_bytes(), delimiter), expected);
        }
    }
}
