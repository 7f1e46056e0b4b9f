//! Programs that are given less than they would like, or ended at any time: the report is whole,
//! or the one of before, or not there, and what went wrong is said.

mod memory;
mod resources;
mod signals;
mod targets;
#[cfg(feature = "kafka")]
mod topics;

use std::fmt::Write as _;
use std::path::Path;

use crate::support::{Outcome, Run, Workspace};

/// Records of the log that is scanned.
const RECORDS: usize = 40_000;

const YESTERDAY: &str = "the report of yesterday";

/// Returns a log in which each tenth record is there twice.
fn log(records: usize) -> String {
    let mut log = String::new();
    for number in 0..records {
        let of = if number % 10 == 9 { number - 9 } else { number };
        writeln!(log, r#"{{"charge_id":"ch_{of}","amount":"1.25"}}"#).unwrap();
    }
    log
}

/// Returns a folder with a log, a report of yesterday, and a folder for what is set aside.
fn workspace(records: usize) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("log.jsonl", log(records));
    workspace.write("x.json", YESTERDAY);
    std::fs::create_dir(workspace.path().join("aside")).unwrap();
    workspace
}

/// Scans the log under a limit that a shell sets, such as `ulimit -n 64`.
fn scan_under(limit: &str, workspace: &Workspace, options: &[&str]) -> Outcome {
    run_under(limit, workspace, options).run()
}

fn run_under(limit: &str, workspace: &Workspace, options: &[&str]) -> Run {
    let script = format!(r#"{limit} && export TMPDIR="$PWD/aside" && "$0" "$@"; exit $?"#);
    let program = ["-c", &script, env!("CARGO_BIN_EXE_dupaudit")];
    let fields = ["scan", "--by", "charge_id", "-o", "x.json"];
    let arguments = program.iter().chain(&fields).chain(options);
    Run::new("sh", workspace.path(), arguments)
}

/// Returns how many files a folder has.
fn count_files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}
