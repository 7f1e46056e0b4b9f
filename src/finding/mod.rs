//! What is concluded; every report is built from these plain types.

pub mod advice;
pub mod coverage;
pub mod diagnosis;
mod evidence_text;
pub mod fingerprint;
pub mod group;
pub mod pictures;
pub mod run_history;
pub mod standing;
pub mod suggestion;
pub mod summary;
pub mod timeline;

pub use advice::{Advice, kcat_command, shell_word};
pub use coverage::{
    Coverage, CoverageConflict, FileCoverage, GapReason, OffsetGap, PartitionCoverage, SkipReason,
    SkippedRecords,
};
pub use diagnosis::{AbortedCopy, DeadLetterDialect, Diagnosis, Evidence, NamedCoordinates};
pub use fingerprint::Fingerprint;
pub use group::{
    AmountAtRisk, Cause, Confidence, DuplicateGroup, EvidenceTexts, KeyText, OccurrenceList,
    ReportedRecord, ReversedAmount, Review,
};
pub use pictures::{OffsetLinks, OverTime};
pub use run_history::{
    NewFindings, OTHER_TOPICS, RunAmount, RunHistory, RunRecord, RunTotals, TOPICS_MAX,
};
pub use standing::{
    GroupStanding, KnownGroup, KnownGroups, KnownTotal, Standing, StandingTotal, ThresholdTotal,
};
pub use summary::{
    AmountTotal, AuditHeader, AuditSummary, CauseTotal, Episode, PartitionTotal, REPEATABLE_READ,
    RedactionKind, ReversalTotal, SubjectTotal, TimeSpan, Verdict,
};
pub use timeline::Timeline;
