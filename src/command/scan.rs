//! Reads every source of the plan and reports every group.

use crate::audit;
use crate::audit::{Audit, AuditContext, AuditError, AuditProgress};
use crate::command::cluster;
use crate::command::dry_run;
use crate::command::progress;
use crate::command::reports::{self, ReportsRequest, redaction};
use crate::command::schemas;
use crate::command::sources;
use crate::command::state;
use crate::command::state::remembering::Remembering;
use crate::command::targets;
use crate::command::verdict::{self, Judge};
use crate::command::{CommandError, Message, Outcome};
use crate::command::{ScanCommand, Surroundings};
use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::REPEATABLE_READ;
use crate::report;
use crate::report::{Redaction, ReportHead, ReportWriter};
use crate::source::Bound;
use crate::source::RecordSource;

/// What to do where what does not fit into memory cannot be kept on disk.
const SPACE_HINT: &str = "what does not fit into --memory goes to temporary files: give more \
                          memory, or name a directory with space in the variable TMPDIR";

/// Runs the audit where it is to run, or shows what it would take.
pub fn run(
    scan: &ScanCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    match (&scan.cluster, scan.is_dry_run) {
        (Some(cluster), true) => return cluster::dry_run(scan, cluster, surroundings),
        (Some(cluster), false) => return cluster::run(scan, cluster, surroundings),
        (None, true) => return dry_run::run(scan, surroundings),
        (None, false) => {}
    }
    let summary = audit_command(scan, surroundings)?;
    Ok(Outcome::Audited {
        verdict: summary.verdict,
        is_complete: summary.complete,
        has_news: verdict::has_news(&summary),
    })
}

