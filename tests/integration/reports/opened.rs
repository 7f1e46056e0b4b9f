//! CSV, workbooks and Parquet of hostile records are opened by other people's libraries without
//! damage.

use std::fmt::Write as _;

use crate::reports::read;
use crate::support::python::{python, run};
use crate::support::{Workspace, or_skip};

/// What opens workbooks, CSV and Parquet, and what they need for it.
const PACKAGES: [&str; 8] = [
    "openpyxl==3.1.5",
    "et_xmlfile==2.0.0",
    "duckdb==2.0.1",
    "pyarrow==26.0.1",
    "pandas==3.1.1",
    "numpy==2.4.6",
    "python-dateutil==4.0.0",
    "tzdata==2026.6",
];

/// What spreadsheets, terminals and browsers obey, and what readers of CSV stumble over.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        "＝1",
        "a,b;c|d",
        "say \"yes\"",
        "\"",
        "'quoted'",
        "line\none\r\ntwo",
        "\u{1b}[2J\u{9b}31m",
        "\u{202e}gnp.exe",
        "</script><script>alert(1)</script>",
        " spaces ",
        "0007",
        "9007199254740993",
        "1e5",
        "2026-01-15",
        "TRUE",
        "NULL",
        "_x0041_",
        "żółć 😀",
    ]
    .map(str::to_owned)
    .into();
    texts.push("long".repeat(10_000));
    texts
}

fn scanned() -> Workspace {
    let mut log = String::new();
    for (at, id) in hostile().iter().enumerate() {
        for copy in 0..2 {
            let id = serde_json::to_string(id).unwrap();
            let amount = match at % 3 {
                0 => "19.25",
                1 => "12345678901234567.89",
                _ => "123456789012345678901.5",
            };
            writeln!(
                log,
                "{{\"id\":{id},\"amount\":\"{amount}\",\"currency\":\"USD\",\"customer\":{id},\
                 \"at\":\"2026-01-15T02:{at:02}:0{copy}.218Z\"}}"
            )
            .unwrap();
        }
    }
    let workspace = Workspace::new();
    workspace.write("log.jsonl", log);
    let scan = "scan log.jsonl --by id --amount amount --currency currency --subject customer \
                --map timestamp=at -o r.json -o r.csv -o r.xlsx -o r.parquet";
    let run = workspace.dupaudit(scan.split_whitespace()).run();
    let run = run.expect_code(1);
    assert!(
        run.stderr
            .contains("`r.parquet`: amounts with more than 20 digits")
    );
    let again = "report r.json --rows groups -o groups.parquet --redact mask";
    let run = workspace.dupaudit(again.split_whitespace()).run();
    run.expect_code(0);
    let again = "report r.json --rows episodes -o episodes.parquet";
    let run = workspace.dupaudit(again.split_whitespace()).run();
    run.expect_code(0);
    let again = "report r.json -o again.parquet";
    let run = workspace.dupaudit(again.split_whitespace()).run();
    run.expect_code(0);
    assert_eq!(
        read(&workspace, "r.parquet"),
        read(&workspace, "again.parquet"),
        "a stored report is the same file"
    );
    workspace
}

#[test]
fn hostile_records_are_opened_by_spreadsheet_and_data_libraries_without_damage() {
    let Some(python) = or_skip(python("tables", &PACKAGES)) else {
        return;
    };
    let workspace = scanned();
    let folder = workspace.path().display().to_string();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/integration/reports/opened.py"
    );
    run(&python.display().to_string(), &[script, &folder]).unwrap();
}
