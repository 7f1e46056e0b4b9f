//! One unlinked file of runs, each a row of checksummed blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::stored_len;

/// A block is written once its items reach this size; an item is never divided.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// Length and checksum before the items of a block.
const HEADER_BYTES: usize = 12;

/// Why sorted data could not be kept on disk or read back.
#[derive(Debug, Error)]
pub enum SpillError {
    /// No file could be made.
    #[error("cannot make a temporary file in {}: {source}", .dir.display())]
    Create {
        /// Where.
        dir: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A block could not be written.
    #[error(
        "cannot write {bytes} bytes to a temporary file in {} that holds {held} bytes: {source}",
        .dir.display()
    )]
    Write {
        /// Where the file was made.
        dir: PathBuf,
        /// Size of the block.
        bytes: u64,
        /// Bytes already in the file.
        held: u64,
        /// What the operating system says.
        source: io::Error,
    },
    /// A block could not be read back.
    #[error("cannot read run {run}, block {block} of a temporary file in {}: {source}",
        .dir.display())]
    Read {
        /// Where the file was made.
        dir: PathBuf,
        /// Number of the run in the file, from 0.
        run: u64,
        /// Number of the block in the run, from 0.
        block: u64,
        /// What the operating system says.
        source: io::Error,
    },
    /// A block read back is not what was written.
    #[error("run {run}, block {block} of a temporary file in {} is damaged: the disk did not \
        give back what was written", .dir.display())]
    Damaged {
        /// Where the file was made.
        dir: PathBuf,
        /// Number of the run in the file, from 0.
        run: u64,
        /// Number of the block in the run, from 0.
        block: u64,
    },
}

impl From<SpillError> for io::Error {
    fn from(error: SpillError) -> Self {
        let kind = match &error {
            SpillError::Create { source, .. }
            | SpillError::Write { source, .. }
            | SpillError::Read { source, .. } => source.kind(),
            SpillError::Damaged { .. } => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// A file without a name: it is gone when it is closed, however the process ends.
#[derive(Debug)]
pub struct SpillFile {
    file: File,
    dir: PathBuf,
    held: u64,
    runs: u64,
    /// The block being written, its header first; kept for the next run.
    block: Vec<u8>,
}

/// Where one run lies in its file.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    number: u64,
    start: u64,
    end: u64,
    largest_block: u64,
}

impl Run {
    /// Returns the memory that reading the run takes.
    pub fn buffer_bytes(&self) -> u64 {
        self.largest_block
    }
}

impl SpillFile {
    /// Makes an empty file in `dir`.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(dir).map_err(|source| SpillError::Create {
            dir: dir.to_owned(),
            source,
        })?;
        Ok(Self {
            file,
            dir: dir.to_owned(),
            held: 0,
            runs: 0,
            block: Vec::new(),
        })
    }

    /// Returns the bytes written so far.
    pub fn held_bytes(&self) -> u64 {
        self.held
    }

    /// Begins a new run at the end of the file.
    pub fn begin_run(&mut self) -> RunWriter<'_> {
        let number = self.runs;
        self.runs += 1;
        let start = self.held;
        self.block.clear();
        RunWriter {
            file: self,
            blocks: 0,
            run: Run {
                number,
                start,
                end: start,
                largest_block: 0,
            },
        }
    }

    fn write_block(&mut self, run: u64, number: u64) -> io::Result<u64> {
        let bytes = stored_len(self.block.len());
        let error = |source| SpillError::Write {
            dir: self.dir.clone(),
            bytes,
            held: self.held,
            source,
        };
        let (header, items) = self.block.split_at_mut(HEADER_BYTES);
        let length =
            u32::try_from(items.len()).map_err(|_| error(io::ErrorKind::FileTooLarge.into()))?;
        let (length_field, checksum_field) = header.split_at_mut(4);
        length_field.copy_from_slice(&length.to_le_bytes());
        checksum_field.copy_from_slice(&checksum(items, run, number).to_le_bytes());
        self.file
            .write_all_at(&self.block, self.held)
            .map_err(error)?;
        self.held += bytes;
        self.block.clear();
        self.block.shrink_to(2 * BLOCK_BYTES);
        Ok(bytes)
    }
}

/// Binds the items of a block to its place, so that a block read from elsewhere is noticed.
fn checksum(items: &[u8], run: u64, block: u64) -> u64 {
    xxh3_64_with_seed(items, run.rotate_left(32) ^ block)
}

/// Writes the items of one run.
#[derive(Debug)]
pub struct RunWriter<'a> {
    file: &'a mut SpillFile,
    blocks: u64,
    run: Run,
}

impl RunWriter<'_> {
    /// Adds an item of `length` bytes, to be filled in by the caller.
    pub fn item(&mut self, length: usize) -> io::Result<&mut [u8]> {
        if self.file.block.len() >= BLOCK_BYTES {
            self.end_block()?;
        }
        let block = &mut self.file.block;
        if block.is_empty() {
            block.resize(HEADER_BYTES, 0);
        }
        let start = block.len();
        block.try_reserve(length)?;
        block.resize(start + length, 0);
        Ok(block.split_at_mut(start).1)
    }

    /// Writes what is left and returns where the run lies.
    pub fn finish(mut self) -> io::Result<Run> {
        if !self.file.block.is_empty() {
            self.end_block()?;
        }
        Ok(self.run)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let bytes = self.file.write_block(self.run.number, self.blocks)?;
        self.blocks += 1;
        self.run.end += bytes;
        self.run.largest_block = self.run.largest_block.max(bytes);
        Ok(())
    }
}

