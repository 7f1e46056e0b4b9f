//! Prints errors, warnings, hints and notes to standard error.

use std::fmt::Write as _;
use std::io::Write;

use crate::cli::secret;
use crate::cli::usage_error::UsageError;
use crate::command::{CommandError, Message};

/// How the system says that no more files can be opened.
const TOO_MANY_OPEN_FILES: &str = "(os error 24)";

/// Says things on standard error, or wherever it is told to.
pub struct Messages<Out> {
    out: Out,
    is_quiet: bool,
}

impl<Out: Write> Messages<Out> {
    /// Returns a printer; a quiet one leaves hints and notes out.
    pub fn new(out: Out, is_quiet: bool) -> Self {
        Self { out, is_quiet }
    }

    /// Prints what is said while a command runs.
    pub fn say(&mut self, message: &Message) {
        match message {
            Message::Warning(text) => self.line("warning: ", text),
            Message::Hint(text) => self.hint(text),
            Message::Note(text) if !self.is_quiet => self.line("", text),
            Message::Note(_) => {}
        }
    }

    /// Prints what is wrong with the command line.
    pub fn usage_error(&mut self, error: &UsageError) {
        self.line("error: ", &error.message);
        if let Some((text, column)) = &error.place {
            self.line("  ", text);
            self.line("  ", &format!("{:>column$}", "^"));
        }
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }

    /// Prints why a command could not do its work.
    pub fn command_error(&mut self, error: &CommandError) {
        let reasons = reasons(&error.source);
        self.line("error: ", &reasons);
        if let Some(hint) = &error.hint {
            self.hint(hint);
        } else if reasons.contains(TOO_MANY_OPEN_FILES) {
            self.hint("`ulimit -n` says how many files may be open, and raises it");
        }
    }

    fn hint(&mut self, text: &str) {
        if !self.is_quiet {
            self.line("  hint: ", text);
        }
    }

    /// Nothing can be done where standard error cannot be written.
    fn line(&mut self, label: &str, text: &str) {
        let line = format!("{label}{}\n", printable(&secret::masked(text)));
        let _ = self.out.write_all(line.as_bytes());
        let _ = self.out.flush();
    }
}

/// Returns an error and what lies behind it, each said once: some name their cause themselves.
fn reasons(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Returns a text without characters that move the cursor, change the terminal, or turn the
/// direction of reading; they are written as escapes instead.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let turns_direction = matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        let breaks_line = matches!(character, '\u{2028}' | '\u{2029}');
        if character.is_control() || turns_direction || breaks_line {
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_that_an_error_names_itself_is_said_once() {
        let disk = std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(disk).context("write: the disk is full");
        assert_eq!(
            reasons(&error.context("report")),
            "report: write: the disk is full"
        );
        assert_eq!(reasons(&anyhow!("why").context("what")), "what: why");
    }

    fn printed(is_quiet: bool, print: impl FnOnce(&mut Messages<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        print(&mut Messages::new(&mut out, is_quiet));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_has_its_cause_and_its_hint() {
        let source = anyhow!("line 17: invalid JSON").context("read `orders.jsonl`");
        let error = CommandError::failed(source).with_hint("look at it");
        assert_eq!(
            printed(false, |messages| messages.command_error(&error)),
            "error: read `orders.jsonl`: line 17: invalid JSON\n  hint: look at it\n"
        );
        let error = UsageError::new("no").hint("yes");
        assert_eq!(
            printed(false, |messages| messages.usage_error(&error)),
            "error: no\n  hint: yes\n"
        );
    }

    #[test]
    fn quiet_leaves_hints_and_notes_out() {
        let all = |messages: &mut Messages<&mut Vec<u8>>| {
            messages.usage_error(&UsageError::new("a").hint("b"));
            messages.say(&Message::Warning("c".to_owned()));
            messages.say(&Message::Hint("d".to_owned()));
            messages.say(&Message::Note("e".to_owned()));
        };
        assert_eq!(printed(true, all), "error: a\nwarning: c\n");
        let loud = "error: a\n  hint: b\nwarning: c\n  hint: d\ne\n";
        assert_eq!(printed(false, all), loud);
    }

    #[test]
    fn control_characters_are_escaped() {
        let error = UsageError::new("a\u{1b}[2J\r\nerror: b\u{202e}\u{85}é");
        assert_eq!(
            printed(false, |messages| messages.usage_error(&error)),
            "error: a\\u{1b}[2J\\r\\nerror: b\\u{202e}\\u{85}é\n"
        );
    }

    #[test]
    fn secrets_are_masked() {
        let warning = Message::Warning("ask http://user:hunter2@host".to_owned());
        assert_eq!(
            printed(false, |messages| messages.say(&warning)),
            "warning: ask http://***@host\n"
        );
        let error = CommandError::configuration(anyhow!("set sasl.password=hunter2"));
        assert_eq!(
            printed(false, |messages| messages.command_error(&error)),
            "error: set sasl.password=***\n"
        );
    }
}
