//! The same twelve records in every format give the same report, coordinates aside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use dupaudit::source::file::FileFormat;

use crate::support::report::Report;
use crate::support::{Outcome, Workspace};

#[cfg(feature = "kafka")]
mod captured;
mod message_db;
mod packed;
pub(crate) mod postgres;
#[cfg(feature = "kafka")]
mod releases;
mod writers;

/// What a format keeps beside the values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// Values only.
    Values,
    /// Timestamps.
    Times,
    /// Timestamps, partition and offset.
    Offsets,
}
use Keeps::{Offsets, Times, Values};

/// Every file of `fixtures/formats` that is read: its format, where the fields lie in the value,
/// and what it keeps.
const FILES: [(&str, &str, &str, Keeps); 40] = [
    ("charges.jsonl", "jsonl", "", Values),
    ("charges.array.json", "json", "", Values),
    ("charges.pretty.json", "json", "", Values),
    ("charges.joined.json", "json", "", Values),
    ("charges.csv", "csv", "", Values),
    ("charges.semicolon.csv", "csv", "", Values),
    ("charges.tsv", "tsv", "", Values),
    ("charges.no-header.csv", "csv-no-header", "c", Values),
    ("charges.kcat.jsonl", "kcat", "", Offsets),
    ("charges.rpk.json", "rpk", "", Offsets),
    (
        "charges.redpanda-console.json",
        "redpanda-console",
        "",
        Offsets,
    ),
    (
        "charges.redpanda-console-raw.json",
        "redpanda-console",
        "",
        Offsets,
    ),
    ("charges.kafka-ui.json", "kafka-ui", "", Offsets),
    ("charges.kafka-ui-messages.json", "kafka-ui", "", Offsets),
    ("charges.akhq.json", "akhq", "", Offsets),
    ("charges.kaf.jsonl", "kaf", "", Offsets),
    ("charges.kaf-each-row.jsonl", "kaf", "", Offsets),
    ("charges.kafkactl.json", "kafkactl", "", Offsets),
    ("charges.kafkactl-raw.jsonl", "kafkactl", "", Offsets),
    ("charges.console-2.0.txt", "console-consumer", "", Times),
    ("charges.console-2.5.txt", "console-consumer", "", Times),
    ("charges.console-2.7.txt", "console-consumer", "", Offsets),
    ("charges.console-4.0.txt", "console-consumer", "", Offsets),
    ("charges.console-key.txt", "console-consumer", "", Values),
    ("charges.dump-2.0.txt", "dump-log", "", Offsets),
    ("charges.dump-2.3.txt", "dump-log", "", Offsets),
    ("charges.dump-2.8.txt", "dump-log", "", Offsets),
    ("charges.dump-3.3.txt", "dump-log", "", Offsets),
    ("charges.logfmt", "logfmt", "", Values),
    ("charges.otel.jsonl", "otel", "attributes.", Times),
    ("charges.otel.json", "otel", "attributes.", Times),
    ("charges.cloudwatch.json", "cloudwatch", "", Times),
    ("charges.message-db.csv", "message-db", "data.", Times),
    (SEGMENT, "segment", "", Offsets),
    ("charges.avro", "avro", "", Values),
    ("charges.deflate.avro", "avro", "", Values),
    ("charges.snappy.avro", "avro", "", Values),
    ("charges.zstandard.avro", "avro", "", Values),
    ("charges.bzip2.avro", "avro", "", Values),
    ("charges.xz.avro", "avro", "", Values),
];

/// A segment lies in the folder of its partition.
const SEGMENT: &str = "charges-0/00000000000000000000.log";

/// The same in Parquet, which a build may go without.
const PARQUET_FILES: [(&str, &str, &str, Keeps); 6] = [
    ("charges.parquet", "parquet", "", Values),
    ("charges.snappy.parquet", "parquet", "", Values),
    ("charges.gzip.parquet", "parquet", "", Values),
    ("charges.zstd.parquet", "parquet", "", Values),
    ("charges.lz4.parquet", "parquet", "", Values),
    ("charges.brotli.parquet", "parquet", "", Values),
];

fn files() -> impl Iterator<Item = (&'static str, &'static str, &'static str, Keeps)> {
    let parquet: &[_] = if cfg!(feature = "parquet") {
        &PARQUET_FILES
    } else {
        &[]
    };
    FILES.iter().chain(parquet).copied()
}

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    folder.join(name)
}

