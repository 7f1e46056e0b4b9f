//! The line that submits a job: `spark-submit` with the program, and no secret in it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::spark::job::{Job, JobFolder, task_folders};

/// The cluster, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSpec {
    /// `spark-submit`: a path, or a name that is looked up.
    pub spark_submit: PathBuf,
    /// The Python that has Spark as a package, if it came as one.
    pub python: Option<PathBuf>,
    /// The master, if it is not what `spark-submit` takes by itself.
    pub master: Option<String>,
    /// Settings of Spark, as `NAME=VALUE`.
    pub conf: Vec<String>,
}

/// A job, ready to be submitted.
pub struct Submission {
    spec: ClusterSpec,
    folder: JobFolder,
}

impl Submission {
    /// Writes the job into an empty folder.
    pub fn prepare(spec: &ClusterSpec, job: &Job, folder: &Path) -> io::Result<Self> {
        Ok(Self {
            spec: spec.clone(),
            folder: JobFolder::write(folder, job)?,
        })
    }

    /// Returns the program that submits.
    pub fn program(&self) -> &Path {
        &self.spec.spark_submit
    }

    /// Returns the variables that name the Python of a Spark that came as its package: that of the
    /// driver, and where tasks run on this machine theirs.
    pub(super) fn variables(&self) -> Vec<(&'static str, &Path)> {
        let Some(python) = &self.spec.python else {
            return Vec::new();
        };
        let is_local = |master: &String| master.starts_with("local");
        let mut variables = vec![("PYSPARK_DRIVER_PYTHON", &**python)];
        if self.spec.master.as_ref().is_none_or(is_local) {
            variables.push(("PYSPARK_PYTHON", python));
        }
        variables
    }

    /// Returns the words after the program.
    pub fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["--name", "dupaudit", "--deploy-mode", "client"]
            .map(OsString::from)
            .to_vec();
        if let Some(master) = &self.spec.master {
            words.extend(["--master".into(), master.into()]);
        }
        for setting in &self.spec.conf {
            words.extend(["--conf".into(), setting.into()]);
        }
        words.extend(["--files".into(), self.folder.program().into()]);
        words.extend([self.folder.job().into(), self.folder.settings().into()]);
        words
    }

    /// Returns the line as a shell takes it.
    pub fn line(&self) -> String {
        let program = self.program().as_os_str().to_owned();
        let words = std::iter::once(program).chain(self.words());
        let quoted: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        quoted.join(" ")
    }

    /// Returns the folders that tasks left, in the order of tasks.
    pub fn task_folders(&self) -> io::Result<Vec<(usize, PathBuf)>> {
        task_folders(&self.folder.out())
    }
}

fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "._-/=:,@+".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spark::Shipped;

    #[test]
    fn the_line_names_files_by_their_paths_and_nothing_that_is_in_them() {
        let directory = tempfile::tempdir().unwrap();
        let job = Job {
            program: PathBuf::from("/usr/bin/true"),
            tasks: 3,
            radixes: 2,
            arguments: Vec::new(),
            limits: Vec::new(),
            folder: PathBuf::from("/"),
            shipped: vec![Shipped {
                name: "plan.json".to_owned(),
                bytes: b"hunter2".to_vec(),
            }],
        };
        let spec = ClusterSpec {
            python: Some(PathBuf::from("/opt/python3")),
            spark_submit: PathBuf::from("/opt/spark/bin/spark-submit"),
            master: Some("local[2]".to_owned()),
            conf: vec!["spark.ui.enabled=false".to_owned()],
        };
        let submission = Submission::prepare(&spec, &job, directory.path()).unwrap();
        let folder = directory.path().display();
        let expected = format!(
            "/opt/spark/bin/spark-submit --name dupaudit --deploy-mode client \
             --master 'local[2]' --conf spark.ui.enabled=false \
             --files {folder}/dupaudit {folder}/job.py {folder}/job.json"
        );
        assert_eq!(submission.line(), expected);
        let names: Vec<&str> = submission.variables().iter().map(|of| of.0).collect();
        assert_eq!(names, ["PYSPARK_DRIVER_PYTHON", "PYSPARK_PYTHON"]);
    }

    #[test]
    fn a_shell_takes_words_as_they_are() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("spark://h:7077"), "spark://h:7077");
    }
}
