//! What a sample says about dedup keys, for people.

use std::io;
use std::io::Write;

use unicode_width::UnicodeWidthStr;

use crate::finding::suggestion::{FieldFinding, KeyCandidate, Suggestion};
use crate::report::terminal::LEAST_WIDTH;
use crate::report::terminal::Style;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::counted;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::tables::TableColumn;
use crate::report::terminal::tables::add_table;

/// Fields in the table at most; JSON has all.
const FIELDS_SHOWN: usize = 40;

/// Writes a suggestion for people.
#[derive(Clone, Copy, Debug)]
pub struct SuggestionText {
    width: usize,
    style: Style,
}

impl SuggestionText {
    /// Returns a writer of lines of at most `width` columns.
    pub fn new(width: usize, style: Style) -> Self {
        let width = width.max(LEAST_WIDTH);
        Self { width, style }
    }

    /// Writes what the sample says, with the scan to run next.
    pub fn write(
        self,
        suggestion: &Suggestion,
        next: &[String],
        output: &mut impl Write,
    ) -> io::Result<()> {
        let mut screen = Screen::new(self.width, self.style);
        screen.labelled("SAMPLE", &sample(suggestion));
        for (number, candidate) in (1..).zip(&suggestion.candidates) {
            let label = if number == 1 { "DEDUP KEY" } else { "" };
            show_candidate(&mut screen, label, number, candidate);
        }
        if suggestion.candidates.is_empty() {
            let text = if suggestion.records == 0 {
                "nothing to look at"
            } else {
                "none found: `--by value` compares whole values, and --ignore leaves fields out"
            };
            screen.labelled("DEDUP KEY", text);
        }
        show_others(&mut screen, suggestion);
        for warning in &suggestion.warnings {
            screen.labelled("BEWARE", &visible(warning));
        }
        if !suggestion.fields.is_empty() {
            screen.blank();
            fields_table(&mut screen, &suggestion.fields);
        }
        if !next.is_empty() {
            screen.blank();
            let lines = command_lines(next, screen.text_width());
            for (number, line) in lines.iter().enumerate() {
                screen.labelled(if number == 0 { "NEXT" } else { "" }, line);
            }
        }
        screen.write_to(output)
    }
}

/// Returns the words in lines that a shell takes as one, broken between words.
fn command_lines(words: &[String], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        let word = visible(word);
        // Room for the backslash at the end.
        if !line.is_empty() && line.width() + word.width() + 3 > width {
            line.push_str(" \\");
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

fn sample(suggestion: &Suggestion) -> String {
    let records = counted(suggestion.records, "record");
    let most = suggestion.sample.filter(|_| !suggestion.is_cut_short);
    let mut text = match (suggestion.is_whole, most) {
        (true, _) => format!("{records}: all of every source"),
        (false, Some(_)) => format!(
            "{records}, spread over files and partitions; --sample N looks at more, 0 at all"
        ),
        (false, None) => format!("{records}: as many as --memory holds, or until it was stopped"),
    };
    if suggestion.undecodable > 0 {
        let more = format!("; {} cannot be decoded", grouped(suggestion.undecodable));
        text.push_str(&more);
    }
    text
}

fn show_candidate(screen: &mut Screen, label: &str, number: usize, candidate: &KeyCandidate) {
    let key = match candidate.preset {
        Some(preset) => format!("--preset {preset}"),
        None => visible(&candidate.fields.join(" + ")),
    };
    screen.labelled(label, &format!("{number}. {key}"));
    for reason in &candidate.reasons {
        screen.labelled("   because", &visible(reason));
    }
}

fn show_others(screen: &mut Screen, suggestion: &Suggestion) {
    let named = [
        ("AMOUNT", &suggestion.amount),
        ("CURRENCY", &suggestion.currency),
        ("SUBJECT", &suggestion.subject),
        ("TIME", &suggestion.timestamp),
    ];
    for (label, field) in named {
        if let Some(field) = field {
            screen.labelled(label, &visible(field));
        }
    }
}

fn fields_table(screen: &mut Screen, fields: &[FieldFinding]) {
    let shown = fields.get(..FIELDS_SHOWN).unwrap_or(fields);
    let cells = |cell: &dyn Fn(&FieldFinding) -> String| shown.iter().map(cell).collect();
    let numbers = |number: fn(&FieldFinding) -> u64| -> Vec<String> {
        shown.iter().map(|field| grouped(number(field))).collect()
    };
    let columns = vec![
        TableColumn::text("FIELD", cells(&|field| visible(&field.path))).shrinking_to(12),
        TableColumn::text("IS", cells(&|field| field.kind.to_owned())).dropped(1),
        TableColumn::number("RECORDS", numbers(|field| field.present)).dropped(3),
        TableColumn::number("VALUES", numbers(|field| field.distinct)),
        TableColumn::number("REPEAT", numbers(|field| field.repeats.records)),
        TableColumn::number("ALIKE", numbers(|field| field.repeats.alike)),
        TableColumn::number("SAME BYTES", numbers(|field| field.repeats.identical)).dropped(2),
    ];
    add_table(screen, columns);
    if fields.len() > shown.len() {
        let more = fields.len() - shown.len();
        screen.line(&format!("{more} fields more: --json has them all"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::suggestion::RepeatLook;

    fn suggestion(name: &str) -> Suggestion {
        let candidate = KeyCandidate {
            preset: None,
            fields: vec![name.to_owned(), "value.b".to_owned()],
            reasons: vec![format!("{name} tells them apart")],
            present: 9,
            distinct: 8,
        };
        Suggestion {
            records: 9,
            sample: Some(9),
            candidates: vec![candidate],
            amount: Some(name.to_owned()),
            warnings: vec![format!("{name}: an entity")],
            fields: vec![FieldFinding {
                path: name.to_owned(),
                kind: "id",
                present: 9,
                distinct: 8,
                repeats: RepeatLook::default(),
            }],
            ..Suggestion::default()
        }
    }

    #[test]
    fn hostile_names_are_harmless_and_fit_the_width() {
        let name = format!("\u{1b}[2J\u{202e}{}\r\n", "東京".repeat(40));
        for width in [80, 60, 40] {
            let mut output = Vec::new();
            let writer = SuggestionText::new(width, Style::Plain);
            let next = ["dupaudit scan", "x", "--by", &format!("'{name}'")].map(str::to_owned);
            writer
                .write(&suggestion(&name), &next, &mut output)
                .unwrap();
            let text = String::from_utf8(output).unwrap();
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text}");
            assert!(text.contains("DEDUP KEY   1."), "{text}");
        }
    }

    #[test]
    fn a_sample_of_nothing_says_so() {
        let mut output = Vec::new();
        let writer = SuggestionText::new(80, Style::Plain);
        let nothing = Suggestion {
            is_whole: true,
            ..Suggestion::default()
        };
        writer.write(&nothing, &[], &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("nothing to look at"), "{text}");
    }
}
