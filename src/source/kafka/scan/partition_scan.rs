//! The scan of one partition as a pure state machine: `step(event, clock) -> action`.

use std::time::Duration;

use crate::finding::{GapReason, OffsetGap};
use crate::record::RecordSlot;
use crate::source::kafka::FaultKind;
use crate::source::kafka::Ledger;
use crate::source::kafka::LogBounds;
use crate::source::kafka::scan::corrupt_batch::{CorruptBatchSearch, SearchStep};
use crate::source::kafka::scan::event::{ScanAction, ScanClock, ScanEvent};
use crate::source::kafka::scan::late_tail;
use crate::source::kafka::scan::late_tail::LateTail;

/// Longest wait for the log to grow back: a new leader's high watermark may lag for a moment.
const SHORT_LOG_PATIENCE: Duration = Duration::from_secs(10);

/// Longest throttling without a record in between that is waited for.
const THROTTLE_PATIENCE: Duration = Duration::from_hours(1);

/// How often one trouble may come again without any progress.
const ATTEMPT_LIMIT: u32 = 3;

/// Why the log's bounds were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    OutOfRange,
    ShortLog,
    Silence,
}

#[derive(Clone, Debug)]
enum Phase {
    Reading,
    Asking(Question),
    Searching(CorruptBatchSearch),
    Done,
}

/// The scan of one partition.
#[derive(Clone, Debug)]
pub struct PartitionScan {
    ledger: Ledger,
    phase: Phase,
    topic_id: Option<[u8; 16]>,
    stall_timeout: Duration,
    last_move: Duration,
    /// Time throttled since the last record.
    throttled: Duration,
    is_silence_examined: bool,
    /// End of the log below the frozen end, once seen.
    short_end: Option<i64>,
    attempts: u32,
    cause: Option<String>,
    /// Where reading stopped before its end.
    stopped_at: Option<i64>,
    late_tail: Option<LateTail>,
    notes: Vec<String>,
}

impl PartitionScan {
    /// Returns a scan of the range that `ledger` accounts for.
    pub fn new(ledger: Ledger, topic_id: Option<[u8; 16]>, stall_timeout: Duration) -> Self {
        Self {
            ledger,
            phase: Phase::Reading,
            topic_id,
            stall_timeout,
            last_move: Duration::ZERO,
            throttled: Duration::ZERO,
            is_silence_examined: false,
            short_end: None,
            attempts: 0,
            cause: None,
            stopped_at: None,
            late_tail: None,
            notes: Vec::new(),
        }
    }

    /// Returns the scan, which need not read all that comes late.
    #[must_use]
    pub fn with_late_tail(self, late_tail: Option<LateTail>) -> Self {
        Self { late_tail, ..self }
    }

    /// Returns the account.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns what there is to state about the partition.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns whether the scan is over.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Returns the offset that would be read next.
    pub fn next_offset(&self) -> i64 {
        self.stopped_at.unwrap_or(self.ledger.next())
    }

    /// Takes in one event and says what to do.
    pub fn step(&mut self, event: ScanEvent<'_>, clock: ScanClock) -> ScanAction {
        if self.is_done() {
            if let ScanEvent::Records { slots, .. } = event {
                slots.clear();
            }
            return ScanAction::None;
        }
        let action = match event {
            ScanEvent::Start => self.go_to(self.ledger.next()),
            ScanEvent::Records {
                slots,
                absent,
                next_offset,
            } => self.take_records(slots, absent, next_offset),
            ScanEvent::End(offset) => self.take_end(offset),
            ScanEvent::Fault { kind, offset, text } => self.take_fault(kind, offset, text),
            ScanEvent::Throttled(wait, text) => self.take_throttling(wait, text, clock),
            ScanEvent::Bounds(bounds) => self.take_bounds(bounds),
            ScanEvent::NoBounds(text) => self.take_no_bounds(text),
            ScanEvent::Tick => self.take_tick(clock),
            ScanEvent::Stop => self.give_up(GapReason::Interrupted),
        };
        if matches!(action, ScanAction::Read(_)) && !self.is_silence_examined {
            self.last_move = self.last_move.max(clock.now);
        }
        action
    }

