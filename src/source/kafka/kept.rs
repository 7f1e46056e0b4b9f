//! Record batches of the first pass, kept packed for the second as far as the memory allows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;

use crate::record::{RecordBlock, TopicPartition};
use crate::source::record_batch::{BatchHeader, RecordBatch, RecordDecoder};

/// Bytes of records after which a thread picks no more.
const BLOCK_BYTES: usize = 1 << 20;
/// Batches that are worth a thread.
const BATCHES_PER_THREAD: usize = 4;
/// What a batch may unpack to where several are unpacked at once.
const UNPACKED_BYTES_MAX: usize = 4 << 20;

/// A batch whose records were delivered.
#[derive(Clone, Debug)]
pub(super) struct KeptBatch {
    /// What its header says.
    pub(super) header: BatchHeader,
    /// The records as they came.
    pub(super) payload: Bytes,
}

impl KeptBatch {
    fn first(&self) -> u64 {
        u64::try_from(self.header.stamp.base_offset).unwrap_or_default()
    }

    fn end(&self) -> u64 {
        u64::try_from(self.header.offsets().end).unwrap_or_default()
    }
}

/// The batches of all partitions, by index; the bytes of what they came in are counted.
#[derive(Debug, Default)]
pub struct KeptBatches {
    bytes_max: usize,
    unpacked_bytes_max: usize,
    keeping: Mutex<Keeping>,
}

#[derive(Debug, Default)]
struct Keeping {
    bytes: usize,
    is_over: bool,
    /// Of each partition, ascending and apart.
    partitions: Vec<Vec<KeptBatch>>,
}

/// A batch, and which of its records are wanted.
type Wanted<'a> = (&'a KeptBatch, &'a [u64]);

