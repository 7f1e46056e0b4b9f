//! Records with the same coordinates, read from two places or twice from one.

mod noted;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::audit::AuditError;
use crate::audit::collect::Outcome;
use crate::finding::SkipReason;
use crate::record::Payload;
use crate::record::RecordBlock;
use crate::record::RecordView;
use crate::record::SplitId;
use crate::record::TopicPartition;
use crate::sorted_run::fixed::FixedRecord;
use crate::sorted_run::fixed::FixedSorter;
use crate::sorted_run::fixed::SortedFixed;
use crate::sorted_run::fixed::{put_fields, take_field};

/// One record's coordinates, what it holds, where it was read, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) struct Coordinates {
    topic_partition: u32,
    offset: i64,
    pub(in crate::audit) split: u32,
    position: u64,
    /// Hashes of key and value, 0 where the source does not record it.
    key: u64,
    value: u64,
    outcome: u8,
}

impl Coordinates {
    /// What one of two sources leaves out contradicts nothing.
    fn has_same_content(&self, other: &Self) -> bool {
        let agrees = |one: u64, another: u64| one == another || one == 0 || another == 0;
        agrees(self.key, other.key) && agrees(self.value, other.value)
    }
}

impl FixedRecord for Coordinates {
    const BYTES: usize = 41;

    fn write(&self, out: &mut [u8]) {
        put_fields(
            out,
            [
                self.topic_partition.to_le_bytes().as_slice(),
                &self.offset.to_le_bytes(),
                &self.split.to_le_bytes(),
                &self.position.to_le_bytes(),
                &self.key.to_le_bytes(),
                &self.value.to_le_bytes(),
                &[self.outcome],
            ],
        );
    }

    fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        Self {
            topic_partition: u32::from_le_bytes(take_field(&mut rest)),
            offset: i64::from_le_bytes(take_field(&mut rest)),
            split: u32::from_le_bytes(take_field(&mut rest)),
            position: u64::from_le_bytes(take_field(&mut rest)),
            key: u64::from_le_bytes(take_field(&mut rest)),
            value: u64::from_le_bytes(take_field(&mut rest)),
            outcome: u8::from_le_bytes(take_field(&mut rest)),
        }
    }
}

/// A record that must not stand in a group beside the one with the same coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Excluded {
    pub(super) split: SplitId,
    pub(super) position: u64,
}

impl FixedRecord for Excluded {
    const BYTES: usize = 12;

    fn write(&self, out: &mut [u8]) {
        let (split, position) = out.split_at_mut(4);
        split.copy_from_slice(&self.split.0.to_le_bytes());
        position.copy_from_slice(&self.position.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        let (split, position) = bytes.split_at(4);
        Self {
            split: SplitId(u32::from_le_bytes(split.try_into().expect("four bytes"))),
            position: u64::from_le_bytes(position.try_into().expect("eight bytes")),
        }
    }
}

/// Collects coordinates in the first pass.
pub(super) struct CoordinateIndex {
    topic_partitions: Mutex<HashMap<TopicPartition, u32>>,
    sorter: Mutex<FixedSorter<Coordinates>>,
    spans: Mutex<Vec<OffsetSpan>>,
}

/// The offsets of one topic partition in one block, or in all that one process has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::audit) struct OffsetSpan {
    topic_partition: u32,
    first: i64,
    last: i64,
    is_increasing: bool,
}

/// A worker's share: filled record by record, handed over block by block.
#[derive(Default)]
pub(super) struct BlockCoordinates {
    records: Vec<Coordinates>,
}

impl BlockCoordinates {
    /// Notes one record with coordinates, and what became of it.
    pub(super) fn note(&mut self, view: RecordView<'_>, outcome: Outcome) {
        let Some(offset) = view.offset() else { return };
        if view.topic_partition().is_none() {
            return;
        }
        self.records.push(Coordinates {
            topic_partition: view.slot().topic_partition,
            offset,
            split: view.block().split.0,
            position: view.slot().position,
            key: content_hash(view.key()),
            value: content_hash(view.value()),
            outcome: encode(outcome),
        });
    }
}

/// Hash of null, which no bytes are meant to have.
const NULL_HASH: u64 = 1;

/// Key and value are what most sources of the same record have; exports drop the rest.
fn content_hash(payload: Payload<'_>) -> u64 {
    match payload {
        Payload::Unrecorded => 0,
        Payload::Null => NULL_HASH,
        Payload::Bytes(bytes) => xxh3_64(bytes).max(NULL_HASH + 1),
    }
}

/// Whatever can become of a record; its place here is its code.
const OUTCOMES: [Outcome; 8] = [
    Outcome::Skipped(SkipReason::OutsideRange),
    Outcome::Skipped(SkipReason::SameRecord),
    Outcome::Skipped(SkipReason::Tombstone),
    Outcome::Skipped(SkipReason::Undecodable),
    Outcome::Skipped(SkipReason::Filtered),
    Outcome::Skipped(SkipReason::MissingKey),
    Outcome::Audited,
    Outcome::Reversal,
];

