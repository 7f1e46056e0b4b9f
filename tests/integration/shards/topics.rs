//! Topics in parts: partitions on several machines, and a topic beside its export.

use std::time::Duration;

use rdkafka::producer::Producer;

use crate::shards::{Shards, names};
use crate::support::Workspace;
use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, send, send_at};

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

#[test]
fn aborted_copies_are_told_in_parts_too() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("aborted-shards", 2, &[]);
    let producer = cluster.in_transaction(&topic);
    for number in 0..6 {
        send(&producer, &topic, number % 2, &charge("aborted"));
    }
    flush(&producer);
    producer.abort_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    for number in 0..6 {
        send(
            &producer,
            &topic,
            number % 2,
            &charge(&format!("c{}", number % 3)),
        );
    }
    flush(&producer);
    producer.commit_transaction(PATIENCE).unwrap();
    cluster.settle(&topic, 2);
    for reader in ["wire", "librdkafka"] {
        for level in ["read_uncommitted", "read_committed"] {
            let workspace = Workspace::new();
            let options = [
                "-b",
                &cluster.bootstrap,
                "-t",
                &topic,
                "--by",
                "charge_id",
                "--isolation",
                level,
                "--reader",
                reader,
            ];
            let shards = Shards {
                workspace: &workspace,
                options: &options,
            };
            let native = shards.scan(&[]).expect_code(1);
            let merged = shards.by_hand(&[names(&["-p", "1"]), names(&["-p", "0"])]);
            shards.expect_same(&merged, &native);
        }
    }
}

#[test]
fn a_topic_beside_its_export_is_said_to_need_its_offsets() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = topic(&cluster);
    let workspace = Workspace::new();
    let Ok(export) = cluster.kcat_export(&topic) else {
        return;
    };
    workspace.write("export.jsonl", export);
    let options = ["--by", "charge_id"];
    let shards = Shards {
        workspace: &workspace,
        options: &options,
    };
    let of_topic = names(&["-b", &cluster.bootstrap, "-t", &topic]);
    let export = names(&["export.jsonl"]);
    let native = shards
        .scan(&[of_topic.clone(), export.clone()].concat())
        .expect_code(1);
    shards.extract("topic", &of_topic, &[]).expect_code(0);
    shards.extract("export", &export, &[]).expect_code(0);
    let merged = shards.merge(&names(&["topic", "export"])).expect_code(2);
    assert!(
        merged
            .stderr
            .contains("extract it again with --coordinates"),
        "{merged}"
    );
    shards
        .extract("topic", &of_topic, &["--coordinates"])
        .expect_code(0);
    shards.merge(&names(&["topic", "export"])).expect_code(4);
    for (folder, sources) in [("topic", &of_topic), ("export", &export)] {
        let suspects = format!("{folder}/suspects.run");
        shards
            .extract(folder, sources, &["--suspects", &suspects])
            .expect_code(0);
    }
    let merged = shards.merge(&names(&["export", "topic"]));
    shards.expect_same(&merged, &native);
}
