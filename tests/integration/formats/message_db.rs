//! What a real Message DB holds, copied out of a real Postgres, shows what was processed twice.

use std::fmt::Write;

use crate::formats::postgres::{CAUSATION, Postgres};
use crate::support::report::Report;
use crate::support::{Workspace, or_skip};

/// Writes charges that follow orders; every fifth order was handled twice.
fn fill(database: &Postgres, workspace: &Workspace) {
    let mut script = String::new();
    let mut id = 0;
    let mut write = |order: usize, kind: &str| {
        id += 1;
        let data = format!(
            r#"{{"amount": "{order}.50", "orderId": "o-{order}", "note": "say \"é\", 'it'\n"}}"#
        );
        let data = data.replace('\'', "''");
        let metadata = format!(
            r#"{{"causationMessageStreamName": "order-{order}", "causationMessagePosition": 3}}"#
        );
        let id = format!("00000000-0000-4000-8000-{id:012}");
        let stream = format!("payment-{order}");
        writeln!(
            script,
            "select write_message('{id}', '{stream}', '{kind}', '{data}', '{metadata}');"
        )
        .unwrap();
    };
    for order in 0..20 {
        write(order, "Charged");
        write(order, "Mailed");
        if order % 5 == 0 {
            write(order, "Charged");
        }
    }
    // What follows nothing has no metadata at all.
    script.push_str(
        "select write_message('10000000-0000-4000-8000-000000000000', 'payment-x', 'Begun', \
         NULL, NULL);",
    );
    database.psql(workspace, &script);
}

fn scan(workspace: &Workspace, file: &str, by: &str, code: i32) -> Report {
    let arguments = ["scan", file, "--by", by, "-o", "report.json"];
    let amounts = ["--amount", "data.amount"];
    let arguments = arguments.into_iter().chain(amounts);
    workspace.dupaudit(arguments).run().expect_code(code);
    workspace.report("report.json")
}

/// Checks that a copy of [`fill`]'s records shows what was handled twice, and only that.
fn check(workspace: &Workspace, file: &str) {
    let report = scan(workspace, file, CAUSATION, 1);
    let coverage = &report.0["coverage"]["files"][0];
    assert_eq!(coverage["format"], "message-db", "{file}");
    assert!(report.is_complete(), "{file}: {coverage}");
    assert_eq!(report.total("records_read"), 45, "{file}");
    assert_eq!(report.skipped("missing-key"), 1, "{file}");
    assert_eq!(report.total("groups"), 4, "{file}");
    assert_eq!(report.total("extra_records"), 4, "{file}");
    assert_eq!(
        report.0["summary"]["amounts"][0]["extra"], "32.00",
        "{file}"
    );
    let stream = "value.metadata.causationMessageStreamName";
    let mut streams: Vec<_> = report
        .groups()
        .iter()
        .map(|group| group["key"][stream].as_str().unwrap())
        .collect();
    streams.sort_unstable();
    assert_eq!(
        streams,
        ["order-0", "order-10", "order-15", "order-5"],
        "{file}"
    );
    let first = &report.groups()[0]["records"][0];
    assert!(first["timestamp"].is_string(), "{file}: {first}");
    // The database itself keeps these from coming twice.
    for unique in ["id", "stream_name,position", "global_position"] {
        let report = scan(workspace, file, unique, 0);
        assert_eq!(report.total("records_audited"), 45, "{file}");
    }
}

#[test]
fn a_copy_of_a_real_message_db_shows_what_was_processed_twice() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    database.psql(
        &workspace,
        r"\copy message_store.messages to 'messages.csv' csv header",
    );
    check(&workspace, "messages.csv");
    let category = "select * from get_category_messages('payment', 1, 1000)";
    workspace.write("category.csv", database.psql(&workspace, category));
    check(&workspace, "category.csv");
}
