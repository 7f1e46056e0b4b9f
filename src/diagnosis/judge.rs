//! Weighs the causes for a run, decides, and gathers the evidence of one pair.

use crate::diagnosis::aborted_transaction;
use crate::diagnosis::application_resend;
use crate::diagnosis::consumer_replay;
use crate::diagnosis::dead_letter_copy;
use crate::diagnosis::mirror_copy;
use crate::diagnosis::pair::{ContentKind, Family, NamedLink, PairFeatures, TimeKind};
use crate::diagnosis::producer_retry;
use crate::diagnosis::run::{Run, Together};
use crate::diagnosis::stored;
use crate::diagnosis::undetermined;
use crate::finding::{Cause, Confidence, Diagnosis, Evidence};

/// Longest time that producers go on retrying by default: librdkafka's `message.timeout.ms`.
pub(super) const RETRY_MILLIS_MAX: i64 = 300_000;

/// How one cause stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It explains the run, so surely.
    Open(Confidence),
    /// It might, but what would decide is missing.
    Undecided(Evidence),
    /// It does not.
    Excluded(Evidence),
}

/// A run with what its surroundings add.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunCase<'a> {
    pub(super) run: &'a Run,
    pub(super) together: Together,
    /// Source and mirror, where the topic of the run is a mirror by its name.
    pub(super) mirror: Option<(&'a str, &'a str)>,
}

impl RunCase<'_> {
    /// Returns whether a mirror stands beside the run.
    pub(super) fn has_mirror(&self) -> bool {
        self.mirror.is_some() || self.run.pairs_elsewhere * 2 > self.run.pairs
    }

    /// Returns whether the repeats came later than producers retry by default.
    pub(super) fn is_late(&self) -> bool {
        self.run
            .delay_millis()
            .is_some_and(|millis| millis > RETRY_MILLIS_MAX)
    }
}

