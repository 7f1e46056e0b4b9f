//! Why a state cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a state cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// The directory holds no state.
    #[error("`{}` holds no state of dupaudit", .0.display())]
    Missing(PathBuf),
    /// It is something else.
    #[error("`{}` is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// The directory holds files that are none of a state.
    #[error("`{}` holds no state of dupaudit, but other files", .0.display())]
    Foreign(PathBuf),
    /// Another run has it.
    #[error("the state in `{}` is in use by {}", .dir.display(), .holder)]
    Locked {
        /// Where.
        dir: PathBuf,
        /// Who holds it, such as `process 17`.
        holder: String,
    },
    /// It was written by a later version.
    #[error("the state in `{}` has format {found}; this version of dupaudit reads up to {known}",
        .dir.display())]
    Newer {
        /// Where.
        dir: PathBuf,
        /// Its format.
        found: u64,
        /// The format of this version.
        known: u64,
    },
    /// What is read back is not what was written.
    #[error("the state in `{}` is damaged: {file}: {what}", .dir.display())]
    Damaged {
        /// Where.
        dir: PathBuf,
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// It remembers records by another dedup key.
    #[error("the state in `{}` was made with {option} {before}, and this run has {option} {now}",
        .dir.display())]
    OtherSpec {
        /// Where.
        dir: PathBuf,
        /// The option that differs.
        option: String,
        /// What it was.
        before: String,
        /// What it is.
        now: String,
    },
    /// The operating system refused.
    #[error("cannot {what} the state in `{}`: {source}", .dir.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Where.
        dir: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}