fn encode(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Skipped(SkipReason::OutsideRange) => 0,
        Outcome::Skipped(SkipReason::SameRecord) => 1,
        Outcome::Skipped(SkipReason::Tombstone) => 2,
        Outcome::Skipped(SkipReason::Undecodable) => 3,
        Outcome::Skipped(SkipReason::Filtered) => 4,
        Outcome::Skipped(SkipReason::MissingKey) => 5,
        Outcome::Audited => 6,
        Outcome::Reversal => 7,
    }
}

/// What the coordinates came to.
pub(super) struct Overlap {
    /// Places to leave out of groups, ascending.
    pub(super) excluded: Option<SortedFixed<Excluded>>,
    /// What became, in the first pass, of each record that is now `same-record`.
    pub(super) same_records: Vec<(Outcome, u64)>,
    /// Same coordinates with other bytes.
    pub(super) conflicts: Conflicts,
}

/// Conflicts listed in a report; more are counted.
const CONFLICTS_MAX: usize = 1000;

/// Two records with the same coordinates and other bytes.
pub(super) struct Conflict {
    pub(super) topic_partition: TopicPartition,
    pub(super) offset: i64,
    pub(super) audited: Excluded,
    pub(super) other: Excluded,
}

/// The first conflicts, and how many there are in all.
#[derive(Default)]
pub(super) struct Conflicts {
    pub(super) listed: Vec<Conflict>,
    pub(super) count: u64,
}

impl CoordinateIndex {
    pub(super) fn new(spill_dir: &Path, memory_bytes: usize) -> Self {
        Self {
            topic_partitions: Mutex::default(),
            sorter: Mutex::new(FixedSorter::new(spill_dir, memory_bytes)),
            spans: Mutex::default(),
        }
    }

    /// Takes over what a worker noted of one block, and empties it.
    pub(super) fn add(
        &self,
        block: &RecordBlock,
        noted: &mut BlockCoordinates,
    ) -> Result<(), AuditError> {
        if noted.records.is_empty() {
            return Ok(());
        }
        let ids = self.intern(&block.topic_partitions);
        let mut spans: HashMap<u32, OffsetSpan> = HashMap::new();
        for record in &mut noted.records {
            let local = usize::try_from(record.topic_partition).unwrap_or(usize::MAX);
            record.topic_partition = *ids.get(local).expect("the block names its partitions");
            widen(&mut spans, record);
        }
        lock(&self.spans).extend(spans.into_values());
        let mut sorter = lock(&self.sorter);
        for record in noted.records.drain(..) {
            sorter.push(record)?;
        }
        Ok(())
    }

    fn intern(&self, topic_partitions: &[TopicPartition]) -> Vec<u32> {
        let mut known = lock(&self.topic_partitions);
        let mut ids = Vec::with_capacity(topic_partitions.len());
        for topic_partition in topic_partitions {
            let next = u32::try_from(known.len()).expect("fewer partitions than 2^32");
            ids.push(*known.entry(topic_partition.clone()).or_insert(next));
        }
        ids
    }

    /// Finds what was read twice; the place that comes first by split and position stands.
    pub(super) fn finish(self, memory_bytes: usize, dir: &Path) -> Result<Overlap, AuditError> {
        let mut overlap = Overlap {
            excluded: None,
            same_records: Vec::new(),
            conflicts: Conflicts::default(),
        };
        let spans = self.spans.into_inner().unwrap_or_default();
        if !may_overlap(spans) {
            return Ok(overlap);
        }
        let known = self.topic_partitions.into_inner().unwrap_or_default();
        let mut names: Vec<(u32, TopicPartition)> =
            known.into_iter().map(|(name, id)| (id, name)).collect();
        names.sort_unstable();
        let sorter = self
            .sorter
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut sorted = sorter.finish()?;
        let mut excluded = FixedSorter::new(dir, memory_bytes);
        let mut counts = [0_u64; OUTCOMES.len()];
        let mut kept: Option<Coordinates> = None;
        while let Some(record) = sorted.next().transpose()? {
            let is_same_place = |kept: &Coordinates| {
                kept.topic_partition == record.topic_partition && kept.offset == record.offset
            };
            let Some(first) = kept.filter(is_same_place) else {
                kept = Some(record);
                continue;
            };
            excluded.push(place(&record))?;
            if first.has_same_content(&record) {
                if let Some(count) = counts.get_mut(usize::from(record.outcome)) {
                    *count += 1;
                }
            } else {
                overlap.conflicts.note(&names, &first, &record);
            }
        }
        overlap.same_records = OUTCOMES
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .collect();
        overlap.excluded = Some(excluded.finish()?);
        Ok(overlap)
    }
}

