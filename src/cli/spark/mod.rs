//! `--engine spark` and what goes with it come to a cluster, and to what its tasks are told.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, ValueEnum, ValueHint};

use crate::cli::config::layers;
use crate::cli::config::options;
use crate::cli::flags::{Flags, ScanFlags};
use crate::cli::resolve::kafka::Environment;
use crate::cli::usage_error::UsageError;
use crate::command::ClusterRequest;
use crate::spark::ClusterSpec;

/// What submits jobs where nobody says otherwise.
const SPARK_SUBMIT: &str = "spark-submit";

/// Options that are none of the tasks' business, or come to them in another way: they read, and
/// neither judge nor report.
const NOT_OF_TASKS: [&str; 31] = [
    "engine",
    "master",
    "spark_submit",
    "conf",
    "brokers",
    "property",
    "property_file",
    "schema_registry",
    "dry_run",
    "isolation",
    "state",
    "new_for",
    "baseline",
    "fail_at",
    "notify_command",
    "notify_timeout",
    "fail_on",
    "max_missing",
    "allow_empty",
    "allow_undecodable",
    "output",
    "output_format",
    "rows",
    "top",
    "csv_raw",
    "show_values",
    "redact",
    "redact_key",
    "quiet",
    "memory",
    "threads",
];

/// Who does the work.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Engine")]
pub struct SparkFlags {
    /// Who reads: this machine, or the tasks of a Spark job, which run this same program
    /// [default: native]
    #[arg(long, value_name = "ENGINE", value_enum)]
    pub engine: Option<EngineFlag>,
    /// Master of the cluster, such as `yarn`, `spark://HOST:7077`, `k8s://…` or `local[4]`
    /// [default: what spark-submit takes by itself]
    #[arg(long, value_name = "URL", requires = "engine")]
    pub master: Option<String>,
    /// What submits the job [default: that of `SPARK_HOME`, else of `PATH`]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "engine")]
    pub spark_submit: Option<PathBuf>,
    /// Setting of Spark, such as `spark.executor.memory=4g` (repeatable)
    #[arg(long, value_name = "K=V", requires = "engine")]
    pub conf: Vec<String>,
}

/// Values of `--engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineFlag {
    /// This machine.
    #[value(help = None)]
    Native,
    /// A cluster.
    #[value(help = None)]
    Spark,
}

/// Returns the request, if a cluster is to do the work.
pub fn resolve(
    flags: &ScanFlags,
    environment: Environment<'_>,
) -> Result<Option<ClusterRequest>, UsageError> {
    let spark = &flags.spark;
    if spark.engine != Some(EngineFlag::Spark) {
        return match only_spark(spark) {
            Some(option) => Err(
                UsageError::new(format!("`{option}` needs `--engine spark`"))
                    .hint("leave it out to read on this machine"),
            ),
            None => Ok(None),
        };
    }
    check_beside(flags)?;
    for setting in &spark.conf {
        check_setting(setting).map_err(|error| error.at("--conf", setting))?;
    }
    let spark_submit = spark_submit(spark.spark_submit.as_deref(), environment);
    let python = python(&spark_submit, environment);
    Ok(Some(ClusterRequest {
        spec: ClusterSpec {
            python,
            spark_submit,
            master: spark.master.clone(),
            conf: spark.conf.clone(),
        },
        program: PathBuf::new(),
        folder: PathBuf::new(),
        task_arguments: Vec::new(),
        task_memory: flags.limits.memory.clone(),
    }))
}

/// Adds what tasks run: this same program, with what they need of the whole command line.
pub fn add_program(request: &mut ClusterRequest, arguments: &[OsString]) -> io::Result<()> {
    request.program = std::env::current_exe()?;
    request.folder = std::env::current_dir()?;
    request.task_arguments = task_arguments(arguments, &request.folder);
    Ok(())
}

fn only_spark(flags: &SparkFlags) -> Option<&'static str> {
    let given = [
        (flags.master.is_some(), "--master"),
        (flags.spark_submit.is_some(), "--spark-submit"),
        (!flags.conf.is_empty(), "--conf"),
    ];
    let mut given = given.into_iter().filter(|(is_given, _)| *is_given);
    given.next().map(|(_, option)| option)
}

/// Refuses what a cluster cannot reach, or nobody remembers for it.
fn check_beside(flags: &ScanFlags) -> Result<(), UsageError> {
    let refused = |option: &str, hint: &str| {
        let message = format!("`{option}` does not go together with `--engine spark`");
        Err(UsageError::new(message).hint(hint))
    };
    if flags.audit.state.state.is_some() {
        return refused(
            "--state",
            "bound the range by --from and --to, or leave --engine out: what a night adds is \
             little enough for one machine",
        );
    }
    if flags.audit.store.postgres.is_some() {
        return refused(
            "--postgres",
            "leave --engine out: a database is read by one reader",
        );
    }
    if flags
        .audit
        .sources
        .files
        .iter()
        .any(|path| path == Path::new("-"))
    {
        return refused(
            "-",
            "tasks have no standard input: name files where every worker has them",
        );
    }
    Ok(())
}

/// The report comes back to who asked for it, so the driver has to be here.
fn check_setting(setting: &str) -> Result<(), UsageError> {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    if name.trim().is_empty() || !setting.contains('=') {
        return Err(UsageError::new("this is no K=V")
            .hint("settings are written as Spark names them, such as spark.executor.memory=4g"));
    }
    if name == "spark.submit.deployMode" && value != "client" {
        return Err(
            UsageError::new("the driver has to run here, where the report is written")
                .hint("leave it out: jobs are submitted in client mode"),
        );
    }
    Ok(())
}

