//! Which topics and partitions are read, and clusters or topics that are not there.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::support::cluster::{charge, flush, send};
use crate::support::{Outcome, Workspace, broker};
use crate::topics::{Scan, keys};

#[test]
fn topics_are_chosen_by_name_by_pattern_and_by_partition() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let first = cluster.create_topic("chosen-a", 2, &[]);
    let second = cluster.create_topic("chosen-b", 2, &[]);
    let producer = cluster.producer(&[]);
    send(&producer, &first, 0, &charge("within-one-partition"));
    send(&producer, &first, 0, &charge("within-one-partition"));
    send(&producer, &first, 0, &charge("across-partitions"));
    send(&producer, &first, 1, &charge("across-partitions"));
    send(&producer, &first, 1, &charge("across-topics"));
    send(&producer, &second, 1, &charge("across-topics"));
    flush(&producer);

    let one = Scan::of(&cluster, &first, &[]).expect(1);
    assert_eq!(keys(&one), ["across-partitions", "within-one-partition"]);
    let partition = Scan::of(&cluster, &first, &["-p", "0"]).expect(1);
    assert_eq!(keys(&partition), ["within-one-partition"]);
    let all = ["across-partitions", "across-topics", "within-one-partition"];
    let both = Scan::of(&cluster, &first, &["-t", &second]).expect(1);
    assert_eq!(keys(&both), all);
    let range = Scan::of(&cluster, &first, &["-t", &second, "-p", "0-1"]).expect(1);
    assert_eq!(keys(&range), all);
    let pattern = format!("^chosen-[ab]-{}-", std::process::id());
    let matched = Scan::of(&cluster, &pattern, &[]).expect(1);
    assert_eq!(keys(&matched), all);
}

#[test]
fn a_topic_or_partition_that_is_not_there_is_an_error_before_anything_is_read() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("known", 1, &[]);
    let named = |scan: Scan, what: &str| {
        scan.outcome.expect_code(2).expect_stderr(what);
    };
    named(Scan::of(&cluster, "no-such-topic", &[]), "no-such-topic");
    named(Scan::of(&cluster, "^no-such-.*$", &[]), "^no-such-.*$");
    named(Scan::of(&cluster, &topic, &["-p", "0,7"]), "7");
    named(
        Scan::of(&cluster, &topic, &["-t", "no-such-topic"]),
        "no-such-topic",
    );
}

/// Returns the outcome of a scan of a cluster at `address`.
fn scan_at(address: &str) -> Outcome {
    let arguments = ["scan", "-b", address, "-t", "charges", "--by", "charge_id"];
    Workspace::new().dupaudit(arguments).run()
}

#[test]
fn a_broker_that_is_not_there_is_an_error_within_15_seconds() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let outcome = scan_at(&address).expect_code(4).expect_stderr(&address);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
}

#[test]
fn a_broker_that_never_answers_is_an_error_within_15_seconds() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let outcome = scan_at(&address).expect_code(4).expect_stderr(&address);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
}

#[test]
fn secrets_on_the_command_line_are_refused_and_not_repeated() {
    let arguments = [
        "scan",
        "-b",
        "127.0.0.1:1",
        "-t",
        "charges",
        "--by",
        "charge_id",
    ];
    let secret = ["-X", "sasl.password=hunter2"];
    let outcome = Workspace::new()
        .dupaudit(arguments.into_iter().chain(secret))
        .run()
        .expect_code(2)
        .expect_stderr("sasl.password");
    assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
}
