//! Older brokers and older message formats, large records, and many partitions.

use std::time::Duration;

use super::{FinishedScan, READERS, append, assert_exact, fill};
use crate::support::broker;
use crate::support::broker::or_skip;
use crate::support::cluster::{Cluster, PlainRecord, charge, flush, send};
use crate::support::node::{Nodes, NodesSpec};

/// Scans a topic with both readers, which must find what a plain consumer sees.
fn assert_read_by_both(cluster: &Cluster, topic: &str, options: &[&str]) {
    let seen = cluster.read_all(topic, "read_committed");
    for reader in READERS {
        let scan = FinishedScan::of(&cluster.bootstrap, topic, reader, options);
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, topic, &seen);
    }
}

#[test]
fn a_broker_of_release_3_is_read() {
    let release = "3.9.1";
    let Some(broker) = or_skip(Nodes::start(NodesSpec {
        release,
        ..NodesSpec::default()
    })) else {
        return;
    };
    let cluster = broker.cluster();
    let topic = fill(&cluster, 3, 3_000, 100);
    assert_read_by_both(&cluster, &topic, &[]);
    let producer = cluster.in_transaction("of release 3");
    for charge_id in ["x", "x", "y"] {
        send(&producer, &topic, 0, &charge(charge_id));
    }
    let wait = Duration::from_secs(20);
    rdkafka::producer::Producer::commit_transaction(&producer, wait).unwrap();
    assert_read_by_both(&cluster, &topic, &[]);
}

/// Sends records to two partitions, and returns them as they must be in the logs: a plain consumer
/// is no witness here, since librdkafka falls silent over some records of the oldest format.
fn send_and_remember(cluster: &Cluster, topic: &str, codec: &str) -> Vec<PlainRecord> {
    let producer = cluster.producer(&[
        ("compression.codec", codec),
        ("linger.ms", "5"),
        ("batch.num.messages", "40"),
    ]);
    let mut sent = Vec::new();
    for number in 0..600 {
        let (partition, offset) = (number % 2, i64::from(number / 2));
        let value = charge(&format!("ch_{}", number / 3 * 2));
        send(&producer, topic, partition, &value);
        sent.push(PlainRecord {
            place: (topic.to_owned(), i64::from(partition), offset),
            value: Some(value.into_bytes()),
        });
    }
    flush(&producer);
    sent
}

#[test]
fn a_broker_with_zookeeper_and_its_old_message_formats_are_read() {
    let Some(broker) = or_skip(Nodes::with_zookeeper("2.8.2")) else {
        return;
    };
    let cluster = broker.cluster();
    for version in ["0.9.0", "0.10.2", "2.8"] {
        for codec in ["none", "gzip", "snappy", "lz4"] {
            let configs = [("message.format.version", version)];
            let topic = cluster.create_topic("old", 2, &configs);
            let seen = send_and_remember(&cluster, &topic, codec);
            let scan = FinishedScan::of(&cluster.bootstrap, &topic, "wire", &[]);
            let report = scan.expect(&[1]);
            assert!(report.is_complete(), "{version} {codec}: {}", scan.outcome);
            assert_exact(&report, &topic, &seen);
            if codec == "none" {
                // It reads all, or says what it could not.
                let soon = ["--stall-timeout", "2s"];
                let scan = FinishedScan::of(&cluster.bootstrap, &topic, "librdkafka", &soon);
                assert_exact(&scan.expect(&[1, 3]), &topic, &seen);
            }
        }
    }
}

#[test]
fn records_of_20_megabytes_are_read() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let configs = [("max.message.bytes", "25000000")];
    let topic = cluster.create_topic("large", 1, &configs);
    let producer = cluster.producer(&[("message.max.bytes", "25000000")]);
    for (charge_id, megabytes) in [("a", 20), ("b", 0), ("a", 20), ("b", 1)] {
        let filler = "x".repeat(megabytes * 1_000_000);
        let value = format!(r#"{{"charge_id":"{charge_id}","filler":"{filler}"}}"#);
        send(&producer, &topic, 0, &value);
        flush(&producer);
    }
    assert_read_by_both(&cluster, &topic, &[]);
}

#[test]
fn a_thousand_partitions_are_read() {
    let Some(broker) = or_skip(Nodes::one()) else {
        return;
    };
    let cluster = broker.cluster();
    let topic = cluster.create_topic("wide", 1_000, &[]);
    // Every seventh partition has records.
    let producer = cluster.producer(&[("linger.ms", "5")]);
    for number in 0..1_400 {
        let partition = number * 7 % 994;
        // Few have duplicates: librdkafka takes long to go to where each is read again.
        let charge_id = if partition < 70 {
            partition
        } else {
            10_000 + number
        };
        send(
            &producer,
            &topic,
            partition,
            &charge(&format!("ch_{charge_id}")),
        );
    }
    flush(&producer);
    assert_read_by_both(&cluster, &topic, &[]);
    append(&cluster, &topic, 1_000, 0..3_000, 10);
    let seen = cluster.read_all(&topic, "read_committed");
    let scan = FinishedScan::of(&cluster.bootstrap, &topic, "wire", &["--memory", "64M"]);
    assert_exact(&scan.expect(&[1]), &topic, &seen);
}
