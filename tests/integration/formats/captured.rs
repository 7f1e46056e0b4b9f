//! What kcat and Kafka's own tools write of a topic gives the groups of the topic.

use std::fs;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use crate::support::cluster::{Cluster, flush, send, send_keyed};
use crate::support::report::Report;
use crate::support::{Run, Workspace, broker, or_skip};

/// Records that a tool may garble: headers, newlines, tabs, a tombstone, no key, a transaction.
pub(super) fn fill(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("tools-of-kafka", 1, &[]);
    let producer = cluster.producer(&[]);
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some("t1"),
        })
        .insert(Header {
            key: "colon",
            value: Some("a:b"),
        });
    let value = r#"{"charge_id":"ch_1","note":"a \"b\""}"#;
    let record = BaseRecord::to(&topic).partition(0).key("k1").payload(value);
    producer.send(record.headers(headers)).unwrap();
    flush(&producer);
    send_keyed(
        &producer,
        &topic,
        "k1",
        Some("{\n \"charge_id\":\n\t\"ch_2\"\n}"),
    );
    send_keyed(&producer, &topic, "k2", None);
    flush(&producer);
    send(&producer, &topic, 0, r#"{"charge_id":"ch_2"}"#);
    flush(&producer);
    let transactional = cluster.producer(&[("transactional.id", &topic)]);
    let patience = std::time::Duration::from_secs(20);
    transactional.init_transactions(patience).unwrap();
    transactional.begin_transaction().unwrap();
    send_keyed(
        &transactional,
        &topic,
        "k3",
        Some(r#"{"charge_id":"ch_1"}"#),
    );
    send_keyed(
        &transactional,
        &topic,
        "k3",
        Some(r#"{"charge_id":"ch_3"}"#),
    );
    transactional.commit_transaction(patience).unwrap();
    topic
}

/// Runs one of Kafka's tools and writes what it says to a file.
fn tool(workspace: &Workspace, class: &str, arguments: &[&str], file: &str) -> Option<String> {
    tool_of(workspace, ("4.1.0", class), arguments, file)
}

/// Runs one of the tools of a release, by its class.
pub(super) fn tool_of(
    workspace: &Workspace,
    (release, class): (&str, &str),
    arguments: &[&str],
    file: &str,
) -> Option<String> {
    let mut all = or_skip(broker::tool_arguments_of(release, class))?;
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let outcome = Run::new("java", workspace.path(), all).run().expect_code(0);
    workspace.write(file, &outcome.stdout);
    Some(outcome.stdout)
}

pub(super) fn scan(workspace: &Workspace, file: &str, topic: &str, by: &str) -> Report {
    let arguments = [
        "scan",
        file,
        "--by",
        by,
        "--assume-topic",
        topic,
        "-o",
        "report.json",
    ];
    workspace.dupaudit(arguments).run().expect_code(1);
    workspace.report("report.json")
}

/// Checks that an export and its topic are the same records.
pub(super) fn check_with_topic(cluster: &Cluster, workspace: &Workspace, file: &str, topic: &str) {
    let arguments = [
        "scan",
        file,
        "-b",
        &cluster.bootstrap,
        "-t",
        topic,
        "--by",
        "charge_id",
    ];
    let assumed = ["--assume-topic", topic, "-o", "both.json"];
    let together = [&arguments[..], &assumed].concat();
    workspace.dupaudit(together).run().expect_code(1);
    let report = workspace.report("both.json");
    assert_eq!(report.skipped("same-record"), 6, "{file}");
    assert_eq!(
        report.0["coverage"]["conflicts"].as_array().unwrap().len(),
        0,
        "{file}"
    );
    if file.starts_with("console") {
        let outcome = workspace.dupaudit(arguments).run();
        outcome.expect_code(2).expect_stderr("--assume-topic");
    }
}

/// Checks the report of an export of [`fill`].
pub(super) fn check(workspace: &Workspace, file: &str, topic: &str, format: &str) {
    let report = scan(workspace, file, topic, "charge_id");
    let coverage = &report.0["coverage"]["files"][0];
    assert_eq!(coverage["format"], format, "{file}: {coverage}");
    assert!(report.is_complete(), "{file}: {coverage}");
    assert_eq!(report.total("records_read"), 6, "{file}");
    assert_eq!(report.skipped("tombstone"), 1, "{file}");
    let place = |offset| (topic.to_owned(), 0, offset);
    let places = report.places_by("value.charge_id");
    assert_eq!(places["ch_1"], [place(0), place(4)], "{file}");
    assert_eq!(places["ch_2"], [place(1), place(3)], "{file}");
    assert_eq!(places.len(), 2, "{file}");
    let by_key = scan(workspace, file, topic, "key");
    let places = by_key.places_by("key");
    assert_eq!(places["k1"], [place(0), place(1)], "{file}");
    assert_eq!(places["k3"], [place(4), place(5)], "{file}");
    assert_eq!(by_key.skipped("missing-key"), 1, "{file}");
}

#[test]
fn what_the_tools_of_kafka_write_gives_the_groups_of_the_topic() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster);
    let workspace = Workspace::new();
    let bootstrap = cluster.bootstrap.as_str();
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let server = [
        "--bootstrap-server",
        bootstrap,
        "--topic",
        &topic,
        "--from-beginning",
    ];
    let print = ["timestamp", "partition", "offset", "headers", "key"];
    let print = print.map(|field| format!("print.{field}=true"));
    let mut arguments = [&server[..], &["--max-messages", "6"]].concat();
    for property in &print {
        arguments.extend(["--property", property]);
    }
    if tool(&workspace, class, &arguments, "console.txt").is_none() {
        return;
    }
    check(&workspace, "console.txt", &topic, "console-consumer");
    check_with_topic(&cluster, &workspace, "console.txt", &topic);

    let class = "org.apache.kafka.tools.LogDirsCommand";
    let arguments = [
        "--bootstrap-server",
        bootstrap,
        "--describe",
        "--topic-list",
        &topic,
    ];
    let described = tool(&workspace, class, &arguments, "folders.txt").unwrap();
    let described = described
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap();
    let described: serde_json::Value = serde_json::from_str(described).unwrap();
    let folder = described["brokers"][0]["logDirs"][0]["logDir"]
        .as_str()
        .unwrap();
    let segment = format!("{folder}/{topic}-0/00000000000000000000.log");
    if !fs::exists(&segment).unwrap() {
        // The broker of DUPAUDIT_TEST_BROKERS may run elsewhere.
        return;
    }
    let arguments = ["--print-data-log", "--files", &segment];
    tool(
        &workspace,
        "kafka.tools.DumpLogSegments",
        &arguments,
        "dump.txt",
    )
    .unwrap();
    check(&workspace, "dump.txt", &topic, "dump-log");
    check_with_topic(&cluster, &workspace, "dump.txt", &topic);
}

