//! Topics in parts: partitions on several machines, and a topic beside its export.

use crate::shards::{Shards, names};
use crate::support::Workspace;
use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, send_at};

fn topic(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("shards", 4, &[]);
    let producer = cluster.producer(&[]);
    for number in 0..600_i64 {
        let partition = i32::try_from(number * 7 % 4).unwrap();
        let id = format!("c{}", number * number % 431);
        let millis = 1_768_444_200_000 + number * 1000;
        send_at(&producer, &topic, partition, &charge(&id), Some(millis));
    }
    flush(&producer);
    topic
}

#[test]
fn partitions_on_several_machines_make_the_report_of_one_scan() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = topic(&cluster);
    let workspace = Workspace::new();
    let options = ["-b", &cluster.bootstrap, "-t", &topic, "--by", "charge_id"];
    let shards = Shards {
        workspace: &workspace,
        options: &options,
    };
    let native = shards.scan(&[]);
    let native = native.expect_code(1);
    for parts in [
        vec![names(&["-p", "0-3"])],
        vec![names(&["-p", "2-3"]), names(&["-p", "0,1"])],
        vec![
            names(&["-p", "3"]),
            names(&["-p", "1"]),
            names(&["-p", "0"]),
            names(&["-p", "2"]),
        ],
    ] {
        let merged = shards.by_hand(&parts);
        shards.expect_same(&merged, &native);
    }
}

#[test]
fn what_a_second_pass_reads_is_what_the_first_froze() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = topic(&cluster);
    let workspace = Workspace::new();
    let options = ["-b", &cluster.bootstrap, "-t", &topic, "--by", "charge_id"];
    let shards = Shards {
        workspace: &workspace,
        options: &options,
    };
    let native = shards.scan(&[]);
    let halves = [names(&["-p", "0-1"]), names(&["-p", "2-3"])];
    shards.extract("a", &halves[0], &[]).expect_code(0);
    shards.extract("b", &halves[1], &[]).expect_code(0);
    let producer = cluster.producer(&[]);
    for number in 0..40 {
        let partition = number % 4;
        send_at(
            &producer,
            &topic,
            partition,
            &charge(&format!("c{number}")),
            None,
        );
    }
    flush(&producer);
    shards.merge(&names(&["a", "b"])).expect_code(4);
    shards
        .extract("a", &halves[0], &["--suspects", "a/suspects.run"])
        .expect_code(0);
    shards
        .extract("b", &halves[1], &["--suspects", "b/suspects.run"])
        .expect_code(0);
    let merged = shards.merge(&names(&["b", "a"]));
    shards.expect_same(&merged, &native);
}
