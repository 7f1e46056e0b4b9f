//! Copies that were aborted are told by both readers alike, and only those.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::producer::Producer;

use crate::support::broker;
use crate::support::cluster::{charge, flush, send};
use crate::topics::Scan;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn aborted_copies_are_told_by_both_readers_and_open_ones_are_not_called_so() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("aborted", 1, &[]);
    let producer = cluster.in_transaction(&topic);
    let put = |charge_ids: &[&str]| {
        for charge_id in charge_ids {
            send(&producer, &topic, 0, &charge(charge_id));
        }
        flush(&producer);
    };
    let commit = || {
        producer.commit_transaction(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
    };
    put(&["deleted", "aborted", "aborted"]);
    producer.abort_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    put(&["deleted", "aborted", "committed", "open"]);
    commit();
    put(&["committed"]);
    commit();
    cluster.settle(&topic, 1);
    cluster.delete_records(&topic, 0, 1);
    // Stays open while the scans run.
    put(&["open"]);

    let causes = |reader: &str| -> BTreeMap<String, Vec<String>> {
        let level = ["-q", "--isolation=read_uncommitted", "--reader", reader];
        let report = Scan::of(&cluster, &topic, &level).expect(1);
        let cause_of = |record: &serde_json::Value| record["cause"].as_str().unwrap().to_owned();
        let groups = report.groups().iter().map(|group| {
            let key = group["key"]["value.charge_id"].as_str().unwrap();
            let records = group["records"].as_array().unwrap();
            (key.to_owned(), records[1..].iter().map(cause_of).collect())
        });
        groups.collect()
    };
    for reader in ["wire", "librdkafka"] {
        let causes = causes(reader);
        let told: Vec<&str> = causes.keys().map(String::as_str).collect();
        assert_eq!(told, ["aborted", "committed", "open"], "{reader}");
        let aborted = "aborted-transaction";
        assert_eq!(causes["aborted"], [aborted, aborted], "{reader}");
        for charge_id in ["committed", "open"] {
            assert_ne!(causes[charge_id], [aborted], "{charge_id}, {reader}");
        }
    }
}
