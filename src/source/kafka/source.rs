//! The record source over topic partitions.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::finding::GapReason;
use crate::record::{RecordBlock, SplitId, TopicPartition, counted};
use crate::source::kafka::ClusterClient;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::Reader;
use crate::source::kafka::estimate::PartitionEstimate;
use crate::source::kafka::freeze::{PartitionPlan, freeze, select_partitions};
use crate::source::kafka::revisit::KafkaRevisitor;
use crate::source::kafka::scan::engine::{Engine, Turn};
use crate::source::{
    ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage, StopFlag,
};

/// Longest wait for the sizes of logs.
const SIZES_WAIT: Duration = Duration::from_secs(5);

/// How long a partition that was silent may be silent when it is read again.
const SILENT_PATIENCE: Duration = Duration::from_secs(1);

/// Partitions of one or more topics of one cluster.
pub struct KafkaSource {
    name: String,
    notes: Vec<String>,
    plans: Vec<PartitionPlan>,
    first_split: SplitId,
    stop: StopFlag,
    stall_timeout: Duration,
    threads: usize,
    engine: Mutex<Engine>,
    offsets_done: AtomicU64,
    offsets_total: u64,
}

impl KafkaSource {
    /// Connects, finds the partitions and freezes their ranges; reads no record yet.
    pub fn open(
        spec: &KafkaSpec,
        first_split: SplitId,
        stop: StopFlag,
    ) -> Result<Self, KafkaError> {
        let checked = spec.properties.check();
        checked.map_err(|error| KafkaError::Configuration(error.to_string()))?;
        let mut source = Self::open_with(Reader::client_for(spec)?, spec, first_split, stop)?;
        source.notes.extend(Reader::chosen_for(spec).1);
        Ok(source)
    }

    /// As [`KafkaSource::open`], with a client of the caller's.
    pub fn open_with(
        mut client: Box<dyn ClusterClient>,
        spec: &KafkaSpec,
        first_split: SplitId,
        stop: StopFlag,
    ) -> Result<Self, KafkaError> {
        let deadline = Instant::now() + spec.connect_timeout;
        let selected = select_partitions(&mut *client, spec, deadline)?;
        let partitions: Vec<_> = selected
            .iter()
            .map(|of| of.topic_partition.clone())
            .collect();
        client.assign(&partitions)?;
        let mut plans = freeze(&mut *client, spec, &partitions, deadline)?;
        for (plan, selected) in plans.iter_mut().zip(selected) {
            plan.leader = selected.leader;
        }
        Ok(Self::of(client, plans, spec, (first_split, stop)))
    }

    /// As [`KafkaSource::open`], with ranges that were frozen before, in the order of partitions.
    pub fn open_frozen(
        spec: &KafkaSpec,
        plans: Vec<PartitionPlan>,
        first_split: SplitId,
        stop: StopFlag,
    ) -> Result<Self, KafkaError> {
        let checked = spec.properties.check();
        checked.map_err(|error| KafkaError::Configuration(error.to_string()))?;
        let mut spec = spec.clone();
        let topics = plans
            .iter()
            .map(|plan| plan.topic_partition.topic.to_string());
        let topics: BTreeSet<String> = topics.collect();
        spec.topics = topics.into_iter().collect();
        let numbers = plans.iter().map(|plan| plan.topic_partition.partition);
        spec.partitions = Some(numbers.collect());
        let mut client = Reader::client_for(&spec)?;
        let deadline = Instant::now() + spec.connect_timeout;
        select_partitions(&mut *client, &spec, deadline)?;
        let partitions: Vec<_> = plans.iter().map(|of| of.topic_partition.clone()).collect();
        client.assign(&partitions)?;
        Ok(Self::of(client, plans, &spec, (first_split, stop)))
    }

    fn of(
        client: Box<dyn ClusterClient>,
        plans: Vec<PartitionPlan>,
        spec: &KafkaSpec,
        (first_split, stop): (SplitId, StopFlag),
    ) -> Self {
        let offsets = |plan: &PartitionPlan| plan.read_end - plan.read_start;
        let total = plans.iter().map(offsets).sum::<i64>();
        Self {
            name: spec.topics.join(","),
            notes: Vec::new(),
            engine: Mutex::new(Engine::new(client, plans.clone(), spec)),
            plans,
            first_split,
            stop,
            stall_timeout: spec.stall_timeout,
            threads: spec.threads,
            offsets_done: AtomicU64::new(0),
            offsets_total: u64::try_from(total).unwrap_or_default(),
        }
    }

    /// Returns the ranges as they are frozen.
    pub fn frozen(&self) -> &[PartitionPlan] {
        &self.plans
    }

    /// Returns the partitions by their splits, with the ids of their topics where they are known.
    pub fn topic_ids(&self) -> Vec<(SplitId, TopicPartition, Option<[u8; 16]>)> {
        let plans = self.plans.iter().enumerate();
        plans
            .map(|(index, plan)| {
                let name = plan.topic_partition.clone();
                (self.split_of(index), name, plan.bounds.topic_id)
            })
            .collect()
    }

    /// Returns the first offset that a partition had when it was frozen.
    pub(super) fn log_start_of(&self, partition: usize) -> u64 {
        let plan = self.plans.get(partition);
        let start = plan.map_or(0, |plan| plan.bounds.log_start_offset);
        u64::try_from(start).unwrap_or_default()
    }

