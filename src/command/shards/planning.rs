//! Decides once what all tasks read: files, and partitions with their frozen ranges.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::anyhow;

use crate::audit::parts::{FileSplit, PlanFile, PlannedSplit, Question};
use crate::command::sources;
use crate::command::{CommandError, Message, ScanCommand, Surroundings};
use crate::source::file::walk;

/// Returns all splits of a scan, numbered as one process would, and no tasks yet.
pub fn plan(
    scan: &ScanCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<PlanFile, CommandError> {
    refuse(scan)?;
    let question = Question::of(&scan.plan, scan.isolation.name());
    let mut plan = PlanFile::new(scan.command_line.clone(), scan.started_at_millis, question);
    let opened = sources::open_topic_source(scan, BTreeMap::new(), surroundings)?;
    let frozen = opened.iter().flat_map(|(source, _)| source.frozen());
    let partitions = frozen.map(|of| PlannedSplit::Partition(Box::new(of.clone())));
    plan.splits.extend(partitions);
    let list = walk::expand(&scan.files).map_err(CommandError::configuration)?;
    for note in list.notes {
        (surroundings.say)(Message::Note(note));
    }
    let mut paths = list.paths;
    paths.sort();
    plan.notes_coordinates = !plan.splits.is_empty() && !paths.is_empty();
    for path in paths {
        let file = file_split(&path)?;
        plan.splits.push(PlannedSplit::File(file));
    }
    Ok(plan)
}

/// What can be read only once, or by one process, cannot be shared out.
fn refuse(scan: &ScanCommand) -> Result<(), CommandError> {
    let refused = [
        (
            scan.state.is_some(),
            "`--state`",
            "what runs remember is read and written by one process",
        ),
        (
            scan.store.is_some(),
            "a database",
            "it is read in one transaction by one process",
        ),
        (
            scan.files.iter().any(|path| walk::is_stdin(path)),
            "standard input",
            "it can be read only once",
        ),
    ];
    let Some((_, what, why)) = refused.into_iter().find(|(is_given, ..)| *is_given) else {
        return Ok(());
    };
    let error = anyhow!("{what} cannot be shared out among processes: {why}");
    Err(CommandError::configuration(error).with_hint("audit it with `dupaudit scan`"))
}

fn file_split(path: &Path) -> Result<FileSplit, CommandError> {
    let unreadable = |error: std::io::Error| {
        CommandError::configuration(anyhow!("`{}`: {error}", path.display()))
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        let error = anyhow!("`{}` is no file that can be read twice", path.display());
        return Err(CommandError::configuration(error).with_hint("write it to a file first"));
    }
    let modified = metadata.modified().ok();
    let since_epoch = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(FileSplit {
        path: path.to_owned(),
        bytes: metadata.len(),
        modified_millis: since_epoch.and_then(|of| i64::try_from(of.as_millis()).ok()),
    })
}
