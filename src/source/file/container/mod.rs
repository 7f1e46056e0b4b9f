//! Container files of typed records: each record becomes the text of a JSON object.

pub(crate) mod avro;
pub(crate) mod json_value;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
