//! Details → diagnosed groups in report order, and the totals over them.

mod conclude;
mod expected;
mod gather;
mod group_builder;
mod reversals;
mod spool;
mod standing;
pub(super) mod totals;
#[cfg(test)]
mod undiagnosed;
mod verdicts;

use std::path::Path;
use std::sync::Arc;

use crate::audit::AuditError;
use crate::audit::groups::conclude::{ConcludedGroup, Conclusion};
use crate::audit::groups::group_builder::{Doubts, GatheredGroup};
use crate::audit::groups::spool::{SpoolFiles, SpooledList};
use crate::audit::groups::standing::Standings;
use crate::audit::groups::totals::Totals;
use crate::audit::groups::verdicts::Verdicts;
use crate::audit::plan::AuditPlan;
use crate::dedup_key::fingerprint;
use crate::dedup_key::key_texts;
use crate::diagnosis::DiagnosisContext;
use crate::finding::AmountAtRisk;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::KeyText;
use crate::finding::KnownGroups;
use crate::finding::NewFindings;
use crate::finding::PartitionCoverage;
use crate::finding::Review;
use crate::finding::StandingTotal;
use crate::finding::TimeSpan;
use crate::record::{TopicPartition, counted};
use crate::sorted_run::BlobSorter;
use crate::sorted_run::SortedBlobs;

/// What all details came to.
pub(super) struct Concluded {
    pub(super) totals: Totals,
    pub(super) episodes: Vec<Episode>,
    pub(super) groups: SortedGroups,
    pub(super) standing: Option<StandingTotal>,
    /// What no run had found before.
    pub(super) new: NewFindings,
}

/// Returns what the diagnosis has to know of the audit as a whole.
pub(super) fn diagnosis_context(
    coverage: &Coverage,
    audited_span: Option<TimeSpan>,
) -> DiagnosisContext {
    let place = |partition: &PartitionCoverage| {
        let TopicPartition { topic, partition } = &partition.topic_partition;
        (topic.to_string(), *partition)
    };
    let partitions = || coverage.partitions.iter();
    DiagnosisContext {
        topics: partitions().map(|read| place(read).0).collect(),
        end_offsets: partitions()
            .map(|read| (place(read), read.end_offset))
            .collect(),
        last_timestamp_millis: audited_span.map(|span| span.last_millis),
    }
}

/// Turns records, found and gone, into diagnosed groups.
pub(super) fn build(
    plan: &AuditPlan,
    (found, gone): (SortedBlobs, SortedBlobs),
    context: DiagnosisContext,
    (spill_dir, known): (&Path, &[&dyn KnownGroups]),
) -> Result<Concluded, AuditError> {
    let gathered = gather::gather(plan, (found, gone), spill_dir)?;
    let spools = gathered.spools;
    let marks = BlobSorter::new(spill_dir, plan.memory_share(8));
    let (diagnoses, marks) = conclude::diagnose(gathered.pairs, context, marks)?;
    let mut conclusion = Conclusion::new(plan, spill_dir, (&diagnoses, marks), &spools);
    conclusion.standings = Standings::new(known, &plan.expected).with_past(plan.remembers);
    conclusion.take_all(gathered.groups)?;
    let Conclusion {
        totals,
        sorter,
        verdict_spool,
        standings,
        new,
        ..
    } = conclusion;
    let standing = standings.finish();
    let mut episodes = diagnoses.episodes().to_vec();
    totals.complete_episodes(&mut episodes);
    let groups = SortedGroups {
        groups: sorter.finish()?,
        spools,
        verdict_spools: verdict_spool.into_files(),
        paths: plan
            .dedup_key
            .fields
            .iter()
            .map(|field| field.path.to_string())
            .collect(),
        shows_values: plan.show_values,
        shows_amounts: plan.impact.amount.is_some(),
        has_reversals: plan.reversal.is_some(),
    };
    Ok(Concluded {
        totals,
        episodes,
        groups,
        standing,
        new,
    })
}

