//! One connected socket, in clear or under TLS, with a deadline on every wait.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use super::tls::{self, TlsSettings};
use crate::source::kafka::wire::error::WireError;

/// Socket timeouts of zero would mean none.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// One connected socket.
#[derive(Debug)]
pub(super) struct Stream {
    address: String,
    socket: TcpStream,
    tls: Option<Box<StreamOwned<ClientConnection, TcpStream>>>,
}

impl Stream {
    /// Connects to a broker before `deadline`.
    pub(super) fn connect(
        host: &str,
        port: u16,
        tls: Option<&TlsSettings>,
        deadline: Instant,
    ) -> Result<Self, WireError> {
        let address = format!("{host}:{port}");
        let socket = connect_any(&address, &resolve(host, port, deadline)?, deadline)?;
        let io_error = |error: io::Error| WireError::Unreachable(format!("{address}: {error}"));
        socket.set_nodelay(true).map_err(io_error)?;
        set_timeouts(&socket, remaining(deadline)).map_err(io_error)?;
        let tls = match tls {
            None => None,
            Some(tls) => {
                let session = tls.connect(host, socket.try_clone().map_err(io_error)?)?;
                Some(Box::new(session))
            }
        };
        Ok(Self {
            address,
            socket,
            tls,
        })
    }

    /// Returns where the socket leads, for people.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns a handle whose shutdown ends every wait on this socket.
    pub(super) fn handle(&self) -> Option<TcpStream> {
        self.socket.try_clone().ok()
    }

    /// Writes all of `bytes` before `deadline`.
    pub(super) fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), WireError> {
        let result = set_timeouts(&self.socket, remaining(deadline)).and_then(|()| {
            let writer: &mut dyn Write = match &mut self.tls {
                Some(tls) => tls,
                None => &mut self.socket,
            };
            writer.write_all(bytes)?;
            writer.flush()
        });
        result.map_err(|error| self.explain(&error, "takes no request"))
    }

    /// Appends `length` bytes to `bytes`; no single wait is longer than `silence_max`.
    pub(super) fn read(
        &mut self,
        length: usize,
        silence_max: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        /// Room is made as bytes come, not as a broker promises them.
        const STEP_BYTES: usize = 16 << 20;
        let end = bytes.len().saturating_add(length);
        let timeouts = set_timeouts(&self.socket, silence_max);
        timeouts.map_err(|error| self.explain(&error, "cannot be read"))?;
        while bytes.len() < end {
            let step = (end - bytes.len()).min(STEP_BYTES);
            bytes.reserve(step);
            let limit = u64::try_from(step).unwrap_or(u64::MAX);
            let before = bytes.len();
            let result = match &mut self.tls {
                Some(tls) => Read::take(tls, limit).read_to_end(bytes),
                None => Read::take(&mut self.socket, limit).read_to_end(bytes),
            };
            match result {
                Ok(_) if bytes.len() == before => {
                    let text = format!("{}: the broker closed the connection", self.address);
                    return Err(WireError::Unreachable(text));
                }
                Ok(_) => {}
                Err(error) if bytes.len() > before && is_timeout(&error) => {}
                Err(error) => return Err(self.explain(&error, "does not answer")),
            }
        }
        Ok(())
    }

    fn explain(&self, error: &io::Error, silence: &str) -> WireError {
        if is_timeout(error) {
            return WireError::TimedOut(format!("{}: the broker {silence}", self.address));
        }
        if self.tls.is_some() {
            return tls::explain(&self.address, error);
        }
        WireError::Unreachable(format!("{}: {error}", self.address))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

/// Returns the time left until `deadline`, never none.
pub(super) fn remaining(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .max(WAIT_MIN)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn set_timeouts(socket: &TcpStream, wait: Duration) -> io::Result<()> {
    let wait = Some(wait.max(WAIT_MIN));
    socket.set_read_timeout(wait)?;
    socket.set_write_timeout(wait)
}

/// Looks a host up, in a thread of its own: the system's resolver knows no deadline.
fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, WireError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = mpsc::channel();
    let owned_host = host.to_owned();
    thread::spawn(move || {
        let found = (owned_host.as_str(), port).to_socket_addrs();
        drop(sender.send(found.map(Iterator::collect::<Vec<_>>)));
    });
    match receiver.recv_timeout(remaining(deadline)) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(WireError::Unreachable(format!("{host}: no address"))),
        Ok(Err(error)) => Err(WireError::Unreachable(format!("{host}: {error}"))),
        Err(_) => Err(WireError::TimedOut(format!(
            "{host}: its name is not resolved in time"
        ))),
    }
}

fn connect_any(
    shown: &str,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, WireError> {
    let mut last = WireError::Unreachable(format!("{shown}: no address"));
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(1);
        match TcpStream::connect_timeout(address, (remaining(deadline) / left).max(WAIT_MIN)) {
            Ok(socket) => return Ok(socket),
            Err(error) if is_timeout(&error) => {
                last = WireError::TimedOut(format!("{shown}: no connection in time"));
            }
            Err(error) => last = WireError::Unreachable(format!("{shown}: {error}")),
        }
    }
    Err(last)
}
