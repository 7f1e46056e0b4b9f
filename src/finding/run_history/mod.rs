//! What earlier runs came to: a log of the last ones, and sums over all.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::finding::coverage::{Coverage, PartitionCoverage};
use crate::finding::group::Cause;
use crate::finding::summary::AuditSummary;

/// Topics that are summed up by name; what lies in others is one sum.
pub const TOPICS_MAX: usize = 500;

/// Name of the sum of topics beyond these, and of topics that only records name.
pub const OTHER_TOPICS: &str = "(other)";

/// Runs that the log holds; the sums go on counting those that it no longer holds.
const RUNS_MAX: usize = 1000;

/// Runs in a row that leave a rest to the next one and do not end what is remembered: more of them
/// would let it grow without an end.
const RESTS_MAX: usize = 7;

/// What is at risk in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAmount {
    /// Currency as recorded, or nothing where unknown.
    pub currency: Option<String>,
    /// A plain decimal.
    pub extra: String,
}

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Start, milliseconds since the epoch.
    pub started_at_millis: i64,
    /// End, milliseconds since the epoch.
    pub finished_at_millis: i64,
    /// Stable code of the verdict.
    pub verdict: String,
    /// Whether coverage was complete.
    pub complete: bool,
    /// Data records delivered.
    pub records_read: u64,
    /// Records that took part in the comparison.
    pub records_audited: u64,
    /// Groups reported.
    pub groups: u64,
    /// Extra records in these groups.
    pub extra_records: u64,
    /// Those of the extra records that no run before has found, and nothing else knows.
    pub new_extra_records: u64,
    /// Groups with such an extra record.
    pub new_groups: u64,
    /// What is at risk in the groups reported, by currency.
    pub amounts: Vec<RunAmount>,
    /// What is at risk of such extra records, by currency.
    pub new_amounts: Vec<RunAmount>,
    /// Offsets behind the end of what was read, up to the high watermarks.
    pub lag: u64,
    /// Whether some of what it was to read is left to the next run.
    #[serde(default)]
    pub leaves_rest: bool,
}

/// What a run was the first to find, without what a baseline or a rule knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFindings {
    /// Groups that are new, or have grown.
    pub groups: u64,
    /// Extra records among those read for the first time.
    pub extra_records: u64,
    /// What is at risk of them, by currency.
    pub amounts: BTreeMap<Option<String>, Decimal>,
    /// Extra records by cause.
    pub causes: BTreeMap<Cause, u64>,
    /// Extra records by topic, of those that have one.
    pub topics: BTreeMap<String, u64>,
}

impl NewFindings {
    /// Counts an extra record, and what is at risk of it.
    pub fn add(
        &mut self,
        cause: Cause,
        topic: Option<&str>,
        risk: Option<(Option<&str>, Decimal)>,
    ) {
        self.extra_records += 1;
        *self.causes.entry(cause).or_default() += 1;
        if let Some(topic) = topic {
            *named(&mut self.topics, topic) += 1;
        }
        if let Some((currency, amount)) = risk {
            let sum = self.amounts.entry(currency.map(str::to_owned));
            let sum = sum.or_default();
            *sum = sum.saturating_add(amount);
        }
    }
}

/// Returns the count of a name, which is made where it is new.
fn named<'c>(counts: &'c mut BTreeMap<String, u64>, name: &str) -> &'c mut u64 {
    if !counts.contains_key(name) {
        counts.insert(name.to_owned(), 0);
    }
    counts.get_mut(name).expect("the name was just made")
}

impl RunRecord {
    /// Returns the record of a run.
    pub fn of(
        (started_at_millis, finished_at_millis): (i64, i64),
        summary: &AuditSummary,
        coverage: &Coverage,
        new: &NewFindings,
    ) -> Self {
        let amounts = summary.amounts.iter().map(|total| RunAmount {
            currency: total.currency.clone(),
            extra: total.extra.clone(),
        });
        let new_amounts = new.amounts.iter().map(|(currency, extra)| RunAmount {
            currency: currency.clone(),
            extra: extra.to_string(),
        });
        Self {
            started_at_millis,
            finished_at_millis,
            verdict: summary.verdict.code().to_owned(),
            complete: summary.complete,
            records_read: summary.records_read,
            records_audited: summary.records_audited,
            groups: summary.groups,
            extra_records: summary.extra_records,
            new_extra_records: new.extra_records,
            new_groups: new.groups,
            amounts: amounts.collect(),
            new_amounts: new_amounts.collect(),
            lag: coverage.partitions.iter().map(PartitionCoverage::lag).sum(),
            leaves_rest: coverage
                .partitions
                .iter()
                .any(|read| read.next_offset < read.end_offset),
        }
    }
}

