//! What was done against what was said, extra record by extra record.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::time::Instant;

use serde_json::Value;

use super::{Incident, Site};
use crate::support::Workspace;
use crate::support::broker::or_skip;
use crate::support::cluster::groups_of;
use crate::support::report::Report;

const CAUSES: [&str; 7] = [
    "producer-retry",
    "application-resend",
    "consumer-replay",
    "mirror-copy",
    "dead-letter-copy",
    "aborted-transaction",
    "undetermined",
];

pub(super) const TOPIC: &str = "topic";
pub(super) const LIBRDKAFKA: &str = "topic, librdkafka";
const UNCOMMITTED: &str = "topic, read_uncommitted";
pub(super) const SEGMENTS: &str = "segments";
pub(super) const EXPORT: &str = "kcat -J";

/// Right verdicts of what was done in one way, per thousand.
const RIGHT_PERMILLE_MIN: u64 = 980;

/// The same where all that a batch shows is there.
const RIGHT_PERMILLE_MIN_SEGMENTS: u64 = 999;

/// Counts of what was said, by source and by what was done.
#[derive(Default)]
pub(super) struct Confusion {
    matrices: BTreeMap<&'static str, BTreeMap<&'static str, BTreeMap<String, u64>>>,
    incidents: String,
    /// How many verdicts are right, and of how many, by source and what was done.
    rows: BTreeMap<(&'static str, &'static str), (u64, u64)>,
    wrong_certain: Vec<String>,
    /// Verdicts that are too sure, or name no doubt, where the log cannot tell.
    overclaimed: Vec<String>,
}

impl Confusion {
    /// Audits an incident from its topics and from exports of them.
    pub(super) fn check(&mut self, site: Site<'_>, incident: &Incident) {
        let started = Instant::now();
        for (source, report) in reports(site, incident, 1) {
            self.count(source, incident, &report);
        }
        let elapsed = started.elapsed().as_millis();
        writeln!(self.incidents, "  audited in {elapsed} ms").unwrap();
    }

    /// Audits what is to have no finding.
    pub(super) fn check_clean(&mut self, site: Site<'_>, incident: &Incident) {
        for (source, report) in reports(site, incident, 0) {
            assert_eq!(report.verdict(), "clean", "{}, {source}", incident.name);
        }
        writeln!(self.incidents, "{}: clean", incident.name).unwrap();
    }

    /// Compares the verdict on each extra record with what was done.
    pub(super) fn count(&mut self, source: &'static str, incident: &Incident, report: &Report) {
        let mut said: BTreeMap<String, u64> = BTreeMap::new();
        let (mut right, mut all) = (0, 0);
        let (mut wrong, mut examples) = (BTreeSet::new(), String::new());
        for group in report.groups() {
            let charge_id = group["key"]["value.charge_id"].as_str().unwrap();
            for record in extras(group) {
                let done = (incident.done)(charge_id, record["topic"].as_str().unwrap());
                let cause = record["cause"].as_str().expect("an extra has a cause");
                let confidence = record["confidence"].as_str().unwrap_or("");
                let is_right = done.right == Some(cause);
                if confidence == "certain" && !is_right {
                    self.wrong_certain.push(format!("{source}: {record}"));
                }
                if done.right.is_none() && !is_modest(group, record) {
                    self.overclaimed
                        .push(format!("{source}: {record} of {group}"));
                }
                if done.right.is_some() {
                    all += 1;
                    right += u64::from(is_right);
                    let row = self.rows.entry((source, done.label)).or_default();
                    *row = (row.0 + u64::from(is_right), row.1 + 1);
                }
                if done.right.is_some() && !is_right && wrong.insert(cause.to_owned()) {
                    let said = [&group["evidence"], &group["contrary"], &group["records"]];
                    let [evidence, contrary, records] = said;
                    let shown = format!("for {evidence} against {contrary} in {records}");
                    writeln!(examples, "  {} as {cause}: {shown}", done.label).unwrap();
                }
                *said
                    .entry(format!("{cause} {confidence}").trim().to_owned())
                    .or_default() += 1;
                let matrix = self.matrices.entry(source).or_default();
                let row = matrix.entry(done.label).or_default();
                *row.entry(cause.to_owned()).or_default() += 1;
            }
        }
        let line = format!("{}, {source}: {right} of {all} right", incident.name);
        writeln!(self.incidents, "{line}; {said:?}").unwrap();
        self.incidents += &examples;
    }

    /// Adds a line to what is printed.
    pub(super) fn note(&mut self, line: &str) {
        writeln!(self.incidents, "{line}").unwrap();
    }

    /// Prints the matrix past the capture of the test harness.
    pub(super) fn show(&self) {
        let mut text = format!("\n{}", self.incidents);
        for (source, matrix) in &self.matrices {
            let (right, all) = self.right(source);
            write!(
                text,
                "\n{source}: {right} of {all} right\n{:32}",
                "done \\ said"
            )
            .unwrap();
            for cause in CAUSES {
                write!(text, "{cause:>20}").unwrap();
            }
            text.push('\n');
            for (done, row) in matrix {
                write!(text, "{done:32}").unwrap();
                for cause in CAUSES {
                    write!(text, "{:>20}", row.get(cause).copied().unwrap_or(0)).unwrap();
                }
                text.push('\n');
            }
        }
        drop(std::io::stderr().write_all(text.as_bytes()));
    }