/// Groups in report order, to be walked once.
pub struct SortedGroups {
    groups: SortedBlobs,
    spools: SpoolFiles,
    verdict_spools: SpoolFiles,
    paths: Vec<String>,
    shows_values: bool,
    shows_amounts: bool,
    has_reversals: bool,
}

impl SortedGroups {
    /// Returns the next group, most extra records first.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator could not fail half way"
    )]
    pub fn next(&mut self) -> Result<Option<DuplicateGroup>, AuditError> {
        let Some((_, payload)) = self.groups.next()? else {
            return Ok(None);
        };
        let concluded: ConcludedGroup = postcard::from_bytes(payload)?;
        let gathered = concluded.gathered;
        let is_identical = gathered.is_identical;
        let texts = Arc::new(concluded.texts);
        let gone = (gathered.gone > 0).then(|| gone_text(gathered.gone));
        let evidence = texts.evidence.iter().cloned().chain(gone);
        Ok(Some(DuplicateGroup {
            id: group_id(&gathered),
            key: self.key(&gathered),
            count: gathered.count,
            extra: gathered.count - 1,
            first_timestamp_millis: gathered.first_timestamp_millis,
            last_timestamp_millis: gathered.last_timestamp_millis,
            identical: (!is_identical || gathered.gone == 0).then_some(is_identical),
            differing_fields: gathered.differing_fields,
            cause: concluded.cause,
            confidence: concluded.confidence,
            evidence: evidence.collect(),
            contrary: texts.contrary.clone(),
            episode: concluded.episode,
            amount: concluded.amount.map(|amount| AmountAtRisk {
                currency: amount.currency,
                extra: amount.extra,
                reversed: amount.reversed,
                net: amount.net,
            }),
            reversals: self.has_reversals.then_some(gathered.reversals.records),
            review: review(gathered.doubts, concluded.are_all_copies),
            subject: gathered.subject,
            standing: concluded.standing,
            records: Box::new(SpooledList {
                balance: gathered.reversals.balance(),
                records: gathered.records,
                verdicts: Verdicts {
                    spooled: concluded.verdicts,
                    files: self.verdict_spools.clone(),
                    texts,
                },
                files: self.spools.clone(),
                shows_values: self.shows_values,
                shows_amounts: self.shows_amounts,
            }),
        }))
    }

    fn key(&self, group: &GatheredGroup) -> Vec<(String, KeyText)> {
        let canonical_key = &group.identity.canonical_key;
        let mut texts = key_texts(canonical_key.as_deref().unwrap_or_default()).into_iter();
        let text = |path: &String| (path.clone(), texts.next().unwrap_or(KeyText::Null));
        self.paths.iter().map(text).collect()
    }
}

fn review(doubts: Doubts, are_all_copies: bool) -> Review {
    if are_all_copies {
        Review::Copy
    } else if doubts.amounts_differ {
        Review::AmountDiffers
    } else if doubts.subjects_differ {
        Review::SubjectDiffers
    } else if doubts.amount_missing {
        Review::AmountMissing
    } else {
        Review::Ok
    }
}

/// `g_` and the fingerprint; the later parts of a key that `--within` splits are numbered.
fn group_id(group: &GatheredGroup) -> String {
    let [high, low] = match &group.identity.canonical_key {
        Some(canonical) => fingerprint(canonical).0,
        None => group.identity.fingerprint,
    };
    match group.identity.part {
        1 => format!("g_{high:016x}{low:016x}"),
        part => format!("g_{high:016x}{low:016x}-{part}"),
    }
}

fn gone_text(gone: u64) -> String {
    let were = if gone == 1 { "was" } else { "were" };
    format!(
        "not re-read: {} {were} gone when to be read again, and stands here by the first reading: \
         the hash of its dedup key, its time and its place",
        counted(gone, "record")
    )
}
