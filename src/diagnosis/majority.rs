//! A group's diagnosis: that of most of its extra records.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::finding::{Cause, Confidence, Diagnosis};

/// Different diagnoses told apart within a group; what comes after them is not counted.
const KEPT_MAX: usize = 64;

/// What a diagnosis comes to, without its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// The cause.
    pub cause: Cause,
    /// How sure it is; nothing for `undetermined`.
    pub confidence: Option<Confidence>,
    /// The episode that the extra record belongs to.
    pub episode: u64,
}

/// Counts the diagnoses of one group's extra records.
#[derive(Clone, Debug, Default)]
pub struct MajorityDiagnosis {
    counts: BTreeMap<Verdict, (u64, Diagnosis)>,
}

impl MajorityDiagnosis {
    /// Adds the verdict on an extra record; its diagnosis is asked for where none like it came.
    pub fn add(&mut self, verdict: Verdict, diagnosis: impl FnOnce() -> Diagnosis) {
        if let Some((count, _)) = self.counts.get_mut(&verdict) {
            *count += 1;
        } else if self.counts.len() < KEPT_MAX {
            self.counts.insert(verdict, (1, diagnosis()));
        }
    }

    /// Returns the diagnosis of most extra records; ties go to the first cause of
    /// [`Cause::ALL`], then to the less sure confidence, then to the first episode.
    pub fn into_diagnosis(self) -> Option<Diagnosis> {
        let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
        for (verdict, (count, _)) in &self.counts {
            *causes.entry(verdict.cause).or_default() += count;
        }
        let cause = causes
            .into_iter()
            .min_by_key(|(cause, count)| (Reverse(*count), *cause))?
            .0;
        let is_of_cause = |(verdict, _): &(Verdict, _)| verdict.cause == cause;
        let of_cause = self.counts.into_iter().filter(is_of_cause);
        let most = of_cause.min_by_key(|(verdict, (count, _))| {
            (
                Reverse(*count),
                Reverse(verdict.confidence),
                verdict.episode,
            )
        });
        most.map(|(_, (_, diagnosis))| diagnosis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(cause: Cause, confidence: Confidence, episode: u64) -> Diagnosis {
        Diagnosis {
            cause,
            confidence: Some(confidence),
            supporting: Vec::new(),
            contradicting: Vec::new(),
            excluded: Vec::new(),
            episode,
        }
    }

    fn add(majority: &mut MajorityDiagnosis, diagnosis: &Diagnosis) {
        let verdict = Verdict {
            cause: diagnosis.cause,
            confidence: diagnosis.confidence,
            episode: diagnosis.episode,
        };
        majority.add(verdict, || diagnosis.clone());
    }

    #[test]
    fn most_extras_decide_and_ties_go_by_the_order_of_causes() {
        let retry = diagnosis(Cause::ProducerRetry, Confidence::Certain, 1);
        let mirror = diagnosis(Cause::MirrorCopy, Confidence::Weak, 2);
        let mut majority = MajorityDiagnosis::default();
        assert_eq!(majority.clone().into_diagnosis(), None);
        add(&mut majority, &mirror);
        add(&mut majority, &retry);
        assert_eq!(majority.clone().into_diagnosis(), Some(retry.clone()));
        add(&mut majority, &mirror);
        assert_eq!(majority.into_diagnosis(), Some(mirror));
    }

    #[test]
    fn the_less_sure_confidence_breaks_a_tie() {
        let certain = diagnosis(Cause::ProducerRetry, Confidence::Certain, 1);
        let strong = diagnosis(Cause::ProducerRetry, Confidence::Strong, 1);
        let mut majority = MajorityDiagnosis::default();
        add(&mut majority, &certain);
        add(&mut majority, &strong);
        assert_eq!(majority.into_diagnosis(), Some(strong));
    }
}
