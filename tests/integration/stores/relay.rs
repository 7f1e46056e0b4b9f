//! A store and the topic that it feeds: written once, published twice.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use super::{report, scan};
use crate::formats::postgres::Postgres;
use crate::support::ack_proxy::AckProxy;
use crate::support::broker::{self, ApacheKafka};
use crate::support::cluster::{Cluster, flush, groups_of, send};
use crate::support::report::Report;
use crate::support::{Workspace, or_skip};

/// Extra records by their cause.
fn causes(report: &Report) -> BTreeMap<String, i64> {
    let causes = report.0["summary"]["causes"].as_array().unwrap().iter();
    let extra = |cause: &Value| {
        let code = cause["cause"].as_str().unwrap().to_owned();
        (code, cause["extra_records"].as_i64().unwrap())
    };
    causes.map(extra).collect()
}

/// Writes so many charges, each once.
fn write(database: &Postgres, workspace: &Workspace, charges: u32) {
    database.psql(
        workspace,
        &format!(
            "select write_message(gen_random_uuid()::text, 'payment-' || n, 'Charged', \
             jsonb_build_object('charge_id', 'ch-' || n, 'amount', n || '.50'), null) \
             from generate_series(1, {charges}) n"
        ),
    );
}

/// Returns the data of what lies in the store, as a relay reads it, in its order.
fn stored(database: &Postgres, workspace: &Workspace) -> Vec<String> {
    let rows = "select json_agg(data order by global_position) from messages";
    let printed = database.psql(workspace, &format!("copy ({rows}) to stdout"));
    let all: Vec<Value> = serde_json::from_str(&printed.replace("\\n", "")).unwrap();
    all.iter().map(Value::to_string).collect()
}

#[test]
fn what_a_relay_sent_again_after_a_lost_ack_is_a_retry_beside_the_copy_of_the_store() {
    const CHARGES: u32 = 3000;
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let Some(broker) = or_skip(ApacheKafka::start()) else {
        return;
    };
    let workspace = Workspace::new();
    write(&database, &workspace, CHARGES);
    let cluster = Cluster::new(&broker.bootstrap);
    let topic = cluster.create_topic("payments", 1, &[]);
    let listener = broker.take_proxy_listener();
    let (proxy, acks) = AckProxy::losing_acks(listener, broker.proxied_port, 12, 7);
    let relay = Cluster::new(&proxy.address).retrying_producer(&[]);
    for data in stored(&database, &workspace) {
        send(&relay, &topic, 0, &data);
        relay.poll(Duration::ZERO);
    }
    relay.flush(Duration::from_mins(1)).unwrap();
    let twice = groups_of(&cluster.read_all(&topic, "read_committed"));
    let extra: usize = twice.values().map(|places| places.len() - 1).sum();
    assert!(acks.lost.load(Relaxed) > 0 && extra > 0, "nothing was lost");

    let topics = [
        "--category",
        "payment",
        "-b",
        &broker.bootstrap,
        "-t",
        &topic,
    ];
    let by = [
        "--by",
        "data.charge_id//charge_id",
        "--amount",
        "data.amount//amount",
    ];
    let outcome = scan(&database, &workspace, &[&topics[..], &by].concat()).expect_code(1);
    let report = workspace.report("r.json");
    let (charges, extra) = (i64::from(CHARGES), i64::try_from(extra).unwrap());
    assert_eq!(report.total("records_audited"), 2 * charges + extra);
    assert_eq!(report.total("groups"), charges);
    let expected = [("mirror-copy", charges), ("producer-retry", extra)];
    let expected = expected.map(|(cause, extra)| (cause.to_owned(), extra));
    assert_eq!(causes(&report), BTreeMap::from(expected), "{outcome}");
    // What is published says what is stored: no conflict, though the store has more to say.
    assert_eq!(report.total("conflicting_groups"), 0, "{outcome}");
    check_groups(&report, &topic, &twice);
    let both = "read_committed, and a repeatable read snapshot of the database";
    let shown = outcome.stdout.replace("\n            ", " ");
    assert!(shown.contains(both), "{outcome}");
    assert_eq!(report.0["header"]["isolation"], "read_committed");
}

