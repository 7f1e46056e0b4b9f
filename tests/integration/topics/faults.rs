//! Brokers that stop in the middle of a scan: what was read counts, and the rest is said.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::ack_proxy::{AckProxy, FETCH, Fate};
use crate::support::broker::{ApacheKafka, or_skip};
use crate::support::cluster::{Cluster, charge, flush, groups_of, send};
use crate::support::report::{Place, Report};
use crate::topics::Scan;

const RECORDS: i32 = 30_000;

/// Makes a topic of two partitions with duplicates in each.
fn fill(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("cut", 2, &[]);
    let producer = cluster.producer(&[("linger.ms", "5"), ("batch.num.messages", "200")]);
    for number in 0..RECORDS {
        let charge_id = format!("ch_{}", number / 3 * 2);
        send(&producer, &topic, number % 2, &charge(&charge_id));
    }
    flush(&producer);
    topic
}

/// Puts a proxy before the broker, whose responses meet `fate` after `bytes` of records.
fn faulty_proxy(broker: &ApacheKafka, fate: Fate, bytes: usize) -> AckProxy {
    let given = AtomicUsize::new(0);
    let listener = broker.take_proxy_listener();
    AckProxy::start(listener, broker.proxied_port, move |api_key, size| {
        let size = if api_key == FETCH { size } else { 0 };
        let is_over = given.fetch_add(size, Ordering::Relaxed) >= bytes;
        if is_over { fate } else { Fate::Pass }
    })
}

/// Scans a topic of a broker that meets `fate` on the way.
fn scan_until(fate: Fate) {
    let Some(broker) = or_skip(ApacheKafka::start()) else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let topic = fill(&cluster);
    let proxy = faulty_proxy(&broker, fate, 300_000);
    let proxied = Cluster::new(&proxy.address);
    let options = ["-Xfetch.message.max.bytes=20000", "--stall-timeout=3s"];
    let scan = Scan::of(&proxied, &topic, &options);
    assert!(
        matches!(scan.outcome.exit_code, Some(1 | 3)),
        "{}",
        scan.outcome
    );
    assert!(
        scan.outcome.elapsed < Duration::from_secs(30),
        "{}",
        scan.outcome
    );
    let report = scan.workspace.report("x.json");
    assert!(!report.is_complete(), "{}", scan.outcome);
    assert_counts_add_up(&report, &topic);
    assert_groups_of_what_was_read(&report, &cluster, &topic);
}

fn assert_counts_add_up(report: &Report, topic: &str) {
    let mut read = 0;
    for partition in 0..2 {
        let coverage = report.partition(topic, partition);
        let gaps = report.gaps(topic, partition);
        let missing: i64 = gaps.iter().map(|(start, end, _)| end - start).sum();
        let is_stalled = gaps.iter().all(|(_, _, reason)| reason == "stalled");
        assert!(is_stalled, "{gaps:?}");
        let records = coverage["records_read"].as_i64().unwrap();
        assert_eq!(coverage["end_offset"], i64::from(RECORDS / 2));
        assert_eq!(records + missing, i64::from(RECORDS / 2), "{coverage}");
        read += records;
    }
    assert!(read < i64::from(RECORDS), "the fault came too late");
    assert_eq!(report.total("records_read"), read);
}

/// What was read is a prefix of each partition, and its groups are exact.
fn assert_groups_of_what_was_read(report: &Report, cluster: &Cluster, topic: &str) {
    let next = |place: &Place| {
        let partition = i32::try_from(place.1).unwrap();
        let coverage = report.partition(topic, partition);
        coverage["next_offset"].as_i64().unwrap()
    };
    let mut records = cluster.read_all(topic, "read_committed");
    records.retain(|record| record.place.2 < next(&record.place));
    // The broker is gone for the second reading too, so the groups have places but no keys.
    let mut expected: Vec<Vec<Place>> = groups_of(&records).into_values().collect();
    expected.sort();
    assert_eq!(report.places(), expected);
}

#[test]
fn a_broker_that_falls_silent_leaves_a_gap_that_is_said() {
    scan_until(Fate::Silence);
}

#[test]
fn a_broker_that_is_lost_leaves_a_gap_that_is_said() {
    scan_until(Fate::Close);
}
