//! The hash that brings records with the same dedup key together.

/// 128 bits of hash over a canonical dedup key: equal keys have equal fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u64; 2]);
