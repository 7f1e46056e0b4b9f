//! Drives the scan of a partition through seeded random histories in virtual time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::finding::GapReason;
use crate::record::RecordSlot;
use crate::source::kafka::FaultKind;
use crate::source::kafka::Ledger;
use crate::source::kafka::LogBounds;
use crate::source::kafka::PartitionScan;
use crate::source::kafka::ScanAction;
use crate::source::kafka::ScanClock;
use crate::source::kafka::ScanEvent;

const HISTORIES: u64 = 100_000;
const STALL_TIMEOUT: Duration = Duration::from_mins(1);
const TIME_LIMIT: Duration = Duration::from_mins(20);
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchKind {
    Good,
    Control,
    Corrupt,
    /// Its bytes end early: the client stays silent for ever.
    Cut,
}

struct Batch {
    last: i64,
    base: i64,
    kind: BatchKind,
    offsets: Vec<i64>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fault"
)]
/// The broker's log of one partition and the client that reads it.
struct Cluster {
    batches: Vec<Batch>,
    log_start: i64,
    high_watermark: i64,
    topic_id: [u8; 16],
    /// Where the client reads next; nothing while it does not.
    position: Option<i64>,
    last_end: Option<i64>,
    is_silent: bool,
    /// The log ends without the client ever saying so.
    is_end_silent: bool,
    /// The high watermark before it fell for a moment.
    lagging_from: Option<i64>,
    truncated_to: Option<i64>,
    is_unreachable: bool,
    faults: bool,
}

enum Happening {
    Nothing,
    Records(Vec<i64>),
    End(i64),
    Fault(FaultKind, i64),
}

impl Cluster {
    fn new(random: &mut Random, faults: bool) -> Self {
        let log_start = random.below(20);
        let mut next = log_start;
        let mut batches = Vec::new();
        for _ in 0..random.below(8) {
            let base = next + if random.one_in(4) { random.below(4) } else { 0 };
            let last = base + random.below(9);
            let kind = match random.below(if faults { 10 } else { 6 }) {
                0 => BatchKind::Control,
                8 => BatchKind::Corrupt,
                9 if random.one_in(4) => BatchKind::Cut,
                _ => BatchKind::Good,
            };
            let has_holes = random.one_in(3);
            let mut offsets: Vec<i64> = (base..=last).collect();
            offsets.retain(|_| kind != BatchKind::Control && !(has_holes && random.one_in(2)));
            next = last + 1;
            batches.push(Batch {
                last,
                base,
                kind,
                offsets,
            });
        }
        let high_watermark = next + if random.one_in(5) { random.below(4) } else { 0 };
        Self {
            batches,
            log_start,
            high_watermark,
            topic_id: [1; 16],
            position: None,
            last_end: None,
            is_silent: false,
            is_end_silent: faults && random.one_in(30),
            lagging_from: None,
            truncated_to: None,
            is_unreachable: false,
            faults,
        }
    }

    /// Lets something go wrong now and then.
    fn disturb(&mut self, random: &mut Random) {
        if let Some(high_watermark) = self.lagging_from
            && random.one_in(6)
        {
            self.high_watermark = high_watermark;
            self.lagging_from = None;
        }
        if !self.faults || !random.one_in(12) {
            return;
        }
        let length = self.high_watermark - self.log_start;
        match random.below(8) {
            0 => self.log_start += random.below(length + 1),
            1 if self.truncated_to.is_none() && self.lagging_from.is_none() => {
                self.high_watermark = self.some_boundary(random, length);
                self.truncated_to = Some(self.high_watermark);
            }
            2 if self.truncated_to.is_none() && self.lagging_from.is_none() => {
                self.lagging_from = Some(self.high_watermark);
                self.high_watermark = self.some_boundary(random, length);
            }
            3 if random.one_in(4) => self.is_silent = true,
            4 => self.is_silent = false,
            5 if random.one_in(6) => self.topic_id = [2; 16],
            6 => self.is_unreachable = !self.is_unreachable,
            _ => {
                self.high_watermark += if self.truncated_to.is_none() && self.lagging_from.is_none()
                {
                    random.below(5)
                } else {
                    0
                }
            }
        }
    }

