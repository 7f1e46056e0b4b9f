//! Reads single offsets of a partition again, close ones in one go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::record::{Payload, RecordBlock, RecordSlot, RecordView, Span, SplitId};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::FaultKind;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KeptBatches;
use crate::source::kafka::scan::engine::Engine;
use crate::source::kafka::source::KafkaSource;
use crate::source::{ReadError, RecordRevisitor, RecordSource};

/// Offsets further ahead than this are read by a seek: as many as are read in the time of one.
const NEAR_OFFSETS: u64 = 20_000;

/// Bytes of records after which a block is handed out.
const BLOCK_BYTES: usize = 1 << 20;

/// How often damage on the way is gone round before a record comes.
const DETOUR_LIMIT: u32 = 8;

/// Longest wait for the bounds of the log.
const BOUNDS_WAIT: Duration = Duration::from_secs(3);

/// Longest wait for one event.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// Reads single offsets of one partition again; one at a time over one source.
pub(super) struct KafkaRevisitor<'a> {
    source: &'a KafkaSource,
    split: SplitId,
    partition: usize,
    patience: Duration,
    kept: Option<Arc<KeptBatches>>,
    threads: usize,
    /// Records that came last, and how many of them are passed.
    scratch: RecordBlock,
    passed: usize,
    /// Where the client reads on, if it does.
    reads_from: Option<u64>,
    /// Detours around damage since the last record.
    detours: u32,
    /// Where the log begins, once that was asked.
    log_start: u64,
    /// Whether the partition fell silent; then nothing more is waited for.
    is_silent: bool,
    /// When the client last told anything of the partition, or will after a throttling.
    last_event: Instant,
}

