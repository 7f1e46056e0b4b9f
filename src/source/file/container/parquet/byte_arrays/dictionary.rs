//! The dictionary of a column of byte arrays, each of whose values is written as JSON once.

use std::ops::Range;

use ::parquet::errors::ParquetError;
use bytes::Bytes;

use crate::source::file::container::parquet::byte_arrays::hybrid::ends_early;
use crate::source::file::container::parquet::byte_arrays::page::plain_at;

/// Values, and the texts of those that were asked for.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    bytes: Bytes,
    entries: Vec<Entry>,
    texts: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    start: usize,
    /// Empty until it is asked for.
    text: Range<usize>,
}

impl Dictionary {
    /// Finds `count` plain values.
    pub(super) fn new(bytes: Bytes, count: u32) -> Result<Self, ParquetError> {
        let mut entries = Vec::new();
        let mut start = 0;
        for _ in 0..count {
            let value = plain_at(&bytes, start).ok_or_else(ends_early)?;
            let end = start + size_of::<u32>() + value.len();
            let text = 0..0;
            entries.push(Entry { start, text });
            start = end;
        }
        Ok(Self {
            bytes,
            entries,
            texts: Vec::new(),
        })
    }

    /// Returns the text of the value at a place, which `write` makes.
    pub(super) fn text(
        &mut self,
        place: usize,
        write: impl FnOnce(&mut Vec<u8>, &[u8]) -> Result<(), ParquetError>,
    ) -> Result<&[u8], ParquetError> {
        let entry = self.entries.get_mut(place).ok_or_else(|| {
            ParquetError::General(format!("there is no value {place} in its dictionary"))
        })?;
        if entry.text.is_empty() {
            let value = plain_at(&self.bytes, entry.start).unwrap_or_default();
            let start = self.texts.len();
            write(&mut self.texts, value).inspect_err(|_| self.texts.truncate(start))?;
            entry.text = start..self.texts.len();
        }
        Ok(self.texts.get(entry.text.clone()).unwrap_or_default())
    }
}
