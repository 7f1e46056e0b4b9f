//! Typed values as JSON: exact, and the same text for the same value.

pub mod avro;
pub mod guard;
pub mod json_value;
