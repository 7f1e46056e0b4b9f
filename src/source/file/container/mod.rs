//! Container files of typed records: each record becomes the text of a JSON object.

pub(crate) mod avro;
#[cfg(test)]
mod both_passes;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub(crate) mod source;

pub(crate) use source::{Container, ContainerSource, DamageList, NumberFinder};
