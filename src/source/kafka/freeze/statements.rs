//! What is stated about a range before it is read: open transactions, and where the log begins.

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat};

use crate::record::counted;
use crate::source::Bound;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::Isolation;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::Reader;

use super::first_records::{Found, Place, first_records};
use super::{PartitionPlan, offset_bound};

/// Longest wait for what is only stated.
const WAIT: Duration = Duration::from_secs(5);

/// A transaction open for longer will hardly end: what it holds back is missed.
const OPEN_TRANSACTION_MAX_MILLIS: i64 = 15 * 60 * 1000;

/// Logs of which the first record is looked at; of open transactions every one is.
const LOOKED_AT_MAX: usize = 200;

/// Bytes to fetch of a partition for one record.
const LOOKED_AT_BYTES: &str = "16384";

/// States what open transactions hold back, and since when.
pub(super) fn open_transactions(spec: &KafkaSpec, plans: &mut [PartitionPlan]) {
    if spec.isolation == Isolation::ReadUncommitted {
        return;
    }
    let held_back: Vec<usize> = (0..plans.len())
        .filter(|&index| plans.get(index).is_some_and(|plan| plan.held_back() > 0))
        .collect();
    if held_back.is_empty() {
        return;
    }
    let first =
        first_held_back(spec, plans, &held_back).unwrap_or_else(|_| vec![None; held_back.len()]);
    for (index, first) in held_back.into_iter().zip(first) {
        if let Some(plan) = plans.get_mut(index) {
            state_open_transaction(spec, plan, first);
        }
    }
}

/// Reads what is not committed, with a client of its own, but for one record of each partition.
fn first_held_back(
    spec: &KafkaSpec,
    plans: &[PartitionPlan],
    held_back: &[usize],
) -> Result<Vec<Option<Found>>, KafkaError> {
    let mut spec = KafkaSpec {
        isolation: Isolation::ReadUncommitted,
        ..spec.clone()
    };
    // One record of each is enough, and a broker gives a whole batch all the same.
    spec.properties
        .add("fetch.message.max.bytes", LOOKED_AT_BYTES)
        .map_err(|error| KafkaError::Configuration(error.to_string()))?;
    let held_back = held_back.iter();
    let plans: Vec<&PartitionPlan> = held_back.filter_map(|&at| plans.get(at)).collect();
    let partitions: Vec<_> = plans
        .iter()
        .map(|plan| plan.topic_partition.clone())
        .collect();
    let mut client = Reader::client_for(&spec)?;
    client.assign(&partitions)?;
    let places: Vec<Place> = (0..)
        .zip(plans)
        .map(|(index, plan)| (index, plan.readable_end, plan.bounds.high_watermark))
        .collect();
    let topic = |at: usize| partitions.get(at).map(|partition| &*partition.topic);
    first_records(&mut *client, &places, topic, Instant::now() + WAIT)
}

fn state_open_transaction(spec: &KafkaSpec, plan: &mut PartitionPlan, first: Option<Found>) {
    let (count, start) = (counted(plan.held_back(), "offset"), plan.readable_end);
    let since = first.and_then(|(_, millis)| millis);
    let age = since.zip(spec.now_millis).map(|(since, now)| now - since);
    let age_text = match since {
        Some(since) => format!("its first record of {}", time_text(since)),
        None => "since when is not known".to_owned(),
    };
    let bound = offset_bound(spec.range.to.as_ref(), plan.topic_partition.partition);
    let is_old = age.is_some_and(|age| age > OPEN_TRANSACTION_MAX_MILLIS);
    // What cannot be told may be old: it is never taken for young.
    let may_be_old = is_old || since.is_none();
    if may_be_old && bound.is_none() {
        plan.end_offset = plan.bounds.high_watermark;
    }
    let verdict = if is_old {
        ", more than 15 minutes ago"
    } else {
        ""
    };
    plan.notes.push(format!(
        "{count} from {start} on cannot be read: open transaction, {age_text}{verdict}"
    ));
}

/// States the first timestamp of each log, where the range begins at a time.
pub(super) fn log_starts(
    client: &mut dyn ClusterClient,
    spec: &KafkaSpec,
    plans: &mut [PartitionPlan],
) -> Result<(), KafkaError> {
    if !matches!(spec.range.from, Some(Bound::Timestamp(_))) {
        return Ok(());
    }
    let has_records =
        |(_, plan): &(usize, &PartitionPlan)| plan.bounds.log_start_offset < plan.readable_end;
    let places: Vec<Place> = plans
        .iter()
        .enumerate()
        .filter(has_records)
        .map(|(index, plan)| (index, plan.bounds.log_start_offset, plan.readable_end))
        .take(LOOKED_AT_MAX)
        .collect();
    let topic = |at: usize| Some(&*plans.get(at)?.topic_partition.topic);
    let found = first_records(client, &places, topic, Instant::now() + WAIT)?;
    for ((index, ..), first) in places.into_iter().zip(found) {
        if let Some(plan) = plans.get_mut(index) {
            plan.notes.push(log_start_text(plan, first));
        }
    }
    Ok(())
}

fn log_start_text(plan: &PartitionPlan, first: Option<Found>) -> String {
    match first {
        Some((offset, Some(millis))) => {
            let time = time_text(millis);
            format!("the log begins at offset {offset}, {time}")
        }
        Some((offset, None)) => {
            format!("the log begins at offset {offset}, without timestamp")
        }
        None => {
            let start = plan.bounds.log_start_offset;
            format!("the log begins at offset {start}, when is not known")
        }
    }
}

fn time_text(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("epoch{millis:+}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TopicPartition;
    use crate::source::kafka::LogBounds;

    fn stated(to: Option<Bound>, first: Option<Found>) -> PartitionPlan {
        let bounds = LogBounds {
            log_start_offset: 0,
            high_watermark: 20,
            last_stable_offset: 15,
            topic_id: None,
        };
        let topic_partition = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut plan = PartitionPlan::whole(topic_partition, bounds);
        let mut spec = KafkaSpec::new("h", Vec::new());
        spec.now_millis = Some(1_768_444_200_000);
        spec.range.to = to;
        state_open_transaction(&spec, &mut plan, first);
        plan
    }

    #[test]
    fn an_open_transaction_is_stated_and_an_old_one_is_a_gap() {
        let young = stated(None, Some((15, Some(1_768_444_200_000 - 899_000))));
        assert_eq!(young.gap_after(), None);
        assert!(young.notes[0].starts_with("5 offsets from 15 on cannot be read"));
        assert!(young.notes[0].ends_with("its first record of 2026-01-15T02:15:01.000Z"));
        let old = stated(None, Some((15, Some(1_768_444_200_000 - 901_000))));
        let gap = old.gap_after().unwrap();
        assert_eq!((gap.start, gap.end), (15, 20));
        assert!(old.notes[0].ends_with("more than 15 minutes ago"));
    }

    #[test]
    fn an_open_transaction_of_unknown_age_is_said_to_be_so_and_is_a_gap() {
        for first in [None, Some((15, None))] {
            let plan = stated(None, first);
            assert!(plan.notes[0].ends_with("since when is not known"));
            let gap = plan.gap_after().unwrap();
            assert_eq!((gap.start, gap.end), (15, 20));
        }
    }

    #[test]
    fn a_range_that_ends_before_an_old_transaction_is_not_touched_by_it() {
        let plan = stated(Some(Bound::Offset(10)), Some((15, Some(0))));
        assert_eq!(plan.end_offset, 15);
    }
}
