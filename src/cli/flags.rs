//! The command line as typed: nothing is interpreted here.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::cli::config::ConfigFlags;
use crate::cli::config::check::CheckFlags;
use crate::cli::explain::ExplainFlags;
use crate::cli::generated::CompletionsFlags;
use crate::cli::help;
use crate::cli::output::{DiffFlags, OutputFlags, StoredReportFlags};
use crate::cli::preset::PresetsFlags;
use crate::cli::schema::SchemaFlags;
use crate::cli::shards::{ExtractFlags, MergeFlags};
use crate::cli::spark::SparkFlags;
use crate::cli::state::{HistoryFlags, StateCommandFlags, StateFlags};
use crate::cli::store::StoreFlags;
use crate::cli::suggest::SuggestFlags;
use crate::cli::verdict::{BaselineFlags, VerdictFlags};
use crate::preset::Preset;
use crate::source::file::FileFormat;

/// Finds duplicate records in Kafka topic ranges and exported logs.
#[derive(Debug, Parser)]
#[command(
    name = "dupaudit",
    version,
    about,
    after_help = help::ROOT_END,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub struct Flags {
    /// What to do.
    #[command(subcommand)]
    pub command: CommandFlags,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum CommandFlags {
    /// Audit files and topics: group the records that are the same, and report every duplicate
    #[command(after_help = help::SCAN_END)]
    Scan(Box<ScanFlags>),
    /// Read the records of one reported group again and lay them side by side, with the cause
    #[command(after_help = help::EXPLAIN_END)]
    Explain(Box<ExplainFlags>),
    /// Render a stored JSON report again, for people or in another format
    #[command(after_help = help::REPORT_END)]
    Report(StoredReportFlags),
    /// Accept the groups of a report: the scans of later nights count them as known
    #[command(after_help = help::BASELINE_END)]
    Baseline(BaselineFlags),
    /// Compare two stored JSON reports: which groups are new, have grown, or are gone
    #[command(after_help = help::DIFF_END)]
    Diff(DiffFlags),
    /// Look at records and propose the fields that identify them, with the scan to run next
    #[command(after_help = help::SUGGEST_END)]
    Suggest(Box<SuggestFlags>),
    /// Read a part of an audit, on any machine, for `merge` to conclude
    #[command(after_help = help::EXTRACT_END)]
    Extract(Box<ExtractFlags>),
    /// Merge what `extract` read on several machines into one report
    #[command(after_help = help::MERGE_END)]
    Merge(Box<MergeFlags>),
    /// Lose acknowledgements inside an embedded broker, then audit what comes of it
    #[command(after_help = help::DEMO_END)]
    Demo(DemoFlags),
    /// Check a file of audits, and show each as the scan that it amounts to
    #[command(after_help = help::CHECK_END)]
    Check(CheckFlags),
    /// List the presets of --preset, or show what one of them sets
    #[command(after_help = help::PRESETS_END)]
    Presets(PresetsFlags),
    /// Show, shorten or remove what runs with --state remember
    #[command(after_help = help::STATE_END)]
    State(StateCommandFlags),
    /// Chart and list what the last runs with --state came to
    #[command(after_help = help::HISTORY_END)]
    History(HistoryFlags),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS_END)]
    Completions(CompletionsFlags),
    /// Print the manual page
    #[command(after_help = help::MAN_END)]
    Man,
}

/// What an audit is of: options of `scan` and `extract` alike.
#[derive(Args, Debug)]
pub struct AuditFlags {
    /// Where the records are.
    #[command(flatten)]
    pub sources: SourceFlags,
    /// Those in a database.
    #[command(flatten)]
    pub store: StoreFlags,
    /// What is inside them.
    #[command(flatten)]
    pub schema: SchemaFlags,
    /// Which of them count.
    #[command(flatten)]
    pub range: RangeFlags,
    /// What runs remember.
    #[command(flatten)]
    pub state: StateFlags,
    /// What makes two the same.
    #[command(flatten)]
    pub dedup_key: DedupKeyFlags,
    /// What is accepted.
    #[command(flatten)]
    pub acceptance: AcceptanceFlags,
    /// What is at risk.
    #[command(flatten)]
    pub impact: ImpactFlags,
    /// What is new, and what was known.
    #[command(flatten)]
    pub verdict: VerdictFlags,
}

