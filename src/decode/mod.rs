//! From a record's bytes to the values at field paths.

pub mod csv_row;

mod columns;
mod connect_envelope;
mod existing_paths;
mod explain;
mod field_reader;
mod leaf_fields;
mod row_json;

pub use connect_envelope::{connect_payload, into_payload};
pub use existing_paths::existing_paths;
pub use field_reader::FieldReader;
pub use leaf_fields::leaf_fields;
pub use row_json::row_as_json;
