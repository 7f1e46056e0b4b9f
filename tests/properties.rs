//! Random logs: grouping equals a naive map; threads, order of files and memory change nothing.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a surprise in a test is a failing test"
)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

/// A log as it is written: its name and its text.
type LogFile = (String, String);

/// Where a record is: `file:line`, or `topic/partition@offset`.
type Place = String;

/// What identifies a generated record, as the text of a JSON value; nothing where it is missing.
type KeyText = Option<&'static str>;

/// Texts of keys: several for one value, and values that only look alike.
const KEYS: [KeyText; 20] = [
    None,
    Some("null"),
    Some("\"\""),
    Some("\"ch_1\""),
    Some("\"ch_\\u0031\""),
    Some("\"CH_1\""),
    Some("\"ch_1 \""),
    Some("\"a,b\""),
    Some("\"say \\\"x\\\"\""),
    Some("\"caf\\u00e9\""),
    Some("\"café\""),
    Some("\"1\""),
    Some("1"),
    Some("1.0"),
    Some("10e-1"),
    Some("-1"),
    Some("9007199254740993"),
    Some("9007199254740992"),
    Some("true"),
    Some("\"true\""),
];

#[derive(Clone, Copy, Debug)]
enum Format {
    JsonLines,
    Csv,
    Kcat,
    #[cfg(feature = "parquet")]
    Parquet,
}

/// How a file is packed; Parquet does it by itself.
#[derive(Clone, Copy, Debug)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

#[derive(Clone, Debug)]
struct Log {
    format: Format,
    packing: Packing,
    /// Index into [`KEYS`], and another number that is not part of the key.
    records: Vec<(usize, u8)>,
}

