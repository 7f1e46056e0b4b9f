//! Categories and streams of Message DB.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{fill, report, scan};
use crate::formats::postgres::{CAUSATION, Postgres};
use crate::support::report::Report;
use crate::support::{Workspace, is_soak, or_skip};

/// Returns what a report says of groups, without where it was read.
fn ids(groups: &[Value]) -> Vec<(String, i64)> {
    let of = |group: &Value| {
        let id = group["id"].as_str().unwrap().to_owned();
        (id, group["count"].as_i64().unwrap())
    };
    let mut ids: Vec<_> = groups.iter().map(of).collect();
    ids.sort();
    ids
}

#[test]
fn a_category_shows_what_was_handled_twice_and_reads_as_its_export() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    let flags = [
        "--category",
        "payment",
        "--by",
        CAUSATION,
        "--amount",
        "data.amount",
    ];
    let audited = report(&database, &workspace, &flags, 1);
    assert_eq!(audited.total("records_read"), 44);
    assert_eq!(audited.total("groups"), 4);
    assert_eq!(audited.0["summary"]["amounts"][0]["extra"], "32.00");
    let record = &audited.groups()[0]["records"][1];
    assert_eq!(record["topic"], "payment");
    assert_eq!(record["partition"], Value::Null);
    assert!(record["offset"].as_i64().unwrap() > 1);
    assert_eq!(record["timestamp_type"], "database");
    assert_eq!(record["file"], Value::Null);
    let coverage = &audited.0["coverage"]["partitions"][0];
    assert_eq!(coverage["partition"], Value::Null);
    assert_eq!(coverage["complete"], true);
    // Positions of other categories and of rolled-back transactions are no gaps of this one.
    assert_eq!(coverage["gaps"].as_array().unwrap().len(), 0);

    let causes = &audited.0["summary"]["causes"];
    assert_eq!(causes.as_array().unwrap().len(), 1, "{causes}");
    assert_eq!(causes[0]["cause"], "consumer-replay");
    assert_eq!(causes[0]["extra_records"], 4);
    check_explained(&workspace, &audited.groups()[0]);
    check_resent(&database, &workspace);

    database.psql(
        &workspace,
        r"\copy (select * from messages where type <> 'Placed') to 'm.csv' csv header",
    );
    let export = [
        "scan",
        "m.csv",
        "--by",
        CAUSATION,
        "--amount",
        "data.amount",
        "-o",
        "e.json",
    ];
    workspace.dupaudit(export).run().expect_code(1);
    let export = workspace.report("e.json");
    assert_eq!(ids(export.groups()), ids(audited.groups()));
    for part in [
        "records_read",
        "amounts",
        "causes",
        "extra_records",
        "skipped",
    ] {
        assert_eq!(
            export.0["summary"][part], audited.0["summary"][part],
            "{part}"
        );
    }
}

/// Both copies are shown, and the one that they follow.
fn check_explained(workspace: &Workspace, group: &Value) {
    let id = group["id"].as_str().unwrap();
    let stream = group["key"]["value.metadata.causationMessageStreamName"].clone();
    let follows = format!(
        "follows     {}, position 0: Placed, global position",
        stream.as_str().unwrap()
    );
    let explain = [
        "explain",
        "--report",
        "r.json",
        "--group",
        id,
        "--show-values",
    ];
    let shown = workspace.dupaudit(explain).run().expect_code(0);
    for text in [
        follows.as_str(),
        "payment@",
        "consumer-replay, strong",
        "it was handled twice",
        r#"{"orderId": "o-"#,
    ] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }
}

/// By a field of the business a mail for another input is the same.
fn check_resent(database: &Postgres, workspace: &Workspace) {
    let is_mail = "value.type == \"Mailed\"";
    let by = [
        "--category",
        "payment",
        "--by",
        "data.orderId",
        "--where",
        is_mail,
    ];
    report(database, workspace, &by, 0);
    let id = "20000000-0000-4000-8000-000000000000";
    database.psql(
        workspace,
        &format!(
            "select write_message('{id}', 'payment-3', 'Mailed', '{{\"orderId\": \"o-3\"}}', \
             '{{\"causationMessageStreamName\": \"order-3\", \"causationMessagePosition\": 9}}')"
        ),
    );
    let resent = report(database, workspace, &by, 1);
    let causes = &resent.0["summary"]["causes"];
    assert_eq!(causes[0]["cause"], "application-resend", "{causes}");
    database.psql(
        workspace,
        &format!("delete from messages where id = '{id}'"),
    );
}

