//! A dead-letter or retry topic read beside its source: headers name the other copy.

use crate::diagnosis::judge::{RunCase, Weight, named_evidence};
use crate::diagnosis::pair::{Family, PairFeatures};
use crate::finding::{Confidence, Evidence};

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    if case.run.class.family == Family::DeadLetter {
        Weight::Open(Confidence::Strong)
    } else {
        Weight::Excluded(named_evidence(pair).unwrap_or(Evidence::NotNamed))
    }
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(_: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let topics = pair.topics.clone();
    let topics = topics.map(|(earlier, extra)| Evidence::OtherTopic { earlier, extra });
    named_evidence(pair).into_iter().chain(topics).collect()
}

/// Returns what speaks against it in one pair.
pub(super) fn contradicting(_: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    // A dead-letter topic is another topic; headers may be carried along into the same one.
    let is_one_topic = pair.topics.is_none();
    Vec::from_iter(is_one_topic.then_some(Evidence::OneTopic))
}
