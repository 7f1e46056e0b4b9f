//! The copies of one group so far, and which of them a new one is compared with.

use std::collections::VecDeque;

use super::facts::{CopyFacts, Reference};
use crate::record::TimestampType;

/// Copies kept from the head of a group.
const FIRST_KEPT: usize = 16;

/// Copies kept from its end.
const LAST_KEPT: usize = 48;

/// Takes the copies of one group in the order of occurrences.
///
/// The reference of an extra record is the first of these that there is:
/// the copy whose coordinates its headers name, or whose headers name it;
/// where it is the n-th that was published of what lies in a message store, the n-th there;
/// where it is the n-th equal copy of its topic, the n-th of another topic, so that a repeat that
/// was mirrored is told as a mirror's copy of the repeat;
/// the nearest equal copy in its partition, then the nearest copy there;
/// the nearest equal copy in its topic, then the nearest copy there;
/// the original. Aborted copies are passed over while a committed one is there.
#[derive(Clone, Debug, Default)]
pub struct CopyHistory {
    first: Vec<CopyFacts>,
    last: VecDeque<CopyFacts>,
}

impl CopyHistory {
    /// Takes the next copy and returns what to compare it with; nothing for the original.
    pub fn take(&mut self, copy: &CopyFacts) -> Option<Reference> {
        let reference = self.reference(copy);
        if self.first.len() < FIRST_KEPT {
            self.first.push(copy.clone());
        } else {
            if self.last.len() == LAST_KEPT {
                self.last.pop_front();
            }
            self.last.push_back(copy.clone());
        }
        reference
    }

    fn kept(&self) -> impl DoubleEndedIterator<Item = &CopyFacts> {
        self.first.iter().chain(&self.last)
    }

    fn reference(&self, copy: &CopyFacts) -> Option<Reference> {
        let original = self.first.first()?;
        let chosen = self.choose(copy).unwrap_or(original);
        let is_elsewhere = |known: &&CopyFacts| {
            known.topic.is_some()
                && !known.is_in_topic_of(copy)
                && known.content.is_same_as(&copy.content)
        };
        let elsewhere = self.kept().find(is_elsewhere);
        Some(Reference {
            elsewhere: elsewhere
                .filter(|_| chosen.is_in_topic_of(copy))
                .and_then(|known| known.topic.clone()),
            original: original
                .coordinates()
                .map(|(topic, partition, offset)| (topic.to_owned(), partition, offset)),
            copy: chosen.clone(),
        })
    }

    fn choose(&self, copy: &CopyFacts) -> Option<&CopyFacts> {
        let named = self
            .kept()
            .find(|known| copy.names(known) || known.names(copy));
        if named.is_some() {
            return named;
        }
        let is_committed = |known: &CopyFacts| known.is_aborted != Some(true);
        let skips_aborted = is_committed(copy) && self.kept().any(is_committed);
        let eligible = || {
            self.kept()
                .filter(|known| !skips_aborted || is_committed(known))
        };
        let nearest = |is_wanted: &dyn Fn(&CopyFacts) -> bool| {
            eligible().rev().find(|known| is_wanted(known))
        };
        self.written(copy)
            .or_else(|| self.counterpart(copy))
            .or_else(|| {
                nearest(&|known| known.is_in_partition_of(copy) && known.is_repeat_of(copy))
            })
            .or_else(|| {
                nearest(&|known| {
                    known.is_in_partition_of(copy) && known.content.is_same_as(&copy.content)
                })
            })
            .or_else(|| nearest(&|known| known.is_in_partition_of(copy)))
            .or_else(|| {
                nearest(&|known| {
                    known.is_in_topic_of(copy) && known.content.is_same_as(&copy.content)
                })
            })
            .or_else(|| nearest(&|known| known.is_in_topic_of(copy)))
            .or_else(|| eligible().next())
    }

    /// Returns the record of a message store that a copy in a topic was published for; nothing for
    /// what its producer sent again.
    fn written(&self, copy: &CopyFacts) -> Option<&CopyFacts> {
        if copy.stored.is_some() {
            return None;
        }
        let mut written = self.kept().filter(|known| known.stored.is_some());
        let first = written.next()?;
        let mut published: Vec<&CopyFacts> = Vec::new();
        for known in self.kept().filter(|known| known.is_in_topic_of(copy)) {
            if !published.iter().any(|before| before.is_repeat_of(known)) {
                published.push(known);
            }
        }
        if published.iter().any(|before| before.is_repeat_of(copy)) {
            return None;
        }
        match published.len() {
            0 => Some(first),
            after => written.nth(after - 1),
        }
    }

