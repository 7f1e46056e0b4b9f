//! What the values of one field look like, one by one.

use std::collections::HashSet;

use crate::suggest::name::Role;
use crate::suggest::name::role;
use crate::suggest::sample::SampledValue;

/// Different values up to which a field is a category.
const CATEGORY_MAX: usize = 24;

/// What a field's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Integer,
    Decimal,
    Boolean,
    Time,
    Currency,
    Category,
    Text,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Currency => "currency",
            Self::Category => "category",
            Self::Text => "text",
        }
    }
}

/// One field over all records.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) path: String,
    pub(super) role: Role,
    pub(super) present: usize,
    distinct: HashSet<u64>,
    integers: usize,
    decimals: usize,
    /// Whole numbers of which the last digits are gone, such as 5.70306E+17.
    pub(super) rounded: usize,
    booleans: usize,
    times: usize,
    /// Times that say all that a timestamp needs, their zone included.
    zoned: usize,
    epochs: usize,
    currencies: usize,
    ids: usize,
}

impl Column {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            role: role(path),
            present: 0,
            distinct: HashSet::new(),
            integers: 0,
            decimals: 0,
            rounded: 0,
            booleans: 0,
            times: 0,
            zoned: 0,
            epochs: 0,
            currencies: 0,
            ids: 0,
        }
    }

    pub(super) fn note(&mut self, value: SampledValue<'_>, hash: u64) {
        self.present += 1;
        self.distinct.insert(hash);
        match value {
            SampledValue::Boolean(_) => self.booleans += 1,
            SampledValue::Number(text) | SampledValue::Text(text) => {
                let text = String::from_utf8_lossy(text);
                self.note_text(&text, matches!(value, SampledValue::Text(_)));
            }
        }
    }

    fn note_text(&mut self, text: &str, is_text: bool) {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        self.rounded += usize::from(is_rounded(text));
        if is_integer {
            self.integers += 1;
            self.epochs += usize::from(is_epoch(digits));
        } else if text.parse::<f64>().is_ok() && digits.starts_with(|of: char| of.is_ascii_digit())
        {
            self.decimals += 1;
        } else if is_time(text) {
            self.times += 1;
            self.zoned += usize::from(has_zone(text));
        } else if is_text {
            self.currencies += usize::from(is_currency(text));
            self.ids += usize::from(is_id(text));
        }
    }

    /// Returns whether its values can be timestamps as they are.
    pub(super) fn is_timestamp(&self) -> bool {
        let usable = self.zoned.max(self.epochs);
        self.kind() == Kind::Time && usable * 10 >= self.present * 9
    }

    pub(super) fn distinct(&self) -> usize {
        self.distinct.len()
    }

    pub(super) fn kind(&self) -> Kind {
        let is_mostly = |count: usize| count > 0 && count * 10 >= self.present * 9;
        if is_mostly(self.booleans) {
            Kind::Boolean
        } else if is_mostly(self.times) || (is_mostly(self.epochs) && self.role == Role::Time) {
            Kind::Time
        } else if is_mostly(self.currencies) && self.distinct() <= 2 * CATEGORY_MAX {
            Kind::Currency
        } else if is_mostly(self.integers) {
            Kind::Integer
        } else if is_mostly(self.integers + self.decimals) {
            Kind::Decimal
        } else if self.is_category() {
            Kind::Category
        } else if is_mostly(self.ids) {
            Kind::Id
        } else {
            Kind::Text
        }
    }

    /// Few values, each of which comes often.
    pub(super) fn is_category(&self) -> bool {
        let few = self.distinct() <= CATEGORY_MAX;
        few && self.present >= 4 * self.distinct()
    }

    /// Returns the share of values that are new.
    pub(super) fn uniqueness(&self) -> f64 {
        ratio(self.distinct(), self.present)
    }
}

