//! Who is hit: distinct subjects, counted exactly, and those with most at risk.

use std::cmp::Reverse;
use std::io;
use std::path::Path;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::audit::AuditError;
use crate::audit::groups::totals::risk::{Risk, RiskSums, StoredRisk};
use crate::finding::SubjectTotal;
use crate::sorted_run::BlobSorter;
use crate::sorted_run::sort_key;

/// Subjects that the reports name.
const TOP_MAX: usize = 20;

/// Adds up extra records by subject, in sorted runs that go to disk where memory is short.
pub(super) struct SubjectTotals {
    sorter: BlobSorter,
    /// What the last records came to, while subject and group stay the same.
    pending: Option<Pending>,
    sort_key: Vec<u8>,
}

struct Pending {
    subject: String,
    group: u64,
    extra_records: u64,
    sums: RiskSums,
}

/// Extra records of one subject in one group.
#[derive(Serialize, Deserialize)]
struct StoredSubject {
    subject: String,
    group: u64,
    extra_records: u64,
    sums: StoredRisk,
}

/// The subjects of all extra records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::audit) struct Subjects {
    pub(in crate::audit) distinct: u64,
    /// Most at risk first.
    pub(in crate::audit) top: Vec<SubjectTotal>,
    /// Whether a sum could not be kept exactly.
    pub(in crate::audit) has_overflow: bool,
}

impl SubjectTotals {
    pub(super) fn new(spill_dir: &Path, memory_bytes: usize) -> Self {
        Self {
            sorter: BlobSorter::new(spill_dir, memory_bytes),
            pending: None,
            sort_key: Vec::new(),
        }
    }

    /// Adds one extra record.
    pub(super) fn add(
        &mut self,
        subject: &str,
        group: u64,
        risk: Option<Risk<'_>>,
    ) -> Result<(), AuditError> {
        let is_same = |last: &Pending| last.subject == subject && last.group == group;
        if !self.pending.as_ref().is_some_and(is_same) {
            self.push_pending()?;
        }
        let pending = self.pending.get_or_insert_with(|| Pending {
            subject: subject.to_owned(),
            group,
            extra_records: 0,
            sums: RiskSums::default(),
        });
        pending.extra_records += 1;
        if let Some(risk) = risk {
            pending.sums.add(risk);
        }
        Ok(())
    }

    fn push_pending(&mut self) -> Result<(), AuditError> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        self.sort_key.clear();
        sort_key::push_bytes(&mut self.sort_key, pending.subject.as_bytes());
        sort_key::push_u64(&mut self.sort_key, pending.group);
        let stored = StoredSubject {
            subject: pending.subject,
            group: pending.group,
            extra_records: pending.extra_records,
            sums: pending.sums.stored(),
        };
        let payload = postcard::to_stdvec(&stored)?;
        Ok(self.sorter.push(&self.sort_key, &payload)?)
    }

    /// Returns the subjects; with amounts in one currency the first of them have most at risk,
    /// else most extra records.
    pub(super) fn finish(mut self, is_one_currency: bool) -> Result<Subjects, AuditError> {
        self.push_pending()?;
        let mut sorted = self.sorter.finish()?;
        let mut top = TopSubjects {
            is_one_currency,
            ..TopSubjects::default()
        };
        while let Some((_, payload)) = sorted.next()? {
            top.take(postcard::from_bytes(payload).map_err(io::Error::other)?);
        }
        top.close();
        Ok(Subjects {
            distinct: top.distinct,
            has_overflow: top.has_overflow,
            top: top.best.into_iter().map(Candidate::total).collect(),
        })
    }
}

/// One subject, all its groups together.
struct Candidate {
    subject: String,
    last_group: u64,
    groups: u64,
    extra_records: u64,
    sums: RiskSums,
}

impl Candidate {
    /// Returns the order of subjects: the first of them is the worst hit.
    fn order(&self, is_one_currency: bool) -> (Reverse<Decimal>, Reverse<u64>, &str) {
        let net = self.sums.only_net().filter(|_| is_one_currency);
        let net = Reverse(net.unwrap_or_default());
        (net, Reverse(self.extra_records), &self.subject)
    }

    fn total(self) -> SubjectTotal {
        SubjectTotal {
            amounts: self.sums.at_risk(),
            subject: self.subject,
            groups: self.groups,
            extra_records: self.extra_records,
        }
    }
}

/// Joins what comes by subject, and keeps the worst hit.
#[derive(Default)]
struct TopSubjects {
    is_one_currency: bool,
    current: Option<Candidate>,
    best: Vec<Candidate>,
    distinct: u64,
    has_overflow: bool,
}

impl TopSubjects {
    fn take(&mut self, stored: StoredSubject) {
        let is_same = |current: &Candidate| current.subject == stored.subject;
        if !self.current.as_ref().is_some_and(is_same) {
            self.close();
        }
        let current = self.current.get_or_insert_with(|| Candidate {
            subject: stored.subject,
            last_group: stored.group,
            groups: 1,
            extra_records: 0,
            sums: RiskSums::default(),
        });
        current.groups += u64::from(current.last_group != stored.group);
        current.last_group = stored.group;
        current.extra_records += stored.extra_records;
        self.has_overflow |= !current.sums.add_stored(&stored.sums);
    }

    fn close(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        self.distinct += 1;
        let order = current.order(self.is_one_currency);
        let place = self
            .best
            .partition_point(|kept| kept.order(self.is_one_currency) < order);
        if place < TOP_MAX {
            self.best.insert(place, current);
            self.best.truncate(TOP_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(memory_bytes: usize, is_one_currency: bool) -> Subjects {
        let dir = tempfile::tempdir().unwrap();
        let mut totals = SubjectTotals::new(dir.path(), memory_bytes);
        let mut add = |subject: &str, group, amount: &str| {
            let risk = Risk {
                currency: Some("USD"),
                amount: amount.parse().unwrap(),
                reversed: Decimal::ONE,
            };
            totals.add(subject, group, Some(risk)).unwrap();
        };
        for number in 0..100_u64 {
            add(&format!("cus_{number:03}"), number, "2.00");
        }
        for group in [200, 201, 201] {
            add("many", group, "1.50");
            add("dear", group, "9.00");
        }
        add("cus_007", 300, "1.00");
        totals.finish(is_one_currency).unwrap()
    }

    #[test]
    fn memory_changes_nothing_and_the_worst_hit_come_first() {
        let subjects = finished(1 << 20, true);
        assert_eq!(finished(0, true), subjects);
        assert_eq!(subjects.distinct, 102);
        assert_eq!(subjects.top.len(), TOP_MAX);
        let [first, second, third, ..] = subjects.top.as_slice() else {
            panic!("{subjects:?}")
        };
        assert_eq!(
            (&*first.subject, first.groups, first.extra_records),
            ("dear", 2, 3)
        );
        assert_eq!(first.amounts[0].extra, "27.00");
        assert_eq!(first.amounts[0].net, "24.00");
        // 1.50 of `many`, and 1.00 of each that is told by its name alone.
        assert_eq!((&*second.subject, second.extra_records), ("many", 3));
        assert_eq!((&*third.subject, third.groups), ("cus_007", 2));
        assert_eq!(subjects.top[3].subject, "cus_000");
    }

    #[test]
    fn amounts_of_several_currencies_are_not_compared() {
        let subjects = finished(1 << 20, false);
        let names = subjects.top.iter().map(|total| &*total.subject);
        let names: Vec<&str> = names.take(4).collect();
        assert_eq!(names, ["dear", "many", "cus_007", "cus_000"]);
    }
}