    fn take_records(
        &mut self,
        slots: &mut Vec<RecordSlot>,
        absent: &[OffsetGap],
        next_offset: Option<i64>,
    ) -> ScanAction {
        if let Phase::Searching(search) = &mut self.phase {
            let first = slots.first().map(|slot| slot.offset);
            let is_from_probe = first.is_none_or(|offset| offset >= search.probe());
            slots.clear();
            if !is_from_probe {
                return ScanAction::None;
            }
            let step = search.works();
            return self.search(step);
        }
        let before = self.ledger.next();
        let rest = before..self.ledger.end();
        let late_tail = self.late_tail.as_mut();
        if let Some(tail) = late_tail.and_then(|late| late.start_within(slots, rest)) {
            let absent = late_tail::cut_off(slots, absent, tail);
            self.ledger.admit(slots, &absent, Some(tail));
            return self.give_up(GapReason::LateTail);
        }
        self.ledger.admit(slots, absent, next_offset);
        if self.ledger.next() > before {
            self.attempts = 0;
            self.is_silence_examined = false;
            self.throttled = Duration::ZERO;
            self.short_end = None;
            self.cause = None;
        }
        if self.ledger.is_settled() {
            return self.finish();
        }
        ScanAction::None
    }

    fn take_end(&mut self, offset: i64) -> ScanAction {
        if let Phase::Searching(search) = &mut self.phase {
            let step = search.works();
            return self.search(step);
        }
        if offset >= self.ledger.end() {
            self.ledger
                .skip_to(self.ledger.end(), GapReason::ControlOrCompacted);
            return self.finish();
        }
        if self.short_end == Some(offset) {
            return ScanAction::None;
        }
        self.short_end = Some(offset);
        self.ask(Question::ShortLog)
    }

    fn take_fault(&mut self, kind: FaultKind, offset: i64, text: &str) -> ScanAction {
        match kind {
            FaultKind::Transient => {
                self.cause = Some(text.to_owned());
                ScanAction::None
            }
            FaultKind::OutOfRange => {
                self.cause = Some(text.to_owned());
                match &self.phase {
                    // After a corrupt batch librdkafka may go on at any offset: it is told again.
                    Phase::Searching(search) if self.attempts < ATTEMPT_LIMIT => {
                        self.attempts += 1;
                        ScanAction::Read(search.probe())
                    }
                    Phase::Searching(_) | Phase::Reading | Phase::Asking(_) | Phase::Done => {
                        self.ask(Question::OutOfRange)
                    }
                }
            }
            FaultKind::Truncated => {
                self.note(format!("the log was cut off: {text}"));
                self.give_up(GapReason::Truncated)
            }
            FaultKind::Recreated => {
                self.note(format!("the topic was made again: {text}"));
                self.give_up(GapReason::Recreated)
            }
            FaultKind::SteppedOver => {
                self.note(text.to_owned());
                ScanAction::None
            }
            FaultKind::Refused | FaultKind::Forbidden => {
                self.note(format!("cannot be read: {text}"));
                self.give_up(GapReason::Stalled)
            }
            FaultKind::CorruptBatch => self.take_corrupt_batch(offset, text),
        }
    }

    /// Silence that was announced is none: patience begins when it is over.
    fn take_throttling(&mut self, wait: Duration, text: &str, clock: ScanClock) -> ScanAction {
        self.cause = Some(text.to_owned());
        if self.throttled < THROTTLE_PATIENCE {
            self.throttled += wait;
            self.last_move = self.last_move.max(clock.now + wait);
            self.is_silence_examined = false;
        }
        ScanAction::None
    }

    fn take_corrupt_batch(&mut self, offset: i64, text: &str) -> ScanAction {
        if let Phase::Searching(search) = &mut self.phase {
            let step = search.fails_at(offset);
            self.attempts = 0;
            return self.search(step);
        }
        let next = self.ledger.next();
        self.note(format!("record batch at or before offset {next}: {text}"));
        let mut search = CorruptBatchSearch::new(offset, next, self.ledger.end());
        let step = search.step();
        self.phase = Phase::Searching(search);
        self.is_silence_examined = false;
        self.search(step)
    }

    fn search(&mut self, step: SearchStep) -> ScanAction {
        match step {
            SearchStep::Probe(offset) => ScanAction::Read(offset),
            SearchStep::Found(offset) => {
                self.ledger.skip_to(offset, GapReason::Corrupt);
                self.go_to(offset)
            }
        }
    }

