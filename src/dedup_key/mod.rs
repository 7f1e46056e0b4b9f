//! What makes two records the same.

pub mod canonical;
pub mod spec;

pub use canonical::{KeyOutcome, KeyWriter, fingerprint, key_texts};
pub use spec::{DedupKeySpec, KeyField, KeyFieldError, MissingPolicy, Normalizer, split_list};
