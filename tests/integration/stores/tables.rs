//! Tables and queries, such as an outbox.

use serde_json::Value;

use super::{report, scan};
use crate::formats::postgres::Postgres;
use crate::support::{Workspace, or_skip};

const OUTBOX: &str = "
create table public.outbox (
    seq bigserial primary key, aggregateid text, type text, payload text, body bytea, price numeric,
    created_at timestamptz default now(), tags text[]);
insert into public.outbox (aggregateid, type, payload, body, price, tags)
    select 'c' || n / 2, 'Charged', '{\"chargeId\": \"ch_' || n / 2 || '\"}',
           convert_to('{\"n\": ' || n / 2 || '}', 'UTF8'), 10.50, array['a', 'b']
    from generate_series(2, 21) n;
insert into public.outbox (type, payload, price) values
    ('Broken', '{\"chargeId\": ', 'NaN'), ('Null', null, null);
delete from public.outbox where seq in (3, 4, 7);
";

#[test]
fn a_table_is_read_with_documents_in_text_and_bytes_and_its_holes_are_explained() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(&workspace, OUTBOX);
    let table = ["--table", "public.outbox", "--timestamp", "created_at"];
    let by = |field: &'static str, more: &[&'static str], code: i32| {
        let flags = [&table[..], &["--by", field, "--amount", "price"], more].concat();
        report(&database, &workspace, &flags, code)
    };
    let audited = by("payload.chargeId", &[], 1);
    assert_eq!(audited.total("records_read"), 19);
    assert_eq!(audited.total("groups"), 8);
    // What is no document has no such field, and is counted.
    assert_eq!(audited.skipped("missing-key"), 2);
    assert_eq!(audited.0["summary"]["amounts"][0]["extra"], "84.00");
    assert_eq!(audited.groups()[0]["records"][0]["topic"], "public.outbox");
    let coverage = &audited.0["coverage"]["partitions"][0];
    assert_eq!(coverage["complete"], true);
    let gaps: Vec<(i64, i64, &str)> = coverage["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| {
            let number = |name: &str| gap[name].as_i64().unwrap();
            (
                number("start"),
                number("end"),
                gap["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(gaps, [(3, 5, "sequence-hole"), (7, 8, "sequence-hole")]);
    let note = coverage["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("3 positions in the sequence are not there"),
        "{note}"
    );
    assert_eq!(by("body.n", &[], 1).total("groups"), 8);
    assert_eq!(
        by("tags[1],price", &["--where", "value.type == 'Charged'"], 1).total("groups"),
        1
    );
}

#[test]
fn a_query_is_read_by_its_position() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(&workspace, OUTBOX);
    let query = "select seq, type, payload::json ->> 'chargeId' as charge from public.outbox \
                 where type = 'Charged';";
    let flags = ["--query", query, "--position", "seq", "--by", "charge"];
    let audited = report(&database, &workspace, &flags, 1);
    assert_eq!(audited.total("groups"), 8);
    assert_eq!(audited.groups()[0]["records"][0]["timestamp"], Value::Null);

    let twice = "select 1 as n, 'a' as x union all select 1, 'b'";
    let flags = ["--query", twice, "--position", "n", "--by", "x"];
    scan(&database, &workspace, &flags)
        .expect_code(4)
        .expect_stderr("\"n\" holds 1 twice");
    let nulls = "select null::int as n, 'a' as x";
    let flags = ["--query", nulls, "--position", "n", "--by", "x"];
    scan(&database, &workspace, &flags)
        .expect_code(2)
        .expect_stderr("\"n\" has nulls");
    let writes = "insert into public.outbox (type) values ('x') returning seq, type";
    let flags = ["--query", writes, "--position", "seq", "--by", "type"];
    scan(&database, &workspace, &flags).expect_code(2);
}

/// What was said twice has two ids: no preset of a topic sees it in the table, or in a copy of it.
#[test]
fn an_outbox_alone_is_known_by_what_it_says_and_its_export_reads_the_same() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(
        &workspace,
        "create table public.outbox (id uuid primary key default gen_random_uuid(), \
         seq bigserial, aggregatetype text, aggregateid text, type text, payload jsonb); \
         insert into public.outbox (aggregatetype, aggregateid, type, payload) \
         select 'order', n::text, kind, jsonb_build_object('n', n, 'kind', kind) \
         from generate_series(1, 20) n, unnest(array['Placed', 'Paid']) kind \
         union all select 'order', n::text, 'Paid', jsonb_build_object('kind', 'Paid', 'n', n) \
         from generate_series(5, 20, 5) n",
    );
    let table = ["--table", "public.outbox", "--position", "seq"];
    for preset in ["outbox", "debezium-outbox", "outbox-table"] {
        let flags = [&table[..], &["--preset", preset]].concat();
        let audited = report(&database, &workspace, &flags, 1);
        assert_eq!(audited.0["header"]["preset"], "outbox-table");
        assert_eq!(audited.total("records_audited"), 44);
        assert_eq!(audited.total("groups"), 4);
        assert_eq!(audited.total("subjects"), 4);
        // The key of the table and the place in it are no conflict.
        assert_eq!(audited.total("conflicting_groups"), 0);
        let cause = &audited.groups()[0]["cause"];
        assert_eq!(cause, "application-resend");
        // Nobody knows why it was written: the confidence says so.
        assert_eq!(audited.groups()[0]["confidence"], "weak");
    }
    let export = r"\copy public.outbox to 'outbox.csv' csv header";
    database.psql(&workspace, export);
    let scan = ["scan", "outbox.csv", "--preset", "outbox-table"];
    let scan = scan.into_iter().chain(["-o", "e.json"]);
    workspace.dupaudit(scan).run().expect_code(1);
    let export = workspace.report("e.json");
    let audited = workspace.report("r.json");
    for total in ["records_audited", "groups", "extra_records", "subjects"] {
        assert_eq!(export.total(total), audited.total(total), "{total}");
    }
}
