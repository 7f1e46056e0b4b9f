//! One group while its occurrences arrive in order: counted, compared, set aside.

use std::collections::BTreeSet;
use std::io;

use serde::{Deserialize, Serialize};

use crate::audit::detail::{AmountText, Detail, push_place};
use crate::audit::groups::reversals::{GatheredReversals, Reversals};
use crate::audit::groups::spool::{OccurrenceSpool, Spooled, SpooledRecord};
use crate::diagnosis::{CopyHistory, PairFacts, PairId};
use crate::index::Seen;
use crate::record::Headers;
use crate::scan_json::{differing_members, differing_paths};
use crate::sorted_run::encoding;
use crate::sorted_run::sort_key;

/// Differing field paths listed per group; a group with more names the first of them.
const DIFFERING_MAX: usize = 1000;

/// Which group it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupIdentity {
    /// Canonical dedup key; nothing where no record could be read again.
    #[serde(with = "encoding::optional_byte_string")]
    pub(super) canonical_key: Option<Vec<u8>>,
    pub(super) fingerprint: [u64; 2],
    /// 1, or which of the parts that `--within` splits the key into.
    pub(super) part: u64,
}

/// A group whose occurrences are all there, before its extra records are diagnosed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GatheredGroup {
    pub(super) identity: GroupIdentity,
    pub(super) count: u64,
    /// Records of which an earlier run has told what was found.
    pub(super) told: u64,
    /// Records that this run read.
    pub(super) fresh: u64,
    pub(super) first_timestamp_millis: Option<i64>,
    pub(super) last_timestamp_millis: Option<i64>,
    /// Whether no two values are known to differ.
    pub(super) is_identical: bool,
    /// Records that could not be read again.
    pub(super) gone: u64,
    pub(super) differing_fields: Vec<String>,
    pub(super) doubts: Doubts,
    pub(super) subject: Option<String>,
    pub(super) reversals: GatheredReversals,
    /// Place in the order of the report.
    #[serde(with = "encoding::byte_string")]
    pub(super) report_order: Vec<u8>,
    pub(super) records: Spooled,
}

/// What a person should look at before a refund.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Doubts {
    pub(super) amounts_differ: bool,
    pub(super) subjects_differ: bool,
    pub(super) amount_missing: bool,
}

impl Doubts {
    /// Returns whether the occurrences disagree on amount, currency or subject.
    pub(super) fn is_dispute(self) -> bool {
        self.amounts_differ || self.subjects_differ
    }
}

/// A group while its occurrences arrive in order.
pub(super) struct GroupBuilder {
    original: Detail,
    /// The first record that was found, where that is not the original.
    first_found: Option<Detail>,
    pub(super) reversals: Reversals,
    history: CopyHistory,
    last_timestamp_millis: Option<i64>,
    count: u64,
    /// Records that are a reason to report the group.
    in_range: u64,
    /// Records that are none, since an earlier run has told what was found of them.
    told: u64,
    /// Records that this run read.
    fresh: u64,
    is_identical: bool,
    gone: u64,
    differing: BTreeSet<String>,
    doubts: Doubts,
    spooled: SpooledRecord,
}

impl GroupBuilder {
    /// Begins a group with its original.
    pub(super) fn new(original: Detail, spool: &mut OccurrenceSpool) -> io::Result<Self> {
        let mut spooled = SpooledRecord::default();
        spooled.add(&original, spool)?;
        let mut history = CopyHistory::default();
        history.take(&original.facts());
        Ok(Self {
            history,
            last_timestamp_millis: original.timestamp_millis,
            count: 1,
            in_range: u64::from(original.is_in_range),
            told: u64::from(original.seen == Seen::Before),
            fresh: u64::from(original.seen == Seen::Now),
            is_identical: true,
            gone: u64::from(is_gone(&original)),
            first_found: None,
            reversals: Reversals::default(),
            differing: BTreeSet::new(),
            doubts: Doubts {
                amount_missing: original.amount == AmountText::Unusable,
                ..Doubts::default()
            },
            spooled,
            original,
        })
    }

    /// Returns the record that others are compared with: the first that was found.
    fn compared(&self) -> Option<&Detail> {
        match &self.first_found {
            None if is_gone(&self.original) => None,
            None => Some(&self.original),
            found => found.as_ref(),
        }
    }

    /// Returns whether `detail` is further than `within_millis` from the last occurrence.
    pub(super) fn is_apart(&self, detail: &Detail, within_millis: Option<i64>) -> bool {
        let Some(within) = within_millis else {
            return false;
        };
        match (self.last_timestamp_millis, detail.timestamp_millis) {
            (Some(last), Some(next)) => next.saturating_sub(last) > within,
            // Without a timestamp nothing says that two records are close.
            _ => true,
        }
    }

    /// Adds an extra record; returns what the diagnosis has to know of it.
    pub(super) fn add(
        &mut self,
        detail: Detail,
        group: u64,
        spool: &mut OccurrenceSpool,
    ) -> io::Result<PairFacts> {
        self.count += 1;
        self.in_range += u64::from(detail.is_in_range);
        self.told += u64::from(detail.seen == Seen::Before);
        self.fresh += u64::from(detail.seen == Seen::Now);
        self.last_timestamp_millis = self.last_timestamp_millis.max(detail.timestamp_millis);
        self.doubts.amount_missing |= detail.amount == AmountText::Unusable;
        self.spooled.add(&detail, spool)?;
        let extra = detail.facts();
        let reference = self.history.take(&extra);
        let differing = if is_gone(&detail) {
            self.gone += 1;
            Vec::new()
        } else {
            self.compare(detail)
        };
        Ok(PairFacts {
            id: PairId {
                fingerprint: [group, 0],
                part: 1,
                occurrence: self.count,
            },
            extra,
            reference: reference.expect("a group has an original before it has an extra record"),
            differing,
        })
    }

