//! What `--state DIR` keeps: used by a scan, shown, shortened and removed by commands of its own.

mod files;
mod history;
pub(super) mod remembering;
mod spec;
mod table;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat};

use crate::command::print;
use crate::command::{CommandError, Outcome, ScanCommand, Surroundings};
use crate::record::{TopicPartition, counted};
use crate::source::kafka::ResumePoint;
use crate::state::{self, State, StateError};

/// A state as a scan is asked to keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRequest {
    /// Its directory.
    pub dir: PathBuf,
    /// How long records are remembered after they were read, in milliseconds.
    pub look_back_millis: i64,
    /// How long what was found is news, in milliseconds.
    pub new_for_millis: i64,
}

/// What is done with a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateAction {
    /// Prints what is remembered.
    Show {
        /// Whether as JSON.
        is_json: bool,
    },
    /// Prints what the last runs came to.
    History {
        /// How many of them.
        last: usize,
        /// Whether as JSON.
        is_json: bool,
    },
    /// Drops what was read longer ago than this, in milliseconds.
    Prune {
        /// The age.
        older_than_millis: i64,
    },
    /// Removes all of it.
    Reset,
}

/// One of the commands on a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCommand {
    /// The directory.
    pub dir: PathBuf,
    /// What to do.
    pub action: StateAction,
    /// Start of the run, milliseconds since the epoch.
    pub now_millis: i64,
}

/// Runs a command on a state.
pub(super) fn run(
    command: &StateCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let dir = command.dir.display();
    let laid_out = |text: io::Result<String>| {
        let text = text.context("lay the table out");
        text.map_err(CommandError::failed)
    };
    let text = match command.action {
        StateAction::Show { is_json } => {
            let overview = state::overview(&command.dir).map_err(failure)?;
            laid_out(if is_json {
                table::json(&overview)
            } else {
                table::text(&command.dir, &overview, surroundings)
            })?
        }
        StateAction::History { last, is_json } => {
            let history = state::overview(&command.dir).map_err(failure)?.history;
            laid_out(if is_json {
                history::json(&history, last)
            } else {
                history::text(&command.dir, &history, last, surroundings)
            })?
        }
        StateAction::Prune { older_than_millis } => {
            let mut state = State::open_existing(&command.dir).map_err(failure)?;
            let since = command.now_millis.saturating_sub(older_than_millis);
            let left = state.prune(since).map_err(failure)?;
            format!("`{dir}` remembers {} now\n", counted(left, "record"))
        }
        StateAction::Reset => {
            state::reset(&command.dir).map_err(failure)?;
            format!("`{dir}` is gone: the next run reads everything, and reports all of it\n")
        }
    };
    print::run(text.as_bytes(), surroundings)
}

/// Returns where a scan would read on, without taking the state; a new one has nothing.
pub(super) fn resume_points_of(
    scan: &ScanCommand,
) -> Result<BTreeMap<TopicPartition, ResumePoint>, CommandError> {
    let Some(request) = &scan.state else {
        return Ok(BTreeMap::new());
    };
    match state::overview(&request.dir) {
        Ok(overview) => Ok(remembering::resume_points(&overview.partitions)),
        Err(StateError::Missing(_)) => Ok(BTreeMap::new()),
        Err(error) => Err(failure(error)),
    }
}

/// Returns what a state that cannot be used comes to, with the way out.
pub(super) fn failure(error: StateError) -> CommandError {
    let hint = match &error {
        StateError::Missing(_) => "a scan makes one: dupaudit scan … --state DIR".to_owned(),
        StateError::Foreign(_) | StateError::NoDirectory(_) => {
            "name a directory of its own: it is made if need be".to_owned()
        }
        StateError::Locked { .. } => "two runs cannot share a state: wait for the other, or give \
                                      each a directory of its own"
            .to_owned(),
        StateError::Newer { .. } => {
            "use the version that wrote it, or a later one; or begin anew, with another directory"
                .to_owned()
        }
        StateError::Damaged { dir, .. } => format!(
            "put a copy of the directory back, or begin anew: dupaudit state reset {}",
            dir.display()
        ),
        StateError::OtherSpec { dir, .. } => format!(
            "records are the same by other rules now: name another directory, or begin anew: \
             dupaudit state reset {}",
            dir.display()
        ),
        StateError::Io { .. } => "is there room, and may this user write there?".to_owned(),
    };
    let is_usage = matches!(
        error,
        StateError::Missing(_)
            | StateError::Foreign(_)
            | StateError::NoDirectory(_)
            | StateError::OtherSpec { .. }
    );
    let error = if is_usage {
        CommandError::configuration(error)
    } else {
        CommandError::failed(error)
    };
    error.with_hint(hint)
}

/// Returns a time for people.
fn time_text(millis: i64) -> String {
    let time = DateTime::from_timestamp_millis(millis);
    time.map_or_else(
        || format!("{millis} ms"),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}