fn scan(workspace: &Workspace, name: &str, prefix: &str, more: &[&str]) -> Outcome {
    let fields = ["charge_id", "amount", "currency"];
    // Without a header row, columns have numbers.
    let numbered = |(number, field): (usize, &str)| match prefix {
        "c" => format!("c{}", number + 1),
        _ => format!("{prefix}{field}"),
    };
    let fields: Vec<String> = fields.into_iter().enumerate().map(numbered).collect();
    let file = fixture(name).display().to_string();
    let arguments = [
        "scan",
        &file,
        "-o",
        "report.json",
        "--assume-topic",
        "charges",
    ];
    let fields = [
        "--by",
        &fields[0],
        "--amount",
        &fields[1],
        "--currency",
        &fields[2],
    ];
    let forced = ["--format", "csv-no-header"];
    let forced = if prefix == "c" { &forced[..] } else { &[] };
    let all = [&arguments[..], &fields, forced, more].concat();
    workspace.dupaudit(all).run()
}

/// What must be the same in all reports.
fn essence(report: &Report) -> BTreeMap<String, String> {
    let shown = |group: &serde_json::Value| {
        let keys = group["key"].as_object().unwrap();
        let key = keys.values().next().unwrap().as_str().unwrap().to_owned();
        let parts = ["id", "count", "extra", "amount"].map(|part| group[part].to_string());
        (key, parts.join(" "))
    };
    let mut essence: BTreeMap<_, _> = report.groups().iter().map(shown).collect();
    for total in [
        "records_read",
        "records_audited",
        "groups",
        "extra_records",
        "largest_group",
    ] {
        essence.insert(total.to_owned(), report.total(total).to_string());
    }
    essence.insert("verdict".to_owned(), report.verdict().to_owned());
    essence.insert("complete".to_owned(), report.is_complete().to_string());
    essence.insert(
        "amounts".to_owned(),
        report.0["summary"]["amounts"].to_string(),
    );
    essence
}

/// Returns the first group's records as offset or −1, and timestamp or nothing.
fn places(report: &Report) -> Vec<(i64, String)> {
    let records = report.groups()[0]["records"].as_array().unwrap();
    let place = |record: &serde_json::Value| {
        let time = record["timestamp"].as_str().unwrap_or_default().to_owned();
        (record["offset"].as_i64().unwrap_or(-1), time)
    };
    records.iter().map(place).collect()
}

#[test]
fn the_same_records_give_the_same_report_in_every_format() {
    let mut expected = None;
    for (name, format, prefix, keeps) in files() {
        let workspace = Workspace::new();
        let outcome = scan(&workspace, name, prefix, &[]);
        assert_eq!(outcome.exit_code, Some(1), "{name}: {outcome}");
        let report = workspace.report("report.json");
        let coverage = &report.0["coverage"]["files"][0];
        assert_eq!(coverage["format"], format, "{name}: {coverage}");
        let found = essence(&report);
        assert_eq!(found["groups"], "2", "{name}");
        assert_eq!(
            &found,
            expected.get_or_insert_with(|| found.clone()),
            "{name}"
        );
        let times = ["01.000", "05.000", "08.000"].map(|second| match keeps {
            Values => String::new(),
            Times | Offsets => format!("2026-01-15T02:30:{second}Z"),
        });
        let offsets = [1, 5, 8].map(|offset| if keeps == Offsets { offset } else { -1 });
        let places_expected: Vec<_> = offsets.into_iter().zip(times).collect();
        assert_eq!(places(&report), places_expected, "{name}");
    }
}

#[test]
fn no_format_is_without_the_twelve_records() {
    let shown: BTreeSet<&str> = FILES.iter().chain(&PARQUET_FILES).map(|of| of.1).collect();
    assert_eq!(shown, BTreeSet::from(FileFormat::names()));
    let readme = include_str!("../../../README.md");
    for name in FileFormat::names() {
        let is_in_table = |line: &str| line.starts_with('|') && line.contains(&format!("`{name}`"));
        assert!(
            readme.lines().any(is_in_table),
            "the README's table lacks `{name}`"
        );
    }
}

#[test]
fn what_a_tool_writes_of_null_is_null() {
    // Two records have one key, one has none, and one has no value.
    for name in [
        "nulls.kaf.jsonl",
        "nulls.kaf-each-row.jsonl",
        "nulls.kafkactl-raw.jsonl",
    ] {
        let workspace = Workspace::new();
        let file = fixture(name).display().to_string();
        let scan = |by: &str| {
            let arguments = [
                "scan",
                &file,
                "--assume-topic",
                "t",
                "--by",
                by,
                "-o",
                "x.json",
            ];
            workspace.dupaudit(arguments).run().expect_code(1);
            workspace.report("x.json")
        };
        let report = scan("charge_id");
        assert_eq!(report.skipped("tombstone"), 1, "{name}");
        assert_eq!(report.total("groups"), 2, "{name}");
        let report = scan("key");
        assert_eq!(report.skipped("missing-key"), 1, "{name}");
        assert_eq!(
            report.places_by("key").into_keys().collect::<Vec<_>>(),
            ["k1"],
            "{name}"
        );
    }
}

