//! Merges what several processes have read into one report.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, anyhow};

use crate::audit::parts::{self, Conclusion, PlanFile, Question, SUSPECTS_NAME, TaskFolder};
use crate::audit::{AuditContext, AuditProgress};
use crate::command::reports::redaction;
use crate::command::scan::{audit_failure, say_doubts, say_hints, write_reports};
use crate::command::shards::{MergeCommand, SuspectsCommand};
use crate::command::targets;
use crate::command::verdict::{self, Judge};
use crate::command::{CommandError, Outcome, ScanCommand, Surroundings};
use crate::finding::AuditSummary;
use crate::report::Redaction;

/// Concludes what the tasks have read, and writes the reports.
pub fn run(
    merge: &MergeCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let read = (merge.plan.as_ref(), &*merge.folders);
    let reporter = Reporter::open(&merge.scan)?;
    let summary = reporter.conclude(read, surroundings)?;
    Ok(Outcome::Audited {
        verdict: summary.verdict,
        is_complete: summary.complete,
        has_news: verdict::has_news(&summary),
    })
}

/// What the reports of a scan take beside its records, opened before those are read: who waits for
/// tasks is not told afterwards that a baseline is missing.
pub struct Reporter<'a> {
    scan: &'a ScanCommand,
    redaction: Option<Redaction>,
    judge: Judge<'a>,
}

impl<'a> Reporter<'a> {
    /// Looks at the places of the reports, and opens what they take.
    pub fn open(scan: &'a ScanCommand) -> Result<Self, CommandError> {
        targets::check(&scan.outputs, &scan.files)?;
        Ok(Self {
            scan,
            redaction: redaction::open(scan.redaction.as_ref())?,
            judge: Judge::open(&scan.verdict, &scan.plan, scan.started_at_millis)?,
        })
    }

    /// Concludes what tasks have read of the scan, and writes its reports. With a plan, all its
    /// tasks have to be there.
    pub fn conclude(
        self,
        (plan_file, folders): (Option<&PlanFile>, &[TaskFolder]),
        surroundings: &mut Surroundings<'_>,
    ) -> Result<AuditSummary, CommandError> {
        let scan = self.scan;
        let known = self.judge.known();
        let progress = AuditProgress::default();
        let context = AuditContext {
            spill_dir: &surroundings.temporary_directory,
            progress: &progress,
            stop: &surroundings.stop,
            known: &known,
            past: None,
        };
        let question = Question::of(&scan.plan, scan.isolation.name());
        let concluded = parts::conclude(&scan.plan, (&question, plan_file), folders, context);
        let mut audit = match concluded.map_err(audit_failure)? {
            Conclusion::Audit(audit) => *audit,
            Conclusion::ToRevisit(folders) => return Err(unfinished(&folders)),
            Conclusion::Unrevisited(folders) => return Err(unrevisited(&folders)),
        };
        self.judge.complete(&mut audit.summary);
        let redaction = self.redaction.as_ref();
        write_reports(scan, &mut audit, (redaction, None), surroundings)?;
        say_doubts(scan, &audit.summary, surroundings);
        say_hints(scan, &audit, surroundings);
        Ok(audit.summary)
    }
}

/// Says which folders are to be taken back to where they were read.
fn unfinished(folders: &[(TaskFolder, u64)]) -> CommandError {
    let listed: Vec<String> = folders
        .iter()
        .map(|(folder, count)| format!("{count} of `{}`", folder.dir.display()))
        .collect();
    let error = anyhow!(
        "records that may be copies have to be read again first: {}",
        listed.join(", ")
    );
    CommandError::failed(error).with_hint(format!(
        "each folder has a new file {SUSPECTS_NAME}: where it was extracted, repeat that command \
         with --suspects DIR/{SUSPECTS_NAME}, bring found.run, gone.run and revisit.json back, and \
         merge again"
    ))
}

/// Says which tasks of a plan may lack their second pass.
fn unrevisited(folders: &[TaskFolder]) -> CommandError {
    let listed: Vec<String> = folders
        .iter()
        .map(|folder| format!("task {} in `{}`", folder.task, folder.dir.display()))
        .collect();
    let error = anyhow!(
        "records that may be copies were not all read again; the second pass is missing, or was \
         told of other suspects, for one of: {}",
        listed.join(", ")
    );
    CommandError::failed(error).with_hint(
        "`dupaudit merge --stage suspects -o OUT` over each part-NNN.run of all tasks names what \
         task N reads again in OUT/task-N.run: repeat its `dupaudit extract` with --suspects FILE \
         for each part, and merge again",
    )
}

/// Compares one part of all fingerprints, and writes what each task has to read again.
pub fn suspects(
    request: &SuspectsCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let mut runs: Vec<PathBuf> = Vec::new();
    for path in &request.runs {
        if path.is_dir() {
            runs.extend(runs_in(path)?);
        } else {
            runs.push(path.clone());
        }
    }
    fs::create_dir_all(&request.dir)
        .with_context(|| format!("create `{}`", request.dir.display()))
        .map_err(CommandError::configuration)?;
    let memory_bytes = usize::try_from(request.memory_bytes / 2).unwrap_or(usize::MAX);
    let spill = (&*surroundings.temporary_directory, memory_bytes);
    parts::cut_suspects(&runs, &request.dir, spill).map_err(audit_failure)?;
    Ok(Outcome::Done)
}

fn runs_in(dir: &std::path::Path) -> Result<Vec<PathBuf>, CommandError> {
    let unreadable = |error: std::io::Error| {
        CommandError::configuration(anyhow!("`{}`: {error}", dir.display()))
    };
    let mut runs = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "run") {
            runs.push(path);
        }
    }
    runs.sort();
    Ok(runs)
}
