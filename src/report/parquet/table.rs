//! Cells become row groups of a Parquet file; no more than one of them is held.

use std::io;
use std::io::Write;
use std::mem;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;

use crate::report::parquet::column::{Cell, Column, ColumnKind, amount};

/// A row group is written once it holds so many rows, or cells of so many bytes.
const GROUP_ROWS: usize = 65_536;
const GROUP_BYTES: usize = 8 << 20;

/// Writes the one table of a file, cell by cell.
pub(super) struct Table<W> {
    output: W,
    /// Writes to memory, from where each row group goes to the output.
    file: Option<SerializedFileWriter<Vec<u8>>>,
    columns: Vec<Column>,
    /// The column of the next cell.
    next_column: usize,
    rows: usize,
    bytes: usize,
    group_rows: usize,
    /// Amounts that are no number of their column.
    pub(super) unfit: u64,
}

impl<W: Write> Table<W> {
    /// Returns a table without columns.
    pub(super) fn new(output: W) -> Self {
        Self {
            output,
            file: None,
            columns: Vec::new(),
            next_column: 0,
            rows: 0,
            bytes: 0,
            group_rows: GROUP_ROWS,
            unfit: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn with_group_rows(mut self, rows: usize) -> Self {
        self.group_rows = rows;
        self
    }

    /// Writes what comes before the rows; `about` is told in the file's metadata.
    pub(super) fn begin(
        &mut self,
        columns: Vec<(String, ColumnKind)>,
        about: Vec<(String, String)>,
    ) -> io::Result<()> {
        let columns = columns.into_iter();
        self.columns = columns
            .map(|(name, kind)| Column::new(name, kind))
            .collect();
        let fields = self.columns.iter().map(Column::schema_type);
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("dupaudit").with_fields(fields);
        let schema = Arc::new(schema.build().map_err(failed)?);
        let about = about.into_iter();
        let about = about.map(|(name, value)| KeyValue::new(name, value));
        let properties = WriterProperties::builder()
            .set_created_by(concat!("dupaudit version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_key_value_metadata(Some(about.collect()))
            .build();
        let file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        self.file = Some(file.map_err(failed)?);
        Ok(())
    }

    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let column = self.columns.get_mut(self.next_column);
        let column = column.ok_or_else(|| io::Error::other("a row has more cells than columns"))?;
        self.bytes += column.push(cell)?;
        self.next_column += 1;
        Ok(())
    }

    /// Writes a text, or null.
    pub(super) fn text(&mut self, text: Option<&str>) -> io::Result<()> {
        self.cell(text.map_or(Cell::Null, Cell::Text))
    }

    /// Writes a number or a time, or null.
    pub(super) fn integer(&mut self, number: Option<i64>) -> io::Result<()> {
        self.cell(number.map_or(Cell::Null, Cell::Integer))
    }

    /// Writes a count, or null.
    pub(super) fn count(&mut self, count: Option<u64>) -> io::Result<()> {
        self.integer(count.and_then(|count| i64::try_from(count).ok()))
    }

    /// Writes a partition, or null.
    pub(super) fn partition(&mut self, partition: Option<i32>) -> io::Result<()> {
        self.cell(partition.map_or(Cell::Null, Cell::Partition))
    }

    /// Writes true, false, or null.
    pub(super) fn boolean(&mut self, flag: Option<bool>) -> io::Result<()> {
        self.cell(flag.map_or(Cell::Null, Cell::Boolean))
    }

    /// Writes an amount into two columns: as a number, if it is one of the column, and as text.
    pub(super) fn amount(&mut self, text: Option<&str>) -> io::Result<()> {
        let number = text.and_then(amount);
        self.unfit += u64::from(number.is_none() && text.is_some());
        self.cell(number.map_or(Cell::Null, Cell::Amount))?;
        self.text(text)
    }

    /// Ends a row.
    pub(super) fn end_row(&mut self) -> io::Result<()> {
        if self.next_column != self.columns.len() {
            return Err(io::Error::other("a row has fewer cells than columns"));
        }
        self.next_column = 0;
        self.rows += 1;
        if self.rows >= self.group_rows || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let file = self.file.as_mut().ok_or_else(not_begun)?;
        let mut group = file.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column().map_err(failed)? {
                column.write(writer.untyped()).map_err(failed)?;
                writer.close().map_err(failed)?;
            }
        }
        group.close().map_err(failed)?;
        file.flush()?;
        self.output.write_all(&mem::take(file.inner_mut()))?;
        self.rows = 0;
        self.bytes = 0;
        Ok(())
    }

    /// Writes what is left and the end of the file.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        let file = self.file.take().ok_or_else(not_begun)?;
        let rest = file.into_inner().map_err(failed)?;
        self.output.write_all(&rest)?;
        self.output.flush()
    }
}

fn not_begun() -> io::Error {
    io::Error::other("the report was not begun")
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
