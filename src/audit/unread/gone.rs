//! What stands for a record that could not be read again.

use crate::audit::detail::{AmountText, Detail};
use crate::audit::placement::range;
use crate::audit::plan::AuditPlan;
use crate::index::NO_TIMESTAMP;
use crate::index::Occurrence;
use crate::record::TopicPartition;
use crate::source::PositionUnit;
use crate::source::RecordSource;

/// What is known of a record that could not be read again: when it was made, and its place.
pub(in crate::audit) fn gone_detail(
    plan: &AuditPlan,
    suspect: &Occurrence,
    source: &dyn RecordSource,
) -> Detail {
    let timestamp_millis = Some(suspect.timestamp_millis).filter(|millis| *millis != NO_TIMESTAMP);
    let topic_partition = source.topic_partition(suspect.split);
    let is_file = topic_partition.is_none();
    Detail {
        split: suspect.split.0,
        position: suspect.position,
        offset: topic_partition
            .as_ref()
            .and_then(|_| i64::try_from(suspect.position).ok()),
        partition: topic_partition.as_ref().and_then(TopicPartition::number),
        topic: topic_partition.map(|known| known.topic.to_string()),
        timestamp_millis,
        file: is_file.then(|| source.name()),
        has_byte_offset: is_file && source.position_unit() == PositionUnit::ByteOffset,
        is_in_range: !range::is_before(&plan.range, timestamp_millis),
        amount: match plan.impact.amount {
            Some(_) => AmountText::Unusable,
            None => AmountText::NotAsked,
        },
        ..Detail::default()
    }
}