    /// Returns what was decided for the user, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns what reading the frozen ranges would take; reads no record.
    pub fn estimate(&self) -> Result<Vec<PartitionEstimate>, KafkaError> {
        let indexes: Vec<usize> = (0..self.plans.len()).collect();
        let bytes = self.lock()?.client.log_bytes(&indexes, SIZES_WAIT)?;
        let plans = self.plans.iter().zip(bytes);
        Ok(plans
            .map(|(plan, bytes)| PartitionEstimate::new(plan, bytes))
            .collect())
    }

    /// Returns the frozen ranges, one line each and one for all.
    pub fn ranges(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.plans.iter().map(range_line).collect();
        lines.push(format!(
            "{}: {}, {}",
            self.name,
            counted(self.plans.len(), "partition"),
            counted(self.offsets_total, "offset")
        ));
        lines
    }

    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Engine>, KafkaError> {
        let poisoned = |_| KafkaError::Internal("a reading thread failed".to_owned());
        self.engine.lock().map_err(poisoned)
    }

    /// Returns the frozen end of a partition.
    pub(super) fn end_of(&self, partition: usize) -> i64 {
        self.plans
            .get(partition)
            .map_or(i64::MAX, |plan| plan.read_end)
    }

    /// How long to wait for a partition that is read again: not long for one that was silent.
    fn patience_for(&self, partition: usize) -> Duration {
        let is_stalled = |coverage: &SplitCoverage| match coverage {
            SplitCoverage::Partition(read) => {
                read.gaps.iter().any(|gap| gap.reason == GapReason::Stalled)
            }
            SplitCoverage::File(_) => false,
        };
        if self.coverage().get(partition).is_some_and(is_stalled) {
            SILENT_PATIENCE.min(self.stall_timeout)
        } else {
            self.stall_timeout
        }
    }

    fn split_of(&self, partition: usize) -> SplitId {
        let index = u32::try_from(partition).unwrap_or(u32::MAX);
        SplitId(self.first_split.0.saturating_add(index))
    }

    fn note_progress(&self, engine: &Engine) {
        let done = u64::try_from(engine.offsets_done()).unwrap_or_default();
        self.offsets_done.store(done, Ordering::Relaxed);
    }
}

fn range_line(plan: &PartitionPlan) -> String {
    let (start, end) = (plan.read_start, plan.read_end);
    let partition = &plan.topic_partition;
    let mut line = format!("{partition}: offsets [{start}, {end}), {}", end - start);
    for gap in [plan.gap_before(), plan.gap_after()].into_iter().flatten() {
        let (start, end, reason) = (gap.start, gap.end, gap.reason);
        write!(line, "; [{start}, {end}) {reason}").expect("a string takes any text");
    }
    line
}

impl RecordSource for KafkaSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn splits(&self) -> Vec<SplitId> {
        (0..self.plans.len())
            .map(|partition| self.split_of(partition))
            .collect()
    }

    fn topic_partition(&self, split: SplitId) -> Option<TopicPartition> {
        let index = split.0.checked_sub(self.first_split.0)?;
        let plan = self.plans.get(usize::try_from(index).ok()?)?;
        Some(plan.topic_partition.clone())
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        loop {
            let mut engine = self.lock()?;
            let was_over = engine.is_over();
            if self.stop.is_stopped() {
                engine.stop()?;
                return Ok(false);
            }
            block.clear(self.first_split);
            let turn = engine.turn(block)?;
            self.note_progress(&engine);
            if engine.is_over() && !was_over {
                engine.look_back()?;
            }
            match turn {
                Turn::Records(partition) => {
                    block.split = self.split_of(partition);
                    return Ok(true);
                }
                Turn::Over => return Ok(false),
                Turn::Nothing => {}
            }
        }
    }

    fn is_aborted(&self, split: SplitId, producer_id: i64, offset: i64) -> bool {
        let partition = self.splits().iter().position(|&own| own == split);
        let known = partition.zip(self.lock().ok());
        known.is_some_and(|(partition, engine)| {
            engine.client.is_aborted(partition, producer_id, offset)
        })
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress {
            done: self.offsets_done.load(Ordering::Relaxed),
            total: self.offsets_total,
        }
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let engine = match self.engine.lock() {
            Ok(engine) => engine,
            // What was read is stated even where a reading thread failed.
            Err(poisoned) => poisoned.into_inner(),
        };
        engine
            .coverage()
            .into_iter()
            .map(SplitCoverage::Partition)
            .collect()
    }

    fn void_positions(&self, split: SplitId) -> Option<Range<u64>> {
        let partition = self.splits().iter().position(|&own| own == split)?;
        let void = self.lock().ok()?.void_of(partition)?;
        Some(u64::try_from(void.start).ok()?..u64::try_from(void.end).ok()?)
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        let place = self.splits().iter().position(|&own| own == split);
        let partition = place.ok_or_else(|| {
            ReadError::Internal(format!(
                "split {} is no partition of {}",
                split.0, self.name
            ))
        })?;
        let patience = self.patience_for(partition);
        let kept = self.lock()?.end_keeping(partition);
        Ok(Box::new(KafkaRevisitor::new(
            self,
            (split, partition),
            patience,
            (kept, self.threads),
        )))
    }
}
