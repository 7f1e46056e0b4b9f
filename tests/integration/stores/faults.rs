//! Servers, roles and statements that fail: said, and never called clean.

use std::fs;

use super::{fill, scan, settled};
use crate::formats::postgres::Postgres;
use crate::support::{Outcome, Run, Workspace, or_skip};

fn run(workspace: &Workspace, address: &str, more: &[&str], variables: &str) -> Outcome {
    let program = env!("CARGO_BIN_EXE_dupaudit");
    let more: Vec<String> = more.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "{variables} exec {program} scan --postgres '{address}' {} --by id -o r.json",
        more.join(" ")
    );
    Run::new("sh", workspace.path(), ["-c", &script]).run()
}

#[test]
fn what_is_missing_or_refused_is_told() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    database.psql(
        &workspace,
        "create role guest login; create role keyed login password 'right'; \
         grant message_store to keyed; create table public.closed (id bigint primary key); \
         create table public.bare (x text)",
    );
    for (flags, code, said) in [
        (
            &["--table", "nothing"][..],
            2,
            "there is no table `nothing`",
        ),
        (&["--table", "public.bare"], 2, "`public.bare` has no index"),
        (
            &["--table", "public.bare", "--position", "x"],
            2,
            "is of type text",
        ),
        (
            &["--table", "public.closed", "--position", "y"],
            2,
            "these fit: id",
        ),
        (
            &["--table", "public.closed", "--timestamp", "id"],
            2,
            "is of type int8",
        ),
        (&["--query", "selec", "--position", "y"], 2, "syntax error"),
    ] {
        let outcome = run(&workspace, &database.address("postgres"), flags, "");
        outcome.expect_code(code).expect_stderr(said);
    }
    let guest = database.address("guest");
    let outcome = run(&workspace, &guest, &["--table", "public.closed"], "").expect_code(4);
    outcome.expect_stderr("permission denied for table closed");
    let outcome = run(&workspace, &guest, &["--category", "payment"], "").expect_code(4);
    outcome.expect_stderr("permission denied for schema message_store");
    let nowhere = "postgresql://postgres@127.0.0.1:1/x";
    let outcome = run(&workspace, nowhere, &["--category", "payment"], "").expect_code(4);
    outcome.expect_stderr("connect to 127.0.0.1:1/x");
    let other = database
        .address("postgres")
        .replace("message_store", "nothing");
    let outcome = run(&workspace, &other, &["--category", "payment"], "").expect_code(2);
    outcome.expect_stderr("database \"nothing\" does not exist");
    assert!(!workspace.path().join("r.json").exists());
}

#[test]
fn passwords_come_from_where_psql_takes_them() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    database.psql(
        &workspace,
        "create role keyed superuser login password 'right'",
    );
    let hba = database.data().join("pg_hba.conf");
    let rules = "local all all trust\nhost all postgres 127.0.0.1/32 trust\n\
                 host all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(hba, rules).unwrap();
    database.psql(&workspace, "select pg_reload_conf()");
    let address = database.address("keyed");
    let read = |variables: &str| run(&workspace, &address, &["--category", "payment"], variables);
    settled(|| read(""), 4).expect_stderr("password");
    read("PGPASSWORD=wrong")
        .expect_code(4)
        .expect_stderr("password authentication failed for user \"keyed\"");
    read("PGPASSWORD=right").expect_code(0);
    workspace.write("pass", "*:*:*:keyed:right\n");
    read("chmod 600 pass; PGPASSFILE=pass").expect_code(0);
    let service = format!("[store]\nhost=127.0.0.1\nport={}\n", database.port);
    let more = "dbname=message_store\nuser=keyed\npassword=right\n";
    workspace.write("services", service + more);
    let by_service = run(
        &workspace,
        "postgresql://?service=store",
        &["--category", "payment"],
        "PGSERVICEFILE=services",
    );
    by_service.expect_code(0);
    let typed = address.replace("keyed@", "keyed:right@");
    let outcome = run(&workspace, &typed, &["--category", "payment"], "").expect_code(0);
    let outcome = outcome.expect_stderr("warning: the password in --postgres can be read");
    let report = fs::read_to_string(workspace.path().join("r.json")).unwrap();
    assert!(
        !report.contains("right") && !outcome.stderr.contains("right"),
        "{outcome}"
    );
    assert!(report.contains("keyed:***@"), "{report}");
}

#[test]
fn a_statement_that_is_cancelled_ends_the_audit() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    let slow = "select n, pg_sleep(0.01)::text as id from generate_series(1, 100000) n";
    let flags = ["--query", slow, "--position", "n", "--by", "id"];
    let timeout = [&flags[..], &["--statement-timeout", "300ms"]].concat();
    scan(&database, &workspace, &timeout)
        .expect_code(4)
        .expect_stderr("statement timeout [57014]; --statement-timeout gives it longer");
    let address = database.address("postgres");
    let arguments = ["scan", "--postgres", &address, "-o", "r.json"];
    let quick = "select n, pg_sleep(0.001 * (n > 5)::int)::text || n as id \
                 from generate_series(1, 100000) n";
    let flags = ["--query", quick, "--position", "n", "--by", "id"];
    let running = workspace.dupaudit(arguments.iter().chain(&flags)).start();
    let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity \
                  where application_name = 'dupaudit' and state = 'active'";
    database.wait_until_one(&workspace, cancel);
    let outcome = running.finish().expect_code(4);
    outcome.expect_stderr("canceling statement due to user request");
    assert!(!workspace.path().join("r.json").exists());
}

#[test]
fn open_transactions_and_what_is_written_meanwhile_are_told() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    let writer = std::process::Command::new("psql")
        .args(["-h", "127.0.0.1", "-U", "postgres", "-p"])
        .arg(database.port.to_string())
        .args(["message_store", "-c"])
        .arg("begin; create table public.t (x int); select pg_sleep(600)")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut writer = writer.unwrap();
    let writing = "select count(*) from pg_stat_activity where backend_xid is not null";
    database.wait_until_one(&workspace, writing);
    let flags = ["--category", "payment", "--by", "id"];
    scan(&database, &workspace, &flags).expect_code(0);
    writer.kill().unwrap();
    writer.wait().unwrap();
    let report = workspace.report("r.json");
    let notes = report.0["coverage"]["partitions"][0]["notes"].to_string();
    assert!(
        notes.contains("1 transaction was open when the snapshot was taken"),
        "{notes}"
    );
}
