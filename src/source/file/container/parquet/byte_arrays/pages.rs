//! Pages of a column, some of which were looked at and put back.

use std::collections::VecDeque;

use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::errors::ParquetError;

/// The pages of a column chunk that are still to be read.
#[derive(Default)]
pub(super) struct Pages {
    put_back: VecDeque<Page>,
    /// Nothing once they were handed on.
    rest: Option<Box<dyn PageReader>>,
}

impl Pages {
    /// Starts before the first page.
    pub(super) fn new(pages: Box<dyn PageReader>) -> Self {
        Self {
            put_back: VecDeque::new(),
            rest: Some(pages),
        }
    }

    /// Has a page be the next one behind those that were put back.
    pub(super) fn put_back(&mut self, page: Page) {
        self.put_back.push_back(page);
    }
}

impl Iterator for Pages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        match (self.put_back.pop_front(), &mut self.rest) {
            (None, Some(rest)) => rest.get_next_page(),
            (page, _) => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        match (self.put_back.front(), &mut self.rest) {
            (None, Some(rest)) => rest.peek_next_page(),
            (page, _) => Ok(page.map(|page| PageMetadata {
                num_rows: None,
                num_levels: usize::try_from(page.num_values()).ok(),
                is_dict: page.is_dictionary_page(),
            })),
        }
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        match (self.put_back.pop_front(), &mut self.rest) {
            (None, Some(rest)) => rest.skip_next_page(),
            _ => Ok(()),
        }
    }
}
