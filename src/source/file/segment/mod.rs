//! Segments of Kafka's log: `*.log` files as a broker keeps them, one file is one split.

mod batches;
pub(crate) mod headers;
pub(crate) mod names;
pub(crate) mod partition_log;
mod revisit;
pub(crate) mod source;
pub(crate) mod statement;
#[cfg(test)]
mod tests;
pub(crate) mod transactions;

pub(crate) use partition_log::{PartitionLog, SegmentFile};
pub(crate) use source::SegmentSource;
