//! One container file as a source of records, whatever its format.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId, TopicPartition, ValueFormat};
use crate::source::file::opening::whole::WholeFile;
use crate::source::file::unpack::length_u64;
use crate::source::{
    PositionUnit, ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage,
};

/// Damaged places that are listed; more are counted.
const LISTED_MAX: usize = 20;
/// Bytes of records read again at a time.
const BLOCK_BYTES: usize = 1024 * 1024;

/// A container file, whose records are found by their numbers.
pub(crate) trait Container: Send + Sync {
    /// Name of the format.
    fn format(&self) -> &'static str;

    /// The file.
    fn whole(&self) -> &WholeFile;

    /// Adds the next records; returns false at the end. Called by several threads at once.
    fn read_next(&self, block: &mut RecordBlock) -> bool;

    /// Returns how many bytes of the file are dealt with.
    fn bytes_done(&self) -> u64;

    /// Returns what kept it from being read whole.
    fn damage(&self) -> Vec<String>;

    /// Returns what finds records again.
    fn finder(&self) -> Box<dyn NumberFinder + '_>;
}

/// Finds records by their numbers.
pub(crate) trait NumberFinder: Send {
    /// Adds the first of `numbers`, which ascend over all calls, and as many of the others as are
    /// at hand; returns how many are dealt with, at least one.
    fn add(&mut self, numbers: &[u64], block: &mut RecordBlock) -> io::Result<usize>;
}

/// Records of one container file.
pub(crate) struct ContainerSource<C> {
    split: SplitId,
    reason: String,
    records_read: AtomicU64,
    container: C,
}

impl<C: Container> ContainerSource<C> {
    /// Returns the records of a container whose format was chosen for `reason`.
    pub(crate) fn new(split: SplitId, reason: String, container: C) -> Self {
        Self {
            split,
            reason,
            records_read: AtomicU64::new(0),
            container,
        }
    }
}

impl<C: Container> RecordSource for ContainerSource<C> {
    fn name(&self) -> String {
        self.container.whole().name.clone()
    }

    fn splits(&self) -> Vec<SplitId> {
        vec![self.split]
    }

    fn topic_partition(&self, _split: SplitId) -> Option<TopicPartition> {
        None
    }

    fn position_unit(&self) -> PositionUnit {
        PositionUnit::Number
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        start_block(block, self.split);
        let has_more = self.container.read_next(block);
        let count = length_u64(block.slots.len());
        self.records_read.fetch_add(count, Ordering::Relaxed);
        Ok(has_more)
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress {
            done: self.container.bytes_done(),
            total: self.container.whole().length(),
        }
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let whole = self.container.whole();
        let changes = whole.changes();
        let mut damage: Vec<String> = whole.damage.iter().cloned().collect();
        damage.extend(changes.damage);
        damage.extend(self.container.damage());
        vec![SplitCoverage::File(FileCoverage {
            path: whole.name.clone(),
            format: whole.format(self.container.format()),
            format_reason: self.reason.clone(),
            bytes: whole.stored(self.container.bytes_done()),
            records_read: self.records_read.load(Ordering::Relaxed),
            damage: (!damage.is_empty()).then(|| damage.join("; ")),
            notes: changes.grown.into_iter().chain(changes.note).collect(),
        })]
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        if split != self.split {
            let name = &self.container.whole().name;
            let what = format!("`{name}` was asked for a split of another source");
            return Err(ReadError::Internal(what));
        }
        Ok(Box::new(ContainerRevisitor {
            split,
            finder: self.container.finder(),
        }))
    }
}

fn start_block(block: &mut RecordBlock, split: SplitId) {
    block.clear(split);
    block.value_format = ValueFormat::Json;
}

/// Reads records of one container file again, by their numbers.
struct ContainerRevisitor<'a> {
    split: SplitId,
    finder: Box<dyn NumberFinder + 'a>,
}

impl RecordRevisitor for ContainerRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        start_block(block, self.split);
        let mut done = 0;
        while let Some(rest) = positions.get(done..).filter(|rest| !rest.is_empty()) {
            if block.bytes.len() >= BLOCK_BYTES {
                break;
            }
            done += self.finder.add(rest, block)?.max(1);
        }
        Ok(done)
    }
}

/// Damaged places of a file, the first of them in order.
#[derive(Debug, Default)]
pub(crate) struct DamageList {
    first: BTreeMap<u64, String>,
    count: u64,
}

impl DamageList {
    /// Lists what is wrong at a place.
    pub(crate) fn note(&mut self, place: u64, what: String) {
        self.count += 1;
        self.first
            .entry(place)
            .and_modify(|known| *known = format!("{known}; {what}"))
            .or_insert(what);
        if self.first.len() > LISTED_MAX {
            self.first.pop_last();
        }
    }

    /// Returns the first places, and how many `things` more there are.
    pub(crate) fn lines(&self, things: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.first.values().cloned().collect();
        let unlisted = self.count.saturating_sub(length_u64(lines.len()));
        if unlisted > 0 {
            lines.push(format!("and {unlisted} more {things}"));
        }
        lines
    }
}
