//! The README's alerts over the metrics of real nights, as Prometheus itself judges them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::metrics::check_by_promtool;
use crate::support::{Outcome, Run, Workspace, or_skip};

const HOURS_A_NIGHT: u64 = 24;

/// Hours for which the metrics of the last night stay where they are scraped.
const HOURS_AFTER: u64 = 96;

/// Series of a textfile, and their values.
type Metrics = BTreeMap<String, String>;

/// What a night adds to the log.
#[derive(Clone, Copy)]
enum Night {
    Clean,
    Duplicates,
    /// A line that is no record.
    Incomplete,
    /// Duplicates, and the job is tried again.
    Retried,
}

use Night::{Clean, Duplicates, Incomplete, Retried};

/// Runs nights over a growing log; returns the metrics that each leaves.
fn run(nights: &[Night]) -> Vec<Metrics> {
    let workspace = Workspace::new();
    let mut log = "{\"id\":\"original\"}\n".to_owned();
    let mut all = Vec::new();
    for (number, night) in nights.iter().enumerate() {
        writeln!(log, "{{\"id\":\"night {number}\"}}").unwrap();
        log += match night {
            Clean => "",
            Duplicates | Retried => "{\"id\":\"original\"}\n",
            Incomplete => "no record\n",
        };
        // In place: the file stays the one that it is.
        fs::write(workspace.path().join("a.jsonl"), &log).unwrap();
        let code = match night {
            Clean => 0,
            Duplicates | Retried => 1,
            Incomplete => 3,
        };
        scan(&workspace, &["--new-for", "0"]).expect_code(code);
        if matches!(night, Retried) {
            scan(&workspace, &["--new-for", "20h"]).expect_code(code);
        }
        all.push(metrics(&workspace));
    }
    all
}

fn scan(workspace: &Workspace, options: &[&str]) -> Outcome {
    let always = [
        "scan", "a.jsonl", "--by", "id", "--state", "s", "-o", "n.prom",
    ];
    let arguments = always.iter().chain(options);
    workspace.dupaudit(arguments).run()
}

/// Returns each series with its value.
fn metrics(workspace: &Workspace) -> Metrics {
    let text = fs::read_to_string(workspace.path().join("n.prom")).unwrap();
    check_by_promtool(&text);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    samples
        .map(|(series, value)| (series.to_owned(), value.to_owned()))
        .collect()
}

/// Returns the series of these nights as they are scraped every hour.
fn scraped(nights: &[Metrics]) -> Vec<Value> {
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    for (night, metrics) in (0..).zip(nights) {
        let is_last = night + 1 == u64::try_from(nights.len()).unwrap();
        let hours = HOURS_A_NIGHT + if is_last { HOURS_AFTER } else { 0 };
        for (series, value) in metrics {
            let values = values.entry(series).or_insert_with(|| match night {
                0 => String::new(),
                before => format!("_x{} ", before * HOURS_A_NIGHT),
            });
            let is_time = series.starts_with("dupaudit_last_run_timestamp_seconds{");
            let began = (night * HOURS_A_NIGHT * 3600).to_string();
            let value = if is_time { &began } else { value };
            write!(values, "{value}x{} ", hours - 1).unwrap();
        }
    }
    let series = |(series, values)| json!({"series": series, "values": values});
    values.into_iter().map(series).collect()
}

fn rules() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let mut blocks = readme.split("```yaml\n").skip(1);
    let found = blocks.find_map(|block| {
        let (block, _) = block.split_once("```")?;
        block.contains("\ngroups:\n").then(|| block.to_owned())
    });
    found.expect("the README has rules")
}

fn promtool(workspace: &Workspace, arguments: &[&str]) {
    let outcome = Run::new("promtool", workspace.path(), arguments).run();
    outcome.expect_code(0);
}

