//! Flags → Command: every option is checked here, before anything is read.

pub mod dedup_key;
pub mod duration;
pub mod kafka;
pub mod mapping;
pub mod outputs;
pub mod partitions;
pub mod range;
pub mod size;
pub mod time;

use std::path::{Path, PathBuf};

use crate::audit::{Acceptance, AuditPlan};
use crate::cli::flags::{
    AcceptanceFlags, AmountUnitFlag, DedupKeyFlags, DemoFlags, FailOnFlag, ImpactFlags, LimitFlags,
    ScanFlags, SourceFlags,
};
use crate::cli::output::{DiffFlags, RenderFlags, RowsFlag, StoredReportFlags};
use crate::cli::preset;
use crate::cli::resolve::kafka::Environment;
use crate::cli::schema;
use crate::cli::spark;
use crate::cli::state;
use crate::cli::store;
use crate::cli::usage_error::UsageError;
use crate::cli::verdict;
use crate::command::{
    DemoCommand, DiffCommand, FailOn, ReportOptions, ScanCommand, StoredReportCommand,
};
use crate::dedup_key::{DedupKeySpec, MissingPolicy};
use crate::expression::Expression;
use crate::impact::{AmountUnit, ImpactSpec};
use crate::index::MEMORY_MIN_BYTES;
use crate::report::{CsvRows, ReportFormat};

/// More threads than any machine makes use of here.
const THREADS_MAX: usize = 1024;

/// What a command line depends on beside itself.
pub struct RunContext<'a> {
    /// The command line, secrets masked.
    pub command_line: Vec<String>,
    /// Start of the run, milliseconds since the epoch.
    pub now_millis: i64,
    /// Variables of the environment.
    pub environment: Environment<'a>,
    /// Memory that the process may use, in bytes.
    pub memory_bytes: u64,
    /// Threads that run at the same time.
    pub threads: usize,
}

/// Returns the audit that is asked for.
pub fn scan(flags: &ScanFlags, context: RunContext<'_>) -> Result<ScanCommand, UsageError> {
    let audit = &flags.audit;
    let beside = (audit.state.state.is_some(), audit.sources.dry_run);
    store::check_beside(&audit.store, beside)?;
    let cluster = spark::resolve(flags, context.environment)?;
    let (kafka, isolation) =
        kafka::resolve(&audit.sources, (cluster.is_some(), context.environment))?;
    let preset = preset::find(flags);
    let identity = preset::with_dedup_key(&audit.dedup_key, preset);
    let at_risk = preset::with_impact(&audit.impact, preset);
    let store = store::resolve(&audit.store)?;
    check_sources(&audit.sources, store.is_some())?;
    let outputs = outputs::resolve(&flags.output.render)?;
    let partitions = kafka.as_ref().and_then(|kafka| kafka.partitions.as_ref());
    let plan = AuditPlan {
        dedup_key: dedup_key(&identity, audit.sources.dry_run)?,
        schemas: None,
        mapping: mapping::resolve(
            &audit.sources.map,
            audit.sources.assume_topic.is_some(),
            range::zone(&audit.range)?,
        )?,
        assume_topic: audit.sources.assume_topic.as_deref().map(Into::into),
        filter: filter(identity.filter.as_deref())?,
        range: range::resolve(
            &audit.range,
            partitions,
            (context.now_millis, audit.state.state.is_some()),
        )?,
        reversal: reversal(audit.impact.reversal.as_deref())?,
        within_millis: dedup_key::within(identity.within.as_deref())?,
        impact: impact(&at_risk)?,
        acceptance: acceptance(&audit.acceptance)?,
        expected: verdict::expect::resolve(&audit.verdict.expect)?,
        show_values: flags.output.show_values,
        show_evidence: outputs.iter().any(|output| shows_evidence(output.format)),
        remembers: audit.state.state.is_some(),
        memory_bytes: memory(&flags.limits, context.memory_bytes)?,
        threads: threads(&flags.limits, context.threads)?,
    };
    Ok(ScanCommand {
        plan,
        state: state::request(&audit.state, &audit.range)?,
        schemas: schema::resolve(&audit.schema, &audit.sources.property, context.environment)?,
        files: files(&audit.sources.files),
        format: audit.sources.format.clone(),
        decompressed_bytes_max: decompressed_bytes_max(&flags.limits)?,
        kafka,
        store,
        cluster,
        is_dry_run: audit.sources.dry_run,
        isolation,
        preset: preset.map(|preset| preset.name),
        outputs,
        report: report(&flags.output.render, flags.output.quiet),
        redaction: outputs::redaction(flags.output.redact, flags.output.redact_key.as_deref())?,
        fail_on: fail_on(&audit.acceptance.fail_on),
        verdict: verdict::resolve(&audit.verdict, &audit.impact)?,
        command_line: context.command_line,
        started_at_millis: context.now_millis,
    })
}

