//! What a state remembers, as a table and as JSON.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::state::time_text;
use crate::record::{counted, grouped};
use crate::state::StateOverview;

/// Runs shown; the log has more.
const RUNS_SHOWN: usize = 10;

/// Returns the state for people.
pub(super) fn text(dir: &Path, state: &StateOverview) -> String {
    let entries: u64 = state.runs.iter().map(|run| run.entries).sum();
    let bytes: u64 = state.runs.iter().map(|run| run.bytes).sum();
    let parts = state.spec.iter().filter(|part| part.value != "none");
    let mut lines = vec![format!("STATE       {}\n", dir.display())];
    lines.extend(parts.map(|part| format!("  {:<18}{}\n", part.option, part.value)));
    lines.push(format!(
        "REMEMBERS   {}, {} bytes in {}\n",
        counted(entries, "record"),
        grouped(bytes),
        counted(state.runs.len(), "file")
    ));
    let mut text = lines.concat();
    let partitions = state.partitions.iter().map(|known| {
        vec![
            format!("{}-{}", known.topic, known.partition),
            grouped(known.next_offset),
            time_text(known.read_millis),
            if known.is_current {
                ""
            } else {
                "deleted since"
            }
            .to_owned(),
        ]
    });
    text += &table(
        &["PARTITION", "NEXT OFFSET", "LAST READ", ""],
        partitions.collect(),
    );
    let files = state.files.iter().map(|known| {
        let next = known
            .next
            .map_or("whole".to_owned(), |(byte, _)| grouped(byte));
        vec![
            known.path.clone(),
            next,
            time_text(known.read_millis),
            if known.is_current {
                ""
            } else {
                "replaced since"
            }
            .to_owned(),
        ]
    });
    text += &table(&["FILE", "NEXT BYTE", "LAST READ", ""], files.collect());
    let last = state.history.runs.iter().rev().take(RUNS_SHOWN);
    let runs = last.map(|run| {
        vec![
            time_text(run.started_at_millis),
            run.verdict.clone(),
            grouped(run.groups),
            grouped(run.new_extra_records),
            grouped(run.records_read),
        ]
    });
    text += &table(
        &["RUN", "VERDICT", "GROUPS", "NEW EXTRA", "RECORDS READ"],
        runs.collect(),
    );
    text
}

/// Returns rows under a head, the first column to the left; nothing where there are no rows.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = all.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = all.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = "\n".to_owned();
    for row in &all {
        let cells = row.iter().zip(&widths).enumerate();
        let line: String = cells
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            })
            .collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Returns the state for programs.
pub(super) fn json(state: &StateOverview) -> String {
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
    format!("{document:#}\n")
}
