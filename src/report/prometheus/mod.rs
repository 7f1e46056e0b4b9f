//! Metrics of one audit as a textfile of Prometheus: gauges of the last run, counters of all runs,
//! and no values of records but codes of currencies.

mod counters;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::io::Write;

use crate::finding::AuditSummary;
use crate::finding::Cause;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::OTHER_TOPICS;
use crate::finding::StandingTotal;
use crate::finding::TOPICS_MAX;
use crate::finding::Verdict;
use crate::report::ReportHead;
use crate::report::ReportWriter;

/// Writes the metrics.
pub struct PrometheusReport<W> {
    output: W,
    audit: String,
}

impl<W: Write> PrometheusReport<W> {
    /// Returns the writer; `audit` tells the series of several audits apart.
    pub fn new(output: W, audit: String) -> Self {
        Self { output, audit }
    }
}

impl<W: Write> ReportWriter for PrometheusReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        let mut metrics = Metrics {
            text: String::new(),
            audit: &self.audit,
        };
        run(&mut metrics, report);
        findings(&mut metrics, report.summary);
        if let Some(standing) = &report.summary.standing {
            new_and_known(&mut metrics, standing);
        }
        amounts(&mut metrics, report.summary);
        topics(&mut metrics, report);
        if let Some(totals) = report.totals {
            counters::counters(&mut metrics, totals);
        }
        self.output.write_all(metrics.text.as_bytes())
    }

    fn group(&mut self, _: &DuplicateGroup) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// The text while it grows: each metric is begun once, with all its samples behind it.
struct Metrics<'a> {
    text: String,
    audit: &'a str,
}

impl Metrics<'_> {
    fn gauge(&mut self, name: &str, help: &str) {
        self.describe(name, help, "gauge");
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.describe(name, help, "counter");
    }

    fn describe(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP dupaudit_{name} {help}");
        let _ = writeln!(self.text, "# TYPE dupaudit_{name} {kind}");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl fmt::Display) {
        let _ = write!(self.text, "dupaudit_{name}{{audit=\"");
        push_escaped(&mut self.text, self.audit);
        if let Some((label, of)) = label {
            let _ = write!(self.text, "\",{label}=\"");
            push_escaped(&mut self.text, of);
        }
        let _ = writeln!(self.text, "\"}} {value}");
    }

    /// Writes a counter of one sample.
    fn count(&mut self, name: &str, help: &str, value: u64) {
        self.counter(name, help);
        self.sample(name, None, value);
    }

    /// Writes a gauge of one sample.
    fn single(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.gauge(name, help);
        self.sample(name, None, value);
    }
}

/// Escapes what ends a label's value, and hides what a terminal would obey.
fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            character if character.is_control() => text.push('\u{fffd}'),
            character => text.push(character),
        }
    }
}

fn run(metrics: &mut Metrics<'_>, report: &ReportHead<'_>) {
    let (header, summary) = (report.header, report.summary);
    metrics.gauge("build_info", "Version of dupaudit; always 1.");
    metrics.sample("build_info", Some(("version", &header.dupaudit_version)), 1);
    metrics.single(
        "last_run_timestamp_seconds",
        "When the last run ended.",
        seconds(header.finished_at_millis),
    );
    let duration = header.finished_at_millis - header.started_at_millis;
    metrics.single(
        "last_run_duration_seconds",
        "How long the last run took.",
        seconds(duration),
    );
    metrics.gauge(
        "verdict",
        "1 for the verdict of the last run, 0 for the others.",
    );
    for verdict in [Verdict::Clean, Verdict::Duplicates, Verdict::Incomplete] {
        let is_said = u8::from(verdict == summary.verdict);
        metrics.sample("verdict", Some(("verdict", verdict.code())), is_said);
    }
    metrics.single(
        "coverage_complete",
        "Whether all that was asked for was read.",
        u8::from(summary.complete),
    );
    metrics.single("records_read", "Records delivered.", summary.records_read);
    metrics.single(
        "records_audited",
        "Records that took part in the comparison.",
        summary.records_audited,
    );
    metrics.gauge("records_skipped", "Records that did not, by reason.");
    for (reason, count) in summary.skipped.by_code() {
        metrics.sample("records_skipped", Some(("reason", reason)), count);
    }
}

/// Milliseconds as seconds, exactly.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

