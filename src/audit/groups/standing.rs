//! Which extra records are new, and which were known before.

use std::collections::BTreeMap;

use crate::audit::AuditError;
use crate::audit::detail::Detail;
use crate::audit::groups::expected::rule_of;
use crate::audit::groups::totals::{Risk, RiskSums};
use crate::audit::plan::ExpectedRepeat;
use crate::finding::Cause;
use crate::finding::{GroupStanding, KnownGroup, KnownGroups, KnownTotal};
use crate::finding::{Standing, StandingTotal};

/// Judges group by group, and adds up.
#[derive(Default)]
pub(super) struct Standings<'a> {
    known: &'a [&'a dyn KnownGroups],
    /// Whether earlier runs may have told of a group.
    has_past: bool,
    expected: &'a [ExpectedRepeat],
    total: StandingTotal,
    new_sums: RiskSums,
    known_by: BTreeMap<String, (u64, u64)>,
}

/// The extra records of one group as they arrive.
#[derive(Default)]
pub(super) struct GroupStandings {
    /// What was known of the group.
    known: Option<KnownGroup>,
    first_found_millis: Option<i64>,
    new_extra: u64,
    known_by: BTreeMap<String, u64>,
}

impl<'a> Standings<'a> {
    pub(super) fn new(known: &'a [&'a dyn KnownGroups], expected: &'a [ExpectedRepeat]) -> Self {
        Self {
            known,
            expected,
            ..Self::default()
        }
    }

    /// Returns the same, with groups of which earlier runs may have told.
    pub(super) fn with_past(self, has_past: bool) -> Self {
        Self { has_past, ..self }
    }

    /// Returns whether anything is asked that could have known a group.
    fn is_asked(&self) -> bool {
        self.has_past || !self.known.is_empty() || !self.expected.is_empty()
    }

    /// Begins a group, `told` of whose records earlier runs have told; of all that knew it, the one
    /// that knew most of it counts.
    pub(super) fn begin(
        &self,
        told: u64,
        id: impl FnOnce() -> String,
    ) -> Result<GroupStandings, AuditError> {
        let mut group = GroupStandings::default();
        if !self.is_asked() {
            return Ok(group);
        }
        // Of what was told, one record is the original.
        group.known = (told > 1).then_some(KnownGroup {
            extra_records: told.saturating_sub(1),
            first_found_millis: None,
            by: "state",
        });
        let id = id();
        for known in self.known {
            let Some(known) = known.known(&id)? else {
                continue;
            };
            let first_found = [group.first_found_millis, known.first_found_millis];
            group.first_found_millis = first_found.into_iter().flatten().min();
            let most = group.known.as_ref().map_or(0, |most| most.extra_records);
            if known.extra_records > most {
                group.known = Some(known);
            }
        }
        Ok(group)
    }

    /// Takes the group's next extra record, and what is at risk of it; returns whether it is new.
    /// Whatever knew so many of the group counted those too that a rule expects.
    pub(super) fn add(
        &mut self,
        group: &mut GroupStandings,
        cause: Cause,
        copies: (&Detail, &Detail),
        risk: Option<Risk<'_>>,
    ) -> bool {
        let remembered = group.known.as_mut().filter(|known| known.extra_records > 0);
        let remembered = remembered.map(|known| {
            known.extra_records -= 1;
            known.by
        });
        if let Some(by) = rule_of(self.expected, cause, copies).or(remembered) {
            *group.known_by.entry(by.to_owned()).or_default() += 1;
            return false;
        }
        group.new_extra += 1;
        if let Some(risk) = risk {
            self.new_sums.add(risk);
        }
        true
    }

    /// Ends a group.
    pub(super) fn finish_group(&mut self, group: GroupStandings) -> Option<GroupStanding> {
        if !self.is_asked() {
            return None;
        }
        let is_new = group.new_extra > 0;
        self.total.new_groups += u64::from(is_new);
        self.total.known_groups += u64::from(!is_new);
        self.total.new_extra_records += group.new_extra;
        for (by, extra_records) in &group.known_by {
            self.total.known_extra_records += extra_records;
            let (groups, extras) = self.known_by.entry(by.clone()).or_default();
            *groups += 1;
            *extras += extra_records;
        }
        let mut most: Vec<(String, u64)> = group.known_by.into_iter().collect();
        most.sort_by_key(|(_, extra_records)| *extra_records);
        Some(GroupStanding {
            standing: if is_new {
                Standing::New
            } else {
                Standing::Known
            },
            new_extra: group.new_extra,
            first_found_millis: group.first_found_millis,
            known_by: most.pop().map(|(by, _)| by),
        })
    }

    /// Returns the sums over all groups.
    pub(super) fn finish(self) -> Option<StandingTotal> {
        if !self.is_asked() {
            return None;
        }
        let known = |(by, (groups, extra_records))| KnownTotal {
            by,
            groups,
            extra_records,
        };
        Some(StandingTotal {
            new_amounts: self.new_sums.at_risk(),
            known_by: self.known_by.into_iter().map(known).collect(),
            ..self.total
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Knows some groups by their ids.
    struct Known(&'static str, Vec<(&'static str, u64, Option<i64>)>);

    impl KnownGroups for Known {
        fn known(&self, id: &str) -> io::Result<Option<KnownGroup>> {
            let found = self.1.iter().find(|(known, ..)| *known == id);
            Ok(
                found.map(|(_, extra_records, first_found_millis)| KnownGroup {
                    extra_records: *extra_records,
                    first_found_millis: *first_found_millis,
                    by: self.0,
                }),
            )
        }
    }

    fn risk(amount: &str) -> Risk<'_> {
        Risk {
            currency: Some("USD"),
            amount: amount.parse().unwrap(),
            reversed: 0.into(),
        }
    }

    fn judged(standings: &mut Standings<'_>, id: &str, amounts: &[&str]) -> Option<GroupStanding> {
        let mut group = standings.begin(0, || id.to_owned()).unwrap();
        for amount in amounts {
            let copies = (&Detail::default(), &Detail::default());
            standings.add(&mut group, Cause::Undetermined, copies, Some(risk(amount)));
        }
        standings.finish_group(group)
    }

    #[test]
    fn a_group_that_grew_is_new_again_by_what_it_grew() {
        let baseline = Known("baseline", vec![("g_1", 1, None), ("g_2", 9, None)]);
        let known: [&dyn KnownGroups; 1] = [&baseline];
        let mut standings = Standings::new(&known, &[]);
        let grown = judged(&mut standings, "g_1", &["1.00", "2.00", "3.50"]).unwrap();
        assert_eq!((grown.standing, grown.new_extra), (Standing::New, 2));
        assert_eq!(grown.known_by.as_deref(), Some("baseline"));
        let shrunk = judged(&mut standings, "g_2", &["1.00"]).unwrap();
        assert_eq!((shrunk.standing, shrunk.new_extra), (Standing::Known, 0));
        let unheard = judged(&mut standings, "g_3", &["4.00"]).unwrap();
        assert_eq!((unheard.standing, unheard.known_by), (Standing::New, None));
        let total = standings.finish().unwrap();
        assert_eq!((total.new_groups, total.new_extra_records), (2, 3));
        assert_eq!((total.known_groups, total.known_extra_records), (1, 2));
        assert_eq!(total.new_amounts[0].net, "9.50");
        let by = KnownTotal {
            by: "baseline".to_owned(),
            groups: 2,
            extra_records: 2,
        };
        assert_eq!(total.known_by, [by]);
    }

    #[test]
    fn of_several_memories_the_earliest_finding_and_the_most_known_count() {
        let baseline = Known("baseline", vec![("g_1", 1, Some(7))]);
        let state = Known("state", vec![("g_1", 3, Some(5)), ("g_2", 0, Some(6))]);
        let known: [&dyn KnownGroups; 2] = [&baseline, &state];
        let mut standings = Standings::new(&known, &[]);
        let both = judged(&mut standings, "g_1", &["1", "1", "1"]).unwrap();
        assert_eq!(both.standing, Standing::Known);
        assert_eq!(both.known_by.as_deref(), Some("state"));
        assert_eq!(both.first_found_millis, Some(5));
        // Found before, and not long enough ago to be known.
        let fresh = judged(&mut standings, "g_2", &["1"]).unwrap();
        assert_eq!(
            (fresh.standing, fresh.first_found_millis),
            (Standing::New, Some(6))
        );
    }

    #[test]
    fn what_a_rule_expects_is_known_by_its_name_and_the_rest_is_new() {
        let expected = [ExpectedRepeat::Cause(Cause::MirrorCopy)];
        let mut standings = Standings::new(&[], &expected);
        let mut group = standings.begin(0, || "g_1".to_owned()).unwrap();
        let copies = (&Detail::default(), &Detail::default());
        standings.add(&mut group, Cause::MirrorCopy, copies, None);
        standings.add(&mut group, Cause::ProducerRetry, copies, Some(risk("2.00")));
        let judged = standings.finish_group(group).unwrap();
        assert_eq!((judged.standing, judged.new_extra), (Standing::New, 1));
        assert_eq!(judged.known_by.as_deref(), Some("mirror"));
        let total = standings.finish().unwrap();
        assert_eq!((total.new_extra_records, total.known_extra_records), (1, 1));
        assert_eq!(total.known_by[0].by, "mirror");
    }

    #[test]
    fn nothing_is_said_where_nothing_could_have_known() {
        let mut standings = Standings::new(&[], &[]);
        assert_eq!(judged(&mut standings, "g_1", &["1.00"]), None);
        assert_eq!(standings.finish(), None);
    }
}
