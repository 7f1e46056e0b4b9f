//! `--fail-at`: thresholds as typed.

use rust_decimal::Decimal;

use crate::cli::flags::ImpactFlags;
use crate::cli::usage_error::UsageError;
use crate::command::{Measure, Threshold};

const OPTION: &str = "--fail-at";

const HINT: &str = "write it as in --fail-at groups=1,extra=10,amount=100,amount.EUR=50,rate=0.01%";

/// Returns the thresholds.
pub(super) fn resolve(
    texts: &[String],
    impact: &ImpactFlags,
) -> Result<Vec<Threshold>, UsageError> {
    let mut thresholds: Vec<Threshold> = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        let threshold = parse(text).and_then(|of| check(of, impact));
        let threshold = threshold.map_err(|error| error.at(OPTION, text))?;
        if thresholds.iter().any(|of| of.measure == threshold.measure) {
            return Err(UsageError::new("this is given twice").at(OPTION, text));
        }
        thresholds.push(threshold);
    }
    Ok(thresholds)
}

fn parse(text: &str) -> Result<Threshold, UsageError> {
    let Some((name, number)) = text.split_once('=') else {
        return Err(UsageError::new("a threshold is NAME=NUMBER").hint(HINT));
    };
    let measure = match name {
        "groups" => Measure::Groups,
        "extra" => Measure::ExtraRecords,
        "rate" => Measure::Rate,
        "amount" => Measure::Amount(None),
        _ => match name.strip_prefix("amount.").filter(|of| !of.is_empty()) {
            Some(currency) => Measure::Amount(Some(currency.to_owned())),
            None => return Err(UsageError::new(format!("`{name}` is no measure")).hint(HINT)),
        },
    };
    Ok(Threshold {
        least: least(&measure, number)?,
        text: text.to_owned(),
        measure,
    })
}

fn least(measure: &Measure, number: &str) -> Result<Decimal, UsageError> {
    let wrong = |problem: String| UsageError::new(problem).hint(HINT);
    let (digits, is_percent) = match number.strip_suffix('%') {
        Some(digits) => (digits, true),
        None => (number, false),
    };
    if is_percent && *measure != Measure::Rate {
        return Err(wrong("only `rate` is a share of something".to_owned()));
    }
    let is_plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let least = Decimal::from_str_exact(digits).ok().filter(|_| is_plain);
    let least = least.ok_or_else(|| wrong(format!("`{number}` is no number")))?;
    let least = if is_percent {
        least / Decimal::ONE_HUNDRED
    } else {
        least
    };
    if least.is_zero() {
        let problem = "0 is reached without a duplicate; the least is above 0";
        return Err(wrong(problem.to_owned()));
    }
    match measure {
        Measure::Groups | Measure::ExtraRecords if !least.fract().is_zero() => {
            Err(wrong(format!("`{number}` is no whole number")))
        }
        Measure::Rate if least > Decimal::ONE => {
            Err(wrong("a rate is at most 1, or 100%".to_owned()))
        }
        Measure::Groups | Measure::ExtraRecords | Measure::Amount(_) | Measure::Rate => Ok(least),
    }
}

/// A threshold that nothing could reach would be a silent one.
fn check(threshold: Threshold, impact: &ImpactFlags) -> Result<Threshold, UsageError> {
    let Measure::Amount(currency) = &threshold.measure else {
        return Ok(threshold);
    };
    if impact.amount.is_none() {
        return Err(UsageError::new("no amount is read").hint("say where it is: --amount FIELD"));
    }
    if currency.is_some() && impact.currency.is_none() {
        return Err(
            UsageError::new("no currency is read").hint("say where it is: --currency FIELD")
        );
    }
    Ok(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impact() -> ImpactFlags {
        ImpactFlags {
            amount: Some("amount".to_owned()),
            currency: Some("currency".to_owned()),
            subject: None,
            reversal: None,
            amount_unit: None,
        }
    }

    fn resolved(text: &str, impact: &ImpactFlags) -> Result<Vec<Threshold>, UsageError> {
        resolve(&[text.to_owned()], impact)
    }

    #[test]
    fn thresholds_are_exact_numbers_of_what_they_name() {
        let text = "groups=2,extra=10,amount=0.10,amount.EUR=99.5,rate=0.01%";
        let thresholds = resolved(text, &impact()).unwrap();
        let found: Vec<(&Measure, String)> = thresholds
            .iter()
            .map(|of| (&of.measure, of.least.to_string()))
            .collect();
        let euros = Measure::Amount(Some("EUR".to_owned()));
        let expected = [
            (&Measure::Groups, "2"),
            (&Measure::ExtraRecords, "10"),
            (&Measure::Amount(None), "0.10"),
            (&euros, "99.5"),
            (&Measure::Rate, "0.0001"),
        ];
        assert_eq!(found, expected.map(|(of, least)| (of, least.to_owned())));
        assert_eq!(thresholds[4].text, "rate=0.01%");
        assert_eq!(resolve(&[], &impact()), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said_of_the_part_that_is() {
        for (text, problem) in [
            ("groups", "`--fail-at groups`: a threshold is NAME=NUMBER"),
            ("", "a threshold is NAME=NUMBER"),
            ("groups=1,", "`--fail-at `: a threshold"),
            ("goups=1", "`goups` is no measure"),
            ("amount.=1", "`amount.` is no measure"),
            ("groups=", "`` is no number"),
            ("groups=x", "`x` is no number"),
            ("groups=-1", "`-1` is no number"),
            ("groups=1_000", "`1_000` is no number"),
            ("groups=1e3", "`1e3` is no number"),
            ("groups=1.5", "`1.5` is no whole number"),
            ("extra=0", "above 0"),
            ("groups=1%", "only `rate`"),
            ("rate=101%", "at most 1"),
            ("rate=0%", "above 0"),
            ("amount=99999999999999999999999999999999", "is no number"),
            (
                "groups=1,groups=2",
                "`--fail-at groups=2`: this is given twice",
            ),
        ] {
            let error = resolved(text, &impact()).unwrap_err();
            assert!(error.message.contains(problem), "{text}: {error:?}");
        }
    }

    #[test]
    fn amounts_that_nobody_reads_are_refused() {
        let none = ImpactFlags {
            amount: None,
            ..impact()
        };
        let problem = resolved("groups=1,amount=1", &none).unwrap_err();
        assert!(problem.hint.unwrap().contains("--amount"));
        let no_currency = ImpactFlags {
            currency: None,
            ..impact()
        };
        assert!(resolved("amount=1", &no_currency).is_ok());
        let problem = resolved("amount.EUR=1", &no_currency).unwrap_err();
        assert!(problem.hint.unwrap().contains("--currency"));
    }
}
