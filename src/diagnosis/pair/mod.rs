//! Two copies of a record: what is known of each, and how they compare.

mod changed_fields;
mod copy_history;
mod facts;
mod features;
mod named_coordinates;

pub use copy_history::CopyHistory;
pub use facts::{ContentHashes, CopyFacts, PairFacts, PairId, Reference};
pub use features::PairFeatures;
pub use named_coordinates::named_coordinates;

pub(super) use facts::mirror_names;
pub(super) use features::{ContentKind, Family, NamedLink, PairClass, ProducerKind, TimeKind};
