//! What a scan decides: a pure state machine per partition, its ledger, and what drives them.

mod bounds;
mod corrupt_batch;
pub(super) mod engine;
pub mod event;
pub mod late_tail;
pub mod ledger;
mod outcome;
mod pace;
pub mod partition_scan;
#[cfg(test)]
mod simulator;

pub use event::{ScanAction, ScanClock, ScanEvent};
pub use ledger::Ledger;
pub use partition_scan::PartitionScan;
