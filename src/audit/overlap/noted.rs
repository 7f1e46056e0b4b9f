//! Coordinates on their way from one process to another.

use std::path::Path;

use crate::audit::AuditError;
use crate::audit::overlap::{CoordinateIndex, Coordinates, OffsetSpan, lock, may_overlap};
use crate::record::TopicPartition;
use crate::sorted_run::FixedSorter;
use crate::sorted_run::SortedFixed;

/// Coordinates that another process noted.
pub(in crate::audit) type NotedCoordinates<'a> =
    &'a mut dyn Iterator<Item = Result<Coordinates, AuditError>>;

/// What one process noted.
pub(in crate::audit) struct Noted {
    /// Sorted; a topic partition's number is its place.
    pub(in crate::audit) topic_partitions: Vec<TopicPartition>,
    pub(in crate::audit) spans: Vec<OffsetSpan>,
    /// By these numbers, and offsets.
    pub(in crate::audit) coordinates: SortedFixed<Coordinates>,
}

fn numbered(numbers: &[u32], id: u32) -> u32 {
    let place = usize::try_from(id).ok();
    place
        .and_then(|place| numbers.get(place))
        .copied()
        .unwrap_or(id)
}

/// Joins the spans of each topic partition to one.
fn joined(mut spans: Vec<OffsetSpan>) -> Vec<OffsetSpan> {
    spans.sort_unstable();
    let mut joined: Vec<OffsetSpan> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.topic_partition == span.topic_partition => {
                last.is_increasing &= span.is_increasing && last.last < span.first;
                last.last = last.last.max(span.last);
            }
            Some(_) | None => joined.push(span),
        }
    }
    joined
}

impl CoordinateIndex {
    /// Takes over what another process noted, by its own numbers for topic partitions.
    pub(in crate::audit) fn take_over(
        &self,
        topic_partitions: &[TopicPartition],
        (spans, coordinates): (&[OffsetSpan], Option<NotedCoordinates<'_>>),
    ) -> Result<(), AuditError> {
        let ids = self.intern(topic_partitions);
        let id_of = |local: u32| {
            let local = usize::try_from(local).ok();
            let id = local.and_then(|local| ids.get(local)).copied();
            id.ok_or_else(|| AuditError::Parts("coordinates name no topic partition".to_owned()))
        };
        for span in spans {
            lock(&self.spans).push(OffsetSpan {
                topic_partition: id_of(span.topic_partition)?,
                ..*span
            });
        }
        let mut sorter = lock(&self.sorter);
        for noted in coordinates.into_iter().flatten() {
            let noted = noted?;
            sorter.push(Coordinates {
                topic_partition: id_of(noted.topic_partition)?,
                ..noted
            })?;
        }
        Ok(())
    }

    /// Returns whether any record may have been read twice.
    pub(in crate::audit) fn may_overlap(&self) -> bool {
        may_overlap(lock(&self.spans).clone())
    }

    /// Returns what was noted: the topic partitions by their numbers, their offsets, and the
    /// coordinates in order.
    pub(in crate::audit) fn into_noted(
        self,
        (dir, memory_bytes): (&Path, usize),
    ) -> Result<Noted, AuditError> {
        let mut spans = self.spans.into_inner().unwrap_or_default();
        let known = self.topic_partitions.into_inner().unwrap_or_default();
        let mut names: Vec<(TopicPartition, u32)> = known.into_iter().collect();
        names.sort_unstable();
        let mut numbers = vec![0; names.len()];
        for (number, (_, id)) in (0..).zip(&names) {
            let place = usize::try_from(*id).ok();
            if let Some(of) = place.and_then(|place| numbers.get_mut(place)) {
                *of = number;
            }
        }
        for span in &mut spans {
            span.topic_partition = numbered(&numbers, span.topic_partition);
        }
        let sorter = self
            .sorter
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut coordinates = sorter.finish()?;
        if !numbers.is_sorted() {
            // Which topic partition comes first is chance.
            let mut sorter = FixedSorter::new(dir, memory_bytes);
            for noted in coordinates {
                let noted = noted?;
                sorter.push(Coordinates {
                    topic_partition: numbered(&numbers, noted.topic_partition),
                    ..noted
                })?;
            }
            coordinates = sorter.finish()?;
        }
        Ok(Noted {
            topic_partitions: names.into_iter().map(|(name, _)| name).collect(),
            spans: joined(spans),
            coordinates,
        })
    }
}
