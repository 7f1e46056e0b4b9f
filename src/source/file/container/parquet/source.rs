//! One Parquet file: row groups, read in order and found again by the numbers in them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::record::reader::{ReaderIter, TreeBuilder};

use crate::record::{RecordBlock, RecordSlot, Span};
use crate::source::StopFlag;
use crate::source::file::container::parquet::placed::PlacedFile;
use crate::source::file::container::parquet::row_json::push_row;
use crate::source::file::container::{Container, DamageList, NumberFinder};
use crate::source::file::opening::whole::WholeFile;
use crate::source::file::unpack::length_u64;
use crate::typed_value::guard::guarded;

/// Bytes of a block from which it is handed on.
const BLOCK_BYTES: usize = 1024 * 1024;

/// One Parquet file.
pub(crate) struct ParquetFile {
    whole: WholeFile,
    /// Nothing where the footer cannot be read.
    reader: Option<SerializedFileReader<PlacedFile>>,
    groups: Vec<RowGroup>,
    stop: StopFlag,
    rows_done: AtomicU64,
    pass: Mutex<Pass>,
}

/// A row group: records that are stored together, column by column.
#[derive(Clone, Copy, Debug)]
struct RowGroup {
    first_number: u64,
    end_number: u64,
}

#[derive(Default)]
struct Pass {
    /// Row groups begun.
    begun: usize,
    /// Those that a block took only a part of.
    open: Vec<Rows>,
    damaged: DamageList,
    is_stopped: bool,
}

/// The records of one row group, in order.
struct Rows {
    group: usize,
    iter: ReaderIter,
    next_number: u64,
    end_number: u64,
}

impl ParquetFile {
    /// Reads the footer; fails where the file cannot be opened.
    pub(crate) fn open(whole: WholeFile, stop: StopFlag) -> io::Result<Self> {
        let placed = PlacedFile {
            file: whole.open()?,
            length: whole.length(),
        };
        let footer =
            guarded(|| SerializedFileReader::new(placed).map_err(|error| error.to_string()));
        let mut source = Self {
            whole,
            reader: None,
            groups: Vec::new(),
            stop,
            rows_done: AtomicU64::new(0),
            pass: Mutex::default(),
        };
        match footer {
            Ok(reader) => {
                source.groups = groups_of(&reader);
                source.reader = Some(reader);
            }
            Err(error) => {
                let what = format!(
                    "its end, which says where everything is, cannot be read; it may be \
                     truncated: {error}"
                );
                source.lock_pass().damaged.note(0, what);
            }
        }
        Ok(source)
    }

    fn lock_pass(&self) -> MutexGuard<'_, Pass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to read a row group.
    fn rows(&self, group: usize) -> Result<Rows, String> {
        let place = self.groups.get(group).ok_or("there is no such row group")?;
        let reader = self.reader.as_ref().ok_or("there is no footer")?;
        let iter = guarded(|| {
            let stored = reader
                .get_row_group(group)
                .map_err(|error| error.to_string())?;
            let schema = reader.metadata().file_metadata().schema_descr_ptr();
            let builder = TreeBuilder::new();
            let iter = builder.as_iter(schema, &*stored);
            iter.map_err(|error| error.to_string())
        })?;
        Ok(Rows {
            group,
            iter,
            next_number: place.first_number,
            end_number: place.end_number,
        })
    }

    /// Takes a row group that is not read whole; nothing at the end.
    fn take_rows(&self) -> Option<Rows> {
        loop {
            let mut pass = self.lock_pass();
            let is_end = pass.open.is_empty() && pass.begun >= self.groups.len();
            if !is_end && self.stop.is_stopped() {
                pass.is_stopped = true;
                return None;
            }
            if let Some(rows) = pass.open.pop() {
                return Some(rows);
            }
            let group = pass.begun;
            if is_end {
                return None;
            }
            pass.begun += 1;
            drop(pass);
            match self.rows(group) {
                Ok(rows) => return Some(rows),
                Err(error) => self.give_up(group, &error),
            }
        }
    }

    fn give_up(&self, group: usize, error: &str) {
        let what = format!("row group {}: {error}", group + 1);
        self.lock_pass().damaged.note(length_u64(group), what);
    }

