//! External sort of records that all have the same size.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};

use super::merge::{RunCursor, RunMerge};
use super::spill_file::{Run, RunReader, RunWriter, SpillFile};
use super::stored_len;

/// A record of a fixed size, sorted by its own order.
pub trait FixedRecord: Copy + Ord + Send {
    /// Size as written.
    const BYTES: usize;

    /// Writes the record into exactly [`FixedRecord::BYTES`] bytes.
    fn write(&self, out: &mut [u8]);

    /// Reads a record from exactly [`FixedRecord::BYTES`] bytes.
    fn read(bytes: &[u8]) -> Self;
}

/// Writes fields one behind the other; together they are as long as `out`.
pub fn put_fields<const COUNT: usize>(out: &mut [u8], fields: [&[u8]; COUNT]) {
    let mut rest = out;
    for bytes in fields {
        let (field, after) = rest.split_at_mut(bytes.len());
        field.copy_from_slice(bytes);
        rest = after;
    }
}

/// Takes the next field off the front.
///
/// # Panics
///
/// Where fewer bytes are left: a record has all its fields.
pub fn take_field<const BYTES: usize>(rest: &mut &[u8]) -> [u8; BYTES] {
    let (field, after) = rest
        .split_first_chunk()
        .expect("a record has all its fields");
    *rest = after;
    *field
}

/// Takes records in any order, within a fixed amount of memory.
#[derive(Debug)]
pub struct FixedSorter<T> {
    dir: PathBuf,
    memory_bytes: usize,
    records: Vec<T>,
    capacity: usize,
    spilled: Option<SpillFile>,
    runs: Vec<Run>,
    count: u64,
}

impl<T: FixedRecord> FixedSorter<T> {
    /// Returns an empty sorter that makes its files, if it needs any, in `dir`.
    pub fn new(dir: &Path, memory_bytes: usize) -> Self {
        Self {
            dir: dir.to_owned(),
            memory_bytes,
            records: Vec::new(),
            // Growing copies at most half of the records, so a third of the memory is left for it.
            capacity: (memory_bytes / 3 * 2 / size_of::<T>().max(1)).max(2),
            spilled: None,
            runs: Vec::new(),
            count: 0,
        }
    }

    /// Returns how many records were pushed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds one record.
    pub fn push(&mut self, record: T) -> io::Result<()> {
        if self.records.len() == self.records.capacity() {
            self.make_room()?;
        }
        self.records.push(record);
        self.count += 1;
        Ok(())
    }

    /// Sorts what is left and returns all records in order.
    pub fn finish(mut self) -> io::Result<SortedFixed<T>> {
        if self.runs.is_empty() {
            self.records.sort_unstable();
            return Ok(SortedFixed(Sorted::InMemory(self.records.into_iter())));
        }
        self.spill()?;
        self.records = Vec::new();
        let Some(file) = self.spilled else {
            return Err(io::Error::other("internal error: runs without a file"));
        };
        let memory_bytes = stored_len(self.memory_bytes);
        let merge = RunMerge::start(&self.dir, file, self.runs, memory_bytes)?;
        Ok(SortedFixed(Sorted::OnDisk(merge)))
    }

    fn make_room(&mut self) -> io::Result<()> {
        let held = self.records.capacity();
        let wanted = match held.saturating_mul(4) {
            0 => self.capacity.min(64),
            quadruple if quadruple > self.capacity => self.capacity,
            quadruple => quadruple / 2,
        };
        let grown = wanted > held && self.records.try_reserve_exact(wanted - held).is_ok();
        if grown {
            return Ok(());
        }
        if self.records.is_empty() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.spill()
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        self.records.sort_unstable();
        let file = match &mut self.spilled {
            Some(file) => file,
            none => none.insert(SpillFile::create(&self.dir)?),
        };
        let mut writer = file.begin_run();
        for record in &self.records {
            record.write(writer.item(T::BYTES)?);
        }
        self.runs.push(writer.finish()?);
        self.records.clear();
        Ok(())
    }
}

/// Records in order; an error ends them.
#[derive(Debug)]
pub struct SortedFixed<T: FixedRecord>(Sorted<T>);

#[derive(Debug)]
enum Sorted<T: FixedRecord> {
    InMemory(std::vec::IntoIter<T>),
    OnDisk(RunMerge<FixedCursor<T>>),
    Failed,
}

impl<T: FixedRecord> Iterator for SortedFixed<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Sorted::InMemory(records) => records.next().map(Ok),
            Sorted::OnDisk(merge) => match merge.next() {
                Ok(cursor) => cursor?.record.map(Ok),
                Err(error) => {
                    self.0 = Sorted::Failed;
                    Some(Err(error))
                }
            },
            Sorted::Failed => None,
        }
    }
}

#[derive(Debug)]
struct FixedCursor<T> {
    /// The record that the cursor is at; nothing before the first and after the last.
    record: Option<T>,
    reader: RunReader,
    next: usize,
}

impl<T: FixedRecord> RunCursor for FixedCursor<T> {
    fn open(run: Run) -> Self {
        Self {
            record: None,
            reader: RunReader::new(run),
            next: 0,
        }
    }

    fn advance(&mut self, file: &SpillFile) -> io::Result<bool> {
        if self.next >= self.reader.items().len() {
            self.next = 0;
            self.reader.next_block(file)?;
        }
        let end = self.next + T::BYTES;
        self.record = self.reader.items().get(self.next..end).map(T::read);
        self.next = end;
        Ok(self.record.is_some())
    }

    fn copy_to(&self, writer: &mut RunWriter<'_>) -> io::Result<()> {
        if let Some(record) = &self.record {
            record.write(writer.item(T::BYTES)?);
        }
        Ok(())
    }
}

impl<T: Ord> Ord for FixedCursor<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.record.cmp(&self.record)
    }
}

impl<T: Ord> PartialOrd for FixedCursor<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for FixedCursor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for FixedCursor<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    impl FixedRecord for u64 {
        const BYTES: usize = 8;

        fn write(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.to_le_bytes());
        }

        fn read(bytes: &[u8]) -> Self {
            Self::from_le_bytes(bytes.try_into().unwrap())
        }
    }

    fn sorted(numbers: &[u64], memory_bytes: usize) -> Vec<u64> {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = FixedSorter::new(dir.path(), memory_bytes);
        for &number in numbers {
            sorter.push(number).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        sorter.finish().unwrap().map(Result::unwrap).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_memory_gives_the_same_order(
            numbers in proptest::collection::vec(0..50_u64, 0..400),
            memory_bytes in 0..5000_usize,
        ) {
            let mut expected = numbers.clone();
            expected.sort_unstable();
            prop_assert_eq!(sorted(&numbers, memory_bytes), expected);
        }
    }

    #[test]
    fn runs_longer_than_a_block_are_merged_in_several_rounds() {
        let numbers: Vec<u64> = (0..200_000_u64)
            .map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40)
            .collect();
        let mut expected = numbers.clone();
        expected.sort_unstable();
        assert_eq!(sorted(&numbers, 160_000), expected);
    }

    #[test]
    fn a_damaged_run_is_an_error_and_then_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = FixedSorter::new(dir.path(), 300_000);
        for number in 0..60_000_u64 {
            sorter.push(number).unwrap();
        }
        sorter.spilled.as_ref().unwrap().flip_bit(100_000);
        let mut records = sorter.finish().unwrap();
        let error = records.find_map(Result::err).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("run 0, block 1"), "{error}");
        assert!(records.next().is_none());
    }
}
