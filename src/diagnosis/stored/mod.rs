//! Copies in a message store: ids and positions are unique there, so what caused them tells.

use serde::{Deserialize, Serialize};

use crate::diagnosis::judge::{Weight, content_evidence, topic_evidence};
use crate::diagnosis::pair::PairFeatures;
use crate::finding::{Cause, Confidence, Evidence};

/// What the message store shows of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCopy {
    /// Stream and position of the message that it follows, where its metadata say.
    pub input: Option<(String, i64)>,
}

/// How Message DB's exports begin a record.
const EXPORTED: &[u8] = b"{\"global_position\":";

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
    /// Returns what the value of a record shows, if it lies in a store or is exported from one.
    pub fn of_value(value: &[u8], is_in_store: bool) -> Option<Self> {
        if !is_in_store && !value.starts_with(EXPORTED) {
            return None;
        }
        let stored = serde_json::from_slice::<Stored>(value).ok();
        let metadata = stored.and_then(|stored| stored.metadata);
        let input = metadata.and_then(|metadata| {
            let stream = metadata.causation_message_stream_name;
            stream.zip(metadata.causation_message_position)
        });
        Some(Self { input })
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
    pub(crate) fn of(left: Option<&StoredCopy>, right: Option<&StoredCopy>) -> Option<Self> {
        let (Some(left), Some(right)) = (left, right) else {
            return left.or(right).map(|_| Self::Published);
        };
        Some(match (&left.input, &right.input) {
            (Some(left), Some(right)) if left == right => Self::SameInput,
            (Some(_), Some(_)) => Self::OtherInput,
            (None, _) | (_, None) => Self::Written,
        })
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
        return Some(Weight::Open(Confidence::Strong));
    }
    Some(Weight::Excluded(link_evidence(link, pair)))
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
    let second = match link {
        StoreLink::SameInput => Evidence::WrittenTwice,
        StoreLink::OtherInput | StoreLink::Written => content_evidence(pair),
        StoreLink::Published => topic_evidence(pair),
    };
    let mut evidence = vec![link_evidence(link, pair)];
    if !evidence.contains(&second) {
        evidence.push(second);
    }
    Some(evidence)
}

/// Returns what speaks against the cause in one pair; nothing where no copy lies in a store.
pub(super) fn contradicting(pair: &PairFeatures) -> Option<Vec<Evidence>> {
    let link = pair.class.store?;
    Some(match link {
        StoreLink::SameInput => vec![Evidence::SeveralPerInput],
        StoreLink::Written => vec![Evidence::InputUnknown],
        StoreLink::OtherInput | StoreLink::Published => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(value: &str) -> Option<StoredCopy> {
        StoredCopy::of_value(value.as_bytes(), false)
    }

    #[test]
    fn what_a_message_follows_is_read_of_its_metadata() {
        let message = r#"{"global_position":"7","data":{},"metadata":
            {"causationMessageStreamName":"order-5","causationMessagePosition":3}}"#;
        let input = Some(("order-5".to_owned(), 3));
        assert_eq!(stored(message), Some(StoredCopy { input }));
        let alone = r#"{"global_position":"7","data":{}}"#;
        assert_eq!(stored(alone), Some(StoredCopy { input: None }));
        assert_eq!(stored("{\"id\":1}"), None);
        let row = StoredCopy::of_value(b"{\"id\":1}", true);
        assert_eq!(row, Some(StoredCopy { input: None }));
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
