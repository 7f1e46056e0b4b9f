//! What is inside values: payloads that real serializers wrote, in files and topics.

mod registry;

use std::path::{Path, PathBuf};

use crate::support::report::Report;
use crate::support::{Outcome, Workspace};
use registry::Registry;

const LOGIN: &str = "schema.registry.basic.auth.user.info=@login";

fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fixtures/values").join(name)
}

/// Scans by `charge_id` with the credentials of the registry at hand.
fn scan(workspace: &Workspace, sources: &[&str], options: &[&str]) -> Outcome {
    workspace.write("login", "user:hunter2\n");
    let fields = ["--by", "charge_id", "-o", "values.json"];
    let all = ["scan"].iter().chain(sources).chain(&fields).chain(options);
    workspace.dupaudit(all).run()
}

fn segment() -> String {
    fixture("charges-0").display().to_string()
}

/// Returns the dedup keys of the groups with the offsets of their records, sorted.
fn groups(report: &Report) -> Vec<(String, Vec<i64>)> {
    let groups = report.places_by("value.charge_id").into_iter();
    groups
        .map(|(key, places)| (key, places.iter().map(|(_, _, offset)| *offset).collect()))
        .collect()
}

fn expected_groups() -> Vec<(String, Vec<i64>)> {
    let group = |key: &str, offsets: [i64; 2]| (key.to_owned(), offsets.to_vec());
    vec![
        group("ch_2", [1, 3]),
        group("ch_4", [4, 6]),
        group("ch_6", [7, 9]),
    ]
}

#[cfg(feature = "protobuf")]
#[test]
fn avro_protobuf_and_json_schema_are_read_with_a_folder_and_with_a_registry() {
    let registry = Registry::start(&fixture("schemas"), &[]);
    let folder = fixture("schemas").display().to_string();
    let workspace = Workspace::new();
    for options in [
        &["--schemas", &*folder][..],
        &["-r", &registry.url, "-X", LOGIN],
    ] {
        scan(&workspace, &[&segment()], options).expect_code(1);
        let report = workspace.report("values.json");
        assert_eq!(groups(&report), expected_groups());
        assert_eq!(report.total("records_audited"), 10);
        assert_eq!(report.total("conflicting_groups"), 0);
        assert!(report.is_complete());
        let line = report.0["header"]["command_line"].to_string();
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_group_is_explained_by_what_is_inside_its_values() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("fixtures/cases/values-by-schema-id");
    let registry = Registry::start(&folder, &[]);
    let workspace = Workspace::new();
    workspace.write(
        "export.txt",
        std::fs::read(folder.join("export.jsonl")).unwrap(),
    );
    scan(
        &workspace,
        &["export.txt"],
        &["-r", &registry.url, "-X", LOGIN],
    )
    .expect_code(1);
    let report = workspace.report("values.json");
    let id = report.0["groups"][2]["id"].as_str().unwrap();
    let explain = ["explain", "--report", "values.json", "--show-values"];
    let group = ["--group", id, "-X", LOGIN];
    let outcome = workspace.dupaudit(explain.iter().chain(&group)).run();
    let outcome = outcome.expect_code(0);
    assert!(outcome.stdout.contains(r#""amount":4"#), "{outcome}");
    assert!(outcome.stdout.contains(r#""amount":5"#), "{outcome}");
}

#[test]
fn schemas_that_the_registry_lacks_are_counted_and_named() {
    let registry = Registry::start(&fixture("schemas"), &[1, 2, 3]);
    let workspace = Workspace::new();
    let options = ["-r", &registry.url, "-X", LOGIN];
    let outcome = scan(&workspace, &[&segment()], &options).expect_code(1);
    let report = workspace.report("values.json");
    assert_eq!(groups(&report), expected_groups()[2..]);
    assert_eq!(report.skipped("undecodable"), 7);
    assert!(!report.is_complete());
    let reason = format!(
        "of all of them: schema 1 is not in the registry at {0} (3 records); schema 3 is not in \
         the registry at {0} (3 records); schema 2 is not in the registry at {0} (1 record)",
        registry.url
    );
    assert!(outcome.stderr.contains(&reason), "{outcome}");
    let empty = Registry::start(&fixture("schemas"), &[1, 2, 3, 4]);
    let options = ["-r", &empty.url, "-X", LOGIN];
    scan(&workspace, &[&segment()], &options).expect_code(3);
}

#[test]
fn a_registry_that_refuses_ends_the_scan() {
    let registry = Registry::start(&fixture("schemas"), &[]);
    let workspace = Workspace::new();
    scan(&workspace, &[&segment()], &["-r", &registry.url])
        .expect_code(4)
        .expect_stderr("refuses the credentials (401)");
}

#[cfg(all(feature = "kafka", feature = "protobuf"))]
#[test]
fn a_topic_of_three_languages_is_read_whole() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rdkafka::producer::BaseRecord;

    use crate::support::{broker, cluster};

    let Some(cluster) = broker::shared() else {
        return;
    };
    let topic = cluster.create_topic("values", 1, &[]);
    let lines = std::fs::read_to_string(fixture("records.jsonl")).unwrap();
    let producer = cluster.producer(&[]);
    for line in lines.lines().take(10) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let payload = STANDARD.decode(line["payload"].as_str().unwrap()).unwrap();
        let record = BaseRecord::<[u8], [u8]>::to(&topic).partition(0);
        producer.send(record.payload(&payload)).unwrap();
    }
    cluster::flush(&producer);
    let registry = Registry::start(&fixture("schemas"), &[]);
    let workspace = Workspace::new();
    let sources = ["-b", &cluster.bootstrap, "-t", &topic];
    scan(&workspace, &sources, &["-r", &registry.url, "-X", LOGIN]).expect_code(1);
    let report = workspace.report("values.json");
    assert_eq!(groups(&report), expected_groups());
    assert_eq!(report.total("conflicting_groups"), 0);
    assert!(report.is_complete());

    // Java clients keep the registry's properties among their own.
    let properties = format!(
        "bootstrap.servers={}\nschema.registry.url={}\nbasic.auth.credentials.source=USER_INFO\n\
         basic.auth.user.info=@login\n",
        cluster.bootstrap, registry.url
    );
    workspace.write("client.properties", properties);
    let sources = ["-F", "client.properties", "-t", &topic];
    scan(&workspace, &sources, &[]).expect_code(1);
    assert_eq!(groups(&workspace.report("values.json")), expected_groups());
}
