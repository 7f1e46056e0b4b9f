//! A consumer whose process is killed before it commits, and works through its input again.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use dupaudit::finding::Cause;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::process::{Process, stand_here};
use super::transactions::{ABORTED, count_uncommitted};
use super::{Confusion, Incident, REPLAY, Scene};
use crate::support::cluster::{Cluster, charge, flush, send};

const PATIENCE: Duration = Duration::from_secs(20);

/// Records between two commits.
const COMMIT_EVERY: usize = 300;

/// How a consumer sends what it makes of its input.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// At once, and its output is in the log before it commits.
    InStep,
    /// In large batches, which commits come in the middle of.
    OutOfStep,
    /// In transactions that its commits are part of, as the advice says.
    InTransactions,
}

impl Pace {
    const fn name(self) -> &'static str {
        match self {
            Self::InStep => "in-step",
            Self::OutOfStep => "out-of-step",
            Self::InTransactions => "in-transactions",
        }
    }

    const fn linger_ms(self) -> &'static str {
        match self {
            Self::InStep | Self::InTransactions => "0",
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

    // What the advice names ends them, but for readers of uncommitted records.
    assert!(
        Cause::ConsumerReplay
            .advice()
            .text
            .contains("in one transaction")
    );
    let output = scene.cluster.create_topic("charges", 3, &[]);
    kill_three_times(scene, &output, "ch", Pace::InTransactions);
    scene.cluster.settle(&output, 3);
    let incident = Incident::new("killed, as advised", &[&output], ABORTED);
    confusion.check_clean(scene.site(), &incident);
    count_uncommitted(scene, confusion, &incident);
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
    let paces = [Pace::InStep, Pace::OutOfStep, Pace::InTransactions];
    let pace = paces.into_iter().find(|of| of.name() == *pace).unwrap();
    let cluster = Cluster::new(bootstrap);
    Work::new(&cluster, input, pace).run(output, killed_after.parse().ok());
}

/// A consumer and a producer at work.
struct Work {
    consumer: BaseConsumer,
    producer: BaseProducer,
    pace: Pace,
}

impl Work {
    fn new(cluster: &Cluster, input: &str, pace: Pace) -> Self {
        let mut settings = vec![
            ("enable.idempotence", "true"),
            ("linger.ms", pace.linger_ms()),
        ];
        if let Pace::InTransactions = pace {
            settings.push(("transactional.id", input));
        }
        let producer = cluster.producer(&settings);
        if let Pace::InTransactions = pace {
            // Aborts what a killed process left open, before commits are asked for.
            producer.init_transactions(PATIENCE).unwrap();
            producer.begin_transaction().unwrap();
        }
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
        Self {
            consumer,
            producer,
            pace,
        }
    }

    /// Works to the end of the input, or to where it is killed.
    fn run(&self, output: &str, killed_after: Option<usize>) {
        let (mut done, mut ended) = (0, BTreeSet::new());
        while ended.len() < 3 {
            let polled = self.consumer.poll(PATIENCE);
            match polled.expect("the input has an end") {
                Ok(message) => {
                    let value = std::str::from_utf8(message.payload().unwrap()).unwrap();
                    send(&self.producer, output, message.partition(), value);
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
                flush(&self.producer);
                stand_here();
            }
            if done % COMMIT_EVERY == 0 && done > 0 {
                self.commit();
            }
        }
        flush(&self.producer);
        self.commit();
    }

    fn commit(&self) {
        match self.pace {
            Pace::InStep => flush(&self.producer),
            Pace::OutOfStep => {}
            Pace::InTransactions => {
                let position = self.consumer.position().unwrap();
                let group = self.consumer.group_metadata().unwrap();
                let producer = &self.producer;
                let sent = producer.send_offsets_to_transaction(&position, &group, PATIENCE);
                sent.unwrap();
                producer.commit_transaction(PATIENCE).unwrap();
                return producer.begin_transaction().unwrap();
            }
        }
        self.consumer
            .commit_consumer_state(CommitMode::Sync)
            .unwrap();
    }
}