fn log() -> impl Strategy<Value = Log> {
    let formats = [
        Format::JsonLines,
        Format::Csv,
        Format::Kcat,
        #[cfg(feature = "parquet")]
        Format::Parquet,
    ];
    let format = prop::sample::select(formats.to_vec());
    let packings = [Packing::Plain, Packing::Plain, Packing::Gzip, Packing::Zstd];
    let packing = prop::sample::select(packings.to_vec());
    let records = vec((0..KEYS.len(), 0..3_u8), 1..40);
    (format, packing, records).prop_map(|(format, packing, records)| Log {
        format,
        packing,
        records,
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Returns a document with the key anywhere among other members.
fn document(key: KeyText, other: u8) -> String {
    match (key, other) {
        (None, _) => format!(r#"{{"other":{other}}}"#),
        (Some(key), 0) => format!(r#"{{"charge_id":{key},"other":{other}}}"#),
        (Some(key), _) => {
            format!(r#"{{ "other" : [{other}, {{"charge_id":7}}] , "charge_id" : {key} }}"#)
        }
    }
}

/// Returns what a column of text can hold of a key; nothing for null.
#[cfg(feature = "parquet")]
fn column_text(key: KeyText) -> Option<String> {
    match serde_json::from_str(key?).unwrap() {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            key.map(str::to_owned)
        }
    }
}

/// Returns a Parquet file of row groups of seven records.
#[cfg(feature = "parquet")]
fn parquet(log: &Log) -> Vec<u8> {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    let schema = "message charges { required int64 other; optional binary charge_id (UTF8); }";
    let schema = std::sync::Arc::new(parse_message_type(schema).unwrap());
    let mut out = Vec::new();
    let mut file = SerializedFileWriter::new(&mut out, schema, std::sync::Arc::default()).unwrap();
    for records in log.records.chunks(7) {
        let mut group = file.next_row_group().unwrap();
        let others: Vec<i64> = records.iter().map(|of| of.1.into()).collect();
        let mut column = group.next_column().unwrap().unwrap();
        let cells = column.typed::<Int64Type>();
        cells.write_batch(&others, None, None).unwrap();
        column.close().unwrap();
        let keys: Vec<_> = records.iter().map(|of| column_text(KEYS[of.0])).collect();
        let levels: Vec<i16> = keys.iter().map(|key| i16::from(key.is_some())).collect();
        let keys: Vec<ByteArray> = keys
            .iter()
            .flatten()
            .map(|key| key.as_str().into())
            .collect();
        let mut column = group.next_column().unwrap().unwrap();
        let cells = column.typed::<ByteArrayType>();
        cells.write_batch(&keys, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    file.close().unwrap();
    out
}

/// Returns what a CSV cell can hold of a key: the text of a string, or nothing.
fn cell(key: KeyText) -> String {
    match key.map(serde_json::from_str) {
        Some(Ok(Value::String(text))) => text,
        Some(Ok(Value::Null)) | None => String::new(),
        Some(_) => key.unwrap().to_owned(),
    }
}

fn contents(log: &Log, number: usize) -> String {
    let mut text = String::new();
    match log.format {
        Format::JsonLines => {
            for (key, other) in &log.records {
                writeln!(text, "{}", document(KEYS[*key], *other)).unwrap();
            }
        }
        Format::Csv => {
            let mut rows = csv::Writer::from_writer(Vec::new());
            rows.write_record(["other", "charge_id"]).unwrap();
            for (key, other) in &log.records {
                let other = other.to_string();
                rows.write_record([&other, &cell(KEYS[*key])]).unwrap();
            }
            text = String::from_utf8(rows.into_inner().unwrap()).unwrap();
        }
        Format::Kcat => {
            for (offset, (key, other)) in log.records.iter().enumerate() {
                let envelope = serde_json::json!({
                    "topic": "charges", "partition": number, "offset": offset,
                    "tstype": "create", "ts": 1_768_444_200_000_i64 + i64::from(*other),
                    "broker": 1, "key": null, "payload": document(KEYS[*key], *other),
                });
                writeln!(text, "{envelope}").unwrap();
            }
        }
        #[cfg(feature = "parquet")]
        Format::Parquet => {}
    }
    text
}

/// Returns the value of a key, so that equal keys are equal texts; nothing where it is missing.
fn canonical(key: KeyText, format: Format) -> Option<String> {
    if let Format::Csv = format {
        return Some(cell(key))
            .filter(|text| !text.is_empty())
            .map(Value::from)
            .map(|v| v.to_string());
    }
    #[cfg(feature = "parquet")]
    if let Format::Parquet = format {
        return column_text(key).map(|text| Value::from(text).to_string());
    }
    match serde_json::from_str(key?).unwrap() {
        Value::Null => None,
        // The two large numbers are the same float, but not the same number.
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(integer.to_string()),
            None => Some(number.as_f64().unwrap().to_string()),
        },
        value @ (Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            Some(value.to_string())
        }
    }
}

/// Groups the records with nothing but a map; returns the places of each group of two or more.
fn naive_groups(logs: &[Log]) -> Vec<Vec<Place>> {
    let mut groups: HashMap<String, Vec<Place>> = HashMap::new();
    for (number, log) in logs.iter().enumerate() {
        let first_line = if let Format::Csv = log.format { 2 } else { 1 };
        for (index, (key, _)) in log.records.iter().enumerate() {
            let place = if let Format::Kcat = log.format {
                format!("charges/{number}@{index}")
            } else {
                format!("{number}.log:{}", index + first_line)
            };
            if let Some(key) = canonical(KEYS[*key], log.format) {
                groups.entry(key).or_default().push(place);
            }
        }
    }
    let mut groups: Vec<Vec<Place>> = groups.into_values().filter(|g| g.len() > 1).collect();
    for group in &mut groups {
        group.sort();
    }
    groups.sort();
    groups
}

fn place(record: &Value) -> Place {
    match record["offset"].as_i64() {
        Some(offset) => format!("charges/{}@{offset}", record["partition"]),
        None => format!("{}:{}", record["file"].as_str().unwrap(), record["line"]),
    }
}

fn reported_groups(report: &Value) -> Vec<Vec<Place>> {
    let groups = report["groups"].as_array().unwrap().iter();
    let mut groups: Vec<Vec<Place>> = groups
        .map(|group| {
            let records = group["records"].as_array().unwrap();
            let mut places: Vec<Place> = records.iter().map(place).collect();
            places.sort();
            places
        })
        .collect();
    groups.sort();
    groups
}

fn write_logs(folder: &Path, logs: &[Log]) -> Vec<LogFile> {
    let mut files = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        let (name, text) = (format!("{number}.log"), contents(log, number));
        fs::write(folder.join(&name), packed(log, &text)).unwrap();
        files.push((name, text));
    }
    files
}

/// Returns the bytes of a file.
fn packed(log: &Log, text: &str) -> Vec<u8> {
    #[cfg(feature = "parquet")]
    if let Format::Parquet = log.format {
        return parquet(log);
    }
    match log.packing {
        Packing::Plain => text.as_bytes().to_vec(),
        Packing::Gzip => {
            let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        }
        Packing::Zstd => zstd::encode_all(text.as_bytes(), 1).unwrap(),
    }
}

/// Scans files of a folder; returns the text of the JSON report.
fn scan<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = &'a str>,
    options: &[&str],
) -> Result<String, TestCaseError> {
    let output = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(folder)
        .arg("scan")
        .args(files)
        .args(["--by", "charge_id", "-o", "report.json"])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    prop_assert!(
        matches!(output.status.code(), Some(0 | 1 | 3)),
        "{}: {stderr}",
        output.status
    );
    Ok(fs::read_to_string(folder.join("report.json")).unwrap())
}

/// Returns the text of each member but the header, byte for byte.
fn without_header(report: &str) -> Vec<(String, String)> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(report).unwrap();
    let members = members.into_iter().filter(|(name, _)| name != "header");
    members
        .map(|(name, raw)| (name, raw.get().to_owned()))
        .collect()
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn groups_are_those_of_a_naive_map(logs in vec(log(), 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let files = write_logs(folder.path(), &logs);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let report: Value = serde_json::from_str(&scan(folder.path(), names, &[])?).unwrap();

        prop_assert_eq!(reported_groups(&report), naive_groups(&logs), "{:#?}", files);
        let keys = logs.iter().flat_map(|log| {
            log.records.iter().map(|(key, _)| canonical(KEYS[*key], log.format))
        });
        let (with, without): (Vec<_>, Vec<_>) = keys.partition(Option::is_some);
        let summary = &report["summary"];
        prop_assert_eq!(&summary["records_read"], with.len() + without.len());
        prop_assert_eq!(&summary["records_audited"], with.len());
        prop_assert_eq!(&summary["skipped"]["missing-key"], without.len());
        let extra: usize = naive_groups(&logs).iter().map(|group| group.len() - 1).sum();
        prop_assert_eq!(&summary["extra_records"], extra);
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn threads_and_the_order_of_files_change_nothing(logs in vec(log(), 2..5)) {
        let folder = tempfile::tempdir().unwrap();
        let files = write_logs(folder.path(), &logs);
        let names = || files.iter().map(|(name, _)| name.as_str());
        let first = without_header(&scan(folder.path(), names(), &["--threads", "1"])?);
        for (threads, memory) in [("2", "1GiB"), ("5", "16MiB")] {
            let options = ["--threads", threads, "--memory", memory];
            let again = without_header(&scan(folder.path(), names().rev(), &options)?);
            prop_assert_eq!(&again, &first, "{} threads", threads);
        }
    }
}

#[test]
fn spilling_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for number in 0..700_000_u64 {
        let is_copy = number > 50_000 && number.is_multiple_of(100);
        let charge_id = if is_copy { number - 50_000 } else { number };
        writeln!(text, r#"{{"charge_id":{charge_id},"n":{number}}}"#).unwrap();
    }
    fs::write(folder.path().join("0.log"), &text).unwrap();
    let roomy = scan(folder.path(), ["0.log"], &["--memory", "1GiB"]).unwrap();
    let tight = ["--memory", "16MiB", "--threads", "5"];
    let tight = scan(folder.path(), ["0.log"], &tight).unwrap();
    assert!(without_header(&tight) == without_header(&roomy));

    let report: Value = serde_json::from_str(&roomy).unwrap();
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        *counts
            .entry(record["charge_id"].as_u64().unwrap())
            .or_default() += 1;
    }
    let extra: u64 = counts.values().map(|count| count - 1).sum();
    assert_eq!(report["summary"]["extra_records"], extra);
    let groups = counts.values().filter(|count| **count > 1).count();
    assert_eq!(report["summary"]["groups"], groups);
}

/// Copies by the thousand, in a plain file and in one that is read forwards only, and one dedup
/// key with more records than a thread takes at once.
#[test]
fn many_groups_are_the_same_built_by_one_thread_and_by_several() {
    let folder = tempfile::tempdir().unwrap();
    let text = |first: u64| {
        let mut text = String::new();
        for number in first..first + 24_000 {
            let (id, pad) = match number % 3 {
                0 => (1, "p".repeat(100)),
                _ => (number % 9_000, String::new()),
            };
            writeln!(text, r#"{{"charge_id":{id},"n":{number},"pad":"{pad}"}}"#).unwrap();
        }
        text
    };
    fs::write(folder.path().join("0.log"), text(0)).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text(24_000).as_bytes()).unwrap();
    fs::write(folder.path().join("1.log.gz"), packed.finish().unwrap()).unwrap();
    let files = ["0.log", "1.log.gz"];
    let one = scan(folder.path(), files, &["--threads", "1"]).unwrap();
    let report: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(report["summary"]["largest_group"], 16_000 + 6);
    assert_eq!(report["summary"]["extra_records"], 48_000 - 6_000);
    for options in [
        ["--threads", "2"],
        ["--threads", "5"],
        ["--memory", "16MiB"],
    ] {
        let again = scan(folder.path(), files, &options).unwrap();
        assert!(
            without_header(&again) == without_header(&one),
            "{options:?}"
        );
    }
}
