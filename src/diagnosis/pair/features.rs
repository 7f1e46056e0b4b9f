//! How the two copies of a pair compare, and the class of pairs that one of its kind belongs to.

use serde::{Deserialize, Serialize};

use super::changed_fields::{FieldChange, field_change};
use super::facts::{CopyFacts, PairFacts, is_not_different};
use crate::diagnosis::pair::facts::mirror_names;
use crate::diagnosis::stored::StoreLink;
use crate::finding::AbortedCopy;
use crate::finding::NamedCoordinates;
use crate::record::BatchStamp;
use crate::record::TimestampType;

/// Differing paths kept with a pair.
const PATHS_KEPT: usize = 8;

/// Where the copies lie to each other, as far as that alone tells a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Family {
    /// One of them is aborted.
    Aborted,
    /// Headers of one name the other, which lies in another topic. In the same topic someone sent
    /// it again, and consumers take it for new.
    DeadLetter,
    /// Equal copies in two topics, with the same `CreateTime`, or names of a mirror and nothing
    /// that tells another one.
    Mirror,
    /// Two topics, and nothing that relates them.
    OtherTopic,
    /// One topic, two partitions.
    OtherPartition,
    /// One partition.
    SamePartition,
    /// Nobody knows.
    Placeless,
}

/// How the contents compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ContentKind {
    /// All that is shown is equal, the value is shown.
    Identical,
    /// Only what each sending sets anew differs.
    Volatile,
    /// A counter of attempts differs.
    Attempt,
    /// Something else differs.
    Changed,
    /// The value of a copy is not shown.
    Unknown,
}

/// How the timestamps compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum TimeKind {
    /// Equal `CreateTime`.
    Kept,
    /// Another `CreateTime`.
    Later,
    /// Equal, and nobody says who set them.
    UnknownEqual,
    /// Not equal, and nobody says who set them.
    UnknownLater,
    /// The broker set one of them.
    Appended,
    /// One is missing.
    Missing,
}

/// How the producers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ProducerKind {
    /// A batch is not shown.
    Unknown,
    /// Both without a producer id.
    NoIds,
    /// The same id, epoch and sequence at two places.
    SameSequence,
    /// The same id in two epochs.
    NewEpoch,
    /// The same id and epoch, two sequences.
    OtherSequence,
    /// Two ids, or an id and none.
    OtherId,
    /// One batch holds both.
    SameBatch,
}

/// What pairs of one run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PairClass {
    pub(crate) family: Family,
    pub(crate) content: ContentKind,
    pub(crate) time: TimeKind,
    pub(crate) producers: ProducerKind,
    /// Whether headers of both name the same third record.
    pub(crate) is_redelivered: bool,
    /// How they come together, where one lies in a message store.
    pub(crate) store: Option<StoreLink>,
}

/// A batch that stands at two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BatchRepeat {
    pub(crate) record_count: i32,
    pub(crate) crc: u32,
    pub(crate) length: i32,
}

/// What headers name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NamedLink {
    /// The other copy.
    OtherCopy(NamedCoordinates),
    /// The same third record, in both.
    SameThird(NamedCoordinates),
    /// A record that is not the other copy.
    Another(NamedCoordinates),
}

/// How the copies of one pair compare, with all numbers that evidence shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairFeatures {
    pub(crate) class: PairClass,
    /// Whether key, headers and value of both are shown.
    pub(crate) is_all_known: bool,
    /// Paths that differ, the first few.
    pub(crate) changed: Vec<String>,
    /// Extra record's timestamp less the reference's.
    pub(crate) gap_millis: Option<i64>,
    /// Offsets between the copies of one partition.
    pub(crate) distance: Option<i64>,
    /// The batches of the reference and the extra record.
    pub(crate) batches: Option<(BatchStamp, BatchStamp)>,
    /// The batch that repeats with both copies at the same place in it.
    pub(crate) batch_repeat: Option<BatchRepeat>,
    /// Leader epochs of the reference and the extra record, where they differ.
    pub(crate) leader_epochs: Option<(i32, i32)>,
    pub(crate) aborted: Option<AbortedCopy>,
    pub(crate) named: Option<NamedLink>,
    /// Topics of the reference and the extra record, where they differ.
    pub(crate) topics: Option<(String, String)>,
    /// Partitions of the reference and the extra record, where known.
    pub(crate) partitions: Option<(i32, i32)>,
    pub(crate) elsewhere: Option<String>,
    /// What a message store says that the extra record follows.
    pub(crate) input: Option<(String, i64)>,
}

