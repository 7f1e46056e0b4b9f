//! What the pictures of a report show: causes and partitions over time, and links of episodes.

use std::collections::BTreeMap;

use crate::audit::detail::Detail;
use crate::finding::Cause;
use crate::finding::Episode;
use crate::finding::OffsetLinks;
use crate::finding::OverTime;
use crate::finding::PartitionTotal;
use crate::record::TopicPartition;

/// Episodes whose links are kept, the largest.
const EPISODES_MAX: usize = 100;

/// Partitions that are shown over time, those with most extra records.
const PARTITIONS_MAX: usize = 40;

/// Gathers what the pictures show; bounded, and the same whatever the order of the groups.
#[derive(Default)]
pub(in crate::audit) struct Pictures {
    pub(in crate::audit) causes: OverTime<Cause>,
    partitions: OverTime<TopicPartition>,
    links: BTreeMap<u64, EpisodeLinks>,
}

/// Links of one episode, and where its originals are counted.
struct EpisodeLinks {
    original_place: Option<(String, i32)>,
    links: OffsetLinks,
}

impl Pictures {
    /// Returns pictures that will have the links of the first of these episodes.
    pub(super) fn new(largest_episodes: &[Episode]) -> Self {
        let unlinked = |episode: &Episode| EpisodeLinks {
            original_place: episode
                .original_topic
                .clone()
                .zip(episode.original_partition),
            links: OffsetLinks::default(),
        };
        let largest = largest_episodes.iter().take(EPISODES_MAX);
        Self {
            links: largest
                .map(|episode| (episode.id, unlinked(episode)))
                .collect(),
            ..Self::default()
        }
    }

    /// Takes an extra record with its cause, and its partition where that is known.
    pub(super) fn add(&mut self, extra: &Detail, cause: Cause, place: Option<TopicPartition>) {
        let Some(millis) = extra.timestamp_millis else {
            return;
        };
        let second = millis.div_euclid(1_000);
        self.causes.add(second, cause, 1);
        if let Some(place) = place {
            self.partitions.add(second, place, 1);
        }
    }

    /// Takes an extra record of an episode with the original of its group; one whose original lies
    /// in another partition than the first of the episode has no place in its picture.
    pub(in crate::audit::groups) fn link(
        &mut self,
        episode: u64,
        original: &Detail,
        extra: &Detail,
    ) {
        let Some(episode) = self.links.get_mut(&episode) else {
            return;
        };
        let place = original.topic.as_deref().zip(original.partition);
        let counted = episode.original_place.as_ref();
        let is_counted = place == counted.map(|(topic, partition)| (topic.as_str(), *partition));
        if let Some((original, extra)) = original.offset.zip(extra.offset).filter(|_| is_counted) {
            episode.links.add(original, extra);
        }
    }

    /// Gives an episode its links.
    pub(super) fn complete_episode(&self, episode: &mut Episode) {
        if let Some(found) = self.links.get(&episode.id) {
            episode.links = found.links.clone();
        }
    }

    /// Returns extra records over time in the partitions that have most of them.
    pub(in crate::audit) fn partitions(
        &self,
        totals: &[PartitionTotal],
    ) -> OverTime<TopicPartition> {
        let mut totals: Vec<&PartitionTotal> = totals.iter().collect();
        totals.sort_by_key(|total| std::cmp::Reverse(total.extra_records));
        totals.truncate(PARTITIONS_MAX);
        let is_kept = |place: &TopicPartition| {
            let mut kept = totals.iter();
            kept.any(|total| total.topic_partition == *place)
        };
        self.partitions.only(is_kept)
    }
}
