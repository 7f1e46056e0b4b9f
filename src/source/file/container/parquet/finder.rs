//! Finds records of a Parquet file again: all fields of them, and nothing of what lies between.

use std::io;

use crate::record::RecordBlock;
use crate::source::file::container::NumberFinder;
use crate::source::file::container::parquet::source::{ParquetFile, Rows, push_records};

/// Reads records of one Parquet file again, by their numbers.
pub(super) struct ParquetFinder<'a> {
    file: &'a ParquetFile,
    rows: Option<Rows>,
}

impl<'a> ParquetFinder<'a> {
    pub(super) fn new(file: &'a ParquetFile) -> Self {
        Self { file, rows: None }
    }

    /// Adds those of `numbers` that one row group has, up to a batch; returns how many are dealt
    /// with.
    fn add_batch(&mut self, numbers: &[u64], block: &mut RecordBlock) -> Result<usize, String> {
        let first = numbers.first().copied().unwrap_or_default();
        let has_first =
            |rows: &Rows| (rows.columns.next_number()..rows.columns.end_number()).contains(&first);
        let mut rows = match self.rows.take().filter(has_first) {
            Some(rows) => rows,
            None => self.file.rows_with(first)?,
        };
        let end = rows.columns.end_number();
        let batch = numbers.get(..rows.batch).unwrap_or(numbers);
        let batch = batch
            .get(..batch.partition_point(|&number| number < end))
            .unwrap_or_default();
        let runs = batch.chunk_by(|left, right| right - left == 1);
        let runs: Vec<_> = runs
            .filter_map(|run| Some(*run.first()?..run.last()? + 1))
            .collect();
        let (count, read) = rows.columns.read_runs(&runs, self.file.threads);
        push_records(&rows.columns, (count, batch.iter().copied()), block);
        rows.adapt();
        if read.is_ok() {
            self.rows = Some(rows);
        }
        Ok(count)
    }
}

impl NumberFinder for ParquetFinder<'_> {
    fn add(&mut self, numbers: &[u64], block: &mut RecordBlock) -> io::Result<usize> {
        let mut count = self.add_batch(numbers, block).unwrap_or_default();
        if count == 0 {
            // Something of the batch is damaged, which may be another record.
            count = self
                .add_batch(numbers.get(..1).unwrap_or_default(), block)
                .unwrap_or_default();
        }
        // What was damaged in the first pass is so again.
        Ok(count.max(1))
    }
}
