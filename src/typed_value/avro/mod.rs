//! Avro: schemas taken apart, and records of them as JSON.

mod datum;
#[cfg(test)]
mod oracle;
mod schema;

pub use datum::{DatumError, DatumWriter, take_long};
pub use schema::{Schema, SchemaError};
