//! How far the first pass over a file has come.

use std::io;

use crate::source::file::chunk::{ChunkStart, Chunker, Outcome};

/// The first pass over one file.
pub(crate) enum FirstPass {
    /// The file is opened when its turn comes.
    NotStarted,
    /// Chunks are given out.
    Reading(Box<Chunker>),
    /// All chunks were given out; the decoder and the file are free.
    Ended(Ended),
}

/// Why the first chunk of a file could not be had.
pub(crate) enum Unopened {
    /// The file is no longer there, or no longer the same.
    Lost(io::Error),
    /// The bytes of a pipe cannot be kept.
    Unkept(io::Error),
}

/// What is left of a pass that has ended.
pub(crate) struct Ended {
    starts: Vec<ChunkStart>,
    end: u64,
    next_place: (u64, u64),
    outcome: Outcome,
}

impl FirstPass {
    /// Fills `bytes` with the next chunk; `open` opens the file for the first one.
    ///
    /// Fails only where the bytes of a pipe cannot be kept.
    pub(crate) fn take_chunk(
        &mut self,
        bytes: &mut Vec<u8>,
        open: impl FnOnce() -> Result<Chunker, Unopened>,
    ) -> io::Result<Option<ChunkStart>> {
        if matches!(self, Self::NotStarted) {
            *self = match open() {
                Ok(chunker) => Self::Reading(Box::new(chunker)),
                Err(Unopened::Lost(error)) => {
                    Self::unread(format!("cannot be opened again: {error}"))
                }
                Err(Unopened::Unkept(error)) => {
                    *self = Self::unread(format!("cannot be kept: {error}"));
                    return Err(error);
                }
            };
        }
        let Self::Reading(chunker) = self else {
            return Ok(None);
        };
        let chunk = chunker.next_chunk(bytes);
        match &chunk {
            Ok(Some(_)) => {}
            Ok(None) => self.end(),
            // What follows would not be in its place when it is read again.
            Err(error) => *self = Self::unread(format!("cannot be kept: {error}")),
        }
        chunk
    }

    /// Returns the chunks given out so far and where the last ends.
    pub(crate) fn table(&self) -> (Vec<ChunkStart>, u64) {
        match self {
            Self::NotStarted => (Vec::new(), 0),
            Self::Reading(chunker) => chunker.table(),
            Self::Ended(ended) => (ended.starts.clone(), ended.end),
        }
    }

    /// Returns the byte offset and the line behind the last whole record that was given out, once
    /// nothing more is.
    pub(crate) fn next_place(&self) -> Option<(u64, u64)> {
        match self {
            Self::NotStarted => None,
            Self::Reading(chunker) => Some(chunker.next_place()),
            Self::Ended(ended) => Some(ended.next_place).filter(|_| ended.next_place.1 > 0),
        }
    }

    /// Returns how the file ended.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Ended(ended) => ended.outcome.clone(),
            Self::NotStarted | Self::Reading(_) => Outcome {
                damage: Some("not read to its end".to_owned()),
                note: None,
            },
        }
    }

    fn end(&mut self) {
        let pass = std::mem::replace(self, Self::NotStarted);
        *self = match pass {
            Self::Reading(chunker) => {
                let next_place = chunker.next_place();
                let (starts, end, outcome) = chunker.into_table();
                Self::Ended(Ended {
                    starts,
                    end,
                    next_place,
                    outcome,
                })
            }
            Self::NotStarted | Self::Ended(_) => pass,
        };
    }

    fn unread(damage: String) -> Self {
        Self::Ended(Ended {
            starts: Vec::new(),
            end: 0,
            next_place: (0, 0),
            outcome: Outcome {
                damage: Some(damage),
                note: None,
            },
        })
    }
}