#[test]
fn streams_positions_and_times_bound_what_is_read() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    let read = |flags: &[&str], code: i32| {
        let flags = [flags, &["--by", "id"]].concat();
        report(&database, &workspace, &flags, code)
    };
    assert_eq!(read(&["--stream", "payment-5"], 0).total("records_read"), 3);
    let two = ["--stream", "payment-5", "--category", "order"];
    assert_eq!(read(&two, 0).total("records_read"), 23);
    let from = [
        "--category",
        "payment",
        "--from",
        "offset:10",
        "--to",
        "offset:20",
    ];
    let part = read(&from, 0);
    assert!((8..=10).contains(&part.total("records_read")));
    let coverage = &part.0["coverage"]["partitions"][0];
    assert_eq!(
        (&coverage["start_offset"], &coverage["end_offset"]),
        (&10.into(), &20.into())
    );
    let recent = ["--category", "payment", "--from", "-1h"];
    assert_eq!(read(&recent, 0).total("records_audited"), 44);
    let none = ["--category", "nothing", "--allow-empty"];
    assert_eq!(read(&none, 0).total("records_read"), 0);
    let partitions = [
        "--category",
        "payment",
        "--from",
        "offset:0=1",
        "--by",
        "id",
    ];
    scan(&database, &workspace, &partitions)
        .expect_code(2)
        .expect_stderr("has no partitions");
}

/// The limit of scans of many messages, and what may be resident: 1.15 of it, as of files.
const LIMIT: &str = "64M";
const RESIDENT_KIB_MAX: u64 = 64 * 1024 * 115 / 100;

/// Scans with so many threads; returns the report and the most KiB that were resident.
fn bounded(database: &Postgres, workspace: &Workspace, threads: &str) -> (Report, u64) {
    let address = database.address("postgres");
    let source = ["scan", "--postgres", &address, "--category", "payment"];
    let flags = [
        "--by",
        "data.chargeId",
        "--memory",
        LIMIT,
        "--threads",
        threads,
    ];
    let output = ["--top", "0", "-q", "-o", "r.json"];
    let arguments = source.iter().chain(&flags).chain(&output);
    let running = workspace.dupaudit(arguments).start();
    let mut peak = 0;
    while !running.is_over() {
        peak = running.peak_kib().unwrap_or(peak);
        thread::sleep(Duration::from_millis(2));
    }
    running.finish_within(PATIENCE).expect_code(1);
    (workspace.report("r.json"), peak)
}

/// How long a scan of two million messages may take in a debug build.
const PATIENCE: Duration = Duration::from_mins(10);

#[test]
fn many_messages_are_read_by_several_connections_exactly_once_in_bounded_memory() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    let count = if is_soak() { 2_000_000 } else { 100_000 };
    database.psql(
        &workspace,
        &format!(
            "insert into messages (id, stream_name, type, position, data, metadata) \
             select gen_random_uuid(), 'payment-' || n, 'Charged', 0, \
             jsonb_build_object('chargeId', n - n % 1000 / 999, 'amount', '1.00'), null \
             from generate_series(1, {count}) n"
        ),
    );
    let mut reports = Vec::new();
    for threads in ["1", "4"] {
        let (report, peak) = bounded(&database, &workspace, threads);
        assert_eq!(report.total("records_read"), count);
        assert_eq!(report.total("groups"), count / 1000);
        assert!(report.is_complete());
        assert!(peak > 0, "nothing was measured");
        assert!(peak <= RESIDENT_KIB_MAX, "{threads} threads: {peak} KiB");
        reports.push(report);
    }
    for part in ["summary", "groups", "coverage", "episodes"] {
        assert_eq!(reports[0].0[part], reports[1].0[part], "{part}");
    }
}
