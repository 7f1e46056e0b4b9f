//! Rows of a table whose cells hold JSON, made JSON objects of.

use chrono::NaiveDateTime;

use crate::source::file::cut::rows;
use crate::source::file::cut::text::json_text::{push_document_or_string, push_string};

/// The columns of Message DB's table, in the order of `\copy`.
pub(crate) const MESSAGE_DB_COLUMNS: [&str; 8] = [
    "global_position",
    "position",
    "time",
    "stream_name",
    "type",
    "data",
    "metadata",
    "id",
];

/// Appends the JSON object that a row stands for: `data` and `metadata` are documents, empty cells
/// are left out. Returns the milliseconds of its time, UTC by the database's contract.
pub(crate) fn push_object(
    row: &[u8],
    delimiter: u8,
    columns: &[Box<[u8]>],
    out: &mut Vec<u8>,
) -> Option<i64> {
    out.push(b'{');
    let mut millis = None;
    let mut is_first = true;
    for (name, cell) in columns.iter().zip(rows::cells(row, delimiter)) {
        if cell.is_empty() {
            continue;
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        push_string(out, name);
        out.push(b':');
        match &**name {
            b"data" | b"metadata" => push_document_or_string(out, &cell),
            b"time" => {
                millis = zoneless_millis(&cell);
                push_string(out, &cell);
            }
            _ => push_string(out, &cell),
        }
    }
    out.push(b'}');
    millis
}

fn zoneless_millis(cell: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(cell).ok()?;
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(time.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_json_are_documents_and_times_are_utc() {
        let columns: Vec<Box<[u8]>> = MESSAGE_DB_COLUMNS
            .map(|name| name.as_bytes().into())
            .to_vec();
        let row =
            br#"17,0,2024-01-01 12:00:00.123456,payment-7c1,Charged,"{""amount"": 1000}",,b2"#;
        let mut out = Vec::new();
        let millis = push_object(row, b',', &columns, &mut out);
        assert_eq!(millis, Some(1_704_110_400_123));
        let expected = [
            r#"{"global_position":"17","position":"0","time":"2024-01-01 12:00:00.123456","#,
            r#""stream_name":"payment-7c1","type":"Charged","data":{"amount": 1000},"id":"b2"}"#,
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.concat());
    }
}
