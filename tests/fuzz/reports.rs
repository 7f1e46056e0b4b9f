//! Reports of records that try to be more than text: to a terminal, a spreadsheet or a parser.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::Target;

const WORDS: &[&[u8]] = &[
    b"\x1b[2J",
    b"\x1b]8;;",
    b"\x07",
    b"\r\n",
    b"\t=1+1",
    b"=HYPERLINK(",
    b"@SUM(",
    b"-2+3",
    b"\"\"",
    b",",
    b"\xc2\x9b31m",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\xef\xbb\xbf",
    b"\0",
    b"</script>",
];

/// Returns a name that a file can have, made of some text.
fn file_name(text: &str) -> String {
    let usable = text.chars().filter(|of| !['/', '\0'].contains(of));
    let name: String = usable.take(40).collect();
    format!("./{name}.jsonl")
}

/// Audits two records whose texts are all the same, and returns what was printed.
fn audit(folder: &Path, text: &str) -> Output {
    let charge = json!({"charge_id": text, "amount": "1.50", "customer": text});
    let envelope = |offset: u32| {
        let envelope = json!({
            "topic": text, "partition": 0, "offset": offset, "tstype": "create",
            "ts": 1_768_444_200_000_i64, "broker": 1, "headers": [text, text], "key": text,
            "payload": charge.to_string(),
        });
        format!("{envelope}\n")
    };
    let name = file_name(text);
    fs::write(folder.join(&name), [envelope(0), envelope(1)].concat()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .args(["scan", &name, "--by", "charge_id,key", "--amount", "amount"])
        .args([
            "--subject",
            "customer",
            "-o",
            "report.csv",
            "-o",
            "report.json",
        ])
        .env("TZ", "UTC")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    fs::remove_file(folder.join(&name)).unwrap();
    output.unwrap()
}

/// Checks that a terminal only prints it.
fn assert_printable(printed: &[u8]) {
    let text = std::str::from_utf8(printed).unwrap();
    let is_obeyed = |of: char| {
        let is_order = matches!(of, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}');
        (of.is_control() && of != '\n') || is_order
    };
    let obeyed = text.chars().find(|&of| is_obeyed(of));
    assert_eq!(obeyed, None, "{}", text.escape_debug());
}

/// Checks that a spreadsheet takes no cell for a formula.
fn assert_guarded(path: &Path) {
    let mut rows = csv::Reader::from_path(path).unwrap();
    let mut count = 0;
    for row in rows.records() {
        for cell in &row.unwrap() {
            let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(
                !is_formula || cell.parse::<f64>().is_ok(),
                "{}",
                cell.escape_debug()
            );
        }
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn records_come_out_as_text_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut target = Target::new("fixtures/corpus/reports", WORDS);
    // Each input is a run of the program.
    target.inputs_min = 20;
    target.run(|_, input| {
        let text: String = String::from_utf8_lossy(input).chars().take(300).collect();
        let output = audit(folder.path(), &text);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert_printable(&output.stdout);
        assert_printable(&output.stderr);
        assert_guarded(&folder.path().join("report.csv"));
        let report = fs::read(folder.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let group = &report["groups"][0];
        assert_eq!(group["key"]["value.charge_id"], text);
        assert_eq!(group["records"][1]["topic"], text);
    });
}
