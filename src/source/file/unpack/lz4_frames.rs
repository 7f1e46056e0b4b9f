//! lz4 frames: all of a file's frames, and none cut off unnoticed.

use std::io;
use std::io::{BufRead, Chain, Cursor, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const SKIPPABLE_MAGIC_END: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A magic number that was read, with what follows it.
type Whole<R> = Chain<Cursor<[u8; 4]>, R>;

/// Unpacks all lz4 frames of a file; frames that are to be skipped are.
pub(super) struct Lz4Frames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Frame(Box<FrameDecoder<Watched<Whole<R>>>>),
    Between(R),
    Ended,
}

impl<R: BufRead> Lz4Frames<R> {
    /// Starts at the first frame.
    pub(super) fn new(stored: R) -> Self {
        let state = State::Between(stored);
        Self { state }
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Frame(mut frame) => {
                    let count = frame.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        self.state = State::Frame(frame);
                        return Ok(count);
                    }
                    // The decoder says the same where a frame ends and where the file does.
                    let watched = frame.into_inner();
                    if watched.is_at_end {
                        return Err(io::Error::from(ErrorKind::UnexpectedEof));
                    }
                    self.state = State::Between(watched.inner.into_inner().1);
                }
                State::Between(stored) => self.state = next_frame(stored)?,
                State::Ended => return Ok(0),
            }
        }
    }
}

/// Returns the state at the next frame, or at the end of the file.
fn next_frame<R: BufRead>(mut stored: R) -> io::Result<State<R>> {
    loop {
        if stored.fill_buf()?.is_empty() {
            return Ok(State::Ended);
        }
        let mut magic = [0; 4];
        stored.read_exact(&mut magic)?;
        if magic == MAGIC {
            let inner = Cursor::new(magic).chain(stored);
            let watched = Watched {
                inner,
                is_at_end: false,
            };
            return Ok(State::Frame(Box::new(FrameDecoder::new(watched))));
        }
        let [kind, end @ ..] = magic;
        if end != SKIPPABLE_MAGIC_END || kind >> 4 != 5 {
            return Err(io::Error::other("bytes that are no lz4 frame follow it"));
        }
        let mut length = [0; 4];
        stored.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        if io::copy(&mut stored.by_ref().take(length), &mut io::sink())? < length {
            return Err(io::Error::from(ErrorKind::UnexpectedEof));
        }
    }
}

/// Remembers whether its reader has met the end.
struct Watched<R> {
    inner: R,
    is_at_end: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.is_at_end |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}
