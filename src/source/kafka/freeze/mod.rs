//! Which partitions are read, and from where to where: fixed before the first record is read.

mod first_records;
mod leaderless;
mod permissions;
mod resume;
mod statements;

pub(super) use permissions::PermissionCheck;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::finding::{GapReason, OffsetGap};
use crate::record::{TopicPartition, counted};
use crate::source::Bound;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::Isolation;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::LogBounds;
use crate::source::kafka::{TopicError, TopicListing};

/// Pause before the cluster is asked again about what it could not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// The range of one partition, frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPlan {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Broker that led it at the time of the freeze.
    pub leader: Option<i32>,
    /// The log at the time of the freeze.
    pub bounds: LogBounds,
    /// First offset asked for.
    pub start_offset: i64,
    /// First offset no longer asked for.
    pub end_offset: i64,
    /// First offset that can be read.
    pub read_start: i64,
    /// First offset that cannot be read any more.
    pub read_end: i64,
    /// First offset that the isolation level holds back.
    pub readable_end: i64,
    /// What to state about the range.
    pub notes: Vec<String>,
}

impl PartitionPlan {
    /// Returns the plan that reads all that can be read of a log.
    pub fn whole(topic_partition: TopicPartition, bounds: LogBounds) -> Self {
        let readable_end = bounds.last_stable_offset.min(bounds.high_watermark);
        Self {
            topic_partition,
            leader: None,
            bounds,
            start_offset: bounds.log_start_offset,
            end_offset: readable_end,
            read_start: bounds.log_start_offset,
            read_end: readable_end,
            readable_end,
            notes: Vec::new(),
        }
    }

    /// Returns how many offsets the isolation level holds back.
    pub fn held_back(&self) -> i64 {
        self.bounds.high_watermark - self.readable_end
    }

    /// Returns the part of the range that retention took before the scan.
    pub fn gap_before(&self) -> Option<OffsetGap> {
        (self.start_offset < self.read_start).then_some(OffsetGap {
            start: self.start_offset,
            end: self.read_start,
            reason: GapReason::Retention,
        })
    }

    /// Returns the part of the range that open transactions hold back.
    pub fn gap_after(&self) -> Option<OffsetGap> {
        (self.read_end < self.end_offset).then_some(OffsetGap {
            start: self.read_end,
            end: self.end_offset,
            reason: GapReason::OpenTransaction,
        })
    }
}

/// A partition that is to be read, and who led it when it was selected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectedPartition {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Broker that leads it.
    pub leader: Option<i32>,
}

/// Returns the partitions that the spec names, sorted; every one has a leader.
pub fn select_partitions(
    client: &mut dyn ClusterClient,
    spec: &KafkaSpec,
    deadline: Instant,
) -> Result<Vec<SelectedPartition>, KafkaError> {
    let mut known = None;
    loop {
        let listings = match (select_topics(client, spec, deadline), known) {
            // That no answer came in the time left says less than the answer before it.
            (Err(KafkaError::Cluster(_)), Some(problem)) => {
                return Err(KafkaError::Cluster(problem));
            }
            (listings, _) => listings?,
        };
        let Some(problem) = leaderless::leaderless(&listings, spec) else {
            return partitions_of(&listings, spec);
        };
        if Instant::now() + RETRY_PAUSE >= deadline {
            return Err(KafkaError::Cluster(problem));
        }
        std::thread::sleep(RETRY_PAUSE);
        known = Some(problem);
    }
}

fn select_topics(
    client: &mut dyn ClusterClient,
    spec: &KafkaSpec,
    deadline: Instant,
) -> Result<Vec<TopicListing>, KafkaError> {
    let (patterns, names): (Vec<_>, Vec<_>) = spec
        .topics
        .iter()
        .cloned()
        .partition(|topic| topic.starts_with('^'));
    let mut selected = BTreeMap::new();
    if !names.is_empty() {
        for listing in client.list_topics(Some(&names), rest_of(deadline))? {
            selected.insert(listing.topic.clone(), listing);
        }
    }
    if !patterns.is_empty() {
        let all = client.list_topics(None, rest_of(deadline))?;
        for pattern in patterns {
            for listing in matching(&all, &pattern)? {
                selected.insert(listing.topic.clone(), listing);
            }
        }
    }
    let listings: Vec<_> = selected.into_values().collect();
    for listing in &listings {
        match &listing.error {
            None => {}
            Some(TopicError::Unknown) => {
                return Err(KafkaError::NotFound(format!(
                    "topic {} does not exist on {}",
                    listing.topic, spec.brokers
                )));
            }
            Some(TopicError::Refused(text)) => {
                return Err(KafkaError::Cluster(format!(
                    "topic {}: {text}",
                    listing.topic
                )));
            }
        }
    }
    Ok(listings)
}

