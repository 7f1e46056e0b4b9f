//! Scans on a real Apache Spark: whoever reads, and whatever is killed, the report is the same.

mod jobs;
mod standalone;
#[cfg(feature = "kafka")]
mod topics;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::python::spark_submit;
use crate::support::{Outcome, Run, Workspace, or_skip};

/// A job with its start and its end takes no longer than this.
const PATIENCE: Duration = Duration::from_mins(4);

/// What keeps Spark off the network, and its files in the folder of the test.
const CONF: [&str; 4] = [
    "--conf",
    "spark.ui.enabled=false",
    "--conf",
    "spark.driver.host=127.0.0.1",
];

/// One Spark at a time: each is several Javas.
static TURN: Mutex<()> = Mutex::new(());

/// A Spark, and a folder to work in.
struct Spark {
    _turn: MutexGuard<'static, ()>,
    workspace: Workspace,
    submit: PathBuf,
}

impl Spark {
    fn new() -> Option<Self> {
        let submit = or_skip(spark_submit())?;
        Some(Self {
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
            submit,
            workspace: Workspace::new(),
        })
    }

    /// Returns a run of the scan by a cluster.
    fn run(&self, master: &str, words: &[&str]) -> Run {
        let spark_submit = self.submit.display().to_string();
        let engine = ["--engine", "spark", "--master", master];
        let words = [
            &["scan"][..],
            words,
            &engine,
            &["--spark-submit", &spark_submit],
            &CONF,
        ];
        let local = self.workspace.path().join("local");
        fs::create_dir_all(&local).unwrap();
        self.workspace
            .dupaudit(words.concat())
            .env("SPARK_LOCAL_DIRS", &local.display().to_string())
            .env("SPARK_LOCAL_IP", "127.0.0.1")
    }

    /// Runs the scan by this machine, with its reports beginning with `native`.
    fn native<A: AsRef<OsStr>>(&self, words: &[A]) -> Outcome {
        let words = words.iter().map(AsRef::as_ref);
        self.workspace
            .dupaudit([OsStr::new("scan")].into_iter().chain(words))
            .run()
    }

    /// Returns a report as text, without what a run says about itself.
    fn findings(&self, name: &str) -> String {
        let text = fs::read_to_string(self.workspace.path().join(name)).unwrap();
        let at = text.find("\"summary\":").unwrap();
        text[at..].to_owned()
    }

    /// Asserts that nothing is left of a job's files.
    fn assert_tidy(&self) {
        let left = fs::read_dir(self.workspace.path().join("local")).unwrap();
        let left: Vec<String> = left
            .map(|entry| entry.unwrap().file_name().display().to_string())
            .filter(|name| name.starts_with("dupaudit-"))
            .collect();
        assert_eq!(left, [""; 0]);
    }
}

/// Returns charges of which every `repeat`th is one of the charges before.
fn charges(first: usize, count: usize, repeat: usize) -> String {
    let mut lines = String::new();
    for number in first..first + count {
        let id = if number % repeat == 0 {
            number / 2
        } else {
            number
        };
        let amount = format!(r#""amount":"{id}.25","currency":"USD""#);
        writeln!(
            lines,
            r#"{{"charge_id":"ch_{id}","customer_id":"cus_{}",{amount}}}"#,
            id % 7
        )
        .unwrap();
    }
    lines
}
