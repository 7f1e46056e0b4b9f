//! The columns of the Parquet report: those of the CSV report, each with its type and a name of
//! its own.

use crate::report::CsvRows;
use crate::report::csv::without_normalizers;
use crate::report::parquet::column::ColumnKind;
use crate::report::parquet::column::ColumnKind::{Amount, Boolean, Integer, Partition, Text, Time};

type Columns = &'static [(&'static str, ColumnKind)];

const RECORDS_BEFORE: Columns = &[
    ("group", Text),
    ("role", Text),
    ("occurrence", Integer),
    ("count", Integer),
    ("cause", Text),
    ("confidence", Text),
    ("review", Text),
];
const RECORDS_AFTER: Columns = &[
    ("topic", Text),
    ("partition", Partition),
    ("offset", Integer),
    ("timestamp", Time),
    ("timestamp_type", Text),
    ("ms_since_first", Integer),
    ("identical", Boolean),
    ("amount", Amount),
    ("extra_amount", Amount),
    ("currency", Text),
    ("subject", Text),
    ("file", Text),
    ("line", Integer),
    ("byte_offset", Integer),
    ("key", Text),
    ("coverage", Text),
];
const GROUPS_BEFORE: Columns = &[
    ("group", Text),
    ("count", Integer),
    ("extra", Integer),
    ("cause", Text),
    ("confidence", Text),
    ("review", Text),
];
const GROUPS_AFTER: Columns = &[
    ("first_timestamp", Time),
    ("last_timestamp", Time),
    ("span_ms", Integer),
    ("identical", Boolean),
    ("extra_amount", Amount),
    ("currency", Text),
    ("subject", Text),
    ("coverage", Text),
];
const EPISODES: Columns = &[
    ("episode", Integer),
    ("cause", Text),
    ("topic", Text),
    ("partition", Partition),
    ("groups", Integer),
    ("extra_records", Integer),
    ("first_timestamp", Time),
    ("last_timestamp", Time),
    ("ongoing", Boolean),
    ("original_topic", Text),
    ("original_partition", Partition),
    ("original_start_offset", Integer),
    ("original_end_offset", Integer),
    ("extra_start_offset", Integer),
    ("extra_end_offset", Integer),
    ("extra_amount", Amount),
    ("reversed_amount", Amount),
    ("net_amount", Amount),
    ("currency", Text),
    ("coverage", Text),
];
const REVERSALS: Columns = &[("reversed_amount", Amount), ("net_amount", Amount)];
const STANDING: Columns = &[("status", Text)];

/// Returns the columns in their order. Readers take columns by their names, whose case some do
/// not tell apart: a field of the dedup key that is named like another column is `by.` and its
/// path.
pub(super) fn columns(
    rows: CsvRows,
    by: &[String],
    (has_reversals, has_standing): (bool, bool),
) -> Vec<(String, ColumnKind)> {
    let (before, after) = match rows {
        CsvRows::Records => (RECORDS_BEFORE, RECORDS_AFTER),
        CsvRows::Groups => (GROUPS_BEFORE, GROUPS_AFTER),
        CsvRows::Episodes => return named(EPISODES),
    };
    let mut last = named(after);
    if has_reversals {
        last.extend(named(REVERSALS));
    }
    if has_standing {
        last.extend(named(STANDING));
    }
    let mut columns = named(before);
    for field in by {
        let name = own_name(without_normalizers(field), &[&columns, &last]);
        columns.push((name, Text));
    }
    columns.extend(last);
    columns
}

fn named(columns: Columns) -> Vec<(String, ColumnKind)> {
    let mut named = Vec::with_capacity(columns.len());
    for &(name, kind) in columns {
        named.push((name.to_owned(), kind));
        if kind == Amount {
            named.push((format!("{name}_text"), Text));
        }
    }
    named
}

fn own_name(path: &str, taken: &[&[(String, ColumnKind)]; 2]) -> String {
    let is_free = |name: &String| {
        let lower = name.to_lowercase();
        let mut others = taken.iter().copied().flatten();
        !others.any(|(other, _)| other.to_lowercase() == lower)
    };
    let numbered = (2_u64..).map(|number| format!("by.{path}_{number}"));
    let mut names = [path.to_owned(), format!("by.{path}")]
        .into_iter()
        .chain(numbered);
    names.find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let by = [
            "key",
            "Topic|lower",
            "value.id",
            "value.ID",
            "value.id|trim",
        ];
        let by = by.map(str::to_owned);
        let names: Vec<String> = columns(CsvRows::Records, &by, (true, true))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "by.key",
            "by.Topic",
            "value.id",
            "by.value.ID",
            "by.value.id_2",
        ];
        assert_eq!(&names[7..12], expected);
        let lower: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(lower.len(), names.len());
    }
}
