//! Groups as rows of JSON inside the page, as many as fit.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::finding::AuditHeader;
use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::DuplicateGroup;
use crate::finding::ReportedRecord;
use crate::finding::Review;
use crate::report::terminal::escape::visible_start;

/// Bytes of head and rows at most, so that the page opens at once wherever it is read.
const PAGE_BYTES_MAX: usize = 1_950_000;

/// Groups in a page at most.
const ROWS_MAX: u64 = 10_000;

/// Occurrences of one group in a page at most.
const RECORDS_MAX: usize = 50;

/// Characters of a dedup key, a subject or a name.
const TEXT_CHARACTERS: usize = 200;

/// Characters of a value.
const VALUE_CHARACTERS: usize = 2_000;

/// Cells of an occurrence: place, offset, time, key, amount, currency, subject, cause, episode,
/// value.
const RECORD_CELLS: usize = 10;

/// Those that most occurrences share with the original: key, amount, currency, subject.
const SHARED_CELLS: Range<usize> = 3..7;

const CONFIDENCES: [Confidence; 3] = [Confidence::Certain, Confidence::Strong, Confidence::Weak];

/// Turns groups into rows until the page is full.
pub(super) struct GroupRows {
    shows_values: bool,
    shows_amounts: bool,
    bytes: usize,
    kept: u64,
    is_full: bool,
    /// Topic partitions and files by their number in the rows.
    places: BTreeMap<String, usize>,
}

impl GroupRows {
    /// What comes before the first row.
    pub(super) const START: &'static str =
        "<script type=\"application/json\" id=\"groups-data\">{\"rows\":[";

    /// Returns rows of nothing so far.
    pub(super) fn new(shows_values: bool) -> Self {
        Self {
            shows_values,
            shows_amounts: false,
            bytes: 0,
            kept: 0,
            is_full: false,
            places: BTreeMap::new(),
        }
    }

    /// Takes what the audit was asked for, and the length of the page before the rows.
    pub(super) fn begin(&mut self, header: &AuditHeader, head_bytes: usize) {
        self.bytes = head_bytes;
        self.shows_amounts = header.amount_field.is_some();
    }

    /// Returns the groups that have a row.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// Returns the row of a group, or nothing once the page is full.
    pub(super) fn row(&mut self, group: &DuplicateGroup) -> io::Result<Option<String>> {
        if self.is_full {
            return Ok(None);
        }
        let mut row = if self.kept == 0 { "\n" } else { ",\n" }.to_owned();
        row.push_str(&safe_json(&self.group(group)?)?);
        if self.kept >= ROWS_MAX || self.bytes + row.len() > PAGE_BYTES_MAX {
            self.is_full = true;
            return Ok(None);
        }
        self.bytes += row.len();
        self.kept += 1;
        Ok(Some(row))
    }

