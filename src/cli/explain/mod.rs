//! `explain`: a report and a group come to the scan that made it, with the sources of today.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Parser as _, ValueHint};

use crate::cli::flags::{CommandFlags, Flags, IsolationFlag, RangeFlags, ScanFlags, SourceFlags};
use crate::cli::output::OutputFlags;
use crate::cli::resolve::{self, RunContext};
use crate::cli::secret::{self, MASK};
use crate::cli::store::StoreFlags;
use crate::cli::usage_error::UsageError;
use crate::command::ExplainCommand;
use crate::finding::shell_word;
use crate::report::read::ReadGroup;
use crate::report::{ReportReadError, read_group};
use crate::schema::RegistrySettings;

/// Options of `explain`.
#[derive(Args, Debug)]
pub struct ExplainFlags {
    /// The JSON report of the scan
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: PathBuf,
    /// The group to explain: its id, or as much of it as tells it from the others
    #[arg(long, value_name = "ID")]
    pub group: String,
    /// Files to read instead of those that the report names
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Brokers to ask instead of those of the scan
    #[arg(short, long, value_name = "HOST:PORT", help_heading = "Sources")]
    pub brokers: Vec<String>,
    /// Any librdkafka property; secrets as `NAME=@FILE` or `NAME=env:VARIABLE` (repeatable)
    #[arg(short = 'X', value_name = "NAME=VALUE", help_heading = "Sources")]
    pub property: Vec<String>,
    /// File of properties instead of those of the scan (repeatable)
    #[arg(short = 'F', value_name = "FILE", value_hint = ValueHint::FilePath,
        help_heading = "Sources")]
    pub property_file: Vec<PathBuf>,
    /// Database to read instead of that of the scan
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::Url, help_heading = "Sources")]
    pub postgres: Option<String>,
    /// Show the values of records
    #[arg(long)]
    pub show_values: bool,
    /// No notes, no hints
    #[arg(short, long)]
    pub quiet: bool,
}

/// Returns the group to explain, and how to read its records.
pub fn resolve(
    flags: &ExplainFlags,
    context: RunContext<'_>,
) -> Result<ExplainCommand, UsageError> {
    let report = read_report(flags)?;
    let mut scan = scan_of(&report.header.command_line)
        .map_err(|error| error.at("--report", &flags.report.display().to_string()))?;
    let is_redacted = scan.output.redact.take().is_some();
    scan.output.redact_key = None;
    if is_redacted {
        // They are masked; the places of the group's records are known without them.
        scan.audit.dedup_key.filter = None;
        scan.audit.impact.reversal = None;
    }
    scan.audit.range = RangeFlags {
        late: None,
        from: None,
        to: None,
        tz: None,
        look_back: None,
    };
    scan.output.render.output.clear();
    scan.output.render.output_format = None;
    let is_masked = |property: &String| property.ends_with(&format!("={MASK}"));
    let masked = scan
        .audit
        .sources
        .property
        .extract_if(.., |text| is_masked(text));
    let masked: Vec<String> = masked.collect();
    replace_sources(&mut scan.audit.sources, flags, &report.group);
    replace_store(&mut scan.audit.store, flags, &report.group);
    let unused = unused_options(flags, &scan.audit.sources);
    let kcat_connection = kcat_connection(&scan.audit.sources);
    let mut scan = resolve::scan(&scan, context).map_err(|error| {
        if masked.is_empty() || error.hint.is_some() {
            return error;
        }
        error.hint(format!("the report hides {}", masked.join(", ")))
    })?;
    scan.files.clone_from(&flags.files);
    Ok(ExplainCommand {
        scan,
        group: report.group,
        shows_values: flags.show_values,
        is_redacted,
        kcat_connection,
        unused,
    })
}

/// Returns the options that reach a cluster, where none of the group's records is in a topic.
fn unused_options(flags: &ExplainFlags, sources: &SourceFlags) -> Vec<&'static str> {
    let given = [
        (!flags.brokers.is_empty(), "-b"),
        (!flags.property.is_empty(), "-X"),
        (!flags.property_file.is_empty(), "-F"),
    ];
    let is_used = !sources.topic.is_empty();
    let unused = given
        .into_iter()
        .filter(|(is_given, _)| *is_given && !is_used);
    unused.map(|(_, option)| option).collect()
}

fn read_report(flags: &ExplainFlags) -> Result<crate::report::ReadReport, UsageError> {
    let path = flags.report.display().to_string();
    let file = File::open(&flags.report)
        .map_err(|error| UsageError::new(error.to_string()).at("--report", &path))?;
    read_group(file, &flags.group).map_err(|error| {
        let is_about_group = matches!(
            error,
            ReportReadError::NoGroup { .. } | ReportReadError::Ambiguous { .. }
        );
        let message = UsageError::new(error.to_string()).hint(error.hint());
        if is_about_group {
            message.at("--group", &flags.group)
        } else {
            message.at("--report", &path)
        }
    })
}

