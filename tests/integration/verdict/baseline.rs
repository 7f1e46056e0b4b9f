//! `dupaudit baseline`: a night's groups are accepted, and the next night is quiet.

use std::fs;

use crate::support::{Outcome, Workspace};

/// A log in which each of these charges stands as often as it is named.
fn log(charges: &[u32]) -> String {
    let line = |charge: &u32| format!("{{\"charge_id\":\"ch_{charge}\"}}\n");
    charges.iter().map(line).collect()
}

fn scan(workspace: &Workspace, charges: &[u32], options: &[&str]) -> Outcome {
    workspace.write("charges.jsonl", log(charges));
    let scan = ["scan", "charges.jsonl", "--by", "charge_id", "-o", "r.json"];
    workspace.dupaudit(scan.iter().chain(options)).run()
}

fn accept(workspace: &Workspace, options: &[&str]) -> Outcome {
    let command = ["baseline", "r.json", "-o", "accepted.toml"];
    workspace.dupaudit(command.iter().chain(options)).run()
}

fn lines(workspace: &Workspace) -> Vec<String> {
    let text = fs::read_to_string(workspace.path().join("accepted.toml")).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("g_"));
    lines.map(str::to_owned).collect()
}

const KNOWN: [&str; 2] = ["--baseline", "accepted.toml"];

#[test]
fn what_was_accepted_is_quiet_until_it_grows() {
    let workspace = Workspace::new();
    scan(&workspace, &[1, 1, 2, 2, 3], &[]).expect_code(1);
    let said = accept(&workspace, &["--reason", "refunded, \"INC-1\""]).expect_code(0);
    assert_eq!(said.stdout, "2 groups accepted in accepted.toml\n");
    scan(&workspace, &[1, 1, 2, 2, 3, 4], &KNOWN).expect_code(0);
    let report = workspace.report("r.json");
    for group in report.groups() {
        assert_eq!(
            (&group["status"], &group["known_by"]),
            (&"known".into(), &"baseline".into())
        );
    }
    // One grew, one is gone, one is unheard of.
    scan(&workspace, &[1, 1, 1, 4, 4], &KNOWN).expect_code(1);
    let report = workspace.report("r.json");
    let totals = [
        "new_groups",
        "new_extra_records",
        "known_extra_records",
        "gone_groups",
    ];
    assert_eq!(totals.map(|name| report.total(name)), [2, 2, 1, 1]);
    let before = lines(&workspace);
    let said = accept(&workspace, &["--reason", "again", "--expires", "never"]);
    assert_eq!(said.stdout, "2 groups accepted in accepted.toml\n");
    let after = lines(&workspace);
    // What is gone keeps its line; what grew has a new one.
    assert_eq!(after.len(), 3);
    assert_eq!(after.iter().filter(|line| before.contains(line)).count(), 1);
    assert!(
        after
            .iter()
            .any(|line| line.contains("extra = 2") && !line.contains("expires"))
    );
    let said = accept(&workspace, &["--reason", "again", "--prune"]);
    let expected = "0 groups accepted in accepted.toml; accepted before: 2 groups; gone and left \
                    out: 1 group\n";
    assert_eq!(said.stdout, expected);
    scan(&workspace, &[1, 1, 1, 4, 4], &KNOWN).expect_code(0);
}

#[test]
fn one_group_alone_can_be_accepted() {
    let workspace = Workspace::new();
    scan(&workspace, &[1, 1, 2, 2], &[]).expect_code(1);
    let id = workspace.report("r.json").groups()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    accept(&workspace, &["--reason", "a test", "--group", &id]).expect_code(0);
    assert!(lines(&workspace)[0].starts_with(&id));
    scan(&workspace, &[1, 1, 2, 2], &KNOWN).expect_code(1);
    assert_eq!(workspace.report("r.json").total("new_groups"), 1);
    let none = accept(&workspace, &["--reason", "a test", "--group", "g_1"]).expect_code(2);
    assert!(
        none.stderr
            .contains("`--group g_1`: the report has no such group"),
        "{none}"
    );
}

#[test]
fn ids_that_hold_for_one_report_alone_are_refused() {
    let workspace = Workspace::new();
    scan(&workspace, &[1, 1], &["--redact", "hash"]).expect_code(1);
    let refused = accept(&workspace, &["--reason", "r"]).expect_code(2);
    assert!(refused.stderr.contains("--redact hash"), "{refused}");
    assert!(!workspace.path().join("accepted.toml").exists());
    // A baseline of other ids is not written over.
    scan(&workspace, &[1, 1], &[]).expect_code(1);
    accept(&workspace, &["--reason", "r"]).expect_code(0);
    // Whoever hides ids in reports can still be quiet about what is accepted.
    let both = ["--redact", "hash", "--baseline", "accepted.toml"];
    scan(&workspace, &[1, 1], &both).expect_code(0);
    scan(&workspace, &[1, 1], &["--by", "value"]).expect_code(1);
    let refused = accept(&workspace, &["--reason", "r"]).expect_code(2);
    assert!(
        refused
            .stderr
            .contains("give each --by a baseline of its own"),
        "{refused}"
    );
}

#[test]
fn what_is_no_report_or_no_reason_makes_no_baseline() {
    let workspace = Workspace::new();
    scan(&workspace, &[1, 1], &[]).expect_code(1);
    let cases: [(&[&str], &str); 4] = [
        (&["baseline", "none.json"], "none.json"),
        (&["baseline", "charges.jsonl"], "no JSON report"),
        (
            &["baseline", "r.json", "--reason", " "],
            "`--reason` says nothing",
        ),
        (
            &["baseline", "r.json", "--expires", "soon"],
            "`--expires soon`",
        ),
    ];
    for (arguments, problem) in cases {
        let mut arguments = arguments.to_vec();
        if !arguments.contains(&"--reason") {
            arguments.extend(["--reason", "r"]);
        }
        arguments.extend(["-o", "accepted.toml"]);
        let refused = workspace.dupaudit(arguments).run().expect_code(2);
        assert!(refused.stderr.contains(problem), "{refused}");
    }
    assert!(!workspace.path().join("accepted.toml").exists());
    let nowhere = [
        "baseline",
        "r.json",
        "--reason",
        "r",
        "-o",
        "none/accepted.toml",
    ];
    let failed = workspace.dupaudit(nowhere).run().expect_code(4);
    assert!(failed.stderr.contains("none/accepted.toml"), "{failed}");
}
