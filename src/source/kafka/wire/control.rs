//! Metadata and offsets: asked of whichever broker answers, and of partition leaders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{ListOffsetsRequest, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::record::TopicPartition;

use super::connection::Connection;
use super::error::WireError;
use super::settings::Settings;

/// Where a broker listens.
pub(super) type BrokerAddress = (String, u16);

/// What the cluster says of itself at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterView {
    pub(super) brokers: BTreeMap<i32, BrokerAddress>,
    pub(super) topics: Vec<TopicView>,
}

/// What the cluster says of a topic.
#[derive(Clone, Debug)]
pub(super) struct TopicView {
    pub(super) topic: String,
    pub(super) topic_id: Option<[u8; 16]>,
    pub(super) error: Option<ResponseError>,
    pub(super) partitions: Vec<PartitionView>,
}

/// What the cluster says of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartitionView {
    pub(super) partition: i32,
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
    pub(super) error: Option<ResponseError>,
}

impl ClusterView {
    /// Returns what the cluster says of a topic.
    pub(super) fn topic(&self, topic: &str) -> Option<&TopicView> {
        self.topics.iter().find(|view| view.topic == topic)
    }

    /// Returns what the cluster says of a partition.
    pub(super) fn partition(&self, of: &TopicPartition) -> Option<&PartitionView> {
        let partitions = &self.topic(&of.topic)?.partitions;
        partitions
            .iter()
            .find(|view| view.partition == of.partition)
    }
}

/// What a broker says to one question about an offset.
pub(super) type OffsetAnswer = Result<i64, ResponseError>;

/// Connections for questions, opened as they are needed.
pub(super) struct Control {
    settings: Arc<Settings>,
    brokers: BTreeMap<i32, BrokerAddress>,
    connections: BTreeMap<BrokerAddress, Connection>,
}

