//! Copies in a message store: ids and positions are unique there, so what caused them tells.

use serde::{Deserialize, Serialize};

use crate::diagnosis::judge::{Weight, content_evidence, topic_evidence};
use crate::diagnosis::pair::{ContentKind, PairFacts, PairFeatures};
use crate::finding::{Cause, Confidence, Evidence};

/// What the message store shows of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCopy {
    /// Stream and position of the message that it follows, where its metadata say.
    pub input: Option<(String, i64)>,
}

#[derive(Deserialize)]
struct Stored {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    causation_message_stream_name: Option<String>,
    causation_message_position: Option<i64>,
}

impl StoredCopy {
    /// Returns what the value of a record of a store shows.
    pub fn of_value(value: &[u8]) -> Self {
        let stored = serde_json::from_slice::<Stored>(value).ok();
        let metadata = stored.and_then(|stored| stored.metadata);
        let input = metadata.and_then(|metadata| {
            let stream = metadata.causation_message_stream_name;
            stream.zip(metadata.causation_message_position)
        });
        Self { input }
    }
}

/// How the copies of a pair come together, at least one of them in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum StoreLink {
    /// Both follow the same message.
    SameInput,
    /// They follow different messages.
    OtherInput,
    /// Both lie in the store, and what caused one is not known.
    Written,
    /// The other lies in a topic.
    Published,
}

impl StoreLink {
    /// Returns how two copies come together, if one of them lies in a store.
    fn of(left: Option<&StoredCopy>, right: Option<&StoredCopy>) -> Option<Self> {
        let (Some(left), Some(right)) = (left, right) else {
            return left.or(right).map(|_| Self::Published);
        };
        Some(match (&left.input, &right.input) {
            (Some(left), Some(right)) if left == right => Self::SameInput,
            (Some(_), Some(_)) => Self::OtherInput,
            (None, _) | (_, None) => Self::Written,
        })
    }

    /// Returns how the copies of a pair come together, if one of them lies in a store.
    pub(crate) fn of_pair(pair: &PairFacts) -> Option<Self> {
        let reference = pair.reference.copy.stored.as_ref();
        Self::of(reference, pair.extra.stored.as_ref())
    }

    fn cause(self) -> Cause {
        match self {
            Self::SameInput => Cause::ConsumerReplay,
            Self::OtherInput | Self::Written => Cause::ApplicationResend,
            Self::Published => Cause::MirrorCopy,
        }
    }
}

/// Returns how one cause stands where a copy lies in a store; nothing where none does.
pub(super) fn weigh(cause: Cause, pair: &PairFeatures) -> Option<Weight> {
    let link = pair.class.store?;
    if link.cause() == cause {
        return Some(Weight::Open(confidence(link, pair)));
    }
    Some(Weight::Excluded(link_evidence(link, pair)))
}

/// What says something else may be something else, and of what nobody knows why it was written
/// only its likeness tells.
fn confidence(link: StoreLink, pair: &PairFeatures) -> Confidence {
    let is_known = match link {
        StoreLink::SameInput | StoreLink::OtherInput | StoreLink::Published => true,
        StoreLink::Written => pair.class.content == ContentKind::Attempt,
    };
    if is_known && is_alike(pair) {
        Confidence::Strong
    } else {
        Confidence::Weak
    }
}

/// Returns whether the copies say the same, but for what each sending sets anew.
fn is_alike(pair: &PairFeatures) -> bool {
    match pair.class.content {
        ContentKind::Identical | ContentKind::Volatile | ContentKind::Attempt => true,
        ContentKind::Changed | ContentKind::Unknown => false,
    }
}

/// Returns what the contents show, where they can be compared.
fn content(pair: &PairFeatures) -> Evidence {
    match pair.class.content {
        ContentKind::Unknown => Evidence::ContentUnknown,
        ContentKind::Identical => Evidence::SameButForPlace,
        ContentKind::Volatile | ContentKind::Attempt | ContentKind::Changed => {
            content_evidence(pair)
        }
    }
}

fn link_evidence(link: StoreLink, pair: &PairFeatures) -> Evidence {
    match (link, &pair.input) {
        (StoreLink::SameInput, Some((stream, position))) => Evidence::SameInput {
            stream: stream.clone(),
            position: *position,
        },
        (StoreLink::OtherInput, _) => Evidence::OtherInput,
        (StoreLink::SameInput | StoreLink::Written, _) => Evidence::WrittenTwice,
        (StoreLink::Published, _) => Evidence::Published,
    }
}

/// Returns what speaks for the cause in one pair; nothing where no copy lies in a store.
pub(super) fn supporting(pair: &PairFeatures) -> Option<Vec<Evidence>> {
    let link = pair.class.store?;
    let mut evidence = vec![link_evidence(link, pair)];
    match link {
        StoreLink::SameInput => evidence.push(Evidence::WrittenTwice),
        StoreLink::Published => evidence.push(topic_evidence(pair)),
        StoreLink::OtherInput | StoreLink::Written => {}
    }
    evidence.extend(is_alike(pair).then(|| content(pair)));
    evidence.dedup();
    Some(evidence)
}

