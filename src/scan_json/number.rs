//! Decimal numbers as text: grammar, and an exact canonical form that no float ever touches.

#![expect(
    clippy::inline_always,
    reason = "measured: a fifth faster, as positions and errors then stay in registers"
)]

use std::io::Write;
use std::iter;

use super::error::{JsonFault, Stop};

/// Returns the place behind the JSON number that starts at `position`.
#[inline(always)]
pub(super) fn end_of_number(document: &[u8], position: usize) -> Result<usize, Stop> {
    let mut position = position;
    if document.get(position) == Some(&b'-') {
        position += 1;
    }
    position = match document.get(position) {
        Some(b'0') => position + 1,
        _ => end_of_digits(document, position)?,
    };
    if document.get(position) == Some(&b'.') {
        position = end_of_digits(document, position + 1)?;
    }
    if let Some(b'e' | b'E') = document.get(position) {
        position += 1;
        if let Some(b'+' | b'-') = document.get(position) {
            position += 1;
        }
        position = end_of_digits(document, position)?;
    }
    Ok(position)
}

#[inline(always)]
fn end_of_digits(document: &[u8], position: usize) -> Result<usize, Stop> {
    let mut end = position;
    while document.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    if end == position {
        return Err(Stop::new(position, JsonFault::NoDigit));
    }
    Ok(end)
}

/// Appends the exact canonical form of a number in JSON's grammar; false if it is none.
///
/// The form is a minus sign where there is one, the significant digits without zeros at either
/// end, `e` and the power of ten of the last digit; zero is `0`. Exponents are added as decimal
/// text, so no length of them overflows or makes two numbers one.
pub fn canonical(text: &[u8], out: &mut Vec<u8>) -> bool {
    end_of_number(text, 0) == Ok(text.len()) && canonical_loose(text, out)
}

/// Appends the canonical form of a number as people write it in cells; false if it is none.
///
/// Beyond JSON's grammar it takes a plus sign, leading zeros, and a point without digits on one
/// of its sides.
pub fn canonical_loose(text: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(decimal) = Decimal::parse(text) else {
        return false;
    };
    if decimal.is_negative && !decimal.is_zero() {
        out.push(b'-');
    }
    let digits_start = out.len();
    out.extend(decimal.significant_digits());
    if out.len() == digits_start {
        out.push(b'0');
        return true;
    }
    out.push(b'e');
    decimal.write_exponent(out);
    true
}

/// Appends the canonical form as a JSON number that people can read: `1`, `12.5`, `1e30`.
///
/// False, with nothing appended, if the text is no JSON number.
pub fn write_canonical_json(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if !canonical(text, out) {
        return false;
    }
    drop_exponent(start, out);
    true
}

/// Longest number that is written without an exponent, in digits.
const PLAIN_DIGITS: usize = 21;

/// Writes the canonical form from `start` on without its exponent, where that is short.
fn drop_exponent(start: usize, out: &mut Vec<u8>) {
    let form = out.get(start..).unwrap_or_default();
    let Some((digits, exponent)) = split_form(form) else {
        return;
    };
    let digits_start = start + usize::from(form.starts_with(b"-"));
    let Ok(shift) = usize::try_from(exponent.unsigned_abs()) else {
        return;
    };
    if exponent >= 0 && shift.saturating_add(digits) <= PLAIN_DIGITS {
        out.truncate(digits_start + digits);
        out.resize(digits_start + digits + shift, b'0');
    } else if exponent < 0 && shift <= PLAIN_DIGITS {
        out.truncate(digits_start + digits);
        let zeros = (shift + 1).saturating_sub(digits);
        out.splice(digits_start..digits_start, iter::repeat_n(b'0', zeros));
        out.insert(out.len() - shift, b'.');
    }
}

/// Returns the number of digits and the exponent of a canonical form, if it has a small one.
fn split_form(form: &[u8]) -> Option<(usize, i64)> {
    let e = memchr::memchr(b'e', form)?;
    let exponent = std::str::from_utf8(form.get(e + 1..)?).ok()?.parse().ok()?;
    Some((e - usize::from(form.starts_with(b"-")), exponent))
}

