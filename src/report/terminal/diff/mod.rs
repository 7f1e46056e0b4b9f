//! What changed between two reports, for people.

use std::io;
use std::io::Write;

use crate::finding::DuplicateGroup;
use crate::report::diff::{Change, ChangeCounts, DiffHead, DiffWriter, StoredHead};
use crate::report::terminal::escape::{visible, visible_start};
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::{counted, date_and_time, grouped, grouped_decimal};
use crate::report::terminal::tables::{TableColumn, add_table};
use crate::report::terminal::{LEAST_WIDTH, TerminalOptions};

/// Characters of a dedup key that are looked at.
const KEY_CHARACTERS: usize = 200;
/// Columns of a dedup key at least.
const KEY_WIDTH: usize = 12;
/// Currencies that are named at most.
const CURRENCIES_NAMED: usize = 5;

/// Groups that changed in one way; the first few are shown.
#[derive(Default)]
struct Changed {
    keys: Vec<String>,
    extra: Vec<String>,
    was: Vec<String>,
    first: Vec<String>,
    ids: Vec<String>,
}

/// Writes the changes for people.
pub struct TerminalDiff<W> {
    output: W,
    options: TerminalOptions,
    head: Option<DiffHead>,
    new: Changed,
    grown: Changed,
    gone: Changed,
    not_read: Changed,
}

impl<W: Write> TerminalDiff<W> {
    /// Returns the writer.
    pub fn new(output: W, options: TerminalOptions) -> Self {
        Self {
            output,
            options: TerminalOptions {
                width: options.width.max(LEAST_WIDTH),
                ..options
            },
            head: None,
            new: Changed::default(),
            grown: Changed::default(),
            gone: Changed::default(),
            not_read: Changed::default(),
        }
    }
}

impl<W: Write> DiffWriter for TerminalDiff<W> {
    fn begin(&mut self, head: &DiffHead) -> io::Result<()> {
        self.head = Some(head.clone());
        Ok(())
    }

    fn change(&mut self, group: &DuplicateGroup, change: Change) -> io::Result<()> {
        let changed = match change {
            Change::New => &mut self.new,
            Change::Grown(_) => &mut self.grown,
            Change::Gone => &mut self.gone,
            Change::NotRead => &mut self.not_read,
            Change::Shrunk(_) => return Ok(()),
        };
        if changed.keys.len() >= self.options.top {
            return Ok(());
        }
        let key = group.key.iter().map(|(_, text)| text.plain());
        let key: Vec<String> = key
            .map(|text| visible_start(text, KEY_CHARACTERS))
            .collect();
        changed.keys.push(key.join(" + "));
        changed.extra.push(grouped(group.extra));
        changed
            .was
            .push(change.was_extra().map(grouped).unwrap_or_default());
        let first = group.first_timestamp_millis.map(date_and_time);
        changed.first.push(first.unwrap_or_default());
        changed.ids.push(visible(&group.id));
        Ok(())
    }

    fn end(&mut self, counts: ChangeCounts) -> io::Result<()> {
        let mut screen = Screen::new(self.options.width, self.options.style);
        let label = if counts.new + counts.grown == 0 {
            "NOTHING NEW"
        } else {
            "NEW"
        };
        screen.labelled(label, &counts_text(counts));
        if let Some(head) = &self.head {
            screen.labelled("BEFORE", &side_text(&head.old));
            screen.labelled("AFTER", &side_text(&head.new));
            for note in &head.notes {
                screen.labelled("NOTE", &visible(note));
            }
        }
        for (title, count, changed) in [
            ("NEW GROUPS", counts.new, &mut self.new),
            ("GROWN GROUPS", counts.grown, &mut self.grown),
            ("GROUPS THAT ARE GONE", counts.gone, &mut self.gone),
            ("GROUPS NOT READ AGAIN", counts.not_read, &mut self.not_read),
        ] {
            show(&mut screen, title, count, std::mem::take(changed));
        }
        screen.write_to(&mut self.output)?;
        self.output.flush()
    }
}

fn counts_text(counts: ChangeCounts) -> String {
    let mut text = format!(
        "{} new, {} grown, {} shrunk, {} gone, {} as before",
        grouped(counts.new),
        grouped(counts.grown),
        grouped(counts.shrunk),
        grouped(counts.gone),
        grouped(counts.same)
    );
    if counts.not_read > 0 {
        text.push_str("; not known whether gone: ");
        text.push_str(&counted(counts.not_read, "group"));
        text.push_str(", not all of whose records were read again");
    }
    text
}

fn side_text(head: &StoredHead) -> String {
    let summary = &head.summary;
    let mut text = format!(
        "{}, {}",
        counted(summary.groups, "group"),
        counted(summary.extra_records, "extra record")
    );
    for total in summary.amounts.iter().take(CURRENCIES_NAMED) {
        let currency = total.currency.as_deref().map(visible).unwrap_or_default();
        text.push_str(", ");
        text.push_str(format!("{currency} {}", grouped_decimal(&total.net)).trim_start());
    }
    text.push_str(if summary.complete {
        "; coverage complete"
    } else {
        "; coverage INCOMPLETE"
    });
    text.push_str(", scanned ");
    text.push_str(&date_and_time(head.header.started_at_millis));
    text.push_str(" UTC");
    text
}

fn show(screen: &mut Screen, title: &str, count: u64, changed: Changed) {
    if changed.keys.is_empty() {
        return;
    }
    let shown = grouped(i128::try_from(changed.keys.len()).unwrap_or(i128::MAX));
    screen.blank();
    screen.heading_line(&format!("{title} ({shown} of {})", grouped(count)));
    add_table(
        screen,
        vec![
            TableColumn::text("KEY", changed.keys).shrinking_to(KEY_WIDTH),
            TableColumn::number("EXTRA", changed.extra),
            TableColumn::number("WAS", changed.was),
            TableColumn::text("FIRST, UTC", changed.first).dropped(1),
            TableColumn::text("GROUP", changed.ids).dropped(2),
        ],
    );
}
