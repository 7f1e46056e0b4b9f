//! One sheet of a workbook, written row by row and cell by cell, each with its type.

use std::io;

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use crate::report::timestamp_text::rfc3339;

/// Characters that a cell holds at most.
const CHARACTERS_MAX: usize = 32_767;
/// Digits of a number that a spreadsheet keeps.
const DIGITS_MAX: usize = 15;
const DAY_MILLIS: i64 = 86_400_000;
/// Days from the spreadsheet's first day to 1970-01-01.
const EPOCH_DAY: i64 = 25_569;
/// Days on which all spreadsheets agree: 1900-03-01 to 9999-12-31.
const DAYS: std::ops::RangeInclusive<i64> = 61..=2_958_465;

/// How cells look.
pub(super) struct Formats {
    heading: Format,
    time: Format,
    amount: Format,
}

impl Formats {
    /// Returns the formats of all sheets.
    pub(super) fn new() -> Self {
        Self {
            heading: Format::new().set_bold(),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
            amount: Format::new().set_num_format("#,##0.00########"),
        }
    }
}

/// A row that is being written.
pub(super) struct Row<'s> {
    sheet: &'s mut Worksheet,
    formats: &'s Formats,
    at: u32,
    column: u16,
}

impl<'s> Row<'s> {
    /// Returns a row of the sheet at this place, at its first cell.
    pub(super) fn new(
        workbook: &'s mut Workbook,
        index: usize,
        formats: &'s Formats,
        at: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            sheet: workbook.worksheet_from_index(index).map_err(failed)?,
            formats,
            at,
            column: 0,
        })
    }

    fn next(&mut self) -> u16 {
        let column = self.column;
        self.column += 1;
        column
    }

    /// Writes a cell of text; it is never a formula, whatever it begins with.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        let column = self.next();
        if text.is_empty() {
            return Ok(());
        }
        let cell = self.sheet.write_string(self.at, column, fitting(text));
        cell.map(drop).map_err(failed)
    }

    /// Writes a cell of text, or none.
    pub(super) fn optional(&mut self, text: Option<&str>) -> io::Result<()> {
        self.text(text.unwrap_or_default())
    }

    /// Writes a heading.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        let column = self.next();
        let text = fitting(text);
        let cell =
            self.sheet
                .write_string_with_format(self.at, column, text, &self.formats.heading);
        cell.map(drop).map_err(failed)
    }

    /// Writes a whole number; as text where a spreadsheet would round it.
    pub(super) fn number(&mut self, number: Option<impl Into<i128>>) -> io::Result<()> {
        let text = number.map(|number| number.into().to_string());
        let text = text.unwrap_or_default();
        let Some(number) = exact(&text) else {
            return self.text(&text);
        };
        let column = self.next();
        let cell = self.sheet.write_number(self.at, column, number);
        cell.map(drop).map_err(failed)
    }

    /// Writes a decimal; as text where a spreadsheet would round it.
    pub(super) fn amount(&mut self, decimal: Option<&str>) -> io::Result<()> {
        let text = decimal.unwrap_or_default();
        let Some(number) = exact(text) else {
            return self.text(text);
        };
        let column = self.next();
        let format = &self.formats.amount;
        let cell = self
            .sheet
            .write_number_with_format(self.at, column, number, format);
        cell.map(drop).map_err(failed)
    }

    /// Writes a moment in UTC; as text where spreadsheets have no date for it.
    pub(super) fn time(&mut self, millis: Option<i64>) -> io::Result<()> {
        let Some(millis) = millis else {
            return self.text("");
        };
        let day = millis.div_euclid(DAY_MILLIS) + EPOCH_DAY;
        let whole = i32::try_from(day).ok().filter(|_| DAYS.contains(&day));
        let within = u32::try_from(millis.rem_euclid(DAY_MILLIS)).ok();
        let Some((whole, within)) = whole.zip(within) else {
            return self.text(&rfc3339(millis));
        };
        let serial = f64::from(whole) + f64::from(within) / 86_400_000.0;
        let column = self.next();
        let format = &self.formats.time;
        let cell = self
            .sheet
            .write_number_with_format(self.at, column, serial, format);
        cell.map(drop).map_err(failed)
    }
}

/// Returns the number that a spreadsheet shows with all of its digits.
fn exact(decimal: &str) -> Option<f64> {
    let digits = decimal.strip_prefix('-').unwrap_or(decimal);
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    if digits.is_empty() || !digits.bytes().all(is_plain) {
        return None;
    }
    let significant = digits.trim_start_matches(['0', '.']);
    let count = significant.bytes().filter(u8::is_ascii_digit).count();
    let number = decimal.parse().ok()?;
    (count <= DIGITS_MAX).then_some(number)
}

/// Of a text that is too long for a cell the start.
fn fitting(text: &str) -> String {
    // A cell counts in UTF-16; text within the limit in bytes is within it in any case.
    if text.len() <= CHARACTERS_MAX {
        return text.to_owned();
    }
    let mut units = 0;
    let kept = text.chars().take_while(|character| {
        units += character.len_utf16();
        units < CHARACTERS_MAX
    });
    let mut kept: String = kept.collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// Returns why a workbook cannot be written.
pub(super) fn failed(error: XlsxError) -> io::Error {
    if let XlsxError::IoError(error) = error {
        return error;
    }
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_be_rounded_are_text() {
        for (text, expected) in [
            ("19.25", Some(19.25)),
            ("-0.000000000000001", Some(-1e-15)),
            ("123456789012345", Some(123_456_789_012_345.0)),
            ("1234567890123.45", Some(1_234_567_890_123.45)),
            ("1234567890123456", None),
            ("9007199254740993", None),
            ("0.1234567890123456", None),
            ("1e5", None),
            ("", None),
            ("-", None),
            ("=1+1", None),
            ("1.2.3", None),
        ] {
            assert_eq!(exact(text), expected, "{text}");
        }
    }

    #[test]
    fn text_that_is_too_long_is_cut_and_marked() {
        assert_eq!(fitting("a"), "a");
        let long = fitting(&"😀".repeat(40_000));
        assert!(long.encode_utf16().count() <= CHARACTERS_MAX);
        assert!(long.ends_with('…'));
    }
}
