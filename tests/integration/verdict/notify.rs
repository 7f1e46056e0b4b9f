//! `--notify-command`: somebody is told where something counts, and only there.

use std::fs;

use serde_json::Value;

use super::LOG;
use crate::support::{Outcome, Workspace};

fn scan(workspace: &Workspace, options: &[&str]) -> Outcome {
    let scan = [
        "scan",
        "charges.jsonl",
        "--by",
        "charge_id",
        "--notify-command",
    ];
    workspace.dupaudit(scan.iter().chain(options)).run()
}

#[test]
fn the_command_gets_the_summary_where_something_counts() {
    let workspace = Workspace::new();
    workspace.write("charges.jsonl", LOG);
    let told = workspace.path().join("told.json");
    let command = "cat > told.json; echo said; echo more >&2";
    let outcome = scan(
        &workspace,
        &[command, "-q", "-o", "-", "--output-format", "json"],
    );
    let outcome = outcome.expect_code(1);
    // What the command says is no part of what the scan says.
    serde_json::from_str::<Value>(&outcome.stdout).unwrap();
    assert_eq!(outcome.stderr, "");
    let summary: Value = serde_json::from_str(&fs::read_to_string(&told).unwrap()).unwrap();
    assert_eq!(summary["summary"]["verdict"], "duplicates");
    assert_eq!(summary["summary"]["groups"], 2);
    assert_eq!(summary["groups"], Value::Array(Vec::new()));
    fs::remove_file(&told).unwrap();
    // Below the threshold nobody is woken.
    scan(&workspace, &[command, "--fail-at", "groups=3"]).expect_code(0);
    assert!(!told.exists());
    workspace.write("charges.jsonl", "{\"charge_id\":1}\n");
    scan(&workspace, &[command]).expect_code(0);
    assert!(!told.exists());
    // What was not read may hold what would count.
    workspace.write("charges.jsonl", "{\"charge_id\":1}\n{\"charge_id\":x}\n");
    scan(&workspace, &[command]).expect_code(3);
    assert!(told.exists());
}

#[test]
fn a_command_that_fails_or_hangs_changes_nothing_of_what_was_found() {
    let workspace = Workspace::new();
    workspace.write("charges.jsonl", LOG);
    let cases: [(&[&str], &str); 3] = [
        (
            &["echo no route >&2; exit 7"],
            "ended with exit status: 7: no route",
        ),
        (&["no-such-command"], "not found"),
        (
            &["sleep 600", "--notify-timeout", "200ms"],
            "has not ended within 0.2 s",
        ),
    ];
    for (options, problem) in cases {
        let outcome = scan(&workspace, options).expect_code(1);
        let text = "warning: the command of `--notify-command`";
        assert!(outcome.stderr.contains(text), "{outcome}");
        assert!(outcome.stderr.contains(problem), "{outcome}");
        assert!(outcome.stdout.contains("DUPLICATES"), "{outcome}");
    }
}

#[test]
fn nothing_of_the_records_reaches_the_shell() {
    let workspace = Workspace::new();
    let evil = "{\"charge_id\":\"$(touch pwned) `touch pwned` '; touch pwned\"}\n";
    workspace.write("charges.jsonl", evil.repeat(2));
    scan(&workspace, &["cat > told.json"]).expect_code(1);
    assert!(workspace.path().join("told.json").exists());
    assert!(!workspace.path().join("pwned").exists());
    for (options, problem) in [
        (&[" "][..], "names no command"),
        (&["true", "--notify-timeout", "0"], "--notify-timeout 0"),
        (
            &["true", "--notify-timeout", "soon"],
            "--notify-timeout soon",
        ),
    ] {
        let refused = scan(&workspace, options).expect_code(2);
        assert!(refused.stderr.contains(problem), "{refused}");
    }
}
