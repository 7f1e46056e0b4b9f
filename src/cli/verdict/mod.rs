//! What is new, what was known, and what of it counts.

pub mod expect;
mod fail_at;

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::flags::ImpactFlags;
use crate::cli::resolve::{RunContext, duration};
use crate::cli::usage_error::UsageError;
use crate::command::BaselineCommand;
use crate::command::{NotifyRequest, VerdictRequest};

/// Years of more than four digits are no times that a file could hold.
const LAST_MILLIS: i64 = 253_402_300_799_000;

/// How long the command of `--notify-command` may take.
const NOTIFY_TIMEOUT: &str = "30s";

/// What is new, what was known, and what of it counts.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "New and known")]
pub struct VerdictFlags {
    /// Groups that are accepted, as `dupaudit baseline` writes them: they are known, and only what
    /// is new ends with code 1
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
    /// Extra records that repeat by design, which are known by the rule's name: `dead-letter`,
    /// `mirror`, `aborted`, `snapshot` (Debezium's `op` is `r`), `compacted:TOPIC` (later records
    /// of a key; repeatable, or comma-separated)
    #[arg(long, value_name = "RULE")]
    pub expect: Vec<String>,
    /// How much must be new to end with code 1; any of `groups=N`, `extra=N` (records),
    /// `amount=SUM` (in any one currency), `amount.EUR=SUM` and `rate=0.01%` (of the records
    /// audited), comma-separated [default: groups=1]
    #[arg(long, value_name = "LIST")]
    pub fail_at: Vec<String>,
    /// Run a command of the shell where the code would be 1 or 3: it gets the JSON report without
    /// its groups on standard input. Where it fails there is a warning, and the code stays
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString)]
    pub notify_command: Option<String>,
    /// End that command after this long [default: 30s]
    #[arg(long, value_name = "DURATION", requires = "notify_command")]
    pub notify_timeout: Option<String>,
}

/// Options of `baseline`.
#[derive(Args, Debug)]
pub struct BaselineFlags {
    /// The JSON report of a scan
    #[arg(value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub report: PathBuf,
    /// The baseline to write; groups that it has already keep their reason and their end, unless
    /// they have expired or grown
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Why the groups are accepted, such as `refunded, INC-1234`
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// When they count as new again: a time from now such as `90d`, or `never`
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    pub expires: String,
    /// Accept this group alone, by its whole id (repeatable) [default: all]
    #[arg(long, value_name = "ID")]
    pub group: Vec<String>,
    /// Leave out groups that the report does not have
    #[arg(long)]
    pub prune: bool,
}

/// Returns what counts.
pub fn resolve(flags: &VerdictFlags, impact: &ImpactFlags) -> Result<VerdictRequest, UsageError> {
    Ok(VerdictRequest {
        baseline: flags.baseline.clone(),
        fail_at: fail_at::resolve(&flags.fail_at, impact)?,
        notify: notify(flags)?,
    })
}

fn notify(flags: &VerdictFlags) -> Result<Option<NotifyRequest>, UsageError> {
    let Some(command) = &flags.notify_command else {
        return Ok(None);
    };
    if command.trim().is_empty() {
        return Err(UsageError::new("`--notify-command` names no command")
            .hint("write it as in --notify-command 'mail -s duplicates oncall@example.com'"));
    }
    let timeout = flags.notify_timeout.as_deref().unwrap_or(NOTIFY_TIMEOUT);
    let wrong = |error: UsageError| error.at("--notify-timeout", timeout);
    let millis = duration::parse(timeout).map_err(wrong)?;
    if millis == 0 {
        return Err(wrong(UsageError::new("no command ends within no time")));
    }
    Ok(Some(NotifyRequest {
        command: command.clone(),
        timeout_millis: millis.unsigned_abs(),
    }))
}

/// Returns the groups to accept.
pub fn baseline(
    flags: &BaselineFlags,
    context: &RunContext<'_>,
) -> Result<BaselineCommand, UsageError> {
    if flags.reason.trim().is_empty() {
        return Err(UsageError::new("`--reason` says nothing")
            .hint("say why the groups are accepted, such as --reason 'refunded, INC-1234'"));
    }
    Ok(BaselineCommand {
        report: flags.report.clone(),
        output: flags.output.clone(),
        reason: flags.reason.clone(),
        accepted_at_millis: context.now_millis,
        expires_at_millis: expires(&flags.expires, context.now_millis)?,
        groups: flags.group.clone(),
        prunes: flags.prune,
    })
}

fn expires(text: &str, now_millis: i64) -> Result<Option<i64>, UsageError> {
    if text == "never" {
        return Ok(None);
    }
    let wrong = |error: UsageError| error.at("--expires", text);
    let millis = duration::parse(text).map_err(wrong)?;
    if millis == 0 {
        let error = UsageError::new("what is accepted would expire at once");
        return Err(wrong(
            error.hint("write a time from now such as 90d, or never"),
        ));
    }
    let too_long = || wrong(UsageError::new("the duration is too long"));
    let at = now_millis.checked_add(millis).ok_or_else(too_long)?;
    Some(at)
        .filter(|at| *at <= LAST_MILLIS)
        .ok_or_else(too_long)
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_expires_or_never_does() {
        assert_eq!(expires("never", 5), Ok(None));
        assert_eq!(expires("1d", 5), Ok(Some(86_400_005)));
        for (text, problem) in [
            ("0", "at once"),
            ("0d", "at once"),
            ("9", "unit"),
            ("9999999w", "too long"),
            ("soon", "number"),
        ] {
            let error = expires(text, 5).unwrap_err();
            let wrong = format!("`--expires {text}`");
            assert!(error.message.starts_with(&wrong), "{error:?}");
            assert!(error.message.contains(problem), "{error:?}");
        }
    }
}
