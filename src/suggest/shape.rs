//! Whether the records are those of a well-known system.

use crate::preset::PRESETS;
use crate::preset::Preset;
use crate::record::FieldPath;
use crate::suggest::column::ratio;
use crate::suggest::repeats::Table;
use crate::suggest::sample::SampledValue;
use crate::suggest::sample::hash;

/// Share of records that has to bear the signs of a system.
const LEAST_SHARE: f64 = 0.9;

/// Returns the preset whose signs almost all records bear, and that finds its fields in them.
pub(super) fn recognise(table: &Table<'_>) -> Option<&'static Preset> {
    let is_borne = |preset: &&Preset| {
        let is_told = !preset.signs.is_empty();
        is_told
            && preset
                .signs
                .iter()
                .all(|sign| bears(table, sign) >= LEAST_SHARE)
    };
    let has_fields = |preset: &&Preset| {
        let mut by = preset
            .by
            .iter()
            .map(|by| by.split('|').next().unwrap_or(by));
        // What is left out by the condition of the preset need not have its fields.
        let least = if preset.filter.is_some() {
            0.1
        } else {
            LEAST_SHARE
        };
        by.all(|field| bears(table, field) >= least || field.starts_with("key//"))
    };
    PRESETS.iter().filter(is_borne).find(has_fields)
}

/// Returns the share of records that have a field at one of its places, with the value after `=`.
fn bears(table: &Table<'_>, sign: &str) -> f64 {
    let (field, value) = match sign.split_once('=') {
        Some((field, value)) => (field, Some(hash(SampledValue::Text(value.as_bytes())))),
        None => (sign, None),
    };
    let Ok(path) = FieldPath::parse(field) else {
        return 0.0;
    };
    let columns: Vec<usize> = path
        .places()
        .flat_map(|place| columns_at(table, place))
        .collect();
    let bears = |row: &usize| {
        columns.iter().any(|&column| {
            let found = table.value(column, *row);
            found.is_some() && (value.is_none() || found == value)
        })
    };
    let rows = 0..table.sample.len();
    ratio(rows.filter(bears).count(), table.sample.len())
}

/// Returns the column of a place, or those below it where it is an object.
fn columns_at(table: &Table<'_>, place: &FieldPath) -> Vec<usize> {
    let first = FieldPath {
        otherwise: None,
        ..place.clone()
    };
    let path = first.to_string();
    if path == "topic" {
        return (0..table.sample.columns.len()).collect();
    }
    if let Some(column) = table.sample.find(&path) {
        return vec![column];
    }
    let inside = [format!("{path}."), format!("{path}[")];
    let columns = table.sample.columns.iter().enumerate();
    let is_inside = |name: &str| inside.iter().any(|start| name.starts_with(start));
    let columns = columns.filter(|(_, column)| is_inside(&column.path));
    columns.map(|(index, _)| index).collect()
}
