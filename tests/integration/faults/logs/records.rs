//! Records of every shape in every codec, as no client would write them; few records and none.

use std::collections::BTreeMap;

use rdkafka::message::Message;

use crate::batch_encoder::{TestBatch, TestHeader, TestRecord};
use crate::faults::{FinishedScan, READERS, assert_exact};
use crate::support::broker::{self, ApacheKafka};
use crate::support::cluster::{Cluster, charge, flush, send};
use crate::support::raw_client::RawClient;
use crate::support::report::{Place, Report};
use crate::support::{Outcome, Workspace};
use crate::topics::segments::copy_partition;

/// Codecs by their numbers: none, gzip, snappy, lz4, zstd.
const CODECS: i16 = 5;

/// More headers than librdkafka takes for possible.
const MANY_HEADERS: usize = 100_001;

/// Returns a record of such a key and value with such headers.
fn record(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[TestHeader]) -> TestRecord {
    TestRecord {
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: headers.to_vec(),
        ..TestRecord::default()
    }
}

/// Returns records that differ in little, and some that are the same.
fn shapes() -> Vec<TestRecord> {
    let header = |name: &[u8], value: Option<&[u8]>| (name.to_vec(), value.map(<[u8]>::to_vec));
    let empty: Option<&[u8]> = Some(b"");
    let bytes: Option<&[u8]> = Some(b"\0\xff\xfe\r\n,\"");
    let mut shapes = Vec::new();
    for key in [None, empty, Some(b"k"), bytes] {
        for value in [None, empty, Some(b"v"), bytes] {
            shapes.push(record(key, value, &[]));
        }
    }
    for value in [None, empty, Some(b"1"), bytes] {
        shapes.push(record(Some(b"h"), Some(b"v"), &[header(b"h", value)]));
        let others = [
            header(b"\xff\xfe", bytes),
            header(b"", None),
            header(b"h", value),
        ];
        shapes.push(record(Some(b"h"), Some(b"v"), &others));
    }
    let twice = [header(b"h", Some(b"1")), header(b"h", Some(b"1"))];
    shapes.push(record(Some(b"twice"), Some(b"v"), &twice));
    let no_name = [header(b"\xff", None), header(b"\xff", Some(b"again"))];
    shapes.push(record(Some(b"no name"), Some(b"v"), &no_name));
    shapes.push(record(None, Some(&b"long ".repeat(20_000)), &[]));
    shapes
}

/// Appends all shapes to a partition for each codec, and returns the records by their places.
fn append_raw(cluster: &Cluster, topic: &str, shapes: &[TestRecord]) -> Vec<(Place, TestRecord)> {
    let mut client = RawClient::connect(&cluster.bootstrap);
    let mut records = Vec::new();
    for codec in 0..CODECS {
        let mut batch = TestBatch {
            attributes: codec,
            records: shapes.to_vec(),
            ..TestBatch::default()
        };
        for (record, delta) in batch.records.iter_mut().zip(0..) {
            record.offset_delta = delta;
        }
        assert_eq!(client.produce(topic, codec.into(), batch.encode()), 0);
        let places = (0..).map(|offset| (topic.to_owned(), i64::from(codec), offset));
        records.extend(places.zip(shapes.iter().cloned()));
    }
    records
}

/// Groups records by what `pick` finds in them, where it finds anything.
fn groups_by<'r>(
    records: &'r [(Place, TestRecord)],
    pick: impl Fn(&'r TestRecord) -> Option<&'r [u8]>,
) -> Vec<Vec<Place>> {
    let mut groups: BTreeMap<&[u8], Vec<Place>> = BTreeMap::new();
    for (place, record) in records {
        if let Some(bytes) = pick(record) {
            groups.entry(bytes).or_default().push(place.clone());
        }
    }
    let mut groups: Vec<_> = groups.into_values().filter(|of| of.len() > 1).collect();
    for group in &mut groups {
        group.sort();
    }
    groups.sort();
    groups
}

fn header_value(record: &TestRecord) -> Option<&[u8]> {
    let named = record.headers.iter().find(|(name, _)| name == b"h");
    named?.1.as_deref()
}

