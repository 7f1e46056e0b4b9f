//! Which file is which: by where it lies on the disk, and by how it begins.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::state::{FileIdentity, FilePlace};

/// Bytes at the start of a file that tell it from another in its place.
const HEAD_BYTES: u64 = 4096;

/// A regular file as it is now.
pub(super) struct FileNow {
    pub(super) identity: FileIdentity,
    pub(super) size: u64,
    pub(super) modified_nanos: i64,
}

/// What became of a file that an earlier run has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is as it was.
    Same,
    /// It is longer.
    Grown,
    /// It is not longer, or lies elsewhere, and was written anew with the same beginning.
    Rewritten,
    /// Another file has its place.
    Replaced,
}

impl FileNow {
    /// Returns what a path leads to; nothing where that is no regular file.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let head_bytes = metadata.len().min(HEAD_BYTES);
        let nanos = metadata.mtime().saturating_mul(1_000_000_000);
        Ok(Some(Self {
            identity: FileIdentity {
                device: metadata.dev(),
                inode: metadata.ino(),
                head_bytes,
                head_hash: head_hash(path, head_bytes)?,
            },
            size: metadata.len(),
            modified_nanos: nanos.saturating_add(metadata.mtime_nsec()),
        }))
    }

    /// Returns whether this lies where the other lay on the disk.
    pub(super) fn lies_where(&self, place: &FilePlace) -> bool {
        let own = (self.identity.device, self.identity.inode);
        own == (place.identity.device, place.identity.inode)
    }

    /// Returns what became of the file that was at this place of the disk, or had this path.
    pub(super) fn fate(&self, path: &Path, place: &FilePlace) -> io::Result<Fate> {
        let before = &place.identity;
        let head_hash = || {
            if self.identity.head_bytes == before.head_bytes {
                return Ok(self.identity.head_hash);
            }
            head_hash(path, before.head_bytes)
        };
        let begins_alike = self.size >= before.head_bytes && head_hash()? == before.head_hash;
        let is_same_size = self.size == place.size;
        Ok(if !begins_alike {
            Fate::Replaced
        } else if is_same_size
            && self.lies_where(place)
            && self.modified_nanos == place.modified_nanos
        {
            Fate::Same
        } else if self.lies_where(place) && self.size > place.size {
            Fate::Grown
        } else {
            Fate::Rewritten
        })
    }
}

/// Returns where the folder of a path lies on the disk; nothing where the path is no text, and what
/// is kept of it leads elsewhere.
pub(super) fn folder_of(path: &Path) -> Option<(u64, u64)> {
    let parent = Path::new(path.to_str()?).parent()?;
    let is_here = parent.as_os_str().is_empty();
    let folder = fs::metadata(if is_here { Path::new(".") } else { parent }).ok()?;
    Some((folder.dev(), folder.ino()))
}

/// Returns whether a file is no longer where it was. What is not found by a path that leads to
/// another folder now, as from another working directory, may well be there.
pub(super) fn is_gone(file: &FilePlace) -> bool {
    let path = Path::new(&file.path);
    let is_at_folder = file.folder.is_some() && folder_of(path) == file.folder;
    let found = fs::symlink_metadata(path);
    is_at_folder && found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn head_hash(path: &Path, length: u64) -> io::Result<u64> {
    let mut head = Vec::new();
    File::open(path)?.take(length).read_to_end(&mut head)?;
    Ok(xxh3_64(&head))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn place(path: &Path) -> FilePlace {
        let now = FileNow::of(path).unwrap().unwrap();
        FilePlace {
            place: 0,
            path: path.display().to_string(),
            folder: folder_of(path),
            identity: now.identity,
            size: now.size,
            modified_nanos: now.modified_nanos,
            next: None,
            format: "jsonl".to_owned(),
            has_byte_offsets: true,
            is_current: true,
            read_millis: 0,
        }
    }

    fn fate(path: &Path, place: &FilePlace) -> Fate {
        let now = FileNow::of(path).unwrap().unwrap();
        now.fate(path, place).unwrap()
    }

    #[test]
    fn what_happens_to_logs_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let long = "0123456789".repeat(1000);
        fs::write(&path, &long).unwrap();
        let before = place(&path);
        assert_eq!(fate(&path, &before), Fate::Same);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"more").unwrap();
        drop(file);
        assert_eq!(fate(&path, &before), Fate::Grown);
        let rotated = dir.path().join("a.log.1");
        fs::rename(&path, &rotated).unwrap();
        assert_eq!(fate(&rotated, &before), Fate::Grown);
        fs::write(&path, "other").unwrap();
        assert_eq!(fate(&path, &before), Fate::Replaced);
        fs::write(&path, format!("{long}more")).unwrap();
        assert_eq!(fate(&path, &before), Fate::Rewritten);
        // As long as before, and written since: what lies behind the beginning may be other.
        let touched = FilePlace {
            modified_nanos: before.modified_nanos - 1,
            size: place(&rotated).size,
            ..before.clone()
        };
        assert_eq!(fate(&rotated, &touched), Fate::Rewritten);
        // Cut off, as by a rotation that copies and truncates.
        fs::write(&rotated, &long[..5000]).unwrap();
        assert_eq!(fate(&rotated, &before), Fate::Rewritten);
        fs::write(&rotated, "").unwrap();
        assert_eq!(fate(&rotated, &before), Fate::Replaced);
        fs::write(&rotated, "x".repeat(20_000)).unwrap();
        assert_eq!(fate(&rotated, &before), Fate::Replaced);
    }

    #[test]
    fn a_file_is_gone_only_where_its_path_still_leads_to_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, "1").unwrap();
        let known = place(&path);
        assert!(!is_gone(&known));
        // The same name, led to from a folder in which it never lay.
        let other = tempfile::tempdir().unwrap();
        let elsewhere = FilePlace {
            path: other.path().join("a.log").display().to_string(),
            ..known.clone()
        };
        assert!(!is_gone(&elsewhere));
        let unknown = FilePlace {
            folder: None,
            ..elsewhere
        };
        assert!(!is_gone(&unknown));
        let odd = dir.path().join(OsStr::from_bytes(b"\xff.log"));
        fs::write(&odd, "1").unwrap();
        assert!(!is_gone(&place(&odd)));
        fs::remove_file(&path).unwrap();
        assert!(is_gone(&known));
        // As where a disk is not mounted.
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(!is_gone(&known));
    }
}
