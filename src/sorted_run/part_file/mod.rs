//! Files of items in order that outlive a process: versioned, checksummed, whole or refused.
//!
//! ```text
//! header   "dupaudit" · version u16 · kind u8 · 0 u8 · plan u64 · within i64 · task u32
//!          · part u32 · parts u32 · checksum u64
//! block    length u32 (never 0) · checksum u64 · items, none of them divided
//! end      0 u32 · checksum u64 · number of items u64 · tally, two u64
//! ```
//!
//! Numbers are little-endian. Checksums are XXH3 of what they follow, or of the items, seeded with
//! the kind and the number of the block, so that a block that was moved is noticed. An item has a
//! fixed size, or is a sort key and a payload behind their lengths, u32 each.

mod reader;
mod writer;

pub use reader::{Blob, FixedPart, PartReader};
pub use writer::PartWriter;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The version that this program writes, and the only one that it reads.
pub const PART_VERSION: u16 = 2;

const MAGIC: &[u8; 8] = b"dupaudit";
const HEADER_BYTES: usize = 48;
const LENGTH_BYTES: usize = 4;
const SUM_BYTES: usize = 8;
const END_BYTES: usize = 24;

/// Two numbers of the caller's at the end of a file.
pub type Tally = [u64; 2];

/// The tally where there is nothing to count.
pub const NO_TALLY: Tally = [0; 2];

/// A block is written once its items reach this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// No block is longer: it holds one item beyond [`BLOCK_BYTES`] at most.
const BLOCK_BYTES_MAX: usize = 2 << 30;

/// What the items of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Occurrences of one part of all fingerprints, by fingerprint.
    Occurrences,
    /// Occurrences to be read again, by place.
    Suspects,
    /// Coordinates of records, by topic partition and offset.
    Coordinates,
    /// Records that were read again, by their sort keys.
    Found,
    /// Records that could not be read again, by their sort keys.
    Gone,
}

/// All kinds; the place of one is its code.
const KINDS: [PartKind; 5] = [
    PartKind::Occurrences,
    PartKind::Suspects,
    PartKind::Coordinates,
    PartKind::Found,
    PartKind::Gone,
];

impl PartKind {
    fn code(self) -> u8 {
        match self {
            Self::Occurrences => 0,
            Self::Suspects => 1,
            Self::Coordinates => 2,
            Self::Found => 3,
            Self::Gone => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Occurrences => "fingerprints",
            Self::Suspects => "suspects",
            Self::Coordinates => "coordinates",
            Self::Found => "records",
            Self::Gone => "records that are gone",
        }
    }
}

/// What stands at the start of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// What the items are.
    pub kind: PartKind,
    /// Hash of what was asked; files of two questions do not go together.
    pub plan: u64,
    /// Milliseconds that copies are apart at most; −1 where they may be any time apart.
    pub within_millis: i64,
    /// The task that wrote it, or that it is for.
    pub task: u32,
    /// Which part of all fingerprints it holds.
    pub part: u32,
    /// Into how many parts they are parted.
    pub parts: u32,
}

/// Why a file of items could not be written or read.
#[derive(Debug, Error)]
pub enum PartError {
    /// The operating system refused.
    #[error("cannot {what} `{}`: {source}", .path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is something else.
    #[error("`{}` is no file of {wanted} by dupaudit", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Another version wrote it.
    #[error("`{}` has version {found} of the format, and this dupaudit reads {PART_VERSION}: \
        extract with the same version that merges", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// It was cut off.
    #[error("`{}` is cut off after {items} items: copy or extract it again", .path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// Whole items before the cut.
        items: u64,
    },
    /// It is not what was written.
    #[error("`{}` is damaged, {what}: copy or extract it again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, and how it is noticed.
        what: String,
    },
}

impl PartHeader {
    fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&PART_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[self.kind.code(), 0]);
        bytes.extend_from_slice(&self.plan.to_le_bytes());
        bytes.extend_from_slice(&self.within_millis.to_le_bytes());
        for number in [self.task, self.part, self.parts] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&xxh3_64_with_seed(&bytes, 0).to_le_bytes());
        bytes.try_into().expect("the fields add up to the header")
    }

    fn read(bytes: &[u8; HEADER_BYTES], path: &Path, wanted: PartKind) -> Result<Self, PartError> {
        let foreign = || PartError::Foreign {
            path: path.to_owned(),
            wanted: wanted.name(),
        };
        let (fields, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or_else(foreign)?;
        let rest = fields.strip_prefix(MAGIC).ok_or_else(foreign)?;
        let mut rest = rest;
        let found = u16::from_le_bytes(take(&mut rest).ok_or_else(foreign)?);
        if found != PART_VERSION {
            let path = path.to_owned();
            return Err(PartError::Version { path, found });
        }
        if xxh3_64_with_seed(fields, 0) != u64::from_le_bytes(*sum) {
            return Err(PartError::Damaged {
                path: path.to_owned(),
                what: "its header's checksum does not fit".to_owned(),
            });
        }
        let [kind, _] = take(&mut rest).ok_or_else(foreign)?;
        let kind = KINDS.get(usize::from(kind)).copied().ok_or_else(foreign)?;
        if kind != wanted {
            return Err(foreign());
        }
        let plan = u64::from_le_bytes(take(&mut rest).ok_or_else(foreign)?);
        let within_millis = i64::from_le_bytes(take(&mut rest).ok_or_else(foreign)?);
        let mut number = || take(&mut rest).map(u32::from_le_bytes).ok_or_else(foreign);
        Ok(Self {
            kind,
            plan,
            within_millis,
            task: number()?,
            part: number()?,
            parts: number()?,
        })
    }
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (field, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*field)
}