/// The report's command line says what was the same, and how it was read.
pub fn scan_of(command_line: &[String]) -> Result<Box<ScanFlags>, UsageError> {
    let unknown = |reason: &str| {
        UsageError::new(format!("its command line {reason}"))
            .hint("a report of `dupaudit scan` by this version, or an earlier one, is needed")
    };
    match Flags::try_parse_from(command_line).map(|flags| flags.command) {
        Ok(CommandFlags::Scan(scan)) => Ok(scan),
        Ok(
            CommandFlags::Baseline(_)
            | CommandFlags::Explain(_)
            | CommandFlags::Report(_)
            | CommandFlags::Diff(_)
            | CommandFlags::Demo(_)
            | CommandFlags::Check(_)
            | CommandFlags::Suggest(_)
            | CommandFlags::Extract(_)
            | CommandFlags::Merge(_)
            | CommandFlags::Presets(_)
            | CommandFlags::State(_)
            | CommandFlags::History(_)
            | CommandFlags::Completions(_)
            | CommandFlags::Man,
        ) => Err(unknown("is no scan")),
        Err(_) => Err(unknown("cannot be understood")),
    }
}

/// Returns the words of the scan that a command's are those of, without the command's own options;
/// each of these comes with whether it has a value.
pub fn scan_words(command_line: &[String], own_options: &[(&str, bool)]) -> Vec<String> {
    let mut scan = vec!["dupaudit".to_owned(), "scan".to_owned()];
    let mut words = command_line.iter().skip(2);
    while let Some(word) = words.next() {
        let own = own_options.iter().find(|(option, has_value)| {
            let rest = word.strip_prefix(option);
            rest.is_some_and(|rest| {
                rest.is_empty()
                    || *has_value && (rest.starts_with('=') || !option.starts_with("--"))
            })
        });
        match own {
            Some((option, true)) if word == option => drop(words.next()),
            Some(_) => {}
            None => scan.push(word.clone()),
        }
    }
    scan
}

/// Returns options of what is written as they are where none is given.
pub fn plain_output() -> Result<OutputFlags, UsageError> {
    let scan = ["dupaudit", "scan", "-", "--by", "value"].map(str::to_owned);
    Ok(scan_of(&scan)?.output)
}

/// Leaves of the sources those that the group's records came from, as named now.
fn replace_sources(sources: &mut SourceFlags, flags: &ExplainFlags, group: &ReadGroup) {
    let in_topics = group.records.iter().filter(|record| record.file.is_none());
    // A topic without partitions is one of a database.
    let in_topics = in_topics.filter(|record| record.partition.is_some());
    let topics: BTreeSet<&String> = in_topics.filter_map(|of| of.topic.as_ref()).collect();
    sources.topic = topics.into_iter().cloned().collect();
    sources.partitions.clear();
    // Another file of properties may name other brokers; other brokers need the same properties.
    if !flags.property_file.is_empty() {
        sources.property_file.clone_from(&flags.property_file);
        sources.brokers.clear();
    }
    if !flags.brokers.is_empty() {
        sources.brokers.clone_from(&flags.brokers);
    }
    sources.property.extend(flags.property.iter().cloned());
    if sources.topic.is_empty() {
        sources.brokers.clear();
        sources.property.retain(|of| RegistrySettings::owns(of));
        sources.property_file.clear();
    }
    let in_files = group
        .records
        .iter()
        .filter_map(|record| record.file.as_ref());
    let files: BTreeSet<&String> = in_files.collect();
    sources.files = files.into_iter().map(PathBuf::from).collect();
    if sources.files.is_empty() {
        sources.format = None;
        sources.map.clear();
        sources.assume_topic = None;
    }
}

/// Leaves the database only where one of the group's records lies in it.
fn replace_store(store: &mut StoreFlags, flags: &ExplainFlags, group: &ReadGroup) {
    let mut records = group.records.iter();
    let is_used = records.any(|record| record.file.is_none() && record.partition.is_none());
    if !is_used {
        *store = StoreFlags {
            statement_timeout: store.statement_timeout.clone(),
            ..StoreFlags::default()
        };
    } else if let Some(address) = &flags.postgres {
        store.postgres = Some(address.clone());
    }
}

