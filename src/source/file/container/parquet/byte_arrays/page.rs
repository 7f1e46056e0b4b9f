//! One page of byte arrays, plain or out of a dictionary.

use std::ops::Range;

use ::parquet::basic::Encoding;
use ::parquet::column::page::Page;
use ::parquet::errors::ParquetError;
use bytes::Bytes;

use crate::source::file::container::parquet::byte_arrays::hybrid::{Hybrid, ends_early};

/// Bytes that say how long the value behind them is.
const LENGTH_BYTES: usize = 4;

/// What stands in a place of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Null,
    Value(&'a [u8]),
    /// The value at a place of the dictionary.
    Entry(usize),
}

/// The values of a page that are still to be read.
#[derive(Debug)]
pub(super) struct DataPage {
    bytes: Bytes,
    /// Where there are values; nothing where all are.
    levels: Option<Hybrid>,
    values: Values,
    /// Values and nulls.
    left: usize,
}

#[derive(Debug)]
enum Values {
    /// Where the next is.
    Plain(usize),
    Entries(Hybrid),
}

/// Where in a page everything is.
struct Layout {
    bytes: Bytes,
    count: u32,
    encoding: Encoding,
    /// Nothing where no level is stored.
    levels: Option<Range<usize>>,
    values_start: usize,
}

impl DataPage {
    /// Takes a page apart; nothing where it is stored in another way than this knows.
    pub(super) fn new(page: &Page, is_optional: bool) -> Result<Option<Self>, ParquetError> {
        let Some(layout) = Layout::of(page, is_optional)? else {
            return Ok(None);
        };
        let bytes = layout.bytes;
        let part = |range: Range<usize>| {
            let is_there = range.start <= range.end && range.end <= bytes.len();
            is_there.then(|| bytes.slice(range)).ok_or_else(ends_early)
        };
        let values = part(layout.values_start..bytes.len())?;
        let levels = layout.levels.map(|levels| Hybrid::new(part(levels)?, 1));
        Ok(Some(Self {
            levels: levels.transpose()?,
            values: if layout.encoding == Encoding::PLAIN {
                Values::Plain(0)
            } else {
                let width = values.first().copied().ok_or_else(ends_early)?;
                Values::Entries(Hybrid::new(values.slice(1..), width)?)
            },
            bytes: values,
            left: usize::try_from(layout.count).unwrap_or(usize::MAX),
        }))
    }

    /// Returns how many values and nulls are still to be read.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Hands on `count` values and nulls, or as many as are left.
    pub(super) fn read(
        &mut self,
        count: usize,
        mut take: impl FnMut(Cell<'_>) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        let mut to_read = count.min(self.left);
        while to_read > 0 {
            let (is_there, count) = self.next_level(to_read)?;
            if is_there {
                self.values.read(&self.bytes, count, &mut take)?;
            } else {
                (0..count).try_for_each(|_| take(Cell::Null))?;
            }
            to_read -= count;
            self.left -= count;
        }
        Ok(())
    }

    /// Goes past `count` values and nulls, or as many as are left.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), ParquetError> {
        if count >= self.left {
            self.left = 0;
            return Ok(());
        }
        let mut to_skip = count;
        while to_skip > 0 {
            let (is_there, count) = self.next_level(to_skip)?;
            if is_there {
                self.values.skip(&self.bytes, count)?;
            }
            to_skip -= count;
            self.left -= count;
        }
        Ok(())
    }

    /// Returns whether there are values next, and how many values or nulls there are.
    fn next_level(&mut self, most: usize) -> Result<(bool, usize), ParquetError> {
        match &mut self.levels {
            None => Ok((true, most)),
            Some(levels) => {
                let (level, count) = levels.take(most)?.ok_or_else(ends_early)?;
                Ok((level == 1, count))
            }
        }
    }
}

impl Values {
    fn read(
        &mut self,
        bytes: &[u8],
        count: usize,
        take: &mut impl FnMut(Cell<'_>) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        match self {
            Self::Plain(at) => (0..count).try_for_each(|_| {
                let value = plain_at(bytes, *at).ok_or_else(ends_early)?;
                *at += LENGTH_BYTES + value.len();
                take(Cell::Value(value))
            }),
            Self::Entries(entries) => {
                let mut to_read = count;
                while to_read > 0 {
                    let (entry, count) = entries.take(to_read)?.ok_or_else(ends_early)?;
                    (0..count).try_for_each(|_| take(Cell::Entry(entry)))?;
                    to_read -= count;
                }
                Ok(())
            }
        }
    }

    fn skip(&mut self, bytes: &[u8], count: usize) -> Result<(), ParquetError> {
        match self {
            Self::Plain(at) => (0..count).try_for_each(|_| {
                let value = plain_at(bytes, *at).ok_or_else(ends_early)?;
                *at += LENGTH_BYTES + value.len();
                Ok(())
            }),
            Self::Entries(entries) => entries.skip(count),
        }
    }
}

/// Returns the plain value at a place.
#[inline]
pub(super) fn plain_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk()?;
    rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

impl Layout {
    fn of(page: &Page, is_optional: bool) -> Result<Option<Self>, ParquetError> {
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let layout = match page {
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                ..
            } => {
                if is_optional && *def_level_encoding != Encoding::RLE {
                    return Ok(None);
                }
                let length = || buf.first_chunk().copied().ok_or_else(ends_early);
                let levels = is_optional
                    .then(|| Ok::<_, ParquetError>(u32::from_le_bytes(length()?)))
                    .transpose()?
                    .map(|length| LENGTH_BYTES..LENGTH_BYTES.saturating_add(size(length)));
                Self {
                    bytes: buf.clone(),
                    count: *num_values,
                    encoding: *encoding,
                    values_start: levels.as_ref().map_or(0, |levels| levels.end),
                    levels,
                }
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let start = size(*rep_levels_byte_len);
                let end = start.saturating_add(size(*def_levels_byte_len));
                Self {
                    bytes: buf.clone(),
                    count: *num_values,
                    encoding: *encoding,
                    levels: is_optional.then_some(start..end),
                    values_start: end,
                }
            }
            Page::DictionaryPage { .. } => return Ok(None),
        };
        let is_known = matches!(
            layout.encoding,
            Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
        );
        Ok(is_known.then_some(layout))
    }
}
