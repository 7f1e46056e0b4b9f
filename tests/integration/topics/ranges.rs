//! `--from`, `--to` and `--look-back` on a topic.

use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, send, send_at};
use crate::topics::{Scan, keys, offsets};

/// 2026-01-15T02:30:00Z.
const START_MILLIS: i64 = 1_768_444_200_000;

/// Makes a topic of records at seconds after the start.
fn timed_topic(cluster: &Cluster, records: &[(&str, i64)]) -> String {
    let topic = cluster.create_topic("timed", 1, &[]);
    let producer = cluster.producer(&[]);
    for (charge_id, seconds) in records {
        let millis = START_MILLIS + seconds * 1000;
        send_at(&producer, &topic, 0, &charge(charge_id), Some(millis));
    }
    flush(&producer);
    topic
}

#[test]
fn a_range_of_time_is_half_open_and_looks_back_for_originals() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = timed_topic(
        &cluster,
        &[
            ("before", 0),
            ("across-start", 0),
            ("before", 5),
            ("inside", 10),
            ("across-start", 12),
            ("across-end", 13),
            ("inside", 15),
            ("across-end", 20),
            ("late-in-log", 25),
            ("late-in-log", 14),
        ],
    );
    let range = [
        "--from",
        "2026-01-15T02:30:10Z",
        "--to",
        "2026-01-15T02:30:20Z",
    ];
    let report = Scan::of(&cluster, &topic, &range).expect(1);
    assert_eq!(keys(&report), ["across-start", "inside"]);
    assert_eq!(offsets(&report, "across-start"), [1, 4]);
    assert_eq!(offsets(&report, "inside"), [3, 6]);
    assert!(report.is_complete());

    let no_look_back = [&range[..], &["--look-back", "0s"]].concat();
    let report = Scan::of(&cluster, &topic, &no_look_back).expect(1);
    assert_eq!(keys(&report), ["inside"]);
    assert_eq!(report.total("records_audited"), 5);
}

#[test]
fn records_in_an_order_of_time_that_is_not_the_log_s_are_found() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = timed_topic(
        &cluster,
        &[("a", 30), ("b", 2), ("a", 1), ("b", 40), ("b", 3)],
    );
    let range = [
        "--from",
        "2026-01-15T02:30:00Z",
        "--to",
        "2026-01-15T02:30:10Z",
    ];
    let report = Scan::of(&cluster, &topic, &range).expect(1);
    assert_eq!(keys(&report), ["b"]);
    assert_eq!(offsets(&report, "b"), [1, 4]);
}

#[test]
fn a_range_of_offsets_bounds_each_partition() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("offsets", 2, &[]);
    let producer = cluster.producer(&[]);
    for partition in 0..2 {
        for charge_id in ["a", "b", "c", "d", "e"] {
            send(&producer, &topic, partition, &charge(charge_id));
        }
    }
    flush(&producer);
    let both = ["--from", "offset:1", "--to", "offset:3"];
    let report = Scan::of(&cluster, &topic, &both).expect(1);
    assert_eq!(keys(&report), ["b", "c"]);
    assert_eq!(report.total("records_read"), 4);

    let each = ["--from", "offset:0=1,1=2", "--to", "offset:0=4,1=5"];
    let report = Scan::of(&cluster, &topic, &each).expect(1);
    assert_eq!(keys(&report), ["c", "d"]);
    for (partition, start, end) in [(0, 1, 4), (1, 2, 5)] {
        let coverage = report.partition(&topic, partition);
        assert_eq!(coverage["start_offset"], start);
        assert_eq!(coverage["end_offset"], end);
    }
}

#[test]
fn an_empty_range_audits_nothing_and_is_not_clean() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = timed_topic(&cluster, &[("a", 0), ("a", 1)]);
    let range = ["--from", "2027-01-01", "--look-back", "0s"];
    let report = Scan::of(&cluster, &topic, &range).expect(3);
    assert_eq!(report.total("records_audited"), 0);
}