    /// Returns what comes after the last row.
    pub(super) fn end(&self) -> io::Result<String> {
        let mut places: Vec<(&String, &usize)> = self.places.iter().collect();
        places.sort_by_key(|(_, number)| **number);
        let places: Vec<&String> = places.into_iter().map(|(place, _)| place).collect();
        let names = json!({
            "places": places,
            "causes": Cause::ALL.map(Cause::code),
            "confidences": CONFIDENCES.map(Confidence::code),
        });
        let names = safe_json(&names)?;
        let members = names.strip_prefix('{').unwrap_or(&names);
        Ok(format!("\n],{members}</script>\n"))
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<Value> {
        let mut cells: Vec<[Value; RECORD_CELLS]> = Vec::new();
        let mut walk = group.records.walk();
        for record in walk.by_ref().take(RECORDS_MAX) {
            let record = record?;
            cells.push(self.record(&record, group.first_timestamp_millis));
        }
        drop(walk);
        let key: Vec<String> = group
            .key
            .iter()
            .map(|(_, text)| short(text.plain()))
            .collect();
        let amount = group.amount.as_ref();
        let standing = group.standing.as_ref();
        Ok(json!([
            short(group.id.strip_prefix("g_").unwrap_or(&group.id)),
            key.join(" · "),
            group.count,
            cause_number(group.cause),
            group.confidence.map(confidence_number),
            group.episode,
            group.first_timestamp_millis,
            group.span_millis(),
            amount.map(|amount| amount.net.as_str()),
            amount
                .and_then(|amount| amount.currency.as_deref())
                .map(short),
            group.subject.as_deref().map(short),
            group.identical,
            fields(&group.differing_fields),
            (group.review != Review::Ok).then(|| group.review.code()),
            standing.map(|standing| standing.standing.code()),
            records(cells, group.subject.as_deref()),
        ]))
    }

    fn record(
        &mut self,
        record: &ReportedRecord,
        first_millis: Option<i64>,
    ) -> [Value; RECORD_CELLS] {
        let line = record.line.and_then(|line| i64::try_from(line).ok());
        let line = line.filter(|_| record.topic.is_none());
        let millis = record.timestamp_millis.zip(first_millis);
        let value = record.value.as_deref().filter(|_| self.shows_values);
        let amount = record.amount.as_deref().filter(|_| self.shows_amounts);
        let currency = record.currency.as_deref().filter(|_| self.shows_amounts);
        [
            json!(self.place(record)),
            json!(record.offset.or(line).map(exact)),
            json!(millis.map(|(at, first)| at.saturating_sub(first))),
            json!(record.key.as_deref().map(short)),
            json!(amount),
            json!(currency.map(short)),
            json!(record.subject.as_deref().map(short)),
            json!(record.cause.map(cause_number)),
            json!(record.episode),
            json!(value.map(|value| visible_start(value, VALUE_CHARACTERS))),
        ]
    }

    /// Returns the number of a place, whose name ends in the sign that its offset or line follows.
    fn place(&mut self, record: &ReportedRecord) -> usize {
        let place = match (&record.topic, record.partition, &record.file) {
            (Some(topic), Some(partition), _) => format!("{}-{partition}@", short(topic)),
            (Some(topic), None, _) => format!("{}@", short(topic)),
            (None, _, Some(file)) => format!("{}:", short(file)),
            (None, _, None) => "@".to_owned(),
        };
        let next = self.places.len();
        if !self.places.contains_key(&place) {
            self.bytes += place.len() * 2;
        }
        *self.places.entry(place).or_insert(next)
    }
}

/// Leaves out what a record shares with the original, and the original with the group.
fn records(cells: Vec<[Value; RECORD_CELLS]>, subject: Option<&str>) -> Vec<Value> {
    let original = cells.first().cloned().unwrap_or_default();
    let mut subject_alone: [Value; RECORD_CELLS] = Default::default();
    if let Some(cell) = subject_alone.get_mut(SHARED_CELLS.end - 1) {
        *cell = json!(subject.map(short));
    }
    let less = |(index, mut record): (usize, [Value; RECORD_CELLS])| {
        let known = if index == 0 {
            &subject_alone
        } else {
            &original
        };
        let cells = record.iter_mut().zip(known).enumerate();
        for (_, (cell, known)) in cells.filter(|(place, _)| SHARED_CELLS.contains(place)) {
            if cell == known && !cell.is_null() {
                *cell = json!(0);
            }
        }
        let last = record.iter().rposition(|cell| !cell.is_null());
        let shown = record.into_iter().take(last.map_or(0, |last| last + 1));
        Value::Array(shown.collect())
    };
    cells.into_iter().enumerate().map(less).collect()
}

/// Returns an offset that a script reads exactly.
fn exact(offset: i64) -> Value {
    const EXACT_MAX: u64 = 1 << 53;
    if offset.unsigned_abs() < EXACT_MAX {
        json!(offset)
    } else {
        json!(offset.to_string())
    }
}

fn confidence_number(confidence: Confidence) -> Option<usize> {
    CONFIDENCES.iter().position(|other| *other == confidence)
}

fn fields(paths: &[String]) -> Vec<String> {
    const FIELDS_MAX: usize = 20;
    paths
        .iter()
        .take(FIELDS_MAX)
        .map(|path| short(path))
        .collect()
}

fn cause_number(cause: Cause) -> Option<usize> {
    Cause::ALL.iter().position(|other| *other == cause)
}

fn short(text: &str) -> String {
    visible_start(text, TEXT_CHARACTERS)
}

/// Returns JSON in which nothing ends the script element that it stands in, or begins another.
fn safe_json<T: Serialize>(value: &T) -> io::Result<String> {
    let text = serde_json::to_string(value)?;
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026"))
}
