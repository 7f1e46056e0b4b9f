//! Copies by design: mirrors with their timestamps kept, and dead-letter topics.

use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord};

use super::{Confusion, DEAD_LETTER, Incident, MIRROR, Scene};
use crate::support::cluster::{charge, flush};

const CHARGES: i32 = 900;

/// One in so many charges cannot be worked on.
const ONE_IN_BAD: i64 = 7;

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    let source = scene.cluster.create_topic("payments", 3, &[]);
    fill(scene, &source);
    let mirror = scene.cluster.create_topic(&format!("eu.{source}"), 3, &[]);
    copy(scene, &source, &mirror);
    let incident = Incident::new("mirror", &[&source, &mirror], MIRROR);
    confusion.check(scene.site(), &incident);

    let named: [(&str, Naming, bool); 2] = [
        ("dlq-connect", connect, true),
        ("payments.DLT", spring, false),
    ];
    for (name, headers, keeps_time) in named {
        let dead = scene.cluster.create_topic(name, 1, &[]);
        bury(scene, (&source, &dead), headers, keeps_time);
        let incident = Incident::new(name, &[&source, &dead], DEAD_LETTER);
        confusion.check(scene.site(), &incident);
    }
}

/// Returns the headers that name where a record comes from.
type Naming = fn(&Coordinates<'_>) -> OwnedHeaders;

/// Where a record comes from, and its time.
struct Coordinates<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp_millis: i64,
}

fn fill(scene: &Scene, topic: &str) {
    let producer = scene.cluster.producer(&[]);
    for number in 0..CHARGES {
        let charge_id = format!("ch_{number:05}");
        let value = charge(&charge_id);
        let headers = OwnedHeaders::new().insert(Header {
            key: "trace",
            value: Some(&charge_id),
        });
        let record = BaseRecord::<str, str>::to(topic).partition(number % 3);
        put(
            &producer,
            record.key(&charge_id).payload(&value).headers(headers),
        );
    }
    flush(&producer);
}

fn put(producer: &BaseProducer, record: BaseRecord<'_, str, str>) {
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// Copies a topic as a mirror does: partition, key, value, headers and timestamp are kept.
pub(super) fn copy(scene: &Scene, source: &str, mirror: &str) {
    let producer = scene.cluster.producer(&[("enable.idempotence", "true")]);
    scene.cluster.for_each(source, "read_committed", |message| {
        let mut record = BaseRecord::<str, str>::to(mirror)
            .partition(message.partition())
            .timestamp(message.timestamp().to_millis().unwrap());
        record.key = message.key_view().transpose().unwrap();
        record.payload = message.payload_view().transpose().unwrap();
        record.headers = message
            .headers()
            .map(rdkafka::message::BorrowedHeaders::detach);
        put(&producer, record);
    });
    flush(&producer);
}

/// Writes what cannot be worked on to a dead-letter topic.
fn bury(scene: &Scene, (source, dead): (&str, &str), headers: Naming, keeps_time: bool) {
    let producer = scene.cluster.producer(&[]);
    scene.cluster.for_each(source, "read_committed", |message| {
        if message.offset() % ONE_IN_BAD != 0 {
            return;
        }
        let coordinates = Coordinates {
            topic: source,
            partition: message.partition(),
            offset: message.offset(),
            timestamp_millis: message.timestamp().to_millis().unwrap(),
        };
        let mut record = BaseRecord::<str, str>::to(dead).headers(headers(&coordinates));
        record.timestamp = keeps_time.then_some(coordinates.timestamp_millis);
        record.key = message.key_view().transpose().unwrap();
        record.payload = message.payload_view().transpose().unwrap();
        put(&producer, record);
    });
    flush(&producer);
}

fn with(headers: OwnedHeaders, key: &str, value: &[u8]) -> OwnedHeaders {
    let value = Some(value);
    headers.insert(Header { key, value })
}

/// The headers of Kafka Connect: text.
fn connect(origin: &Coordinates<'_>) -> OwnedHeaders {
    let headers = with(
        OwnedHeaders::new(),
        "__connect.errors.topic",
        origin.topic.as_bytes(),
    );
    let partition = origin.partition.to_string();
    let headers = with(headers, "__connect.errors.partition", partition.as_bytes());
    let offset = origin.offset.to_string();
    let headers = with(headers, "__connect.errors.offset", offset.as_bytes());
    let headers = with(headers, "__connect.errors.connector.name", b"ledger");
    with(headers, "__connect.errors.stage", b"TASK_PUT")
}

/// The headers of Spring: big-endian numbers.
fn spring(origin: &Coordinates<'_>) -> OwnedHeaders {
    let headers = with(
        OwnedHeaders::new(),
        "kafka_dlt-original-topic",
        origin.topic.as_bytes(),
    );
    let partition = origin.partition.to_be_bytes();
    let headers = with(headers, "kafka_dlt-original-partition", &partition);
    let offset = origin.offset.to_be_bytes();
    let headers = with(headers, "kafka_dlt-original-offset", &offset);
    let time = origin.timestamp_millis.to_be_bytes();
    let headers = with(headers, "kafka_dlt-original-timestamp", &time);
    with(
        headers,
        "kafka_dlt-exception-message",
        b"insufficient funds",
    )
}
