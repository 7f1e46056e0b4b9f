//! One record of a suspected group as the second pass sets it aside, and its place in the order.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{ContentHashes, CopyFacts, StoredCopy};
use crate::finding::Fingerprint;
use crate::finding::NamedCoordinates;
use crate::index::Seen;
use crate::record::BatchStamp;
use crate::record::PathStep;
use crate::record::Payload;
use crate::record::SplitId;
use crate::record::Timestamp;
use crate::record::TimestampType;
use crate::scan_json::canonical;
use crate::sorted_run::encoding;
use crate::sorted_run::sort_key;
use crate::source::RecordSource;

/// A record of a suspected group, read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are facts of a record that have nothing to do with each other"
)]
pub(super) struct Detail {
    /// Canonical dedup key; nothing where the record could not be read again.
    #[serde(with = "encoding::optional_byte_string")]
    pub(super) canonical_key: Option<Vec<u8>>,
    pub(super) split: u32,
    pub(super) position: u64,
    pub(super) topic: Option<String>,
    pub(super) partition: Option<i32>,
    pub(super) offset: Option<i64>,
    pub(super) timestamp_millis: Option<i64>,
    pub(super) timestamp_type: TimestampType,
    /// Whether the position is a byte offset of a file.
    pub(super) has_byte_offset: bool,
    /// Line of the file, where the record came from one.
    pub(super) line: Option<u64>,
    pub(super) file: Option<String>,
    #[serde(with = "encoding::optional_byte_string")]
    pub(super) key: Option<Vec<u8>>,
    /// Headers in their encoding, where the source shows them.
    #[serde(with = "encoding::optional_byte_string")]
    pub(super) headers: Option<Vec<u8>>,
    /// Hashes of what the record holds.
    pub(super) content: ContentHashes,
    /// Coordinates of another record that the headers name.
    pub(super) named: Option<NamedCoordinates>,
    /// What a message store shows of the record, where it lies in one.
    pub(super) stored: Option<StoredCopy>,
    pub(super) batch: Option<BatchStamp>,
    /// Whether its transaction is known to be aborted.
    pub(super) is_aborted: bool,
    #[serde(with = "encoding::optional_byte_string")]
    pub(super) value: Option<Vec<u8>>,
    /// What is compared instead of the value: a CSV row as a JSON object, a record of a message
    /// store without what the store makes of its own for each.
    #[serde(with = "encoding::optional_byte_string")]
    pub(super) compared: Option<Vec<u8>>,
    pub(super) amount: AmountText,
    pub(super) currency: Option<String>,
    pub(super) subject: Option<String>,
    /// Whether it is of a Debezium snapshot, where that is asked.
    pub(super) is_snapshot: bool,
    /// Whether the record lies in the range, rather than before it as a possible original.
    pub(super) is_in_range: bool,
    /// Which run read it.
    pub(super) seen: Seen,
}

/// What the amount field held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AmountText {
    /// No `--amount`.
    #[default]
    NotAsked,
    /// Missing, null, or no number that can be summed.
    Unusable,
    /// An exact decimal.
    Decimal(#[serde(with = "decimal_bytes")] Decimal),
}

/// A decimal in its 16 bytes: shorter than its text, and never parsed again.
mod decimal_bytes {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        amount: &Decimal,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Serialize::serialize(&amount.serialize(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
        <[u8; 16]>::deserialize(from).map(Decimal::deserialize)
    }
}

impl Detail {
    /// Takes what a message store shows of the record, where it lies in one: what the store makes
    /// of its own for each record does not tell copies apart.
    pub(super) fn note_store(&mut self, source: &dyn RecordSource) {
        let Some(own) = source.store_members(SplitId(self.split)) else {
            return;
        };
        let value = self.value.as_deref().unwrap_or_default();
        self.stored = Some(StoredCopy::of_value(value));
        let member = |name: &String| vec![PathStep::Member(name.as_str().into())];
        let own: Vec<Vec<PathStep>> = own.iter().map(member).collect();
        let mut compared = Vec::new();
        let is_text = std::str::from_utf8(value).is_ok();
        if is_text && canonical::write(value, &own, &mut compared).is_ok() {
            self.content.value = ContentHashes::of_value(&compared);
            self.compared = Some(compared);
        }
    }

