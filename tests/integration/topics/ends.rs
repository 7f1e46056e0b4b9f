//! Topics whose offsets have holes, whose last offset is no record, or which grow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::producer::Producer;

use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, groups_of, send, send_keyed};
use crate::support::report::Report;
use crate::topics::{Scan, keys, offsets};

const PATIENCE: Duration = Duration::from_secs(20);

/// Asserts that exactly these offsets are gaps that may be transaction markers.
#[track_caller]
fn assert_marker_gaps(report: &Report, topic: &str, expected: &[(i64, i64)]) {
    let gaps = report.gaps(topic, 0);
    let places: Vec<(i64, i64)> = gaps.iter().map(|(start, end, _)| (*start, *end)).collect();
    assert_eq!(places, expected);
    for (_, _, reason) in gaps {
        let is_complete = ["control", "aborted", "control-or-compacted"].contains(&&*reason);
        assert!(is_complete, "{reason}");
    }
    assert!(report.is_complete());
}

#[test]
fn a_scan_ends_where_the_last_offset_is_a_transaction_marker() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("markers", 1, &[]);
    let producer = cluster.in_transaction(&topic);
    send(&producer, &topic, 0, &charge("a"));
    send(&producer, &topic, 0, &charge("b"));
    producer.commit_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &charge("a"));
    producer.commit_transaction(PATIENCE).unwrap();
    cluster.settle(&topic, 1);

    let report = Scan::of(&cluster, &topic, &[]).expect(1);
    assert_eq!(keys(&report), ["a"]);
    assert_eq!(offsets(&report, "a"), [0, 3]);
    assert_marker_gaps(&report, &topic, &[(2, 3), (4, 5)]);
    let coverage = report.partition(&topic, 0);
    assert_eq!(coverage["records_read"], 3);
    assert_eq!(coverage["end_offset"], 5);
    assert_eq!(coverage["next_offset"], 5);
}

#[test]
fn aborted_records_are_read_only_where_asked_for() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("aborted", 1, &[]);
    let producer = cluster.in_transaction(&topic);
    send(&producer, &topic, 0, &charge("a"));
    send(&producer, &topic, 0, &charge("a"));
    flush(&producer);
    producer.abort_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &charge("a"));
    producer.commit_transaction(PATIENCE).unwrap();
    cluster.settle(&topic, 1);

    let committed = Scan::of(&cluster, &topic, &[]).expect(0);
    assert_eq!(committed.total("records_read"), 1);
    assert_eq!(committed.verdict(), "clean");
    let gaps = committed.gaps(&topic, 0);
    let absent: i64 = gaps.iter().map(|(start, end, _)| end - start).sum();
    assert_eq!(absent, 4, "two aborted records and two markers: {gaps:?}");
    assert!(committed.is_complete());

    let uncommitted = ["--isolation", "read_uncommitted"];
    let uncommitted = Scan::of(&cluster, &topic, &uncommitted).expect(1);
    assert_eq!(offsets(&uncommitted, "a"), [0, 1, 3]);
    assert_marker_gaps(&uncommitted, &topic, &[(2, 3), (4, 5)]);
}

#[test]
fn a_topic_of_nothing_but_aborted_records_has_an_end() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("all-aborted", 1, &[]);
    let producer = cluster.in_transaction(&topic);
    for _ in 0..500 {
        send(&producer, &topic, 0, &charge("a"));
    }
    flush(&producer);
    producer.abort_transaction(PATIENCE).unwrap();
    cluster.settle(&topic, 1);

    let report = Scan::of(&cluster, &topic, &[]).expect(3);
    assert_eq!(report.total("records_read"), 0);
    assert_eq!(report.verdict(), "incomplete");
    Scan::of(&cluster, &topic, &["--allow-empty"]).expect(0);
}

#[test]
fn an_open_transaction_is_stated_and_incomplete_where_its_offsets_are_asked_for() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("open", 1, &[]);
    let plain = cluster.producer(&[]);
    send(&plain, &topic, 0, &charge("a"));
    flush(&plain);
    let producer = cluster.in_transaction(&topic);
    send(&producer, &topic, 0, &charge("a"));
    flush(&producer);

    let report = Scan::of(&cluster, &topic, &[]).expect(0);
    let coverage = report.partition(&topic, 0);
    assert_eq!(coverage["high_watermark"], 2);
    assert_eq!(coverage["last_stable_offset"], 1);
    assert_eq!(coverage["end_offset"], 1);
    assert_eq!(report.total("records_read"), 1);

    let asked = Scan::of(&cluster, &topic, &["--to", "offset:2"]).expect(3);
    assert_eq!(
        asked.gaps(&topic, 0),
        [(1, 2, "open-transaction".to_owned())]
    );
    let uncommitted = ["--isolation", "read_uncommitted"];
    let uncommitted = Scan::of(&cluster, &topic, &uncommitted).expect(1);
    assert_eq!(offsets(&uncommitted, "a"), [0, 1]);
    producer.abort_transaction(PATIENCE).unwrap();
}

