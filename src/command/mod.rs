//! What can be run, and what it comes to.

mod cluster;
pub mod demo;
mod dry_run;
pub mod explain;
mod presets;
pub mod print;
mod progress;
mod reports;
pub mod scan;
mod schemas;
pub mod shards;
mod sources;
pub mod state;
mod stores;
pub mod suggest;
mod targets;
mod verdict;

pub use cluster::ClusterRequest;
pub use explain::ExplainCommand;
pub use shards::ShardCommand;
pub use state::{StateAction, StateCommand, StateRequest};
pub use suggest::SuggestCommand;
pub use verdict::baseline::BaselineCommand;
pub use verdict::{Measure, NotifyRequest, Threshold, VerdictRequest};

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use crate::audit::AuditPlan;
use crate::finding::Verdict;
use crate::preset::Preset;
use crate::report::CsvRows;
use crate::report::ReportFormat;
use crate::schema::SchemaSpec;
use crate::source::StopFlag;
use crate::source::kafka::{Isolation, Reader};

/// One run of the program, fully decided.
#[derive(Debug)]
pub enum Command {
    /// Audits records.
    Scan(Box<ScanCommand>),
    /// Lays the records of one reported group side by side.
    Explain(Box<ExplainCommand>),
    /// Renders a stored report again.
    Report(StoredReportCommand),
    /// Accepts the groups of a report.
    Baseline(BaselineCommand),
    /// Compares two stored reports.
    Diff(DiffCommand),
    /// Loses acknowledgements in an embedded broker, then audits what comes of it.
    Demo(DemoCommand),
    /// Looks at records, and proposes the fields that identify them.
    Suggest(Box<SuggestCommand>),
    /// Lists the presets, or shows what one of them sets.
    Presets(Option<&'static Preset>),
    /// Does a part of an audit, or puts parts together.
    Shard(ShardCommand),
    /// Shows, shortens or removes what runs remember.
    State(StateCommand),
    /// Prints a text made from the command line's own definition: completions, the manual page.
    Print(Vec<u8>),
}

/// An audit as asked for.
#[derive(Debug)]
pub struct ScanCommand {
    /// What is audited, and how.
    pub plan: AuditPlan,
    /// What runs remember, if they do.
    pub state: Option<StateRequest>,
    /// What is inside keys and values.
    pub schemas: SchemaSpec,
    /// Files and directories in the order typed; `-` is standard input, at most once.
    pub files: Vec<PathBuf>,
    /// Format of all files, as typed; none to tell it by content.
    pub format: Option<String>,
    /// Most bytes that may be unpacked of one compressed file.
    pub decompressed_bytes_max: Option<u64>,
    /// Topics to read.
    pub kafka: Option<KafkaRequest>,
    /// What to read of a database.
    pub store: Option<StoreRequest>,
    /// The cluster that is to read, if it is not this machine.
    pub cluster: Option<ClusterRequest>,
    /// Whether to show what would be read instead of reading it.
    pub is_dry_run: bool,
    /// Which transactions count.
    pub isolation: Isolation,
    /// The preset that filled in what was not typed.
    pub preset: Option<&'static str>,
    /// Reports beside, or instead of, the one for people.
    pub outputs: Vec<OutputRequest>,
    /// How reports are written.
    pub report: ReportOptions,
    /// How dedup keys and subjects are hidden, if at all.
    pub redaction: Option<RedactionRequest>,
    /// What ends with a code other than 0.
    pub fail_on: FailOn,
    /// What is known before, and from where on what is new counts.
    pub verdict: VerdictRequest,
    /// The command line, secrets masked.
    pub command_line: Vec<String>,
    /// Start of the run, milliseconds since the epoch; relative times count from it.
    pub started_at_millis: i64,
}

/// A stored report to render again, as asked for.
#[derive(Debug)]
pub struct StoredReportCommand {
    /// The report; `-` is standard input.
    pub path: PathBuf,
    /// Reports beside, or instead of, the one for people.
    pub outputs: Vec<OutputRequest>,
    /// How reports are written.
    pub report: ReportOptions,
    /// How dedup keys and subjects are hidden, if at all.
    pub redaction: Option<RedactionRequest>,
}

/// Two stored reports to compare, as asked for.
#[derive(Debug)]
pub struct DiffCommand {
    /// The older report.
    pub old: PathBuf,
    /// The newer report.
    pub new: PathBuf,
    /// Whether it is written for programs.
    pub is_json: bool,
    /// Groups that are shown of each kind.
    pub top: usize,
}

/// The demo as asked for.
#[derive(Debug)]
pub struct DemoCommand {
    /// Memory to stay within, in bytes.
    pub memory_bytes: u64,
    /// Worker threads, at least one.
    pub threads: usize,
    /// Whether progress and hints are silenced.
    pub is_quiet: bool,
    /// The command line.
    pub command_line: Vec<String>,
    /// Start of the run, milliseconds since the epoch.
    pub started_at_millis: i64,
}

/// Topics of a cluster, and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaRequest {
    /// `HOST:PORT,…`; none where the properties or their files name the brokers.
    pub brokers: Option<String>,
    /// Topic names, and regular expressions that begin with `^`.
    pub topics: Vec<String>,
    /// Partitions asked for, ascending; none for all.
    pub partitions: Option<BTreeSet<i32>>,
    /// Properties of `-X` in the order typed, secrets looked up.
    pub properties: Vec<(String, String)>,
    /// Files of properties, in the order typed.
    pub property_files: Vec<PathBuf>,
    /// How long a partition may be silent before it is given up.
    pub stall_timeout_millis: i64,
    /// Bytes a second to stay within.
    pub max_rate_bytes: Option<u64>,
    /// Which client reads.
    pub reader: Reader,
}

