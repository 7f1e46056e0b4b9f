//! States that cannot be used: said with the way out, and nothing is audited.

use std::fs::{self, File};
use std::process::Command;

use crate::state::{files_of, night, records};
use crate::support::Workspace;

fn begun() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b"]));
    night(&workspace, &["a.jsonl"], &[]).expect_code(0);
    workspace
}

#[test]
fn another_dedup_key_is_named_and_a_reset_begins_anew() {
    let workspace = begun();
    for (options, said) in [
        (
            &["--by", "other"][..],
            "--by value.id, and this run has --by value.id,value.other",
        ),
        (
            &["--where", "value.x == 1"],
            "--where none, and this run has --where value.x == 1",
        ),
        (
            &["--missing", "group"],
            "--missing skip, and this run has --missing group",
        ),
    ] {
        let outcome = night(&workspace, &["a.jsonl"], options).expect_code(2);
        assert!(outcome.stderr.contains(said), "{outcome}");
        assert!(
            outcome.stderr.contains("dupaudit state reset s"),
            "{outcome}"
        );
    }
    workspace
        .dupaudit(["state", "reset", "s"])
        .run()
        .expect_code(0);
    assert!(!workspace.path().join("s").exists());
    night(&workspace, &["a.jsonl"], &["--missing", "group"]).expect_code(0);
}

#[test]
fn damage_and_later_formats_are_told_and_never_taken_for_an_empty_state() {
    let workspace = begun();
    let dir = workspace.path().join("s");
    for name in files_of(&dir).iter().filter(|name| *name != "lock") {
        let path = dir.join(name);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        let last = whole.len() - 3;
        damaged[last] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        let outcome = night(&workspace, &["a.jsonl"], &[]).expect_code(4);
        assert!(outcome.stderr.contains("is damaged") && outcome.stderr.contains(name));
        assert!(
            outcome.stderr.contains("dupaudit state reset s"),
            "{outcome}"
        );
        fs::write(&path, &whole).unwrap();
    }
    let manifest = dir.join("manifest");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replacen("dupaudit-state 1", "dupaudit-state 2", 1),
    )
    .unwrap();
    let outcome = night(&workspace, &["a.jsonl"], &[]).expect_code(4);
    assert!(outcome.stderr.contains("has format 2"), "{outcome}");
    let outcome = workspace
        .dupaudit(["state", "show", "s"])
        .run()
        .expect_code(4);
    assert!(outcome.stderr.contains("has format 2"), "{outcome}");
}

#[test]
fn a_second_run_is_refused_while_the_first_one_runs() {
    let workspace = begun();
    let lock = workspace.path().join("s/lock");
    let held = File::options().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    fs::write(&lock, "4711").unwrap();
    for arguments in [
        &["scan", "a.jsonl", "--by", "id", "--state", "s"][..],
        &["state", "prune", "s", "--older-than", "0"],
        &["state", "reset", "s"],
    ] {
        let outcome = workspace.dupaudit(arguments).run().expect_code(4);
        let said = "is in use by process 4711";
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
    workspace
        .dupaudit(["state", "show", "s"])
        .run()
        .expect_code(0);
    drop(held);
    night(&workspace, &["a.jsonl"], &[]).expect_code(0);
}

#[test]
fn what_does_not_fit_a_state_is_refused() {
    let workspace = begun();
    let pipe = workspace.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for (arguments, code, said) in [
        (
            &["scan", "-", "--by", "id", "--state", "s"][..],
            2,
            "standard input",
        ),
        (
            &["scan", "pipe", "--by", "id", "--state", "s"],
            2,
            "`pipe` cannot be read on",
        ),
        (
            &[
                "scan", "a.jsonl", "--by", "id", "--state", "s", "--from", "-2h",
            ],
            2,
            "`--from` cannot",
        ),
        (
            &["scan", "a.jsonl", "--by", "id", "--state", "."],
            2,
            "but other files",
        ),
        (
            &["scan", "a.jsonl", "--by", "id", "--state", "a.jsonl"],
            2,
            "`a.jsonl` is no directory",
        ),
        (&["state", "show", "a.jsonl"], 2, "is no directory"),
        (&["state", "reset", "a.jsonl"], 2, "is no directory"),
        (&["history", "a.jsonl"], 2, "is no directory"),
        (&["state", "show", "nowhere"], 2, "holds no state"),
        (&["state", "reset", "."], 2, "but other files"),
        (
            &["state", "prune", "s", "--older-than", "x"],
            2,
            "does not begin with a number",
        ),
    ] {
        let outcome = workspace.dupaudit(arguments).run().expect_code(code);
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
    let pruned = workspace
        .dupaudit(["state", "prune", "s", "--older-than", "0"])
        .run();
    assert!(
        pruned
            .expect_code(0)
            .stdout
            .contains("remembers 0 records now")
    );
    let text = workspace
        .dupaudit(["state", "show", "s"])
        .run()
        .expect_code(0)
        .stdout;
    assert!(text.contains("a.jsonl") && text.contains("--by"), "{text}");
}

#[test]
fn a_scan_that_cannot_begin_makes_no_state() {
    let workspace = Workspace::new();
    for state in ["s", "above/s"] {
        let scan = ["scan", "missing.jsonl", "--by", "id", "--state", state];
        let outcome = workspace.dupaudit(scan).run().expect_code(2);
        assert!(outcome.stderr.contains("missing.jsonl"), "{outcome}");
        assert!(!workspace.path().join(state).exists());
    }
    // A directory that was there stays, and what a run that was killed has left is no hindrance.
    fs::create_dir(workspace.path().join("s")).unwrap();
    night(&workspace, &["missing.jsonl"], &[]).expect_code(2);
    assert!(files_of(&workspace.path().join("s")).is_empty());
    fs::write(workspace.path().join("s/lock"), "4711").unwrap();
    workspace.write("a.jsonl", records(&["a", "b"]));
    night(&workspace, &["a.jsonl"], &[]).expect_code(0);
    let before = files_of(&workspace.path().join("s"));
    night(&workspace, &["missing.jsonl"], &[]).expect_code(2);
    assert_eq!(files_of(&workspace.path().join("s")), before);
}
