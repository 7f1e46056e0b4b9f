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
    /// What the task was told of each part.
    pub(super) parts: Vec<SuspectsOfPart>,
    /// Why payloads of suspected groups are compared as bytes.
    pub(super) unread: UnreadReasons,
    /// Files that were not the same any more.
    pub(super) damaged: Vec<(SplitId, String)>,
}

impl RevisitSurvey {
    /// Tells these suspects from others.
    pub(super) fn suspects_digest(&self) -> u64 {
        let digests = self.parts.iter().map(|of_part| of_part.own_digest);
        digests.fold(0, u64::wrapping_add)
    }
}

/// What a task was told of one part of all fingerprints.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct SuspectsOfPart {
    pub(super) part: u32,
    /// Different fingerprints in it.
    pub(super) distinct_fingerprints: u64,
    /// Digest of what is suspected in it, whichever task has to read it again.
    pub(super) digest: u64,
    /// Digest of what this task has read again.
    pub(super) own_digest: u64,
}
