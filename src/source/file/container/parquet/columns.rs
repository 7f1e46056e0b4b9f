//! The rows of a row group, read field by field: all fields, or those that are looked into.

use std::collections::HashMap;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use ::parquet::basic::Type as PhysicalType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, RowGroupReader};
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::record::reader::TreeBuilder;
use ::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use crate::source::file::container::parquet::byte_arrays::ByteArrayCells;
use crate::source::file::container::parquet::cells::{Cells, NestedCells, Texts, of_column};
use crate::source::file::container::parquet::placed::PlacedFile;
use crate::source::file::unpack::length_u64;
use crate::typed_value::guard::guarded;
use crate::typed_value::json_value::push_string;

/// What is read of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldUse {
    /// Its values.
    Values,
    /// That it is there: null stands for its values.
    Presence,
    /// Nothing.
    Unused,
}

/// Returns whether a field's values are those of one column.
pub(super) fn is_flat(field: &Type) -> bool {
    use ::parquet::basic::Repetition;
    let basic = field.get_basic_info();
    field.is_primitive() && basic.has_repetition() && basic.repetition() != Repetition::REPEATED
}

/// Rows of a row group, in order.
pub(super) struct Columns {
    fields: Vec<FieldColumn>,
    /// What stands behind the last field.
    tail: Vec<u8>,
    next_number: u64,
    end_number: u64,
}

struct FieldColumn {
    /// What stands before the value.
    lead: Vec<u8>,
    cells: Box<dyn Cells>,
    texts: Texts,
    /// Why there are no more.
    failed: Option<String>,
}

/// Runs of rows of which one field is to be read.
pub(super) struct FieldRuns<'a> {
    field: &'a mut FieldColumn,
    from: u64,
    runs: &'a [Range<u64>],
}

impl Columns {
    /// Opens the row group `group`, whose records are `numbers`; each field of the file as `uses`
    /// says.
    pub(super) fn open(
        reader: &SerializedFileReader<PlacedFile>,
        (group, numbers): (usize, Range<u64>),
        uses: &[FieldUse],
    ) -> Result<Self, String> {
        let open = || Self::try_open(reader, (group, numbers), uses);
        guarded(|| open().map_err(|error| error.to_string()))
    }

    fn try_open(
        reader: &SerializedFileReader<PlacedFile>,
        (group, numbers): (usize, Range<u64>),
        uses: &[FieldUse],
    ) -> Result<Self, ParquetError> {
        let stored = reader.get_row_group(group)?;
        let paths = paths_of(&*stored);
        let schema = reader.metadata().file_metadata().schema_descr();
        let mut columns = Self {
            fields: Vec::new(),
            tail: b"{".to_vec(),
            next_number: numbers.start,
            end_number: numbers.end,
        };
        for (field, usage) in schema.root_schema().get_fields().iter().zip(uses) {
            if *usage == FieldUse::Unused {
                continue;
            }
            let out = &mut columns.tail;
            if out.len() > 1 || !columns.fields.is_empty() {
                out.push(b',');
            }
            push_string(out, field.name().as_bytes());
            out.push(b':');
            if *usage == FieldUse::Presence {
                out.extend_from_slice(b"null");
                continue;
            }
            columns.fields.push(FieldColumn {
                lead: std::mem::take(out),
                cells: cells_of(&*stored, field, &paths)?,
                texts: Texts::default(),
                failed: None,
            });
        }
        columns.tail.push(b'}');
        Ok(columns)
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    pub(super) fn end_number(&self) -> u64 {
        self.end_number
    }

    /// Returns how many bytes the values have that were read last.
    pub(super) fn text_bytes(&self) -> usize {
        self.fields.iter().map(|field| field.texts.length()).sum()
    }

    /// Goes on with the row `number`.
    pub(super) fn skip_to(&mut self, number: u64) -> Result<(), String> {
        self.read_runs(slice::from_ref(&(number..number))).1
    }

    /// Reads up to `count` rows; fewer at the end, and where something fails, which is told.
    pub(super) fn read(&mut self, count: usize) -> (usize, Result<(), String>) {
        let left = self.end_number.saturating_sub(self.next_number);
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        let end = self.next_number.saturating_add(length_u64(count));
        self.read_runs(slice::from_ref(&(self.next_number..end)))
    }

    fn read_runs(&mut self, runs: &[Range<u64>]) -> (usize, Result<(), String>) {
        self.start_runs(runs).for_each(FieldRuns::read);
        self.outcome(runs)
    }

    /// Returns what is to be done for runs of rows, which ascend: of each field by itself.
    pub(super) fn start_runs<'a>(
        &'a mut self,
        runs: &'a [Range<u64>],
    ) -> impl Iterator<Item = FieldRuns<'a>> {
        let from = self.next_number;
        self.next_number = runs.last().map_or(from, |run| run.end);
        self.fields
            .iter_mut()
            .map(move |field| FieldRuns { field, from, runs })
    }

    /// Returns how many rows of runs are there, once all fields were read.
    pub(super) fn outcome(&self, runs: &[Range<u64>]) -> (usize, Result<(), String>) {
        let wanted: u64 = runs.iter().map(|run| run.end - run.start).sum();
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let counts = self.fields.iter().map(|field| field.texts.count());
        let count = counts.min().unwrap_or_default();
        let failed = self.fields.iter().find_map(|field| field.failed.clone());
        match failed {
            Some(error) => (count, Err(error)),
            None if count < wanted => (count, Err("its columns end before it does".to_owned())),
            None => (count, Ok(())),
        }
    }

    /// Appends the rows that were read, and calls `note` with where each starts and ends.
    pub(super) fn push_rows(
        &self,
        count: usize,
        out: &mut Vec<u8>,
        mut note: impl FnMut(Range<usize>),
    ) {
        let mut texts: Vec<_> = self
            .fields
            .iter()
            .map(|field| (&field.lead, field.texts.iter()))
            .collect();
        for _ in 0..count {
            let start = out.len();
            for (lead, texts) in &mut texts {
                out.extend_from_slice(lead);
                out.extend_from_slice(texts.next().unwrap_or_default());
            }
            out.extend_from_slice(&self.tail);
            note(start..out.len());
        }
    }
}

