//! Where and when a record is: mapped coordinates and timestamps, and the range asked for.

mod mapped_time;
pub(super) mod range;
pub(super) mod remap;
