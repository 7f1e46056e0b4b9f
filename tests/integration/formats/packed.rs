//! Files that real packers wrote, of many members and frames: the report is that of the plain
//! file, whatever the threads; one damaged member ends it at the same place.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::report::Report;
use crate::support::{Workspace, or_skip, text};

/// What is packed by itself, before all is put one behind the other.
const PARTS: usize = 5;

/// How logs are packed, and the format that is told.
const PACKERS: [(&[&str], &str); 6] = [
    (&["gzip", "-c"], "jsonl+gzip"),
    (&["gzip", "-1", "-c"], "jsonl+gzip"),
    (&["bgzip", "-c"], "jsonl+gzip"),
    (&["zstd", "-q", "-c"], "jsonl+zstd"),
    (&["zstd", "-q", "-19", "--long=24", "-c"], "jsonl+zstd"),
    (&["pzstd", "-q", "-1", "-p", "4", "-c"], "jsonl+zstd"),
];

/// Returns records of which one in ten comes again, far away.
fn records(count: usize) -> String {
    let mut log = String::new();
    for number in 0..count {
        let charge = if number % 10 == 9 {
            number / 20
        } else {
            number
        };
        // What is not packed well makes files that are long enough to be unpacked ahead.
        let noise = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let note = format!("{noise:x}{:x}", noise.wrapping_mul(noise));
        writeln!(log, r#"{{"charge_id":"ch_{charge}","note":"{note}"}}"#).unwrap();
    }
    log
}

/// Packs a file with a program that writes to standard output.
fn packed(command: &[&str], file: &Path) -> Result<Vec<u8>, String> {
    let missing = |error| format!("{}: {error}", command[0]);
    let output = Command::new(command[0])
        .args(&command[1..])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .map_err(missing)?;
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(String::from_utf8_lossy(&output.stderr))
    );
    Ok(output.stdout)
}

/// Packs each part of a log by itself, not at the ends of lines.
fn members(workspace: &Workspace, log: &str, command: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    let parts = log.as_bytes().chunks(log.len() / PARTS + 1);
    parts
        .map(|part| packed(command, &workspace.write("part", part)))
        .collect()
}

/// Scans a file named as all others are, and returns the report without what names the run.
fn scan(bytes: &[u8], threads: &str) -> Report {
    let workspace = Workspace::new();
    workspace.write("log", bytes);
    let arguments = [
        "scan",
        "log",
        "--by",
        "charge_id",
        "-o",
        "x.json",
        "--threads",
        threads,
    ];
    workspace.dupaudit(arguments).run();
    let mut report = workspace.report("x.json");
    report.0.as_object_mut().unwrap().remove("header");
    report
}

fn file(report: &mut Report) -> &mut Value {
    &mut report.0["coverage"]["files"][0]
}

#[test]
fn members_and_frames_of_every_packer_are_the_plain_file() {
    let workspace = Workspace::new();
    let log = records(20_000);
    let mut plain = scan(log.as_bytes(), "1");
    assert_eq!(plain.total("groups"), 1_000);
    for (command, format) in PACKERS {
        let Some(members) = or_skip(members(&workspace, &log, command)) else {
            continue;
        };
        let bytes = members.concat();
        let stored = Value::from(bytes.len());
        for threads in ["1", "4"] {
            let mut report = scan(&bytes, threads);
            let coverage = file(&mut report);
            assert_eq!(coverage["format"], format, "{command:?}");
            assert_eq!(coverage["bytes"], stored, "{command:?}");
            *coverage = file(&mut plain).clone();
            assert_eq!(report.0, plain.0, "{command:?}, {threads} threads");
        }
    }
}

#[test]
fn a_damaged_member_ends_the_file_in_the_same_place_whatever_the_threads() {
    let workspace = Workspace::new();
    let log = records(20_000);
    for (command, format) in PACKERS {
        let Some(mut members) = or_skip(members(&workspace, &log, command)) else {
            continue;
        };
        let middle = members[2].len() / 2;
        members[2][middle..middle + 40].fill(0xa5);
        let bytes = members.concat();
        let alone = scan(&bytes, "1");
        assert_eq!(scan(&bytes, "4").0, alone.0, "{command:?}");
        assert!(!alone.is_complete(), "{command:?}");
        let read = alone.total("records_read");
        assert!((6_000..17_000).contains(&read), "{command:?}: {read}");
        let damage = alone.0["coverage"]["files"][0]["damage"].to_string();
        let name = format.trim_start_matches("jsonl+");
        assert!(
            damage.contains(&format!("{name} stream is damaged after")),
            "{damage}"
        );
    }
}

#[test]
fn what_follows_a_damaged_member_is_not_read_even_if_it_was_unpacked() {
    let workspace = Workspace::new();
    let log = records(20_000);
    let Some(members) = or_skip(members(&workspace, &log, &["gzip", "-c"])) else {
        return;
    };
    let garbage = [&members[0][..], b"garbage", &members[1..].concat()].concat();
    let report = scan(&garbage, "4");
    let first = fs::read(workspace.write("first", &members[0])).unwrap();
    let expected = scan(&first, "1").total("records_read");
    // The first member alone ends within a line, which is a record that does not count here.
    assert!((expected - 1..=expected).contains(&report.total("records_read")));
    let damage = report.0["coverage"]["files"][0]["damage"].to_string();
    assert!(
        damage.contains("bytes that are no gzip follow it"),
        "{damage}"
    );
}
