//! Tells which occurrences of a bucket may share their fingerprint with another.

use super::IndexError;
use super::Occurrence;
use crate::finding::Fingerprint;

/// Places looked at for one fingerprint. An occurrence that finds none of them free counts as
/// repeated, and so do all others with its fingerprint, so no input makes the search long.
const PROBES_MAX: usize = 64;

/// Marks a place as taken; beside it stand 30 bits of the fingerprint.
const IS_TAKEN: u32 = 2;
const IS_REPEATED: u32 = 1;

/// A table of parts of fingerprints: it is right about those that occur twice, and about nearly
/// all others, and takes a tenth of the time that sorting the occurrences does.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    places: Vec<u32>,
    /// Bits of a hash that are no part of a place.
    shift: u32,
}

impl Repeats {
    /// Returns the memory of a table for so many occurrences.
    pub(super) fn bytes_for(occurrences: usize) -> usize {
        place_count(occurrences).saturating_mul(size_of::<u32>())
    }

    /// Empties the table and makes room for so many occurrences.
    pub(super) fn start(&mut self, occurrences: usize) -> Result<(), IndexError> {
        let count = place_count(occurrences);
        self.shift = u64::BITS - count.trailing_zeros();
        self.places.clear();
        let reserved = self.places.try_reserve_exact(count);
        reserved.map_err(|_| IndexError::OutOfMemory {
            bytes: Self::bytes_for(occurrences),
        })?;
        self.places.resize(count, 0);
        Ok(())
    }

    /// Adds one occurrence.
    #[inline]
    pub(super) fn add(&mut self, occurrence: &Occurrence) {
        let (tag, first) = self.tag_and_place(occurrence.fingerprint);
        let mask = self.places.len().wrapping_sub(1);
        for probe in 0..PROBES_MAX {
            let Some(place) = self.places.get_mut((first + probe) & mask) else {
                break;
            };
            if *place == 0 {
                *place = tag;
                return;
            }
            if *place & !IS_REPEATED == tag {
                *place |= IS_REPEATED;
                return;
            }
        }
    }

    /// Returns whether an occurrence that was added may share its fingerprint with another.
    #[inline]
    pub(super) fn is_repeated(&self, occurrence: &Occurrence) -> bool {
        let (tag, first) = self.tag_and_place(occurrence.fingerprint);
        let mask = self.places.len().wrapping_sub(1);
        for probe in 0..PROBES_MAX {
            match self.places.get((first + probe) & mask) {
                Some(&place) if place & !IS_REPEATED == tag => return place != tag,
                Some(_) => {}
                None => break,
            }
        }
        true
    }

    #[inline]
    fn tag_and_place(&self, fingerprint: Fingerprint) -> (u32, usize) {
        let Fingerprint([_, low]) = fingerprint;
        let part = u32::try_from(low & u64::from(u32::MAX)).unwrap_or_default();
        // A weak hash is spread out too.
        let mixed = low.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = usize::try_from(mixed.checked_shr(self.shift).unwrap_or(0));
        (part & !IS_REPEATED | IS_TAKEN, place.unwrap_or_default())
    }
}

/// At most two of three places are taken.
fn place_count(occurrences: usize) -> usize {
    occurrences
        .saturating_add(occurrences / 2)
        .max(2)
        .next_power_of_two()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::index::NO_TIMESTAMP;
    use crate::record::SplitId;

    fn occurrence(fingerprint: Fingerprint) -> Occurrence {
        Occurrence {
            fingerprint,
            is_reversal: false,
            timestamp_millis: NO_TIMESTAMP,
            split: SplitId(0),
            position: 0,
            seen: crate::index::Seen::Now,
        }
    }

    /// Returns which of the fingerprints are called repeated.
    fn repeated(fingerprints: &[Fingerprint]) -> Vec<bool> {
        let mut repeats = Repeats::default();
        // A table is used for one bucket after the other.
        repeats.start(1).unwrap();
        repeats.add(&occurrence(Fingerprint([7, 7])));
        repeats.start(fingerprints.len()).unwrap();
        for &fingerprint in fingerprints {
            repeats.add(&occurrence(fingerprint));
        }
        fingerprints
            .iter()
            .map(|&fingerprint| repeats.is_repeated(&occurrence(fingerprint)))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn none_that_is_repeated_is_missed(
            lows in proptest::collection::vec(
                prop_oneof![0..40_u64, any::<u64>(), (0..9_u64).prop_map(|high| high << 60)],
                0..300,
            )
        ) {
            let all: Vec<_> = lows.iter().map(|&low| Fingerprint([0, low])).collect();
            let mut counts = BTreeMap::new();
            for low in &lows {
                *counts.entry(low).or_insert(0) += 1;
            }
            for (low, is_repeated) in lows.iter().zip(repeated(&all)) {
                prop_assert!(is_repeated || counts[low] == 1);
            }
        }
    }

    #[test]
    fn nearly_all_others_are_told_apart() {
        let spread = |number: u64| number.wrapping_mul(0xd6e8_feb8_6659_fd93);
        let all: Vec<_> = (1..50_000)
            .map(|number| Fingerprint([0, spread(number)]))
            .collect();
        let wrong = repeated(&all).into_iter().filter(|&wrong| wrong).count();
        assert!(wrong < 10, "{wrong}");
    }

    #[test]
    fn fingerprints_that_want_the_same_place_are_kept_apart_or_called_repeated() {
        // The multiplier's inverse: the place of each is told by these numbers' high bits alone.
        let inverse = 0xf1de_83e1_9937_733d_u64;
        assert_eq!(inverse.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1);
        let all: Vec<_> = (1..1000)
            .map(|number: u64| Fingerprint([0, number.wrapping_mul(inverse)]))
            .collect();
        let called = repeated(&all);
        assert!(called.iter().any(|&is_repeated| is_repeated));
        assert!(!called[0]);
    }
}
