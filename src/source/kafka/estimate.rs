//! What reading the frozen ranges would take, as far as the cluster tells without being read.

use std::time::Duration;

use crate::record::TopicPartition;
use crate::source::kafka::freeze::PartitionPlan;

/// Records that an audit gets through in a second on a small machine; a guess, and said to be.
pub const RECORDS_PER_SECOND: u64 = 500_000;

/// What reading one partition's range would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionEstimate {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Broker that leads it.
    pub leader: Option<i32>,
    /// First offset that would be read.
    pub start_offset: i64,
    /// First offset after those.
    pub end_offset: i64,
    /// Records at most: as many as offsets.
    pub records: u64,
    /// Bytes in the log, as stored, if records are of one size; where the cluster tells.
    pub bytes: Option<u64>,
    /// What there is to state about the range.
    pub notes: Vec<String>,
}

impl PartitionEstimate {
    /// Returns the estimate of a range whose whole log takes `log_bytes`.
    pub(super) fn new(plan: &PartitionPlan, log_bytes: Option<u64>) -> Self {
        let count = |offsets: i64| u64::try_from(offsets).unwrap_or_default();
        let records = count(plan.read_end - plan.read_start);
        let in_log = count(plan.bounds.high_watermark - plan.bounds.log_start_offset);
        let share = |bytes: u64| {
            let share = u128::from(bytes) * u128::from(records) / u128::from(in_log.max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        Self {
            topic_partition: plan.topic_partition.clone(),
            leader: plan.leader,
            start_offset: plan.read_start,
            end_offset: plan.read_end,
            records,
            bytes: log_bytes.map(share),
            notes: plan.notes.clone(),
        }
    }
}

/// Returns how long reading would take, at least: by records, and by bytes where there is a rate
/// and the bytes are known.
pub fn least_time(records: u64, bytes: Option<u64>, max_rate_bytes: Option<u64>) -> Duration {
    let time = |amount: u64, rate: u64| {
        let millis = u128::from(amount) * 1000 / u128::from(rate.max(1));
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    };
    let by_records = time(records, RECORDS_PER_SECOND);
    let by_bytes = bytes.zip(max_rate_bytes);
    by_bytes.map_or(by_records, |(bytes, rate)| {
        by_records.max(time(bytes, rate))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::kafka::LogBounds;

    #[test]
    fn a_part_of_a_log_takes_its_part_of_the_bytes() {
        let bounds = LogBounds {
            log_start_offset: 100,
            high_watermark: 300,
            last_stable_offset: 300,
            topic_id: None,
        };
        let topic_partition = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut plan = PartitionPlan::whole(topic_partition, bounds);
        plan.read_start = 250;
        let estimate = PartitionEstimate::new(&plan, Some(8_000));
        assert_eq!((estimate.records, estimate.bytes), (50, Some(2_000)));
        assert_eq!(PartitionEstimate::new(&plan, None).bytes, None);
    }

    #[test]
    fn the_rate_counts_where_it_is_what_takes_longest() {
        let seconds = |records, bytes, rate| least_time(records, bytes, rate).as_secs();
        assert_eq!(seconds(5_000_000, None, None), 10);
        assert_eq!(seconds(5_000_000, Some(100), Some(50)), 10);
        assert_eq!(seconds(500, Some(5_000), Some(50)), 100);
        assert_eq!(seconds(500_000, None, Some(50)), 1);
    }
}
