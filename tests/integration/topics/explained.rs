//! One group of a topic, its records read again by their offsets.

use std::process::Command;
use std::time::Duration;

use rdkafka::producer::Producer;

use crate::support::cluster::{charge, flush, send};
use crate::support::{Outcome, Run, Workspace, broker};
use crate::topics::Scan;

const PATIENCE: Duration = Duration::from_secs(20);

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

/// Returns the commands that `explain` shows, the other copies' offsets put in.
fn commands(shown: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in shown.lines().skip_while(|line| !line.starts_with("see it")) {
        let line = line.strip_prefix("see it").unwrap_or(line).trim();
        if let Some(others) = line.strip_prefix("(then ") {
            let first = commands.last().unwrap().replace(" \\\n", " ");
            let (before, after) = first.split_once(" -o ").unwrap();
            let (_, after) = after.split_once(' ').unwrap();
            let others = others.strip_suffix(')').unwrap().split(", ");
            commands.extend(others.map(|offset| format!("{before} {offset} {after}")));
        } else if is_open {
            let last = commands.last_mut().unwrap();
            *last = format!("{last}\n{line}");
        } else if line.starts_with("kcat") {
            commands.push(line.to_owned());
        }
        is_open = line.ends_with('\\');
    }
    commands
}

/// Runs a command as a person does who pastes it; returns the coordinates of what it shows.
fn shown_by(command: &str, workspace: &Workspace) -> (String, i64, i64) {
    let outcome = Run::new("sh", workspace.path(), ["-c", command]).run();
    let stdout = outcome.expect_code(0).stdout;
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{command}: {stdout}");
    let envelope: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    let topic = envelope["topic"].as_str().unwrap().to_owned();
    let [partition, offset] = ["partition", "offset"].map(|name| envelope[name].as_i64().unwrap());
    (topic, partition, offset)
}

#[test]
fn the_commands_shown_show_each_copy_aborted_ones_too() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    if broker::or_skip(Command::new("kcat").arg("-V").output()).is_none() {
        return;
    }
    let topic = cluster.create_topic("commands", 2, &[]);
    let producer = cluster.in_transaction(&topic);
    for is_aborted in [true, false, false] {
        for partition in [0, 1] {
            send(&producer, &topic, partition, &charge("other"));
            send(&producer, &topic, partition, &charge("again"));
        }
        flush(&producer);
        if is_aborted {
            producer.abort_transaction(PATIENCE).unwrap();
        } else {
            producer.commit_transaction(PATIENCE).unwrap();
        }
        producer.begin_transaction().unwrap();
    }
    producer.abort_transaction(PATIENCE).unwrap();
    cluster.settle(&topic, 2);
    for isolation in ["read_committed", "read_uncommitted"] {
        let options = ["-q", "--isolation", isolation];
        let scan = Scan::of(&cluster, &topic, &options);
        let report = scan.workspace.report("x.json");
        assert_eq!(report.groups().len(), 2, "{isolation}");
        for group in report.groups() {
            let records = group["records"].as_array().unwrap();
            let place = |record: &serde_json::Value| {
                let number = |name: &str| record[name].as_i64().unwrap();
                (topic.clone(), number("partition"), number("offset"))
            };
            let mut copies: Vec<_> = records.iter().map(place).collect();
            copies.sort();
            let arguments = ["explain", "--report", "x.json", "--group"];
            let arguments = arguments.iter().copied().chain(group["id"].as_str());
            let shown = scan.workspace.dupaudit(arguments).run().expect_code(0);
            let commands = commands(&shown.stdout);
            let mut seen: Vec<_> = commands
                .iter()
                .map(|command| shown_by(command, &scan.workspace))
                .collect();
            seen.sort();
            assert_eq!(seen, copies, "{isolation}: {commands:?}");
        }
    }
}
