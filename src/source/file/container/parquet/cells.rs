//! The values of one field of a row group, as the text of JSON.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType};
use ::parquet::data_type::{FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96Type};
use ::parquet::errors::ParquetError;
use ::parquet::record::Field;
use ::parquet::record::reader::ReaderIter;
use ::parquet::schema::types::{ColumnDescPtr, TypePtr};

use crate::source::file::container::parquet::row_json::{is_text, push_field};
use crate::typed_value::json_value::push_string;

/// Texts one behind the other.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Iterates over the texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let text = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            text
        })
    }

    /// Ends where a text from the place `first` on is no UTF-8.
    pub(super) fn check_utf8(&mut self, first: usize) -> Result<(), ParquetError> {
        let start = first
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or_default();
        // All begin and end with ASCII, so that none completes another.
        let written = self.bytes.get(start..).unwrap_or_default();
        if simdutf8::basic::from_utf8(written).is_ok() {
            return Ok(());
        }
        let checked = self.iter().map(std::str::from_utf8).enumerate();
        let wrong = checked
            .skip(first)
            .find_map(|(place, text)| Some((place, text.err()?)));
        let Some((place, error)) = wrong else {
            return Ok(());
        };
        self.ends.truncate(place);
        self.bytes
            .truncate(self.ends.last().copied().unwrap_or_default());
        Err(ParquetError::from(error))
    }

    /// Adds a text, unless it cannot be written.
    pub(super) fn push(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        write(&mut self.bytes).inspect_err(|_| {
            self.bytes
                .truncate(self.ends.last().copied().unwrap_or_default());
        })?;
        self.ends.push(self.bytes.len());
        Ok(())
    }
}

/// Reads the values of one field, in the order of records.
pub(super) trait Cells: Send {
    /// Appends the texts of up to `count` values; fewer at the end, and where something fails.
    fn read(&mut self, count: usize, texts: &mut Texts) -> Result<(), ParquetError>;

    /// Goes past `count` values.
    fn skip(&mut self, count: usize) -> Result<(), ParquetError>;
}

/// Returns the values of a column that is a field by itself.
pub(super) fn of_column(reader: ColumnReader, of: ColumnDescPtr) -> Box<dyn Cells> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => {
            TypedCells::<BoolType>::boxed(reader, of, |out, value, of, field| {
                push_field(out, &Field::convert_bool(of, *value), Some(field));
                Ok(())
            })
        }
        ColumnReader::Int32ColumnReader(reader) => {
            TypedCells::<Int32Type>::boxed(reader, of, |out, value, of, field| {
                push_field(out, &Field::convert_int32(of, *value), Some(field));
                Ok(())
            })
        }
        ColumnReader::Int64ColumnReader(reader) => {
            TypedCells::<Int64Type>::boxed(reader, of, |out, value, of, field| {
                push_field(out, &Field::convert_int64(of, *value), Some(field));
                Ok(())
            })
        }
        ColumnReader::Int96ColumnReader(reader) => {
            TypedCells::<Int96Type>::boxed(reader, of, |out, value, of, field| {
                push_field(out, &Field::convert_int96(of, *value), Some(field));
                Ok(())
            })
        }
        ColumnReader::FloatColumnReader(reader) => {
            TypedCells::<FloatType>::boxed(reader, of, |out, value, of, field| {
                push_field(out, &Field::convert_float(of, *value), Some(field));
                Ok(())
            })
        }
        ColumnReader::DoubleColumnReader(reader) => {
            TypedCells::<DoubleType>::boxed(reader, of, |out, value, of, field| {
                push_field(out, &Field::convert_double(of, *value), Some(field));
                Ok(())
            })
        }
        ColumnReader::ByteArrayColumnReader(reader) if is_text(&of) => {
            TypedCells::<ByteArrayType>::boxed(reader, of, push_text)
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            TypedCells::<ByteArrayType>::boxed(reader, of, push_byte_array)
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            TypedCells::<FixedLenByteArrayType>::boxed(reader, of, |out, value, of, field| {
                push_byte_array(out, value, of, field)
            })
        }
    }
}

