//! Labelled lines and tables that are no report: what a command shows of what it keeps.

use std::io;
use std::io::Write;

use crate::report::terminal::LEAST_WIDTH;
use crate::report::terminal::Style;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::{Screen, wrap};
use crate::report::terminal::tables::{TableColumn, add_table};

/// Columns that a name takes within a listing.
const NAME_WIDTH: usize = 20;

/// The least columns of the first column of a table: a time, or the start of a name.
const FIRST_WIDTH: usize = 20;

/// Lines for people; whatever they show, a terminal obeys none of it.
pub struct ListingText(Screen);

impl ListingText {
    /// Returns an empty listing of lines of at most `width` columns.
    pub fn new(width: usize, style: Style) -> Self {
        Self(Screen::new(width.max(LEAST_WIDTH), style))
    }

    /// Adds text behind a label.
    pub fn labelled(&mut self, label: &str, text: &str) {
        self.0.labelled(label, &visible(text));
    }

    /// Adds a name and its value, as part of what is above.
    pub fn part(&mut self, name: &str, value: &str) {
        let width = self.0.width().saturating_sub(NAME_WIDTH);
        for (index, line) in wrap(&visible(value), width).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let name = format!("  {name:<0$}", NAME_WIDTH - 2);
            self.0.line(&format!("{name}{line}"));
        }
    }

    /// Adds a table, the first column to the left; nothing where there are no rows. Where there is
    /// no room the first column shrinks, and then the last ones go.
    pub fn table(&mut self, titles: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        self.0.blank();
        let columns = titles.iter().zip(0..).map(|(title, place)| {
            let cells = rows.iter();
            let cells = cells.map(|row| {
                row.get(usize::from(place))
                    .map_or(String::new(), |cell| visible(cell))
            });
            let cells: Vec<String> = cells.collect();
            match place {
                0 => TableColumn::text(*title, cells).shrinking_to(FIRST_WIDTH),
                later => TableColumn::number(*title, cells).dropped(later),
            }
        });
        add_table(&mut self.0, columns.collect());
    }

    /// Prints the lines.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        self.0.write_to(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_harmless_and_tables_fit() {
        let mut listing = ListingText::new(44, Style::Plain);
        listing.labelled("STATE", "a\u{1b}[2J");
        listing.part("--where", "value.status == 'captured' && true");
        let row = |name: &str| {
            vec![
                name.to_owned(),
                "27,619".to_owned(),
                "2026-01-15".to_owned(),
            ]
        };
        let rows = [row(&"x".repeat(200)), row("b\u{202e}")];
        listing.table(&["FILE", "NEXT BYTE", "LAST READ"], &rows);
        listing.table(&["NONE"], &[]);
        let mut text = Vec::new();
        listing.write(&mut text).unwrap();
        let expected = "\
STATE       a\\x1b[2J
  --where           value.status ==
                    'captured' && true

FILE                   NEXT BYTE   LAST READ
xxxxxxxxxxxxxxxxxxxx…     27,619  2026-01-15
b\\u{202e}                 27,619  2026-01-15
";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