    /// Returns what the diagnosis has to know of the record.
    pub(super) fn facts(&self) -> CopyFacts {
        let timestamp = |millis| Timestamp {
            millis,
            timestamp_type: self.timestamp_type,
        };
        CopyFacts {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp_millis.map(timestamp),
            content: self.content,
            leader_epoch: None,
            batch: self.batch,
            is_aborted: self.is_aborted.then_some(true),
            named: self.named.clone(),
            stored: self.stored.clone(),
        }
    }

    /// Returns what the report needs of the record once it is in its group.
    pub(super) fn for_report(&self, with_value: bool) -> Self {
        Self {
            canonical_key: None,
            headers: None,
            named: None,
            stored: None,
            value: self.value.as_ref().filter(|_| with_value).cloned(),
            compared: None,
            split: self.split,
            position: self.position,
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.offset,
            timestamp_millis: self.timestamp_millis,
            timestamp_type: self.timestamp_type,
            has_byte_offset: self.has_byte_offset,
            line: self.line,
            file: self.file.clone(),
            key: self.key.clone(),
            content: ContentHashes::default(),
            batch: None,
            is_aborted: self.is_aborted,
            amount: self.amount.clone(),
            currency: self.currency.clone(),
            subject: self.subject.clone(),
            is_snapshot: self.is_snapshot,
            is_in_range: self.is_in_range,
            seen: self.seen,
        }
    }

    /// Returns the record as a run with this one's place in the order of runs has it: what was
    /// known before is no reason to report it.
    pub(super) fn seen_by(self, seen: Seen) -> Self {
        Self {
            is_in_range: self.is_in_range && seen != Seen::Before,
            seen,
            ..self
        }
    }

    /// Returns whether two records are one, read from two places: topics and exports of them.
    pub(super) fn is_same_record(&self, other: &Self) -> bool {
        let coordinates = |of: &Self| Some((of.topic.clone()?, of.partition?, of.offset?));
        let is_unknown = |of: &Self| of.canonical_key.is_none();
        // Two topics of one name may both have had the offset; a topic is read once.
        let is_export = self.file.is_some() || other.file.is_some();
        is_export
            && coordinates(self).is_some_and(|own| Some(own) == coordinates(other))
            && (is_unknown(self) || is_unknown(other) || self.value == other.value)
    }

    /// Returns what JSON there is to compare field by field.
    pub(super) fn document(&self) -> Option<&[u8]> {
        self.compared.as_deref().or(self.value.as_deref())
    }

    /// Writes the sort key: by fingerprint, dedup key, then time and place; the dedup key of
    /// records that could not be read again is empty.
    pub(super) fn write_sort_key(&self, fingerprint: Fingerprint, out: &mut Vec<u8>) {
        out.clear();
        for half in fingerprint.0 {
            sort_key::push_u64(out, half);
        }
        sort_key::push_bytes(out, self.canonical_key.as_deref().unwrap_or_default());
        push_place(self, out);
    }

