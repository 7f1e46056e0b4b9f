//! Compression by magic number: all but zip archives are unpacked.

use std::io;
use std::io::{BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;

use crate::source::file::unpack::ZSTD_WINDOW_LOG_MAX;
use crate::source::file::unpack::lz4_frames::Lz4Frames;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    Plain,
    /// gzip members.
    Gzip,
    /// zstd frames.
    Zstd,
    /// lz4 frames.
    Lz4,
    /// lz4 before it had frames that say where they end.
    LegacyLz4,
    /// Snappy in its framing format.
    Snappy,
    /// bzip2 streams.
    Bzip2,
    /// xz streams.
    Xz,
    /// A zip archive.
    Zip,
}

/// Bytes that are enough to tell every compression.
pub(crate) const MAGIC_BYTES: usize = 10;

const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
const SKIPPABLE_MAGIC_END: &[u8] = b"\x2a\x4d\x18";

/// Room for the dictionary of `xz -9`, 64 MiB, and some more: a header of a few bytes may ask for
/// 4 GiB.
const XZ_MEMORY_MAX_KIB: u32 = 300 * 1024;

impl Compression {
    /// Returns the compression of a file that starts with `head`: its first [`MAGIC_BYTES`], or
    /// all of it.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] | [0x1f] => Self::Gzip,
            // pzstd starts with a skippable frame.
            [0x50..=0x5f, rest @ ..] if rest.starts_with(SKIPPABLE_MAGIC_END) => Self::Zstd,
            // A file cut within the magic number is still a damaged archive, not a text.
            [0x28, 0xb5] | [0x28, 0xb5, 0x2f] => Self::Zstd,
            _ if head.starts_with(ZSTD_MAGIC) => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            [0x02, 0x21, 0x4c, 0x18, ..] => Self::LegacyLz4,
            _ if head.starts_with(b"\xff\x06\x00\x00sNaPpY") => Self::Snappy,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, 0x41 | 0x72, ..] => Self::Bzip2,
            _ if head.starts_with(b"\xfd7zXZ\x00") => Self::Xz,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            _ => Self::Plain,
        }
    }

    /// Returns the name of the compression.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::LegacyLz4 => "legacy lz4",
            Self::Snappy => "snappy",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zip => "zip",
        }
    }

    /// Returns the command that unpacks to standard output, where this version does not unpack.
    pub(crate) fn refused_for(self) -> Option<&'static str> {
        match self {
            Self::Plain
            | Self::Gzip
            | Self::Zstd
            | Self::Lz4
            | Self::Snappy
            | Self::Bzip2
            | Self::Xz => None,
            Self::LegacyLz4 => Some("lz4 -dc"),
            Self::Zip => Some("unzip -p"),
        }
    }

    /// Returns a reader of the unpacked bytes.
    pub(crate) fn unpack(
        self,
        stored: impl BufRead + Send + 'static,
    ) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Plain => Box::new(stored),
            Self::Gzip => Box::new(GzipMembers::new(stored)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(stored)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
            Self::Lz4 => Box::new(Lz4Frames::new(stored)),
            Self::Snappy => Box::new(snap::read::FrameDecoder::new(stored)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(stored)),
            Self::Xz => Box::new(XzReader::new_mem_limit(stored, true, XZ_MEMORY_MAX_KIB)),
            Self::LegacyLz4 | Self::Zip => return Err(io::Error::from(io::ErrorKind::Unsupported)),
        })
    }
}

/// Unpacks all members of a gzip file.
///
/// flate2's own reader of many members calls zero padding after the last one an error.
struct GzipMembers<R> {
    state: GzipState<R>,
}

enum GzipState<R> {
    Member(Box<GzDecoder<R>>),
    Between(R),
    Ended,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(stored: R) -> Self {
        let state = GzipState::Member(Box::new(GzDecoder::new(stored)));
        Self { state }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let state = std::mem::replace(&mut self.state, GzipState::Ended);
            match state {
                GzipState::Member(mut member) => {
                    let count = member.read(buffer);
                    if !matches!(count, Ok(0)) || buffer.is_empty() {
                        self.state = GzipState::Member(member);
                        return count;
                    }
                    self.state = GzipState::Between(member.into_inner());
                }
                GzipState::Between(stored) => match next_member(stored)? {
                    Some(stored) => self.state = Self::new(stored).state,
                    None => return Ok(0),
                },
                GzipState::Ended => return Ok(0),
            }
        }
    }
}