/// Options of `scan`.
#[derive(Args, Debug)]
pub struct ScanFlags {
    /// What is audited.
    #[command(flatten)]
    pub audit: AuditFlags,
    /// What is written.
    #[command(flatten)]
    pub output: OutputFlags,
    /// What may be used.
    #[command(flatten)]
    pub limits: LimitFlags,
    /// Who does the work.
    #[command(flatten)]
    pub spark: SparkFlags,
    /// What is not typed.
    #[command(flatten)]
    pub config: ConfigFlags,
}

/// Where the records are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sources")]
pub struct SourceFlags {
    /// Exported logs, plain or compressed; a directory is walked, `-` is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath, help_heading = None)]
    pub files: Vec<PathBuf>,
    /// Format of the files, instead of telling it by their content
    #[arg(long, value_name = "FORMAT",
        value_parser = PossibleValuesParser::new(FileFormat::names()))]
    pub format: Option<String>,
    /// Where a plain log keeps the timestamp, topic, partition, offset, key or value; the unit of
    /// a timestamp that is a number may follow: `timestamp=created:ms` (s, ms, us, ns)
    #[arg(long, value_name = "NAME=FIELD")]
    pub map: Vec<String>,
    /// Topic of exports that carry none
    #[arg(long, value_name = "NAME")]
    pub assume_topic: Option<String>,
    /// Brokers to ask first, comma-separated
    #[arg(short, long, value_name = "HOST:PORT")]
    pub brokers: Vec<String>,
    /// Topic to read; `^…` is a regular expression (repeatable)
    #[arg(short, long, value_name = "TOPIC")]
    pub topic: Vec<String>,
    /// Partitions to read, such as `0,3-5` [default: all]
    #[arg(short, long, value_name = "LIST")]
    pub partitions: Vec<String>,
    /// Any librdkafka property; secrets as `NAME=@FILE` or `NAME=env:VARIABLE` (repeatable)
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// File of properties, librdkafka's or a Java `client.properties` (repeatable)
    #[arg(short = 'F', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub property_file: Vec<PathBuf>,
    /// Which transactions count [default: `read_committed`]
    #[arg(
        long,
        value_name = "LEVEL",
        value_enum,
        help = "Which transactions count [default: read_committed]"
    )]
    pub isolation: Option<IsolationFlag>,
    /// Who talks to the brokers: our own reader of the protocol, or librdkafka; by default our own
    /// unless the properties ask for what only librdkafka has
    #[arg(long, value_name = "READER", value_enum)]
    pub reader: Option<ReaderFlag>,
    /// Give a partition up that has been silent for this long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub stall_timeout: String,
    /// Read no more than this from the brokers, such as `50MB/s`, counted as unpacked
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<String>,
    /// Read nothing: show the partitions, ranges, and what reading them would take
    #[arg(long)]
    pub dry_run: bool,
}

/// Which records count.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Range")]
pub struct RangeFlags {
    /// Start of the range, included: RFC 3339, a date (a UTC day), `-2h` (before now),
    /// `offset:N` or `offset:P=N,P=N`
    #[arg(long, value_name = "TIME|OFFSET", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End of the range, not included; the same forms
    #[arg(long, value_name = "TIME|OFFSET", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Zone of times and dates that name none, such as `Europe/Berlin`
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Read records this long before the range as possible originals
    /// [default: 15m with a --from time, 48h with --state, else 0]
    #[arg(long, value_name = "DURATION")]
    pub look_back: Option<String>,
    /// With a --to time: read a partition no further than this long after its first later record
    /// [default: to its end, since timestamps are in no order]
    #[arg(long, value_name = "DURATION")]
    pub late: Option<String>,
}

