//! Finds where members start, ahead of their being unpacked.
//!
//! Frames of zstd and members of bgzip say how long they are. Of other gzip members only their
//! first bytes are looked for: what is found may be none, which shows when the one before it ends.

use memchr::memmem;

use crate::source::file::revisit::read_at;
use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::members::input::PlacedFile;
use crate::source::file::unpack::members::member::MemberKind;

/// Stored bytes looked through at a time.
const WINDOW_BYTES: usize = 256 * 1024;
/// How far the search is ahead of what is unpacked, in stored bytes.
const DISTANCE_MAX: u64 = 64 * 1024 * 1024;
/// The shortest gzip member, which is empty.
const GZIP_BYTES_MIN: u64 = 18;
const GZIP_HEAD_BYTES: usize = 10;
/// The longest head of a zstd frame.
const ZSTD_HEAD_BYTES: usize = 18;
/// Memory of any decoder, with what it reads and writes at a time.
const DECODER_BYTES: u64 = 384 * 1024;

/// A place where a member may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: u64,
    /// Memory that its decoder takes.
    pub(super) decoder_bytes: u64,
}

/// Goes from member to member.
pub(super) struct Finder {
    file: PlacedFile,
    kind: MemberKind,
    at: u64,
    /// Whether a member starts there.
    is_start: bool,
}

impl Finder {
    /// Starts at the first member of a file.
    pub(super) fn new(file: PlacedFile, kind: MemberKind) -> Self {
        Self {
            file,
            kind,
            at: 0,
            is_start: true,
        }
    }

    /// Returns whether there is more to look at, and not too far ahead of `done`.
    pub(super) fn has_more(&self, done: u64) -> bool {
        self.at < self.file.length && self.at < done.saturating_add(DISTANCE_MAX)
    }

    /// Goes on at `done`, where a member starts, if it was not there yet.
    pub(super) fn follow(&mut self, done: u64) {
        if done > self.at {
            (self.at, self.is_start) = (done, true);
        }
    }

    /// Looks at one more member, or part of one; returns the start of the next if it is found.
    pub(super) fn step(&mut self) -> Option<Found> {
        if self.is_start
            && let Some(end) = self.stated_end()
        {
            self.at = end;
        } else if self.kind == MemberKind::Gzip {
            self.search();
        } else {
            // Who unpacks it will say what is wrong.
            self.at = self.file.length;
        }
        let is_found = self.is_start && self.at < self.file.length;
        is_found.then(|| Found {
            place: self.at,
            decoder_bytes: self.window_bytes().saturating_add(DECODER_BYTES),
        })
    }

    /// Looks through the next bytes for the head of a gzip member.
    fn search(&mut self) {
        let from = self.at + if self.is_start { GZIP_BYTES_MIN } else { 0 };
        let window = self.read(from, WINDOW_BYTES);
        let heads = memmem::find_iter(&window, b"\x1f\x8b\x08");
        let mut heads = heads.filter_map(|at| Some((at, window.get(at..at + GZIP_HEAD_BYTES)?)));
        let found = heads.find(|(_, head)| is_gzip_head(head));
        self.is_start = found.is_some();
        self.at = match found {
            Some((at, _)) => from + length_u64(at),
            None if window.len() < WINDOW_BYTES => self.file.length,
            // A head may begin within these bytes and end behind them.
            None => from + length_u64(window.len() - GZIP_HEAD_BYTES),
        };
    }

    /// Returns where the member ends that starts here, if it says so.
    fn stated_end(&self) -> Option<u64> {
        let length = match self.kind {
            MemberKind::Gzip => self.bgzip_length(),
            MemberKind::Zstd => self.zstd_length(),
        };
        self.at.checked_add(length?)
    }

    /// Returns the length of a member of bgzip, which is in a field of its head.
    fn bgzip_length(&self) -> Option<u64> {
        let head = self.read(self.at, ZSTD_HEAD_BYTES);
        let is_bgzip = head.get(3).is_some_and(|flags| flags & 4 != 0)
            && head.get(10..16) == Some(b"\x06\x00BC\x02\x00");
        let size = head.get(16..)?.first_chunk().filter(|_| is_bgzip)?;
        Some(u64::from(u16::from_le_bytes(*size)) + 1)
    }

    /// Returns the length of a zstd frame: of its head, its blocks and its checksum.
    fn zstd_length(&self) -> Option<u64> {
        const BLOCK_HEAD_BYTES: usize = 3;
        let head = self.read(self.at, ZSTD_HEAD_BYTES);
        let (magic, rest) = head.split_first_chunk::<4>()?;
        if matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18]) {
            let length = u32::from_le_bytes(*rest.first_chunk()?);
            return Some(u64::from(length) + 8);
        }
        let head = ZstdHead::of(&head)?;
        let mut length = length_u64(head.length);
        loop {
            let block = self.read(self.at.checked_add(length)?, BLOCK_HEAD_BYTES);
            let [low, middle, high] = *block.first_chunk()?;
            let block = u32::from_le_bytes([low, middle, high, 0]);
            // A block of one repeated byte stores only that.
            let stored = if (block >> 1) & 3 == 1 { 1 } else { block >> 3 };
            length += u64::from(stored) + length_u64(BLOCK_HEAD_BYTES);
            if block & 1 == 1 {
                return Some(length + if head.has_checksum { 4 } else { 0 });
            }
        }
    }

    /// Returns how far the decoder of the next member looks back.
    fn window_bytes(&self) -> u64 {
        match self.kind {
            MemberKind::Gzip => 0,
            MemberKind::Zstd => {
                let head = self.read(self.at, ZSTD_HEAD_BYTES);
                ZstdHead::of(&head).map_or(0, |head| head.window_bytes)
            }
        }
    }

    /// Returns bytes of the file, fewer at its end and where it cannot be read.
    fn read(&self, place: u64, length: usize) -> Vec<u8> {
        let left = self.file.length.saturating_sub(place);
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(length)];
        let count = read_at(&self.file.file, &mut bytes, place);
        bytes.truncate(count.unwrap_or_default());
        bytes
    }
}

/// Returns whether first bytes are those of a gzip member that some program would write.
fn is_gzip_head(head: &[u8]) -> bool {
    match head {
        [0x1f, 0x8b, 8, flags, _, _, _, _, level, system, ..] => {
            *flags < 32 && matches!(level, 0 | 2 | 4) && matches!(system, 0..=13 | 255)
        }
        _ => false,
    }
}

/// What the head of a zstd frame says.
struct ZstdHead {
    length: usize,
    window_bytes: u64,
    has_checksum: bool,
}

impl ZstdHead {
    fn of(head: &[u8]) -> Option<Self> {
        let [0x28, 0xb5, 0x2f, 0xfd, flags, rest @ ..] = head else {
            return None;
        };
        let is_single = flags & 0x20 != 0;
        let dictionary_length = [0, 1, 2, 4].get(usize::from(flags & 3)).copied()?;
        let size_length = match flags >> 6 {
            0 => usize::from(is_single),
            of => 1 << of,
        };
        let window_length = usize::from(!is_single);
        let window_bytes = if is_single {
            let size = rest.get(dictionary_length..dictionary_length + size_length)?;
            let mut bytes = [0; 8];
            bytes
                .iter_mut()
                .zip(size)
                .for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(bytes)
        } else {
            let window = u64::from(*rest.first()?);
            let base = 1024 << (window >> 3);
            base + base / 8 * (window & 7)
        };
        Some(Self {
            length: 5 + window_length + dictionary_length + size_length,
            window_bytes,
            has_checksum: flags & 4 != 0,
        })
    }
}