/// Opens the sources, audits them, writes the reports, and returns what it came to.
pub(super) fn audit_command(
    scan: &ScanCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<AuditSummary, CommandError> {
    targets::check(&scan.outputs, &scan.files)?;
    let redaction = redaction::open(scan.redaction.as_ref())?;
    let mut plan = schemas::plan(scan, surroundings)?;
    let judge = Judge::open(&scan.verdict, &plan, scan.started_at_millis)?;
    let known = judge.known();
    let mut remembering = Remembering::open(scan)?;
    if let Some(remembering) = &remembering {
        remembering.introduce(scan.started_at_millis, surroundings);
        plan.acceptance.empty |= remembering.has_audited();
    }
    let sources = sources::open(scan, (&plan, remembering.as_mut()), surroundings)?;
    let past = match &mut remembering {
        Some(remembering) => {
            let options = sources::file_options(scan, surroundings)?;
            let next_split = sources.iter().map(|source| source.splits().len()).sum();
            Some(remembering.past(next_split, &options)?)
        }
        None => None,
    };
    let audit_progress = AuditProgress::default();
    let shows_progress = surroundings.is_stderr_terminal && !scan.report.is_quiet;
    let context = AuditContext {
        spill_dir: &surroundings.temporary_directory,
        progress: &audit_progress,
        stop: &surroundings.stop,
        known: &known,
        past: past.as_ref(),
    };
    let audit = progress::with_progress_line(shows_progress, &sources, &audit_progress, || {
        audit::run(&plan, &sources, context)
    });
    let mut audit = audit.map_err(audit_failure)?;
    drop(past);
    judge.complete(&mut audit.summary);
    let kept = remembering
        .as_mut()
        .map(|remembering| (remembering, &*sources));
    write_reports(scan, &mut audit, (redaction.as_ref(), kept), surroundings)?;
    say_doubts(scan, &audit.summary, surroundings);
    say_hints(scan, &audit, surroundings);
    Ok(audit.summary)
}

/// Says on standard error what a reader of the reports alone could miss; a person who sees the
/// report on the same terminal has it there.
pub(super) fn say_doubts(
    scan: &ScanCommand,
    summary: &AuditSummary,
    surroundings: &mut Surroundings<'_>,
) {
    let is_report_for_people = scan.outputs.iter().all(|output| output.path.is_some());
    let is_one_screen = surroundings.is_stdout_terminal && surroundings.is_stderr_terminal;
    if is_report_for_people && is_one_screen {
        return;
    }
    for doubt in summary.incomplete_reasons.iter().chain(&summary.warnings) {
        (surroundings.say)(Message::Warning(doubt.clone()));
    }
}

/// Says what would help, below the report where both are on one screen.
pub(super) fn say_hints(scan: &ScanCommand, audit: &Audit, surroundings: &mut Surroundings<'_>) {
    let hints = report::hints(&audit.summary, &audit.coverage);
    if scan.report.is_quiet || hints.is_empty() {
        return;
    }
    // Whether all of it was written is looked at when the program ends.
    let _ = surroundings.stdout.flush();
    for hint in hints {
        (surroundings.say)(Message::Hint(hint));
    }
}

pub(super) fn audit_failure(error: AuditError) -> CommandError {
    match error {
        AuditError::Unusable(_) | AuditError::Parts(_) => CommandError::configuration(error),
        AuditError::State(error) => state::failure(error),
        AuditError::Index(_) | AuditError::Disk(_) => {
            CommandError::failed(error).with_hint(SPACE_HINT)
        }
        AuditError::Read(_)
        | AuditError::Part(_)
        | AuditError::Encoding(_)
        | AuditError::Internal(_) => CommandError::failed(error),
    }
}

/// What remembers, and the sources that were read.
pub(super) type Kept<'a> = (&'a mut Remembering, &'a [Box<dyn RecordSource>]);

/// Writes every report; one that fails does not keep the others from being written. What the next
/// run goes on with counts once they are there.
pub(super) fn write_reports(
    scan: &ScanCommand,
    audit: &mut Audit,
    (redaction, kept): (Option<&Redaction>, Option<Kept<'_>>),
    surroundings: &mut Surroundings<'_>,
) -> Result<(), CommandError> {
    let header = header(scan, (surroundings.now_millis)());
    let header = match redaction {
        Some(redaction) => redaction.redact_header(header),
        None => header,
    };
    let is_stopped = surroundings.stop.is_stopped();
    let remembered = std::mem::take(&mut audit.remembered);
    let request = ReportsRequest {
        outputs: &scan.outputs,
        options: scan.report,
        shows_values: scan.plan.show_values,
        json_report: None,
    };
    let mut reports = reports::open(&request, surroundings)?;
    let redacted = redaction.map(|redaction| redaction.redact_summary(audit.summary.clone()));
    let history = kept
        .as_ref()
        .map(|(of, _)| of.history(audit, (header.finished_at_millis, is_stopped)));
    let head = ReportHead {
        header: &header,
        summary: redacted.as_ref().unwrap_or(&audit.summary),
        coverage: &audit.coverage,
        episodes: &audit.episodes,
        totals: history.as_ref().map(|history| &history.totals),
    };
    reports.begin(&head).map_err(CommandError::failed)?;
    while let Some(group) = audit.groups.next().map_err(audit_failure)? {
        let group = match redaction {
            Some(redaction) => redaction.redact(group),
            None => group,
        };
        reports.group(&group).map_err(CommandError::failed)?;
    }
    reports.end().map_err(CommandError::failed)?;
    let prepared = kept.zip(history.clone());
    let prepared = prepared.map(|((remembering, sources), history)| {
        remembering.prepare(audit, (remembered, history), sources, is_stopped)
    });
    let prepared = prepared.transpose()?;
    let doubts = reports.doubts();
    let written = reports.commit().map_err(CommandError::failed);
    // Whoever is told may look at the reports; they are there, or will not be. A run that is ended
    // here tells it again: that is better than never.
    verdict::notify(scan.verdict.notify.as_ref(), &head, surroundings);
    written?;
    for doubt in doubts {
        (surroundings.say)(Message::Warning(doubt));
    }
    match prepared {
        Some(prepared) => prepared.commit().map_err(state::failure),
        None => Ok(()),
    }
}

fn header(scan: &ScanCommand, finished_at_millis: i64) -> AuditHeader {
    let plan = &scan.plan;
    let time = |bound: &Option<Bound>| match bound {
        Some(Bound::Timestamp(millis)) => Some(*millis),
        Some(Bound::Offset(_) | Bound::PartitionOffsets(_)) | None => None,
    };
    AuditHeader {
        dupaudit_version: env!("CARGO_PKG_VERSION").to_owned(),
        command_line: scan.command_line.clone(),
        started_at_millis: scan.started_at_millis,
        finished_at_millis,
        preset: scan.preset.map(str::to_owned),
        by: plan
            .dedup_key
            .fields
            .iter()
            .map(ToString::to_string)
            .collect(),
        filter: plan.filter.as_ref().map(ToString::to_string),
        within_millis: plan.within_millis,
        isolation: if scan.kafka.is_none() && scan.store.is_some() {
            REPEATABLE_READ
        } else {
            scan.isolation.name()
        },
        amount_field: plan.impact.amount.as_ref().map(ToString::to_string),
        currency_field: plan.impact.currency.as_ref().map(ToString::to_string),
        amount_unit: plan.impact.unit.name(),
        subject_field: plan.impact.subject.as_ref().map(ToString::to_string),
        reversal: plan.reversal.as_ref().map(ToString::to_string),
        from_millis: time(&plan.range.from),
        to_millis: time(&plan.range.to),
        offset_range: plan.range.offsets_text(),
        shows_values: plan.show_values,
        redaction: None,
    }
}