/// A topic that is read together with its own segments has each record twice, byte by byte.
fn assert_same_as_segments(broker: &ApacheKafka, topic: &str, reader: &str, records: usize) {
    let workspace = Workspace::new();
    for partition in 0..CODECS {
        copy_partition(broker, &format!("{topic}-{partition}"), workspace.path());
    }
    let files = workspace.path().to_str().unwrap();
    let options = ["--by", "value,key", "-o", "both.json", files];
    let sources = [
        "scan",
        "-b",
        &broker.bootstrap,
        "-t",
        topic,
        "--reader",
        reader,
    ];
    let outcome = workspace.dupaudit(sources.iter().chain(&options)).run();
    assert_eq!(outcome.exit_code, Some(1), "{outcome}");
    let report = workspace.report("both.json");
    let records = i64::try_from(records).unwrap();
    assert_eq!(report.skipped("same-record"), records, "{outcome}");
    let conflicts = report.0["coverage"]["conflicts"].as_array().unwrap();
    assert!(conflicts.is_empty(), "{outcome}");
}

/// Scans a topic in which some field has duplicates; returns what was said of it.
fn scan_by(cluster: &Cluster, topic: &str, reader: &str, field: &str) -> (Report, Outcome) {
    let workspace = Workspace::new();
    let sources = ["scan", "-b", &cluster.bootstrap, "-t", topic];
    let options = ["--reader", reader, "--by", field, "-o", "x.json"];
    let outcome = workspace.dupaudit(sources.iter().chain(&options)).run();
    assert_eq!(outcome.exit_code, Some(1), "{outcome}");
    (workspace.report("x.json"), outcome)
}

#[test]
fn records_of_every_shape_and_codec_are_read_byte_by_byte() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let configs = [("retention.ms", "-1")];
    let topic = cluster.create_topic("shapes", CODECS.into(), &configs);
    let records = append_raw(&cluster, &topic, &shapes());
    let mut seen = BTreeMap::new();
    cluster.for_each(&topic, "read_committed", |message| {
        let place = (
            topic.clone(),
            i64::from(message.partition()),
            message.offset(),
        );
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        seen.insert(place, (bytes(message.key()), bytes(message.payload())));
    });
    assert_eq!(seen.len(), records.len());
    for (place, record) in &records {
        assert_eq!(
            seen[place],
            (record.key.clone(), record.value.clone()),
            "{place:?}"
        );
    }
    for reader in READERS {
        let by = [
            ("key", groups_by(&records, |record| record.key.as_deref())),
            (
                "value",
                groups_by(&records, |record| record.value.as_deref()),
            ),
            ("headers.h", groups_by(&records, header_value)),
        ];
        for (field, expected) in by {
            let (report, outcome) = scan_by(&cluster, &topic, reader, field);
            assert!(report.is_complete(), "{outcome}");
            assert_eq!(report.places(), expected, "{field}: {outcome}");
        }
        assert_same_as_segments(broker, &topic, reader, records.len());
    }
}

#[test]
fn a_record_of_too_many_headers_is_read_or_said_to_be_undecodable() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let configs = [("retention.ms", "-1")];
    let topic = cluster.create_topic("headers", CODECS.into(), &configs);
    let mut headers: Vec<TestHeader> = vec![(b"n".to_vec(), None); MANY_HEADERS];
    headers.push((b"h".to_vec(), Some(b"last".to_vec())));
    let many = record(Some(b"many"), Some(charge("a").as_bytes()), &headers);
    let few = record(
        Some(b"few"),
        Some(charge("a").as_bytes()),
        &headers[MANY_HEADERS..],
    );
    let records = append_raw(&cluster, &topic, &[few.clone(), many, few]);
    for reader in READERS {
        let (report, outcome) = scan_by(&cluster, &topic, reader, "headers.h");
        assert_eq!(report.total("records_read"), 15);
        let is_whole = reader == "wire";
        let undecodable = if is_whole { 0 } else { i64::from(CODECS) };
        assert_eq!(report.skipped("undecodable"), undecodable, "{outcome}");
        assert_eq!(report.is_complete(), is_whole, "{outcome}");
        let counted = |(place, _): &&(Place, TestRecord)| is_whole || place.2 != 1;
        let counted: Vec<_> = records.iter().filter(counted).cloned().collect();
        assert_eq!(report.places(), groups_by(&counted, header_value));
        // Where no header is asked for, none is needed.
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &[]);
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &cluster.read_all(&topic, "read_committed"));
    }
}

#[test]
fn one_record_among_empty_partitions_is_all_there_is() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("single", 40, &[]);
    let producer = cluster.producer(&[]);
    send(&producer, &topic, 17, &charge("only"));
    flush(&producer);
    let seen = cluster.read_all(&topic, "read_committed");
    for reader in READERS {
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &[]);
        let report = scan.expect(&[0]);
        assert_eq!(report.verdict(), "clean");
        assert_eq!(report.total("records_read"), 1);
        assert_exact(&report, &topic, &seen);
    }
}
