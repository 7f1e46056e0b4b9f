//! The bytes of a file as stored: frozen in length, read by place, counted.

use std::fs;
use std::fs::{File, Metadata};
use std::io;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::record::grouped;

/// What ended the reading of stored bytes before their end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file shrank or cannot be read.
    Damage(String),
    /// The scan was stopped.
    Interrupted,
    /// What is read cannot be kept for the second pass.
    Spill(io::Error),
}

/// Counts the stored bytes read and remembers what ended them early.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

impl Meter {
    /// Returns the stored bytes read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes.
    pub(crate) fn add(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts all bytes before a place.
    pub(crate) fn reach(&self, place: u64) {
        self.bytes.fetch_max(place, Ordering::Relaxed);
    }

    /// Remembers what ended the reading, and returns an error to pass through a decoder.
    pub(crate) fn fail(&self, fault: Fault) -> io::Error {
        let mut slot = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(fault);
        io::Error::other("the stored bytes end early")
    }

    /// Takes what ended the reading, if anything did.
    pub(crate) fn take_fault(&self) -> Option<Fault> {
        let mut slot = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take()
    }
}

/// A regular file whose length was frozen when the scan began.
#[derive(Debug)]
pub(crate) struct RegularFile {
    path: PathBuf,
    length: u64,
    identity: (u64, u64),
    modified: Option<SystemTime>,
    kept: Option<Arc<File>>,
}

/// What became of a file since its length was frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// What means that not all of it could be read.
    pub(crate) damage: Option<String>,
    /// Bytes that came to it.
    pub(crate) grown: Option<String>,
    /// What else is to be said.
    pub(crate) note: Option<String>,
}

impl RegularFile {
    /// Freezes an open file; `is_kept` keeps it open, which holds on to it when it is rotated.
    pub(crate) fn freeze(path: &Path, file: Arc<File>, is_kept: bool) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            length: metadata.len(),
            identity: (metadata.dev(), metadata.ino()),
            modified: metadata.modified().ok(),
            kept: is_kept.then_some(file),
        })
    }

    /// Returns the frozen length.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the file, opened again where it was not kept open.
    pub(crate) fn open(&self) -> io::Result<Arc<File>> {
        if let Some(file) = &self.kept {
            return Ok(Arc::clone(file));
        }
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(io::Error::other("it was replaced by another file"));
        }
        Ok(Arc::new(file))
    }
}

impl RegularFile {
    /// Returns what became of the file since its length was frozen.
    pub(crate) fn changes(&self) -> Changes {
        let identity = |of: &Metadata| (of.dev(), of.ino());
        let at_path = fs::metadata(&self.path).ok();
        let is_same = |of: &&Metadata| identity(of) == self.identity;
        let mut changes = Changes::default();
        if at_path.as_ref().is_none_or(|of| !is_same(&of)) {
            let what = match at_path {
                Some(_) => "was replaced by another file, which was not read",
                None => "was moved or removed",
            };
            changes.note = Some(format!("it {what}, since the scan began"));
        }
        let of_open = self.kept.as_ref().and_then(|file| file.metadata().ok());
        let Some(now) = of_open.or(at_path.filter(|of| is_same(&of))) else {
            return changes;
        };
        let (then, now_bytes) = (self.length, now.len());
        if now_bytes < then {
            let (then, now) = (grouped(then), grouped(now_bytes));
            changes.damage = Some(format!(
                "file shrank since the scan began: it had {then} bytes and has {now}"
            ));
        } else if now_bytes > then {
            let grown = grouped(now_bytes - then);
            changes.grown = Some(format!(
                "{grown} bytes were appended since the scan began, and not read"
            ));
        } else if now.modified().ok() != self.modified {
            let known = changes.note.take().map(|known| known + "; ");
            let written = "it was written to since the scan began, and is no longer than before";
            changes.note = Some(known.unwrap_or_default() + written);
        }
        changes
    }
}

/// Reads the first `end` bytes of a file in order, by place: the file's cursor is not moved.
pub(crate) struct StoredReader {
    file: Arc<File>,
    position: u64,
    end: u64,
    meter: Arc<Meter>,
}

impl StoredReader {
    /// Returns a reader of the first `end` bytes.
    pub(crate) fn new(file: Arc<File>, end: u64, meter: Arc<Meter>) -> Self {
        Self {
            file,
            position: 0,
            end,
            meter,
        }
    }
}

impl Read for StoredReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let wanted = buffer.split_at_mut(length).0;
        if wanted.is_empty() {
            return Ok(0);
        }
        loop {
            return match self.file.read_at(wanted, self.position) {
                Ok(0) => Err(self.meter.fail(shrunk(self.end, self.position))),
                Ok(count) => {
                    self.position += u64::try_from(count).unwrap_or(u64::MAX);
                    self.meter.add(count);
                    Ok(count)
                }
                // Decoders need not survive an interruption.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(self.meter.fail(unreadable(self.position, &error))),
            };
        }
    }
}

/// Returns the fault of a file that ends before its frozen length.
pub(crate) fn shrunk(length: u64, now: u64) -> Fault {
    Fault::Damage(format!(
        "file shrank while it was read: it had {length} bytes and ends after {now}"
    ))
}

/// Returns the fault of a file that the system does not read on.
pub(crate) fn unreadable(position: u64, error: &io::Error) -> Fault {
    Fault::Damage(format!("cannot be read at byte {position}: {error}"))
}
