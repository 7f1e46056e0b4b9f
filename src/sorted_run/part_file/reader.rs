//! Reads files of items.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::{BLOCK_BYTES_MAX, END_BYTES, HEADER_BYTES, LENGTH_BYTES, SUM_BYTES};
use super::{NO_TALLY, PartError, PartHeader, PartKind, Tally, checksum, failure, take};
use crate::sorted_run::fixed::FixedRecord;
use crate::sorted_run::stored_len;

/// A sort key and its payload.
pub type Blob<'a> = (&'a [u8], &'a [u8]);

/// Reads one file, block by block.
#[derive(Debug)]
pub struct PartReader {
    path: PathBuf,
    header: PartHeader,
    file: BufReader<File>,
    block: Vec<u8>,
    next: usize,
    blocks: u64,
    items: u64,
    tally: Tally,
    is_over: bool,
}

impl PartReader {
    /// Opens a file of items of this kind.
    pub fn open(path: &Path, kind: PartKind) -> Result<Self, PartError> {
        let file = File::open(path).map_err(|error| failure("open", path, error))?;
        let mut file = BufReader::new(file);
        let mut bytes = [0; HEADER_BYTES];
        file.read_exact(&mut bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                let path = path.to_owned();
                let wanted = kind.name();
                return PartError::Foreign { path, wanted };
            }
            failure("read", path, error)
        })?;
        Ok(Self {
            header: PartHeader::read(&bytes, path, kind)?,
            path: path.to_owned(),
            file,
            block: Vec::new(),
            next: 0,
            blocks: 0,
            items: 0,
            tally: NO_TALLY,
            is_over: false,
        })
    }

    /// Returns what stands at the start of the file.
    pub fn header(&self) -> &PartHeader {
        &self.header
    }

    /// Returns the tally at the end of the file, once all items were read.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the next item of a fixed size.
    pub fn fixed<T: FixedRecord>(&mut self) -> Result<Option<T>, PartError> {
        if !self.has_next()? {
            return Ok(None);
        }
        let start = self.advance(T::BYTES)?;
        Ok(self.block.get(start..self.next).map(T::read))
    }

    /// Returns the next sort key and its payload.
    pub fn blob(&mut self) -> Result<Option<Blob<'_>>, PartError> {
        if !self.has_next()? {
            return Ok(None);
        }
        let lengths = self.advance(2 * LENGTH_BYTES)?;
        let mut rest = self.block.get(lengths..self.next).unwrap_or_default();
        let mut length = || {
            let bytes = take(&mut rest).unwrap_or_default();
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (key_length, payload_length) = (length(), length());
        self.items -= 1;
        let start = self.advance(key_length.saturating_add(payload_length))?;
        let item = self.block.get(start..self.next).unwrap_or_default();
        Ok(item.split_at_checked(key_length))
    }

    /// Steps over some bytes of an item, and returns where they start.
    fn advance(&mut self, bytes: usize) -> Result<usize, PartError> {
        let start = self.next;
        let end = start.saturating_add(bytes);
        if end > self.block.len() {
            return Err(self.damaged("it ends within an item"));
        }
        self.next = end;
        self.items += 1;
        Ok(start)
    }

    fn has_next(&mut self) -> Result<bool, PartError> {
        if self.next < self.block.len() {
            return Ok(true);
        }
        if self.is_over {
            return Ok(false);
        }
        self.next_block()
    }

    fn next_block(&mut self) -> Result<bool, PartError> {
        let mut length = [0; LENGTH_BYTES];
        let mut sum = [0; SUM_BYTES];
        self.get(&mut length)?;
        self.get(&mut sum)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > BLOCK_BYTES_MAX {
            return Err(self.damaged("its length cannot be"));
        }
        let is_end = length == 0;
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        let wanted = if is_end { END_BYTES } else { length };
        // What a damaged length asks for is not allocated before it is there.
        let mut limited = (&mut self.file).take(stored_len(wanted));
        let read = limited.read_to_end(&mut block);
        let read = read.map_err(|error| failure("read", &self.path, error))?;
        if read < wanted {
            return Err(self.cut());
        }
        if checksum(&block, self.header.kind, self.blocks) != u64::from_le_bytes(sum) {
            return Err(self.damaged("its checksum does not fit"));
        }
        (self.block, self.next) = (block, 0);
        if is_end {
            return self.end();
        }
        self.blocks += 1;
        Ok(true)
    }

    fn end(&mut self) -> Result<bool, PartError> {
        let mut rest = self.block.as_slice();
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        let stated = number();
        self.tally = [number(), number()].map(Option::unwrap_or_default);
        self.block.clear();
        self.is_over = true;
        if stated != Some(self.items) {
            return Err(self.damaged("it does not have as many items as it states"));
        }
        let mut more = [0; 1];
        match self.file.read(&mut more) {
            Ok(0) => Ok(false),
            Ok(_) => Err(self.damaged("something follows its end")),
            Err(error) => Err(failure("read", &self.path, error)),
        }
    }

    fn get(&mut self, bytes: &mut [u8]) -> Result<(), PartError> {
        match self.file.read_exact(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.cut()),
            Err(error) => Err(failure("read", &self.path, error)),
        }
    }

    fn cut(&self) -> PartError {
        PartError::Cut {
            path: self.path.clone(),
            items: self.items,
        }
    }

    fn damaged(&self, what: &str) -> PartError {
        PartError::Damaged {
            path: self.path.clone(),
            what: format!("block {}: {what}", self.blocks),
        }
    }
}

/// Items of a fixed size out of one file; an error ends them.
#[derive(Debug)]
pub struct FixedPart<T> {
    reader: Option<PartReader>,
    items: PhantomData<T>,
}

impl<T: FixedRecord> FixedPart<T> {
    /// Returns the items that a reader has not shown yet.
    pub fn new(reader: PartReader) -> Self {
        Self {
            reader: Some(reader),
            items: PhantomData,
        }
    }
}

impl<T: FixedRecord> Iterator for FixedPart<T> {
    type Item = Result<T, PartError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.reader.as_mut()?.fixed().transpose();
        if item.as_ref().is_none_or(Result::is_err) {
            self.reader = None;
        }
        item
    }
}