/// Has Prometheus judge whether an alert fires at these hours.
fn expect_alerts(nights: &[Metrics], alert: &str, expected: &[(u64, bool)]) {
    let found = Command::new("promtool").arg("--version").output();
    if or_skip(found.map_err(|error| format!("no promtool: {error}"))).is_none() {
        return;
    }
    let expr = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}) or vector(0)");
    let at = |(hour, fires): &(u64, bool)| {
        json!({"expr": expr, "eval_time": format!("{hour}h"),
            "exp_samples": [{"labels": "{}", "value": u8::from(*fires)}]})
    };
    let test = json!({"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [{
        "interval": "1h", "input_series": scraped(nights),
        "promql_expr_test": expected.iter().map(at).collect::<Vec<Value>>()}]});
    let workspace = Workspace::new();
    workspace.write("rules.yml", rules());
    // JSON is YAML.
    workspace.write("test.yml", test.to_string());
    promtool(&workspace, &["check", "rules", "rules.yml"]);
    promtool(&workspace, &["test", "rules", "test.yml"]);
}

#[test]
fn an_alert_of_duplicates_outlives_the_clean_night_and_ends_by_itself() {
    let nights = run(&[Clean, Duplicates, Clean, Clean, Clean, Clean]);
    let expected = [
        (1, false),
        (23, false),
        // The night, the next clean one, and the third day.
        (25, true),
        (49, true),
        (94, true),
        (99, false),
        (140, false),
    ];
    expect_alerts(&nights, "DuplicatesFound", &expected);
    expect_alerts(&nights, "AuditIncomplete", &[(25, false), (99, false)]);
}

#[test]
fn what_the_first_night_finds_is_told_as_long() {
    let nights = run(&[Duplicates, Clean, Clean, Clean, Duplicates, Clean]);
    let expected = [
        (1, true),
        (25, true),
        (70, true),
        (80, false),
        (95, false),
        (98, true),
        (121, true),
        (180, false),
    ];
    expect_alerts(&nights, "DuplicatesFound", &expected);
}

#[test]
fn an_incomplete_night_is_told_as_long() {
    let nights = run(&[Incomplete, Clean, Clean, Clean, Incomplete, Clean]);
    let expected = [
        (1, true),
        (25, true),
        (80, false),
        (98, true),
        (121, true),
        (180, false),
    ];
    expect_alerts(&nights, "AuditIncomplete", &expected);
    expect_alerts(&nights, "DuplicatesFound", &[(1, false), (98, false)]);
}

#[test]
fn a_night_that_was_missed_is_told_until_there_is_one() {
    let nights = run(&[Clean, Clean]);
    // The second began at hour 24.
    let expected = [
        (1, false),
        (25, false),
        (49, false),
        (51, true),
        (110, true),
    ];
    expect_alerts(&nights, "AuditMissed", &expected);
    expect_alerts(&[], "AuditMissed", &[(1, true)]);
}

#[test]
fn counters_count_a_retry_once_and_what_is_known_not_at_all() {
    let found =
        |metrics: &Metrics| metrics["dupaudit_found_extra_records_total{audit=\"n\"}"].clone();
    let nights = run(&[Clean, Retried, Clean]);
    let counted: Vec<String> = nights.iter().map(found).collect();
    assert_eq!(counted, ["0", "1", "1"]);
    let of_cause = "dupaudit_cause_found_extra_records_total{audit=\"n\",cause=\"undetermined\"}";
    assert_eq!((&*nights[0][of_cause], &*nights[2][of_cause]), ("0", "1"));
    let workspace = Workspace::new();
    workspace.write("a.jsonl", "{\"id\":1}\n{\"id\":1}\n");
    let accept = ["--by", "id", "-o", "r.json"];
    workspace
        .dupaudit(["scan", "a.jsonl"].iter().chain(&accept))
        .run()
        .expect_code(1);
    let accept = ["baseline", "r.json", "-o", "k.toml", "--reason", "refunded"];
    workspace.dupaudit(accept).run().expect_code(0);
    scan(&workspace, &["--baseline", "k.toml"]).expect_code(0);
    assert_eq!(found(&metrics(&workspace)), "0");
}
