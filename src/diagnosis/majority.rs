//! A group's diagnosis: that of most of its extra records.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::finding::{Cause, Confidence, Diagnosis};

/// Different diagnoses told apart within a group; what comes after them is not counted.
const KEPT_MAX: usize = 64;

/// Counts the diagnoses of one group's extra records.
#[derive(Clone, Debug, Default)]
pub struct MajorityDiagnosis {
    counts: BTreeMap<(Cause, Option<Confidence>, u64), (u64, Diagnosis)>,
}

impl MajorityDiagnosis {
    /// Adds the diagnosis of an extra record.
    pub fn add(&mut self, diagnosis: &Diagnosis) {
        let key = (diagnosis.cause, diagnosis.confidence, diagnosis.episode);
        if let Some((count, _)) = self.counts.get_mut(&key) {
            *count += 1;
        } else if self.counts.len() < KEPT_MAX {
            self.counts.insert(key, (1, diagnosis.clone()));
        }
    }

    /// Returns the diagnosis of most extra records; ties go to the first cause of
    /// [`Cause::ALL`], then to the less sure confidence, then to the first episode.
    pub fn into_diagnosis(self) -> Option<Diagnosis> {
        let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
        for ((cause, _, _), (count, _)) in &self.counts {
            *causes.entry(*cause).or_default() += count;
        }
        let cause = causes
            .into_iter()
            .min_by_key(|(cause, count)| (Reverse(*count), *cause))?
            .0;
        let of_cause = self.counts.into_iter().filter(|(key, _)| key.0 == cause);
        let most = of_cause.min_by_key(|((_, confidence, episode), (count, _))| {
            (Reverse(*count), Reverse(*confidence), *episode)
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

    #[test]
    fn most_extras_decide_and_ties_go_by_the_order_of_causes() {
        let retry = diagnosis(Cause::ProducerRetry, Confidence::Certain, 1);
        let mirror = diagnosis(Cause::MirrorCopy, Confidence::Weak, 2);
        let mut majority = MajorityDiagnosis::default();
        assert_eq!(majority.clone().into_diagnosis(), None);
        majority.add(&mirror);
        majority.add(&retry);
        assert_eq!(majority.clone().into_diagnosis(), Some(retry.clone()));
        majority.add(&mirror);
        assert_eq!(majority.into_diagnosis(), Some(mirror));
    }

    #[test]
    fn the_less_sure_confidence_breaks_a_tie() {
        let certain = diagnosis(Cause::ProducerRetry, Confidence::Certain, 1);
        let strong = diagnosis(Cause::ProducerRetry, Confidence::Strong, 1);
        let mut majority = MajorityDiagnosis::default();
        majority.add(&certain);
        majority.add(&strong);
        assert_eq!(majority.into_diagnosis(), Some(strong));
    }
}
