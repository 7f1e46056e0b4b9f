//! The wire format of Confluent's serializers: a zero, the id of the schema, then the payload.

/// Bytes of the zero and the id.
pub(super) const FRAME_BYTES: u32 = 5;

/// Messages within messages that an index may lead into; schemas nest less deep.
#[cfg(any(feature = "protobuf", test))]
const INDEXES_MAX: usize = 64;

/// Returns the schema id, and what follows it, of bytes in the wire format.
///
/// Ids are positive: eight bytes of a small number begin like the format, but with the id 0.
pub(super) fn split(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (frame, rest) = bytes.split_first_chunk::<5>()?;
    let [0, id @ ..] = *frame else { return None };
    let id = u32::from_be_bytes(id);
    (1..=i32::MAX.cast_unsigned())
        .contains(&id)
        .then_some((id, rest))
}

/// Takes the indexes that say which message of a Protobuf schema follows.
#[cfg(any(feature = "protobuf", test))]
pub(super) fn take_message_indexes(bytes: &mut &[u8]) -> Option<Vec<usize>> {
    let count = take_index(bytes)?;
    if count == 0 {
        return Some(vec![0]);
    }
    if count > INDEXES_MAX {
        return None;
    }
    (0..count).map(|_| take_index(bytes)).collect()
}

#[cfg(any(feature = "protobuf", test))]
fn take_index(bytes: &mut &[u8]) -> Option<usize> {
    let number = crate::typed_value::avro::take_long(bytes).ok()?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_zero_and_a_positive_id_are_a_frame() {
        assert_eq!(split(b"\0\0\0\0\x07ab"), Some((7, &b"ab"[..])));
        assert_eq!(split(b"\0\0\0\x01\0"), Some((256, &b""[..])));
        for bytes in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\0\0\0\0\x2a",
            b"\0\xff\xff\xff\xff",
            b"{\"a\":1}",
            b"\x01\0\0\0\x07",
        ] {
            assert_eq!(split(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn message_indexes_are_counted_zigzag_numbers() {
        let take = |mut bytes: &[u8]| {
            let indexes = take_message_indexes(&mut bytes);
            indexes.map(|indexes| (indexes, bytes.len()))
        };
        assert_eq!(take(b"\0ab"), Some((vec![0], 2)));
        assert_eq!(take(b"\x02\x02a"), Some((vec![1], 1)));
        assert_eq!(take(b"\x04\x02\0"), Some((vec![1, 0], 0)));
        for bytes in [&b""[..], b"\x02", b"\x01", b"\x02\x01", b"\xff\xff\xff\x0f"] {
            assert_eq!(take(bytes), None, "{bytes:?}");
        }
    }
}
