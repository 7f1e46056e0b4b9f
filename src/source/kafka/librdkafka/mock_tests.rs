//! The reader against librdkafka's own broker inside the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::message::{Header as SentHeader, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use crate::finding::{GapReason, PartitionCoverage};
use crate::record::{Header, Payload, RecordBlock, RecordView, SplitId, TimestampType};
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSource;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::Reader;
use crate::source::{Bound, RecordSource, SplitCoverage, StopFlag};

pub(super) type Cluster = MockCluster<'static, DefaultProducerContext>;

pub(super) fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for &(topic, partitions) in topics {
        cluster.create_topic(topic, partitions, 1).unwrap();
    }
    cluster
}

fn producer(cluster: &Cluster, codec: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("compression.codec", codec)
        .set("linger.ms", "20")
        .create()
        .unwrap()
}

fn produce_numbers(cluster: &Cluster, topic: &str, partitions: i32, count: u32) {
    let producer = producer(cluster, "lz4");
    for number in 0..count {
        let value = format!("{{\"id\":{number}}}");
        let partition = i32::try_from(number).unwrap() % partitions;
        let record = BaseRecord::<(), _>::to(topic)
            .partition(partition)
            .payload(&value);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

pub(super) fn spec(cluster: &Cluster, topics: &[&str]) -> KafkaSpec {
    let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
    let mut spec = KafkaSpec::new(cluster.bootstrap_servers(), topics);
    spec.reader = Reader::Librdkafka;
    spec
}

pub(super) fn open(spec: &KafkaSpec) -> Result<KafkaSource, KafkaError> {
    KafkaSource::open(spec, SplitId(4), StopFlag::default())
}

/// Offsets and values by partition, from several threads at once.
fn read_all(source: &KafkaSource) -> BTreeMap<SplitId, Vec<(i64, Vec<u8>)>> {
    let read = || {
        let mut block = RecordBlock::default();
        let mut records = Vec::new();
        while source.next_block(&mut block).unwrap() {
            for view in block.views() {
                let value = view.value().bytes().unwrap_or_default().to_vec();
                records.push((block.split, view.offset().unwrap(), value));
            }
        }
        records
    };
    let mut by_split: BTreeMap<_, Vec<_>> = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        for thread in threads {
            for (split, offset, value) in thread.join().unwrap() {
                by_split.entry(split).or_default().push((offset, value));
            }
        }
    });
    for records in by_split.values_mut() {
        records.sort();
    }
    by_split
}

fn coverage(source: &KafkaSource) -> Vec<PartitionCoverage> {
    let partition = |split| match split {
        SplitCoverage::Partition(coverage) => coverage,
        SplitCoverage::File(file) => panic!("{file:?}"),
    };
    source.coverage().into_iter().map(partition).collect()
}

#[test]
fn keys_values_headers_and_timestamps_come_back_as_they_were_sent() {
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    let cluster = cluster(&[("codecs", 1)]);
    for (codec, millis) in codecs.into_iter().zip(1_700_000_000_000_i64..) {
        let producer = producer(&cluster, codec);
        let header = |key, value| SentHeader { key, value };
        let headers = OwnedHeaders::new()
            .insert(header("h", Some("1")))
            .insert(header("h", None))
            .insert(header("", Some("")))
            .insert(header("h", Some("2")));
        let full = BaseRecord::to("codecs")
            .key(codec)
            .payload("value")
            .headers(headers);
        producer.send(full.timestamp(millis)).unwrap();
        let null = BaseRecord::<[u8], [u8]>::to("codecs").timestamp(millis);
        producer.send(null).unwrap();
        let empty = BaseRecord::to("codecs")
            .key("")
            .payload("")
            .timestamp(millis);
        producer.send(empty).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
    }
    let source = open(&spec(&cluster, &["codecs"])).unwrap();
    let mut block = RecordBlock::default();
    let mut count = 0_i64;
    while source.next_block(&mut block).unwrap() {
        for view in block.views() {
            let place = usize::try_from(count / 3).unwrap();
            let timestamp = view.timestamp().unwrap();
            assert_eq!(timestamp.millis, 1_700_000_000_000 + count / 3);
            assert_eq!(timestamp.timestamp_type, TimestampType::CreateTime);
            assert_eq!(view.offset(), Some(count));
            assert_eq!(view.topic_partition().unwrap().to_string(), "codecs-0");
            let headers: Vec<_> = view.headers().unwrap().collect();
            match count % 3 {
                0 => {
                    assert_eq!(view.key(), Payload::Bytes(codecs[place].as_bytes()));
                    assert_eq!(view.value(), Payload::Bytes(b"value"));
                    let pairs = headers.iter().map(|header| (header.name, header.value));
                    let sent: [(&[u8], Option<&[u8]>); 4] = [
                        (b"h", Some(b"1")),
                        (b"h", None),
                        (b"", Some(b"")),
                        (b"h", Some(b"2")),
                    ];
                    assert!(pairs.eq(sent));
                }
                1 => assert_eq!((view.key(), view.value()), (Payload::Null, Payload::Null)),
                _ => {
                    let empty = Payload::Bytes(b"");
                    assert_eq!((view.key(), view.value()), (empty, empty));
                    assert_eq!(headers, []);
                }
            }
            count += 1;
        }
    }
    assert_eq!(count, 15);
    assert!(coverage(&source)[0].is_complete());
}

