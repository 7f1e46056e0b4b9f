//! Codes and timestamps of a report come back as what they stand for.

use chrono::DateTime;
use chrono::Utc;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::GapReason;
use crate::finding::REPEATABLE_READ;
use crate::finding::RedactionKind;
use crate::finding::Review;
use crate::finding::Standing;
use crate::finding::Verdict;
use crate::record::TimestampType;
use crate::report::timestamp_text::rfc3339;

/// What a report writes as one of a few words.
pub(super) trait Coded: Copy + 'static {
    /// What it is, for messages.
    const WHAT: &'static str;
    /// All of them.
    const KNOWN: &'static [Self];

    /// Returns its word.
    fn word(self) -> &'static str;
}

/// One of them, as its word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code<T>(pub(super) T);

impl<'de, T: Coded> Deserialize<'de> for Code<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let found = T::KNOWN.iter().find(|known| known.word() == text);
        let unknown = || D::Error::custom(format!("`{text}` is no {}", T::WHAT));
        found.copied().map(Self).ok_or_else(unknown)
    }
}

impl<T: Coded> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.word())
    }
}

macro_rules! coded {
    ($type:ty, $what:literal) => {
        impl Coded for $type {
            const WHAT: &'static str = $what;
            const KNOWN: &'static [Self] = &Self::ALL;

            fn word(self) -> &'static str {
                self.code()
            }
        }
    };
}

coded!(Cause, "cause");
coded!(Confidence, "confidence");
coded!(GapReason, "reason of a gap");
coded!(Review, "review");
coded!(Standing, "status");
coded!(Verdict, "verdict");

impl Coded for TimestampType {
    const WHAT: &'static str = "type of a timestamp";
    const KNOWN: &'static [Self] = &[Self::CreateTime, Self::LogAppendTime, Self::Database];

    fn word(self) -> &'static str {
        self.name().unwrap_or_default()
    }
}

impl Coded for RedactionKind {
    const WHAT: &'static str = "redaction";
    const KNOWN: &'static [Self] = &[Self::Hash(None), Self::Mask];

    fn word(self) -> &'static str {
        self.code()
    }
}

/// Words that stand for themselves.
impl Coded for &'static str {
    const WHAT: &'static str = "known word";
    const KNOWN: &'static [Self] = &[
        "major",
        "minor",
        "read_committed",
        "read_uncommitted",
        REPEATABLE_READ,
    ];

    fn word(self) -> &'static str {
        self
    }
}

/// Milliseconds since the epoch, as a report writes a timestamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Millis(pub(super) i64);

impl Millis {
    fn parse(text: &str) -> Option<i64> {
        let beyond = text
            .strip_prefix("epoch")
            .and_then(|of| of.strip_suffix("ms"));
        if let Some(number) = beyond {
            return number.parse().ok();
        }
        // Years of more than four digits are no RFC 3339, but are written like it.
        let time: DateTime<Utc> = text.parse().ok()?;
        Some(time.timestamp_millis())
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let unknown = || D::Error::custom(format!("`{text}` is no timestamp"));
        Self::parse(&text).map(Self).ok_or_else(unknown)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&rfc3339(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_gap_that_only_databases_have_comes_back() {
        let text = serde_json::to_string(&Code(GapReason::SequenceHole)).unwrap();
        let read: Code<GapReason> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.0, GapReason::SequenceHole);
    }

    #[test]
    fn every_timestamp_comes_back() {
        let calendar = DateTime::<Utc>::MAX_UTC.timestamp_millis();
        let edges = [
            0,
            -1,
            1_768_444_867_218,
            253_402_300_799_999,
            253_402_300_800_000,
        ];
        let far = [
            calendar,
            calendar + 1,
            -calendar,
            i64::MAX,
            i64::MIN,
            -62_167_219_200_001,
        ];
        for millis in edges.into_iter().chain(far) {
            let text = rfc3339(millis);
            assert_eq!(Millis::parse(&text), Some(millis), "{text}");
        }
        for text in ["", "today", "epochms", "2026-13-01T00:00:00Z"] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
    }
}
