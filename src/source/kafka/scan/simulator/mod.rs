//! Drives the scan of a partition through seeded random histories in virtual time.

mod cluster;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::finding::GapReason;
use crate::record::RecordSlot;
use crate::source::kafka::Ledger;
use crate::source::kafka::PartitionScan;
use crate::source::kafka::ScanAction;
use crate::source::kafka::ScanClock;
use crate::source::kafka::ScanEvent;

use cluster::{Cluster, Faults, Happening};

/// Histories with faults, and ten times as many in a long run; a tenth as many without faults.
const HISTORIES: u64 = 100_000;
const HISTORIES_OF_A_LONG_RUN: u64 = 1_000_000;

/// Threads that play them.
const PLAYERS: usize = 2;

const STALL_TIMEOUT: Duration = Duration::from_mins(1);
/// Longest throttling at once.
const THROTTLING_SECONDS_MAX: i64 = 180;
const TIME_LIMIT: Duration = Duration::from_hours(2);
const STEP_LIMIT: u32 = 20_000;

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: i64) -> i64 {
        let bound = u64::try_from(bound).unwrap();
        i64::try_from(self.next() % bound).unwrap()
    }

    fn one_in(&mut self, bound: i64) -> bool {
        self.below(bound) == 0
    }
}

struct History {
    scan: PartitionScan,
    truth: BTreeSet<i64>,
    delivered: Vec<i64>,
    is_throttled: bool,
}

fn play(seed: u64, faults: Faults) -> History {
    let mut random = Random(seed);
    let mut cluster = Cluster::new(&mut random, faults);
    let start = cluster.log_start + random.below(3);
    let end = if random.one_in(4) {
        start + random.below(cluster.high_watermark - cluster.log_start + 1)
    } else {
        cluster.high_watermark
    };
    let end = end.min(cluster.high_watermark).max(start);
    let offsets = cluster
        .batches
        .iter()
        .flat_map(|batch| batch.offsets.iter().copied());
    let truth = offsets
        .filter(|offset| (start..end).contains(offset))
        .collect();
    let ledger = Ledger::new(start, end);
    let mut history = History {
        scan: PartitionScan::new(ledger, Some(cluster.topic_id), STALL_TIMEOUT),
        truth,
        delivered: Vec::new(),
        is_throttled: false,
    };
    let mut clock = ScanClock::default();
    let mut action = history.scan.step(ScanEvent::Start, clock);
    for _ in 0..STEP_LIMIT {
        action = match action {
            ScanAction::Finish => return history,
            ScanAction::AskBounds if cluster.is_unreachable => {
                clock.now += Duration::from_secs(10);
                history.scan.step(ScanEvent::NoBounds("no answer"), clock)
            }
            ScanAction::AskBounds => history
                .scan
                .step(ScanEvent::Bounds(cluster.bounds()), clock),
            ScanAction::Read(offset) => {
                cluster.position = Some(offset);
                cluster.last_end = None;
                ScanAction::None
            }
            ScanAction::None => turn(&mut history, &mut cluster, &mut random, &mut clock),
        };
        assert!(clock.now < TIME_LIMIT, "seed {seed}: still at it");
    }
    panic!("seed {seed}: no end after {STEP_LIMIT} steps");
}

