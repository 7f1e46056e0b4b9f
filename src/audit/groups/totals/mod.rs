//! Sums over all groups: extra records, amounts, subjects, partitions, minutes.

mod pictures;
mod risk;
mod subjects;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rust_decimal::Decimal;

use crate::audit::AuditError;
use crate::audit::detail::{AmountText, Detail};
use crate::audit::groups::group_builder::GatheredGroup;
use crate::audit::groups::totals::pictures::Pictures;
pub(super) use crate::audit::groups::totals::risk::{Risk, RiskSums};
use crate::audit::groups::totals::subjects::{SubjectTotals, Subjects};
use crate::audit::groups::verdicts::Verdict;
use crate::finding::AmountTotal;
use crate::finding::Cause;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::Diagnosis;
use crate::finding::Episode;
use crate::finding::Evidence;
use crate::finding::PartitionTotal;
use crate::finding::ReversalTotal;
use crate::finding::TimeSpan;
use crate::finding::Timeline;
use crate::impact::ReversalBalance;
use crate::record::TopicPartition;

const MILLIS_PER_MINUTE: i64 = 60_000;

/// Extra records and what they cost, in one place or in all.
#[derive(Default)]
struct Damage {
    groups: u64,
    extra_records: u64,
    sums: RiskSums,
}

impl Damage {
    /// Adds an extra record; returns false where its amount cannot be summed exactly.
    fn add(&mut self, is_new_group: bool, risk: Option<Risk<'_>>) -> bool {
        self.groups += u64::from(is_new_group);
        self.extra_records += 1;
        risk.is_none_or(|risk| self.sums.add(risk))
    }
}

/// A confidence as a key: the surest first, none last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Confidences(Option<Confidence>);

impl Ord for Confidences {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |confidence: &Self| (confidence.0.is_none(), confidence.0);
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for Confidences {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Extra records of one cause, and how it is known.
#[derive(Default)]
struct CauseDamage {
    groups: u64,
    by_confidence: BTreeMap<Confidences, u64>,
    evidence: Vec<String>,
    contrary: Vec<String>,
}

/// Extra records of the group at hand.
#[derive(Default)]
pub(super) struct GroupTotals {
    is_dispute: bool,
    balance: ReversalBalance,
    partitions: BTreeSet<TopicPartition>,
    causes: BTreeSet<Cause>,
    episodes: BTreeSet<u64>,
    /// Of extra records that are no copies by design.
    pub(super) sums: RiskSums,
}

impl GroupTotals {
    /// Returns the totals of a group of which no extra record was added.
    pub(super) fn new(group: &GatheredGroup) -> Self {
        Self {
            is_dispute: group.doubts.is_dispute(),
            balance: group.reversals.balance(),
            ..Self::default()
        }
    }

    /// Returns whether all extra records are copies by design.
    pub(super) fn are_all_copies(&self) -> bool {
        self.causes.iter().all(|cause| cause.is_copy_by_design())
    }
}

/// Amounts of one kind, with the extra records that they are of.
#[derive(Default)]
struct KindOfAmounts {
    sums: RiskSums,
    records: BTreeMap<Option<String>, u64>,
}

impl KindOfAmounts {
    fn add(&mut self, risk: Risk<'_>) -> bool {
        let is_added = self.sums.add(risk);
        if is_added {
            let currency = risk.currency.map(str::to_owned);
            *self.records.entry(currency).or_default() += 1;
        }
        is_added
    }

    fn records(&self, currency: Option<&str>) -> u64 {
        let records = self.records.get(&currency.map(str::to_owned));
        records.copied().unwrap_or_default()
    }
}

/// Sums over all groups.
pub(in crate::audit) struct Totals {
    pub(in crate::audit) groups: u64,
    pub(in crate::audit) extra_records: u64,
    pub(in crate::audit) conflicting_groups: u64,
    pub(in crate::audit) uncompared_groups: u64,
    pub(in crate::audit) largest_group: u64,
    pub(in crate::audit) amounts_unusable: u64,
    pub(in crate::audit) extra_span: Option<TimeSpan>,
    pub(in crate::audit) timeline: Timeline,
    pub(in crate::audit) pictures: Pictures,
    /// Reversals of the groups.
    pub(in crate::audit) reversals: ReversalTotal,
    /// Amounts that are numbers and could not be added exactly.
    pub(in crate::audit) amounts_left_out: u64,
    /// Whether the sum of a place or an episode lacks an amount.
    has_overflow: bool,
    partitions: BTreeMap<TopicPartition, Damage>,
    agreed: KindOfAmounts,
    disputed: KindOfAmounts,
    copies: KindOfAmounts,
    causes: BTreeMap<Cause, CauseDamage>,
    episodes: BTreeMap<u64, Damage>,
    subjects: SubjectTotals,
}

impl Totals {
    pub(in crate::audit) fn new(
        spill_dir: &Path,
        memory_bytes: usize,
        largest_episodes: &[Episode],
    ) -> Self {
        Self {
            groups: 0,
            extra_records: 0,
            conflicting_groups: 0,
            uncompared_groups: 0,
            largest_group: 0,
            amounts_unusable: 0,
            extra_span: None,
            timeline: Timeline::default(),
            pictures: Pictures::new(largest_episodes),
            reversals: ReversalTotal::default(),
            amounts_left_out: 0,
            has_overflow: false,
            partitions: BTreeMap::new(),
            agreed: KindOfAmounts::default(),
            disputed: KindOfAmounts::default(),
            copies: KindOfAmounts::default(),
            causes: BTreeMap::new(),
            episodes: BTreeMap::new(),
            subjects: SubjectTotals::new(spill_dir, memory_bytes),
        }
    }

    /// Adds one extra record of the group at hand, with the verdict on it; returns what is at risk
    /// of it.
    pub(super) fn add<'e>(
        &mut self,
        group: &mut GroupTotals,
        extra: &'e Detail,
        verdict: &Verdict,
    ) -> Result<Option<Risk<'e>>, AuditError> {
        self.extra_records += 1;
        let cause = self.causes.entry(verdict.cause).or_default();
        cause.groups += u64::from(group.causes.insert(verdict.cause));
        *cause
            .by_confidence
            .entry(Confidences(verdict.confidence))
            .or_default() += 1;
        let risk = self.take_amount(group, extra, verdict.cause);
        let is_new = group.episodes.insert(verdict.episode);
        let episode = self.episodes.entry(verdict.episode).or_default();
        self.has_overflow |= !episode.add(is_new, risk);
        let place = place_of(extra);
        if let Some(place) = &place {
            let is_new = group.partitions.insert(place.clone());
            let damage = self.partitions.entry(place.clone()).or_default();
            self.has_overflow |= !damage.add(is_new, risk);
        }
        self.pictures.add(extra, verdict.cause, place);
        if let Some(millis) = extra.timestamp_millis {
            self.timeline.add(millis.div_euclid(MILLIS_PER_MINUTE), 1);
            self.extra_span = Some(TimeSpan::including(self.extra_span, millis));
        }
        // Nobody is hit by a copy by design.
        let hit = extra.subject.as_ref();
        if let Some(subject) = hit.filter(|_| !verdict.cause.is_copy_by_design()) {
            self.subjects.add(subject, self.groups, risk)?;
        }
        Ok(risk)
    }