/// Returns the share that a part is of the whole.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a share need not be exact"
)]
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Spreadsheets write long numbers like this, and their last digits are gone.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let fraction = mantissa
        .split_once(['.', ','])
        .map_or("", |(_, fraction)| fraction);
    let is_number = mantissa
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".,-".contains(&byte));
    let digits: Option<usize> = exponent.parse().ok();
    is_number && !mantissa.is_empty() && digits.is_some_and(|of| of >= 9 && of > fraction.len())
}

/// Seconds, milliseconds, microseconds or nanoseconds of this half of a century.
fn is_epoch(digits: &str) -> bool {
    let is_recent = digits.starts_with(['1', '2']);
    is_recent && matches!(digits.len(), 10 | 13 | 16 | 19)
}

/// Dates with a time: 2026-01-15T02:30, 2026-01-15 02:30, 12/1/2010 8:26, 15/Jan/2026:02:30.
fn is_time(text: &str) -> bool {
    let first = text.split(['T', ' ', ':']).next().unwrap_or_default();
    let parts: Vec<&str> = first.split(['-', '/']).collect();
    let is_part = |part: &&str| {
        let is_month = part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_month || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let has_year = parts.iter().any(|part| part.len() == 4);
    parts.len() == 3 && has_year && parts.iter().all(is_part)
}

/// RFC 3339 with its zone: no zone has to be guessed.
fn has_zone(text: &str) -> bool {
    let (Some(date), Some(rest)) = (text.get(..10), text.get(10..)) else {
        return false;
    };
    let is_date = date.bytes().filter(|byte| *byte == b'-').count() == 2;
    let has_offset = rest
        .rfind(['+', '-'])
        .is_some_and(|at| rest.len() - at == 6);
    is_date && rest.starts_with(['T', ' ']) && (rest.ends_with('Z') || has_offset)
}

fn is_currency(text: &str) -> bool {
    let letters = |is: fn(&u8) -> bool| text.bytes().all(|byte| is(&byte));
    text.len() == 3 && (letters(u8::is_ascii_uppercase) || letters(u8::is_ascii_lowercase))
}

/// One word that has digits, or is too long for one of a language.
fn is_id(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    !text.contains(char::is_whitespace) && text.len() <= 256 && has_digit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &str, values: &[&str]) -> Kind {
        let mut column = Column::new(path);
        for (hash, value) in (0..).zip(values) {
            column.note(SampledValue::Text(value.as_bytes()), hash);
        }
        column.kind()
    }

    #[test]
    fn values_tell_what_a_field_is() {
        assert_eq!(kind("value.a", &["ch_1", "ch_2"]), Kind::Id);
        assert_eq!(kind("value.a", &["12", "-3"]), Kind::Integer);
        assert_eq!(kind("value.a", &["12.5", "3"]), Kind::Decimal);
        assert_eq!(kind("value.a", &["EUR", "USD"]), Kind::Currency);
        assert_eq!(kind("value.a", &["White mug", "Red mug"]), Kind::Text);
        for time in [
            "2026-01-15T02:30:00Z",
            "12/1/2010 8:26",
            "15/Jan/2026:02:30:00 +0000",
        ] {
            assert_eq!(kind("value.a", &[time]), Kind::Time, "{time}");
        }
        assert!(has_zone("2026-01-15T02:30:00+01:00") && has_zone("2026-01-15 02:30:00.5Z"));
        assert!(!has_zone("2026-01-15T02:30:00") && !has_zone("12/1/2010 8:26"));
        assert_eq!(kind("value.ts", &["1768444200000"]), Kind::Time);
        assert_eq!(kind("value.id", &["1768444200000"]), Kind::Integer);
    }

    #[test]
    fn numbers_that_lost_their_digits_are_seen() {
        for (text, expected) in [
            ("5.70306E+17", true),
            ("5,70306E+17", true),
            ("1e20", true),
            ("1.5e3", false),
            ("570306000000000000", false),
            ("E+17", false),
            ("1.23456789012e11", false),
        ] {
            assert_eq!(is_rounded(text), expected, "{text}");
        }
    }
}
