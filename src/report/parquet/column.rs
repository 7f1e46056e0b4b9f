//! One column of a Parquet report: its cells until they are written, and its type.

use std::io;
use std::mem;
use std::sync::Arc;

use ::parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::{ByteArray, FixedLenByteArray};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::{Type, TypePtr};
use bytes::Bytes;

/// Digits of an amount, all of them and those behind the point: what Spark takes by default, and
/// enough for the smallest unit of the currencies that have the most.
const DIGITS: i32 = 38;
const DIGITS_BEHIND: i32 = 18;
/// Bytes of such a number.
const AMOUNT_BYTES: i32 = 16;

/// What the cells of a column are; each may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// UTF-8.
    Text,
    /// 64 bits with a sign.
    Integer,
    /// 32 bits with a sign.
    Partition,
    /// True or false.
    Boolean,
    /// Milliseconds, UTC.
    Time,
    /// `DECIMAL(38, 18)`.
    Amount,
}

/// One cell.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// A number, or a time.
    Integer(i64),
    /// A partition.
    Partition(i32),
    /// True or false.
    Boolean(bool),
    /// An amount as a multiple of its smallest unit.
    Amount(i128),
}

#[derive(Debug)]
enum Values {
    /// All texts behind each other, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
    Integers(Vec<i64>),
    Partitions(Vec<i32>),
    Booleans(Vec<bool>),
    Amounts(Vec<i128>),
}

/// A column of the row group that is being filled.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name, which no other column has.
    pub(super) name: String,
    kind: ColumnKind,
    values: Values,
    /// 1 for each cell that is there, 0 for each null.
    levels: Vec<i16>,
}

impl Column {
    /// Returns a column without cells.
    pub(super) fn new(name: String, kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Text => Values::Texts(Vec::new(), Vec::new()),
            ColumnKind::Integer | ColumnKind::Time => Values::Integers(Vec::new()),
            ColumnKind::Partition => Values::Partitions(Vec::new()),
            ColumnKind::Boolean => Values::Booleans(Vec::new()),
            ColumnKind::Amount => Values::Amounts(Vec::new()),
        };
        Self {
            name,
            kind,
            values,
            levels: Vec::new(),
        }
    }

    /// Returns the type as the file's schema has it.
    pub(super) fn schema_type(&self) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self.kind {
            ColumnKind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnKind::Integer => (PhysicalType::INT64, None),
            ColumnKind::Partition => (PhysicalType::INT32, None),
            ColumnKind::Boolean => (PhysicalType::BOOLEAN, None),
            ColumnKind::Time => {
                let millis = LogicalType::timestamp(true, TimeUnit::MILLIS);
                (PhysicalType::INT64, Some(millis))
            }
            ColumnKind::Amount => {
                let decimal = LogicalType::decimal(DIGITS_BEHIND, DIGITS);
                (PhysicalType::FIXED_LEN_BYTE_ARRAY, Some(decimal))
            }
        };
        let builder = Type::primitive_type_builder(&self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        let builder = match self.kind {
            ColumnKind::Amount => builder
                .with_length(AMOUNT_BYTES)
                .with_precision(DIGITS)
                .with_scale(DIGITS_BEHIND),
            ColumnKind::Text
            | ColumnKind::Integer
            | ColumnKind::Partition
            | ColumnKind::Boolean
            | ColumnKind::Time => builder,
        };
        builder.build().map(Arc::new)
    }

    /// Adds a cell, and returns the bytes that it takes until it is written.
    pub(super) fn push(&mut self, cell: Cell<'_>) -> io::Result<usize> {
        let bytes = match (&mut self.values, cell) {
            (_, Cell::Null) => {
                self.levels.push(0);
                return Ok(size_of::<i16>());
            }
            (Values::Texts(texts, ends), Cell::Text(text)) => {
                texts.extend_from_slice(text.as_bytes());
                ends.push(texts.len());
                text.len() + size_of::<usize>()
            }
            (Values::Integers(numbers), Cell::Integer(number)) => {
                numbers.push(number);
                size_of::<i64>()
            }
            (Values::Partitions(numbers), Cell::Partition(number)) => {
                numbers.push(number);
                size_of::<i32>()
            }
            (Values::Booleans(flags), Cell::Boolean(flag)) => {
                flags.push(flag);
                size_of::<bool>()
            }
            (Values::Amounts(amounts), Cell::Amount(amount)) => {
                amounts.push(amount);
                size_of::<i128>()
            }
            _ => {
                let text = format!("column `{}` has no place for {cell:?}", self.name);
                return Err(io::Error::other(text));
            }
        };
        self.levels.push(1);
        Ok(bytes + size_of::<i16>())
    }

    /// Writes the cells, and forgets them.
    pub(super) fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = mem::take(&mut self.levels);
        let levels = Some(&*levels);
        let written = match (writer, &mut self.values) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Texts(texts, ends)) => {
                let texts = slices(mem::take(texts), &mem::take(ends));
                writer.write_batch(&texts, levels, None)
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Integers(numbers)) => {
                writer.write_batch(&mem::take(numbers), levels, None)
            }
            (ColumnWriter::Int32ColumnWriter(writer), Values::Partitions(numbers)) => {
                writer.write_batch(&mem::take(numbers), levels, None)
            }
            (ColumnWriter::BoolColumnWriter(writer), Values::Booleans(flags)) => {
                writer.write_batch(&mem::take(flags), levels, None)
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::Amounts(amounts)) => {
                let amounts = mem::take(amounts).into_iter();
                let amounts = amounts.map(|amount| amount.to_be_bytes().to_vec());
                let amounts: Vec<_> = amounts.map(FixedLenByteArray::from).collect();
                writer.write_batch(&amounts, levels, None)
            }
            _ => {
                let text = format!("column `{}` is of another type", self.name);
                return Err(ParquetError::General(text));
            }
        };
        written.map(drop)
    }
}

