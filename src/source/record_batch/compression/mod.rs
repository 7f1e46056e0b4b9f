//! The five codecs in Kafka's framings, bounded.

mod lz4;

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use snap::raw as snappy;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::cursor::Cursor;
use super::damage::DamageReason;
use lz4::Lz4Frames;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip, any number of members.
    Gzip,
    /// Snappy, raw or in the framing of snappy-java.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

impl Codec {
    /// Returns the codec of a batch's attributes, or its number where there is none such.
    pub fn from_attributes(attributes: i16) -> Result<Self, u8> {
        match attributes & 0x07 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            unknown => Err(u8::try_from(unknown).unwrap_or(u8::MAX)),
        }
    }
}

/// Why bytes cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UnpackError {
    /// They are damaged, in the codec's own words.
    Damaged(String),
    /// They hold more than the limit.
    TooLarge,
}

impl UnpackError {
    /// Returns the error for damage described by `text`.
    pub(super) fn damaged(text: &(impl ToString + ?Sized)) -> Self {
        Self::Damaged(text.to_string())
    }

    /// Returns the error as the reason why a batch is damaged, under `limit` bytes.
    pub(super) fn into_reason(self, limit: usize) -> DamageReason {
        match self {
            Self::Damaged(text) => DamageReason::Unpack(text),
            Self::TooLarge => DamageReason::TooLarge(limit),
        }
    }
}

/// Unpacks the bytes of one batch after the other and keeps what the codecs can use again.
#[derive(Default)]
pub(super) struct Unpacker {
    snappy: snappy::Decoder,
    lz4: Lz4Frames,
    zstd: Option<ZstdDecoder<'static>>,
}

impl Unpacker {
    /// Appends what `packed` holds to `bytes`, at most `limit` bytes of it. Old message sets
    /// carry LZ4 frames with a wrong header checksum, which `magic` 0 forgives.
    pub(super) fn unpack(
        &mut self,
        (codec, magic): (Codec, i8),
        packed: &[u8],
        limit: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        match codec {
            Codec::None if packed.len() > limit => Err(UnpackError::TooLarge),
            Codec::None => {
                bytes.extend_from_slice(packed);
                Ok(())
            }
            Codec::Gzip => unpack_gzip(packed, limit, bytes),
            Codec::Snappy => self.unpack_snappy(packed, limit, bytes),
            Codec::Lz4 => self.lz4.unpack(packed, magic > 0, limit, bytes),
            Codec::Zstd => self.unpack_zstd(packed, limit, bytes),
        }
    }

    fn unpack_snappy(
        &mut self,
        packed: &[u8],
        limit: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        /// How snappy-java starts a stream; two version numbers of 4 bytes follow.
        const STREAM_MAGIC: &[u8] = b"\x82SNAPPY\0";
        if !packed.starts_with(STREAM_MAGIC) {
            return self.unpack_snappy_block(packed, limit, bytes);
        }
        let cut = || UnpackError::damaged("snappy: a block is cut off");
        let end = bytes.len().saturating_add(limit);
        let mut cursor = Cursor::new(packed);
        while cursor.remaining() > 0 {
            if cursor.rest().starts_with(STREAM_MAGIC) {
                cursor.take(STREAM_MAGIC.len() + 8).ok_or_else(cut)?;
                continue;
            }
            let length = cursor.i32().ok_or_else(cut)?;
            let length = usize::try_from(length).map_err(|_| cut())?;
            let block = cursor.take(length).ok_or_else(cut)?;
            self.unpack_snappy_block(block, end - bytes.len(), bytes)?;
        }
        Ok(())
    }

    fn unpack_snappy_block(
        &mut self,
        block: &[u8],
        limit: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        let length = snappy::decompress_len(block).map_err(|error| UnpackError::damaged(&error))?;
        if length > limit {
            return Err(UnpackError::TooLarge);
        }
        // Three bytes of a block make at most 64: a length beyond that is a lie, not a need.
        if length > block.len().saturating_mul(22) {
            return Err(UnpackError::damaged("snappy: the length cannot be true"));
        }
        let start = bytes.len();
        bytes.resize(start + length, 0);
        let (_, target) = bytes.split_at_mut(start);
        let written = self
            .snappy
            .decompress(block, target)
            .map_err(|error| UnpackError::damaged(&error))?;
        bytes.truncate(start + written);
        Ok(())
    }

    fn unpack_zstd(
        &mut self,
        packed: &[u8],
        limit: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnpackError> {
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(new_zstd_decoder().map_err(|error| UnpackError::damaged(&error))?),
        };
        zstd.reinit()
            .map_err(|error| UnpackError::damaged(&error))?;
        let mut input = InBuffer::around(packed);
        let end = bytes.len().saturating_add(limit);
        loop {
            bytes.reserve(output_step(packed.len()));
            let (read_before, written_before) = (input.pos(), bytes.len());
            let mut output = OutBuffer::around_pos(bytes, written_before);
            let wanted = zstd
                .run(&mut input, &mut output)
                .map_err(|error| UnpackError::damaged(&error))?;
            if bytes.len() > end {
                return Err(UnpackError::TooLarge);
            }
            let is_read = input.pos() == packed.len();
            if wanted == 0 && is_read {
                return Ok(());
            }
            if input.pos() == read_before && bytes.len() == written_before {
                return Err(UnpackError::damaged("zstd: the frame is cut off"));
            }
        }
    }
}

