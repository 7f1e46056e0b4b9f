//! `--map NAME=FIELD[:unit]`: where a plain log keeps what Kafka keeps beside the value.

use chrono_tz::Tz;

use crate::audit::{FieldMapping, TimestampUnit};
use crate::cli::usage_error::UsageError;
use crate::record::{FieldPath, Root};

const HINT: &str = "write NAME=FIELD with one of timestamp, topic, partition, offset, key and \
                    value, such as --map timestamp=created_at or --map timestamp=created:ms";

/// Suffixes that name the unit of a timestamp that is a number.
const UNITS: [(&str, TimestampUnit); 4] = [
    (":s", TimestampUnit::Seconds),
    (":ms", TimestampUnit::Milliseconds),
    (":us", TimestampUnit::Microseconds),
    (":ns", TimestampUnit::Nanoseconds),
];

/// Returns what all `--map` options come to; `has_topic` where `--assume-topic` names one.
pub fn resolve(
    texts: &[String],
    has_topic: bool,
    zone: Option<Tz>,
) -> Result<FieldMapping, UsageError> {
    let mut mapping = FieldMapping {
        zone,
        ..FieldMapping::default()
    };
    for text in texts {
        add(&mut mapping, text).map_err(|error| error.at("--map", text))?;
    }
    if mapping.partition.is_some() && mapping.topic.is_none() && !has_topic {
        let message = "`--map partition=` needs the topic that the partition is of";
        return Err(UsageError::new(message)
            .hint("add --map topic=FIELD, or name one topic for all with --assume-topic NAME"));
    }
    Ok(mapping)
}

fn add(mapping: &mut FieldMapping, text: &str) -> Result<(), UsageError> {
    let (name, field) = text
        .split_once('=')
        .ok_or_else(|| UsageError::new("there is no `=`").hint(HINT))?;
    let is_new = match name.trim() {
        "timestamp" => {
            let (field, unit) = split_unit(field)?;
            let timestamp = (parse_field(field)?, unit);
            mapping.timestamp.replace(timestamp).is_none()
        }
        "topic" => mapping.topic.replace(parse_field(field)?).is_none(),
        "partition" => mapping.partition.replace(parse_field(field)?).is_none(),
        "offset" => mapping.offset.replace(parse_field(field)?).is_none(),
        "key" => mapping.key.replace(parse_field(field)?).is_none(),
        "value" => mapping.value.replace(parse_field(field)?).is_none(),
        other => {
            let message = format!("`{other}` cannot be mapped");
            return Err(UsageError::new(message).hint(HINT));
        }
    };
    if is_new {
        Ok(())
    } else {
        Err(UsageError::new(format!("`{}` is mapped twice", name.trim())).hint("keep one of them"))
    }
}

/// A path is taken inside the document; the bare name of a coordinate is a member of it.
fn parse_field(text: &str) -> Result<FieldPath, UsageError> {
    let text = text.trim();
    let inside = |error| UsageError::new(format!("{error}"));
    match FieldPath::parse(text) {
        Ok(path) if path.root == Root::Value && !path.steps.is_empty() => Ok(path),
        Err(error) if text.is_empty() => Err(inside(error)),
        _ => FieldPath::parse(&format!("value.{text}")).map_err(inside),
    }
}

/// A colon outside quotes begins a unit.
fn split_unit(field: &str) -> Result<(&str, TimestampUnit), UsageError> {
    let field = field.trim_end();
    let known = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((field.strip_suffix(suffix)?, *unit)));
    let has_unit = field
        .rsplit_once(':')
        .is_some_and(|(_, unit)| !unit.contains(['"', '.']));
    match known {
        Some(split) => Ok(split),
        None if has_unit => Err(UsageError::new("there is no such unit of time")
            .hint("the units are :s, :ms, :us and :ns; a name with a colon is quoted: \"a:b\"")),
        None => Ok((field, TimestampUnit::ByMagnitude)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(texts: &[&str]) -> Result<FieldMapping, UsageError> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        resolve(&texts, false, None)
    }

    #[test]
    fn a_partition_is_one_of_a_topic() {
        let error = map(&["partition=p", "offset=o"]).unwrap_err();
        assert!(error.message.contains("--map partition="), "{error:?}");
        assert!(map(&["partition=p", "topic=t"]).is_ok());
        assert!(map(&["topic=t"]).is_ok());
        assert!(map(&["offset=o"]).is_ok());
        assert!(resolve(&["partition=p".to_owned()], true, None).is_ok());
    }

    fn path(text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap()
    }

    #[test]
    fn every_name_can_be_mapped() {
        let mapping = map(&[
            "timestamp=created",
            "topic=t",
            "partition=p",
            "offset=o",
            "key=k",
            "value=payload.body",
        ])
        .unwrap();
        let expected = FieldMapping {
            timestamp: Some((path("created"), TimestampUnit::ByMagnitude)),
            zone: None,
            topic: Some(path("t")),
            partition: Some(path("p")),
            offset: Some(path("o")),
            key: Some(path("k")),
            value: Some(path("payload.body")),
        };
        assert_eq!(mapping, expected);
        assert_eq!(map(&[]), Ok(FieldMapping::default()));
    }

    #[test]
    fn a_unit_may_follow_the_timestamp() {
        for (text, field, unit) in [
            ("timestamp=created:s", "created", TimestampUnit::Seconds),
            (
                "timestamp=created:ms",
                "created",
                TimestampUnit::Milliseconds,
            ),
            (
                "timestamp=created:us",
                "created",
                TimestampUnit::Microseconds,
            ),
            (
                "timestamp=created:ns",
                "created",
                TimestampUnit::Nanoseconds,
            ),
            (
                "timestamp=\"created:s\"",
                "\"created:s\"",
                TimestampUnit::ByMagnitude,
            ),
            (
                "timestamp=\"a:s\":ms",
                "\"a:s\"",
                TimestampUnit::Milliseconds,
            ),
        ] {
            let timestamp = map(&[text]).unwrap().timestamp;
            assert_eq!(timestamp, Some((path(field), unit)), "{text}");
        }
    }

    #[test]
    fn the_name_of_a_coordinate_is_a_member_of_the_document() {
        let mapping = map(&[
            "timestamp=timestamp:ms",
            "topic=topic",
            "value=value",
            "key=key.id",
        ]);
        let mapping = mapping.unwrap();
        let timestamp = (path("value.timestamp"), TimestampUnit::Milliseconds);
        assert_eq!(mapping.timestamp, Some(timestamp));
        assert_eq!(mapping.topic, Some(path("value.topic")));
        assert_eq!(mapping.value, Some(path("value.value")));
        assert_eq!(mapping.key, Some(path("value.key.id")));
    }

    #[test]
    fn wrong_mappings_name_the_option() {
        for text in [
            "timestamp",
            "time=created",
            "timestamp=",
            "topic=a..b",
            "=a",
            "timestamp=:ms",
            "timestamp=created:x",
        ] {
            let error = map(&[text]).unwrap_err();
            assert!(
                error.message.starts_with(&format!("`--map {text}`: ")),
                "{error:?}"
            );
        }
        let error = map(&["topic=a", "topic=b"]).unwrap_err();
        assert!(error.message.contains("mapped twice"));
    }
}