impl PairFeatures {
    /// Compares the copies of a pair.
    pub fn new(pair: &PairFacts) -> Self {
        let (reference, extra) = (&pair.reference.copy, &pair.extra);
        let topics = reference.topic.as_ref().zip(extra.topic.as_ref());
        let topics = topics.filter(|(reference, extra)| reference != extra);
        let topics = topics.map(|(reference, extra)| (reference.clone(), extra.clone()));
        let batches = reference.batch.zip(extra.batch);
        let named = named_link(reference, extra);
        let aborted = aborted_copy(reference, extra);
        let is_redelivered = matches!(named, Some(NamedLink::SameThird(_)));
        let store = StoreLink::of_pair(pair);
        let changed = changed_paths(pair, store);
        let mut class = PairClass {
            family: Family::Placeless,
            content: content_kind(pair, &changed),
            time: time_kind(reference, extra),
            producers: batches.map_or(ProducerKind::Unknown, producer_kind),
            is_redelivered,
            store,
        };
        class.family = if aborted.is_some() {
            Family::Aborted
        } else if matches!(named, Some(NamedLink::OtherCopy(_))) && !reference.is_in_topic_of(extra)
        {
            Family::DeadLetter
        } else {
            place_family(pair, class)
        };
        let is_same_partition = reference.is_in_partition_of(extra);
        let millis = |copy: &CopyFacts| copy.timestamp.map(|timestamp| timestamp.millis);
        Self {
            class: class.simplified(),
            is_all_known: is_all_known(reference) && is_all_known(extra),
            changed,
            gap_millis: millis(extra)
                .zip(millis(reference))
                .map(|(extra, reference)| extra.saturating_sub(reference)),
            distance: extra
                .offset
                .zip(reference.offset)
                .filter(|_| is_same_partition)
                .map(|(extra, reference)| extra.saturating_sub(reference)),
            batch_repeat: batch_repeat(reference, extra).filter(|_| is_same_partition),
            batches,
            leader_epochs: leader_epochs(reference, extra).filter(|_| is_same_partition),
            aborted,
            named,
            topics,
            partitions: reference.partition.zip(extra.partition),
            elsewhere: pair.reference.elsewhere.clone(),
            input: extra
                .stored
                .as_ref()
                .and_then(|stored| stored.input.clone()),
        }
    }
}

impl PairClass {
    /// Leaves out what does not bear on the cause, so that a run is not cut where it changes.
    fn simplified(mut self) -> Self {
        match self.family {
            Family::Aborted | Family::DeadLetter => {
                self.content = ContentKind::Unknown;
                self.time = TimeKind::Missing;
                self.producers = ProducerKind::Unknown;
                self.is_redelivered = false;
            }
            Family::Mirror | Family::OtherTopic => self.producers = ProducerKind::Unknown,
            Family::OtherPartition | Family::SamePartition | Family::Placeless => {
                if self.time == TimeKind::Later && self.content == ContentKind::Volatile {
                    self.content = ContentKind::Identical;
                }
            }
        }
        self
    }
}

fn place_family(pair: &PairFacts, class: PairClass) -> Family {
    let (reference, extra) = (&pair.reference.copy, &pair.extra);
    if let Some((reference_topic, extra_topic)) = reference.topic.as_ref().zip(extra.topic.as_ref())
        && reference_topic != extra_topic
    {
        let is_time_kept = matches!(class.time, TimeKind::Kept | TimeKind::UnknownEqual);
        // A mirror keeps CreateTime; what was made anew under such a name is at risk.
        let is_named =
            class.time != TimeKind::Later && mirror_names(reference_topic, extra_topic).is_some();
        let is_mirror = class.content == ContentKind::Identical && (is_time_kept || is_named);
        return if is_mirror {
            Family::Mirror
        } else {
            Family::OtherTopic
        };
    }
    if extra.coordinates().is_none() || reference.coordinates().is_none() {
        Family::Placeless
    } else if reference.is_in_partition_of(extra) {
        Family::SamePartition
    } else {
        Family::OtherPartition
    }
}

