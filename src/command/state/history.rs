//! The last runs of a state, as a chart and a table, and as JSON.

use std::io;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::command::Surroundings;
use crate::command::reports;
use crate::finding::RunHistory;
use crate::finding::{RunAmount, RunRecord};
use crate::report::{HistoryText, document_text};

/// Returns the last runs for people.
pub(super) fn text(
    dir: &Path,
    history: &RunHistory,
    last: usize,
    surroundings: &Surroundings<'_>,
) -> io::Result<String> {
    let width = reports::width(surroundings);
    let writer = HistoryText::new(width, reports::style(surroundings));
    let mut text = Vec::new();
    writer.write(&dir.display().to_string(), history, last, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the last runs for programs, the oldest first.
pub(super) fn json(history: &RunHistory, last: usize) -> io::Result<String> {
    let runs: Vec<Value> = history.last(last).iter().map(run).collect();
    let totals = &history.totals;
    let document = json!({"schema_version": 1, "runs": runs, "totals": {
        "runs": totals.runs, "incomplete_runs": totals.incomplete_runs,
        "records_read": totals.records_read, "new_groups": totals.groups,
        "new_extra_records": totals.extra_records, "new_amounts": amounts(&totals.amounts),
        "new_extra_records_by_cause": totals.causes,
        "new_extra_records_by_topic": totals.topics}});
    document_text(&document)
}

fn run(run: &RunRecord) -> Value {
    json!({"started_at": time(run.started_at_millis), "finished_at": time(run.finished_at_millis),
        "duration_ms": run.finished_at_millis.saturating_sub(run.started_at_millis),
        "verdict": run.verdict, "complete": run.complete, "records_read": run.records_read,
        "records_audited": run.records_audited, "groups": run.groups,
        "extra_records": run.extra_records, "new_groups": run.new_groups,
        "new_extra_records": run.new_extra_records, "amounts": amounts(&run.amounts),
        "new_amounts": amounts(&run.new_amounts), "lag_offsets": run.lag})
}

fn amounts(amounts: &[RunAmount]) -> Vec<Value> {
    let amount = |of: &RunAmount| json!({"currency": of.currency, "extra": of.extra});
    amounts.iter().map(amount).collect()
}

fn time(millis: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(millis)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
