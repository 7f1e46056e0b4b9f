//! What keeps a scan from beginning, named in one line within 15 seconds, and what does not.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::{Log, PATIENCE_SECONDS, READERS, scan};
use crate::scripted_broker::{Script, ScriptedBroker};
use crate::support::{Outcome, Workspace};

fn broker(change: impl FnOnce(&mut Script)) -> ScriptedBroker {
    let broker = ScriptedBroker::start(vec![Log::of_four_batches().partition()], 1);
    broker.change(change);
    broker
}

/// A run that ended in time with this code and one line that says `word`.
#[track_caller]
fn assert_says(outcome: &Outcome, code: i32, word: &str) {
    assert_eq!(outcome.exit_code, Some(code), "{outcome}");
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    let lines = outcome.stderr.lines();
    let errors: Vec<&str> = lines.filter(|line| line.starts_with("error")).collect();
    let [error] = errors.as_slice() else {
        panic!("not one line: {outcome}")
    };
    assert!(error.contains(word), "no `{word}`: {outcome}");
}

#[test]
fn a_topic_that_may_not_be_read_is_named_with_what_lacks_and_nothing_is_read() {
    // M19, and M18 where the cluster tells nothing of the topic.
    let operations = "needs the ACL operation Read";
    for reader in READERS {
        let forbidden = broker(|script| script.partitions[0].fetch_error = 29);
        let (workspace, outcome) = scan(&forbidden, (reader, PATIENCE_SECONDS), &[]);
        assert_says(&outcome, 4, operations);
        assert!(outcome.stderr.contains("orders"), "{outcome}");
        assert!(!workspace.path().join("x.json").exists(), "{outcome}");
        // A range of time looks at the first record of the log before all else.
        let from = ["--from", "1970-01-01T00:00:00Z"];
        let (_, outcome) = scan(&forbidden, (reader, PATIENCE_SECONDS), &from);
        assert_says(&outcome, 4, operations);
        let hidden = broker(|script| script.topic_error = 29);
        let (_, outcome) = scan(&hidden, (reader, PATIENCE_SECONDS), &[]);
        assert_says(&outcome, 4, "ACL operations Describe and Read");
    }
}

#[test]
fn topics_without_leader_and_topics_that_are_not_there_are_named_in_time() {
    thread::scope(|scope| {
        for reader in READERS {
            scope.spawn(move || {
                let unknown = broker(|script| script.topic_error = 3);
                let (_, outcome) = scan(&unknown, (reader, PATIENCE_SECONDS), &[]);
                assert_says(&outcome, 2, "orders does not exist");
            });
            scope.spawn(move || {
                let leaderless = broker(|script| script.partitions[0].leader = -1);
                let (_, outcome) = scan(&leaderless, (reader, PATIENCE_SECONDS), &[]);
                assert_says(&outcome, 4, "orders-0 has no leader");
            });
        }
    });
}

#[test]
fn ports_where_nobody_answers_and_those_that_hang_up_are_named_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [&silent, &rude].map(|of| of.local_addr().unwrap().to_string());
    thread::spawn(move || {
        for socket in rude.incoming() {
            drop(socket.unwrap().write_all(b""));
        }
    });
    thread::scope(|scope| {
        for address in &addresses {
            for reader in READERS {
                scope.spawn(move || {
                    let arguments = ["scan", "-b", address, "-t", "orders", "--by", "key"];
                    let more = ["--reader", reader];
                    let arguments = arguments.iter().chain(&more);
                    let outcome = Workspace::new().dupaudit(arguments).run();
                    assert_says(&outcome, 4, address);
                });
            }
        }
    });
}

#[test]
fn nothing_is_read_where_the_range_begins_beyond_the_end() {
    // M11: librdkafka would begin again at the start of the log.
    for reader in READERS {
        let broker = broker(|_| {});
        let (workspace, outcome) = scan(
            &broker,
            (reader, PATIENCE_SECONDS),
            &["--from", "offset:50"],
        );
        assert_eq!(outcome.exit_code, Some(3), "{outcome}");
        assert_eq!(workspace.report("x.json").total("records_read"), 0);
    }
}

#[test]
fn no_group_is_asked_for_and_none_is_needed() {
    // M21: a coordinator that refuses takes nothing away.
    for reader in READERS {
        let broker = broker(|_| {});
        let (workspace, outcome) =
            scan(&broker, (reader, PATIENCE_SECONDS), &["-X", "group.id=any"]);
        assert_eq!(outcome.exit_code, Some(1), "{outcome}");
        let report = workspace.report("x.json");
        assert!(report.is_complete(), "{outcome}");
        assert_eq!(report.total("records_read"), 20);
        let asked = broker.script.lock().unwrap().coordinator_count;
        assert_eq!(asked, 0, "{reader}");
    }
}

#[test]
fn sizes_of_logs_are_told_where_the_cluster_tells_them_and_shared_by_the_range() {
    let broker = broker(|script| script.log_bytes = Some(4_000));
    let dry_run = || {
        let arguments = ["scan", "--dry-run", "-b", &broker.bootstrap, "-t", "orders"];
        let more = ["--reader", "wire", "--from", "offset:15"];
        let arguments = arguments.iter().chain(&more);
        Workspace::new().dupaudit(arguments).run().expect_code(0)
    };
    let outcome = dry_run();
    let line = outcome
        .stdout
        .lines()
        .find(|line| line.starts_with("orders-0"));
    let cells: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(cells[4..], ["5", "1000"], "{outcome}");
    assert_eq!(broker.fetch_count(), 0);
    broker.change(|script| script.log_bytes = None);
    let outcome = dry_run();
    assert!(outcome.stdout.contains("unknown"), "{outcome}");
}