fn matching(all: &[TopicListing], pattern: &str) -> Result<Vec<TopicListing>, KafkaError> {
    let expression = Regex::new(pattern).map_err(|error| {
        KafkaError::Configuration(format!("topic {pattern} is no regular expression: {error}"))
    })?;
    // Internal topics are read only where they are named.
    let is_match = |listing: &&TopicListing| {
        !listing.topic.starts_with("__") && expression.is_match(&listing.topic)
    };
    let matches: Vec<_> = all.iter().filter(is_match).cloned().collect();
    if matches.is_empty() {
        let of_all = counted(all.len(), "topic");
        let problem = format!("no topic matches {pattern}, of {of_all}");
        return Err(KafkaError::NotFound(problem));
    }
    Ok(matches)
}

fn is_wanted(spec: &KafkaSpec, partition: i32) -> bool {
    spec.partitions
        .as_ref()
        .is_none_or(|wanted| wanted.contains(&partition))
}

fn partitions_of(
    listings: &[TopicListing],
    spec: &KafkaSpec,
) -> Result<Vec<SelectedPartition>, KafkaError> {
    let mut known = BTreeSet::new();
    let mut selected = Vec::new();
    for listing in listings {
        let topic: Arc<str> = listing.topic.as_str().into();
        for partition in &listing.partitions {
            known.insert(partition.partition);
            if is_wanted(spec, partition.partition) {
                selected.push(SelectedPartition {
                    topic_partition: TopicPartition {
                        topic: topic.clone(),
                        partition: partition.partition,
                    },
                    leader: partition.leader,
                });
            }
        }
    }
    for number in named_partitions(spec) {
        if !known.contains(&number) {
            let topics = spec.topics.join(", ");
            let count = known.len();
            return Err(KafkaError::NotFound(format!(
                "{topics} has no partition {number}; it has {count}, from 0 on"
            )));
        }
    }
    selected.sort();
    Ok(selected)
}

fn named_partitions(spec: &KafkaSpec) -> BTreeSet<i32> {
    let mut named = spec.partitions.clone().unwrap_or_default();
    for bound in [&spec.range.from, &spec.range.to].into_iter().flatten() {
        if let Bound::PartitionOffsets(offsets) = bound {
            named.extend(offsets.keys());
        }
    }
    named
}

/// Freezes the ranges of the partitions that the client was assigned, in their order.
pub fn freeze(
    client: &mut dyn ClusterClient,
    spec: &KafkaSpec,
    partitions: &[TopicPartition],
    deadline: Instant,
) -> Result<Vec<PartitionPlan>, KafkaError> {
    let bounds = until_answered(partitions, deadline, |indexes| {
        client.log_bounds(indexes, rest_of(deadline))
    })?;
    let first_offsets = match spec.range.from {
        Some(Bound::Timestamp(millis)) => {
            let millis = millis.saturating_sub(spec.range.look_back_millis).max(0);
            let answers = until_answered(partitions, deadline, |indexes| {
                client.offsets_for_timestamp(indexes, millis, rest_of(deadline))
            })?;
            // No record is that late: nothing to read.
            let answers = answers.into_iter();
            answers
                .map(|offset| Some(offset.unwrap_or(i64::MAX)))
                .collect()
        }
        Some(Bound::Offset(_) | Bound::PartitionOffsets(_)) | None => vec![None; partitions.len()],
    };
    let ranges = partitions.iter().zip(bounds).zip(first_offsets);
    let mut plans: Vec<_> = ranges
        .map(|((partition, bounds), first)| plan_partition(spec, partition, bounds, first))
        .collect();
    for plan in &mut plans {
        if let Some(point) = spec.resume.get(&plan.topic_partition) {
            resume::resume(plan, point);
        }
    }
    statements::open_transactions(spec, &mut plans);
    statements::log_starts(client, spec, &mut plans)?;
    Ok(plans)
}

