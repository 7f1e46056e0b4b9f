//! Little room on disks, little memory, few open files.

use std::fs;

use super::{RECORDS, YESTERDAY, count_files, log, run_under, scan_under, workspace};
use crate::support::{Workspace, is_soak};

/// Half a mebibyte, in blocks of 512 bytes.
const SMALL_FILES: &str = "ulimit -f 1024";

#[test]
fn no_room_for_what_is_set_aside_is_said_and_the_old_report_stays() {
    let workspace = workspace(RECORDS);
    let outcome = scan_under(SMALL_FILES, &workspace, &["log.jsonl", "--memory", "16M"]);
    let aside = workspace.path().join("aside");
    assert!(matches!(outcome.exit_code, Some(3 | 4)), "{outcome}");
    assert!(outcome.stderr.contains("--memory"), "{outcome}");
    let kept = fs::read_to_string(workspace.path().join("x.json")).unwrap();
    assert_eq!(kept, YESTERDAY, "{outcome}");
    assert_eq!(count_files(&aside), 0);
}

/// Returns a dump of a log of some records, each in a batch of its own.
fn dump(records: usize) -> String {
    let value = r#"{"charge_id":"ch_1"}"#;
    let size = value.len();
    let batch = |offset: usize| {
        format!(
            "baseOffset: {offset} lastOffset: {offset} count: 1 producerId: -1 isTransactional: \
             false isControl: false position: 0 CreateTime: 1 size: 90 magic: 2\n\
             | offset: {offset} CreateTime: 1 keySize: -1 valueSize: {size} sequence: -1 \
             headerKeys: [] payload: {value}\n"
        )
    };
    let batches: String = (0..records).map(batch).collect();
    format!("Dumping charges-0/00000000000000000000.log\nLog starting offset: 0\n{batches}")
}

#[test]
fn no_room_for_what_comes_through_a_pipe_ends_the_scan() {
    for piped in [log(RECORDS), dump(RECORDS / 4)] {
        let workspace = workspace(1);
        let run = run_under(SMALL_FILES, &workspace, &["-"]).stdin(piped);
        let outcome = run.run().expect_code(4);
        assert!(outcome.stderr.contains("second pass"), "{outcome}");
        let kept = fs::read_to_string(workspace.path().join("x.json")).unwrap();
        assert_eq!(kept, YESTERDAY, "{outcome}");
        assert_eq!(count_files(&workspace.path().join("aside")), 0);
    }
}

#[test]
fn no_room_for_the_report_is_said_and_the_old_report_stays() {
    let workspace = workspace(RECORDS);
    let outcome = scan_under(SMALL_FILES, &workspace, &["log.jsonl"]).expect_code(4);
    assert!(outcome.stderr.contains("x.json"), "{outcome}");
    let kept = fs::read_to_string(workspace.path().join("x.json")).unwrap();
    assert_eq!(kept, YESTERDAY, "{outcome}");
    assert_eq!(count_files(workspace.path()), 3, "something is left behind");
}

#[test]
fn little_address_space_is_enough_for_many_dedup_keys() {
    let records = if is_soak() { 1_000_000 } else { 200_000 };
    let workspace = workspace(records);
    let outcome = scan_under("ulimit -v 262144", &workspace, &["log.jsonl"]).expect_code(1);
    let report = workspace.report("x.json");
    assert!(report.is_complete(), "{outcome}");
    assert_eq!(report.groups().len(), records / 10);
    assert_eq!(count_files(&workspace.path().join("aside")), 0);
}

/// Spreads the log over so many files.
fn spread(workspace: &Workspace, files: usize) {
    fs::create_dir(workspace.path().join("parts")).unwrap();
    let log = fs::read_to_string(workspace.path().join("log.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    for (number, part) in lines.chunks(RECORDS / files).enumerate() {
        workspace.write(&format!("parts/{number}.jsonl"), part.join("\n"));
    }
}

#[test]
fn few_open_files_are_enough_for_some_inputs_and_too_many_are_named() {
    let workspace = workspace(RECORDS);
    spread(&workspace, 25);
    let options = ["parts", "--memory", "16M"];
    let outcome = scan_under("ulimit -n 64", &workspace, &options).expect_code(1);
    let report = workspace.report("x.json");
    assert!(report.is_complete(), "{outcome}");
    assert_eq!(report.groups().len(), RECORDS / 10);

    let workspace = super::workspace(RECORDS);
    spread(&workspace, 200);
    let outcome = scan_under("ulimit -n 64", &workspace, &options);
    assert!(matches!(outcome.exit_code, Some(2 | 4)), "{outcome}");
    let error = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("error"));
    let is_named = |line: &str| line.contains("parts/") && line.contains("open files");
    assert!(error.is_some_and(is_named), "{outcome}");
    assert!(outcome.stderr.contains("ulimit -n"), "{outcome}");
    let kept = fs::read_to_string(workspace.path().join("x.json")).unwrap();
    assert_eq!(kept, YESTERDAY, "{outcome}");
}
