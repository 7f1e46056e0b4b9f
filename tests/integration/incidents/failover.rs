//! A leader that is lost together with its acknowledgements: the next one appends again.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::producer::{BaseProducer, Producer};

use super::confusion::{scan, segments, topics};
use super::{Confusion, Incident, RETRY, Scene, Site};
use crate::support::Workspace;
use crate::support::ack_proxy::{AckProxy, Fate, PRODUCE};
use crate::support::broker::or_skip;
use crate::support::cluster::{Cluster, charge, send};
use crate::support::node::{Nodes, NodesSpec};

const RECORDS: usize = 1500;

/// Between two records.
const PACE: Duration = Duration::from_micros(700);

/// From the last record sent to the loss of the leader, which has it in its log by then.
const SILENCE: Duration = Duration::from_millis(400);

/// The broker that leads first, and is lost.
const FIRST_LEADER: usize = 2;

const NEXT_LEADER: usize = 3;

pub(super) fn make(_: &Scene, confusion: &mut Confusion) {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let proxies = listeners
        .each_ref()
        .map(|of| of.local_addr().unwrap().port());
    let Some(mut brokers) = or_skip(Nodes::start(NodesSpec {
        count: 3,
        proxies: &proxies,
        properties: "broker.session.timeout.ms=2000\nbroker.heartbeat.interval.ms=400",
        ..NodesSpec::default()
    })) else {
        return;
    };
    let is_silent = Arc::new(AtomicBool::new(false));
    let [first, next] = listeners;
    let silent = Arc::clone(&is_silent);
    AckProxy::start(first, brokers.ports[0], move |api_key, _| {
        if api_key == PRODUCE && silent.load(Ordering::Relaxed) {
            Fate::Silence
        } else {
            Fate::Pass
        }
    });
    AckProxy::start(next, brokers.ports[1], |_, _| Fate::Pass);

    let cluster = Cluster::new(&brokers.bootstrap);
    let topic = "failed-over".to_owned();
    let replicas: [&[i32]; 3] = [&[2, 3], &[2, 3], &[2, 3]];
    let assignment = TopicReplication::Variable(&replicas);
    cluster.create(&NewTopic::new(&topic, 3, assignment));
    let addresses = proxies.map(|port| format!("127.0.0.1:{port}")).join(",");
    let producer = producer(&Cluster::new(&addresses));
    send_charges(&producer, &topic, 0..RECORDS / 2);
    is_silent.store(true, Ordering::Relaxed);
    send_charges(&producer, &topic, RECORDS / 2..RECORDS);
    thread::sleep(SILENCE);
    brokers.processes[FIRST_LEADER - 1].tell("KILL");
    producer.flush(Duration::from_secs(50)).unwrap();

    let data = brokers.data(NEXT_LEADER);
    let mut living: Vec<&str> = brokers.bootstrap.split(',').collect();
    living.remove(FIRST_LEADER - 1);
    let site = Site {
        cluster: &Cluster::new(&living.join(",")),
        data: &data,
    };
    let incident = Incident::new("leader lost with its acknowledgements", &[&topic], RETRY);
    confusion.check(site, &incident);
    names_the_leaders(site, &incident);
}

fn producer(cluster: &Cluster) -> BaseProducer {
    cluster.producer(&[
        ("enable.idempotence", "false"),
        ("acks", "all"),
        ("batch.num.messages", "30"),
        ("linger.ms", "5"),
        ("retry.backoff.ms", "50"),
        ("reconnect.backoff.ms", "20"),
        ("reconnect.backoff.max.ms", "200"),
        ("topic.metadata.refresh.fast.interval.ms", "100"),
    ])
}

/// Sends every record once; what comes twice comes of the client's own retries.
fn send_charges(producer: &BaseProducer, topic: &str, numbers: Range<usize>) {
    for number in numbers {
        let value = charge(&format!("ch_{number:05}"));
        let partition = i32::try_from(number % 3).unwrap();
        send(producer, topic, partition, &value);
        producer.poll(Duration::ZERO);
        thread::sleep(PACE);
    }
}

/// Asserts that the evidence says that the leader changed between the copies.
fn names_the_leaders(site: Site<'_>, incident: &Incident) {
    for arguments in [topics(site, incident), segments(site, incident)] {
        let report = scan(&Workspace::new(), &arguments, 1);
        for group in report.groups() {
            let evidence = group["evidence"].as_array().unwrap();
            let is_named = |text: &serde_json::Value| {
                let text = text.as_str().unwrap();
                text.starts_with("the partition's leader epoch went from")
            };
            assert!(evidence.iter().any(is_named), "{group}");
        }
    }
}