fn spark_submit(typed: Option<&Path>, environment: Environment<'_>) -> PathBuf {
    if let Some(typed) = typed {
        return typed.to_owned();
    }
    if let Some(home) = environment("SPARK_HOME").filter(|home| !home.is_empty()) {
        return Path::new(&home).join("bin").join(SPARK_SUBMIT);
    }
    let path = environment("PATH").unwrap_or_default();
    let mut places = path
        .split(':')
        .map(|folder| Path::new(folder).join(SPARK_SUBMIT));
    let found = places.find(|place| place.is_absolute() && place.is_file());
    found.unwrap_or_else(|| PathBuf::from(SPARK_SUBMIT))
}

/// A Spark that came as a Python package is found only by the Python that has the package.
fn python(spark_submit: &Path, environment: Environment<'_>) -> Option<PathBuf> {
    let is_chosen = ["PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "SPARK_HOME"]
        .iter()
        .any(|name| environment(name).is_some());
    let folder = spark_submit.parent()?;
    let python = std::path::absolute(folder.join("python3")).ok()?;
    let is_package = folder.join("find_spark_home.py").is_file() && python.exists();
    (is_package && !is_chosen).then_some(python)
}

/// Returns the words that tasks get: what says how records are read and what makes two the same.
/// Paths are made absolute. Where the records are is none of it: the plan names each file, as it
/// was typed, and a file after `--` would end what tasks take for options.
fn task_arguments(arguments: &[OsString], folder: &Path) -> Vec<String> {
    let mut root = Flags::command();
    root.build();
    let matches = root.clone().try_get_matches_from(arguments);
    let matches = matches
        .as_ref()
        .ok()
        .and_then(|matches| matches.subcommand());
    let Some((command, matches)) =
        matches.and_then(|(name, matches)| Some((root.find_subcommand(name)?, matches)))
    else {
        return Vec::new();
    };
    let options = options::options_of(command);
    let mut settings = layers::typed(&options, matches);
    settings.retain_mut(|setting| {
        let Some(option) = options.get(setting.option) else {
            return false;
        };
        for value in &mut setting.values {
            *value = option.placed(&value.to_string_lossy(), folder).into();
        }
        option.flag().is_some() && !NOT_OF_TASKS.contains(&option.id())
    });
    let words = layers::words(&options, &settings);
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    words.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::flags::CommandFlags;

    fn resolved(arguments: &[&str]) -> Result<Option<ClusterRequest>, UsageError> {
        let flags = Flags::try_parse_from(["dupaudit", "scan"].iter().chain(arguments)).unwrap();
        let CommandFlags::Scan(scan) = flags.command else {
            panic!("{:?}", flags.command)
        };
        let environment = |name: &str| (name == "SPARK_HOME").then(|| "/opt/spark".to_owned());
        resolve(&scan, &environment)
    }

    #[test]
    fn the_options_come_to_a_cluster_and_to_what_tasks_are_told() {
        let line = "--engine spark --master yarn --conf a=b --conf c=d=e x.jsonl --by id \
                    --from -2h --value-schema charge.avsc -o r.json --top 3 -X a=b -- -a.jsonl";
        let words: Vec<&str> = line.split_whitespace().collect();
        let request = resolved(&words).unwrap().unwrap();
        assert_eq!(
            request.spec.spark_submit,
            Path::new("/opt/spark/bin/spark-submit")
        );
        assert_eq!(request.spec.master.as_deref(), Some("yarn"));
        assert_eq!(request.spec.conf, ["a=b", "c=d=e"]);
        let expected = "--value-schema /here/charge.avsc --from=-2h --by id";
        let arguments = ["dupaudit", "scan"].iter().chain(&words);
        let arguments: Vec<OsString> = arguments.map(OsString::from).collect();
        let of_tasks = task_arguments(&arguments, Path::new("/here"));
        assert_eq!(of_tasks.join(" "), expected);
        assert!(resolved(&["x.jsonl", "--by", "id"]).unwrap().is_none());
    }

    #[test]
    fn what_a_cluster_cannot_do_is_refused() {
        for wrong in [
            &["x", "--engine", "native", "--conf", "a=b"][..],
            &["x", "--engine", "spark", "--state", "s"],
            &["-", "--engine", "spark"],
            &[
                "--engine",
                "spark",
                "--postgres",
                "postgresql://h/d",
                "--table",
                "t",
            ],
            &["x", "--engine", "spark", "--conf", "a"],
            &[
                "x",
                "--engine",
                "spark",
                "--conf",
                "spark.submit.deployMode=cluster",
            ],
        ] {
            assert!(resolved(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_option_that_tasks_do_not_get_exists() {
        let mut root = Flags::command();
        root.build();
        let scan = root.find_subcommand("scan").unwrap();
        for id in NOT_OF_TASKS {
            assert!(scan.get_arguments().any(|arg| arg.get_id() == id), "{id}");
        }
    }

    #[test]
    fn a_spark_that_is_a_python_package_is_run_by_its_own_python() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        let spark_submit = directory.path().join("spark-submit");
        for name in ["spark-submit", "find_spark_home.py", "python3"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let environment = |name: &str| (name == "PATH").then(|| format!("/none:{path}"));
        assert_eq!(super::spark_submit(None, &environment), spark_submit);
        assert_eq!(
            python(&spark_submit, &environment),
            Some(directory.path().join("python3"))
        );
        let chosen = |name: &str| (name == "PYSPARK_PYTHON").then(|| "python3".to_owned());
        assert_eq!(python(&spark_submit, &chosen), None);
        assert_eq!(
            super::spark_submit(None, &|_| None),
            Path::new("spark-submit")
        );
    }
}