impl FieldRuns<'_> {
    /// Reads the values; what fails is kept with the field.
    pub(super) fn read(self) {
        self.field.read_runs(self.from, self.runs);
    }
}

impl FieldColumn {
    fn read_runs(&mut self, from: u64, runs: &[Range<u64>]) {
        self.texts.clear();
        let read = guarded(|| self.try_runs(from, runs).map_err(|error| error.to_string()));
        self.failed = read.err();
    }

    fn try_runs(&mut self, from: u64, runs: &[Range<u64>]) -> Result<(), ParquetError> {
        let length =
            |start: u64, end: u64| usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let mut at = from;
        for run in runs {
            self.cells.skip(length(at, run.start))?;
            self.cells
                .read(length(run.start, run.end), &mut self.texts)?;
            at = run.end;
        }
        Ok(())
    }
}

/// Of columns with one path the last counts, as for the decoder of whole rows.
fn paths_of(stored: &dyn RowGroupReader) -> HashMap<Vec<String>, usize> {
    let columns = stored.metadata().columns().iter().enumerate();
    columns
        .map(|(index, column)| (column.column_path().parts().to_vec(), index))
        .collect()
}

fn cells_of(
    stored: &dyn RowGroupReader,
    field: &TypePtr,
    paths: &HashMap<Vec<String>, usize>,
) -> Result<Box<dyn Cells>, ParquetError> {
    if is_flat(field) {
        let path = [field.name().to_owned()];
        let index = paths.get(&path[..]).copied().ok_or_else(|| {
            ParquetError::General(format!("there is no column `{}`", field.name()))
        })?;
        let of = stored.metadata().column(index).column_descr_ptr();
        if of.physical_type() == PhysicalType::BYTE_ARRAY {
            let pages = stored.get_column_page_reader(index)?;
            return Ok(Box::new(ByteArrayCells::new(pages, of)));
        }
        return Ok(of_column(stored.get_column_reader(index)?, of));
    }
    let alone = Type::group_type_builder("schema")
        .with_fields(vec![Arc::clone(field)])
        .build()?;
    let alone = Arc::new(SchemaDescriptor::new(Arc::new(alone)));
    Ok(Box::new(NestedCells {
        rows: TreeBuilder::new().as_iter(alone, stored)?,
        field: Arc::clone(field),
    }))
}
