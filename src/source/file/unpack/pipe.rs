//! Standard input and pipes: read once, and kept as stored for the second pass.

use std::fs::File;
use std::io;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::source::StopFlag;
use crate::source::file::unpack::stored::{Fault, Meter, unreadable};

const PIECE_BYTES: usize = 256 * 1024;
const PIECES_AHEAD: usize = 4;
const STOP_POLL: Duration = Duration::from_millis(100);

/// Reads a pipe on a thread of its own, since a read that waits for the writer cannot be stopped.
pub(crate) struct PipeReader {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    piece_read: usize,
    spool: Arc<File>,
    meter: Arc<Meter>,
    stop: StopFlag,
}

impl PipeReader {
    /// Starts to read `input`; every byte is also written to `spool`.
    pub(crate) fn start(
        input: impl Read + Send + 'static,
        spool: Arc<File>,
        meter: Arc<Meter>,
        stop: StopFlag,
    ) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES_AHEAD);
        thread::Builder::new()
            .name("read-pipe".to_owned())
            .spawn(move || send_pieces(input, &sender))?;
        Ok(Self {
            pieces,
            piece: Vec::new(),
            piece_read: 0,
            spool,
            meter,
            stop,
        })
    }

    /// Waits for the next piece; an empty piece is the end.
    fn next_piece(&mut self) -> io::Result<()> {
        self.piece_read = 0;
        self.piece.clear();
        let piece = loop {
            if self.stop.is_stopped() {
                return Err(self.meter.fail(Fault::Interrupted));
            }
            match self.pieces.recv_timeout(STOP_POLL) {
                Ok(piece) => break piece,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        };
        match piece {
            Ok(piece) => self.piece = piece,
            Err(error) => {
                let fault = unreadable(self.meter.bytes(), &error);
                return Err(self.meter.fail(fault));
            }
        }
        self.meter.add(self.piece.len());
        let written = (&*self.spool).write_all(&self.piece);
        written.map_err(|error| self.meter.fail(Fault::Spill(error)))
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece_read == self.piece.len() {
            self.next_piece()?;
        }
        let mut rest = self.piece.get(self.piece_read..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.piece_read += count;
        Ok(count)
    }
}

/// Ends with the input, or with the reader that no longer listens.
fn send_pieces(mut input: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let piece = match input.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = piece.is_err();
        if sender.send(piece).is_err() || is_last {
            return;
        }
    }
}
