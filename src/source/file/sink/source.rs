//! Adds what a sink's path says to the records of its file.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::file::cut::envelope::opener::Scratch;
use crate::source::file::sink::column::ColumnStore;
use crate::source::file::sink::siblings::Joined;
use crate::source::file::sink::{Sibling, SinkName, Wrapping};
use crate::source::{
    PositionUnit, ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage,
};

/// Records of one file of a sink.
pub(crate) struct SinkSource {
    inner: Box<dyn RecordSource>,
    name: SinkName,
    /// Offset behind the last record, by the file's name or where the next file starts.
    end: Option<i64>,
    /// The same file once more, to count its records before the first of them is read.
    counted: Mutex<Option<Box<dyn RecordSource>>>,
    lines: OnceLock<Result<Lines, String>>,
    /// What stands around the records, offsets included.
    wrapping: Option<Wrapping>,
    /// Keys and headers that are not read yet, and where they will be kept.
    siblings: Mutex<Option<(Vec<Sibling>, Arc<ColumnStore>)>>,
    joined: OnceLock<Result<Vec<Joined>, String>>,
}

/// What the offsets of a file's records are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Offsets {
    /// Those that stand with the records.
    Recorded,
    /// They follow from lines.
    Derived(i64, i64),
    /// Nothing proves them.
    Unknown(String),
}

impl SinkSource {
    /// Returns the records of `inner` with the coordinates that `name` says; `counted` is the same
    /// file once more.
    pub(crate) fn new(
        inner: Box<dyn RecordSource>,
        counted: Box<dyn RecordSource>,
        name: SinkName,
        end: Option<i64>,
    ) -> Self {
        Self {
            inner,
            name,
            end,
            counted: Mutex::new(Some(counted)),
            lines: OnceLock::new(),
            wrapping: None,
            siblings: Mutex::default(),
            joined: OnceLock::new(),
        }
    }

    /// Returns the records of `inner` taken out of what stands around them.
    pub(crate) fn wrapped(
        inner: Box<dyn RecordSource>,
        name: SinkName,
        wrapping: Wrapping,
    ) -> Self {
        Self {
            inner,
            name,
            end: None,
            counted: Mutex::default(),
            lines: OnceLock::new(),
            wrapping: Some(wrapping),
            siblings: Mutex::default(),
            joined: OnceLock::new(),
        }
    }

    /// Joins keys and headers to the records; they are kept in `store`.
    pub(crate) fn with_siblings(mut self, siblings: Vec<Sibling>, store: Arc<ColumnStore>) -> Self {
        self.siblings = Mutex::new(Some((siblings, store)));
        self
    }

    /// Returns whether each record's offset is known for certain.
    pub(crate) fn has_offsets(&self) -> bool {
        !matches!(self.offsets(), Offsets::Unknown(_))
    }

    /// Returns where the records start, one to a line.
    fn lines(&self) -> Result<&Lines, String> {
        let count = || {
            let counted = lock(&self.counted).take();
            Lines::count(&*counted.ok_or("it cannot be read twice")?)
        };
        self.lines.get_or_init(count).as_ref().map_err(Clone::clone)
    }

    /// Offsets follow only where there are as many records as offsets, one to a line.
    fn offsets(&self) -> Offsets {
        match self.wrapping {
            Some(Wrapping::Tombstone(_)) => {
                return Offsets::Unknown("keys of tombstones stand apart".to_owned());
            }
            Some(Wrapping::Object | Wrapping::Row(_)) => return Offsets::Recorded,
            None => {}
        }
        let start = self.name.start;
        let Some(end) = self.end else {
            return Offsets::Unknown("nothing says which offset is the last".to_owned());
        };
        let count = u64::try_from(end - start).unwrap_or_default();
        match self.lines() {
            Err(why) => Offsets::Unknown(why),
            Ok(lines) if lines.records != count => {
                let records = lines.records;
                let what = format!("it has {records} records for the {count} offsets");
                Offsets::Unknown(format!("{what} [{start}, {end})"))
            }
            Ok(lines) if !lines.are_one_to_a_line() => {
                Offsets::Unknown(NOT_ONE_TO_A_LINE.to_owned())
            }
            Ok(_) => Offsets::Derived(start, end),
        }
    }

    /// Returns the keys and headers of the records, read when the first record is.
    fn joined(&self) -> Result<&[Joined], ReadError> {
        let join = || {
            let Some((siblings, store)) = lock(&self.siblings).take() else {
                return Ok(Vec::new());
            };
            let records = || {
                let lines = self.lines()?;
                let is_numbered = lines.are_one_to_a_line();
                is_numbered
                    .then_some(lines.records)
                    .ok_or(NOT_ONE_TO_A_LINE.to_owned())
            };
            let joined = siblings
                .into_iter()
                .map(|sibling| sibling.join(records(), &store));
            joined.collect::<io::Result<Vec<_>>>().map_err(|error| {
                let dir = store.dir().display();
                format!("keep keys and headers in `{dir}`: {error}")
            })
        };
        match self.joined.get_or_init(join) {
            Ok(joined) => Ok(joined),
            Err(what) => Err(ReadError::Io(io::Error::other(what.clone()))),
        }
    }

