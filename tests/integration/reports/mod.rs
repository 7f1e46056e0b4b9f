//! Stored reports: rendered again, whole or not at all, and compared.

mod compared;
#[cfg(all(feature = "parquet", feature = "xlsx"))]
mod opened;
mod private;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Run, Workspace};

fn example() -> Workspace {
    let workspace = Workspace::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/examples/");
    let log = fs::read(format!("{fixtures}charges.kcat.jsonl")).unwrap();
    workspace.write("charges.jsonl", log);
    let scan = "scan charges.jsonl --by charge_id --amount amount --currency currency \
                --subject customer_id -o r.json -o r.jsonl -o r.csv -o r.html -o r.md";
    workspace
        .dupaudit(scan.split_whitespace())
        .run()
        .expect_code(1);
    workspace
}

fn read(workspace: &Workspace, name: &str) -> Vec<u8> {
    fs::read(workspace.path().join(name)).unwrap()
}

fn chmod(workspace: &Workspace, name: &str, mode: u32) {
    let path = workspace.path().join(name);
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Writes the `key` of `--redact-key`, which its owner alone may read.
fn write_key(workspace: &Workspace) {
    workspace.write("key", "correct horse battery staple\n");
    chmod(workspace, "key", 0o600);
}

#[test]
fn a_stored_report_is_rendered_as_the_scan_rendered_it() {
    let workspace = example();
    for stored in ["r.json", "r.jsonl"] {
        let arguments = [
            "report",
            stored,
            "-o2.json",
            "-o2.jsonl",
            "-o2.csv",
            "-o2.html",
            "-o2.md",
        ];
        let shown = workspace.dupaudit(arguments).run().expect_code(0).stdout;
        assert!(
            shown.starts_with("DUPLICATES  12 of 180 charge_id"),
            "{shown}"
        );
        for extension in ["json", "jsonl", "csv", "html", "md"] {
            let (was, is) = (format!("r.{extension}"), format!("2.{extension}"));
            assert!(
                read(&workspace, &was) == read(&workspace, &is),
                "{stored} {was}"
            );
        }
    }
    let shown = workspace
        .dupaudit(["report", "r.json", "--top", "1"])
        .run()
        .stdout;
    assert!(shown.contains("LARGEST GROUPS (1 of 12)"), "{shown}");
    assert!(
        shown.contains("explain --report r.json --group g_"),
        "{shown}"
    );
    let groups = [
        "report",
        "r.json",
        "--rows",
        "groups",
        "-o",
        "-",
        "--output-format",
        "csv",
    ];
    assert_eq!(workspace.dupaudit(groups).run().stdout.lines().count(), 13);
}

#[test]
fn a_stored_report_may_be_compressed_or_come_by_a_pipe() {
    let workspace = example();
    let gzip = Command::new("gzip")
        .args(["-k", "r.json"])
        .current_dir(workspace.path())
        .status();
    assert!(gzip.unwrap().success());
    let render = |report: &str| {
        let arguments = ["report", report, "-o", "-", "--output-format", "json"];
        workspace.dupaudit(arguments)
    };
    let expected = String::from_utf8(read(&workspace, "r.json")).unwrap();
    assert_eq!(render("r.json.gz").run().expect_code(0).stdout, expected);
    let packed = read(&workspace, "r.json.gz");
    assert_eq!(
        render("-")
            .stdin(packed.clone())
            .run()
            .expect_code(0)
            .stdout,
        expected
    );
    workspace.write("cut.json.gz", &packed[..packed.len() / 2]);
    render("cut.json.gz")
        .run()
        .expect_code(2)
        .expect_stderr("damaged or cut off, in ");
}

#[test]
fn what_is_no_whole_report_is_refused_and_leaves_nothing() {
    let workspace = example();
    let whole = read(&workspace, "r.json");
    workspace.write("cut.json", &whole[..whole.len() - 400]);
    workspace.write("newer.json", r#"{"schema_version": 2, "header": []}"#);
    workspace.write(
        "evil.json",
        "{\"schema_version\":1,\"header\":{\"by\":\"\\u001b[2J\u{202e}\"}}",
    );
    for (name, reason) in [
        ("cut.json", "in group 12: EOF while parsing"),
        ("newer.json", "schema_version 2"),
        ("r.csv", "no JSON report of dupaudit"),
        ("charges.jsonl", "no JSON report of dupaudit"),
        ("evil.json", "in header"),
        ("missing.json", "No such file"),
        (".", "directory"),
    ] {
        let outcome = workspace.dupaudit(["report", name, "-o", "out.csv"]).run();
        let outcome = outcome.expect_code(2).expect_stderr(reason);
        assert!(
            !outcome.stderr.contains(['\u{1b}', '\u{202e}']),
            "{outcome}"
        );
        assert!(!workspace.path().join("out.csv").exists(), "{name}");
    }
    let same = workspace
        .dupaudit(["report", "r.json", "-o", "r.json"])
        .run();
    same.expect_code(2)
        .expect_stderr("would replace a file that");
    workspace.dupaudit(["report"]).run().expect_code(2);
    assert_eq!(read(&workspace, "r.json"), whole);
}

#[test]
fn a_report_of_many_groups_is_rendered_without_holding_them() {
    let workspace = example();
    let whole = String::from_utf8(read(&workspace, "r.json")).unwrap();
    let (head, groups) = whole.split_once("\"groups\":[\n").unwrap();
    let group = groups.lines().next().unwrap().trim_end_matches(',');
    let many = 30_000;
    let head = head.replace(
        "\"groups\":12,\"extra_records\":12,\"c",
        &format!("\"groups\":{many},\"extra_records\":12,\"c"),
    );
    let mut text = format!("{head}\"groups\":[\n{group}");
    for _ in 1..many {
        write!(text, ",\n{group}").unwrap();
    }
    text.push_str("]}\n");
    assert!(text.len() > 35_000_000);
    workspace.write("many.json", text);
    let program = env!("CARGO_BIN_EXE_dupaudit");
    let limited = format!("ulimit -v 60000 && {program} report many.json -o many.csv --top 1");
    Run::new("sh", workspace.path(), ["-c", &limited])
        .run()
        .expect_code(0);
    let rows = String::from_utf8(read(&workspace, "many.csv"))
        .unwrap()
        .lines()
        .count();
    assert_eq!(rows, 1 + 2 * many);
}
