//! What the tests do to a cluster and ask of it, through librdkafka and not through dupaudit.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::report::Place;

const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster by its bootstrap address.
pub(crate) struct Cluster {
    pub(crate) bootstrap: String,
}

/// A record as a plain consumer reads it.
#[derive(Clone, Debug)]
pub(crate) struct PlainRecord {
    pub(crate) place: Place,
    pub(crate) value: Option<Vec<u8>>,
}

/// What must be the same before and after an audit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    groups: Vec<String>,
    /// Topics with the high watermarks of their partitions.
    topics: BTreeMap<String, Vec<i64>>,
}

impl Cluster {
    pub(crate) fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
        }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("log_level", "0");
        config
    }

    /// Returns whether a broker answers with metadata.
    pub(crate) fn is_up(&self) -> bool {
        let consumer = self.consumer("read_committed");
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(2));
        metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
    }

    /// Creates a topic whose name starts with `prefix` and is like no other; waits for leaders.
    pub(crate) fn create_topic(
        &self,
        prefix: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{}-{number}", std::process::id());
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        for (config, value) in configs {
            topic = topic.set(config, value);
        }
        self.create(&topic);
        name
    }

    /// Creates a topic as it is told to, and waits for leaders.
    pub(crate) fn create(&self, topic: &NewTopic<'_>) {
        let created = block_on(self.admin().create_topics([topic], &AdminOptions::new()));
        assert_eq!(created.unwrap(), [Ok(topic.name.to_owned())]);
        self.wait_for_leaders(topic.name);
    }

    /// Deletes a topic.
    pub(crate) fn delete(&self, topic: &str) {
        let deleted = block_on(self.admin().delete_topics(&[topic], &AdminOptions::new()));
        assert_eq!(deleted.unwrap(), [Ok(topic.to_owned())]);
    }

    /// Deletes a topic and makes one of that name again.
    pub(crate) fn make_again(&self, topic: &str, partitions: i32) {
        self.delete(topic);
        let again = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let deadline = Instant::now() + PATIENCE;
        // The name is free once the deletion is done everywhere.
        loop {
            let created = block_on(self.admin().create_topics([&again], &AdminOptions::new()));
            match created.unwrap().remove(0) {
                Ok(_) => break self.wait_for_leaders(topic),
                Err((_, code)) => assert_eq!(code, RDKafkaErrorCode::TopicAlreadyExists),
            }
            assert!(Instant::now() < deadline, "`{topic}` does not go");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Gives a topic more partitions, up to `count`.
    pub(crate) fn grow(&self, topic: &str, count: usize) {
        let more = NewPartitions::new(topic, count);
        let grown = block_on(
            self.admin()
                .create_partitions([&more], &AdminOptions::new()),
        );
        assert_eq!(grown.unwrap(), [Ok(topic.to_owned())]);
    }

    fn wait_for_leaders(&self, topic: &str) {
        let consumer = self.consumer("read_committed");
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
            let partitions = metadata.topics()[0].partitions();
            if !partitions.is_empty() && partitions.iter().all(|of| of.leader() >= 0) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("`{topic}` has no leader");
    }

    /// Returns a partition's leader, and its replicas that are in sync.
    pub(crate) fn leadership(&self, topic: &str, partition: usize) -> (i32, Vec<i32>) {
        let consumer = self.consumer("read_committed");
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partition = &metadata.topics()[0].partitions()[partition];
        (partition.leader(), partition.isr().to_vec())
    }

    /// Returns the high watermark of a partition.
    pub(crate) fn end_of(&self, topic: &str, partition: i32) -> i64 {
        let consumer = self.consumer("read_uncommitted");
        consumer
            .fetch_watermarks(topic, partition, PATIENCE)
            .unwrap()
            .1
    }

    /// Sets the one property of a topic that is not as it comes.
    pub(crate) fn configure(&self, topic: &str, property: &str, value: &str) {
        let config = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(property, value);
        let options = AdminOptions::new();
        let altered = block_on(self.admin().alter_configs([&config], &options));
        assert!(
            altered.unwrap()[0].is_ok(),
            "`{topic}` keeps its {property}"
        );
    }

    /// Deletes the records of a partition below `offset`.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut until = TopicPartitionList::new();
        until
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .unwrap();
        let options = AdminOptions::new();
        block_on(self.admin().delete_records(&until, &options)).unwrap();
    }

    /// Makes the topic of an export of `kcat -J` again, with its offsets and timestamps.
    pub(crate) fn restore(&self, export: &str) {
        let envelopes: Vec<serde_json::Value> = export
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let topic = envelopes[0]["topic"].as_str().unwrap();
        let partitions = envelopes.iter().map(|of| of["partition"].as_i64().unwrap());
        let count = i32::try_from(partitions.max().unwrap() + 1).unwrap();
        let new_topic = NewTopic::new(topic, count, TopicReplication::Fixed(1));
        block_on(
            self.admin()
                .create_topics([&new_topic], &AdminOptions::new()),
        )
        .unwrap();
        self.wait_for_leaders(topic);
        let producer = self.producer(&[]);
        for envelope in &envelopes {
            let partition = i32::try_from(envelope["partition"].as_i64().unwrap()).unwrap();
            let record = BaseRecord::to(topic)
                .partition(partition)
                .timestamp(envelope["ts"].as_i64().unwrap())
                .key(envelope["key"].as_str().unwrap())
                .payload(envelope["payload"].as_str().unwrap());
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        flush(&producer);
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    /// Returns a producer whose retries no broker recognises: what they send again is there twice.
    pub(crate) fn retrying_producer(&self, more: &[(&str, &str)]) -> BaseProducer {
        let settings = [
            ("enable.idempotence", "false"),
            ("acks", "all"),
            ("batch.num.messages", "40"),
            ("retry.backoff.ms", "20"),
            ("reconnect.backoff.ms", "10"),
            ("reconnect.backoff.max.ms", "50"),
        ];
        self.producer(&[&settings, more].concat())
    }

    pub(crate) fn producer(&self, properties: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.config();
        config.set("linger.ms", "0");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        config.create().unwrap()
    }

    /// Returns a producer in the middle of its first transaction.
    pub(crate) fn in_transaction(&self, id: &str) -> BaseProducer {
        let producer = self.producer(&[("transactional.id", id)]);
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        producer
    }

    fn consumer(&self, isolation: &str) -> BaseConsumer {
        self.config()
            .set("group.id", "unused: partitions are assigned")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", isolation)
            .create()
            .unwrap()
    }

    /// Waits until no transaction is open in the first partitions: a producer hears of the end of
    /// its transaction before the markers are in the logs.
    pub(crate) fn settle(&self, topic: &str, partitions: i32) {
        let end = |isolation: &str| -> i64 {
            let consumer = self.consumer(isolation);
            let end = |partition| {
                consumer
                    .fetch_watermarks(topic, partition, PATIENCE)
                    .unwrap()
                    .1
            };
            (0..partitions).map(end).sum()
        };
        let deadline = Instant::now() + PATIENCE;
        while end("read_committed") < end("read_uncommitted") {
            assert!(
                Instant::now() < deadline,
                "a transaction of {topic} stays open"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads a whole topic, as it stands, with a plain consumer.
    pub(crate) fn read_all(&self, topic: &str, isolation: &str) -> Vec<PlainRecord> {
        let mut records = Vec::new();
        self.for_each(topic, isolation, |message| {
            records.push(PlainRecord {
                place: (
                    topic.to_owned(),
                    i64::from(message.partition()),
                    message.offset(),
                ),
                value: message.payload().map(<[u8]>::to_vec),
            });
        });
        records
    }

    /// Returns what `kcat -J` writes of a topic, as bytes: they need not be text. Or why not.
    pub(crate) fn kcat_export(&self, topic: &str) -> Result<Vec<u8>, String> {
        if let Err(error) = Command::new("kcat").arg("-V").output() {
            return Err(format!("`kcat`: {error}"));
        }
        let arguments = ["60", "kcat", "-C", "-b", &self.bootstrap, "-t", topic];
        let mut kcat = Command::new("timeout");
        let output = kcat.args(arguments).args(["-e", "-q", "-J"]).output();
        let output = output.map_err(|error| format!("`timeout`: {error}"))?;
        assert!(output.status.success(), "{output:?}");
        Ok(output.stdout)
    }

    /// Shows each record of a whole topic, as it stands, to `take`.
    pub(crate) fn for_each(
        &self,
        topic: &str,
        isolation: &str,
        mut take: impl FnMut(&BorrowedMessage<'_>),
    ) {
        let consumer = self.consumer(isolation);
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            assignment
                .add_partition_offset(topic, partition.id(), Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut unread = assignment.count();
        while unread > 0 {
            match consumer
                .poll(PATIENCE)
                .unwrap_or_else(|| panic!("`{topic}` has no end"))
            {
                Ok(message) => take(&message),
                Err(KafkaError::PartitionEOF(_)) => unread -= 1,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Returns the topics with their ends, and the groups.
    pub(crate) fn traces(&self) -> Traces {
        let consumer = self.consumer("read_uncommitted");
        let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
        let mut topics = BTreeMap::new();
        for topic in metadata.topics() {
            let end = |partition: i32| {
                let (_, high) = consumer
                    .fetch_watermarks(topic.name(), partition, PATIENCE)
                    .unwrap();
                high
            };
            let ends = (0..topic.partitions().len()).map(|id| end(i32::try_from(id).unwrap()));
            topics.insert(topic.name().to_owned(), ends.collect());
        }
        let groups = consumer.fetch_group_list(None, PATIENCE).unwrap();
        let mut groups: Vec<String> = groups
            .groups()
            .iter()
            .map(|g| g.name().to_owned())
            .collect();
        groups.sort();
        Traces { groups, topics }
    }
}

/// Sends one record; waits only where the queue is full.
pub(crate) fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &str) {
    send_at(producer, topic, partition, value, None);
}

/// Sends one record with a timestamp of its own.
pub(crate) fn send_at(
    producer: &BaseProducer,
    topic: &str,
    partition: i32,
    value: &str,
    timestamp_millis: Option<i64>,
) {
    let mut record = BaseRecord::<[u8], str>::to(topic)
        .partition(partition)
        .payload(value);
    record.timestamp = timestamp_millis;
    while let Err((error, refused)) = producer.send(record) {
        assert_eq!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::QueueFull)
        );
        producer.poll(Duration::from_millis(10));
        record = refused;
    }
}

/// Sends a tombstone or any other record with a key.
pub(crate) fn send_keyed(producer: &BaseProducer, topic: &str, key: &str, value: Option<&str>) {
    let mut record = BaseRecord::<str, str>::to(topic).partition(0).key(key);
    record.payload = value;
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// Waits until all that was sent is in the log.
pub(crate) fn flush(producer: &BaseProducer) {
    producer.flush(PATIENCE).unwrap();
}

/// Returns a payment of the public shape.
pub(crate) fn charge(charge_id: &str) -> String {
    let customer = charge_id.len() % 3;
    let amount: u32 = charge_id.bytes().map(u32::from).sum();
    let money = format!(r#""amount":"{amount}.25","currency":"USD","status":"captured""#);
    format!(r#"{{"charge_id":"{charge_id}","customer_id":"cus_{customer}",{money}}}"#)
}

/// Groups records by `charge_id`, by nothing but a map; the independent count.
pub(crate) fn groups_of(records: &[PlainRecord]) -> BTreeMap<String, Vec<Place>> {
    let mut groups: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for record in records {
        let Some(value) = &record.value else { continue };
        let value: serde_json::Value = serde_json::from_slice(value).unwrap();
        let charge_id = value["charge_id"].as_str().unwrap().to_owned();
        groups
            .entry(charge_id)
            .or_default()
            .push(record.place.clone());
    }
    groups.retain(|_, places| {
        places.sort();
        places.len() > 1
    });
    groups
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer to an admin request, which comes from another thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
