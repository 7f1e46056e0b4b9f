//! What the pictures of a report are drawn from comes back as it was.

use serde::Deserialize;

use crate::finding::Cause;
use crate::finding::OffsetLinks;
use crate::finding::OverTime;
use crate::finding::Timeline;
use crate::record::TopicPartition;
use crate::report::read::codes::{Code, Millis};

const MINUTE_MILLIS: i64 = 60_000;

/// Counts over time, each of something.
#[derive(Deserialize)]
pub(super) struct OverTimeFields<Of> {
    step_seconds: i64,
    steps: Vec<Of>,
}

impl<Of> Default for OverTimeFields<Of> {
    fn default() -> Self {
        Self {
            step_seconds: 1,
            steps: Vec::new(),
        }
    }
}

impl<Of> OverTimeFields<Of> {
    fn restored<K: Clone + Ord>(self, count: impl Fn(Of) -> (Millis, K, u64)) -> OverTime<K> {
        let counts = self.steps.into_iter().map(|step| {
            let (start, of, extra_records) = count(step);
            (start.0.div_euclid(1_000), of, extra_records)
        });
        OverTime::with_step(self.step_seconds, counts)
    }
}

/// Extra records of one cause in one step.
#[derive(Deserialize)]
pub(super) struct CauseStep {
    start: Millis,
    cause: Code<Cause>,
    extra_records: u64,
}

impl From<OverTimeFields<CauseStep>> for OverTime<Cause> {
    fn from(read: OverTimeFields<CauseStep>) -> Self {
        read.restored(|step| (step.start, step.cause.0, step.extra_records))
    }
}

/// Extra records of one partition in one step.
#[derive(Deserialize)]
pub(super) struct PartitionStep {
    start: Millis,
    topic: String,
    partition: i32,
    extra_records: u64,
}

impl From<OverTimeFields<PartitionStep>> for OverTime<TopicPartition> {
    fn from(read: OverTimeFields<PartitionStep>) -> Self {
        read.restored(|step| {
            let place = TopicPartition {
                topic: step.topic.into(),
                partition: step.partition,
            };
            (step.start, place, step.extra_records)
        })
    }
}

/// One link of an episode.
#[derive(Deserialize)]
pub(super) struct LinkFields {
    original_offset: i64,
    extra_offset: i64,
}

/// Returns the links of an episode.
pub(super) fn links(read: &[LinkFields]) -> OffsetLinks {
    let mut links = OffsetLinks::default();
    for link in read {
        links.add(link.original_offset, link.extra_offset);
    }
    links
}

/// Extra records by steps of whole minutes.
#[derive(Deserialize)]
pub(super) struct TimelineFields {
    step_minutes: i64,
    steps: Vec<StepFields>,
}

#[derive(Deserialize)]
struct StepFields {
    start: Millis,
    extra_records: u64,
}

impl From<TimelineFields> for Timeline {
    fn from(read: TimelineFields) -> Self {
        let steps = read.steps.into_iter();
        let counts = steps.map(|of| (of.start.0.div_euclid(MINUTE_MILLIS), of.extra_records));
        Self::with_step(read.step_minutes, counts)
    }
}
