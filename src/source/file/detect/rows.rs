//! Tells CSV and TSV by their header row and the rows under it.

use crate::source::file::FileFormat;
use crate::source::file::chunk::newlines;
use crate::source::file::cut::layout::{Body, Layout};
use crate::source::file::cut::rows;
use crate::source::file::cut::text::table::MESSAGE_DB_COLUMNS;
use crate::source::file::detect::{Detected, LINES_MAX, Refusal, Sample, lines_layout, shown};
use crate::source::file::row_ends::RecordEnds;
use crate::source::file::sink::wrapping::is_header_list;

/// Start and end of the header row, and its shape; blank rows may come before it.
pub(super) type HeaderRow = (usize, usize, rows::Row);

/// Returns the first row that is not blank, if all of it is in the sample.
pub(super) fn header_row(sample: Sample<'_>, delimiter: u8) -> Option<HeaderRow> {
    let mut start = 0;
    while start < sample.bytes.len() {
        let row = rows::row_at(sample.bytes, start, delimiter);
        let is_cut = row.next == sample.bytes.len() && !sample.is_whole;
        if is_cut || !row.is_closed {
            return None;
        }
        if row.end > start {
            return Some((start, row.end, row));
        }
        start = row.next;
    }
    None
}

/// Returns the layout of the rows under a header row.
pub(super) fn rows_layout(
    sample: Sample<'_>,
    format: FileFormat,
    delimiter: u8,
    (start, end, row): &HeaderRow,
    reason: String,
) -> Detected {
    let header = sample.bytes.get(*start..*end).unwrap_or_default();
    let lead = sample.bytes.get(..row.next).unwrap_or_default();
    Detected {
        layout: Layout {
            format,
            ends: RecordEnds::Rows { delimiter },
            body: Body::Row(rows::cells(header, delimiter).into()),
        },
        reason,
        lead_bytes: row.next,
        line: 1 + newlines(lead),
        notes: Vec::new(),
        lacks_topic: false,
    }
}

/// Returns the layout of rows, by the delimiter that makes most cells of the header row.
pub(super) fn detect_rows(sample: Sample<'_>, first: &[u8]) -> Result<Detected, Refusal> {
    let candidates = [
        (b',', FileFormat::Csv, "commas"),
        (b'\t', FileFormat::Tsv, "tabs"),
        (b';', FileFormat::Csv, "semicolons"),
    ];
    let mut best: Option<Table> = None;
    for (delimiter, format, delimiter_name) in candidates {
        let Some(header) = header_row(sample, delimiter) else {
            continue;
        };
        let table = Table {
            delimiter,
            format,
            delimiter_name,
            rows: equal_rows(sample, &header, delimiter),
            header,
        };
        let cells_most = best.as_ref().map_or(1, |best| best.header.2.cells);
        if table.header.2.cells > cells_most && table.rows.0 * 2 > table.rows.1 {
            best = Some(table);
        }
    }
    let Some(table) = best else {
        return Err(Refusal::Unrecognised(shown(first)));
    };
    let header = table.header;
    let names = sample.bytes.get(header.0..header.1).unwrap_or_default();
    let names = rows::cells(names, table.delimiter);
    if names
        .iter()
        .map(|name| &**name)
        .eq(LOSSY_COLUMNS.iter().map(|name| name.as_bytes()))
    {
        return Err(Refusal::LossyCsv);
    }
    if is_message_db(&names) {
        let reason = "the columns of Message DB's messages; data and metadata are documents, and \
                      time is UTC";
        return Ok(message_db(sample, &header, reason.to_owned()));
    }
    let ((same, all), cells) = (table.rows, table.header.2.cells);
    let reason = format!(
        "a header row of {cells} cells between {}; {same} of the first {all} rows have as many",
        table.delimiter_name
    );
    let (format, delimiter) = (table.format, table.delimiter);
    let detected = rows_layout(sample, format, delimiter, &table.header, reason);
    if let Body::Row(columns) = &detected.layout.body
        && !is_header(columns)
    {
        return Err(Refusal::NoHeaderRow(format.name(), shown(first)));
    }
    Ok(detected)
}

