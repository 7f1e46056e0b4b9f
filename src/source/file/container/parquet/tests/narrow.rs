//! Files of random types and shapes: rows are those of the plain way, and of narrow rows each
//! member is that of the whole row.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::record::{RecordBlock, SplitId};
use crate::source::file::container::parquet::tests::oracle;
use crate::source::file::{FileOpener, FileOptions, ValueMembers};
use crate::source::{RecordSource, StopFlag};

/// Fields of every type that the decoder tells apart, some of them in groups and lists.
const FIELDS: [&str; 20] = [
    "optional binary id (UTF8)",
    "required binary name (STRING)",
    "optional boolean flag",
    "required int32 small (INTEGER(8,true))",
    "optional int32 day (DATE)",
    "optional int32 clock (TIME(MILLIS,true))",
    "required int64 number",
    "optional int64 unsigned (INTEGER(64,false))",
    "optional int64 at (TIMESTAMP(MICROS,false))",
    "optional int64 nanos (TIMESTAMP(NANOS,true))",
    "required int64 millis (TIMESTAMP(MILLIS,true))",
    "optional int64 price (DECIMAL(18,2))",
    "optional int96 old",
    "optional float single",
    "required double wide",
    "optional binary raw",
    "optional fixed_len_byte_array(16) uuid (UUID)",
    "optional binary total (DECIMAL(20,3))",
    "optional group customer { required binary id (UTF8); optional int64 age; }",
    "optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }",
];

/// A value is made of a number; `None` is null where the field may be.
type Numbers = Vec<Option<i64>>;

fn text(number: i64) -> ByteArray {
    let texts = [
        "",
        "ch_1",
        "say \"x\"",
        "café\n\t",
        "\\",
        "\u{1}",
        "a longer text than most",
    ];
    let place = usize::try_from(number.rem_euclid(9)).unwrap();
    let text = texts
        .get(place)
        .map_or_else(|| number.to_string(), |text| (*text).to_owned());
    ByteArray::from(text.into_bytes())
}

fn write_column(column: &mut ColumnWriter<'_>, levels: &[i16], numbers: &Numbers, length: i32) {
    let max = levels.iter().max().copied().unwrap_or_default();
    let there = || numbers.iter().flatten().copied();
    macro_rules! write {
        ($writer:expr, $values:expr) => {{
            let values: Vec<_> = $values.collect();
            let levels = (max > 0 || values.len() < levels.len()).then_some(levels);
            $writer.write_batch(&values, levels, None).unwrap()
        }};
    }
    let written = match column {
        ColumnWriter::BoolColumnWriter(to) => write!(to, there().map(|of| of % 2 == 0)),
        ColumnWriter::Int32ColumnWriter(to) => {
            write!(to, there().map(|of| i32::try_from(of % 120).unwrap()))
        }
        ColumnWriter::Int64ColumnWriter(to) => write!(to, there()),
        ColumnWriter::Int96ColumnWriter(to) => write!(
            to,
            there().map(|of| {
                let part = u32::try_from(of.rem_euclid(80_000)).unwrap();
                ::parquet::data_type::Int96::from(vec![part, 0, 2_440_588 + part])
            })
        ),
        ColumnWriter::FloatColumnWriter(to) => write!(
            to,
            there().map(|of| f32::from(i16::try_from(of % 3000).unwrap()) / 8.0)
        ),
        ColumnWriter::DoubleColumnWriter(to) => write!(
            to,
            there().map(|of| match of % 50 {
                0 => f64::NAN,
                1 => f64::INFINITY,
                _ => f64::from(i32::try_from(of % 100_000).unwrap()) / 100.0,
            })
        ),
        ColumnWriter::ByteArrayColumnWriter(to) => write!(to, there().map(text)),
        ColumnWriter::FixedLenByteArrayColumnWriter(to) => write!(
            to,
            there().map(|of| {
                let length = usize::try_from(length).unwrap();
                let bytes: Vec<u8> = of.to_be_bytes().repeat(2);
                ByteArray::from(bytes[..length].to_vec()).into()
            })
        ),
    };
    assert_eq!(written, there().count());
}

#[derive(Clone, Debug)]
struct Shape {
    fields: Vec<&'static str>,
    numbers: Numbers,
    group_records: usize,
    page_records: usize,
    has_dictionary: bool,
    is_packed: bool,
    version: WriterVersion,
    /// Of texts that are not in a dictionary.
    encoding: Encoding,
}

fn shape() -> impl Strategy<Value = Shape> {
    let fields = prop::sample::subsequence(FIELDS.to_vec(), 1..8);
    let number = prop::option::weighted(0.9, -2_000_000_000_000_i64..2_000_000_000_000);
    let sizes = (1..400_usize, 1..60_usize);
    let numbers = prop::collection::vec(number, 1..700);
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let encodings = [
        Encoding::PLAIN,
        Encoding::PLAIN,
        Encoding::DELTA_BYTE_ARRAY,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
    ];
    let stored = (
        prop::sample::select(versions.to_vec()),
        prop::sample::select(encodings.to_vec()),
    );
    (fields, numbers, sizes, any::<(bool, bool)>(), stored).prop_map(
        |(fields, numbers, sizes, (has_dictionary, is_packed), (version, encoding))| Shape {
            fields,
            numbers,
            group_records: sizes.0,
            page_records: sizes.1,
            has_dictionary,
            is_packed,
            version,
            encoding,
        },
    )
}

