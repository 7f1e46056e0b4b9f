//! Headers of dead-letter and retry topics that name where a record came from.

use crate::finding::DeadLetterDialect;
use crate::finding::NamedCoordinates;
use crate::record::Headers;

/// Header names by dialect: a prefix before `topic`, `partition` and `offset`.
const PREFIXES: [(&str, DeadLetterDialect); 10] = [
    ("__connect.errors.", DeadLetterDialect::Connect),
    ("kafka_dlt-original-", DeadLetterDialect::SpringDeadLetter),
    ("kafka_original-", DeadLetterDialect::SpringRetry),
    ("dead-letter-", DeadLetterDialect::SmallRye),
    ("x-dead-letter-", DeadLetterDialect::Other),
    ("x-dead-letter-original-", DeadLetterDialect::Other),
    ("dlt-original-", DeadLetterDialect::Other),
    ("dlq-original-", DeadLetterDialect::Other),
    ("x-original-", DeadLetterDialect::Other),
    ("original-", DeadLetterDialect::Other),
];

/// Returns the coordinates that the headers name, where one dialect names all three.
///
/// Spring writes the offset as 8 bytes and the partition as 4, big-endian; the others write text.
/// A number of either spelling is taken from any dialect. Where a framework repeats a name, the
/// first value is the origin.
pub fn named_coordinates(headers: &Headers<'_>) -> Option<NamedCoordinates> {
    PREFIXES.into_iter().find_map(|(prefix, dialect)| {
        let value = |part: &str| {
            let mut headers = headers.clone();
            headers.find_map(|header| {
                is_named(header.name, prefix, part)
                    .then_some(header.value)
                    .flatten()
            })
        };
        let topic = std::str::from_utf8(value("topic")?).ok()?;
        let partition = number(value("partition")?, 4)?;
        let offset = number(value("offset")?, 8)?;
        Some(NamedCoordinates {
            dialect,
            topic: Some(topic.trim())
                .filter(|topic| !topic.is_empty())?
                .to_owned(),
            partition: i32::try_from(partition).ok()?,
            offset,
        })
    })
}

fn is_named(name: &[u8], prefix: &str, part: &str) -> bool {
    name.len() == prefix.len() + part.len()
        && name
            .split_at_checked(prefix.len())
            .is_some_and(|(head, tail)| {
                head.eq_ignore_ascii_case(prefix.as_bytes())
                    && tail.eq_ignore_ascii_case(part.as_bytes())
            })
}

