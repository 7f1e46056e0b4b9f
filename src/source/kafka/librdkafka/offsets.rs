//! Questions about offsets and topic ids.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::source::kafka::KafkaError;
use crate::source::kafka::LogBounds;
use crate::source::kafka::librdkafka::ffi::OffsetQuestion;
use crate::source::kafka::librdkafka::{LibrdkafkaClient, TOPIC_ID_WAIT, no_partition};

impl LibrdkafkaClient {
    pub(super) fn ask_offsets(
        &self,
        partitions: &[usize],
        spec: i64,
        is_committed: bool,
        deadline: Instant,
    ) -> Result<Vec<Result<i64, String>>, KafkaError> {
        let mut questions = Vec::with_capacity(partitions.len());
        for &index in partitions {
            let assigned = self.assigned(index)?;
            let topic = self.topics.get(assigned.topic);
            questions.push(OffsetQuestion {
                topic: topic.ok_or_else(|| no_partition(index))?,
                partition: assigned.topic_partition.partition,
                spec,
            });
        }
        let wait = deadline.saturating_duration_since(Instant::now());
        let wait = wait.max(Duration::from_millis(100));
        Ok(
            match self.native.list_offsets(&questions, is_committed, wait) {
                Ok(answers) => answers
                    .into_iter()
                    .map(|answer| answer.map_err(|error| error.text))
                    .collect(),
                Err(error) => vec![Err(self.text_of(&error)); partitions.len()],
            },
        )
    }

    /// Returns the bounds of one partition in mid-scan; the end is the one of the isolation
    /// level, which the range read does not exceed either.
    pub(super) fn bounds_while_reading(
        &self,
        index: usize,
        wait: Duration,
    ) -> Result<Result<LogBounds, String>, KafkaError> {
        let assigned = self.assigned(index)?;
        let number = assigned.topic_partition.partition;
        let topic = self
            .topics
            .get(assigned.topic)
            .ok_or_else(|| no_partition(index))?;
        let (log_start_offset, end) = match self.native.watermarks(topic, number, wait) {
            Ok(watermarks) => watermarks,
            Err(error) => return Ok(Err(self.text_of(&error))),
        };
        let topic_ids = self.topic_ids(&[index], TOPIC_ID_WAIT)?;
        Ok(Ok(LogBounds {
            log_start_offset,
            high_watermark: end,
            last_stable_offset: end,
            topic_id: topic_ids.get(&assigned.topic).copied(),
        }))
    }

    /// Returns the topic ids that are known, by index of the topic.
    pub(super) fn topic_ids(
        &self,
        partitions: &[usize],
        wait: Duration,
    ) -> Result<BTreeMap<usize, [u8; 16]>, KafkaError> {
        let mut ids = BTreeMap::new();
        let mut asked = BTreeSet::new();
        for &index in partitions {
            let topic = self.assigned(index)?.topic;
            if asked.insert(topic)
                && let Some(native) = self.topics.get(topic)
                && let Some(broker) = self.some_broker
                && let Some(id) = self.native.topic_id(native, broker, wait)
            {
                ids.insert(topic, id);
            }
        }
        Ok(ids)
    }
}
