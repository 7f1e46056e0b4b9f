//! Acknowledgements lost on the way to producers without idempotence, which send again.

use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dupaudit::finding::Cause;
use rdkafka::producer::Producer;

use super::{Confusion, Done, Incident, RETRY, Scene};
use crate::support::ack_proxy::Fate;
use crate::support::broker::tool_arguments;
use crate::support::cluster::{charge, send};
use crate::support::{Run, Workspace};

const RECORDS: usize = 3000;

/// Between two records that come in one by one.
const PACE: Duration = Duration::from_micros(700);

/// Only the broker's clock is in the log, so that nothing shows whether the producer's was kept.
const APPENDED: Done = Done {
    label: "producer-retry, LogAppendTime",
    right: Some("undetermined"),
};

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    for (name, one_in, fate) in [
        ("closed connections", 12, Fate::Close),
        ("time-outs", 16, Fate::Silence),
    ] {
        let topic = scene.cluster.create_topic("charges", 3, &[]);
        scene.losing(one_in, fate, || librdkafka(scene, &topic, "ch", &[]));
        let incident = Incident::new(format!("librdkafka, {name}"), &[&topic], RETRY);
        confusion.check(scene.site(), &incident);
        for in_flight in ["1", "5"] {
            let topic = scene.cluster.create_topic("charges", 3, &[]);
            let off = ["enable.idempotence=false"];
            scene.losing(one_in / 2, fate, || java(scene, &topic, in_flight, &off));
            let name = format!("Java, {in_flight} in flight, {name}");
            confusion.check(scene.site(), &Incident::new(name, &[&topic], RETRY));
        }
    }
    advised(scene, confusion);
    let topic = scene.cluster.create_topic("charges", 3, &[]);
    let one_by_one = [("batch.num.messages", "1")];
    scene.losing(60, Fate::Close, || {
        librdkafka(scene, &topic, "ch", &one_by_one);
    });
    let incident = Incident::new("librdkafka, record by record", &[&topic], RETRY);
    confusion.check(scene.site(), &incident);
    let appended = [("message.timestamp.type", "LogAppendTime")];
    let topic = scene.cluster.create_topic("charges", 3, &appended);
    scene.losing(12, Fate::Close, || librdkafka(scene, &topic, "ch", &[]));
    let incident = Incident::new("librdkafka, LogAppendTime", &[&topic], APPENDED);
    confusion.check(scene.site(), &incident);
}

/// What the advice on retries names ends them: the same losses leave nothing twice.
fn advised(scene: &Scene, confusion: &mut Confusion) {
    let on = "enable.idempotence=true";
    let advice = Cause::ProducerRetry.advice().text;
    assert!(advice.starts_with(on), "{advice}");
    for (setting, name) in [("acks", "acks=all"), ("retries", "retries above 0")] {
        assert!(advice.contains(name), "{advice} has no {setting}");
    }
    let topic = scene.cluster.create_topic("charges", 3, &[]);
    let settings = [("enable.idempotence", "true"), ("linger.ms", "5")];
    scene.losing(12, Fate::Close, || {
        librdkafka(scene, &topic, "ch", &settings);
    });
    let incident = Incident::new("librdkafka as advised", &[&topic], RETRY);
    confusion.check_clean(scene.site(), &incident);

    let topic = scene.cluster.create_topic("charges", 3, &[]);
    let settings = [on, "retries=2147483647"];
    scene.losing(8, Fate::Close, || java(scene, &topic, "5", &settings));
    let incident = Incident::new("Java as advised", &[&topic], RETRY);
    confusion.check_clean(scene.site(), &incident);
}

/// Sends every record once; what comes twice comes of the client's own retries.
pub(super) fn librdkafka(scene: &Scene, topic: &str, prefix: &str, more: &[(&str, &str)]) {
    let settings = [&[("socket.timeout.ms", "500")], more].concat();
    let producer = scene.lossy.retrying_producer(&settings);
    for number in 0..RECORDS {
        let value = charge(&format!("{prefix}_{number:05}"));
        let partition = i32::try_from(number % 3).unwrap();
        send(&producer, topic, partition, &value);
        producer.poll(Duration::ZERO);
        if !more.is_empty() {
            thread::sleep(PACE);
        }
    }
    producer.flush(Duration::from_mins(1)).unwrap();
}

/// The same with the Java client.
fn java(scene: &Scene, topic: &str, in_flight: &str, more: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/incidents");
    let source = source.join("Sender.java");
    let mut arguments = tool_arguments(source.to_str().unwrap()).unwrap();
    arguments.push(topic.to_owned());
    arguments.extend([
        format!("bootstrap.servers={}", scene.lossy.bootstrap),
        format!("max.in.flight.requests.per.connection={in_flight}"),
    ]);
    let settings = [
        "acks=all",
        "batch.size=2000",
        "linger.ms=5",
        "retry.backoff.ms=20",
        "reconnect.backoff.ms=10",
        "reconnect.backoff.max.ms=50",
        "request.timeout.ms=500",
    ];
    arguments.extend(settings.iter().chain(more).map(ToString::to_string));
    let mut lines = String::new();
    for number in 0..RECORDS {
        let value = charge(&format!("ch_{number:05}"));
        writeln!(lines, "{}\t{value}", number % 3).unwrap();
    }
    let workspace = Workspace::new();
    let run = Run::new("java", workspace.path(), arguments).stdin(lines);
    run.run().expect_code(0);
}