#[test]
fn header_names_that_are_no_utf_8_come_back() {
    let cluster = cluster(&[("names", 1)]);
    let native = super::ffi::test_producer::Producer::new(&cluster.bootstrap_servers());
    native.send(
        "names",
        b"v",
        &[(b"\xff\xfe", Some(b"\x00\x01")), (b"n", None)],
    );
    let source = open(&spec(&cluster, &["names"])).unwrap();
    let mut block = RecordBlock::default();
    assert!(source.next_block(&mut block).unwrap());
    let view = block.views().next().unwrap();
    let headers: Vec<_> = view.headers().unwrap().collect();
    let sent = [
        Header {
            name: b"\xff\xfe",
            value: Some(b"\x00\x01"),
        },
        Header {
            name: b"n",
            value: None,
        },
    ];
    assert_eq!(headers, sent);
}

#[test]
fn all_partitions_of_all_topics_are_read_by_several_threads() {
    let cluster = cluster(&[("orders", 3), ("orders-eu", 1), ("empty", 1), ("other", 1)]);
    produce_numbers(&cluster, "orders", 3, 6000);
    produce_numbers(&cluster, "orders-eu", 1, 10);
    let source = open(&spec(&cluster, &["^order", "empty"])).unwrap();
    assert_eq!(source.splits(), (4..9).map(SplitId).collect::<Vec<_>>());
    assert_eq!(source.ranges().len(), 6);
    let records = read_all(&source);
    // `empty` comes first, and nothing of it.
    assert_eq!(
        records.keys().copied().collect::<Vec<_>>(),
        (5..9).map(SplitId).collect::<Vec<_>>()
    );
    for (place, partition) in (5..8).zip(0..) {
        let records = &records[&SplitId(place)];
        assert_eq!(records.len(), 2000);
        for (offset, (read, value)) in records.iter().enumerate() {
            assert_eq!(usize::try_from(*read).unwrap(), offset);
            let number = offset * 3 + partition;
            assert_eq!(*value, format!("{{\"id\":{number}}}").into_bytes());
        }
    }
    let coverage = coverage(&source);
    assert!(
        coverage.iter().all(PartitionCoverage::is_complete),
        "{coverage:#?}"
    );
    let read: Vec<_> = coverage
        .iter()
        .map(|partition| partition.records_read)
        .collect();
    assert_eq!(read, [0, 2000, 2000, 2000, 10]);
    let progress = source.progress();
    assert_eq!((progress.done, progress.total), (6010, 6010));
}

#[test]
fn a_range_of_offsets_is_read_exactly_and_the_end_is_frozen() {
    let cluster = cluster(&[("t", 1)]);
    produce_numbers(&cluster, "t", 1, 100);
    let mut spec = spec(&cluster, &["t"]);
    spec.range.from = Some(Bound::Offset(10));
    let source = open(&spec).unwrap();
    produce_numbers(&cluster, "t", 1, 50);
    let records = read_all(&source);
    let offsets: Vec<_> = records[&SplitId(4)]
        .iter()
        .map(|(offset, _)| *offset)
        .collect();
    assert_eq!(offsets, (10..100).collect::<Vec<_>>());
    let coverage = coverage(&source);
    assert_eq!(
        (coverage[0].end_offset, coverage[0].next_offset),
        (100, 100)
    );
    assert!(coverage[0].is_complete());
    assert!(
        coverage[0]
            .notes
            .iter()
            .any(|note| note.contains("50 offsets came after"))
    );
    spec.range.to = Some(Bound::Offset(12));
    let records = read_all(&open(&spec).unwrap());
    assert_eq!(records[&SplitId(4)].len(), 2);
}

