//! What the pictures of a report are drawn from; bounded whatever the number of records.

mod offset_links;
mod over_time;

pub use offset_links::OffsetLinks;
pub use over_time::OverTime;
