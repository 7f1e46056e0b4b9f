//! gzip members and zstd frames of a regular file, the next of them unpacked ahead.
//!
//! Whether a member was unpacked ahead makes no difference to what is read, nor to where and how
//! it ends: one that is damaged is read once more, by who reads the file.

mod ahead;
mod finding;
mod input;
mod member;
#[cfg(test)]
mod tests;

use std::io;
use std::io::{BufRead, Read};
use std::mem;
use std::sync::Arc;

use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::members::ahead::{Ahead, Next};
use crate::source::file::unpack::members::input::PlacedInput;
use crate::source::file::unpack::members::member::Member;
use crate::source::file::unpack::stored::Meter;

pub(crate) use ahead::AheadLimits;
pub(crate) use input::PlacedFile;
pub(crate) use member::MemberKind;

/// Shorter files are read faster by one thread.
const AHEAD_BYTES_MIN: u64 = 256 * 1024;

/// Unpacks all members of a file in order.
pub(crate) struct Members {
    file: PlacedFile,
    kind: MemberKind,
    meter: Arc<Meter>,
    /// Where the member starts that is read, or the next one.
    place: u64,
    current: Current,
    piece: Vec<u8>,
    piece_read: usize,
    ahead: Option<Ahead>,
}

enum Current {
    /// Before a member, or at the end.
    Between,
    /// A member that is unpacked here.
    Here(Member),
    /// A member that is unpacked ahead, of which so many bytes were given.
    Ahead(u64),
    /// Why the next bytes could not be had.
    Failed(io::Error),
    Ended,
}

impl Members {
    /// Starts at the first member.
    pub(crate) fn new(
        file: PlacedFile,
        kind: MemberKind,
        meter: Arc<Meter>,
        limits: AheadLimits,
    ) -> Self {
        let is_allowed = limits.threads > 0 && limits.bytes > 0;
        let is_worth_it = is_allowed && file.length >= AHEAD_BYTES_MIN;
        Self {
            ahead: is_worth_it.then(|| Ahead::start(&file, kind, limits)),
            file,
            kind,
            meter,
            place: 0,
            current: Current::Between,
            piece: Vec::new(),
            piece_read: 0,
        }
    }

    /// Makes the next piece, which is empty at the end of a member.
    fn next_piece(&mut self) -> io::Result<()> {
        self.piece_read = 0;
        self.piece.clear();
        match mem::replace(&mut self.current, Current::Ended) {
            Current::Between => self.current = self.next_member()?,
            Current::Here(mut member) => {
                let read = member.read_piece(&mut self.piece);
                let is_last = self.piece.len() < member::PIECE_BYTES;
                self.meter.reach(member.input().place());
                self.current = match read {
                    Err(error) => Current::Failed(self.cause(member.input(), error)),
                    Ok(()) if is_last => self.behind(member.input().place()),
                    Ok(()) => Current::Here(member),
                };
            }
            Current::Ahead(given) => {
                self.current = match self.ahead.as_ref().map_or(Next::Failed, Ahead::next) {
                    Next::Piece(piece) => {
                        self.piece = piece;
                        Current::Ahead(given + length_u64(self.piece.len()))
                    }
                    Next::End(end) => self.behind(end),
                    Next::Failed => Current::Here(self.again(given)?),
                }
            }
            Current::Failed(error) => return Err(error),
            Current::Ended => {}
        }
        Ok(())
    }

    fn behind(&mut self, end: u64) -> Current {
        self.place = end;
        self.meter.reach(end);
        Current::Between
    }

    /// Opens a member that was unpacked ahead, behind the bytes of it that were given.
    fn again(&mut self, given: u64) -> io::Result<Member> {
        let mut member = self.open()?;
        let mut skipped = 0;
        while skipped < given {
            member.read_piece(&mut self.piece)?;
            skipped += length_u64(self.piece.len());
        }
        self.piece.clear();
        Ok(member)
    }

    fn open(&self) -> io::Result<Member> {
        Member::open(&self.file, self.kind, self.place)
    }

    /// Returns the next member; zeros may pad a gzip file.
    fn next_member(&mut self) -> io::Result<Current> {
        if self.kind == MemberKind::Gzip && self.place > 0 {
            let mut input = PlacedInput::new(&self.file, self.place);
            let next = skip_zeros(&mut input);
            self.place = input.place();
            match next.map_err(|error| self.cause(&mut input, error))? {
                None | Some(0x1f) => {}
                Some(_) => return Err(io::Error::other("bytes that are no gzip follow it")),
            }
        }
        if self.place >= self.file.length {
            self.meter.reach(self.file.length);
            return Ok(Current::Ended);
        }
        let is_ahead = |ahead: &Ahead| ahead.go_to(self.place);
        if self.ahead.as_ref().is_some_and(is_ahead) {
            return Ok(Current::Ahead(0));
        }
        Ok(Current::Here(self.open()?))
    }

    /// Returns the error to pass on: a fault of the file is behind what a decoder says.
    fn cause(&self, input: &mut PlacedInput, error: io::Error) -> io::Error {
        match input.fault.take() {
            Some(fault) => self.meter.fail(fault),
            None => error,
        }
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece_read == self.piece.len() && !matches!(self.current, Current::Ended) {
            self.next_piece()?;
        }
        let mut rest = self.piece.get(self.piece_read..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.piece_read += count;
        Ok(count)
    }
}

/// Returns the first byte behind zeros, or nothing at the end.
fn skip_zeros(input: &mut PlacedInput) -> io::Result<Option<u8>> {
    loop {
        let ahead = input.fill_buf()?;
        let zeros = ahead.iter().take_while(|&&byte| byte == 0).count();
        let (first, is_end) = (ahead.get(zeros).copied(), ahead.is_empty());
        input.consume(zeros);
        if first.is_some() || is_end {
            return Ok(first);
        }
    }
}