impl Control {
    /// Returns one without connections.
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            brokers: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Asks the first broker that answers about the topics named, or about all. Names no topic
    /// into being.
    pub(super) fn cluster_view(
        &mut self,
        names: Option<&[String]>,
        deadline: Instant,
    ) -> Result<ClusterView, WireError> {
        let request = metadata_request(names);
        let mut last = WireError::Unreachable("no broker to ask".to_owned());
        for (address, share) in self.candidates(deadline) {
            // A broker that is silent must leave time for the others.
            let until = deadline.min(Instant::now() + share);
            match self.ask_metadata(&address, &request, until) {
                Ok(response) => {
                    let view = view_of(response);
                    if !view.brokers.is_empty() {
                        self.brokers.clone_from(&view.brokers);
                    }
                    return Ok(view);
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    self.connections.remove(&address);
                    last = error;
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(last)
    }

    /// Asks a broker about partitions that it leads.
    pub(super) fn offsets(
        &mut self,
        broker: i32,
        (timestamp, isolation_level): (i64, i8),
        partitions: &[&TopicPartition],
        deadline: Instant,
    ) -> Result<Vec<OffsetAnswer>, WireError> {
        let request = offsets_request(timestamp, isolation_level, partitions);
        let response = self.ask_broker(broker, deadline, |connection| {
            let version = connection.version::<ListOffsetsRequest>(2, 7)?;
            connection.call(&request, version, deadline)
        })?;
        let mut answers = BTreeMap::new();
        for topic in &response.topics {
            for answer in &topic.partitions {
                let result = match ResponseError::try_from_code(answer.error_code) {
                    Some(error) => Err(error),
                    None => Ok(answer.offset),
                };
                answers.insert((&**topic.name, answer.partition_index), result);
            }
        }
        let answer = |of: &&TopicPartition| {
            let known = answers.get(&(&*of.topic, of.partition)).copied();
            known.unwrap_or(Err(ResponseError::UnknownTopicOrPartition))
        };
        Ok(partitions.iter().map(answer).collect())
    }

    /// Asks one broker something; a connection that fails is not used again.
    pub(super) fn ask_broker<T>(
        &mut self,
        broker: i32,
        deadline: Instant,
        ask: impl FnOnce(&mut Connection) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let address = self.brokers.get(&broker).cloned();
        let address = address
            .ok_or_else(|| WireError::Unreachable(format!("broker {broker} is not known")))?;
        let answer = self.connection(&address, deadline).and_then(ask);
        if answer.is_err() {
            self.connections.remove(&address);
        }
        answer
    }

    fn candidates(&self, deadline: Instant) -> Vec<(BrokerAddress, Duration)> {
        let mut addresses: Vec<BrokerAddress> = self.connections.keys().cloned().collect();
        let known = self.brokers.values().chain(&self.settings.bootstrap);
        for address in known {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let share = (left / count).max(left.min(Duration::from_secs(3)));
        addresses
            .into_iter()
            .map(|address| (address, share))
            .collect()
    }

    fn ask_metadata(
        &mut self,
        address: &BrokerAddress,
        request: &MetadataRequest,
        deadline: Instant,
    ) -> Result<MetadataResponse, WireError> {
        let is_new = !self.connections.contains_key(address);
        let has_login = self.settings.sasl.is_some();
        let connection = self.connection(address, deadline)?;
        let version = connection.version::<MetadataRequest>(4, 12)?;
        let result = connection.call(request, version, deadline);
        // A port that wants a login answers nothing but the question for its versions.
        result.map_err(|error| match error {
            WireError::Unreachable(text) if is_new && !has_login => {
                let hint = "does it want a login (security.protocol=SASL_PLAINTEXT or SASL_SSL)?";
                WireError::Unreachable(format!("{text}; {hint}"))
            }
            error @ (WireError::Setting(_)
            | WireError::Refused(_)
            | WireError::Unreachable(_)
            | WireError::TimedOut(_)
            | WireError::Protocol(_)) => error,
        })
    }

    fn connection(
        &mut self,
        address: &BrokerAddress,
        deadline: Instant,
    ) -> Result<&mut Connection, WireError> {
        if self
            .connections
            .get(address)
            .is_some_and(Connection::is_expired)
        {
            self.connections.remove(address);
        }
        if !self.connections.contains_key(address) {
            let (host, port) = address;
            let connection = Connection::open(&self.settings, (host, *port), deadline)?;
            self.connections.insert(address.clone(), connection);
        }
        self.connections
            .get_mut(address)
            .ok_or_else(|| WireError::Unreachable("the connection is gone".to_owned()))
    }
}

/// Returns a name as requests carry it.
pub(super) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn metadata_request(names: Option<&[String]>) -> MetadataRequest {
    let topics = names.map(|names| {
        let named = names.iter().map(|name| topic_name(name));
        named
            .map(|name| MetadataRequestTopic::default().with_name(Some(name)))
            .collect()
    });
    MetadataRequest::default()
        .with_topics(topics)
        .with_allow_auto_topic_creation(false)
}

fn offsets_request(
    timestamp: i64,
    isolation_level: i8,
    partitions: &[&TopicPartition],
) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for of in partitions {
        let question = ListOffsetsPartition::default()
            .with_partition_index(of.partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        topics.entry(&of.topic).or_default().push(question);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        ListOffsetsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(partitions)
    });
    ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(isolation_level)
        .with_topics(topics.collect())
}

fn view_of(response: MetadataResponse) -> ClusterView {
    let brokers = response.brokers.iter().filter_map(|broker| {
        let port = u16::try_from(broker.port).ok()?;
        Some((broker.node_id.0, (broker.host.to_string(), port)))
    });
    ClusterView {
        brokers: brokers.collect(),
        topics: response.topics.into_iter().map(topic_view_of).collect(),
    }
}

fn topic_view_of(topic: MetadataResponseTopic) -> TopicView {
    let mut partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|partition| PartitionView {
            partition: partition.partition_index,
            leader: Some(partition.leader_id.0).filter(|&leader| leader >= 0),
            leader_epoch: partition.leader_epoch,
            error: ResponseError::try_from_code(partition.error_code),
        })
        .collect();
    partitions.sort_by_key(|view| view.partition);
    let topic_id = *topic.topic_id.as_bytes();
    TopicView {
        topic: topic.name.map(|name| name.to_string()).unwrap_or_default(),
        topic_id: (topic_id != [0; 16]).then_some(topic_id),
        error: ResponseError::try_from_code(topic.error_code),
        partitions,
    }
}
