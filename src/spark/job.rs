//! What a job is told, and the folder from which it is submitted.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::spark::JOB;

/// Stands for the folder of a task in what it is told, and in the files that it gets.
pub const PLACE: &str = "{place}";

/// Name of the program among what is shipped.
const PROGRAM: &str = "dupaudit";

/// A file that tasks get and nobody else may read.
pub struct Shipped {
    /// Its name, which no other file that is shipped has.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// An audit, cut into tasks.
pub struct Job {
    /// The program that tasks run.
    pub program: PathBuf,
    /// Tasks of each pass.
    pub tasks: usize,
    /// Parts that fingerprints are divided into.
    pub radixes: usize,
    /// Words after `extract`, up to the number of the task; [`PLACE`] is where its files are.
    pub arguments: Vec<String>,
    /// Words of each command that say what it may use.
    pub limits: Vec<String>,
    /// Folder in which names of files mean what they mean here.
    pub folder: PathBuf,
    /// Files for the tasks: the plan, properties, secrets.
    pub shipped: Vec<Shipped>,
}

/// What `job.py` reads.
#[derive(Serialize)]
struct JobFile<'a> {
    program: &'a str,
    tasks: usize,
    radixes: usize,
    arguments: &'a [String],
    limits: &'a [String],
    folder: &'a Path,
    private: Vec<&'a str>,
    caller: u32,
    out: &'a Path,
}

/// The folder of one job; its owner alone may read it.
pub(super) struct JobFolder {
    path: PathBuf,
}

impl JobFolder {
    /// Writes all that the job needs into an empty folder.
    pub(super) fn write(path: &Path, job: &Job) -> io::Result<Self> {
        let folder = Self {
            path: path.to_owned(),
        };
        symlink(&job.program, folder.program())?;
        for file in &job.shipped {
            write_private(&path.join(&file.name), &file.bytes)?;
        }
        DirBuilder::new().mode(0o700).create(folder.out())?;
        write_private(&folder.job(), JOB.as_bytes())?;
        write_private(&folder.settings(), &folder.text(job)?)?;
        Ok(folder)
    }

    fn text(&self, job: &Job) -> io::Result<Vec<u8>> {
        let file = JobFile {
            program: PROGRAM,
            tasks: job.tasks,
            radixes: job.radixes,
            arguments: &job.arguments,
            limits: &job.limits,
            folder: &job.folder,
            private: job.shipped.iter().map(|file| &*file.name).collect(),
            caller: std::process::id(),
            out: &self.out(),
        };
        serde_json::to_vec_pretty(&file).map_err(io::Error::other)
    }

    /// Returns where the job is.
    pub(super) fn job(&self) -> PathBuf {
        self.path.join("job.py")
    }

    /// Returns where what it is told is.
    pub(super) fn settings(&self) -> PathBuf {
        self.path.join("job.json")
    }

    /// Returns where it writes what tasks leave.
    pub(super) fn out(&self) -> PathBuf {
        self.path.join("out")
    }

    /// Returns where the program is, under the name that tasks know.
    pub(super) fn program(&self) -> PathBuf {
        self.path.join(PROGRAM)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// Returns the folders that tasks left, in the order of tasks.
pub(super) fn task_folders(out: &Path) -> io::Result<Vec<(usize, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("task-")?.parse().ok());
        let number = number.ok_or_else(|| {
            io::Error::other(format!("`{}` is no folder of a task", path.display()))
        })?;
        folders.push((number, path));
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nobody_else_may_read_what_a_job_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let job = Job {
            program: PathBuf::from("/usr/bin/true"),
            tasks: 3,
            radixes: 2,
            arguments: vec!["--by".to_owned(), "id".to_owned()],
            limits: Vec::new(),
            folder: PathBuf::from("/"),
            shipped: vec![Shipped {
                name: "secret-0".to_owned(),
                bytes: b"hunter2".to_vec(),
            }],
        };
        let folder = JobFolder::write(directory.path(), &job).unwrap();
        let secret = directory.path().join("secret-0");
        for path in [&folder.job(), &folder.settings(), &secret] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
        let mode = fs::metadata(folder.out()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let told = fs::read_to_string(folder.settings()).unwrap();
        assert!(
            told.contains("\"secret-0\"") && !told.contains("hunter2"),
            "{told}"
        );
    }

    #[test]
    fn folders_of_tasks_are_in_the_order_of_their_numbers() {
        let directory = tempfile::tempdir().unwrap();
        for number in [10, 9, 0] {
            fs::create_dir(directory.path().join(format!("task-{number}"))).unwrap();
        }
        let folders = task_folders(directory.path()).unwrap();
        let numbers: Vec<usize> = folders.into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [0, 9, 10]);
        fs::create_dir(directory.path().join("other")).unwrap();
        assert!(task_folders(directory.path()).is_err());
    }
}
