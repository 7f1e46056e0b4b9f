//! The files of a real broker say the same as its topics.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::broker::{self, ApacheKafka};
use crate::support::cluster::{Cluster, charge, flush, groups_of, send};
use crate::support::report::Report;
use crate::support::{Outcome, Workspace};
use crate::topics::Scan;
use crate::topics::exports::compressed_topic;

/// Bytes of the smallest segment that a broker makes.
const SEGMENT_BYTES: &str = "1048576";

fn cluster(broker: &ApacheKafka) -> Cluster {
    Cluster::new(&broker.bootstrap)
}

/// Copies the log of a partition as it stands.
pub(crate) fn copy_partition(broker: &ApacheKafka, name: &str, into: &Path) -> PathBuf {
    let copy = into.join(name);
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(broker.data.join(name)).unwrap() {
        let entry = entry.unwrap();
        // Indexes are large, and mostly room for more.
        let bytes = match entry.path().extension() {
            Some(end) if end == "log" => fs::read(entry.path()).unwrap(),
            _ => b"companion".to_vec(),
        };
        fs::write(copy.join(entry.file_name()), bytes).unwrap();
    }
    copy
}

fn scan_files(workspace: &Workspace, paths: &[&Path], options: &[&str]) -> Outcome {
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    let fields = ["--by", "charge_id", "-o", "files.json"];
    let arguments = ["scan"].into_iter().chain(paths).chain(fields);
    let arguments: Vec<&str> = arguments.chain(options.iter().copied()).collect();
    workspace.dupaudit(arguments).run()
}

pub(crate) fn report_of(
    workspace: &Workspace,
    paths: &[&Path],
    options: &[&str],
    code: i32,
) -> Report {
    scan_files(workspace, paths, options).expect_code(code);
    workspace.report("files.json")
}

/// Returns what keeps the files from being complete, in order.
fn damage(report: &Report) -> Vec<String> {
    let files = report.0["coverage"]["files"].as_array().unwrap();
    let damage = files.iter().filter_map(|file| file["damage"].as_str());
    damage.map(str::to_owned).collect()
}

#[test]
fn segments_of_every_codec_are_the_records_of_their_topic() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = cluster(broker);
    let topic = compressed_topic(&cluster);
    let workspace = Workspace::new();
    let copies = [0, 1, 2, 3, 4]
        .map(|partition| copy_partition(broker, &format!("{topic}-{partition}"), workspace.path()));
    let outcome = scan_files(&workspace, &[workspace.path()], &[]).expect_code(1);
    assert!(
        outcome.stderr.contains("leader-epoch-checkpoint"),
        "{outcome}"
    );
    let from_files = workspace.report("files.json");
    let records = cluster.read_all(&topic, "read_committed");
    assert_eq!(from_files.places_by("value.charge_id"), groups_of(&records));
    assert_eq!(from_files.total("records_read"), 2000);
    assert!(from_files.is_complete());
    assert_eq!(
        from_files.0["coverage"]["files"].as_array().unwrap().len(),
        5
    );

    let files = copies.each_ref().map(|copy| copy.to_str().unwrap());
    let together = Scan::of(&cluster, &topic, &files).expect(1);
    assert_eq!(together.places_by("value.charge_id"), groups_of(&records));
    assert_eq!(together.skipped("same-record"), 2000);
    assert!(together.is_complete());
}

