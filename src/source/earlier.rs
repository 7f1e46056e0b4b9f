//! A partition that an earlier run has read and that cannot be read any more.

use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::{PositionUnit, ReadError, RecordRevisitor, RecordSource};
use crate::source::{SourceProgress, SplitCoverage};

/// A partition of a topic that is not read now, or was deleted.
pub struct GonePartition {
    split: SplitId,
    topic_partition: TopicPartition,
}

impl GonePartition {
    /// Returns the partition as a source that has nothing.
    pub fn new(split: SplitId, topic_partition: TopicPartition) -> Self {
        Self {
            split,
            topic_partition,
        }
    }
}

impl RecordSource for GonePartition {
    fn name(&self) -> String {
        self.topic_partition.topic.to_string()
    }

    fn splits(&self) -> Vec<SplitId> {
        vec![self.split]
    }

    fn topic_partition(&self, _split: SplitId) -> Option<TopicPartition> {
        Some(self.topic_partition.clone())
    }

    fn position_unit(&self) -> PositionUnit {
        PositionUnit::Offset
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        block.clear(self.split);
        Ok(false)
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress::default()
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        Vec::new()
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        Ok(Box::new(NothingLeft(split)))
    }
}

/// Finds no record.
pub(crate) struct NothingLeft(pub(crate) SplitId);

impl RecordRevisitor for NothingLeft {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        block.clear(self.0);
        Ok(positions.len())
    }
}