fn turn(
    history: &mut History,
    cluster: &mut Cluster,
    random: &mut Random,
    clock: &mut ScanClock,
) -> ScanAction {
    cluster.disturb(random);
    match cluster.poll(random) {
        Happening::Nothing => {
            clock.now += Duration::from_secs(1);
            history.scan.step(ScanEvent::Tick, *clock)
        }
        Happening::End(offset) => history.scan.step(ScanEvent::End(offset), *clock),
        Happening::Throttled(wait) => {
            let text = "fault";
            let action = history.scan.step(ScanEvent::Throttled(wait, text), *clock);
            history.is_throttled = true;
            action
        }
        Happening::Fault(kind, offset) => {
            clock.now += Duration::from_millis(100);
            let text = "fault";
            let action = history
                .scan
                .step(ScanEvent::Fault { kind, offset, text }, *clock);
            if action == ScanAction::None {
                return history.scan.step(ScanEvent::Tick, *clock);
            }
            action
        }
        Happening::Records(offsets) => {
            let slot = |offset| RecordSlot {
                offset,
                ..RecordSlot::new(0)
            };
            let mut slots: Vec<_> = offsets.into_iter().map(slot).collect();
            let before = history.scan.ledger().next();
            let event = ScanEvent::Records {
                slots: &mut slots,
                absent: &[],
                next_offset: None,
            };
            let action = history.scan.step(event, *clock);
            history
                .delivered
                .extend(slots.iter().map(|slot| slot.offset));
            if history.scan.ledger().next() > before {
                clock.last_progress = clock.now;
            }
            action
        }
    }
}

fn check(seed: u64, history: &History) {
    let ledger = history.scan.ledger();
    ledger
        .check()
        .unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
    assert!(ledger.is_settled(), "seed {seed}: not settled");
    let ascending = history.delivered.is_sorted_by(|a, b| a < b);
    assert!(ascending, "seed {seed}: an offset came twice");
    let delivered: BTreeSet<i64> = history.delivered.iter().copied().collect();
    assert!(
        delivered.is_subset(&history.truth),
        "seed {seed}: invented a record"
    );
    assert_eq!(
        delivered.len(),
        usize::try_from(ledger.delivered()).unwrap()
    );
    for gap in ledger.gaps() {
        let hidden = history.truth.range(gap.start..gap.end).next();
        let is_false = gap.reason.is_complete() && hidden.is_some();
        assert!(!is_false, "seed {seed}: {gap:?} hides {hidden:?}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to play is no input of the program"
)]
fn histories() -> u64 {
    if std::env::var_os("DUPAUDIT_SOAK").is_some_and(|value| value == "1") {
        HISTORIES_OF_A_LONG_RUN
    } else {
        HISTORIES
    }
}

/// Plays and checks so many histories, and has each judged.
fn play_all(count: u64, faults: Faults, judge: impl Fn(u64, &History) + Sync) {
    let judge = &judge;
    thread::scope(|scope| {
        for first in (0..count).take(PLAYERS) {
            scope.spawn(move || {
                for seed in (first..count).step_by(PLAYERS) {
                    let history = play(seed, faults);
                    check(seed, &history);
                    judge(seed, &history);
                }
            });
        }
    });
}

#[test]
fn no_history_ends_in_a_false_complete_a_hang_or_a_broken_ledger() {
    let reasons = Mutex::new(BTreeSet::new());
    play_all(histories(), Faults::All, |_, history| {
        let gaps = history.scan.ledger().gaps().iter();
        reasons.lock().unwrap().extend(gaps.map(|gap| gap.reason));
    });
    let expected = [
        GapReason::Deleted,
        GapReason::ControlOrCompacted,
        GapReason::Corrupt,
        GapReason::Stalled,
        GapReason::Truncated,
        GapReason::Recreated,
    ];
    assert_eq!(*reasons.lock().unwrap(), BTreeSet::from(expected));
}

#[test]
fn a_healthy_log_is_always_read_whole_even_under_a_quota() {
    let throttled = AtomicU64::new(0);
    for faults in [Faults::None, Faults::Throttling] {
        play_all(histories() / 10, faults, |seed, history| {
            let gaps = history.scan.ledger().gaps();
            assert!(
                gaps.iter().all(|gap| gap.reason.is_complete()),
                "seed {seed}: {gaps:?}"
            );
            assert_eq!(history.delivered.len(), history.truth.len(), "seed {seed}");
            throttled.fetch_add(u64::from(history.is_throttled), Ordering::Relaxed);
        });
    }
    assert!(throttled.into_inner() > 1_000);
}
