//! A scan whose records are read on a cluster: planned and reported here.

mod shipping;
mod tasks;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::audit::parts::{PlanFile, TaskFolder};
use crate::command::cluster::shipping::Shipping;
use crate::command::print;
use crate::command::shards;
use crate::command::shards::merge::Reporter;
use crate::command::verdict;
use crate::command::{CommandError, Message, Outcome};
use crate::command::{ScanCommand, Surroundings};
use crate::record::counted;
use crate::spark::{self, ClusterSpec, Job, PLACE, Shipped, SparkError, Submission};

/// Name of the plan among what tasks get.
const PLAN: &str = "plan.json";

/// What a task may use where nobody says: of the memory of executors their own part is the least.
const TASK_MEMORY: &str = "512M";

/// A scan on a cluster, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRequest {
    /// The cluster.
    pub spec: ClusterSpec,
    /// What tasks run: this program.
    pub program: PathBuf,
    /// Where it was started.
    pub folder: PathBuf,
    /// What of the command line they get.
    pub task_arguments: Vec<String>,
    /// Memory of one task, as typed.
    pub task_memory: Option<String>,
}

/// Has the cluster read, and writes the reports.
pub(super) fn run(
    scan: &ScanCommand,
    request: &ClusterRequest,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let reporter = Reporter::open(scan)?;
    let plan = planned(scan, surroundings)?;
    let folder = job_folder(surroundings)?;
    let folders = if plan.tasks.is_empty() {
        Vec::new()
    } else {
        let submission = prepare(scan, (request, &plan), folder.path(), surroundings)?;
        let tasks = counted(plan.tasks.len(), "task");
        (surroundings.say)(Message::Note(format!("{tasks} by Spark")));
        spark::run(&submission, &surroundings.stop).map_err(failure)?;
        task_folders(&submission)?
    };
    let summary = reporter.conclude((Some(&plan), &folders), surroundings)?;
    Ok(Outcome::Audited {
        verdict: summary.verdict,
        is_complete: summary.complete,
        has_news: verdict::has_news(&summary),
    })
}

/// Prints the line that submits the job, and the job.
pub(super) fn dry_run(
    scan: &ScanCommand,
    request: &ClusterRequest,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let plan = planned(scan, surroundings)?;
    let folder = job_folder(surroundings)?;
    let submission = prepare(scan, (request, &plan), folder.path(), surroundings)?;
    let tasks = counted(plan.tasks.len(), "task");
    let splits = counted(plan.splits.len(), "split");
    let line = submission.line();
    let text = format!("# {splits} in {tasks}\n{line}\n\n# job.py\n{}", spark::JOB);
    print::run(text.as_bytes(), surroundings)
}

fn planned(
    scan: &ScanCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<PlanFile, CommandError> {
    let mut plan = shards::plan(scan, surroundings)?;
    tasks::share_out(&mut plan);
    Ok(plan)
}

fn job_folder(surroundings: &Surroundings<'_>) -> Result<tempfile::TempDir, CommandError> {
    let parent = &surroundings.temporary_directory;
    tempfile::Builder::new()
        .prefix("dupaudit-job-")
        .tempdir_in(parent)
        .with_context(|| format!("make a folder for the Spark job in `{}`", parent.display()))
        .map_err(CommandError::failed)
}

/// Writes all that is submitted into an empty folder.
fn prepare(
    scan: &ScanCommand,
    (request, plan): (&ClusterRequest, &PlanFile),
    folder: &Path,
    surroundings: &mut Surroundings<'_>,
) -> Result<Submission, CommandError> {
    let shipping = Shipping::of(scan, surroundings)?;
    let mut shipped = shipping.files;
    shipped.push(Shipped {
        name: PLAN.to_owned(),
        bytes: serde_json::to_vec(plan)
            .context("write the plan")
            .map_err(CommandError::failed)?,
    });
    let parts = tasks::parts_of(plan);
    let own = [
        "--quiet".to_owned(),
        format!("--isolation={}", scan.isolation.name()),
        format!("--parts={parts}"),
        format!("--plan={PLACE}/{PLAN}"),
    ];
    let typed = request.task_arguments.iter().cloned();
    let memory = request.task_memory.as_deref().unwrap_or(TASK_MEMORY);
    let job = Job {
        program: request.program.clone(),
        tasks: plan.tasks.len(),
        radixes: usize::try_from(parts).unwrap_or(1),
        arguments: own.into_iter().chain(shipping.words).chain(typed).collect(),
        limits: vec![format!("--memory={memory}")],
        folder: request.folder.clone(),
        shipped,
    };
    Submission::prepare(&request.spec, &job, folder)
        .map_err(SparkError::from)
        .map_err(failure)
}

fn task_folders(submission: &Submission) -> Result<Vec<TaskFolder>, CommandError> {
    let folders = submission.task_folders();
    let folders = folders.map_err(SparkError::from).map_err(failure)?;
    let folder = |(task, dir): (usize, PathBuf)| {
        Some(TaskFolder {
            task: u32::try_from(task).ok()?,
            dir,
        })
    };
    Ok(folders.into_iter().filter_map(folder).collect())
}

fn failure(error: SparkError) -> CommandError {
    let hint = match &error {
        SparkError::NoProgram { .. } => Some(
            "Spark is not here: `pip install pyspark==4.2.0` brings it, or name its own with \
             --spark-submit PATH or the variable SPARK_HOME; without --engine this machine reads",
        ),
        SparkError::NoJava(_) => Some("install Java 17 or newer, or set JAVA_HOME to where it is"),
        SparkError::Failed { .. } | SparkError::Stopped | SparkError::Disk(_) => None,
    };
    let is_configuration = hint.is_some();
    let error = if is_configuration {
        CommandError::configuration(error)
    } else {
        CommandError::failed(error)
    };
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