/// The columns of Redpanda Console's CSV download.
const LOSSY_COLUMNS: [&str; 9] = [
    "timestamp",
    "partitionID",
    "offset",
    "key",
    "value",
    "keySize",
    "valueSize",
    "compression",
    "isTransactional",
];

fn is_message_db(names: &[Box<[u8]>]) -> bool {
    let is_named = |column: &str| names.iter().any(|name| **name == *column.as_bytes());
    names.len() == MESSAGE_DB_COLUMNS.len() && MESSAGE_DB_COLUMNS.iter().all(|name| is_named(name))
}

/// Returns the layout of rows of Message DB's table.
pub(super) fn message_db(sample: Sample<'_>, header: &HeaderRow, reason: String) -> Detected {
    let mut detected = rows_layout(sample, FileFormat::MessageDb, b',', header, reason);
    if let Body::Row(columns) = detected.layout.body {
        detected.layout.body = Body::TableRow(columns);
    }
    detected
}

/// Returns the layout of rows without a header row: columns are `c1`, `c2` and so on.
pub(super) fn numbered(sample: Sample<'_>, reason: String) -> Result<Detected, Refusal> {
    let first = [b',', b'\t', b';'].map(|delimiter| (delimiter, header_row(sample, delimiter)));
    let mut widest = (b',', 1);
    for (delimiter, row) in &first {
        let cells = row.as_ref().map_or(0, |row| row.2.cells);
        if cells > widest.1 {
            widest = (*delimiter, cells);
        }
    }
    // Semicolons between headers are no delimiters.
    if let [(_, Some((start, end, row))), ..] = &first {
        let cells = rows::cells(sample.bytes.get(*start..*end).unwrap_or_default(), b',');
        if row.cells > 2 && cells.iter().any(|cell| is_header_list(cell)) {
            widest = (b',', row.cells);
        }
    }
    let (delimiter, cells) = widest;
    if cells == 1 && !sample.is_whole && header_row(sample, delimiter).is_none() {
        return Err(Refusal::LongHeaderRow(sample.bytes.len()));
    }
    let columns = (1..=cells).map(|number| format!("c{number}").into_bytes().into());
    let layout = Layout {
        format: FileFormat::CsvNoHeader,
        ends: RecordEnds::Rows { delimiter },
        body: Body::Row(columns.collect()),
    };
    Ok(lines_layout(layout, reason))
}

/// Rows as one delimiter makes them.
struct Table {
    delimiter: u8,
    format: FileFormat,
    delimiter_name: &'static str,
    header: HeaderRow,
    /// Rows with as many cells as the header row, and all, in the sample.
    rows: (usize, usize),
}

/// Returns how many of the rows in the sample have as many cells as the header row, itself
/// included, and how many there are.
fn equal_rows(sample: Sample<'_>, header: &HeaderRow, delimiter: u8) -> (usize, usize) {
    let (mut same, mut all) = (0, 0);
    let mut start = header.0;
    while start < sample.bytes.len() && all < LINES_MAX {
        let row = rows::row_at(sample.bytes, start, delimiter);
        let is_cut = row.next == sample.bytes.len() && !sample.is_whole;
        if is_cut {
            break;
        }
        if row.end > start {
            all += 1;
            same += usize::from(row.cells == header.2.cells);
        }
        start = row.next;
    }
    (same, all)
}

/// Returns whether cells look like names: there, distinct, neither numbers nor dates.
fn is_header(columns: &[Box<[u8]>]) -> bool {
    let mut sorted: Vec<_> = columns.iter().collect();
    sorted.sort();
    sorted.dedup();
    sorted.len() == columns.len() && columns.iter().all(|cell| is_name(cell))
}

fn is_name(cell: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(cell) else {
        return true;
    };
    let is_date = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        digits == 4 && text.as_bytes().get(4) == Some(&b'-')
    };
    !text.is_empty() && text.parse::<f64>().is_err() && !is_date(text)
}
