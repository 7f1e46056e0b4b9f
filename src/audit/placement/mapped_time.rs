//! Timestamps of plain logs: RFC 3339, or a number whose unit is named or told by its size.

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::TimeZone;
use chrono_tz::Tz;

use crate::audit::plan::TimestampUnit;
use crate::record::FieldValue;
use crate::scan_json::field_text;

/// A time that a plain log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MappedTime {
    /// Milliseconds since the epoch.
    pub(super) millis: i64,
    /// Whether it names no zone, so that it is one only by what was said of it.
    pub(super) is_zoneless: bool,
}

impl MappedTime {
    fn certain(millis: i64) -> Self {
        Self {
            millis,
            is_zoneless: false,
        }
    }
}

/// Returns the time, or nothing where the value is no timestamp; `zone` is that of times that
/// name none, UTC where it is not said.
pub(super) fn parse_timestamp(
    value: FieldValue<'_>,
    (unit, zone): (TimestampUnit, Option<Tz>),
    scratch: &mut Vec<u8>,
) -> Option<MappedTime> {
    if let FieldValue::Integer(millis) = value {
        return Some(MappedTime::certain(millis));
    }
    let text = std::str::from_utf8(field_text(value, scratch)?)
        .ok()?
        .trim();
    let is_number_like = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if text.bytes().all(is_number_like)
        && let Some(millis) = parse_number(text, unit)
    {
        return Some(MappedTime::certain(millis));
    }
    parse_calendar_time(text, zone.unwrap_or(Tz::UTC))
}

/// A time that clocks showed twice is the first of both; one that they skipped is none.
fn parse_calendar_time(text: &str, zone: Tz) -> Option<MappedTime> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(MappedTime::certain(time.timestamp_millis()));
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z") {
        return Some(MappedTime::certain(time.timestamp_millis()));
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    Some(MappedTime {
        millis: zone
            .from_local_datetime(&local)
            .earliest()?
            .timestamp_millis(),
        is_zoneless: true,
    })
}

/// Fractions count too: `1700000000.123` is seconds.
fn parse_number(text: &str, unit: TimestampUnit) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let nanos_per_unit = nanos_per_unit(whole, unit);
    let mut nanos = whole.checked_mul(nanos_per_unit)?;
    let mut place = nanos_per_unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(place * i128::from(digit - b'0'))?;
    }
    let millis = if negative { -nanos } else { nanos }.div_euclid(1_000_000);
    i64::try_from(millis).ok()
}

fn nanos_per_unit(whole: i128, unit: TimestampUnit) -> i128 {
    const SECOND: i128 = 1_000_000_000;
    match unit {
        TimestampUnit::Seconds => SECOND,
        TimestampUnit::Milliseconds => 1_000_000,
        TimestampUnit::Microseconds => 1_000,
        // 10^11 seconds is the year 5138, 10^11 milliseconds is 1973, and so on for each unit.
        TimestampUnit::ByMagnitude if whole < 100_000_000_000 => SECOND,
        TimestampUnit::ByMagnitude if whole < 100_000_000_000_000 => 1_000_000,
        TimestampUnit::ByMagnitude if whole < 100_000_000_000_000_000 => 1_000,
        TimestampUnit::Nanoseconds | TimestampUnit::ByMagnitude => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, unit: TimestampUnit) -> Option<i64> {
        let value = FieldValue::Bytes(text.as_bytes());
        parse_timestamp(value, (unit, None), &mut Vec::new()).map(|time| time.millis)
    }

    #[test]
    fn times_without_a_zone_are_told_and_read_in_the_zone_asked_for() {
        let parse = |text: &str, zone: Option<Tz>| {
            let value = FieldValue::Bytes(text.as_bytes());
            let how = (TimestampUnit::ByMagnitude, zone);
            parse_timestamp(value, how, &mut Vec::new()).map(|time| (time.millis, time.is_zoneless))
        };
        let berlin = Some(Tz::Europe__Berlin);
        let noon = 1_704_110_400_000;
        assert_eq!(parse("2024-01-01 12:00:00", None), Some((noon, true)));
        assert_eq!(parse("2024-01-01 13:00:00", berlin), Some((noon, true)));
        assert_eq!(parse("2024-01-01T12:00:00Z", berlin), Some((noon, false)));
        assert_eq!(parse("1704110400", berlin), Some((noon, false)));
        // Twice that night, and never in that one.
        let twice = parse("2024-10-27 02:30:00", berlin);
        assert_eq!(twice, Some((1_729_989_000_000, true)));
        assert_eq!(parse("2024-03-31 02:30:00", berlin), None);
    }

    #[test]
    fn numbers_are_told_apart_by_magnitude() {
        for text in [
            "1700000000",
            "1700000000000",
            "1700000000000000",
            "1700000000000000000",
            "1700000000.0",
        ] {
            assert_eq!(
                parse(text, TimestampUnit::ByMagnitude),
                Some(1_700_000_000_000),
                "{text}"
            );
        }
        assert_eq!(
            parse("1700000000.1239", TimestampUnit::ByMagnitude),
            Some(1_700_000_000_123)
        );
        assert_eq!(parse("5", TimestampUnit::Milliseconds), Some(5));
        assert_eq!(parse("-1.5", TimestampUnit::Seconds), Some(-1_500));
    }

    #[test]
    fn calendar_times_are_read_with_and_without_a_zone() {
        let expected = Some(1_704_110_400_123);
        for text in [
            "2024-01-01T12:00:00.123Z",
            "2024-01-01T13:00:00.123+01:00",
            "2024-01-01 12:00:00.123456",
            "2024-01-01 12:00:00.123+00",
            "2024-01-01T12:00:00.123",
        ] {
            assert_eq!(parse(text, TimestampUnit::ByMagnitude), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_timestamps() {
        for text in [
            "",
            "-",
            ".",
            "today",
            "2024-13-01T00:00:00Z",
            "99999999999999999999999999",
        ] {
            assert_eq!(parse(text, TimestampUnit::ByMagnitude), None, "{text}");
        }
    }
}
