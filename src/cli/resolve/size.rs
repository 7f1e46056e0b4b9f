//! Sizes as typed: `512M`, `2G`, `1.5GiB`, `500MB`.

use crate::cli::usage_error::UsageError;

const HINT: &str = "write a number and its unit: 512M, 2G, 1.5GiB (1024) or 500MB (1000)";

/// Parses a size into bytes. `K`, `KiB` and the like count by 1024, `KB` and the like by 1000.
pub fn parse(text: &str) -> Result<u64, UsageError> {
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_bytes = unit_bytes(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let not_a_number =
        || UsageError::new(format!("`{text}` does not begin with a number")).hint(HINT);
    let whole: u128 = whole.parse().map_err(|_| not_a_number())?;
    let too_large = || UsageError::new("the size is too large");
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|digits| 10_u128.checked_pow(digits))
        .ok_or_else(too_large)?;
    let fraction: u128 = fraction.parse().map_err(|_| not_a_number())?;
    let bytes = whole
        .checked_mul(unit_bytes)
        .zip(fraction.checked_mul(unit_bytes))
        .and_then(|(whole, fraction)| whole.checked_add(fraction / scale));
    bytes
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or_else(too_large)
}

fn unit_bytes(unit: &str) -> Result<u128, UsageError> {
    let lower = unit.to_ascii_lowercase();
    let (prefix, base): (&str, u128) = match lower.as_str() {
        "" | "b" => ("", 1024),
        text => match (text.strip_suffix("ib"), text.strip_suffix('b')) {
            (Some(prefix), _) => (prefix, 1024),
            (None, Some(prefix)) => (prefix, 1000),
            (None, None) => (text, 1024),
        },
    };
    let power = match prefix {
        "" if lower.len() <= 1 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(UsageError::new(format!("`{unit}` is no unit of size")).hint(HINT)),
    };
    Ok(base.pow(power))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_count_by_1024_or_by_1000() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17B", 17),
            ("4k", 4096),
            ("512M", 512 << 20),
            ("2G", 2 << 30),
            ("2GiB", 2 << 30),
            ("2gb", 2_000_000_000),
            ("1.5GiB", 3 << 29),
            ("0.5K", 512),
            ("1T", 1 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_an_error() {
        for text in [
            "",
            "M",
            "-1M",
            "1.M",
            ".5M",
            "1.2.3M",
            "1X",
            "1ib",
            "1KiBs",
            "50%",
            "1 G",
            "1é",
            "16777216T",
            "99999999999999999999999999999999999999999",
            "0.0000000000000000000000000000000000000000001M",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_number_of_bytes_survives_printing(bytes in any::<u64>()) {
            prop_assert_eq!(parse(&bytes.to_string()), Ok(bytes));
            prop_assert_eq!(parse(&format!("{}KiB", bytes >> 10)), Ok(bytes >> 10 << 10));
        }

        #[test]
        fn no_text_makes_the_parser_panic(
            text in any::<String>(),
            likely in "[0-9.]{0,30}[KMGTikmb]{0,3}",
        ) {
            let _ = parse(&text);
            let _ = parse(&likely);
        }
    }
}
