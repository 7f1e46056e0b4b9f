//! Why keys and values could not be read with their schemas, counted.

pub(super) mod gone;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::plan::AuditPlan;
use crate::record::Part;
use crate::record::RecordBlock;
use crate::record::RecordView;
use crate::record::counted;
use crate::schema::PayloadReader;

/// Reasons that are kept; they name schemas, of which a log has few.
const KEPT_MAX: usize = 5_000;
/// Reasons that a message lists.
const LISTED_MAX: usize = 4;

/// Reads both payloads of records, and counts those that cannot be read.
#[derive(Default)]
pub(super) struct Payloads {
    reader: Option<PayloadReader>,
    /// Why they cannot be.
    pub(super) unread: UnreadReasons,
}

impl Payloads {
    pub(super) fn new(plan: &AuditPlan) -> Self {
        Self {
            reader: plan.payload_reader(&[Part::Key, Part::Value]),
            unread: UnreadReasons::default(),
        }
    }

    /// Puts what is inside payloads in their place, if schemas are given.
    pub(super) fn apply(&mut self, block: &mut RecordBlock) {
        if let Some(reader) = &mut self.reader {
            reader.apply(block);
        }
    }
}

/// Records by the reason why their key or value could not be read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, u64>", into = "BTreeMap<String, u64>")]
pub(super) struct UnreadReasons {
    counts: BTreeMap<Arc<str>, u64>,
}

impl From<BTreeMap<String, u64>> for UnreadReasons {
    fn from(counts: BTreeMap<String, u64>) -> Self {
        let counts = counts.into_iter();
        Self {
            counts: counts
                .map(|(reason, count)| (reason.into(), count))
                .collect(),
        }
    }
}

impl From<UnreadReasons> for BTreeMap<String, u64> {
    fn from(reasons: UnreadReasons) -> Self {
        let counts = reasons.counts.into_iter();
        counts
            .map(|(reason, count)| (reason.to_string(), count))
            .collect()
    }
}

impl UnreadReasons {
    /// Counts a record, if it has a reason.
    pub(super) fn note(&mut self, view: RecordView<'_>) {
        let value = view.unread_reason(Part::Value);
        if let Some(reason) = value.or_else(|| view.unread_reason(Part::Key)) {
            self.add_reason(reason, 1);
        }
    }

    /// Adds what another worker counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (reason, count) in &other.counts {
            self.add_reason(reason, *count);
        }
    }

    fn add_reason(&mut self, reason: &Arc<str>, count: u64) {
        if let Some(counted) = self.counts.get_mut(reason) {
            *counted += count;
        } else if self.counts.len() < KEPT_MAX {
            self.counts.insert(Arc::clone(reason), count);
        }
    }

    /// Returns the reasons with their numbers of records, the most frequent first; nothing where
    /// there is none.
    pub(super) fn text(&self) -> Option<String> {
        let mut sorted: Vec<_> = self.counts.iter().collect();
        sorted.sort_by_key(|(_, count)| Reverse(**count));
        let listed = sorted.iter().take(LISTED_MAX);
        let mut texts: Vec<String> = listed
            .map(|(reason, count)| format!("{reason} ({})", counted(**count, "record")))
            .collect();
        let unlisted = sorted.len().saturating_sub(LISTED_MAX);
        if unlisted > 0 {
            texts.push(format!("and {unlisted} more reasons"));
        }
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

impl UnreadReasons {
    /// Returns what a reader should know of payloads that are compared all the same.
    pub(super) fn warning(&self) -> Option<String> {
        let reasons = self.text()?;
        Some(format!(
            "keys or values of suspected groups are compared as bytes: {reasons}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_reasons_are_listed() {
        let mut reasons = UnreadReasons::default();
        assert_eq!(reasons.text(), None);
        for (number, reason) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
            let mut more = UnreadReasons::default();
            let count = if reason == "c" { 7 } else { 1 };
            more.add_reason(&Arc::from(format!("schema {number} is bad")), count);
            reasons.add(&more);
        }
        assert_eq!(
            reasons.text().unwrap(),
            "schema 2 is bad (7 records); schema 0 is bad (1 record); schema 1 is bad (1 record); \
             schema 3 is bad (1 record); and 2 more reasons"
        );
    }
}
