//! Brokers and topics that change while they are read.

use std::thread;
use std::time::Duration;

use super::ends::{SLOWLY, notes_of};
use super::{READERS, RunningScan, append, assert_exact, fill, unread_of};
use crate::support::broker;
use crate::support::broker::or_skip;
use crate::support::cluster::{Cluster, charge, flush, send};
use crate::support::node::{Nodes, NodesSpec};
use crate::support::report::Place;

/// Records of two partitions that take three seconds and more to read slowly.
const RECORDS: i32 = 16_000;

/// Time in which a slow scan gets to somewhere in its middle.
const A_WHILE: Duration = Duration::from_secs(1);

/// Starts a slow scan of a topic by each reader, and returns them in mid-scan.
fn scans_under_way(bootstrap: &str, topic: &str, options: &[&str]) -> Vec<RunningScan> {
    let options: Vec<&str> = SLOWLY.iter().chain(options).copied().collect();
    let scans = READERS.map(|reader| RunningScan::start(bootstrap, topic, reader, &options));
    for scan in &scans {
        scan.wait_until_frozen();
    }
    thread::sleep(A_WHILE);
    scans.into()
}

#[test]
fn a_broker_killed_and_started_again_is_read_to_the_end() {
    let Some(mut broker) = or_skip(Nodes::one()) else {
        return;
    };
    let topic = fill(&broker.cluster(), 2, RECORDS, 100);
    let seen = broker.cluster().read_all(&topic, "read_committed");
    let scans = scans_under_way(&broker.bootstrap, &topic, &[]);
    broker.processes[0].tell("KILL");
    thread::sleep(Duration::from_secs(1));
    broker.processes[0].tell("start");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
    }
}

#[test]
fn a_broker_that_stops_for_a_while_is_waited_for_and_one_that_is_gone_is_named() {
    let Some(mut broker) = or_skip(Nodes::one()) else {
        return;
    };
    let topic = fill(&broker.cluster(), 2, RECORDS, 100);
    let seen = broker.cluster().read_all(&topic, "read_committed");
    let scans = scans_under_way(&broker.bootstrap, &topic, &[]);
    broker.processes[0].tell("STOP");
    thread::sleep(Duration::from_secs(12));
    broker.processes[0].tell("CONT");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
    }

    let scans = scans_under_way(&broker.bootstrap, &topic, &["--stall-timeout=4s"]);
    broker.processes[0].tell("KILL");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        assert!(
            scan.outcome.elapsed < Duration::from_secs(20),
            "{}",
            scan.outcome
        );
        let stalled = (0..2).flat_map(|partition| unread_of(&report, &topic, partition));
        assert!(stalled.into_iter().all(|gap| gap.2 == "stalled"));
        let port = broker.bootstrap.rsplit(':').next().unwrap();
        let notes = notes_of(&report, &topic, 0) + &notes_of(&report, &topic, 1);
        assert!(notes.contains(port), "the broker is not named: {notes}");
    }
}

#[test]
fn records_deleted_under_the_scan_are_a_gap_and_the_rest_is_read() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster, 1, 40_000, 100);
    let seen = cluster.read_all(&topic, "read_committed");
    let scans = scans_under_way(&cluster.bootstrap, &topic, &[]);
    // In the middle of a batch.
    cluster.delete_records(&topic, 0, 38_951);
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        let gaps = unread_of(&report, &topic, 0);
        let [(start, 38_951, reason)] = gaps.as_slice() else {
            panic!("{gaps:?}: {}", scan.outcome)
        };
        assert!(*start > 0 && reason == "deleted", "{gaps:?}");
        assert_eq!(report.total("records_read"), start + 40_000 - 38_951);
    }
}

#[test]
fn retention_under_the_scan_is_a_gap_and_the_rest_is_read() {
    let Some(broker) = or_skip(Nodes::start(NodesSpec {
        properties: "log.retention.check.interval.ms=200\nlog.initial.task.delay.ms=100",
        ..NodesSpec::default()
    })) else {
        return;
    };
    let cluster = broker.cluster();
    let configs = [("segment.bytes", "1048576"), ("retention.bytes", "-1")];
    let topic = cluster.create_topic("retained", 1, &configs);
    append(&cluster, &topic, 1, 0..40_000, 100);
    let seen = cluster.read_all(&topic, "read_committed");
    let scans = scans_under_way(&broker.bootstrap, &topic, &[]);
    cluster.configure(&topic, "retention.bytes", "1");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        let gaps = unread_of(&report, &topic, 0);
        assert!(gaps.iter().all(|gap| gap.2 == "deleted"), "{gaps:?}");
        assert_eq!(report.partition(&topic, 0)["next_offset"], 40_000);
    }
}

/// Makes a topic again, longer, with records that are all the same.
fn make_again_longer(cluster: &Cluster, topic: &str) {
    cluster.make_again(topic, 2);
    let producer = cluster.producer(&[("linger.ms", "5")]);
    for number in 0..RECORDS * 2 {
        send(&producer, topic, number % 2, &charge("new"));
    }
    flush(&producer);
}

#[test]
fn a_topic_made_again_under_the_scan_is_never_mixed_with_the_old_one() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster, 2, RECORDS, 100);
    let seen = cluster.read_all(&topic, "read_committed");
    let mut of_old: Vec<Vec<Place>> = crate::support::cluster::groups_of(&seen)
        .into_values()
        .collect();
    of_old.sort();
    let scans = scans_under_way(&cluster.bootstrap, &topic, &["--stall-timeout=10s"]);
    make_again_longer(&cluster, &topic);
    for (reader, scan) in READERS.iter().zip(scans) {
        let scan = scan.finish();
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        for partition in 0..2 {
            let end = i64::from(RECORDS / 2);
            let all = [(0, end, "recreated".to_owned())];
            assert_eq!(report.gaps(&topic, partition), all, "{}", scan.outcome);
            let notes = notes_of(&report, &topic, partition);
            assert!(notes.contains("deleted and made again"), "{notes}");
        }
        // Whatever was grouped is of the old log.
        for group in report.places() {
            let is_old = of_old
                .iter()
                .any(|old| group.iter().all(|of| old.contains(of)));
            assert!(is_old, "{reader}: {group:?}: {}", scan.outcome);
        }
    }
}
