//! What is at risk, by currency and by cause, as the page shows it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::finding::AmountAtRisk;
use crate::finding::AmountTotal;
use crate::finding::Cause;
use crate::finding::Episode;
use crate::report::html::view::short;
use crate::report::terminal::numbers::{grouped, grouped_decimal};

/// Currencies of one line at most.
const CURRENCIES_MAX: usize = 6;

/// Rows of a table at most.
pub(super) const ROWS_MAX: usize = 60;

/// What is at risk in one currency.
#[derive(Debug, Serialize)]
pub(super) struct AmountRow {
    currency: String,
    extra: String,
    reversed: String,
    net: String,
    extra_records: String,
    copies: String,
    conflicting: String,
}

/// What is at risk by one cause in one currency.
#[derive(Debug, Serialize)]
pub(super) struct CauseAmount {
    cause: &'static str,
    currency: String,
    net: String,
}

/// Returns the rows by currency.
pub(super) fn rows(amounts: &[AmountTotal]) -> Vec<AmountRow> {
    let row = |total: &AmountTotal| AmountRow {
        currency: currency(total.currency.as_deref()),
        extra: grouped_decimal(&total.extra),
        reversed: grouped_decimal(&total.reversed),
        net: grouped_decimal(&total.net),
        extra_records: grouped(total.extra_records),
        copies: grouped_decimal(&total.copies),
        conflicting: grouped_decimal(&total.conflicting),
    };
    amounts.iter().take(ROWS_MAX).map(row).collect()
}

/// Returns what is at risk by cause, which episodes add up to, and how many rows more there are;
/// nothing where a sum is too large.
pub(super) fn by_cause(episodes: &[Episode]) -> (Vec<CauseAmount>, usize) {
    let mut rows = sums_by_cause(episodes).unwrap_or_default();
    let more = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    (rows, more)
}

fn sums_by_cause(episodes: &[Episode]) -> Option<Vec<CauseAmount>> {
    let mut sums: BTreeMap<(Cause, Option<&str>), Decimal> = BTreeMap::new();
    for episode in episodes {
        for amount in &episode.amounts {
            let sum = sums
                .entry((episode.cause, amount.currency.as_deref()))
                .or_default();
            *sum = sum.checked_add(amount.net.parse().ok()?)?;
        }
    }
    let row = |((cause, of), net): ((Cause, Option<&str>), Decimal)| CauseAmount {
        cause: cause.code(),
        currency: currency(of),
        net: grouped_decimal(&net.to_string()),
    };
    Some(sums.into_iter().map(row).collect())
}

/// Returns what is at risk in each currency, in one line.
pub(super) fn line(amounts: &[AmountAtRisk]) -> String {
    let one = |amount: &AmountAtRisk| {
        let of = currency(amount.currency.as_deref());
        format!("{of} {}", grouped_decimal(&amount.net))
            .trim_start()
            .to_owned()
    };
    let mut parts: Vec<String> = amounts.iter().take(CURRENCIES_MAX).map(one).collect();
    if amounts.len() > CURRENCIES_MAX {
        parts.push("…".to_owned());
    }
    parts.join(", ")
}

/// Returns the currency; a dash where it is not known.
pub(super) fn currency(currency: Option<&str>) -> String {
    currency.map_or_else(|| "—".to_owned(), short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn the_amounts_of_episodes_add_up_by_cause_exactly() {
        let mut episodes = sample().episodes;
        episodes[0].cause = Cause::ConsumerReplay;
        episodes[1].amounts[0].net = "0.10".to_owned();
        let (rows, more) = by_cause(&episodes);
        let shown: Vec<_> = rows.iter().map(|row| (row.cause, &*row.net)).collect();
        assert_eq!(
            shown,
            [("producer-retry", "19.35"), ("consumer-replay", "19.25")]
        );
        assert_eq!(more, 0);
    }

    #[test]
    fn a_sum_that_is_too_large_is_not_shown_wrong() {
        let mut episodes = sample().episodes;
        for episode in &mut episodes {
            episode.amounts[0].net = "79228162514264337593543950335".to_owned();
        }
        assert!(by_cause(&episodes).0.is_empty());
    }

    #[test]
    fn currencies_that_find_no_room_are_counted() {
        let mut episodes = sample().episodes;
        episodes.truncate(1);
        let amount = episodes[0].amounts[0].clone();
        let of = |number: usize| AmountAtRisk {
            currency: Some(format!("X{number}")),
            ..amount.clone()
        };
        episodes[0].amounts = (0..ROWS_MAX + 7).map(of).collect();
        let (rows, more) = by_cause(&episodes);
        assert_eq!((rows.len(), more), (ROWS_MAX, 7));
    }
}