/// Reads a number as decimal text, or as `width` bytes, big-endian; never a negative one.
fn number(bytes: &[u8], width: usize) -> Option<i64> {
    // Bytes that are all digits would be a number beyond every partition and offset.
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(number) = text.trim().parse::<i64>()
    {
        return Some(number).filter(|number| *number >= 0);
    }
    if bytes.len() != width {
        return None;
    }
    let (mut wide, start) = ([0; 8], 8_usize.checked_sub(width)?);
    wide.get_mut(start..)?.copy_from_slice(bytes);
    let number = i64::from_be_bytes(wide);
    let is_negative = width == 4 && i32::try_from(number).is_err();
    (number >= 0 && !is_negative).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Header, push_header};

    fn read(headers: &[(&str, &[u8])]) -> Option<NamedCoordinates> {
        let mut encoded = Vec::new();
        for (name, value) in headers {
            let header = Header {
                name: name.as_bytes(),
                value: Some(value),
            };
            push_header(&mut encoded, header);
        }
        named_coordinates(&Headers::from_encoded(&encoded))
    }

    fn charges(dialect: DeadLetterDialect, partition: i32, offset: i64) -> NamedCoordinates {
        NamedCoordinates {
            dialect,
            topic: "charges".to_owned(),
            partition,
            offset,
        }
    }

    #[test]
    fn connect_writes_text() {
        let named = read(&[
            ("trace", b"x"),
            ("__connect.errors.topic", b"charges"),
            ("__connect.errors.partition", b"2"),
            ("__connect.errors.offset", b"88641"),
        ]);
        assert_eq!(named, Some(charges(DeadLetterDialect::Connect, 2, 88641)));
    }

    #[test]
    fn spring_writes_big_endian_numbers_of_four_and_eight_bytes() {
        let named = read(&[
            ("kafka_dlt-original-topic", b"charges"),
            ("kafka_dlt-original-partition", &7_i32.to_be_bytes()),
            ("kafka_dlt-original-offset", &88_641_i64.to_be_bytes()),
        ]);
        let dialect = DeadLetterDialect::SpringDeadLetter;
        assert_eq!(named, Some(charges(dialect, 7, 88641)));
        let named = read(&[
            ("kafka_original-topic", b"charges"),
            ("kafka_original-partition", &0_i32.to_be_bytes()),
            ("kafka_original-offset", &i64::MAX.to_be_bytes()),
            ("kafka_original-topic", b"charges-retry-0"),
        ]);
        let dialect = DeadLetterDialect::SpringRetry;
        assert_eq!(named, Some(charges(dialect, 0, i64::MAX)));
    }

    #[test]
    fn smallrye_and_its_like_write_text() {
        let named = read(&[
            ("dead-letter-topic", b"charges"),
            ("dead-letter-partition", b"0"),
            ("dead-letter-offset", b"12345678"),
        ]);
        let smallrye = charges(DeadLetterDialect::SmallRye, 0, 12_345_678);
        assert_eq!(named, Some(smallrye));
        let named = read(&[
            ("X-Original-Topic", b"charges"),
            ("X-Original-Partition", b"1"),
            ("X-Original-Offset", b"5"),
        ]);
        assert_eq!(named, Some(charges(DeadLetterDialect::Other, 1, 5)));
    }

    #[test]
    fn incomplete_or_lossy_headers_name_nothing() {
        assert_eq!(read(&[("__connect.errors.topic", b"charges")]), None);
        for offset in [
            &b"\x00\x00\xef\xbf\xbd"[..],
            b"",
            b"-1",
            &(-1_i64).to_be_bytes(),
        ] {
            let headers: [(&str, &[u8]); 3] = [
                ("kafka_dlt-original-topic", b"charges"),
                ("kafka_dlt-original-partition", b"0"),
                ("kafka_dlt-original-offset", offset),
            ];
            assert_eq!(read(&headers), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn both_spellings_of_a_number_come_back(
            partition in 0..i32::MAX, offset in 0..1_i64 << 53,
        ) {
            let text = |number: i64| number.to_string().into_bytes();
            let binary = (partition.to_be_bytes().to_vec(), offset.to_be_bytes().to_vec());
            let texts = (text(partition.into()), text(offset));
            for (partition_bytes, offset_bytes) in [binary, texts] {
                // Four bytes that spell a number are text; no real partition number is so high.
                let is_text = std::str::from_utf8(&partition_bytes)
                    .is_ok_and(|text| text.trim().parse::<i64>().is_ok());
                prop_assume!(!is_text || partition_bytes == text(partition.into()));
                let named = read(&[
                    ("kafka_dlt-original-topic", b"charges"),
                    ("kafka_dlt-original-partition", &partition_bytes),
                    ("kafka_dlt-original-offset", &offset_bytes),
                ]);
                let dialect = DeadLetterDialect::SpringDeadLetter;
                prop_assert_eq!(named, Some(charges(dialect, partition, offset)));
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(headers in proptest::collection::vec(
            (proptest::sample::select(vec!["topic", "partition", "offset", "x"]),
             proptest::collection::vec(any::<u8>(), 0..12)), 0..6)
        ) {
            let name = |(part, value): &(&str, Vec<u8>)| {
                (format!("dead-letter-{part}"), value.clone())
            };
            let named: Vec<_> = headers.iter().map(name).collect();
            let all: Vec<(&str, &[u8])> = named
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .collect();
            let _ = read(&all);
        }
    }
}
