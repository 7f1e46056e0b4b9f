//! Writes files of items.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{BLOCK_BYTES, LENGTH_BYTES, PartError, PartHeader, PartKind, Tally, checksum, failure};
use crate::sorted_run::fixed::FixedRecord;

/// Writes one file; it has its name once it is whole.
#[derive(Debug)]
pub struct PartWriter {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    kind: PartKind,
    block: Vec<u8>,
    blocks: u64,
    items: u64,
}

impl PartWriter {
    /// Begins a file that its owner alone may read: records may be in it.
    pub fn create(path: &Path, header: &PartHeader) -> Result<Self, PartError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.unfinished"));
        let opened = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary);
        let file = opened.map_err(|error| failure("create", &temporary, error))?;
        let mut writer = Self {
            path: path.to_owned(),
            temporary,
            file: BufWriter::new(file),
            kind: header.kind,
            block: Vec::with_capacity(BLOCK_BYTES),
            blocks: 0,
            items: 0,
        };
        writer.put(&header.write())?;
        Ok(writer)
    }

    /// Adds an item of a fixed size.
    pub fn fixed<T: FixedRecord>(&mut self, item: &T) -> Result<(), PartError> {
        let start = self.block.len();
        self.block.resize(start + T::BYTES, 0);
        item.write(self.block.split_at_mut(start).1);
        self.end_item()
    }

    /// Adds a sort key and its payload.
    pub fn blob(&mut self, sort_key: &[u8], payload: &[u8]) -> Result<(), PartError> {
        for bytes in [sort_key, payload] {
            let length = u32::try_from(bytes.len())
                .map_err(|_| failure("write", &self.path, io::ErrorKind::FileTooLarge.into()))?;
            self.block.extend_from_slice(&length.to_le_bytes());
        }
        self.block.extend_from_slice(sort_key);
        self.block.extend_from_slice(payload);
        self.end_item()
    }

    /// Ends the file with the tally, gives it its name, and returns how many items it has.
    pub fn finish(mut self, tally: Tally) -> Result<u64, PartError> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        let mut end = self.items.to_le_bytes().to_vec();
        for number in tally {
            end.extend_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(&end, self.kind, self.blocks);
        self.put(&[0; LENGTH_BYTES])?;
        self.put(&sum.to_le_bytes())?;
        self.put(&end)?;
        let flushed = self.file.flush();
        flushed.map_err(|error| failure("write", &self.path, error))?;
        std::fs::rename(&self.temporary, &self.path)
            .map_err(|error| failure("give its name to", &self.path, error))?;
        Ok(self.items)
    }

    fn end_item(&mut self) -> Result<(), PartError> {
        self.items += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), PartError> {
        let block = std::mem::take(&mut self.block);
        let length = u32::try_from(block.len())
            .map_err(|_| failure("write", &self.path, io::ErrorKind::FileTooLarge.into()))?;
        let sum = checksum(&block, self.kind, self.blocks);
        self.put(&length.to_le_bytes())?;
        self.put(&sum.to_le_bytes())?;
        self.put(&block)?;
        self.blocks += 1;
        self.block = block;
        self.block.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| failure("write", &self.path, error))
    }
}
