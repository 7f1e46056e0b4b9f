//! Drives a client by the decisions of the scans: one event in, its consequences out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::finding::{GapReason, OffsetGap, PartitionCoverage};
use crate::record::{RecordBlock, RecordSlot, TimestampType};
use crate::source::Bound;
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::FaultKind;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::KeptBatches;
use crate::source::kafka::freeze::{PartitionPlan, PermissionCheck};
use crate::source::kafka::scan::bounds::{NoBounds, bounds};
use crate::source::kafka::scan::late_tail::LateTail;
use crate::source::kafka::scan::outcome::{FinalState, coverage_of, partitions_added};
use crate::source::kafka::scan::pace::Pace;
use crate::source::kafka::{Ledger, PartitionScan, ScanAction, ScanClock, ScanEvent};

/// Longest wait for one event; how late a stop can be noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// Longest wait for an answer to whether the topics may be read.
const PERMISSION_WAIT: Duration = Duration::from_secs(5);

/// Longest wait for what is looked up once the scan is over.
const FINAL_WAIT: Duration = Duration::from_secs(3);

/// The client and the scans of all its partitions.
pub(in crate::source::kafka) struct Engine {
    pub(in crate::source::kafka) client: Box<dyn ClusterClient>,
    plans: Vec<PartitionPlan>,
    scans: Vec<PartitionScan>,
    final_states: Vec<FinalState>,
    clock: ScanClock,
    open: usize,
    is_started: bool,
    /// Whether all partitions of the topics were asked for, those to come too.
    has_all_partitions: bool,
    no_bounds: NoBounds,
    pace: Pace,
    stall_timeout: Duration,
    permissions: Option<PermissionCheck>,
}

/// What one turn of the engine came to.
pub(in crate::source::kafka) enum Turn {
    /// Records of this partition are in the block.
    Records(usize),
    /// Nothing to hand out yet.
    Nothing,
    /// All partitions are done.
    Over,
}

impl Engine {
    pub(in crate::source::kafka) fn new(
        client: Box<dyn ClusterClient>,
        plans: Vec<PartitionPlan>,
        spec: &KafkaSpec,
    ) -> Self {
        let late_tail = match (&spec.range.to, spec.range.late_millis) {
            (Some(Bound::Timestamp(to)), Some(late)) => Some(LateTail::new(*to, late)),
            _ => None,
        };
        let scan = |plan: &PartitionPlan| {
            let ledger = Ledger::new(plan.read_start, plan.read_end);
            PartitionScan::new(ledger, plan.bounds.topic_id, spec.stall_timeout)
                .with_late_tail(late_tail.clone())
        };
        Self {
            scans: plans.iter().map(scan).collect(),
            final_states: vec![FinalState::default(); plans.len()],
            open: plans.len(),
            client,
            plans,
            clock: ScanClock::default(),
            is_started: false,
            has_all_partitions: spec.partitions.is_none(),
            no_bounds: NoBounds::default(),
            pace: Pace::new(spec.max_rate_bytes),
            stall_timeout: spec.stall_timeout,
            permissions: None,
        }
    }

    /// Returns whether every partition is done.
    pub(in crate::source::kafka) fn is_over(&self) -> bool {
        self.open == 0
    }

    /// Returns the offsets accounted for.
    pub(in crate::source::kafka) fn offsets_done(&self) -> i64 {
        let done = |scan: &PartitionScan| scan.ledger().next() - scan.ledger().start();
        self.scans.iter().map(done).sum()
    }

    /// Waits for one event and does what follows from it.
    pub(in crate::source::kafka) fn turn(
        &mut self,
        block: &mut RecordBlock,
    ) -> Result<Turn, KafkaError> {
        if !self.is_started && !self.start(block)? {
            return Ok(Turn::Nothing);
        }
        if self.is_over() {
            return Ok(Turn::Over);
        }
        let before = Instant::now();
        let wait = self.pace.wait(before);
        if !wait.is_zero() {
            // What is not taken is not fetched either: the client's queue is full.
            std::thread::sleep(wait.min(POLL_WAIT));
            return Ok(Turn::Nothing);
        }
        let event = self.client.poll(POLL_WAIT, block)?;
        self.pace.note(block, Instant::now());
        if let ClientEvent::Records {
            partition,
            next_offset,
            absent,
        } = event
        {
            return self.take_records(partition, next_offset, &absent, block);
        }
        // Only waiting counts: a slow audit is no silence of the cluster.
        self.clock.now += before.elapsed();
        self.take_event(event)?;
        for partition in 0..self.scans.len() {
            self.advance(partition, ScanEvent::Tick)?;
        }
        Ok(Turn::Nothing)
    }

