#![doc = include_str!("README.md")]

mod disk;
mod entry;
mod error;
mod manifest;
mod merge;
mod places;
mod run_file;

pub use entry::Entry;
pub use error::StateError;
pub use manifest::{RunFile, SpecPart};
pub use merge::{Entries, Keeping, PlaceEnd};
pub use places::{FileIdentity, FilePlace, PartitionPlace};

use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::finding::RunHistory;
use disk::{LOCK_NAME, StateDir, expect_directory};
use manifest::{Manifest, NAME, spec_hash};
use merge::choose;
use run_file::{RunFileReader, RunFileWriter, name_of};

/// Name of a manifest that does not count yet.
const NEW_NAME: &str = "manifest.new";

/// A state, locked for one run.
#[derive(Debug)]
pub struct State {
    dir: StateDir,
    /// Whether the directory was made for this run.
    is_new_dir: bool,
    /// Locked for as long as it is open.
    _lock: File,
    manifest: Manifest,
}

/// Where a run ended in all that it read.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// All partitions that are known now.
    pub partitions: Vec<PartitionPlace>,
    /// All files that are known now.
    pub files: Vec<FilePlace>,
    /// The number that no place has yet.
    pub next_place: u32,
}

/// A state as it will be once it is committed.
#[derive(Debug)]
#[must_use = "what is not committed is forgotten"]
pub struct PreparedState<'a> {
    state: &'a mut State,
    manifest: Manifest,
}

impl State {
    /// Opens the state in a directory, or makes one there, and locks it.
    pub fn open(path: &Path, spec: Vec<SpecPart>) -> Result<Self, StateError> {
        expect_directory(path)?;
        let dir = StateDir::new(path);
        let is_new_dir = !path.exists();
        dir.make()?;
        if dir
            .names()
            .map_err(|error| dir.error("read", error))?
            .iter()
            .any(|name| is_foreign(name))
        {
            return Err(StateError::Foreign(path.to_owned()));
        }
        let lock = dir.lock()?;
        let manifest = match read_manifest(path) {
            Err(StateError::Missing(_)) => Manifest {
                spec_hash: spec_hash(&spec),
                spec,
                ..Manifest::default()
            },
            read => checked(path, read?, &spec)?,
        };
        let state = Self {
            dir,
            is_new_dir,
            _lock: lock,
            manifest,
        };
        state.sweep();
        Ok(state)
    }

    /// Opens a state that is there, whatever it was made with, and locks it.
    pub fn open_existing(path: &Path) -> Result<Self, StateError> {
        let manifest = read_manifest(path)?;
        let dir = StateDir::new(path);
        let lock = dir.lock()?;
        // It may have been written anew before it was locked.
        let manifest = read_manifest(path).unwrap_or(manifest);
        Ok(Self {
            dir,
            is_new_dir: false,
            _lock: lock,
            manifest,
        })
    }

    /// Returns the partitions that are known.
    pub fn partitions(&self) -> &[PartitionPlace] {
        &self.manifest.partitions
    }

    /// Returns the files that are known.
    pub fn files(&self) -> &[FilePlace] {
        &self.manifest.files
    }

    /// Returns where the runs so far ended.
    pub fn progress(&self) -> Progress {
        Progress {
            partitions: self.manifest.partitions.clone(),
            files: self.manifest.files.clone(),
            next_place: self.manifest.next_place,
        }
    }

    /// Returns what earlier runs came to.
    pub fn history(&self) -> &RunHistory {
        &self.manifest.history
    }

