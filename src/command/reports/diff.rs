//! Says what is new, grown and gone between two stored reports.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::command::reports;
use crate::command::reports::stored;
use crate::command::{CommandError, DiffCommand, Outcome, Surroundings};
use crate::report::diff::{Comparison, DiffWriter, OldReport};
use crate::report::{
    JsonDiff, ReportReadError, ReportWriter, TerminalDiff, TerminalOptions, copy_report,
};

/// Reads the older report twice, the newer one between: of both only ids are held.
pub(in crate::command) fn run(
    diff: &DiffCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    if [&diff.old, &diff.new]
        .iter()
        .any(|path| path.as_os_str() == "-")
    {
        return Err(CommandError::configuration(anyhow!(
            "reports are read more than once, which standard input cannot be"
        ))
        .with_hint("name two files"));
    }
    let options = TerminalOptions {
        width: reports::width(surroundings),
        top: diff.top,
        style: reports::style(surroundings),
        ..TerminalOptions::default()
    };
    let mut writer: Box<dyn DiffWriter + '_> = if diff.is_json {
        Box::new(JsonDiff::new(&mut *surroundings.stdout))
    } else {
        Box::new(TerminalDiff::new(&mut *surroundings.stdout, options))
    };
    let mut old = OldReport::default();
    read(&diff.old, &mut old)?;
    let mut comparison = Comparison::new(old, &mut *writer);
    read(&diff.new, &mut comparison)?;
    if let Some(mismatch) = comparison.mismatch() {
        let (old, new) = (diff.old.display(), diff.new.display());
        let error = anyhow!("`{old}` and `{new}` cannot be compared: {mismatch}");
        return Err(CommandError::configuration(error).with_hint(
            "compare reports of the same --by, both plain or both with the same --redact-key",
        ));
    }
    let mut gone = comparison.gone();
    read(&diff.old, &mut gone)?;
    let counts = gone.counts();
    Ok(Outcome::Compared {
        has_news: counts.new + counts.grown > 0,
    })
}

fn read(path: &Path, writer: &mut dyn ReportWriter) -> Result<(), CommandError> {
    match copy_report(stored::open(path)?, None, writer) {
        Err(ReportReadError::Write(error)) => Err(error)
            .context("write to standard output")
            .map_err(CommandError::failed),
        outcome => outcome.map_err(|error| stored::unreadable(path, error)),
    }
}
