//! One file of entries in order, in checksummed blocks, written once.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::StateError;
use super::disk::StateDir;
use super::entry::Entry;
use super::manifest::RunFile;
use crate::sorted_run::FixedRecord;

/// Entries of a block.
const BLOCK_ENTRIES: usize = 1456;

/// Length and checksum before the entries of a block.
const HEADER_BYTES: usize = 12;

/// Returns the name of a run's file.
pub(super) fn name_of(number: u64) -> String {
    format!("{number:08}.run")
}

/// Binds a block to its place, so that a block read from elsewhere is noticed.
fn checksum(entries: &[u8], run: u64, block: u64) -> u64 {
    xxh3_64_with_seed(entries, run.rotate_left(32) ^ block)
}

/// Writes the entries of one run, which come in order.
pub(super) struct RunFileWriter<'a> {
    dir: &'a StateDir,
    file: File,
    block: Vec<u8>,
    blocks: u64,
    run: RunFile,
}

impl<'a> RunFileWriter<'a> {
    /// Creates the file of a run.
    pub(super) fn create(dir: &'a StateDir, number: u64) -> io::Result<Self> {
        Ok(Self {
            file: dir.create(&name_of(number))?,
            dir,
            block: vec![0; HEADER_BYTES],
            blocks: 0,
            run: RunFile {
                number,
                entries: 0,
                bytes: 0,
                first_read_millis: i64::MAX,
                last_read_millis: i64::MIN,
            },
        })
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: Entry) -> io::Result<()> {
        let start = self.block.len();
        self.block.resize(start + Entry::BYTES, 0);
        entry.write(self.block.split_at_mut(start).1);
        self.run.entries += 1;
        self.run.first_read_millis = self.run.first_read_millis.min(entry.read_millis);
        self.run.last_read_millis = self.run.last_read_millis.max(entry.read_millis);
        if self.block.len() >= HEADER_BYTES + BLOCK_ENTRIES * Entry::BYTES {
            self.end_block()?;
        }
        Ok(())
    }

    /// Has all on disk and returns what the manifest says of it.
    pub(super) fn finish(mut self) -> io::Result<RunFile> {
        if self.block.len() > HEADER_BYTES {
            self.end_block()?;
        }
        self.dir.sync(&self.file)?;
        Ok(self.run)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let (header, entries) = self.block.split_at_mut(HEADER_BYTES);
        let length = u32::try_from(entries.len()).expect("a block is small");
        let (length_field, checksum_field) = header.split_at_mut(4);
        length_field.copy_from_slice(&length.to_le_bytes());
        let sum = checksum(entries, self.run.number, self.blocks);
        checksum_field.copy_from_slice(&sum.to_le_bytes());
        self.dir.write(&mut self.file, &self.block)?;
        self.run.bytes += u64::try_from(self.block.len()).unwrap_or(u64::MAX);
        self.blocks += 1;
        self.block.truncate(HEADER_BYTES);
        Ok(())
    }
}

/// Reads the entries of one run in order; an error ends them.
pub(super) struct RunFileReader {
    dir: std::path::PathBuf,
    run: RunFile,
    file: BufReader<File>,
    left_bytes: u64,
    left_entries: u64,
    blocks: u64,
    block: Vec<u8>,
    next: usize,
}

impl RunFileReader {
    /// Opens the file of a run.
    pub(super) fn open(dir: &Path, run: &RunFile) -> Result<Self, StateError> {
        let damaged = |what: String| StateError::Damaged {
            dir: dir.to_owned(),
            file: name_of(run.number),
            what,
        };
        let file = File::open(dir.join(name_of(run.number)))
            .map_err(|error| damaged(error.to_string()))?;
        let length = file
            .metadata()
            .map_err(|error| damaged(error.to_string()))?
            .len();
        if length != run.bytes {
            return Err(damaged(format!(
                "it has {length} bytes instead of {}",
                run.bytes
            )));
        }
        Ok(Self {
            dir: dir.to_owned(),
            file: BufReader::with_capacity(1 << 16, file),
            left_bytes: run.bytes,
            left_entries: run.entries,
            run: run.clone(),
            blocks: 0,
            block: Vec::new(),
            next: 0,
        })
    }

