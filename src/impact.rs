//! What is at risk: amounts and subjects, from field paths.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::record::FieldPath;
use crate::scan_json::number;

/// What a whole number in the amount field counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AmountUnit {
    /// Units such as dollars.
    #[default]
    Major,
    /// Units such as cents, by the currency's ISO 4217 exponent.
    Minor,
}

impl AmountUnit {
    /// Returns the name, as after `--amount-unit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
        }
    }
}

/// Which fields say what is at risk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImpactSpec {
    /// The amount.
    pub amount: Option<FieldPath>,
    /// The currency of the amount.
    pub currency: Option<FieldPath>,
    /// Who is hit.
    pub subject: Option<FieldPath>,
    /// What the amount counts.
    pub unit: AmountUnit,
}

/// Currencies that are told apart; a field with more values is no currency.
const CURRENCIES_MAX: usize = 1000;

/// Currencies whose minor unit is not a hundredth (ISO 4217, list one), with the exponent.
const MINOR_EXPONENTS: [(&str, u32); 26] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// Returns the exact amount that `text` names, in major units, or nothing where it is no decimal
/// number that can be summed exactly (28 digits).
pub fn parse_amount(text: &str, currency: Option<&str>, unit: AmountUnit) -> Option<Decimal> {
    let text = text.trim();
    if !number::canonical_loose(text.as_bytes(), &mut Vec::new()) {
        return None;
    }
    let amount = match Decimal::from_str_exact(text) {
        Ok(amount) => amount,
        Err(_) => exact_from_scientific(text)?,
    };
    match unit {
        AmountUnit::Major => Some(amount),
        AmountUnit::Minor => from_minor(amount, minor_exponent(currency)),
    }
}

/// An exponent must not cost digits: what does not come back as it was is refused.
fn exact_from_scientific(text: &str) -> Option<Decimal> {
    let amount = Decimal::from_scientific(text).ok()?;
    let canonical = |text: &str| {
        let mut canonical = Vec::new();
        number::canonical_loose(text.as_bytes(), &mut canonical);
        canonical
    };
    (canonical(text) == canonical(&amount.to_string())).then_some(amount)
}

fn minor_exponent(currency: Option<&str>) -> u32 {
    let code = currency.unwrap_or_default().to_ascii_uppercase();
    let listed = MINOR_EXPONENTS.iter().find(|(listed, _)| *listed == code);
    listed.map_or(2, |(_, exponent)| *exponent)
}

fn from_minor(mut amount: Decimal, exponent: u32) -> Option<Decimal> {
    amount
        .set_scale(amount.scale().checked_add(exponent)?)
        .ok()?;
    Some(amount)
}

/// Exact sums per currency, of a thousand currencies at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmountSums {
    sums: BTreeMap<Option<String>, Decimal>,
}

impl AmountSums {
    /// Adds one amount; returns false, and adds nothing, where the sum is past exact decimals or
    /// the currency is one too many.
    pub fn add(&mut self, currency: Option<&str>, amount: Decimal) -> bool {
        let currency = currency.map(str::to_owned);
        if self.sums.len() >= CURRENCIES_MAX && !self.sums.contains_key(&currency) {
            return false;
        }
        let sum = self.sums.entry(currency).or_insert(Decimal::ZERO);
        let Some(total) = sum.checked_add(amount) else {
            return false;
        };
        // Past 28 digits the addition rounds: the sum lacks digits behind the point.
        let needed = sum.normalize().scale().max(amount.normalize().scale());
        let is_exact = total.scale() >= needed;
        if is_exact {
            *sum = total;
        }
        is_exact
    }

    /// Returns the sums by currency, unknown first.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, Decimal)> {
        let sums = self.sums.iter();
        sums.map(|(currency, sum)| (currency.as_deref(), *sum))
    }

    /// Returns the sum in one currency.
    pub fn get(&self, currency: Option<&str>) -> Decimal {
        self.sums
            .get(&currency.map(str::to_owned))
            .copied()
            .unwrap_or_default()
    }

    /// Returns the sum in one currency with at least `scale` digits behind the point.
    pub fn get_with_scale(&self, currency: Option<&str>, scale: u32) -> Decimal {
        let mut sum = self.get(currency);
        sum.rescale(scale.max(sum.scale()));
        sum
    }

    /// Returns the currencies, sorted, unknown last.
    pub fn currencies(&self) -> Vec<Option<String>> {
        let known = self.sums.keys().filter(|currency| currency.is_some());
        let unknown = self.sums.keys().filter(|currency| currency.is_none());
        known.chain(unknown).cloned().collect()
    }
}