/// Sums over all runs since the state was made; none of them ever falls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTotals {
    /// Runs.
    pub runs: u64,
    /// Runs whose coverage was not complete.
    pub incomplete_runs: u64,
    /// Data records delivered.
    pub records_read: u64,
    /// Groups, each counted when it was found and when it grew.
    pub groups: u64,
    /// Extra records, each counted once.
    pub extra_records: u64,
    /// What is at risk of these, by currency, sorted.
    pub amounts: Vec<RunAmount>,
    /// Extra records by the code of their cause; all causes are there once a run has ended.
    #[serde(default)]
    pub causes: BTreeMap<String, u64>,
    /// Extra records by topic: those that were read first by name, the rest as [`OTHER_TOPICS`].
    #[serde(default)]
    pub topics: BTreeMap<String, u64>,
}

impl RunTotals {
    /// Adds what a run was the first to find; causes and topics of which nothing was found are
    /// noted with 0, so that a first finding is a rise.
    fn add_findings(&mut self, new: &NewFindings, coverage: &Coverage) {
        for cause in Cause::ALL {
            let found = new.causes.get(&cause).copied().unwrap_or_default();
            *named(&mut self.causes, cause.code()) += found;
        }
        if !coverage.partitions.is_empty() {
            named(&mut self.topics, OTHER_TOPICS);
        }
        for read in &coverage.partitions {
            let topic = &*read.topic_partition.topic;
            // The sum of the others is one more.
            if self.topics.len() <= TOPICS_MAX {
                named(&mut self.topics, topic);
            }
        }
        for (topic, found) in &new.topics {
            let is_known = self.topics.contains_key(topic);
            let name = if is_known { topic } else { OTHER_TOPICS };
            *named(&mut self.topics, name) += found;
        }
    }
}

/// The last runs, oldest first, and the sums over all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHistory {
    /// The last runs, oldest first.
    pub runs: Vec<RunRecord>,
    /// The sums over all.
    pub totals: RunTotals,
}

impl RunHistory {
    /// Returns the last runs, at most so many, oldest first.
    pub fn last(&self, many: usize) -> &[RunRecord] {
        let skipped = self.runs.len().saturating_sub(many);
        self.runs.get(skipped..).unwrap_or_default()
    }

    /// Returns the latest start of a run, if the log has one.
    pub fn last_start(&self) -> Option<i64> {
        self.runs.iter().map(|run| run.started_at_millis).max()
    }

    /// Returns the start of the last run that began by then and left no rest; of more than
    /// seven runs in a row that did, the first of these counts.
    pub fn last_whole_start_by(&self, millis: i64) -> Option<i64> {
        let runs = self.runs.iter();
        let mut runs: Vec<&RunRecord> =
            runs.filter(|run| run.started_at_millis <= millis).collect();
        runs.sort_by_key(|run| Reverse(run.started_at_millis));
        runs.truncate(RESTS_MAX + 1);
        let whole = runs.iter().find(|run| !run.leaves_rest);
        let decisive = whole.or(runs.last())?;
        Some(decisive.started_at_millis)
    }

    /// Adds a run, with what it was the first to find in what it read.
    pub fn add(&mut self, run: RunRecord, new: &NewFindings, coverage: &Coverage) {
        let totals = &mut self.totals;
        totals.runs += 1;
        totals.incomplete_runs += u64::from(!run.complete);
        totals.records_read += run.records_read;
        totals.groups += run.new_groups;
        totals.extra_records += run.new_extra_records;
        for amount in &run.new_amounts {
            add_amount(&mut totals.amounts, amount);
        }
        totals.add_findings(new, coverage);
        self.runs.push(run);
        let more = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..more);
    }
}

