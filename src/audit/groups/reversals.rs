//! The refunds, voids and reversals of one group: what they take back, each counted once.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::audit::detail::{AmountText, Detail};
use crate::impact::{AmountSums, ReversalBalance};

/// Different reversals of one group told apart; more take nothing back, and are counted.
const KNOWN_MAX: usize = 1 << 16;

/// Adds the reversals of a group up.
#[derive(Debug, Default)]
pub(super) struct Reversals {
    records: u64,
    repeated: u64,
    unusable: u64,
    sums: AmountSums,
    /// Hashes of key and value.
    known: HashSet<(u128, u128)>,
}

impl Reversals {
    /// Adds a reversal. A refund that was recorded twice took the money back once.
    pub(super) fn add(&mut self, detail: &Detail) {
        self.records += 1;
        let has_room = self.known.len() < KNOWN_MAX;
        if self.is_repeated(detail) {
            self.repeated += 1;
            return;
        }
        let amount = match &detail.amount {
            AmountText::NotAsked => return,
            AmountText::Decimal(amount) if has_room => Some(amount.abs()),
            AmountText::Decimal(_) | AmountText::Unusable => None,
        };
        let currency = detail.currency.as_deref();
        let is_added = amount.is_some_and(|amount| self.sums.add(currency, amount));
        self.unusable += u64::from(!is_added);
    }

    fn is_repeated(&mut self, detail: &Detail) -> bool {
        let Some(value) = detail.content.value else {
            return false;
        };
        let content = (detail.content.key.unwrap_or_default(), value);
        self.known.contains(&content) || self.known.len() < KNOWN_MAX && !self.known.insert(content)
    }

    /// Returns the reversals as they are set aside.
    pub(super) fn finish(self) -> GatheredReversals {
        let sums = self.sums.iter();
        let encoded = |(currency, sum): (Option<&str>, Decimal)| {
            (currency.map(str::to_owned), sum.serialize())
        };
        GatheredReversals {
            records: self.records,
            repeated: self.repeated,
            unusable: self.unusable,
            sums: sums.map(encoded).collect(),
        }
    }
}

/// The reversals of a group whose records are all there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GatheredReversals {
    pub(super) records: u64,
    pub(super) repeated: u64,
    pub(super) unusable: u64,
    /// What they take back by currency, in the 16 bytes of a decimal.
    sums: Vec<(Option<String>, [u8; 16])>,
}

impl GatheredReversals {
    /// Returns what they take back, to be set against the extra records.
    pub(super) fn balance(&self) -> ReversalBalance {
        let mut sums = AmountSums::default();
        for (currency, sum) in &self.sums {
            sums.add(currency.as_deref(), Decimal::deserialize(*sum));
        }
        ReversalBalance::new(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::ContentHashes;

    fn reversal(value: u128, amount: &str, currency: &str) -> Detail {
        Detail {
            content: ContentHashes {
                value: Some(value),
                ..ContentHashes::default()
            },
            amount: match amount.parse() {
                Ok(amount) => AmountText::Decimal(amount),
                Err(_) => AmountText::Unusable,
            },
            currency: Some(currency.to_owned()),
            ..Detail::default()
        }
    }

    fn finished(details: &[Detail]) -> GatheredReversals {
        let mut reversals = Reversals::default();
        for detail in details {
            reversals.add(detail);
        }
        reversals.finish()
    }

    #[test]
    fn amounts_count_by_their_size_and_copies_of_a_reversal_once() {
        let refund = reversal(1, "-5.00", "USD");
        let gathered = finished(&[
            refund.clone(),
            refund,
            reversal(2, "2.50", "USD"),
            reversal(3, "n/a", "USD"),
            reversal(4, "7", "EUR"),
        ]);
        let counts = (gathered.records, gathered.repeated, gathered.unusable);
        assert_eq!(counts, (5, 1, 1));
        let mut balance = gathered.balance();
        let taken = |balance: &mut ReversalBalance, currency| {
            balance
                .take(Some(currency), Decimal::ONE_HUNDRED)
                .to_string()
        };
        assert_eq!(taken(&mut balance, "USD"), "7.50");
        assert_eq!(taken(&mut balance, "USD"), "0");
        assert_eq!(taken(&mut balance, "EUR"), "7");
    }

    #[test]
    fn what_cannot_be_told_from_others_takes_nothing_back() {
        let mut reversals = Reversals::default();
        for value in 0..u128::try_from(KNOWN_MAX).unwrap() + 2 {
            reversals.add(&reversal(value, "1", "USD"));
        }
        let gathered = reversals.finish();
        assert_eq!((gathered.repeated, gathered.unusable), (0, 2));
    }

    #[test]
    fn a_reversal_without_content_or_amount_is_counted() {
        let gone = Detail {
            amount: AmountText::NotAsked,
            ..Detail::default()
        };
        let gathered = finished(&[gone.clone(), gone]);
        assert_eq!(
            (gathered.records, gathered.repeated, gathered.unusable),
            (2, 0, 0)
        );
    }
}
