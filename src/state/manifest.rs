//! The one file that says what a state is made of: written anew by every run, read whole.

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::StateError;
use super::places::{FilePlace, PartitionPlace};
use crate::finding::RunHistory;

/// Format of the states that this version writes.
pub(super) const FORMAT: u64 = 1;

/// Name of the file.
pub(super) const NAME: &str = "manifest";

const MAGIC: &str = "dupaudit-state";

/// One option that decides what is the same, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecPart {
    /// The option.
    pub option: String,
    /// What was given, or `none`.
    pub value: String,
}

/// A file of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// Its number, which is its name.
    pub number: u64,
    /// Entries in it.
    pub entries: u64,
    /// Its size.
    pub bytes: u64,
    /// Start of the earliest run whose records are in it, milliseconds since the epoch.
    pub first_read_millis: i64,
    /// Start of the latest.
    pub last_read_millis: i64,
}

/// What a state is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// What decides which records are the same.
    pub(super) spec: Vec<SpecPart>,
    /// Hash of that.
    pub(super) spec_hash: u64,
    pub(super) next_run: u64,
    pub(super) next_place: u32,
    pub(super) partitions: Vec<PartitionPlace>,
    pub(super) files: Vec<FilePlace>,
    pub(super) runs: Vec<RunFile>,
    pub(super) history: RunHistory,
}

/// Returns the hash of what decides which records are the same.
pub(super) fn spec_hash(spec: &[SpecPart]) -> u64 {
    let texts = spec.iter().flat_map(|part| [&part.option, &part.value]);
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    xxh3_64(&bytes)
}

impl Manifest {
    /// Returns the manifest as written: a line with format and checksum, then JSON.
    pub(super) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a manifest is made of plain values");
        let mut bytes = format!("{MAGIC} {FORMAT} {:016x}\n", xxh3_64(&json)).into_bytes();
        bytes.extend_from_slice(&json);
        bytes
    }

    /// Reads a manifest.
    pub(super) fn decode(dir: &Path, bytes: &[u8]) -> Result<Self, StateError> {
        let damaged = |what: &str| StateError::Damaged {
            dir: dir.to_owned(),
            file: NAME.to_owned(),
            what: what.to_owned(),
        };
        let end = memchr::memchr(b'\n', bytes);
        let (head, json) = end
            .and_then(|end| bytes.split_at_checked(end + 1))
            .ok_or_else(|| damaged("it has no first line"))?;
        let head = String::from_utf8_lossy(head);
        let mut words = head.split_ascii_whitespace();
        let format = words
            .next()
            .filter(|word| *word == MAGIC)
            .and_then(|_| words.next())
            .and_then(|format| format.parse::<u64>().ok());
        let format = format.ok_or_else(|| damaged("its first line is none of a state"))?;
        if format > FORMAT {
            return Err(StateError::Newer {
                dir: dir.to_owned(),
                found: format,
                known: FORMAT,
            });
        }
        if words.next() != Some(&*format!("{:016x}", xxh3_64(json))) {
            return Err(damaged("its checksum does not fit"));
        }
        serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let spec = vec![SpecPart {
            option: "--by".to_owned(),
            value: "value.id".to_owned(),
        }];
        Manifest {
            spec_hash: spec_hash(&spec),
            spec,
            next_run: 3,
            ..Manifest::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let read = Manifest::decode(Path::new("d"), &sample().encode()).unwrap();
        assert_eq!(read, sample());
    }

    #[test]
    fn every_flipped_bit_is_told() {
        let bytes = sample().encode();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[place] ^= 1 << bit;
                let read = Manifest::decode(Path::new("d"), &damaged);
                assert!(
                    matches!(
                        read,
                        Err(StateError::Damaged { .. } | StateError::Newer { .. })
                    ) || read.as_ref().ok() == Some(&sample()),
                    "byte {place}, bit {bit}: {read:?}"
                );
            }
        }
        for length in 0..bytes.len() {
            let cut = Manifest::decode(Path::new("d"), &bytes[..length]);
            assert!(matches!(cut, Err(StateError::Damaged { .. })), "{length}");
        }
    }

    #[test]
    fn a_later_format_is_refused_with_both() {
        let text = format!("{MAGIC} 7 0\n{{}}");
        let error = Manifest::decode(Path::new("d"), text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the state in `d` has format 7; this version of dupaudit reads up to 1"
        );
    }
}
