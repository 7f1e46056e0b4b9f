//! What the scripted brokers answer.

use std::ops::Range;

use bytes::BytesMut;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, FetchRequest,
    FetchResponse, FindCoordinatorResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataResponse, ResponseHeader, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
use uuid::Uuid;

use super::{Script, ScriptedPartition};

pub(super) fn handshake(script: &Script, request: &SaslHandshakeRequest) -> SaslHandshakeResponse {
    let offered = script.login.as_ref().map_or("", |login| login.mechanism);
    let is_offered = &*request.mechanism == offered;
    SaslHandshakeResponse::default()
        .with_error_code(if is_offered { 0 } else { 33 })
        .with_mechanisms(vec![StrBytes::from_static_str(offered)])
}

pub(super) fn authenticate(answer: Option<Vec<u8>>) -> SaslAuthenticateResponse {
    let response = SaslAuthenticateResponse::default();
    match answer {
        Some(answer) => response.with_auth_bytes(answer.into()),
        None => response
            .with_error_code(58)
            .with_error_message(Some(StrBytes::from_static_str("invalid credentials"))),
    }
}

pub(super) fn frame<R: Encodable + HeaderVersion>(id: i32, response: &R, version: i16) -> Vec<u8> {
    let mut body = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(id);
    header
        .encode(&mut body, R::header_version(version))
        .and_then(|()| response.encode(&mut body, version))
        .expect("a response that can be encoded");
    let length = u32::try_from(body.len()).expect("a small response");
    [&length.to_be_bytes(), &*body].concat()
}

pub(super) fn versions(script: &Script) -> ApiVersionsResponse {
    let known = [
        // Nothing is produced, but librdkafka takes a broker without it for an old one.
        (0, 3, 11),
        (1, 4, 17),
        (2, 1, 10),
        (3, 0, 13),
        (10, 0, 6),
        (17, 0, 1),
        (18, 0, 4),
        (35, 1, 4),
        (36, 0, 2),
    ];
    let keys = known.map(|(key, oldest, newest)| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(oldest)
            .with_max_version(script.newest_versions.get(&key).copied().unwrap_or(newest))
    });
    ApiVersionsResponse::default().with_api_keys(keys.to_vec())
}

pub(super) fn metadata(script: &Script, version: i16) -> MetadataResponse {
    let brokers = script.ports.iter().map(|(&broker, &port)| {
        MetadataResponseBroker::default()
            .with_node_id(broker.into())
            .with_host(StrBytes::from_static_str(script.host))
            .with_port(port.into())
    });
    let partitions = script.partitions.iter().zip(0..).map(|(partition, index)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(partition.leader.into())
            .with_leader_epoch(if version >= 7 {
                partition.leader_epoch
            } else {
                -1
            })
            .with_error_code(if partition.leader < 0 { 5 } else { 0 })
    });
    let topic = MetadataResponseTopic::default()
        .with_name(Some(topic_name(script)))
        .with_error_code(script.topic_error)
        .with_topic_id(if version >= 10 {
            Uuid::from_bytes(script.topic_id)
        } else {
            Uuid::nil()
        })
        .with_partitions(partitions.collect());
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_topics(vec![topic])
}

pub(super) fn list_offsets(script: &Script, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
    let partitions = asked.map(|question| {
        let index = usize::try_from(question.partition_index).expect("a right partition");
        let partition = script.partitions.get(index).cloned().unwrap_or_default();
        let offset = match question.timestamp {
            -2 => partition.log_start_offset,
            -1 if request.isolation_level == 1 => partition.last_stable_offset(),
            -1 => partition.high_watermark,
            _ => -1,
        };
        ListOffsetsPartitionResponse::default()
            .with_partition_index(question.partition_index)
            .with_offset(offset)
    });
    let topic = ListOffsetsTopicResponse::default()
        .with_name(topic_name(script))
        .with_partitions(partitions.collect());
    ListOffsetsResponse::default().with_topics(vec![topic])
}

