//! Reads a part of an audit: the first pass of some splits, or their suspects again.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::audit::parts::{self, FirstPassRequest, PLAN_NAME, PlanFile, Question};
use crate::audit::{AuditContext, AuditProgress};
use crate::command::progress;
use crate::command::scan::audit_failure;
use crate::command::schemas;
use crate::command::shards::{ExtractCommand, opening, planning};
use crate::command::{CommandError, Outcome, Surroundings};

/// Reads what the task names.
pub fn run(
    extract: &ExtractCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let scan = &extract.scan;
    let plan = schemas::plan(scan, surroundings)?;
    let plan_file = plan_file(extract, surroundings)?;
    let question = Question::of(&scan.plan, scan.isolation.name());
    check_question(&plan_file, &question)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&extract.dir)
        .with_context(|| format!("create `{}`", extract.dir.display()))
        .map_err(CommandError::configuration)?;
    let sources = opening::open(scan, &plan, (&plan_file, extract.task), surroundings)?;
    if extract.suspects.is_empty() {
        begin(extract, &plan_file)?;
    }
    let audit_progress = AuditProgress::default();
    let shows_progress = surroundings.is_stderr_terminal && !scan.report.is_quiet;
    let context = AuditContext {
        spill_dir: &surroundings.temporary_directory,
        progress: &audit_progress,
        stop: &surroundings.stop,
        known: &[],
        past: None,
    };
    let request = FirstPassRequest {
        question: &question,
        task: extract.task,
        parts: extract.parts,
        notes_coordinates: extract.notes_coordinates || plan_file.notes_coordinates,
        dir: &extract.dir,
    };
    let suspects = (&*extract.suspects, &question, extract.task);
    let read = progress::with_progress_line(shows_progress, &sources, &audit_progress, || {
        if extract.suspects.is_empty() {
            parts::extract(&plan, &sources, &request, context)
        } else {
            parts::revisit(&plan, &sources, suspects, &extract.dir, context)
        }
    });
    read.map_err(audit_failure)?;
    Ok(Outcome::Done)
}

/// Without a plan of all tasks the folder has its own: what the first pass froze, the second reads.
fn plan_file(
    extract: &ExtractCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<PlanFile, CommandError> {
    if let Some(plan) = &extract.plan {
        return Ok(plan.clone());
    }
    let mut plan = planning::plan(&extract.scan, surroundings)?;
    plan.as_one_task();
    Ok(plan)
}

fn check_question(plan: &PlanFile, question: &Question) -> Result<(), CommandError> {
    let differing = plan.question.differing(question);
    if differing.is_empty() {
        return Ok(());
    }
    let error = anyhow!(
        "the plan asks something else: it differs in {}",
        differing.join("; ")
    );
    Err(CommandError::configuration(error).with_hint("repeat the options that it was made with"))
}

fn begin(extract: &ExtractCommand, plan: &PlanFile) -> Result<(), CommandError> {
    let dir: &Path = &extract.dir;
    parts::clear(dir)
        .with_context(|| format!("clear `{}`", dir.display()))
        .map_err(CommandError::failed)?;
    if extract.plan.is_none() {
        plan.write(&dir.join(PLAN_NAME)).map_err(audit_failure)?;
    }
    Ok(())
}
