//! Finds records of a Parquet file again: all fields of them, and nothing of what lies between.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::record::RecordBlock;
use crate::source::file::container::NumberFinder;
use crate::source::file::container::parquet::columns::FieldRuns;
use crate::source::file::container::parquet::source::{ParquetFile, Rows, push_records};
use crate::threads::on_threads;

/// Bytes of row groups, unpacked, that are read side by side.
const GROUPS_BYTES: u64 = 16 * 1024 * 1024;
/// Row groups that are, whatever they say of their size.
const GROUPS_MAX: usize = 16;
/// Fewer records are read faster by one thread.
const RECORDS_SHARED_MIN: usize = 64;

/// Reads records of one Parquet file again, by their numbers.
pub(super) struct ParquetFinder<'a> {
    file: &'a ParquetFile,
    /// A row group of which there may be more.
    rows: Option<Rows>,
}

/// Records of one row group.
struct Share<'n> {
    rows: Rows,
    numbers: &'n [u64],
    runs: Vec<Range<u64>>,
}

impl<'a> ParquetFinder<'a> {
    pub(super) fn new(file: &'a ParquetFile) -> Self {
        Self { file, rows: None }
    }

    /// Adds those of `numbers` that some row groups have, up to a batch of the last; returns how
    /// many are dealt with.
    fn add_batch(&mut self, numbers: &[u64], block: &mut RecordBlock) -> Result<usize, String> {
        let mut shares = self.shares(numbers)?;
        self.read(&mut shares);
        let mut done = 0;
        for share in &mut shares {
            let columns = &share.rows.columns;
            let (count, read) = columns.outcome(&share.runs);
            push_records(columns, (count, share.numbers.iter().copied()), block);
            share.rows.adapt();
            done += count;
            if read.is_err() {
                return Ok(done);
            }
        }
        self.rows = shares.pop().map(|share| share.rows);
        Ok(done)
    }

    /// Opens the row groups of the first numbers, as many as may be read side by side.
    fn shares<'n>(&mut self, numbers: &'n [u64]) -> Result<Vec<Share<'n>>, String> {
        let (mut rest, mut bytes) = (numbers, 0);
        let mut shares = Vec::new();
        while let Some(&first) = rest.first() {
            let group_bytes = self.file.group_bytes(first);
            bytes = group_bytes.saturating_add(bytes);
            if !shares.is_empty() && (bytes > GROUPS_BYTES || shares.len() == GROUPS_MAX) {
                break;
            }
            // What is wrong with one behind the first is met again when that is the first.
            let share = match self.share(rest) {
                Err(_) if !shares.is_empty() => break,
                share => share?,
            };
            let of_group = rest.partition_point(|&number| number < share.rows.columns.end_number());
            let is_whole = share.numbers.len() == of_group;
            rest = rest.get(of_group..).unwrap_or_default();
            shares.push(share);
            if !is_whole {
                break;
            }
        }
        Ok(shares)
    }

    /// Opens the row group of the first number.
    fn share<'n>(&mut self, numbers: &'n [u64]) -> Result<Share<'n>, String> {
        let first = numbers.first().copied().unwrap_or_default();
        let has_first =
            |rows: &Rows| (rows.columns.next_number()..rows.columns.end_number()).contains(&first);
        let rows = match self.rows.take().filter(has_first) {
            Some(rows) => rows,
            None => self.file.rows_with(first)?,
        };
        let end = rows.columns.end_number();
        let batch = numbers.get(..rows.batch).unwrap_or(numbers);
        let batch = batch
            .get(..batch.partition_point(|&number| number < end))
            .unwrap_or_default();
        let runs = batch.chunk_by(|left, right| right - left == 1);
        let runs = runs.filter_map(|run| Some(*run.first()?..run.last()? + 1));
        Ok(Share {
            runs: runs.collect(),
            rows,
            numbers: batch,
        })
    }

    /// Reads every field of every row group, on all threads.
    fn read(&self, shares: &mut [Share<'_>]) {
        let count: usize = shares.iter().map(|share| share.numbers.len()).sum();
        let is_small = count < RECORDS_SHARED_MIN;
        let threads = if is_small { 1 } else { self.file.threads };
        let fields = shares.iter_mut();
        let fields = fields.flat_map(|share| share.rows.columns.start_runs(&share.runs));
        let fields: Vec<FieldRuns<'_>> = fields.collect();
        let threads = threads.min(fields.len());
        let fields = Mutex::new(fields.into_iter());
        let take = || fields.lock().unwrap_or_else(PoisonError::into_inner).next();
        on_threads(threads, |_| {
            while let Some(field) = take() {
                field.read();
            }
        });
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