    fn damaged(&self, what: &str) -> StateError {
        StateError::Damaged {
            dir: self.dir.clone(),
            file: name_of(self.run.number),
            what: format!("block {}: {what}", self.blocks),
        }
    }

    fn next_block(&mut self) -> Result<bool, StateError> {
        if self.left_bytes == 0 {
            return if self.left_entries == 0 {
                Ok(false)
            } else {
                Err(self.damaged("entries are missing"))
            };
        }
        let mut header = [0; HEADER_BYTES];
        let read = self.file.read_exact(&mut header);
        read.map_err(|error| self.damaged(&error.to_string()))?;
        let [a, b, c, d, sum @ ..] = header;
        let length = u32::from_le_bytes([a, b, c, d]);
        let taken = u64::from(length) + 12;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if taken > self.left_bytes || length > BLOCK_ENTRIES * Entry::BYTES {
            return Err(self.damaged("its length cannot be"));
        }
        self.block.resize(length, 0);
        let read = self.file.read_exact(&mut self.block);
        read.map_err(|error| self.damaged(&error.to_string()))?;
        if checksum(&self.block, self.run.number, self.blocks) != u64::from_le_bytes(sum) {
            return Err(self.damaged("its checksum does not fit"));
        }
        self.left_bytes -= taken;
        self.blocks += 1;
        self.next = 0;
        Ok(true)
    }

    fn take(&mut self) -> Result<Option<Entry>, StateError> {
        if self.next >= self.block.len() && !self.next_block()? {
            return Ok(None);
        }
        let end = self.next + Entry::BYTES;
        let entry = self.block.get(self.next..end).map(Entry::read);
        let entry = entry.ok_or_else(|| self.damaged("it ends within an entry"))?;
        self.next = end;
        self.left_entries = self.left_entries.saturating_sub(1);
        Ok(Some(entry))
    }
}

impl Iterator for RunFileReader {
    type Item = Result<Entry, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.take();
        if taken.is_err() {
            (self.left_bytes, self.left_entries) = (0, 0);
            self.block.clear();
            self.next = 0;
        }
        taken.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::finding::Fingerprint;

    fn entry(number: u64) -> Entry {
        Entry {
            fingerprint: Fingerprint([number, 0]),
            is_reversal: false,
            timestamp_millis: 5,
            place: 1,
            position: number,
            read_millis: 9,
        }
    }

    fn written(dir: &StateDir, count: u64) -> RunFile {
        let mut writer = RunFileWriter::create(dir, 7).unwrap();
        (0..count).for_each(|number| writer.add(entry(number)).unwrap());
        writer.finish().unwrap()
    }

    fn read(dir: &StateDir, run: &RunFile) -> Result<Vec<Entry>, StateError> {
        RunFileReader::open(&dir.path, run)?.collect()
    }

    #[test]
    fn entries_come_back_as_written() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::new(root.path());
        for count in [0, 1, 1455, 1456, 1457, 5000] {
            let run = written(&dir, count);
            assert_eq!(run.entries, count);
            let entries = read(&dir, &run).unwrap();
            assert_eq!(entries, (0..count).map(entry).collect::<Vec<_>>());
        }
    }

    #[test]
    fn damage_is_told_with_file_and_block() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::new(root.path());
        let run = written(&dir, 2000);
        let path = root.path().join(name_of(7));
        let whole = fs::read(&path).unwrap();
        for place in [0, 4, 11, 12, 500, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[place] ^= 4;
            fs::write(&path, damaged).unwrap();
            let error = read(&dir, &run).unwrap_err().to_string();
            assert!(error.contains("is damaged: 00000007.run: block"), "{error}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let error = read(&dir, &run).unwrap_err().to_string();
        assert!(error.contains("bytes instead of"), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(read(&dir, &run).is_err());
    }
}
