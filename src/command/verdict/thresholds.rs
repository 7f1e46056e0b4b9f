//! `--fail-at`: how much has to be new before it counts.

use rust_decimal::Decimal;

use crate::finding::AmountAtRisk;
use crate::finding::AuditSummary;
use crate::finding::StandingTotal;
use crate::finding::ThresholdTotal;

/// What a threshold looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// New groups.
    Groups,
    /// New extra records.
    ExtraRecords,
    /// What is at risk of new extra records: in this currency, or in any one.
    Amount(Option<String>),
    /// New extra records among the records audited.
    Rate,
}

/// From where on what is new counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// As typed, such as `groups=1`.
    pub text: String,
    /// What is looked at.
    pub measure: Measure,
    /// The least that counts, above 0.
    pub least: Decimal,
}

/// What is new, of all that was found.
struct News {
    groups: u64,
    extra_records: u64,
    amounts: Vec<(Option<String>, Decimal)>,
}

/// Returns what each threshold came to.
pub(super) fn judge(thresholds: &[Threshold], summary: &AuditSummary) -> Vec<ThresholdTotal> {
    let news = match &summary.standing {
        Some(standing) => news_of(standing),
        None => all_is_news(summary),
    };
    let total = |threshold: &Threshold| {
        let found = found(threshold, &news, summary.records_audited);
        ThresholdTotal {
            threshold: threshold.text.clone(),
            is_reached: found >= threshold.least,
            found: shown(threshold, found),
        }
    };
    thresholds.iter().map(total).collect()
}

/// A share that was asked for in percent is told in percent.
fn shown(threshold: &Threshold, found: Decimal) -> String {
    let is_percent = threshold.text.ends_with('%');
    match threshold.measure {
        Measure::Rate if is_percent => {
            let percent = (found * Decimal::ONE_HUNDRED).round_dp(6).normalize();
            format!("{percent}%")
        }
        Measure::Rate => found.round_dp(8).normalize().to_string(),
        Measure::Groups | Measure::ExtraRecords | Measure::Amount(_) => found.to_string(),
    }
}

fn found(threshold: &Threshold, news: &News, records_audited: u64) -> Decimal {
    match &threshold.measure {
        Measure::Groups => news.groups.into(),
        Measure::ExtraRecords => news.extra_records.into(),
        Measure::Rate if records_audited == 0 => Decimal::ZERO,
        Measure::Rate => Decimal::from(news.extra_records) / Decimal::from(records_audited),
        Measure::Amount(currency) => {
            let is_meant =
                |of: &&(Option<String>, Decimal)| currency.is_none() || of.0 == *currency;
            let amounts = news.amounts.iter().filter(is_meant).map(|(_, sum)| *sum);
            amounts.max().unwrap_or_default()
        }
    }
}

fn news_of(standing: &StandingTotal) -> News {
    let amount = |of: &AmountAtRisk| (of.currency.clone(), decimal(&of.net));
    News {
        groups: standing.new_groups,
        extra_records: standing.new_extra_records,
        amounts: standing.new_amounts.iter().map(amount).collect(),
    }
}

/// Nothing is known before, so all that is at risk is new, disputed or not.
fn all_is_news(summary: &AuditSummary) -> News {
    let amounts = summary.amounts.iter().map(|total| {
        let disputed = decimal(&total.conflicting)
            .checked_sub(decimal(&total.conflicting_reversed))
            .unwrap_or_default();
        let sum = decimal(&total.net).checked_add(disputed);
        (total.currency.clone(), sum.unwrap_or(Decimal::MAX))
    });
    News {
        groups: summary.groups,
        extra_records: summary.extra_records,
        amounts: amounts.collect(),
    }
}

/// Sums of the summary are plain decimals of our own making.
fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(text: &str, measure: Measure, least: &str) -> Threshold {
        Threshold {
            text: text.to_owned(),
            measure,
            least: least.parse().unwrap(),
        }
    }

    fn news() -> News {
        News {
            groups: 3,
            extra_records: 4,
            amounts: vec![
                (Some("EUR".to_owned()), decimal("99.90")),
                (None, decimal("100.00")),
            ],
        }
    }

    #[test]
    fn each_measure_looks_at_its_own() {
        let euros = Measure::Amount(Some("EUR".to_owned()));
        let dollars = Measure::Amount(Some("USD".to_owned()));
        for (measure, expected, text) in [
            (Measure::Groups, "3", "3"),
            (Measure::ExtraRecords, "4", "4"),
            (Measure::Amount(None), "100.00", "100.00"),
            (euros, "99.90", "99.90"),
            (dollars, "0", "0"),
            (Measure::Rate, "0.01", "1%"),
        ] {
            let threshold = threshold("x%", measure, "1");
            let found = found(&threshold, &news(), 400);
            assert_eq!(found, decimal(expected), "{threshold:?}");
            assert_eq!(shown(&threshold, found), text);
        }
        let rate = threshold("rate=0.1", Measure::Rate, "0.1");
        assert_eq!(found(&rate, &news(), 0), Decimal::ZERO);
        assert_eq!(shown(&rate, found(&rate, &news(), 7)), "0.57142857");
    }
}