/// A decimal number, taken apart.
struct Decimal<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent_is_negative: bool,
    /// Without leading zeros.
    exponent: &'a [u8],
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (is_negative, unsigned) = take_sign(text);
        let e = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = match e {
            Some(e) => (unsigned.get(..e)?, Some(unsigned.get(e + 1..)?)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match memchr::memchr(b'.', mantissa) {
            Some(point) => (mantissa.get(..point)?, mantissa.get(point + 1..)?),
            None => (mantissa, &b""[..]),
        };
        let (exponent_is_negative, exponent) = take_sign(exponent.unwrap_or(b"0"));
        let has_mantissa = !whole.is_empty() || !fraction.is_empty();
        let has_digits = has_mantissa && !exponent.is_empty();
        let mut all = whole.iter().chain(fraction).chain(exponent);
        (has_digits && all.all(u8::is_ascii_digit)).then_some(Self {
            is_negative,
            whole,
            fraction,
            exponent_is_negative,
            exponent: trim_leading_zeros(exponent),
        })
    }

    fn is_zero(&self) -> bool {
        self.whole.iter().chain(self.fraction).all(|&d| d == b'0')
    }

    /// Zeros at the end of all digits.
    fn trailing_zeros(&self) -> usize {
        let digits = self.whole.iter().chain(self.fraction);
        digits.rev().take_while(|&&digit| digit == b'0').count()
    }

    fn significant_digits(&self) -> impl Iterator<Item = u8> {
        let count = self.whole.len() + self.fraction.len() - self.trailing_zeros();
        let digits = self.whole.iter().chain(self.fraction).copied();
        digits.take(count).skip_while(|&digit| digit == b'0')
    }

    /// Appends the power of ten of the last significant digit.
    fn write_exponent(&self, out: &mut Vec<u8>) {
        let as_i64 = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let shift = as_i64(self.trailing_zeros()) - as_i64(self.fraction.len());
        // 18 digits and the length of a text in memory cannot overflow 64 bits.
        if self.exponent.len() <= 18 {
            let exponent = self.exponent.iter();
            let magnitude = exponent.fold(0, |sum, &digit| sum * 10 + i64::from(digit - b'0'));
            let signed = if self.exponent_is_negative {
                -magnitude
            } else {
                magnitude
            };
            push_integer(signed + shift, out);
            return;
        }
        // Longer ones exceed every shift, so the sign stays and only the magnitude changes.
        if self.exponent_is_negative {
            out.push(b'-');
        }
        let grows = self.exponent_is_negative == (shift < 0);
        add_to_digits(self.exponent, shift.unsigned_abs(), grows, out);
    }
}

/// Appends the decimal `digits` plus or minus `change`, which is smaller than they are.
fn add_to_digits(digits: &[u8], change: u64, grows: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(digits);
    let mut carry = change;
    for place in out.iter_mut().skip(start).rev() {
        if carry == 0 {
            break;
        }
        let digit = u64::from(*place - b'0');
        let low = carry % 10;
        carry /= 10;
        let sum = if grows {
            carry += (digit + low) / 10;
            (digit + low) % 10
        } else {
            carry += u64::from(digit < low);
            (digit + 10 - low) % 10
        };
        *place = b'0' + u8::try_from(sum).unwrap_or_default();
    }
    if carry > 0 {
        out.splice(start..start, carry.to_string().bytes());
    } else {
        let zeros = out.iter().skip(start).take_while(|&&digit| digit == b'0');
        let end = start + zeros.count();
        out.drain(start..end);
    }
}

/// Appends a whole number as decimal text.
pub(super) fn push_integer(number: i64, out: &mut Vec<u8>) {
    write!(out, "{number}").expect("a vector takes all bytes");
}

