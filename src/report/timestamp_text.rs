//! Timestamps as text: RFC 3339 for programs, shorter for people; always UTC.

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::Utc;

/// Returns RFC 3339 with milliseconds; outside the calendar the bare number, so none is lost.
pub(super) fn rfc3339(millis: i64) -> String {
    match utc(millis) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("epoch{millis:+}ms"),
    }
}

/// Returns the moment, where the calendar reaches that far.
pub(super) fn utc(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds_and_any_number_has_a_text() {
        assert_eq!(rfc3339(1_768_444_867_218), "2026-01-15T02:41:07.218Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MAX), "epoch+9223372036854775807ms");
        assert_eq!(rfc3339(i64::MIN), "epoch-9223372036854775808ms");
    }
}
