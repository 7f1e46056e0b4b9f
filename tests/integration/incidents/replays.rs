//! A consumer whose process is killed before it commits, and works through its input again.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::process::{Process, stand_here};
use super::{Confusion, Incident, REPLAY, Scene};
use crate::support::cluster::{Cluster, charge, flush, send};

/// Records between two commits.
const COMMIT_EVERY: usize = 300;

/// How a consumer sends what it makes of its input.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// At once, and its output is in the log before it commits.
    InStep,
    /// In large batches, which commits come in the middle of.
    OutOfStep,
}

impl Pace {
    const fn name(self) -> &'static str {
        match self {
            Self::InStep => "in-step",
            Self::OutOfStep => "out-of-step",
        }
    }

    const fn linger_ms(self) -> &'static str {
        match self {
            Self::InStep => "0",
            Self::OutOfStep => "40",
        }
    }
}

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    let output = scene.cluster.create_topic("charges", 3, &[]);
    kill_three_times(scene, &output, "ch", Pace::InStep);
    let incident = Incident::new("killed before its commit", &[&output], REPLAY);
    confusion.check(scene.site(), &incident);

    let output = scene.cluster.create_topic("charges", 3, &[]);
    kill_three_times(scene, &output, "ch", Pace::OutOfStep);
    let name = "killed, commits in the middle of batches";
    confusion.check(scene.site(), &Incident::new(name, &[&output], REPLAY));
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
    for killed_after in ["470", "560", "390", ""] {
        let cluster = &scene.cluster.bootstrap;
        let part = ["work", cluster, &input, output, pace.name(), killed_after];
        let process = Process::start(&part);
        if killed_after.is_empty() {
            process.finish();
        } else {
            process.kill_there();
        }
    }
}

/// The process: turns input into output from the last commit on, to the end or where it is killed.
pub(super) fn do_work(arguments: &[&str]) {
    let [bootstrap, input, output, pace, killed_after] = arguments else {
        panic!("{arguments:?}");
    };
    let paces = [Pace::InStep, Pace::OutOfStep];
    let pace = paces.into_iter().find(|of| of.name() == *pace).unwrap();
    let cluster = Cluster::new(bootstrap);
    work(&cluster, (input, output), pace, killed_after.parse().ok());
}

fn work(cluster: &Cluster, of: (&str, &str), pace: Pace, killed_after: Option<usize>) {
    let (input, output) = of;
    let consumer: BaseConsumer = cluster
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
    let producer = cluster.producer(&[
        ("enable.idempotence", "true"),
        ("linger.ms", pace.linger_ms()),
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
            // What it sent is in the log, and nobody is told of it.
            flush(&producer);
            stand_here();
        }
        if done % COMMIT_EVERY == 0 && done > 0 {
            if let Pace::InStep = pace {
                flush(&producer);
            }
            consumer.commit_consumer_state(CommitMode::Sync).unwrap();
        }
    }
    flush(&producer);
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
}
