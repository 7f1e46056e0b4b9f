//! A store and the topic that it feeds: written once, published twice.

use super::scan;
use crate::formats::postgres::Postgres;
use crate::support::broker;
use crate::support::cluster::{flush, send};
use crate::support::{Workspace, or_skip};

#[test]
fn what_was_written_once_and_published_twice_is_seen_as_such() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let Some(cluster) = broker::shared() else {
        return;
    };
    let workspace = Workspace::new();
    database.psql(
        &workspace,
        "select write_message(gen_random_uuid()::text, 'payment-' || n, 'Charged', \
         jsonb_build_object('chargeId', 'ch-' || n), null) from generate_series(1, 40) n",
    );
    // The relay publishes all of it; of four it heard no acknowledgement, and began again there.
    let topic = cluster.create_topic("payments", 1, &[]);
    let producer = cluster.producer(&[]);
    let publish = |number: usize| {
        let value = format!("{{\"data\":{{\"chargeId\":\"ch-{number}\"}}}}");
        send(&producer, &topic, 0, &value);
    };
    (1..=30).for_each(publish);
    flush(&producer);
    (27..=40).for_each(publish);
    flush(&producer);
    let flags = [
        "--category",
        "payment",
        "-b",
        &cluster.bootstrap,
        "-t",
        &topic,
        "--by",
        "data.chargeId",
    ];
    let outcome = scan(&database, &workspace, &flags).expect_code(1);
    let report = workspace.report("r.json");
    assert_eq!(report.total("records_read"), 84);
    assert_eq!(report.total("groups"), 40);
    let causes = report.0["summary"]["causes"].as_array().unwrap();
    let extra = |cause: &serde_json::Value| cause["extra_records"].as_i64().unwrap();
    let found = causes.iter().find(|of| of["cause"] == "mirror-copy");
    // One copy of each in the topic is what the relay is for.
    assert_eq!(found.map(extra), Some(40), "{outcome}");
    assert_eq!(causes.iter().map(extra).sum::<i64>(), 44, "{outcome}");
    let of_three = report.groups().iter().filter(|group| group["count"] == 3);
    assert_eq!(of_three.count(), 4);
    let worst = &report.groups()[0]["records"];
    let topics = [0, 1, 2].map(|at| worst[at]["topic"].as_str().unwrap());
    assert_eq!(topics, ["payment", &topic, &topic]);
    assert_eq!(worst[1]["cause"], "mirror-copy");
    assert_ne!(worst[2]["cause"], "mirror-copy");
}
