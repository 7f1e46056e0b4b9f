//! The reader on librdkafka: partitions without a group, through its batch queue.

mod codes;
mod committed;
mod connect;
mod convert;
mod ffi;
#[cfg(test)]
mod mock_tests;
mod offsets;
#[cfg(test)]
mod refusal_tests;
mod settings;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::record::{RecordBlock, TopicPartition};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::LogBounds;
use crate::source::kafka::client::{EARLIEST, LATEST};
use crate::source::kafka::{TopicError, TopicListing};

use committed::CommittedReader;
use convert::{event_of, push_record};
use ffi::{Message, NativeClient, NativeError, NativeTopic};
use settings::settings_of;

/// Bytes after which a block is full.
const BLOCK_BYTES: usize = 1 << 20;

/// Messages taken off the queue at once.
const BATCH_LENGTH: usize = 8192;

/// Longest wait for topic ids, which are an extra.
const TOPIC_ID_WAIT: Duration = Duration::from_secs(3);

struct AssignedPartition {
    topic_partition: TopicPartition,
    /// Index into the topics.
    topic: usize,
    is_reading: bool,
}

/// A [`ClusterClient`] on librdkafka.
pub struct LibrdkafkaClient {
    native: NativeClient,
    brokers: String,
    topics: Vec<NativeTopic>,
    partitions: Vec<AssignedPartition>,
    /// Indexes of partitions by what messages carry.
    places: BTreeMap<(usize, i32), usize>,
    pending: VecDeque<Message>,
    batch: Vec<Message>,
    last_error: Option<NativeError>,
    /// A broker that leads some partition: topic ids are asked of it, since librdkafka may wait
    /// for a controller in vain.
    some_broker: Option<i32>,
    committed: CommittedReader,
}

impl LibrdkafkaClient {
    /// Returns a client that has not connected yet.
    pub fn new(spec: &KafkaSpec) -> Result<Self, KafkaError> {
        let settings = settings_of(spec)?;
        let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
        let native = NativeClient::new(settings).map_err(KafkaError::Configuration)?;
        Ok(Self {
            native,
            brokers: spec.brokers.clone(),
            topics: Vec::new(),
            partitions: Vec::new(),
            places: BTreeMap::new(),
            pending: VecDeque::new(),
            batch: Vec::new(),
            last_error: None,
            some_broker: None,
            committed: CommittedReader::new(spec),
        })
    }

    fn text_of(&self, error: &NativeError) -> String {
        self.explained(error.code, &error.text)
    }

    /// Returns the words of an error; those that name no broker with the last that does.
    fn explained(&self, code: i32, text: &str) -> String {
        let names_none = matches!(code, codes::TIMED_OUT | codes::ALL_BROKERS_DOWN);
        match &self.last_error {
            Some(last) if names_none && last.text != text => {
                format!("{text}; last error: {}", last.text)
            }
            Some(_) | None => text.to_owned(),
        }
    }

    /// Returns that partitions are throttled; which of them the broker leads is not known here.
    fn throttled(&self, broker: i32, wait: Duration) -> ClientEvent {
        let indexed = self.partitions.iter().enumerate();
        let reading = indexed.filter(|(_, of)| of.is_reading);
        ClientEvent::Throttled {
            partitions: reading.map(|(index, _)| index).collect(),
            wait,
            text: format!("broker {broker} throttles this client by its quota"),
        }
    }

    fn assigned(&self, index: usize) -> Result<&AssignedPartition, KafkaError> {
        self.partitions
            .get(index)
            .ok_or_else(|| no_partition(index))
    }

    /// Drops what was taken off the queue for a partition that is sent elsewhere.
    fn forget_pending(&mut self, index: usize) {
        let places = &self.places;
        self.pending
            .retain(|message| place_of(places, message) != Some(index));
    }

    fn refill(&mut self, wait: Duration) {
        self.native.consume(&mut self.batch, BATCH_LENGTH, wait);
        self.pending.extend(self.batch.drain(..));
    }

    /// Moves the records of one partition that come next into the block.
    fn fill(&mut self, index: usize, block: &mut RecordBlock) -> Result<(), KafkaError> {
        let topic_partition = self.assigned(index)?.topic_partition.clone();
        block.topic_partitions.push(topic_partition);
        loop {
            while block.bytes.len() < BLOCK_BYTES {
                let Some(message) = self.pending.front() else {
                    break;
                };
                let is_next = message.code() == 0 && place_of(&self.places, message) == Some(index);
                if !is_next {
                    return Ok(());
                }
                push_record(message, block);
                self.pending.pop_front();
            }
            if block.bytes.len() >= BLOCK_BYTES {
                return Ok(());
            }
            self.refill(Duration::ZERO);
            if self.pending.is_empty() {
                return Ok(());
            }
        }
    }
}

impl ClusterClient for LibrdkafkaClient {
    fn list_topics(
        &mut self,
        names: Option<&[String]>,
        wait: Duration,
    ) -> Result<Vec<TopicListing>, KafkaError> {
        let deadline = Instant::now() + wait;
        let Some(names) = names else {
            return self.metadata(None, deadline);
        };
        let mut listings = Vec::new();
        for name in names {
            let topic = self.native.topic(name).map_err(KafkaError::Configuration)?;
            let listed = self.metadata(Some(&topic), deadline)?;
            let listing = listed.into_iter().find(|listing| listing.topic == *name);
            listings.push(listing.unwrap_or_else(|| TopicListing {
                topic: name.clone(),
                error: Some(TopicError::Unknown),
                partitions: Vec::new(),
            }));
        }
        Ok(listings)
    }

    fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let mut indexes = BTreeMap::new();
        for (index, topic_partition) in partitions.iter().enumerate() {
            let name = &*topic_partition.topic;
            if !indexes.contains_key(name) {
                let topic = self.native.topic(name).map_err(KafkaError::Configuration)?;
                indexes.insert(name, self.topics.len());
                self.topics.push(topic);
            }
            let topic = indexes.get(name).copied().unwrap_or_default();
            let address = self.topics.get(topic).map_or(0, NativeTopic::address);
            self.places
                .insert((address, topic_partition.partition), index);
            self.partitions.push(AssignedPartition {
                topic_partition: topic_partition.clone(),
                topic,
                is_reading: false,
            });
        }
        Ok(())
    }

    fn log_bounds(
        &mut self,
        partitions: &[usize],
        wait: Duration,
    ) -> Result<Vec<Result<LogBounds, String>>, KafkaError> {
        let deadline = Instant::now() + wait;
        self.take_notices();
        if let [index] = *partitions
            && self.assigned(index)?.is_reading
        {
            return Ok(vec![self.bounds_while_reading(index, wait)?]);
        }
        let starts = self.ask_offsets(partitions, EARLIEST, false, deadline)?;
        // The stable end first: asked for later, it could lie after the end.
        let stable_ends = self.ask_offsets(partitions, LATEST, true, deadline)?;
        let ends = self.ask_offsets(partitions, LATEST, false, deadline)?;
        let rest = deadline.saturating_duration_since(Instant::now());
        let topic_ids = self.topic_ids(partitions, rest.min(TOPIC_ID_WAIT))?;
        let offsets = starts.into_iter().zip(stable_ends).zip(ends);
        let mut bounds = Vec::with_capacity(partitions.len());
        for (((start, stable_end), end), &index) in offsets.zip(partitions) {
            let topic = self.assigned(index)?.topic;
            bounds.push(start.and_then(|log_start_offset| {
                Ok(LogBounds {
                    log_start_offset,
                    high_watermark: end?,
                    last_stable_offset: stable_end?,
                    topic_id: topic_ids.get(&topic).copied(),
                })
            }));
        }
        Ok(bounds)
    }

    fn offsets_for_timestamp(
        &mut self,
        partitions: &[usize],
        millis: i64,
        wait: Duration,
    ) -> Result<Vec<Result<Option<i64>, String>>, KafkaError> {
        let deadline = Instant::now() + wait;
        let answers = self.ask_offsets(partitions, millis.max(0), false, deadline)?;
        let answers = answers.into_iter();
        // −1: no record is that late.
        Ok(answers
            .map(|answer| answer.map(|offset| (offset >= 0).then_some(offset)))
            .collect())
    }

    fn read_from(&mut self, partition: usize, offset: i64, _end: i64) -> Result<(), KafkaError> {
        self.forget_pending(partition);
        let assigned = self.assigned(partition)?;
        let number = assigned.topic_partition.partition;
        let topic = self
            .topics
            .get(assigned.topic)
            .ok_or_else(|| no_partition(partition))?;
        if !self.native.start(topic, number, offset) {
            let name = &assigned.topic_partition;
            let problem = format!("librdkafka does not start reading {name} at {offset}");
            return Err(KafkaError::Internal(problem));
        }
        if let Some(assigned) = self.partitions.get_mut(partition) {
            assigned.is_reading = true;
        }
        Ok(())
    }

    fn pause(&mut self, partition: usize) -> Result<(), KafkaError> {
        self.forget_pending(partition);
        let assigned = self.assigned(partition)?;
        let number = assigned.topic_partition.partition;
        if assigned.is_reading
            && let Some(topic) = self.topics.get(assigned.topic)
        {
            topic.stop(number);
        }
        if let Some(assigned) = self.partitions.get_mut(partition) {
            assigned.is_reading = false;
        }
        Ok(())
    }

    fn poll(&mut self, wait: Duration, block: &mut RecordBlock) -> Result<ClientEvent, KafkaError> {
        if self.pending.is_empty() {
            if let Some(error) = self.take_notices() {
                return Ok(ClientEvent::ClusterFault(self.text_of(&error)));
            }
            if let Some((broker, wait)) = self.native.throttling() {
                return Ok(self.throttled(broker, wait));
            }
            self.refill(wait);
        }
        let Some(message) = self.pending.front() else {
            return Ok(ClientEvent::Nothing);
        };
        let place = place_of(&self.places, message);
        if message.code() == 0
            && let Some(partition) = place
        {
            self.fill(partition, block)?;
            return Ok(ClientEvent::Records {
                partition,
                next_offset: None,
                absent: Vec::new(),
            });
        }
        let event = if let Some(partition) = place {
            event_of(message, partition)
        } else {
            ClientEvent::ClusterFault(self.explained(message.code(), &message.error_text()))
        };
        self.pending.pop_front();
        Ok(event)
    }

    fn aborted_among(
        &mut self,
        partition: usize,
        offsets: &[i64],
        patience: Duration,
    ) -> Result<Vec<i64>, KafkaError> {
        let places = self.partitions.iter().map(|of| of.topic_partition.clone());
        let reader = &mut self.committed;
        reader.absent_among(places, partition, offsets, patience)
    }
}

fn place_of(places: &BTreeMap<(usize, i32), usize>, message: &Message) -> Option<usize> {
    let place = (message.topic_address(), message.partition());
    places.get(&place).copied()
}

fn no_partition(index: usize) -> KafkaError {
    KafkaError::Internal(format!("there is no partition with index {index}"))
}