impl KeptBatches {
    /// Returns a store of at most `bytes_max` bytes, of batches that unpack to no more than
    /// `unpacked_bytes_max`.
    pub(super) fn new(bytes_max: usize, unpacked_bytes_max: usize) -> Self {
        Self {
            bytes_max,
            unpacked_bytes_max,
            keeping: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Keeping> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether an answer of so many bytes may be kept, which then counts.
    pub(super) fn make_room(&self, bytes: usize) -> bool {
        let mut keeping = self.lock();
        let filled = keeping.bytes.saturating_add(bytes);
        let has_room = !keeping.is_over && filled <= self.bytes_max;
        if has_room {
            keeping.bytes = filled;
        }
        has_room
    }

    /// Keeps batches of one partition, ascending, in place of those that reach beyond the first of
    /// them: what was read last counts.
    pub(super) fn keep(&self, partition: usize, batches: Vec<KeptBatch>) {
        let Some(first) = batches.first().map(KeptBatch::first) else {
            return;
        };
        let own_bytes = batches.len() * size_of::<KeptBatch>();
        let mut keeping = self.lock();
        keeping.bytes = keeping.bytes.saturating_add(own_bytes);
        if keeping.is_over || keeping.bytes > self.bytes_max {
            keeping.bytes -= own_bytes;
            return;
        }
        if keeping.partitions.len() <= partition {
            keeping.partitions.resize_with(partition + 1, Vec::new);
        }
        if let Some(kept) = keeping.partitions.get_mut(partition) {
            while kept.pop_if(|last| last.end() > first).is_some() {}
            kept.extend(batches);
        }
    }

    /// Keeps nothing more from now on.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
    }

    /// Gives up what is kept of a partition from an offset on.
    pub(super) fn give_up(&self, partition: usize, from: i64) {
        let from = u64::try_from(from).unwrap_or_default();
        if let Some(kept) = self.lock().partitions.get_mut(partition) {
            while kept.pop_if(|last| last.end() > from).is_some() {}
        }
    }

    /// Returns how many of `positions`, which ascend, come before the first that is kept.
    pub(super) fn not_kept(&self, partition: usize, positions: &[u64]) -> usize {
        let keeping = self.lock();
        let Some(kept) = keeping.partitions.get(partition) else {
            return positions.len();
        };
        let is_kept = |&position: &u64| batch_of(kept, position).is_some();
        let first = positions.iter().position(is_kept);
        first.unwrap_or(positions.len())
    }

    /// Puts the records at the first of `positions`, which ascend, into `block`, as far as they are
    /// kept, on up to `threads` threads; returns how many positions are dealt with.
    pub(super) fn read(
        &self,
        partition: (usize, &TopicPartition),
        positions: &[u64],
        threads: usize,
        block: &mut RecordBlock,
    ) -> usize {
        let (partition, name) = partition;
        let keeping = self.lock();
        let kept = keeping.partitions.get(partition);
        let wanted = wanted(kept.map_or(&[], Vec::as_slice), positions);
        let useful = wanted.len().div_ceil(BATCHES_PER_THREAD);
        let per_thread = wanted.len().div_ceil(threads.clamp(1, useful.max(1)));
        let pick = |part| picked(part, name, UNPACKED_BYTES_MAX);
        let parts: Vec<(usize, bool, RecordBlock)> = thread::scope(|scope| {
            let mut parts = wanted.chunks(per_thread.max(1));
            let own = parts.next();
            let others: Vec<_> = parts.map(|part| scope.spawn(move || pick(part))).collect();
            let others = others.into_iter().map(|other| match other.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            own.map(pick).into_iter().chain(others).collect()
        });
        let mut dealt_with = 0;
        for (count, is_whole, part) in parts {
            append(block, &part);
            dealt_with += count;
            if !is_whole {
                break;
            }
        }
        if dealt_with == 0
            && let Some(first) = wanted.get(..1)
        {
            // A batch that unpacks to more than most is dealt with alone.
            let (_, _, part) = picked(first, name, self.unpacked_bytes_max);
            append(block, &part);
            dealt_with = first.iter().map(|(_, positions)| positions.len()).sum();
        }
        dealt_with
    }
}

fn append(block: &mut RecordBlock, part: &RecordBlock) {
    for &slot in &part.slots {
        block.push_copy(part, slot);
    }
}

fn batch_of(kept: &[KeptBatch], position: u64) -> Option<&KeptBatch> {
    let place = kept.partition_point(|batch| batch.end() <= position);
    kept.get(place).filter(|batch| batch.first() <= position)
}

/// Returns the batches that the first of `positions` lie in, up to the first that is not kept.
fn wanted<'a>(kept: &'a [KeptBatch], positions: &'a [u64]) -> Vec<Wanted<'a>> {
    let mut wanted = Vec::new();
    let mut rest = positions;
    while let Some(batch) = rest.first().and_then(|&first| batch_of(kept, first)) {
        let count = rest.partition_point(|&position| position < batch.end());
        let (own, after) = rest.split_at(count);
        wanted.push((batch, own));
        rest = after;
    }
    wanted
}

/// Picks the records of some batches; returns how many positions are dealt with, whether these are
/// all of them, and the records.
fn picked(
    wanted: &[Wanted<'_>],
    TopicPartition { topic, partition }: &TopicPartition,
    unpacked_bytes_max: usize,
) -> (usize, bool, RecordBlock) {
    let mut decoder = RecordDecoder::new(unpacked_bytes_max);
    let mut block = RecordBlock::default();
    let place = block.intern_topic_partition(topic, *partition);
    let mut dealt_with = 0;
    for &(batch, positions) in wanted {
        if block.bytes.len() >= BLOCK_BYTES {
            return (dealt_with, false, block);
        }
        let packed = RecordBatch::from_parts(batch.header, &batch.payload);
        if decoder
            .pick_into(&packed, positions, place, &mut block)
            .is_err()
        {
            return (dealt_with, false, block);
        }
        dealt_with += positions.len();
    }
    (dealt_with, true, block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::record_batch::batch_encoder::TestBatch;
    use crate::source::record_batch::{BatchEvent, BatchReader};

    const BATCHES: i64 = 40;

    /// Returns batches of five records with the offsets that stand for their places.
    fn batches(places: std::ops::Range<i64>, attributes: i16) -> Vec<KeptBatch> {
        let encoded = places.map(|place| {
            let batch = TestBatch::of_records(place * 5, 5);
            TestBatch {
                attributes,
                ..batch
            }
            .encode()
        });
        let log = Bytes::from(encoded.flatten().collect::<Vec<u8>>());
        let events = BatchReader::new(&log, 0);
        let kept = events.map(|event| kept_batch(&log, &event));
        kept.collect()
    }

    fn kept_batch(log: &Bytes, event: &BatchEvent<'_>) -> KeptBatch {
        let BatchEvent::Data(batch) = event else {
            panic!("{event:?}");
        };
        KeptBatch {
            header: batch.header,
            payload: log.slice_ref(batch.payload()),
        }
    }

    fn name() -> TopicPartition {
        TopicPartition {
            topic: "orders".into(),
            partition: 3,
        }
    }

    fn read(kept: &KeptBatches, positions: &[u64], threads: usize) -> (Vec<u64>, usize) {
        let mut block = RecordBlock::default();
        let dealt_with = kept.read((1, &name()), positions, threads, &mut block);
        let views = block.views();
        let found = views.map(|view| {
            assert_eq!(view.topic_partition(), Some(&name()));
            assert!(view.value().bytes().is_some());
            let base = u64::try_from(view.batch().unwrap().base_offset).unwrap();
            assert_eq!(base, view.slot().position / 5 * 5);
            view.slot().position
        });
        (found.collect(), dealt_with)
    }

    #[test]
    fn what_is_kept_is_read_in_order_on_any_number_of_threads() {
        for (attributes, threads) in [(0, 1), (3, 1), (3, 2), (4, 7), (1, 100)] {
            let kept = KeptBatches::new(1 << 20, 1 << 20);
            kept.keep(1, batches(0..BATCHES, attributes));
            let positions: Vec<u64> = (0..200).filter(|at| at % 3 == 1 || at % 7 == 0).collect();
            let (found, dealt_with) = read(&kept, &positions, threads);
            assert_eq!((&found, dealt_with), (&positions, positions.len()));
            assert_eq!(read(&kept, &[199, 200], threads), (vec![199], 1));
            assert_eq!(read(&kept, &[200], threads), (vec![], 0));
        }
    }

    #[test]
    fn a_batch_that_unpacks_to_much_is_read_alone_and_a_thread_stops_at_its_share() {
        let large = |place: i64| {
            let mut batch = TestBatch::of_records(place * 5, 5);
            batch.attributes = 3;
            batch.records[2].value = Some(vec![b'x'; 5 << 20]);
            let log = Bytes::from(batch.encode());
            kept_batch(&log, &BatchReader::new(&log, 0).next().unwrap())
        };
        let kept = KeptBatches::new(16 << 20, 16 << 20);
        kept.keep(1, (0..20).map(large).collect());
        let positions: Vec<u64> = (0..100).collect();
        let mut rest = positions.as_slice();
        while !rest.is_empty() {
            let (found, dealt_with) = read(&kept, rest, 3);
            assert_eq!((found.as_slice(), dealt_with), (&rest[..5], 5));
            rest = &rest[5..];
        }
    }

    #[test]
    fn what_was_read_last_counts_and_what_is_given_up_is_gone() {
        let kept = KeptBatches::new(1 << 20, 1 << 20);
        kept.keep(1, batches(0..10, 0));
        kept.keep(1, batches(6..8, 4));
        assert_eq!(read(&kept, &[29, 30, 39, 40], 1), (vec![29, 30, 39], 3));
        assert_eq!(kept.not_kept(1, &[40, 41]), 2);
        assert_eq!(kept.not_kept(1, &[40, 41, 41]), 3);
        assert_eq!(kept.not_kept(0, &[1, 2]), 2);
        assert_eq!(kept.not_kept(1, &[39]), 0);
        kept.give_up(1, 31);
        assert_eq!(read(&kept, &[29, 30], 1), (vec![29], 1));
        kept.give_up(7, 0);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let kept = KeptBatches::new(2_000, 1 << 20);
        assert!(kept.make_room(1_000) && !kept.make_room(1_001));
        // What is noted of each batch counts too.
        kept.keep(1, batches(0..10, 0));
        assert_eq!(read(&kept, &[1], 1), (vec![], 0));
        kept.keep(1, batches(0..2, 0));
        assert_eq!(read(&kept, &[1], 1), (vec![1], 1));
        kept.end();
        kept.keep(1, batches(2..3, 0));
        assert!(!kept.make_room(1));
        assert_eq!(read(&kept, &[11], 1), (vec![], 0));
    }
}
