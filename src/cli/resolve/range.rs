//! `--from`, `--to`, `--look-back` and `--tz` come to one range.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;

use crate::cli::flags::RangeFlags;
use crate::cli::resolve::time::TimeContext;
use crate::cli::resolve::{duration, partitions, time};
use crate::cli::usage_error::UsageError;
use crate::source::{Bound, RecordRange};

/// Look-back of a range that begins at a time: 15 minutes.
const LOOK_BACK_DEFAULT_MILLIS: i64 = 900_000;

/// Returns the range asked for.
pub fn resolve(
    flags: &RangeFlags,
    partitions: Option<&BTreeSet<i32>>,
    (now_millis, has_state): (i64, bool),
) -> Result<RecordRange, UsageError> {
    let context = TimeContext {
        now_millis,
        zone: zone(flags)?,
    };
    let bound = |option: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| {
                let bound = parse_bound(text, context)?;
                check_partitions(&bound, partitions)?;
                Ok(bound)
            })
            .transpose()
            .map_err(|error: UsageError| error.at(option, text.as_deref().unwrap_or_default()))
    };
    let from = bound("--from", &flags.from)?;
    let to = bound("--to", &flags.to)?;
    check_order(flags, from.as_ref(), to.as_ref())?;
    // With a state it is what runs remember, and no part of the range.
    let look_back_text = flags.look_back.as_deref().filter(|_| !has_state);
    let look_back_millis = look_back(look_back_text, from.as_ref())?;
    Ok(RecordRange {
        late_millis: late(flags.late.as_deref(), to.as_ref())?,
        from,
        to,
        look_back_millis,
    })
}

/// Returns the zone of times that name none.
pub fn zone(flags: &RangeFlags) -> Result<Option<Tz>, UsageError> {
    let parse = |text: &String| time::parse_zone(text).map_err(|error| error.at("--tz", text));
    flags.tz.as_ref().map(parse).transpose()
}

fn parse_bound(text: &str, context: TimeContext) -> Result<Bound, UsageError> {
    match text.strip_prefix("offset:") {
        Some(offsets) => parse_offsets(offsets),
        None => time::parse(text, context).map(Bound::Timestamp),
    }
}

fn parse_offsets(text: &str) -> Result<Bound, UsageError> {
    if !text.contains('=') {
        return parse_offset(text).map(Bound::Offset);
    }
    let mut offsets = BTreeMap::new();
    for part in text.split(',') {
        let (partition, offset) = part.split_once('=').ok_or_else(|| no_offset(part))?;
        let partition = partitions::number(partition)?;
        if offsets.insert(partition, parse_offset(offset)?).is_some() {
            let message = format!("partition {partition} has two offsets");
            return Err(UsageError::new(message));
        }
    }
    Ok(Bound::PartitionOffsets(offsets))
}

fn parse_offset(text: &str) -> Result<i64, UsageError> {
    let text = text.trim();
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(offset) if is_digits => Ok(offset),
        _ => Err(no_offset(text)),
    }
}

fn no_offset(text: &str) -> UsageError {
    UsageError::new(format!("`{text}` is no offset")).hint(
        "write offset:N for every partition, or offset:P=N,P=N for each by its number, from 0 up",
    )
}

fn check_partitions(bound: &Bound, asked: Option<&BTreeSet<i32>>) -> Result<(), UsageError> {
    let (Bound::PartitionOffsets(offsets), Some(asked)) = (bound, asked) else {
        return Ok(());
    };
    match offsets.keys().find(|partition| !asked.contains(partition)) {
        Some(partition) => Err(UsageError::new(format!(
            "partition {partition} is not one of those that --partitions asks for"
        ))
        .hint("add it to --partitions, or leave its offset out")),
        None => Ok(()),
    }
}

fn check_order(
    flags: &RangeFlags,
    from: Option<&Bound>,
    to: Option<&Bound>,
) -> Result<(), UsageError> {
    let is_empty = match (from, to) {
        (Some(Bound::Timestamp(from)), Some(Bound::Timestamp(to)))
        | (Some(Bound::Offset(from)), Some(Bound::Offset(to))) => from >= to,
        (Some(Bound::PartitionOffsets(from)), Some(Bound::PartitionOffsets(to))) => from
            .iter()
            .any(|(partition, from)| to.get(partition).is_some_and(|to| from >= to)),
        (Some(Bound::PartitionOffsets(from)), Some(Bound::Offset(to))) => {
            from.values().any(|from| from >= to)
        }
        (Some(Bound::Offset(from)), Some(Bound::PartitionOffsets(to))) => {
            to.values().any(|to| from >= to)
        }
        (None, Some(Bound::Offset(to))) => *to == 0,
        _ => false,
    };
    if !is_empty {
        return Ok(());
    }
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "the start".to_owned());
    Err(UsageError::new(format!(
        "`--from {}` is not before `--to {}`: the range is empty",
        shown(&flags.from),
        shown(&flags.to)
    ))
    .hint("a range holds its start and not its end: from ≤ t < to"))
}

fn look_back(text: Option<&str>, from: Option<&Bound>) -> Result<i64, UsageError> {
    let has_start_time = matches!(from, Some(Bound::Timestamp(_)));
    let Some(text) = text else {
        return Ok(if has_start_time {
            LOOK_BACK_DEFAULT_MILLIS
        } else {
            0
        });
    };
    let millis = duration::parse(text).map_err(|error| error.at("--look-back", text))?;
    if millis > 0 && !has_start_time {
        return Err(UsageError::new(format!(
            "`--look-back {text}` needs a range that begins at a time"
        ))
        .hint("add a start, such as --from -2h"));
    }
    Ok(millis)
}

