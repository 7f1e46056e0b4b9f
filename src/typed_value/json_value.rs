//! Writes typed values as JSON: exact, and the same text for the same value.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

/// Bytes of the largest decimal that is written; 128 bytes are 308 digits.
const DECIMAL_BYTES_MAX: usize = 128;

/// What one of a timestamp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// A thousandth of a second.
    Millis,
    /// A millionth.
    Micros,
    /// A thousandth of a millionth.
    Nanos,
}

impl TimeUnit {
    fn per_second(self) -> i64 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }
}

/// Appends what is displayed as the text of a JSON value.
pub fn push_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to memory meets no error.
    drop(write!(out, "{value}"));
}

/// Appends a JSON string; bytes that are no UTF-8 stay, and make it one that cannot be decoded.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let is_special = |byte: u8| matches!(byte, 0..0x20 | b'"' | b'\\');
    // Looked at in one go without a branch, which is fast; most text is plain.
    if !text.iter().fold(false, |any, &byte| any | is_special(byte)) {
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                let digits = b"0123456789abcdef";
                let digit = |place: u8| digits.get(usize::from(place)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends bytes as a string of base64.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    push_display(out, STANDARD.encode(bytes));
    out.push(b'"');
}

/// Appends a number; what JSON has no number for is a string.
pub fn push_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        push_display(out, value);
    } else {
        push_no_number(out, value.is_nan(), value.is_sign_negative());
    }
}

/// Appends a number of single precision, as short as its own precision allows.
pub fn push_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        push_display(out, value);
    } else {
        push_no_number(out, value.is_nan(), value.is_sign_negative());
    }
}

fn push_no_number(out: &mut Vec<u8>, is_nan: bool, is_negative: bool) {
    out.extend_from_slice(match (is_nan, is_negative) {
        (true, _) => b"\"NaN\"",
        (false, true) => b"\"-Infinity\"",
        (false, false) => b"\"Infinity\"",
    });
}

/// Appends a decimal: a whole number in two's complement, the highest byte first, of which the
/// last `scale` digits are a fraction. One that is too long for a number is written as base64.
pub fn push_decimal(out: &mut Vec<u8>, unscaled: &[u8], scale: usize) {
    if unscaled.len() > DECIMAL_BYTES_MAX || scale > 4 * DECIMAL_BYTES_MAX {
        return push_bytes(out, unscaled);
    }
    let is_negative = unscaled.first().is_some_and(|&first| first & 0x80 != 0);
    let mut digits = decimal_digits(unscaled, is_negative);
    // The highest digit last.
    while digits.len() <= scale {
        digits.push(0);
    }
    if is_negative {
        out.push(b'-');
    }
    for (place, digit) in digits.iter().enumerate().rev() {
        out.push(b'0' + digit);
        if place == scale && scale > 0 {
            out.push(b'.');
        }
    }
}

/// Returns the digits of the absolute value, the lowest first, none for zero.
fn decimal_digits(unscaled: &[u8], is_negative: bool) -> Vec<u8> {
    let mut magnitude = unscaled.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (negated, overflows) = (!*byte).overflowing_add(u8::from(carry));
            *byte = negated;
            carry = overflows;
        }
    }
    let mut digits = Vec::new();
    while magnitude.iter().any(|&byte| byte != 0) {
        let mut remainder = 0_u16;
        for byte in &mut magnitude {
            let dividend = remainder << 8 | u16::from(*byte);
            *byte = u8::try_from(dividend / 10).unwrap_or_default();
            remainder = dividend % 10;
        }
        digits.push(u8::try_from(remainder).unwrap_or_default());
    }
    digits
}

/// Appends a time as RFC 3339 text, with `Z` where it is in UTC; one beyond the years 0 to 9999
/// as the number it is.
pub fn push_timestamp(out: &mut Vec<u8>, value: i64, unit: TimeUnit, is_utc: bool) {
    let Some(time) = calendar_time(value, unit) else {
        return push_display(out, value);
    };
    out.push(b'"');
    push_date_part(out, time);
    out.push(b'T');
    push_clock_part(out, time, unit);
    if is_utc {
        out.push(b'Z');
    }
    out.push(b'"');
}

/// Appends a date, given in days since 1970.
pub fn push_date(out: &mut Vec<u8>, days: i32) {
    const DAY_MILLIS: i64 = 86_400_000;
    match calendar_time(i64::from(days) * DAY_MILLIS, TimeUnit::Millis) {
        Some(time) => {
            out.push(b'"');
            push_date_part(out, time);
            out.push(b'"');
        }
        None => push_display(out, days),
    }
}

