//! Files of a scan with a state: which of them are known, and where they are read on.

use std::collections::HashSet;
use std::path::Path;

use crate::command::CommandError;
use crate::command::state::files::{Fate, FileNow, folder_of, is_gone};
use crate::command::state::remembering::{Remembering, cannot_be_read_on};
use crate::finding::FileCoverage;
use crate::record::SplitId;
use crate::source::file::{EarlierFile, FileOptions};
use crate::source::{PositionUnit, RecordSource, SplitCoverage};
use crate::state::{FilePlace, Keeping, PlaceEnd};

/// A file that is to be read, and the split that it is.
#[derive(Clone, Copy)]
pub(in crate::command) struct FileToRead<'a> {
    pub(in crate::command) path: &'a Path,
    pub(in crate::command) split: SplitId,
}

impl Remembering {
    /// Refuses what is no file: it cannot be read on by the next run.
    pub(in crate::command) fn check_file(path: &Path) -> Result<(), CommandError> {
        match FileNow::of(path) {
            Ok(None) => Err(cannot_be_read_on(&format!("`{}`", path.display()))),
            // What cannot be opened is told where it is opened.
            Ok(Some(_)) | Err(_) => Ok(()),
        }
    }

    /// Takes a file that is to be read, and has it read on where an earlier run ended; returns
    /// what to say of it.
    pub(in crate::command) fn know_file(
        &mut self,
        file: FileToRead<'_>,
        source: &mut Box<dyn RecordSource>,
        options: &FileOptions,
    ) -> Option<String> {
        let FileToRead { path, split } = file;
        let now = FileNow::of(path).ok().flatten()?;
        let known = self.known_file(path, &now);
        let name = path.display();
        let fate = known.as_ref().map(|known| now.fate(path, known));
        let (place, note) = match (known, fate) {
            (Some(known), Some(Ok(fate @ (Fate::Same | Fate::Grown)))) => {
                let at = self.read_on((&known, fate), file, source, options);
                let before = if known.path == name.to_string() {
                    String::new()
                } else {
                    format!(", which was `{}` in an earlier run", known.path)
                };
                (known.place, Some(format!("`{name}`{before}: {at}")))
            }
            (Some(known), Some(Ok(Fate::Rewritten))) => {
                self.reread.insert(known.place);
                let what = if known.path == name.to_string() {
                    "was written anew since an earlier run read it".to_owned()
                } else {
                    format!("is a copy of what was `{}` in an earlier run", known.path)
                };
                (
                    known.place,
                    Some(format!("`{name}` {what}: it is read whole")),
                )
            }
            (Some(_), _) => {
                let note = "is another file than an earlier run has read: it is read whole";
                (self.new_place(), Some(format!("`{name}` {note}")))
            }
            (None, _) => (self.new_place(), None),
        };
        self.read_place(place, split);
        let next = FilePlace {
            place,
            path: name.to_string(),
            folder: folder_of(path),
            identity: now.identity,
            size: now.size,
            modified_nanos: now.modified_nanos,
            next: None,
            format: String::new(),
            has_byte_offsets: source.position_unit() == PositionUnit::ByteOffset,
            is_current: true,
            read_millis: self.now_millis,
        };
        self.progress.files.retain(|file| file.place != place);
        self.progress.files.push(next);
        note
    }

    /// Returns the file that lay at the same place of the disk, or else had the same path, unless a
    /// rotation has copied another to it.
    fn known_file(&self, path: &Path, now: &FileNow) -> Option<FilePlace> {
        let is_free = |file: &&FilePlace| file.is_current && !self.is_read(file.place);
        let name = path.display().to_string();
        let mut known = self.progress.files.iter().filter(is_free);
        // What lies there and is no longer may be another that was given its place.
        let is_same = |file: &FilePlace| {
            let fate = now.fate(path, file);
            matches!(fate, Ok(Fate::Same | Fate::Grown))
        };
        let at_place = known
            .clone()
            .find(|file| now.lies_where(file) && is_same(file));
        let is_alike = |file: &&FilePlace| {
            let is_kept = |fate| fate != Fate::Replaced;
            file.path == name && now.fate(path, file).is_ok_and(is_kept)
        };
        at_place
            .or_else(|| known.clone().find(is_alike))
            .or_else(|| known.clone().find(|file| is_copied(file, path, now)))
            .or_else(|| known.find(|file| file.path == name))
            .cloned()
    }