    /// Begins all scans, once it is known that the topics may be read. Returns whether they
    /// have begun.
    fn start(&mut self, block: &mut RecordBlock) -> Result<bool, KafkaError> {
        let client = &mut *self.client;
        let mut check = if let Some(check) = self.permissions.take() {
            check
        } else {
            let wait = self.stall_timeout.min(PERMISSION_WAIT);
            PermissionCheck::begin(client, &self.plans, wait)?
        };
        if !check.is_over() {
            check.poll(client, POLL_WAIT, block)?;
            self.permissions = Some(check);
            return Ok(false);
        }
        let checked = check.finish(client);
        if checked.is_err() {
            // The other threads have nothing left to do.
            self.stop()?;
        }
        let told = checked?;
        self.is_started = true;
        for partition in 0..self.scans.len() {
            self.advance(partition, ScanEvent::Start)?;
        }
        told.into_iter()
            .try_for_each(|event| self.take_event(event))?;
        Ok(true)
    }

    /// Ends all scans that are not done.
    pub(in crate::source::kafka) fn stop(&mut self) -> Result<(), KafkaError> {
        self.is_started = true;
        (0..self.scans.len()).try_for_each(|partition| self.advance(partition, ScanEvent::Stop))
    }

    fn take_records(
        &mut self,
        partition: usize,
        next_offset: Option<i64>,
        absent: &[OffsetGap],
        block: &mut RecordBlock,
    ) -> Result<Turn, KafkaError> {
        let next = |engine: &Self| engine.scans.get(partition).map(|scan| scan.ledger().next());
        let before = next(self);
        let event = ScanEvent::Records {
            slots: &mut block.slots,
            absent,
            next_offset,
        };
        self.advance(partition, event)?;
        if let Some(state) = self.final_states.get_mut(partition) {
            state.has_other_timestamps |= block.slots.iter().any(is_not_log_append_time);
        }
        if next(self) > before {
            self.clock.last_progress = self.clock.now;
        }
        if block.slots.is_empty() {
            return Ok(Turn::Nothing);
        }
        Ok(Turn::Records(partition))
    }

    fn note_cut(&mut self, partition: usize, offset: i64) {
        if let Some(state) = self.final_states.get_mut(partition) {
            state.cut_at = Some(state.cut_at.map_or(offset, |cut| cut.min(offset)));
        }
    }

    fn take_event(&mut self, event: ClientEvent) -> Result<(), KafkaError> {
        match event {
            ClientEvent::Nothing | ClientEvent::Records { .. } => Ok(()),
            ClientEvent::End { partition, offset } => {
                self.advance(partition, ScanEvent::End(offset))
            }
            ClientEvent::Fault {
                partition,
                offset,
                kind,
                text,
            } => {
                let text = text.as_str();
                if kind == FaultKind::Truncated && offset >= 0 {
                    self.note_cut(partition, offset);
                }
                self.advance(partition, ScanEvent::Fault { kind, offset, text })
            }
            ClientEvent::Throttled {
                partitions,
                wait,
                text,
            } => partitions.into_iter().try_for_each(|partition| {
                self.advance(partition, ScanEvent::Throttled(wait, &text))
            }),
            ClientEvent::ClusterFault(text) => {
                let text = text.as_str();
                let (kind, offset) = (FaultKind::Transient, -1);
                (0..self.scans.len()).try_for_each(|partition| {
                    self.advance(partition, ScanEvent::Fault { kind, offset, text })
                })
            }
        }
    }

