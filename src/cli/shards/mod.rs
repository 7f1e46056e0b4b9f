//! `extract` and `merge`: an audit by several processes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};

use crate::audit::parts::{PARTS_DEFAULT, PARTS_MAX, PLAN_NAME, PlanFile, TaskFolder};
use crate::cli::config::ConfigFlags;
use crate::cli::explain;
use crate::cli::flags::{AcceptanceFlags, AuditFlags, FailOnFlag, LimitFlags, ScanFlags};
use crate::cli::output::OutputFlags;
use crate::cli::resolve::{self, RunContext};
use crate::cli::secret::MASK;
use crate::cli::spark::SparkFlags;
use crate::cli::usage_error::UsageError;
use crate::cli::verdict::VerdictFlags;
use crate::command::ShardCommand;
use crate::command::shards::{ExtractCommand, MergeCommand, SuspectsCommand};

/// Options of `extract`.
#[derive(Args, Debug)]
pub struct ExtractFlags {
    /// What is audited.
    #[command(flatten)]
    pub audit: AuditFlags,
    /// What may be used.
    #[command(flatten)]
    pub limits: LimitFlags,
    /// What is not typed.
    #[command(flatten)]
    pub config: ConfigFlags,
    /// The part, and where it goes.
    #[command(flatten)]
    pub part: PartFlags,
    /// No progress, no notes
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// Which part is read, and where it goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Part")]
pub struct PartFlags {
    /// Folder to write to; it is made where there is none
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Second pass: what `merge` says has to be read again (repeatable)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub suspects: Vec<PathBuf>,
    /// Note at which offset each record lies: for a topic whose export is another part
    #[arg(long)]
    pub coordinates: bool,
    /// Parts that the fingerprints are cut into, the same number for all
    #[arg(long, value_name = "N", default_value_t = PARTS_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(PARTS_MAX)))]
    pub parts: u32,
    /// What all tasks agree on, with the splits of each
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "task")]
    pub plan: Option<PathBuf>,
    /// Read the splits of this task of the plan
    #[arg(long, value_name = "N", requires = "plan")]
    pub task: Option<u32>,
}

/// Options of `merge`.
#[derive(Args, Debug)]
pub struct MergeFlags {
    /// Folders that `extract` wrote; with --stage, runs and folders of runs
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, required = true)]
    pub folders: Vec<PathBuf>,
    /// Do one step only: compare one part of the fingerprints of all tasks, and write what each has
    /// to read again to the folder of -o
    #[arg(long, value_name = "STEP", value_enum)]
    pub stage: Option<StageFlag>,
    /// What all tasks agree on: none of its tasks may be missing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plan: Option<PathBuf>,
    /// What is accepted.
    #[command(flatten)]
    pub acceptance: AcceptanceFlags,
    /// What is new, and what was known.
    #[command(flatten)]
    pub verdict: VerdictFlags,
    /// What is written.
    #[command(flatten)]
    pub output: OutputFlags,
    /// What may be used.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// Values of `--stage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageFlag {
    /// What has to be read again.
    #[value(help = None)]
    Suspects,
}

/// Options of `extract` that a scan does not have, and whether they have a value.
const OWN_OPTIONS: [(&str, bool); 7] = [
    ("-o", true),
    ("--output", true),
    ("--suspects", true),
    ("--parts", true),
    ("--plan", true),
    ("--task", true),
    ("--coordinates", false),
];

/// Returns the part of an audit that is asked for.
pub fn extract(
    mut flags: ExtractFlags,
    context: &RunContext<'_>,
) -> Result<ExtractCommand, UsageError> {
    let part = flags.part;
    if flags.audit.sources.dry_run {
        return Err(UsageError::new("`extract` has no dry run")
            .hint("`dupaudit scan --dry-run` with the same options shows what would be read"));
    }
    let own_plan = part.output.join(PLAN_NAME);
    let plan = match (&part.plan, part.suspects.is_empty()) {
        (Some(path), _) => Some(read_plan(path)?),
        (None, false) => Some(read_plan(&own_plan)?),
        (None, true) => None,
    };
    if let (Some(plan), true) = (&plan, part.plan.is_some()) {
        // What is read is what the plan says.
        flags.audit.sources.files = plan.files();
    }
    let context = RunContext {
        command_line: explain::scan_words(&context.command_line, &OWN_OPTIONS),
        // Times before now are those of the plan.
        now_millis: plan
            .as_ref()
            .map_or(context.now_millis, |plan| plan.started_at_millis),
        environment: context.environment,
        memory_bytes: context.memory_bytes,
        threads: context.threads,
    };
    let scan = ScanFlags {
        audit: flags.audit,
        output: OutputFlags {
            quiet: flags.quiet,
            ..explain::plain_output()?
        },
        limits: flags.limits,
        spark: SparkFlags::default(),
        config: flags.config,
    };
    Ok(ExtractCommand {
        scan: resolve::scan(&scan, context)?,
        plan,
        task: part.task.unwrap_or_default(),
        suspects: part.suspects,
        dir: part.output,
        parts: part.parts,
        notes_coordinates: part.coordinates,
    })
}