/// Reads one run, block by block.
#[derive(Debug)]
pub struct RunReader {
    run: Run,
    place: u64,
    blocks: u64,
    items: Vec<u8>,
}

impl RunReader {
    /// Returns a reader at the start of the run.
    pub fn new(run: Run) -> Self {
        Self {
            run,
            place: run.start,
            blocks: 0,
            items: Vec::new(),
        }
    }

    /// Returns the items of the block read last.
    pub fn items(&self) -> &[u8] {
        &self.items
    }

    /// Reads the next block of the run from its file; false at the end.
    pub fn next_block(&mut self, file: &SpillFile) -> io::Result<bool> {
        self.items.clear();
        let left = self.run.end.saturating_sub(self.place);
        if left == 0 {
            self.items = Vec::new();
            return Ok(false);
        }
        let mut header = [0; HEADER_BYTES];
        self.read_at(file, &mut header, self.place)?;
        let (length, sum) = split_header(header);
        let items_start = self.place + stored_len(HEADER_BYTES);
        let block_bytes = stored_len(HEADER_BYTES) + u64::from(length);
        let length = usize::try_from(length)
            .ok()
            .filter(|_| block_bytes <= left)
            .ok_or_else(|| self.damaged(file))?;
        let mut items = std::mem::take(&mut self.items);
        items.try_reserve_exact(length)?;
        items.resize(length, 0);
        self.read_at(file, &mut items, items_start)?;
        if checksum(&items, self.run.number, self.blocks) != sum {
            return Err(self.damaged(file).into());
        }
        self.items = items;
        self.place += block_bytes;
        self.blocks += 1;
        Ok(true)
    }

    fn read_at(&self, file: &SpillFile, buffer: &mut [u8], place: u64) -> io::Result<()> {
        file.file.read_exact_at(buffer, place).map_err(|source| {
            SpillError::Read {
                dir: file.dir.clone(),
                run: self.run.number,
                block: self.blocks,
                source,
            }
            .into()
        })
    }

    fn damaged(&self, file: &SpillFile) -> SpillError {
        SpillError::Damaged {
            dir: file.dir.clone(),
            run: self.run.number,
            block: self.blocks,
        }
    }
}

fn split_header(header: [u8; HEADER_BYTES]) -> (u32, u64) {
    let [a, b, c, d, checksum @ ..] = header;
    (
        u32::from_le_bytes([a, b, c, d]),
        u64::from_le_bytes(checksum),
    )
}

#[cfg(test)]
impl SpillFile {
    /// Flips one bit, as a bad disk would.
    pub(crate) fn flip_bit(&self, place: u64) {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, place).unwrap();
        byte[0] ^= 1;
        self.file.write_all_at(&byte, place).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_runs(dir: &Path) -> (SpillFile, Run, Run) {
        let mut file = SpillFile::create(dir).unwrap();
        let mut runs = Vec::new();
        for fill in [1, 2] {
            let mut writer = file.begin_run();
            for _ in 0..3 {
                writer.item(BLOCK_BYTES).unwrap().fill(fill);
            }
            runs.push(writer.finish().unwrap());
        }
        (file, runs[0], runs[1])
    }

    #[test]
    fn runs_come_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let (file, first, second) = two_runs(dir.path());
        for (run, fill) in [(first, 1), (second, 2)] {
            let mut reader = RunReader::new(run);
            let mut bytes = 0;
            while reader.next_block(&file).unwrap() {
                assert!(reader.items().iter().all(|&byte| byte == fill));
                bytes += reader.items().len();
            }
            assert_eq!(bytes, 3 * BLOCK_BYTES);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed_with_run_and_block() {
        let dir = tempfile::tempdir().unwrap();
        let (file, first, second) = two_runs(dir.path());
        let second_block = second.start + first.largest_block;
        for place in 0..u64::try_from(HEADER_BYTES).unwrap() + 5 {
            file.flip_bit(second_block + place);
            let mut reader = RunReader::new(second);
            assert!(reader.next_block(&file).unwrap());
            let error = reader.next_block(&file).unwrap_err().to_string();
            assert!(
                error.starts_with("run 1, block 1 of a temporary file"),
                "{error}"
            );
            file.flip_bit(second_block + place);
        }
    }

    #[test]
    fn nothing_is_left_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (_file, _, _) = two_runs(dir.path());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = SpillFile::create(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn a_full_disk_is_named_with_its_bytes() {
        let file = File::options()
            .read(true)
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut file = SpillFile {
            file,
            dir: PathBuf::from("/spill"),
            held: 0,
            runs: 0,
            block: Vec::new(),
        };
        let mut writer = file.begin_run();
        writer.item(100).unwrap();
        let error = writer.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(
            error.to_string().starts_with("cannot write 112 bytes"),
            "{error}"
        );
        assert!(error.to_string().contains("/spill"), "{error}");
    }
}