/// Appends a time of day, given since midnight.
pub fn push_time(out: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    const DAY_SECONDS: i64 = 86_400;
    let is_time = (0..DAY_SECONDS * unit.per_second()).contains(&value);
    match calendar_time(value, unit).filter(|_| is_time) {
        Some(time) => {
            out.push(b'"');
            push_clock_part(out, time, unit);
            out.push(b'"');
        }
        None => push_display(out, value),
    }
}

fn calendar_time(value: i64, unit: TimeUnit) -> Option<NaiveDateTime> {
    let seconds = value.div_euclid(unit.per_second());
    let rest = value.rem_euclid(unit.per_second());
    let nanos = rest * (1_000_000_000 / unit.per_second());
    let time = DateTime::from_timestamp(seconds, u32::try_from(nanos).ok()?)?.naive_utc();
    (0..=9999).contains(&time.year()).then_some(time)
}

fn push_date_part(out: &mut Vec<u8>, time: NaiveDateTime) {
    push_digits(out, u32::try_from(time.year()).unwrap_or_default(), 4);
    out.push(b'-');
    push_digits(out, time.month(), 2);
    out.push(b'-');
    push_digits(out, time.day(), 2);
}

fn push_clock_part(out: &mut Vec<u8>, time: NaiveDateTime, unit: TimeUnit) {
    for (part, mark) in [
        (time.hour(), b':'),
        (time.minute(), b':'),
        (time.second(), b'.'),
    ] {
        push_digits(out, part, 2);
        out.push(mark);
    }
    let per_second = u32::try_from(unit.per_second()).unwrap_or(1_000_000_000);
    let fraction = time.nanosecond() / (1_000_000_000 / per_second);
    push_digits(out, fraction, unit.digits());
}

/// Appends the last `width` digits of a number: formatting would take most of a column's time.
fn push_digits(out: &mut Vec<u8>, number: u32, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = number;
    for place in out.iter_mut().skip(start).rev() {
        *place += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        for (unscaled, scale, text) in [
            (&[][..], 0, "0"),
            (&[0], 2, "0.00"),
            (&[0x96], 2, "-1.06"),
            (&[0, 0x96], 2, "1.50"),
            (&[0xff], 3, "-0.001"),
            (&[0x80], 0, "-128"),
            (
                &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                4,
                "472236648286964521369.6",
            ),
        ] {
            let text = if unscaled.len() == 10 {
                "472236648286964521.3696"
            } else {
                text
            };
            assert_eq!(written(|out| push_decimal(out, unscaled, scale)), text);
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let millis = |value| written(|out| push_timestamp(out, value, TimeUnit::Millis, true));
        assert_eq!(millis(1_768_444_201_007), "\"2026-01-15T02:30:01.007Z\"");
        assert_eq!(millis(-1), "\"1969-12-31T23:59:59.999Z\"");
        assert_eq!(millis(i64::MIN), i64::MIN.to_string());
        let nanos = written(|out| push_timestamp(out, 5, TimeUnit::Nanos, false));
        assert_eq!(nanos, "\"1970-01-01T00:00:00.000000005\"");
        assert_eq!(written(|out| push_date(out, 20_468)), "\"2026-01-15\"");
        assert_eq!(
            written(|out| push_date(out, i32::MAX)),
            i32::MAX.to_string()
        );
        let time = written(|out| push_time(out, 3_723_000_004, TimeUnit::Micros));
        assert_eq!(time, "\"01:02:03.000004\"");
        assert_eq!(written(|out| push_time(out, -4, TimeUnit::Micros)), "-4");
    }

    #[test]
    fn floats_are_as_short_as_they_are_exact() {
        assert_eq!(written(|out| push_float(out, 0.1)), "0.1");
        assert_eq!(written(|out| push_double(out, 1e300)).len(), 301);
        assert_eq!(
            written(|out| push_double(out, f64::NEG_INFINITY)),
            "\"-Infinity\""
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_string_comes_back(text in "\\PC{0,5}[\\x00-\\x7f]{0,10}") {
            let mut out = Vec::new();
            push_string(&mut out, text.as_bytes());
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn decimals_are_those_of_128_bits(value in any::<i128>(), scale in 0..30_usize) {
            let text = written(|out| push_decimal(out, &value.to_be_bytes(), scale));
            let digits: String = text.chars().filter(|of| *of != '.').collect();
            prop_assert_eq!(digits.parse::<i128>().unwrap(), value);
            prop_assert_eq!(text.split_once('.').map_or(0, |(_, of)| of.len()), scale);
        }

        #[test]
        fn any_number_is_json(value in any::<i64>(), double in any::<f64>()) {
            for text in [
                written(|out| push_timestamp(out, value, TimeUnit::Micros, true)),
                written(|out| push_time(out, value, TimeUnit::Nanos)),
                written(|out| push_double(out, double)),
            ] {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
