//! What a broker's answer holds of one partition: records into blocks, reasons for all the rest.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::finding::{GapReason, OffsetGap};
use crate::record::RecordBlock;
use crate::record::TopicPartition;
use crate::source::kafka::kept::KeptBatch;
use crate::source::kafka::spec::UNPACKED_BYTES_MAX;
use crate::source::kafka::wire::settings::Settings;
use crate::source::record_batch::{
    AbortedFilter, AbortedSpans, BatchEvent, BatchHeader, BatchReader, DamageReason, Decoded,
    RecordBatch, RecordDecoder,
};

/// What a broker's answer holds of one partition.
pub(super) struct Fetched<'a> {
    pub(super) topic_partition: &'a TopicPartition,
    /// Next offset that the caller has not seen.
    pub(super) expected: i64,
    /// First offset that the caller does not want.
    pub(super) end: i64,
    /// First offset that cannot be read yet.
    pub(super) limit: i64,
    pub(super) log_start_offset: i64,
    pub(super) aborted: AbortedFilter,
    /// What is known of the partition's aborted transactions, where they are read too.
    pub(super) spans: &'a Mutex<AbortedSpans>,
    pub(super) records: &'a Bytes,
    /// Whether its batches are wanted again.
    pub(super) is_kept: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Next offset to read.
    pub(super) next: i64,
    /// Leader epoch of the last batch, −1 where there is none.
    pub(super) leader_epoch: i32,
    /// What stops the reading at `next`, if anything does.
    pub(super) obstacle: Option<Obstacle>,
}

/// What stops the reading of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The next batch takes more bytes than were asked for.
    NeedsBytes(usize),
    /// The next batch is damaged, and where it ends shows only with what follows.
    DamagedTail(String),
    /// The same, with nothing that follows.
    Corrupt(String),
}

/// A part of a partition's records, in order.
pub(super) struct Part {
    pub(super) next_offset: i64,
    pub(super) absent: Vec<OffsetGap>,
    pub(super) block: RecordBlock,
    /// What is wrong with batches in it, for people.
    pub(super) damage: Vec<String>,
    /// Batches that its records are of, where they are wanted again.
    pub(super) kept: Vec<KeptBatch>,
}

/// Takes answers apart, one after the other.
pub(super) struct Deliverer {
    decoder: RecordDecoder,
    block_bytes: usize,
    filter_aborted: bool,
}

struct Walk<'a, T: FnMut(Part) -> RecordBlock> {
    fetched: &'a Fetched<'a>,
    next: i64,
    part: Part,
    topic_partition: u32,
    /// Damage behind which no good batch came yet.
    pending: Option<(Option<Range<i64>>, String)>,
    block_bytes: usize,
    hand_on: T,
}

impl Deliverer {
    /// Returns one that keeps to the limits of `settings`.
    pub(super) fn new(settings: &Settings, filter_aborted: bool) -> Self {
        Self {
            decoder: RecordDecoder::new(settings.unpacked_bytes_max),
            block_bytes: settings.block_bytes,
            filter_aborted,
        }
    }

    /// Takes an answer apart. `hand_on` gets the parts and gives an empty block for each; the
    /// last block is handed on even if it is empty, where anything came.
    pub(super) fn deliver(
        &mut self,
        mut fetched: Fetched<'_>,
        block: RecordBlock,
        hand_on: impl FnMut(Part) -> RecordBlock,
    ) -> (Outcome, RecordBlock) {
        let mut aborted = std::mem::take(&mut fetched.aborted);
        let mut walk = Walk::new(&fetched, (block, self.block_bytes), hand_on);
        let mut leader_epoch = -1;
        let mut incomplete = None;
        for event in BatchReader::new(fetched.records, 0) {
            match event {
                BatchEvent::Data(batch) => {
                    let is_aborted = self.filter_aborted && aborted.is_aborted(&batch.header);
                    if batch.header.stamp.is_transactional && !self.filter_aborted {
                        lock(walk.fetched.spans).take_batch(&batch.header);
                    }
                    leader_epoch = leader_epoch.max(batch.header.stamp.leader_epoch);
                    if batch.header.stamp.last_offset < walk.next {
                        continue;
                    }
                    if is_aborted {
                        walk.skip_batch(&batch.header, GapReason::Aborted);
                    } else {
                        walk.take_batch(&batch, &mut self.decoder);
                    }
                }
                BatchEvent::Control { header, marker } => {
                    aborted.pass_marker(&header, marker);
                    lock(walk.fetched.spans).pass_marker(&header, marker);
                    leader_epoch = leader_epoch.max(header.stamp.leader_epoch);
                    if header.stamp.last_offset >= walk.next {
                        walk.skip_batch(&header, GapReason::Control);
                    }
                }
                BatchEvent::Damaged(damaged) => {
                    let text = damaged.reason.to_string();
                    lock(walk.fetched.spans).interrupt();
                    walk.note_damage(damaged.offsets, text);
                }
                BatchEvent::Incomplete {
                    available, needed, ..
                } => incomplete = Some((available, needed)),
            }
        }
        let obstacle = walk.settle_tail(incomplete);
        let next = walk.next;
        let block = walk.finish();
        let outcome = Outcome {
            next,
            leader_epoch,
            obstacle,
        };
        (outcome, block)
    }
}

/// Says what is wrong with a batch, and what can be done where it only takes more memory.
fn with_advice(reason: &DamageReason) -> String {
    let text = reason.to_string();
    let can_be_raised = |limit: usize| u64::try_from(limit).is_ok_and(|of| of < UNPACKED_BYTES_MAX);
    if matches!(reason, DamageReason::TooLarge(limit) if can_be_raised(*limit)) {
        return text + ", a limit that --memory raises";
    }
    text
}

