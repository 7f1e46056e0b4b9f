//! Groups and diagnosed pairs → findings in report order, and the totals over them.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::AuditError;
use crate::audit::groups::group_builder::GatheredGroup;
use crate::audit::groups::group_id;
use crate::audit::groups::spool::{OccurrenceSpool, Spooled, walk_details};
use crate::audit::groups::standing::Standings;
use crate::audit::groups::totals::{GroupTotals, RiskSums, Totals};
use crate::audit::groups::verdicts::{Verdict, VerdictSpool};
use crate::audit::plan::AuditPlan;
use crate::diagnosis::{Diagnoser, Diagnoses, DiagnosisContext, MajorityDiagnosis};
use crate::diagnosis::{PairFacts, PairMark};
use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::GroupStanding;
use crate::finding::NewFindings;
use crate::finding::{Diagnosis, Evidence, EvidenceTexts};
use crate::sorted_run::BlobSorter;
use crate::sorted_run::SortedBlobs;
use crate::sorted_run::encoding::Encoder;

/// A group with its diagnosis, set aside until all are known.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConcludedGroup {
    pub(super) gathered: GatheredGroup,
    /// Verdicts on the extra records, in order.
    pub(super) verdicts: Spooled,
    pub(super) cause: Cause,
    pub(super) confidence: Option<Confidence>,
    pub(super) texts: EvidenceTexts,
    pub(super) episode: Option<u64>,
    /// What is at risk, where it is of one currency.
    pub(super) amount: Option<StoredAmount>,
    pub(super) are_all_copies: bool,
    pub(super) standing: Option<GroupStanding>,
}

/// What is at risk in a group, as plain decimals.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredAmount {
    pub(super) currency: Option<String>,
    pub(super) extra: String,
    pub(super) reversed: String,
    pub(super) net: String,
}

/// Diagnoses all pairs; the marks come back by group and occurrence.
pub(super) fn diagnose(
    mut pairs: SortedBlobs,
    context: DiagnosisContext,
    mut marks: BlobSorter,
) -> Result<(Diagnoses, SortedBlobs), AuditError> {
    let mut encoder = Encoder::default();
    let mut diagnoser = Diagnoser::new(context);
    while let Some((_, payload)) = pairs.next()? {
        let pair: PairFacts = postcard::from_bytes(payload)?;
        diagnoser.push(pair);
        while let Some(mark) = diagnoser.next_mark() {
            push_mark(&mut marks, &mut encoder, &mark)?;
        }
    }
    let (diagnoses, rest) = diagnoser.finish();
    for mark in rest {
        push_mark(&mut marks, &mut encoder, &mark)?;
    }
    Ok((diagnoses, marks.finish()?))
}

fn push_mark(
    marks: &mut BlobSorter,
    encoder: &mut Encoder,
    mark: &PairMark,
) -> Result<(), AuditError> {
    let [group, _] = mark.id.fingerprint;
    let place = [group, mark.id.occurrence].map(u64::to_be_bytes);
    Ok(marks.push(place.as_flattened(), encoder.encode(mark)?)?)
}

/// Gives every group its diagnosis and adds it up.
pub(super) struct Conclusion<'a> {
    pub(super) diagnoses: &'a Diagnoses,
    pub(super) marks: SortedBlobs,
    pub(super) spools: &'a [Option<File>],
    pub(super) totals: Totals,
    pub(super) sorter: BlobSorter,
    encoder: Encoder,
    /// Verdicts of large groups.
    pub(super) verdict_spool: OccurrenceSpool,
    /// What is new and what was known.
    pub(super) standings: Standings<'a>,
    /// What no run had found before, where runs remember.
    pub(super) new: NewFindings,
    counts_new: bool,
    /// Whether each extra record has its own evidence.
    keeps_texts: bool,
    /// The largest episode of each cause, until its evidence is kept.
    largest: Vec<u64>,
}

