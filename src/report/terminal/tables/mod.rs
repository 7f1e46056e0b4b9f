//! A plain table that fits a width: flexible columns shrink, then the least needed go.

pub(super) mod episodes;
pub(super) mod groups;
pub(super) mod listing;
pub(super) mod sources;
pub(super) mod subjects;

use comfy_table::CellAlignment;
use comfy_table::ContentArrangement;
use comfy_table::presets;
use unicode_width::UnicodeWidthStr;

use crate::report::terminal::layout::Screen;
use crate::report::terminal::layout::fit;

/// Spaces between two columns.
const GAP: usize = 2;

/// One column with its cells.
pub(super) struct TableColumn {
    title: String,
    cells: Vec<String>,
    is_number: bool,
    least_width: Option<usize>,
    /// 0 for a column that always stays; the highest goes first.
    drop_rank: u8,
}

impl TableColumn {
    /// Returns a column of text.
    pub(super) fn text(title: impl Into<String>, cells: Vec<String>) -> Self {
        Self {
            title: title.into(),
            cells,
            is_number: false,
            least_width: None,
            drop_rank: 0,
        }
    }

    /// Returns a column of numbers, flush right.
    pub(super) fn number(title: impl Into<String>, cells: Vec<String>) -> Self {
        Self {
            is_number: true,
            ..Self::text(title, cells)
        }
    }

    /// Lets the column shrink, to `width` at least.
    pub(super) fn shrinking_to(self, width: usize) -> Self {
        Self {
            least_width: Some(width),
            ..self
        }
    }

    /// Lets the column go where there is no room; the highest rank goes first.
    pub(super) fn dropped(self, drop_rank: u8) -> Self {
        Self { drop_rank, ..self }
    }

    /// Returns the columns that the column takes where there is room.
    pub(super) fn natural_width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.width());
        cells.max().unwrap_or_default().max(self.title.width())
    }

    fn is_empty(&self) -> bool {
        self.cells.iter().all(String::is_empty)
    }
}

/// Adds a table to the screen; columns without any content are left out.
pub(super) fn add_table(screen: &mut Screen, mut columns: Vec<TableColumn>) {
    columns.retain(|column| !column.is_empty());
    let widths = loop {
        let widths = fitted_widths(&columns, screen.width());
        let last = columns.iter().map(|column| column.drop_rank).max();
        match last {
            Some(rank) if rank > 0 && total(&widths) > screen.width() => {
                columns.retain(|column| column.drop_rank < rank);
            }
            _ => break widths,
        }
    };
    for (index, line) in render(&columns, &widths).lines().enumerate() {
        if index == 0 {
            screen.heading_line(line);
        } else {
            screen.line(line);
        }
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Takes what is too much from the widest flexible column, column by column.
fn fitted_widths(columns: &[TableColumn], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(TableColumn::natural_width).collect();
    let mut excess = total(&widths).saturating_sub(width);
    while excess > 0 {
        let widest = widths
            .iter_mut()
            .zip(columns)
            .filter(|(width, column)| column.least_width.is_some_and(|least| **width > least))
            .max_by_key(|(width, _)| **width);
        let Some((widest, _)) = widest else {
            break;
        };
        *widest -= 1;
        excess -= 1;
    }
    widths
}

fn render(columns: &[TableColumn], widths: &[usize]) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let fitted = |text: &str, width: &usize| fit(text, *width);
    let titles = columns.iter().zip(widths);
    table.set_header(titles.map(|(column, width)| fitted(&column.title, width)));
    let rows = columns.iter().map(|column| column.cells.len()).max();
    for row in 0..rows.unwrap_or_default() {
        let cells = columns.iter().zip(widths);
        table.add_row(cells.map(|(column, width)| {
            let cell = column.cells.get(row).map_or("", String::as_str);
            fitted(cell, width)
        }));
    }
    let gap = u16::try_from(GAP).unwrap_or_default();
    for (shown, column) in table.column_iter_mut().zip(columns) {
        shown.set_padding((0, gap));
        if column.is_number {
            shown.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::Style;

    fn shown(width: usize) -> Vec<String> {
        let mut screen = Screen::new(width, Style::Plain);
        let column = |cell: &str| vec![cell.to_owned(), "1".to_owned()];
        add_table(
            &mut screen,
            vec![
                TableColumn::text("NAME", column("a long name of a thing")).shrinking_to(6),
                TableColumn::number("COUNT", column("12,345")),
                TableColumn::text("NONE", vec![String::new(), String::new()]),
                TableColumn::text("NOTE", column("seen")).dropped(1),
            ],
        );
        let mut output = Vec::new();
        screen.write_to(&mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_shrink_and_then_go() {
        assert_eq!(
            shown(40),
            [
                "NAME                     COUNT  NOTE",
                "a long name of a thing  12,345  seen",
                "1                            1  1"
            ]
        );
        assert_eq!(
            shown(20),
            [
                "NAME     COUNT  NOTE",
                "a lon…  12,345  seen",
                "1            1  1"
            ]
        );
        assert_eq!(
            shown(19),
            [
                "NAME          COUNT",
                "a long nam…  12,345",
                "1                 1"
            ]
        );
    }
}
