//! Two stored reports compared, plain and hidden behind hashes.

use std::fs;

use crate::reports::{chmod, write_key};
use crate::support::{Outcome, Workspace};

/// Charges by id, each as often as it is said.
fn log(workspace: &Workspace, name: &str, charges: &[(&str, usize)]) {
    let lines = charges.iter().map(|(id, count)| {
        format!("{{\"id\":\"{id}\",\"customer\":\"cus_7\",\"amount\":\"2.50\"}}\n").repeat(*count)
    });
    workspace.write(name, lines.collect::<String>());
}

fn scan(workspace: &Workspace, more: &str) -> Outcome {
    let line = format!("scan log.jsonl --by id --amount amount --subject customer {more}");
    workspace
        .dupaudit(line.split_whitespace())
        .run()
        .expect_code(1)
}

/// The same log before and after a fix that did not help everybody.
fn before_and_after(more: &str) -> Workspace {
    let workspace = Workspace::new();
    write_key(&workspace);
    log(
        &workspace,
        "log.jsonl",
        &[("ch_a", 2), ("ch_b", 2), ("ch_c", 4), ("ch_d", 3)],
    );
    scan(&workspace, &format!("-o old.json {more}"));
    log(
        &workspace,
        "log.jsonl",
        &[("ch_b", 3), ("ch_c", 2), ("ch_d", 3), ("ch_e", 2)],
    );
    scan(&workspace, &format!("-o new.json {more}"));
    workspace
}

fn diff(workspace: &Workspace, more: &[&str]) -> Outcome {
    workspace.dupaudit(["diff"].iter().chain(more)).run()
}

#[test]
fn what_is_new_grown_and_gone_is_said() {
    let workspace = before_and_after("");
    let shown = diff(&workspace, &["old.json", "new.json"])
        .expect_code(1)
        .stdout;
    assert!(
        shown.starts_with("NEW         1 new, 1 grown, 1 shrunk, 1 gone, 1 as before\n"),
        "{shown}"
    );
    for text in [
        "BEFORE      4 groups, 7 extra records, 17.50; coverage complete",
        "AFTER       4 groups, 6 extra records, 15.00; coverage complete",
        "NEW GROUPS (1 of 1)",
        "GROWN GROUPS (1 of 1)",
        "GROUPS THAT ARE GONE (1 of 1)",
        "ch_b      2    1",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let same = diff(&workspace, &["new.json", "new.json"])
        .expect_code(0)
        .stdout;
    assert!(
        same.starts_with("NOTHING NEW 0 new, 0 grown, 0 shrunk, 0 gone, 4 as before\n"),
        "{same}"
    );
    let json = diff(&workspace, &["old.json", "new.json", "--json"])
        .expect_code(1)
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let changes = json["changes"].as_array().unwrap().iter();
    let changes: Vec<_> = changes
        .map(|of| {
            (
                of["change"].as_str().unwrap(),
                of["key"]["value.id"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("grown", "ch_b"),
        ("shrunk", "ch_c"),
        ("new", "ch_e"),
        ("gone", "ch_a"),
    ];
    assert_eq!(changes, expected);
    assert_eq!(json["counts"]["same"], 1);
    assert_eq!(json["old"]["amounts"][0]["net"], "17.50");
}

#[test]
fn what_was_not_read_again_is_not_said_to_be_gone() {
    let workspace = before_and_after("");
    log(&workspace, "other.jsonl", &[("ch_z", 1)]);
    let other = ["scan", "other.jsonl", "--by", "id", "-o", "other.json"];
    workspace.dupaudit(other).run().expect_code(0);
    let shown = diff(&workspace, &["old.json", "other.json"])
        .expect_code(0)
        .stdout;
    assert!(shown.contains("0 gone, 0 as before; not known"), "{shown}");
    assert!(
        shown.contains("only the older report read log.jsonl"),
        "{shown}"
    );
    assert!(shown.contains("GROUPS NOT READ AGAIN (4 of 4)"), "{shown}");
}

#[test]
fn reports_that_cannot_be_compared_are_refused() {
    let workspace = before_and_after("");
    scan(&workspace, "-o random.json --redact hash");
    scan(&workspace, "-o mask.json --redact mask");
    let by = ["scan", "log.jsonl", "--by", "customer", "-o", "by.json"];
    workspace.dupaudit(by).run().expect_code(1);
    for (new, reason) in [
        (
            "by.json",
            "the dedup keys differ: --by value.id and --by value.customer",
        ),
        ("random.json", "hidden in different ways"),
        ("mask.json", "hidden in different ways"),
        ("log.jsonl", "no JSON report"),
        ("none.json", "No such file"),
        ("-", "standard input"),
    ] {
        diff(&workspace, &["old.json", new])
            .expect_code(2)
            .expect_stderr(reason);
    }
}

#[test]
fn hidden_reports_of_one_key_are_compared_and_show_nothing() {
    let workspace = before_and_after("--redact hash --redact-key key -o r.csv -o r.jsonl");
    let shown = diff(&workspace, &["old.json", "new.json"])
        .expect_code(1)
        .stdout;
    assert!(
        shown.starts_with("NEW         1 new, 1 grown, 1 shrunk, 1 gone, 1 as before\n"),
        "{shown}"
    );
    let mask = [
        "report", "new.json", "--redact", "mask", "-o", "m.json", "-o", "m.csv",
    ];
    workspace.dupaudit(mask).run().expect_code(0);
    for name in [
        "old.json", "new.json", "r.csv", "r.jsonl", "m.json", "m.csv",
    ] {
        let text = fs::read_to_string(workspace.path().join(name)).unwrap();
        assert!(
            !text.contains("ch_") && !text.contains("cus_"),
            "{name}: {text}"
        );
    }
    let json = fs::read_to_string(workspace.path().join("new.json")).unwrap();
    assert!(
        json.contains("\"redaction\":\"hash\",\"redaction_key\":\""),
        "{json}"
    );
    assert!(!json.contains("battery"), "{json}");
    let masked = fs::read_to_string(workspace.path().join("m.json")).unwrap();
    assert!(
        masked.contains("\"redaction\":\"mask\",\"redaction_key\":null"),
        "{masked}"
    );
    assert!(masked.contains("\"value.id\":\"***\""), "{masked}");
}

#[test]
fn a_key_that_is_missing_weak_or_open_to_others_is_refused_before_anything_is_read() {
    let workspace = before_and_after("");
    let refused = |reason: &str| {
        let arguments = [
            "scan",
            "log.jsonl",
            "--by",
            "id",
            "--redact",
            "hash",
            "--redact-key",
            "k",
        ];
        workspace
            .dupaudit(arguments)
            .run()
            .expect_code(2)
            .expect_stderr(reason);
    };
    refused("umask 077");
    workspace.write("k", "correct horse battery staple");
    chmod(&workspace, "k", 0o640);
    refused("chmod 600 k");
    workspace.write("k", " short \n");
    chmod(&workspace, "k", 0o600);
    refused("fewer than 16 bytes");
}
