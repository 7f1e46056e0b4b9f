//! The values of a column of byte arrays, written as JSON from where the page has them.
//!
//! The decoder of the library counts references of each value; here only pages are counted.
//! What is stored in rarer ways is left to it.

mod dictionary;
mod hybrid;
mod page;
mod pages;

use std::mem;

use ::parquet::basic::Encoding;
use ::parquet::column::page::{Page, PageReader};
use ::parquet::column::reader::get_column_reader;
use ::parquet::data_type::ByteArray;
use ::parquet::errors::ParquetError;
use ::parquet::record::Field;
use ::parquet::schema::types::{ColumnDescPtr, TypePtr};

use crate::source::file::container::parquet::byte_arrays::dictionary::Dictionary;
use crate::source::file::container::parquet::byte_arrays::page::{Cell, DataPage};
use crate::source::file::container::parquet::byte_arrays::pages::Pages;
use crate::source::file::container::parquet::cells::{Cells, Texts, of_column};
use crate::source::file::container::parquet::row_json::{is_text, push_field};
use crate::typed_value::json_value::push_string;

/// The values of a column that is a field by itself.
pub(super) struct ByteArrayCells {
    pages: Pages,
    writer: Writer,
    /// As it was read, for who may come after.
    dictionary_page: Option<Page>,
    dictionary: Dictionary,
    page: Option<DataPage>,
    /// What reads the rest.
    other: Option<Box<dyn Cells>>,
}

/// Writes values as JSON.
struct Writer {
    of: ColumnDescPtr,
    field: TypePtr,
    is_text: bool,
}

impl ByteArrayCells {
    /// Starts before the first page of a column.
    pub(super) fn new(pages: Box<dyn PageReader>, of: ColumnDescPtr) -> Self {
        Self {
            pages: Pages::new(pages),
            writer: Writer {
                field: of.self_type_ptr(),
                is_text: is_text(&of),
                of,
            },
            dictionary_page: None,
            dictionary: Dictionary::default(),
            page: None,
            other: None,
        }
    }

    /// Goes on with the next page of values; returns false at the end.
    fn next_page(&mut self) -> Result<bool, ParquetError> {
        while let Some(page) = self.pages.get_next_page()? {
            let is_optional = self.writer.of.max_def_level() > 0;
            if page.is_dictionary_page() && self.dictionary_page.is_none() {
                self.take_dictionary(page)?;
            } else if let Some(page) = DataPage::new(&page, is_optional)? {
                self.page = Some(page);
                return Ok(true);
            } else {
                self.hand_over(page);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take_dictionary(&mut self, page: Page) -> Result<(), ParquetError> {
        let is_plain = matches!(
            page.encoding(),
            Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
        );
        if is_plain {
            self.dictionary = Dictionary::new(page.buffer().clone(), page.num_values())?;
        }
        self.dictionary_page = Some(page);
        Ok(())
    }

    /// Leaves a page and those behind it to the library.
    fn hand_over(&mut self, page: Page) {
        let mut pages = mem::take(&mut self.pages);
        if let Some(dictionary) = self.dictionary_page.take() {
            pages.put_back(dictionary);
        }
        pages.put_back(page);
        let of = self.writer.of.clone();
        let reader = get_column_reader(of.clone(), Box::new(pages));
        self.other = Some(of_column(reader, of));
    }

    /// Goes past the next page if it has at most `most` values; returns how many it has.
    fn skip_page(&mut self, most: usize) -> Result<usize, ParquetError> {
        let Some(next) = self.pages.peek_next_page()? else {
            return Ok(0);
        };
        let count = next.num_rows.or(next.num_levels).unwrap_or_default();
        if next.is_dict || count > most {
            return Ok(0);
        }
        self.pages.skip_next_page()?;
        Ok(count)
    }
}

impl Cells for ByteArrayCells {
    fn read(&mut self, count: usize, texts: &mut Texts) -> Result<(), ParquetError> {
        let mut to_read = count;
        while to_read > 0 {
            if let Some(other) = &mut self.other {
                return other.read(to_read, texts);
            }
            let Some(page) = self.page.as_mut().filter(|page| page.left() > 0) else {
                if !self.next_page()? {
                    break;
                }
                continue;
            };
            let count = to_read.min(page.left());
            self.writer
                .read(page, count, (&mut self.dictionary, texts))?;
            to_read -= count;
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ParquetError> {
        let mut to_skip = count;
        while to_skip > 0 {
            if let Some(other) = &mut self.other {
                return other.skip(to_skip);
            }
            if let Some(page) = self.page.as_mut().filter(|page| page.left() > 0) {
                let count = to_skip.min(page.left());
                page.skip(count)?;
                to_skip -= count;
                continue;
            }
            let skipped = self.skip_page(to_skip)?;
            if skipped == 0 && !self.next_page()? {
                break;
            }
            to_skip -= skipped;
        }
        Ok(())
    }
}

impl Writer {
    /// Writes values of a page.
    fn read(
        &self,
        page: &mut DataPage,
        count: usize,
        (dictionary, texts): (&mut Dictionary, &mut Texts),
    ) -> Result<(), ParquetError> {
        let first = texts.count();
        let read = page.read(count, |cell| {
            texts.push(|out| match cell {
                Cell::Null => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
                Cell::Value(value) => self.push(out, value),
                Cell::Entry(place) => {
                    let text = dictionary.text(place, |out, value| self.push(out, value))?;
                    out.extend_from_slice(text);
                    Ok(())
                }
            })
        });
        if self.is_text {
            texts.check_utf8(first)?;
        }
        read
    }

    /// Whether text is UTF-8 is checked later, of many values in one go.
    fn push(&self, out: &mut Vec<u8>, value: &[u8]) -> Result<(), ParquetError> {
        if self.is_text {
            push_string(out, value);
            return Ok(());
        }
        let value = ByteArray::from(value.to_vec());
        let value = Field::convert_byte_array(&self.of, value)?;
        push_field(out, &value, Some(&self.field));
        Ok(())
    }
}
