//! Durations as typed: `500ms`, `10m`, `1h30m`, `7d`.

use crate::cli::usage_error::UsageError;

/// Units with their milliseconds, longest first.
const UNITS: [(&str, i64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const HINT: &str = "write a number and its unit: 500ms, 30s, 10m, 1h30m or 7d";

/// Parses a duration into milliseconds; `0` needs no unit.
pub fn parse(text: &str) -> Result<i64, UsageError> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err(UsageError::new("there is no duration").hint(HINT));
    }
    let mut millis = 0_i64;
    let mut units = UNITS.as_slice();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = take_number(rest)?;
        let (name, after) = take_unit_name(after);
        let place = units.iter().position(|(unit, _)| *unit == name);
        let Some((&(_, unit_millis), shorter)) =
            place.and_then(|place| units.get(place..)?.split_first())
        else {
            return Err(wrong_unit(name));
        };
        millis = number
            .checked_mul(unit_millis)
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(|| UsageError::new("the duration is too long"))?;
        units = shorter;
        rest = after;
    }
    Ok(millis)
}

fn take_number(text: &str) -> Result<(i64, &str), UsageError> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Err(UsageError::new(format!("`{text}` does not begin with a number")).hint(HINT));
    }
    let number = digits
        .parse()
        .map_err(|_| UsageError::new("the duration is too long"))?;
    Ok((number, rest))
}

fn take_unit_name(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn wrong_unit(name: &str) -> UsageError {
    let message = if name.is_empty() {
        "a number has no unit".to_owned()
    } else if UNITS.iter().any(|(unit, _)| *unit == name) {
        format!("`{name}` comes twice, or after a shorter unit")
    } else {
        format!("`{name}` is no unit of time")
    };
    UsageError::new(message).hint(HINT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse("10m"), Ok(600_000));
        assert_eq!(parse("1h30m"), Ok(5_400_000));
        assert_eq!(parse("500ms"), Ok(500));
        assert_eq!(parse("7d"), Ok(604_800_000));
        assert_eq!(parse("1w"), parse("7d"));
        assert_eq!(parse("1m1ms"), Ok(60_001));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("0s"), Ok(0));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, reason) in [
            ("", "there is no duration"),
            ("10", "a number has no unit"),
            ("m", "`m` does not begin with a number"),
            ("-5m", "`-5m` does not begin with a number"),
            ("1.5h", "a number has no unit"),
            ("5 m", "a number has no unit"),
            ("5min", "`min` is no unit of time"),
            ("5M", "`M` is no unit of time"),
            ("5é", "a number has no unit"),
            ("30m1h", "`h` comes twice, or after a shorter unit"),
            ("1h1h", "`h` comes twice, or after a shorter unit"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.message, reason, "{text}");
            assert_eq!(error.hint.as_deref(), Some(HINT), "{text}");
        }
        assert!(parse("9223372036854775807d").is_err());
        assert!(parse("99999999999999999999ms").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_duration_survives_printing(millis in 0..=i64::MAX) {
            let mut text = String::new();
            let mut rest = millis;
            for (unit, unit_millis) in UNITS {
                let number = rest / unit_millis;
                text.extend([number.to_string().as_str(), unit]);
                rest %= unit_millis;
            }
            prop_assert_eq!(parse(&text), Ok(millis));
        }

        #[test]
        fn no_text_makes_the_parser_panic(
            text in any::<String>(),
            likely in "[0-9hmsdwé. -]{0,24}",
        ) {
            let _ = parse(&text);
            let _ = parse(&likely);
        }
    }
}
