//! One segment as a source of records.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::finding::FileCoverage;
use crate::record::grouped;
use crate::record::{RecordBlock, SplitId, TopicPartition, ValueFormat};
use crate::source::file::segment::batches::{BatchWalk, Piece};
use crate::source::file::segment::partition_log::{PartitionLog, SegmentFile, Survey};
use crate::source::file::segment::revisit::SegmentRevisitor;
use crate::source::file::segment::statement::Statement;
use crate::source::file::segment::transactions::Fate;
use crate::source::kafka::Isolation;
use crate::source::record_batch::{BatchHeader, RecordBatch, RecordDecoder};
use crate::source::{
    PositionUnit, ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage, StopFlag,
};

/// Bytes of a block from which it is handed on.
const BLOCK_BYTES: usize = 8 * 1024 * 1024;
/// A batch that unpacks to more is damaged.
pub(super) const UNPACKED_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Where a chunk starts, and the lowest offset in it.
pub(super) type ChunkPlace = (u64, i64);

/// Records of one segment.
pub(crate) struct SegmentSource {
    split: SplitId,
    file: Arc<SegmentFile>,
    log: Arc<PartitionLog>,
    reason: String,
    isolation: Isolation,
    chunk_bytes: usize,
    stop: StopFlag,
    position: AtomicU64,
    records_read: AtomicU64,
    pass: Mutex<Pass>,
    workers: Mutex<Vec<Worker>>,
    /// Chunks of which a block took only a part.
    leftovers: Mutex<Vec<Chunk>>,
}

/// How far the first pass has come.
#[derive(Default)]
struct Pass {
    state: PassState,
    /// The chunks given out.
    places: Vec<ChunkPlace>,
    statement: Statement,
}

#[derive(Default)]
enum PassState {
    #[default]
    NotStarted,
    Reading(BatchWalk),
    Ended,
}

/// Whole batches, some still to be unpacked.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// Batches to unpack, the first one last, and whether their transactions were aborted.
    batches: Vec<(BatchHeader, Range<usize>, bool)>,
}

/// What one thread uses again and again.
struct Worker {
    decoder: RecordDecoder,
    chunk: Chunk,
}

impl SegmentSource {
    /// Returns a source of the records of `file`, a segment of `log`.
    pub(crate) fn new(
        split: SplitId,
        (file, reason): (Arc<SegmentFile>, String),
        log: Arc<PartitionLog>,
        (isolation, chunk_bytes): (Isolation, usize),
        stop: StopFlag,
    ) -> Self {
        Self {
            split,
            file,
            log,
            reason,
            isolation,
            chunk_bytes,
            stop,
            position: AtomicU64::new(0),
            records_read: AtomicU64::new(0),
            pass: Mutex::default(),
            workers: Mutex::default(),
            leftovers: Mutex::default(),
        }
    }

    fn lock_pass(&self) -> MutexGuard<'_, Pass> {
        lock(&self.pass)
    }

    /// Takes the next chunk, and decides which of its batches are read; returns false at the end.
    fn take_chunk(&self, chunk: &mut Chunk, survey: &Survey) -> bool {
        let mut pass = self.lock_pass();
        if matches!(pass.state, PassState::NotStarted) {
            pass.state = match self.file.whole.open() {
                Ok(file) => {
                    let length = self.file.whole.length();
                    PassState::Reading(BatchWalk::new(file, length, (0, 0), self.chunk_bytes))
                }
                Err(error) => {
                    pass.statement.end = Some(format!("cannot be opened again: {error}"));
                    PassState::Ended
                }
            };
        }
        let Pass {
            state,
            places,
            statement,
        } = &mut *pass;
        let PassState::Reading(walk) = state else {
            return false;
        };
        let place = walk.place();
        let is_end = place.0 >= self.file.whole.length();
        let stopped = (!is_end && self.stop.is_stopped())
            .then(|| format!("interrupted at byte {}", grouped(place.0)));
        let read = match &stopped {
            None => walk.next_chunk(&mut chunk.bytes, &mut chunk.pieces),
            Some(_) => Ok(()),
        };
        let unread = read.err().map(|error| {
            let byte = grouped(place.0);
            format!("cannot be read at byte {byte}: {error}")
        });
        if is_end || stopped.is_some() || unread.is_some() {
            statement.end = stopped.or(unread);
            *state = PassState::Ended;
            return false;
        }
        places.push(place);
        self.position.store(walk.place().0, Ordering::Relaxed);
        chunk.sort(survey, self.isolation, statement);
        true
    }

    /// Unpacks batches until the block is full.
    fn unpack(&self, worker: &mut Worker, block: &mut RecordBlock) {
        let topic_partition = name(self.log.topic_partition.as_ref(), block);
        let Worker { decoder, chunk } = worker;
        while block.bytes.len() < BLOCK_BYTES {
            let Some((header, place, is_aborted)) = chunk.batches.pop() else {
                break;
            };
            let payload = chunk.bytes.get(place).unwrap_or_default();
            let batch = RecordBatch::from_parts(header, payload);
            match decoder.decode_into(&batch, &(0..i64::MAX), topic_partition, block) {
                Ok(_) => {
                    if let Some(stamp) = block.batches.last_mut() {
                        stamp.is_aborted = Some(is_aborted);
                    }
                }
                Err(reason) => self.lock_pass().statement.note_undecoded(&header, &reason),
            }
        }
    }
}

