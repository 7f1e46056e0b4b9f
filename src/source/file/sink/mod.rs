//! Files that Kafka Connect sinks wrote: their paths say topic, partition and first offset.

mod column;
pub(crate) mod siblings;
pub(crate) mod source;
#[cfg(test)]
mod tests;
pub(crate) mod wrapping;

use std::fs;
use std::path::Path;

use crate::record::TopicPartition;

pub(crate) use column::ColumnStore;
pub(crate) use siblings::{Sibling, SiblingKind};
pub(crate) use source::SinkSource;
pub(crate) use wrapping::Wrapping;

/// How a path says what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkNaming {
    /// `TOPIC+PARTITION+START` of Confluent's sinks, `+END` behind it on HDFS.
    Confluent,
    /// `TOPIC-PARTITION-START` of Aiven's, which other files may be called too.
    Aiven,
}

/// What the name of a sink's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SinkName {
    pub(crate) naming: SinkNaming,
    pub(crate) topic_partition: TopicPartition,
    /// Offset of the first record.
    pub(crate) start: i64,
    /// Offset behind the last record.
    pub(crate) end: Option<i64>,
}

impl SinkName {
    /// Returns what a file's name says, if it is a sink's.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if is_sibling(name) {
            return None;
        }
        parse_confluent(name).or_else(|| parse_aiven(name))
    }

    /// Returns where the next file of the same partition in `folder` starts.
    pub(crate) fn next_start(&self, folder: &Path) -> Option<i64> {
        let entries = fs::read_dir(folder).ok()?;
        let starts = entries.flatten().filter_map(|entry| {
            let other = Self::parse(entry.file_name().to_str()?)?;
            let is_same = other.naming == self.naming
                && other.topic_partition == self.topic_partition
                && other.end.is_some() == self.end.is_some();
            is_same.then_some(other.start)
        });
        starts.filter(|&start| start > self.start).min()
    }
}

/// Returns whether a file holds the keys or headers of another file's records.
pub(crate) fn is_sibling(name: &str) -> bool {
    SiblingKind::ALL
        .iter()
        .any(|kind| split_sibling(name, *kind).is_some())
}

/// Folder in which Confluent's sinks keep the keys of tombstones; there is no file of values.
const TOMBSTONES: &str = "tombstone";

/// Returns what the name of a file says that holds the keys of tombstones.
pub(crate) fn tombstones(path: &Path) -> Option<SinkName> {
    let is_apart = path.components().any(|part| part.as_os_str() == TOMBSTONES);
    let (stem, ending) = split_sibling(path.file_name()?.to_str()?, SiblingKind::Keys)?;
    SinkName::parse(&format!("{stem}.{ending}")).filter(|_| is_apart)
}

/// Returns the name, up to its ending, of the file whose keys or headers a file holds.
pub(crate) fn stem_of_values(name: &str) -> Option<&str> {
    let stem_of = |kind: &SiblingKind| split_sibling(name, *kind).map(|(stem, _)| stem);
    SiblingKind::ALL.iter().find_map(stem_of)
}

/// Returns the name of a file, up to its ending, that siblings of it share.
pub(crate) fn stem_of_file(name: &str) -> Option<&str> {
    let plus = name.rfind('+')?;
    let (digits, _) = split_number(name.get(plus + 1..)?);
    name.get(..plus + 1 + digits.len())
}

/// Takes `orders+0+0000000042.keys.json` apart into `orders+0+0000000042` and `json`.
fn split_sibling(name: &str, kind: SiblingKind) -> Option<(&str, &str)> {
    let plus = name.rfind('+')?;
    let (_, ends) = split_number(name.get(plus + 1..)?);
    let ending = ends.strip_prefix(kind.mark())?;
    let stem = name.get(..name.len() - ends.len())?;
    Some((stem, ending))
}