fn lock(spans: &Mutex<AbortedSpans>) -> MutexGuard<'_, AbortedSpans> {
    spans.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a, T: FnMut(Part) -> RecordBlock> Walk<'a, T> {
    fn new(
        fetched: &'a Fetched<'a>,
        (block, block_bytes): (RecordBlock, usize),
        hand_on: T,
    ) -> Self {
        let mut walk = Self {
            fetched,
            next: fetched.expected,
            part: Part {
                next_offset: fetched.expected,
                absent: Vec::new(),
                block,
                damage: Vec::new(),
                kept: Vec::new(),
            },
            topic_partition: 0,
            pending: None,
            block_bytes,
            hand_on,
        };
        walk.name_topic_partition();
        walk
    }

    fn name_topic_partition(&mut self) {
        let TopicPartition { topic, partition } = self.fetched.topic_partition;
        self.topic_partition = self.part.block.intern_topic_partition(topic, *partition);
    }

    /// Accounts for the offsets up to `to` with one reason.
    fn gap(&mut self, to: i64, reason: GapReason) {
        if to <= self.next {
            return;
        }
        let start = self.next;
        self.next = to;
        match self.part.absent.last_mut() {
            Some(last) if last.end == start && last.reason == reason => last.end = to,
            _ => self.part.absent.push(OffsetGap {
                start,
                end: to,
                reason,
            }),
        }
    }

    /// Accounts for the offsets before a good batch.
    fn reach(&mut self, base_offset: i64) {
        if let Some((_, text)) = self.pending.take() {
            self.damage_at(&text);
            self.gap(base_offset, GapReason::Corrupt);
        }
        self.gap(
            self.fetched.log_start_offset.min(base_offset),
            GapReason::Deleted,
        );
        self.gap(base_offset, GapReason::Compacted);
    }

    fn skip_batch(&mut self, header: &BatchHeader, reason: GapReason) {
        self.reach(header.stamp.base_offset);
        self.gap(header.offsets().end, reason);
    }

    fn take_batch(&mut self, batch: &RecordBatch<'_>, decoder: &mut RecordDecoder) {
        let wanted = self.next..self.fetched.end;
        let block = &mut self.part.block;
        match decoder.decode_into(batch, &wanted, self.topic_partition, block) {
            Ok(decoded) => {
                self.reach(decoded.stamp.base_offset);
                self.account(&decoded);
                self.keep(batch);
            }
            Err(reason) => {
                self.reach(batch.header.stamp.base_offset);
                self.damage_at(&with_advice(&reason));
                self.gap(batch.header.offsets().end, GapReason::Corrupt);
            }
        }
        if self.part.block.bytes.len() >= self.block_bytes {
            self.flush();
        }
    }

    fn keep(&mut self, batch: &RecordBatch<'_>) {
        // The base offset of an old compressed message set is only a lower bound.
        if self.fetched.is_kept && batch.header.magic == 2 {
            self.part.kept.push(KeptBatch {
                header: batch.header,
                payload: self.fetched.records.slice_ref(batch.payload()),
            });
        }
    }

    /// Accounts for the records of a batch and the holes between them.
    fn account(&mut self, decoded: &Decoded) {
        let after = decoded.stamp.last_offset.saturating_add(1);
        let delivered = i64::try_from(decoded.slots.len()).unwrap_or(i64::MAX);
        if delivered != after - self.next {
            for index in decoded.slots.clone() {
                let Some(offset) = self.part.block.slots.get(index).map(|slot| slot.offset) else {
                    break;
                };
                self.gap(offset, GapReason::Compacted);
                self.next = offset + 1;
            }
            // Behind the end nothing was looked for.
            self.gap(after.min(self.fetched.end), GapReason::Compacted);
        }
        self.next = after;
    }

    fn note_damage(&mut self, offsets: Option<Range<i64>>, text: String) {
        if let Some((Some(earlier), earlier_text)) = self.pending.take() {
            self.damage_at(&earlier_text);
            self.gap(earlier.end, GapReason::Corrupt);
        }
        self.pending = Some((offsets, text));
    }

    fn damage_at(&mut self, text: &str) {
        let text = format!("record batch at offset {}: {text}", self.next);
        self.part.damage.push(text);
    }

    /// Says what stops the reading at the end of the answer, if anything does.
    fn settle_tail(&mut self, incomplete: Option<(usize, usize)>) -> Option<Obstacle> {
        let is_first = self.next == self.fetched.expected;
        let Some((offsets, text)) = self.pending.take() else {
            return incomplete
                .filter(|_| is_first)
                .map(|(_, needed)| Obstacle::NeedsBytes(needed));
        };
        if !is_first || incomplete.is_some() {
            return Some(Obstacle::DamagedTail(text));
        }
        let next = self.next;
        let limit = self.fetched.limit;
        match offsets {
            Some(offsets) if offsets.contains(&next) && offsets.end <= limit => {
                self.damage_at(&text);
                self.gap(offsets.end, GapReason::Corrupt);
                None
            }
            _ => Some(Obstacle::Corrupt(text)),
        }
    }

    fn flush(&mut self) {
        let part = Part {
            next_offset: self.next,
            absent: std::mem::take(&mut self.part.absent),
            block: std::mem::take(&mut self.part.block),
            damage: std::mem::take(&mut self.part.damage),
            kept: std::mem::take(&mut self.part.kept),
        };
        self.part.block = (self.hand_on)(part);
        self.part.next_offset = self.next;
        self.name_topic_partition();
    }

    fn finish(mut self) -> RecordBlock {
        let has_news = self.next > self.part.next_offset || !self.part.block.slots.is_empty();
        if has_news {
            self.flush();
        }
        self.part.block
    }
}
