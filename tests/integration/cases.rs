//! Runs every `fixtures/cases/*/case.toml` against the program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::support::report::Report;
use crate::support::{Outcome, Workspace};

const REPORT: &str = "the-report.json";

/// One behaviour: how the program is called, and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows, for people.
    #[serde(rename = "about")]
    _about: String,
    args: Vec<String>,
    /// File that is fed to standard input.
    stdin: Option<String>,
    /// Symbolic links made before the run, with what they point to.
    #[serde(default)]
    links: BTreeMap<String, String>,
    exit: i32,
    /// Fragments of standard output and standard error.
    #[serde(default)]
    stdout: Vec<String>,
    #[serde(default)]
    stderr: Vec<String>,
    /// What neither may hold.
    #[serde(default)]
    absent: Vec<String>,
    /// Files that must be the same as expected ones afterwards; `-` is standard output.
    #[serde(default)]
    same: BTreeMap<String, String>,
    /// Files that the run leaves beside its report.
    #[serde(default)]
    leaves: Vec<String>,
    /// What the JSON report holds.
    report: Option<ExpectedReport>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedReport {
    verdict: String,
    complete: bool,
    #[serde(default)]
    totals: BTreeMap<String, i64>,
    /// Skip counters; those not named must be 0.
    #[serde(default)]
    skipped: BTreeMap<String, i64>,
    amounts: Option<Vec<BTreeMap<String, String>>>,
    /// Formats of files, by path.
    #[serde(default)]
    formats: BTreeMap<String, String>,
    /// Files that were not read whole.
    #[serde(default)]
    damaged: Vec<String>,
    /// All groups, in order.
    #[serde(default)]
    groups: Vec<ExpectedGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedGroup {
    key: BTreeMap<String, toml::Value>,
    /// All records, the original first: `file:line` or `topic/partition@offset`.
    records: Vec<String>,
    #[serde(default)]
    differing_fields: Vec<String>,
    /// Said where bytes differ though no field does.
    identical: Option<bool>,
    /// Currency and sum, such as `USD 0.30`.
    amount: Option<String>,
    /// What reversals left of the amount, and how many they are.
    net: Option<String>,
    reversals: Option<u64>,
    subject: Option<String>,
    span_ms: Option<i64>,
}

#[test]
fn every_case_does_what_it_says() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases");
    let only = std::env::var("DUPAUDIT_CASE").ok();
    let mut folders: Vec<PathBuf> = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| only.as_ref().is_none_or(|only| path.ends_with(only)))
        .collect();
    folders.sort();
    let mut failures = Vec::new();
    for folder in &folders {
        if let Err(failure) = run_case(folder) {
            let name = folder.file_name().unwrap().display();
            failures.push(format!("=== case {name}\n{failure}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n{}",
        failures.len(),
        folders.len(),
        failures.join("\n")
    );
}

fn run_case(folder: &Path) -> Result<(), String> {
    let case = fs::read_to_string(folder.join("case.toml")).unwrap();
    let case: Case = toml::from_str(&case).map_err(|error| error.to_string())?;
    let workspace = Workspace::new();
    copy(folder, workspace.path());
    for (link, target) in &case.links {
        symlink(target, workspace.path().join(link)).unwrap();
    }
    let inputs = files(workspace.path());
    let mut arguments = case.args.clone();
    if case.report.is_some() {
        arguments.extend(["-o".to_owned(), REPORT.to_owned()]);
    }
    let mut run = workspace.dupaudit(arguments);
    if let Some(name) = &case.stdin {
        run = run.stdin(fs::read(folder.join(name)).unwrap());
    }
    let outcome = run.run();
    let mut failures = said_failures(&case, &outcome);
    failures.extend(file_failures(&case, &workspace, &inputs, &outcome));
    if let Some(expected) = &case.report {
        match fs::read_to_string(workspace.path().join(REPORT)) {
            Ok(text) => {
                failures.extend(report_failures(expected, &Report::parse(&text)));
                failures.extend(again_failures(&case, &workspace, &text, &outcome.stdout));
            }
            Err(error) => failures.push(format!("no report: {error}")),
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\n{outcome}", failures.join("\n")))
    }
}

/// Renders the stored report again: to the byte, and on the screen as the scan showed it.
fn again_failures(case: &Case, workspace: &Workspace, text: &str, screen: &str) -> Vec<String> {
    let mut failures = Vec::new();
    let arguments = ["report", REPORT, "-o", "-", "--output-format", "json"];
    let again = workspace.dupaudit(arguments).run();
    if again.stdout != text {
        failures.push(format!("the stored report is rendered as {again}"));
    }
    let changes_screen = ["-q", "--quiet", "--top", "-o", "--output", "--redact"];
    let is_changed = |argument: &String| changes_screen.contains(&&**argument);
    if !case.args.iter().any(is_changed) {
        let again = workspace.dupaudit(["report", REPORT]).run();
        if again.stdout != screen {
            failures.push(format!("the stored report is shown as {again}"));
        }
    }
    failures
}

fn said_failures(case: &Case, outcome: &Outcome) -> Vec<String> {
    let mut failures = Vec::new();
    if outcome.exit_code != Some(case.exit) {
        failures.push(format!("exit code is not {}", case.exit));
    }
    let said = [
        ("stdout", &outcome.stdout, &case.stdout),
        ("stderr", &outcome.stderr, &case.stderr),
    ];
    for (name, text, fragments) in said {
        for fragment in fragments {
            if !text.contains(fragment) {
                failures.push(format!("{name} lacks `{fragment}`"));
            }
        }
        for fragment in &case.absent {
            if text.contains(fragment) {
                failures.push(format!("{name} has `{fragment}`"));
            }
        }
        if text.contains("panicked") || text.contains("RUST_BACKTRACE") {
            failures.push(format!("{name} shows a panic"));
        }
    }
    failures
}

/// Compares files, and sees that nothing but what is expected was written, for nobody else.
fn file_failures(
    case: &Case,
    workspace: &Workspace,
    inputs: &[PathBuf],
    outcome: &Outcome,
) -> Vec<String> {
    let mut failures = Vec::new();
    for (name, expected) in &case.same {
        let expected = fs::read_to_string(workspace.path().join(expected)).unwrap();
        let actual = match name.as_str() {
            "-" => outcome.stdout.clone(),
            name => fs::read_to_string(workspace.path().join(name)).unwrap_or_default(),
        };
        if without_variable_parts(&actual) != without_variable_parts(&expected) {
            failures.push(format!(
                "{name} is\n{actual}\n--- but should be\n{expected}"
            ));
        }
    }
    let mut expected: Vec<PathBuf> = inputs.to_vec();
    let written = case.leaves.iter().map(String::as_str);
    for name in written.chain(case.report.as_ref().map(|_| REPORT)) {
        let path = workspace.path().join(name);
        let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o777 != 0o600 {
            failures.push(format!("{name} has mode {:o}", mode & 0o777));
        }
        expected.push(path);
    }
    expected.sort();
    expected.dedup();
    let found = files(workspace.path());
    if found != expected {
        failures.push(format!("files are {found:?}, not {expected:?}"));
    }
    failures
}

/// Blanks the ids of groups, which are hashes that nobody wants to work out by hand.
fn without_variable_parts(text: &str) -> String {
    let mut parts = text.split("g_");
    let mut blanked = parts.next().unwrap_or("").to_owned();
    for part in parts {
        blanked.push_str("g_");
        blanked.push_str(part.trim_start_matches(|char: char| char.is_ascii_hexdigit()));
    }
    blanked
}

fn report_failures(expected: &ExpectedReport, report: &Report) -> Vec<String> {
    let mut failures = Vec::new();
    let mut compare = |what: &str, actual: &Value, expected: Value| {
        if *actual != expected {
            failures.push(format!("{what} is {actual}, not {expected}"));
        }
    };
    let summary = &report.0["summary"];
    compare(
        "verdict",
        &summary["verdict"],
        expected.verdict.clone().into(),
    );
    compare("complete", &summary["complete"], expected.complete.into());
    for (name, total) in &expected.totals {
        compare(name, &summary[name], (*total).into());
    }
    for (reason, count) in summary["skipped"].as_object().unwrap() {
        let expected = expected.skipped.get(reason).copied().unwrap_or(0);
        compare(reason, count, expected.into());
    }
    if let Some(amounts) = &expected.amounts {
        compare(
            "amounts",
            &Value::Array(amounts_of(summary, amounts)),
            serde_json::json!(amounts),
        );
    }
    for file in report.0["coverage"]["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        if let Some(format) = expected.formats.get(path) {
            compare("format", &file["format"], format.clone().into());
        }
        let is_whole = !expected.damaged.iter().any(|damaged| damaged == path);
        compare(
            &format!("complete of {path}"),
            &file["complete"],
            is_whole.into(),
        );
    }
    let groups: Vec<Value> = expected.groups.iter().map(expected_group).collect();
    let found = report.groups().iter().zip(&expected.groups);
    let mut found: Vec<Value> = found
        .map(|(group, like)| found_group(group, like))
        .collect();
    found.extend(report.groups().iter().skip(groups.len()).cloned());
    compare("groups", &Value::Array(found), Value::Array(groups));
    failures
}

/// Returns the sums by currency, of what reversals took back only what the case names.
fn amounts_of(summary: &Value, expected: &[BTreeMap<String, String>]) -> Vec<Value> {
    let mut amounts = summary["amounts"].as_array().unwrap().clone();
    for (index, amount) in amounts.iter_mut().enumerate() {
        let of_contract =
            |name: &str| matches!(name, "currency" | "extra" | "copies" | "conflicting");
        let is_named = |name: &str| expected.get(index).is_some_and(|of| of.contains_key(name));
        let amount = amount.as_object_mut().unwrap();
        amount.retain(|name, value| value.is_string() && (of_contract(name) || is_named(name)));
    }
    amounts
}

fn expected_group(group: &ExpectedGroup) -> Value {
    serde_json::json!({
        "key": group.key, "records": group.records, "count": group.records.len(),
        "extra": group.records.len() - 1,
        "identical": group.identical.unwrap_or(group.differing_fields.is_empty()),
        "differing_fields": group.differing_fields, "amount": group.amount,
        "subject": group.subject, "span_ms": group.span_ms, "net": group.net,
        "reversals": group.reversals,
    })
}

/// Returns a reported group in the shape of an expected one.
fn found_group(group: &Value, like: &ExpectedGroup) -> Value {
    let records = group["records"].as_array().unwrap();
    let amount = like.amount.as_ref().map(|_| {
        let amount = &group["amount"];
        let currency = amount["currency"].as_str().unwrap_or("?");
        format!("{currency} {}", amount["extra"].as_str().unwrap_or("?"))
    });
    serde_json::json!({
        "key": group["key"], "records": records.iter().map(place).collect::<Vec<_>>(),
        "count": group["count"], "extra": group["extra"], "identical": group["identical"],
        "differing_fields": group["differing_fields"], "amount": amount,
        "subject": like.subject.as_ref().map(|_| &group["subject"]),
        "span_ms": like.span_ms.as_ref().map(|_| &group["span_ms"]),
        "net": like.net.as_ref().map(|_| &group["amount"]["net"]),
        "reversals": like.reversals.map(|_| &group["reversals"]),
    })
}

fn place(record: &Value) -> String {
    match record["offset"].as_i64() {
        Some(offset) => {
            let topic = record["topic"].as_str().unwrap_or("?");
            format!("{topic}/{}@{offset}", record["partition"])
        }
        None => format!(
            "{}:{}",
            record["file"].as_str().unwrap_or("?"),
            record["line"]
        ),
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Returns all files under a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
