//! Many aborted records in a row, and logs that grow by nothing else while they are read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::producer::Producer;

use crate::faults::{FinishedScan, READERS, RunningScan, SLOWLY, append, assert_exact, fill};
use crate::support::Workspace;
use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, send};
use crate::topics::segments::{copy_partition, report_of};

const PATIENCE: Duration = Duration::from_secs(20);

/// Transactions that are aborted one after another, and the records in each.
const ABORTED: (i32, i32) = (20, 5_000);

/// Makes a topic of a hundred thousand aborted records in a row between committed ones.
fn mostly_aborted_topic(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("mostly-aborted", 1, &[]);
    let properties = [("transactional.id", &*topic), ("linger.ms", "5")];
    let producer = cluster.producer(&properties);
    producer.init_transactions(PATIENCE).unwrap();
    let commit = |charges: [&str; 3]| {
        producer.begin_transaction().unwrap();
        for charge_id in charges {
            send(&producer, &topic, 0, &charge(charge_id));
        }
        flush(&producer);
        producer.commit_transaction(PATIENCE).unwrap();
    };
    commit(["before", "around", "before"]);
    let (transactions, records) = ABORTED;
    for transaction in 0..transactions {
        producer.begin_transaction().unwrap();
        for record in 0..records {
            let number = transaction * records + record;
            let charge_id = match number % 1_000 {
                999 => "around".to_owned(),
                _ => format!("ch_{number}"),
            };
            send(&producer, &topic, 0, &charge(&charge_id));
        }
        flush(&producer);
        producer.abort_transaction(PATIENCE).unwrap();
    }
    commit(["after", "around", "after"]);
    cluster.settle(&topic, 1);
    topic
}

#[test]
fn a_hundred_thousand_aborted_records_are_left_out_or_read_as_asked_for() {
    let Some(broker) = broker::own() else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let topic = mostly_aborted_topic(&cluster);
    let workspace = Workspace::new();
    let copy = copy_partition(broker, &format!("{topic}-0"), workspace.path());
    let aborted = i64::from(ABORTED.0 * ABORTED.1);
    for (isolation, records) in [("read_committed", 6), ("read_uncommitted", 6 + aborted)] {
        let options = ["--isolation", isolation];
        let seen = cluster.read_all(&topic, isolation);
        let of_files = report_of(&workspace, &[&copy], &options, 1);
        for reader in READERS {
            let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options);
            let report = scan.expect(&[1]);
            assert!(report.is_complete(), "{}", scan.outcome);
            assert_exact(&report, &topic, &seen);
            assert_eq!(report.total("records_read"), records);
            assert_eq!(report.places(), of_files.places(), "{isolation}");
        }
        assert_eq!(of_files.total("records_read"), records);
        assert!(of_files.is_complete());
    }
}

/// Appends aborted transactions of one record and ever more, until told to stop.
fn append_aborted(cluster: &Cluster, topic: &str, is_done: &AtomicBool) -> u64 {
    let producer = cluster.in_transaction(topic);
    for count in 1.. {
        for _ in 0..count {
            send(&producer, topic, 0, &charge("aborted"));
        }
        flush(&producer);
        producer.abort_transaction(PATIENCE).unwrap();
        if is_done.load(Ordering::Relaxed) {
            return count;
        }
        producer.begin_transaction().unwrap();
    }
    unreachable!("it is told to stop")
}

#[test]
fn aborted_transactions_that_come_during_the_scan_hold_nothing_up() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster, 1, 8_000, 100);
    let seen = cluster.read_all(&topic, "read_committed");
    let is_done = AtomicBool::new(false);
    let appended = thread::scope(|scope| {
        let appending = scope.spawn(|| append_aborted(&cluster, &topic, &is_done));
        let scans = READERS.map(|of| RunningScan::start(&cluster.bootstrap, &topic, of, &SLOWLY));
        let scans = scans.map(RunningScan::finish);
        is_done.store(true, Ordering::Relaxed);
        for scan in &scans {
            let report = scan.expect(&[1]);
            assert!(report.is_complete(), "{}", scan.outcome);
            assert_exact(&report, &topic, &seen);
        }
        appending.join().unwrap()
    });
    assert!(appended > 3, "too little was appended: {appended}");
}

#[test]
fn a_producer_that_appends_all_the_time_is_not_read_after_the_freeze() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster, 2, 8_000, 100);
    let is_done = AtomicBool::new(false);
    let reports = thread::scope(|scope| {
        scope.spawn(|| {
            for part in 1.. {
                let first = part * 8_000;
                append(&cluster, &topic, 2, first..first + 8_000, 500);
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let scans = READERS.map(|of| RunningScan::start(&cluster.bootstrap, &topic, of, &SLOWLY));
        let scans = scans.map(RunningScan::finish);
        is_done.store(true, Ordering::Relaxed);
        scans.map(|scan| scan.expect(&[1]))
    });
    let seen = cluster.read_all(&topic, "read_committed");
    for report in reports {
        assert!(report.is_complete());
        assert_exact(&report, &topic, &seen);
    }
}