    fn take_bounds(&mut self, bounds: LogBounds) -> ScanAction {
        let Phase::Asking(question) = self.phase else {
            return ScanAction::None;
        };
        let next = self.ledger.next();
        let end = self.ledger.end();
        let is_other_topic =
            matches!((self.topic_id, bounds.topic_id), (Some(a), Some(b)) if a != b);
        if is_other_topic {
            self.note("the topic was deleted and made again while it was read".to_owned());
            return self.give_up(GapReason::Recreated);
        }
        if bounds.log_start_offset > next {
            self.ledger
                .skip_to(bounds.log_start_offset, GapReason::Deleted);
            return self.go_to(self.ledger.next());
        }
        if bounds.high_watermark < end {
            let log_end = bounds.high_watermark;
            self.short_end = Some(log_end);
            self.cause = Some(format!("the log ends at {log_end} now, below {end}"));
            if question == Question::OutOfRange && log_end < next {
                return self.give_up_silent();
            }
        } else {
            self.short_end = None;
        }
        self.phase = Phase::Reading;
        match question {
            Question::ShortLog => ScanAction::None,
            Question::Silence => ScanAction::Read(next),
            Question::OutOfRange => self.try_again(ScanAction::Read(next)),
        }
    }

    fn take_no_bounds(&mut self, text: &str) -> ScanAction {
        let Phase::Asking(question) = self.phase else {
            return ScanAction::None;
        };
        self.cause = Some(text.to_owned());
        match question {
            Question::OutOfRange => self.try_again(ScanAction::AskBounds),
            Question::ShortLog | Question::Silence => {
                self.phase = Phase::Reading;
                ScanAction::None
            }
        }
    }

    /// Does something once more, unless it was done too often without getting on.
    fn try_again(&mut self, action: ScanAction) -> ScanAction {
        self.attempts += 1;
        if self.attempts > ATTEMPT_LIMIT {
            return self.give_up_silent();
        }
        action
    }

    fn take_tick(&mut self, clock: ScanClock) -> ScanAction {
        let since = clock.last_progress.max(self.last_move);
        let quiet = clock.now.saturating_sub(since);
        let patience = match self.short_end {
            Some(_) => self.stall_timeout.min(SHORT_LOG_PATIENCE),
            None => self.stall_timeout,
        };
        if quiet >= patience {
            return self.give_up_silent();
        }
        let is_reading = matches!(self.phase, Phase::Reading);
        if is_reading && !self.is_silence_examined && quiet >= patience / 2 {
            self.is_silence_examined = true;
            return self.ask(Question::Silence);
        }
        ScanAction::None
    }

    fn ask(&mut self, question: Question) -> ScanAction {
        self.phase = Phase::Asking(question);
        ScanAction::AskBounds
    }

    fn go_to(&mut self, offset: i64) -> ScanAction {
        if self.ledger.is_settled() {
            return self.finish();
        }
        self.phase = Phase::Reading;
        ScanAction::Read(offset)
    }

    /// Gives up on a partition that says nothing more.
    fn give_up_silent(&mut self) -> ScanAction {
        if let Phase::Searching(search) = &self.phase {
            let within = search.within();
            self.ledger.skip_to(within + 1, GapReason::Corrupt);
        }
        let reason = match self.short_end {
            Some(log_end) => {
                if log_end < self.ledger.next() {
                    self.note(format!(
                        "records from offset {log_end} on were read and may no longer exist"
                    ));
                }
                GapReason::Truncated
            }
            None => GapReason::Stalled,
        };
        let cause = self.cause.take();
        let cause = cause.as_deref().unwrap_or("nothing came, no error either");
        self.note(format!("{reason}: {cause}"));
        self.give_up(reason)
    }

    fn give_up(&mut self, reason: GapReason) -> ScanAction {
        self.stopped_at = Some(self.ledger.next());
        self.ledger.skip_to(self.ledger.end(), reason);
        self.finish()
    }

    fn finish(&mut self) -> ScanAction {
        self.phase = Phase::Done;
        ScanAction::Finish
    }

