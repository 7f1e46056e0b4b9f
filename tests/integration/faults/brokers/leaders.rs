//! Three brokers, of which one that leads is lost under the scan.

use std::thread;
use std::time::Duration;

use rdkafka::admin::{NewTopic, TopicReplication};

use crate::faults::{READERS, RunningScan, SLOWLY, append, assert_exact};
use crate::support::broker::or_skip;
use crate::support::node::{Nodes, NodesSpec, QUICK_ELECTIONS};

#[test]
fn partitions_are_read_on_from_their_new_leaders() {
    let Some(mut brokers) = or_skip(Nodes::start(NodesSpec {
        count: 3,
        properties: QUICK_ELECTIONS,
        ..NodesSpec::default()
    })) else {
        return;
    };
    let cluster = brokers.cluster();
    let topic = "replicated";
    let replicas: [&[i32]; 3] = [&[2, 3, 1], &[3, 2, 1], &[1, 2, 3]];
    let assignment = TopicReplication::Variable(&replicas);
    cluster.create(&NewTopic::new(topic, 3, assignment));
    append(&cluster, topic, 3, 0..24_000, 100);
    let seen = cluster.read_all(topic, "read_committed");
    let scans =
        READERS.map(|reader| RunningScan::start(&brokers.bootstrap, topic, reader, &SLOWLY));
    for scan in &scans {
        scan.wait_until_frozen();
    }
    thread::sleep(Duration::from_millis(800));
    brokers.processes[1].tell("KILL");
    for scan in scans {
        let scan = scan.finish();
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, topic, &seen);
    }
}
