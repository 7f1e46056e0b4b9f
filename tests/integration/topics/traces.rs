//! A scan leaves no trace on the cluster.

use crate::support::broker::{ApacheKafka, or_skip};
use crate::support::cluster::{Cluster, charge, flush, send};
use crate::topics::Scan;

#[test]
fn groups_topics_and_offsets_are_the_same_before_and_after() {
    // A broker of its own: the other tests leave traces on the shared one.
    let Some(broker) = or_skip(ApacheKafka::start()) else {
        return;
    };
    let cluster = Cluster::new(&broker.bootstrap);
    let topic = cluster.create_topic("charges", 3, &[]);
    let producer = cluster.producer(&[]);
    for number in 0..300 {
        let charge_id = format!("ch_{}", number / 2);
        send(&producer, &topic, number % 3, &charge(&charge_id));
    }
    flush(&producer);

    let before = cluster.traces();
    Scan::of(&cluster, &topic, &[]).expect(1);
    Scan::of(&cluster, &topic, &["--from", "2020-01-01"]).expect(1);
    Scan::of(&cluster, "never-made", &[]).outcome.expect_code(2);
    Scan::of(&cluster, "^never-.*", &[]).outcome.expect_code(2);
    assert_eq!(cluster.traces(), before);
}
