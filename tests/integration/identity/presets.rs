//! Presets: each has a case, reports say which was used, and one group is explained by it.

use std::path::Path;

use dupaudit::preset::PRESETS;
use unicode_width::UnicodeWidthStr;

use crate::support::Workspace;

fn cases() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

fn with_records(case: &str) -> Workspace {
    let workspace = Workspace::new();
    let records = cases().join(case).join("records.jsonl");
    workspace.write("records.jsonl", std::fs::read(records).unwrap());
    workspace
}

#[test]
fn every_preset_has_a_case_that_uses_it() {
    for preset in PRESETS {
        let case = cases().join(format!("preset-{}/case.toml", preset.name));
        let text = std::fs::read_to_string(&case).unwrap_or_default();
        let used = format!("\"--preset\", \"{}\"", preset.name);
        assert!(text.contains(&used), "{}", case.display());
    }
}

#[test]
fn the_list_and_one_preset_fit_the_terminal() {
    let workspace = Workspace::new();
    for columns in ["80", "60"] {
        for arguments in [&["presets"][..], &["presets", "webhook"]] {
            let run = workspace.dupaudit(arguments).env("COLUMNS", columns);
            let shown = run.run().expect_code(0).stdout;
            let width = columns.parse().unwrap();
            assert!(shown.lines().all(|line| line.width() <= width), "{shown}");
            assert!(shown.contains("webhook"), "{shown}");
        }
    }
    let unknown = workspace.dupaudit(["presets", "cloudevent"]).run();
    let said = unknown.expect_code(2).stderr;
    assert!(said.contains("'cloudevents'"), "{said}");
}

#[test]
fn a_report_says_which_preset_was_used_and_explains_its_groups() {
    let workspace = with_records("preset-debezium-pg");
    let arguments = [
        "scan",
        "records.jsonl",
        "--preset",
        "debezium-pg",
        "-o",
        "r.json",
    ];
    workspace.dupaudit(arguments).run().expect_code(1);
    let report = workspace.report("r.json");
    let header = &report.0["header"];
    assert_eq!(header["preset"], "debezium-pg");
    assert_eq!(header["where"], "value.op != 'r'");
    let by = header["by"].as_array().unwrap();
    assert_eq!(by.last().unwrap(), "key//value.after//value.before");
    let group = report.groups()[0]["id"].as_str().unwrap();
    let explain = ["explain", "--report", "r.json", "--group", group];
    let shown = workspace.dupaudit(explain).run().expect_code(0).stdout;
    assert!(shown.contains("charges-0@1"), "{shown}");
    assert!(shown.contains("charges-0@2"), "{shown}");
}

#[test]
fn what_is_typed_wins_over_the_preset() {
    let workspace = with_records("preset-stripe-event");
    let scan = [
        "scan",
        "records.jsonl",
        "--preset",
        "stripe-event",
        "-o",
        "r.json",
    ];
    let typed = ["--by", "request.idempotency_key", "--subject", "livemode"];
    let run = workspace.dupaudit(scan.iter().chain(&typed)).run();
    run.expect_code(1);
    let header = &workspace.report("r.json").0["header"];
    assert_eq!(header["by"][0], "value.request.idempotency_key");
    assert_eq!(header["by"].as_array().unwrap().len(), 1);
    assert_eq!(header["subject_field"], "value.livemode");
    assert_eq!(header["currency_field"], "value.data.object.currency");
    assert_eq!(header["amount_unit"], "minor");
}
