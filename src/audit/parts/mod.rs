//! One audit cut at its joints: processes read parts of it, and one concludes as if it had read
//! them all.
//!
//! ```text
//! dupaudit extract <scan flags> --plan PLAN.json --task N -o DIR      first pass of some splits
//!     DIR/survey.json       what the statement needs: counts, coverage, samples
//!     DIR/part-RRR.run      one radix part of the fingerprints, of P; sorted, 37 bytes a record
//!     DIR/coordinates.run   topic, partition, offset of each record, where they may come twice
//! dupaudit merge --stage suspects -o OUT DIR|FILE…                   one part of all tasks
//!     OUT/task-N.run        occurrences that task N has to read again, by place, and a digest of
//!                           those of all tasks: no second pass is left out unnoticed
//! dupaudit extract <scan flags> --plan PLAN.json --task N --suspects FILE… -o DIR
//!     DIR/found.run, DIR/gone.run   records by their sort keys; DIR/revisit.json
//! dupaudit merge -o REPORT DIR…                                      groups, causes, statement
//! ```
//!
//! `PLAN.json` names all splits by number: files, and partitions with their frozen ranges. Numbers
//! are those of a scan in one process, so that which of two equal records stands is the same. A
//! task is a list of splits. Files of a task are the same bytes whenever it runs.
//!
//! A folder that holds a file `failed` with a reason stands for a task of the plan that nobody can
//! do: its splits are reported as not read.

mod conclude;
mod first_pass;
mod folder;
mod plan_file;
mod second_pass;
mod standing;
mod survey;
mod surveyed_source;
mod suspects;

pub use conclude::{Conclusion, conclude};
pub use first_pass::{FirstPassRequest, extract};
pub use folder::TaskFolder;
pub use plan_file::{FileSplit, PlanFile, PlannedSplit, Question};
pub use second_pass::revisit;
pub use suspects::cut_suspects;

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::AuditError;

/// The version of plans and surveys.
const VERSION: u32 = 2;

/// Parts of the fingerprints: equal ones are in one part.
pub const PARTS_DEFAULT: u32 = 16;

/// Most parts; a part is one or more buckets of the index.
pub const PARTS_MAX: u32 = 256;

/// Name of the plan in a folder, where a task has a plan of its own.
pub const PLAN_NAME: &str = "plan.json";

/// Name of the suspects in a folder, where they are put there.
pub const SUSPECTS_NAME: &str = "suspects.run";

const SURVEY_NAME: &str = "survey.json";
const REVISIT_NAME: &str = "revisit.json";
const COORDINATES_NAME: &str = "coordinates.run";
const FOUND_NAME: &str = "found.run";
const GONE_NAME: &str = "gone.run";
const FAILED_NAME: &str = "failed";

fn part_path(dir: &Path, part: u32) -> PathBuf {
    dir.join(format!("part-{part:03}.run"))
}

/// Removes what an earlier run of a task left in a folder.
pub fn clear(dir: &Path) -> io::Result<()> {
    let names = [
        SURVEY_NAME,
        REVISIT_NAME,
        COORDINATES_NAME,
        FOUND_NAME,
        GONE_NAME,
        FAILED_NAME,
        SUSPECTS_NAME,
    ];
    let parts = (0..PARTS_MAX).map(|part| part_path(dir, part));
    for path in names.map(|name| dir.join(name)).into_iter().chain(parts) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

/// Writes a document under its name once it is whole.
fn write_json(path: &Path, document: &impl Serialize) -> Result<(), AuditError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.unfinished"));
    let failure = |error: &dyn std::fmt::Display| {
        AuditError::Parts(format!("cannot write `{}`: {error}", path.display()))
    };
    let mut text = serde_json::to_vec_pretty(document).map_err(|error| failure(&error))?;
    text.push(b'\n');
    let opened = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary);
    let written = opened.and_then(|mut file| file.write_all(&text));
    written.map_err(|error| failure(&error))?;
    fs::rename(&temporary, path).map_err(|error| failure(&error))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, AuditError> {
    let failure = |error: &dyn std::fmt::Display| {
        AuditError::Parts(format!("cannot read `{}`: {error}", path.display()))
    };
    let text = fs::read(path).map_err(|error| failure(&error))?;
    serde_json::from_slice(&text).map_err(|error| failure(&error))
}