fn write(shape: &Shape, path: &Path) {
    let schema = format!("message schema {{ {}; }}", shape.fields.join("; "))
        .replace("};", "}")
        .replace("}  }", "} }");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(shape.has_dictionary)
        .set_compression(if shape.is_packed {
            Compression::SNAPPY
        } else {
            Compression::UNCOMPRESSED
        })
        .set_data_page_row_count_limit(shape.page_records)
        .set_write_batch_size(shape.page_records)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_writer_version(shape.version)
        // So that a dictionary is given up within a column.
        .set_dictionary_page_size_limit(300);
    let texts = ["id", "name", "raw", "total"].into_iter();
    let properties = texts
        .fold(properties, |properties, name| {
            properties.set_column_encoding(name.into(), shape.encoding)
        })
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for numbers in shape.numbers.chunks(shape.group_records) {
        let mut group = writer.next_row_group().unwrap();
        let mut index = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            let of = writer_column(shape, index);
            index += 1;
            let max = of.max_level;
            // What has to be there is a number in place of null.
            let filled: Numbers = numbers
                .iter()
                .enumerate()
                .map(|(row, of)| match of {
                    None if max == 0 => Some(i64::try_from(row).unwrap()),
                    of => *of,
                })
                .collect();
            let levels: Vec<i16> = filled
                .iter()
                .map(|of| if of.is_some() { max } else { 0 })
                .collect();
            write_nested(column.untyped(), (&levels, &filled), &of);
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

struct ColumnShape {
    max_level: i16,
    is_repeated: bool,
    length: i32,
}

/// Returns what levels the column at `index` has.
fn writer_column(shape: &Shape, index: usize) -> ColumnShape {
    let mut columns = shape.fields.iter().flat_map(|field| {
        let of = |max_level, is_repeated| ColumnShape {
            max_level,
            is_repeated,
            length: 16,
        };
        if field.contains("customer") {
            vec![of(1, false), of(2, false)]
        } else if field.contains("LIST") {
            vec![of(3, true)]
        } else {
            vec![of(i16::from(field.starts_with("optional")), false)]
        }
    });
    columns.nth(index).unwrap()
}

fn write_nested(
    column: &mut ColumnWriter<'_>,
    (levels, numbers): (&[i16], &Numbers),
    of: &ColumnShape,
) {
    if of.is_repeated
        && let ColumnWriter::ByteArrayColumnWriter(to) = column
    {
        let values: Vec<_> = numbers.iter().flatten().copied().map(text).collect();
        let repetitions = vec![0; levels.len()];
        to.write_batch(&values, Some(levels), Some(&repetitions))
            .unwrap();
        return;
    }
    write_column(column, levels, numbers, of.length);
}

fn open(path: &Path, members: Option<ValueMembers>) -> Box<dyn RecordSource> {
    let mut options = FileOptions::new(std::env::temp_dir());
    options.members = members.map(Arc::new);
    options.threads = 2;
    let mut opener = FileOpener::new(&options, StopFlag::default());
    opener.open(path, SplitId(0)).unwrap().source
}

/// Returns the first reading: the number of each record, and its text.
fn first_pass(source: &dyn RecordSource) -> BTreeMap<u64, String> {
    let mut block = RecordBlock::default();
    let mut rows = BTreeMap::new();
    while source.next_block(&mut block).unwrap() {
        take(&block, &mut rows);
    }
    rows
}

fn take(block: &RecordBlock, rows: &mut BTreeMap<u64, String>) {
    for view in block.views() {
        let value = view.value().bytes().unwrap().to_vec();
        let known = rows.insert(view.slot().position, String::from_utf8(value).unwrap());
        assert!(known.is_none());
    }
}

fn second_pass(source: &dyn RecordSource, numbers: &[u64]) -> BTreeMap<u64, String> {
    let mut revisitor = source.revisit(SplitId(0)).unwrap();
    let (mut rows, mut done) = (BTreeMap::new(), 0);
    let mut block = RecordBlock::default();
    while done < numbers.len() {
        done += revisitor.fetch(&numbers[done..], &mut block).unwrap();
        take(&block, &mut rows);
    }
    rows
}

fn members(row: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(row).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 96,
        ..ProptestConfig::default()
    })]

    #[test]
    fn rows_are_those_of_the_plain_way(
        shape in shape(),
        wanted in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        suspects in prop::collection::vec(prop::bool::weighted(0.2), 700),
    ) {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(&shape, file.path());
        let expected = oracle::rows(file.path());
        let whole = first_pass(&*open(file.path(), None));
        prop_assert_eq!(&whole.values().cloned().collect::<Vec<_>>(), &expected);

        let names: Vec<Box<str>> = members(&expected[0]).into_keys().map(Into::into).collect();
        let mut wanted = wanted.iter().map(|of| of.get(&names).clone());
        let looked_into = ValueMembers {
            values: wanted.next().into_iter().collect(),
            presence: wanted.collect(),
        };
        let source = open(file.path(), Some(looked_into.clone()));
        for (narrow, row) in first_pass(&*source).values().zip(&expected) {
            let (narrow, whole) = (members(narrow), members(row));
            for (name, value) in &narrow {
                let is_value = looked_into.values.iter().any(|of| **of == **name);
                let is_there = looked_into.presence.iter().any(|of| **of == **name);
                let text = if is_value { whole[name].get() } else { "null" };
                prop_assert!(is_value || is_there);
                prop_assert_eq!(value.get(), text);
            }
            let all = looked_into.values.iter().chain(&looked_into.presence);
            prop_assert!(all.into_iter().all(|name| narrow.contains_key(&**name)));
        }
        let numbers: Vec<u64> = (0..)
            .zip(suspects)
            .take(expected.len())
            .filter_map(|(number, is_suspect)| is_suspect.then_some(number))
            .collect();
        for (number, row) in second_pass(&*source, &numbers) {
            prop_assert_eq!(&row, &expected[usize::try_from(number).unwrap()]);
        }
        prop_assert_eq!(second_pass(&*source, &numbers).len(), numbers.len());
    }
}