fn slices(texts: Vec<u8>, ends: &[usize]) -> Vec<ByteArray> {
    let texts = Bytes::from(texts);
    let mut start = 0;
    let mut slices = Vec::with_capacity(ends.len());
    for &end in ends {
        slices.push(ByteArray::from(texts.slice(start..end)));
        start = end;
    }
    slices
}

/// Returns a plain decimal as a multiple of its smallest unit, if it fits without being rounded.
pub(super) fn amount(text: &str) -> Option<i128> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let behind = behind.trim_end_matches('0');
    let width = usize::try_from(DIGITS_BEHIND).ok()?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(behind) || behind.len() > width {
        return None;
    }
    let number: i128 = format!("{whole}{behind:0<width$}").parse().ok()?;
    let limit = 10_i128.checked_pow(DIGITS.unsigned_abs())?;
    let signed = if is_negative { -number } else { number };
    (number < limit).then_some(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_or_no_number() {
        const ONE: i128 = 1_000_000_000_000_000_000;
        for (text, expected) in [
            ("19.25", Some(ONE * 1925 / 100)),
            ("-19.250", Some(-ONE * 1925 / 100)),
            ("0", Some(0)),
            ("0.000000000000000001", Some(1)),
            ("0.0000000000000000010", Some(1)),
            ("0.0000000000000000001", None),
            (
                "99999999999999999999",
                Some(99_999_999_999_999_999_999 * ONE),
            ),
            ("100000000000000000000", None),
            ("79228162514264337593543950335", None),
            ("99999999999999999999999999999999999999999999", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("1e5", None),
            ("1.2.3", None),
            ("--1", None),
            ("=1", None),
        ] {
            assert_eq!(amount(text), expected, "{text}");
        }
    }

    #[test]
    fn a_cell_of_another_type_is_refused() {
        let mut column = Column::new("offset".to_owned(), ColumnKind::Integer);
        column.push(Cell::Null).unwrap();
        column.push(Cell::Integer(5)).unwrap();
        let error = column.push(Cell::Text("5")).unwrap_err();
        assert!(error.to_string().contains("`offset`"), "{error}");
    }
}