    /// Returns how many verdicts of a source are right, and of how many.
    fn right(&self, source: &str) -> (u64, u64) {
        let rows = self.rows.iter().filter(|((of, _), _)| *of == source);
        rows.fold((0, 0), |sum, (_, row)| (sum.0 + row.0, sum.1 + row.1))
    }

    /// Asserts what all incidents together, and each thing done by itself, have to come to.
    pub(super) fn assert_right(&self) {
        assert!(self.wrong_certain.is_empty(), "{:?}", self.wrong_certain);
        assert!(self.overclaimed.is_empty(), "{:?}", self.overclaimed);
        for ((source, label), (right, all)) in &self.rows {
            let permille = match *source {
                SEGMENTS => RIGHT_PERMILLE_MIN_SEGMENTS,
                _ => RIGHT_PERMILLE_MIN,
            };
            let is_enough = right * 1000 >= all * permille;
            assert!(is_enough, "{label}, {source}: {right} of {all} are right");
        }
    }
}

/// Returns whether a verdict on what no log tells apart is weak at most and names the doubt.
fn is_modest(group: &Value, record: &Value) -> bool {
    let is_sure = record["confidence"] == "certain" || record["confidence"] == "strong";
    let contrary = group["contrary"].as_array().unwrap();
    let is_doubt = |text: &Value| text.as_str().unwrap().contains("look the same here");
    let needs_doubt = group["cause"] == "consumer-replay";
    !is_sure && (!needs_doubt || contrary.iter().any(is_doubt))
}

fn extras(group: &Value) -> impl Iterator<Item = &Value> {
    let records = group["records"].as_array().unwrap();
    let (original, extras) = records.split_first().unwrap();
    assert_eq!(original["cause"], Value::Null, "an original has no cause");
    extras.iter()
}

/// Returns a report from each source; their groups are those of a plain count.
fn reports(site: Site<'_>, incident: &Incident, code: i32) -> Vec<(&'static str, Report)> {
    let name = &incident.name;
    let read = |topic: &String| site.cluster.read_all(topic, "read_committed");
    let records: Vec<_> = incident.topics.iter().flat_map(read).collect();
    let expected = groups_of(&records);
    let extra: usize = expected.values().map(|places| places.len() - 1).sum();
    assert_eq!(extra > 0, code == 1, "{name}: {extra} extra records");
    let workspace = Workspace::new();
    let with = |more: &str| [topics(site, incident), vec![more.to_owned()]].concat();
    let mut sources = vec![
        (TOPIC, topics(site, incident)),
        (LIBRDKAFKA, with("--reader=librdkafka")),
        (SEGMENTS, segments(site, incident)),
    ];
    // What is clean may be so because the isolation level hides copies.
    if code != 0 {
        sources.push((UNCOMMITTED, with("--isolation=read_uncommitted")));
    }
    if or_skip(export(site, incident, &workspace)).is_some() {
        sources.push((EXPORT, vec!["export.jsonl".to_owned()]));
    }
    let scan = |(source, arguments): (&'static str, Vec<String>)| {
        let report = scan(&workspace, &arguments, code);
        let groups = report.places_by("value.charge_id");
        assert_eq!(groups, expected, "{name}, {source}");
        let totals = [("records_read", records.len()), ("extra_records", extra)];
        for (total, count) in totals {
            let count = i64::try_from(count).unwrap();
            assert_eq!(report.total(total), count, "{total} of {name}, {source}");
        }
        assert!(report.is_complete(), "{name}, {source}");
        (source, report)
    };
    sources.into_iter().map(scan).collect()
}

/// Audits by `charge_id` and returns the report.
pub(super) fn scan(workspace: &Workspace, arguments: &[String], code: i32) -> Report {
    let fixed = ["scan", "--by", "charge_id", "-o", "x.json"];
    let arguments = fixed
        .into_iter()
        .chain(arguments.iter().map(String::as_str));
    workspace.dupaudit(arguments).run().expect_code(code);
    workspace.report("x.json")
}

/// Returns how to name the topics of an incident.
pub(super) fn topics(site: Site<'_>, incident: &Incident) -> Vec<String> {
    let mut arguments = vec!["-b".to_owned(), site.cluster.bootstrap.clone()];
    for topic in &incident.topics {
        arguments.extend(["-t".to_owned(), topic.clone()]);
    }
    arguments
}

/// Returns the folders of the partitions, as the broker keeps them.
pub(super) fn segments(site: Site<'_>, incident: &Incident) -> Vec<String> {
    let folders = fs::read_dir(site.data).unwrap();
    let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let is_wanted = |name: &String| {
        let topic = name.rsplit_once('-').map(|(topic, _)| topic);
        topic.is_some_and(|topic| incident.topics.iter().any(|of| of == topic))
    };
    let mut wanted: Vec<String> = names.filter(is_wanted).collect();
    wanted.sort();
    let path = |name: &String| site.data.join(name).to_str().unwrap().to_owned();
    wanted.iter().map(path).collect()
}

/// Writes the topics as `kcat -J` does, or says why not.
fn export(site: Site<'_>, incident: &Incident, workspace: &Workspace) -> Result<(), String> {
    let mut lines = Vec::new();
    for topic in &incident.topics {
        lines.extend(site.cluster.kcat_export(topic)?);
    }
    workspace.write("export.jsonl", lines);
    Ok(())
}
