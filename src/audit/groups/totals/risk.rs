//! What is at risk, by currency: the extra records' own amounts, and what was taken back of them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::finding::AmountAtRisk;
use crate::impact::{AmountSums, plain_decimal};

/// An extra record's amount, and how much of it reversals have taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit::groups) struct Risk<'a> {
    pub(in crate::audit::groups) currency: Option<&'a str>,
    pub(in crate::audit::groups) amount: Decimal,
    pub(in crate::audit::groups) reversed: Decimal,
}

/// Sums of what is at risk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::audit::groups) struct RiskSums {
    extra: AmountSums,
    reversed: AmountSums,
}

/// Sums as they are set aside: currency, amount and what was taken back, in 16 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredRisk(Vec<(Option<String>, [u8; 16], [u8; 16])>);

impl RiskSums {
    /// Adds a record's amount; returns false, and adds nothing, where it cannot be summed exactly.
    pub(in crate::audit::groups) fn add(&mut self, risk: Risk<'_>) -> bool {
        if !self.extra.add(risk.currency, risk.amount) {
            return false;
        }
        if risk.reversed.is_zero() || self.reversed.add(risk.currency, risk.reversed) {
            return true;
        }
        self.extra.add(risk.currency, -risk.amount);
        false
    }

    /// Adds sums that were set aside.
    pub(super) fn add_stored(&mut self, stored: &StoredRisk) -> bool {
        let mut fits = true;
        for (currency, amount, reversed) in &stored.0 {
            fits &= self.add(Risk {
                currency: currency.as_deref(),
                amount: Decimal::deserialize(*amount),
                reversed: Decimal::deserialize(*reversed),
            });
        }
        fits
    }

    /// Returns the sums as they are set aside.
    pub(super) fn stored(&self) -> StoredRisk {
        let stored = |(currency, extra): (Option<&str>, Decimal)| {
            let reversed = self.reversed.get(currency);
            let currency = currency.map(str::to_owned);
            (currency, extra.serialize(), reversed.serialize())
        };
        StoredRisk(self.extra.iter().map(stored).collect())
    }

    /// Returns the sums before and after reversals in one currency.
    pub(super) fn get(&self, currency: Option<&str>) -> (Decimal, Decimal) {
        let extra = self.extra.get(currency);
        (extra, extra - self.reversed.get(currency))
    }

    /// Returns what is left in the only currency there is.
    pub(super) fn only_net(&self) -> Option<Decimal> {
        match self.extra.currencies().as_slice() {
            [currency] => Some(self.get(currency.as_deref()).1),
            _ => None,
        }
    }

    /// Returns the sums by currency, unknown last.
    pub(in crate::audit::groups) fn at_risk(&self) -> Vec<AmountAtRisk> {
        let at_risk = |currency: Option<String>| {
            let (extra, net) = self.get(currency.as_deref());
            let reversed = self
                .reversed
                .get_with_scale(currency.as_deref(), extra.scale());
            AmountAtRisk {
                extra: plain_decimal(extra),
                reversed: plain_decimal(reversed),
                net: plain_decimal(net),
                currency,
            }
        };
        self.extra.currencies().into_iter().map(at_risk).collect()
    }

    /// Returns the currencies, sorted, unknown last.
    pub(super) fn currencies(&self) -> Vec<Option<String>> {
        self.extra.currencies()
    }

    /// Returns sums before, in and after reversals in one currency, with at least `scale` digits
    /// behind the point.
    pub(super) fn texts(&self, currency: Option<&str>, scale: u32) -> [String; 3] {
        let (extra, mut net) = self.get(currency);
        net.rescale(scale.max(net.scale()));
        let mut scaled = extra;
        scaled.rescale(scale.max(extra.scale()));
        let reversed = self.reversed.get_with_scale(currency, scale);
        [scaled, reversed, net].map(plain_decimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risk(amount: &str, reversed: &str) -> Risk<'static> {
        Risk {
            currency: Some("USD"),
            amount: amount.parse().unwrap(),
            reversed: reversed.parse().unwrap(),
        }
    }

    #[test]
    fn what_is_set_aside_comes_back_and_texts_have_one_scale() {
        let mut sums = RiskSums::default();
        assert!(sums.add(risk("10.00", "0")) && sums.add(risk("5.5", "2")));
        let mut again = RiskSums::default();
        assert!(again.add_stored(&sums.stored()));
        assert_eq!(again.at_risk(), sums.at_risk());
        let at_risk = &sums.at_risk()[0];
        assert_eq!(at_risk.currency.as_deref(), Some("USD"));
        let texts = [&*at_risk.extra, &*at_risk.reversed, &*at_risk.net];
        assert_eq!(texts, ["15.50", "2.00", "13.50"]);
        assert_eq!(sums.texts(Some("USD"), 3), ["15.500", "2.000", "13.500"]);
        assert_eq!(sums.texts(None, 2), ["0.00", "0.00", "0.00"]);
    }

    #[test]
    fn what_cannot_be_summed_changes_nothing() {
        let mut sums = RiskSums::default();
        assert!(sums.add(risk("7000000000000000000000000000.0", "0.5")));
        let before = sums.clone();
        assert!(!sums.add(risk("0.01", "0.01")));
        assert_eq!(sums, before);
    }
}
