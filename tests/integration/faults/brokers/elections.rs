//! Partitions whose leader is lost for good: no other may lead, or only one that lacks records.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication};

use crate::faults::{
    A_WHILE, FinishedScan, READERS, RECORDS, RunningScan, append, assert_exact, assert_only_old,
    notes_of, unread_of,
};
use crate::support::broker::or_skip;
use crate::support::cluster::{Cluster, PlainRecord, charge, flush, groups_of, send};
use crate::support::node::{Nodes, NodesSpec, QUICK_ELECTIONS};
use crate::support::report::{Place, Report};

/// A topic of which the second replica of the first partition will lack records.
const CONTESTED: &str = "contested";

/// A topic of which no other broker has the second partition.
const LONELY: &str = "lonely";

/// Records of each contested partition that all replicas have.
const SHARED: i32 = 200;

/// Waits until a partition is led so, with these replicas in sync.
fn wait_for(cluster: &Cluster, partition: usize, leader: i32, in_sync: &[i32]) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while cluster.leadership(CONTESTED, partition) != (leader, in_sync.to_vec()) {
        let now = cluster.leadership(CONTESTED, partition);
        assert!(Instant::now() < deadline, "leader and replicas: {now:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Makes both topics; of the contested one broker 3 has only the first records.
fn fill(brokers: &mut Nodes) -> [Vec<PlainRecord>; 2] {
    let cluster = brokers.cluster();
    let replicas: [&[i32]; 2] = [&[2, 3], &[1, 3]];
    let topic = NewTopic::new(CONTESTED, 2, TopicReplication::Variable(&replicas));
    cluster.create(&topic.set("unclean.leader.election.enable", "true"));
    let replicas: [&[i32]; 2] = [&[1], &[2]];
    let topic = NewTopic::new(LONELY, 2, TopicReplication::Variable(&replicas));
    cluster.create(&topic);
    append(&cluster, LONELY, 2, 0..RECORDS, 100);
    append(&cluster, CONTESTED, 2, 0..SHARED * 2, 100);
    brokers.processes[2].tell("STOP");
    wait_for(&cluster, 0, 2, &[2]);
    wait_for(&cluster, 1, 1, &[1]);
    append(&cluster, CONTESTED, 2, SHARED * 2..RECORDS, 100);
    [CONTESTED, LONELY].map(|topic| cluster.read_all(topic, "read_committed"))
}

/// Has broker 3 lead what broker 2 led, and makes its log longer than the old one was; returns
/// where that was cut off.
fn elect_unclean(brokers: &mut Nodes) -> i64 {
    let cluster = brokers.cluster();
    brokers.processes[1].tell("KILL");
    brokers.processes[2].tell("CONT");
    wait_for(&cluster, 0, 3, &[3]);
    let cut = cluster.end_of(CONTESTED, 0);
    let producer = cluster.producer(&[("linger.ms", "5")]);
    for _ in 0..RECORDS {
        send(&producer, CONTESTED, 0, &charge("of the new leader"));
    }
    flush(&producer);
    cut
}

/// The first partition was cut off, and nothing counts that was read above; the second is read.
#[track_caller]
fn assert_truncated(report: &Report, cut: i64, seen: &[PlainRecord]) {
    let end = i64::from(RECORDS / 2);
    let gaps = report.gaps(CONTESTED, 0);
    assert_eq!((gaps[0].0, gaps[gaps.len() - 1].1), (cut, end), "{gaps:?}");
    let neighbours = gaps.iter().zip(&gaps[1..]);
    assert!(neighbours.into_iter().all(|(gap, next)| gap.1 == next.0));
    assert!(gaps.iter().all(|gap| gap.2 == "truncated"), "{gaps:?}");
    assert!(report.partition(CONTESTED, 0)["next_offset"].as_i64() > Some(cut));
    assert_eq!(unread_of(report, CONTESTED, 1), []);
    assert!(!report.is_complete());
    let notes = notes_of(report, CONTESTED, 0);
    assert!(notes.contains("do not count as read"), "{notes}");
    let is_left = |record: &&PlainRecord| record.place.1 == 1 || record.place.2 < cut;
    let left: Vec<PlainRecord> = seen.iter().filter(is_left).cloned().collect();
    let mut expected: Vec<Vec<Place>> = groups_of(&left).into_values().collect();
    expected.sort();
    let is_counted = |group: &Vec<Place>| group[0].1 == 1 || group[1].2 < cut;
    let counted: Vec<_> = report.places().into_iter().filter(is_counted).collect();
    assert_eq!(counted, expected);
    assert_only_old(report, seen);
}

/// The first partition is read, the second has no leader.
fn assert_leaderless(report: &Report) {
    let end = i64::from(RECORDS / 2);
    let gaps = unread_of(report, LONELY, 1);
    let is_told = |(_, to, reason): &(i64, i64, String)| *to == end && reason == "stalled";
    assert!(gaps.iter().all(is_told) && gaps.len() == 1, "{gaps:?}");
    assert_eq!(unread_of(report, LONELY, 0), []);
    assert!(!report.is_complete());
    let notes = notes_of(report, LONELY, 1).to_lowercase();
    assert!(notes.contains("leader"), "{notes}");
}

/// A scan that begins without a leader fails in time, and says which partition to leave out.
fn assert_refused_without_leader(bootstrap: &str) {
    let refused = READERS.map(|reader| RunningScan::start(bootstrap, LONELY, reader, &[]));
    for scan in refused.map(RunningScan::finish) {
        assert_eq!(scan.outcome.exit_code, Some(4), "{}", scan.outcome);
        let elapsed = scan.outcome.elapsed;
        assert!(elapsed < Duration::from_secs(20), "{}", scan.outcome);
        let named = format!("{LONELY}-1 has no leader");
        assert!(scan.outcome.stderr.contains(&named), "{}", scan.outcome);
    }
    for reader in READERS {
        let scan = FinishedScan::of(bootstrap, LONELY, reader, &["-p", "0"]);
        assert!(scan.expect(&[1]).is_complete(), "{}", scan.outcome);
    }
}

/// Starts a scan by each reader that fetches little ahead, and is far from done after a while.
fn start_scans(bootstrap: &str, topic: &str) -> [RunningScan; 2] {
    let options = [
        "--max-rate=200KB/s",
        "--stall-timeout=12s",
        "-Xfetch.message.max.bytes=10000",
        "-Xqueued.min.messages=200",
    ];
    READERS.map(|reader| RunningScan::start(bootstrap, topic, reader, &options))
}

#[test]
fn an_unclean_election_is_a_truncation_and_a_partition_without_leader_is_named() {
    let Some(mut brokers) = or_skip(Nodes::start(NodesSpec {
        count: 3,
        properties: QUICK_ELECTIONS,
        ..NodesSpec::default()
    })) else {
        return;
    };
    let [contested, lonely] = fill(&mut brokers);
    let of_contested = start_scans(&brokers.bootstrap, CONTESTED);
    let of_lonely = start_scans(&brokers.bootstrap, LONELY);
    for scan in of_contested.iter().chain(&of_lonely) {
        scan.wait_until_frozen();
    }
    thread::sleep(A_WHILE);
    let cut = elect_unclean(&mut brokers);
    for scan in of_contested {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert_truncated(&report, cut, &contested);
    }
    for scan in of_lonely {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert_leaderless(&report);
        assert_exact(&report, LONELY, &lonely);
    }
    assert_refused_without_leader(&brokers.bootstrap);
}
