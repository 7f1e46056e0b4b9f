//! The rest: what was seen, and what is missing to decide.

use crate::diagnosis::judge::{
    RunCase, Weight, best, content_evidence, named_evidence, producer_evidence, shape_evidence,
    time_evidence,
};
use crate::diagnosis::pair::{ContentKind, PairFeatures, TimeKind};
use crate::finding::{Cause, Evidence};

/// Returns what was seen of the pair.
pub(super) fn seen(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if pair.class.content != ContentKind::Unknown {
        evidence.push(content_evidence(pair));
    }
    if matches!(pair.class.time, TimeKind::Kept | TimeKind::Later) {
        evidence.push(time_evidence(case, pair));
    }
    if let Some((earlier, extra)) = pair.topics.clone() {
        evidence.push(Evidence::OtherTopic { earlier, extra });
    }
    if !case.run.is_burst {
        evidence.push(shape_evidence(case.run));
    }
    evidence.extend(producer_evidence(pair));
    evidence.extend(named_evidence(pair));
    evidence
}

/// Returns which causes remain, or what would have decided.
pub(super) fn missing(weights: &[(Cause, Weight)], pair: &PairFeatures) -> Vec<Evidence> {
    let remaining: Vec<Cause> = best(weights).into_iter().map(|(cause, _)| cause).collect();
    let mut evidence = Vec::new();
    if !remaining.is_empty() {
        evidence.push(Evidence::CausesRemain(remaining));
    }
    for (_, weight) in weights {
        match weight {
            Weight::Undecided(missing) if !evidence.contains(missing) => {
                evidence.push(missing.clone());
            }
            Weight::Undecided(_) | Weight::Open(_) | Weight::Excluded(_) => {}
        }
    }
    let is_told_by_batches = pair.class.content == ContentKind::Identical && !evidence.is_empty();
    if is_told_by_batches && pair.batches.is_none() {
        evidence.push(Evidence::NoBatches);
    }
    if evidence.is_empty() {
        evidence.push(Evidence::NoCauseFits);
    }
    evidence
}
