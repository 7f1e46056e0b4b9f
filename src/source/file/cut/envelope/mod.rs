//! Envelopes: JSON objects around a record, as tools export them.
//!
//! An object is an envelope only where every member belongs to the tool's format.

mod console;
mod kcat;
pub(crate) mod opener;
pub(crate) mod parts;
mod tools;

use std::ops::Range;

use chrono::DateTime;

use crate::record::{RecordDefect, TimestampType};
use crate::source::file::FileFormat;
use crate::source::file::cut::envelope::parts::{Part, Text, integer, plain_text};

/// Whose envelopes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvelopeKind {
    /// `kcat -J`.
    Kcat,
    /// `rpk topic consume`.
    Rpk,
    /// Redpanda Console.
    RedpandaConsole,
    /// kafka-ui: saved from its page, or from its interface for programs.
    KafkaUi,
    /// AKHQ.
    Akhq,
    /// kaf, in both of its outputs.
    Kaf,
    /// kafkactl.
    Kafkactl,
}

/// A key or value, by its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The envelope does not say.
    Unrecorded,
    /// Null.
    Null,
    /// The bytes of a string.
    Text(Text),
    /// The bytes of a string in base64.
    Base64(Text),
    /// A JSON value, by its place in the line.
    Json(Range<usize>),
}

/// The headers of a record, by their place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderList {
    /// The envelope does not say.
    Unrecorded,
    /// None at all.
    Nothing,
    /// An array of names and values in turn.
    Flat(Range<usize>),
    /// An array of objects with these members for name and value.
    Objects(Range<usize>, [&'static str; 2]),
    /// The same, both in base64.
    Base64Objects(Range<usize>, [&'static str; 2]),
    /// An object.
    Map(Range<usize>),
    /// Something else.
    Invalid,
}

/// The parts of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) topic: Part,
    pub(crate) partition: Option<i32>,
    pub(crate) offset: Option<i64>,
    pub(crate) timestamp_type: TimestampType,
    /// As in a slot, `i64::MIN` where there is none.
    pub(crate) timestamp_millis: i64,
    pub(crate) headers: HeaderList,
    pub(crate) key: Content,
    pub(crate) value: Content,
}

impl EnvelopeKind {
    /// All kinds, those with the fewest lookalikes first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Kcat,
        Self::Rpk,
        Self::RedpandaConsole,
        Self::Kaf,
        Self::Kafkactl,
        Self::KafkaUi,
        Self::Akhq,
    ];

    /// Returns the format.
    pub(crate) fn format(self) -> FileFormat {
        match self {
            Self::Kcat => FileFormat::Kcat,
            Self::Rpk => FileFormat::Rpk,
            Self::RedpandaConsole => FileFormat::RedpandaConsole,
            Self::KafkaUi => FileFormat::KafkaUi,
            Self::Akhq => FileFormat::Akhq,
            Self::Kaf => FileFormat::Kaf,
            Self::Kafkactl => FileFormat::Kafkactl,
        }
    }

    /// Returns the words that tell the kind to people.
    pub(crate) fn signs(self) -> &'static str {
        match self {
            Self::Kcat => {
                "with topic, partition, offset, payload and nothing foreign: kcat -J envelopes"
            }
            Self::Rpk => "with topic, partition, offset, timestamp, value and nothing foreign: rpk",
            Self::RedpandaConsole => {
                "with partitionID, offset, key.payload, value.payload and nothing foreign: \
                 Redpanda Console"
            }
            Self::KafkaUi => "with the members of kafka-ui and nothing foreign",
            Self::Akhq => {
                "with partition, offset, timestamp, key, value, schema ids and nothing foreign: \
                 AKHQ"
            }
            Self::Kaf => "with partition, offset, timestamp, payload and nothing foreign: kaf",
            Self::Kafkactl => "with Partition, Offset, Value and nothing foreign: kafkactl",
        }
    }

    /// Parses an envelope; every member must be one of its kind, once.
    pub(crate) fn parse(self, line: &[u8]) -> Result<Envelope, RecordDefect> {
        match self {
            Self::Kcat => kcat::parse(line),
            Self::Rpk => tools::parse_rpk(line),
            Self::RedpandaConsole => console::parse(line),
            Self::KafkaUi => tools::parse_kafka_ui(line),
            Self::Akhq => tools::parse_akhq(line),
            Self::Kaf => tools::parse_kaf(line),
            Self::Kafkactl => tools::parse_kafkactl(line),
        }
    }

    /// Returns whether the envelope shows enough of its kind to be told by it.
    pub(crate) fn is_sure(self, envelope: &Envelope) -> bool {
        let has_offset = envelope.partition.is_some() && envelope.offset.is_some();
        match self {
            Self::Kcat | Self::Rpk => has_offset && envelope.topic != Part::Absent,
            Self::RedpandaConsole | Self::KafkaUi | Self::Akhq | Self::Kaf | Self::Kafkactl => {
                has_offset
            }
        }
    }
}

/// Returns the number of a partition.
fn partition_of(line: &[u8], part: &Part) -> Option<i32> {
    i32::try_from(integer(line, part)?).ok()
}

/// Returns an offset.
fn offset_of(line: &[u8], part: &Part) -> Option<i64> {
    integer(line, part).filter(|&offset| offset >= 0)
}

/// Milliseconds of a record without a timestamp, as in a slot.
const NO_TIMESTAMP: i64 = i64::MIN;

/// Returns milliseconds since the epoch of a number of them or of an RFC 3339 time, or nothing
/// where it is neither.
fn millis_of(line: &[u8], part: &Part) -> Option<i64> {
    match part {
        Part::Absent | Part::Null => Some(NO_TIMESTAMP),
        // −1 is Kafka's word for a record without a timestamp.
        Part::Json(_) => match integer(line, part)? {
            -1 => Some(NO_TIMESTAMP),
            millis => Some(millis),
        },
        Part::Text(_) => {
            let time = DateTime::parse_from_rfc3339(plain_text(line, part)?).ok()?;
            Some(time.timestamp_millis())
        }
    }
}

/// Returns a key or value that is a string, or any other JSON value as it is written.
pub(crate) fn content_of(part: Part) -> Content {
    match part {
        Part::Absent => Content::Unrecorded,
        Part::Null => Content::Null,
        Part::Text(text) => Content::Text(text),
        Part::Json(place) => Content::Json(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_are_an_envelope_or_a_defect(
            names in proptest::collection::vec(
                prop::sample::select(vec![
                    "topic", "partition", "partitionID", "offset", "key", "value", "payload",
                    "headers", "Offset", "Partition", "Key", "Value", "Headers", "timestamp",
                ]),
                0..9,
            ),
            values in proptest::collection::vec(
                prop_oneof![
                    Just("1".to_owned()),
                    Just("null".to_owned()),
                    Just("{\"payload\":\"x\",\"rawPayload\":\"eA=\"}".to_owned()),
                    Just("[{\"key\":\"a\",\"value\":\"\\u00e9\"}]".to_owned()),
                    "[\"\\\\{}\\[\\]:,1a]{0,8}",
                ],
                9,
            ),
        ) {
            let mut text = String::from("{");
            for (name, value) in names.iter().zip(&values) {
                text.push_str(&["\"", name, "\":", value, ","].concat());
            }
            let text = text.trim_end_matches(',').to_owned() + "}";
            for kind in EnvelopeKind::ALL {
                let _ = kind.parse(text.as_bytes());
            }
        }
    }
}