/// What to read of a database, and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreRequest {
    /// Address as typed: a URL, or parameters.
    pub address: String,
    /// Categories of Message DB.
    pub categories: Vec<String>,
    /// Streams of Message DB.
    pub streams: Vec<String>,
    /// Tables.
    pub tables: Vec<String>,
    /// A query.
    pub query: Option<String>,
    /// Column that orders the records of tables and queries.
    pub position: Option<String>,
    /// Column with their times.
    pub timestamp: Option<String>,
    /// How long one statement may take.
    pub statement_timeout_millis: i64,
}

impl fmt::Debug for StoreRequest {
    /// Leaves the address out: it may hold a password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StoreRequest")
            .field("categories", &self.categories)
            .field("streams", &self.streams)
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KafkaRequest {
    /// Leaves the values of properties out: they may be secrets.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|(name, _)| &**name).collect();
        out.debug_struct("KafkaRequest")
            .field("topics", &self.topics)
            .field("partitions", &self.partitions)
            .field("properties", &names)
            .field("property_files", &self.property_files)
            .field("stall_timeout_millis", &self.stall_timeout_millis)
            .finish_non_exhaustive()
    }
}

/// A report for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRequest {
    /// File to write; none for standard output, instead of the report for people.
    pub path: Option<PathBuf>,
    /// Its format.
    pub format: ReportFormat,
}

/// How reports are written; whether values are shown is part of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportOptions {
    /// Groups in the report for people; 0 for totals only.
    pub top: usize,
    /// Rows of CSV reports.
    pub rows: CsvRows,
    /// Whether CSV cells that a spreadsheet would run are left as they are.
    pub is_csv_raw: bool,
    /// Whether progress and hints are silenced.
    pub is_quiet: bool,
}

/// How dedup keys and subjects are to be hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedactionRequest {
    /// By hashes with a key of this run.
    Random,
    /// By hashes with the key in a file.
    KeyFile(PathBuf),
    /// All alike.
    Mask,
}

/// What ends with a code other than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailOn {
    /// Duplicates.
    pub duplicates: bool,
    /// Coverage that is not complete.
    pub incomplete: bool,
    /// An audit that failed.
    pub error: bool,
}

