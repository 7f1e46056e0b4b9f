//! What was typed as files, with directories walked and every file once.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::fs::DirEntry;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::source::file::FileError;
use crate::source::file::segment::names::{FolderKind, is_companion};
use crate::source::file::sink;

/// Companions of segments that are named in a note; more are counted.
const COMPANIONS_NAMED_MAX: usize = 12;

/// Files to read, in a stable order, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileList {
    /// Paths, as typed or walked; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// What was left out and why, for people.
    pub notes: Vec<String>,
}

/// Returns the files that `paths` stand for: directories are walked, and a file that is named
/// twice is kept once.
pub fn expand(paths: &[PathBuf]) -> Result<FileList, FileError> {
    let mut walk = Walk::default();
    for path in paths {
        walk.add_typed(path)?;
    }
    walk.leave_out_siblings();
    Ok(walk.list)
}

/// Returns whether a path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

#[derive(Default)]
struct Walk {
    list: FileList,
    has_stdin: bool,
    /// Device and inode of every file in the list, with the path that it is listed under.
    seen: HashMap<(u64, u64), PathBuf>,
    /// Files walked over that hold keys or headers of another file's records.
    siblings: Vec<PathBuf>,
}

impl Walk {
    fn add_typed(&mut self, path: &Path) -> Result<(), FileError> {
        if is_stdin(path) {
            self.add_stdin();
            return Ok(());
        }
        let metadata = fs::metadata(path).map_err(|error| FileError::from_io(path, error))?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            return self.add_directory(path);
        }
        if kind.is_block_device() || kind.is_socket() {
            return Err(FileError::NoFile(path.display().to_string()));
        }
        self.add_file(path.to_owned(), &metadata);
        Ok(())
    }

    fn add_stdin(&mut self) {
        if self.has_stdin {
            self.note("`-` is named twice; standard input is read once".to_owned());
        } else {
            self.has_stdin = true;
            self.list.paths.push(PathBuf::from("-"));
        }
    }

    /// Walks depth first, by names in byte order, so that the order is the same everywhere.
    fn add_directory(&mut self, root: &Path) -> Result<(), FileError> {
        let found_before = self.list.paths.len() + self.siblings.len();
        let mut pending = vec![root.to_owned()];
        while let Some(path) = pending.pop() {
            let mut entries = Vec::new();
            let listed = fs::read_dir(&path).map_err(|error| FileError::from_io(&path, error))?;
            for entry in listed {
                entries.push(entry.map_err(|error| FileError::from_io(&path, error))?);
            }
            entries.sort_by_key(DirEntry::file_name);
            self.leave_out_brokers_own(&path, path == root, &mut entries);
            let mut directories = Vec::new();
            for entry in entries {
                if let Some(directory) = self.add_walked(&entry)? {
                    directories.push(directory);
                }
            }
            pending.extend(directories.into_iter().rev());
        }
        if self.list.paths.len() + self.siblings.len() == found_before {
            self.note(format!("`{}` holds no file to read", root.display()));
        }
        Ok(())
    }

    /// Leaves out what a broker keeps beside its segments, and the logs that it keeps for itself.
    fn leave_out_brokers_own(&mut self, path: &Path, is_typed: bool, entries: &mut Vec<DirEntry>) {
        let names: Vec<_> = entries.iter().map(DirEntry::file_name).collect();
        let inside = names.iter().filter_map(|name| name.to_str());
        let real = fs::canonicalize(path).unwrap_or_default();
        let folder = real.file_name().and_then(|name| name.to_str());
        let kind = FolderKind::of(folder.unwrap_or_default(), inside);
        let why = match kind {
            FolderKind::Other => return,
            FolderKind::Internal if !is_typed => "brokers keep for themselves",
            FolderKind::Leaving if !is_typed => "a broker deletes or moves",
            FolderKind::Partition
            | FolderKind::Internal
            | FolderKind::Leaving
            | FolderKind::Data => {
                return self.leave_out_companions(path, entries);
            }
        };
        let shown = path.display();
        self.note(format!(
            "`{shown}` holds a log that {why}, and was left out; name it to read it"
        ));
        entries.clear();
    }

    fn leave_out_companions(&mut self, path: &Path, entries: &mut Vec<DirEntry>) {
        let mut left_out = Vec::new();
        entries.retain(|entry| {
            let name = entry.file_name();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let companion = name.to_str().filter(|name| is_file && is_companion(name));
            left_out.extend(companion.map(str::to_owned));
            companion.is_none()
        });
        if left_out.is_empty() {
            return;
        }
        let rest = left_out.len().saturating_sub(COMPANIONS_NAMED_MAX);
        left_out.truncate(COMPANIONS_NAMED_MAX);
        let mut named = left_out.join(", ");
        if rest > 0 {
            named = format!("{named} and {rest} more");
        }
        let shown = path.display();
        self.note(format!(
            "`{shown}`: left out what a broker keeps beside its log: {named}"
        ));
    }

    /// Adds what a directory lists; returns it where it is a directory itself.
    fn add_walked(&mut self, entry: &DirEntry) -> Result<Option<PathBuf>, FileError> {
        let path = entry.path();
        let shown = path.display().to_string();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            self.note(format!("`{shown}` is hidden and was left out"));
            return Ok(None);
        }
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_link => {
                self.note(format!("`{shown}` is a link to nothing readable: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(FileError::from_io(&path, error)),
        };
        if metadata.is_dir() {
            if is_link {
                self.note(format!("`{shown}` links to a directory and was left out"));
                return Ok(None);
            }
            return Ok(Some(path));
        }
        if entry.file_name().to_str().is_some_and(sink::is_sibling) {
            self.siblings.push(path);
        } else if metadata.is_file() {
            self.add_file(path, &metadata);
        } else {
            self.note(format!("`{shown}` is no regular file and was left out"));
        }
        Ok(None)
    }

    fn add_file(&mut self, path: PathBuf, metadata: &fs::Metadata) {
        let identity = (metadata.dev(), metadata.ino());
        if let Some(first) = self.seen.get(&identity) {
            let (path, first) = (path.display(), first.display());
            self.note(format!(
                "`{path}` is the same file as `{first}`; it is read once"
            ));
            return;
        }
        self.seen.insert(identity, path.clone());
        self.list.paths.push(path);
    }

    /// Keys and headers are joined to their records where these are read; named alone, they are
    /// read as they are.
    fn leave_out_siblings(&mut self) {
        let name_of = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let stem_of = |path: &PathBuf| {
            let name = name_of(path).filter(|name| !sink::is_sibling(name))?;
            Some(path.with_file_name(sink::stem_of_file(&name)?))
        };
        let stems: HashSet<PathBuf> = self.list.paths.iter().filter_map(stem_of).collect();
        let is_joined = |path: &PathBuf| {
            let name = name_of(path);
            let stem = name.as_deref().and_then(sink::stem_of_values);
            stem.is_some_and(|stem| stems.contains(&path.with_file_name(stem)))
        };
        self.list.paths.retain(|path| !is_joined(path));
        for path in std::mem::take(&mut self.siblings) {
            if is_joined(&path) {
                continue;
            }
            let metadata = fs::metadata(&path).ok();
            if let Some(metadata) = metadata.filter(|_| sink::tombstones(&path).is_some()) {
                self.add_file(path, &metadata);
            } else {
                let shown = path.display();
                self.note(format!(
                    "`{shown}` holds keys or headers of a file that is not there; it was left out"
                ));
            }
        }
    }

    fn note(&mut self, note: String) {
        self.list.notes.push(note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &FileList, root: &Path) -> Vec<String> {
        let relative = |path: &PathBuf| {
            let path = path.strip_prefix(root).unwrap_or(path);
            path.display().to_string()
        };
        list.paths.iter().map(relative).collect()
    }

    #[test]
    fn directories_are_walked_in_the_order_of_names() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("b/c")).unwrap();
        for name in [
            "z.jsonl", "a.jsonl", "b/2.csv", "b/10.csv", "b/c/x", ".hidden",
        ] {
            fs::write(root.path().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("dangling")).unwrap();
        let list = expand(&[root.path().to_owned()]).unwrap();
        let expected = ["a.jsonl", "z.jsonl", "b/10.csv", "b/2.csv", "b/c/x"];
        assert_eq!(names(&list, root.path()), expected);
        assert_eq!(list.notes.len(), 3, "{:?}", list.notes);
    }

    #[test]
    fn a_file_named_twice_is_kept_once_under_its_first_name() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("first"), root.path().join("second"));
        fs::write(&first, "x").unwrap();
        fs::hard_link(&first, &second).unwrap();
        let stdin = PathBuf::from("-");
        let typed = [stdin.clone(), second, first, root.path().to_owned(), stdin];
        let list = expand(&typed).unwrap();
        assert_eq!(names(&list, root.path()), ["-", "second"]);
        // `first` typed, both in the directory, the directory without a new file, stdin again.
        assert_eq!(list.notes.len(), 5, "{:?}", list.notes);
    }

    #[test]
    fn siblings_are_left_to_the_file_that_they_belong_to() {
        let root = tempfile::tempdir().unwrap();
        let orphan = "t+0+0000000007.keys.json";
        let values = ["t+0+0000000000.json", "t+0+0000000000.keys.json"];
        for name in values.iter().chain([&orphan]) {
            fs::write(root.path().join(name), "").unwrap();
        }
        let walked = expand(&[root.path().to_owned()]).unwrap();
        assert_eq!(names(&walked, root.path()), values[..1]);
        assert_eq!(walked.notes.len(), 1, "{:?}", walked.notes);
        assert!(walked.notes[0].contains(orphan), "{:?}", walked.notes);
        let apart = root.path().join("tombstone");
        fs::create_dir(&apart).unwrap();
        fs::write(apart.join(orphan), "").unwrap();
        let walked = expand(&[apart]).unwrap();
        assert_eq!(names(&walked, root.path()), [format!("tombstone/{orphan}")]);
        assert!(walked.notes.is_empty(), "{:?}", walked.notes);
        let typed = [values[1], values[0], orphan].map(|name| root.path().join(name));
        let typed = expand(&typed).unwrap();
        assert_eq!(names(&typed, root.path()), [values[0], orphan]);
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let missing = expand(&[PathBuf::from("/nonexistent/x.jsonl")]).unwrap_err();
        assert!(matches!(missing, FileError::Missing(_)));
        assert!(
            missing.to_string().contains("`/nonexistent/x.jsonl`"),
            "{missing}"
        );
    }

    #[test]
    fn an_empty_directory_is_stated() {
        let root = tempfile::tempdir().unwrap();
        let list = expand(&[root.path().to_owned()]).unwrap();
        assert!(list.paths.is_empty());
        assert!(
            list.notes[0].ends_with("holds no file to read"),
            "{:?}",
            list.notes
        );
    }
}
