//! Columns side by side, in as many bands as the width asks for.

use unicode_width::UnicodeWidthStr;

use crate::report::terminal::explain::cells::GridRow;
use crate::report::terminal::layout::{Screen, fit};

/// Columns that labels take, with the gap after them.
const LABELS: usize = 16;

/// Spaces between two columns.
const GAP: usize = 2;

/// Adds the rows; where not all columns have room, the first is repeated with the others.
pub(super) fn add_grid(screen: &mut Screen, rows: &[GridRow]) {
    let count = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let room = screen.width().saturating_sub(LABELS);
    let first = column_width(rows, 0).min(room);
    let mut next = 1;
    loop {
        let mut columns = vec![(0, first)];
        let mut used = first;
        while next < count {
            let width = column_width(rows, next);
            if used + GAP + width > room && columns.len() > 1 {
                break;
            }
            columns.push((next, width));
            used += GAP + width;
            next += 1;
        }
        shrink(&mut columns, room);
        add_band(screen, rows, &columns);
        if next >= count {
            break;
        }
        screen.blank();
    }
}

/// Two columns that have no room together share what there is.
fn shrink(columns: &mut [(usize, usize)], room: usize) {
    loop {
        let gaps = GAP * columns.len().saturating_sub(1);
        let used: usize = columns.iter().map(|(_, width)| width).sum();
        if used + gaps <= room {
            return;
        }
        match columns.iter_mut().max_by_key(|(_, width)| *width) {
            Some((_, width)) if *width > 1 => *width -= 1,
            _ => return,
        }
    }
}

fn add_band(screen: &mut Screen, rows: &[GridRow], columns: &[(usize, usize)]) {
    for (number, row) in rows.iter().enumerate() {
        let mut line = padded(&row.label, LABELS - 1);
        line.push(' ');
        for &(index, width) in columns {
            line.push_str(&padded(row.shown(index), width));
            line.push_str(&" ".repeat(GAP));
        }
        let line = line.trim_end();
        if number == 0 {
            screen.heading_line(line);
        } else {
            screen.line(line);
        }
    }
}

fn padded(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let padding = " ".repeat(width.saturating_sub(text.width()));
    format!("{text}{padding}")
}

fn column_width(rows: &[GridRow], index: usize) -> usize {
    let widths = rows.iter().map(|row| row.shown(index).width());
    widths.max().unwrap_or_default()
}
