//! Signals at any time of a scan.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{RECORDS, YESTERDAY, count_files, workspace};
use crate::interrupted::signal;
use crate::support::{Workspace, is_soak, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a scan that sets most of its index aside.
fn start(workspace: &Workspace) -> Child {
    Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(workspace.path())
        .args(["scan", "log.jsonl", "--by", "charge_id", "-o", "x.json"])
        .args(["--memory", "16M"])
        .env("TMPDIR", workspace.path().join("aside"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Returns how long a scan takes that nothing happens to.
fn whole_time() -> Duration {
    let workspace = workspace(RECORDS);
    let started = Instant::now();
    let code = wait(&mut start(&workspace), started + PATIENCE);
    assert_eq!(code, Some(1));
    started.elapsed()
}

/// Returns times from the start of a scan to a little after its end, evenly spread.
fn moments() -> Vec<Duration> {
    let count = if is_soak() { 200 } else { 12 };
    let whole = whole_time();
    (0..count)
        .map(|number| whole * number / (count - 2))
        .collect()
}

/// What is under the name of the report: the old one, or a whole new one, which is returned
/// with what it says of its coverage.
fn assert_whole(workspace: &Workspace) -> Option<bool> {
    let text = fs::read_to_string(workspace.path().join("x.json")).unwrap();
    if text == YESTERDAY {
        return None;
    }
    let report = workspace.report("x.json");
    assert_eq!(
        report.groups().len(),
        usize::try_from(report.total("groups")).unwrap()
    );
    Some(report.is_complete())
}

#[test]
fn a_signal_at_any_time_leaves_a_report_that_says_so_or_the_old_one() {
    let names = ["INT", "TERM"];
    for (moment, name) in moments().into_iter().zip(names.iter().cycle()) {
        let workspace = workspace(RECORDS);
        let mut child = start(&workspace);
        thread::sleep(moment);
        signal(&child, name);
        let code = wait(&mut child, Instant::now() + PATIENCE);
        match (code, assert_whole(&workspace)) {
            // It was ended before it took signals over; it said that not all was read; it was done.
            (None, None) | (Some(1 | 3), Some(false)) | (Some(1), Some(true)) => {}
            other => panic!("SIG{name} after {moment:?}: {other:?}"),
        }
        assert_eq!(count_files(&workspace.path().join("aside")), 0);
        assert_eq!(count_files(workspace.path()), 3, "something is left behind");
    }
}

#[test]
fn a_second_signal_ends_the_program_and_leaves_no_half_report() {
    for moment in moments().into_iter().step_by(4) {
        let workspace = workspace(RECORDS);
        let mut child = start(&workspace);
        thread::sleep(moment);
        signal(&child, "TERM");
        signal(&child, "TERM");
        let code = wait(&mut child, Instant::now() + PATIENCE);
        assert!(
            matches!(code, None | Some(1 | 3 | 143)),
            "{code:?} after {moment:?}"
        );
        assert_whole(&workspace);
    }
}

#[test]
fn a_program_killed_at_any_time_leaves_a_whole_report_or_the_old_one() {
    for moment in moments() {
        let workspace = workspace(RECORDS);
        let mut child = start(&workspace);
        thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(assert_whole(&workspace) != Some(false));
        // What was set aside has no name, and goes with the program.
        assert_eq!(count_files(&workspace.path().join("aside")), 0);
    }
}
