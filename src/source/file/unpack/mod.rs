//! The bytes of a file as unpacked, in order, with how they end.

pub(crate) mod compression;
mod lz4_frames;
pub(crate) mod members;
pub(crate) mod pipe;
pub(crate) mod stored;

use std::fs::File;
use std::io;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::record::grouped;
use crate::source::file::unpack::compression::{Compression, MAGIC_BYTES};
use crate::source::file::unpack::members::{AheadLimits, MemberKind, Members, PlacedFile};
use crate::source::file::unpack::stored::{Fault, Meter, RegularFile, StoredReader};
use crate::source::file::unpack::stored::{shrunk, unreadable};

/// Decoders are read in pieces that end at multiples of this, so that a decoder that loses what
/// it made of a piece before it meets damage loses the same in both passes.
const PIECE_BYTES: u64 = 64 * 1024;
/// Window of `zstd --long=31`, the largest that zstd writes.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;
const STORED_BUFFER_BYTES: usize = 128 * 1024;

/// How a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// Where the file does.
    Whole,
    /// Early, and why.
    Damaged(String),
    /// The scan was stopped.
    Interrupted,
}

enum Bytes {
    /// Read through the file's cursor: only so does the standard library fill a buffer without
    /// writing zeros to it first.
    Plain { file: Arc<File>, length: u64 },
    /// Read through a decoder, or from a pipe.
    Decoded(Box<dyn Read + Send>),
}

/// Unpacked bytes in order.
pub(crate) struct UnpackedStream {
    bytes: Bytes,
    compression: Compression,
    /// Bytes read before, to be read first.
    ahead: Vec<u8>,
    position: u64,
    limit: Option<u64>,
    meter: Arc<Meter>,
    end: Option<StreamEnd>,
}