    /// Takes one step of a partition's scan and does what it asks for.
    fn advance(&mut self, partition: usize, event: ScanEvent<'_>) -> Result<(), KafkaError> {
        let Some(scan) = self.scans.get_mut(partition) else {
            let problem = format!("an event for partition index {partition}, which is not read");
            return Err(KafkaError::Internal(problem));
        };
        let mut action = scan.step(event, self.clock);
        loop {
            match action {
                ScanAction::None => return Ok(()),
                ScanAction::Read(offset) => {
                    let end = scan.ledger().end();
                    return self.client.read_from(partition, offset, end);
                }
                ScanAction::AskBounds => {
                    let answer = self.no_bounds.ask(&mut *self.client, partition)?;
                    let event = match &answer {
                        Ok(bounds) => ScanEvent::Bounds(*bounds),
                        Err(text) => ScanEvent::NoBounds(text),
                    };
                    action = scan.step(event, self.clock);
                }
                ScanAction::Finish => {
                    scan.ledger().check().map_err(KafkaError::Internal)?;
                    self.open -= 1;
                    return self.client.pause(partition);
                }
            }
        }
    }

    /// Looks once more at the logs: what came after the freeze, and whether they are still the
    /// logs that were read. Partitions that cannot be looked at are noted.
    pub(in crate::source::kafka) fn look_back(&mut self) -> Result<(), KafkaError> {
        let indexes: Vec<_> = (0..self.plans.len()).collect();
        let answers = bounds(&mut *self.client, &indexes, FINAL_WAIT)?;
        let places = self
            .final_states
            .iter_mut()
            .zip(&self.plans)
            .zip(&self.scans);
        for (answer, ((state, plan), scan)) in answers.iter().zip(places) {
            match answer {
                Ok(bounds) => state.compare(plan, scan, *bounds),
                Err(text) => {
                    let note = format!("the log was not looked at again after the scan: {text}");
                    state.notes.push(note);
                }
            }
        }
        if self.has_all_partitions && answers.iter().any(Result::is_ok) {
            self.look_for_new_partitions()?;
        }
        Ok(())
    }

    fn look_for_new_partitions(&mut self) -> Result<(), KafkaError> {
        let mut names: Vec<String> = self
            .plans
            .iter()
            .map(|plan| plan.topic_partition.topic.to_string())
            .collect();
        names.dedup();
        let listings = match self.client.list_topics(Some(&names), FINAL_WAIT) {
            Ok(listings) => listings,
            Err(KafkaError::Cluster(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (index, note) in partitions_added(&self.plans, &listings) {
            if let Some(state) = self.final_states.get_mut(index) {
                state.notes.push(note);
            }
        }
        Ok(())
    }

    /// Waits until the pace allows for more, and notes what came.
    pub(in crate::source::kafka) fn keep_pace(&mut self, came: &RecordBlock) {
        self.pace.note(came, Instant::now());
        std::thread::sleep(self.pace.wait(Instant::now()));
    }

    /// Returns the offsets of a partition whose records may be those of another topic.
    pub(in crate::source::kafka) fn void_of(&self, partition: usize) -> Option<OffsetGap> {
        let void = self.final_states.get(partition)?.void?;
        (void.reason == GapReason::Recreated).then_some(void)
    }

    /// Returns what was kept for the second pass, of a partition only as far as it counts.
    pub(in crate::source::kafka) fn end_keeping(
        &mut self,
        partition: usize,
    ) -> Option<Arc<KeptBatches>> {
        let kept = self.client.end_keeping()?;
        if let Some(void) = self
            .final_states
            .get(partition)
            .and_then(|state| state.void)
        {
            kept.give_up(partition, void.start);
        }
        Some(kept)
    }

    /// Returns the offset below which records may be of transactions that have ended: the markers
    /// of their ends are offsets at which no record came.
    pub(in crate::source::kafka) fn ended_transactions_end(&self, partition: usize) -> i64 {
        let Some((plan, scan)) = self.plans.get(partition).zip(self.scans.get(partition)) else {
            return 0;
        };
        let (stable_end, ledger) = (plan.bounds.last_stable_offset, scan.ledger());
        let are_all_listed = ledger.unlisted() == (0, 0) && plan.read_end >= stable_end;
        let last_hole = ledger.gaps().last().map_or(0, |gap| gap.end);
        if are_all_listed {
            stable_end.min(last_hole)
        } else {
            stable_end
        }
    }

    /// Returns what was read of each partition, in their order.
    pub(in crate::source::kafka) fn coverage(&self) -> Vec<PartitionCoverage> {
        let states = self.plans.iter().zip(&self.scans).zip(&self.final_states);
        states
            .map(|((plan, scan), state)| coverage_of(plan, scan, state))
            .collect()
    }
}

fn is_not_log_append_time(slot: &RecordSlot) -> bool {
    slot.timestamp_type != TimestampType::LogAppendTime
}