fn late(text: Option<&str>, to: Option<&Bound>) -> Result<Option<i64>, UsageError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let millis = duration::parse(text).map_err(|error| error.at("--late", text))?;
    if !matches!(to, Some(Bound::Timestamp(_))) {
        return Err(
            UsageError::new(format!("`--late {text}` needs a range that ends at a time"))
                .hint("add an end, such as --to -1h"),
        );
    }
    Ok(Some(millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_768_444_200_000;

    fn flags(from: &str, to: &str) -> RangeFlags {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        RangeFlags {
            from: some(from),
            to: some(to),
            tz: None,
            look_back: None,
            late: None,
        }
    }

    fn range(from: &str, to: &str) -> Result<RecordRange, UsageError> {
        resolve(&flags(from, to), None, (NOW, false))
    }

    #[test]
    fn without_options_everything_is_in_the_range() {
        assert_eq!(range("", ""), Ok(RecordRange::default()));
    }

    #[test]
    fn a_start_time_looks_back_a_quarter_of_an_hour() {
        let range = range("-2h", "").unwrap();
        assert_eq!(range.from, Some(Bound::Timestamp(NOW - 7_200_000)));
        assert_eq!(range.look_back_millis, 900_000);
    }

    #[test]
    fn look_back_can_be_chosen_where_there_is_a_start_time() {
        let with = |from: &str, look_back: &str| {
            let look_back = Some(look_back.to_owned());
            let flags = RangeFlags {
                look_back,
                ..flags(from, "")
            };
            resolve(&flags, None, (NOW, false)).map(|range| range.look_back_millis)
        };
        assert_eq!(with("2026-01-15", "1h"), Ok(3_600_000));
        assert_eq!(with("2026-01-15", "0"), Ok(0));
        assert_eq!(with("", "0"), Ok(0));
        assert!(
            with("offset:5", "1h")
                .unwrap_err()
                .message
                .contains("--look-back")
        );
        assert!(
            with("2026-01-15", "1x")
                .unwrap_err()
                .message
                .contains("--look-back")
        );
    }

    #[test]
    fn late_records_are_waited_for_only_where_the_range_ends_at_a_time() {
        let with = |to: &str| {
            let flags = RangeFlags {
                late: Some("5m".to_owned()),
                ..flags("", to)
            };
            resolve(&flags, None, (NOW, false)).map(|range| range.late_millis)
        };
        assert_eq!(with("-1h"), Ok(Some(300_000)));
        assert_eq!(range("", "-1h").unwrap().late_millis, None);
        for to in ["", "offset:5"] {
            assert!(with(to).unwrap_err().message.contains("--late"));
        }
    }

    #[test]
    fn offsets_hold_for_all_partitions_or_for_each() {
        let range = range("offset:5", "offset:0=7,1=9").unwrap();
        assert_eq!(range.from, Some(Bound::Offset(5)));
        let to = BTreeMap::from([(0, 7), (1, 9)]);
        assert_eq!(range.to, Some(Bound::PartitionOffsets(to)));
        assert_eq!(range.look_back_millis, 0);
    }

    #[test]
    fn wrong_offsets_are_errors() {
        for text in [
            "offset:",
            "offset:x",
            "offset:-1",
            "offset:+1",
            "offset:0=",
            "offset:=1",
            "offset:0=1,",
            "offset:0=1,2",
            "offset:0=1,0=2",
            "offset:-1=1",
            "offset:99999999999999999999",
        ] {
            let error = range(text, "").unwrap_err();
            assert!(
                error.message.starts_with(&format!("`--from {text}`: ")),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_offset_of_a_partition_not_asked_for_is_an_error() {
        let asked = BTreeSet::from([0, 1]);
        let result = resolve(&flags("offset:2=5", ""), Some(&asked), (NOW, false));
        assert!(result.unwrap_err().message.contains("partition 2"));
        assert!(resolve(&flags("offset:1=5", ""), Some(&asked), (NOW, false)).is_ok());
    }

    #[test]
    fn an_empty_range_is_an_error() {
        for (from, to) in [
            ("2026-01-15", "2026-01-15"),
            ("-1h", "-2h"),
            ("offset:5", "offset:5"),
            ("offset:0=5,1=2", "offset:0=6,1=1"),
            ("offset:0=5", "offset:5"),
            ("offset:5", "offset:3=4"),
            ("", "offset:0"),
        ] {
            let error = range(from, to).unwrap_err();
            assert!(error.message.contains("the range is empty"), "{error:?}");
        }
        assert!(range("-2h", "-1h").is_ok());
        assert!(range("offset:5", "offset:6").is_ok());
        assert!(range("2026-01-15", "offset:1").is_ok());
    }

    #[test]
    fn an_unknown_zone_names_its_option() {
        let flags = RangeFlags {
            tz: Some("Mars".to_owned()),
            ..flags("", "")
        };
        let error = resolve(&flags, None, (NOW, false)).unwrap_err();
        assert!(error.message.starts_with("`--tz Mars`: "));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn offsets_survive_printing(
            offsets in proptest::collection::btree_map(0..999_999, 0..i64::MAX, 1..9),
        ) {
            let part = |(partition, offset): (&i32, &i64)| format!("{partition}={offset}");
            let parts: Vec<String> = offsets.iter().map(part).collect();
            let range = range(&format!("offset:{}", parts.join(",")), "").unwrap();
            prop_assert_eq!(range.from, Some(Bound::PartitionOffsets(offsets)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), likely in "[0-9=,]{0,12}") {
            let _ = range(&text, "");
            let _ = range(&format!("offset:{likely}"), &text);
        }
    }
}