    /// Returns all entries of records that were read at `since_millis` or later, in no order.
    pub fn entries(&self, since_millis: i64) -> Entries<'_> {
        let path = &self.dir.path;
        let runs = self.manifest.runs.iter();
        let runs = runs.filter(move |run| run.last_read_millis >= since_millis);
        let entries = runs.flat_map(move |run| -> Entries<'_> {
            match RunFileReader::open(path, run) {
                Ok(reader) => Box::new(reader),
                Err(error) => Box::new(std::iter::once(Err(error))),
            }
        });
        Box::new(entries.filter(move |entry| {
            let is_old = |entry: &Entry| entry.read_millis < since_millis;
            !entry.as_ref().is_ok_and(is_old)
        }))
    }

    /// Puts on disk what the state will be: where the run ended, its `fresh` entries, how many
    /// there are at most, each row of them in order, and what runs came to with it. Entries from
    /// before `keep_millis`, and those behind the ends of places, are dropped.
    pub fn prepare(
        &mut self,
        progress: Progress,
        fresh: (Vec<Entries<'_>>, u64),
        keeping: &Keeping,
        history: RunHistory,
    ) -> Result<PreparedState<'_>, StateError> {
        match self.write_next(progress, fresh, keeping, history) {
            Ok(manifest) => Ok(PreparedState {
                state: self,
                manifest,
            }),
            Err(error) => {
                // What is half written would go on filling a disk that is full.
                self.sweep();
                Err(error)
            }
        }
    }

    fn write_next(
        &self,
        progress: Progress,
        (fresh, fresh_count): (Vec<Entries<'_>>, u64),
        keeping: &Keeping,
        history: RunHistory,
    ) -> Result<Manifest, StateError> {
        let mut manifest = self.manifest.clone();
        let (staying, merged) = if keeping.is_selective() {
            (Vec::new(), manifest.runs.clone())
        } else {
            choose(&manifest.runs, fresh_count, keeping.since_millis)
        };
        manifest.runs = staying;
        self.write_run(&mut manifest, (fresh, &merged), keeping)?;
        manifest.partitions = progress.partitions;
        manifest.files = progress.files;
        manifest.next_place = progress.next_place;
        manifest.history = history;
        self.write_new(manifest, keeping)
    }

    /// Writes the entries that stay of new rows and of files into one file.
    fn write_run(
        &self,
        manifest: &mut Manifest,
        (mut rows, merged): (Vec<Entries<'_>>, &[RunFile]),
        keeping: &Keeping,
    ) -> Result<(), StateError> {
        let failed = |error| self.dir.error("write", error);
        for run in merged {
            rows.push(Box::new(RunFileReader::open(&self.dir.path, run)?));
        }
        let mut writer = RunFileWriter::create(&self.dir, manifest.next_run).map_err(failed)?;
        keeping.each_kept(rows, |entry| writer.add(entry).map_err(failed))?;
        manifest.runs.push(writer.finish().map_err(failed)?);
        manifest.runs.retain(|run| run.entries > 0);
        manifest.next_run += 1;
        Ok(())
    }

    /// Writes a manifest that does not count yet, without places that no entry needs any more.
    fn write_new(&self, mut manifest: Manifest, keeping: &Keeping) -> Result<Manifest, StateError> {
        keeping.forget_places(&mut manifest.partitions, |known| {
            (known.place, known.is_current, known.read_millis)
        });
        keeping.forget_places(&mut manifest.files, |known| {
            (known.place, known.is_current, known.read_millis)
        });
        let write = || {
            let mut file = self.dir.create(NEW_NAME)?;
            self.dir.write(&mut file, &manifest.encode())?;
            self.dir.sync(&file)
        };
        write().map_err(|error| self.dir.error("write", error))?;
        Ok(manifest)
    }

    /// Drops entries from before `keep_millis`, and the places that are no longer needed for
    /// them; returns how many entries are left.
    pub fn prune(&mut self, keep_millis: i64) -> Result<u64, StateError> {
        let progress = self.progress();
        let keeping = Keeping {
            since_millis: keep_millis,
            ..Keeping::default()
        };
        let history = self.manifest.history.clone();
        self.prepare(progress, (Vec::new(), 0), &keeping, history)?
            .commit()?;
        Ok(self.manifest.runs.iter().map(|run| run.entries).sum())
    }

    /// Removes what no manifest names, as far as that goes: it is not needed.
    fn sweep(&self) {
        let is_named = |name: &String| {
            let mut runs = self.manifest.runs.iter();
            [LOCK_NAME, NAME].contains(&name.as_str())
                || runs.any(|run| name_of(run.number) == *name)
        };
        let names = self.dir.names().unwrap_or_default();
        for name in names
            .iter()
            .filter(|name| !is_named(name) && !is_foreign(name))
        {
            let _ = self.dir.remove(name);
        }
    }
}

impl Drop for State {
    /// Leaves nothing of a state that has never come to be, such as of a scan whose files are not
    /// there.
    fn drop(&mut self) {
        // Where a disk does not say, the lock of a state that may be there stays.
        if self.dir.path.join(NAME).try_exists().unwrap_or(true) {
            return;
        }
        let _ = self.dir.remove(LOCK_NAME);
        if self.is_new_dir {
            let _ = fs::remove_dir(&self.dir.path);
        }
    }
}

impl PreparedState<'_> {
    /// Makes the state what was prepared, at once.
    pub fn commit(self) -> Result<(), StateError> {
        let Self { state, manifest } = self;
        let renamed = state.dir.rename(NEW_NAME, NAME);
        renamed.map_err(|error| state.dir.error("write", error))?;
        state.manifest = manifest;
        state.sweep();
        Ok(())
    }
}

