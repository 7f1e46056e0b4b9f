//! JSON written member by member, so that nothing has to be held.

use std::io;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::report::timestamp_text::rfc3339;

/// Writes one JSON value after the other; the caller keeps opened and closed in step.
pub(in crate::report) struct JsonOutput<W> {
    output: W,
    /// Whether the next member or item is the first of its object or array.
    is_first: bool,
    scratch: Vec<u8>,
}

impl<W: Write> JsonOutput<W> {
    /// Returns a writer at the start of a document.
    pub(in crate::report) fn new(output: W) -> Self {
        Self {
            output,
            is_first: true,
            scratch: Vec::new(),
        }
    }

    /// Writes text as it is: line ends, and whole documents of other writers.
    pub(in crate::report) fn plain(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes())
    }

    /// Writes `{` or `[`.
    pub(in crate::report) fn open(&mut self, bracket: &str) -> io::Result<()> {
        self.is_first = true;
        self.plain(bracket)
    }

    /// Writes `}` or `]`.
    pub(in crate::report) fn close(&mut self, bracket: &str) -> io::Result<()> {
        self.is_first = false;
        self.plain(bracket)
    }

    /// Starts the next item of an array.
    pub(in crate::report) fn item(&mut self) -> io::Result<()> {
        if !self.is_first {
            self.plain(",")?;
        }
        self.is_first = false;
        Ok(())
    }

    /// Starts the next member of an object.
    pub(in crate::report) fn name(&mut self, name: &str) -> io::Result<()> {
        self.item()?;
        self.value(name)?;
        self.plain(":")
    }

    /// Starts the next member on a line of its own.
    pub(in crate::report) fn name_on_line(&mut self, name: &str) -> io::Result<()> {
        self.item()?;
        self.plain("\n")?;
        self.value(name)?;
        self.plain(":")
    }

    /// Writes a value of its own, as serde sees it.
    pub(in crate::report) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        self.scratch.clear();
        serde_json::to_writer(&mut self.scratch, value)?;
        if is_printable(&self.scratch) {
            return self.output.write_all(&self.scratch);
        }
        let text = str::from_utf8(&self.scratch).map_err(io::Error::other)?;
        write_guarded(&mut self.output, text)
    }

    /// Writes a member: its name and its value.
    pub(in crate::report) fn member<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> io::Result<()> {
        self.name(name)?;
        self.value(value)
    }

    /// Writes a member whose value is a timestamp or null.
    pub(in crate::report) fn timestamp(
        &mut self,
        name: &str,
        millis: Option<i64>,
    ) -> io::Result<()> {
        self.member(name, &millis.map(rfc3339))
    }

    /// Writes JSON text exactly as it is; what is no JSON becomes a string.
    pub(in crate::report) fn exact(&mut self, text: &str) -> io::Result<()> {
        if serde_json::from_str::<&RawValue>(text).is_ok() {
            write_guarded(&mut self.output, text.trim())
        } else {
            self.value(text)
        }
    }

    /// Writes out what the output holds back.
    pub(in crate::report) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Returns a document in lines, for people and programs; nothing in it is obeyed by a terminal.
pub fn document_text(document: &Value) -> io::Result<String> {
    let mut text = Vec::new();
    for line in format!("{document:#}").lines() {
        write_guarded(&mut text, line)?;
        text.push(b'\n');
    }
    String::from_utf8(text).map_err(io::Error::other)
}

/// Escapes what a terminal or an old JavaScript would obey: in valid JSON such characters stand
/// only in strings, or, below U+0020, between values.
fn write_guarded(output: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(is_unsafe) {
        let (safe, from) = rest.split_at(at);
        output.write_all(safe.as_bytes())?;
        let mut chars = from.chars();
        match chars.next() {
            Some(character) if character < ' ' => output.write_all(b" ")?,
            Some(character) => write!(output, "\\u{:04x}", u32::from(character))?,
            None => {}
        }
        rest = chars.as_str();
    }
    output.write_all(rest.as_bytes())
}

/// Returns whether all is printable ASCII, as nearly everything is.
fn is_printable(bytes: &[u8]) -> bool {
    // Without an early end the loop is one of whole vectors.
    let is_other = |found, byte: &u8| found | !(b' '..=b'~').contains(byte);
    !bytes.iter().fold(false, is_other)
}

fn is_unsafe(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> String {
        let mut output = JsonOutput::new(Vec::new());
        output.exact(text).unwrap();
        String::from_utf8(output.output).unwrap()
    }

    #[test]
    fn numbers_stay_exact_and_what_is_no_json_is_a_string() {
        assert_eq!(exact("9007199254740993"), "9007199254740993");
        assert_eq!(exact("1e400"), "1e400");
        assert_eq!(exact("{\"a\":[1.50,null]}"), "{\"a\":[1.50,null]}");
        assert_eq!(exact("NaN"), "\"NaN\"");
        assert_eq!(exact("1}"), "\"1}\"");
        assert_eq!(exact("007"), "\"007\"");
        assert_eq!(exact(""), "\"\"");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_stands_in_the_text() {
        let text = exact("{\"a\":\n\"\u{9b}31m\u{202e}\u{2028}\x7f\"}");
        assert_eq!(text, "{\"a\": \"\\u009b31m\\u202e\\u2028\\u007f\"}");
        assert!(serde_json::from_str::<Value>(&text).is_ok());
        let document = serde_json::json!({"a": ["\n\u{9b}31m\u{202e}"]});
        let text = document_text(&document).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\": [\n    \"\\n\\u009b31m\\u202e\"\n  ]\n}\n"
        );
    }

    #[test]
    fn deep_nesting_is_neither_refused_nor_a_danger() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(exact(&deep), deep);
    }
}
