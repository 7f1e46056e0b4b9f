//! A baseline in use: which of its groups were found again, and which are gone.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

use crate::baseline::{Accepted, Baseline};
use crate::finding::{KnownGroup, KnownGroups};

/// A baseline while groups are found.
#[derive(Debug)]
pub struct BaselineUse {
    baseline: Baseline,
    now_millis: i64,
    /// Ids of its groups that were found again.
    found: RefCell<BTreeSet<String>>,
}

impl BaselineUse {
    /// Returns the baseline as it holds now.
    pub fn new(baseline: Baseline, now_millis: i64) -> Self {
        Self {
            baseline,
            now_millis,
            found: RefCell::default(),
        }
    }

    /// Returns how many of its groups were not found.
    pub fn gone_groups(&self) -> u64 {
        let gone = self.baseline.accepted.len() - self.found.borrow().len();
        u64::try_from(gone).unwrap_or(u64::MAX)
    }

    /// Returns the groups that were found and whose acceptance is over, sorted by their ids.
    pub fn expired(&self) -> Vec<(String, Accepted)> {
        let found = self.found.borrow();
        let accepted = self.baseline.accepted.iter();
        accepted
            .filter(|(id, accepted)| accepted.is_expired(self.now_millis) && found.contains(*id))
            .map(|(id, accepted)| (id.clone(), accepted.clone()))
            .collect()
    }
}

impl KnownGroups for BaselineUse {
    fn known(&self, id: &str) -> io::Result<Option<KnownGroup>> {
        let Some(accepted) = self.baseline.accepted.get(id) else {
            return Ok(None);
        };
        self.found.borrow_mut().insert(id.to_owned());
        if accepted.is_expired(self.now_millis) {
            return Ok(None);
        }
        Ok(Some(KnownGroup {
            extra_records: accepted.extra_records,
            first_found_millis: None,
            by: "baseline",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_is_not_known_and_what_is_not_found_is_gone() {
        let accepted = |expires_at_millis| Accepted {
            extra_records: 3,
            accepted_at_millis: 0,
            expires_at_millis,
            reason: "r".to_owned(),
        };
        let groups = [
            ("g_forever", None),
            ("g_later", Some(11)),
            ("g_now", Some(10)),
            ("g_gone", Some(1)),
        ];
        let of = groups.map(|(id, expires)| (id.to_owned(), accepted(expires)));
        let baseline = Baseline {
            by: Vec::new(),
            accepted: of.into(),
        };
        let baseline = BaselineUse::new(baseline, 10);
        assert_eq!(baseline.gone_groups(), 4);
        let known = |id| {
            let known = baseline.known(id).unwrap();
            known.map(|known| known.extra_records)
        };
        let ids = ["g_forever", "g_later", "g_now", "g_other", "g_later"];
        assert_eq!(ids.map(known), [Some(3), Some(3), None, None, Some(3)]);
        assert_eq!(baseline.gone_groups(), 1);
        let expired: Vec<String> = baseline.expired().into_iter().map(|(id, _)| id).collect();
        assert_eq!(expired, ["g_now"]);
    }
}
