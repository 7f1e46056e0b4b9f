//! One gzip member or zstd frame of a file.

use std::io;
use std::io::Read;

use flate2::bufread::GzDecoder;

use crate::source::file::unpack::ZSTD_WINDOW_LOG_MAX;
use crate::source::file::unpack::compression::Compression;
use crate::source::file::unpack::members::input::{PlacedFile, PlacedInput};
use crate::source::file::unpack::{length_u64, read_whole};

/// Bytes unpacked at a time. What a decoder loses before it meets damage depends on how it is
/// read, which is therefore the same whoever reads a member.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// What files are made of that are read member by member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberKind {
    Gzip,
    Zstd,
}

impl MemberKind {
    /// Returns what files of a compression are made of, if that is such.
    pub(crate) fn of(compression: Compression) -> Option<Self> {
        match compression {
            Compression::Gzip => Some(Self::Gzip),
            Compression::Zstd => Some(Self::Zstd),
            Compression::Plain
            | Compression::Lz4
            | Compression::LegacyLz4
            | Compression::Snappy
            | Compression::Bzip2
            | Compression::Xz
            | Compression::Zip => None,
        }
    }
}

/// A member that is being unpacked.
pub(super) enum Member {
    Gzip(Box<GzDecoder<PlacedInput>>),
    Zstd(Box<zstd::Decoder<'static, PlacedInput>>),
}

impl Member {
    /// Starts with the member at `place`.
    pub(super) fn open(file: &PlacedFile, kind: MemberKind, place: u64) -> io::Result<Self> {
        let input = PlacedInput::new(file, place);
        Ok(match kind {
            MemberKind::Gzip => Self::Gzip(Box::new(GzDecoder::new(input))),
            MemberKind::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Self::Zstd(Box::new(decoder.single_frame()))
            }
        })
    }

    /// Fills `piece` with what comes next; it is not full at the end, and where something fails.
    pub(super) fn read_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<()> {
        piece.clear();
        read_whole(self, piece, length_u64(PIECE_BYTES)).map(drop)
    }

    /// Returns the stored bytes, behind what was unpacked.
    pub(super) fn input(&mut self) -> &mut PlacedInput {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}
