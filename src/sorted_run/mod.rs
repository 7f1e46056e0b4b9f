//! Sorts what does not fit in memory, through checksummed runs in unlinked files.

pub mod blob;
pub mod encoding;
pub mod fixed;
mod merge;
pub mod part_file;
pub mod sort_key;
pub mod sorted_blobs;
pub mod spill_file;

pub use blob::BlobSorter;
pub use fixed::{FixedRecord, FixedSorter, SortedFixed};
pub use part_file::{FixedPart, NO_TALLY, PartError, PartHeader, PartKind, PartReader, PartWriter};
pub use sorted_blobs::{BlobList, SortedBlobs};
pub use spill_file::{Run, RunReader, RunWriter, SpillError, SpillFile};

/// Returns a length as it is stored; no length exceeds 64 bits.
pub(crate) fn stored_len(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
