//! What a state remembers, as a table and as JSON.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::command::Surroundings;
use crate::command::reports;
use crate::command::state::time_text;
use crate::finding::RunRecord;
use crate::record::{counted, grouped};
use crate::report::{ListingText, document_text};
use crate::state::{FilePlace, PartitionPlace, StateOverview};

/// Runs shown; the log has more.
const RUNS_SHOWN: usize = 10;

/// Returns the state for people.
pub(super) fn text(
    dir: &Path,
    state: &StateOverview,
    surroundings: &Surroundings<'_>,
) -> io::Result<String> {
    let width = reports::width(surroundings);
    let mut listing = ListingText::new(width, reports::style(surroundings));
    listing.labelled("STATE", &dir.display().to_string());
    for part in state.spec.iter().filter(|part| part.value != "none") {
        listing.part(&part.option, &part.value);
    }
    let entries: u64 = state.runs.iter().map(|run| run.entries).sum();
    let bytes: u64 = state.runs.iter().map(|run| run.bytes).sum();
    let remembers = format!(
        "{}, {} bytes in {}",
        counted(entries, "record"),
        grouped(bytes),
        counted(state.runs.len(), "file")
    );
    listing.labelled("REMEMBERS", &remembers);
    let titles = ["PARTITION", "NEXT OFFSET", "LAST READ", ""];
    listing.table(&titles, &partitions(state));
    listing.table(&["FILE", "NEXT BYTE", "LAST READ", ""], &files(state));
    let titles = ["RUN", "VERDICT", "GROUPS", "NEW EXTRA", "RECORDS READ"];
    listing.table(&titles, &runs(state));
    let mut text = Vec::new();
    listing.write(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn partitions(state: &StateOverview) -> Vec<Vec<String>> {
    let row = |known: &PartitionPlace| {
        vec![
            format!("{}-{}", known.topic, known.partition),
            grouped(known.next_offset),
            time_text(known.read_millis),
            unless(known.is_current, "deleted since"),
        ]
    };
    state.partitions.iter().map(row).collect()
}

fn files(state: &StateOverview) -> Vec<Vec<String>> {
    let row = |known: &FilePlace| {
        let next = known.next.map(|(byte, _)| grouped(byte));
        vec![
            known.path.clone(),
            next.unwrap_or_else(|| "whole".to_owned()),
            time_text(known.read_millis),
            unless(known.is_current, "replaced since"),
        ]
    };
    state.files.iter().map(row).collect()
}

fn runs(state: &StateOverview) -> Vec<Vec<String>> {
    let row = |run: &RunRecord| {
        vec![
            time_text(run.started_at_millis),
            run.verdict.clone(),
            grouped(run.groups),
            grouped(run.new_extra_records),
            grouped(run.records_read),
        ]
    };
    let last = state.history.runs.iter().rev().take(RUNS_SHOWN);
    last.map(row).collect()
}

fn unless(is_so: bool, text: &str) -> String {
    if is_so { "" } else { text }.to_owned()
}

/// Returns the state for programs.
pub(super) fn json(state: &StateOverview) -> io::Result<String> {
    let partitions: Vec<Value> = state
        .partitions
        .iter()
        .map(|known| {
            json!({"topic": known.topic, "partition": known.partition,
                "next_offset": known.next_offset, "is_current": known.is_current,
                "read_at": time_text(known.read_millis)})
        })
        .collect();
    let files: Vec<Value> = state
        .files
        .iter()
        .map(|known| {
            json!({"path": known.path, "format": known.format, "size": known.size,
                "next_byte": known.next.map(|(byte, _)| byte), "is_current": known.is_current,
                "read_at": time_text(known.read_millis)})
        })
        .collect();
    let spec: Vec<Value> = state
        .spec
        .iter()
        .map(|part| json!({"option": part.option, "value": part.value}))
        .collect();
    let entries: Vec<Value> = state
        .runs
        .iter()
        .map(|run| {
            json!({"file": format!("{:08}.run", run.number), "entries": run.entries,
                "bytes": run.bytes, "first_read_at": time_text(run.first_read_millis),
                "last_read_at": time_text(run.last_read_millis)})
        })
        .collect();
    let document = json!({"schema_version": 1, "spec": spec, "partitions": partitions,
        "files": files, "entries": entries, "runs": state.history.runs,
        "totals": state.history.totals});
    document_text(&document)
}
