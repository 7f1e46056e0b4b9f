//! The header and the blocks of an Avro file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use thiserror::Error;

use crate::record::grouped;
use crate::source::file::container::avro::codec::Codec;
use crate::source::file::revisit::read_at;
use crate::source::file::unpack::length_u64;
use crate::typed_value::avro::{DatumError, Schema, SchemaError, take_long};

/// What every Avro file starts with.
pub(crate) const MAGIC: &[u8] = b"Obj\x01";

const SYNC_BYTES: usize = 16;
/// A header that is longer is none.
const HEADER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A block that is larger is damaged.
const BLOCK_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes that hold count and size of a block.
const FRAME_BYTES: usize = 20;
/// Bytes in which a marker is looked for at a time.
const SEARCH_BYTES: usize = 1024 * 1024;

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum AvroError {
    /// Its header is cut or contradicts itself.
    #[error("has no whole Avro header")]
    Header,
    /// Its header has no schema.
    #[error("has an Avro header without a schema")]
    NoSchema,
    /// Its schema cannot be used.
    #[error("is an Avro file, but {0}")]
    Schema(String),
    /// Its codec is unknown.
    #[error(
        "is an Avro file whose blocks are packed with `{0}`; null, deflate, snappy, zstandard, \
         bzip2 and xz are known"
    )]
    Codec(String),
}

/// What the header of an Avro file says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) schema: Schema,
    pub(super) codec: Codec,
    sync: [u8; SYNC_BYTES],
    /// Where the first block starts.
    end: u64,
}

