//! The codecs of Avro blocks, bounded.

use std::io::Read;

use crate::source::file::unpack::length_u64;

/// A block that unpacks to more is damaged.
const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;
const XZ_MEMORY_MAX_KIB: u32 = 300 * 1024;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

impl Codec {
    /// Returns the codec of a name, as files have it; no name is no compression.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"" | b"null" => Self::Null,
            b"deflate" => Self::Deflate,
            b"snappy" => Self::Snappy,
            b"zstandard" => Self::Zstandard,
            b"bzip2" => Self::Bzip2,
            b"xz" => Self::Xz,
            _ => return None,
        })
    }

    /// Appends what `packed` unpacks to, or says why it does not.
    pub(super) fn unpack(self, packed: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Null => {
                out.extend_from_slice(packed);
                Ok(())
            }
            Self::Deflate => read_all(flate2::read::DeflateDecoder::new(packed), out),
            Self::Snappy => unpack_snappy(packed, out),
            Self::Zstandard => {
                let decoder = zstd::Decoder::with_buffer(packed).map_err(|error| error.to_string());
                read_all(decoder?, out)
            }
            Self::Bzip2 => read_all(bzip2::read::MultiBzDecoder::new(packed), out),
            Self::Xz => {
                let decoder = lzma_rust2::XzReader::new_mem_limit(packed, true, XZ_MEMORY_MAX_KIB);
                read_all(decoder, out)
            }
        }
    }
}

fn read_all(decoder: impl Read, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    let mut bounded = decoder.take(UNPACKED_BYTES_MAX + 1);
    bounded
        .read_to_end(out)
        .map_err(|error| error.to_string())?;
    if length_u64(out.len() - start) > UNPACKED_BYTES_MAX {
        return Err(format!(
            "it unpacks to more than {UNPACKED_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

/// Unpacks snappy, behind which Avro has the checksum of what it unpacks to.
fn unpack_snappy(packed: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let (packed, checksum) = packed.split_last_chunk::<4>().ok_or("it has no checksum")?;
    let length = snap::raw::decompress_len(packed).map_err(|error| error.to_string())?;
    // A copy of 64 bytes takes two or more.
    if length > packed.len().saturating_mul(32) {
        return Err(format!("it cannot unpack to {length} bytes"));
    }
    if length_u64(length) > UNPACKED_BYTES_MAX {
        return Err(format!(
            "it unpacks to more than {UNPACKED_BYTES_MAX} bytes"
        ));
    }
    let unpacked = snap::raw::Decoder::new().decompress_vec(packed);
    let unpacked = unpacked.map_err(|error| error.to_string())?;
    let (stored, computed) = (u32::from_be_bytes(*checksum), crc32fast::hash(&unpacked));
    if stored != computed {
        return Err(format!(
            "checksum mismatch: {stored:#010x} stored, {computed:#010x} computed"
        ));
    }
    out.extend_from_slice(&unpacked);
    Ok(())
}
