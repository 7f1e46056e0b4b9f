//! The axis of time that the pictures share.

use crate::finding::AuditSummary;
use crate::finding::OverTime;
use crate::report::terminal::numbers::formatted;

/// Columns of a picture over time at most.
const COLUMNS_MAX: i64 = 120;

const DAY_SECONDS: i64 = 86_400;

/// Equal steps of time from the start of the audited records to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// First second of the first step, since the epoch.
    pub(super) start_second: i64,
    /// Seconds that each step holds.
    pub(super) step_seconds: i64,
    /// Steps.
    pub(super) columns: i64,
}

impl Axis {
    /// Returns the axis over all audited records and extra records; nothing without extra records
    /// that have a time.
    pub(super) fn new(summary: &AuditSummary) -> Option<Self> {
        let counts = &summary.causes_over_time;
        let mut first = counts.counts().next()?.0;
        let mut last = counts.counts().next_back()?.0;
        if let Some(span) = summary.audited_span {
            first = first.min(span.first_millis.div_euclid(1_000));
            last = last.max(span.last_millis.div_euclid(1_000));
        }
        let length = last.saturating_sub(first);
        let least = (length / COLUMNS_MAX).saturating_add(1);
        let partitions = &summary.partitions_over_time;
        let least = least.max(partitions.step_seconds());
        let step_seconds = counts.in_steps_of(least).step_seconds();
        let start_second = first.div_euclid(step_seconds).saturating_mul(step_seconds);
        let columns = (last.saturating_sub(start_second) / step_seconds).saturating_add(1);
        Some(Self {
            start_second,
            step_seconds,
            columns,
        })
    }

    /// Returns the counts in the steps of the axis.
    pub(super) fn counts<K: Clone + Ord>(&self, counts: &OverTime<K>) -> OverTime<K> {
        counts.in_steps_of(self.step_seconds)
    }

    /// Returns the place of a step, in tenths of a picture that is 1,000 wide, and its width.
    pub(super) fn place(&self, second: i64) -> (i64, i64) {
        let column = second.saturating_sub(self.start_second) / self.step_seconds;
        let left =
            |column: i64| column.clamp(0, self.columns).saturating_mul(10_000) / self.columns;
        let start = left(column);
        (start, (left(column.saturating_add(1)) - start).max(10))
    }

    /// Returns the times at the left end, in the middle and at the right end.
    pub(super) fn ticks(&self) -> Vec<String> {
        let at = |column: i64| {
            let second = self.step_seconds.saturating_mul(column);
            self.time(self.start_second.saturating_add(second))
        };
        let mut ticks = vec![at(0), at(self.columns / 2), at(self.columns)];
        ticks.dedup();
        ticks
    }

    /// Returns the start of a step as people read it.
    pub(super) fn time(&self, second: i64) -> String {
        let format = match (
            self.step_seconds,
            self.columns.saturating_mul(self.step_seconds),
        ) {
            (_, DAY_SECONDS..) => "%m-%d %H:%M",
            (60.., _) => "%H:%M",
            (..60, _) => "%H:%M:%S",
        };
        formatted(second.saturating_mul(1_000), format)
    }

    /// Returns how long a step is.
    pub(super) fn step_text(&self) -> String {
        let (count, noun) = match self.step_seconds {
            seconds @ ..60 => (seconds, "second"),
            seconds @ 60..3_600 => (seconds / 60, "minute"),
            seconds @ 3_600..DAY_SECONDS => (seconds / 3_600, "hour"),
            seconds => (seconds / DAY_SECONDS, "day"),
        };
        match count {
            1 => noun.to_owned(),
            _ => format!("{count} {noun}s"),
        }
    }
}

/// Returns tenths as a number with one decimal.
pub(super) fn tenths(number: i64) -> String {
    match number % 10 {
        0 => (number / 10).to_string(),
        rest => format!("{}.{}", number / 10, rest.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn the_axis_holds_all_that_was_audited_in_steps_that_people_read() {
        let summary = sample().summary;
        let axis = Axis::new(&summary).unwrap();
        assert_eq!((axis.step_seconds, axis.columns), (60, 40));
        assert_eq!(axis.ticks(), ["02:30", "02:50", "03:10"]);
        assert_eq!(axis.step_text(), "minute");
        assert_eq!(axis.place(axis.start_second), (0, 250));
        assert_eq!(tenths(255), "25.5");
    }

    #[test]
    fn the_ends_of_time_have_an_axis() {
        let mut summary = sample().summary;
        for second in [i64::MIN, i64::MAX] {
            summary
                .causes_over_time
                .add(second, crate::finding::Cause::Undetermined, 1);
        }
        let axis = Axis::new(&summary).unwrap();
        assert!(axis.columns <= COLUMNS_MAX + 1, "{axis:?}");
        assert!(axis.place(i64::MAX).0 <= 10_000);
        assert!(!axis.ticks().is_empty());
    }
}