    /// Returns the copy of another topic with the same rank among the equal copies of its topic.
    fn counterpart(&self, copy: &CopyFacts) -> Option<&CopyFacts> {
        let timestamp_type = copy.timestamp?.timestamp_type;
        if timestamp_type == TimestampType::LogAppendTime || copy.topic.is_none() {
            return None;
        }
        let equal = || self.kept().filter(|known| known.is_repeat_of(copy));
        let rank = equal().filter(|known| known.is_in_topic_of(copy)).count();
        let is_candidate =
            |known: &&CopyFacts| known.topic.is_some() && !known.is_in_topic_of(copy);
        let other = equal().find(is_candidate)?;
        equal()
            .filter(|known| known.is_in_topic_of(other))
            .nth(rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::pair::ContentHashes;
    use crate::finding::{DeadLetterDialect, NamedCoordinates};
    use crate::record::Timestamp;

    fn copy(topic: &str, offset: i64, millis: i64, value: u128) -> CopyFacts {
        CopyFacts {
            topic: Some(topic.to_owned()),
            partition: Some(0),
            offset: Some(offset),
            timestamp: Some(Timestamp {
                millis,
                timestamp_type: TimestampType::CreateTime,
            }),
            content: ContentHashes {
                key: Some(1),
                headers: Some(2),
                value: Some(value),
            },
            ..CopyFacts::default()
        }
    }

    /// Returns the places of the references that a list of copies gets.
    fn references(copies: &[CopyFacts]) -> Vec<String> {
        let mut history = CopyHistory::default();
        let references = copies.iter().filter_map(|copy| history.take(copy));
        references
            .map(|reference| {
                let (topic, _, offset) = reference.copy.coordinates().unwrap();
                format!("{topic}@{offset}")
            })
            .collect()
    }

    #[test]
    fn a_third_copy_is_compared_with_the_nearest_equal_one() {
        let copies = [
            copy("a", 1, 0, 7),
            copy("a", 5, 0, 7),
            copy("a", 9, 0, 7),
            copy("a", 12, 50, 8),
            copy("a", 14, 90, 7),
        ];
        assert_eq!(references(&copies), ["a@1", "a@5", "a@9", "a@9"]);
    }

    #[test]
    fn a_mirrored_repeat_is_compared_with_the_repeat() {
        let copies = [
            copy("a", 1, 0, 7),
            copy("a", 5, 0, 7),
            copy("m", 1, 0, 7),
            copy("m", 5, 0, 7),
            copy("m", 9, 0, 7),
        ];
        assert_eq!(references(&copies), ["a@1", "a@1", "a@5", "m@5"]);
    }

    #[test]
    fn a_committed_copy_passes_over_aborted_ones() {
        let mut aborted = copy("a", 5, 0, 7);
        aborted.is_aborted = Some(true);
        let copies = [copy("a", 1, 0, 7), aborted.clone(), copy("a", 9, 0, 7)];
        assert_eq!(references(&copies), ["a@1", "a@1"]);
        assert_eq!(references(&[aborted, copy("a", 9, 0, 7)]), ["a@5"]);
    }

    #[test]
    fn headers_that_name_a_copy_decide() {
        let mut dead = copy("z-dlq", 0, 9, 7);
        dead.named = Some(NamedCoordinates {
            dialect: DeadLetterDialect::Connect,
            topic: "a".to_owned(),
            partition: 0,
            offset: 1,
        });
        let copies = [copy("a", 1, 0, 7), copy("a", 5, 0, 7), dead.clone()];
        assert_eq!(references(&copies), ["a@1", "a@1"]);
        assert_eq!(references(&[dead, copy("a", 1, 9, 7)]), ["z-dlq@0"]);
    }

    #[test]
    fn a_group_of_any_size_keeps_few_copies() {
        let mut history = CopyHistory::default();
        for offset in 0..10_000 {
            history.take(&copy("a", offset, offset, 7));
        }
        assert_eq!(history.kept().count(), FIRST_KEPT + LAST_KEPT);
        let reference = history.take(&copy("a", 10_000, 10_000, 7)).unwrap();
        assert_eq!(reference.copy.offset, Some(9_999));
        assert_eq!(reference.original, Some(("a".to_owned(), 0, 0)));
    }
}
