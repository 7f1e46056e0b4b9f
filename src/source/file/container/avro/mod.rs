//! Avro object container files.

mod blocks;
mod codec;
pub(crate) mod source;
#[cfg(test)]
mod tests;

pub(crate) use blocks::MAGIC;
pub(crate) use source::AvroFile;