/// One cause: how it stands for a run, which the numbers of a pair do not change, and what speaks
/// for and against it in one pair.
struct Rule {
    cause: Cause,
    weigh: fn(&RunCase<'_>, &PairFeatures) -> Weight,
    supporting: fn(&RunCase<'_>, &PairFeatures) -> Vec<Evidence>,
    contradicting: fn(&RunCase<'_>, &PairFeatures) -> Vec<Evidence>,
}

const RULES: [Rule; 6] = [
    Rule {
        cause: Cause::ProducerRetry,
        weigh: producer_retry::weigh,
        supporting: producer_retry::supporting,
        contradicting: producer_retry::contradicting,
    },
    Rule {
        cause: Cause::ApplicationResend,
        weigh: application_resend::weigh,
        supporting: application_resend::supporting,
        contradicting: application_resend::contradicting,
    },
    Rule {
        cause: Cause::ConsumerReplay,
        weigh: consumer_replay::weigh,
        supporting: consumer_replay::supporting,
        contradicting: consumer_replay::contradicting,
    },
    Rule {
        cause: Cause::MirrorCopy,
        weigh: mirror_copy::weigh,
        supporting: mirror_copy::supporting,
        contradicting: mirror_copy::contradicting,
    },
    Rule {
        cause: Cause::DeadLetterCopy,
        weigh: dead_letter_copy::weigh,
        supporting: dead_letter_copy::supporting,
        contradicting: dead_letter_copy::contradicting,
    },
    Rule {
        cause: Cause::AbortedTransaction,
        weigh: aborted_transaction::weigh,
        supporting: aborted_transaction::supporting,
        contradicting: aborted_transaction::contradicting,
    },
];

/// Returns the cause of a run and of each of its pairs, and how sure it is of all of them.
pub(super) fn decision(case: &RunCase<'_>) -> Option<(Cause, Confidence)> {
    decide(&weights(case, &case.run.sample))
}

/// Returns how sure a run's cause is of one of its pairs.
pub(super) fn confidence(
    case: &RunCase<'_>,
    pair: &PairFeatures,
    (cause, of_run): (Cause, Confidence),
) -> Confidence {
    if cause == Cause::ProducerRetry && producer_retry::is_certain(case, pair, of_run) {
        Confidence::Certain
    } else {
        of_run
    }
}

/// Returns the diagnosis of one pair of a run.
pub(super) fn diagnose(case: &RunCase<'_>, pair: &PairFeatures, episode: u64) -> Diagnosis {
    let weights = weights(case, pair);
    let decided = decide(&weights);
    let rule = decided.and_then(|(cause, confidence)| {
        let rule = RULES.iter().find(|rule| rule.cause == cause)?;
        Some((rule, confidence))
    });
    let excluded = weights.iter().filter_map(|(cause, weight)| match weight {
        Weight::Excluded(evidence) => Some((*cause, evidence.clone())),
        Weight::Open(_) | Weight::Undecided(_) => None,
    });
    let excluded = excluded.collect();
    let Some((rule, of_run)) = rule else {
        return Diagnosis {
            cause: Cause::Undetermined,
            confidence: None,
            supporting: undetermined::seen(case, pair),
            contradicting: undetermined::missing(&weights, pair),
            excluded,
            episode,
        };
    };
    Diagnosis {
        cause: rule.cause,
        confidence: Some(confidence(case, pair, (rule.cause, of_run))),
        supporting: stored::supporting(pair).unwrap_or_else(|| (rule.supporting)(case, pair)),
        contradicting: stored::contradicting(pair)
            .unwrap_or_else(|| (rule.contradicting)(case, pair)),
        excluded,
        episode,
    }
}

fn weights(case: &RunCase<'_>, pair: &PairFeatures) -> Vec<(Cause, Weight)> {
    let weigh = |rule: &Rule| {
        let weight = stored::weigh(rule.cause, pair);
        (
            rule.cause,
            weight.unwrap_or_else(|| (rule.weigh)(case, pair)),
        )
    };
    RULES.iter().map(weigh).collect()
}

/// Returns the one cause that explains the run best; nothing where two do equally well.
fn decide(weights: &[(Cause, Weight)]) -> Option<(Cause, Confidence)> {
    let open = best(weights);
    match open.as_slice() {
        [decided] => Some(*decided),
        _ => None,
    }
}

/// Returns the causes that explain the run best, all equally well.
pub(super) fn best(weights: &[(Cause, Weight)]) -> Vec<(Cause, Confidence)> {
    let open = weights.iter().filter_map(|(cause, weight)| match weight {
        Weight::Open(confidence) => Some((*cause, *confidence)),
        Weight::Undecided(_) | Weight::Excluded(_) => None,
    });
    let open: Vec<_> = open.collect();
    // Confidence is ordered from certain to weak.
    let most = open.iter().map(|(_, confidence)| *confidence).min();
    open.into_iter()
        .filter(|(_, confidence)| Some(*confidence) == most)
        .collect()
}

/// Returns what the contents of the copies show.
pub(super) fn content_evidence(pair: &PairFeatures) -> Evidence {
    let paths = pair.changed.clone();
    match pair.class.content {
        _ if pair.changed.is_empty() => Evidence::IdenticalContent {
            is_all_known: pair.is_all_known,
        },
        ContentKind::Attempt => Evidence::ChangedAttempt { paths },
        ContentKind::Changed => Evidence::ChangedContent { paths },
        ContentKind::Identical | ContentKind::Volatile | ContentKind::Unknown => {
            Evidence::ChangedVolatile { paths }
        }
    }
}

/// Returns what the timestamps of the copies show, or what they lack.
pub(super) fn time_evidence(case: &RunCase<'_>, pair: &PairFeatures) -> Evidence {
    match pair.class.time {
        TimeKind::Kept => Evidence::EqualCreateTime,
        TimeKind::UnknownEqual if case.run.is_create_time_kept() => Evidence::EqualCreateTime,
        TimeKind::UnknownEqual | TimeKind::UnknownLater => Evidence::TimestampTypeUnknown,
        TimeKind::Later => Evidence::LaterCreateTime {
            millis: pair.gap_millis.unwrap_or_default(),
        },
        TimeKind::Appended => Evidence::LogAppendTime,
        TimeKind::Missing => Evidence::NoTimestamps,
    }
}

/// Returns what the order of the run shows.
pub(super) fn shape_evidence(run: &Run) -> Evidence {
    if run.is_overflow {
        Evidence::TooManyRuns
    } else if run.is_burst && run.pairs == 1 {
        Evidence::Alone
    } else if run.is_reversed() {
        Evidence::RunReversed {
            pairs: run.pairs,
            blocks: run.blocks(),
        }
    } else if !run.is_burst && (run.distance().is_some() || run.is_stretch_again()) {
        Evidence::RunForward {
            pairs: run.pairs,
            distance: run.distance(),
        }
    } else {
        scattered(run)
    }
}

/// Returns over how many offsets the extra records lie.
pub(super) fn scattered(run: &Run) -> Evidence {
    let range = run.extra_offsets.as_ref();
    Evidence::Scattered {
        pairs: run.pairs,
        offsets: range.map_or(0, |range| range.end.saturating_sub(range.start)),
    }
}

/// Returns what the batches say of the producers, where they are shown.
pub(super) fn producer_evidence(pair: &PairFeatures) -> Option<Evidence> {
    let (reference, extra) = pair.batches?;
    let producer_id = extra.producer_id;
    Some(if reference == extra {
        Evidence::SameBatch {
            base_offset: extra.base_offset,
        }
    } else if producer_id != reference.producer_id {
        Evidence::ProducerIdsDiffer {
            earlier: reference.producer_id,
            extra: producer_id,
        }
    } else if producer_id < 0 {
        Evidence::NoProducerId
    } else if reference.producer_epoch != extra.producer_epoch {
        Evidence::ProducerEpochsDiffer {
            producer_id,
            earlier: reference.producer_epoch,
            extra: extra.producer_epoch,
        }
    } else if reference.base_sequence == extra.base_sequence {
        Evidence::SameSequence {
            producer_id,
            base_sequence: extra.base_sequence,
        }
    } else {
        Evidence::SequencesDiffer {
            producer_id,
            earlier: reference.base_sequence,
            extra: extra.base_sequence,
        }
    })
}

/// Returns what the headers of the copies name.
pub(super) fn named_evidence(pair: &PairFeatures) -> Option<Evidence> {
    pair.named.clone().map(|named| match named {
        NamedLink::OtherCopy(named) => Evidence::NamedByHeaders(named),
        NamedLink::SameThird(named) => Evidence::NamedTwice(named),
        NamedLink::Another(named) => Evidence::NamesAnother(named),
    })
}

/// Returns why a cause that needs one topic is excluded by two.
pub(super) fn topic_evidence(pair: &PairFeatures) -> Evidence {
    match pair.topics.clone() {
        Some((earlier, extra)) => Evidence::OtherTopic { earlier, extra },
        None => Evidence::NoCoordinates,
    }
}

/// Returns why a cause that needs one partition is excluded by two.
pub(super) fn partition_evidence(pair: &PairFeatures) -> Evidence {
    match pair.partitions {
        Some((earlier, extra)) => Evidence::OtherPartition { earlier, extra },
        None => Evidence::NoCoordinates,
    }
}

/// Returns why copies by design exclude the causes of repeats, where the pair is one.
pub(super) fn design_evidence(pair: &PairFeatures) -> Option<Evidence> {
    match pair.class.family {
        Family::Aborted => pair.aborted.map(Evidence::Aborted),
        Family::DeadLetter => named_evidence(pair),
        Family::Mirror | Family::OtherTopic => Some(topic_evidence(pair)),
        Family::OtherPartition | Family::SamePartition | Family::Placeless => None,
    }
}