fn read_plan(path: &Path) -> Result<PlanFile, UsageError> {
    PlanFile::read(path).map_err(|error| {
        UsageError::new(error.to_string())
            .hint("the second pass needs the folder of the first: give the same -o")
    })
}

/// Returns what is to be merged.
pub fn merge(flags: MergeFlags, context: &RunContext<'_>) -> Result<ShardCommand, UsageError> {
    if flags.stage == Some(StageFlag::Suspects) {
        return suspects(&flags, context).map(ShardCommand::Suspects);
    }
    let unusable = |error: crate::audit::AuditError| UsageError::new(error.to_string());
    let mut folders = Vec::with_capacity(flags.folders.len());
    for dir in &flags.folders {
        folders.push(TaskFolder::at(dir).map_err(unusable)?);
    }
    let plans = match &flags.plan {
        Some(path) => vec![read_plan(path)?],
        None => own_plans(&flags.folders)?,
    };
    let Some(first) = plans.first() else {
        return Err(UsageError::new("there is nothing to merge"));
    };
    let mut scan = explain::scan_of(&first.command_line)?;
    let mut command_line = first.command_line.clone();
    for plan in plans.iter().skip(1) {
        let other = explain::scan_of(&plan.command_line)?;
        for path in other.audit.sources.files {
            if !scan.audit.sources.files.contains(&path) {
                command_line.push(path.display().to_string());
                scan.audit.sources.files.push(path);
            }
        }
    }
    let context = RunContext {
        command_line,
        now_millis: first.started_at_millis,
        environment: context.environment,
        memory_bytes: context.memory_bytes,
        threads: context.threads,
    };
    let is_secret = |of: &String| of.ends_with(&format!("={MASK}")) || of.contains("=@");
    scan.audit
        .sources
        .property
        .retain(|of| !is_secret(of) && !of.contains("=env:"));
    scan.output = flags.output;
    scan.limits = flags.limits;
    scan.audit.acceptance = acceptance(flags.acceptance, scan.audit.acceptance);
    scan.audit.verdict = verdict(flags.verdict, scan.audit.verdict);
    Ok(ShardCommand::Merge(Box::new(MergeCommand {
        scan: resolve::scan(&scan, context)?,
        plan: flags.plan.is_some().then(|| first.clone()),
        folders,
    })))
}

fn own_plans(folders: &[PathBuf]) -> Result<Vec<PlanFile>, UsageError> {
    let plans = folders.iter().map(|dir| {
        PlanFile::read(&dir.join(PLAN_NAME)).map_err(|error| {
            UsageError::new(error.to_string())
                .hint("name folders that `dupaudit extract -o DIR` wrote")
        })
    });
    plans.collect()
}

fn suspects(flags: &MergeFlags, context: &RunContext<'_>) -> Result<SuspectsCommand, UsageError> {
    let [dir] = flags.output.render.output.as_slice() else {
        return Err(
            UsageError::new("`--stage suspects` writes to one folder").hint("name it with -o DIR")
        );
    };
    Ok(SuspectsCommand {
        runs: flags.folders.clone(),
        dir: dir.clone(),
        memory_bytes: resolve::memory(&flags.limits, context.memory_bytes)?,
    })
}

/// What is typed for the merge counts, then what was typed for the parts.
fn acceptance(typed: AcceptanceFlags, stored: AcceptanceFlags) -> AcceptanceFlags {
    let default = [
        FailOnFlag::Duplicates,
        FailOnFlag::Incomplete,
        FailOnFlag::Error,
    ];
    AcceptanceFlags {
        max_missing: typed.max_missing.or(stored.max_missing),
        allow_empty: typed.allow_empty || stored.allow_empty,
        allow_undecodable: typed.allow_undecodable.max(stored.allow_undecodable),
        fail_on: if typed.fail_on == default {
            stored.fail_on
        } else {
            typed.fail_on
        },
    }
}

fn verdict(typed: VerdictFlags, stored: VerdictFlags) -> VerdictFlags {
    let or = |typed: Vec<String>, stored: Vec<String>| {
        if typed.is_empty() { stored } else { typed }
    };
    VerdictFlags {
        baseline: typed.baseline.or(stored.baseline),
        expect: or(typed.expect, stored.expect),
        fail_at: or(typed.fail_at, stored.fail_at),
        notify_command: typed.notify_command.or(stored.notify_command),
        notify_timeout: typed.notify_timeout.or(stored.notify_timeout),
    }
}