#[test]
fn single_records_are_read_again_and_those_that_are_not_there_are_left_out() {
    let cluster = cluster(&[("t", 2)]);
    produce_numbers(&cluster, "t", 2, 4000);
    let source = open(&spec(&cluster, &["t"])).unwrap();
    read_all(&source);
    let mut revisitor = source.revisit(SplitId(5)).unwrap();
    let wanted = [0, 1, 400, 1200, 1999, 2500];
    let mut rest = &wanted[..];
    let mut found = Vec::new();
    let mut block = RecordBlock::default();
    while !rest.is_empty() {
        let count = revisitor.fetch(rest, &mut block).unwrap();
        for view in block.views() {
            let value = view.value().bytes().unwrap().to_vec();
            assert_eq!(view.topic_partition().unwrap().partition, 1);
            found.push((view.slot().position, value));
        }
        rest = &rest[count..];
    }
    let expected = wanted[..5].iter().map(|&position| {
        let number = position * 2 + 1;
        (position, format!("{{\"id\":{number}}}").into_bytes())
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn a_stop_ends_the_scan_and_is_stated() {
    let cluster = cluster(&[("t", 1)]);
    produce_numbers(&cluster, "t", 1, 1000);
    let switch = Arc::new(AtomicBool::new(false));
    let stop = StopFlag::from_switch(switch);
    let source = KafkaSource::open(&spec(&cluster, &["t"]), SplitId(0), stop.clone()).unwrap();
    stop.stop();
    let mut block = RecordBlock::default();
    assert!(!source.next_block(&mut block).unwrap());
    let coverage = coverage(&source);
    assert_eq!(coverage[0].gaps[0].reason, GapReason::Interrupted);
    assert_eq!((coverage[0].next_offset, coverage[0].end_offset), (0, 1000));
    assert!(!coverage[0].is_complete());
}

#[test]
fn a_broker_that_dies_leaves_a_stalled_gap_with_its_cause() {
    let cluster = cluster(&[("t", 1)]);
    produce_numbers(&cluster, "t", 1, 1000);
    let mut spec = spec(&cluster, &["t"]);
    spec.stall_timeout = Duration::from_secs(2);
    let source = open(&spec).unwrap();
    cluster.broker_down(1).unwrap();
    let begin = Instant::now();
    assert!(read_all(&source).is_empty());
    assert!(
        begin.elapsed() < Duration::from_secs(40),
        "{:?}",
        begin.elapsed()
    );
    let coverage = coverage(&source);
    assert_eq!(coverage[0].gaps[0].reason, GapReason::Stalled);
    assert!(!coverage[0].notes.is_empty());
}

#[test]
fn both_readers_find_the_same_records_and_say_the_same_of_them() {
    let cluster = cluster(&[("a", 3), ("b", 1)]);
    produce_numbers(&cluster, "a", 3, 3_000);
    let record = |view: RecordView<'_>| {
        let owned = |payload: Payload<'_>| payload.bytes().map(<[u8]>::to_vec);
        let headers = view.headers().unwrap().encoded().to_vec();
        let place = (view.topic_partition().cloned().unwrap(), view.offset());
        let time = view
            .timestamp()
            .map(|time| (time.millis, time.timestamp_type));
        (place, owned(view.key()), owned(view.value()), headers, time)
    };
    let for_b = producer(&cluster, "zstd");
    let header = |key, value| SentHeader { key, value };
    for number in 0..200_u32 {
        let headers = OwnedHeaders::new()
            .insert(header("h", Some("1")))
            .insert(header("h", None));
        let value = number.to_string();
        let full = BaseRecord::to("b")
            .key("k")
            .payload(&value)
            .headers(headers);
        let bare = BaseRecord::<[u8], [u8]>::to("b").partition(0);
        for_b.send(full.partition(0)).unwrap();
        for_b.send(bare).unwrap();
    }
    for_b.flush(Duration::from_secs(10)).unwrap();
    let read = |reader| {
        let mut spec = spec(&cluster, &["a", "b"]);
        spec.reader = reader;
        let source = open(&spec).unwrap();
        let mut block = RecordBlock::default();
        let mut records = Vec::new();
        while source.next_block(&mut block).unwrap() {
            records.extend(block.views().map(record));
        }
        records.sort();
        (records, coverage(&source))
    };
    let (ours, our_coverage) = read(Reader::Wire);
    let (theirs, their_coverage) = read(Reader::Librdkafka);
    assert_eq!(ours.len(), 3_400);
    assert_eq!(ours, theirs);
    assert_eq!(our_coverage, their_coverage);
}