/// What makes two records the same.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is the same")]
pub struct DedupKeyFlags {
    /// Records of a well-known system: sets --by, and --where, --amount and others as the system
    /// needs them, where they are not given; `dupaudit presets` lists them
    #[arg(long, value_name = "NAME", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(Preset::names()))]
    pub preset: Option<String>,
    /// Fields that together identify a record, such as `charge_id`, `key`, `headers.NAME` or
    /// `value.email|trim|lower` (repeatable, or comma-separated); `headers.ce_id//id` is the second
    /// where a record lacks the first
    #[arg(long, value_name = "FIELD")]
    pub by: Vec<String>,
    /// Audit only records that match, such as `value.status == "captured" && value.amount > 100`:
    /// CEL over `value`, `key`, `headers`, `topic`, `partition`, `offset` and `timestamp` (in ms)
    #[arg(long = "where", value_name = "EXPR")]
    pub filter: Option<String>,
    /// Split a group where two neighbours are further apart in time
    #[arg(long, value_name = "DURATION")]
    pub within: Option<String>,
    /// With `--by value`: fields that do not count (repeatable, or comma-separated)
    #[arg(long, value_name = "FIELD")]
    pub ignore: Vec<String>,
    /// Records that lack a part of the dedup key: count them, or group them too [default: skip]
    #[arg(long, value_name = "POLICY", value_enum)]
    pub missing: Option<MissingFlag>,
}

/// What is accepted without the coverage being called incomplete.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is accepted")]
pub struct AcceptanceFlags {
    /// Largest share of records without the dedup key, such as `0.01` or `1%`
    #[arg(long, value_name = "RATE")]
    pub max_missing: Option<String>,
    /// Accept a scan that audits no record
    #[arg(long)]
    pub allow_empty: bool,
    /// Accept up to N records that cannot be decoded
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub allow_undecodable: u64,
    /// What ends with a code other than 0, comma-separated
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        default_value = "duplicates,incomplete,error"
    )]
    pub fail_on: Vec<FailOnFlag>,
}

/// What is at risk.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is at risk")]
pub struct ImpactFlags {
    /// Amount of a record
    #[arg(long, value_name = "FIELD")]
    pub amount: Option<String>,
    /// Currency of the amount
    #[arg(long, value_name = "FIELD")]
    pub currency: Option<String>,
    /// Who is hit, such as `customer_id`
    #[arg(long, value_name = "FIELD")]
    pub subject: Option<String>,
    /// Records that take something back, such as `value.type == "refund"`, as CEL like `--where`.
    /// They are no duplicates; their amounts are set against the extra records with the same
    /// dedup key and currency, as far as both go. Only those among the records scanned count
    #[arg(long, value_name = "EXPR")]
    pub reversal: Option<String>,
    /// What the amount counts: units such as dollars, or such as cents [default: major]
    #[arg(long, value_name = "UNIT", value_enum)]
    pub amount_unit: Option<AmountUnitFlag>,
}

/// What may be used of the machine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitFlags {
    /// Memory to stay within, such as `512M` or `2G`, from 16M on; below 64M the program by itself
    /// takes more [default: a quarter of what there is]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Bytes to unpack of one compressed file at most, such as `10G` [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub max_decompressed: Option<String>,
    /// Worker threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Options of `demo`.
#[derive(Args, Debug)]
pub struct DemoFlags {
    /// No progress, no hints; the report stays
    #[arg(short, long)]
    pub quiet: bool,
}

/// Values of `--isolation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum IsolationFlag {
    /// Committed transactions only.
    #[value(help = None)]
    ReadCommitted,
    /// All of them.
    #[value(help = None)]
    ReadUncommitted,
}

/// Values of `--reader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReaderFlag {
    /// Our own.
    #[value(help = None)]
    Wire,
    /// The C library.
    #[value(help = None)]
    Librdkafka,
}

/// Values of `--missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MissingFlag {
    /// Count them, never group them.
    #[value(help = None)]
    Skip,
    /// Null and missing are equal to each other.
    #[value(help = None)]
    Group,
}

/// Values of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOnFlag {
    /// Duplicates were found.
    #[value(help = None)]
    Duplicates,
    /// Coverage is not complete.
    #[value(help = None)]
    Incomplete,
    /// The audit failed.
    #[value(help = None)]
    Error,
}

