//! Tansu, a broker that shares no code with Apache Kafka, is read like any other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::producer::BaseProducer;

use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, groups_of, send};
use crate::support::{free_ports, text};
use crate::topics::Scan;
use crate::topics::exports::fill;

const INSTALL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/integration/topics/tansu/install.sh"
);

/// A broker that keeps its topics in memory, and ends with the test.
struct Tansu {
    process: Child,
    cluster: Cluster,
}

impl Drop for Tansu {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Tansu {
    fn start() -> Result<Self, String> {
        let program = program()?;
        let [port] = free_ports()?;
        let address = format!("127.0.0.1:{port}");
        let url = format!("tcp://{address}/");
        let log_path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tansu-{port}.log"));
        let process = Command::new(program)
            .args(["broker", "--storage-engine", "memory://tansu/"])
            .args(["--listener-url", &url, "--advertised-listener-url", &url])
            .stdin(Stdio::null())
            .stdout(File::create(&log_path).map_err(text)?)
            .stderr(Stdio::null())
            .spawn()
            .map_err(text)?;
        let cluster = Cluster::new(&address);
        let tansu = Self { process, cluster };
        let deadline = Instant::now() + Duration::from_mins(1);
        while !tansu.cluster.is_up() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(&log_path).unwrap_or_default();
                return Err(format!("tansu does not answer: {log}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(tansu)
    }
}

/// Returns the broker's program, built the first time.
fn program() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tansu-0.6.0");
    let installed = Command::new(INSTALL)
        .arg(&folder)
        .stdin(Stdio::null())
        .output()
        .map_err(text)?;
    if installed.status.success() {
        return Ok(folder.join("bin/tansu"));
    }
    let said = String::from_utf8_lossy(&installed.stderr).into_owned();
    Err(format!("tansu cannot be built: {said}"))
}

/// Ends a log with a batch of one record: tansu 0.6 says that a log ends behind the first record
/// of its last batch.
fn end(producer: &BaseProducer, topic: &str, partition: i32) {
    send(producer, topic, partition, &charge("the end"));
    flush(producer);
}

#[test]
fn another_implementation_of_the_protocol_is_read_by_both_readers() {
    let Some(tansu) = broker::or_skip(Tansu::start()) else {
        return;
    };
    let cluster = &tansu.cluster;
    let topic = cluster.create_topic("charges", 3, &[]);
    for (partition, codec) in [(0, "none"), (1, "lz4"), (2, "zstd")] {
        let producer = fill(cluster, &topic, (partition, codec), 300);
        end(&producer, &topic, partition);
    }
    let expected = groups_of(&cluster.read_all(&topic, "read_committed"));
    assert_eq!(expected.len(), 30 + 3 * 30 + 1);
    for reader in ["wire", "librdkafka"] {
        let report = Scan::of(cluster, &topic, &["--reader", reader]).expect(1);
        assert_eq!(report.places_by("value.charge_id"), expected, "{reader}");
        assert!(report.is_complete(), "{reader}");
        assert_eq!(report.total("records_read"), 903, "{reader}");
    }
}

#[test]
fn a_range_of_offsets_is_frozen_where_another_implementation_ends() {
    let Some(tansu) = broker::or_skip(Tansu::start()) else {
        return;
    };
    let cluster = &tansu.cluster;
    let topic = cluster.create_topic("charges", 1, &[]);
    // Tansu 0.6 gives only batches that begin at the offset asked for or later.
    let producer = cluster.producer(&[("batch.num.messages", "1")]);
    for number in 0..50 {
        send(
            &producer,
            &topic,
            0,
            &charge(&format!("ch-{}", number % 20)),
        );
    }
    flush(&producer);
    let range = ["--from", "offset:10", "--to", "offset:35"];
    let report = Scan::of(cluster, &topic, &range).expect(1);
    assert_eq!(report.total("records_read"), 25);
    assert_eq!(report.total("groups"), 5);
    assert!(report.is_complete());
    assert!(report.gaps(&topic, 0).is_empty());
}
