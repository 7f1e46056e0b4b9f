//! A source that another process has read.

use crate::audit::parts::survey::SurveyedSource;
use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::{PositionUnit, ReadError, RecordRevisitor, RecordSource};
use crate::source::{SourceProgress, SplitCoverage};

impl RecordSource for SurveyedSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn splits(&self) -> Vec<SplitId> {
        self.splits.iter().map(|(split, _)| *split).collect()
    }

    fn topic_partition(&self, split: SplitId) -> Option<TopicPartition> {
        let of = self.splits.iter().find(|(own, _)| *own == split);
        of.and_then(|(_, topic_partition)| topic_partition.clone())
    }

    fn position_unit(&self) -> PositionUnit {
        self.position_unit
    }

    fn next_block(&self, _block: &mut RecordBlock) -> Result<bool, ReadError> {
        Ok(false)
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress::default()
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        self.coverage.clone()
    }

    fn revisit(&self, _split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        let what = format!("`{}` was read by another process", self.name);
        Err(ReadError::Internal(what))
    }
}