/// Values of `--amount-unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AmountUnitFlag {
    /// Such as dollars.
    #[value(help = None)]
    Major,
    /// Such as cents, by the currency's ISO 4217 exponent.
    #[value(help = None)]
    Minor,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn error(arguments: &[&str]) -> clap::Error {
        Flags::try_parse_from(["dupaudit"].iter().chain(arguments)).unwrap_err()
    }

    #[test]
    fn the_definition_is_sound() {
        Flags::command().debug_assert();
    }

    #[test]
    fn help_names_every_option_of_the_contract() {
        let help = error(&["scan", "--help"]).to_string();
        for option in [
            "-b, --brokers",
            "-t, --topic",
            "-p, --partitions",
            "-X <",
            "-F <",
            "--isolation",
            "--from",
            "--to",
            "--tz",
            "--look-back",
            "--assume-topic",
            "--format",
            "--map",
            "--preset",
            "--by",
            "--within",
            "--ignore",
            "--missing",
            "--max-missing",
            "--allow-empty",
            "--allow-undecodable",
            "--amount",
            "--currency",
            "--subject",
            "--amount-unit",
            "--reversal",
            "-o, --output",
            "--output-format",
            "--rows",
            "--top",
            "--csv-raw",
            "--show-values",
            "--redact",
            "-q, --quiet",
            "--memory",
            "--threads",
            "--fail-on",
            "--baseline",
            "--fail-at",
            "--expect",
            "--notify-command",
            "--stall-timeout",
            "--late",
            "--postgres",
            "--category",
            "--table",
            "--audit",
            "--config",
            "--state",
            "--new-for",
            "--max-rate",
            "--dry-run",
            "--engine",
            "--master",
            "--spark-submit",
            "--conf",
            "-r, --schema-registry",
            "--schemas",
            "--value-schema",
            "--key-schema",
            "[FILE]",
            "Exit codes:",
            "Examples:",
        ] {
            assert!(help.contains(option), "{option} is not in\n{help}");
        }
        let short = error(&["scan", "-h"]).to_string();
        assert_eq!(short, help);
    }

    #[test]
    fn help_of_the_program_has_the_exit_codes() {
        let help = error(&["--help"]).to_string();
        for text in [
            "scan",
            "demo",
            "completions",
            "man",
            "Exit codes:",
            "\n  4  ",
        ] {
            assert!(help.contains(text), "{text}");
        }
    }

    #[test]
    fn without_arguments_the_help_is_an_error() {
        let error = error(&[]);
        assert_eq!(
            error.kind(),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn the_version_is_shown() {
        let error = error(&["--version"]);
        let version = concat!("dupaudit ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(
            (error.exit_code(), error.to_string().as_str()),
            (0, version)
        );
    }

    #[test]
    fn wrong_options_and_values_are_refused() {
        for arguments in [
            "scan --nope",
            "scan --isolation x",
            "scan --missing x",
            "scan --fail-on x",
            "scan --amount-unit x",
            "scan --output-format x",
            "scan --rows x",
            "scan --redact x",
            "scan --top x",
            "scan --top -1",
            "scan --threads x",
            "scan --allow-undecodable -1",
            "scan --top 1 --top 2",
            "scan --show-values --redact hash",
            "check --config a --schema",
            "check x",
            "scan --from",
            "audit",
            "completions",
            "completions x",
            "man x",
            "demo x",
        ] {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            assert_eq!(error(&arguments).exit_code(), 2, "{arguments:?}");
        }
    }

    #[test]
    fn relative_times_and_kcat_offsets_are_values() {
        let arguments = [
            "dupaudit", "scan", "--from", "-2h", "--to", "-90m", "-o", "-10",
        ];
        let flags = Flags::try_parse_from(arguments).unwrap();
        let CommandFlags::Scan(scan) = flags.command else {
            panic!("{flags:?}")
        };
        assert_eq!(scan.audit.range.from.as_deref(), Some("-2h"));
        assert_eq!(scan.audit.range.to.as_deref(), Some("-90m"));
        assert_eq!(scan.output.render.output, [PathBuf::from("-10")]);
    }
}
