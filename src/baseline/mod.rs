//! Groups that people have accepted: a file that they review, by the ids of groups.

mod file;
mod usage;

pub use file::BaselineError;
pub use usage::BaselineUse;

use std::collections::BTreeMap;

/// Why a group is accepted, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Extra records that it had; more than these are new.
    pub extra_records: u64,
    /// When it was accepted, milliseconds since the epoch.
    pub accepted_at_millis: i64,
    /// From when on it counts as new again, milliseconds since the epoch.
    pub expires_at_millis: Option<i64>,
    /// Why it is accepted.
    pub reason: String,
}

impl Accepted {
    /// Returns whether the acceptance is over.
    pub fn is_expired(&self, now_millis: i64) -> bool {
        self.expires_at_millis
            .is_some_and(|expires| expires <= now_millis)
    }
}

/// What a baseline says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Fields of the dedup key that the ids are made of, with their normalisers.
    pub by: Vec<String>,
    /// The groups, by their ids.
    pub accepted: BTreeMap<String, Accepted>,
}
