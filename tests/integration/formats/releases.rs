//! What the tools of Kafka's releases write of a topic gives the groups of the topic.

use std::time::Duration;

use rdkafka::producer::Producer;

use crate::formats::captured::{check, check_with_topic, fill, scan, tool_of};
use crate::support::cluster::{Cluster, charge, flush, groups_of, send};
use crate::support::{Workspace, broker};

const ALL_RELEASES: [&str; 5] = ["2.0.1", "2.6.3", "2.8.2", "3.9.1", "4.1.0"];

const PATIENCE: Duration = Duration::from_secs(20);

/// The last is not known to Kafka 2.0.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

const IDEMPOTENT: (&str, &str) = ("enable.idempotence", "true");

/// Segments of the formats before record batches; three have compressed message sets.
const OLD_SEGMENTS: [&str; 4] = [
    "magic0-none.log",
    "magic0-gzip.log",
    "magic1-snappy.log",
    "magic1-gzip-log-append-time.log",
];

/// Writes a topic as the console consumer of a release does, with every field that it can show.
fn console(workspace: &Workspace, release: &str, cluster: &Cluster, topic: &str) -> Option<String> {
    let class = if release.starts_with('2') {
        "kafka.tools.ConsoleConsumer"
    } else {
        "org.apache.kafka.tools.consumer.ConsoleConsumer"
    };
    let server = ["--bootstrap-server", &cluster.bootstrap, "--topic", topic];
    let ends = ["--from-beginning", "--max-messages", "6"];
    // The first two are there since 4.0; older releases do not mind.
    let print = [
        "delivery",
        "epoch",
        "timestamp",
        "partition",
        "offset",
        "headers",
        "key",
    ];
    let print = print.map(|field| format!("print.{field}=true"));
    let mut arguments = [&server[..], &ends].concat();
    for property in &print {
        arguments.extend(["--property", property]);
    }
    let file = format!("console-{release}.txt");
    tool_of(workspace, (release, class), &arguments, &file)?;
    Some(file)
}

#[test]
fn the_console_consumers_of_every_release_give_the_groups_of_the_topic() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster);
    let workspace = Workspace::new();
    for release in ALL_RELEASES {
        let Some(file) = console(&workspace, release, &cluster, &topic) else {
            return;
        };
        let shows_offsets = !["2.0.1", "2.6.3"].contains(&release);
        if shows_offsets {
            check(&workspace, &file, &topic, "console-consumer");
            check_with_topic(&cluster, &workspace, &file, &topic);
            continue;
        }
        let report = scan(&workspace, &file, &topic, "charge_id");
        let coverage = &report.0["coverage"]["files"][0];
        assert_eq!(coverage["format"], "console-consumer", "{release}");
        assert!(report.is_complete(), "{release}: {coverage}");
        let notes = coverage["notes"].to_string();
        assert!(notes.contains("offsets are lost"), "{release}: {notes}");
        assert_eq!(report.total("records_read"), 6, "{release}");
        assert_eq!(report.skipped("tombstone"), 1, "{release}");
        let counts = ["ch_1", "ch_2"].map(|id| report.places_by("value.charge_id")[id].len());
        assert_eq!(counts, [2, 2], "{release}");
        assert_eq!(report.groups().len(), 2, "{release}");
        let by_key = scan(&workspace, &file, &topic, "key");
        let counts = ["k1", "k3"].map(|key| by_key.places_by("key")[key].len());
        assert_eq!(counts, [2, 2], "{release}");
        assert_eq!(by_key.groups().len(), 2, "{release}");
        assert_eq!(by_key.skipped("missing-key"), 1, "{release}");
    }
}

/// Makes a partition for each codec, with batches of an idempotent producer and transactions, one
/// committed and one aborted.
fn coded_topic(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("dumped", 5, &[]);
    for (partition, codec) in (0..).zip(CODECS) {
        let properties = [("compression.type", codec), ("linger.ms", "20")];
        let producer = cluster.producer(&[&properties[..], &[IDEMPOTENT]].concat());
        for number in 0..30 {
            send(
                &producer,
                &topic,
                partition,
                &charge(&format!("{codec}-{}", number % 20)),
            );
        }
        flush(&producer);
        let id = format!("{topic}-{codec}");
        let transactional = [&properties[..], &[("transactional.id", &id)]].concat();
        let producer = cluster.producer(&transactional);
        producer.init_transactions(PATIENCE).unwrap();
        for is_committed in [true, false] {
            producer.begin_transaction().unwrap();
            for charge_id in ["in-transactions", "aborted"] {
                let charge_id = format!("{codec}-{charge_id}");
                for _ in 0..3 {
                    send(&producer, &topic, partition, &charge(&charge_id));
                }
            }
            flush(&producer);
            if is_committed {
                producer.commit_transaction(PATIENCE).unwrap();
            } else {
                producer.abort_transaction(PATIENCE).unwrap();
            }
        }
    }
    topic
}

