//! Logs that lose their beginning, or all that they are, while they are read.

use std::time::Duration;

use crate::faults::{
    RECORDS, append, assert_exact, assert_only_old, fill, notes_of, scans_under_way, unread_of,
};
use crate::support::broker;
use crate::support::broker::or_skip;
use crate::support::cluster::{Cluster, charge, flush, send};
use crate::support::node::{Nodes, NodesSpec};

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

/// Makes a topic again, with records that are all the same.
fn make_again(cluster: &Cluster, topic: &str, records: i32) {
    cluster.make_again(topic, 2);
    let producer = cluster.producer(&[("linger.ms", "5")]);
    for number in 0..records {
        send(&producer, topic, number % 2, &charge("new"));
    }
    flush(&producer);
}

#[test]
fn a_topic_made_again_under_the_scan_is_never_mixed_with_the_old_one() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    // Longer than the old one was, and shorter than what was read of it.
    for records in [RECORDS * 2, 100] {
        let topic = fill(&cluster, 2, RECORDS, 100);
        let seen = cluster.read_all(&topic, "read_committed");
        let scans = scans_under_way(&cluster.bootstrap, &topic, &["--stall-timeout=10s"]);
        make_again(&cluster, &topic, records);
        for scan in scans {
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
            assert_only_old(&report, &seen);
        }
    }
}

#[test]
fn a_topic_deleted_under_the_scan_is_named_and_what_was_read_counts() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster, 2, RECORDS, 100);
    let seen = cluster.read_all(&topic, "read_committed");
    let small = ["--stall-timeout=3s", "-Xfetch.message.max.bytes=20000"];
    let scans = scans_under_way(&cluster.bootstrap, &topic, &small);
    cluster.delete(&topic);
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert!(scan.outcome.elapsed < Duration::from_secs(20));
        assert_exact(&report, &topic, &seen);
        for partition in 0..2 {
            let gaps = unread_of(&report, &topic, partition);
            assert!(gaps.iter().all(|gap| gap.2 == "stalled"), "{gaps:?}");
            let notes = notes_of(&report, &topic, partition).to_lowercase();
            assert!(notes.contains("unknown"), "{notes}");
        }
    }
}