impl<'a> Conclusion<'a> {
    /// Returns a conclusion that has seen no group.
    pub(super) fn new(
        plan: &AuditPlan,
        spill_dir: &Path,
        diagnosed: (&'a Diagnoses, SortedBlobs),
        spools: &'a [Option<File>],
    ) -> Self {
        let (diagnoses, marks) = diagnosed;
        Self {
            diagnoses,
            marks,
            spools,
            totals: Totals::new(spill_dir, plan.memory_share(16), diagnoses.episodes()),
            sorter: BlobSorter::new(spill_dir, plan.memory_share(8)),
            encoder: Encoder::default(),
            verdict_spool: OccurrenceSpool::new(spill_dir, 0, false),
            standings: Standings::default(),
            new: NewFindings::default(),
            counts_new: plan.remembers,
            keeps_texts: plan.show_evidence,
            largest: largest_episodes(diagnoses),
        }
    }

    /// Takes all groups by number.
    pub(super) fn take_all(&mut self, mut groups: SortedBlobs) -> Result<(), AuditError> {
        while let Some((_, payload)) = groups.next()? {
            self.take(postcard::from_bytes(payload)?)?;
        }
        Ok(())
    }

    fn take(&mut self, gathered: GatheredGroup) -> Result<(), AuditError> {
        let mut totals = GroupTotals::new(&gathered);
        let mut standing = self
            .standings
            .begin(gathered.told, || group_id(&gathered))?;
        let earlier = gathered.count - gathered.fresh;
        let found_before = earlier.saturating_sub(1);
        let new_before = self.new.extra_records;
        let mut majority = MajorityDiagnosis::default();
        let mut verdicts = VerdictSpool::default();
        let mut details = walk_details(&gathered.records, self.spools);
        let original = details.next().transpose()?.unwrap_or_default();
        for (detail, number) in details.zip(0..) {
            let detail = detail?;
            let mark = self.next_mark()?;
            let diagnoses = self.diagnoses;
            let said = diagnoses.verdict(&mark);
            // Evidence is gathered once, and only where something asks for it.
            let diagnosis = LazyCell::new(|| diagnoses.diagnosis(&mark));
            let verdict = Verdict {
                cause: said.cause,
                confidence: said.confidence,
                episode: said.episode,
                texts: self.keeps_texts.then(|| Arc::new(texts_of(&diagnosis))),
            };
            if let Some(place) = self.largest.iter().position(|id| *id == said.episode) {
                self.largest.swap_remove(place);
                self.totals.keep_evidence(&diagnosis);
            }
            majority.add(said, || diagnosis.clone());
            let risk = self.totals.add(&mut totals, &detail, &verdict)?;
            let copies = (&original, &detail);
            let is_new = self
                .standings
                .add(&mut standing, verdict.cause, copies, risk);
            let pictures = &mut self.totals.pictures;
            pictures.link(verdict.episode, &original, &detail);
            if self.counts_new && is_new && number >= found_before {
                let risk = risk.map(|risk| (risk.currency, risk.amount));
                self.new.add(verdict.cause, detail.topic.as_deref(), risk);
            }
            verdicts.push(&verdict, &mut self.verdict_spool)?;
        }
        self.new.groups += u64::from(self.new.extra_records > new_before);
        let most = majority.into_diagnosis();
        let most = most.expect("a group has an extra record");
        let texts = texts_of(&most);
        let concluded = ConcludedGroup {
            verdicts: verdicts.finish(&texts, &mut self.verdict_spool)?,
            cause: most.cause,
            confidence: most.confidence,
            texts,
            episode: Some(most.episode),
            amount: amount_of(&totals.sums),
            are_all_copies: totals.are_all_copies(),
            standing: self.standings.finish_group(standing),
            gathered,
        };
        self.totals.finish_group(&concluded.gathered);
        let order = &concluded.gathered.report_order;
        Ok(self.sorter.push(order, self.encoder.encode(&concluded)?)?)
    }

    /// Groups and marks are in one order, and every extra record has a mark.
    fn next_mark(&mut self) -> Result<PairMark, AuditError> {
        let Some((_, payload)) = self.marks.next()? else {
            let problem = "an extra record was not diagnosed".to_owned();
            return Err(AuditError::Internal(problem));
        };
        Ok(postcard::from_bytes(payload)?)
    }
}

/// Returns the largest episode of each cause.
fn largest_episodes(diagnoses: &Diagnoses) -> Vec<u64> {
    let mut causes = BTreeSet::new();
    let episodes = diagnoses.episodes().iter();
    episodes
        .filter(|episode| causes.insert(episode.cause))
        .map(|episode| episode.id)
        .collect()
}

fn amount_of(sums: &RiskSums) -> Option<StoredAmount> {
    let mut amounts = sums.at_risk();
    let amount = amounts.pop().filter(|_| amounts.is_empty())?;
    Some(StoredAmount {
        currency: amount.currency,
        extra: amount.extra,
        reversed: amount.reversed,
        net: amount.net,
    })
}

fn texts_of(diagnosis: &Diagnosis) -> EvidenceTexts {
    let texts = |evidence: &[Evidence]| evidence.iter().map(ToString::to_string).collect();
    EvidenceTexts {
        evidence: texts(&diagnosis.supporting),
        contrary: texts(&diagnosis.contradicting),
    }
}
