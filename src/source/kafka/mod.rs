//! Topic partitions as a source: ranges frozen at the start, read to their end or to a reason.

pub mod client;
#[cfg(feature = "kafka")]
pub mod demo_cluster;
pub mod error;
pub mod estimate;
pub mod freeze;
mod kept;
#[cfg(feature = "kafka")]
pub mod librdkafka;
pub mod properties;
pub mod reader;
mod revisit;
pub mod scan;
pub mod source;
pub mod spec;
pub mod wire;

pub use client::{
    ClientEvent, ClusterClient, FaultKind, LogBounds, NO_ACCESS, PartitionListing, TopicError,
    TopicListing,
};
#[cfg(feature = "kafka")]
pub use demo_cluster::{CountedRecords, DEMO_RECORDS, DEMO_TOPIC, LostAckCluster};
pub use error::KafkaError;
pub use freeze::PartitionPlan;
pub use kept::KeptBatches;
#[cfg(feature = "kafka")]
pub use librdkafka::LibrdkafkaClient;
pub use properties::{Properties, PropertyError};
pub use reader::Reader;
pub use scan::{Ledger, PartitionScan, ScanAction, ScanClock, ScanEvent};
pub use source::KafkaSource;
pub use spec::{Isolation, KafkaSpec, ResumePoint};
pub use wire::WireClient;