/// Returns the demo that is asked for.
pub fn demo(flags: &DemoFlags, context: RunContext<'_>) -> DemoCommand {
    DemoCommand {
        memory_bytes: default_memory(context.memory_bytes),
        threads: context.threads.clamp(1, THREADS_MAX),
        is_quiet: flags.quiet,
        command_line: context.command_line,
        started_at_millis: context.now_millis,
    }
}

/// The other formats have no place for the evidence of each record; those for people have that of
/// the causes.
fn shows_evidence(format: ReportFormat) -> bool {
    match format {
        ReportFormat::Json | ReportFormat::Jsonl => true,
        ReportFormat::Csv | ReportFormat::Html | ReportFormat::Markdown | ReportFormat::Prom => {
            false
        }
        #[cfg(feature = "parquet")]
        ReportFormat::Parquet => false,
        #[cfg(feature = "xlsx")]
        ReportFormat::Xlsx => false,
    }
}

/// A dry run reads no record, so it need not be told what identifies one.
fn dedup_key(flags: &DedupKeyFlags, is_dry_run: bool) -> Result<DedupKeySpec, UsageError> {
    if is_dry_run && flags.by.is_empty() {
        return Ok(DedupKeySpec {
            fields: Vec::new(),
            ignore: Vec::new(),
            missing: MissingPolicy::Skip,
        });
    }
    dedup_key::resolve(flags)
}

fn filter(text: Option<&str>) -> Result<Option<Expression>, UsageError> {
    let example = "--where 'value.status == \"captured\" && value.amount > 100'";
    text.map(|text| expression("--where", text, example))
        .transpose()
}

fn reversal(text: Option<&str>) -> Result<Option<Expression>, UsageError> {
    let example = "--reversal 'value.type == \"refund\"'";
    text.map(|text| expression("--reversal", text, example))
        .transpose()
}

fn expression(option: &str, text: &str, example: &str) -> Result<Expression, UsageError> {
    Expression::compile(text).map_err(|error| {
        UsageError::new(format!("`{option}`: {error}"))
            .place(error.text, error.column)
            .hint(format!("write it as in {example}"))
    })
}

fn check_sources(flags: &SourceFlags, has_store: bool) -> Result<(), UsageError> {
    if flags.files.is_empty() && flags.topic.is_empty() && !has_store {
        return Err(UsageError::new("there is nothing to read").hint(
            "name files, `-` for standard input, or a topic: \
             dupaudit scan payments.jsonl --by charge_id, \
             dupaudit scan -b localhost:9092 -t charges --by charge_id",
        ));
    }
    flags.files.iter().try_for_each(|path| check_place(path))?;
    if let Some(topic) = &flags.assume_topic {
        kafka::check_topic(topic).map_err(|error| error.at("--assume-topic", topic))?;
    }
    if flags.files.is_empty() {
        let only_files = [
            (flags.format.is_some(), "--format"),
            (!flags.map.is_empty(), "--map"),
            (flags.assume_topic.is_some(), "--assume-topic"),
        ];
        if let Some((_, option)) = only_files.iter().find(|(is_given, _)| *is_given) {
            return Err(
                UsageError::new(format!("`{option}` is given, but no file to read"))
                    .hint("it says how files are read; leave it out for topics"),
            );
        }
    }
    Ok(())
}