    /// Takes the last record again, as another run read it: it is as old as the earlier of both.
    pub(super) fn take_again(&mut self, last: &Detail, again: &Detail) {
        if again.seen >= last.seen {
            return;
        }
        self.fresh -= u64::from(last.seen == Seen::Now);
        if again.seen == Seen::Before {
            self.told += 1;
            self.in_range -= u64::from(last.is_in_range);
        }
    }

    /// Compares an extra record with the original; returns the paths that differ.
    fn compare(&mut self, detail: Detail) -> Vec<String> {
        let Some(original) = self.compared() else {
            self.first_found = Some(detail);
            return Vec::new();
        };
        let amounts_differ =
            original.amount != detail.amount || original.currency != detail.currency;
        let subjects_differ = original.subject != detail.subject;
        let headers = differing_headers(original, &detail);
        let (is_identical, mut paths) = compared_values(original, &detail);
        self.doubts.amounts_differ |= amounts_differ;
        self.doubts.subjects_differ |= subjects_differ;
        self.is_identical &= is_identical;
        let room = DIFFERING_MAX.saturating_sub(self.differing.len());
        self.differing.extend(paths.iter().take(room).cloned());
        paths.extend(headers);
        paths
    }

    /// Returns whether this is a group to report: a record of it lies in the range. Where only the
    /// original does, it came late: an earlier run took another record for it.
    pub(super) fn is_duplicate(&self) -> bool {
        self.count >= 2 && self.in_range > 0
    }

    /// Returns the group as it is set aside.
    pub(super) fn finish(
        self,
        identity: GroupIdentity,
        spool: &mut OccurrenceSpool,
    ) -> io::Result<GatheredGroup> {
        let mut report_order = Vec::with_capacity(96);
        sort_key::push_u64_descending(&mut report_order, self.count);
        push_place(&self.original, &mut report_order);
        Ok(GatheredGroup {
            identity,
            count: self.count,
            told: self.told,
            fresh: self.fresh,
            first_timestamp_millis: self.original.timestamp_millis,
            last_timestamp_millis: self.last_timestamp_millis,
            is_identical: self.is_identical,
            gone: self.gone,
            subject: self.compared().and_then(|found| found.subject.clone()),
            differing_fields: self.differing.into_iter().collect(),
            doubts: self.doubts,
            reversals: self.reversals.finish(),
            report_order,
            records: self.spooled.finish(spool)?,
        })
    }
}

/// Returns whether a record could not be read again.
fn is_gone(detail: &Detail) -> bool {
    detail.canonical_key.is_none()
}

/// Returns whether two values are the same, and where they differ.
fn compared_values(original: &Detail, other: &Detail) -> (bool, Vec<String>) {
    let is_same = match (&original.stored, &other.stored) {
        (None, None) => original.value == other.value,
        (Some(_), Some(_)) => original.document() == other.document(),
        (Some(_), None) => return published_values(original, other),
        (None, Some(_)) => return published_values(other, original),
    };
    if is_same {
        return (true, Vec::new());
    }
    (false, differing_values(original, other))
}

/// Compares what a store holds with what was made of it for a topic: one of its members, such as
/// the data, or those members that both have.
fn published_values(stored: &Detail, published: &Detail) -> (bool, Vec<String>) {
    let documents = stored.document().zip(published.document());
    let Some((stored, published)) = documents else {
        return (false, vec!["value".to_owned()]);
    };
    let paths = differing_members(stored, published);
    let paths = paths.unwrap_or_else(|| vec![String::new()]);
    let paths: Vec<String> = paths.iter().map(|path| in_value(path)).collect();
    (paths.is_empty(), paths)
}

/// Returns where two values differ; the same content written in another way differs nowhere.
fn differing_values(original: &Detail, other: &Detail) -> Vec<String> {
    match (original.document(), other.document()) {
        (Some(original), Some(other)) => {
            let paths = differing_paths(original, other);
            paths.iter().map(|path| in_value(path)).collect()
        }
        _ => vec!["value".to_owned()],
    }
}

fn in_value(path: &str) -> String {
    if path.is_empty() {
        "value".to_owned()
    } else if path.starts_with('[') {
        format!("value{path}")
    } else {
        format!("value.{path}")
    }
}

/// Returns the names of headers that two records do not have alike.
fn differing_headers(original: &Detail, other: &Detail) -> BTreeSet<String> {
    let (Some(left), Some(right)) = (&original.headers, &other.headers) else {
        return BTreeSet::new();
    };
    if left == right {
        return BTreeSet::new();
    }
    let set = |encoded| -> BTreeSet<_> {
        let headers = Headers::from_encoded(encoded);
        headers.map(|header| (header.name, header.value)).collect()
    };
    let (left, right) = (set(left), set(right));
    let names = left.symmetric_difference(&right).map(|(name, _)| *name);
    names
        .map(|name| format!("headers.{}", String::from_utf8_lossy(name)))
        .collect()
}