/// Fills a partition past the end of its segment.
fn fill_segment(cluster: &Cluster, topic: &str, name: &str) {
    let producer = cluster.producer(&[("linger.ms", "20")]);
    let padding = "x".repeat(10_000);
    for number in 0..120 {
        let money = r#""amount":"1.25","currency":"USD""#;
        let charge_id = format!("{name}-{number}");
        let value = format!(r#"{{"charge_id":"{charge_id}",{money},"padding":"{padding}"}}"#);
        send(&producer, topic, 0, &value);
    }
    flush(&producer);
}

/// Makes a topic of several segments: transactions that are committed, aborted and open, of which
/// the markers come in later segments than the records.
fn transactional_topic(cluster: &Cluster) -> (String, rdkafka::producer::BaseProducer) {
    use rdkafka::producer::Producer;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(20);
    let topic = cluster.create_topic("segments", 1, &[("segment.bytes", SEGMENT_BYTES)]);
    let begin = |name: &str, charges: &[&str]| {
        let producer = cluster.in_transaction(&format!("{topic}-{name}"));
        for charge_id in charges {
            send(&producer, &topic, 0, &charge(charge_id));
        }
        flush(&producer);
        producer
    };
    let committed = begin("committed", &["twice", "committed"]);
    let aborted = begin("aborted", &["twice", "aborted", "aborted"]);
    fill_segment(cluster, &topic, "first");
    committed.commit_transaction(PATIENCE).unwrap();
    fill_segment(cluster, &topic, "second");
    aborted.abort_transaction(PATIENCE).unwrap();
    let plain = cluster.producer(&[]);
    send(&plain, &topic, 0, &charge("twice"));
    send(&plain, &topic, 0, &charge("aborted"));
    flush(&plain);
    let open = begin("open", &["twice", "open", "open"]);
    (topic, open)
}

#[test]
fn transactions_are_told_by_markers_in_later_segments() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = cluster(broker);
    let (topic, _open) = transactional_topic(&cluster);
    let workspace = Workspace::new();
    let name = format!("{topic}-0");
    let copy = copy_partition(broker, &name, workspace.path());
    for isolation in ["read_committed", "read_uncommitted"] {
        let options = ["--isolation", isolation];
        let records = cluster.read_all(&topic, isolation);
        let report = report_of(&workspace, &[&copy], &options, 1);
        assert_eq!(
            report.places_by("value.charge_id"),
            groups_of(&records),
            "{isolation}"
        );
        let count = i64::try_from(records.len()).unwrap();
        assert_eq!(report.total("records_read"), count, "{isolation}");
        let segments = report.0["coverage"]["files"].as_array().unwrap();
        assert!(segments.len() >= 3, "{segments:?}");
        let damage = damage(&report);
        if isolation == "read_committed" {
            assert_eq!(damage.len(), 1, "{damage:?}");
            assert!(
                damage[0].starts_with("open-transaction: 3 records"),
                "{damage:?}"
            );
        } else {
            assert_eq!(damage, [""; 0]);
            assert!(report.is_complete());
        }
        let from_topic = Scan::of(&cluster, &topic, &options).expect(1);
        let groups = from_topic.places_by("value.charge_id");
        assert_eq!(report.places_by("value.charge_id"), groups, "{isolation}");
    }
    // The first segment alone: the markers are looked for beside it.
    let first = copy.join("00000000000000000000.log");
    let report = report_of(&workspace, &[&first], &[], 0);
    assert!(report.is_complete());
    let notes = report.0["coverage"]["files"][0].to_string();
    assert!(
        notes.contains("3 records of aborted transactions were left out"),
        "{notes}"
    );
}

#[test]
fn damaged_segments_are_read_as_far_as_they_are_good() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = cluster(broker);
    let topic = cluster.create_topic("damaged", 1, &[]);
    for round in 0..10 {
        let producer = cluster.producer(&[]);
        send(&producer, &topic, 0, &charge(&format!("a-{}", round % 7)));
        flush(&producer);
    }
    let workspace = Workspace::new();
    let name = format!("{topic}-0");
    let copy = copy_partition(broker, &name, workspace.path());
    let segment = copy.join("00000000000000000000.log");
    let whole = fs::read(&segment).unwrap();
    let keys = |report: &Report| report.places_by("value.charge_id").into_keys().collect();
    let groups: Vec<String> = keys(&report_of(&workspace, &[&copy], &[], 1));
    assert_eq!(groups, ["a-0", "a-1", "a-2"]);

    fs::write(&segment, &whole[..whole.len() - 20]).unwrap();
    let report = report_of(&workspace, &[&copy], &[], 1);
    let groups: Vec<String> = keys(&report);
    assert_eq!(groups, ["a-0", "a-1"]);
    assert!(damage(&report)[0].starts_with("truncated within a record batch"));

    // All batches have one record and one size.
    let size = whole.len() / 10;
    let mut flipped = whole.clone();
    flipped[8 * size + size / 2] ^= 0x10;
    fs::write(&segment, &flipped).unwrap();
    let report = report_of(&workspace, &[&copy], &[], 1);
    let groups: Vec<String> = keys(&report);
    assert_eq!(groups, ["a-0", "a-2"]);
    let damage = damage(&report);
    assert!(damage[0].contains("(offsets [8, 9))"), "{damage:?}");
    assert!(damage[0].contains("checksum mismatch"), "{damage:?}");
}

#[test]
fn a_whole_data_folder_is_read_without_the_brokers_own_topics() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = cluster(broker);
    let topic = cluster.create_topic("folder", 2, &[]);
    let producer = cluster.producer(&[]);
    for partition in [0, 1, 1] {
        send(&producer, &topic, partition, &charge("again"));
    }
    flush(&producer);
    let workspace = Workspace::new();
    let data = workspace.path().join("data");
    for partition in 0..2 {
        copy_partition(broker, &format!("{topic}-{partition}"), &data);
    }
    copy_partition(broker, "__cluster_metadata-0", &data);
    fs::write(data.join("meta.properties"), "version=1\n").unwrap();
    let outcome = scan_files(&workspace, &[&data], &[]).expect_code(1);
    assert!(
        outcome.stderr.contains("brokers keep for themselves"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("meta.properties"), "{outcome}");
    let report = workspace.report("files.json");
    assert_eq!(report.total("records_read"), 3);
    let places = &report.places_by("value.charge_id")["again"];
    assert_eq!(places.len(), 3);
    assert!(places.iter().all(|(name, _, _)| *name == topic));
}
