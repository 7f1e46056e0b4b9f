//! What lies in a real Postgres with the real Message DB is audited where it lies.

#[cfg(feature = "kafka")]
mod cut;
mod faults;
mod handler;
mod messages;
#[cfg(feature = "kafka")]
mod relay;
mod tables;
mod tls;

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::formats::postgres::Postgres;
use crate::support::report::Report;
use crate::support::{Outcome, Workspace};

/// Writes charges that follow orders; every fifth order was handled twice, and before each of
/// these one write was rolled back.
fn fill(database: &Postgres, workspace: &Workspace) {
    let mut script = String::new();
    let mut number = 0;
    let mut write = |order: usize, kind: &str, ends: &str| {
        number += 1;
        let data = format!(r#"{{"amount": "{order}.50", "orderId": "o-{order}"}}"#);
        let metadata = format!(
            r#"{{"causationMessageStreamName": "order-{order}", "causationMessagePosition": 0}}"#
        );
        writeln!(
            script,
            "begin; select write_message('00000000-0000-4000-8000-{number:012}', \
             'payment-{order}', '{kind}', '{data}', '{metadata}'); {ends};"
        )
        .unwrap();
    };
    for order in 0..20 {
        write(order, "Charged", "commit");
        write(order, "Mailed", "commit");
        if order % 5 == 0 {
            write(order, "Charged", "rollback");
            write(order, "Charged", "commit");
        }
    }
    for order in 0..20 {
        writeln!(
            script,
            "select write_message('10000000-0000-4000-8000-{order:012}', 'order-{order}', \
             'Placed', '{{\"orderId\": \"o-{order}\"}}', NULL);"
        )
        .unwrap();
    }
    database.psql(workspace, &script);
}

fn scan(database: &Postgres, workspace: &Workspace, more: &[&str]) -> Outcome {
    let address = database.address("postgres");
    let arguments = ["scan", "--postgres", &address, "-o", "r.json"];
    workspace.dupaudit(arguments.iter().chain(more)).run()
}

/// Runs until it ends so, since a server takes its settings again in its own time.
fn settled(run: impl Fn() -> Outcome, code: i32) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let outcome = run();
        if outcome.exit_code == Some(code) || Instant::now() > deadline {
            return outcome.expect_code(code);
        }
    }
}

fn report(database: &Postgres, workspace: &Workspace, more: &[&str], code: i32) -> Report {
    scan(database, workspace, more).expect_code(code);
    workspace.report("r.json")
}
