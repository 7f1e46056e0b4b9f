//! A topic whose timestamps were the clients' and are the broker's now.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::Timestamp;
use rdkafka::message::Message;

use crate::faults::options::chrono_text;
use crate::faults::{FinishedScan, READERS};
use crate::support::broker;
use crate::support::cluster::{Cluster, PlainRecord, charge, flush, groups_of, send_at};
use crate::support::report::Place;

const HOUR_MILLIS: i64 = 3_600_000;

/// Sends records whose times are out of order, before and after the broker takes over.
fn fill(cluster: &Cluster, now: i64) -> String {
    let topic = cluster.create_topic("switched", 1, &[]);
    let producer = cluster.producer(&[]);
    let send = |part: i64| {
        for number in 0..60 {
            // Up to an hour before and after, each a little off from all others.
            let minutes = (number * 37 + part) % 120 - 60;
            let millis = now + minutes * 60_000 + number;
            let value = charge(&format!("ch_{}", number % 20));
            send_at(&producer, &topic, 0, &value, Some(millis));
        }
        flush(&producer);
    };
    send(0);
    cluster.configure(&topic, "message.timestamp.type", "LogAppendTime");
    send(1);
    cluster.configure(&topic, "message.timestamp.type", "CreateTime");
    send(2);
    topic
}

/// Returns all records with their timestamps, as a plain consumer sees them, by type.
fn seen(cluster: &Cluster, topic: &str) -> BTreeMap<&'static str, Vec<(PlainRecord, i64)>> {
    let mut seen: BTreeMap<_, Vec<_>> = BTreeMap::new();
    cluster.for_each(topic, "read_committed", |message| {
        let place = (topic.to_owned(), 0, message.offset());
        let value = message.payload().map(<[u8]>::to_vec);
        let (of, millis) = match message.timestamp() {
            Timestamp::CreateTime(millis) => ("create", millis),
            Timestamp::LogAppendTime(millis) => ("append", millis),
            Timestamp::NotAvailable => panic!("no timestamp"),
        };
        let record = PlainRecord { place, value };
        seen.entry(of).or_default().push((record, millis));
    });
    seen
}

#[test]
fn a_range_of_time_is_exact_where_the_type_of_timestamps_was_switched() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let topic = fill(&cluster, now);
    let seen = seen(&cluster, &topic);
    assert_eq!((seen["create"].len(), seen["append"].len()), (120, 60));
    let all: Vec<_> = seen.values().flatten().cloned().collect();
    let ranges = [
        (now - HOUR_MILLIS / 2, now),
        (now - 1_000, now + 60_000),
        (now + 60_000, now + HOUR_MILLIS),
        (now - 2 * HOUR_MILLIS, now + 2 * HOUR_MILLIS),
    ];
    for (reader, (from, to)) in READERS
        .iter()
        .flat_map(|of| ranges.map(|range| (of, range)))
    {
        let within = all.iter().filter(|(_, millis)| (from..to).contains(millis));
        let within: Vec<PlainRecord> = within.map(|(record, _)| record.clone()).collect();
        assert!(!within.is_empty());
        let times = [chrono_text(from), chrono_text(to)];
        let options = ["--from", &times[0], "--to", &times[1], "--look-back", "0s"];
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options);
        let report = scan.expect(&[0, 1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        let mut expected: Vec<Vec<Place>> = groups_of(&within).into_values().collect();
        expected.sort();
        assert_eq!(report.places(), expected, "{}", scan.outcome);
        let count = i64::try_from(within.len()).unwrap();
        assert_eq!(report.total("records_audited"), count, "{}", scan.outcome);
        let skipped = report.skipped("outside-range");
        assert_eq!(report.total("records_read"), count + skipped);
    }
}
