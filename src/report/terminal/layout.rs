//! Lines with a label before them, wrapped and cut by display width.

use std::io;
use std::io::Write;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

use crate::report::terminal::Style;

/// Columns that a label takes.
pub(super) const LABEL_WIDTH: usize = 12;

/// Lines that are ready to be printed.
pub(super) struct Screen {
    lines: Vec<String>,
    width: usize,
    style: Style,
}

impl Screen {
    /// Returns an empty screen.
    pub(super) fn new(width: usize, style: Style) -> Self {
        Self {
            lines: Vec::new(),
            width,
            style,
        }
    }

    /// Returns the columns of the screen.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Returns the columns behind the labels.
    pub(super) fn text_width(&self) -> usize {
        self.width - LABEL_WIDTH
    }

    /// Adds text behind a label, wrapped in its column.
    pub(super) fn labelled(&mut self, label: &str, text: &str) {
        for (index, line) in wrap(text, self.text_width()).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let padding = " ".repeat(LABEL_WIDTH.saturating_sub(label.width()));
            let label = self.heading(label);
            self.lines.push(format!("{label}{padding}{line}"));
        }
    }

    /// Adds two parts behind a label, on one line where there is room for both.
    pub(super) fn labelled_parts(&mut self, label: &str, first: &str, second: &str) {
        if first.width() + 1 + second.width() <= self.text_width() {
            self.labelled(label, &format!("{first} {second}"));
        } else {
            self.labelled(label, first);
            self.below(second);
        }
    }

    /// Adds text in the column behind the labels.
    pub(super) fn below(&mut self, text: &str) {
        self.labelled("", text);
    }

    /// Adds a line as it is, cut where it is too long.
    pub(super) fn line(&mut self, text: &str) {
        self.lines.push(fit(text, self.width));
    }

    /// Adds a line as a heading.
    pub(super) fn heading_line(&mut self, text: &str) {
        let line = self.heading(&fit(text, self.width));
        self.lines.push(line);
    }

    /// Adds an empty line.
    pub(super) fn blank(&mut self) {
        self.lines.push(String::new());
    }

    /// Prints the lines, with no space at their ends.
    pub(super) fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        for line in &self.lines {
            writeln!(output, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn heading(&self, text: &str) -> String {
        match self.style {
            Style::Bold if !text.is_empty() => format!("\x1b[1m{text}\x1b[0m"),
            Style::Plain | Style::Bold => text.to_owned(),
        }
    }
}

/// Returns the text cut to `width` columns, with `…` where something is missing.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (kept, _) = split_at_width(text, width.saturating_sub(1));
    format!("{kept}…")
}

/// Returns the text in lines of at most `width` columns, broken at spaces where there are any.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let mut rest = word;
        while rest.width() > width {
            let (start, after) = split_at_width(rest, width);
            lines.push(start.to_owned());
            rest = after;
        }
        line.push_str(rest);
    }
    lines.push(line);
    lines
}

/// Splits off what surely fits; at least one character, so that callers come to an end.
fn split_at_width(text: &str, width: usize) -> (&str, &str) {
    let mut columns = 0;
    let end = text
        .char_indices()
        .find(|&(at, character)| {
            columns += character.width().unwrap_or(1);
            columns > width && at > 0
        })
        .map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_not_by_characters() {
        assert_eq!(fit("charges", 7), "charges");
        assert_eq!(fit("charges", 6), "charg…");
        assert_eq!(fit("東京都庁", 8), "東京都庁");
        assert_eq!(fit("東京都庁", 7), "東京都…");
        assert_eq!(fit("東京都庁", 6), "東京…");
    }

    #[test]
    fn text_wraps_at_spaces_and_long_words_are_broken() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a bbbbbbbb c", 3), ["a", "bbb", "bbb", "bb", "c"]);
        assert_eq!(wrap("", 3), [""]);
        for line in wrap(&"東".repeat(50), 9) {
            assert!(line.width() <= 9);
        }
    }
}
