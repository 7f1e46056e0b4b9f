//! Transactions that are aborted, and whose application sends the same again in the next one.

use std::time::Duration;

use rdkafka::producer::Producer;

use super::confusion::{LIBRDKAFKA, SEGMENTS, TOPIC, scan, segments, topics};
use super::{Confusion, Done, Incident, Scene};
use crate::support::Workspace;
use crate::support::cluster::{charge, flush, send};

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const ABORTED: Done = Done::of("aborted-transaction");

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    let topic = scene.cluster.create_topic("charges", 3, &[]);
    abort_some(scene, &topic);
    let incident = Incident::new("aborted transactions", &[&topic], ABORTED);
    confusion.check_clean(scene.site(), &incident);
    count_uncommitted(scene, confusion, &incident);
}

/// Audits with the aborted records, from the sources that tell which they are.
pub(super) fn count_uncommitted(scene: &Scene, confusion: &mut Confusion, incident: &Incident) {
    // An export of uncommitted records does not show which of them were aborted.
    let sources = [
        (TOPIC, topics(scene.site(), incident)),
        (
            LIBRDKAFKA,
            [
                topics(scene.site(), incident),
                vec!["--reader=librdkafka".to_owned()],
            ]
            .concat(),
        ),
        (SEGMENTS, segments(scene.site(), incident)),
    ];
    for (source, mut arguments) in sources {
        arguments.push("--isolation=read_uncommitted".to_owned());
        let report = scan(&Workspace::new(), &arguments, 1);
        confusion.count(source, incident, &report);
    }
}

/// Sends batches of charges in transactions, every third of which is aborted first.
fn abort_some(scene: &Scene, topic: &str) {
    let producer = scene.cluster.in_transaction(topic);
    for batch in 0..15 {
        let send_all = || {
            for number in batch * 30..batch * 30 + 30 {
                let charge_id = format!("ch_{number:05}");
                send(&producer, topic, number % 3, &charge(&charge_id));
            }
            flush(&producer);
        };
        send_all();
        if batch % 3 == 0 {
            producer.abort_transaction(PATIENCE).unwrap();
            producer.begin_transaction().unwrap();
            send_all();
        }
        producer.commit_transaction(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
    }
    producer.abort_transaction(PATIENCE).unwrap();
    scene.cluster.settle(topic, 3);
}