fn checksum(bytes: &[u8], kind: PartKind, block: u64) -> u64 {
    xxh3_64_with_seed(bytes, u64::from(kind.code()).rotate_left(56) ^ block)
}

fn failure(what: &'static str, path: &Path, source: io::Error) -> PartError {
    PartError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sorted_run::fixed::FixedRecord;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Number(u32);

    impl FixedRecord for Number {
        const BYTES: usize = 4;

        fn write(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.0.to_le_bytes());
        }

        fn read(bytes: &[u8]) -> Self {
            Self(u32::from_le_bytes(bytes.try_into().unwrap()))
        }
    }

    fn header(kind: PartKind) -> PartHeader {
        PartHeader {
            kind,
            plan: 7,
            within_millis: -1,
            task: 3,
            part: 1,
            parts: 16,
        }
    }

    /// Returns the path of a file with so many numbers, which take more than one block.
    fn numbers(dir: &Path, count: u32) -> PathBuf {
        let path = dir.join("part-001.run");
        let mut writer = PartWriter::create(&path, &header(PartKind::Occurrences)).unwrap();
        for number in 0..count {
            writer.fixed(&Number(number)).unwrap();
        }
        assert_eq!(writer.finish([9, 8]).unwrap(), u64::from(count));
        path
    }

    fn read(path: &Path) -> Result<Vec<u32>, PartError> {
        let reader = PartReader::open(path, PartKind::Occurrences)?;
        assert_eq!(*reader.header(), header(PartKind::Occurrences));
        let items = FixedPart::<Number>::new(reader);
        items.map(|item| item.map(|number| number.0)).collect()
    }

    #[test]
    fn items_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for count in [0, 1, 40_000] {
            let path = numbers(dir.path(), count);
            assert_eq!(read(&path).unwrap(), (0..count).collect::<Vec<_>>());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn sort_keys_and_payloads_come_back_whatever_their_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("found.run");
        let items = [
            (vec![], vec![]),
            (vec![1; 9], vec![2; 200_000]),
            (vec![3], vec![]),
        ];
        let mut writer = PartWriter::create(&path, &header(PartKind::Found)).unwrap();
        for (sort_key, payload) in &items {
            writer.blob(sort_key, payload).unwrap();
        }
        assert_eq!(writer.finish([5, 4]).unwrap(), 3);
        let mut reader = PartReader::open(&path, PartKind::Found).unwrap();
        for (sort_key, payload) in &items {
            let item = reader.blob().unwrap();
            assert_eq!(item, Some((sort_key.as_slice(), payload.as_slice())));
        }
        assert_eq!(reader.blob().unwrap(), None);
        assert_eq!(reader.tally(), [5, 4]);
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = numbers(dir.path(), 20_000);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 47, 48, 53, 60_000, 66_000, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = read(&path).unwrap_err().to_string();
            let expected = if length < HEADER_BYTES {
                "is no file of fingerprints"
            } else {
                "is cut off"
            };
            assert!(error.contains(expected), "{length}: {error}");
        }
        let longer = [whole.as_slice(), b"x"].concat();
        std::fs::write(&path, longer).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("something follows its end"), "{error}");
    }

    #[test]
    fn a_bit_that_is_flipped_anywhere_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = numbers(dir.path(), 20_000);
        let whole = std::fs::read(&path).unwrap();
        for place in (0..68).chain([70_000, whole.len() - 20, whole.len() - 1]) {
            let mut damaged = whole.clone();
            damaged[place] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            assert!(read(&path).is_err(), "byte {place}");
        }
    }

    #[test]
    fn blocks_that_changed_places_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = numbers(dir.path(), 40_000);
        let whole = std::fs::read(&path).unwrap();
        let block = LENGTH_BYTES + SUM_BYTES + BLOCK_BYTES;
        let (header, rest) = whole.split_at(HEADER_BYTES);
        let swapped = [
            header,
            &rest[block..2 * block],
            &rest[..block],
            &rest[2 * block..],
        ];
        std::fs::write(&path, swapped.concat()).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("block 0: its checksum does not fit"),
            "{error}"
        );
    }

    #[test]
    fn other_versions_and_kinds_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = numbers(dir.path(), 1);
        let error = PartReader::open(&path, PartKind::Found).unwrap_err();
        assert!(
            error.to_string().contains("is no file of records"),
            "{error}"
        );
        let mut newer = std::fs::read(&path).unwrap();
        newer[8] = 3;
        std::fs::write(&path, newer).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("has version 3 of the format"), "{error}");
    }
}
