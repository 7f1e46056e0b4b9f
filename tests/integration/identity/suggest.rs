//! `suggest` names the right fields first, and the scan that it proposes finds the duplicates.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::interrupted::{signal, wait_until_signals_are_caught};
use crate::support::{Workspace, wait};

/// Each shape with what identifies its records, and how many of them are extra.
const SHAPES: [(&str, &str, i64); 10] = [
    ("payments.kcat.jsonl", "idempotency_key", 8),
    ("emails.jsonl", "message_id", 3),
    ("cloudevents.jsonl", "--preset cloudevents", 1),
    ("debezium.kcat.jsonl", "--preset debezium-pg", 12),
    ("webhooks.jsonl", "event_id", 4),
    ("invoices.csv", "InvoiceNo,StockCode", 3),
    ("orders.kcat.jsonl", "event_id", 14),
    ("sensors.jsonl", "device_id,time", 5),
    ("access.jsonl", "request_id", 15),
    ("connect-offsets.kcat.jsonl", "file,pos,key", 7),
];

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder)
}

fn shapes() -> Workspace {
    let workspace = Workspace::new();
    for (name, _, _) in SHAPES {
        let records = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/shapes")
            .join(name);
        workspace.write(name, std::fs::read(records).unwrap());
    }
    workspace
}

fn found(workspace: &Workspace, arguments: &[&str]) -> Value {
    let run = workspace.dupaudit(["suggest", "--json"].iter().chain(arguments));
    serde_json::from_str(&run.run().expect_code(0).stdout).unwrap()
}

