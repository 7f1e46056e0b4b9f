//! The largest groups, one line each.

use std::io;

use unicode_width::UnicodeWidthStr;

use crate::finding::AmountAtRisk;
use crate::finding::DuplicateGroup;
use crate::finding::KeyText;
use crate::finding::ReportedRecord;
use crate::finding::shell_word;
use crate::report::ReportHead;
use crate::report::terminal::escape::visible;
use crate::report::terminal::escape::visible_start;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::layout::fit;
use crate::report::terminal::numbers::date_and_time;
use crate::report::terminal::numbers::duration;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::numbers::grouped_decimal;
use crate::report::terminal::numbers::is_same_day;
use crate::report::terminal::numbers::time_of_day;
use crate::report::terminal::tables::TableColumn;
use crate::report::terminal::tables::add_table;

/// Occurrences whose place is named at most.
const MOST_PLACES: usize = 3;
/// Characters of an id that tell a group from the others, as `explain` takes it.
const ID_CHARACTERS: usize = 10;
/// Columns of a dedup key that are shown whatever follows it.
const LEAST_KEY: usize = 8;

/// Collects the first groups, which are the largest, and counts the others.
pub(in crate::report::terminal) struct GroupTable {
    top: usize,
    width: usize,
    groups: u64,
    shown: Vec<ShownGroup>,
    /// Whether times of day say it all.
    is_one_day: bool,
}

struct ShownGroup {
    id: String,
    key: String,
    count: u64,
    extra: u64,
    first_millis: Option<i64>,
    span_millis: Option<i64>,
    amount: String,
    places: String,
}

impl GroupTable {
    /// Returns a table of at most `top` groups for a screen of `width` columns.
    pub(in crate::report::terminal) fn new(top: usize, width: usize) -> Self {
        Self {
            top,
            width,
            groups: 0,
            shown: Vec::new(),
            is_one_day: false,
        }
    }

    /// Learns how long the records' times need to be.
    pub(in crate::report::terminal) fn begin(&mut self, report: &ReportHead<'_>) {
        let span = report.summary.audited_span;
        self.is_one_day = span.is_some_and(|span| is_same_day(span.first_millis, span.last_millis));
    }

    /// Takes the group where it is one of the first.
    pub(in crate::report::terminal) fn add(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.groups += 1;
        if self.shown.len() < self.top {
            let shown = ShownGroup {
                id: group.id.clone(),
                key: key_text(&group.key, self.width),
                count: group.count,
                extra: group.extra,
                first_millis: group.first_timestamp_millis,
                span_millis: group.span_millis(),
                amount: group.amount.as_ref().map(amount_text).unwrap_or_default(),
                places: places_text(group, self.width)?,
            };
            self.shown.push(shown);
        }
        Ok(())
    }

    /// Returns whether there was any group.
    pub(in crate::report::terminal) fn has_groups(&self) -> bool {
        self.groups > 0
    }

    /// Adds the largest group in one line, with the command that explains it from a report.
    pub(in crate::report::terminal) fn show_worst(
        &self,
        screen: &mut Screen,
        json_report: Option<&str>,
    ) {
        let Some(worst) = self.shown.first() else {
            return;
        };
        let occurrences = format!(", {} occurrences", grouped(worst.count));
        let colon = usize::from(json_report.is_some());
        let room = screen
            .text_width()
            .saturating_sub(occurrences.width() + colon);
        let key = fit(&worst.key, room.max(LEAST_KEY));
        let Some(report) = json_report else {
            screen.labelled("WORST GROUP", &format!("{key}{occurrences}"));
            return;
        };
        let id: String = worst.id.chars().take(ID_CHARACTERS).collect();
        let command = format!(
            "dupaudit explain --report {} --group {}",
            visible(&shell_word(report)),
            visible(&id)
        );
        screen.labelled_parts("WORST GROUP", &format!("{key}{occurrences}:"), &command);
    }

