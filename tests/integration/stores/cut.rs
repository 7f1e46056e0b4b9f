//! Connections that end in the middle of a scan: an error, and never a false answer.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::report;
use crate::formats::postgres::Postgres;
use crate::interrupted::signal;
use crate::support::tcp_proxy::{TcpProxy, Weather};
use crate::support::{Run, Workspace, or_skip, wait};

const RECORDS: i64 = 30_000;

/// Rows of a kilobyte, of which a hundred are there twice.
const FILL: &str = "create table public.outbox (seq bigserial primary key, payload jsonb);
insert into public.outbox (payload)
    select jsonb_build_object('id', n - (n % 300 = 0)::int, 'note', repeat('x', 950))
    from generate_series(1, 30000) n";

/// Asks whether at least one connection copies.
const READING: &str = "select (count(*) > 0)::int from pg_stat_activity \
                       where query like 'COPY%' and state = 'active' and pid <> pg_backend_pid()";

/// Has parts of 16 KB come late, which makes a long scan of a table.
fn late(database: &Postgres) -> TcpProxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let late = Weather::Late(Duration::from_millis(20));
    TcpProxy::start(listener, database.port, late)
}

const FLAGS: [&str; 4] = ["--table", "public.outbox", "--by", "payload.id"];

fn dupaudit(workspace: &Workspace, proxy: &TcpProxy) -> Run {
    let address = format!("postgresql://postgres@{}/message_store", proxy.address);
    let source = [
        "scan",
        "--postgres",
        &address,
        "--threads",
        "2",
        "-o",
        "cut.json",
    ];
    workspace.dupaudit(source.iter().chain(&FLAGS))
}

#[test]
fn a_server_that_goes_down_in_the_middle_ends_the_audit() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(&workspace, FILL);
    let proxy = late(&database);
    let running = dupaudit(&workspace, &proxy).start();
    database.wait_until_one(&workspace, READING);
    // As `pg_ctl stop -m immediate` does.
    drop(database);
    let outcome = running.finish().expect_code(4);
    let outcome = outcome.expect_stderr("error: read public.outbox: ");
    assert!(outcome.stdout.is_empty(), "{outcome}");
    assert!(!workspace.path().join("cut.json").exists());
}

#[test]
fn a_scan_that_is_interrupted_says_what_it_has_not_read() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(&workspace, FILL);
    let proxy = late(&database);
    let address = format!("postgresql://postgres@{}/message_store", proxy.address);
    let mut child = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(workspace.path())
        .args(["scan", "--postgres", &address, "--table", "public.outbox"])
        .args(["--by", "seq", "-o", "r.json", "-q"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    database.wait_until_one(&workspace, READING);
    signal(&child, "INT");
    let deadline = Instant::now() + Duration::from_secs(30);
    assert_eq!(wait(&mut child, deadline), Some(3));
    let report = workspace.report("r.json");
    assert_eq!(report.verdict(), "incomplete");
    let coverage = &report.0["coverage"]["partitions"][0];
    let gaps = coverage["gaps"].as_array().unwrap();
    let last = gaps.last().unwrap();
    assert_eq!(last["reason"], "interrupted");
    assert_eq!(last["end"], RECORDS + 1, "{coverage}");
    // What follows one another is one gap.
    let touch = |pair: &[Value]| pair[0]["end"] == pair[1]["start"];
    assert!(!gaps.windows(2).any(touch), "{coverage}");
}

#[test]
fn connections_that_are_cut_end_the_audit_or_change_nothing() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(&workspace, FILL);
    let whole = report(&database, &workspace, &FLAGS, 1);
    assert_eq!(whole.total("records_read"), RECORDS);
    assert_eq!(whole.total("groups"), 100);
    let mut failed = 0;
    for seed in 0..8 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Both passes together read some forty megabytes, the connection that leads next to none.
        let below = 40 << 20;
        let cuts = Weather::Cuts {
            seed,
            below,
            times: 9,
        };
        let proxy = TcpProxy::start(listener, database.port, cuts);
        let outcome = dupaudit(&workspace, &proxy).run();
        if outcome.exit_code == Some(4) {
            failed += 1;
            assert!(outcome.stdout.is_empty(), "{outcome}");
            let said = ["communicating with the server", "connection closed"];
            let is_said = said.iter().any(|said| outcome.stderr.contains(said));
            assert!(is_said, "{outcome}");
            assert!(!workspace.path().join("cut.json").exists(), "{outcome}");
            continue;
        }
        let outcome = outcome.expect_code(1);
        let report = workspace.report("cut.json");
        for part in ["summary", "groups", "coverage"] {
            assert_eq!(report.0[part], whole.0[part], "{part}: {outcome}");
        }
        std::fs::remove_file(workspace.path().join("cut.json")).unwrap();
    }
    assert!(failed > 0, "nothing was cut");
}