/// Returns the rest at the start of a member, or nothing at the end, after zeros that pad it.
fn next_member<R: BufRead>(mut stored: R) -> io::Result<Option<R>> {
    loop {
        let ahead = stored.fill_buf()?;
        let zeros = ahead.iter().take_while(|&&byte| byte == 0).count();
        let first = ahead.get(zeros).copied();
        let is_empty = ahead.is_empty();
        stored.consume(zeros);
        match first {
            Some(0x1f) => return Ok(Some(stored)),
            Some(_) => return Err(io::Error::other("bytes that are no gzip follow it")),
            None if is_empty => return Ok(None),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::default();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(stored: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut unpacked = Vec::new();
        let compression = Compression::of(&stored);
        let mut reader = compression.unpack(io::Cursor::new(stored))?;
        reader.read_to_end(&mut unpacked)?;
        Ok(unpacked)
    }

    #[test]
    fn magic_numbers_tell_the_compression() {
        let heads: [(&[u8], Compression); 11] = [
            (b"\x1f\x8b\x08", Compression::Gzip),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x50\x2a\x4d\x18", Compression::Zstd),
            (b"\x04\x22\x4d\x18", Compression::Lz4),
            (b"\xff\x06\x00\x00sNaPpY", Compression::Snappy),
            (b"BZh91AY&SY", Compression::Bzip2),
            (b"\xfd7zXZ\x00", Compression::Xz),
            (b"PK\x03\x04", Compression::Zip),
            (b"{\"a\":1}", Compression::Plain),
            (b"BZh9,b\n", Compression::Plain),
            (b"", Compression::Plain),
        ];
        for (head, compression) in heads {
            assert_eq!(Compression::of(head), compression, "{head:x?}");
        }
    }

    #[test]
    fn all_members_and_frames_are_unpacked() {
        let members = [gzip(b"one\n"), gzip(b""), gzip(b"two\n")].concat();
        assert_eq!(unpack(members).unwrap(), b"one\ntwo\n");
        let skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00xx".to_vec();
        let first = zstd::encode_all(&b"one\n"[..], 0).unwrap();
        let second = zstd::encode_all(&b"two\n"[..], 0).unwrap();
        let frames = [skippable, first, second].concat();
        assert_eq!(unpack(frames).unwrap(), b"one\ntwo\n");
    }

    fn lz4(text: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn snappy(text: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.into_inner().unwrap()
    }

    /// What `xz` wrote of `one` and a newline.
    const XZ: &[u8] =
        b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\
        \x2f\xe5\xa3\x01\x00\x03\x6f\x6e\x65\x0a\x00\xf5\x5c\xbb\x56\x1f\xc6\xfd\x86\x00\x01\
        \x1c\x04\x6f\x2c\x9c\xc1\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

    #[test]
    fn frames_and_streams_of_all_others_are_unpacked_too() {
        for pack in [lz4, bzip2, snappy] {
            let parts = [pack(b"one\n"), pack(b""), pack(b"two\n")].concat();
            assert_eq!(unpack(parts).unwrap(), b"one\ntwo\n");
            let long = b"a longer text with some repetition in it\n".repeat(10_000);
            assert_eq!(unpack(pack(&long)).unwrap(), long);
        }
        assert_eq!(unpack([XZ, XZ].concat()).unwrap(), b"one\none\n");
        let skippable = b"\x55\x2a\x4d\x18\x02\x00\x00\x00xx".to_vec();
        let frames = [lz4(b"one\n"), skippable, lz4(b"two\n")].concat();
        assert_eq!(unpack(frames).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn what_is_cut_off_ends_early() {
        for whole in [lz4(b"one\n"), bzip2(b"one\n"), XZ.to_vec()] {
            let start = whole.len().min(MAGIC_BYTES);
            for cut in start..whole.len() {
                let error = unpack(whole[..cut].to_vec()).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}: {error}");
            }
            let twice = [&whole[..], &whole[..whole.len() - 1]].concat();
            assert!(unpack(twice).is_err());
        }
        let whole = snappy(b"one\n");
        // Behind a chunk is a place where a file of this framing may end.
        for cut in 11..whole.len() {
            let error = unpack(whole[..cut].to_vec()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}: {error}");
        }
    }

    #[test]
    fn zeros_may_follow_a_gzip_member_but_nothing_else() {
        let zeros = vec![0; 70_000];
        let padded = [gzip(b"one\n"), zeros.clone()].concat();
        assert_eq!(unpack(padded).unwrap(), b"one\n");
        let garbage = [gzip(b"one\n"), zeros, b"x".to_vec()].concat();
        assert!(unpack(garbage).is_err());
    }
}
