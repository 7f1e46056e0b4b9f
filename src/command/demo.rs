//! Loses acknowledgements in an embedded broker, then audits what comes of it.

#[cfg(feature = "kafka")]
pub use embedded::run;

#[cfg(not(feature = "kafka"))]
use crate::command::{CommandError, DemoCommand, Outcome, Surroundings};

/// Says that this build has no broker to embed.
#[cfg(not(feature = "kafka"))]
pub fn run(
    _demo: &DemoCommand,
    _surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let error = anyhow::anyhow!("this build of dupaudit has no broker to embed");
    Err(CommandError::configuration(error).with_hint("build it with the default features"))
}

#[cfg(feature = "kafka")]
mod embedded {
    use anyhow::{Context, anyhow};

    use crate::audit::AuditPlan;
    use crate::command::scan;
    use crate::command::{
        CommandError, DemoCommand, FailOn, KafkaRequest, Message, Outcome, ReportOptions,
        ScanCommand, Surroundings, VerdictRequest,
    };
    use crate::dedup_key::{DedupKeySpec, KeyField, MissingPolicy};
    use crate::finding::AuditSummary;
    use crate::impact::{AmountUnit, ImpactSpec};
    use crate::record::FieldPath;
    use crate::report::CsvRows;
    use crate::schema::SchemaSpec;
    use crate::source::kafka::spec::STALL_TIMEOUT;
    use crate::source::kafka::{
        CountedRecords, DEMO_RECORDS, DEMO_TOPIC, Isolation, LostAckCluster, Reader,
    };

    /// Groups shown by the demo.
    const TOP: usize = 5;

    /// Runs the demo; it fails unless the audit finds exactly what an independent count finds.
    pub fn run(
        demo: &DemoCommand,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Outcome, CommandError> {
        (surroundings.say)(Message::Note(format!(
            "sending {DEMO_RECORDS} payments once each to a broker in this process, \
             which acknowledges some of them too late"
        )));
        let cluster = LostAckCluster::start()
            .context("run the embedded broker")
            .map_err(CommandError::failed)?;
        let counted = cluster
            .count()
            .context("count the demo topic")
            .map_err(CommandError::failed)?;
        let scan = scan_command(demo, cluster.bootstrap_servers());
        let summary = scan::audit_command(&scan, surroundings)?;
        check(&summary, &counted)?;
        Ok(Outcome::Done)
    }

    fn check(summary: &AuditSummary, counted: &CountedRecords) -> Result<(), CommandError> {
        let found = (summary.records_read, summary.groups, summary.extra_records);
        let expected = (counted.records, counted.groups(), counted.extra_records());
        if found == expected && summary.groups > 0 && summary.complete {
            return Ok(());
        }
        Err(CommandError::failed(anyhow!(
            "the audit found (records, groups, extra records) {found:?}, \
             an independent count {expected:?}"
        )))
    }

    fn scan_command(demo: &DemoCommand, brokers: String) -> ScanCommand {
        let path = |name: &str| FieldPath::parse(name).expect("the demo's fields are paths");
        let key = KeyField {
            path: path("charge_id"),
            normalizers: Vec::new(),
        };
        ScanCommand {
            verdict: VerdictRequest::default(),
            plan: AuditPlan {
                impact: ImpactSpec {
                    amount: Some(path("amount")),
                    currency: Some(path("currency")),
                    subject: Some(path("customer_id")),
                    unit: AmountUnit::Major,
                },
                memory_bytes: demo.memory_bytes,
                threads: demo.threads,
                ..AuditPlan::of(DedupKeySpec {
                    fields: vec![key],
                    ignore: Vec::new(),
                    missing: MissingPolicy::Skip,
                })
            },
            state: None,
            schemas: SchemaSpec::default(),
            files: Vec::new(),
            store: None,
            cluster: None,
            format: None,
            decompressed_bytes_max: None,
            kafka: Some(KafkaRequest {
                brokers: Some(brokers),
                topics: vec![DEMO_TOPIC.to_owned()],
                partitions: None,
                properties: Vec::new(),
                property_files: Vec::new(),
                stall_timeout_millis: i64::try_from(STALL_TIMEOUT.as_millis()).unwrap_or(i64::MAX),
                max_rate_bytes: None,
                reader: Reader::Automatic,
            }),
            is_dry_run: false,
            isolation: Isolation::ReadCommitted,
            preset: None,
            outputs: Vec::new(),
            report: ReportOptions {
                top: TOP,
                rows: CsvRows::Records,
                is_csv_raw: false,
                // A hint at options of `scan` would be none of the demo's.
                is_quiet: true,
            },
            redaction: None,
            fail_on: FailOn::default(),
            command_line: demo.command_line.clone(),
            started_at_millis: demo.started_at_millis,
        }
    }
}
