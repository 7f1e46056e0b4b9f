//! Goes on where an earlier run ended.

use crate::record::counted;
use crate::source::kafka::ResumePoint;
use crate::source::kafka::freeze::PartitionPlan;

/// Begins a partition where an earlier run ended, unless it is no longer the same.
pub(super) fn resume(plan: &mut PartitionPlan, point: &ResumePoint) {
    let run = &point.run;
    if is_other_topic(plan, point) {
        plan.notes.push(format!(
            "the topic was deleted and made again since {run}: it is read from its start, and what \
             the other had behind offset {} was never read",
            point.offset
        ));
        return;
    }
    let log_end = plan.bounds.high_watermark;
    if log_end < point.offset {
        plan.notes.push(format!(
            "the log ends at {log_end}, and {run} had read up to {}: it was cut off, and {} that \
             were read are gone",
            point.offset,
            counted(point.offset - log_end, "offset")
        ));
    } else {
        plan.notes.push(format!(
            "read on from offset {}, where {run} ended",
            point.offset
        ));
    }
    plan.start_offset = point.offset.clamp(0, plan.end_offset);
    let log_start = plan.bounds.log_start_offset;
    plan.read_start = plan.start_offset.max(log_start).min(plan.read_end);
}

/// Returns whether the topic of that name is another one than it was.
fn is_other_topic(plan: &PartitionPlan, point: &ResumePoint) -> bool {
    matches!((plan.bounds.topic_id, point.topic_id), (Some(now), Some(then)) if now != then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::GapReason;
    use crate::record::TopicPartition;
    use crate::source::kafka::LogBounds;
    use crate::source::kafka::freeze::tests::range;

    /// A log of [100, 200) with id 1, resumed.
    fn resumed(offset: i64, topic_id: Option<u8>) -> PartitionPlan {
        let topic_partition = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let bounds = LogBounds {
            log_start_offset: 100,
            high_watermark: 200,
            last_stable_offset: 200,
            topic_id: Some([1; 16]),
        };
        let mut plan = PartitionPlan::whole(topic_partition, bounds);
        let point = ResumePoint {
            offset,
            topic_id: topic_id.map(|id| [id; 16]),
            run: "the run of yesterday".to_owned(),
        };
        resume(&mut plan, &point);
        plan
    }

    #[test]
    fn a_partition_is_read_on_and_what_retention_took_meanwhile_is_a_gap() {
        let plan = resumed(150, Some(1));
        assert_eq!(range(&plan), [150, 150, 200, 200]);
        assert_eq!(plan.gap_before(), None);
        assert!(plan.notes[0].starts_with("read on from offset 150, where the run of yesterday"));
        let plan = resumed(40, None);
        assert_eq!(range(&plan), [40, 100, 200, 200]);
        let gap = plan.gap_before().unwrap();
        assert_eq!((gap.start, gap.end), (40, 100));
        assert_eq!(gap.reason, GapReason::Retention);
        assert_eq!(range(&resumed(200, Some(1))), [200; 4]);
    }

    #[test]
    fn a_topic_made_again_is_told_and_read_from_its_start() {
        let plan = resumed(150, Some(2));
        assert_eq!(range(&plan), [100, 100, 200, 200]);
        assert!(plan.notes[0].contains("deleted and made again since the run of yesterday"));
    }

    #[test]
    fn a_log_that_was_cut_off_is_told_and_read_on_from_its_end() {
        let plan = resumed(230, Some(1));
        assert_eq!(range(&plan), [200; 4]);
        assert!(
            plan.notes[0].contains("30 offsets that were read are gone"),
            "{:?}",
            plan.notes
        );
    }
}
