//! Runs that are ended from outside: signals, full disks, closed pipes.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Workspace, wait};

const RECORD: &str = "{\"charge_id\":\"ch_1\"}\n";

/// Starts a scan of standard input, which has not ended, and gives it some records.
fn start_scan(folder: &Path, records: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(folder)
        .args(["scan", "-", "--by", "charge_id", "-o", "x.json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(records.as_bytes()).unwrap();
    stdin.flush().unwrap();
    wait_until_signals_are_caught(&child);
    child
}

/// A program that is not up yet would die of the signal.
pub(crate) fn wait_until_signals_are_caught(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let deadline = Instant::now() + Duration::from_secs(20);
    let is_caught = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // Signals are numbered from 1; SIGINT is 2, SIGTERM 15.
        mask.is_some_and(|mask| mask & (1 << 1) != 0 && mask & (1 << 14) != 0)
    };
    while !is_caught() {
        assert!(Instant::now() < deadline, "the program catches no signals");
        thread::sleep(Duration::from_millis(10));
    }
    // What was written is read now, and the program waits for more.
    thread::sleep(Duration::from_millis(500));
}

pub(crate) fn signal(child: &Child, name: &str) {
    let process = child.id().to_string();
    let status = Command::new("sh")
        .args(["-c", "kill -$0 $1", name, &process])
        .status();
    assert!(status.unwrap().success());
}

fn wait_for(child: &mut Child) -> Option<i32> {
    wait(child, Instant::now() + Duration::from_secs(10))
}

#[test]
fn a_signal_ends_the_scan_with_a_report_that_says_so() {
    // More than is read at once: of a part that has not come whole nothing may be known.
    let mut many = RECORD.repeat(2);
    for number in 0..300_000 {
        writeln!(many, "{{\"charge_id\":{number}}}").unwrap();
    }
    for (name, records, code) in [("INT", RECORD, 3), ("TERM", &many, 1)] {
        let workspace = Workspace::new();
        let mut child = start_scan(workspace.path(), records);
        signal(&child, name);
        assert_eq!(wait_for(&mut child), Some(code), "SIG{name}");
        let report = workspace.report("x.json");
        assert!(!report.is_complete());
        let verdict = if code == 1 {
            "duplicates"
        } else {
            "incomplete"
        };
        assert_eq!(report.0["summary"]["verdict"], verdict);
    }
}

#[test]
fn a_report_is_never_half_written() {
    let workspace = Workspace::new();
    workspace.write("x.json", "the report of yesterday");
    let mut child = start_scan(workspace.path(), RECORD);
    signal(&child, "KILL");
    wait_for(&mut child);
    let kept = fs::read_to_string(workspace.path().join("x.json")).unwrap();
    assert_eq!(kept, "the report of yesterday");
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 1);
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let workspace = Workspace::new();
    workspace.write("log.jsonl", RECORD.repeat(2));
    fs::create_dir(workspace.path().join("taken.json")).unwrap();
    for target in ["missing/x.json", "taken.json"] {
        let arguments = ["scan", "log.jsonl", "--by", "charge_id", "-o", target];
        let outcome = workspace.dupaudit(arguments).run();
        assert!(matches!(outcome.exit_code, Some(2 | 4)), "{outcome}");
        outcome.expect_stderr(target);
    }
}

/// Runs a scan of duplicates with its standard output going to `stdout`.
fn scan_into(workspace: &Workspace, stdout: Stdio) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(workspace.path())
        .args(["scan", "log.jsonl", "--by", "charge_id", "-o", "x.json"])
        .stdin(Stdio::null())
        .stdout(stdout)
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let workspace = Workspace::new();
    workspace.write("log.jsonl", RECORD.repeat(2));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = scan_into(&workspace, full.into());
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(!output.stderr.is_empty());

    fs::remove_file(workspace.path().join("x.json")).ok();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = scan_into(&workspace, writer.into());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(workspace.report("x.json").is_complete());
}

#[test]
fn a_help_text_that_cannot_be_written_is_an_error_too() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .arg("--help")
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[test]
fn a_directory_for_temporary_files_that_is_not_there_is_named() {
    let workspace = Workspace::new();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dupaudit"));
        command
            .current_dir(workspace.path())
            .env("TMPDIR", "/nonexistent/spill")
            .args(["scan", "--by", "charge_id", "-q", "-o", "x.json"])
            .args(arguments)
            .stdin(Stdio::null());
        command.output().unwrap()
    };
    workspace.write("charges.jsonl", RECORD);
    let piped = run(&["-"]);
    let words = String::from_utf8_lossy(&piped.stderr).into_owned();
    assert_eq!(piped.status.code(), Some(4), "{words}");
    assert!(words.contains("`/nonexistent/spill`"), "{words}");
    assert!(!workspace.path().join("x.json").exists());
    // What needs no temporary file is read as ever.
    assert_eq!(run(&["charges.jsonl"]).status.code(), Some(0));
}