impl Conflicts {
    fn note(&mut self, names: &[(u32, TopicPartition)], first: &Coordinates, other: &Coordinates) {
        self.count += 1;
        let name = usize::try_from(other.topic_partition)
            .ok()
            .and_then(|id| names.get(id));
        if let Some((_, topic_partition)) = name.filter(|_| self.listed.len() < CONFLICTS_MAX) {
            self.listed.push(Conflict {
                topic_partition: topic_partition.clone(),
                offset: other.offset,
                audited: place(first),
                other: place(other),
            });
        }
    }
}

fn place(record: &Coordinates) -> Excluded {
    Excluded {
        split: SplitId(record.split),
        position: record.position,
    }
}

fn widen(spans: &mut HashMap<u32, OffsetSpan>, record: &Coordinates) {
    spans
        .entry(record.topic_partition)
        .and_modify(|span| {
            span.is_increasing &= span.last < record.offset;
            span.first = span.first.min(record.offset);
            span.last = span.last.max(record.offset);
        })
        .or_insert(OffsetSpan {
            topic_partition: record.topic_partition,
            first: record.offset,
            last: record.offset,
            is_increasing: true,
        });
}

/// Most inputs are one export of ascending offsets: then nothing needs sorting.
fn may_overlap(mut spans: Vec<OffsetSpan>) -> bool {
    spans.sort_unstable();
    let is_disjoint = |pair: &[OffsetSpan]| match pair {
        [left, right] => left.topic_partition != right.topic_partition || left.last < right.first,
        _ => true,
    };
    !spans.iter().all(|span| span.is_increasing) || !spans.windows(2).all(is_disjoint)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordSlot;
    use crate::record::Span;

    /// One record of `t-0`: offset, key and value; without a key none is recorded.
    type Sample = (i64, Option<&'static [u8]>, &'static [u8]);

    fn block(split: u32, records: &[Sample]) -> RecordBlock {
        let mut block = RecordBlock::default();
        block.clear(SplitId(split));
        for (position, (offset, key, value)) in (0..).zip(records) {
            let topic_partition = block.intern_topic_partition("t", 0);
            let key = key.map_or(Span::UNRECORDED, |key| block.push_bytes(key));
            let value = block.push_bytes(value);
            block.slots.push(RecordSlot {
                offset: *offset,
                topic_partition,
                key,
                value,
                ..RecordSlot::new(position)
            });
        }
        block
    }

    fn overlap(blocks: &[RecordBlock]) -> (u64, u64, Vec<Excluded>) {
        let dir = tempfile::tempdir().unwrap();
        let index = CoordinateIndex::new(dir.path(), 1 << 16);
        for block in blocks {
            let mut noted = BlockCoordinates::default();
            for view in block.views() {
                noted.note(view, Outcome::Audited);
            }
            index.add(block, &mut noted).unwrap();
        }
        let overlap = index.finish(1 << 16, dir.path()).unwrap();
        let same = overlap.same_records.iter().map(|(_, count)| count).sum();
        let mut places = Vec::new();
        if let Some(mut excluded) = overlap.excluded {
            while let Some(place) = excluded.next().transpose().unwrap() {
                places.push(place);
            }
        }
        (same, overlap.conflicts.count, places)
    }

    fn excluded(split: u32, position: u64) -> Excluded {
        Excluded {
            split: SplitId(split),
            position,
        }
    }

    #[test]
    fn equal_records_at_equal_coordinates_are_one() {
        let first = block(0, &[(4, Some(b"k"), b"a"), (5, Some(b"k"), b"b")]);
        let second = block(1, &[(5, Some(b"k"), b"b"), (6, Some(b"k"), b"b")]);
        assert_eq!(overlap(&[second, first]), (1, 0, vec![excluded(1, 0)]));
    }

    #[test]
    fn other_bytes_at_equal_coordinates_are_a_conflict() {
        let first = block(0, &[(5, Some(b"k"), b"a")]);
        let values = block(1, &[(5, Some(b"k"), b"b")]);
        let keys = block(2, &[(5, Some(b""), b"a")]);
        let places = vec![excluded(1, 0), excluded(2, 0)];
        assert_eq!(overlap(&[first, values, keys]), (0, 2, places));
    }

    #[test]
    fn a_key_that_an_export_leaves_out_contradicts_nothing() {
        let topic = block(0, &[(5, Some(b"k"), b"a")]);
        let export = block(1, &[(5, None, b"a")]);
        assert_eq!(overlap(&[topic, export]), (1, 0, vec![excluded(1, 0)]));
    }

    #[test]
    fn ascending_offsets_of_one_source_need_no_sorting() {
        let first = block(0, &[(1, None, b"a"), (2, None, b"a")]);
        let second = block(0, &[(3, None, b"a"), (9, None, b"a")]);
        assert_eq!(overlap(&[second, first]), (0, 0, Vec::new()));
        let back = block(0, &[(2, None, b"a"), (2, None, b"a")]);
        assert_eq!(overlap(&[back]), (1, 0, vec![excluded(0, 1)]));
    }
}
