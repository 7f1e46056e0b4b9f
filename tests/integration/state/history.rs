//! `dupaudit history`: what the last nights came to.

use std::fs;

use serde_json::Value;

use crate::state::{append, night, records};
use crate::support::Workspace;

/// Three nights: one clean, one that finds a copy, one that finds nothing new.
fn nights() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b", "c"]));
    night(&workspace, &["a.jsonl"], &["--new-for", "0"]).expect_code(0);
    append(&workspace, "a.jsonl", &records(&["d", "b"]));
    night(&workspace, &["a.jsonl"], &["--new-for", "0"]).expect_code(1);
    append(&workspace, "a.jsonl", &records(&["e"]));
    night(&workspace, &["a.jsonl"], &["--new-for", "0"]).expect_code(0);
    workspace
}

fn shown(workspace: &Workspace, options: &[&str]) -> Value {
    let arguments = ["history", "s", "--json"].iter().chain(options);
    let outcome = workspace.dupaudit(arguments).run().expect_code(0);
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[test]
fn every_night_is_told_with_what_it_was_the_first_to_find() {
    let workspace = nights();
    let all = shown(&workspace, &[]);
    let runs = all["runs"].as_array().unwrap();
    let member = |name: &str| runs.iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    assert_eq!(member("new_groups"), [0, 1, 0]);
    assert_eq!(member("new_extra_records"), [0, 1, 0]);
    assert_eq!(member("records_read"), [3, 2, 1]);
    assert_eq!(member("verdict"), ["clean", "duplicates", "clean"]);
    assert_eq!(all["totals"]["records_read"], 6);
    assert_eq!(all["totals"]["new_groups"], 1);
    let last = shown(&workspace, &["--last", "1"]);
    assert_eq!(last["runs"].as_array().unwrap().len(), 1);
    assert_eq!(last["runs"][0], runs[2]);
    for columns in ["60", "80"] {
        let history = workspace.dupaudit(["history", "s"]).env("COLUMNS", columns);
        let text = history.run().expect_code(0).stdout;
        assert!(text.contains("NEW EXTRA   ·█·  peak 1\n"), "{text}");
        assert!(text.contains("RECORDS     █▆▃  peak 3\n"), "{text}");
        let width = columns.parse().unwrap();
        assert!(
            text.lines().all(|line| line.chars().count() <= width),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn what_is_shown_fits_the_terminal_and_obeys_no_name() {
    let workspace = Workspace::new();
    let hostile = "a\u{1b}[2J\u{202e}.jsonl";
    let long = format!("{}.jsonl", "x".repeat(120));
    workspace.write(hostile, records(&["a"]));
    workspace.write(&long, records(&["b"]));
    night(
        &workspace,
        &[hostile, &long],
        &["--where", "value.id != 'c'"],
    )
    .expect_code(0);
    for arguments in [&["state", "show", "s"][..], &["history", "s"]] {
        let json = workspace
            .dupaudit(arguments.iter().chain(&["--json"]))
            .run();
        let json = json.expect_code(0).stdout;
        let shown = workspace.dupaudit(arguments).env("COLUMNS", "60").run();
        let shown = shown.expect_code(0).stdout;
        for text in [&json, &shown] {
            let obeyed = |of: char| of != '\n' && of.is_control() || of == '\u{202e}';
            assert!(!text.contains(obeyed), "{text:?}");
        }
        serde_json::from_str::<Value>(&json).unwrap();
        assert!(
            shown.lines().all(|line| line.chars().count() <= 60),
            "{shown}"
        );
    }
}

#[test]
fn what_is_no_state_or_no_whole_one_is_told() {
    let workspace = nights();
    for (arguments, said) in [
        (&["history", "nowhere"][..], "`nowhere` holds no state"),
        (&["history", "s", "--last", "0"], "a whole number from 1 on"),
        (&["history"], "<DIR>"),
    ] {
        let outcome = workspace.dupaudit(arguments).run().expect_code(2);
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
    let manifest = workspace.path().join("s/manifest");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to, said) in [
        ("dupaudit-state 1", "dupaudit-state 9", "has format 9"),
        (
            "\"records_read\":3",
            "\"records_read\":4",
            "is damaged: manifest",
        ),
    ] {
        fs::write(&manifest, text.replacen(from, to, 1)).unwrap();
        let outcome = workspace.dupaudit(["history", "s"]).run().expect_code(4);
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
}
