//! One record as the index knows it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::finding::Fingerprint;
use crate::record::SplitId;
use crate::sorted_run::FixedRecord;

/// The timestamp of a record that has none; it has no neighbour in time.
pub const NO_TIMESTAMP: i64 = i64::MAX;

/// Which run read a record, the earliest first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Seen {
    /// An earlier one, and what it found is known.
    Before,
    /// An earlier one, so lately that what it found is still news.
    Lately,
    /// This one.
    #[default]
    Now,
}

/// One record: the fingerprint of its dedup key, when it was made, and where it lies.
///
/// Reversals come after all others of their fingerprint: whether it is suspected is known by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// Fingerprint of the dedup key.
    pub fingerprint: Fingerprint,
    /// Whether it takes something back: it is compared with nothing, and is a suspect where others
    /// of its fingerprint are.
    pub is_reversal: bool,
    /// Milliseconds since the epoch, or [`NO_TIMESTAMP`].
    pub timestamp_millis: i64,
    /// The split that the record was read from.
    pub split: SplitId,
    /// Place within the split.
    pub position: u64,
    /// Which run read it.
    pub seen: Seen,
}

impl Occurrence {
    /// Returns whether this is the same record, read by another run.
    pub(super) fn is_read_again(&self, other: &Self) -> bool {
        self.seen != other.seen
            && *self
                == Self {
                    seen: self.seen,
                    ..*other
                }
    }
}

// Memory and disk are planned by this size.
const _: () = assert!(size_of::<Occurrence>() == 40);

impl FixedRecord for Occurrence {
    const BYTES: usize = 37;

    fn write(&self, out: &mut [u8]) {
        let Fingerprint([high, low]) = self.fingerprint;
        let rest = put(out, high.to_le_bytes());
        let rest = put(rest, low.to_le_bytes());
        let rest = put(rest, self.timestamp_millis.to_le_bytes());
        let rest = put(rest, self.position.to_le_bytes());
        let rest = put(rest, self.split.0.to_le_bytes());
        let seen = match self.seen {
            Seen::Now => 0,
            Seen::Lately => 2,
            Seen::Before => 4,
        };
        put(rest, [seen | u8::from(self.is_reversal)]);
    }

    fn read(bytes: &[u8]) -> Self {
        let (high, rest) = take_u64(bytes);
        let (low, rest) = take_u64(rest);
        let (timestamp, rest) = take_u64(rest);
        let (position, rest) = take_u64(rest);
        let flags = rest.last().copied().unwrap_or_default();
        Self {
            fingerprint: Fingerprint([high, low]),
            is_reversal: flags & 1 == 1,
            timestamp_millis: timestamp.cast_signed(),
            split: SplitId(take_u32(rest)),
            position,
            seen: match flags & 6 {
                0 => Seen::Now,
                2 => Seen::Lately,
                _ => Seen::Before,
            },
        }
    }
}

/// A record that has to be read again; ordered by split, then by position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(pub(super) Occurrence);

impl Place {
    fn order(self) -> u128 {
        u128::from(self.0.split.0) << 64 | u128::from(self.0.position)
    }
}

// One comparison instead of two: places are sorted by the million.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Place {}

impl FixedRecord for Place {
    const BYTES: usize = Occurrence::BYTES;

    fn write(&self, out: &mut [u8]) {
        self.0.write(out);
    }

    fn read(bytes: &[u8]) -> Self {
        Self(Occurrence::read(bytes))
    }
}

/// Puts a number in front; an item is as long as asked for, so there is always room.
fn put<const BYTES: usize>(out: &mut [u8], number: [u8; BYTES]) -> &mut [u8] {
    match out.split_first_chunk_mut() {
        Some((place, rest)) => {
            *place = number;
            rest
        }
        None => &mut [],
    }
}

/// Takes a number off the front; blocks are checked, so it is always there.
fn take_u64(bytes: &[u8]) -> (u64, &[u8]) {
    match bytes.split_first_chunk() {
        Some((number, rest)) => (u64::from_le_bytes(*number), rest),
        None => (0, &[]),
    }
}

fn take_u32(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |number| u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (is_reversal, seen) in [
            (false, Seen::Now),
            (true, Seen::Now),
            (false, Seen::Lately),
            (true, Seen::Before),
        ] {
            let occurrence = Occurrence {
                fingerprint: Fingerprint([u64::MAX - 1, 7]),
                is_reversal,
                timestamp_millis: -5,
                split: SplitId(u32::MAX),
                position: 1 << 40,
                seen,
            };
            let mut bytes = [0; Occurrence::BYTES];
            occurrence.write(&mut bytes);
            assert_eq!(Occurrence::read(&bytes), occurrence);
        }
    }
}
