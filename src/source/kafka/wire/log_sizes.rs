//! How many bytes logs take on their leaders, where the cluster tells.

use std::collections::BTreeMap;
use std::time::Instant;

use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::record::TopicPartition;

use super::control::{Control, topic_name};
use super::error::WireError;

impl Control {
    /// Asks a broker how many bytes the logs of partitions take on it. It tells only those who
    /// may describe the cluster; of others it says nothing.
    pub(super) fn log_sizes(
        &mut self,
        broker: i32,
        partitions: &[&TopicPartition],
        deadline: Instant,
    ) -> Result<Vec<Option<u64>>, WireError> {
        let request = request(partitions);
        let response = self.ask_broker(broker, deadline, |connection| {
            let version = connection.version::<DescribeLogDirsRequest>(1, 4)?;
            connection.call(&request, version, deadline)
        })?;
        let sizes = sizes_of(&response);
        let size = |of: &&TopicPartition| sizes.get(&(&*of.topic, of.partition)).copied();
        Ok(partitions.iter().map(size).collect())
    }
}

fn request(partitions: &[&TopicPartition]) -> DescribeLogDirsRequest {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for of in partitions {
        topics.entry(&of.topic).or_default().push(of.partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        DescribableLogDirTopic::default()
            .with_topic(topic_name(topic))
            .with_partitions(partitions)
    });
    DescribeLogDirsRequest::default().with_topics(Some(topics.collect()))
}

/// Returns the bytes by topic and partition; those of a log that is being moved to another disk
/// do not count twice.
fn sizes_of(response: &DescribeLogDirsResponse) -> BTreeMap<(&str, i32), u64> {
    let mut sizes = BTreeMap::new();
    let folders = response.results.iter();
    for topic in folders.flat_map(|folder| &folder.topics) {
        for partition in topic.partitions.iter().filter(|of| !of.is_future_key) {
            if let Ok(bytes) = u64::try_from(partition.partition_size) {
                sizes.insert((&**topic.name, partition.partition_index), bytes);
            }
        }
    }
    sizes
}
