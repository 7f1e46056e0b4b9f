//! A consumer that is killed before it commits, and works through its input again.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::{Confusion, Incident, REPLAY, Scene};
use crate::support::cluster::{charge, flush, send};

/// Records between two commits.
const COMMIT_EVERY: usize = 300;

/// How a consumer sends what it makes of its input.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    linger_ms: &'static str,
    /// Whether it waits for its output to be in the log before it commits.
    flushes: bool,
}

pub(super) const IN_STEP: Pace = Pace {
    linger_ms: "0",
    flushes: true,
};

/// Large batches, which commits come in the middle of.
const OUT_OF_STEP: Pace = Pace {
    linger_ms: "400",
    flushes: false,
};

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    let output = scene.cluster.create_topic("charges", 3, &[]);
    kill_three_times(scene, &output, "ch", IN_STEP);
    let incident = Incident::new("killed before its commit", &[&output], REPLAY);
    confusion.check(scene, &incident);

    let output = scene.cluster.create_topic("charges", 3, &[]);
    kill_three_times(scene, &output, "ch", OUT_OF_STEP);
    let name = "killed, commits in the middle of batches";
    confusion.check(scene, &Incident::new(name, &[&output], REPLAY));
}

/// Fills an input, and turns it into `output` in four lives.
pub(super) fn kill_three_times(scene: &Scene, output: &str, prefix: &str, pace: Pace) {
    let input = scene.cluster.create_topic("orders", 3, &[]);
    let producer = scene.cluster.producer(&[]);
    for number in 0..2000 {
        send(
            &producer,
            &input,
            number % 3,
            &charge(&format!("{prefix}_{number:05}")),
        );
    }
    flush(&producer);
    for killed_after in [Some(470), Some(560), Some(390), None] {
        work(scene, (&input, output), pace, killed_after);
    }
}

/// Turns input into output, from the last commit to the end or until it is killed.
fn work(scene: &Scene, of: (&str, &str), pace: Pace, killed_after: Option<usize>) {
    let (input, output) = of;
    let consumer: BaseConsumer = scene
        .cluster
        .config()
        .set("group.id", format!("works-on-{input}"))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    // Without members, the group does not wait for one that was killed.
    let mut assignment = TopicPartitionList::new();
    for partition in 0..3 {
        let committed = assignment.add_partition_offset(input, partition, Offset::Stored);
        committed.unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let producer = scene.cluster.producer(&[
        ("enable.idempotence", "true"),
        ("linger.ms", pace.linger_ms),
    ]);
    let (mut done, mut ended) = (0, BTreeSet::new());
    while ended.len() < 3 {
        let polled = consumer.poll(Duration::from_secs(20));
        match polled.expect("the input has an end") {
            Ok(message) => {
                let value = std::str::from_utf8(message.payload().unwrap()).unwrap();
                send(&producer, output, message.partition(), value);
                thread::sleep(Duration::from_micros(300));
                done += 1;
            }
            Err(KafkaError::PartitionEOF(partition)) => {
                ended.insert(partition);
            }
            Err(error) => panic!("{error}"),
        }
        if killed_after == Some(done) {
            flush(&producer);
            return;
        }
        if done % COMMIT_EVERY == 0 && done > 0 {
            if pace.flushes {
                flush(&producer);
            }
            consumer.commit_consumer_state(CommitMode::Sync).unwrap();
        }
    }
    flush(&producer);
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
}
