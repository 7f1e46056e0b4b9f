//! What a pass leaves beside its records: all that the statement needs.

use serde::{Deserialize, Serialize};

use crate::audit::collect::Counts;
use crate::audit::overlap::OffsetSpan;
use crate::audit::parts::plan_file::Question;
use crate::audit::unread::UnreadReasons;
use crate::record::{SplitId, TopicPartition};
use crate::source::{PositionUnit, RecordSource, SplitCoverage};

/// What the first pass of a task leaves beside its records.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Survey {
    pub(super) version: u32,
    pub(super) task: u32,
    pub(super) parts: u32,
    pub(super) question: Question,
    pub(super) sources: Vec<SurveyedSource>,
    pub(super) counts: Counts,
    pub(super) has_coordinates: bool,
    pub(super) topic_partitions: Vec<TopicPartition>,
    pub(super) spans: Vec<OffsetSpan>,
}

/// What a source says of itself once it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SurveyedSource {
    pub(super) name: String,
    pub(super) splits: Vec<(SplitId, Option<TopicPartition>)>,
    pub(super) position_unit: PositionUnit,
    pub(super) coverage: Vec<SplitCoverage>,
}

impl SurveyedSource {
    pub(super) fn of(source: &dyn RecordSource) -> Self {
        let splits = source.splits().into_iter();
        Self {
            name: source.name(),
            splits: splits
                .map(|split| (split, source.topic_partition(split)))
                .collect(),
            position_unit: source.position_unit(),
            coverage: source.coverage(),
        }
    }
}

/// What the second pass of a task leaves beside its records.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RevisitSurvey {
    pub(super) version: u32,
    pub(super) task: u32,
    pub(super) question: Question,
    /// Different fingerprints of each part that the task was told of.
    pub(super) distinct_fingerprints: Vec<(u32, u64)>,
    /// Tells these suspects from others.
    pub(super) suspects_digest: u64,
    /// Why payloads of suspected groups are compared as bytes.
    pub(super) unread: UnreadReasons,
    /// Files that were not the same any more.
    pub(super) damaged: Vec<(SplitId, String)>,
}