    /// Adds the next record of a row group; returns false at its end.
    fn add_next(&self, rows: &mut Rows, block: Option<&mut RecordBlock>) -> Result<bool, String> {
        let iter = &mut rows.iter;
        let number = rows.next_number;
        let next = guarded(|| iter.next().transpose().map_err(|error| error.to_string()));
        let next = next.map_err(|error| format!("record {}: {error}", number + 1))?;
        let Some(row) = next else {
            return Ok(false);
        };
        rows.next_number += 1;
        if let Some(block) = block {
            let start = block.bytes.len();
            let reader = self.reader.as_ref();
            let schema = reader.map(|reader| reader.metadata().file_metadata().schema());
            push_row(&mut block.bytes, &row, schema);
            let mut slot = RecordSlot::new(number);
            slot.line = number + 1;
            slot.value = Span::new(start, block.bytes.len());
            block.slots.push(slot);
        }
        Ok(true)
    }
}

/// Returns the row groups; a false number of records counts for none.
fn groups_of(reader: &SerializedFileReader<PlacedFile>) -> Vec<RowGroup> {
    let mut end_number = 0_u64;
    let groups = reader.metadata().row_groups().iter();
    let groups = groups.map(|group| {
        let first_number = end_number;
        let count = u64::try_from(group.num_rows()).unwrap_or_default();
        end_number = end_number.saturating_add(count);
        RowGroup {
            first_number,
            end_number,
        }
    });
    groups.collect()
}

impl Container for ParquetFile {
    fn format(&self) -> &'static str {
        "parquet"
    }

    fn whole(&self) -> &WholeFile {
        &self.whole
    }

    fn read_next(&self, block: &mut RecordBlock) -> bool {
        let Some(mut rows) = self.take_rows() else {
            return false;
        };
        let mut has_more = true;
        while has_more && block.bytes.len() < BLOCK_BYTES {
            match self.add_next(&mut rows, Some(block)) {
                Ok(is_added) => has_more = is_added,
                Err(error) => {
                    self.give_up(rows.group, &error);
                    has_more = false;
                }
            }
        }
        if has_more {
            self.lock_pass().open.push(rows);
        }
        let count = length_u64(block.slots.len());
        self.rows_done.fetch_add(count, Ordering::Relaxed);
        true
    }

    /// Columns lie apart: the share of the records stands for that of the bytes.
    fn bytes_done(&self) -> u64 {
        let total = self
            .groups
            .last()
            .map_or(0, |group| group.end_number)
            .max(1);
        let done = self.rows_done.load(Ordering::Relaxed).min(total);
        let bytes = u128::from(self.whole.length()) * u128::from(done) / u128::from(total);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn damage(&self) -> Vec<String> {
        let pass = self.lock_pass();
        let mut damage = pass.damaged.lines("damaged row groups");
        let is_whole = pass.open.is_empty() && pass.begun >= self.groups.len();
        if pass.is_stopped {
            damage.push("interrupted".to_owned());
        } else if !is_whole {
            damage.push("not read to its end".to_owned());
        }
        damage
    }

    fn finder(&self) -> Box<dyn NumberFinder + '_> {
        Box::new(ParquetFinder {
            file: self,
            rows: None,
        })
    }
}

/// Reads records of one Parquet file again, by their numbers.
struct ParquetFinder<'a> {
    file: &'a ParquetFile,
    rows: Option<Rows>,
}

impl ParquetFinder<'_> {
    /// Adds the record at `number`; those before it in its row group are decoded and dropped.
    fn add_one(&mut self, number: u64, block: &mut RecordBlock) -> Result<(), String> {
        let can_go_on = |rows: &Rows| (rows.next_number..rows.end_number).contains(&number);
        let mut rows = if let Some(rows) = self.rows.take().filter(can_go_on) {
            rows
        } else {
            let groups = &self.file.groups;
            let group = groups.partition_point(|group| group.end_number <= number);
            self.file.rows(group)?
        };
        while rows.next_number < number && self.file.add_next(&mut rows, None)? {}
        if rows.next_number == number {
            self.file.add_next(&mut rows, Some(block))?;
        }
        self.rows = Some(rows);
        Ok(())
    }
}

impl NumberFinder for ParquetFinder<'_> {
    fn add(&mut self, numbers: &[u64], block: &mut RecordBlock) -> io::Result<usize> {
        if let Some(&number) = numbers.first() {
            // What was damaged in the first pass is so again.
            drop(self.add_one(number, block));
        }
        Ok(1)
    }
}
