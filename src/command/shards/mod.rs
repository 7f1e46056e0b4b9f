//! An audit by several processes: each extracts a part, and one merges what they left.

pub mod extract;
pub mod merge;
mod opening;
mod planning;

pub use planning::plan;

use std::path::PathBuf;

use crate::audit::parts::{PlanFile, TaskFolder};
use crate::command::{CommandError, Outcome, ScanCommand, Surroundings};

/// One step of an audit by several processes.
#[derive(Debug)]
pub enum ShardCommand {
    /// Reads a part for `merge`.
    Extract(Box<ExtractCommand>),
    /// Concludes what parts have read.
    Merge(Box<MergeCommand>),
    /// Compares one part of all fingerprints.
    Suspects(SuspectsCommand),
}

/// Runs a step.
pub fn run(
    command: &ShardCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    match command {
        ShardCommand::Extract(extract) => extract::run(extract, surroundings),
        ShardCommand::Merge(merge) => merge::run(merge, surroundings),
        ShardCommand::Suspects(suspects) => merge::suspects(suspects, surroundings),
    }
}

/// A part of an audit to read.
#[derive(Debug)]
pub struct ExtractCommand {
    /// What is audited, and how.
    pub scan: ScanCommand,
    /// What all tasks agree on; none where this one reads all that it names.
    pub plan: Option<PlanFile>,
    /// Number of the task in the plan.
    pub task: u32,
    /// What is to be read again; none for the first pass.
    pub suspects: Vec<PathBuf>,
    /// Folder to write to.
    pub dir: PathBuf,
    /// Parts of the fingerprints.
    pub parts: u32,
    /// Whether coordinates are noted, since others may hold the same records.
    pub notes_coordinates: bool,
}

/// What tasks left, to be concluded.
#[derive(Debug)]
pub struct MergeCommand {
    /// What was audited, and what is to be written.
    pub scan: ScanCommand,
    /// The plan of all tasks; none where each folder has its own.
    pub plan: Option<PlanFile>,
    /// What they left.
    pub folders: Vec<TaskFolder>,
}

/// One part of all fingerprints, to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspectsCommand {
    /// Runs, and folders of runs.
    pub runs: Vec<PathBuf>,
    /// Folder to write to.
    pub dir: PathBuf,
    /// Memory to stay within, in bytes.
    pub memory_bytes: u64,
}
