//! What the first pass counted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::audit::filter::Unjudged;
use crate::audit::probe::Sample;
use crate::finding::SkippedRecords;
use crate::finding::TimeSpan;
use crate::record::FieldPath;
use crate::record::SplitId;
use crate::record::TimestampType;

/// What the first pass counted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::audit) struct Counts {
    pub(in crate::audit) records_read: u64,
    pub(in crate::audit) records_audited: u64,
    pub(in crate::audit) records_with_timestamp: u64,
    /// Records without the timestamp or offset that decides whether and with what to compare them.
    pub(in crate::audit) records_unplaced: u64,
    pub(in crate::audit) skipped: SkippedRecords,
    pub(in crate::audit) audited_span: Option<TimeSpan>,
    pub(in crate::audit) timestamp_types: BTreeSet<TimestampType>,
    pub(in crate::audit) sample: Sample,
    pub(in crate::audit) unjudged: Unjudged,
    /// Records of which `--reversal` could not say whether they take something back.
    pub(in crate::audit) unjudged_reversals: Unjudged,
    /// Of the records audited, those that take something back.
    pub(in crate::audit) reversals: u64,
    /// Records whose mapped time names no zone.
    pub(in crate::audit) zoneless: u64,
    /// Fields named beside the dedup key that no worker has seen: flag and path.
    pub(in crate::audit) unseen: Option<Vec<(String, FieldPath)>>,
}

impl Counts {
    /// Gives splits their numbers among those of other processes.
    pub(in crate::audit) fn renumber<E>(
        &mut self,
        number: impl Fn(SplitId) -> Result<SplitId, E>,
    ) -> Result<(), E> {
        let own = self.sample.splits_mut().into_iter();
        let unjudged = self.unjudged.split_mut().into_iter();
        let reversals = self.unjudged_reversals.split_mut().into_iter();
        for split in own.chain(unjudged).chain(reversals) {
            *split = number(*split)?;
        }
        Ok(())
    }

    pub(in crate::audit) fn add(&mut self, other: Self) {
        self.records_read += other.records_read;
        self.records_audited += other.records_audited;
        self.records_with_timestamp += other.records_with_timestamp;
        self.records_unplaced += other.records_unplaced;
        self.skipped.add(&other.skipped);
        if let Some(span) = other.audited_span {
            let widened = TimeSpan::including(self.audited_span, span.first_millis);
            self.audited_span = Some(TimeSpan::including(Some(widened), span.last_millis));
        }
        self.timestamp_types.extend(other.timestamp_types);
        self.sample.add(other.sample);
        self.unjudged.add(other.unjudged);
        self.unjudged_reversals.add(other.unjudged_reversals);
        self.reversals += other.reversals;
        self.zoneless += other.zoneless;
        let unseen = other.unseen.unwrap_or_default();
        match &mut self.unseen {
            Some(kept) => kept.retain(|field| unseen.contains(field)),
            None => self.unseen = Some(unseen),
        }
    }
}