/// Returns the first candidate as it would be typed.
fn first(found: &Value) -> String {
    let best = &found["candidates"][0];
    let fields = best["by"].as_array().into_iter().flatten();
    match best["preset"].as_str() {
        Some(preset) => format!("--preset {preset}"),
        None => fields
            .map(|field| field.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(","),
    }
}

#[test]
fn the_right_fields_are_named_first() {
    let workspace = shapes();
    let named = SHAPES.map(|(name, _, _)| first(&found(&workspace, &[name])));
    let lines = SHAPES
        .iter()
        .zip(&named)
        .map(|((name, expected, _), named)| {
            let mark = if named == expected { "ok   " } else { "WRONG" };
            format!("{mark} {name}: {named}, expected {expected}")
        });
    let table: Vec<String> = lines.collect();
    let is_right = table.iter().all(|line| line.starts_with("ok"));
    assert!(is_right, "\n{}", table.join("\n"));
}

#[test]
fn the_scan_that_is_proposed_finds_the_duplicates() {
    let workspace = shapes();
    for (name, _, extra) in SHAPES {
        let found = found(&workspace, &[name]);
        let next = found["next"].as_str().unwrap();
        let words = next.split(' ').skip(1).map(|word| word.trim_matches('\''));
        let arguments = words.chain(["-o", "r.json"]);
        workspace.dupaudit(arguments).run().expect_code(1);
        let report = workspace.report("r.json");
        assert!(report.is_complete(), "{next}");
        assert_eq!(report.total("extra_records"), extra, "{next}");
    }
}

#[test]
fn amount_currency_and_subject_are_named_and_dangers_are_told() {
    let workspace = shapes();
    let payments = found(&workspace, &["payments.kcat.jsonl"]);
    let named = ["amount", "currency", "subject"].map(|name| payments[name].as_str().unwrap());
    assert_eq!(named, ["amount", "currency", "customer_id"]);
    assert_eq!(payments["timestamp"], Value::Null, "records have their own");
    let warnings = payments["warnings"].to_string();
    for danger in [
        "customer_id: an entity",
        "payment_id: made anew",
        "headers.traceparent: made",
    ] {
        assert!(warnings.contains(danger), "{danger} is not in {warnings}");
    }
    let fields = payments["fields"].as_array().unwrap();
    let id = fields
        .iter()
        .find(|of| of["field"] == "idempotency_key")
        .unwrap();
    assert_eq!(
        (&id["repeats"], &id["alike"]),
        (&Value::from(8), &Value::from(8))
    );
    assert_eq!(id["same_partition"], 8);
    let rounded = "order,total\n5.70306E+17,1\n5.70306E+17,2\n5.70307E+17,3\n";
    workspace.write("rounded.csv", rounded);
    let rounded = found(&workspace, &["rounded.csv"]);
    assert!(
        rounded["warnings"]
            .to_string()
            .contains("order: 3 numbers lost digits")
    );
    assert_ne!(first(&rounded), "order");
}

#[test]
fn every_kind_of_source_is_looked_at_by_the_decoders_of_a_scan() {
    let workspace = Workspace::new();
    for name in [
        "charges.avro",
        "charges.parquet",
        "charges-0",
        "charges.kcat.jsonl",
    ] {
        let path = fixtures("formats").join(name);
        let found = found(&workspace, &[path.to_str().unwrap()]);
        assert_eq!(first(&found), "charge_id", "{name}: {found}");
    }
    let values = fixtures("values");
    let (segment, schemas) = (values.join("charges-0"), values.join("schemas"));
    let arguments = [
        segment.to_str().unwrap(),
        "--schemas",
        schemas.to_str().unwrap(),
    ];
    let found = found(&workspace, &arguments);
    assert!(found["fields"].to_string().contains("charge_id"), "{found}");
}

#[test]
fn a_sample_a_range_and_a_condition_say_what_is_looked_at() {
    let workspace = shapes();
    let name = "payments.kcat.jsonl";
    let some = found(&workspace, &[name, "--sample", "100"]);
    assert_eq!(
        (&some["records"], &some["complete"]),
        (&Value::from(100), &Value::from(false))
    );
    let all = found(&workspace, &[name, "--sample", "0"]);
    assert_eq!(
        (&all["complete"], &all["sample"]),
        (&Value::from(true), &Value::Null)
    );
    let euros = found(&workspace, &[name, "--where", "value.currency == 'EUR'"]);
    assert!(euros["records"].as_u64() < all["records"].as_u64());
    assert!(
        euros["next"]
            .as_str()
            .unwrap()
            .contains("--where 'value.currency == '\\''EUR")
    );
    let late = found(&workspace, &[name, "--from", "2026-01-15T02:31:00Z"]);
    assert!(late["records"].as_u64() < all["records"].as_u64());
    let bytes = std::fs::read(fixtures("shapes").join(name)).unwrap();
    let run = workspace.dupaudit(["suggest", "-", "--json"]).stdin(bytes);
    let piped: Value = serde_json::from_str(&run.run().expect_code(0).stdout).unwrap();
    assert_eq!(first(&piped), "idempotency_key");
}

#[test]
fn a_sample_is_spread_over_all_files() {
    let workspace = Workspace::new();
    // Only the last file shows that orders repeat, and what repeats them.
    for file in 0..4 {
        let record = |number: u32| {
            let number = file * 1000 + number - u32::from(file == 3 && number % 10 == 9);
            format!("{{\"shop\":\"s{file}\",\"order\":\"o{number}\"}}\n")
        };
        let text: String = (0..1000).map(record).collect();
        workspace.write(&format!("f{file}.jsonl"), text);
    }
    let values = |found: &Value, field: &str| {
        let fields = found["fields"].as_array().unwrap();
        let of = fields.iter().find(|of| of["field"] == field).unwrap();
        of["values"].as_u64().unwrap()
    };
    let some = found(&workspace, &[".", "--sample", "400"]);
    assert_eq!(
        (&some["records"], values(&some, "shop")),
        (&Value::from(400), 4)
    );
    assert_eq!(
        (first(&some), values(&some, "order")),
        ("order".to_owned(), 390)
    );
    let all = found(&workspace, &[".", "--sample", "0"]);
    assert_eq!(
        (&all["records"], &all["complete"]),
        (&Value::from(4000), &Value::from(true))
    );
    // What short files lack is taken of others.
    workspace.write("f0.jsonl", "{\"shop\":\"s0\",\"order\":\"o0\"}\n");
    let some = found(&workspace, &[".", "--sample", "400"]);
    assert_eq!(some["records"], 400);
    let shown = workspace
        .dupaudit(["suggest", ".", "--sample", "400"])
        .run();
    let shown = shown.expect_code(0).stdout;
    assert!(
        shown.contains("400 records, spread over files and partitions"),
        "{shown}"
    );
}

#[test]
fn what_is_shown_fits_the_terminal_and_obeys_no_record() {
    let workspace = shapes();
    let hostile = r#"{"\u001b[2J\u202e":1,"\r\nid\u0007":"a","id":"x1","x//y":"2"}"#;
    workspace.write("hostile.jsonl", format!("{hostile}\n"));
    for name in ["payments.kcat.jsonl", "invoices.csv", "hostile.jsonl"] {
        for columns in ["80", "60"] {
            let run = workspace
                .dupaudit(["suggest", name])
                .env("COLUMNS", columns);
            let shown = run.run().expect_code(0).stdout;
            let width = columns.parse().unwrap();
            assert!(shown.lines().all(|line| line.width() <= width), "{shown}");
            assert!(
                !shown.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']),
                "{shown}"
            );
            assert!(shown.contains("DEDUP KEY   1. "), "{shown}");
            assert!(shown.contains("NEXT        dupaudit scan"), "{shown}");
        }
    }
}

#[test]
fn nothing_to_look_at_is_said_and_what_is_missing_is_an_error() {
    let workspace = Workspace::new();
    workspace.write("empty.jsonl", "");
    let empty = workspace.dupaudit(["suggest", "empty.jsonl"]).run();
    let shown = empty.expect_code(0).stdout;
    assert!(
        shown.contains("nothing to look at") && !shown.contains("NEXT"),
        "{shown}"
    );
    workspace
        .dupaudit(["suggest", "none.jsonl"])
        .run()
        .expect_code(2);
    workspace
        .dupaudit(["suggest"])
        .run()
        .expect_code(2)
        .expect_stderr("nothing to read");
    let secret = [
        "suggest",
        "-b",
        "h:1",
        "-t",
        "a",
        "-X",
        "sasl.password=hunter2",
    ];
    let refused = workspace.dupaudit(secret).run().expect_code(2);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
}

#[test]
fn a_look_that_is_stopped_says_what_it_saw_and_that_it_was_not_all() {
    for arguments in [&["--json"][..], &["--sample", "0"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
            .args(["suggest", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Fewer than the sample, and no end.
        let export = std::fs::read(fixtures("shapes").join("payments.kcat.jsonl")).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&export).unwrap();
        stdin.flush().unwrap();
        wait_until_signals_are_caught(&child);
        signal(&child, "INT");
        let code = wait(&mut child, Instant::now() + Duration::from_secs(20));
        assert_eq!(code, Some(0));
        let mut shown = String::new();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_to_string(&mut shown).unwrap();
        match serde_json::from_str::<Value>(&shown) {
            Ok(json) => assert_eq!(json["complete"], false, "{shown}"),
            Err(_) => assert!(shown.contains("or until it was stopped"), "{shown}"),
        }
    }
}

#[test]
fn records_that_a_condition_cannot_judge_are_told() {
    let workspace = Workspace::new();
    let records = "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":\"x\"}\n{\"id\":\"c\",\"n\":2}\n";
    workspace.write("mixed.jsonl", records);
    let found = found(&workspace, &["mixed.jsonl", "--where", "value.n + 1 > 1"]);
    assert_eq!(found["records"], 2);
    let warning = found["warnings"][0].as_str().unwrap();
    let told =
        "`--where` could not judge 1 record and left them out, the first at mixed.jsonl: line 2";
    assert!(warning.starts_with(told), "{warning}");
}

#[cfg(feature = "kafka")]
#[test]
fn a_topic_is_looked_at_without_reading_it_to_its_end() {
    use crate::support::broker::{ApacheKafka, or_skip};
    use crate::support::cluster::{Cluster, flush, send};

    let Some(broker) = or_skip(ApacheKafka::start()) else {
        return;
    };
    let export = fixtures("shapes").join("payments.kcat.jsonl");
    let cluster = Cluster::new(&broker.bootstrap);
    cluster.restore(&std::fs::read_to_string(export).unwrap());
    let workspace = Workspace::new();
    let topic = ["-b", &broker.bootstrap, "-t", "payments"];
    let all = found(&workspace, &topic);
    assert_eq!(first(&all), "idempotency_key");
    assert_eq!(all["records"], 308);
    let next = all["next"].as_str().unwrap();
    assert!(next.starts_with("dupaudit scan -b "), "{next}");
    let some = found(&workspace, &[&topic[..], &["--sample", "50"]].concat());
    assert_eq!(
        (&some["records"], &some["complete"]),
        (&Value::from(50), &Value::from(false))
    );
    // One partition of many records is not all that is looked at.
    let spread = cluster.create_topic("spread", 3, &[]);
    let producer = cluster.producer(&[]);
    for number in 0..3000 {
        let partition = if number < 2800 { 0 } else { number % 3 };
        let record = format!("{{\"id\":\"{number}\",\"of\":\"p{partition}\"}}");
        send(&producer, &spread, partition, &record);
    }
    flush(&producer);
    let topic = ["-b", &broker.bootstrap, "-t", &spread, "--sample", "300"];
    let some = found(&workspace, &topic);
    let fields = some["fields"].as_array().unwrap();
    let of = fields.iter().find(|field| field["field"] == "of").unwrap();
    assert_eq!(
        (&some["records"], &of["values"]),
        (&Value::from(300), &Value::from(3))
    );
}