    fn place(&self, block: &mut RecordBlock) -> Result<(), ReadError> {
        if let Some(wrapping) = &self.wrapping {
            let mut scratch = Scratch::default();
            wrapping.open(block, &mut scratch);
        }
        let joined = self.joined()?;
        if !joined.is_empty() && !block.slots.is_empty() {
            let first_line = self.lines().map_or(1, |lines| lines.first);
            for of in joined {
                of.fill(block, first_line)?;
            }
        }
        let of = &self.name.topic_partition;
        let topic_partition = block.intern_topic_partition(&of.topic, of.partition);
        let derived = match self.offsets() {
            Offsets::Derived(start, _) => self.lines().ok().map(|lines| (start, lines.first)),
            Offsets::Recorded | Offsets::Unknown(_) => None,
        };
        for slot in &mut block.slots {
            slot.topic_partition = topic_partition;
            if let Some((start, first_line)) = derived.filter(|_| slot.offset < 0) {
                let line = slot.line.saturating_sub(first_line);
                slot.offset = start.saturating_add_unsigned(line);
            }
        }
        Ok(())
    }

    /// Returns what is to be said of coordinates.
    fn reason(&self) -> String {
        let of = &self.name.topic_partition;
        let offsets = match self.offsets() {
            Offsets::Recorded => {
                let signs = self.wrapping.as_ref().map_or("", Wrapping::signs);
                format!("offsets stand with the records: {signs}, the first as the path says")
            }
            Offsets::Derived(start, end) => {
                format!("offsets are derived: it has a record for each of [{start}, {end})")
            }
            Offsets::Unknown(why) => format!("offsets are not derived: {why}"),
        };
        format!("{of} by the sink's path, {offsets}")
    }
}

const NOT_ONE_TO_A_LINE: &str = "its records are not one to a line";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines in which the records of a file start.
struct Lines {
    records: u64,
    first: u64,
    last: u64,
}

impl Lines {
    fn are_one_to_a_line(&self) -> bool {
        self.first > 0 && self.last - self.first + 1 == self.records
    }

    fn count(source: &dyn RecordSource) -> Result<Self, String> {
        let mut block = RecordBlock::default();
        let mut lines = Self {
            records: 0,
            first: u64::MAX,
            last: 0,
        };
        while source
            .next_block(&mut block)
            .map_err(|error| error.to_string())?
        {
            for slot in &block.slots {
                lines.records += 1;
                lines.first = lines.first.min(slot.line);
                lines.last = lines.last.max(slot.line);
            }
        }
        let is_whole = |of: &SplitCoverage| match of {
            SplitCoverage::File(file) => file.is_complete(),
            SplitCoverage::Partition(partition) => partition.is_complete(),
        };
        if lines.records == 0 || !source.coverage().iter().all(is_whole) {
            return Err("it is empty or damaged".to_owned());
        }
        Ok(lines)
    }
}

impl RecordSource for SinkSource {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn splits(&self) -> Vec<SplitId> {
        self.inner.splits()
    }

    fn topic_partition(&self, split: SplitId) -> Option<TopicPartition> {
        self.inner.topic_partition(split)
    }

    fn can_repeat_coordinates(&self) -> bool {
        true
    }

    fn position_unit(&self) -> PositionUnit {
        self.inner.position_unit()
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        let has_more = self.inner.next_block(block)?;
        self.place(block)?;
        Ok(has_more)
    }

    fn progress(&self) -> SourceProgress {
        self.inner.progress()
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let mut coverage = self.inner.coverage();
        for of in &mut coverage {
            let SplitCoverage::File(file) = of else {
                continue;
            };
            file.format_reason = format!("{}; {}", file.format_reason, self.reason());
            for joined in self.joined().unwrap_or_default() {
                match joined.statement() {
                    Ok(note) => file.notes.push(note),
                    Err(damage) => {
                        let known = file.damage.take().map(|known| known + "; ");
                        file.damage = Some(known.unwrap_or_default() + &damage);
                    }
                }
            }
        }
        coverage
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        Ok(Box::new(SinkRevisitor {
            source: self,
            inner: self.inner.revisit(split)?,
        }))
    }
}

/// Reads records of one file of a sink again.
struct SinkRevisitor<'a> {
    source: &'a SinkSource,
    inner: Box<dyn RecordRevisitor + 'a>,
}

impl RecordRevisitor for SinkRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        let done = self.inner.fetch(positions, block)?;
        self.source.place(block)?;
        Ok(done)
    }
}
