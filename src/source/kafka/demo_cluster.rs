//! A broker inside the process whose acknowledgements come too late for a moment, so that a
//! producer's own retries make real duplicates.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as RdkafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;

use crate::source::kafka::KafkaError;

/// Topic that the payments go to.
pub const DEMO_TOPIC: &str = "charges";

/// Payments, each sent once.
pub const DEMO_RECORDS: u32 = 200;

const PARTITIONS: i32 = 3;
const BROKER: i32 = 1;

/// Payments sent while acknowledgements come too late.
const SLOW_FROM: u32 = 96;
const SLOW_TO: u32 = 112;

/// How late acknowledgements come then, and how long the producer waits for them.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(1500);
const PRODUCER_PATIENCE_MS: &str = "300";

/// How long the broker stays slow after the last of them: the producer looks for requests that
/// are overdue once a second.
const SLOW_PAUSE: Duration = Duration::from_millis(1400);

const FLUSH_WAIT: Duration = Duration::from_secs(8);
const COUNT_WAIT: Duration = Duration::from_secs(5);

/// What an independent pass over the topic counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedRecords {
    /// Records in the topic.
    pub records: u64,
    /// Times that each charge id occurs.
    pub occurrences: BTreeMap<String, u64>,
}

impl CountedRecords {
    /// Returns the charge ids that occur more than once.
    pub fn groups(&self) -> u64 {
        let repeated = self.occurrences.values().filter(|&&count| count > 1);
        u64::try_from(repeated.count()).unwrap_or(u64::MAX)
    }

    /// Returns the records beyond the first of their charge id.
    pub fn extra_records(&self) -> u64 {
        self.occurrences.values().map(|count| count - 1).sum()
    }
}

/// A broker inside the process with a topic of payments, some of them twice.
pub struct LostAckCluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

#[derive(Deserialize)]
struct Charge {
    charge_id: String,
}

impl LostAckCluster {
    /// Starts the broker and sends every payment once, while acknowledgements come too late
    /// for a moment.
    pub fn start() -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1).map_err(|error| failed(&error))?;
        let created = cluster.create_topic(DEMO_TOPIC, PARTITIONS, 1);
        created.map_err(|error| failed(&error))?;
        let demo = Self { cluster };
        demo.produce()?;
        Ok(demo)
    }

    /// Returns the broker's address.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Counts the topic by charge id with a plain consumer, apart from all that audits.
    pub fn count(&self) -> Result<CountedRecords, KafkaError> {
        let consumer = self.consumer()?;
        let deadline = Instant::now() + COUNT_WAIT;
        let mut counted = CountedRecords::default();
        let mut open_partitions = PARTITIONS;
        while open_partitions > 0 {
            if Instant::now() > deadline {
                let problem = "the demo topic could not be counted in time";
                return Err(KafkaError::Cluster(problem.to_owned()));
            }
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(RdkafkaError::PartitionEOF(_))) => open_partitions -= 1,
                Some(Err(error)) => return Err(failed(&error)),
                Some(Ok(record)) => {
                    let value = record.payload().unwrap_or_default();
                    let charge: Charge = serde_json::from_slice(value)
                        .map_err(|error| KafkaError::Internal(error.to_string()))?;
                    counted.records += 1;
                    *counted.occurrences.entry(charge.charge_id).or_default() += 1;
                }
            }
        }
        Ok(counted)
    }

    fn consumer(&self) -> Result<BaseConsumer, KafkaError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap_servers())
            .set("group.id", "dupaudit-demo")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .map_err(|error| failed(&error))?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let added = partitions.add_partition_offset(DEMO_TOPIC, partition, Offset::Beginning);
            added.map_err(|error| failed(&error))?;
        }
        let assigned = consumer.assign(&partitions);
        assigned.map_err(|error| failed(&error))?;
        Ok(consumer)
    }

    fn produce(&self) -> Result<(), KafkaError> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap_servers())
            .set("enable.idempotence", "false")
            .set("socket.timeout.ms", PRODUCER_PATIENCE_MS)
            .set("linger.ms", "2")
            .create()
            .map_err(|error| failed(&error))?;
        for number in 0..DEMO_RECORDS {
            if number == SLOW_FROM {
                flush(&producer)?;
                self.set_round_trip(SLOW_ROUND_TRIP)?;
            }
            if number == SLOW_TO {
                poll_for(&producer, SLOW_PAUSE);
                self.set_round_trip(Duration::ZERO)?;
            }
            send(&producer, number)?;
            producer.poll(Duration::from_millis(1));
        }
        flush(&producer)
    }

    fn set_round_trip(&self, delay: Duration) -> Result<(), KafkaError> {
        let set = self.cluster.broker_round_trip_time(BROKER, delay);
        set.map_err(|error| failed(&error))
    }
}

fn send(producer: &BaseProducer, number: u32) -> Result<(), KafkaError> {
    let customer = format!("cus_{:03}", number * 7 % 60);
    let currency = if number.is_multiple_of(3) {
        "EUR"
    } else {
        "USD"
    };
    let (whole, cents) = (5 + number * 13 % 90, number * 37 % 100);
    let identity = format!(r#""charge_id":"ch_{number:04}","customer_id":"{customer}""#);
    let amount = format!(r#""amount":{whole}.{cents:02},"currency":"{currency}""#);
    let value = format!(r#"{{{identity},{amount},"status":"captured"}}"#);
    let record = BaseRecord::to(DEMO_TOPIC).key(&customer).payload(&value);
    producer.send(record).map_err(|(error, _)| failed(&error))
}

/// Lets the producer work for a while; one poll may return early.
fn poll_for(producer: &BaseProducer, pause: Duration) {
    let end = Instant::now() + pause;
    while Instant::now() < end {
        producer.poll(Duration::from_millis(20));
    }
}

fn flush(producer: &BaseProducer) -> Result<(), KafkaError> {
    match producer.flush(FLUSH_WAIT) {
        Ok(()) => Ok(()),
        Err(RdkafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {
            let problem = "the demo's payments were not acknowledged in time";
            Err(KafkaError::Cluster(problem.to_owned()))
        }
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &RdkafkaError) -> KafkaError {
    KafkaError::Cluster(format!("the demo's broker: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::record::{RecordBlock, SplitId};
    use crate::source::kafka::{KafkaSource, KafkaSpec};
    use crate::source::{RecordSource, StopFlag};

    #[test]
    fn late_acknowledgements_make_duplicates_that_the_source_delivers_too() {
        let begin = Instant::now();
        let cluster = LostAckCluster::start().unwrap();
        let counted = cluster.count().unwrap();
        assert_eq!(
            counted.occurrences.len(),
            usize::try_from(DEMO_RECORDS).unwrap()
        );
        assert!(counted.extra_records() > 0);
        println!(
            "{} groups, {} extra, {:?}",
            counted.groups(),
            counted.extra_records(),
            begin.elapsed()
        );
        let spec = KafkaSpec::new(cluster.bootstrap_servers(), vec![DEMO_TOPIC.to_owned()]);
        let source = KafkaSource::open(&spec, SplitId(0), StopFlag::default()).unwrap();
        println!("{:#?}", source.ranges());
        let mut block = RecordBlock::default();
        let mut seen = CountedRecords::default();
        while source.next_block(&mut block).unwrap() {
            for view in block.views() {
                let value = view.value().bytes().unwrap();
                let charge: Charge = serde_json::from_slice(value).unwrap();
                seen.records += 1;
                *seen.occurrences.entry(charge.charge_id).or_default() += 1;
            }
        }
        assert_eq!(seen, counted);
        assert!(begin.elapsed() < Duration::from_secs(15));
    }
}
