//! A report's file: written beside its target, there whole or not at all.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// Bytes collected before they go to the file.
const BUFFER_BYTES: usize = 1 << 16;

/// A report's file before it has its name; dropped without [`ReportFile::commit`] it is removed.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl ReportFile {
    /// Creates the temporary file, readable by its owner only, in the directory of `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        refuse_special(path)?;
        Ok(Self {
            path: path.to_owned(),
            temporary: temporary_beside(path)?,
        })
    }

    /// Lets everybody read the file: it holds nothing of records.
    pub fn share(&self) -> io::Result<()> {
        let file = self.temporary.as_file();
        file.set_permissions(fs::Permissions::from_mode(0o644))
    }

    /// Returns the path that the report will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a buffered writer to the file; flush it before the commit.
    pub fn writer(&self) -> io::Result<BufWriter<File>> {
        let file = self.temporary.as_file().try_clone()?;
        Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
    }

    /// Gives the file its name, replacing an existing regular file, once it is on disk.
    pub fn commit(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        refuse_special(&self.path)?;
        let directory = directory_of(&self.path);
        self.temporary
            .persist(&self.path)
            .map_err(|failure| failure.error)?;
        File::open(directory)?.sync_all()
    }
}

/// Checks before a scan that a report could be written to `path`.
pub fn check_target(path: &Path) -> io::Result<()> {
    refuse_special(path)?;
    temporary_beside(path).map(drop)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = directory_of(path);
    if !directory.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no directory `{}`", directory.display()),
        ));
    }
    tempfile::Builder::new()
        .prefix(".dupaudit-report-")
        .suffix(".tmp")
        .tempfile_in(directory)
        .map_err(|error| {
            let text = format!("cannot write to `{}`: {error}", directory.display());
            io::Error::new(error.kind(), text)
        })
}

/// A link could lead anywhere, and a device or pipe cannot be replaced by a rename.
fn refuse_special(path: &Path) -> io::Result<()> {
    if path.file_name().is_none() {
        return Err(unusable("it names no file"));
    }
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_symlink() {
        Err(unusable("it is a symbolic link, which is not followed"))
    } else if metadata.is_dir() {
        Err(unusable("it is a directory"))
    } else {
        Err(unusable("it is no regular file"))
    }
}

fn unusable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_committed_report_replaces_the_old_one_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = ReportFile::create(&path).unwrap();
        let mut writer = file.writer().unwrap();
        writer.write_all(b"new").unwrap();
        writer.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["r.json"]);
    }

    #[test]
    fn what_is_shared_can_be_read_by_everybody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.prom");
        let file = ReportFile::create(&path).unwrap();
        file.share().unwrap();
        file.commit().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn a_report_that_is_not_committed_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.json");
        drop(ReportFile::create(&path).unwrap());
        check_target(&path).unwrap();
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }

    #[test]
    fn links_directories_and_missing_directories_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target.json");
        let link = directory.path().join("link.json");
        symlink(&target, &link).unwrap();
        let folder = directory.path().join("folder.json");
        fs::create_dir(&folder).unwrap();
        let nowhere = directory.path().join("none/r.json");
        for (path, why) in [
            (&link, "link"),
            (&folder, "directory"),
            (&nowhere, "no directory"),
        ] {
            let error = check_target(path).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(ReportFile::create(path).is_err());
        }
        assert!(!target.exists());
    }

    #[test]
    fn a_link_put_there_during_the_scan_is_refused_at_the_commit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.json");
        let file = ReportFile::create(&path).unwrap();
        symlink("/nowhere", &path).unwrap();
        assert!(file.commit().is_err());
        assert_eq!(names(directory.path()), ["r.json"]);
    }
}
