//! One Parquet file: row groups, read in order and found again by the numbers in them.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;

use crate::record::{RecordBlock, RecordSlot, Span};
use crate::source::StopFlag;
use crate::source::file::ValueMembers;
use crate::source::file::container::parquet::columns::{Columns, FieldUse, is_flat};
use crate::source::file::container::parquet::finder::ParquetFinder;
use crate::source::file::container::parquet::placed::PlacedFile;
use crate::source::file::container::parquet::projection;
use crate::source::file::container::{Container, DamageList, NumberFinder};
use crate::source::file::opening::whole::WholeFile;
use crate::source::file::unpack::length_u64;
use crate::typed_value::guard::guarded;

/// Bytes of a block from which it is handed on: what is in it fits into a core's cache.
const BLOCK_BYTES: usize = 512 * 1024;
/// Records decoded at a time, and about the most bytes of them.
const BATCH_RECORDS: usize = 1024;
const BATCH_BYTES: usize = 1024 * 1024;
/// Records of a row group that threads share in parts of this size.
const PART_RECORDS: u64 = 128 * 1024;

/// One Parquet file.
pub(crate) struct ParquetFile {
    whole: WholeFile,
    /// Nothing where the footer cannot be read.
    reader: Option<SerializedFileReader<PlacedFile>>,
    groups: Vec<RowGroup>,
    /// What the first pass reads of each field.
    uses: Vec<FieldUse>,
    parts: Vec<Part>,
    pub(super) threads: usize,
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

/// Records of a row group that one thread reads.
#[derive(Clone, Debug)]
struct Part {
    group: usize,
    numbers: Range<u64>,
}

#[derive(Default)]
struct Pass {
    /// Parts begun.
    begun: usize,
    /// Those that a block took only some records of.
    open: Vec<Rows>,
    damaged: DamageList,
    is_stopped: bool,
}

/// Records of one row group, in order.
pub(super) struct Rows {
    group: usize,
    pub(super) columns: Columns,
    /// Records to decode at a time.
    pub(super) batch: usize,
}

impl ParquetFile {
    /// Reads the footer; fails where the file cannot be opened. The first pass looks into
    /// `members` of the records only, the second uses up to `threads` threads.
    pub(crate) fn open(
        whole: WholeFile,
        (members, threads): (Option<&ValueMembers>, usize),
        stop: StopFlag,
    ) -> io::Result<Self> {
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
            uses: Vec::new(),
            parts: Vec::new(),
            threads,
            stop,
            rows_done: AtomicU64::new(0),
            pass: Mutex::default(),
        };
        match footer {
            Ok(reader) => {
                let schema = reader.metadata().file_metadata().schema();
                source.uses = projection::uses(schema, members);
                source.groups = groups_of(reader.metadata().row_groups());
                let is_flat = projection::read_fields(schema, &source.uses).all(is_flat);
                source.parts = parts_of(&source.groups, is_flat);
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

    /// Returns the row group that has the record `number`.
    fn group_with(&self, number: u64) -> usize {
        self.groups
            .partition_point(|group| group.end_number <= number)
    }

    /// Returns about how many bytes all of the row group has that has the record `number`.
    pub(super) fn group_bytes(&self, number: u64) -> u64 {
        let reader = self.reader.as_ref();
        let groups = reader.map_or(&[][..], |reader| reader.metadata().row_groups());
        let group = groups.get(self.group_with(number));
        let bytes = group.map_or(0, RowGroupMetaData::total_byte_size);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Starts to read all fields of the row group that has the record `number`.
    pub(super) fn rows_with(&self, number: u64) -> Result<Rows, String> {
        let group = self.group_with(number);
        let place = self.groups.get(group).ok_or("there is no such record")?;
        let uses = vec![FieldUse::Values; self.uses.len()];
        self.rows(group, place.first_number..place.end_number, &uses)
    }

    /// Starts to read records of a row group from its first.
    fn rows(&self, group: usize, numbers: Range<u64>, uses: &[FieldUse]) -> Result<Rows, String> {
        let reader = self.reader.as_ref().ok_or("there is no footer")?;
        let columns = Columns::open(reader, (group, numbers), uses)?;
        let stored = reader.metadata().row_groups().get(group);
        let record_bytes = stored.map_or(1, |stored| projection::record_bytes(stored, uses));
        let batch = length_u64(BATCH_BYTES) / record_bytes.max(1);
        let batch = usize::try_from(batch).unwrap_or(BATCH_RECORDS);
        Ok(Rows {
            group,
            columns,
            // A dictionary makes much of little, so that it is felt for.
            batch: batch.clamp(1, BATCH_RECORDS / 8),
        })
    }

    /// Starts to read a part.
    fn part(&self, part: &Part) -> Result<Rows, String> {
        let group = self
            .groups
            .get(part.group)
            .ok_or("there is no such row group")?;
        let numbers = group.first_number..part.numbers.end;
        let mut rows = self.rows(part.group, numbers, &self.uses)?;
        rows.columns.skip_to(part.numbers.start)?;
        Ok(rows)
    }

    /// Takes a part that is not read whole; nothing at the end.
    fn take_rows(&self) -> Option<Rows> {
        loop {
            let mut pass = self.lock_pass();
            let part = self.parts.get(pass.begun);
            let is_end = pass.open.is_empty() && part.is_none();
            if !is_end && self.stop.is_stopped() {
                pass.is_stopped = true;
                return None;
            }
            if let Some(rows) = pass.open.pop() {
                return Some(rows);
            }
            let part = part?;
            pass.begun += 1;
            drop(pass);
            match self.part(part) {
                Ok(rows) => return Some(rows),
                Err(error) => self.give_up(part.group, &error),
            }
        }
    }

    fn give_up(&self, group: usize, error: &str) {
        let what = format!("row group {}: {error}", group + 1);
        self.lock_pass().damaged.note(length_u64(group), what);
    }

    /// Adds the next records of a part; returns whether there are more.
    fn add_next(&self, rows: &mut Rows, block: &mut RecordBlock) -> bool {
        let first = rows.columns.next_number();
        let (count, read) = rows.columns.read(rows.batch);
        rows.adapt();
        push_records(&rows.columns, (count, first..), block);
        if let Err(error) = read {
            let number = first.saturating_add(length_u64(count)).saturating_add(1);
            self.give_up(rows.group, &format!("record {number}: {error}"));
            return false;
        }
        rows.columns.next_number() < rows.columns.end_number()
    }
}

impl Rows {
    /// Reads more records at a time while they are short, and fewer where they are long.
    pub(super) fn adapt(&mut self) {
        let is_long = self.columns.text_bytes() > BATCH_BYTES;
        self.batch = if is_long {
            (self.batch / 2).max(1)
        } else {
            (self.batch * 2).min(BATCH_RECORDS)
        };
    }
}

/// Appends the records that were read; `numbers` has that of each.
pub(super) fn push_records(
    columns: &Columns,
    (count, numbers): (usize, impl IntoIterator<Item = u64>),
    block: &mut RecordBlock,
) {
    let slots = &mut block.slots;
    let mut numbers = numbers.into_iter();
    columns.push_rows(count, &mut block.bytes, |place| {
        let Some(number) = numbers.next() else { return };
        let mut slot = RecordSlot::new(number);
        slot.line = number + 1;
        slot.value = Span::new(place.start, place.end);
        slots.push(slot);
    });
}

/// Returns the row groups; a false number of records counts for none.
fn groups_of(groups: &[RowGroupMetaData]) -> Vec<RowGroup> {
    let mut end_number = 0_u64;
    let groups = groups.iter().map(|group| {
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

/// Returns the parts of row groups; only what can be skipped by pages is read in several.
fn parts_of(groups: &[RowGroup], is_flat: bool) -> Vec<Part> {
    /// A false number of records makes no more parts than this.
    const PARTS_MAX: u64 = 1024;
    let mut parts = Vec::new();
    for (group, place) in groups.iter().enumerate() {
        let count = place.end_number - place.first_number;
        let length = if is_flat {
            PART_RECORDS.max(count / PARTS_MAX)
        } else {
            count
        };
        let mut start = place.first_number;
        while start < place.end_number {
            let left = place.end_number - start;
            // No part is less than half as long as the others.
            let length = if left < length + length / 2 {
                left
            } else {
                length
            };
            parts.push(Part {
                group,
                numbers: start..start + length,
            });
            start += length;
        }
    }
    parts
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
        block.is_partial = self.uses.iter().any(|usage| *usage != FieldUse::Values);
        let taken =
            |block: &RecordBlock| block.bytes.len() + block.slots.len() * size_of::<RecordSlot>();
        let mut has_more = true;
        while has_more && taken(block) < BLOCK_BYTES {
            has_more = self.add_next(&mut rows, block);
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
        let is_whole = pass.open.is_empty() && pass.begun >= self.parts.len();
        if pass.is_stopped {
            damage.push("interrupted".to_owned());
        } else if !is_whole {
            damage.push("not read to its end".to_owned());
        }
        damage
    }

    fn finder(&self) -> Box<dyn NumberFinder + '_> {
        Box::new(ParquetFinder::new(self))
    }
}