fn findings(metrics: &mut Metrics<'_>, summary: &AuditSummary) {
    metrics.single("groups", "Groups of duplicates.", summary.groups);
    metrics.single(
        "extra_records",
        "Duplicates: occurrences of all groups but their originals.",
        summary.extra_records,
    );
    metrics.single(
        "conflicting_groups",
        "Groups whose values are not byte-identical.",
        summary.conflicting_groups,
    );
    let of = |cause: Cause| {
        let total = summary.causes.iter().find(|total| total.cause == cause);
        total.map_or((0, 0), |total| (total.groups, total.extra_records))
    };
    metrics.gauge("cause_groups", "Groups with an extra record of the cause.");
    for cause in Cause::ALL {
        metrics.sample("cause_groups", Some(("cause", cause.code())), of(cause).0);
    }
    metrics.gauge("cause_extra_records", "Extra records of the cause.");
    for cause in Cause::ALL {
        let label = Some(("cause", cause.code()));
        metrics.sample("cause_extra_records", label, of(cause).1);
    }
}

fn new_and_known(metrics: &mut Metrics<'_>, standing: &StandingTotal) {
    metrics.single(
        "new_groups",
        "Groups with a new extra record.",
        standing.new_groups,
    );
    metrics.single(
        "new_extra_records",
        "New extra records.",
        standing.new_extra_records,
    );
    metrics.single(
        "known_groups",
        "Groups that were known.",
        standing.known_groups,
    );
    metrics.single(
        "known_extra_records",
        "Extra records that were known.",
        standing.known_extra_records,
    );
    if let Some(gone) = standing.gone_groups {
        metrics.single(
            "gone_groups",
            "Groups of the baseline that were not found.",
            gone,
        );
    }
}

/// A currency comes from records, so only what looks like the code of one becomes a label.
fn currency_label(currency: Option<&str>) -> Option<&str> {
    let is_code =
        |text: &&str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    match currency {
        None => Some(""),
        Some(currency) => Some(currency).filter(is_code),
    }
}

fn amounts(metrics: &mut Metrics<'_>, summary: &AuditSummary) {
    let named: Vec<_> = summary
        .amounts
        .iter()
        .filter_map(|total| Some((currency_label(total.currency.as_deref())?, total)))
        .collect();
    if summary.amounts.is_empty() {
        return;
    }
    metrics.gauge(
        "amount_at_risk",
        "Sum over extra records less reversals, by currency.",
    );
    for (currency, total) in &named {
        metrics.sample("amount_at_risk", Some(("currency", currency)), &total.net);
    }
    metrics.gauge(
        "amount_conflicting",
        "Sum over extra records of groups that disagree on amount, currency or subject.",
    );
    for (currency, total) in &named {
        let label = Some(("currency", *currency));
        metrics.sample("amount_conflicting", label, &total.conflicting);
    }
    metrics.single(
        "amount_currencies_left_out",
        "Currencies whose names are no codes of three capitals, which have no sum here.",
        summary.amounts.len() - named.len(),
    );
}

/// What one topic came to.
#[derive(Default)]
struct TopicTotal {
    records_read: u64,
    lag: u64,
    extra_records: u64,
}

fn topics(metrics: &mut Metrics<'_>, report: &ReportHead<'_>) {
    let totals = topic_totals(report.coverage, report.summary);
    if totals.is_empty() {
        return;
    }
    metrics.gauge("topic_records_read", "Records delivered of the topic.");
    for (topic, total) in &totals {
        metrics.sample(
            "topic_records_read",
            Some(("topic", topic)),
            total.records_read,
        );
    }
    metrics.gauge(
        "topic_lag_offsets",
        "Offsets between what was read and the end of the log, as known when the run began.",
    );
    for (topic, total) in &totals {
        metrics.sample("topic_lag_offsets", Some(("topic", topic)), total.lag);
    }
    metrics.gauge("topic_extra_records", "Extra records in the topic.");
    for (topic, total) in &totals {
        metrics.sample(
            "topic_extra_records",
            Some(("topic", topic)),
            total.extra_records,
        );
    }
}

