//! Sums over all groups: extra records, amounts, subjects, partitions, minutes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use rust_decimal::Decimal;
use xxhash_rust::xxh3::xxh3_128;

use crate::audit::AuditError;
use crate::audit::detail::{AmountText, Detail};
use crate::audit::groups::group_builder::GatheredGroup;
use crate::audit::groups::spool::VerdictRun;
use crate::finding::AmountTotal;
use crate::finding::Cause;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::Diagnosis;
use crate::finding::Episode;
use crate::finding::Evidence;
use crate::finding::PartitionTotal;
use crate::finding::TimeSpan;
use crate::impact::{AmountSums, plain_decimal};
use crate::record::TopicPartition;
use crate::sorted_run::fixed::FixedRecord;
use crate::sorted_run::fixed::FixedSorter;

const MILLIS_PER_MINUTE: i64 = 60_000;

/// A subject by its hash, for an exact count of distinct ones in bounded memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SubjectHash(u128);

impl FixedRecord for SubjectHash {
    const BYTES: usize = 16;

    fn write(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self(u128::from_le_bytes(
            bytes.try_into().expect("sixteen bytes"),
        ))
    }
}

/// Extra records and what they cost, in one place or in all.
#[derive(Default)]
struct Damage {
    groups: u64,
    extra_records: u64,
    sums: AmountSums,
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
    extra_records: u64,
    partitions: BTreeMap<TopicPartition, Damage>,
    causes: BTreeMap<Cause, BTreeMap<Confidences, u64>>,
    episodes: BTreeMap<u64, AmountSums>,
    minutes: BTreeMap<i64, u64>,
    span: Option<TimeSpan>,
    /// Of extra records that are no copies by design.
    pub(super) sums: AmountSums,
    /// Of copies by design.
    copies: AmountSums,
    counts: BTreeMap<Option<String>, u64>,
    unusable: u64,
    subjects: Vec<SubjectHash>,
}

impl GroupTotals {
    /// Adds one extra record with the verdict on it.
    pub(super) fn add(&mut self, extra: &Detail, verdict: VerdictRun) {
        self.extra_records += 1;
        let by_confidence = self.causes.entry(verdict.cause).or_default();
        *by_confidence
            .entry(Confidences(verdict.confidence))
            .or_default() += 1;
        let amount = self.take_amount(extra, verdict.cause);
        // A copy by design costs nothing, wherever it lies.
        let at_risk = amount.filter(|_| !verdict.cause.is_copy_by_design());
        let currency = extra.currency.as_deref();
        let of_episode = self.episodes.entry(verdict.episode).or_default();
        if let Some(amount) = at_risk {
            of_episode.add(currency, amount);
        }
        if let Some((topic, partition)) = extra.topic.as_deref().zip(extra.partition) {
            let topic_partition = TopicPartition {
                topic: topic.into(),
                partition,
            };
            let damage = self.partitions.entry(topic_partition).or_default();
            damage.extra_records += 1;
            if let Some(amount) = at_risk {
                damage.sums.add(currency, amount);
            }
        }
        if let Some(millis) = extra.timestamp_millis {
            *self
                .minutes
                .entry(millis.div_euclid(MILLIS_PER_MINUTE))
                .or_default() += 1;
            self.span = Some(TimeSpan::including(self.span, millis));
        }
        if let Some(subject) = &extra.subject {
            let hash = SubjectHash(xxh3_128(subject.as_bytes()));
            if self.subjects.last() != Some(&hash) {
                self.subjects.push(hash);
            }
        }
    }

    /// Adds the record's own amount to the sums of its kind, and returns it.
    fn take_amount(&mut self, extra: &Detail, cause: Cause) -> Option<Decimal> {
        let amount = match &extra.amount {
            AmountText::Decimal(text) => text.parse::<Decimal>().ok(),
            AmountText::NotAsked => return None,
            AmountText::Unusable => None,
        };
        let sums = if cause.is_copy_by_design() {
            &mut self.copies
        } else {
            &mut self.sums
        };
        let is_added = amount.is_some_and(|amount| sums.add(extra.currency.as_deref(), amount));
        if !is_added {
            self.unusable += 1;
            return None;
        }
        *self.counts.entry(extra.currency.clone()).or_default() += 1;
        amount
    }

    /// Returns whether all extra records are copies by design.
    pub(super) fn are_all_copies(&self) -> bool {
        self.causes.keys().all(|cause| cause.is_copy_by_design())
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
    pub(in crate::audit) extra_per_minute: BTreeMap<i64, u64>,
    /// Whether a sum is past exact decimals.
    pub(in crate::audit) sums_overflow: bool,
    partitions: BTreeMap<TopicPartition, Damage>,
    agreed: AmountSums,
    disputed: AmountSums,
    copies: AmountSums,
    causes: BTreeMap<Cause, CauseDamage>,
    episodes: BTreeMap<u64, Damage>,
    counts: BTreeMap<Option<String>, u64>,
    subjects: FixedSorter<SubjectHash>,
}

impl Totals {
    pub(in crate::audit) fn new(spill_dir: &Path, memory_bytes: usize) -> Self {
        Self {
            groups: 0,
            extra_records: 0,
            conflicting_groups: 0,
            uncompared_groups: 0,
            largest_group: 0,
            amounts_unusable: 0,
            extra_span: None,
            extra_per_minute: BTreeMap::new(),
            sums_overflow: false,
            partitions: BTreeMap::new(),
            agreed: AmountSums::default(),
            disputed: AmountSums::default(),
            copies: AmountSums::default(),
            causes: BTreeMap::new(),
            episodes: BTreeMap::new(),
            counts: BTreeMap::new(),
            subjects: FixedSorter::new(spill_dir, memory_bytes),
        }
    }