/// Adds an amount to the sum of its currency; one below zero adds nothing.
fn add_amount(sums: &mut Vec<RunAmount>, amount: &RunAmount) {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap_or_default();
    let more = decimal(&amount.extra).max(Decimal::ZERO);
    match sums.binary_search_by(|sum| sum.currency.cmp(&amount.currency)) {
        Ok(at) => {
            if let Some(sum) = sums.get_mut(at) {
                let total = decimal(&sum.extra).checked_add(more);
                sum.extra = total.unwrap_or(Decimal::MAX).to_string();
            }
        }
        Err(at) => sums.insert(
            at,
            RunAmount {
                currency: amount.currency.clone(),
                extra: more.to_string(),
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TopicPartition;

    fn run(new_extra_records: u64, extra: &str) -> RunRecord {
        RunRecord {
            started_at_millis: 0,
            finished_at_millis: 1,
            verdict: "duplicates".to_owned(),
            complete: false,
            records_read: 10,
            records_audited: 9,
            groups: 3,
            extra_records: 4,
            new_extra_records,
            new_groups: 1,
            amounts: Vec::new(),
            new_amounts: vec![RunAmount {
                currency: Some("USD".to_owned()),
                extra: extra.to_owned(),
            }],
            lag: 0,
            leaves_rest: false,
        }
    }

    #[test]
    fn sums_count_what_is_new_once_and_outlive_the_log() {
        let mut history = RunHistory::default();
        let (new, coverage) = (NewFindings::default(), Coverage::default());
        for _ in 0..RUNS_MAX {
            history.add(run(1, "0.10"), &new, &coverage);
        }
        history.add(run(0, "0"), &new, &coverage);
        assert_eq!(history.runs.len(), RUNS_MAX);
        assert_eq!(history.totals.runs, 1001);
        assert_eq!(history.totals.incomplete_runs, 1001);
        assert_eq!(history.totals.extra_records, 1000);
        assert_eq!(history.totals.records_read, 10_010);
        let [amount] = history.totals.amounts.as_slice() else {
            panic!("{:?}", history.totals)
        };
        assert_eq!(amount.extra, "100.00");
    }

    /// Coverage of a partition of each topic.
    fn read(topics: &[String]) -> Coverage {
        let partition = |topic: &String| PartitionCoverage {
            topic_partition: TopicPartition {
                topic: topic.as_str().into(),
                partition: 0,
            },
            log_start_offset: 0,
            high_watermark: 0,
            last_stable_offset: 0,
            start_offset: 0,
            end_offset: 0,
            next_offset: 0,
            records_read: 0,
            is_log_append_time: false,
            gaps: Vec::new(),
            notes: Vec::new(),
        };
        Coverage {
            partitions: topics.iter().map(partition).collect(),
            ..Coverage::default()
        }
    }

    #[test]
    fn every_cause_and_topic_is_there_from_the_first_run_and_none_ever_falls() {
        let mut history = RunHistory::default();
        let coverage = read(&["charges".to_owned()]);
        history.add(run(0, "0"), &NewFindings::default(), &coverage);
        let zeroes = |counts: &BTreeMap<String, u64>| counts.values().all(|count| *count == 0);
        assert_eq!(history.totals.causes.len(), Cause::ALL.len());
        let topics: Vec<&String> = history.totals.topics.keys().collect();
        assert_eq!(topics, [OTHER_TOPICS, "charges"]);
        assert!(zeroes(&history.totals.causes) && zeroes(&history.totals.topics));
        let mut new = NewFindings::default();
        let amount = |text: &str| Some((Some("USD"), text.parse().unwrap()));
        new.add(Cause::ProducerRetry, Some("charges"), amount("-9"));
        new.add(Cause::ProducerRetry, Some("named by records"), None);
        assert_eq!(new.extra_records, 2);
        history.add(run(2, "-9"), &new, &coverage);
        assert_eq!(history.totals.causes["producer-retry"], 2);
        assert_eq!(history.totals.causes["mirror-copy"], 0);
        assert_eq!(history.totals.topics["charges"], 1);
        assert_eq!(history.totals.topics[OTHER_TOPICS], 1);
        assert_eq!(history.totals.amounts[0].extra, "0");
    }

    #[test]
    fn however_many_topics_there_are_their_sums_are_few() {
        let mut history = RunHistory::default();
        for night in 0..10 {
            let topics: Vec<String> = (0..200).map(|of| format!("t-{night}-{of}")).collect();
            let mut new = NewFindings::default();
            for topic in &topics {
                new.add(Cause::Undetermined, Some(topic), None);
            }
            history.add(run(200, "0"), &new, &read(&topics));
        }
        assert_eq!(history.totals.topics.len(), TOPICS_MAX + 1);
        assert_eq!(history.totals.topics[OTHER_TOPICS], 1500);
        assert_eq!(history.totals.topics.values().sum::<u64>(), 2000);
    }

    #[test]
    fn runs_that_leave_a_rest_are_passed_over_but_not_without_an_end() {
        let mut history = RunHistory::default();
        let mut add = |start: i64, leaves_rest: bool| {
            let run = RunRecord {
                started_at_millis: start,
                leaves_rest,
                ..run(0, "0")
            };
            history.add(run, &NewFindings::default(), &Coverage::default());
            (
                history.last_whole_start_by(start),
                history.last_whole_start_by(start - 1),
            )
        };
        assert_eq!(add(0, true), (Some(0), None));
        assert_eq!(add(1, false), (Some(1), Some(0)));
        let kept: Vec<_> = (2..12).map(|start| add(start, true).0.unwrap()).collect();
        assert_eq!(kept, [1, 1, 1, 1, 1, 1, 1, 2, 3, 4]);
        assert_eq!(add(12, false), (Some(12), Some(4)));
    }

    #[test]
    fn sums_of_an_earlier_version_are_read() {
        let text = r#"{"runs":1,"incomplete_runs":0,"records_read":5,"groups":1,
            "extra_records":1,"amounts":[]}"#;
        let totals: RunTotals = serde_json::from_str(text).unwrap();
        assert_eq!((totals.extra_records, totals.causes.len()), (1, 0));
    }
}
