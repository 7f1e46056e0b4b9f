//! Exported logs: one file, or standard input, is one split.

pub(crate) mod chunk;
pub(crate) mod container;
pub(crate) mod cut;
pub(crate) mod detect;
pub(crate) mod document_ends;
pub mod file_source;
pub(crate) mod first_pass;
pub mod format;
pub(crate) mod mark_ends;
pub mod opening;
pub(crate) mod revisit;
pub(crate) mod row_ends;
pub(crate) mod segment;
pub(crate) mod sink;
pub(crate) mod unpack;
pub mod walk;

pub use detect::Refusal;
pub use file_source::FileSource;
pub use format::FileFormat;
pub use opening::earlier::EarlierFile;
pub use opening::{FileOpener, OpenedFile};
pub use unpack::unpacked;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::source::file::unpack::members::AheadLimits;
use crate::source::kafka::Isolation;

/// Why a file cannot be audited at all.
#[derive(Debug, Error)]
pub enum FileError {
    /// It does not exist.
    #[error("`{0}` does not exist")]
    Missing(String),
    /// It is a directory, a socket or a block device.
    #[error("`{0}` is neither a file nor a pipe")]
    NoFile(String),
    /// The system does not open or read it.
    #[error("read `{0}`: {1}")]
    Io(String, io::Error),
    /// What comes from a pipe, or out of a compressed file, cannot be kept for the second pass.
    #[error("keep the bytes of `{0}` for the second pass in `{1}`: {2}")]
    Spill(String, String, io::Error),
    /// Its content is none that is read.
    #[error("`{0}` {1}")]
    Refused(String, Refusal),
}

impl FileError {
    pub(crate) fn spill(path: &Path, options: &FileOptions, error: io::Error) -> Self {
        let dir = options.spill_dir.display().to_string();
        Self::Spill(path.display().to_string(), dir, error)
    }

    pub(crate) fn from_io(path: &Path, error: io::Error) -> Self {
        let path = path.display().to_string();
        if error.kind() == io::ErrorKind::NotFound {
            Self::Missing(path)
        } else {
            Self::Io(path, error)
        }
    }
}

/// Returns the folder with which a file has to be read by one process: segments of one partition
/// tell of each other's transactions, and where they overlap.
pub fn folder_read_as_one(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?;
    segment::names::is_segment(name).then(|| folder.to_owned())
}

/// How to read files.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The format, where it is not to be told by content.
    pub format: Option<FileFormat>,
    /// Longest line or row that is a record; longer ones are counted as bad.
    pub line_bytes_max: usize,
    /// Most bytes that may be unpacked of one compressed file.
    pub decompressed_bytes_max: Option<u64>,
    /// Topic of envelopes that carry none.
    pub assume_topic: Option<Arc<str>>,
    /// Which transactions of segments count.
    pub isolation: Isolation,
    /// Directory where the bytes of pipes are kept for the second pass.
    pub spill_dir: PathBuf,
    /// Bytes to read at a time.
    pub chunk_bytes: usize,
    /// What the first pass looks into, where it is not whole values.
    pub members: Option<Arc<ValueMembers>>,
    /// Threads that may work on one file beside each other.
    pub threads: usize,
    /// Memory for what is unpacked ahead of being read.
    pub ahead_bytes: u64,
}

/// Members of a value, which is an object, that the first pass looks into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueMembers {
    /// Those whose values count.
    pub values: Vec<Box<str>>,
    /// Those that only have to be there.
    pub presence: Vec<Box<str>>,
}

impl FileOptions {
    /// Returns the defaults.
    pub fn new(spill_dir: PathBuf) -> Self {
        Self {
            format: None,
            line_bytes_max: 64 * 1024 * 1024,
            decompressed_bytes_max: None,
            assume_topic: None,
            isolation: Isolation::default(),
            spill_dir,
            // Half of a core's cache, so that what is read there is still there when it is cut.
            chunk_bytes: 256 * 1024,
            members: None,
            threads: 1,
            ahead_bytes: 16 * 1024 * 1024,
        }
    }

    /// Returns how far to unpack ahead: one thread reads.
    pub(crate) fn ahead_limits(&self) -> AheadLimits {
        AheadLimits {
            threads: self.threads.saturating_sub(1),
            bytes: self.ahead_bytes,
        }
    }
}