impl Header {
    /// Reads the header of a file.
    pub(super) fn read(file: &File, length: u64) -> io::Result<Result<Self, AvroError>> {
        let mut wanted = 64 * 1024;
        loop {
            let rest = usize::try_from(length).unwrap_or(usize::MAX);
            let mut bytes = vec![0; wanted.min(rest)];
            let count = read_at(file, &mut bytes, 0)?;
            bytes.truncate(count);
            match Self::parse(&bytes) {
                Err(AvroError::Header) if count == wanted && wanted < HEADER_BYTES_MAX => {
                    wanted *= 4;
                }
                parsed => return Ok(parsed),
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, AvroError> {
        let cut = |_: DatumError| AvroError::Header;
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(AvroError::Header)?;
        let (mut schema, mut codec): (Option<&[u8]>, &[u8]) = (None, b"");
        loop {
            let count = take_long(&mut rest).map_err(cut)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                take_long(&mut rest).map_err(cut)?;
            }
            for _ in 0..count.unsigned_abs() {
                let name = take_bytes(&mut rest).ok_or(AvroError::Header)?;
                let value = take_bytes(&mut rest).ok_or(AvroError::Header)?;
                match name {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = value,
                    _ => {}
                }
            }
        }
        let (sync, rest) = rest.split_first_chunk().ok_or(AvroError::Header)?;
        let json = schema.ok_or(AvroError::NoSchema)?;
        let as_error = |error: SchemaError| AvroError::Schema(format!("its schema {error}"));
        Ok(Self {
            schema: Schema::parse(json).map_err(as_error)?,
            codec: Codec::of(codec)
                .ok_or_else(|| AvroError::Codec(String::from_utf8_lossy(codec).into_owned()))?,
            sync: *sync,
            end: length_u64(bytes.len() - rest.len()),
        })
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_long(rest).ok()?).ok()?;
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// One block, still packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where it starts in the file.
    pub(super) position: u64,
    /// Records before it.
    pub(super) first_number: u64,
    /// Records in it, as it says.
    pub(super) count: u64,
    /// Its records as stored, by their place in the chunk.
    pub(super) packed: Range<usize>,
}

/// Gives out chunk after chunk of whole blocks.
#[derive(Debug)]
pub(super) struct BlockWalk {
    file: Arc<File>,
    length: u64,
    sync: [u8; SYNC_BYTES],
    position: u64,
    number: u64,
    chunk_bytes: usize,
}

/// What stands where a block is due.
enum Frame {
    Block {
        count: u64,
        size: u64,
        lead: u64,
    },
    /// The file ends within it.
    Cut,
    /// It cannot be one.
    False,
}

impl BlockWalk {
    /// Starts at a block, before which `number` records come; at the first by default.
    pub(super) fn new(
        (file, length): (Arc<File>, u64),
        header: &Header,
        place: Option<(u64, u64)>,
        chunk_bytes: usize,
    ) -> Self {
        let (position, number) = place.unwrap_or((header.end, 0));
        Self {
            file,
            length,
            sync: header.sync,
            position,
            number,
            chunk_bytes,
        }
    }

    /// Returns where the next block starts, and the records before it.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.position, self.number)
    }

    /// Fills `bytes` and `blocks` with the next blocks, and returns what damage is met behind
    /// them, which is stepped over.
    pub(super) fn next_chunk(
        &mut self,
        bytes: &mut Vec<u8>,
        blocks: &mut Vec<Block>,
    ) -> io::Result<Option<String>> {
        bytes.clear();
        blocks.clear();
        while self.position < self.length && bytes.len() < self.chunk_bytes {
            let start = self.position;
            let byte = grouped(start);
            match self.frame()? {
                Frame::Block { count, size, lead } => {
                    let from = bytes.len();
                    let size_short = usize::try_from(size).unwrap_or(usize::MAX);
                    bytes.resize(from + size_short + SYNC_BYTES, 0);
                    let room = bytes.get_mut(from..).unwrap_or_default();
                    if read_at(&self.file, room, start + lead)? < room.len() {
                        return Err(io::Error::other("the file shrank while it was read"));
                    }
                    if !room.ends_with(&self.sync) {
                        bytes.truncate(from);
                        self.search(start + 1)?;
                        return Ok(Some(format!("the block at byte {byte} has no end marker")));
                    }
                    bytes.truncate(from + size_short);
                    blocks.push(Block {
                        position: start,
                        first_number: self.number,
                        count,
                        packed: from..from + size_short,
                    });
                    self.position = start + lead + size + length_u64(SYNC_BYTES);
                    self.number = self.number.saturating_add(count);
                }
                Frame::Cut => {
                    let rest = grouped(self.length - start);
                    let what = format!("truncated within the block at byte {byte}: {rest} bytes");
                    // A false size may be what leads behind the end.
                    let is_found = self.search(start + 1)?;
                    return Ok(Some(if is_found {
                        format!("the block at byte {byte} has a false size")
                    } else {
                        what
                    }));
                }
                Frame::False => {
                    self.search(start + 1)?;
                    return Ok(Some(format!("no block starts at byte {byte}")));
                }
            }
        }
        Ok(None)
    }

    fn frame(&self) -> io::Result<Frame> {
        let mut bytes = [0; FRAME_BYTES];
        let count = read_at(&self.file, &mut bytes, self.position)?;
        let mut rest = bytes.get(..count).unwrap_or_default();
        let numbers = take_long(&mut rest)
            .and_then(|count| Ok((u64::try_from(count), u64::try_from(take_long(&mut rest)?))));
        let (records, size) = match numbers {
            Ok((Ok(records), Ok(size))) if size <= BLOCK_BYTES_MAX => (records, size),
            Err(DatumError::Ended) if count < FRAME_BYTES => return Ok(Frame::Cut),
            Ok(_) | Err(_) => return Ok(Frame::False),
        };
        let lead = length_u64(count - rest.len());
        if self.position + lead + size + length_u64(SYNC_BYTES) > self.length {
            return Ok(Frame::Cut);
        }
        Ok(Frame::Block {
            count: records,
            size,
            lead,
        })
    }

    /// Moves behind the next marker from `from` on, or to the end; returns whether there is one.
    fn search(&mut self, from: u64) -> io::Result<bool> {
        let finder = memmem::Finder::new(&self.sync);
        let mut bytes = vec![0; SEARCH_BYTES];
        let mut from = from;
        loop {
            let count = read_at(&self.file, &mut bytes, from)?;
            let known = bytes.get(..count).unwrap_or_default();
            if let Some(found) = finder.find(known) {
                self.position = (from + length_u64(found + SYNC_BYTES)).min(self.length);
                return Ok(true);
            }
            if count < bytes.len() {
                self.position = self.length;
                return Ok(false);
            }
            from += length_u64(count - SYNC_BYTES + 1);
        }
    }
}
