//! A topic and its export say the same, and together they invent nothing.

use rdkafka::producer::BaseProducer;

use crate::support::cluster::{Cluster, charge, flush, groups_of, send, send_keyed};
use crate::support::{Workspace, broker, or_skip};
use crate::topics::{Scan, keys};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Makes a topic with a partition for each codec, and duplicates within and across them.
pub(super) fn compressed_topic(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("codecs", 5, &[]);
    for (partition, codec) in (0..).zip(CODECS) {
        fill(cluster, &topic, (partition, codec), 400);
    }
    topic
}

/// Fills a partition with records of one codec, of which some are there twice, and some in every
/// partition that is filled so.
pub(super) fn fill(
    cluster: &Cluster,
    topic: &str,
    (partition, codec): (i32, &str),
    records: u32,
) -> BaseProducer {
    let producer = cluster.producer(&[("compression.type", codec), ("linger.ms", "20")]);
    for number in 0..records {
        let charge_id = match number % 10 {
            0 => format!("everywhere-{number}"),
            1 | 2 => format!("{codec}-twice-{}", number / 10),
            _ => format!("{codec}-{number}"),
        };
        send(&producer, topic, partition, &charge(&charge_id));
    }
    flush(&producer);
    producer
}

#[test]
fn every_codec_is_read() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = compressed_topic(&cluster);
    let report = Scan::of(&cluster, &topic, &[]).expect(1);
    let records = cluster.read_all(&topic, "read_committed");
    assert_eq!(report.places_by("value.charge_id"), groups_of(&records));
    assert_eq!(report.total("records_read"), 2000);
    assert_eq!(report.total("groups"), 40 + 5 * 40);
    assert_eq!(report.total("largest_group"), 5);
}

#[test]
fn an_export_by_kcat_gives_the_same_groups_and_adds_nothing_to_its_topic() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = compressed_topic(&cluster);
    let workspace = Workspace::new();
    let Some(export) = or_skip(cluster.kcat_export(&topic)) else {
        return;
    };
    workspace.write("export.jsonl", export);
    let from_topic = Scan::of(&cluster, &topic, &[]).expect(1);
    let arguments = [
        "scan",
        "export.jsonl",
        "--by",
        "charge_id",
        "-o",
        "file.json",
    ];
    workspace.dupaudit(arguments).run().expect_code(1);
    let from_export = workspace.report("file.json");
    let groups = from_topic.places_by("value.charge_id");
    assert_eq!(from_export.places_by("value.charge_id"), groups);
    for total in ["records_read", "groups", "extra_records", "largest_group"] {
        assert_eq!(from_export.total(total), from_topic.total(total), "{total}");
    }

    let export = workspace.path().join("export.jsonl");
    let together = Scan::of(&cluster, &topic, &[export.to_str().unwrap()]).expect(1);
    assert_eq!(together.places_by("value.charge_id"), groups);
    assert_eq!(together.skipped("same-record"), 2000);
    assert_eq!(together.total("records_read"), 4000);
    assert_eq!(together.total("records_audited"), 2000);
    assert!(together.is_complete());
}

#[test]
fn an_export_of_which_a_record_was_changed_conflicts_with_its_topic() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("changed", 1, &[]);
    let producer = cluster.producer(&[]);
    send(&producer, &topic, 0, &charge("a"));
    send(&producer, &topic, 0, &charge("b"));
    flush(&producer);
    let envelope = serde_json::json!({
        "topic": topic, "partition": 0, "offset": 1, "tstype": "create", "ts": 1, "broker": 1,
        "key": null, "payload": charge("other"),
    });
    let workspace = Workspace::new();
    let export = workspace.write("export.jsonl", format!("{envelope}\n"));
    let report = Scan::of(&cluster, &topic, &[export.to_str().unwrap()]).expect(3);
    let conflicts = report.0["coverage"]["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(report.groups().len(), 0);
}

#[test]
fn keys_and_tombstones_of_a_topic_are_records() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("keyed", 1, &[]);
    let producer = cluster.producer(&[]);
    send_keyed(&producer, &topic, "k1", Some(&charge("a")));
    send_keyed(&producer, &topic, "k1", None);
    send_keyed(&producer, &topic, "k2", Some(&charge("a")));
    flush(&producer);

    let by_value = Scan::of(&cluster, &topic, &[]).expect(1);
    assert_eq!(keys(&by_value), ["a"]);
    assert_eq!(by_value.skipped("tombstone"), 1);

    let workspace = Workspace::new();
    let arguments = [
        "scan",
        "-b",
        &cluster.bootstrap,
        "-t",
        &topic,
        "--by",
        "key",
    ];
    workspace
        .dupaudit(arguments.into_iter().chain(["-o", "x.json"]))
        .run()
        .expect_code(1);
    let by_key = workspace.report("x.json");
    assert_eq!(by_key.skipped("tombstone"), 0);
    let places = by_key.places_by("key");
    assert_eq!(places["k1"], [(topic.clone(), 0, 0), (topic.clone(), 0, 1)]);
    assert_eq!(places.len(), 1);
}

#[test]
fn a_log_without_a_topic_beside_a_topic_has_to_be_given_one() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("beside", 1, &[]);
    let producer = cluster.producer(&[]);
    send(&producer, &topic, 0, &charge("a"));
    flush(&producer);
    let workspace = Workspace::new();
    let log = workspace.write("log.jsonl", format!("{}\n", charge("a")));
    let log = log.to_str().unwrap();
    let refused = Scan::of(&cluster, &topic, &[log]);
    refused
        .outcome
        .expect_code(2)
        .expect_stderr("--assume-topic");
    let assumed = Scan::of(&cluster, &topic, &[log, "--assume-topic", "other"]);
    assert_eq!(keys(&assumed.workspace.report("x.json")), ["a"]);
    assumed
        .outcome
        .expect_code(1)
        .expect_stderr("has no offsets");
}