/// `orders+0+0000000042.json.gz`, `orders+0+0000000042+0000000053.avro`.
fn parse_confluent(name: &str) -> Option<SinkName> {
    /// Zeros make up a number to so many digits.
    const DIGITS_MIN: usize = 10;
    let parts: Vec<&str> = name.split('+').collect();
    let (topic, partition, start, end, last) = match parts[..] {
        [topic, partition, start] => (topic, partition, start, None, start),
        [topic, partition, start, end] => (topic, partition, start, Some(end), end),
        _ => return None,
    };
    if topic.is_empty() || !has_ending(last) {
        return None;
    }
    let number = |text: &str| {
        let (digits, _) = split_number(text);
        let is_padded = digits.len() >= DIGITS_MIN;
        digits.parse::<i64>().ok().filter(|_| is_padded)
    };
    let start = number(start)?;
    let end = match end {
        None => None,
        Some(end) => Some(number(end)?.checked_add(1).filter(|&end| end > start)?),
    };
    Some(SinkName {
        naming: SinkNaming::Confluent,
        topic_partition: TopicPartition {
            topic: topic.into(),
            partition: partition_number(partition)?,
        },
        start,
        end,
    })
}

/// `orders-0-42`, `orders-0-42.gz`.
fn parse_aiven(name: &str) -> Option<SinkName> {
    let (front, last) = name.rsplit_once('-')?;
    let (topic, partition) = front.rsplit_once('-')?;
    let (start, _) = split_number(last);
    // Nothing is padded there; what is, and what follows a year, is a date.
    let is_padded = |number: &str| number.len() > 1 && number.starts_with('0');
    let is_year = |text: &str| text.len() == 4 && text.bytes().all(|of| of.is_ascii_digit());
    let is_date = topic.rsplit('-').next().is_some_and(is_year);
    let is_other = is_date || is_padded(partition) || is_padded(start);
    if topic.is_empty() || is_other || !has_ending(last) {
        return None;
    }
    Some(SinkName {
        naming: SinkNaming::Aiven,
        topic_partition: TopicPartition {
            topic: topic.into(),
            partition: partition_number(partition)?,
        },
        start: start.parse().ok()?,
        end: None,
    })
}

fn partition_number(text: &str) -> Option<i32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Returns the digits in front, and what follows them.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Returns whether digits are followed by nothing but the ending of a file's name.
fn has_ending(text: &str) -> bool {
    let (digits, ending) = split_number(text);
    !digits.is_empty() && (ending.is_empty() || ending.starts_with('.'))
}

#[cfg(test)]
mod name_tests {
    use super::*;

    fn shown(name: &str) -> Option<String> {
        let name = SinkName::parse(name)?;
        let (of, start, end) = (name.topic_partition, name.start, name.end);
        Some(format!("{:?} {of} {start} {end:?}", name.naming))
    }

    #[test]
    fn names_of_sinks_are_taken_apart() {
        for (name, expected) in [
            ("orders+0+0000000042.json", "Confluent orders-0 42 None"),
            (
                "a.b-c+12+0000000042.snappy.parquet",
                "Confluent a.b-c-12 42 None",
            ),
            (
                "orders+3+0000000042+0000000053.avro",
                "Confluent orders-3 42 Some(54)",
            ),
            ("orders-0-42", "Aiven orders-0 42 None"),
            ("my-orders-1-0.jsonl.gz", "Aiven my-orders-1 0 None"),
        ] {
            assert_eq!(shown(name).as_deref(), Some(expected), "{name}");
        }
        for name in [
            "orders.json",
            "orders+0+42.json",
            "orders+x+0000000042.json",
            "orders+0+0000000042+0000000041.avro",
            "orders+0+0000000042.keys.json",
            "orders+0+0000000042.headers.avro",
            "orders-0",
            "orders-0-4x2",
            "orders-01-2.jsonl",
            "orders-2026-10-15.jsonl",
            "+0+0000000042.json",
        ] {
            assert_eq!(shown(name), None, "{name}");
        }
        assert!(is_sibling("orders+0+0000000042.keys.json"));
        let name = "orders+0+0000000042.headers.snappy.parquet";
        assert_eq!(stem_of_values(name), Some("orders+0+0000000042"));
        assert_eq!(stem_of_values("orders+0+0000000042.json"), None);
    }
}