/// In each group the store comes first, its copy in the topic next, and what came again is told.
fn check_groups(report: &Report, topic: &str, twice: &BTreeMap<String, Vec<(String, i64, i64)>>) {
    for group in report.groups() {
        let records = group["records"].as_array().unwrap();
        let key = group["key"].as_object().unwrap().values().next().unwrap();
        let published = twice.get(key.as_str().unwrap()).map_or(1, Vec::len);
        assert_eq!(records.len(), 1 + published, "{group}");
        assert_eq!(records[0]["topic"], "payment");
        assert_eq!(records[1]["cause"], "mirror-copy", "{group}");
        for again in &records[2..] {
            assert_eq!(again["topic"], topic);
            assert_eq!(again["cause"], "producer-retry", "{group}");
            assert_ne!(again["confidence"], "weak", "{group}");
        }
    }
}

#[test]
fn a_relay_that_begins_again_and_a_charge_that_was_written_twice_are_told_apart() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let Some(cluster) = broker::shared() else {
        return;
    };
    let workspace = Workspace::new();
    write(&database, &workspace, 40);
    // One was written twice, and each of both is published: twice by right of the relay.
    database.psql(
        &workspace,
        "select write_message(gen_random_uuid()::text, 'payment-7', 'Charged', \
         jsonb_build_object('charge_id', 'ch-7', 'amount', '7.50'), null)",
    );
    let topic = cluster.create_topic("payments", 1, &[]);
    let producer = cluster.producer(&[]);
    let all = stored(&database, &workspace);
    // It began again four before the place where it ended.
    for part in [&all[..30], &all[26..]] {
        for data in part {
            send(&producer, &topic, 0, data);
            flush(&producer);
        }
    }
    let topics = [
        "--category",
        "payment",
        "-b",
        &cluster.bootstrap,
        "-t",
        &topic,
    ];
    let by = ["--by", "data.charge_id//charge_id"];
    let report = report(&database, &workspace, &[&topics[..], &by].concat(), 1);
    assert_eq!(report.total("records_read"), 41 + 45);
    assert_eq!(report.total("groups"), 40);
    let by_cause = causes(&report);
    assert_eq!(by_cause["mirror-copy"], 41, "{by_cause:?}");
    assert_eq!(by_cause.values().sum::<i64>(), 46, "{by_cause:?}");
    assert!(!by_cause.contains_key("producer-retry"), "{by_cause:?}");
    let worst = &report.groups()[0]["records"];
    let told = [0, 1, 2, 3].map(|at| (worst[at]["topic"].clone(), worst[at]["cause"].clone()));
    let expected = [
        ("payment", Value::Null),
        ("payment", "application-resend".into()),
        (topic.as_str(), "mirror-copy".into()),
        (topic.as_str(), "mirror-copy".into()),
    ];
    assert_eq!(told, expected.map(|(topic, cause)| (topic.into(), cause)));
}

#[test]
fn an_outbox_and_what_was_published_of_it_meet_by_the_id_of_the_row() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let Some(cluster) = broker::shared() else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(
        &workspace,
        "create table public.outbox (id bigserial primary key, aggregateid text, payload jsonb, \
         at timestamptz default now()); \
         insert into public.outbox (aggregateid, payload) \
         select 'c' || n, jsonb_build_object('n', n) from generate_series(1, 5) n",
    );
    let topic = cluster.create_topic("outbox.event.order", 1, &[]);
    let producer = cluster.producer(&[]);
    let publish = |id: u32| publish(&producer, &topic, id);
    (1..=5).chain([3]).for_each(publish);
    flush(&producer);
    for preset in ["outbox", "debezium-outbox"] {
        let topics = [
            "--table",
            "public.outbox",
            "--timestamp",
            "at",
            "-b",
            &cluster.bootstrap,
            "-t",
            &topic,
        ];
        let flags = [&topics[..], &["--preset", preset]].concat();
        let report = report(&database, &workspace, &flags, 1);
        assert_eq!(report.total("groups"), 5);
        assert_eq!(causes(&report)["mirror-copy"], 5);
        assert_eq!(report.total("extra_records"), 6);
        assert_eq!(report.total("conflicting_groups"), 0);
        let worst = &report.groups()[0];
        assert_eq!(worst["records"][1]["topic"], topic.as_str(), "{worst}");
        assert_ne!(worst["records"][2]["cause"], "mirror-copy", "{worst}");
    }
}

/// Publishes a row as Debezium's router does: the payload, and the id as a header.
fn publish(producer: &BaseProducer, topic: &str, id: u32) {
    let (value, id) = (format!("{{\"n\":{id}}}"), id.to_string());
    let header = Header {
        key: "id",
        value: Some(&id),
    };
    let record = BaseRecord::<str, str>::to(topic)
        .partition(0)
        .payload(&value);
    let record = record.headers(OwnedHeaders::new().insert(header));
    producer.send(record).map_err(|(error, _)| error).unwrap();
}