/// Returns the unpacked bytes of what is stored, whose compression is told by its first bytes.
pub fn unpacked(mut stored: impl Read + Send + 'static) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::new();
    let limit = u64::try_from(MAGIC_BYTES).unwrap_or(u64::MAX);
    stored.by_ref().take(limit).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    if let Some(unpacker) = compression.refused_for() {
        let text = format!(
            "it is packed by {}; unpack it with {unpacker}",
            compression.name()
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    Ok(compression.unpack(BufReader::new(Cursor::new(head).chain(stored)))?)
}

impl UnpackedStream {
    /// Opens a plain regular file, to be read by one stream only.
    pub(crate) fn plain(regular: &RegularFile, meter: Arc<Meter>) -> io::Result<Self> {
        let file = regular.open()?;
        (&*file).rewind()?;
        let length = regular.length();
        Ok(Self::new(
            Bytes::Plain { file, length },
            Compression::Plain,
            meter,
        ))
    }

    /// Opens stored bytes that are read in order, and tells their compression.
    pub(crate) fn detect(
        mut stored: impl Read + Send + 'static,
        meter: Arc<Meter>,
    ) -> io::Result<Result<Self, Compression>> {
        let mut head = Vec::new();
        let limit = u64::try_from(MAGIC_BYTES).unwrap_or(u64::MAX);
        // A fault is met again behind the head, and told from there.
        let _ = stored.by_ref().take(limit).read_to_end(&mut head);
        let compression = Compression::of(&head);
        if compression.refused_for().is_some() {
            return Ok(Err(compression));
        }
        Self::open(Cursor::new(head).chain(stored), compression, meter).map(Ok)
    }

    /// Opens stored bytes of a known compression.
    pub(crate) fn open(
        stored: impl Read + Send + 'static,
        compression: Compression,
        meter: Arc<Meter>,
    ) -> io::Result<Self> {
        let decoder = match compression {
            Compression::Plain => Box::new(stored),
            Compression::Gzip
            | Compression::Zstd
            | Compression::Lz4
            | Compression::LegacyLz4
            | Compression::Snappy
            | Compression::Bzip2
            | Compression::Xz
            | Compression::Zip => {
                compression.unpack(BufReader::with_capacity(STORED_BUFFER_BYTES, stored))?
            }
        };
        Ok(Self::new(Bytes::Decoded(decoder), compression, meter))
    }

    /// Opens a compressed regular file from its start; some of it may be unpacked ahead.
    pub(crate) fn packed(
        regular: &RegularFile,
        compression: Compression,
        meter: Arc<Meter>,
        limits: AheadLimits,
    ) -> io::Result<Self> {
        let (file, length) = (regular.open()?, regular.length());
        let Some(kind) = MemberKind::of(compression) else {
            let stored = StoredReader::new(file, length, Arc::clone(&meter));
            return Self::open(stored, compression, meter);
        };
        let file = PlacedFile { file, length };
        let members = Members::new(file, kind, Arc::clone(&meter), limits);
        let bytes = Bytes::Decoded(Box::new(members));
        Ok(Self::new(bytes, compression, meter))
    }

    /// Opens the stored bytes of a file from its start, by place.
    pub(crate) fn stored(
        file: Arc<File>,
        length: u64,
        compression: Compression,
    ) -> io::Result<Self> {
        let meter = Arc::new(Meter::default());
        let reader = StoredReader::new(file, length, Arc::clone(&meter));
        Self::open(reader, compression, meter)
    }

    /// Begins at a place of a plain regular file.
    pub(crate) fn starting_at(mut self, place: u64) -> io::Result<Self> {
        if let Bytes::Plain { file, length } = &self.bytes {
            self.position = place.min(*length);
            (&**file).seek(SeekFrom::Start(self.position))?;
        }
        Ok(self)
    }

    fn new(bytes: Bytes, compression: Compression, meter: Arc<Meter>) -> Self {
        Self {
            bytes,
            compression,
            ahead: Vec::new(),
            position: 0,
            limit: None,
            meter,
            end: None,
        }
    }

    /// Ends a compressed stream as damaged when more than `limit` bytes come out of it.
    pub(crate) fn with_limit(mut self, limit: Option<u64>) -> Self {
        self.limit = limit.filter(|_| self.compression != Compression::Plain);
        self
    }

    /// Returns the compression.
    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// Returns how the stream ends, once it has.
    pub(crate) fn end(&self) -> Option<&StreamEnd> {
        self.end.as_ref().filter(|_| self.ahead.is_empty())
    }

    /// Returns by how many bytes a plain file is longer now than when its length was frozen.
    pub(crate) fn grown_bytes(&self) -> u64 {
        match &self.bytes {
            Bytes::Plain { file, length } => {
                let now = file.metadata().map_or(*length, |metadata| metadata.len());
                now.saturating_sub(*length)
            }
            Bytes::Decoded(_) => 0,
        }
    }

    /// Puts bytes back, all that were read so far.
    pub(crate) fn put_back(&mut self, bytes: Vec<u8>) {
        self.position = 0;
        self.ahead = bytes;
    }

    /// Returns whether bytes that were put back are still to come.
    pub(crate) fn has_bytes_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Appends at least `length` bytes, or those up to the end, and returns how many.
    ///
    /// Fails only where the bytes of a pipe cannot be kept.
    pub(crate) fn read_into(&mut self, buffer: &mut Vec<u8>, length: usize) -> io::Result<usize> {
        let length_before = buffer.len();
        if !self.ahead.is_empty() {
            buffer.append(&mut self.ahead);
            self.ahead = Vec::new();
        }
        let wanted = length_before + length;
        while self.end.is_none() && buffer.len() < wanted {
            let missing = u64::try_from(wanted - buffer.len()).unwrap_or(u64::MAX);
            let place = self.position + length_u64(buffer.len() - length_before);
            self.read_piece(buffer, place, missing)?;
        }
        let count = buffer.len() - length_before;
        self.position += length_u64(count);
        Ok(count)
    }

    /// Reads once from `place` on and notes the end.
    fn read_piece(&mut self, buffer: &mut Vec<u8>, place: u64, missing: u64) -> io::Result<()> {
        let length_before = buffer.len();
        match &mut self.bytes {
            Bytes::Plain { file, length } => {
                let wanted = missing.min(*length - place);
                let read = (&**file).take(wanted).read_to_end(buffer);
                let count = buffer.len() - length_before;
                self.meter.add(count);
                let now = place + length_u64(count);
                if let Err(error) = read {
                    self.end = Some(as_end(unreadable(now, &error))?);
                } else if now == *length {
                    self.end = Some(StreamEnd::Whole);
                } else if length_u64(count) < wanted {
                    self.end = Some(as_end(shrunk(*length, now))?);
                }
            }
            Bytes::Decoded(decoder) => {
                let piece = PIECE_BYTES - place % PIECE_BYTES;
                let left = self
                    .limit
                    .map_or(u64::MAX, |limit| (limit + 1).saturating_sub(place));
                let read = read_whole(decoder, buffer, piece.min(left));
                self.note_decoded(buffer, length_before, place, read)?;
            }
        }
        Ok(())
    }

    fn note_decoded(
        &mut self,
        buffer: &mut Vec<u8>,
        length_before: usize,
        place: u64,
        read: io::Result<bool>,
    ) -> io::Result<()> {
        let now = place + length_u64(buffer.len() - length_before);
        match (read, self.limit) {
            (_, Some(limit)) if now > limit => {
                buffer.pop();
                let limit = grouped(limit);
                let what = format!("more than the {limit} bytes that may be unpacked of one file");
                self.end = Some(StreamEnd::Damaged(what));
            }
            (Err(error), _) => self.end = Some(self.decoder_end(now, &error)?),
            // Its framing has no end mark, and nothing tells an empty file from a cut one.
            (Ok(true), _) if now == 0 && self.compression == Compression::Snappy => {
                let what = "snappy stream ends early: nothing follows its first bytes";
                self.end = Some(StreamEnd::Damaged(what.to_owned()));
            }
            (Ok(true), _) => self.end = Some(StreamEnd::Whole),
            (Ok(false), _) => {}
        }
        Ok(())
    }

    /// Returns the end that a decoder's error stands for.
    fn decoder_end(&self, now: u64, error: &io::Error) -> io::Result<StreamEnd> {
        if let Some(fault) = self.meter.take_fault() {
            return as_end(fault);
        }
        let name = self.compression.name();
        let after = format!("after {} bytes unpacked", grouped(now));
        Ok(StreamEnd::Damaged(
            if error.kind() == io::ErrorKind::UnexpectedEof {
                format!("{name} stream ends early {after}")
            } else {
                format!("{name} stream is damaged {after}: {error}")
            },
        ))
    }
}

/// Appends `length` bytes and returns whether the decoder ends before them.
///
/// How much is asked for at once does not depend on the room in `buffer`.
fn read_whole(decoder: &mut impl Read, buffer: &mut Vec<u8>, length: u64) -> io::Result<bool> {
    let mut filled = buffer.len();
    buffer.resize(filled + usize::try_from(length).unwrap_or(usize::MAX), 0);
    let read = loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        if room.is_empty() {
            break Ok(false);
        }
        match decoder.read(room) {
            Ok(0) => break Ok(true),
            Ok(count) => filled += count,
            Err(error) => break Err(error),
        }
    };
    buffer.truncate(filled);
    read
}

fn as_end(fault: Fault) -> io::Result<StreamEnd> {
    match fault {
        Fault::Damage(what) => Ok(StreamEnd::Damaged(what)),
        Fault::Interrupted => Ok(StreamEnd::Interrupted),
        Fault::Spill(error) => Err(error),
    }
}

/// Returns a length as the offsets of files are kept.
pub(crate) fn length_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_unpacked_bytes_is_exact() {
        let stored = zstd::encode_all(&[b'x'; 100][..], 0).unwrap();
        for (limit, expected) in [(99, 99), (100, 100), (101, 100)] {
            let meter = Arc::new(Meter::default());
            let stored = Cursor::new(stored.clone());
            let stream = UnpackedStream::open(stored, Compression::Zstd, meter).unwrap();
            let mut stream = stream.with_limit(Some(limit));
            let mut bytes = Vec::new();
            assert_eq!(stream.read_into(&mut bytes, 1_000).unwrap(), expected);
            let is_whole = stream.end() == Some(&StreamEnd::Whole);
            assert_eq!(is_whole, limit >= 100, "{:?}", stream.end());
        }
    }
}
