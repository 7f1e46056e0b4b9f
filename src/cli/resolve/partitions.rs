//! Partition lists as typed: `0,3-5`.

use std::collections::BTreeSet;

use crate::cli::usage_error::UsageError;

/// More partitions than any cluster has; keeps a slip such as `0-2000000000` from filling memory.
const PARTITIONS_MAX: i32 = 1_000_000;

const HINT: &str = "write numbers and ranges, comma-separated, such as 0,3-5";

/// Adds the partitions of a list to `partitions`.
pub fn parse_into(partitions: &mut BTreeSet<i32>, text: &str) -> Result<(), UsageError> {
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            let message = format!("the range `{part}` ends before it begins");
            return Err(UsageError::new(message).hint(HINT));
        }
        partitions.extend(first..=last);
    }
    Ok(())
}

/// Parses the number of one partition.
pub fn number(text: &str) -> Result<i32, UsageError> {
    let text = text.trim();
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_digits && number < PARTITIONS_MAX => Ok(number),
        _ => Err(UsageError::new(format!("`{text}` is no partition number")).hint(HINT)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Vec<i32>, UsageError> {
        let mut partitions = BTreeSet::new();
        parse_into(&mut partitions, text)?;
        Ok(partitions.into_iter().collect())
    }

    #[test]
    fn numbers_and_ranges_come_out_ascending() {
        assert_eq!(parse("0,3-5"), Ok(vec![0, 3, 4, 5]));
        assert_eq!(parse("7, 1 - 2,1"), Ok(vec![1, 2, 7]));
        assert_eq!(parse("4-4"), Ok(vec![4]));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in [
            "",
            ",",
            "1,",
            "-1",
            "1-",
            "a",
            "1-2-3",
            "+1",
            "5-3",
            "0-2000000000",
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
        fn every_set_survives_printing(set in proptest::collection::btree_set(0..2000, 1..20)) {
            let text: Vec<String> = set.iter().map(i32::to_string).collect();
            prop_assert_eq!(parse(&text.join(",")), Ok(set.into_iter().collect()));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), likely in "[0-9,-]{0,9}") {
            let _ = parse(&text);
            let _ = parse(&likely);
        }
    }
}