    /// Returns the record's place in the order of occurrences.
    pub(super) fn place(&self) -> Vec<u8> {
        let mut place = Vec::with_capacity(64);
        push_place(self, &mut place);
        place
    }
}

/// Returns the bytes of a key or value, if it has some.
pub(super) fn owned(payload: Payload<'_>) -> Option<Vec<u8>> {
    payload.bytes().map(<[u8]>::to_vec)
}

/// Appends the order of occurrences: by time, then topic, partition, offset, path, byte offset;
/// what is unknown comes last.
pub(super) fn push_place(detail: &Detail, out: &mut Vec<u8>) {
    sort_key::push_optional(out, detail.timestamp_millis, sort_key::push_i64);
    let topic = detail.topic.as_deref().map(str::as_bytes);
    sort_key::push_optional(out, topic, sort_key::push_bytes);
    sort_key::push_optional(out, detail.partition.map(i64::from), sort_key::push_i64);
    sort_key::push_optional(out, detail.offset, sort_key::push_i64);
    let path = detail.file.as_deref().map(str::as_bytes);
    sort_key::push_optional(out, path, sort_key::push_bytes);
    sort_key::push_u64(out, detail.position);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(millis: Option<i64>, topic: Option<&str>, partition: i32, offset: i64) -> Detail {
        Detail {
            canonical_key: Some(vec![1]),
            timestamp_millis: millis,
            topic: topic.map(str::to_owned),
            partition: topic.map(|_| partition),
            offset: topic.map(|_| offset),
            ..Detail::default()
        }
    }

    #[test]
    fn occurrences_stand_by_time_then_place_and_what_is_unknown_comes_last() {
        let in_order = [
            detail(Some(-5), Some("b"), 0, 9),
            detail(Some(1), Some("a"), 0, 3),
            detail(Some(1), Some("a"), 0, 20),
            detail(Some(1), Some("a"), 1, 0),
            detail(Some(1), Some("b"), 0, 0),
            detail(Some(1), None, 0, 0),
            detail(None, Some("a"), 0, 0),
            Detail {
                file: Some("a.jsonl".to_owned()),
                position: 2,
                ..detail(None, None, 0, 0)
            },
            Detail {
                file: Some("a.jsonl".to_owned()),
                position: 10,
                ..detail(None, None, 0, 0)
            },
        ];
        let places: Vec<Vec<u8>> = in_order.iter().map(Detail::place).collect();
        assert!(places.is_sorted_by(|left, right| left < right));
    }

    #[test]
    fn the_dedup_key_comes_before_the_place_and_the_fingerprint_before_both() {
        let sort_key = |fingerprint, key: Option<&[u8]>, millis| {
            let mut out = b"left over".to_vec();
            let detail = Detail {
                canonical_key: key.map(<[u8]>::to_vec),
                ..detail(Some(millis), None, 0, 0)
            };
            detail.write_sort_key(Fingerprint([0, fingerprint]), &mut out);
            out
        };
        let in_order = [
            sort_key(1, Some(b"z"), 9),
            sort_key(2, None, 9),
            sort_key(2, Some(b"a"), 5),
            sort_key(2, Some(b"a"), 6),
            sort_key(2, Some(b"a\0"), 0),
            sort_key(2, Some(b"b"), 0),
        ];
        assert!(in_order.is_sorted_by(|left, right| left < right));
    }

    #[test]
    fn amounts_keep_their_digits_and_compare_by_value() {
        let amount = |text: &str| AmountText::Decimal(text.parse().unwrap());
        for text in ["9.990", "-0.01", "79228162514264337593543950335", "0"] {
            let encoded = postcard::to_stdvec(&amount(text)).unwrap();
            let decoded: AmountText = postcard::from_bytes(&encoded).unwrap();
            let AmountText::Decimal(decimal) = decoded else {
                panic!("{decoded:?}")
            };
            assert_eq!(crate::impact::plain_decimal(decimal), text);
        }
        assert_eq!(amount("1.0"), amount("1"));
        assert_ne!(amount("1.0"), amount("1.01"));
        assert_ne!(amount("0"), AmountText::Unusable);
    }

    #[test]
    fn who_set_the_timestamp_is_told() {
        for expected in [
            TimestampType::Unrecorded,
            TimestampType::CreateTime,
            TimestampType::LogAppendTime,
            TimestampType::Database,
        ] {
            let detail = Detail {
                timestamp_type: expected,
                timestamp_millis: Some(5),
                compared: Some(b"{}".to_vec()),
                value: Some(b"row".to_vec()),
                ..Detail::default()
            };
            assert_eq!(detail.facts().timestamp.unwrap().timestamp_type, expected);
            assert_eq!(detail.document(), Some(&b"{}"[..]));
        }
    }
}
