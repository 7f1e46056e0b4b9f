//! Parquet files.

mod byte_arrays;
mod cells;
mod columns;
mod finder;
mod placed;
mod projection;
mod row_json;
pub(crate) mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::ParquetFile;

/// What every Parquet file starts and ends with.
pub(crate) const MAGIC: &[u8] = b"PAR1";
