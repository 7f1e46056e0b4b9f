//! A mirrored topic read beside its source: the same bytes and `CreateTime` in another topic.

use crate::diagnosis::judge::{
    RunCase, Weight, content_evidence, named_evidence, time_evidence, topic_evidence,
};
use crate::diagnosis::pair::{ContentKind, Family, PairFeatures, TimeKind, mirror_names};
use crate::finding::{Confidence, Evidence};

/// Copies in two topics that are no accident.
const PAIRS_STRONG: u64 = 10;

/// Weighs the cause.
pub(super) fn weigh(case: &RunCase<'_>, pair: &PairFeatures) -> Weight {
    let class = case.run.class;
    match class.family {
        Family::Mirror => {
            let is_named = names(pair).is_some();
            let is_kept = class.time == TimeKind::Kept;
            let is_strong = is_kept && (is_named || case.run.pairs >= PAIRS_STRONG);
            Weight::Open(if is_strong {
                Confidence::Strong
            } else {
                Confidence::Weak
            })
        }
        Family::OtherTopic if class.content == ContentKind::Unknown => {
            Weight::Undecided(Evidence::ContentUnknown)
        }
        Family::OtherTopic if class.content == ContentKind::Identical => {
            let time = time_evidence(case, pair);
            if class.time == TimeKind::Later {
                Weight::Excluded(time)
            } else {
                Weight::Undecided(time)
            }
        }
        Family::OtherTopic => Weight::Excluded(content_evidence(pair)),
        Family::Placeless => Weight::Undecided(Evidence::NoCoordinates),
        Family::DeadLetter => Weight::Excluded(named_evidence(pair).unwrap_or(Evidence::OneTopic)),
        Family::Aborted | Family::OtherPartition | Family::SamePartition => {
            Weight::Excluded(Evidence::OneTopic)
        }
    }
}

/// Returns source and mirror by their names; one run has one pair of topics.
fn names(pair: &PairFeatures) -> Option<(&str, &str)> {
    let (reference, extra) = pair.topics.as_ref()?;
    mirror_names(reference, extra)
}

/// Returns what speaks for it in one pair.
pub(super) fn supporting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = vec![topic_evidence(pair), content_evidence(pair)];
    if pair.class.time == TimeKind::Kept {
        evidence.push(time_evidence(case, pair));
    }
    if let Some((source, mirror)) = names(pair) {
        let (source, mirror) = (source.to_owned(), mirror.to_owned());
        evidence.push(Evidence::MirrorName { source, mirror });
    }
    if pair
        .partitions
        .is_some_and(|(earlier, extra)| earlier == extra)
    {
        evidence.push(Evidence::SamePartitionNumber);
    }
    evidence
}

/// Returns what speaks against it in one pair.
pub(super) fn contradicting(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if pair.class.time != TimeKind::Kept {
        evidence.push(time_evidence(case, pair));
    }
    if let Some((earlier, extra)) = pair.partitions.filter(|(earlier, extra)| earlier != extra) {
        evidence.push(Evidence::OtherPartition { earlier, extra });
    }
    evidence.extend(named_evidence(pair));
    evidence
}
