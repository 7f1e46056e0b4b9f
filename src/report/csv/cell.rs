//! One cell of a CSV report: quoted where needed, guarded against spreadsheets.

use std::io;
use std::io::Write;

/// Writes the cells of one row after the other.
pub(super) struct CsvOutput<W> {
    output: W,
    is_raw: bool,
    is_first: bool,
}

impl<W: Write> CsvOutput<W> {
    /// Returns a writer at the start of a row; `is_raw` turns the guard off.
    pub(super) fn new(output: W, is_raw: bool) -> Self {
        Self {
            output,
            is_raw,
            is_first: true,
        }
    }

    /// Writes a cell of text, guarded.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        let is_guarded = !self.is_raw && runs_as_formula(text);
        self.separate()?;
        if !is_guarded && !needs_quotes(text) {
            return self.output.write_all(text.as_bytes());
        }
        self.output
            .write_all(if is_guarded { b"\"'" } else { b"\"" })?;
        for (index, part) in text.split('"').enumerate() {
            if index > 0 {
                self.output.write_all(b"\"\"")?;
            }
            self.output.write_all(part.as_bytes())?;
        }
        self.output.write_all(b"\"")
    }

    /// Writes a cell of text, or an empty one.
    pub(super) fn optional_text(&mut self, text: Option<&str>) -> io::Result<()> {
        self.text(text.unwrap_or_default())
    }

    /// Writes a decimal that came as text, never guarded; what is no decimal is text.
    pub(super) fn decimal(&mut self, text: &str) -> io::Result<()> {
        if is_decimal(text) {
            self.separate()?;
            self.output.write_all(text.as_bytes())
        } else {
            self.text(text)
        }
    }

    /// Writes a number of our own, or an empty cell.
    pub(super) fn number(&mut self, number: Option<impl Into<i128>>) -> io::Result<()> {
        self.separate()?;
        match number {
            Some(number) => write!(self.output, "{}", number.into()),
            None => Ok(()),
        }
    }

    /// Ends the row.
    pub(super) fn end_row(&mut self) -> io::Result<()> {
        self.is_first = true;
        self.output.write_all(b"\n")
    }

    /// Writes out what the output holds back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn separate(&mut self) -> io::Result<()> {
        if self.is_first {
            self.is_first = false;
            return Ok(());
        }
        self.output.write_all(b",")
    }
}

/// A separator of another country would split a bare cell, and put a formula first in the rest.
fn needs_quotes(text: &str) -> bool {
    text.starts_with(' ')
        || text.ends_with(' ')
        || text
            .bytes()
            .any(|byte| matches!(byte, b'"' | b',' | b';' | b'|') || byte < b' ')
}

/// Spreadsheets look past white space and quotes, and take the wide forms for the plain ones.
fn runs_as_formula(text: &str) -> bool {
    if text.starts_with(['\t', '\r', '\n', '\0']) {
        return true;
    }
    let is_skipped = |character: char| {
        character.is_whitespace() || matches!(character, '"' | '\'' | '\u{feff}' | '\u{200b}')
    };
    text.trim_start_matches(is_skipped).starts_with([
        '=', '+', '-', '@', '\0', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−',
    ])
}

/// Digits with at most one sign, point and exponent hold no formula.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole)
        && fraction.is_none_or(is_digits)
        && exponent
            .is_none_or(|digits| is_digits(digits.strip_prefix(['-', '+']).unwrap_or(digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(is_raw: bool, cells: &[&str]) -> String {
        let mut output = CsvOutput::new(Vec::new(), is_raw);
        for cell in cells {
            output.text(cell).unwrap();
        }
        String::from_utf8(output.output).unwrap()
    }

    #[test]
    fn formulas_are_guarded_and_quoted() {
        for text in [
            "=1+1",
            "+1",
            "-5",
            "@SUM(A1)",
            "\t=1",
            "\rx",
            "\nx",
            "\0x",
            "  =1",
            "\"=1",
            "' =1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "\u{a0}=1",
            "\u{feff}=1",
        ] {
            let quoted = text.replace('"', "\"\"");
            assert_eq!(row(false, &[text]), format!("\"'{quoted}\""));
            assert!(!row(true, &[text]).contains('\'') || text.contains('\''));
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(
            row(false, &["ch_1", "", "a=b", "O'Neil"]),
            "ch_1,,a=b,O'Neil"
        );
        assert_eq!(
            row(false, &["a,b", "a\"b", "a;b"]),
            "\"a,b\",\"a\"\"b\",\"a;b\""
        );
    }

    #[test]
    fn numbers_are_never_guarded() {
        let mut output = CsvOutput::new(Vec::new(), false);
        for text in ["-5", "0.10", "-1.5e-7", "1e400"] {
            output.decimal(text).unwrap();
        }
        for text in ["-", "-5+A1", "1e", ".5", "5."] {
            output.decimal(text).unwrap();
        }
        output.number(Some(-7_i64)).unwrap();
        output.number(None::<u64>).unwrap();
        assert_eq!(
            String::from_utf8(output.output).unwrap(),
            "-5,0.10,-1.5e-7,1e400,\"'-\",\"'-5+A1\",1e,.5,5.,-7,"
        );
    }
}