fn content_kind(pair: &PairFacts, changed: &[String]) -> ContentKind {
    let (reference, extra) = (&pair.reference.copy.content, &pair.extra.content);
    if reference.value.is_none() || extra.value.is_none() {
        return ContentKind::Unknown;
    }
    if !is_not_different(reference.key, extra.key) {
        return ContentKind::Changed;
    }
    if reference.is_same_as(extra) {
        return ContentKind::Identical;
    }
    if changed.is_empty() {
        return ContentKind::Identical;
    }
    match field_change(changed) {
        FieldChange::Attempt => ContentKind::Attempt,
        FieldChange::Volatile => ContentKind::Volatile,
        FieldChange::Content => ContentKind::Changed,
    }
}

/// Returns the differing paths of what differs by its hash.
fn changed_paths(pair: &PairFacts, store: Option<StoreLink>) -> Vec<String> {
    let is_published = store == Some(StoreLink::Published);
    let (reference, extra) = (&pair.reference.copy.content, &pair.extra.content);
    let mut paths = Vec::new();
    if !is_not_different(reference.key, extra.key) {
        paths.push("key".to_owned());
    }
    let is_header = |path: &&String| path.starts_with("headers.");
    if !is_not_different(reference.headers, extra.headers) {
        paths.extend(pair.differing.iter().filter(is_header).cloned());
        if !paths.iter().any(|path| path.starts_with("headers.")) {
            paths.push("headers.*".to_owned());
        }
    }
    if !is_not_different(reference.value, extra.value) {
        let before = paths.len();
        paths.extend(
            pair.differing
                .iter()
                .filter(|path| !is_header(path))
                .cloned(),
        );
        // What is made of a stored record for a topic has its own form, and other bytes.
        if paths.len() == before && !is_published {
            paths.push("value".to_owned());
        }
    }
    paths.truncate(PATHS_KEPT);
    paths
}

fn is_all_known(copy: &CopyFacts) -> bool {
    copy.content.key.is_some() && copy.content.headers.is_some() && copy.content.value.is_some()
}

fn time_kind(reference: &CopyFacts, extra: &CopyFacts) -> TimeKind {
    let (Some(left), Some(right)) = (reference.timestamp, extra.timestamp) else {
        return TimeKind::Missing;
    };
    let is_equal = left.millis == right.millis;
    let types = [left.timestamp_type, right.timestamp_type];
    if types.contains(&TimestampType::LogAppendTime) {
        TimeKind::Appended
    } else if types.contains(&TimestampType::Unrecorded) {
        if is_equal {
            TimeKind::UnknownEqual
        } else {
            TimeKind::UnknownLater
        }
    // A database sets the time anew for everything that is written.
    } else if is_equal && !types.contains(&TimestampType::Database) {
        TimeKind::Kept
    } else {
        TimeKind::Later
    }
}

fn producer_kind((reference, extra): (BatchStamp, BatchStamp)) -> ProducerKind {
    if reference == extra {
        ProducerKind::SameBatch
    } else if reference.producer_id < 0 && extra.producer_id < 0 {
        ProducerKind::NoIds
    } else if reference.producer_id != extra.producer_id {
        ProducerKind::OtherId
    } else if reference.producer_epoch != extra.producer_epoch {
        ProducerKind::NewEpoch
    } else if reference.base_sequence == extra.base_sequence {
        ProducerKind::SameSequence
    } else {
        ProducerKind::OtherSequence
    }
}

fn batch_repeat(reference: &CopyFacts, extra: &CopyFacts) -> Option<BatchRepeat> {
    let (left, right) = (reference.batch?, extra.batch?);
    let is_repeat = left.base_offset != right.base_offset
        && left.crc == right.crc
        && left.length == right.length
        && left.record_count == right.record_count;
    let place = |copy: &CopyFacts, batch: BatchStamp| {
        copy.offset
            .map(|offset| offset.saturating_sub(batch.base_offset))
    };
    let is_same_place = place(reference, left) == place(extra, right);
    (is_repeat && is_same_place).then_some(BatchRepeat {
        record_count: left.record_count,
        crc: left.crc,
        length: left.length,
    })
}

fn leader_epochs(reference: &CopyFacts, extra: &CopyFacts) -> Option<(i32, i32)> {
    let epoch = |copy: &CopyFacts| {
        let of_batch = copy.batch.map(|batch| batch.leader_epoch);
        of_batch.or(copy.leader_epoch).filter(|epoch| *epoch >= 0)
    };
    let epochs = epoch(reference).zip(epoch(extra));
    epochs.filter(|(left, right)| left != right)
}

