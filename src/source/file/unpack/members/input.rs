//! The stored bytes of a file from one place on, in pieces that depend on that place alone.

use std::fs::File;
use std::io;
use std::io::{BufRead, Read};
use std::sync::Arc;

use crate::source::file::revisit::read_at;
use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::stored::{Fault, shrunk, unreadable};

/// Bytes read at a time: first few, as a member may be short, and then more and more.
const BUFFER_BYTES_MIN: usize = 8 * 1024;
const BUFFER_BYTES_MAX: usize = 128 * 1024;

/// A compressed file of frozen length.
#[derive(Clone, Debug)]
pub(crate) struct PlacedFile {
    pub(crate) file: Arc<File>,
    pub(crate) length: u64,
}

/// Reads on from one place.
pub(super) struct PlacedInput {
    file: PlacedFile,
    buffer: Vec<u8>,
    taken: usize,
    /// Where the buffer ends.
    buffer_end: u64,
    /// What ended the reading early.
    pub(super) fault: Option<Fault>,
}

impl PlacedInput {
    /// Starts at `place`.
    pub(super) fn new(file: &PlacedFile, place: u64) -> Self {
        Self {
            file: file.clone(),
            buffer: Vec::new(),
            taken: 0,
            buffer_end: place,
            fault: None,
        }
    }

    /// Returns where the next byte is.
    pub(super) fn place(&self) -> u64 {
        self.buffer_end - length_u64(self.buffer.len() - self.taken)
    }

    fn refill(&mut self) -> io::Result<()> {
        let left = self.file.length.saturating_sub(self.buffer_end);
        let wanted = (self.buffer.len() * 2).clamp(BUFFER_BYTES_MIN, BUFFER_BYTES_MAX);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(wanted);
        self.buffer.resize(length, 0);
        self.taken = 0;
        let read = read_at(&self.file.file, &mut self.buffer, self.buffer_end);
        self.buffer.truncate(*read.as_ref().unwrap_or(&0));
        self.buffer_end += length_u64(self.buffer.len());
        let fault = match read {
            Err(error) => unreadable(self.buffer_end, &error),
            Ok(0) if length > 0 => shrunk(self.file.length, self.buffer_end),
            Ok(_) => return Ok(()),
        };
        self.fault.get_or_insert(fault);
        Err(io::Error::other("the stored bytes end early"))
    }
}

impl BufRead for PlacedInput {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.buffer.len() {
            self.refill()?;
        }
        Ok(self.buffer.get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.taken = self.buffer.len().min(self.taken + count);
    }
}

impl Read for PlacedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
