//! What a source shows of a copy, and the pairs that the diagnosis takes.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::diagnosis::stored::StoredCopy;
use crate::finding::NamedCoordinates;
use crate::record::BatchStamp;
use crate::record::Headers;
use crate::record::Payload;
use crate::record::Timestamp;

/// Hashes of what a record holds; nothing where the source does not show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHashes {
    /// Of the key, null included.
    pub key: Option<u128>,
    /// Of the headers, in order.
    pub headers: Option<u128>,
    /// Of the value, null included.
    pub value: Option<u128>,
}

impl ContentHashes {
    /// Returns the hashes of a record's parts.
    pub fn new(key: Payload<'_>, headers: Option<&Headers<'_>>, value: Payload<'_>) -> Self {
        Self {
            key: payload_hash(key),
            headers: headers.map(|headers| xxh3_128(headers.encoded())),
            value: payload_hash(value),
        }
    }

    /// Returns the hash of a value, as far as it is compared.
    pub fn of_value(compared: &[u8]) -> Option<u128> {
        payload_hash(Payload::Bytes(compared))
    }

    /// Returns whether nothing that both show differs, the value being shown by both.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.value.is_some()
            && self.value == other.value
            && is_not_different(self.key, other.key)
            && is_not_different(self.headers, other.headers)
    }
}

/// Returns whether two parts are equal, as far as both are shown.
pub(super) fn is_not_different(left: Option<u128>, right: Option<u128>) -> bool {
    left.zip(right).is_none_or(|(left, right)| left == right)
}

/// Returns source and mirror where one topic is named `alias.` and the other's name.
pub(crate) fn mirror_names<'a>(left: &'a str, right: &'a str) -> Option<(&'a str, &'a str)> {
    let is_mirror_of = |mirror: &str, source: &str| {
        mirror
            .strip_suffix(source)
            .is_some_and(|alias| alias.len() > 1 && alias.ends_with('.'))
    };
    if is_mirror_of(right, left) {
        Some((left, right))
    } else if is_mirror_of(left, right) {
        Some((right, left))
    } else {
        None
    }
}

fn payload_hash(payload: Payload<'_>) -> Option<u128> {
    match payload {
        Payload::Unrecorded => None,
        // Null differs from every byte string, the empty one included.
        Payload::Null => Some(0),
        Payload::Bytes(bytes) => Some(xxh3_128(bytes)),
    }
}

/// What is known of one copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFacts {
    /// Topic, where known.
    pub topic: Option<String>,
    /// Partition, where known.
    pub partition: Option<i32>,
    /// Offset, where known.
    pub offset: Option<i64>,
    /// Timestamp with who set it, where known.
    pub timestamp: Option<Timestamp>,
    /// Hashes of key, headers and value.
    pub content: ContentHashes,
    /// Epoch of the leader that appended it, where the source shows it without the batch.
    pub leader_epoch: Option<i32>,
    /// Its batch, where the source shows it.
    pub batch: Option<BatchStamp>,
    /// Whether its transaction was aborted, where the source tells.
    pub is_aborted: Option<bool>,
    /// What its headers name, as [`named_coordinates`](super::named_coordinates()) reads them.
    pub named: Option<NamedCoordinates>,
    /// What a message store shows of it, where it lies in one.
    pub stored: Option<StoredCopy>,
}

impl CopyFacts {
    /// Returns topic, partition and offset, where all are known.
    pub(crate) fn coordinates(&self) -> Option<(&str, i32, i64)> {
        Some((self.topic.as_deref()?, self.partition?, self.offset?))
    }

    /// Returns whether both lie in one partition, and say where in it.
    pub(super) fn is_in_partition_of(&self, other: &Self) -> bool {
        let places = self.coordinates().zip(other.coordinates());
        places.is_some_and(|(left, right)| (left.0, left.1) == (right.0, right.1))
    }

    pub(super) fn is_in_topic_of(&self, other: &Self) -> bool {
        self.topic.is_some() && self.topic == other.topic
    }

    /// Returns whether the headers of this copy name the other one.
    pub(super) fn names(&self, other: &Self) -> bool {
        let named = self
            .named
            .as_ref()
            .map(|named| (named.topic.as_str(), named.partition, named.offset));
        named.is_some() && named == other.coordinates()
    }

    /// Returns whether content and timestamp, as far as shown, are those of `other`.
    pub(super) fn is_repeat_of(&self, other: &Self) -> bool {
        self.timestamp.is_some()
            && self.timestamp == other.timestamp
            && self.content.is_same_as(&other.content)
    }
}

/// Which extra record a pair is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PairId {
    /// Fingerprint of the group.
    pub fingerprint: [u64; 2],
    /// Which of the parts that `--within` splits the dedup key into, from 1.
    pub part: u64,
    /// Occurrence within the group; 2 is the first extra record.
    pub occurrence: u64,
}

/// The copy to compare an extra record with, as [`super::CopyHistory`] chooses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The earlier copy.
    pub copy: CopyFacts,
    /// Topic, partition and offset of the group's original, where known.
    pub original: Option<(String, i32, i64)>,
    /// Another topic in which an equal copy stands, where the reference lies in the same topic.
    pub elsewhere: Option<String>,
}

/// An extra record and the earlier copy that it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairFacts {
    /// Which extra record.
    pub id: PairId,
    /// The extra record.
    pub extra: CopyFacts,
    /// The earlier copy.
    pub reference: Reference,
    /// Field paths in which the value differs from the original's, `value` where no path can be
    /// named; header names as `headers.NAME`. Looked at only where hashes differ.
    pub differing: Vec<String>,
}