fn take_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn trim_leading_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(text: &str) -> Option<String> {
        let mut out = Vec::new();
        canonical(text.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    fn json(text: &str) -> String {
        let mut out = b"x".to_vec();
        assert!(write_canonical_json(text.as_bytes(), &mut out));
        String::from_utf8(out).unwrap()[1..].to_owned()
    }

    #[test]
    fn spellings_of_one_number_are_one() {
        for text in [
            "1", "1.0", "1e0", "10e-1", "1E+0", "0.1e1", "0.0001e4", "1.000",
        ] {
            assert_eq!(form(text).as_deref(), Some("1e0"), "{text}");
        }
        for text in ["0", "-0", "0.0", "-0e99", "0e-99999999999999999999999"] {
            assert_eq!(form(text).as_deref(), Some("0"), "{text}");
        }
        assert_ne!(form("9007199254740993"), form("9007199254740992"));
        assert_ne!(form("1"), form("-1"));
    }

    #[test]
    fn exponents_of_any_length_are_exact() {
        let nines = "9".repeat(18);
        let one_more = format!("1{}", "0".repeat(18));
        assert_eq!(form(&format!("10e{nines}")), Some(format!("1e{one_more}")));
        assert_eq!(form(&format!("0.1e{one_more}")), Some(format!("1e{nines}")));
        assert_eq!(
            form(&format!("0.1e-{nines}")),
            Some(format!("1e-{one_more}"))
        );
        assert_eq!(
            form(&format!("10e-{one_more}")),
            Some(format!("1e-{nines}"))
        );
        let long = "9".repeat(60);
        let longer = format!("1{}", "0".repeat(60));
        assert_eq!(form(&format!("10e{long}")), Some(format!("1e{longer}")));
        assert_eq!(
            form(&format!("1e0000{longer}")),
            Some(format!("1e{longer}"))
        );
        assert_ne!(form(&format!("1e{longer}")), form(&format!("1e{long}")));
        assert_ne!(form(&format!("1e{longer}")), form(&format!("1e-{longer}")));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "NaN", "1 ", "0x1", "1.5.2", "1_0",
        ] {
            assert_eq!(form(text), None, "{text}");
        }
        let mut out = Vec::new();
        for text in ["+1", "01", "1.", ".5", "+00.50"] {
            assert!(canonical_loose(text.as_bytes(), &mut out), "{text}");
        }
        for text in ["", ".", "+", "1e", "e1", "1,5", "--1", "1e1.5", "\u{663}"] {
            assert!(!canonical_loose(text.as_bytes(), &mut out), "{text}");
        }
    }

    #[test]
    fn canonical_json_numbers_are_readable() {
        for (text, expected) in [
            ("1.0", "1"),
            ("12.50", "12.5"),
            ("-0.0", "0"),
            ("1e30", "1e30"),
            ("15e29", "15e29"),
            ("-120", "-120"),
            ("-5e-3", "-0.005"),
            ("1e20", "100000000000000000000"),
            ("1e-22", "1e-22"),
            ("100", "100"),
            ("0.5", "0.5"),
        ] {
            assert_eq!(json(text), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn two_numbers_are_one_form_only_if_they_are_equal(
            a in (-2000_i128..2000, -12..12_i32), b in (-2000_i128..2000, -12..12_i32),
        ) {
            let spell = |(digits, power): (i128, i32)| format!("{digits}e{power}");
            let scale = |power: i32| 10_i128.pow((power + 12).unsigned_abs());
            let value = |(digits, power): (i128, i32)| digits * scale(power);
            prop_assert_eq!(form(&spell(a)) == form(&spell(b)), value(a) == value(b));
            prop_assert_eq!(json(&spell(a)) == json(&spell(b)), value(a) == value(b));
            // The readable spelling is the same number and its own canonical spelling.
            prop_assert_eq!(form(&json(&spell(a))), form(&spell(a)));
            prop_assert_eq!(json(&json(&spell(a))), json(&spell(a)));
        }

        #[test]
        fn moving_the_point_is_undone_by_the_exponent(
            digits in "[1-9][0-9]{0,30}", zeros in 0..30_usize, exponent in any::<i64>(),
        ) {
            let exponent = i128::from(exponent);
            let plain = form(&format!("{digits}e{exponent}"));
            let shifted = exponent + i128::try_from(zeros).unwrap();
            let shifted = shifted + i128::try_from(digits.len()).unwrap();
            let below_one = format!("0.{}{digits}e{shifted}", "0".repeat(zeros));
            prop_assert_eq!(&form(&below_one), &plain);
            let grown = exponent - i128::try_from(zeros).unwrap();
            prop_assert_eq!(&form(&format!("{digits}{}e{grown}", "0".repeat(zeros))), &plain);
        }
    }
}
