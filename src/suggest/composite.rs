//! Two or three fields that are new together in almost every record, where none is alone.

use crate::suggest::column::{Column, Kind, ratio};
use crate::suggest::name::Role;
use crate::suggest::repeats::{KeyLook, Table};

/// Fields that are combined at most.
const COMBINED_MAX: usize = 14;

/// Share of records in which a composite key has to be new.
const LEAST_NEW: f64 = 0.9;

/// A combination of fields, and how good it is.
pub(super) struct Composite {
    pub(super) columns: Vec<usize>,
    pub(super) look: KeyLook,
    pub(super) score: f64,
}

/// Returns the combinations that are new in almost every record and have none of these in them,
/// the best first.
pub(super) fn find(table: &Table<'_>) -> Vec<Composite> {
    let usable = usable(table);
    let mut found: Vec<Composite> = Vec::new();
    for size in [2, 3] {
        for mut columns in combinations(&usable, size) {
            columns.sort_unstable();
            let is_minimal = !found.iter().any(|smaller| {
                smaller
                    .columns
                    .iter()
                    .all(|column| columns.contains(column))
            });
            let (distinct, present) = table.count(&columns);
            let is_common = ratio(present, table.sample.len()) >= LEAST_NEW;
            if is_minimal && is_common && ratio(distinct, present) >= LEAST_NEW {
                let look = table.look(&columns);
                let score = score(table, &columns, &look);
                found.push(Composite {
                    columns,
                    look,
                    score,
                });
            }
        }
        // Repeats that are none of one thing say that a field is lacking.
        found.retain(|of| of.look.alike_share().is_none_or(|share| share >= 0.5));
    }
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    found
}

/// Returns the fields that may be part of a key, the likeliest first.
fn usable(table: &Table<'_>) -> Vec<usize> {
    let columns = table.sample.columns.iter().enumerate();
    let mut usable: Vec<(usize, f64)> = columns
        .filter(|(_, column)| {
            let is_common = ratio(column.present, table.sample.len()) >= LEAST_NEW;
            is_common && column.distinct() > 1 && column.rounded == 0 && !column.path.contains('[')
        })
        .filter_map(|(index, _)| Some((index, weight(table, index)?)))
        .collect();
    let distinct = |index: usize| table.sample.columns.get(index).map_or(0, Column::distinct);
    usable.sort_by(|one, other| {
        let by_weight = other.1.total_cmp(&one.1);
        by_weight.then(distinct(other.0).cmp(&distinct(one.0)))
    });
    usable.truncate(COMBINED_MAX);
    usable.into_iter().map(|(index, _)| index).collect()
}

/// Returns how well a field fits into a key; nothing where it cannot be a part of one.
fn weight(table: &Table<'_>, index: usize) -> Option<f64> {
    let column = table.sample.columns.get(index)?;
    match (column.role, *table.kinds.get(index)?) {
        (Role::Attempt | Role::HandlingTime | Role::Amount | Role::Currency, _)
        | (_, Kind::Decimal | Kind::Boolean | Kind::Currency) => None,
        (Role::Identity, _) => Some(1.0),
        (Role::SomeId | Role::Entity, _) => Some(0.8),
        (_, Kind::Time) => Some(-0.2),
        (_, Kind::Id) => Some(0.5),
        (_, Kind::Category) => Some(0.2),
        (_, Kind::Integer) => Some(0.0),
        (_, Kind::Text) => Some(-0.4),
    }
}

fn score(table: &Table<'_>, columns: &[usize], look: &KeyLook) -> f64 {
    let weights: f64 = columns
        .iter()
        .filter_map(|index| weight(table, *index))
        .sum();
    let average = weights * ratio(1, columns.len());
    let size = if columns.len() > 2 { -0.2 } else { 0.0 };
    let repeats = look.alike_share().map_or(0.3, |share| 2.0 * share - 1.0);
    average + size + repeats + look.uniqueness()
}

fn combinations(of: &[usize], size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (place, &first) in of.iter().enumerate() {
        let rest = of.get(place + 1..).unwrap_or_default();
        for mut others in combinations(rest, size - 1) {
            others.insert(0, first);
            all.push(others);
        }
    }
    all
}
