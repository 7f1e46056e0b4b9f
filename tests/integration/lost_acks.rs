//! The failure itself: a real producer, a real broker, and acknowledgements lost on the way.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rdkafka::producer::Producer;

use crate::support::Workspace;
use crate::support::ack_proxy::AckProxy;
use crate::support::broker::{ApacheKafka, or_skip};
use crate::support::cluster::{Cluster, charge, groups_of, send};

const RECORDS: usize = 6000;

#[test]
fn lost_acks_are_reported_exactly_as_an_independent_count_finds_them() {
    let Some(broker) = or_skip(ApacheKafka::start()) else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let topic = cluster.create_topic("charges", 3, &[]);
    let (proxy, acks) =
        AckProxy::losing_acks(broker.take_proxy_listener(), broker.proxied_port, 12, 7);
    produce_once_each(&proxy, &topic);

    let records = cluster.read_all(&topic, "read_committed");
    let expected = groups_of(&records);
    let extra: usize = expected.values().map(|places| places.len() - 1).sum();
    let (answered, lost) = (&acks.answered, &acks.lost);
    assert!(lost.load(Relaxed) > 0, "of {answered:?} acks none was lost");
    assert!(extra > 0, "{lost:?} acks were lost without a duplicate");
    assert_eq!(records.len(), RECORDS + extra, "a record is missing");

    let workspace = Workspace::new();
    let arguments = [
        "scan",
        "-b",
        &broker.bootstrap,
        "-t",
        &topic,
        "--by",
        "charge_id",
    ];
    workspace
        .dupaudit(arguments.into_iter().chain(["-o", "x.json"]))
        .run()
        .expect_code(1);
    let report = workspace.report("x.json");
    assert_eq!(report.places_by("value.charge_id"), expected);
    assert_eq!(
        report.total("records_read"),
        i64::try_from(records.len()).unwrap()
    );
    assert_eq!(report.total("extra_records"), i64::try_from(extra).unwrap());
    assert!(report.is_complete());
}

/// Sends every record once; what comes twice comes of the client's own retries.
fn produce_once_each(proxy: &AckProxy, topic: &str) {
    let producer = Cluster::new(&proxy.address).retrying_producer(&[]);
    for number in 0..RECORDS {
        let value = charge(&format!("ch_{number:05}"));
        let partition = i32::try_from(number % 3).unwrap();
        send(&producer, topic, partition, &value);
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_mins(1)).unwrap();
}
