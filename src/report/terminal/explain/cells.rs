//! What stands in each row of copies side by side.

use crate::record::{BatchStamp, Headers, TimestampType, TopicPartition};
use crate::report::terminal::escape::visible;
use crate::report::terminal::explain::money;
use crate::report::terminal::explain::{CopyState, ExplainedCopy, ExplainedGroup};
use crate::report::terminal::numbers::{counted, duration, formatted, grouped, is_same_day};

/// Labels of rows that may also be names of fields.
const OWN_LABELS: [&str; 7] = [
    "amount", "batch", "distance", "file", "headers", "key", "producer",
];

/// One row: a label, and a cell for each copy.
pub(super) struct GridRow {
    pub(super) label: String,
    pub(super) cells: Vec<String>,
    /// Whether a cell that is equal to the original's is shown as `=`.
    is_compared: bool,
}

impl GridRow {
    /// Returns the cell as it is shown.
    pub(super) fn shown(&self, index: usize) -> &str {
        let cell = self.cells.get(index).map_or("", String::as_str);
        let is_equal = index > 0 && self.cells.first().is_some_and(|first| first == cell);
        if self.is_compared && is_equal && !cell.is_empty() {
            "="
        } else {
            cell
        }
    }
}

/// Returns the name of a copy.
pub(super) fn title(index: usize) -> String {
    if index == 0 {
        "ORIGINAL".to_owned()
    } else {
        format!("EXTRA {index}")
    }
}

/// Returns the rows, the titles first; rows without any content are left out.
pub(super) fn rows(group: &ExplainedGroup) -> Vec<GridRow> {
    let copies = &group.copies;
    let Some(original) = copies.first() else {
        return Vec::new();
    };
    let row = |label: &str, is_compared, cell: &dyn Fn(&ExplainedCopy) -> String| GridRow {
        label: visible(label),
        cells: copies.iter().map(cell).collect(),
        is_compared,
    };
    let mut rows = vec![GridRow {
        label: String::new(),
        cells: (0..copies.len()).map(title).collect(),
        is_compared: false,
    }];
    rows.push(row("coordinates", false, &coordinates));
    if copies.iter().any(|copy| copy.topic_partition.is_some()) {
        rows.push(row("file", false, &place_in_file));
    }
    rows.push(row("distance", false, &|copy| distance(original, copy)));
    rows.push(row("read again", false, &state));
    rows.push(row(time_label(copies), true, &|copy| time(original, copy)));
    rows.push(row("batch", false, &|copy| of_batch(copy, batch_range)));
    rows.push(row("batch CRC", true, &|copy| {
        of_batch(copy, |batch| format!("{:08x}", batch.crc))
    }));
    rows.push(row("producer", true, &|copy| of_batch(copy, producer)));
    rows.push(row("key", true, &|copy| key(copy, group.shows_keys)));
    rows.push(header_row(copies));
    rows.push(value_row(copies));
    for (index, path) in group.differing_fields.iter().enumerate() {
        rows.push(differing_row(group, path, index));
    }
    rows.push(row("amount", true, &|copy| {
        copy.amount
            .as_ref()
            .map(|(currency, amount)| money(currency.as_deref(), amount))
            .unwrap_or_default()
    }));
    rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty()));
    rows
}

fn coordinates(copy: &ExplainedCopy) -> String {
    match (&copy.topic_partition, copy.offset) {
        (Some((topic, partition)), Some(offset)) => {
            let number = Some(partition).filter(|number| **number > TopicPartition::UNKNOWN);
            let number = number
                .map(|number| format!("-{number}"))
                .unwrap_or_default();
            format!("{}{number}@{offset}", visible(topic))
        }
        (Some((topic, partition)), None) => format!("{}-{partition}", visible(topic)),
        (None, _) => place_in_file(copy),
    }
}

fn place_in_file(copy: &ExplainedCopy) -> String {
    let Some(file) = &copy.file else {
        return String::new();
    };
    let file = visible(file);
    match (copy.line, copy.byte_offset) {
        (Some(line), _) => format!("{file}:{line}"),
        (None, Some(byte_offset)) => format!("{file}, byte {byte_offset}"),
        (None, None) => file,
    }
}

/// Says how far a copy is from the original, in place and in time.
fn distance(original: &ExplainedCopy, copy: &ExplainedCopy) -> String {
    if std::ptr::eq(original, copy) {
        return String::new();
    }
    let mut parts = Vec::new();
    match (&original.topic_partition, &copy.topic_partition) {
        (Some(from), Some(to)) if from == to => {
            if let (Some(from), Some(to)) = (original.offset, copy.offset) {
                parts.push(signed(i128::from(to) - i128::from(from), "offsets"));
            }
        }
        (Some(from), Some(to)) if from.0 == to.0 => parts.push("other partition".to_owned()),
        (Some(_), Some(_)) => parts.push("other topic".to_owned()),
        _ if original.file == copy.file => {
            if let (Some(from), Some(to)) = (original.line, copy.line) {
                parts.push(signed(i128::from(to) - i128::from(from), "lines"));
            }
        }
        _ => parts.push("other file".to_owned()),
    }
    if let (Some(from), Some(to)) = (original.timestamp_millis, copy.timestamp_millis)
        && from != to
    {
        parts.push(later(to.saturating_sub(from)));
    }
    parts.join(", ")
}

fn signed(distance: i128, unit: &str) -> String {
    let sign = if distance < 0 { "" } else { "+" };
    let unit = match distance.abs() {
        1 => unit.trim_end_matches('s'),
        _ => unit,
    };
    format!("{sign}{} {unit}", grouped(distance))
}