    fn note(&mut self, note: String) {
        const NOTE_LIMIT: usize = 20;
        if self.notes.len() < NOTE_LIMIT {
            self.notes.push(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(end: i64) -> PartitionScan {
        PartitionScan::new(Ledger::new(0, end), None, Duration::from_mins(1))
    }

    fn clock(seconds: u64) -> ScanClock {
        ScanClock {
            now: Duration::from_secs(seconds),
            last_progress: Duration::ZERO,
        }
    }

    fn bounds(log_start_offset: i64, high_watermark: i64) -> LogBounds {
        LogBounds {
            log_start_offset,
            high_watermark,
            last_stable_offset: high_watermark,
            topic_id: None,
        }
    }

    fn fault(kind: FaultKind, offset: i64) -> ScanEvent<'static> {
        ScanEvent::Fault {
            kind,
            offset,
            text: "why",
        }
    }

    fn records(scan: &mut PartitionScan, offsets: std::ops::Range<i64>) -> ScanAction {
        let mut slots: Vec<_> = offsets
            .map(|offset| RecordSlot {
                offset,
                ..RecordSlot::new(0)
            })
            .collect();
        let event = ScanEvent::Records {
            slots: &mut slots,
            absent: &[],
            next_offset: None,
        };
        scan.step(event, clock(0))
    }

    fn only_gap(scan: &PartitionScan) -> (i64, i64, GapReason) {
        let [gap] = scan.ledger().gaps() else {
            panic!("{:?}", scan.ledger().gaps())
        };
        (gap.start, gap.end, gap.reason)
    }

    #[test]
    fn the_last_record_ends_the_scan() {
        let mut scan = scan(10);
        assert_eq!(scan.step(ScanEvent::Start, clock(0)), ScanAction::Read(0));
        assert_eq!(records(&mut scan, 0..9), ScanAction::None);
        assert_eq!(records(&mut scan, 9..12), ScanAction::Finish);
        assert_eq!(scan.ledger().delivered(), 10);
        assert!(scan.is_done() && scan.ledger().gaps().is_empty());
    }

    #[test]
    fn an_end_counts_only_at_or_after_the_frozen_end() {
        let mut scan = scan(10);
        records(&mut scan, 0..8);
        assert_eq!(
            scan.step(ScanEvent::End(8), clock(0)),
            ScanAction::AskBounds
        );
        let action = scan.step(ScanEvent::Bounds(bounds(0, 12)), clock(0));
        assert_eq!(action, ScanAction::None);
        assert_eq!(scan.step(ScanEvent::End(12), clock(0)), ScanAction::Finish);
        assert_eq!(only_gap(&scan), (8, 10, GapReason::ControlOrCompacted));
    }

    #[test]
    fn a_throttled_partition_is_waited_for_and_then_for_the_usual_time() {
        let mut scan = scan(10);
        scan.step(ScanEvent::Start, clock(0));
        for second in [0, 100, 200] {
            let event = ScanEvent::Throttled(Duration::from_secs(100), "quota");
            assert_eq!(scan.step(event, clock(second)), ScanAction::None);
        }
        assert_eq!(scan.step(ScanEvent::Tick, clock(329)), ScanAction::None);
        assert_eq!(
            scan.step(ScanEvent::Tick, clock(330)),
            ScanAction::AskBounds
        );
        scan.step(ScanEvent::NoBounds("no answer"), clock(330));
        assert_eq!(scan.step(ScanEvent::Tick, clock(360)), ScanAction::Finish);
        assert_eq!(only_gap(&scan), (0, 10, GapReason::Stalled));
    }

    #[test]
    fn throttling_that_never_lets_a_record_through_ends_in_a_stall() {
        let mut scan = scan(10);
        scan.step(ScanEvent::Start, clock(0));
        for second in (0..7200).step_by(50) {
            let event = ScanEvent::Throttled(Duration::from_secs(50), "quota");
            scan.step(event, clock(second));
            if scan.step(ScanEvent::Tick, clock(second)) == ScanAction::AskBounds {
                scan.step(ScanEvent::Bounds(bounds(0, 10)), clock(second));
            }
        }
        assert_eq!(only_gap(&scan), (0, 10, GapReason::Stalled));
        assert!(scan.notes()[0].contains("quota"), "{:?}", scan.notes());
    }

    #[test]
    fn an_offset_out_of_range_does_not_end_the_search_for_a_corrupt_batch_unless_it_stays() {
        let out_of_range = || ScanEvent::Fault {
            kind: FaultKind::OutOfRange,
            offset: 1 << 60,
            text: "offset out of range",
        };
        let mut scan = scan(10);
        scan.step(ScanEvent::Start, clock(0));
        let corrupt = ScanEvent::Fault {
            kind: FaultKind::CorruptBatch,
            offset: 0,
            text: "checksum",
        };
        assert_eq!(scan.step(corrupt, clock(1)), ScanAction::Read(1));
        for _ in 0..ATTEMPT_LIMIT {
            assert_eq!(scan.step(out_of_range(), clock(1)), ScanAction::Read(1));
        }
        assert_eq!(scan.step(out_of_range(), clock(1)), ScanAction::AskBounds);
    }

    #[test]
    fn a_log_that_stays_short_is_truncated() {
        let mut scan = scan(15);
        records(&mut scan, 0..10);
        assert_eq!(
            scan.step(ScanEvent::End(10), clock(0)),
            ScanAction::AskBounds
        );
        scan.step(ScanEvent::Bounds(bounds(0, 10)), clock(0));
        assert_eq!(scan.step(ScanEvent::Tick, clock(4)), ScanAction::None);
        assert_eq!(scan.step(ScanEvent::Tick, clock(10)), ScanAction::Finish);
        assert_eq!(only_gap(&scan), (10, 15, GapReason::Truncated));
        assert_eq!(scan.next_offset(), 10);
    }

    #[test]
    fn offsets_deleted_under_the_scan_are_a_gap_and_the_rest_is_read() {
        let mut scan = scan(100);
        records(&mut scan, 0..15);
        let action = scan.step(fault(FaultKind::OutOfRange, 15), clock(0));
        assert_eq!(action, ScanAction::AskBounds);
        let action = scan.step(ScanEvent::Bounds(bounds(60, 100)), clock(0));
        assert_eq!(action, ScanAction::Read(60));
        assert_eq!(records(&mut scan, 60..100), ScanAction::Finish);
        assert_eq!(only_gap(&scan), (15, 60, GapReason::Deleted));
    }

    #[test]
    fn silence_is_examined_once_and_then_named() {
        let mut scan = scan(10);
        assert_eq!(scan.step(ScanEvent::Tick, clock(29)), ScanAction::None);
        assert_eq!(scan.step(ScanEvent::Tick, clock(30)), ScanAction::AskBounds);
        let action = scan.step(ScanEvent::NoBounds("timed out"), clock(30));
        assert_eq!(action, ScanAction::None);
        assert_eq!(scan.step(ScanEvent::Tick, clock(59)), ScanAction::None);
        assert_eq!(scan.step(ScanEvent::Tick, clock(60)), ScanAction::Finish);
        assert_eq!(only_gap(&scan), (0, 10, GapReason::Stalled));
        assert!(scan.notes()[0].contains("timed out"));
    }

    #[test]
    fn a_late_tail_is_left_unread_and_nothing_before_it_is_lost() {
        let late_tail = LateTail::new(100, 10);
        let mut scan = scan(20).with_late_tail(Some(late_tail));
        let slot = |(offset, timestamp_millis)| RecordSlot {
            offset,
            timestamp_millis,
            ..RecordSlot::new(0)
        };
        let mut step = |times: &[(i64, i64)], absent: &[OffsetGap]| {
            let mut slots: Vec<_> = times.iter().copied().map(slot).collect();
            let event = ScanEvent::Records {
                slots: &mut slots,
                absent,
                next_offset: absent.last().map(|_| 20),
            };
            (scan.step(event, clock(0)), slots.len())
        };
        let control = OffsetGap {
            start: 7,
            end: 15,
            reason: GapReason::Control,
        };
        assert_eq!(step(&[(0, 99)], &[]).1, 1);
        let last = step(&[(1, 105), (2, 3), (6, 114), (9, 115), (10, 1)], &[control]);
        assert_eq!(last, (ScanAction::Finish, 3));
        scan.ledger().check().unwrap();
        let reasons: Vec<_> = scan.ledger().gaps().iter().map(|gap| gap.reason).collect();
        let hole = GapReason::ControlOrCompacted;
        assert_eq!(reasons, [hole, GapReason::Control, GapReason::LateTail]);
        assert_eq!((scan.next_offset(), scan.ledger().delivered()), (9, 4));
    }

    #[test]
    fn a_stop_leaves_the_rest_interrupted() {
        let mut scan = scan(10);
        records(&mut scan, 0..4);
        assert_eq!(scan.step(ScanEvent::Stop, clock(0)), ScanAction::Finish);
        assert_eq!(only_gap(&scan), (4, 10, GapReason::Interrupted));
        assert_eq!(scan.next_offset(), 4);
    }
}
