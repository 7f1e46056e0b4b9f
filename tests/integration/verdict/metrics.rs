//! `-o x.prom`: what a scrape of the last run gets.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::LOG;
use crate::support::{Workspace, or_skip};

#[test]
fn the_metrics_of_a_run_are_readable_by_all_and_hold_no_values_of_records() {
    let workspace = Workspace::new();
    workspace.write("charges.jsonl", LOG);
    let scan = [
        "scan",
        "charges.jsonl",
        "--by",
        "charge_id",
        "--amount",
        "amount",
        "--currency",
        "currency",
        "-o",
        "night.prom",
    ];
    workspace.dupaudit(scan).run().expect_code(1);
    let path = workspace.path().join("night.prom");
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let text = fs::read_to_string(&path).unwrap();
    for line in [
        "dupaudit_groups{audit=\"night\"} 2",
        "dupaudit_extra_records{audit=\"night\"} 2",
        "dupaudit_verdict{audit=\"night\",verdict=\"duplicates\"} 1",
        "dupaudit_amount_at_risk{audit=\"night\",currency=\"EUR\"} 7.00",
        "dupaudit_cause_extra_records{audit=\"night\",cause=\"undetermined\"} 2",
    ] {
        assert!(text.lines().any(|of| of == line), "{line}\n{text}");
    }
    assert!(!text.contains("ch_1"), "{text}");
    check_by_promtool(&text);
    // The next night is clean, and says so in the same series.
    workspace.write("charges.jsonl", LOG.lines().next().unwrap());
    workspace.dupaudit(scan).run().expect_code(0);
    let text = fs::read_to_string(&path).unwrap();
    let clean = "dupaudit_verdict{audit=\"night\",verdict=\"clean\"} 1";
    assert!(text.contains(clean) && text.contains("dupaudit_groups{audit=\"night\"} 0"));
}

/// Prometheus' own tool reads it and has nothing to say about names and texts.
pub(super) fn check_by_promtool(text: &str) {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let started = started.map_err(|error| format!("no promtool: {error}"));
    let Some(mut promtool) = or_skip(started) else {
        return;
    };
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let said = promtool.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "");
    assert_eq!(String::from_utf8_lossy(&said.stderr), "");
}