fn later(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "+" };
    match millis.unsigned_abs() {
        short @ ..1_000 => format!("{sign}{short} ms"),
        long @ ..60_000 => format!("{sign}{}.{:03} s", long / 1_000, long % 1_000),
        _ => format!("{sign}{}", duration(millis.saturating_abs())),
    }
}

fn state(copy: &ExplainedCopy) -> String {
    match copy.state {
        CopyState::Found => "",
        CopyState::Replaced => "other dedup key now",
        CopyState::OtherCopy => "another copy now",
        CopyState::Gone => "gone",
        CopyState::NotRead => "not read: stdin",
    }
    .to_owned()
}

fn time_label(copies: &[ExplainedCopy]) -> &'static str {
    let is_of = |kind| copies.iter().any(|copy| copy.timestamp_type == kind);
    match (
        is_of(TimestampType::CreateTime),
        is_of(TimestampType::LogAppendTime),
    ) {
        (true, false) => "CreateTime UTC",
        (false, true) => "AppendTime UTC",
        _ => "timestamp UTC",
    }
}

fn time(original: &ExplainedCopy, copy: &ExplainedCopy) -> String {
    let Some(millis) = copy.timestamp_millis else {
        return String::new();
    };
    match original.timestamp_millis {
        Some(first) if millis != first && is_same_day(first, millis) => {
            formatted(millis, "%H:%M:%S%.3f")
        }
        _ => formatted(millis, "%Y-%m-%d %H:%M:%S%.3f"),
    }
}

fn of_batch(copy: &ExplainedCopy, cell: impl Fn(&BatchStamp) -> String) -> String {
    copy.batch.as_ref().map(cell).unwrap_or_default()
}

fn batch_range(batch: &BatchStamp) -> String {
    let end = i128::from(batch.last_offset) + 1;
    format!("[{}, {end})", batch.base_offset)
}

fn producer(batch: &BatchStamp) -> String {
    if batch.producer_id < 0 {
        return format!("{} (no id)", batch.producer_id);
    }
    let (id, epoch, sequence) = (batch.producer_id, batch.producer_epoch, batch.base_sequence);
    format!("{id}, epoch {epoch}, seq {sequence}")
}

fn key(copy: &ExplainedCopy, is_shown: bool) -> String {
    let Some(key) = &copy.key else {
        return String::new();
    };
    if is_shown {
        visible(key)
    } else {
        format!("{} B", grouped(i128::try_from(key.len()).unwrap_or(0)))
    }
}

/// Headers are compared by their bytes and shown by their number.
fn header_row(copies: &[ExplainedCopy]) -> GridRow {
    let first = copies.first().and_then(|copy| copy.headers.as_deref());
    let cells = copies.iter().enumerate().map(|(index, copy)| {
        let Some(headers) = copy.headers.as_deref() else {
            return String::new();
        };
        if index > 0 && Some(headers) == first {
            return "=".to_owned();
        }
        let count = u64::try_from(Headers::from_encoded(headers).count()).unwrap_or(u64::MAX);
        counted(count, "header")
    });
    GridRow {
        label: "headers".to_owned(),
        cells: cells.collect(),
        is_compared: false,
    }
}

/// Values are compared by their bytes and shown by their size.
fn value_row(copies: &[ExplainedCopy]) -> GridRow {
    let first = copies.first().and_then(|copy| copy.value.as_deref());
    let cells = copies.iter().enumerate().map(|(index, copy)| {
        let Some(value) = copy.value.as_deref() else {
            return String::new();
        };
        if index > 0 && Some(value) == first {
            return "=".to_owned();
        }
        let size = grouped(i128::try_from(value.len()).unwrap_or(0));
        let differs = if index > 0 && first.is_some() {
            ", differs"
        } else {
            ""
        };
        format!("{size} B{differs}")
    });
    GridRow {
        label: "value".to_owned(),
        cells: cells.collect(),
        is_compared: false,
    }
}

/// A differing path has its values side by side, or says only which differ.
fn differing_row(group: &ExplainedGroup, path: &str, index: usize) -> GridRow {
    let field = |copy: &ExplainedCopy| copy.fields.get(index).cloned().flatten();
    let first = group.copies.first().and_then(field);
    let cells = group.copies.iter().enumerate().map(|(place, copy)| {
        let value = field(copy);
        match (copy.state, value) {
            (CopyState::Gone | CopyState::NotRead, _) => String::new(),
            (_, value) if place > 0 && value == first => "=".to_owned(),
            (_, Some(value)) if group.shows_values => visible(&value),
            (_, None) if group.shows_values => "(missing)".to_owned(),
            _ if place > 0 => "differs".to_owned(),
            _ => String::new(),
        }
    });
    // A field may be called as a row of our own is, which then says something else.
    let short = path.strip_prefix("value.").unwrap_or(path);
    let is_taken = OWN_LABELS.contains(&short);
    GridRow {
        label: visible(if is_taken { path } else { short }),
        cells: cells.collect(),
        is_compared: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_called_as_another_row_has_its_whole_path() {
        let copy = |amount: &str| ExplainedCopy {
            amount: Some((None, amount.to_owned())),
            fields: vec![Some(amount.to_owned()), Some(amount.to_owned())],
            ..ExplainedCopy::default()
        };
        let group = ExplainedGroup {
            differing_fields: vec!["value.amount".to_owned(), "value.status".to_owned()],
            copies: vec![copy("1"), copy("2")],
            ..ExplainedGroup::default()
        };
        let labels: Vec<String> = rows(&group).into_iter().map(|row| row.label).collect();
        assert_eq!(labels, ["", "value.amount", "status", "amount"]);
    }
}
