//! Counts, amounts, times and durations as people read them.

use crate::report::timestamp_text::rfc3339;
use crate::report::timestamp_text::utc;

/// Returns the number with commas between thousands.
pub(in crate::report) fn grouped(number: impl Into<i128>) -> String {
    grouped_decimal(&number.into().to_string())
}

/// Returns a plain decimal with commas between thousands; other text as it is.
pub(in crate::report) fn grouped_decimal(decimal: &str) -> String {
    let unsigned = decimal.strip_prefix('-').unwrap_or(decimal);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return decimal.to_owned();
    }
    let mut text = String::with_capacity(decimal.len() * 2);
    if unsigned.len() < decimal.len() {
        text.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// Returns a count with its noun, in the plural where needed.
pub(in crate::report) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// Returns date and time of day in UTC, to the second.
pub(in crate::report) fn date_and_time(millis: i64) -> String {
    formatted(millis, "%Y-%m-%d %H:%M:%S")
}

/// Returns the time of day in UTC, to the second.
pub(in crate::report) fn time_of_day(millis: i64) -> String {
    formatted(millis, "%H:%M:%S")
}

/// Returns the moment in UTC in a format of chrono.
pub(in crate::report) fn formatted(millis: i64, format: &str) -> String {
    match utc(millis) {
        Some(time) => time.format(format).to_string(),
        None => rfc3339(millis),
    }
}

/// Returns whether both moments lie in one UTC day.
pub(in crate::report) fn is_same_day(a_millis: i64, b_millis: i64) -> bool {
    const DAY_MILLIS: i64 = 86_400_000;
    a_millis.div_euclid(DAY_MILLIS) == b_millis.div_euclid(DAY_MILLIS)
}

/// Returns `first to last UTC`, the date of the last only where it differs.
pub(in crate::report) fn from_to(first_millis: i64, last_millis: i64) -> String {
    let last = if is_same_day(first_millis, last_millis) {
        time_of_day(last_millis)
    } else {
        date_and_time(last_millis)
    };
    format!("{} to {last} UTC", date_and_time(first_millis))
}

/// Returns a duration in its two largest units.
pub(in crate::report) fn duration(millis: i64) -> String {
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if millis < 0 {
        return format!("{millis} ms");
    }
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{millis} ms"),
        (0, 0, 0, _) => format!("{seconds}.{} s", millis % 1000 / 100),
        (0, 0, _, _) => two_units(minutes, "min", seconds % 60, "s"),
        (0, _, _, _) => two_units(hours, "h", minutes % 60, "min"),
        (_, _, _, _) => two_units(days, "d", hours % 24, "h"),
    }
}

fn two_units(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    let large = grouped(large);
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        assert_eq!(grouped(0_u64), "0");
        assert_eq!(grouped(999_u64), "999");
        assert_eq!(grouped(6_619_u64), "6,619");
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(grouped_decimal("7431.18"), "7,431.18");
        assert_eq!(grouped_decimal("-1234567.1234"), "-1,234,567.1234");
        assert_eq!(grouped_decimal("n/a"), "n/a");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(duration(0), "0 ms");
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1_250), "1.2 s");
        assert_eq!(duration(61_000), "1 min 1 s");
        assert_eq!(duration(1_020_000), "17 min");
        assert_eq!(duration(3_600_000 * 5), "5 h");
        assert_eq!(duration(86_400_000 * 2 + 3_600_000), "2 d 1 h");
        assert_eq!(duration(i64::MAX), "106,751,991,167 d 7 h");
    }

    #[test]
    fn the_second_date_is_shown_where_it_differs() {
        let start = 1_768_444_200_000;
        assert_eq!(
            from_to(start, start + 2_400_000),
            "2026-01-15 02:30:00 to 03:10:00 UTC"
        );
        assert_eq!(
            from_to(start, start + 86_400_000),
            "2026-01-15 02:30:00 to 2026-01-16 02:30:00 UTC"
        );
        assert_eq!(date_and_time(i64::MAX), "epoch+9223372036854775807ms");
    }
}
