//! One record as the state remembers it.

use crate::finding::Fingerprint;
use crate::sorted_run::FixedRecord;
use crate::sorted_run::fixed::{put_fields, take_field};

/// One record: the fingerprint of its dedup key, when it was made and read, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Fingerprint of the dedup key.
    pub fingerprint: Fingerprint,
    /// Whether it takes something back.
    pub is_reversal: bool,
    /// Milliseconds since the epoch; the greatest number where it has no timestamp.
    pub timestamp_millis: i64,
    /// Number of the partition or file in the manifest.
    pub place: u32,
    /// Offset in the partition, or position in the file.
    pub position: u64,
    /// Start of the run that read it, milliseconds since the epoch.
    pub read_millis: i64,
}

impl Entry {
    /// Returns whether this is the same record, read by another run.
    pub(super) fn is_read_again(&self, other: &Self) -> bool {
        let read_millis = self.read_millis;
        read_millis != other.read_millis
            && *self
                == Self {
                    read_millis,
                    ..*other
                }
    }
}

impl FixedRecord for Entry {
    const BYTES: usize = 45;

    fn write(&self, out: &mut [u8]) {
        let Fingerprint([high, low]) = self.fingerprint;
        put_fields(
            out,
            [
                high.to_be_bytes().as_slice(),
                &low.to_be_bytes(),
                &[u8::from(self.is_reversal)],
                &self.timestamp_millis.to_le_bytes(),
                &self.place.to_le_bytes(),
                &self.position.to_le_bytes(),
                &self.read_millis.to_le_bytes(),
            ],
        );
    }

    fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let high = u64::from_be_bytes(take_field(&mut rest));
        let low = u64::from_be_bytes(take_field(&mut rest));
        let [reversal] = take_field(&mut rest);
        Self {
            fingerprint: Fingerprint([high, low]),
            is_reversal: reversal == 1,
            timestamp_millis: i64::from_le_bytes(take_field(&mut rest)),
            place: u32::from_le_bytes(take_field(&mut rest)),
            position: u64::from_le_bytes(take_field(&mut rest)),
            read_millis: i64::from_le_bytes(take_field(&mut rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for is_reversal in [false, true] {
            let entry = Entry {
                fingerprint: Fingerprint([u64::MAX - 1, 7]),
                is_reversal,
                timestamp_millis: -5,
                place: u32::MAX,
                position: 1 << 40,
                read_millis: i64::MIN,
            };
            let mut bytes = [0; Entry::BYTES];
            entry.write(&mut bytes);
            assert_eq!(Entry::read(&bytes), entry);
        }
    }
}