/// Returns what speaks against the cause in one pair; nothing where no copy lies in a store.
pub(super) fn contradicting(pair: &PairFeatures) -> Option<Vec<Evidence>> {
    let link = pair.class.store?;
    let mut evidence = Vec::new();
    evidence.extend((!is_alike(pair)).then(|| content(pair)));
    match link {
        StoreLink::SameInput => evidence.push(Evidence::SeveralPerInput),
        StoreLink::Written => evidence.push(Evidence::InputUnknown),
        StoreLink::OtherInput | StoreLink::Published => {}
    }
    Some(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::pair::{ContentHashes, CopyFacts, PairId, Reference};

    #[test]
    fn what_a_message_follows_is_read_of_its_metadata() {
        let stored = |value: &str| StoredCopy::of_value(value.as_bytes());
        let message = r#"{"global_position":"7","data":{},"metadata":
            {"causationMessageStreamName":"order-5","causationMessagePosition":3}}"#;
        let input = Some(("order-5".to_owned(), 3));
        assert_eq!(stored(message), StoredCopy { input });
        for other in [r#"{"global_position":"7","data":{}}"#, r#"{"id":1}"#, "x"] {
            assert_eq!(stored(other), StoredCopy { input: None });
        }
    }

    fn copy(input: Option<i64>, value: u128) -> CopyFacts {
        let input = input.map(|position| ("order-5".to_owned(), position));
        CopyFacts {
            topic: Some("payment".to_owned()),
            content: ContentHashes {
                value: Some(value),
                ..ContentHashes::default()
            },
            stored: Some(StoredCopy { input }),
            ..CopyFacts::default()
        }
    }

    /// Returns how sure the cause is, and what speaks against it.
    fn judged(reference: CopyFacts, extra: CopyFacts, differing: &str) -> (Confidence, String) {
        let paths = differing.split_whitespace().map(str::to_owned);
        let pair = PairFeatures::new(&PairFacts {
            id: PairId::default(),
            extra,
            reference: Reference {
                copy: reference,
                original: None,
                elsewhere: None,
            },
            differing: paths.collect(),
        });
        let cause = pair.class.store.unwrap().cause();
        let Some(Weight::Open(confidence)) = weigh(cause, &pair) else {
            panic!("{cause:?} is excluded")
        };
        let against = contradicting(&pair).unwrap();
        let against: Vec<String> = against.iter().map(ToString::to_string).collect();
        (confidence, against.join("; "))
    }

    #[test]
    fn copies_that_say_something_else_are_no_strong_case() {
        use Confidence::{Strong, Weak};
        let published = || CopyFacts {
            stored: None,
            ..copy(None, 9)
        };
        let differs = "what a repeat does not change differs";
        let unknown = "missing: what the copies follow";
        let design = "a handler that writes this more than once";
        for (left, right, paths, confidence, against) in [
            (copy(Some(3), 1), copy(Some(3), 1), "", Strong, design),
            (
                copy(Some(3), 1),
                copy(Some(3), 2),
                "value.data.amount",
                Weak,
                differs,
            ),
            (
                copy(Some(3), 1),
                copy(Some(4), 2),
                "value.data.sent_at",
                Strong,
                "",
            ),
            (
                copy(Some(3), 1),
                copy(Some(4), 2),
                "value.type",
                Weak,
                differs,
            ),
            (copy(None, 1), copy(None, 1), "", Weak, unknown),
            (
                copy(None, 1),
                copy(None, 2),
                "value.data.attempt",
                Strong,
                unknown,
            ),
            (copy(None, 1), published(), "", Strong, ""),
            (
                copy(None, 1),
                published(),
                "value.data.amount",
                Weak,
                differs,
            ),
        ] {
            let (found, said) = judged(left, right, paths);
            assert_eq!(found, confidence, "{paths}: {said}");
            assert!(said.starts_with(against), "{paths}: {said}");
            assert_eq!(said.is_empty(), against.is_empty(), "{paths}: {said}");
        }
    }

    #[test]
    fn two_copies_come_together_by_what_caused_them() {
        let of = |input: Option<i64>| {
            let input = input.map(|position| ("order-5".to_owned(), position));
            StoredCopy { input }
        };
        for (left, right, expected) in [
            (
                Some(of(Some(3))),
                Some(of(Some(3))),
                Some(StoreLink::SameInput),
            ),
            (
                Some(of(Some(3))),
                Some(of(Some(4))),
                Some(StoreLink::OtherInput),
            ),
            (Some(of(None)), Some(of(Some(4))), Some(StoreLink::Written)),
            (Some(of(Some(3))), None, Some(StoreLink::Published)),
            (None, None, None),
        ] {
            assert_eq!(StoreLink::of(left.as_ref(), right.as_ref()), expected);
        }
    }
}