impl RecordSource for SegmentSource {
    fn name(&self) -> String {
        self.file.whole.name.clone()
    }

    fn splits(&self) -> Vec<SplitId> {
        vec![self.split]
    }

    fn topic_partition(&self, _split: SplitId) -> Option<TopicPartition> {
        None
    }

    fn can_repeat_coordinates(&self) -> bool {
        self.log.topic_partition.is_some()
    }

    fn position_unit(&self) -> PositionUnit {
        PositionUnit::Offset
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        start_block(block, self.split);
        let survey = self.log.survey(&self.stop);
        let mut worker = lock(&self.workers).pop().unwrap_or_default();
        let leftover = lock(&self.leftovers).pop();
        let is_taken = match leftover {
            Some(chunk) => {
                worker.chunk = chunk;
                true
            }
            None => self.take_chunk(&mut worker.chunk, survey),
        };
        if is_taken {
            self.unpack(&mut worker, block);
            if !worker.chunk.batches.is_empty() {
                lock(&self.leftovers).push(std::mem::take(&mut worker.chunk));
            }
            let count = u64::try_from(block.slots.len()).unwrap_or(u64::MAX);
            self.records_read.fetch_add(count, Ordering::Relaxed);
        }
        lock(&self.workers).push(worker);
        Ok(is_taken)
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress {
            done: self.position.load(Ordering::Relaxed),
            total: self.file.whole.length(),
        }
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let whole = &self.file.whole;
        let pass = self.lock_pass();
        let survey = self.log.survey(&self.stop);
        let is_ended = matches!(pass.state, PassState::Ended);
        let is_whole = is_ended && pass.statement.end.is_none();
        let missing = survey.missing_behind(&whole.name).filter(|_| is_whole);
        let mut damage: Vec<String> = Vec::new();
        let changes = whole.changes();
        damage.extend(whole.damage.clone());
        damage.extend(changes.damage);
        damage.extend(survey.damage.clone());
        damage.extend(pass.statement.damage(self.isolation, missing.as_ref()));
        damage.extend((!is_ended).then(|| "not read to its end".to_owned()));
        let mut notes = pass.statement.notes(self.isolation, missing.as_ref());
        if self.log.topic_partition.is_none() {
            notes.push(
                "its folder is not named TOPIC-PARTITION, so its records have no coordinates"
                    .to_owned(),
            );
        }
        if !survey.others.is_empty() {
            let others = survey.others.join("`, `");
            notes.push(format!(
                "transaction markers were also looked for in `{others}`"
            ));
        }
        notes.extend(changes.grown.into_iter().chain(changes.note));
        vec![SplitCoverage::File(FileCoverage {
            path: whole.name.clone(),
            format: whole.format("segment"),
            format_reason: self.reason.clone(),
            bytes: whole.stored(self.position.load(Ordering::Relaxed)),
            records_read: self.records_read.load(Ordering::Relaxed),
            damage: (!damage.is_empty()).then(|| damage.join("; ")),
            notes,
        })]
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        let whole = &self.file.whole;
        if split != self.split {
            let what = format!("`{}` was asked for a split of another source", whole.name);
            return Err(ReadError::Internal(what));
        }
        let file = whole.open().map_err(|error| {
            let text = format!("read again `{}`: {error}", whole.name);
            ReadError::Io(io::Error::new(error.kind(), text))
        })?;
        let places = self.lock_pass().places.clone();
        Ok(Box::new(SegmentRevisitor::new(
            split,
            (file, whole.length(), self.chunk_bytes),
            places,
            self.log.topic_partition.clone(),
            &self.log.survey(&self.stop).transactions,
        )))
    }
}

impl Chunk {
    /// Sorts out which batches are unpacked.
    fn sort(&mut self, survey: &Survey, isolation: Isolation, statement: &mut Statement) {
        self.batches.clear();
        for piece in self.pieces.drain(..) {
            match piece {
                Piece::Data { header, payload } => {
                    let fate = survey.transactions.fate(&header.stamp);
                    match fate {
                        Fate::Committed => {}
                        Fate::Aborted => statement.note_aborted(&header),
                        Fate::Open => statement.note_open(&header),
                    }
                    if fate == Fate::Committed || isolation == Isolation::ReadUncommitted {
                        self.batches.push((header, payload, fate == Fate::Aborted));
                    }
                }
                Piece::Control { .. } => statement.note_control(),
                Piece::Damaged(damaged) => statement.note_damage(&damaged),
            }
        }
        self.batches.reverse();
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            decoder: RecordDecoder::new(UNPACKED_BYTES_MAX),
            chunk: Chunk::default(),
        }
    }
}

/// Empties a block for a split.
pub(super) fn start_block(block: &mut RecordBlock, split: SplitId) {
    block.clear(split);
    block.value_format = ValueFormat::Json;
}

/// Returns the block's index of a topic partition, if there is one.
pub(super) fn name(topic_partition: Option<&TopicPartition>, block: &mut RecordBlock) -> u32 {
    topic_partition.map_or(u32::MAX, |of| {
        block.intern_topic_partition(&of.topic, of.partition)
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
