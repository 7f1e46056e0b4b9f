//! Ranks fields as dedup keys, and finds amount, currency, subject and time.

use crate::finding::suggestion::{FieldFinding, KeyCandidate, Suggestion};
use crate::record::FieldPath;
use crate::record::counted;
use crate::record::grouped;
use crate::suggest::column::{Column, Kind, ratio};
use crate::suggest::composite;
use crate::suggest::name::Role;
use crate::suggest::repeats::{KeyLook, Table};
use crate::suggest::sample::Sample;
use crate::suggest::shape;

/// Candidates that are named.
const CANDIDATES_MAX: usize = 5;

/// Warnings that are given.
const WARNINGS_MAX: usize = 12;

/// A field that scores less is not proposed.
const LEAST_SCORE: f64 = 1.0;

/// Share of new values below which a field comes again too often to be an identity.
const LEAST_NEW: f64 = 0.4;

struct Single {
    column: usize,
    look: KeyLook,
    /// Pairs that look like duplicates by another field, and that this one tells apart.
    missed: usize,
    score: f64,
}

/// Concludes which fields look like identities.
pub(super) fn conclude(sample: &Sample) -> Suggestion {
    let table = Table::new(sample);
    let mut fields = Vec::new();
    let mut singles = Vec::new();
    for (index, column) in sample.columns.iter().enumerate() {
        let look = table.look(&[index]);
        fields.push(finding(&table, index, &look));
        if may_be_identity(column, &table, index) {
            singles.push(Single {
                column: index,
                look,
                missed: 0,
                score: 0.0,
            });
        }
    }
    let pairs = duplicate_pairs(&table, &singles);
    for single in &mut singles {
        single.missed = missed(&table, single.column, &pairs);
        single.score = score(&table, single, pairs.len());
    }
    singles.sort_by(|one, other| other.score.total_cmp(&one.score));
    let warnings = warnings(&table, &singles, pairs.len());
    let candidates = candidates(&table, &singles, pairs.len());
    let mut suggestion = Suggestion {
        records: length(sample.len()),
        candidates,
        warnings,
        fields,
        ..Suggestion::default()
    };
    choose_others(&table, &mut suggestion);
    suggestion
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn finding(table: &Table<'_>, index: usize, look: &KeyLook) -> FieldFinding {
    FieldFinding {
        path: table
            .sample
            .columns
            .get(index)
            .map_or_else(String::new, |of| short(&of.path)),
        kind: table.kinds.get(index).map_or("", |kind| kind.name()),
        present: length(look.present),
        distinct: length(look.distinct),
        repeats: look.look,
    }
}

/// Returns a path as short as it can be typed.
fn short(path: &str) -> String {
    FieldPath::parse(path).map_or_else(|_| path.to_owned(), |path| path.short())
}

fn may_be_identity(column: &Column, table: &Table<'_>, index: usize) -> bool {
    let is_role = match column.role {
        Role::Time | Role::HandlingTime | Role::Amount | Role::Currency => false,
        Role::Identity | Role::SomeId | Role::Entity | Role::Attempt | Role::Other => true,
    };
    let is_kind = match table.kinds.get(index) {
        Some(Kind::Id | Kind::Integer | Kind::Text) => true,
        Some(Kind::Decimal) => column.rounded > 0,
        Some(Kind::Boolean | Kind::Time | Kind::Currency | Kind::Category) | None => false,
    };
    is_role && is_kind
}

/// Returns the pairs that look like duplicates by any field that could be an identity.
fn duplicate_pairs(table: &Table<'_>, singles: &[Single]) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for single in singles {
        let column = table.sample.columns.get(single.column);
        let is_named = column.is_some_and(|of| matches!(of.role, Role::Identity | Role::SomeId));
        let is_like_one = single.look.alike_share().is_some_and(|share| share >= 0.6);
        if is_named && is_like_one && single.look.uniqueness() >= LEAST_NEW {
            pairs.extend(&single.look.alike);
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn missed(table: &Table<'_>, column: usize, pairs: &[(usize, usize)]) -> usize {
    let differs = |&&(one, other): &&(usize, usize)| {
        let (one, other) = (table.value(column, one), table.value(column, other));
        one.is_some() && other.is_some() && one != other
    };
    pairs.iter().filter(differs).count()
}

fn score(table: &Table<'_>, single: &Single, pairs: usize) -> f64 {
    let Some(column) = table.sample.columns.get(single.column) else {
        return 0.0;
    };
    let by_name = match column.role {
        _ if column.path == "key" => 0.5,
        Role::Identity => 2.0,
        Role::SomeId => 1.5,
        Role::Entity => -1.5,
        Role::Attempt => -0.3,
        Role::Time | Role::HandlingTime | Role::Amount | Role::Currency | Role::Other => 0.0,
    };
    let by_kind = match table.kinds.get(single.column) {
        Some(Kind::Id) => 0.5,
        Some(Kind::Text) => -0.7,
        _ => 0.0,
    };
    let by_repeats = match single.look.alike_share() {
        None => 0.3,
        Some(share) if share >= 0.6 => 1.5 * share,
        Some(share) => -2.0 * (1.0 - share),
    };
    let by_presence = -2.0 * (1.0 - ratio(single.look.present, table.sample.len()));
    let by_missed = -2.5 * ratio(single.missed, pairs.max(1));
    let is_frequent = single.look.uniqueness() < LEAST_NEW;
    let is_listed = column.path.contains('[') && !column.path.starts_with("key");
    let by_faults = [
        (is_frequent, 5.0),
        (column.rounded > 0, 5.0),
        (is_listed, 1.0),
    ];
    let faults = by_faults.iter().filter(|(is, _)| *is).map(|(_, loss)| loss);
    let depth = ratio(column.path.matches('.').count(), 20);
    by_name + by_kind + by_repeats + by_presence + by_missed - faults.sum::<f64>() - depth
}

fn candidates(table: &Table<'_>, singles: &[Single], pairs: usize) -> Vec<KeyCandidate> {
    let mut candidates = Vec::new();
    if let Some(preset) = shape::recognise(table) {
        candidates.push(KeyCandidate {
            preset: Some(preset.name),
            fields: preset.by.iter().map(|by| (*by).to_owned()).collect(),
            reasons: vec![
                format!(
                    "the records have the shape that the preset {} knows",
                    preset.name
                ),
                format!("finds {}", preset.finds),
            ],
            present: length(table.sample.len()),
            distinct: 0,
        });
    }
    let is_attempt = |single: &&Single| {
        let column = table.sample.columns.get(single.column);
        column.is_some_and(|column| column.role == Role::Attempt)
    };
    let good: Vec<&Single> = singles
        .iter()
        .filter(|of| of.score >= LEAST_SCORE)
        .collect();
    // What traces attempts is named only where there is nothing better.
    let has_better = !candidates.is_empty() || good.iter().any(|single| !is_attempt(single));
    let good = good
        .into_iter()
        .filter(|single| !(has_better && is_attempt(single)));
    for single in good.take(CANDIDATES_MAX) {
        candidates.push(KeyCandidate {
            preset: None,
            fields: names(table, &[single.column]),
            reasons: reasons(&single.look, single.missed, pairs),
            present: length(single.look.present),
            distinct: length(single.look.distinct),
        });
    }
    if candidates.is_empty() {
        for found in composite::find(table).into_iter().take(CANDIDATES_MAX) {
            let mut reasons = reasons(&found.look, 0, 0);
            if candidates.is_empty() {
                reasons.insert(0, "no field alone tells the records apart".to_owned());
            }
            candidates.push(KeyCandidate {
                preset: None,
                fields: names(table, &found.columns),
                reasons,
                present: length(found.look.present),
                distinct: length(found.look.distinct),
            });
        }
    }
    candidates
}

fn names(table: &Table<'_>, columns: &[usize]) -> Vec<String> {
    let columns = columns
        .iter()
        .filter_map(|index| table.sample.columns.get(*index));
    columns.map(|column| short(&column.path)).collect()
}

fn reasons(look: &KeyLook, missed: usize, pairs: usize) -> Vec<String> {
    let repeats = look.look;
    let mut reasons = vec![match repeats.records {
        0 => format!(
            "new in each of {}: nothing repeats in this sample",
            counted(length(look.present), "record")
        ),
        extra => format!(
            "{} in {}, and of {} that repeat one {} look like duplicates",
            counted(length(look.distinct), "value"),
            counted(length(look.present), "record"),
            grouped(extra),
            grouped(repeats.alike)
        ),
    }];
    if repeats.records > 0 {
        let mut parts = vec![format!("{} the same bytes", grouped(repeats.identical))];
        if let Some(close) = repeats.close {
            parts.push(format!("{} within 15 min", grouped(close)));
        }
        if let Some(same) = repeats.same_partition {
            parts.push(format!("{} in one partition", grouped(same)));
        }
        parts.push(format!(
            "{} at most 10 records apart",
            grouped(repeats.adjacent)
        ));
        reasons.push(format!("of those that repeat: {}", parts.join(", ")));
    }
    if missed > 0 {
        reasons.push(format!(
            "against it: another value in {} of {} that look like duplicates by other fields",
            grouped(length(missed)),
            counted(length(pairs), "repeat")
        ));
    }
    reasons
}

fn warnings(table: &Table<'_>, singles: &[Single], pairs: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, column) in table.sample.columns.iter().enumerate() {
        let single = singles.iter().find(|single| single.column == index);
        let is_missing_most = single.is_some_and(|of| of.missed * 2 > pairs && of.missed > 0);
        let is_missing_most = is_missing_most && column.uniqueness() >= LEAST_NEW;
        let path = short(&column.path);
        let values = counted(length(column.distinct()), "value");
        let records = counted(length(column.present), "record");
        let is_id = matches!(column.role, Role::Identity | Role::SomeId | Role::Entity);
        if column.rounded > 0 {
            warnings.push(format!(
                "{path}: {} lost digits, as in 5.70306E+17: a spreadsheet rounded what was longer",
                counted(length(column.rounded), "number")
            ));
        } else if is_missing_most {
            warnings.push(format!(
                "{path}: made anew for each attempt: it differs between records that are \
                 otherwise the same, and would hide them"
            ));
        } else if column.role == Role::Attempt && column.uniqueness() >= LEAST_NEW {
            warnings.push(format!(
                "{path}: tells attempts and traces apart, so a retry may have another"
            ));
        } else if is_id && column.is_category() {
            warnings.push(format!(
                "{path}: only {values} in {records}: no identity by itself"
            ));
        } else if column.role == Role::Entity && column.uniqueness() < LEAST_NEW {
            warnings.push(format!(
                "{path}: an entity: {values} in {records}, and they come again by right"
            ));
        } else if is_id && column.uniqueness() < LEAST_NEW {
            warnings.push(format!(
                "{path}: {values} in {records}: comes again too often to be an identity by itself"
            ));
        }
    }
    warnings.truncate(WARNINGS_MAX);
    if table.sample.dropped_fields > 0 {
        warnings.push("more than 500 fields: those met later were not looked at".to_owned());
    }
    warnings
}

/// Chooses amount, currency, subject and time.
fn choose_others(table: &Table<'_>, suggestion: &mut Suggestion) {
    let preset = suggestion
        .candidates
        .first()
        .is_some_and(|first| first.preset.is_some());
    let is_number = |kind| matches!(kind, Kind::Integer | Kind::Decimal);
    suggestion.amount = best(table, |column, kind| {
        let preference = preference(&column.path, AMOUNTS);
        let is_amount = column.role == Role::Amount && is_number(kind);
        (is_amount && preference < AMOUNTS.len() && column.rounded == 0).then_some(preference)
    });
    let amount = suggestion.amount.as_deref().unwrap_or_default();
    suggestion.is_amount_minor = ["cent", "minor"].iter().any(|unit| amount.contains(unit));
    suggestion.currency = best(table, |column, kind| {
        let is_currency = column.role == Role::Currency && kind == Kind::Currency;
        (is_currency && !amount.is_empty()).then_some(0)
    });
    suggestion.subject = best(table, |column, kind| {
        let is_id = matches!(kind, Kind::Id | Kind::Integer | Kind::Text | Kind::Category);
        let comes_again = column.uniqueness() < 0.98 && column.distinct() > 1;
        let is_subject = column.role == Role::Entity && is_id && comes_again && column.rounded == 0;
        is_subject.then(|| preference(&column.path, SUBJECTS))
    });
    let records = &table.sample.records;
    let dated = records
        .iter()
        .filter(|record| record.timestamp_millis.is_some());
    if dated.count() * 2 < records.len() {
        suggestion.timestamp = best(table, |column, _| {
            let is_time = column.is_timestamp() && column.present * 10 >= records.len() * 9;
            let is_handling = column.role == Role::HandlingTime;
            (is_time && column.path.starts_with("value.")).then_some(usize::from(is_handling))
        });
    }
    if preset {
        // The preset says itself what is at risk.
        suggestion.amount = None;
        suggestion.currency = None;
        suggestion.subject = None;
        suggestion.is_amount_minor = false;
    }
}

const AMOUNTS: &[&str] = &["amount", "total", "gross", "net", "price", "cost", "fee"];
const SUBJECTS: &[&str] = &[
    "customer",
    "user",
    "account",
    "member",
    "recipient",
    "email",
    "client",
    "merchant",
    "device",
];

fn preference(path: &str, words: &[&str]) -> usize {
    let path = path.to_lowercase();
    words
        .iter()
        .position(|word| path.contains(word))
        .unwrap_or(words.len())
}

/// Returns the path of the column that ranks lowest, the shallowest of these.
fn best(table: &Table<'_>, rank: impl Fn(&Column, Kind) -> Option<usize>) -> Option<String> {
    let columns = table.sample.columns.iter().zip(&table.kinds);
    let ranked = columns.filter_map(|(column, kind)| {
        let rank = rank(column, *kind)?;
        let depth = column.path.matches(['.', '[']).count();
        Some(((rank, depth), short(&column.path)))
    });
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, path)| path)
}
