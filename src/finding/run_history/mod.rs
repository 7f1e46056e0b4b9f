//! What earlier runs came to: a log of the last ones, and sums over all.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::finding::coverage::{Coverage, PartitionCoverage};
use crate::finding::summary::AuditSummary;

/// Runs that the log holds; the sums go on counting those that it no longer holds.
const RUNS_MAX: usize = 1000;

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
    /// Those of the extra records that no run before has reported.
    pub new_extra_records: u64,
    /// Groups that no run before has reported with so many records.
    pub new_groups: u64,
    /// What is at risk in the groups reported, by currency.
    pub amounts: Vec<RunAmount>,
    /// What is at risk of extra records that no run before has reported, by currency.
    pub new_amounts: Vec<RunAmount>,
    /// Offsets behind the end of what was read, up to the high watermarks.
    pub lag: u64,
}

/// What a run found for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFindings {
    /// Groups that are new, or have grown.
    pub groups: u64,
    /// Extra records among those read for the first time.
    pub extra_records: u64,
    /// What is at risk of them, by currency.
    pub amounts: BTreeMap<Option<String>, Decimal>,
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

    /// Returns the start of the last run that began by then, if the log has one.
    pub fn last_start_by(&self, millis: i64) -> Option<i64> {
        let starts = self.runs.iter().map(|run| run.started_at_millis);
        starts.filter(|start| *start <= millis).max()
    }

    /// Adds a run.
    pub fn add(&mut self, run: RunRecord) {
        let totals = &mut self.totals;
        totals.runs += 1;
        totals.incomplete_runs += u64::from(!run.complete);
        totals.records_read += run.records_read;
        totals.groups += run.new_groups;
        totals.extra_records += run.new_extra_records;
        for amount in &run.new_amounts {
            add_amount(&mut totals.amounts, amount);
        }
        self.runs.push(run);
        let more = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..more);
    }
}

fn add_amount(sums: &mut Vec<RunAmount>, amount: &RunAmount) {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap_or_default();
    match sums.binary_search_by(|sum| sum.currency.cmp(&amount.currency)) {
        Ok(at) => {
            if let Some(sum) = sums.get_mut(at) {
                let total = decimal(&sum.extra).checked_add(decimal(&amount.extra));
                sum.extra = total.unwrap_or(Decimal::MAX).to_string();
            }
        }
        Err(at) => sums.insert(at, amount.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
    }

    #[test]
    fn sums_count_what_is_new_once_and_outlive_the_log() {
        let mut history = RunHistory::default();
        for _ in 0..RUNS_MAX {
            history.add(run(1, "0.10"));
        }
        history.add(run(0, "0"));
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
}