/// What reversals of one dedup key have taken back and no extra record has been set against yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReversalBalance {
    left: AmountSums,
}

impl ReversalBalance {
    /// Returns the balance of reversals with these sums, none of them below zero.
    pub fn new(reversed: AmountSums) -> Self {
        Self { left: reversed }
    }

    /// Sets an extra record's amount against what is left in its currency; returns how much of
    /// the amount is taken back.
    pub fn take(&mut self, currency: Option<&str>, amount: Decimal) -> Decimal {
        let taken = self.left.get(currency).min(amount).max(Decimal::ZERO);
        // What cannot be taken off exactly would be taken twice.
        if taken > Decimal::ZERO && self.left.add(currency, -taken) {
            taken
        } else {
            Decimal::ZERO
        }
    }
}

/// Returns a plain decimal, never an exponent.
pub fn plain_decimal(amount: Decimal) -> String {
    amount.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Option<String> {
        parse_amount(text, None, AmountUnit::Major).map(plain_decimal)
    }

    #[test]
    fn amounts_keep_their_digits() {
        assert_eq!(amount("9.990").as_deref(), Some("9.990"));
        assert_eq!(amount("-0.01").as_deref(), Some("-0.01"));
        assert_eq!(amount("1e3").as_deref(), Some("1000"));
        assert_eq!(amount("1.5e-3").as_deref(), Some("0.0015"));
    }

    #[test]
    fn what_cannot_be_summed_exactly_is_no_amount() {
        for text in ["", "abc", "1,5", "1e400", "0.1e-400", "NaN", "--1"] {
            assert_eq!(amount(text), None, "{text}");
        }
        assert_eq!(amount("123456789012345678901234567890123"), None);
    }

    #[test]
    fn minor_units_follow_the_currency() {
        let minor = |text, currency| {
            parse_amount(text, Some(currency), AmountUnit::Minor).map(plain_decimal)
        };
        assert_eq!(minor("1999", "USD").as_deref(), Some("19.99"));
        assert_eq!(minor("1999", "JPY").as_deref(), Some("1999"));
        assert_eq!(minor("1999", "kwd").as_deref(), Some("1.999"));
    }

    #[test]
    fn sums_are_exact_and_per_currency() {
        let mut sums = AmountSums::default();
        for _ in 0..10 {
            assert!(sums.add(Some("USD"), Decimal::new(1, 1)));
        }
        assert!(sums.add(None, Decimal::new(5, 2)));
        assert_eq!(sums.get(Some("USD")).to_string(), "1.0");
        assert_eq!(sums.currencies(), [Some("USD".to_owned()), None]);
        assert!(!sums.add(Some("USD"), Decimal::MAX));
    }

    #[test]
    fn reversals_take_back_no_more_than_they_are_and_only_in_their_currency() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let mut reversed = AmountSums::default();
        assert!(reversed.add(Some("USD"), decimal("15.00")));
        let mut balance = ReversalBalance::new(reversed);
        assert_eq!(balance.take(Some("EUR"), decimal("9")), Decimal::ZERO);
        assert_eq!(balance.take(None, decimal("9")), Decimal::ZERO);
        assert_eq!(balance.take(Some("USD"), decimal("-9")), Decimal::ZERO);
        let taken = ["10", "10.5", "1"].map(|text| balance.take(Some("USD"), decimal(text)));
        assert_eq!(taken, [decimal("10"), decimal("5"), Decimal::ZERO]);
    }

    #[test]
    fn a_currency_too_many_is_refused_and_the_others_go_on() {
        let mut sums = AmountSums::default();
        for number in 0..CURRENCIES_MAX {
            assert!(sums.add(Some(&number.to_string()), Decimal::ONE));
        }
        assert!(!sums.add(None, Decimal::ONE) && !sums.add(Some("USD"), Decimal::ONE));
        assert!(sums.add(Some("7"), Decimal::ONE));
        assert_eq!(sums.get(Some("7")), Decimal::TWO);
        assert_eq!(sums.currencies().len(), CURRENCIES_MAX);
    }

    #[test]
    fn a_sum_that_would_be_rounded_is_refused() {
        let mut sums = AmountSums::default();
        let large: Decimal = "7000000000000000000000000000.0".parse().unwrap();
        assert!(sums.add(None, large));
        assert!(sums.add(None, Decimal::new(5, 1)));
        let kept = sums.get(None);
        for small in ["0.01", "0.04", "0.0000000000000000000000000001", "-0.01"] {
            assert!(!sums.add(None, small.parse().unwrap()), "{small}");
            assert_eq!(sums.get(None), kept);
        }
    }
}
