//! Topics that are read on: from where to where, and what happened to them between two nights.

use std::fs;

use crate::state::{night, shown};
use crate::support::Workspace;
use crate::support::broker;
use crate::support::cluster::{Cluster, flush, send};

struct Topic {
    cluster: Cluster,
    name: String,
    workspace: Workspace,
}

impl Topic {
    fn new(cluster: Cluster, partitions: i32) -> Self {
        let name = cluster.create_topic("nightly", partitions, &[]);
        Self {
            cluster,
            name,
            workspace: Workspace::new(),
        }
    }

    fn send(&self, partition: i32, ids: &[&str]) {
        let producer = self.cluster.producer(&[]);
        for id in ids {
            send(
                &producer,
                &self.name,
                partition,
                &format!("{{\"id\":\"{id}\"}}"),
            );
        }
        flush(&producer);
    }

    /// Runs a night and returns what it said.
    fn night(&self, code: i32, options: &[&str]) -> String {
        let sources = ["-b", &self.cluster.bootstrap, "-t", &self.name];
        let outcome = night(&self.workspace, &sources, options).expect_code(code);
        outcome.stderr
    }

    fn found(&self) -> Vec<Vec<(i64, i64)>> {
        let report = self.workspace.report("r.json");
        let places = report.places().into_iter();
        let place = |place: (String, i64, i64)| (place.1, place.2);
        places
            .map(|group| group.into_iter().map(place).collect())
            .collect()
    }

    fn notes(&self, partition: i32) -> String {
        let report = self.workspace.report("r.json");
        report.partition(&self.name, partition)["notes"].to_string()
    }
}

const LATER: [&str; 2] = ["--new-for", "0"];

#[test]
fn a_topic_is_read_on_and_copies_of_earlier_nights_are_shown_with_both_offsets() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = Topic::new(cluster, 2);
    let counted = |night: &str| {
        let text = fs::read_to_string(topic.workspace.path().join(night)).unwrap();
        let name = "dupaudit_topic_found_extra_records_total";
        let series = format!("{name}{{audit=\"n\",topic=\"{}\"}} ", topic.name);
        let mut found = text.lines().filter_map(|line| line.strip_prefix(&series));
        found.next().map(str::to_owned)
    };
    topic.send(0, &["a", "b", "c"]);
    topic.night(0, &["--new-for", "0", "-o", "n.prom"]);
    assert_eq!(counted("n.prom").as_deref(), Some("0"));
    topic.send(0, &["d", "b"]);
    topic.send(1, &["a"]);
    topic.night(1, &["--new-for", "0", "-o", "n.prom"]);
    assert_eq!(counted("n.prom").as_deref(), Some("2"));
    assert_eq!(topic.found(), [vec![(0, 0), (1, 0)], vec![(0, 1), (0, 4)]]);
    let report = topic.workspace.report("r.json");
    assert_eq!(
        (report.total("records_read"), report.is_complete()),
        (3, true)
    );
    assert!(
        report
            .groups()
            .iter()
            .all(|group| group["identical"] == true)
    );
    assert_eq!(report.partition(&topic.name, 0)["start_offset"], 3);
    assert!(
        topic.notes(0).contains("read on from offset 3"),
        "{}",
        topic.notes(0)
    );
    topic.night(0, &LATER);
    assert_eq!(shown(&topic.workspace)["partitions"][0]["next_offset"], 5);
    // Partitions that are new are read from their start.
    topic.cluster.grow(&topic.name, 3);
    topic.cluster.settle(&topic.name, 3);
    topic.send(2, &["d"]);
    topic.night(1, &LATER);
    assert_eq!(topic.found(), [[(0, 3), (2, 0)]]);
}

#[test]
fn what_retention_took_before_it_was_read_is_a_gap_and_what_was_read_is_still_compared() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = Topic::new(cluster, 1);
    topic.send(0, &["a", "b", "c", "d"]);
    topic.night(0, &LATER);
    topic.send(0, &["e", "f", "a"]);
    topic.cluster.delete_records(&topic.name, 0, 5);
    topic.night(1, &LATER);
    let report = topic.workspace.report("r.json");
    assert!(!report.is_complete());
    let gaps = [(4, 5, "retention".to_owned())];
    assert_eq!(report.gaps(&topic.name, 0), gaps);
    assert_eq!(topic.found(), [[(0, 0), (0, 6)]]);
    let evidence = report.groups()[0]["evidence"].to_string();
    assert!(
        evidence.contains("not re-read: 1 record was gone"),
        "{evidence}"
    );
    topic.night(0, &LATER);
}

#[test]
fn a_topic_made_again_is_told_and_read_from_its_start() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = Topic::new(cluster, 1);
    topic.send(0, &["a", "b", "c"]);
    topic.night(0, &LATER);
    topic.cluster.make_again(&topic.name, 1);
    topic.send(0, &["x", "b", "y", "z"]);
    topic.night(1, &LATER);
    assert!(
        topic.notes(0).contains("deleted and made again since"),
        "{}",
        topic.notes(0)
    );
    let report = topic.workspace.report("r.json");
    assert_eq!(report.total("records_read"), 4);
    // Both stand at offset 1: one in the topic that was, one in the topic that is.
    assert_eq!(topic.found(), [[(0, 1), (0, 1)]]);
    topic.send(0, &["y"]);
    topic.night(1, &LATER);
    assert_eq!(topic.found(), [[(0, 2), (0, 4)]]);
}

#[test]
fn a_dry_run_shows_where_it_would_be_read_on() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = Topic::new(cluster, 1);
    topic.send(0, &["a", "b", "c"]);
    topic.night(0, &LATER);
    topic.send(0, &["d"]);
    let dry = [
        "scan",
        "-b",
        &topic.cluster.bootstrap,
        "-t",
        &topic.name,
        "--state",
        "s",
    ];
    let dry = dry.iter().chain(&["--by", "id", "--dry-run"]);
    let outcome = topic.workspace.dupaudit(dry).run().expect_code(0);
    assert!(outcome.stdout.contains("[3, 4)"), "{outcome}");
    topic.night(0, &LATER);
    assert_eq!(topic.workspace.report("r.json").total("records_read"), 1);
}
