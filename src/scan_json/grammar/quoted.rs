//! Finds the end of a JSON string in which escapes may be many, as in JSON within JSON.

use wide::u8x16;

use super::special::find_quote_or_backslash;

/// Bytes looked at at once: four vectors, a bit for each in one word.
const WIDTH: usize = 64;
const VECTOR: usize = 16;

/// Every other bit, from the first on.
const EVEN_BITS: u64 = 0x5555_5555_5555_5555;

/// Returns the place of the quote that ends the string whose inside starts at `start`, and
/// whether there are backslashes before it; nothing where no quote ends it.
///
/// Any byte may follow a backslash: whether it is an escape is found out by who reads it.
#[inline]
pub fn end_of_quoted(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let first = start + find_quote_or_backslash(bytes.get(start..)?)?;
    if bytes.get(first) == Some(&b'"') {
        return Some((first, false));
    }
    end_of_escaped(bytes, first).map(|end| (end, true))
}

/// Returns the place of the ending quote, from a backslash on.
fn end_of_escaped(bytes: &[u8], backslash: usize) -> Option<usize> {
    let mut position = backslash;
    let mut rest = bytes.get(backslash..)?;
    let mut is_escaped = false;
    while let Some((block, after)) = rest.split_first_chunk::<WIDTH>() {
        let (mut quotes, backslashes) = marks(block);
        if backslashes != 0 || is_escaped {
            let escaped = escaped_bytes(backslashes, &mut is_escaped);
            quotes &= !escaped;
        }
        if quotes != 0 {
            return Some(position + usize::try_from(quotes.trailing_zeros()).unwrap_or(WIDTH));
        }
        position += WIDTH;
        rest = after;
    }
    for (place, &byte) in rest.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'"' => return Some(position + place),
            b'\\' => is_escaped = true,
            _ => {}
        }
    }
    None
}

/// Returns a bit for each quote, and one for each backslash.
#[inline]
fn marks(block: &[u8; WIDTH]) -> (u64, u64) {
    let (vectors, _) = block.as_chunks::<VECTOR>();
    let mut marks = (0, 0);
    for (place, vector) in (0_u32..).zip(vectors) {
        let vector = u8x16::new(*vector);
        let quotes = vector.simd_eq(u8x16::splat(b'"')).to_bitmask();
        let backslashes = vector.simd_eq(u8x16::splat(b'\\')).to_bitmask();
        marks.0 |= u64::from(quotes) << (place * 16);
        marks.1 |= u64::from(backslashes) << (place * 16);
    }
    marks
}

/// Returns a bit for each byte behind a backslash that is no escaped one itself; the flag says it
/// of the first byte, and then of the first of the next block.
///
/// The addition carries through runs of backslashes, as in "Parsing Gigabytes of JSON per Second"
/// (Langdale and Lemire, 2019).
#[inline]
fn escaped_bytes(backslashes: u64, is_escaped: &mut bool) -> u64 {
    let first = u64::from(*is_escaped);
    let backslashes = backslashes & !first;
    let followers = (backslashes << 1) | first;
    let odd_starts = backslashes & !EVEN_BITS & !followers;
    let (even_runs, carries) = odd_starts.overflowing_add(backslashes);
    *is_escaped = carries;
    (EVEN_BITS ^ (even_runs << 1)) & followers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As plainly as it can be written.
    fn naive(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
        let mut place = start;
        let mut has_escapes = false;
        loop {
            match bytes.get(place)? {
                b'"' => return Some((place, has_escapes)),
                b'\\' => (place, has_escapes) = (place + 2, true),
                _ => place += 1,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_end_is_where_plain_code_finds_it(
            bytes in proptest::collection::vec(
                prop_oneof![6 => Just(b'a'), 6 => Just(b'\\'), 1 => Just(b'"'), 3 => any::<u8>()],
                0..300,
            ),
            start in 0..20_usize,
        ) {
            prop_assert_eq!(end_of_quoted(&bytes, start), naive(&bytes, start));
        }

        #[test]
        fn runs_of_backslashes_over_the_edges_of_blocks_are_counted(
            before in 40..80_usize,
            run in 0..150_usize,
            after in 0..80_usize,
        ) {
            let bytes = [
                vec![b'a'; before],
                vec![b'\\'; run],
                b"\"".to_vec(),
                vec![b'b'; after],
                b"\"\"".to_vec(),
            ]
            .concat();
            prop_assert_eq!(end_of_quoted(&bytes, 0), naive(&bytes, 0));
        }
    }
}
