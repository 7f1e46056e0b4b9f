//! Which partitions a broker is asked for next, and the request that asks for them.

use std::time::{Duration, Instant};

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use uuid::Uuid;

use crate::source::kafka::wire::connection::Connection;
use crate::source::kafka::wire::control::topic_name;
use crate::source::kafka::wire::error::WireError;
use crate::source::kafka::wire::settings::Settings;
use crate::source::kafka::wire::state::{PartitionState, State};

/// First version that names topics by their ids.
pub(super) const TOPIC_IDS_FROM: i16 = 13;
/// Kafka 2.0 knows 8; newer ones than the last bring nothing to a reader of leaders.
const VERSIONS: (i16, i16) = (4, 16);

/// How long a broker may look for records that it should have: those in other storage take
/// longer, and an answer that comes before them is empty.
const SUSPECT_WAIT: Duration = Duration::from_millis(1500);

/// One partition that a broker was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) partition: usize,
    pub(super) generation: u64,
    pub(super) offset: i64,
    pub(super) topic: std::sync::Arc<str>,
    pub(super) topic_id: Option<[u8; 16]>,
    pub(super) number: i32,
    leader_epoch: i32,
    read_epoch: i32,
    bytes_max: i32,
    is_suspect: bool,
}

/// Returns the partitions to ask a broker for now, the one behind `after` first: what comes last
/// in a request may get no bytes.
pub(super) fn plan(
    state: &mut State,
    broker: i32,
    after: usize,
    settings: &Settings,
) -> Vec<Asked> {
    let now = Instant::now();
    let mut asked = Vec::new();
    let count = state.partitions.len();
    for step in 1..=count {
        let index = (after + step) % count.max(1);
        let Some(partition) = state.partitions.get(index) else {
            continue;
        };
        let is_due = partition.not_before.is_none_or(|time| time <= now);
        let is_wanted = partition.is_reading && partition.next_fetch < partition.end;
        if !is_due || !is_wanted || partition.leader != Some(broker) {
            continue;
        }
        // One that gave nothing although it should is asked for by itself.
        let is_suspect = partition.empty_answers > 0;
        if is_suspect && !asked.is_empty() {
            continue;
        }
        asked.push(Asked {
            partition: index,
            generation: partition.generation,
            offset: partition.next_fetch,
            topic: partition.topic_partition.topic.clone(),
            topic_id: partition.topic_id,
            number: partition.topic_partition.partition,
            leader_epoch: partition.leader_epoch,
            read_epoch: partition.read_epoch,
            bytes_max: bytes_for(partition, settings).max(partition.bytes_wanted),
            is_suspect,
        });
        if is_suspect {
            break;
        }
    }
    asked
}

/// Returns the bytes to ask for: few where few records are wanted, as of a second reading.
fn bytes_for(partition: &PartitionState, settings: &Settings) -> i32 {
    const BYTES_MIN: i32 = 64 << 10;
    const RECORD_BYTES: i64 = 4 << 10;
    let wanted = (partition.end - partition.next_fetch).saturating_mul(RECORD_BYTES);
    let wanted = i32::try_from(wanted).unwrap_or(i32::MAX).max(BYTES_MIN);
    wanted.min(settings.partition_bytes_max)
}

/// Returns the version to ask with, and the request.
pub(super) fn request(
    connection: &Connection,
    asked: &[Asked],
    settings: &Settings,
) -> Result<(i16, FetchRequest), WireError> {
    let has_ids = asked.iter().all(|asked| asked.topic_id.is_some());
    let newest = if has_ids {
        VERSIONS.1
    } else {
        TOPIC_IDS_FROM - 1
    };
    let version = connection.version::<FetchRequest>(VERSIONS.0, newest)?;
    let mut topics: Vec<FetchTopic> = Vec::new();
    for one in asked {
        let partition = FetchPartition::default()
            .with_partition(one.number)
            .with_current_leader_epoch(if version >= 9 { one.leader_epoch } else { -1 })
            .with_fetch_offset(one.offset)
            .with_last_fetched_epoch(if version >= 12 { one.read_epoch } else { -1 })
            .with_log_start_offset(-1)
            .with_partition_max_bytes(one.bytes_max);
        let is_same = |topic: &FetchTopic| {
            if version >= TOPIC_IDS_FROM {
                Some(*topic.topic_id.as_bytes()) == one.topic_id
            } else {
                **topic.topic == *one.topic
            }
        };
        if let Some(topic) = topics.last_mut().filter(|topic| is_same(topic)) {
            topic.partitions.push(partition);
            continue;
        }
        let topic = FetchTopic::default().with_partitions(vec![partition]);
        topics.push(match one.topic_id {
            Some(id) if version >= TOPIC_IDS_FROM => topic.with_topic_id(Uuid::from_bytes(id)),
            _ => topic.with_topic(topic_name(&one.topic)),
        });
    }
    let wanted = asked.iter().map(|asked| asked.bytes_max).max();
    let wait = if asked.iter().any(|asked| asked.is_suspect) {
        settings.fetch_wait.max(SUSPECT_WAIT)
    } else {
        settings.fetch_wait
    };
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(1)
        .with_max_bytes(settings.fetch_bytes_max.max(wanted.unwrap_or(0)))
        .with_isolation_level(settings.isolation_level())
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(topics);
    Ok((version, request))
}