#[test]
fn every_format_can_be_asked_for() {
    for (name, format, prefix, _) in files() {
        let workspace = Workspace::new();
        let outcome = scan(&workspace, name, prefix, &[]);
        assert_eq!(outcome.exit_code, Some(1), "{name}: {outcome}");
        let told = essence(&workspace.report("report.json"));
        if prefix != "c" {
            let outcome = scan(&workspace, name, prefix, &["--format", format]);
            assert_eq!(outcome.exit_code, Some(1), "{name}: {outcome}");
            assert_eq!(essence(&workspace.report("report.json")), told, "{name}");
        }
    }
}

#[test]
fn keys_and_headers_come_with_the_records() {
    for (name, _, _, keeps) in files() {
        let has_keys = keeps == Offsets || name.contains("console");
        if !has_keys {
            continue;
        }
        let workspace = Workspace::new();
        let file = fixture(name).display().to_string();
        let arguments = ["scan", &file, "--by", "key", "-o", "key.json"];
        workspace.dupaudit(arguments).run().expect_code(1);
        let groups = workspace.report("key.json").0["groups"].clone();
        assert_eq!(groups[0]["key"]["key"], "cus_2", "{name}");
        let has_headers = keeps == Offsets && !name.contains("dump");
        if has_headers {
            let arguments = ["scan", &file, "--by", "headers.trace", "-o", "trace.json"];
            workspace.dupaudit(arguments).run().expect_code(0);
            let report = workspace.report("trace.json");
            assert_eq!(report.total("records_audited"), 6, "{name}");
            assert_eq!(report.skipped("missing-key"), 6, "{name}");
        }
    }
}

#[test]
fn what_destroys_data_is_refused_with_the_form_that_keeps_it() {
    for (name, hint) in [
        ("charges.redpanda-console.csv", "download them as JSON"),
        ("charges.dump-without-records.txt", "--print-data-log"),
        ("charges.no-header.csv", "--format csv-no-header"),
    ] {
        let workspace = Workspace::new();
        let file = fixture(name).display().to_string();
        let outcome = workspace
            .dupaudit(["scan", &file, "--by", "charge_id"])
            .run();
        outcome.expect_code(2).expect_stderr(hint);
    }
}

#[test]
fn what_loses_coordinates_says_so() {
    for (name, _, _, keeps) in files() {
        if name.contains("console-") && keeps != Offsets {
            let workspace = Workspace::new();
            scan(&workspace, name, "", &[]).expect_code(1);
            let report = workspace.report("report.json");
            let notes = report.0["coverage"]["files"][0]["notes"].to_string();
            assert!(notes.contains("are lost"), "{name}: {notes}");
        }
    }
}

#[test]
fn every_compression_is_unpacked() {
    let text = fs::read(fixture("charges.jsonl")).unwrap();
    let workspace = Workspace::new();
    for (program, name) in [
        ("bzip2", "bzip2"),
        ("xz", "xz"),
        ("lz4", "lz4"),
        ("gzip", "gzip"),
    ] {
        let mut packer = std::process::Command::new(program);
        let packer = packer
            .arg("-c")
            .stdin(fs::File::open(fixture("charges.jsonl")).unwrap());
        // A machine need not have all of them; the decoders have tests of their own.
        let Ok(packed) = packer.output() else {
            continue;
        };
        let cut = &packed.stdout[..packed.stdout.len() - 3];
        workspace.write("whole", &packed.stdout);
        workspace.write("cut", cut);
        let arguments = ["scan", "whole", "--by", "charge_id", "-o", "report.json"];
        workspace.dupaudit(arguments).run().expect_code(1);
        let report = workspace.report("report.json");
        assert_eq!(report.total("records_read"), 12);
        assert!(report.is_complete());
        let coverage = &report.0["coverage"]["files"][0];
        assert_eq!(coverage["format"], format!("jsonl+{name}"));
        assert!(packed.stdout.len() < text.len());
        let arguments = ["scan", "cut", "--by", "charge_id", "-o", "report.json"];
        let outcome = workspace.dupaudit(arguments).run();
        assert!(matches!(outcome.exit_code, Some(1 | 3)), "{outcome}");
        assert!(!workspace.report("report.json").is_complete(), "{name}");
    }
}
