//! A file as the Parquet decoder reads it: by place, and no further than it went when opened.

use std::fs::File;
use std::io;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use crate::source::file::revisit::read_at;
use crate::source::file::unpack::length_u64;

/// A file of frozen length.
pub(super) struct PlacedFile {
    pub(super) file: Arc<File>,
    pub(super) length: u64,
}

/// Reads on from one place.
pub(super) struct PlacedReader {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl Length for PlacedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for PlacedFile {
    type T = BufReader<PlacedReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(PlacedReader {
            file: Arc::clone(&self.file),
            position: start,
            end: self.length,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length_u64(length));
        if end.is_none_or(|end| end > self.length) {
            let what = format!("it points to {length} bytes at {start}, behind its end");
            return Err(ParquetError::EOF(what));
        }
        let mut bytes = vec![0; length];
        let count = read_at(&self.file, &mut bytes, start)?;
        if count < length {
            return Err(ParquetError::EOF(
                "the file shrank while it was read".to_owned(),
            ));
        }
        Ok(bytes.into())
    }
}

impl Read for PlacedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let room = buffer.get_mut(..length).unwrap_or_default();
        let count = self.file.read_at(room, self.position)?;
        self.position += length_u64(count);
        Ok(count)
    }
}
