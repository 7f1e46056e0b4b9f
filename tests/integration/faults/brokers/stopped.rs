//! Brokers that are killed, stopped and started again while they are read.

use std::thread;
use std::time::Duration;

use crate::faults::{
    READERS, RECORDS, RunningScan, SLOWLY, assert_exact, fill, notes_of, scans_under_way, unread_of,
};
use crate::support::ack_proxy::mixed;
use crate::support::broker::or_skip;
use crate::support::is_soak;
use crate::support::node::Nodes;

/// What the times of the kills come from.
const SEED: u64 = 20_261_124;

/// Where a slow scan comes back to a broker soon after it has started again.
const SOON: [&str; 3] = [SLOWLY[0], SLOWLY[1], "-Xreconnect.backoff.max.ms=500"];

/// Kills in one scan at the most.
const KILLS_PER_SCAN: u64 = 4;

/// Time for a scan in which a broker is started again several times.
const PATIENCE: Duration = Duration::from_mins(3);

/// Returns a time shorter than `below`, by number.
fn a_time(number: u64, below: Duration) -> Duration {
    let millis = u64::try_from(below.as_millis()).unwrap();
    Duration::from_millis(mixed(SEED ^ number) % millis)
}

#[test]
fn a_broker_killed_and_started_again_is_read_to_the_end() {
    let Some(mut broker) = or_skip(Nodes::one()) else {
        return;
    };
    let topic = fill(&broker.cluster(), 2, RECORDS, 100);
    let seen = broker.cluster().read_all(&topic, "read_committed");
    let kills = if is_soak() { 30 } else { 10 };
    let mut killed = 0;
    while killed < kills {
        let scans = READERS.map(|of| RunningScan::start(&broker.bootstrap, &topic, of, &SOON));
        for scan in &scans {
            scan.wait_until_frozen();
        }
        for _ in 0..KILLS_PER_SCAN.min(kills - killed) {
            thread::sleep(a_time(killed, Duration::from_millis(1500)));
            if scans.iter().all(|scan| scan.running.is_over()) {
                break;
            }
            broker.processes[0].tell("KILL");
            thread::sleep(a_time(killed, Duration::from_millis(900)));
            broker.processes[0].tell("start");
            broker.wait_until_up();
            killed += 1;
        }
        for scan in scans {
            let scan = scan.finish_within(PATIENCE);
            let report = scan.expect(&[1]);
            assert!(report.is_complete(), "{}", scan.outcome);
            assert_exact(&report, &topic, &seen);
        }
    }
}

#[test]
fn a_broker_that_stops_for_a_while_is_waited_for_and_one_that_is_gone_is_named() {
    let Some(mut broker) = or_skip(Nodes::one()) else {
        return;
    };
    let topic = fill(&broker.cluster(), 2, RECORDS, 100);
    let seen = broker.cluster().read_all(&topic, "read_committed");
    let scans = scans_under_way(&broker.bootstrap, &topic, &[]);
    broker.processes[0].tell("STOP");
    thread::sleep(Duration::from_secs(if is_soak() { 30 } else { 12 }));
    broker.processes[0].tell("CONT");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
    }

    let scans = scans_under_way(&broker.bootstrap, &topic, &["--stall-timeout=4s"]);
    broker.processes[0].tell("KILL");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        assert!(
            scan.outcome.elapsed < Duration::from_secs(20),
            "{}",
            scan.outcome
        );
        let unread = (0..2).flat_map(|partition| unread_of(&report, &topic, partition));
        let unread: Vec<_> = unread.collect();
        assert!(unread.iter().all(|gap| gap.2 == "stalled"));
        let port = broker.bootstrap.rsplit(':').next().unwrap();
        let notes = notes_of(&report, &topic, 0) + &notes_of(&report, &topic, 1);
        // What a client had read ahead may be all: then the broker was not waited for.
        let is_named = notes.contains(port) || unread.is_empty();
        assert!(is_named, "the broker is not named: {notes}");
        assert!(!notes.is_empty(), "nothing is said of the broker");
    }
}