pub(super) fn fetch(
    broker: i32,
    script: &mut Script,
    request: &FetchRequest,
    version: i16,
) -> FetchResponse {
    let mut topic = FetchableTopicResponse::default();
    if version >= 13 {
        topic.topic_id = Uuid::from_bytes(script.topic_id);
    } else {
        topic.topic = topic_name(script);
    }
    let asked_topics = request.topics.iter();
    let mut ids = asked_topics.clone().map(|asked| *asked.topic_id.as_bytes());
    let is_known = version < 13 || ids.all(|id| id == script.topic_id);
    if !is_known {
        topic.topic_id = request
            .topics
            .first()
            .map_or(Uuid::nil(), |topic| topic.topic_id);
    }
    let mut left = usize::try_from(request.max_bytes).unwrap_or(0);
    for asked in asked_topics.flat_map(|topic| &topic.partitions) {
        let index = usize::try_from(asked.partition).expect("a right partition");
        let partition = script.partitions.get_mut(index).expect("a right partition");
        let is_committed = request.isolation_level == 1;
        let mut data = match fetch_error(broker, partition, asked, is_known) {
            0 => {
                let has_nothing_yet = partition.empty_fetches > 0;
                partition.empty_fetches = partition.empty_fetches.saturating_sub(1);
                let data = fetch_records(partition, asked, is_committed, version, &mut left);
                if has_nothing_yet {
                    data.with_records(None)
                } else {
                    data
                }
            }
            error => PartitionData::default()
                .with_error_code(error)
                .with_high_watermark(-1),
        };
        data.partition_index = asked.partition;
        topic.partitions.push(data);
    }
    FetchResponse::default()
        .with_throttle_time_ms(script.throttle_time_ms)
        .with_responses(vec![topic])
}

fn fetch_error(
    broker: i32,
    partition: &mut ScriptedPartition,
    asked: &FetchPartition,
    is_known: bool,
) -> i16 {
    let epoch = asked.current_leader_epoch;
    let range = partition.log_start_offset..=partition.high_watermark;
    if !is_known {
        100
    } else if partition.leader != broker {
        6
    } else if epoch >= 0 && epoch < partition.leader_epoch {
        74
    } else if let Some(error) = partition.fetch_errors.pop_front() {
        error
    } else if partition.fetch_error != 0 {
        partition.fetch_error
    } else {
        i16::from(!range.contains(&asked.fetch_offset))
    }
}

fn fetch_records(
    partition: &ScriptedPartition,
    asked: &FetchPartition,
    is_committed: bool,
    version: i16,
    left: &mut usize,
) -> PartitionData {
    let data = PartitionData::default()
        .with_high_watermark(partition.high_watermark)
        .with_last_stable_offset(partition.last_stable_offset())
        .with_log_start_offset(if version >= 5 {
            partition.log_start_offset
        } else {
            -1
        });
    if let Some((epoch, end)) = partition.diverging.filter(|_| version >= 12) {
        let diverging = EpochEndOffset::default().with_epoch(epoch);
        return data.with_diverging_epoch(diverging.with_end_offset(end));
    }
    let limit = if is_committed {
        partition.last_stable_offset()
    } else {
        partition.high_watermark
    };
    let wanted = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
    let is_first = *left > 0;
    let records = records_from(
        partition,
        asked.fetch_offset..limit,
        wanted.min(*left),
        is_first,
    );
    *left = left.saturating_sub(records.len());
    let aborted = partition
        .aborted
        .iter()
        .filter(|(_, _, marker)| asked.fetch_offset <= *marker)
        .map(|&(producer_id, first_offset, _)| {
            AbortedTransaction::default()
                .with_producer_id(producer_id.into())
                .with_first_offset(first_offset)
        });
    data.with_records(Some(records.into()))
        .with_aborted_transactions(is_committed.then(|| aborted.collect()))
}

/// Returns the batches from an offset on, the last one cut where the bytes end.
fn records_from(
    partition: &ScriptedPartition,
    offsets: Range<i64>,
    bytes_max: usize,
    is_first_whole: bool,
) -> Vec<u8> {
    let mut records = Vec::new();
    for (first, last, batch) in &partition.batches {
        if *last < offsets.start || *first >= offsets.end {
            continue;
        }
        let room = bytes_max.saturating_sub(records.len());
        if room >= batch.len() || (records.is_empty() && is_first_whole) {
            records.extend_from_slice(batch);
        } else {
            records.extend_from_slice(batch.get(..room).unwrap_or_default());
            break;
        }
    }
    records
}

pub(super) fn throttled(millis: u64) -> FetchResponse {
    FetchResponse::default().with_throttle_time_ms(i32::try_from(millis).expect("a short time"))
}

pub(super) fn no_coordinator() -> FindCoordinatorResponse {
    FindCoordinatorResponse::default().with_error_code(30)
}

pub(super) fn log_dirs(
    script: &Script,
    request: &DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let Some(bytes) = script.log_bytes else {
        return DescribeLogDirsResponse::default().with_error_code(31);
    };
    let topics = request.topics.iter().flatten().map(|topic| {
        let partitions = topic.partitions.iter().map(|&partition| {
            DescribeLogDirsPartition::default()
                .with_partition_index(partition)
                .with_partition_size(bytes)
        });
        DescribeLogDirsTopic::default()
            .with_name(topic.topic.clone())
            .with_partitions(partitions.collect())
    });
    let folder = DescribeLogDirsResult::default().with_topics(topics.collect());
    DescribeLogDirsResponse::default().with_results(vec![folder])
}

fn topic_name(script: &Script) -> TopicName {
    TopicName(StrBytes::from_string(script.topic.clone()))
}
