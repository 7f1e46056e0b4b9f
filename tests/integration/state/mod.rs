//! Runs that remember: night after night the same is found as by one scan over everything.

mod files;
mod history;
mod interrupted;
mod kills;
mod known;
mod refusals;
#[cfg(feature = "kafka")]
mod thirty_nights;
#[cfg(feature = "kafka")]
mod topics;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Outcome, Workspace};

/// Runs a night over `sources` with the state in `s`; the report is `r.json`.
fn night(workspace: &Workspace, sources: &[&str], options: &[&str]) -> Outcome {
    workspace.dupaudit(arguments(sources, options)).run()
}

/// Starts such a night, which is ended by a signal; what it says is not heard.
fn start(workspace: &Workspace, sources: &[&str], options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(workspace.path())
        .args(arguments(sources, options))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn arguments<'a>(sources: &[&'a str], options: &[&'a str]) -> Vec<&'a str> {
    let always = ["--by", "id", "--state", "s", "-o", "r.json"];
    [&["scan"], sources, &always, options].concat()
}

/// Returns the file and line of each record of a report's groups; groups sorted.
fn lines(workspace: &Workspace) -> Vec<Vec<(String, Option<u64>)>> {
    let report = workspace.report("r.json");
    let line = |record: &Value| {
        let file = record["file"].as_str().unwrap().to_owned();
        (file, record["line"].as_u64())
    };
    let groups = report.groups().iter();
    let mut groups: Vec<Vec<_>> = groups
        .map(|group| {
            group["records"]
                .as_array()
                .unwrap()
                .iter()
                .map(line)
                .collect()
        })
        .collect();
    groups.sort();
    groups
}

/// Returns what `state show --json` prints.
fn shown(workspace: &Workspace) -> Value {
    let outcome = workspace.dupaudit(["state", "show", "s", "--json"]).run();
    serde_json::from_str(&outcome.expect_code(0).stdout).unwrap()
}

/// Returns the names of the files of a state.
fn files_of(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Returns records with these ids, a line each.
fn records(ids: &[&str]) -> String {
    let line = |id: &&str| format!("{{\"id\":\"{id}\",\"secret\":\"value of {id}\"}}\n");
    ids.iter().map(line).collect()
}

/// Adds records to a file.
fn append(workspace: &Workspace, name: &str, text: &str) {
    let path = workspace.path().join(name);
    let mut all = fs::read_to_string(&path).unwrap_or_default();
    all.push_str(text);
    // In place: the file stays the one that it is.
    fs::write(&path, all).unwrap();
}