#[test]
fn dumps_by_every_release_give_the_records_of_every_codec_and_transaction() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let topic = coded_topic(&cluster);
    let records = cluster.read_all(&topic, "read_uncommitted");
    assert_eq!(records.len(), 5 * (30 + 12));
    let workspace = Workspace::new();
    for release in ALL_RELEASES {
        let partitions = if release == "2.0.1" { 4 } else { 5 };
        let segment = |partition: i64| {
            let folder = broker.data.join(format!("{topic}-{partition}"));
            let segment = folder.join("00000000000000000000.log");
            segment.display().to_string()
        };
        let segments: Vec<String> = (0..partitions).map(segment).collect();
        let arguments = ["--print-data-log", "--files", &segments.join(",")];
        let tool = (release, "kafka.tools.DumpLogSegments");
        if tool_of(&workspace, tool, &arguments, "dump.txt").is_none() {
            return;
        }
        let read = ["scan", "dump.txt", "--by", "charge_id", "-o", "report.json"];
        let all = ["--isolation", "read_uncommitted"];
        let arguments = read.iter().chain(&all);
        workspace.dupaudit(arguments).run().expect_code(1);
        let report = workspace.report("report.json");
        let coverage = &report.0["coverage"]["files"][0];
        assert_eq!(coverage["format"], "dump-log", "{release}");
        assert!(report.is_complete(), "{release}: {coverage}");
        let dumped = records.iter().filter(|of| of.place.1 < partitions);
        let dumped: Vec<_> = dumped.cloned().collect();
        let count = i64::try_from(dumped.len()).unwrap();
        assert_eq!(report.total("records_read"), count, "{release}");
        let groups = report.places_by("value.charge_id");
        assert_eq!(groups, groups_of(&dumped), "{release}");
    }
}

/// Runs the dump tool of a release on segments of an old format, with their paths.
fn dump_old(workspace: &Workspace, release: &str, options: &[&str], segments: &[String]) -> bool {
    let files = segments.join(",");
    let arguments = [options, &["--files", &files]].concat();
    let tool = (release, "kafka.tools.DumpLogSegments");
    tool_of(workspace, tool, &arguments, "dump.txt").is_some()
}

#[test]
fn dumps_of_old_message_sets_give_the_records_of_the_segments() {
    let workspace = Workspace::new();
    let copy = |(number, name): (usize, &&str)| {
        let folder = workspace.path().join(format!("old-{number}"));
        std::fs::create_dir(&folder).unwrap();
        let copy = folder.join("00000000000000000000.log");
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/segments");
        std::fs::copy(format!("{root}/{name}"), &copy).unwrap();
        copy.display().to_string()
    };
    let segments: Vec<String> = OLD_SEGMENTS.iter().enumerate().map(copy).collect();
    for release in ALL_RELEASES {
        if !dump_old(&workspace, release, &["--print-data-log"], &segments) {
            return;
        }
        let fields = "partition,value";
        let read = ["scan", "dump.txt", "--by", fields, "-o", "report.json"];
        let arguments = read.into_iter().chain(segments.iter().map(String::as_str));
        workspace.dupaudit(arguments).run().expect_code(0);
        let report = workspace.report("report.json");
        assert!(report.is_complete(), "{release}");
        assert_eq!(report.skipped("same-record"), 480, "{release}");
        assert_eq!(report.total("records_read"), 960, "{release}");
        assert_eq!(
            report.0["coverage"]["conflicts"],
            serde_json::json!([]),
            "{release}"
        );
    }
    if dump_old(&workspace, "3.9.1", &[], &segments) {
        let refused = workspace
            .dupaudit(["scan", "dump.txt", "--by", "value"])
            .run();
        refused.expect_code(2).expect_stderr("--print-data-log");
    }
}