    /// Adds the table to the screen.
    pub(in crate::report::terminal) fn show(&self, screen: &mut Screen) {
        if self.shown.is_empty() {
            return;
        }
        let shown = grouped(u64::try_from(self.shown.len()).unwrap_or(u64::MAX));
        screen.blank();
        screen.heading_line(&format!(
            "LARGEST GROUPS ({shown} of {})",
            grouped(self.groups)
        ));
        let cells = |cell: &dyn Fn(&ShownGroup) -> String| -> Vec<String> {
            self.shown.iter().map(cell).collect()
        };
        let first = |group: &ShownGroup| self.time_text(group.first_millis);
        let span = |group: &ShownGroup| group.span_millis.map(duration).unwrap_or_default();
        add_table(
            screen,
            vec![
                TableColumn::text("KEY", cells(&|group| group.key.clone())).shrinking_to(16),
                TableColumn::number("COUNT", cells(&|group| grouped(group.count))).dropped(4),
                TableColumn::number("EXTRA", cells(&|group| grouped(group.extra))),
                TableColumn::text("FIRST, UTC", cells(&first)).dropped(2),
                TableColumn::number("SPAN", cells(&span)).dropped(3),
                TableColumn::text("WHERE", cells(&|group| group.places.clone())).shrinking_to(14),
                TableColumn::number("AMOUNT", cells(&|group| group.amount.clone())).dropped(1),
            ],
        );
    }

    fn time_text(&self, millis: Option<i64>) -> String {
        match millis {
            Some(millis) if self.is_one_day => time_of_day(millis),
            Some(millis) => date_and_time(millis),
            None => String::new(),
        }
    }
}

fn key_text(fields: &[(String, KeyText)], width: usize) -> String {
    let field = |(_, text): &(String, KeyText)| match text {
        KeyText::Null => "null".to_owned(),
        KeyText::Text(text) if text.is_empty() => "\"\"".to_owned(),
        KeyText::Text(_) | KeyText::Number(_) | KeyText::Boolean(_) | KeyText::Json(_) => {
            visible_start(text.plain(), width)
        }
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    fields.join(", ")
}

fn amount_text(amount: &AmountAtRisk) -> String {
    match &amount.currency {
        Some(currency) => format!("{} {}", visible(currency), grouped_decimal(&amount.net)),
        None => grouped_decimal(&amount.net),
    }
}

/// Names the first places; what they share with the one before is not repeated.
fn places_text(group: &DuplicateGroup, width: usize) -> io::Result<String> {
    let mut places = Vec::new();
    let mut shared = String::new();
    for record in group.records.walk().take(MOST_PLACES) {
        let (container, position) = place(&record?, width);
        if container == shared && !position.is_empty() {
            places.push(position.trim_start().to_owned());
        } else {
            places.push(format!("{container}{position}"));
            shared = container;
        }
    }
    let named = u64::try_from(places.len()).unwrap_or(u64::MAX);
    let left = group.count.saturating_sub(named);
    let mut text = places.join(", ");
    if left > 0 {
        text.push_str(", +");
        text.push_str(&grouped(left));
    }
    Ok(text)
}

/// Returns the partition and offset of a record, or its file and line.
fn place(record: &ReportedRecord, width: usize) -> (String, String) {
    if let (Some(topic), Some(partition)) = (&record.topic, record.partition) {
        let container = format!("{}-{partition}", visible_start(topic, width));
        let position = record.offset.map(|offset| format!("@{offset}"));
        return (container, position.unwrap_or_default());
    }
    if let (Some(topic), None, Some(offset)) = (&record.topic, &record.file, record.offset) {
        return (visible_start(topic, width), format!("@{offset}"));
    }
    let path = record.file.as_deref().unwrap_or("?");
    let name = path.rsplit('/').next().unwrap_or(path);
    let position = match (record.line, record.byte_offset) {
        (Some(line), _) => format!(":{line}"),
        (None, Some(byte_offset)) => format!(" byte {byte_offset}"),
        (None, None) => String::new(),
    };
    (visible_start(name, width), position)
}