/// Asks about all partitions, and again about those without an answer, until the deadline.
fn until_answered<T>(
    partitions: &[TopicPartition],
    deadline: Instant,
    mut ask: impl FnMut(&[usize]) -> Result<Vec<Result<T, String>>, KafkaError>,
) -> Result<Vec<T>, KafkaError> {
    let mut answers: BTreeMap<usize, T> = BTreeMap::new();
    loop {
        let open: Vec<_> = (0..partitions.len())
            .filter(|index| !answers.contains_key(index))
            .collect();
        if open.is_empty() {
            return Ok(answers.into_values().collect());
        }
        let mut problem = None;
        for (&index, answer) in open.iter().zip(ask(&open)?) {
            match answer {
                Ok(answer) => {
                    answers.insert(index, answer);
                }
                Err(text) => problem = partitions.get(index).map(|name| format!("{name}: {text}")),
            }
        }
        if let Some(problem) = problem {
            if Instant::now() + RETRY_PAUSE >= deadline {
                return Err(KafkaError::Cluster(problem));
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }
}

fn plan_partition(
    spec: &KafkaSpec,
    topic_partition: &TopicPartition,
    bounds: LogBounds,
    first_offset: Option<i64>,
) -> PartitionPlan {
    let readable_end = match spec.isolation {
        Isolation::ReadCommitted => bounds.last_stable_offset.min(bounds.high_watermark),
        Isolation::ReadUncommitted => bounds.high_watermark,
    };
    let partition = topic_partition.partition;
    let end_offset = match offset_bound(spec.range.to.as_ref(), partition) {
        Some(offset) => offset.clamp(0, bounds.high_watermark),
        None => readable_end,
    };
    let asked = first_offset.map(|offset| offset.max(bounds.log_start_offset));
    let asked = asked.or_else(|| offset_bound(spec.range.from.as_ref(), partition));
    let start_offset = asked
        .unwrap_or(bounds.log_start_offset)
        .clamp(0, end_offset);
    let read_end = end_offset.min(readable_end);
    let read_start = start_offset
        .max(bounds.log_start_offset)
        .min(read_end.max(start_offset));
    PartitionPlan {
        start_offset,
        end_offset,
        read_start,
        read_end: read_end.max(read_start),
        readable_end,
        ..PartitionPlan::whole(topic_partition.clone(), bounds)
    }
}

fn offset_bound(bound: Option<&Bound>, partition: i32) -> Option<i64> {
    match bound? {
        Bound::Timestamp(_) => None,
        Bound::Offset(offset) => Some(*offset),
        Bound::PartitionOffsets(offsets) => offsets.get(&partition).copied(),
    }
}

fn rest_of(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(from: Option<Bound>, to: Option<Bound>, first: Option<i64>) -> PartitionPlan {
        let mut spec = KafkaSpec::new("localhost:9092", vec!["t".to_owned()]);
        spec.range.from = from;
        spec.range.to = to;
        let partition = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let bounds = LogBounds {
            log_start_offset: 100,
            high_watermark: 200,
            last_stable_offset: 150,
            topic_id: None,
        };
        plan_partition(&spec, &partition, bounds, first)
    }

    pub(super) fn range(plan: &PartitionPlan) -> [i64; 4] {
        [
            plan.start_offset,
            plan.read_start,
            plan.read_end,
            plan.end_offset,
        ]
    }

    #[test]
    fn a_whole_topic_is_read_to_the_last_stable_offset_and_that_is_complete() {
        let plan = plan(None, None, None);
        assert_eq!(range(&plan), [100, 100, 150, 150]);
        assert_eq!((plan.gap_before(), plan.gap_after()), (None, None));
        assert_eq!(plan.held_back(), 50);
    }

    #[test]
    fn offsets_that_are_gone_or_held_back_are_gaps() {
        let plan = plan(Some(Bound::Offset(40)), Some(Bound::Offset(180)), None);
        assert_eq!(range(&plan), [40, 100, 150, 180]);
        assert_eq!(
            plan.gap_before().map(|gap| gap.reason),
            Some(GapReason::Retention)
        );
        assert_eq!(
            plan.gap_after().map(|gap| gap.reason),
            Some(GapReason::OpenTransaction)
        );
    }

    #[test]
    fn a_range_above_the_log_is_empty() {
        let above = plan(Some(Bound::Offset(900)), None, None);
        assert_eq!(range(&above), [150; 4]);
        let late = plan(Some(Bound::Timestamp(9)), None, Some(i64::MAX));
        assert_eq!(range(&late), [150; 4]);
    }

    #[test]
    fn a_range_wholly_held_back_or_wholly_gone_is_one_gap() {
        let held = plan(Some(Bound::Offset(160)), Some(Bound::Offset(170)), None);
        assert_eq!(range(&held), [160, 160, 160, 170]);
        let gone = plan(Some(Bound::Offset(10)), Some(Bound::Offset(50)), None);
        assert_eq!(range(&gone), [10, 50, 50, 50]);
    }
}