/// A file of this name would only be said to be missing.
fn check_place(path: &Path) -> Result<(), UsageError> {
    let text = path.to_string_lossy();
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    match scheme {
        "s3" | "s3a" | "gs" | "abfs" | "abfss" | "wasbs" | "hdfs" | "http" | "https" => {
            let message = format!("`{text}` is no file: dupaudit reads what is mounted");
            Err(UsageError::new(message).hint(
                "mount the store (mountpoint-s3, gcsfuse, blobfuse2; with --engine spark on every \
                 worker) and name the path, or pipe it: aws s3 cp s3://… - | dupaudit scan -",
            ))
        }
        _ => Ok(()),
    }
}

/// Standard input can be read only once, however often it is named.
fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in paths {
        if path != Path::new("-") || !files.contains(path) {
            files.push(path.clone());
        }
    }
    files
}

fn impact(flags: &ImpactFlags) -> Result<ImpactSpec, UsageError> {
    let dependent = [
        (flags.currency.is_some(), "--currency"),
        (flags.amount_unit.is_some(), "--amount-unit"),
    ];
    if let Some((_, option)) = dependent.iter().find(|(is_given, _)| *is_given)
        && flags.amount.is_none()
    {
        return Err(UsageError::new(format!("`{option}` needs `--amount`"))
            .hint("name the field of the amount, such as --amount amount"));
    }
    let path = |option: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| dedup_key::field_path(option, text))
            .transpose()
    };
    Ok(ImpactSpec {
        amount: path("--amount", &flags.amount)?,
        currency: path("--currency", &flags.currency)?,
        subject: path("--subject", &flags.subject)?,
        unit: match flags.amount_unit {
            None | Some(AmountUnitFlag::Major) => AmountUnit::Major,
            Some(AmountUnitFlag::Minor) => AmountUnit::Minor,
        },
    })
}

fn acceptance(flags: &AcceptanceFlags) -> Result<Acceptance, UsageError> {
    let missing_rate = flags
        .max_missing
        .as_deref()
        .map(|text| parse_rate(text).map_err(|error| error.at("--max-missing", text)))
        .transpose()?;
    Ok(Acceptance {
        undecodable: flags.allow_undecodable,
        empty: flags.allow_empty,
        missing_rate,
    })
}

fn parse_rate(text: &str) -> Result<f64, UsageError> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let is_plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    number
        .parse::<f64>()
        .ok()
        .map(|number| number / scale)
        .filter(|rate| is_plain && (0.0..=1.0).contains(rate))
        .ok_or_else(|| {
            UsageError::new("this is no share between 0 and 1").hint("write it as 0.01 or as 1%")
        })
}

fn report(flags: &RenderFlags, is_quiet: bool) -> ReportOptions {
    ReportOptions {
        top: flags.top,
        rows: match flags.rows {
            RowsFlag::Records => CsvRows::Records,
            RowsFlag::Groups => CsvRows::Groups,
            RowsFlag::Episodes => CsvRows::Episodes,
        },
        is_csv_raw: flags.csv_raw,
        is_quiet,
    }
}

/// Returns the stored report that is asked for again.
pub fn stored_report(flags: &StoredReportFlags) -> Result<StoredReportCommand, UsageError> {
    Ok(StoredReportCommand {
        path: flags.report.clone(),
        outputs: outputs::resolve(&flags.render)?,
        report: report(&flags.render, flags.quiet),
        redaction: outputs::redaction(flags.redact, flags.redact_key.as_deref())?,
    })
}

