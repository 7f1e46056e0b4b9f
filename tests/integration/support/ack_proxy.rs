//! A TCP proxy that loses acknowledgements: the broker has written, the producer never hears.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// API key of the requests that a producer sends records with.
pub(crate) const PRODUCE: i16 = 0;

/// API key of the requests that a reader fetches records with.
pub(crate) const FETCH: i16 = 1;

/// What becomes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It reaches the client.
    Pass,
    /// The connection is closed instead.
    Close,
    /// Nothing comes any more, over a connection that stays open.
    Silence,
}

/// Decides over each response, by the API key of its request and its size in bytes.
type Judge = dyn Fn(i16, usize) -> Fate + Send + Sync;

/// A proxy before the second listener of a broker; it runs until the process ends.
pub(crate) struct AckProxy {
    pub(crate) address: String,
}

/// How many acknowledgements the broker gave, and how many of them were lost.
#[derive(Default)]
pub(crate) struct AckCounts {
    pub(crate) answered: AtomicU64,
    pub(crate) lost: AtomicU64,
}

/// What one connection knows: which requests in flight are of which kind.
struct Link {
    client: TcpStream,
    broker: TcpStream,
    /// API key of each request that has no response yet, by correlation id.
    in_flight: Mutex<HashMap<i32, i16>>,
}

impl AckProxy {
    /// Passes on what comes to `listener` to `broker_port`, and back what `judge` lets pass.
    pub(crate) fn start(
        listener: TcpListener,
        broker_port: u16,
        judge: impl Fn(i16, usize) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let judge: Arc<Judge> = Arc::new(judge);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(broker)) = (
                    client,
                    TcpStream::connect((Ipv4Addr::LOCALHOST, broker_port)),
                ) else {
                    continue;
                };
                let link = Arc::new(Link {
                    client,
                    broker,
                    in_flight: Mutex::default(),
                });
                let (requests, judge) = (Arc::clone(&link), Arc::clone(&judge));
                thread::spawn(move || drop(requests.pass_requests()));
                thread::spawn(move || drop(link.pass_responses(&*judge)));
            }
        });
        Self { address }
    }

    /// Loses the first and one in `one_in` acknowledgements, chosen by `seed`; the counts tell how
    /// many.
    pub(crate) fn losing_acks(
        listener: TcpListener,
        broker_port: u16,
        one_in: u64,
        seed: u64,
    ) -> (Self, Arc<AckCounts>) {
        let counts = Arc::new(AckCounts::default());
        let counted = Arc::clone(&counts);
        let proxy = Self::start(listener, broker_port, move |api_key, _| {
            if api_key != PRODUCE {
                return Fate::Pass;
            }
            let number = counted.answered.fetch_add(1, Ordering::Relaxed);
            if number > 0 && !mixed(seed ^ number).is_multiple_of(one_in) {
                return Fate::Pass;
            }
            counted.lost.fetch_add(1, Ordering::Relaxed);
            Fate::Close
        });
        (proxy, counts)
    }
}

impl Link {
    fn pass_requests(&self) -> io::Result<()> {
        let passed = loop {
            let frame = match read_frame(&self.client) {
                Ok(frame) => frame,
                Err(error) => break Err(error),
            };
            let api_key = i16::from_be_bytes([frame[4], frame[5]]);
            let correlation_id = correlation_id(&frame[8..]);
            self.in_flight
                .lock()
                .unwrap()
                .insert(correlation_id, api_key);
            if let Err(error) = (&self.broker).write_all(&frame) {
                break Err(error);
            }
        };
        self.close();
        passed
    }

    fn pass_responses(&self, judge: &Judge) -> io::Result<()> {
        let mut is_silent = false;
        let passed = loop {
            let frame = match read_frame(&self.broker) {
                Ok(frame) => frame,
                Err(error) => break Err(error),
            };
            let request = correlation_id(&frame[4..]);
            let request = self.in_flight.lock().unwrap().remove(&request);
            let fate = judge(request.expect("a response has a request"), frame.len());
            is_silent |= fate == Fate::Silence;
            if is_silent {
                continue;
            }
            if fate == Fate::Close {
                break Ok(());
            }
            if let Err(error) = (&self.client).write_all(&frame) {
                break Err(error);
            }
        };
        self.close();
        passed
    }

    fn close(&self) {
        drop(self.client.shutdown(Shutdown::Both));
        drop(self.broker.shutdown(Shutdown::Both));
    }
}

/// Reads a request or response with its length before it.
fn read_frame(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let size = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
    let mut frame = vec![0; 4 + size];
    frame[..4].copy_from_slice(&length);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn correlation_id(bytes: &[u8]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Returns a number with the bits of `state` well mixed (`SplitMix64`).
pub(crate) fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
