//! Looks at the first bytes of a pipe without losing them.

use std::io;
use std::io::Read;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::source::StopFlag;

const STOP_POLL: Duration = Duration::from_millis(100);

/// Returns the first `length` bytes, fewer at the end of the input, and what follows them.
///
/// A read that waits for the writer cannot be stopped, so it has a thread of its own; once the
/// scan is stopped the input is given up.
pub(crate) fn peek(
    mut input: impl Read + Send + 'static,
    length: usize,
    stop: &StopFlag,
) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let (sender, peeked) = sync_channel(1);
    thread::Builder::new()
        .name("peek-pipe".to_owned())
        .spawn(move || {
            let mut head = Vec::new();
            let limit = u64::try_from(length).unwrap_or(u64::MAX);
            let read = input.by_ref().take(limit).read_to_end(&mut head);
            let rest: Box<dyn Read + Send> = match read {
                Ok(_) => Box::new(input),
                Err(error) => Box::new(Failed(Some(error))),
            };
            // Nobody listens once the scan was stopped.
            drop(sender.send((head, rest)));
        })?;
    loop {
        if stop.is_stopped() {
            return Ok((Vec::new(), Box::new(io::empty())));
        }
        match peeked.recv_timeout(STOP_POLL) {
            Ok(peeked) => return Ok(peeked),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("its reader ended early"));
            }
        }
    }
}

/// Fails once as the input did, where its turn comes.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
