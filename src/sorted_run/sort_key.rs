//! Encodes values so that comparing bytes compares the values.

/// Before a value that is there; sorts before [`NONE`].
const SOME: u8 = 1;
/// In place of a value that is not there.
const NONE: u8 = 2;

/// Appends an unsigned number.
pub fn push_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends an unsigned number, so that greater ones come first.
pub fn push_u64_descending(out: &mut Vec<u8>, number: u64) {
    push_u64(out, !number);
}

/// Appends a signed number.
pub fn push_i64(out: &mut Vec<u8>, number: i64) {
    push_u64(out, number.cast_unsigned() ^ (1 << 63));
}

/// Appends bytes of any length, with an end that sorts before every byte.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(zero) = memchr::memchr(0, rest) {
        let (plain, after) = rest.split_at(zero + 1);
        out.extend_from_slice(plain);
        out.push(0xFF);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

/// Appends a value that may be missing, by `push`; missing ones come last.
pub fn push_optional<T>(out: &mut Vec<u8>, value: Option<T>, push: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => {
            out.push(SOME);
            push(out, value);
        }
        None => out.push(NONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    type Parts = (Option<i64>, Vec<u8>, u64, Option<Vec<u8>>);

    fn encoded((number, bytes, count, text): &Parts) -> Vec<u8> {
        let mut out = Vec::new();
        push_optional(&mut out, *number, push_i64);
        push_bytes(&mut out, bytes);
        push_u64_descending(&mut out, *count);
        push_optional(&mut out, text.as_deref(), push_bytes);
        push_u64(&mut out, *count);
        out
    }

    /// The same order by plain comparison: missing last, counts descending.
    fn order(parts: &Parts) -> impl Ord {
        let (number, bytes, count, text) = parts.clone();
        (
            number.is_none(),
            number,
            bytes,
            std::cmp::Reverse(count),
            text.is_none(),
            text,
        )
    }

    fn parts() -> impl Strategy<Value = Parts> {
        let byte = prop_oneof![Just(0_u8), Just(1), Just(0xFE), Just(0xFF)];
        let bytes = proptest::collection::vec(byte, 0..4);
        (
            proptest::option::of(prop_oneof![any::<i64>(), -2..3_i64]),
            bytes.clone(),
            prop_oneof![any::<u64>(), 0..3_u64],
            proptest::option::of(bytes),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            cases: 2000,
            ..ProptestConfig::default()
        })]

        #[test]
        fn bytes_compare_as_the_values_do(left in parts(), right in parts()) {
            prop_assert_eq!(encoded(&left).cmp(&encoded(&right)), order(&left).cmp(&order(&right)));
        }
    }

    #[test]
    fn a_prefix_sorts_before_what_it_begins() {
        let encode = |bytes: &[u8]| {
            let mut out = Vec::new();
            push_bytes(&mut out, bytes);
            push_u64(&mut out, u64::MAX);
            out
        };
        assert!(encode(b"a") < encode(b"a\0"));
        assert!(encode(b"a\0") < encode(b"a\0\0"));
        assert!(encode(b"a\0\xFF") < encode(b"a\x01"));
    }
}
