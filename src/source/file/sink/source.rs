//! Adds what a sink's path says to the records of its file.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::file::sink::SinkName;
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
    proof: OnceLock<Result<Derivation, String>>,
}

/// How offsets follow from lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Derivation {
    first_line: u64,
    start: i64,
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
            proof: OnceLock::new(),
        }
    }

    /// Returns whether each record's offset is known for certain.
    pub(crate) fn has_offsets(&self) -> bool {
        self.proof().is_ok()
    }

    /// Offsets follow only where there are as many records as offsets, one to a line.
    fn proof(&self) -> &Result<Derivation, String> {
        self.proof.get_or_init(|| {
            let counted = self
                .counted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let end = self.end.ok_or("nothing says which offset is the last")?;
            let counted = counted.ok_or("it cannot be read twice")?;
            let offsets = u64::try_from(end - self.name.start).unwrap_or_default();
            let lines = Lines::count(&*counted)?;
            if lines.records != offsets {
                let (records, start) = (lines.records, self.name.start);
                return Err(format!(
                    "it has {records} records for the {offsets} offsets [{start}, {end})"
                ));
            }
            if lines.last - lines.first + 1 != lines.records || lines.first == 0 {
                return Err("its records are not one to a line".to_owned());
            }
            Ok(Derivation {
                first_line: lines.first,
                start: self.name.start,
            })
        })
    }

    fn place(&self, block: &mut RecordBlock) {
        let of = &self.name.topic_partition;
        let topic_partition = block.intern_topic_partition(&of.topic, of.partition);
        let derived = self.proof().as_ref().ok();
        for slot in &mut block.slots {
            slot.topic_partition = topic_partition;
            if let Some(derived) = derived.filter(|_| slot.offset < 0) {
                let line = slot.line.saturating_sub(derived.first_line);
                slot.offset = derived.start.saturating_add_unsigned(line);
            }
        }
    }
}

/// The lines in which the records of a file start.
struct Lines {
    records: u64,
    first: u64,
    last: u64,
}

impl Lines {
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
        self.place(block);
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
            let of = &self.name.topic_partition;
            let offsets = match self.proof() {
                Ok(derived) => {
                    let end = self.end.unwrap_or_default();
                    format!(
                        "offsets are derived: it has a record for each of [{}, {end})",
                        derived.start
                    )
                }
                Err(why) => format!("offsets are not derived: {why}"),
            };
            let reason = &file.format_reason;
            file.format_reason = format!("{reason}; {of} by the sink's path, {offsets}");
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
        self.source.place(block);
        Ok(done)
    }
}
