//! One group of a topic, its records read again by their offsets.

use crate::support::cluster::{charge, flush, send};
use crate::support::{Outcome, broker};
use crate::topics::Scan;

#[test]
fn copies_in_several_partitions_stand_side_by_side_until_they_are_deleted() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("explained", 2, &[]);
    let producer = cluster.producer(&[]);
    for partition in [0, 0, 1] {
        send(&producer, &topic, partition, &charge("other"));
        send(&producer, &topic, partition, &charge("twice"));
        flush(&producer);
    }
    let scan = Scan::of(&cluster, &topic, &["-q"]);
    let report = scan.workspace.report("x.json");
    assert_eq!(report.total("groups"), 2);
    let text = std::fs::read_to_string(scan.workspace.path().join("x.json")).unwrap();
    let groups: serde_json::Value = serde_json::from_str(&text).unwrap();
    let groups = groups["groups"].as_array().unwrap();
    let is_wanted = |group: &&serde_json::Value| group["key"]["value.charge_id"] == "twice";
    let id = groups.iter().find(is_wanted).unwrap()["id"].clone();
    let explain = |more: &[&str]| -> Outcome {
        let arguments = ["explain", "--report", "x.json", "--group"];
        let arguments = arguments.iter().copied().chain(id.as_str());
        let arguments = arguments.chain(more.iter().copied());
        scan.workspace.dupaudit(arguments).run()
    };

    let shown = explain(&[]).expect_code(0).stdout;
    for (partition, offset) in [(0, 1), (0, 3), (1, 1)] {
        let coordinates = format!("{topic}-{partition}@{offset}");
        assert!(shown.contains(&coordinates), "{coordinates}: {shown}");
    }
    assert!(shown.contains("+2 offsets"), "{shown}");
    assert!(shown.contains("other partition"), "{shown}");
    assert!(!shown.contains("read again"), "{shown}");
    let values = explain(&["--show-values", "-b", &cluster.bootstrap]);
    assert!(values.expect_code(0).stdout.contains("\"twice\""));

    cluster.delete_records(&topic, 0, 2);
    let shown = explain(&[]).expect_code(0).stdout;
    let row = shown.lines().find(|line| line.starts_with("read again"));
    assert_eq!(
        row.unwrap().split_whitespace().last(),
        Some("gone"),
        "{shown}"
    );
    explain(&["-b", "127.0.0.1:1"]).expect_code(4);
}
