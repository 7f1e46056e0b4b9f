//! LZ4 frames as Kafka's producers write them, unpacked block by block.

use lz4_flex::block::{DecompressError, decompress_into, decompress_into_with_dict};
use xxhash_rust::xxh32::xxh32;

use super::UnpackError;

const FRAME_MAGIC: u32 = 0x184D_2204;
const IS_STORED: u32 = 1 << 31;
/// A packed block of at least this part of what it may unpack to is taken for one that fills it.
const LARGE_BLOCK_PART: usize = 16;
/// How far back a block that is linked to its predecessors may refer.
const WINDOW_BYTES: usize = 64 << 10;

/// Unpacks LZ4 frames and keeps its block buffer.
#[derive(Default)]
pub(super) struct Lz4Frames {
    block: Vec<u8>,
}

/// What a frame's descriptor says.
struct Frame {
    is_linked: bool,
    has_block_checksums: bool,
    has_content_checksum: bool,
    block_bytes_max: usize,
}

impl Lz4Frames {
    /// Appends what the frames in `packed` hold to `bytes`, at most `limit` bytes.
    pub(super) fn unpack(
        &mut self,
        packed: &[u8],
        is_header_checked: bool,
        limit: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        let end = bytes.len().saturating_add(limit);
        let mut rest = packed;
        loop {
            let frame = take_descriptor(&mut rest, is_header_checked)?;
            self.unpack_blocks(&frame, &mut rest, end, bytes)?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn unpack_blocks(
        &mut self,
        frame: &Frame,
        rest: &mut &[u8],
        end: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        let start = bytes.len();
        loop {
            let header = take_u32(rest)?;
            if header == 0 {
                break;
            }
            let block = take(rest, usize_from(header & !IS_STORED))?;
            if frame.has_block_checksums && take_u32(rest)? != xxh32(block, 0) {
                return Err(UnpackError::damaged("lz4: a block fails its checksum"));
            }
            if header & IS_STORED != 0 {
                if block.len() > end - bytes.len() {
                    return Err(UnpackError::TooLarge);
                }
                bytes.extend_from_slice(block);
                continue;
            }
            self.unpack_block(frame, block, (start, end), bytes)?;
        }
        if frame.has_content_checksum {
            let content = bytes.get(start..).unwrap_or_default();
            if take_u32(rest)? != xxh32(content, 0) {
                return Err(UnpackError::damaged("lz4: the content fails its checksum"));
            }
        }
        Ok(())
    }

    /// Appends what a block holds to `bytes`, whose frame starts at `start`, up to `end`.
    fn unpack_block(
        &mut self,
        frame: &Frame,
        block: &[u8],
        (start, end): (usize, usize),
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        let kept = bytes.len();
        let window = kept.saturating_sub(WINDOW_BYTES).max(start);
        let is_large = block.len() >= frame.block_bytes_max / LARGE_BLOCK_PART;
        if is_large {
            // To fill the room with zeros costs less than to copy what is unpacked.
            bytes.resize(kept + frame.block_bytes_max, 0);
            let (before, target) = bytes.split_at_mut(kept);
            let dictionary = before.get(window..).filter(|_| frame.is_linked);
            let written = unpack_into(block, target, dictionary);
            bytes.truncate(kept + written.as_ref().map_or(0, |&written| written));
            written?;
        } else {
            if self.block.len() < frame.block_bytes_max {
                self.block.resize(frame.block_bytes_max, 0);
            }
            let target = self.block.get_mut(..frame.block_bytes_max);
            let dictionary = bytes.get(window..).filter(|_| frame.is_linked);
            let written = unpack_into(block, target.unwrap_or_default(), dictionary)?;
            bytes.extend_from_slice(self.block.get(..written).unwrap_or_default());
        }
        if bytes.len() > end {
            return Err(UnpackError::TooLarge);
        }
        Ok(())
    }
}

fn unpack_into(
    block: &[u8],
    target: &mut [u8],
    dictionary: Option<&[u8]>,
) -> Result<usize, UnpackError> {
    let written = match dictionary {
        Some(dictionary) => decompress_into_with_dict(block, target, dictionary),
        None => decompress_into(block, target),
    };
    written.map_err(|error: DecompressError| UnpackError::Damaged(format!("lz4: {error}")))
}

fn take_descriptor(rest: &mut &[u8], is_checked: bool) -> Result<Frame, UnpackError> {
    if take_u32(rest)? != FRAME_MAGIC {
        return Err(UnpackError::damaged("lz4: no frame starts here"));
    }
    let descriptor = *rest;
    let [flags, block_descriptor] = take_array(rest)?;
    if flags >> 6 != 1 || flags & 0x01 != 0 {
        return Err(UnpackError::damaged("lz4: a frame of another version"));
    }
    let content_size_length = if flags & 0x08 == 0 { 0 } else { 8 };
    take(rest, content_size_length)?;
    let described = descriptor
        .get(..2 + content_size_length)
        .unwrap_or_default();
    let [checksum] = take_array(rest)?;
    // Producers before 0.10 took the checksum over the frame magic too; message format 0 only.
    if is_checked && xxh32(described, 0).to_be_bytes()[2] != checksum {
        return Err(UnpackError::damaged("lz4: the frame fails its checksum"));
    }
    let block_bytes_max = match (block_descriptor >> 4) & 0x07 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => {
            return Err(UnpackError::damaged(
                "lz4: a block size that is not defined",
            ));
        }
    };
    Ok(Frame {
        is_linked: flags & 0x20 == 0,
        has_block_checksums: flags & 0x10 != 0,
        has_content_checksum: flags & 0x04 != 0,
        block_bytes_max,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], UnpackError> {
    let (taken, after) = rest.split_at_checked(length).ok_or_else(cut_off)?;
    *rest = after;
    Ok(taken)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], UnpackError> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or_else(cut_off)?;
    *rest = after;
    Ok(*taken)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, UnpackError> {
    take_array(rest).map(u32::from_le_bytes)
}

fn cut_off() -> UnpackError {
    UnpackError::damaged("lz4: the frame is cut off")
}

fn usize_from(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