    /// Adds the record's own amount to the sums of its kind; returns what is at risk of it.
    fn take_amount<'e>(
        &mut self,
        group: &mut GroupTotals,
        extra: &'e Detail,
        cause: Cause,
    ) -> Option<Risk<'e>> {
        let amount = match &extra.amount {
            AmountText::Decimal(amount) => *amount,
            AmountText::NotAsked => return None,
            AmountText::Unusable => {
                self.amounts_unusable += 1;
                return None;
            }
        };
        let currency = extra.currency.as_deref();
        let is_copy = cause.is_copy_by_design();
        let kind = match (is_copy, group.is_dispute) {
            (true, _) => &mut self.copies,
            (false, true) => &mut self.disputed,
            (false, false) => &mut self.agreed,
        };
        let reversed = if is_copy {
            Decimal::ZERO
        } else {
            group.balance.take(currency, amount)
        };
        let risk = Risk {
            currency,
            amount,
            reversed,
        };
        if !kind.add(risk) {
            self.amounts_left_out += 1;
            return None;
        }
        // A copy by design costs nothing, wherever it lies.
        if is_copy {
            return None;
        }
        self.has_overflow |= !group.sums.add(risk);
        Some(risk)
    }

    /// Adds a group whose extra records were added.
    pub(super) fn finish_group(&mut self, group: &GatheredGroup) {
        self.groups += 1;
        self.conflicting_groups += u64::from(!group.is_identical);
        self.uncompared_groups += u64::from(group.is_identical && group.gone > 0);
        self.largest_group = self.largest_group.max(group.count);
        self.reversals.in_groups += group.reversals.records;
        self.reversals.repeated += group.reversals.repeated;
        self.reversals.unusable += group.reversals.unusable;
    }

    /// Returns what is at risk by currency, unknown last.
    pub(in crate::audit) fn amounts(&self) -> Vec<AmountTotal> {
        let kinds = [&self.agreed, &self.disputed, &self.copies];
        let all = kinds.iter().flat_map(|kind| kind.sums.currencies());
        // Unknown sorts first and is shown last.
        let all: BTreeSet<(bool, Option<String>)> =
            all.map(|currency| (currency.is_none(), currency)).collect();
        let total = |(_, currency): (bool, Option<String>)| {
            let of = currency.as_deref();
            // Sums that stand side by side have the same number of digits: `0.00`, `9.99`.
            let scales = kinds.map(|kind| kind.sums.get(of).0.scale());
            let scale = scales.into_iter().max().unwrap_or_default();
            let [agreed, disputed, copies] = kinds.map(|kind| kind.sums.texts(of, scale));
            let [extra, reversed, net] = agreed;
            let [conflicting, conflicting_reversed, _] = disputed;
            let [copies, _, _] = copies;
            AmountTotal {
                extra,
                reversed,
                net,
                extra_records: self.agreed.records(of),
                copies,
                copies_records: self.copies.records(of),
                conflicting,
                conflicting_reversed,
                conflicting_records: self.disputed.records(of),
                currency,
            }
        };
        all.into_iter().map(total).collect()
    }

    /// Returns the extra records by cause, most first.
    pub(in crate::audit) fn causes(&self) -> Vec<CauseTotal> {
        let total = |(cause, damage): (&Cause, &CauseDamage)| CauseTotal {
            cause: *cause,
            groups: damage.groups,
            extra_records: damage.by_confidence.values().sum(),
            confidences: damage
                .by_confidence
                .iter()
                .map(|(Confidences(confidence), count)| (*confidence, *count))
                .collect(),
            evidence: damage.evidence.clone(),
            contrary: damage.contrary.clone(),
        };
        let mut causes: Vec<CauseTotal> = self.causes.iter().map(total).collect();
        causes.sort_by_key(|total| Reverse(total.extra_records));
        causes
    }

    /// Keeps the evidence that the report shows for a cause.
    pub(super) fn keep_evidence(&mut self, diagnosis: &Diagnosis) {
        let texts = |evidence: &[Evidence]| evidence.iter().map(ToString::to_string).collect();
        let total = self.causes.entry(diagnosis.cause).or_default();
        total.evidence = texts(&diagnosis.supporting);
        total.contrary = texts(&diagnosis.contradicting);
    }

    /// Fills in what the episodes hit and cost, and puts the worst first: with amounts in one
    /// currency the most at risk, else the most extra records.
    pub(in crate::audit) fn complete_episodes(&self, episodes: &mut [Episode]) {
        for episode in episodes.iter_mut() {
            if let Some(damage) = self.episodes.get(&episode.id) {
                episode.groups = damage.groups;
                episode.amounts = damage.sums.at_risk();
            }
            self.pictures.complete_episode(episode);
        }
        if self.amounts().len() == 1 {
            let net = |episode: &Episode| {
                let damage = self.episodes.get(&episode.id);
                damage.and_then(|damage| damage.sums.only_net())
            };
            episodes.sort_by_cached_key(|episode| {
                let extra = Reverse(episode.extra_records);
                (Reverse(net(episode).unwrap_or_default()), extra, episode.id)
            });
        }
    }

    pub(in crate::audit) fn partitions(&self, episodes: &[Episode]) -> Vec<PartitionTotal> {
        let episodes_in = |place: &TopicPartition| {
            let is_in = |episode: &&Episode| {
                episode.topic.as_deref() == Some(&*place.topic)
                    && episode.partition == Some(place.partition)
            };
            u64::try_from(episodes.iter().filter(is_in).count()).unwrap_or(u64::MAX)
        };
        let total = |(topic_partition, damage): (&TopicPartition, &Damage)| PartitionTotal {
            topic_partition: topic_partition.clone(),
            episodes: episodes_in(topic_partition),
            groups: damage.groups,
            extra_records: damage.extra_records,
            amounts: damage.sums.at_risk(),
        };
        self.partitions.iter().map(total).collect()
    }

    /// Returns whether a sum of a place or an episode lacks an amount.
    pub(in crate::audit) fn has_overflow(&self) -> bool {
        self.has_overflow
    }

    /// Returns who is hit; the last thing asked.
    pub(in crate::audit) fn subjects(self) -> Result<Subjects, AuditError> {
        let is_one_currency = self.amounts().len() == 1;
        self.subjects.finish(is_one_currency)
    }
}

fn place_of(extra: &Detail) -> Option<TopicPartition> {
    Some(TopicPartition {
        topic: extra.topic.as_deref()?.into(),
        partition: extra.partition?,
    })
}