fn aborted_copy(reference: &CopyFacts, extra: &CopyFacts) -> Option<AbortedCopy> {
    match (reference.is_aborted, extra.is_aborted) {
        (Some(true), Some(true)) => Some(AbortedCopy::Both),
        (Some(true), _) => Some(AbortedCopy::Earlier),
        (_, Some(true)) => Some(AbortedCopy::Extra),
        (None | Some(false), None | Some(false)) => None,
    }
}

fn named_link(reference: &CopyFacts, extra: &CopyFacts) -> Option<NamedLink> {
    if extra.names(reference) {
        return extra.named.clone().map(NamedLink::OtherCopy);
    }
    if reference.names(extra) {
        return reference.named.clone().map(NamedLink::OtherCopy);
    }
    match (&reference.named, &extra.named) {
        (Some(left), Some(right)) if left == right => Some(NamedLink::SameThird(right.clone())),
        (_, Some(named)) | (Some(named), None) => Some(NamedLink::Another(named.clone())),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::pair::{ContentHashes, PairId, Reference};
    use crate::record::Timestamp;

    fn copy(offset: i64, millis: i64) -> CopyFacts {
        CopyFacts {
            topic: Some("charges".to_owned()),
            partition: Some(0),
            offset: Some(offset),
            timestamp: Some(Timestamp {
                millis,
                timestamp_type: TimestampType::CreateTime,
            }),
            content: ContentHashes {
                key: Some(1),
                headers: Some(2),
                value: Some(3),
            },
            batch: Some(batch(offset)),
            ..CopyFacts::default()
        }
    }

    fn batch(base_offset: i64) -> BatchStamp {
        BatchStamp {
            base_offset,
            last_offset: base_offset + 1,
            crc: 9,
            length: 100,
            record_count: 2,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            leader_epoch: 4,
            is_transactional: false,
            is_aborted: None,
        }
    }

    fn features(reference: CopyFacts, extra: CopyFacts, differing: &[&str]) -> PairFeatures {
        PairFeatures::new(&PairFacts {
            id: PairId::default(),
            extra,
            reference: Reference {
                original: None,
                elsewhere: None,
                copy: reference,
            },
            differing: differing.iter().map(|path| (*path).to_owned()).collect(),
        })
    }

    #[test]
    fn a_batch_repeats_only_at_another_place_with_both_copies_at_the_same_index() {
        let pair = features(copy(10, 5), copy(20, 5), &[]);
        assert_eq!(pair.batch_repeat.unwrap().record_count, 2);
        assert_eq!(pair.class.producers, ProducerKind::NoIds);
        assert_eq!(pair.distance, Some(10));

        let mut within = copy(11, 5);
        within.batch = Some(batch(10));
        let pair = features(copy(10, 5), within, &[]);
        assert_eq!(pair.batch_repeat, None);
        assert_eq!(pair.class.producers, ProducerKind::SameBatch);

        let mut shifted = copy(21, 5);
        shifted.batch = Some(batch(20));
        assert_eq!(features(copy(10, 5), shifted, &[]).batch_repeat, None);
    }

    #[test]
    fn paths_count_only_where_the_bytes_differ() {
        let pair = features(copy(10, 5), copy(20, 9), &["value.amount"]);
        assert_eq!(pair.class.content, ContentKind::Identical);
        let mut extra = copy(20, 9);
        extra.content.value = Some(4);
        let pair = features(copy(10, 5), extra.clone(), &["value.attempt"]);
        assert_eq!(pair.class.content, ContentKind::Attempt);
        let pair = features(copy(10, 5), extra, &[]);
        assert_eq!(pair.class.content, ContentKind::Changed);
        assert_eq!(pair.changed, ["value"]);
    }

    #[test]
    fn mirrors_are_named_by_an_alias_before_a_dot() {
        assert_eq!(mirror_names("a", "dc1.a"), Some(("a", "dc1.a")));
        assert_eq!(mirror_names("dc1.a", "a"), Some(("a", "dc1.a")));
        assert_eq!(mirror_names("a", "dc1a"), None);
        assert_eq!(mirror_names("a", "a"), None);
        assert_eq!(mirror_names("a", ".a"), None);
    }
}