/// Returns the options with which kcat reaches the same cluster; secrets stay where they are.
fn kcat_connection(sources: &SourceFlags) -> String {
    let mut words = Vec::new();
    let path_word = |path: &Path| shell_word(&path.display().to_string());
    if !sources.brokers.is_empty() {
        words.push(format!("-b {}", sources.brokers.join(",")));
    }
    for path in &sources.property_file {
        words.push(format!("-F {}", path_word(path)));
    }
    for property in &sources.property {
        let name = property.split('=').next().unwrap_or_default();
        if !secret::is_secret_name(name) && !RegistrySettings::owns(name) {
            words.push(format!("-X {}", shell_word(property)));
        }
    }
    // Without it kcat passes over a copy that was aborted, and shows the record after it.
    if sources.isolation == Some(IsolationFlag::ReadUncommitted) && !sources.topic.is_empty() {
        words.push("-X isolation.level=read_uncommitted".to_owned());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC_RECORD: &str = r#"{"occurrence":1,"topic":"charges","partition":0,"offset":5}"#;

    fn report(command_line: &str, record: &str) -> String {
        let words: Vec<&str> = command_line.split_whitespace().collect();
        let words = serde_json::to_string(&words).unwrap();
        format!(
            r#"{{"schema_version":1,"header":{{"command_line":{words},"by":["value.id"]}},"groups":
            [{{"id":"g_1","key":{{}},"count":2,"extra":1,"cause":"undetermined","confidence":null,
            "amount":null,"subject":null,"records":[{record}]}}]}}"#
        )
    }

    fn resolved(
        command_line: &str,
        record: &str,
        more: &[&str],
    ) -> Result<ExplainCommand, UsageError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), report(command_line, record)).unwrap();
        let path = file.path().to_str().unwrap();
        let arguments = ["dupaudit", "explain", "--report", path, "--group", "g_"];
        let flags = Flags::try_parse_from(arguments.iter().chain(more)).unwrap();
        let CommandFlags::Explain(flags) = flags.command else {
            panic!("{:?}", flags.command)
        };
        let context = RunContext {
            command_line: Vec::new(),
            now_millis: 0,
            environment: &|_| None,
            memory_bytes: 8 << 30,
            threads: 1,
        };
        resolve(&flags, context)
    }

    #[test]
    fn the_words_of_a_scan_are_those_that_are_not_a_commands_own() {
        let own = [("-o", true), ("--output", true), ("--json", false)];
        let typed = "dupaudit extract a.csv -o b --output=b -ob --json --by id --json-x -q";
        let typed: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        let words = scan_words(&typed, &own).join(" ");
        assert_eq!(words, "dupaudit scan a.csv --by id --json-x -q");
    }

    #[test]
    fn the_scan_of_the_report_is_read_again_without_its_range_and_outputs() {
        let line = "dupaudit scan -b old:1 -t ^cha -p 3 -X client.id=a -X sasl.password=*** \
                    --from -2h --by id --isolation read_uncommitted -o - --output-format json";
        let explain = resolved(line, TOPIC_RECORD, &[]).unwrap();
        let connection = "-b old:1 -X 'client.id=a' -X isolation.level=read_uncommitted";
        assert_eq!(explain.kcat_connection, connection);
        let kafka = explain.scan.kafka.unwrap();
        assert_eq!(kafka.brokers.as_deref(), Some("old:1"));
        assert_eq!(kafka.topics, ["charges"]);
        assert_eq!(kafka.partitions, None);
        assert_eq!(kafka.properties.len(), 1);
        assert_eq!(explain.scan.isolation.name(), "read_uncommitted");
        assert_eq!(explain.scan.plan.range.from, None);
        assert!(explain.scan.outputs.is_empty() && explain.scan.files.is_empty());
    }

    #[test]
    fn sources_named_now_replace_those_of_the_report() {
        let line = "dupaudit scan -b old:1 -F old.conf -t charges --by id";
        let connection = |more: &[&str]| {
            let explain = resolved(line, TOPIC_RECORD, more).unwrap();
            explain.kcat_connection
        };
        assert_eq!(connection(&["-b", "new:1"]), "-b new:1 -F old.conf");
        assert_eq!(connection(&["-F", "new.conf"]), "-F new.conf");
        let both = ["-b", "new:1", "-F", "a/new.conf"];
        assert_eq!(connection(&both), "-b new:1 -F a/new.conf");
    }

    #[test]
    fn of_a_group_in_files_no_broker_is_asked() {
        let line = "dupaudit scan -b old:1 -t charges a.jsonl --assume-topic charges --by id";
        let record = r#"{"occurrence":1,"file":"a.jsonl","line":1,"byte_offset":0}"#;
        let explain = resolved(line, record, &["b.jsonl"]).unwrap();
        assert!(explain.scan.kafka.is_none());
        assert_eq!(explain.scan.files, [Path::new("b.jsonl")]);
        assert_eq!(explain.scan.plan.assume_topic.as_deref(), Some("charges"));
        assert_eq!(explain.unused, [""; 0]);
    }

    #[test]
    fn options_that_reach_a_cluster_are_said_to_be_unused_where_files_hold_the_group() {
        let line = "dupaudit scan a.jsonl --by id";
        let record = r#"{"occurrence":1,"file":"a.jsonl","line":1,"byte_offset":0}"#;
        let explain = resolved(line, record, &["-b", "h:1", "-F", "prod.conf"]).unwrap();
        assert_eq!(explain.unused, ["-b", "-F"]);
        let line = "dupaudit scan -b old:1 -t charges --by id";
        let explain = resolved(line, TOPIC_RECORD, &["-b", "h:1"]).unwrap();
        assert_eq!(explain.unused, [""; 0]);
    }

    #[test]
    fn a_report_of_no_scan_is_refused() {
        for (line, reason) in [
            ("dupaudit demo", "is no scan"),
            (
                "dupaudit scan --by id --from-the-future",
                "cannot be understood",
            ),
        ] {
            let error = resolved(line, TOPIC_RECORD, &[]).unwrap_err();
            assert!(error.message.contains(reason), "{error:?}");
        }
    }
}
