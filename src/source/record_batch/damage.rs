//! Why a record batch cannot be read.

use thiserror::Error;

/// Why a record batch cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DamageReason {
    /// The length is too small for a batch, so where the next one starts is unknown.
    #[error("a record batch cannot have the length {0}")]
    Length(i32),
    /// Nothing but zeros follow, as in a segment that was allocated in advance.
    #[error("zeros where a record batch should be")]
    Zeros,
    /// The checksum in the batch is not that of its bytes.
    #[error("checksum mismatch: {stored:#010x} stored, {computed:#010x} computed")]
    Checksum {
        /// The one in the batch.
        stored: u32,
        /// The one of its bytes.
        computed: u32,
    },
    /// A format this decoder does not know.
    #[error("unknown record format (magic {0})")]
    Magic(i8),
    /// A codec this decoder does not know.
    #[error("unknown compression codec {0}")]
    Codec(u8),
    /// Fields of the header contradict each other.
    #[error("the header of the record batch contradicts itself")]
    Header,
    /// The batch starts at or before an offset that came earlier.
    #[error("offset {0} where {1} or a later one was due")]
    OffsetOrder(i64, i64),
    /// The codec cannot unpack the records.
    #[error("the records cannot be unpacked: {0}")]
    Unpack(String),
    /// The records unpack to more than the limit.
    #[error("the records unpack to more than {0} bytes")]
    TooLarge(usize),
    /// The header's record count cannot be true.
    #[error("{count} records cannot fit into {bytes} bytes")]
    RecordCount {
        /// Records that the header tells of.
        count: i32,
        /// Bytes that are there.
        bytes: usize,
    },
    /// A record does not follow the format.
    #[error("record {0} of the batch does not follow the format")]
    Record(i32),
    /// Bytes are left after the last record.
    #[error("{0} bytes are left after the last record")]
    TrailingBytes(usize),
    /// The block has no room for another batch; not the batch's fault.
    #[error("the block of records is full")]
    BlockFull,
}
