//! Networks at fault: connections cut anywhere, bytes lost, late or one by one.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use super::{FinishedScan, READERS, assert_exact, fill, unread_of};
use crate::support::Workspace;
use crate::support::ack_proxy::{AckProxy, FETCH, Fate};
use crate::support::broker::or_skip;
use crate::support::cluster::Cluster;
use crate::support::node::{Nodes, NodesSpec};
use crate::support::tcp_proxy::{TcpProxy, Weather};

/// Connections cut, for each reader.
const CUTS: u64 = 200;

/// A broker with many listeners, each behind a proxy's port.
pub(super) struct ProxiedBroker {
    nodes: Nodes,
    /// Listeners for proxies with the ports that they stand for; each is taken once.
    listeners: Mutex<Vec<(TcpListener, u16)>>,
}

impl ProxiedBroker {
    fn start() -> Result<Self, String> {
        let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxies = names.map(listen);
        let addresses = proxies
            .each_ref()
            .map(|proxy| proxy.local_addr().unwrap().to_string());
        let listeners: Vec<_> = names
            .iter()
            .zip(&addresses)
            .map(|(name, address)| (*name, "PLAINTEXT", address.as_str()))
            .collect();
        let nodes = Nodes::start(NodesSpec {
            listeners: &listeners,
            ..NodesSpec::default()
        })?;
        let ports = nodes.ports.iter().copied();
        let listeners = Mutex::new(proxies.into_iter().zip(ports).collect());
        Ok(Self { nodes, listeners })
    }

    /// Returns the broker that all who need such listeners share.
    pub(super) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<ProxiedBroker, String>> = OnceLock::new();
        or_skip(SHARED.get_or_init(Self::start).as_ref())
    }

    pub(super) fn cluster(&self) -> Cluster {
        self.nodes.cluster()
    }

    /// Returns the folder of its partitions.
    pub(super) fn data(&self) -> PathBuf {
        self.nodes.data(1)
    }

    /// Returns a listener for a proxy, and the port that it stands for.
    pub(super) fn take_listener(&self) -> (TcpListener, u16) {
        self.listeners.lock().unwrap().pop().unwrap()
    }

    fn proxy(&self, weather: Weather) -> TcpProxy {
        let (listener, port) = self.take_listener();
        TcpProxy::start(listener, port, weather)
    }
}

#[test]
fn connections_cut_at_any_byte_lose_and_repeat_nothing() {
    let Some(broker) = ProxiedBroker::shared() else {
        return;
    };
    let cluster = broker.cluster();
    let topic = fill(&cluster, 2, 3_000, 50);
    let seen = cluster.read_all(&topic, "read_committed");
    thread::scope(|scope| {
        for (reader, seed) in READERS.iter().zip(1..) {
            let (topic, seen) = (&topic, &seen);
            scope.spawn(move || {
                let below = 40_000;
                let times = CUTS;
                let proxy = broker.proxy(Weather::Cuts { seed, below, times });
                let mut scans = 0;
                while proxy.cuts.load(Ordering::Relaxed) < CUTS {
                    let small = [
                        "-Xfetch.message.max.bytes=8000",
                        "-Xreconnect.backoff.max.ms=100",
                    ];
                    let scan = FinishedScan::of(&proxy.address, topic, reader, &small);
                    scans += 1;
                    assert!(scans <= CUTS, "too few cuts");
                    // Where every connection is cut within its first bytes, there is no scan.
                    if scan.outcome.exit_code == Some(4) {
                        assert!(scan.outcome.elapsed < Duration::from_secs(20));
                        continue;
                    }
                    let report = scan.expect(&[1]);
                    assert_exact(&report, topic, seen);
                    assert!(report.is_complete(), "{}", scan.outcome);
                }
                let scan = FinishedScan::of(&proxy.address, topic, reader, &[]);
                assert!(scan.expect(&[1]).is_complete(), "{}", scan.outcome);
            });
        }
    });
}

#[test]
fn bytes_that_never_come_are_a_gap_once_the_stall_time_is_over() {
    let Some(broker) = ProxiedBroker::shared() else {
        return;
    };
    let cluster = broker.cluster();
    let topic = fill(&cluster, 2, 9_000, 50);
    let seen = cluster.read_all(&topic, "read_committed");
    for reader in READERS {
        let proxy = broker.proxy(Weather::Hole { after: 200_000 });
        let options = ["--stall-timeout=3s", "-Xfetch.message.max.bytes=20000"];
        let scan = FinishedScan::of(&proxy.address, &topic, reader, &options);
        let report = scan.expect(&[1, 3]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        let gaps: Vec<_> = (0..2)
            .flat_map(|partition| unread_of(&report, &topic, partition))
            .collect();
        assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.2 == "stalled"));
        assert!(
            scan.outcome.elapsed < Duration::from_secs(20),
            "{}",
            scan.outcome
        );
    }
}

#[test]
fn slow_and_chopped_networks_are_read_through() {
    let Some(broker) = ProxiedBroker::shared() else {
        return;
    };
    let cluster = broker.cluster();
    let topic = fill(&cluster, 2, 1_000, 50);
    let seen = cluster.read_all(&topic, "read_committed");
    let late = Weather::Late(Duration::from_millis(200));
    for weather in [Weather::Drip, late] {
        let proxy = broker.proxy(weather);
        for reader in READERS {
            let scan = FinishedScan::of(&proxy.address, &topic, reader, &[]);
            let report = scan.expect(&[1]);
            assert!(report.is_complete(), "{weather:?}: {}", scan.outcome);
            assert_exact(&report, &topic, &seen);
        }
    }
}

#[test]
fn a_dry_run_fetches_nothing() {
    let Some(broker) = ProxiedBroker::shared() else {
        return;
    };
    let topic = fill(&broker.cluster(), 2, 100, 50);
    let (listener, port) = broker.take_listener();
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    let proxy = AckProxy::start(listener, port, move |api_key, _| {
        counted.fetch_add(usize::from(api_key == FETCH), Ordering::Relaxed);
        Fate::Pass
    });
    for reader in READERS {
        let sources = ["scan", "--dry-run", "-b", &proxy.address, "-t", &topic];
        let chosen = ["--reader", reader];
        let arguments = sources.iter().chain(&chosen);
        Workspace::new().dupaudit(arguments).run().expect_code(0);
        assert_eq!(fetches.load(Ordering::Relaxed), 0, "{reader}");
    }
    FinishedScan::of(&proxy.address, &topic, "wire", &[]).expect(&[1]);
    assert!(fetches.load(Ordering::Relaxed) > 0);
}
