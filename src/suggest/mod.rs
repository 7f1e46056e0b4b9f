//! From a sample of records to the fields that look like identities.

mod column;
mod composite;
mod name;
mod ranking;
mod repeats;
mod sample;
mod shape;

pub use sample::{Sample, SampledRecord, SampledValue};