/// Returns the totals of the topics that were read; those that only records name are one.
fn topic_totals<'a>(
    coverage: &'a Coverage,
    summary: &'a AuditSummary,
) -> BTreeMap<&'a str, TopicTotal> {
    let mut totals: BTreeMap<&str, TopicTotal> = BTreeMap::new();
    for read in &coverage.partitions {
        let topic = &*read.topic_partition.topic;
        let is_named = totals.contains_key(topic) || totals.len() < TOPICS_MAX;
        let total = totals.entry(if is_named { topic } else { OTHER_TOPICS });
        let total = total.or_default();
        total.records_read += read.records_read;
        total.lag += read.lag();
    }
    for damage in &summary.partitions {
        let topic = &*damage.topic_partition.topic;
        let is_named = totals.contains_key(topic);
        let total = totals.entry(if is_named { topic } else { OTHER_TOPICS });
        total.or_default().extra_records += damage.extra_records;
    }
    totals
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::sample::{Sample, sample, total};

    pub(super) fn written(sample: &Sample, audit: &str) -> String {
        let mut output = Vec::new();
        sample.write(&mut PrometheusReport::new(&mut output, audit.to_owned()));
        String::from_utf8(output).unwrap()
    }

    pub(super) fn value<'t>(text: &'t str, series: &str) -> Option<&'t str> {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    #[test]
    fn the_run_its_findings_and_its_topics_are_told() {
        let text = written(&sample(), "charges");
        for (series, expected) in [
            ("verdict{audit=\"charges\",verdict=\"duplicates\"}", "1"),
            ("verdict{audit=\"charges\",verdict=\"clean\"}", "0"),
            (
                "last_run_timestamp_seconds{audit=\"charges\"}",
                "1768444201.500",
            ),
            ("last_run_duration_seconds{audit=\"charges\"}", "1.500"),
            ("coverage_complete{audit=\"charges\"}", "1"),
            ("records_read{audit=\"charges\"}", "6000"),
            ("extra_records{audit=\"charges\"}", "3"),
            (
                "cause_extra_records{audit=\"charges\",cause=\"producer-retry\"}",
                "3",
            ),
            (
                "cause_extra_records{audit=\"charges\",cause=\"mirror-copy\"}",
                "0",
            ),
            (
                "amount_at_risk{audit=\"charges\",currency=\"USD\"}",
                "57.75",
            ),
            (
                "topic_records_read{audit=\"charges\",topic=\"charges\"}",
                "6000",
            ),
            (
                "topic_extra_records{audit=\"charges\",topic=\"charges\"}",
                "3",
            ),
        ] {
            let series = format!("dupaudit_{series}");
            assert_eq!(value(&text, &series), Some(expected), "{series}\n{text}");
        }
        assert!(!text.contains("new_groups") && !text.contains("cus_00913"));
    }

    #[test]
    fn every_metric_is_described_once_and_no_series_comes_twice() {
        let mut sample = sample();
        sample.summary.standing = Some(StandingTotal {
            gone_groups: Some(1),
            ..StandingTotal::default()
        });
        let text = written(&sample, "a \"b\"\\c\nd\u{1b}");
        let mut described = BTreeSet::new();
        let mut series = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(described.insert(name), "{name}");
                assert!(help.ends_with('.'), "{line}");
            } else if !line.starts_with("# TYPE ") {
                let (of, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(series.insert(of), "{line}");
                let (name, labels) = of.split_once('{').unwrap();
                assert!(described.contains(name), "{line}");
                assert!(
                    labels.starts_with("audit=\"a \\\"b\\\"\\\\c\\nd\u{fffd}\""),
                    "{line}"
                );
            }
        }
        assert!(described.contains("dupaudit_gone_groups"));
    }

    #[test]
    fn what_only_records_say_makes_no_series() {
        let mut sample = sample();
        sample.summary.amounts = vec![
            total(Some("secret"), "1.00", 1),
            total(Some("EUR"), "2.00", 1),
            total(None, "3.00", 1),
        ];
        sample.summary.partitions[0].topic_partition.topic = "secret".into();
        let text = written(&sample, "x");
        assert!(!text.contains("secret"), "{text}");
        let left_out = value(&text, "dupaudit_amount_currencies_left_out{audit=\"x\"}");
        assert_eq!(left_out, Some("1"));
        let unknown = "dupaudit_amount_at_risk{audit=\"x\",currency=\"\"}";
        assert_eq!(value(&text, unknown), Some("3.00"));
        let other = "dupaudit_topic_extra_records{audit=\"x\",topic=\"(other)\"}";
        assert_eq!(value(&text, other), Some("3"));
        // However many topics there are.
        let read = sample.coverage.partitions[0].clone();
        for number in 0..2 * TOPICS_MAX {
            let mut read = read.clone();
            read.topic_partition.topic = format!("t{number}").into();
            sample.coverage.partitions.push(read);
        }
        assert!(written(&sample, "x").lines().count() < 4 * TOPICS_MAX);
    }
}
