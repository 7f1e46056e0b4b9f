//! Keeps reading below a rate: what was read decides when more may be asked for.

use std::time::{Duration, Instant};

use crate::record::RecordBlock;

/// Time not used for reading that may be made up for at once.
const CREDIT: Duration = Duration::from_millis(500);

/// Bytes that a record takes beside key, value and headers.
const RECORD_BYTES: u64 = 8;

/// The pace of a scan.
#[derive(Debug)]
pub(in crate::source::kafka) struct Pace {
    bytes_per_second: Option<u64>,
    /// When more may be asked for.
    next: Option<Instant>,
}

impl Pace {
    /// Returns a pace of at most so many bytes a second, or without limit.
    pub(in crate::source::kafka) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second,
            next: None,
        }
    }

    /// Returns how long nothing may be asked for.
    pub(in crate::source::kafka) fn wait(&self, now: Instant) -> Duration {
        self.next
            .map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// Notes what has come.
    pub(in crate::source::kafka) fn note(&mut self, block: &RecordBlock, now: Instant) {
        let records = u64::try_from(block.slots.len()).unwrap_or(u64::MAX);
        let bytes = u64::try_from(block.bytes.len()).unwrap_or(u64::MAX);
        self.note_bytes(
            bytes.saturating_add(records.saturating_mul(RECORD_BYTES)),
            now,
        );
    }

    fn note_bytes(&mut self, bytes: u64, now: Instant) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let from = self.next.unwrap_or(now).max(earliest);
        self.next = from.checked_add(time).or(Some(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time_however_they_come() {
        let start = Instant::now();
        for parts in [1, 10, 1000] {
            let mut pace = Pace::new(Some(1_000_000));
            let mut now = start;
            for _ in 0..parts {
                now += pace.wait(now);
                pace.note_bytes(5_000_000 / parts, now);
            }
            let taken = now + pace.wait(now) - start;
            assert_eq!(taken, Duration::from_secs(5), "{parts} parts");
        }
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(1_000_000));
        pace.note_bytes(1_000_000, start);
        let later = start + Duration::from_mins(1);
        pace.note_bytes(3_000_000, later);
        assert_eq!(pace.wait(later), Duration::from_millis(2_500));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pace = Pace::new(None);
        pace.note_bytes(u64::MAX, Instant::now());
        assert_eq!(pace.wait(Instant::now()), Duration::ZERO);
        let mut slowest = Pace::new(Some(1));
        slowest.note_bytes(u64::MAX, Instant::now());
        assert!(slowest.wait(Instant::now()) > Duration::from_secs(1));
    }
}