impl Default for FailOn {
    fn default() -> Self {
        Self {
            duplicates: true,
            incomplete: true,
            error: true,
        }
    }
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it is for, and there is nothing to judge.
    Done,
    /// Two reports were compared.
    Compared {
        /// Whether anything is new or has grown.
        has_news: bool,
    },
    /// An audit came to its end.
    Audited {
        /// The answer.
        verdict: Verdict,
        /// Whether everything asked for was read.
        is_complete: bool,
        /// Whether there are duplicates that count: new ones, where something could have known.
        has_news: bool,
    },
}

/// Whose fault it is that a command could not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something named does not exist or does not fit; nothing was audited.
    Configuration,
    /// The audit failed.
    Failed,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct CommandError {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// What happened, with what was being done.
    pub source: anyhow::Error,
    /// What to do next.
    pub hint: Option<String>,
}

impl CommandError {
    /// Returns an error about what the user named.
    pub fn configuration(source: impl Into<anyhow::Error>) -> Self {
        Self {
            kind: ErrorKind::Configuration,
            source: source.into(),
            hint: None,
        }
    }

    /// Returns an error of the audit itself.
    pub fn failed(source: impl Into<anyhow::Error>) -> Self {
        Self {
            kind: ErrorKind::Failed,
            source: source.into(),
            hint: None,
        }
    }

    /// Returns the error with what to do next.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Something to say on standard error while a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something that the user should know before trusting the result.
    Warning(String),
    /// What to do about what was said before; silenced by `-q`.
    Hint(String),
    /// What is being done; silenced by `-q`.
    Note(String),
}

/// What a command may use of the process that it runs in.
pub struct Surroundings<'a> {
    /// Standard output, buffered; the caller flushes it at the end.
    pub stdout: &'a mut (dyn Write + Send),
    /// Says something on standard error.
    pub say: &'a mut dyn FnMut(Message),
    /// Set by the first SIGINT or SIGTERM.
    pub stop: StopFlag,
    /// Returns the time in milliseconds since the epoch.
    pub now_millis: fn() -> i64,
    /// Whether standard output is a terminal.
    pub is_stdout_terminal: bool,
    /// Whether standard error is a terminal, so that a progress line makes sense.
    pub is_stderr_terminal: bool,
    /// Whether colours are welcome where output goes to a terminal.
    pub allows_color: bool,
    /// Width of the report as asked for by the environment.
    pub columns: Option<usize>,
    /// Looks a variable of the environment up.
    pub variable: fn(&str) -> Option<String>,
    /// Where temporary files go.
    pub temporary_directory: PathBuf,
}

/// Runs a command.
pub fn run(
    command: &Command,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    match command {
        Command::Scan(scan) => scan::run(scan, surroundings),
        Command::Explain(explain) => explain::run(explain, surroundings),
        Command::Diff(diff) => reports::diff::run(diff, surroundings),
        Command::Report(report) => reports::stored::run(report, surroundings),
        Command::Baseline(baseline) => verdict::baseline::run(baseline, surroundings),
        Command::Demo(demo) => demo::run(demo, surroundings),
        Command::Suggest(suggest) => suggest::run(suggest, surroundings),
        Command::Presets(preset) => presets::run(*preset, surroundings),
        Command::Shard(command) => shards::run(command, surroundings),
        Command::State(command) => state::run(command, surroundings),
        Command::Print(text) => print::run(text, surroundings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_properties_are_not_in_debug_output() {
        let request = KafkaRequest {
            brokers: Some("http://user:hunter2@broker".to_owned()),
            topics: vec!["charges".to_owned()],
            partitions: None,
            properties: vec![("sasl.password".to_owned(), "hunter2".to_owned())],
            property_files: Vec::new(),
            stall_timeout_millis: 60_000,
            max_rate_bytes: None,
            reader: Reader::Automatic,
        };
        let text = format!("{request:?}");
        assert!(text.contains("sasl.password"));
        assert!(!text.contains("hunter2"));
    }
}