/// Returns the comparison that is asked for.
pub fn diff(flags: &DiffFlags) -> DiffCommand {
    DiffCommand {
        old: flags.old.clone(),
        new: flags.new.clone(),
        is_json: flags.json,
        top: flags.top,
    }
}

fn fail_on(flags: &[FailOnFlag]) -> FailOn {
    FailOn {
        duplicates: flags.contains(&FailOnFlag::Duplicates),
        incomplete: flags.contains(&FailOnFlag::Incomplete),
        error: flags.contains(&FailOnFlag::Error),
    }
}

fn default_memory(usable_bytes: u64) -> u64 {
    (usable_bytes / 4).max(MEMORY_MIN_BYTES)
}

/// Returns the memory to stay within.
pub fn memory(flags: &LimitFlags, usable_bytes: u64) -> Result<u64, UsageError> {
    let Some(text) = &flags.memory else {
        return Ok(default_memory(usable_bytes));
    };
    match size::parse(text) {
        Ok(bytes) if bytes >= MEMORY_MIN_BYTES => Ok(bytes),
        Ok(_) => Err(UsageError::new("an audit needs at least 16M")
            .hint("write a size such as 512M or 2G")
            .at("--memory", text)),
        Err(error) => Err(error.at("--memory", text)),
    }
}

fn decompressed_bytes_max(flags: &LimitFlags) -> Result<Option<u64>, UsageError> {
    let parse =
        |text: &String| size::parse(text).map_err(|error| error.at("--max-decompressed", text));
    flags.max_decompressed.as_ref().map(parse).transpose()
}