fn new_zstd_decoder() -> io::Result<ZstdDecoder<'static>> {
    /// What every decoder must support, and a bound on the memory of a frame.
    const WINDOW_LOG_MAX: u32 = 27;
    let mut decoder = ZstdDecoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
    Ok(decoder)
}

/// Returns how much room to offer a decoder at a time.
fn output_step(packed_length: usize) -> usize {
    packed_length.saturating_mul(4).clamp(16 << 10, 1 << 20)
}

fn unpack_gzip(packed: &[u8], limit: usize, bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
    let start = bytes.len();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed)
        .take(one_more)
        .read_to_end(bytes)
        .map_err(|error| UnpackError::Damaged(format!("gzip: {error}")))?;
    if bytes.len() - start > limit {
        return Err(UnpackError::TooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::record_batch::batch_encoder::{pack, pack_snappy_java};

    const CODECS: [(i16, Codec); 5] = [
        (0, Codec::None),
        (1, Codec::Gzip),
        (2, Codec::Snappy),
        (3, Codec::Lz4),
        (4, Codec::Zstd),
    ];

    fn sample(length: usize) -> Vec<u8> {
        let words = b"charge_id amount currency EUR USD 0123456789 ";
        let mut seed = 7_usize;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            words[(seed >> 40) % words.len()]
        };
        (0..length).map(|_| next()).collect()
    }

    fn unpack(codec: Codec, packed: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
        let mut bytes = b"before".to_vec();
        Unpacker::default().unpack((codec, 2), packed, limit, &mut bytes)?;
        assert_eq!(&bytes[..6], b"before");
        Ok(bytes.split_off(6))
    }

    #[test]
    fn every_codec_gives_back_what_was_packed_and_the_state_is_used_again() {
        let mut unpacker = Unpacker::default();
        for length in [0, 1, 100, 70_000, 3_000_000, 5] {
            let sample = sample(length);
            for (number, codec) in CODECS {
                let packed = pack(number, &sample);
                let mut bytes = Vec::new();
                unpacker
                    .unpack((codec, 2), &packed, length, &mut bytes)
                    .unwrap();
                assert_eq!(bytes, sample, "{codec:?} {length}");
            }
            let packed = pack_snappy_java(&sample, 32 << 10);
            assert_eq!(unpack(Codec::Snappy, &packed, length).unwrap(), sample);
        }
    }

    #[test]
    fn members_and_frames_one_behind_the_other_are_all_read() {
        for (number, codec) in [CODECS[1], CODECS[3], CODECS[4]] {
            let packed = [pack(number, b"one"), pack(number, b"two")].concat();
            assert_eq!(unpack(codec, &packed, 6).unwrap(), b"onetwo", "{codec:?}");
        }
        let twice = [pack_snappy_java(b"one", 2), pack_snappy_java(b"two", 2)];
        assert_eq!(
            unpack(Codec::Snappy, &twice.concat(), 6).unwrap(),
            b"onetwo"
        );
    }

    #[test]
    fn linked_lz4_blocks_and_checksums_are_understood() {
        use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
        use std::io::Write;
        let sample = sample(400_000);
        let info = FrameInfo::new()
            .block_mode(BlockMode::Linked)
            .block_size(BlockSize::Max64KB)
            .block_checksums(true)
            .content_checksum(true)
            .content_size(Some(400_000));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&sample).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(unpack(Codec::Lz4, &packed, 400_000).unwrap(), sample);
        for at in [4, 6, 20, 5_000, packed.len() - 1] {
            let mut broken = packed.clone();
            broken[at] ^= 0x10;
            assert!(unpack(Codec::Lz4, &broken, 400_000).is_err(), "{at}");
        }
    }

    #[test]
    fn the_wrong_lz4_header_checksum_is_forgiven_in_magic_0_only() {
        let mut packed = pack(3, b"abc");
        packed[6] ^= 0xff;
        let mut bytes = Vec::new();
        let mut unpacker = Unpacker::default();
        assert_eq!(
            unpacker.unpack((Codec::Lz4, 0), &packed, 10, &mut bytes),
            Ok(())
        );
        assert_eq!(bytes, b"abc");
        assert!(unpack(Codec::Lz4, &packed, 10).is_err());
    }

    #[test]
    fn more_than_the_limit_is_too_large_in_every_codec() {
        let zeros = vec![0; 64 << 20];
        for (number, codec) in CODECS {
            let packed = pack(number, &zeros);
            let mut bytes = Vec::new();
            let mut unpacker = Unpacker::default();
            let result = unpacker.unpack((codec, 2), &packed, 1 << 20, &mut bytes);
            assert_eq!(result, Err(UnpackError::TooLarge), "{codec:?}");
            assert!(bytes.capacity() < 8 << 20, "{codec:?} {}", bytes.capacity());
            assert_eq!(unpack(codec, &packed, 64 << 20).unwrap().len(), 64 << 20);
        }
    }

    #[test]
    fn a_cut_at_any_byte_is_an_error_or_a_prefix_that_ended_a_member() {
        let sample = sample(2_000);
        for (number, codec) in &CODECS[1..] {
            let packed = pack(*number, &sample);
            for end in 1..packed.len() {
                assert!(
                    unpack(*codec, &packed[..end], 2_000).is_err(),
                    "{codec:?} {end}"
                );
            }
        }
    }

    #[test]
    fn a_snappy_length_that_cannot_be_true_allocates_nothing() {
        let lie = [0xff, 0xff, 0xff, 0x3f, 0, 0];
        assert!(matches!(
            unpack(Codec::Snappy, &lie, 1 << 30),
            Err(UnpackError::Damaged(_))
        ));
    }
}
