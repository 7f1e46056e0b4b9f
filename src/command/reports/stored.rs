//! Renders a stored report again.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::command::reports::{self, ReportsRequest, redaction};
use crate::command::targets;
use crate::command::{CommandError, Message, Outcome, StoredReportCommand, Surroundings};
use crate::report::{ReportReadError, copy_report};
use crate::source::file::unpacked;

/// Reads the report group by group and writes it as asked for; files get their names only if all
/// of it could be read.
pub(in crate::command) fn run(
    stored: &StoredReportCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let input = open(&stored.path)?;
    let redaction = redaction::open(stored.redaction.as_ref())?;
    targets::check(&stored.outputs, &files(&stored.path))?;
    let is_json = stored
        .path
        .extension()
        .is_some_and(|extension| extension == "json" || extension == "jsonl");
    let request = ReportsRequest {
        outputs: &stored.outputs,
        options: stored.report,
        shows_values: true,
        json_report: is_json.then(|| stored.path.display().to_string()),
    };
    let mut reports = reports::open(&request, surroundings)?;
    copy_report(input, redaction.as_ref(), &mut reports)
        .map_err(|error| unreadable(&stored.path, error))?;
    let doubts = reports.doubts();
    reports.commit().map_err(CommandError::failed)?;
    for doubt in doubts {
        (surroundings.say)(Message::Warning(doubt));
    }
    Ok(Outcome::Done)
}

/// Standard input is no file that a report could replace.
fn files(path: &Path) -> Vec<PathBuf> {
    if path == Path::new("-") {
        Vec::new()
    } else {
        vec![path.to_owned()]
    }
}

/// Opens a stored report, compressed or not.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, CommandError> {
    let opened = if path == Path::new("-") {
        unpacked(io::stdin())
    } else if path.is_dir() {
        Err(io::Error::from(io::ErrorKind::IsADirectory))
    } else {
        File::open(path).and_then(unpacked)
    };
    opened.map_err(|error| {
        let error = anyhow!("read the report `{}`: {error}", path.display());
        CommandError::configuration(error)
    })
}

/// What is wrong with the report is the fault of whoever named it.
pub(super) fn unreadable(path: &Path, error: ReportReadError) -> CommandError {
    let hint = error.hint();
    let is_written = matches!(error, ReportReadError::Write(_));
    let error = anyhow::Error::new(error).context(format!("read `{}`", path.display()));
    let error = if is_written {
        CommandError::failed(error)
    } else {
        CommandError::configuration(error)
    };
    error.with_hint(hint)
}