    /// Returns an offset between batches: where a high watermark can fall to.
    fn some_boundary(&self, random: &mut Random, length: i64) -> i64 {
        let lowest = self.high_watermark - random.below(length + 1);
        let inside = |batch: &&Batch| batch.base < lowest && batch.last >= lowest;
        self.batches
            .iter()
            .find(inside)
            .map_or(lowest, |batch| batch.base.max(self.log_start))
    }

    fn poll(&mut self, random: &mut Random) -> Happening {
        if self.faults && random.one_in(25) {
            return Happening::Fault(FaultKind::Transient, -1);
        }
        let Some(position) = self.position.filter(|_| !self.is_silent) else {
            return Happening::Nothing;
        };
        if self.topic_id != [1; 16] && random.one_in(2) {
            self.position = None;
            return Happening::Fault(FaultKind::Recreated, position);
        }
        if self.truncated_to.is_some_and(|end| end < position) && random.one_in(2) {
            self.position = None;
            return Happening::Fault(FaultKind::Truncated, position);
        }
        if position < self.log_start || position > self.high_watermark {
            self.position = None;
            return Happening::Fault(FaultKind::OutOfRange, position);
        }
        self.fetch(position, random)
    }

    fn fetch(&mut self, position: i64, random: &mut Random) -> Happening {
        let high_watermark = self.high_watermark;
        let next = self
            .batches
            .iter()
            .find(|batch| batch.last >= position && batch.last < high_watermark);
        let Some(batch) = next else {
            if self.is_end_silent || self.last_end == Some(high_watermark) {
                return Happening::Nothing;
            }
            self.position = Some(high_watermark);
            self.last_end = Some(high_watermark);
            return Happening::End(high_watermark);
        };
        match batch.kind {
            BatchKind::Corrupt => Happening::Fault(FaultKind::CorruptBatch, batch.base),
            BatchKind::Cut => Happening::Nothing,
            BatchKind::Good | BatchKind::Control => {
                self.position = Some(batch.last + 1);
                let from = if self.faults && random.one_in(10) {
                    0
                } else {
                    position
                };
                let offsets = batch.offsets.iter().copied();
                let offsets: Vec<_> = offsets.filter(|&offset| offset >= from).collect();
                if offsets.is_empty() {
                    return Happening::Nothing;
                }
                Happening::Records(offsets)
            }
        }
    }

    fn bounds(&self) -> LogBounds {
        LogBounds {
            log_start_offset: self.log_start,
            high_watermark: self.high_watermark,
            last_stable_offset: self.high_watermark,
            topic_id: Some(self.topic_id),
        }
    }
}

struct History {
    scan: PartitionScan,
    truth: BTreeSet<i64>,
    delivered: Vec<i64>,
}

fn play(seed: u64, faults: bool) -> History {
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

#[test]
fn no_history_ends_in_a_false_complete_a_hang_or_a_broken_ledger() {
    let mut reasons = BTreeSet::new();
    for seed in 0..HISTORIES {
        let history = play(seed, true);
        check(seed, &history);
        reasons.extend(history.scan.ledger().gaps().iter().map(|gap| gap.reason));
    }
    let expected = [
        GapReason::Deleted,
        GapReason::ControlOrCompacted,
        GapReason::Corrupt,
        GapReason::Stalled,
        GapReason::Truncated,
        GapReason::Recreated,
    ];
    assert_eq!(reasons, BTreeSet::from(expected));
}

#[test]
fn a_healthy_log_is_always_read_whole() {
    for seed in 0..HISTORIES / 10 {
        let history = play(seed, false);
        check(seed, &history);
        let gaps = history.scan.ledger().gaps();
        assert!(
            gaps.iter().all(|gap| gap.reason.is_complete()),
            "seed {seed}: {gaps:?}"
        );
        assert_eq!(history.delivered.len(), history.truth.len(), "seed {seed}");
    }
}
