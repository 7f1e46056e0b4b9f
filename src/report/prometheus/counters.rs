//! Counters over all runs with a state; a night without findings leaves them where they are.

use crate::finding::Cause;
use crate::finding::RunTotals;
use crate::report::prometheus::{Metrics, currency_label};

/// Writes the sums of all runs. No counter has the name of a gauge but for its `_total`, which some
/// readers leave away.
pub(super) fn counters(metrics: &mut Metrics<'_>, totals: &RunTotals) {
    metrics.count("runs_total", "Runs with the state.", totals.runs);
    metrics.count(
        "incomplete_runs_total",
        "Runs that did not read all they were asked for.",
        totals.incomplete_runs,
    );
    metrics.count(
        "delivered_records_total",
        "Records delivered by all runs.",
        totals.records_read,
    );
    metrics.count(
        "found_groups_total",
        "Groups that a run was the first to find, or to find grown, and nothing else knew.",
        totals.groups,
    );
    metrics.count(
        "found_extra_records_total",
        "Extra records that a run was the first to find, and nothing else knew.",
        totals.extra_records,
    );
    causes(metrics, totals);
    topics(metrics, totals);
    amounts(metrics, totals);
}

fn causes(metrics: &mut Metrics<'_>, totals: &RunTotals) {
    metrics.counter(
        "cause_found_extra_records_total",
        "Extra records found first, by cause.",
    );
    for cause in Cause::ALL {
        let found = totals.causes.get(cause.code()).copied().unwrap_or_default();
        let label = Some(("cause", cause.code()));
        metrics.sample("cause_found_extra_records_total", label, found);
    }
}

fn topics(metrics: &mut Metrics<'_>, totals: &RunTotals) {
    if totals.topics.is_empty() {
        return;
    }
    metrics.counter(
        "topic_found_extra_records_total",
        "Extra records found first, by topic.",
    );
    for (topic, found) in &totals.topics {
        let label = Some(("topic", &**topic));
        metrics.sample("topic_found_extra_records_total", label, found);
    }
}

fn amounts(metrics: &mut Metrics<'_>, totals: &RunTotals) {
    if totals.amounts.is_empty() {
        return;
    }
    metrics.counter(
        "found_amount_at_risk_total",
        "Sum over extra records found first, disputed ones too, before reversals, by currency.",
    );
    for amount in &totals.amounts {
        if let Some(currency) = currency_label(amount.currency.as_deref()) {
            let label = Some(("currency", currency));
            metrics.sample("found_amount_at_risk_total", label, &amount.extra);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::finding::OTHER_TOPICS;
    use crate::finding::RunAmount;
    use crate::finding::TOPICS_MAX;
    use crate::report::prometheus::tests::{value, written};
    use crate::report::sample::sample;

    fn totals() -> RunTotals {
        let amount = |currency: Option<&str>, extra: &str| RunAmount {
            currency: currency.map(str::to_owned),
            extra: extra.to_owned(),
        };
        RunTotals {
            runs: 30,
            incomplete_runs: 2,
            records_read: 1_000,
            groups: 3,
            extra_records: 5,
            amounts: vec![
                amount(None, "1.00"),
                amount(Some("EUR"), "2.50"),
                amount(Some("x"), "9"),
            ],
            causes: BTreeMap::from([("producer-retry".to_owned(), 5)]),
            topics: BTreeMap::from([(OTHER_TOPICS.to_owned(), 1), ("charges".to_owned(), 4)]),
        }
    }

    #[test]
    fn sums_of_all_runs_are_counters_beside_the_gauges_of_the_last() {
        let mut sample = sample();
        assert!(!written(&sample, "x").contains("_total"));
        sample.totals = Some(totals());
        let text = written(&sample, "x");
        for (series, expected) in [
            ("runs_total{audit=\"x\"}", "30"),
            ("incomplete_runs_total{audit=\"x\"}", "2"),
            ("delivered_records_total{audit=\"x\"}", "1000"),
            ("found_groups_total{audit=\"x\"}", "3"),
            ("found_extra_records_total{audit=\"x\"}", "5"),
            (
                "cause_found_extra_records_total{audit=\"x\",cause=\"producer-retry\"}",
                "5",
            ),
            // What has never been found is there, so that a first finding is a rise.
            (
                "cause_found_extra_records_total{audit=\"x\",cause=\"mirror-copy\"}",
                "0",
            ),
            (
                "topic_found_extra_records_total{audit=\"x\",topic=\"charges\"}",
                "4",
            ),
            (
                "topic_found_extra_records_total{audit=\"x\",topic=\"(other)\"}",
                "1",
            ),
            (
                "found_amount_at_risk_total{audit=\"x\",currency=\"EUR\"}",
                "2.50",
            ),
            (
                "found_amount_at_risk_total{audit=\"x\",currency=\"\"}",
                "1.00",
            ),
            ("groups{audit=\"x\"}", "2"),
        ] {
            let series = format!("dupaudit_{series}");
            assert_eq!(value(&text, &series), Some(expected), "{series}\n{text}");
        }
        assert!(!text.contains("currency=\"x\""), "{text}");
        // Each is told to be what its name says, and none is a gauge but for its end.
        let types: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
            .collect();
        for (name, kind) in &types {
            assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
            let family = name.strip_suffix("_total");
            assert!(
                family.is_none_or(|family| !types.contains_key(family)),
                "{name}"
            );
        }
    }

    #[test]
    fn however_many_topics_there_are_there_are_few_series() {
        let mut sample = sample();
        let mut totals = totals();
        for number in 0..TOPICS_MAX {
            totals.topics.insert(format!("t{number}"), 1);
        }
        sample.totals = Some(totals);
        let text = written(&sample, "x");
        let series = text.matches("topic_found_extra_records_total{").count();
        assert!(series <= TOPICS_MAX + 2, "{series}");
    }
}
