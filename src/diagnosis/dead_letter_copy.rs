//! A dead-letter or retry topic read beside its source: headers name the other copy.

use crate::diagnosis::judge::{RunCase, Weight, named_evidence};
use crate::diagnosis::pair::{Family, PairFeatures};
use crate::finding::{Confidence, Evidence};

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    if case.run.class.family == Family::DeadLetter {
        return Weight::Open(Confidence::Strong);
    }
    Weight::Excluded(match named_evidence(pair) {
        None => Evidence::NotNamed,
        Some(Evidence::NamedByHeaders(_)) => Evidence::OneTopic,
        Some(named) => named,
    })
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(_: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let topics = pair.topics.clone();
    let topics = topics.map(|(earlier, extra)| Evidence::OtherTopic { earlier, extra });
    named_evidence(pair).into_iter().chain(topics).collect()
}

/// Returns what speaks against it in one pair; headers that name the other copy leave no doubt.
pub(super) fn contradicting(_: &RunCase<'_>, _: &PairFeatures) -> Vec<Evidence> {
    Vec::new()
}
