//! `--late`, `--max-rate` and `--dry-run` on a real broker.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{FinishedScan, READERS, assert_exact, fill, unread_of};
use crate::support::Workspace;
use crate::support::broker;
use crate::support::cluster::{charge, flush, send, send_at};

/// 2026-01-15T02:30:00Z.
const START_MILLIS: i64 = 1_768_444_200_000;

#[test]
fn a_late_tail_is_left_unread_and_makes_coverage_incomplete() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("late", 1, &[]);
    let producer = cluster.producer(&[]);
    let records = [
        ("a", 0),
        ("b", 50),
        // The first later record.
        ("c", 70),
        ("d", 65),
        ("a", 58),
        // More than ten seconds after that one.
        ("e", 81),
        ("b", 59),
    ];
    for (charge_id, seconds) in records {
        let millis = START_MILLIS + seconds * 1000;
        send_at(&producer, &topic, 0, &charge(charge_id), Some(millis));
    }
    flush(&producer);
    let seen = cluster.read_all(&topic, "read_committed");
    for reader in READERS {
        let options = ["--to", "2026-01-15T02:31:00Z", "--late", "10s"];
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options);
        let report = scan.expect(&[1]);
        assert!(!report.is_complete());
        assert_exact(&report, &topic, &seen);
        let tail = [(5, 7, "late-tail".to_owned())];
        assert_eq!(unread_of(&report, &topic, 0), tail);
        assert_eq!(report.partition(&topic, 0)["next_offset"], 5);
        let whole = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options[..2]);
        assert!(whole.expect(&[1]).is_complete());
    }
}

#[test]
fn a_late_tail_is_complete_where_the_broker_set_all_timestamps() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let configs = [("message.timestamp.type", "LogAppendTime")];
    let topic = cluster.create_topic("appended", 1, &configs);
    let producer = cluster.producer(&[]);
    for charge_id in ["a", "a"] {
        send(&producer, &topic, 0, &charge(charge_id));
    }
    flush(&producer);
    thread::sleep(Duration::from_millis(50));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let to = chrono_text(i64::try_from(now.as_millis()).unwrap());
    thread::sleep(Duration::from_millis(50));
    for charge_id in ["b", "c", "d"] {
        send(&producer, &topic, 0, &charge(charge_id));
        flush(&producer);
        thread::sleep(Duration::from_millis(50));
    }
    for reader in READERS {
        let options = ["--to", &to, "--late", "40ms"];
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options);
        let report = scan.expect(&[1]);
        assert!(report.is_complete(), "{}", scan.outcome);
        assert_eq!(report.partition(&topic, 0)["complete"], true);
        assert_eq!(report.gaps(&topic, 0), [(3, 5, "late-tail".to_owned())]);
    }
}

/// Returns a time in RFC 3339.
pub(super) fn chrono_text(millis: i64) -> String {
    let time = dupaudit_time(millis / 1000);
    format!("{time}.{:03}Z", millis % 1000)
}

/// Returns date and time of a second since the epoch, by counting days.
fn dupaudit_time(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let year_of_era = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
    let day_of_year = era_day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + shifted / 146_097 * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[test]
fn a_rate_is_kept_over_seconds_by_both_readers() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    // About four megabytes.
    let topic = fill(&cluster, 2, 36_000, 200);
    let seen = cluster.read_all(&topic, "read_committed");
    let bytes: usize = seen.iter().map(|of| of.value.as_ref().unwrap().len()).sum();
    let seconds = f64::from(u32::try_from(bytes).unwrap()) / 2_000_000.0;
    for reader in READERS {
        let unlimited = FinishedScan::of(&cluster.bootstrap, &topic, reader, &[]);
        let unlimited = unlimited.outcome.elapsed.as_secs_f64();
        let options = ["--max-rate", "2MB/s"];
        let scan = FinishedScan::of(&cluster.bootstrap, &topic, reader, &options);
        let report = scan.expect(&[1]);
        assert!(report.is_complete());
        assert_exact(&report, &topic, &seen);
        // Every third record is read again for its group, at the same rate.
        let elapsed = scan.outcome.elapsed.as_secs_f64();
        assert!(
            elapsed > seconds * 0.8,
            "{reader}: {elapsed} of {seconds} s"
        );
        assert!(
            elapsed < seconds * 3.0 + 2.0 + unlimited * 4.0,
            "{reader}: {elapsed} of {seconds} s"
        );
    }
}

#[test]
fn a_dry_run_says_what_would_be_read() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = fill(&cluster, 3, 600, 100);
    for reader in READERS {
        let sources = ["scan", "--dry-run", "-b", &cluster.bootstrap, "-t", &topic];
        let more = ["--reader", reader, "--from", "offset:50"];
        let arguments = sources.iter().chain(&more);
        let outcome = Workspace::new().dupaudit(arguments).run().expect_code(0);
        for partition in 0..3 {
            let name = format!("{topic}-{partition} ");
            let line = outcome.stdout.lines().find(|line| line.starts_with(&name));
            let cells: Vec<&str> = line.unwrap().split_whitespace().collect();
            assert_eq!(cells[1..5], ["1", "[50,", "200)", "150"], "{outcome}");
        }
        assert!(outcome.stdout.contains("\nall "), "{outcome}");
        assert!(outcome.stdout.contains("\ntime: about 1 s"), "{outcome}");
    }
    let missing = [
        "scan",
        "--dry-run",
        "-b",
        &cluster.bootstrap,
        "-t",
        "no-such",
    ];
    Workspace::new().dupaudit(missing).run().expect_code(2);
}
