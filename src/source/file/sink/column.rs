//! What stands beside each record of a file, on disk, found by the record's number.

use std::fs::File;
use std::io;
use std::io::{BufWriter, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::source::file::unpack::length_u64;

/// Bytes of a place in the table.
const END_BYTES: usize = 8;
/// Cells read at once.
const RUN_MAX: usize = 4096;

/// Columns of all files, one behind the other in a file that has no name: a tree may hold more
/// files than can be open at once.
#[derive(Debug)]
pub(crate) struct ColumnStore {
    dir: PathBuf,
    /// The file, once there is a column, and where it ends.
    file: Mutex<Option<(Arc<File>, u64)>>,
}

impl ColumnStore {
    /// Returns a store whose file lies in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            file: Mutex::default(),
        }
    }

    /// Returns the directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts a column.
    pub(super) fn writer(&self) -> io::Result<ColumnWriter> {
        Ok(ColumnWriter {
            ends: BufWriter::new(tempfile::tempfile_in(&self.dir)?),
            bytes: BufWriter::new(tempfile::tempfile_in(&self.dir)?),
            end: 0,
            count: 0,
        })
    }

    /// Appends what was written to a file of its own; returns where it starts.
    fn append(&self, mut part: File) -> io::Result<(Arc<File>, u64)> {
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = match &mut *slot {
            Some(slot) => slot,
            none => none.insert((Arc::new(tempfile::tempfile_in(&self.dir)?), 0)),
        };
        part.rewind()?;
        let start = *end;
        *end += io::copy(&mut part, &mut &**file)?;
        Ok((Arc::clone(file), start))
    }
}

/// Cells by number, from 0.
#[derive(Debug)]
pub(super) struct Column {
    file: Arc<File>,
    /// Where the table starts that says where each cell ends.
    ends_start: u64,
    /// Where the cells start.
    bytes_start: u64,
    count: u64,
}

/// Takes down the cells of a column one after the other.
#[derive(Debug)]
pub(super) struct ColumnWriter {
    ends: BufWriter<File>,
    bytes: BufWriter<File>,
    end: u64,
    count: u64,
}

impl ColumnWriter {
    /// Adds a cell.
    pub(super) fn push(&mut self, cell: &[u8]) -> io::Result<()> {
        self.bytes.write_all(cell)?;
        self.end += length_u64(cell.len());
        self.count += 1;
        self.ends.write_all(&self.end.to_le_bytes())
    }

    /// Moves the column into the store.
    pub(super) fn finish(self, store: &ColumnStore) -> io::Result<Column> {
        let into_file =
            |writer: BufWriter<File>| writer.into_inner().map_err(io::IntoInnerError::into_error);
        let (_, ends_start) = store.append(into_file(self.ends)?)?;
        let (file, bytes_start) = store.append(into_file(self.bytes)?)?;
        Ok(Column {
            file,
            ends_start,
            bytes_start,
            count: self.count,
        })
    }
}

impl Column {
    /// Returns how many cells there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Calls `visit` with the index and cell of every one of `numbers`, which are there.
    pub(super) fn for_each(
        &self,
        numbers: &[u64],
        mut visit: impl FnMut(usize, &[u8]),
    ) -> io::Result<()> {
        let mut index = 0;
        while let Some(run) = numbers.get(index..).filter(|rest| !rest.is_empty()) {
            let next_to = |pair: &[u64]| matches!(pair, [left, right] if left + 1 == *right);
            let more = run
                .windows(2)
                .take(RUN_MAX - 1)
                .take_while(|&pair| next_to(pair));
            let count = 1 + more.count();
            let first = run.first().copied().unwrap_or_default();
            self.read_run(first, count, |of_run, cell| visit(index + of_run, cell))?;
            index += count;
        }
        Ok(())
    }

    fn read_run(
        &self,
        first: u64,
        count: usize,
        mut visit: impl FnMut(usize, &[u8]),
    ) -> io::Result<()> {
        // The end before the first cell is where it starts.
        let has_before = first > 0;
        let from = first.saturating_sub(1) * length_u64(END_BYTES);
        let mut table = vec![0; (count + usize::from(has_before)) * END_BYTES];
        self.file
            .read_exact_at(&mut table, self.ends_start + from)?;
        let (places, _) = table.as_chunks::<END_BYTES>();
        let mut ends = places.iter().map(|place| u64::from_le_bytes(*place));
        let start = if has_before {
            ends.next().unwrap_or_default()
        } else {
            0
        };
        let last = ends.clone().next_back().unwrap_or(start);
        let mut bytes = vec![0; usize::try_from(last - start).unwrap_or(usize::MAX)];
        self.file
            .read_exact_at(&mut bytes, self.bytes_start + start)?;
        let mut rest = bytes.as_slice();
        let mut before = start;
        for (index, end) in ends.enumerate() {
            let length = usize::try_from(end - before).unwrap_or(usize::MAX);
            let (cell, after) = rest.split_at(length.min(rest.len()));
            visit(index, cell);
            (rest, before) = (after, end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_number_in_runs_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = ColumnStore::new(dir.path());
        let mut first = store.writer().unwrap();
        first.push(b"of another column").unwrap();
        first.finish(&store).unwrap();
        let mut writer = store.writer().unwrap();
        let cells: Vec<Vec<u8>> = (0..10_000_u32)
            .map(|number| vec![b'x'; usize::try_from(number % 7).unwrap()])
            .collect();
        for cell in &cells {
            writer.push(cell).unwrap();
        }
        let column = writer.finish(&store).unwrap();
        assert_eq!(column.count(), 10_000);
        for numbers in [
            (0..10_000).collect::<Vec<u64>>(),
            vec![0, 2, 3, 4, 9_998, 9_999],
            vec![5],
            Vec::new(),
        ] {
            let mut found = Vec::new();
            column
                .for_each(&numbers, |index, cell| {
                    assert_eq!(cell, cells[usize::try_from(numbers[index]).unwrap()]);
                    found.push(index);
                })
                .unwrap();
            assert_eq!(found, (0..numbers.len()).collect::<Vec<_>>());
        }
    }
}
