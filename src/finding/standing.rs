//! What is new, and what was known before: by a baseline, by an earlier run, by a rule.

use std::io;

use serde::{Deserialize, Serialize};

use crate::finding::group::AmountAtRisk;

/// Whether something was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It is news.
    New,
    /// It was known, or repeats by design.
    Known,
}

impl Standing {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::New, Self::Known];

    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
        }
    }
}

/// How a group stands to what was known before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStanding {
    /// New if any of its extra records is.
    pub standing: Standing,
    /// Extra records that are new.
    pub new_extra: u64,
    /// When an earlier run found the group first, milliseconds since the epoch.
    pub first_found_millis: Option<i64>,
    /// What knew most of the extra records that are not new, such as `baseline`.
    pub known_by: Option<String>,
}

/// What was known of a group before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownGroup {
    /// So many of its extra records were known; those beyond are new.
    pub extra_records: u64,
    /// When it was found first, milliseconds since the epoch.
    pub first_found_millis: Option<i64>,
    /// What knew it, such as `baseline`.
    pub by: &'static str,
}

/// Remembers groups: a baseline, or the state that earlier runs left.
pub trait KnownGroups {
    /// Returns what was known of the group with this id: `g_…`, never redacted.
    fn known(&self, id: &str) -> io::Result<Option<KnownGroup>>;
}

/// Extra records that were known for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTotal {
    /// The reason, such as `baseline`.
    pub by: String,
    /// Groups with such an extra record.
    pub groups: u64,
    /// Such extra records.
    pub extra_records: u64,
}

/// What a threshold came to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ThresholdTotal {
    /// The threshold as typed, such as `groups=1`.
    pub threshold: String,
    /// What was found: a plain decimal, or a percentage where the threshold is one.
    pub found: String,
    /// Whether that is at or over the threshold.
    #[serde(rename = "reached")]
    pub is_reached: bool,
}

/// Sums over what is new and what was known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandingTotal {
    /// Groups with a new extra record.
    pub new_groups: u64,
    /// New extra records.
    pub new_extra_records: u64,
    /// What is at risk of new extra records, by currency, sorted.
    pub new_amounts: Vec<AmountAtRisk>,
    /// Groups without a new extra record.
    pub known_groups: u64,
    /// Extra records that were known.
    pub known_extra_records: u64,
    /// Extra records that were known, by reason, sorted.
    pub known_by: Vec<KnownTotal>,
    /// Groups that a baseline accepts and that were not found; nothing without a baseline.
    pub gone_groups: Option<u64>,
}