impl RecordRevisitor for KafkaRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        block.clear(self.split);
        let kept = self.read_kept(positions, block);
        if kept > 0 {
            return Ok(kept);
        }
        let positions = self.not_kept(positions);
        if self.is_silent {
            return Ok(positions.len());
        }
        let source = self.source;
        // Retention took these before the scan, if an earlier run read them.
        let log_start = source.log_start_of(self.partition);
        let gone = positions.partition_point(|&position| position < log_start);
        if gone > 0 {
            return Ok(gone);
        }
        let mut engine = source.lock()?;
        if !engine.is_over() {
            let problem = "a partition is read again while the scan still runs";
            return Err(KafkaError::Internal(problem.to_owned()).into());
        }
        let mut rest = self.take_wanted(positions, block);
        self.last_event = Instant::now();
        while let Some(&next) = rest.first()
            && block.bytes.len() < BLOCK_BYTES
        {
            if let Err(error) = self.go_to(next, &mut engine) {
                // A cluster that is gone by now leaves records that are not read again.
                let KafkaError::Cluster(_) = error else {
                    return Err(error.into());
                };
                self.is_silent = true;
                return Ok(positions.len());
            }
            if self.poll(&mut engine)? {
                self.last_event = Instant::now();
                rest = self.take_wanted(rest, block);
            } else if self.log_start > next {
                let gone = rest.partition_point(|&position| position < self.log_start);
                (_, rest) = rest.split_at(gone);
            } else if self.reads_from.is_none() && !(1..=DETOUR_LIMIT).contains(&self.detours) {
                // The log ends here, or cannot be read here: what is wanted is not there.
                rest = &[];
            } else if self.last_event.elapsed() > self.patience {
                self.is_silent = true;
                rest = &[];
            }
        }
        Ok((positions.len() - rest.len()).max(1))
    }

    fn aborted_among(&mut self, positions: &[u64]) -> Result<Vec<u64>, ReadError> {
        if self.is_silent {
            return Ok(Vec::new());
        }
        let mut engine = self.source.lock()?;
        let end = engine.ended_transactions_end(self.partition);
        let offsets = positions.iter().map(|&position| offset_of(position));
        let offsets: Vec<i64> = offsets.take_while(|offset| *offset < end).collect();
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        let client = &mut engine.client;
        match client.aborted_among(self.partition, &offsets, self.patience) {
            Ok(aborted) => Ok(aborted
                .into_iter()
                .filter_map(|offset| u64::try_from(offset).ok())
                .collect()),
            // A cluster that is gone by now leaves records of which it is not told.
            Err(KafkaError::Cluster(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl<'a> KafkaRevisitor<'a> {
    pub(super) fn new(
        source: &'a KafkaSource,
        (split, partition): (SplitId, usize),
        patience: Duration,
        (kept, threads): (Option<Arc<KeptBatches>>, usize),
    ) -> Self {
        Self {
            source,
            split,
            partition,
            patience,
            kept,
            threads,
            scratch: RecordBlock::default(),
            passed: 0,
            reads_from: None,
            detours: 0,
            log_start: 0,
            is_silent: false,
            last_event: Instant::now(),
        }
    }

    /// Reads what the first pass has kept of the first of `positions`; returns how many are dealt
    /// with.
    fn read_kept(&self, positions: &[u64], block: &mut RecordBlock) -> usize {
        let name = self.source.topic_partition(self.split);
        self.kept.as_ref().zip(name).map_or(0, |(kept, name)| {
            kept.read((self.partition, &name), positions, self.threads, block)
        })
    }

    /// Returns the first of `positions` that only the cluster has.
    fn not_kept<'p>(&self, positions: &'p [u64]) -> &'p [u64] {
        let kept = self.kept.as_ref();
        let count = kept.map(|kept| kept.not_kept(self.partition, positions));
        let first = count.and_then(|count| positions.get(..count));
        first.unwrap_or(positions)
    }

    /// Has the client read where `position` will come soon.
    fn go_to(&mut self, position: u64, engine: &mut Engine) -> Result<(), KafkaError> {
        let is_near = |from: u64| from <= position && position - from <= NEAR_OFFSETS;
        if !self.reads_from.is_some_and(is_near) {
            let end = self.source.end_of(self.partition);
            engine
                .client
                .read_from(self.partition, offset_of(position), end)?;
            self.reads_from = Some(position);
        }
        Ok(())
    }

    /// Waits for an event; returns whether records came.
    fn poll(&mut self, engine: &mut Engine) -> Result<bool, KafkaError> {
        self.scratch.clear(self.split);
        self.passed = 0;
        let event = engine.client.poll(POLL_WAIT, &mut self.scratch)?;
        engine.keep_pace(&self.scratch);
        match event {
            ClientEvent::Records {
                partition,
                next_offset,
                ..
            } if partition == self.partition => {
                let last = self.scratch.slots.last().map(|slot| slot.position + 1);
                let told = next_offset.and_then(|offset| u64::try_from(offset).ok());
                self.reads_from = told.or(last).or(self.reads_from);
                self.detours = 0;
                Ok(true)
            }
            ClientEvent::End { partition, .. } if partition == self.partition => {
                self.reads_from = None;
                self.detours = 0;
                Ok(false)
            }
            // After trouble that passes or was stepped over the client reads on by itself.
            ClientEvent::Fault {
                kind: FaultKind::Transient | FaultKind::SteppedOver,
                ..
            } => Ok(false),
            ClientEvent::Fault {
                partition, kind, ..
            } if partition == self.partition => {
                self.reads_from = None;
                // What is wanted lies beyond a batch that cannot be read, so it is gone to at once.
                // After such a batch librdkafka may go on at any offset.
                let is_damage = matches!(kind, FaultKind::CorruptBatch | FaultKind::OutOfRange);
                self.detours = if is_damage { self.detours + 1 } else { 0 };
                if kind == FaultKind::OutOfRange {
                    self.look_for_log_start(engine)?;
                }
                Ok(false)
            }
            ClientEvent::Throttled {
                partitions, wait, ..
            } if partitions.contains(&self.partition) => {
                // Elapsed time since a moment to come is none.
                self.last_event = Instant::now() + wait;
                Ok(false)
            }
            ClientEvent::Nothing
            | ClientEvent::Throttled { .. }
            | ClientEvent::Records { .. }
            | ClientEvent::End { .. }
            | ClientEvent::Fault { .. }
            | ClientEvent::ClusterFault(_) => {
                self.scratch.clear(self.split);
                Ok(false)
            }
        }
    }

    /// Asks where the log begins by now: what lies below is gone, and nothing above it for that.
    fn look_for_log_start(&mut self, engine: &mut Engine) -> Result<(), KafkaError> {
        let answers = engine.client.log_bounds(&[self.partition], BOUNDS_WAIT);
        let bounds = match answers {
            Ok(mut answers) => answers.pop().and_then(Result::ok),
            Err(KafkaError::Cluster(_)) => None,
            Err(error) => return Err(error),
        };
        let start = bounds.and_then(|bounds| u64::try_from(bounds.log_start_offset).ok());
        self.log_start = start.unwrap_or(self.log_start);
        Ok(())
    }

    /// Copies wanted records of those that came, and returns the positions that may still come.
    fn take_wanted<'p>(&mut self, mut rest: &'p [u64], block: &mut RecordBlock) -> &'p [u64] {
        while let Some(view) = self.scratch.view(self.passed) {
            let position = view.slot().position;
            while let Some((&next, after)) = rest.split_first()
                && next < position
            {
                rest = after;
            }
            let Some((&next, after)) = rest.split_first() else {
                break;
            };
            if next == position {
                copy_record(view, block);
                rest = after;
            }
            self.passed += 1;
        }
        if self.passed == self.scratch.slots.len() {
            // What the client has read past and not delivered is no longer there.
            let reads_from = self.reads_from.unwrap_or_default();
            let gone = rest
                .iter()
                .take_while(|&&position| position < reads_from)
                .count();
            (_, rest) = rest.split_at(gone);
        }
        rest
    }
}

impl Drop for KafkaRevisitor<'_> {
    fn drop(&mut self) {
        if let Some(kept) = &self.kept {
            kept.give_up(self.partition, 0);
        }
        if let Ok(mut engine) = self.source.lock() {
            // What goes wrong here concerns nobody: nothing more is wanted of the partition.
            let _ = engine.client.pause(self.partition);
        }
    }
}

fn copy_record(view: RecordView<'_>, block: &mut RecordBlock) {
    let mut slot = RecordSlot {
        key: push_payload(view.key(), block),
        value: push_payload(view.value(), block),
        ..*view.slot()
    };
    slot.headers = match view.headers() {
        Some(headers) => block.push_bytes(headers.encoded()),
        None => Span::UNRECORDED,
    };
    if let Some(partition) = view.topic_partition() {
        slot.topic_partition = block.intern_topic_partition(&partition.topic, partition.partition);
    }
    slot.batch = u32::MAX;
    if let Some(stamp) = view.batch() {
        if block.batches.last() != Some(stamp) {
            block.batches.push(*stamp);
        }
        slot.batch = u32::try_from(block.batches.len() - 1).unwrap_or(u32::MAX);
    }
    block.slots.push(slot);
}

fn push_payload(payload: Payload<'_>, block: &mut RecordBlock) -> Span {
    match payload {
        Payload::Unrecorded => Span::UNRECORDED,
        Payload::Null => Span::NULL,
        Payload::Bytes(bytes) => block.push_bytes(bytes),
    }
}

fn offset_of(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX - 1)
}