/// Appends one value as JSON.
type Push<V> = fn(&mut Vec<u8>, &V, &ColumnDescPtr, &TypePtr) -> Result<(), ParquetError>;

/// The values of a column that is a field by itself.
struct TypedCells<T: DataType> {
    reader: ColumnReaderImpl<T>,
    of: ColumnDescPtr,
    field: TypePtr,
    push: Push<T::T>,
    values: Vec<T::T>,
    /// Tells nulls, of which no value is stored; empty where there can be none.
    levels: Vec<i16>,
}

impl<T: DataType> TypedCells<T>
where
    ColumnReaderImpl<T>: Send,
{
    fn boxed(reader: ColumnReaderImpl<T>, of: ColumnDescPtr, push: Push<T::T>) -> Box<dyn Cells> {
        Box::new(Self {
            reader,
            field: of.self_type_ptr(),
            of,
            push,
            values: Vec::new(),
            levels: Vec::new(),
        })
    }

    fn fill(&mut self, count: usize) -> Result<(), ParquetError> {
        self.values.clear();
        self.levels.clear();
        let mut done = 0;
        while done < count {
            let levels = (self.of.max_def_level() > 0).then_some(&mut self.levels);
            let read = self
                .reader
                .read_records(count - done, levels, None, &mut self.values)?;
            if read.0 == 0 {
                break;
            }
            done += read.0;
        }
        Ok(())
    }

    fn write(&self, texts: &mut Texts) -> Result<(), ParquetError> {
        let (of, field, push) = (&self.of, &self.field, self.push);
        let mut values = self.values.iter();
        let value_level = of.max_def_level();
        if value_level == 0 {
            return values.try_for_each(|value| texts.push(|out| push(out, value, of, field)));
        }
        self.levels.iter().try_for_each(|level| {
            let value = (*level == value_level).then(|| values.next()).flatten();
            texts.push(|out| {
                if let Some(value) = value {
                    return push(out, value, of, field);
                }
                out.extend_from_slice(b"null");
                Ok(())
            })
        })
    }
}

impl<T: DataType> Cells for TypedCells<T>
where
    ColumnReaderImpl<T>: Send,
{
    fn read(&mut self, count: usize, texts: &mut Texts) -> Result<(), ParquetError> {
        self.fill(count)?;
        self.write(texts)
    }

    fn skip(&mut self, count: usize) -> Result<(), ParquetError> {
        match count {
            0 => Ok(()),
            _ => self.reader.skip_records(count).map(drop),
        }
    }
}

/// Text is written from where it was decoded.
fn push_text(
    out: &mut Vec<u8>,
    value: &ByteArray,
    of: &ColumnDescPtr,
    _: &TypePtr,
) -> Result<(), ParquetError> {
    let bytes = value.data();
    if simdutf8::basic::from_utf8(bytes).is_err() {
        // In the decoder's words.
        Field::convert_byte_array(of, value.clone())?;
    }
    push_string(out, bytes);
    Ok(())
}

fn push_byte_array(
    out: &mut Vec<u8>,
    value: &ByteArray,
    of: &ColumnDescPtr,
    field: &TypePtr,
) -> Result<(), ParquetError> {
    let value = Field::convert_byte_array(of, value.clone())?;
    push_field(out, &value, Some(field));
    Ok(())
}

/// The values of a field that is made of several columns, or of one that repeats.
pub(super) struct NestedCells {
    /// Rows of this one field.
    pub(super) rows: ReaderIter,
    pub(super) field: TypePtr,
}

impl Cells for NestedCells {
    fn read(&mut self, count: usize, texts: &mut Texts) -> Result<(), ParquetError> {
        for row in self.rows.by_ref().take(count) {
            let row = row?;
            let value = row.get_column_iter().next().map(|(_, value)| value);
            texts.push(|out| {
                push_field(out, value.unwrap_or(&Field::Null), Some(&self.field));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ParquetError> {
        self.rows
            .by_ref()
            .take(count)
            .try_for_each(|row| row.map(drop))
    }
}