/// What a state is, for people.
#[derive(Clone, Debug)]
pub struct StateOverview {
    /// What decides which records are the same.
    pub spec: Vec<SpecPart>,
    /// Partitions, and where to go on in them.
    pub partitions: Vec<PartitionPlace>,
    /// Files, and where to go on in them.
    pub files: Vec<FilePlace>,
    /// The files of entries.
    pub runs: Vec<RunFile>,
    /// What earlier runs came to.
    pub history: RunHistory,
}

/// Reads what a state is, without locking it: it is replaced as a whole.
pub fn overview(path: &Path) -> Result<StateOverview, StateError> {
    let manifest = read_manifest(path)?;
    Ok(StateOverview {
        spec: manifest.spec,
        partitions: manifest.partitions,
        files: manifest.files,
        runs: manifest.runs,
        history: manifest.history,
    })
}

/// Removes a state, whatever it is: damaged, of another version, or made with another spec.
pub fn reset(path: &Path) -> Result<(), StateError> {
    expect_directory(path)?;
    let dir = StateDir::new(path);
    let names = match dir.names() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(StateError::Missing(path.to_owned()));
        }
        names => names.map_err(|error| dir.error("read", error))?,
    };
    if names.iter().any(|name| is_foreign(name)) {
        return Err(StateError::Foreign(path.to_owned()));
    }
    if !names.iter().any(|name| name == NAME || name == LOCK_NAME) {
        return Err(StateError::Missing(path.to_owned()));
    }
    let _lock = dir.lock()?;
    // The manifest goes first: without it the rest is nothing.
    for name in [NAME].into_iter().chain(names.iter().map(String::as_str)) {
        match dir.remove(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(dir.error("remove", error));
            }
            _ => {}
        }
    }
    fs::remove_dir(path).map_err(|error| dir.error("remove", error))
}

/// Returns whether a file is none of a state.
fn is_foreign(name: &str) -> bool {
    let stem = name.strip_suffix(".run");
    let is_run = stem.is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_digit()));
    !is_run && ![LOCK_NAME, NAME, NEW_NAME].contains(&name)
}

fn read_manifest(path: &Path) -> Result<Manifest, StateError> {
    expect_directory(path)?;
    match fs::read(path.join(NAME)) {
        Ok(bytes) => Manifest::decode(path, &bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(StateError::Missing(path.to_owned()))
        }
        Err(error) => Err(StateDir::new(path).error("read", error)),
    }
}

/// Returns the manifest if it was made with this spec.
fn checked(path: &Path, manifest: Manifest, spec: &[SpecPart]) -> Result<Manifest, StateError> {
    if manifest.spec_hash == spec_hash(spec) {
        return Ok(manifest);
    }
    let value = |parts: &[SpecPart], option: &str| {
        let part = parts.iter().find(|part| part.option == option);
        part.map_or_else(|| "none".to_owned(), |part| part.value.clone())
    };
    let options = spec.iter().chain(&manifest.spec).map(|part| &part.option);
    let mut differing =
        options.filter(|option| value(spec, option) != value(&manifest.spec, option));
    let option = differing
        .next()
        .cloned()
        .unwrap_or_else(|| "other options".to_owned());
    Err(StateError::OtherSpec {
        dir: path.to_owned(),
        before: value(&manifest.spec, &option),
        now: value(spec, &option),
        option,
    })
}

#[cfg(test)]
mod tests;
