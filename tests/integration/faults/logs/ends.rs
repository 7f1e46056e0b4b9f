//! What is stated about a log's ends: transactions that stay open, where it begins, what comes
//! after the freeze.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::producer::Producer;

use crate::faults::{
    FinishedScan, READERS, RunningScan, SLOWLY, append, assert_exact, fill, notes_of, unread_of,
};
use crate::support::broker;
use crate::support::cluster::{charge, flush, send, send_at};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_transaction_that_stays_open_makes_coverage_incomplete_once_it_is_old() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    for (minutes, is_old) in [(1, false), (20, true)] {
        let topic = cluster.create_topic("held-back", 1, &[]);
        let plain = cluster.producer(&[]);
        for charge_id in ["a", "b"] {
            send(&plain, &topic, 0, &charge(charge_id));
        }
        flush(&plain);
        let producer = cluster.in_transaction(&topic);
        let millis = now - minutes * 60_000;
        send_at(&producer, &topic, 0, &charge("a"), Some(millis));
        flush(&producer);
        send(&plain, &topic, 0, &charge("c"));
        flush(&plain);
        let seen = cluster.read_all(&topic, "read_committed");
        for reader in READERS {
            let code = if is_old { 3 } else { 0 };
            let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &[]);
            let report = scan.expect(&[code]);
            assert_exact(&report, &topic, &seen);
            let gaps = unread_of(&report, &topic, 0);
            let expected = [(2, 4, "open-transaction".to_owned())];
            assert_eq!(gaps, expected[..usize::from(is_old)], "{reader}");
            let notes = notes_of(&report, &topic, 0);
            assert!(
                notes.contains("2 offsets from 2 on cannot be read"),
                "{notes}"
            );
            assert!(notes.contains("its first record of 20"), "{notes}");
            assert_eq!(notes.contains("more than 15 minutes"), is_old, "{notes}");
        }
        producer.abort_transaction(PATIENCE).unwrap();
    }
}

#[test]
fn a_range_of_time_states_where_the_log_begins() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("begins", 1, &[]);
    let producer = cluster.producer(&[]);
    for (charge_id, seconds) in [("gone", 0), ("a", 10), ("a", 20)] {
        let millis = 1_768_444_200_000 + seconds * 1000;
        send_at(&producer, &topic, 0, &charge(charge_id), Some(millis));
        flush(&producer);
    }
    cluster.delete_records(&topic, 0, 1);
    for reader in READERS {
        let options = ["--from", "2026-01-15"];
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options);
        let report = scan.expect(&[1]);
        assert!(report.is_complete());
        let notes = notes_of(&report, &topic, 0);
        let expected = "the log begins at offset 1, 2026-01-15T02:30:10.000Z";
        assert!(notes.contains(expected), "{reader}: {notes}");
    }
}

#[test]
fn partitions_and_records_that_come_during_the_scan_are_stated() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    for reader in READERS {
        let topic = fill(&cluster, 2, 10_000, 100);
        let seen = cluster.read_all(&topic, "read_committed");
        let scan = RunningScan::start(&cluster.bootstrap, &topic, reader, &SLOWLY);
        scan.wait_until_frozen();
        cluster.grow(&topic, 4);
        append(&cluster, &topic, 2, 0..10, 10);
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        let notes = notes_of(&report, &topic, 1);
        let expected = [
            "5 offsets came after the scan began, not audited",
            "got partition 2, 3 after the scan began: not audited",
        ];
        assert!(expected.iter().all(|text| notes.contains(text)), "{notes}");
    }
}
