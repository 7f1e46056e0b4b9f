//! What of the findings counts: against a baseline, from a threshold on.

pub(super) mod baseline;
mod notify;
mod thresholds;

pub use notify::NotifyRequest;
pub use thresholds::{Measure, Threshold};

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::audit::AuditPlan;
use crate::baseline::{Accepted, Baseline, BaselineUse};
use crate::command::{CommandError, Message, Surroundings};
use crate::finding::AuditSummary;
use crate::finding::KnownGroups;
use crate::record::counted;
use crate::report::ReportHead;

/// Groups that a warning names at most.
const NAMED_MAX: usize = 3;

/// What counts, as asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerdictRequest {
    /// Groups that are accepted.
    pub baseline: Option<PathBuf>,
    /// From where on what is new counts; none for the first new group.
    pub fail_at: Vec<Threshold>,
    /// Who is told.
    pub notify: Option<NotifyRequest>,
}

/// What counts, with the files of it read.
pub(super) struct Judge<'a> {
    request: &'a VerdictRequest,
    baseline: Option<BaselineUse>,
}

impl<'a> Judge<'a> {
    /// Reads what is asked for.
    pub(super) fn open(
        request: &'a VerdictRequest,
        plan: &AuditPlan,
        now_millis: i64,
    ) -> Result<Self, CommandError> {
        let baseline = request.baseline.as_deref();
        let baseline = baseline.map(|path| read_for(path, plan)).transpose()?;
        Ok(Self {
            request,
            baseline: baseline.map(|baseline| BaselineUse::new(baseline, now_millis)),
        })
    }

    /// Returns what remembers groups.
    pub(super) fn known(&self) -> Vec<&dyn KnownGroups> {
        let mut known: Vec<&dyn KnownGroups> = Vec::new();
        if let Some(baseline) = &self.baseline {
            known.push(baseline);
        }
        known
    }

    /// Adds to the summary what only the whole of the findings tells.
    pub(super) fn complete(&self, summary: &mut AuditSummary) {
        if let Some(baseline) = &self.baseline {
            // What was not read may hold what was not found.
            let gone = summary.complete.then(|| baseline.gone_groups());
            if let Some(standing) = &mut summary.standing {
                standing.gone_groups = gone;
            }
            let warning = expired_text(&baseline.expired());
            summary.warnings.extend(warning);
        }
        if !self.request.fail_at.is_empty() {
            summary.thresholds = Some(thresholds::judge(&self.request.fail_at, summary));
        }
    }
}

/// Tells whoever is to be told, where duplicates count or not everything was read; what goes wrong
/// with that is a warning, and changes nothing of what was found.
pub(super) fn notify(
    request: Option<&NotifyRequest>,
    head: &ReportHead<'_>,
    surroundings: &mut Surroundings<'_>,
) {
    let is_quiet = head.summary.complete && !has_news(head.summary);
    let Some(request) = request.filter(|_| !is_quiet) else {
        return;
    };
    let told = notify::summary(head).map_err(|error| error.to_string());
    let told = told.and_then(|summary| notify::run(request, summary));
    if let Err(problem) = told {
        let text = format!("the command of `--notify-command` {problem}");
        (surroundings.say)(Message::Warning(text));
    }
}

/// Returns whether there are duplicates that count.
pub(super) fn has_news(summary: &AuditSummary) -> bool {
    match (&summary.thresholds, &summary.standing) {
        (Some(thresholds), _) => thresholds.iter().any(|of| of.is_reached),
        (None, Some(standing)) => standing.new_groups > 0,
        (None, None) => summary.groups > 0,
    }
}

/// Returns the baseline in a file, if the ids in it are made as those of the scan.
fn read_for(path: &Path, plan: &AuditPlan) -> Result<Baseline, CommandError> {
    let baseline = read(path)?;
    let fields = plan.dedup_key.fields.iter();
    let by: Vec<String> = fields.map(ToString::to_string).collect();
    if baseline.by == by || baseline.accepted.is_empty() {
        return Ok(baseline);
    }
    let problem = anyhow!(
        "`--baseline {}`: its groups are by {}, and this scan is by {}, so that no id can match",
        path.display(),
        baseline.by.join(", "),
        by.join(", ")
    );
    let hint = "give the --by of the scan that the baseline was made from, or make another one";
    Err(CommandError::configuration(problem).with_hint(hint))
}

fn read(path: &Path) -> Result<Baseline, CommandError> {
    let name = || format!("`--baseline {}`", path.display());
    let text = fs::read_to_string(path)
        .with_context(name)
        .map_err(|error| {
            let hint = "dupaudit baseline report.json -o baseline.toml --reason … makes one";
            CommandError::configuration(error).with_hint(hint)
        })?;
    Baseline::parse(&text).with_context(name).map_err(|error| {
        let hint = "a line is: g_… = { extra = 1, accepted = 2026-01-15, reason = \"…\" }";
        CommandError::configuration(error).with_hint(hint)
    })
}

fn expired_text(expired: &[(String, Accepted)]) -> Option<String> {
    if expired.is_empty() {
        return None;
    }
    let named = expired.iter().take(NAMED_MAX);
    let names: Vec<String> = named
        .map(|(id, accepted)| format!("{id} ({})", accepted.reason))
        .collect();
    let count = counted(u64::try_from(expired.len()).unwrap_or(u64::MAX), "group");
    let more = if expired.len() > NAMED_MAX {
        ", …"
    } else {
        ""
    };
    Some(format!(
        "the baseline's acceptance of {count} has expired, which counts as new: {}{more}",
        names.join(", ")
    ))
}