fn threads(flags: &LimitFlags, available: usize) -> Result<usize, UsageError> {
    match flags.threads {
        None => Ok(available.clamp(1, THREADS_MAX)),
        Some(threads @ 1..=THREADS_MAX) => Ok(threads),
        Some(threads) => Err(
            UsageError::new(format!("there are 1 to {THREADS_MAX} threads"))
                .hint("leave the option out for one thread per processor")
                .at("--threads", &threads.to_string()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::audit::TimestampUnit;
    use crate::cli::flags::{CommandFlags, Flags};
    use crate::command::RedactionRequest;
    use crate::report::ReportFormat;
    use crate::source::Bound;
    use crate::source::kafka::Isolation;

    const NOW: i64 = 1_768_444_200_000;

    fn context() -> RunContext<'static> {
        RunContext {
            command_line: vec!["dupaudit".to_owned()],
            now_millis: NOW,
            environment: &|_| None,
            memory_bytes: 8 << 30,
            threads: 3,
        }
    }

    fn resolve(arguments: &str) -> Result<ScanCommand, UsageError> {
        let arguments = ["dupaudit", "scan"]
            .into_iter()
            .chain(arguments.split_whitespace());
        let flags = Flags::try_parse_from(arguments).unwrap();
        let CommandFlags::Scan(flags) = flags.command else {
            panic!("{:?}", flags.command)
        };
        scan(&flags, context())
    }

    fn error(arguments: &str) -> UsageError {
        resolve(arguments).unwrap_err()
    }

    #[test]
    fn every_option_comes_to_a_part_of_the_command() {
        let scan = resolve(
            "a.jsonl dir --format jsonl --map timestamp=at:s --assume-topic charges \
             -b one:9092 --topic charges -p 0,2 -X client.id=x -F prod.conf \
             --isolation read_uncommitted --stall-timeout 5s \
             --from 2026-01-14T02:30 --to -0 --tz America/New_York --look-back 1h \
             --where value.n>1 --by value,key --within 10m --ignore sent_at --missing group \
             --max-missing 1% --allow-empty --allow-undecodable 7 --fail-on duplicates,error \
             --amount a --currency c --subject s --amount-unit minor \
             -o x.csv -o - --output-format json --rows groups --top 0 --csv-raw \
             --show-values --quiet --memory 512M --max-decompressed 2K --threads 2",
        )
        .unwrap();
        assert_eq!(scan.files, [Path::new("a.jsonl"), Path::new("dir")]);
        assert_eq!(scan.format.as_deref(), Some("jsonl"));
        assert_eq!(scan.decompressed_bytes_max, Some(2048));
        assert_eq!(scan.isolation, Isolation::ReadUncommitted);
        assert_eq!(scan.kafka.unwrap().stall_timeout_millis, 5_000);
        let plan = scan.plan;
        let (_, unit) = plan.mapping.timestamp.unwrap();
        assert_eq!(unit, TimestampUnit::Seconds);
        assert_eq!(plan.assume_topic.as_deref(), Some("charges"));
        assert_eq!(plan.range.from, Some(Bound::Timestamp(NOW - 68_400_000)));
        assert_eq!(plan.range.to, Some(Bound::Timestamp(NOW)));
        assert_eq!(plan.range.look_back_millis, 3_600_000);
        assert_eq!(plan.dedup_key.fields.len(), 2);
        assert_eq!(plan.dedup_key.ignore.len(), 1);
        assert_eq!(plan.dedup_key.missing, MissingPolicy::Group);
        assert_eq!(plan.filter.unwrap().to_string(), "value.n>1");
        assert_eq!(plan.within_millis, Some(600_000));
        let impact = plan.impact;
        assert!(impact.amount.is_some() && impact.currency.is_some() && impact.subject.is_some());
        assert_eq!(impact.unit, AmountUnit::Minor);
        let expected = Acceptance {
            undecodable: 7,
            empty: true,
            missing_rate: Some(0.01),
        };
        assert_eq!(plan.acceptance, expected);
        assert!(plan.show_values);
        assert_eq!((plan.memory_bytes, plan.threads), (512 << 20, 2));
        let formats: Vec<_> = scan.outputs.iter().map(|output| output.format).collect();
        assert_eq!(formats, [ReportFormat::Csv, ReportFormat::Json]);
        let expected = ReportOptions {
            top: 0,
            rows: CsvRows::Groups,
            is_csv_raw: true,
            is_quiet: true,
        };
        assert_eq!(scan.report, expected);
        let expected = FailOn {
            duplicates: true,
            incomplete: false,
            error: true,
        };
        assert_eq!(scan.fail_on, expected);
        assert_eq!(scan.started_at_millis, NOW);
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let scan = resolve("a.jsonl --by id").unwrap();
        assert!(scan.kafka.is_none() && scan.outputs.is_empty() && scan.format.is_none());
        assert_eq!(scan.isolation, Isolation::ReadCommitted);
        let expected = ReportOptions {
            top: 20,
            rows: CsvRows::Records,
            is_csv_raw: false,
            is_quiet: false,
        };
        assert_eq!(scan.report, expected);
        assert_eq!(scan.fail_on, FailOn::default());
        assert_eq!(scan.plan.acceptance, Acceptance::default());
        assert_eq!(scan.plan.impact, ImpactSpec::default());
        assert_eq!(scan.plan.memory_bytes, 2 << 30);
        assert_eq!(scan.plan.threads, 3);
        assert!(!scan.plan.show_values);
        let redaction = |line| resolve(line).map(|scan| scan.redaction);
        assert_eq!(redaction("a --by id").unwrap(), None);
        let random = Some(RedactionRequest::Random);
        assert_eq!(redaction("a --by id --redact hash").unwrap(), random);
        let mask = Some(RedactionRequest::Mask);
        assert_eq!(redaction("a --by id --redact mask").unwrap(), mask);
        let keyed = Some(RedactionRequest::KeyFile(PathBuf::from("k")));
        let line = "a --by id --redact hash --redact-key k";
        assert_eq!(redaction(line).unwrap(), keyed);
        assert!(redaction("a --by id --redact mask --redact-key k").is_err());
    }

    #[test]
    fn an_object_store_is_no_missing_file() {
        for place in ["s3://charges/2026/", "gs://a/b.jsonl", "abfss://a@b/c"] {
            let refused = error(&format!("{place} --by id")).message;
            assert!(refused.contains("is no file"), "{refused}");
        }
        assert!(resolve("odd://name --by id").is_ok());
    }

    #[test]
    fn a_dry_run_needs_a_topic_and_no_dedup_key() {
        assert!(resolve("-b h:1 -t a --dry-run").unwrap().is_dry_run);
        assert!(!resolve("-b h:1 -t a --by id").unwrap().is_dry_run);
        assert!(error("a.jsonl --dry-run").message.contains("--dry-run"));
    }

    #[test]
    fn options_may_follow_files_and_files_options() {
        let files = |arguments| resolve(arguments).unwrap().files;
        assert_eq!(files("a --by id b"), [Path::new("a"), Path::new("b")]);
        assert_eq!(files("--by id -- -x"), [Path::new("-x")]);
        assert_eq!(files("- a --by id - a"), ["-", "a", "a"].map(Path::new));
    }

    #[test]
    fn without_anything_to_read_the_hint_says_how() {
        let error = error("--by id");
        assert_eq!(error.message, "there is nothing to read");
        assert!(error.hint.unwrap().contains("`-` for standard input"));
    }

    #[test]
    fn options_of_files_need_a_file() {
        for option in ["--format csv", "--map topic=t", "--assume-topic x"] {
            let error = error(&format!("-b h:1 -t a --by id {option}"));
            assert!(error.message.contains("no file to read"), "{error:?}");
        }
        assert!(
            error("a --by id --assume-topic a,b")
                .message
                .contains("--assume-topic a,b")
        );
    }

    #[test]
    fn currency_and_unit_need_an_amount() {
        for option in ["--currency c", "--amount-unit minor"] {
            let error = error(&format!("a --by id {option}"));
            assert!(error.message.contains("needs `--amount`"), "{error:?}");
        }
        assert!(resolve("a --by id --subject s").is_ok());
        for option in ["--amount", "--subject"] {
            let error = error(&format!("a --by id {option} a..b"));
            assert!(
                error.message.starts_with(&format!("`{option} a..b`: ")),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_rate_is_a_share_or_a_percentage() {
        for (text, rate) in [
            ("0", 0.0),
            ("0.25", 0.25),
            ("25%", 0.25),
            ("100%", 1.0),
            ("1", 1.0),
        ] {
            let scan = resolve(&format!("a --by id --max-missing {text}")).unwrap();
            assert_eq!(scan.plan.acceptance.missing_rate, Some(rate), "{text}");
        }
        for text in ["2", "101%", "nan", "inf", "1e-2", "x", "%", "+1", "."] {
            let error = error(&format!("a --by id --max-missing {text}"));
            assert!(
                error
                    .message
                    .starts_with(&format!("`--max-missing {text}`: "))
            );
        }
    }

    #[test]
    fn limits_are_checked() {
        for option in [
            "--memory 0",
            "--memory 16383K",
            "--memory x",
            "--threads 0",
            "--threads 1025",
        ] {
            let error = error(&format!("a --by id {option}"));
            assert!(
                error.message.starts_with(&format!("`{option}`: ")),
                "{error:?}"
            );
        }
        assert_eq!(
            resolve("a --by id --memory 16M").unwrap().plan.memory_bytes,
            16 << 20
        );
    }

    #[test]
    fn wrong_values_of_other_options_are_errors_too() {
        for option in [
            "--within x",
            "--look-back x",
            "--map x",
            "--ignore x",
            "-o x",
            "--tz x",
        ] {
            assert!(resolve(&format!("a --by id {option}")).is_err(), "{option}");
        }
    }

    #[test]
    fn the_demo_uses_what_the_machine_has() {
        let demo = demo(&DemoFlags { quiet: true }, context());
        assert_eq!((demo.memory_bytes, demo.threads), (2 << 30, 3));
        assert!(demo.is_quiet);
    }
}