    /// Adds a finished group.
    pub(super) fn add(
        &mut self,
        group: &GatheredGroup,
        totals: GroupTotals,
    ) -> Result<(), AuditError> {
        self.groups += 1;
        self.extra_records += totals.extra_records;
        self.conflicting_groups += u64::from(!group.is_identical);
        self.uncompared_groups += u64::from(group.is_identical && group.has_gone);
        self.largest_group = self.largest_group.max(group.count);
        self.amounts_unusable += totals.unusable;
        for (minute, extra) in totals.minutes {
            *self.extra_per_minute.entry(minute).or_default() += extra;
        }
        if let Some(span) = totals.span {
            let widened = TimeSpan::including(self.extra_span, span.first_millis);
            self.extra_span = Some(TimeSpan::including(Some(widened), span.last_millis));
        }
        for (topic_partition, damage) in totals.partitions {
            let total = self.partitions.entry(topic_partition).or_default();
            total.groups += 1;
            total.extra_records += damage.extra_records;
            self.sums_overflow |= !total.sums.add_all(&damage.sums);
        }
        for (cause, by_confidence) in totals.causes {
            let total = self.causes.entry(cause).or_default();
            total.groups += 1;
            for (confidence, extra_records) in by_confidence {
                *total.by_confidence.entry(confidence).or_default() += extra_records;
            }
        }
        for (episode, sums) in totals.episodes {
            let total = self.episodes.entry(episode).or_default();
            total.groups += 1;
            self.sums_overflow |= !total.sums.add_all(&sums);
        }
        for (currency, count) in totals.counts {
            *self.counts.entry(currency).or_default() += count;
        }
        self.sums_overflow |= !self.copies.add_all(&totals.copies);
        let sums = if group.doubts.is_dispute() {
            &mut self.disputed
        } else {
            &mut self.agreed
        };
        self.sums_overflow |= !sums.add_all(&totals.sums);
        for subject in totals.subjects {
            self.subjects.push(subject)?;
        }
        Ok(())
    }

    /// Returns what is at risk by currency, unknown last.
    /// Returns what is at risk by currency, unknown last.
    pub(in crate::audit) fn amounts(&self) -> Vec<AmountTotal> {
        let mut all = self.agreed.clone();
        all.add_all(&self.disputed);
        all.add_all(&self.copies);
        let total = |currency: Option<String>| {
            // Sums that stand side by side have the same number of digits: `0.00`, `9.99`.
            let scale = all.get(currency.as_deref()).scale();
            let of =
                |sums: &AmountSums| plain_decimal(sums.get_with_scale(currency.as_deref(), scale));
            AmountTotal {
                extra: of(&self.agreed),
                copies: of(&self.copies),
                conflicting: of(&self.disputed),
                extra_records: self.counts.get(&currency).copied().unwrap_or_default(),
                currency,
            }
        };
        all.currencies().into_iter().map(total).collect()
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
        causes.sort_by_key(|total| std::cmp::Reverse(total.extra_records));
        causes
    }

    /// Keeps the evidence that the report shows for a cause.
    pub(super) fn keep_evidence(&mut self, diagnosis: &Diagnosis) {
        let texts = |evidence: &[Evidence]| evidence.iter().map(ToString::to_string).collect();
        let total = self.causes.entry(diagnosis.cause).or_default();
        total.evidence = texts(&diagnosis.supporting);
        total.contrary = texts(&diagnosis.contradicting);
    }

    /// Fills in what the episodes hit and cost.
    pub(in crate::audit) fn complete_episodes(&self, episodes: &mut [Episode]) {
        for episode in episodes {
            if let Some(damage) = self.episodes.get(&episode.id) {
                episode.groups = damage.groups;
                episode.amounts = by_currency(&damage.sums);
            }
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
            amounts: by_currency(&damage.sums),
        };
        self.partitions.iter().map(total).collect()
    }

    /// Returns the number of distinct subjects; the last thing asked.
    pub(in crate::audit) fn count_subjects(self) -> Result<u64, AuditError> {
        let mut sorted = self.subjects.finish()?;
        let mut last = None;
        let mut distinct = 0;
        while let Some(subject) = sorted.next().transpose()? {
            distinct += u64::from(last != Some(subject));
            last = Some(subject);
        }
        Ok(distinct)
    }
}

fn by_currency(sums: &AmountSums) -> Vec<(Option<String>, String)> {
    let sum = |currency: Option<String>| {
        let sum = plain_decimal(sums.get(currency.as_deref()));
        (currency, sum)
    };
    sums.currencies().into_iter().map(sum).collect()
}
