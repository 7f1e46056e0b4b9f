//! A handler that is killed between its work and the note of it: what it does again is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::report;
use crate::formats::postgres::{CAUSATION, Postgres};
use crate::support::{Workspace, or_skip};

/// Orders, and how many are charged when the handler is killed: seven more than it has noted.
const ORDERS: usize = 40;
const HALT: &str = "27";

/// Starts a handler, which goes on where the last one has noted that it is.
fn handler(database: &Postgres, workspace: &Workspace, halt: &str) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/stores");
    Command::new("sh")
        .arg(folder.join("handler.sh"))
        .current_dir(workspace.path())
        .env("PORT", database.port.to_string())
        .env("HALT", halt)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn what_a_killed_handler_does_again_is_a_replay_of_what_it_had_not_noted() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(
        &workspace,
        &format!(
            "select write_message(gen_random_uuid()::text, 'order-' || n, 'Placed', \
             jsonb_build_object('orderId', n::text), null) from generate_series(1, {ORDERS}) n"
        ),
    );
    let mut killed = handler(&database, &workspace, HALT);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !workspace.path().join("here").exists() {
        assert!(killed.try_wait().unwrap().is_none(), "it has ended");
        assert!(Instant::now() < deadline, "it does not come there");
        thread::sleep(Duration::from_millis(10));
    }
    // SIGKILL: it notes nothing any more.
    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().code(), None);
    let again = handler(&database, &workspace, "never").wait().unwrap();
    assert!(again.success(), "{again}");

    let flags = ["--category", "payment", "--by", CAUSATION];
    let amounts = ["--amount", "data.amount"];
    let audited = report(&database, &workspace, &[&flags[..], &amounts].concat(), 1);
    assert_eq!(audited.total("records_audited"), 47);
    let stream = "value.metadata.causationMessageStreamName";
    let streams = audited.groups().iter().map(|group| {
        assert_eq!(group["count"], 2, "{group}");
        assert_eq!(group["cause"], "consumer-replay", "{group}");
        assert_eq!(group["confidence"], "strong", "{group}");
        // All but what the store itself makes of each message is the same.
        assert_eq!(group["identical"], true, "{group}");
        assert_eq!(group["differing_fields"].to_string(), "[]");
        group["key"][stream].as_str().unwrap().to_owned()
    });
    let found: BTreeSet<String> = streams.collect();
    let expected: BTreeSet<String> = (21..=27).map(|order| format!("order-{order}")).collect();
    assert_eq!(found, expected);
    assert_eq!(audited.0["episodes"].as_array().unwrap().len(), 1);
    assert_eq!(audited.0["summary"]["amounts"][0]["extra"], "171.50");
    assert_eq!(audited.0["summary"]["conflicting_groups"], 0);
    // The preset asks the same, and its report says what it saw.
    let shown = super::scan(
        &database,
        &workspace,
        &["--category", "payment", "--preset", "message-db"],
    );
    let shown = shown.expect_code(1);
    for text in [
        "by database, repeatable read snapshot",
        "0: all copies alike but for ids, positions and times",
        "consumer-replay: strong for 7 extra",
    ] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }
    check_rendered(&workspace, &shown.stdout);
}

/// The stored report says the same again, in every form.
fn check_rendered(workspace: &Workspace, shown: &str) {
    let report = workspace.report("r.json");
    assert_eq!(report.0["header"]["isolation"], "repeatable_read");
    let arguments = [
        "report", "r.json", "-o", "r.md", "-o", "r.html", "-o", "s.json",
    ];
    let again = workspace.dupaudit(arguments).run().expect_code(0);
    assert_eq!(again.stdout.replace("s.json", "r.json"), shown);
    let text = |name: &str| std::fs::read_to_string(workspace.path().join(name)).unwrap();
    assert_eq!(text("s.json"), text("r.json"));
    for name in ["r.md", "r.html"] {
        assert!(text(name).contains("repeatable read snapshot"), "{name}");
        assert!(!text(name).contains("read_committed"), "{name}");
    }
}
