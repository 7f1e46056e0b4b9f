//! A TCP proxy that knows nothing of Kafka: bytes cut, lost, late or one by one.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::ack_proxy::mixed;

/// What becomes of bytes on their way to the client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weather {
    /// Connections are cut after fewer bytes than `below`, by `seed`, so many times.
    Cuts { seed: u64, below: u64, times: u64 },
    /// After so many bytes nothing comes any more, over connections that stay open.
    Hole { after: u64 },
    /// Each byte is a segment of its own, in both directions.
    Drip,
    /// Bytes come late.
    Late(Duration),
}

/// A proxy that runs until the process ends.
pub(crate) struct TcpProxy {
    pub(crate) address: String,
    /// Connections cut so far.
    pub(crate) cuts: Arc<AtomicU64>,
}

struct Link {
    weather: Weather,
    cuts: Arc<AtomicU64>,
    /// Bytes of all connections.
    passed: Arc<AtomicU64>,
    /// Number of the connection.
    number: u64,
}

impl TcpProxy {
    /// Passes on what comes to `listener` to `broker_port` and back.
    pub(crate) fn start(listener: TcpListener, broker_port: u16, weather: Weather) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cuts);
        let passed = Arc::new(AtomicU64::new(0));
        thread::spawn(move || {
            for (client, number) in listener.incoming().zip(0..) {
                let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker_port));
                let (Ok(client), Ok(broker)) = (client, broker) else {
                    continue;
                };
                let link = Link {
                    weather,
                    cuts: Arc::clone(&counted),
                    passed: Arc::clone(&passed),
                    number,
                };
                link.start(client, broker);
            }
        });
        Self { address, cuts }
    }
}

impl Link {
    fn start(self, client: TcpStream, broker: TcpStream) {
        drop(client.set_nodelay(true));
        drop(broker.set_nodelay(true));
        let (requests, responses) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
        let to_broker = broker.try_clone().unwrap();
        let weather = self.weather;
        thread::spawn(move || drop(pass_requests(&requests, &to_broker, weather)));
        thread::spawn(move || {
            drop(self.pass_responses(&responses, &client));
            drop(client.shutdown(Shutdown::Both));
            drop(broker.shutdown(Shutdown::Both));
        });
    }

    fn pass_responses(&self, mut broker: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
        let mut left = match self.weather {
            Weather::Cuts { seed, below, times } if self.cuts.load(Ordering::Relaxed) < times => {
                // One in three early, where versions and metadata are.
                let early = self.number.is_multiple_of(3);
                Some(mixed(seed ^ self.number) % if early { 800 } else { below })
            }
            Weather::Cuts { .. } | Weather::Hole { .. } | Weather::Drip | Weather::Late(_) => None,
        };
        let mut part = [0; 16 << 10];
        loop {
            let count = broker.read(&mut part)?;
            if count == 0 {
                return Ok(());
            }
            let bytes = u64::try_from(count).unwrap();
            let before = self.passed.fetch_add(bytes, Ordering::Relaxed);
            match (self.weather, &mut left) {
                (_, Some(left)) if *left <= bytes => {
                    client.write_all(&part[..usize::try_from(*left).unwrap()])?;
                    self.cuts.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                (_, Some(left)) => *left -= bytes,
                (Weather::Hole { after }, None) if before >= after => continue,
                (Weather::Late(delay), None) => thread::sleep(delay),
                (_, None) => {}
            }
            pass(client, &part[..count], self.weather)?;
        }
    }
}

fn pass_requests(mut client: &TcpStream, broker: &TcpStream, weather: Weather) -> io::Result<()> {
    let mut part = [0; 4096];
    loop {
        match client.read(&mut part)? {
            0 => return broker.shutdown(Shutdown::Both),
            count => pass(broker, &part[..count], weather)?,
        }
    }
}

fn pass(mut to: &TcpStream, bytes: &[u8], weather: Weather) -> io::Result<()> {
    match weather {
        Weather::Drip => bytes.chunks(1).try_for_each(|byte| to.write_all(byte)),
        Weather::Cuts { .. } | Weather::Hole { .. } | Weather::Late(_) => to.write_all(bytes),
    }
}
