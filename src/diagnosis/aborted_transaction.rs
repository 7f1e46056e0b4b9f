//! A copy whose transaction was aborted, which readers of committed records never see.

use crate::diagnosis::judge::{RunCase, Weight};
use crate::diagnosis::pair::{Family, PairFeatures};
use crate::finding::{Confidence, Evidence};

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, _: &PairFeatures) -> Weight {
    if case.run.class.family == Family::Aborted {
        Weight::Open(Confidence::Strong)
    } else {
        Weight::Excluded(Evidence::NoneAborted)
    }
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(_: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    pair.aborted.map(Evidence::Aborted).into_iter().collect()
}

/// Returns what speaks against it in one pair; markers leave nothing to doubt.
pub(super) fn contradicting(_: &RunCase<'_>, _: &PairFeatures) -> Vec<Evidence> {
    Vec::new()
}
