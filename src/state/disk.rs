//! The directory of a state: its lock, and files that are whole on disk before they count.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::StateError;

/// How often a lock is tried again, and after what pause.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Name of the file that a run holds locked; the system frees it however the run ends.
pub(super) const LOCK_NAME: &str = "lock";

/// The directory, with a count of what is done in it: tests end a run before each step.
#[derive(Debug)]
pub(super) struct StateDir {
    pub(super) path: PathBuf,
    #[cfg(test)]
    pub(super) steps_left: std::sync::Mutex<Option<u64>>,
}

impl StateDir {
    /// Returns the directory, whether or not it is there.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            #[cfg(test)]
            steps_left: std::sync::Mutex::new(None),
        }
    }

    /// Makes the directory, for its owner only.
    pub(super) fn make(&self) -> Result<(), StateError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.map_err(|error| self.error("make", error))
    }

    /// Returns the names of its files, sorted.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Locks the state for this process.
    pub(super) fn lock(&self) -> Result<File, StateError> {
        let failed = |error| self.error("lock", error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.join(LOCK_NAME))
            .map_err(failed)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::Locked {
                    dir: self.path.clone(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        if !is_at(&file, &self.path.join(LOCK_NAME)) {
            return Err(StateError::Locked {
                dir: self.path.clone(),
                holder: "a process that has just removed it".to_owned(),
            });
        }
        // Only told to others: a full disk must not keep a run from making room on it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(file)
    }

    /// Creates a file for its owner only.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        self.step()?;
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path.join(name))
    }

    /// Writes all bytes.
    pub(super) fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        file.write_all(bytes)
    }

    /// Has a file on disk before anything else is done.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        self.step()?;
        file.sync_all()
    }

    /// Gives a file another name, and has that on disk.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        fs::rename(self.path.join(from), self.path.join(to))?;
        self.step()?;
        File::open(&self.path)?.sync_all()
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.step()?;
        fs::remove_file(self.path.join(name))
    }

    pub(super) fn error(&self, what: &'static str, source: io::Error) -> StateError {
        StateError::Io {
            what,
            dir: self.path.clone(),
            source,
        }
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests end a run here"
    )]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        let mut steps_left = self.steps_left.lock().unwrap();
        match steps_left.as_mut() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the run was ended here")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// Locks a file, if nobody else has it; one that seems to may be a moment old: what a process
/// starts holds its files until it is another program.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            locked => return locked,
        }
    }
    file.try_lock()
}

/// Returns whether a file still lies there: one that was removed before it was locked keeps nobody
/// out.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let places = file.metadata().ok().zip(fs::metadata(path).ok());
    places.is_some_and(|(own, there)| place(own) == place(there))
}

/// Refuses what exists and is no directory.
pub(super) fn expect_directory(path: &Path) -> Result<(), StateError> {
    if path.exists() && !path.is_dir() {
        return Err(StateError::NoDirectory(path.to_owned()));
    }
    Ok(())
}

/// Returns who holds the lock, as far as the file says.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(20).read_to_string(&mut text));
    match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_run_is_told_who_has_the_state_and_a_dead_one_does_not_block() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::new(&root.path().join("a/b"));
        dir.make().unwrap();
        fs::write(dir.path.join(LOCK_NAME), "999999").unwrap();
        let held = dir.lock().unwrap();
        let error = dir.lock().unwrap_err().to_string();
        let expected = format!("is in use by process {}", std::process::id());
        assert!(error.ends_with(&expected), "{error}");
        drop(held);
        dir.lock().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path), 0o700);
        dir.create("x").unwrap();
        assert_eq!(mode(&dir.path.join("x")), 0o600);
    }

    #[test]
    fn a_lock_that_was_removed_before_it_was_held_is_none() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(LOCK_NAME);
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
        File::create(&path).unwrap();
        assert!(!is_at(&file, &path));
    }
}
