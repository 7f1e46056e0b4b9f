//! CSV and workbooks of hostile records are opened by other people's libraries without damage.

use std::fmt::Write as _;

use crate::support::python::{python, run};
use crate::support::{Workspace, or_skip};

/// What opens workbooks and CSV, and what they need for it.
const PACKAGES: [&str; 3] = ["openpyxl==3.1.5", "et_xmlfile==2.0.0", "duckdb==2.0.1"];

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
            let amount = if at % 2 == 0 {
                "19.25"
            } else {
                "12345678901234567.89"
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
                --map timestamp=at -o r.json -o r.csv -o r.xlsx";
    workspace
        .dupaudit(scan.split_whitespace())
        .run()
        .expect_code(1);
    workspace
}

#[test]
fn hostile_records_are_opened_by_openpyxl_duckdb_and_python_without_damage() {
    let Some(python) = or_skip(python("reports", &PACKAGES)) else {
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