#[test]
fn what_kcat_writes_gives_the_groups_of_the_topic() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster);
    let workspace = Workspace::new();
    let Some(export) = or_skip(cluster.kcat_export(&topic)) else {
        return;
    };
    workspace.write("kcat.jsonl", export);
    check(&workspace, "kcat.jsonl", &topic, "kcat");
    check_with_topic(&cluster, &workspace, "kcat.jsonl", &topic);
}

#[test]
fn bytes_that_are_no_text_make_an_envelope_of_kcat_undecodable() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("no-text", 1, &[]);
    let producer = cluster.producer(&[]);
    let none: Option<&str> = None;
    for value in [
        &b"{\"charge_id\":\"a\"}"[..],
        b"\x80\xff",
        b"{\"charge_id\":\"a\"}",
    ] {
        let header = Header {
            key: "none",
            value: none,
        };
        let headers = OwnedHeaders::new().insert(header);
        let record = BaseRecord::to(&topic).partition(0).key("k").payload(value);
        producer.send(record.headers(headers)).unwrap();
    }
    flush(&producer);
    let workspace = Workspace::new();
    let Some(export) = or_skip(cluster.kcat_export(&topic)) else {
        return;
    };
    workspace.write("kcat.jsonl", export);
    let report = scan(&workspace, "kcat.jsonl", &topic, "charge_id");
    assert_eq!(report.total("records_read"), 3);
    assert_eq!(report.skipped("undecodable"), 1);
    assert!(!report.is_complete());
    let places = report.places_by("value.charge_id");
    assert_eq!(places["a"], [(topic.clone(), 0, 0), (topic, 0, 2)]);
    // Null is no value of a header.
    let arguments = [
        "scan",
        "kcat.jsonl",
        "--by",
        "headers.none",
        "-o",
        "none.json",
    ];
    workspace.dupaudit(arguments).run().expect_code(3);
}
