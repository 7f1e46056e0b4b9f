//! Clients that may fetch only so much a second, by the broker's own quota.

use crate::faults::{READERS, RunningScan, assert_exact};
use crate::support::broker;
use crate::support::cluster::{charge, flush, send};
use crate::support::raw_client::RawClient;

/// More than the broker gives to a client at once, and then some seconds' worth.
const RECORDS: i32 = 1_500;

#[test]
fn a_quota_is_no_stall() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("throttled", 2, &[]);
    let producer = cluster.producer(&[("linger.ms", "5"), ("batch.num.messages", "20")]);
    let filler = "x".repeat(1_000);
    for number in 0..RECORDS {
        let charge_id = charge(&format!("ch_{}", number % (RECORDS - 10)));
        let value = charge_id.replace("captured", &filler);
        send(&producer, &topic, number % 2, &value);
    }
    flush(&producer);
    let seen = cluster.read_all(&topic, "read_committed");
    let first = cluster.bootstrap.split(',').next().unwrap();
    let mut client = RawClient::connect(first);
    let scans = READERS.map(|reader| {
        let client_id = format!("slow-{reader}");
        client.limit_fetches(&client_id, 100_000.0);
        let client_id = format!("-Xclient.id={client_id}");
        // Less than the broker makes a client wait.
        let options = [
            &*client_id,
            "--stall-timeout=2s",
            "-Xfetch.message.max.bytes=300000",
        ];
        RunningScan::start(&cluster.bootstrap, &topic, reader, &options)
    });
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
    }
}
