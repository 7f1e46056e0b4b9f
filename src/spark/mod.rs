//! Runs the two passes of an audit as one small Spark job, and fetches what its tasks wrote.

mod child;
mod job;
mod said;
mod submission;

pub use job::{Job, PLACE, Shipped};
pub use submission::{ClusterSpec, Submission};

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

use crate::source::StopFlag;

/// The job as it is submitted.
pub const JOB: &str = include_str!("job.py");

/// Why a job did not come to its end.
#[derive(Debug, Error)]
pub enum SparkError {
    /// There is no such program, or it cannot be started.
    #[error("`{}` cannot be started: {source}", program.display())]
    NoProgram {
        /// What was to be started.
        program: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Spark finds no Java.
    #[error("Spark finds no Java: {0}")]
    NoJava(String),
    /// The job's own part failed, or Spark did.
    #[error("the Spark job ended with {status}: {reason}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What it said that matters.
        reason: String,
    },
    /// It was asked to end.
    #[error("the Spark job was ended before it had a result")]
    Stopped,
    /// What it needs cannot be written.
    #[error("cannot prepare the Spark job: {0}")]
    Disk(#[from] io::Error),
}

/// Submits the job and waits for its end; a stop that is asked for ends it.
pub fn run(submission: &Submission, stop: &StopFlag) -> Result<(), SparkError> {
    let program = submission.program();
    let mut running = child::start(submission).map_err(|source| SparkError::NoProgram {
        program: program.to_owned(),
        source,
    })?;
    let ended = running.wait(stop)?;
    match ended {
        None => Err(SparkError::Stopped),
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let said = running.said();
            Err(said::no_java(&said).map_or_else(
                || SparkError::Failed {
                    status,
                    reason: said::reason(&said),
                },
                SparkError::NoJava,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn job() -> Job {
        Job {
            program: PathBuf::from("/usr/bin/true"),
            tasks: 1,
            radixes: 1,
            arguments: Vec::new(),
            limits: Vec::new(),
            folder: PathBuf::from("/"),
            shipped: Vec::new(),
        }
    }

    /// Runs a job whose `spark-submit` is this shell script.
    fn run_script(script: &str, stop: &StopFlag) -> Result<(), SparkError> {
        let directory = tempfile::tempdir().unwrap();
        let spark_submit = directory.path().join("spark-submit");
        fs::write(&spark_submit, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&spark_submit, PermissionsExt::from_mode(0o700)).unwrap();
        let spec = ClusterSpec {
            spark_submit,
            ..ClusterSpec::default()
        };
        let folder = directory.path().join("job");
        fs::create_dir(&folder).unwrap();
        run(&Submission::prepare(&spec, &job(), &folder).unwrap(), stop)
    }

    #[test]
    fn a_job_that_fails_is_told_with_its_reason() {
        let go = StopFlag::default();
        assert!(run_script("yes | head -c 9000000; yes | head -c 9000 >&2", &go).is_ok());
        let failed = "yes INFO | head -c 9000000\n\
                      echo 'x.Exception: no such master' >&2; exit 7";
        let error = run_script(failed, &go).unwrap_err().to_string();
        assert!(
            error.ends_with("exit status: 7: x.Exception: no such master"),
            "{error}"
        );
        let no_java = run_script("echo JAVA_HOME is not set >&2; exit 1", &go);
        assert!(matches!(no_java, Err(SparkError::NoJava(_))), "{no_java:?}");
    }

    #[test]
    fn a_stop_ends_the_job_and_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let (up, late) = (directory.path().join("up"), directory.path().join("late"));
        let (up_text, late_text) = (up.display(), late.display());
        let script =
            format!("trap '' TERM\n(sleep 600; touch '{late_text}') & touch '{up_text}'; wait");
        let stop = StopFlag::default();
        let stopper = stop.clone();
        let waiting = thread::spawn(move || {
            while !up.exists() {
                thread::sleep(Duration::from_millis(5));
            }
            stopper.stop();
        });
        let ended = run_script(&script, &stop);
        waiting.join().unwrap();
        assert!(matches!(ended, Err(SparkError::Stopped)), "{ended:?}");
        assert!(!late.exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run_script("", &StopFlag::default());
        assert!(error.is_ok(), "{error:?}");
        let directory = tempfile::tempdir().unwrap();
        let spec = ClusterSpec {
            spark_submit: PathBuf::from("/none/spark-submit"),
            ..ClusterSpec::default()
        };
        let submission = Submission::prepare(&spec, &job(), directory.path()).unwrap();
        let error = run(&submission, &StopFlag::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("`/none/spark-submit` cannot be started: "),
            "{error}"
        );
    }
}
