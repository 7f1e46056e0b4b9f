//! `baseline`: the groups of a report become groups that are accepted.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::baseline::{Accepted, Baseline};
use crate::command::verdict::read;
use crate::command::{CommandError, Outcome, Surroundings, print};
use crate::record::counted;
use crate::report::ReportFile;
use crate::report::read::{GroupOutline, ReadHeader, read_groups};

/// Groups to accept, fully decided.
#[derive(Debug)]
pub struct BaselineCommand {
    /// The JSON report that has them.
    pub report: PathBuf,
    /// The file to write; groups that it has already are kept.
    pub output: PathBuf,
    /// Why they are accepted.
    pub reason: String,
    /// When they are accepted, milliseconds since the epoch.
    pub accepted_at_millis: i64,
    /// From when on they count as new again.
    pub expires_at_millis: Option<i64>,
    /// Ids of those to accept; none for all.
    pub groups: Vec<String>,
    /// Whether groups that the report does not have are left out.
    pub prunes: bool,
}

/// What accepting came to.
#[derive(Default)]
struct Acceptance {
    accepted: u64,
    kept: u64,
    pruned: u64,
}

/// Reads the report, and writes the baseline.
pub(in crate::command) fn run(
    command: &BaselineCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let (header, groups) = read_report(&command.report)?;
    let before = if command.output.exists() {
        read_before(&command.output, &header)?
    } else {
        Baseline::default()
    };
    check_named(&command.groups, &groups)?;
    let (baseline, acceptance) = accept(command, before, header, &groups);
    write(&command.output, &baseline.text())?;
    print::run(said(command, &acceptance).as_bytes(), surroundings)
}

fn read_report(path: &Path) -> Result<(ReadHeader, Vec<GroupOutline>), CommandError> {
    let name = || format!("read `{}`", path.display());
    let file = File::open(path).with_context(name);
    let file = file.map_err(CommandError::configuration)?;
    let mut groups = Vec::new();
    let header = read_groups(file, &mut |group| groups.push(group));
    let header = header.map_err(|error| {
        let hint = error.hint();
        let error = anyhow::Error::new(error).context(name());
        CommandError::configuration(error).with_hint(hint)
    })?;
    if groups.iter().any(GroupOutline::is_redacted) {
        let problem = anyhow!(
            "`{}` was written with --redact hash: its ids hold for that report alone, and no \
             later scan finds them again",
            path.display()
        );
        let hint = "scan with -o report.json and without --redact, and make the baseline of that";
        return Err(CommandError::configuration(problem).with_hint(hint));
    }
    Ok((header, groups))
}

/// Groups by other fields cannot stand in one file: nothing would tell them apart.
fn read_before(path: &Path, header: &ReadHeader) -> Result<Baseline, CommandError> {
    let before = read(path)?;
    if before.by == header.by || before.accepted.is_empty() {
        return Ok(before);
    }
    let problem = anyhow!(
        "`-o {}`: its groups are by {}, and those of the report by {}",
        path.display(),
        before.by.join(", "),
        header.by.join(", ")
    );
    Err(CommandError::configuration(problem).with_hint("give each --by a baseline of its own"))
}

fn check_named(named: &[String], groups: &[GroupOutline]) -> Result<(), CommandError> {
    let ids: BTreeSet<&str> = groups.iter().map(|group| &*group.id).collect();
    let Some(stray) = named.iter().find(|id| !ids.contains(&***id)) else {
        return Ok(());
    };
    let problem = anyhow!("`--group {stray}`: the report has no such group");
    let hint = "the ids are the whole `id` members of its `groups`";
    Err(CommandError::configuration(problem).with_hint(hint))
}

/// What was accepted before keeps its reason and its end, unless it has expired or grown.
fn accept(
    command: &BaselineCommand,
    before: Baseline,
    header: ReadHeader,
    groups: &[GroupOutline],
) -> (Baseline, Acceptance) {
    let mut acceptance = Acceptance::default();
    let mut accepted = before.accepted;
    if command.prunes {
        let found: BTreeSet<&str> = groups.iter().map(|group| &*group.id).collect();
        let gone = accepted.extract_if(.., |id, _| !found.contains(&**id));
        acceptance.pruned = u64::try_from(gone.count()).unwrap_or(u64::MAX);
    }
    let is_meant =
        |group: &&GroupOutline| command.groups.is_empty() || command.groups.contains(&group.id);
    for group in groups.iter().filter(is_meant) {
        let holds = |of: &Accepted| {
            of.extra_records >= group.extra && !of.is_expired(command.accepted_at_millis)
        };
        if accepted.get(&group.id).is_some_and(holds) {
            acceptance.kept += 1;
            continue;
        }
        acceptance.accepted += 1;
        let now = Accepted {
            extra_records: group.extra,
            accepted_at_millis: command.accepted_at_millis,
            expires_at_millis: command.expires_at_millis,
            reason: command.reason.clone(),
        };
        accepted.insert(group.id.clone(), now);
    }
    let by = header.by;
    (Baseline { by, accepted }, acceptance)
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let written = || -> std::io::Result<()> {
        let file = ReportFile::create(path)?;
        let mut writer = file.writer()?;
        writer.write_all(text.as_bytes())?;
        writer.flush()?;
        drop(writer);
        file.commit()
    };
    written()
        .with_context(|| format!("write `{}`", path.display()))
        .map_err(CommandError::failed)
}

fn said(command: &BaselineCommand, acceptance: &Acceptance) -> String {
    let mut text = format!(
        "{} accepted in {}",
        counted(acceptance.accepted, "group"),
        command.output.display()
    );
    if acceptance.kept > 0 {
        text.push_str("; accepted before: ");
        text.push_str(&counted(acceptance.kept, "group"));
    }
    if acceptance.pruned > 0 {
        text.push_str("; gone and left out: ");
        text.push_str(&counted(acceptance.pruned, "group"));
    }
    text.push('\n');
    text
}
