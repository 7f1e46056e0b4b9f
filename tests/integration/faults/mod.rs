//! Brokers, networks and clients at fault: whatever happens, the report is exact or says what
//! it lacks. Each test runs for each reader that it applies to.

mod access;
mod brokers;
mod logs;
mod network;
mod options;
mod releases;
mod table;

use std::thread;
use std::time::Duration;

use crate::support::cluster::{Cluster, PlainRecord, charge, flush, groups_of, send};
use crate::support::report::{Place, Report};
use crate::support::{Outcome, Running, Workspace};

/// Both readers.
const READERS: [&str; 2] = ["wire", "librdkafka"];

/// Reasons of gaps in which there was nothing to read.
const COMPLETE_REASONS: [&str; 4] = ["control", "aborted", "compacted", "control-or-compacted"];

/// Slow enough that a scan of 20,000 records is under way for two seconds and more.
const SLOWLY: [&str; 2] = ["--max-rate", "500KB/s"];

/// Records of two partitions that take three seconds and more to read slowly.
const RECORDS: i32 = 16_000;

/// Time in which a slow scan gets to somewhere in its middle.
const A_WHILE: Duration = Duration::from_secs(1);

/// Starts a slow scan of a topic by each reader, and returns them in mid-scan.
fn scans_under_way(bootstrap: &str, topic: &str, options: &[&str]) -> Vec<RunningScan> {
    let options: Vec<&str> = SLOWLY.iter().chain(options).copied().collect();
    let scans = READERS.map(|reader| RunningScan::start(bootstrap, topic, reader, &options));
    for scan in &scans {
        scan.wait_until_frozen();
    }
    thread::sleep(A_WHILE);
    scans.into()
}

/// A scan of one topic by one reader, under way.
struct RunningScan {
    workspace: Workspace,
    running: Running,
}

/// A scan that came to its end.
struct FinishedScan {
    workspace: Workspace,
    outcome: Outcome,
}

impl RunningScan {
    fn start(bootstrap: &str, topic: &str, reader: &str, options: &[&str]) -> Self {
        let workspace = Workspace::new();
        let sources = ["scan", "-b", bootstrap, "-t", topic, "--reader", reader];
        let fields = ["--by", "charge_id", "-o", "x.json"];
        let arguments = sources.iter().chain(&fields).chain(options);
        let running = workspace.dupaudit(arguments).start();
        Self { workspace, running }
    }

    /// Waits until the ranges are frozen.
    fn wait_until_frozen(&self) {
        self.running.wait_for_stderr(": offsets [");
    }

    fn finish(self) -> FinishedScan {
        FinishedScan {
            outcome: self.running.finish(),
            workspace: self.workspace,
        }
    }

    /// Waits for the end of a scan that is held up for longer than others.
    fn finish_within(self, patience: Duration) -> FinishedScan {
        FinishedScan {
            outcome: self.running.finish_within(patience),
            workspace: self.workspace,
        }
    }
}

impl FinishedScan {
    fn of(bootstrap: &str, topic: &str, reader: &str, options: &[&str]) -> Self {
        RunningScan::start(bootstrap, topic, reader, options).finish()
    }

    /// Returns the report of a scan that ended with one of `codes`.
    #[track_caller]
    fn expect(&self, codes: &[i32]) -> Report {
        let code = self.outcome.exit_code.unwrap();
        assert!(codes.contains(&code), "{}", self.outcome);
        self.workspace.report("x.json")
    }
}

/// Makes a topic in which each of several partitions has duplicates, and returns it.
fn fill(cluster: &Cluster, partitions: i32, records: i32, batch: i32) -> String {
    let topic = cluster.create_topic("faulty", partitions, &[]);
    append(cluster, &topic, partitions, 0..records, batch);
    topic
}

/// Appends records to a topic; two of three have a duplicate in their partition.
fn append(
    cluster: &Cluster,
    topic: &str,
    partitions: i32,
    numbers: std::ops::Range<i32>,
    batch: i32,
) {
    let batch = batch.to_string();
    let properties = [("linger.ms", "5"), ("batch.num.messages", &*batch)];
    let producer = cluster.producer(&properties);
    for number in numbers {
        let (partition, place) = (number % partitions, number / partitions);
        let charge_id = format!("ch_{partition}_{}", place / 3 * 2 + place % 3 / 2);
        send(&producer, topic, partition, &charge(&charge_id));
    }
    flush(&producer);
}

/// What a partition's coverage says: the range, its gaps, and the records read.
fn unread_of(report: &Report, topic: &str, partition: i32) -> Vec<(i64, i64, String)> {
    let coverage = report.partition(topic, partition);
    let number = |name: &str| coverage[name].as_i64().unwrap();
    let gaps = report.gaps(topic, partition);
    let absent: i64 = gaps.iter().map(|(start, end, _)| end - start).sum();
    let asked = number("end_offset") - number("start_offset");
    assert_eq!(number("records_read") + absent, asked, "{coverage}");
    let is_complete = |(_, _, reason): &(i64, i64, String)| COMPLETE_REASONS.contains(&&**reason);
    let all_complete = gaps.iter().all(is_complete);
    assert_eq!(coverage["complete"], all_complete, "{coverage}");
    gaps
}

/// Compares a report with all records that a plain consumer has seen: the ledger adds up, the
/// groups are those of what was delivered, and only what was delivered or absent is complete.
#[track_caller]
fn assert_exact(report: &Report, topic: &str, seen: &[PlainRecord]) {
    let mut delivered = Vec::new();
    let mut is_complete = true;
    for partition in report.0["coverage"]["partitions"].as_array().unwrap() {
        let number = i32::try_from(partition["partition"].as_i64().unwrap()).unwrap();
        let gaps = unread_of(report, topic, number);
        let gap_of = |place: &Place| {
            let within = |gap: &&(i64, i64, String)| (gap.0..gap.1).contains(&place.2);
            gaps.iter().find(within)
        };
        let asked =
            partition["start_offset"].as_i64().unwrap()..partition["end_offset"].as_i64().unwrap();
        let mut read = 0;
        for record in seen {
            let is_here = record.place.1 == i64::from(number) && asked.contains(&record.place.2);
            match gap_of(&record.place).filter(|_| is_here) {
                _ if !is_here => {}
                None => {
                    read += 1;
                    delivered.push(record.clone());
                }
                Some((.., reason)) => {
                    let is_hidden = COMPLETE_REASONS.contains(&&**reason);
                    assert!(!is_hidden, "{:?} is said to be {reason}", record.place);
                }
            }
        }
        assert_eq!(partition["records_read"], read, "{partition}");
        is_complete &= gaps.iter().all(|gap| COMPLETE_REASONS.contains(&&*gap.2));
    }
    assert!(is_complete || !report.is_complete());
    let mut expected: Vec<Vec<Place>> = groups_of(&delivered).into_values().collect();
    expected.sort();
    assert_eq!(report.places(), expected);
}

/// Returns all notes about a partition.
fn notes_of(report: &Report, topic: &str, partition: i32) -> String {
    let notes = report.partition(topic, partition)["notes"]
        .as_array()
        .unwrap();
    let notes: Vec<&str> = notes.iter().map(|note| note.as_str().unwrap()).collect();
    notes.join("; ")
}

/// Whatever a report groups is of the old log.
#[track_caller]
fn assert_only_old(report: &Report, old: &[PlainRecord]) {
    let old: Vec<Vec<Place>> = groups_of(old).into_values().collect();
    for group in report.places() {
        let is_within = |old: &Vec<Place>| group.iter().all(|place| old.contains(place));
        assert!(old.iter().any(is_within), "{group:?}");
    }
}