    /// Leaves behind files whose paths others have now, once all files to read are known: one that
    /// was renamed has been found by then.
    pub(super) fn retire_replaced(&mut self) {
        let read: HashSet<u32> = self.places.values().copied().collect();
        let is_read = |file: &&FilePlace| read.contains(&file.place);
        let files = self.progress.files.iter().filter(is_read);
        let paths: HashSet<String> = files.map(|file| file.path.clone()).collect();
        for file in &mut self.progress.files {
            file.is_current &= read.contains(&file.place) || !paths.contains(&file.path);
        }
    }

    /// Has a file read on, if it can be, and returns what that comes to.
    fn read_on(
        &mut self,
        (known, fate): (&FilePlace, Fate),
        FileToRead { path, split }: FileToRead<'_>,
        source: &mut Box<dyn RecordSource>,
        options: &FileOptions,
    ) -> String {
        if let Some((byte, line)) = known.next
            && source.go_on_at(byte, line)
        {
            return format!("read on from byte {byte}");
        }
        if fate == Fate::Same {
            let unchanged = EarlierFile::unchanged(path, split, options, &known.format);
            *source = Box::new(unchanged.with_byte_offsets(known.has_byte_offsets));
            return "unchanged, and not read again".to_owned();
        }
        self.reread.insert(known.place);
        "longer now, and of a format that is only read whole".to_owned()
    }

    /// Notes which files are no longer there.
    pub(super) fn note_gone_files(&self, keeping: &mut Keeping) {
        let files = self.progress.files.iter();
        let gone = files.filter(|file| is_gone(file));
        keeping.gone = gone.map(|file| file.place).collect();
    }

    /// Notes where each file is read on.
    pub(super) fn end_files(
        &mut self,
        sources: &[Box<dyn RecordSource>],
        is_stopped: bool,
        keeping: &mut Keeping,
    ) {
        for source in sources {
            let splits = source.splits();
            let place = splits.first().and_then(|split| self.places.get(split));
            let file = self
                .progress
                .files
                .iter_mut()
                .find(|file| Some(&file.place) == place);
            let Some(file) = file else { continue };
            let coverage = source.coverage().into_iter().find_map(of_file);
            if let Some(coverage) = &coverage {
                file.format.clone_from(&coverage.format);
            }
            file.next = source.next_place();
            if let Some((byte, _)) = file.next {
                keeping.ends.insert(file.place, PlaceEnd::Position(byte));
            }
            let is_whole = coverage.is_none_or(|coverage| coverage.is_complete());
            if file.next.is_none() && is_stopped && !is_whole {
                // The next run reads it as this one did.
                keeping.ends.insert(file.place, PlaceEnd::Nothing);
                let before = self.files_before.iter().find(|of| of.place == file.place);
                match before {
                    Some(before) => file.clone_from(before),
                    None => file.is_current = false,
                }
                self.reread.remove(&file.place);
            }
        }
    }
}

/// Returns whether a rotation has copied a file to here, and emptied it where it is.
fn is_copied(file: &FilePlace, path: &Path, now: &FileNow) -> bool {
    let is_whole = now.size >= file.size && file.identity.head_bytes > 0;
    let is_emptied = |own: &Path| {
        let there = FileNow::of(own).ok().flatten();
        there.is_some_and(|there| {
            there.lies_where(file) && matches!(there.fate(own, file), Ok(Fate::Replaced))
        })
    };
    is_whole
        && matches!(now.fate(path, file), Ok(Fate::Rewritten))
        && is_emptied(Path::new(&file.path))
}

fn of_file(coverage: SplitCoverage) -> Option<FileCoverage> {
    match coverage {
        SplitCoverage::File(file) => Some(file),
        SplitCoverage::Partition(_) => None,
    }
}
