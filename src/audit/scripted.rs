//! A source of records made by hand, some of which are gone when they are to be read again.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, RecordSlot, SplitId, TopicPartition};
use crate::source::{PositionUnit, ReadError, RecordRevisitor, RecordSource};
use crate::source::{SourceProgress, SplitCoverage};

/// Records of one file by their number: minute and document.
pub(super) struct ScriptedSource {
    pub(super) records: Vec<(i64, &'static str)>,
    /// Numbers of records that the second pass does not find.
    pub(super) gone: Vec<u64>,
    is_read: AtomicBool,
}

impl ScriptedSource {
    pub(super) fn new(records: &[(i64, &'static str)], gone: &[u64]) -> Self {
        Self {
            records: records.to_vec(),
            gone: gone.to_vec(),
            is_read: AtomicBool::new(false),
        }
    }

    fn push(&self, position: u64, block: &mut RecordBlock) {
        let (minute, document) = self.records[usize::try_from(position).unwrap()];
        let value = block.push_bytes(document.as_bytes());
        block.slots.push(RecordSlot {
            timestamp_millis: minute * 60_000,
            value,
            ..RecordSlot::new(position)
        });
    }

    fn positions(&self) -> std::ops::Range<u64> {
        0..u64::try_from(self.records.len()).unwrap()
    }
}

impl RecordSource for ScriptedSource {
    fn name(&self) -> String {
        "scripted".to_owned()
    }

    fn splits(&self) -> Vec<SplitId> {
        vec![SplitId(0)]
    }

    fn topic_partition(&self, _split: SplitId) -> Option<TopicPartition> {
        None
    }

    fn position_unit(&self) -> PositionUnit {
        PositionUnit::Number
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        block.clear(SplitId(0));
        if self.is_read.swap(true, Ordering::Relaxed) {
            return Ok(false);
        }
        self.positions()
            .for_each(|position| self.push(position, block));
        Ok(true)
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress::default()
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        vec![SplitCoverage::File(FileCoverage {
            path: self.name(),
            format: "jsonl".to_owned(),
            format_reason: String::new(),
            bytes: 0,
            records_read: self.positions().end,
            damage: None,
            notes: Vec::new(),
        })]
    }

    fn revisit(&self, _split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        Ok(Box::new(ScriptedRevisitor(self)))
    }
}

struct ScriptedRevisitor<'a>(&'a ScriptedSource);

impl RecordRevisitor for ScriptedRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        for position in positions {
            if !self.0.gone.contains(position) {
                self.0.push(*position, block);
            }
        }
        Ok(positions.len())
    }
}
