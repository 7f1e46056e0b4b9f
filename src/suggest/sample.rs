//! The sample: of each record a row of hashes, one for each field.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::finding::suggestion::Suggestion;
use crate::suggest::column::Column;
use crate::suggest::ranking;

/// Fields that are told apart; records of more are rather a map from ids.
const COLUMNS_MAX: usize = 500;

/// A value as the sample sees it.
#[derive(Clone, Copy, Debug)]
pub enum SampledValue<'a> {
    /// Text, without quotes and escapes.
    Text(&'a [u8]),
    /// A number as written.
    Number(&'a [u8]),
    /// A boolean.
    Boolean(bool),
}

/// What is known of a record beside its fields.
#[derive(Clone, Copy, Debug)]
pub struct SampledRecord {
    /// Hash of its key and value.
    pub payload: u64,
    /// Its timestamp in milliseconds.
    pub timestamp_millis: Option<i64>,
    /// A number for its topic partition.
    pub partition: Option<u32>,
    /// Its number within its partition or source.
    pub place: i64,
}

/// Records that were looked at.
#[derive(Debug, Default)]
pub struct Sample {
    pub(super) records: Vec<SampledRecord>,
    /// Where each record's cells begin.
    starts: Vec<usize>,
    /// Column and hash of each field of each record.
    cells: Vec<(u32, u64)>,
    pub(super) columns: Vec<Column>,
    by_path: HashMap<String, u32>,
    /// Fields beyond the most that are told apart.
    pub(super) dropped_fields: u64,
}

impl Sample {
    /// Begins the next record.
    pub fn begin_record(&mut self, record: SampledRecord) {
        self.records.push(record);
        self.starts.push(self.cells.len());
    }

    /// Adds a field of the record begun last.
    pub fn add_field(&mut self, path: &str, value: SampledValue<'_>) {
        let index = match self.by_path.get(path) {
            Some(index) => *index,
            None if self.columns.len() >= COLUMNS_MAX => {
                self.dropped_fields += 1;
                return;
            }
            None => {
                let index = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
                self.columns.push(Column::new(path));
                self.by_path.insert(path.to_owned(), index);
                index
            }
        };
        let hash = hash(value);
        self.cells.push((index, hash));
        if let Some(column) = usize::try_from(index)
            .ok()
            .and_then(|at| self.columns.get_mut(at))
        {
            column.note(value, hash);
        }
    }

    /// Returns how many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns how many fields of all records there are.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Returns the column of a path.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.by_path
            .get(path)
            .and_then(|index| usize::try_from(*index).ok())
    }

    /// Returns, for each column, the hash of each record's value; none where it has no such field.
    pub(super) fn table(&self) -> Vec<Vec<Option<u64>>> {
        let mut table = vec![vec![None; self.records.len()]; self.columns.len()];
        let ends = self
            .starts
            .iter()
            .skip(1)
            .copied()
            .chain([self.cells.len()]);
        for (row, (start, end)) in self.starts.iter().zip(ends).enumerate() {
            for &(column, hash) in self.cells.get(*start..end).unwrap_or_default() {
                let column = usize::try_from(column)
                    .ok()
                    .and_then(|at| table.get_mut(at));
                if let Some(cell) = column.and_then(|column| column.get_mut(row)) {
                    *cell = Some(hash);
                }
            }
        }
        table
    }

    /// Concludes which fields look like identities.
    pub fn conclude(self) -> Suggestion {
        ranking::conclude(&self)
    }
}

/// Returns the hash of a value, the same for the same text of the same kind.
pub(super) fn hash(value: SampledValue<'_>) -> u64 {
    match value {
        SampledValue::Text(text) => xxh3_64(text),
        SampledValue::Number(text) => xxh3_64(text) ^ 1,
        SampledValue::Boolean(value) => u64::from(value) + 2,
    }
}