#[test]
fn a_compacted_topic_that_ends_in_a_marker_is_read_to_its_end() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic(
        "compacted",
        1,
        &[
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.001"),
            ("max.compaction.lag.ms", "100"),
        ],
    );
    let producer = cluster.producer(&[]);
    for round in 0..3 {
        send_keyed(&producer, &topic, "first", Some(&charge("a")));
        send_keyed(&producer, &topic, "second", Some(&charge("a")));
        send_keyed(
            &producer,
            &topic,
            "gone",
            Some(&charge(&format!("gone-{round}"))),
        );
        flush(&producer);
        thread::sleep(Duration::from_millis(150));
    }
    send_keyed(&producer, &topic, "gone", None);
    flush(&producer);
    let transactional = cluster.in_transaction(&topic);
    thread::sleep(Duration::from_millis(150));
    send_keyed(&transactional, &topic, "last", Some(&charge("b")));
    transactional.commit_transaction(PATIENCE).unwrap();
    wait_for_compaction(&cluster, &topic, 11);

    let records = cluster.read_all(&topic, "read_committed");
    let report = Scan::of(&cluster, &topic, &[]).expect(1);
    assert_eq!(report.places_by("value.charge_id"), groups_of(&records));
    assert_eq!(keys(&report), ["a"]);
    assert!(report.is_complete());
    let gaps = report.gaps(&topic, 0);
    let absent: i64 = gaps.iter().map(|(start, end, _)| end - start).sum();
    let read = i64::try_from(records.len()).unwrap();
    assert_eq!(report.total("records_read"), read);
    assert_eq!(read + absent, 12, "{gaps:?}");
    assert_eq!(report.partition(&topic, 0)["next_offset"], 12);
}

/// Waits until fewer than `full` records are left.
fn wait_for_compaction(cluster: &Cluster, topic: &str, full: usize) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while cluster.read_all(topic, "read_committed").len() >= full {
        assert!(Instant::now() < deadline, "nothing was compacted");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn empty_partitions_are_covered_and_an_empty_topic_is_not_clean() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("sparse", 4, &[]);
    let empty = Scan::of(&cluster, &topic, &[]).expect(3);
    assert_eq!(empty.verdict(), "incomplete");
    Scan::of(&cluster, &topic, &["--allow-empty"]).expect(0);

    let producer = cluster.producer(&[]);
    send(&producer, &topic, 2, &charge("a"));
    flush(&producer);
    let report = Scan::of(&cluster, &topic, &[]).expect(0);
    for partition in 0..4 {
        let coverage = report.partition(&topic, partition);
        let expected = i64::from(partition == 2);
        for field in [
            "high_watermark",
            "end_offset",
            "next_offset",
            "records_read",
        ] {
            assert_eq!(coverage[field], expected, "{field} of {partition}");
        }
        assert_eq!(coverage["log_start_offset"], 0);
        assert_eq!(coverage["complete"], true);
    }
}

#[test]
fn records_below_the_log_start_are_a_gap_only_where_asked_for() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("deleted", 1, &[]);
    let producer = cluster.producer(&[]);
    for charge_id in ["a", "a", "b", "c"] {
        send(&producer, &topic, 0, &charge(charge_id));
    }
    flush(&producer);
    cluster.delete_records(&topic, 0, 2);

    let report = Scan::of(&cluster, &topic, &[]).expect(0);
    let coverage = report.partition(&topic, 0);
    assert_eq!(coverage["log_start_offset"], 2);
    assert_eq!(coverage["start_offset"], 2);
    assert_eq!(coverage["records_read"], 2);

    let asked = Scan::of(&cluster, &topic, &["--from", "offset:1"]).expect(3);
    assert_eq!(asked.gaps(&topic, 0), [(1, 2, "retention".to_owned())]);
    assert_eq!(asked.verdict(), "incomplete");
}

#[test]
fn the_end_is_frozen_while_a_producer_appends() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("growing", 2, &[]);
    let producer = cluster.producer(&[("linger.ms", "5")]);
    let append = |number: i32| {
        let charge_id = format!("ch_{}", number / 7 * 5);
        send(&producer, &topic, number % 2, &charge(&charge_id));
    };
    (0..5000).for_each(&append);
    flush(&producer);
    let is_done = AtomicBool::new(false);
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 5000.. {
                append(number);
                if number % 100 == 0 {
                    flush(&producer);
                }
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let scan = Scan::of(&cluster, &topic, &[]);
        is_done.store(true, Ordering::Relaxed);
        scan.expect(1)
    });
    let end = |partition: i64| {
        let coverage = report.partition(&topic, i32::try_from(partition).unwrap());
        assert_eq!(coverage["next_offset"], coverage["end_offset"]);
        coverage["end_offset"].as_i64().unwrap()
    };
    let mut records = cluster.read_all(&topic, "read_committed");
    records.retain(|record| record.place.2 < end(record.place.1));
    assert_eq!(report.places_by("value.charge_id"), groups_of(&records));
    assert!(report.is_complete());
}
