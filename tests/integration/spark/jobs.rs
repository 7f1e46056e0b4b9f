//! Jobs on files: reports, failures, and what is said of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::interrupted::signal;
use crate::spark::{PATIENCE, Spark, charges};
use crate::support::Workspace;

const FIELDS: [&str; 8] = [
    "--by",
    "charge_id",
    "--amount",
    "amount",
    "--currency",
    "currency",
    "--subject",
    "customer_id",
];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, &FIELDS, more].concat()
}

/// Writes logs whose copies lie within files and across them; one of them has damage too.
fn write_logs(workspace: &Workspace) -> [&'static str; 4] {
    workspace.write("a.jsonl", charges(0, 3_000, 10));
    workspace.write("b.jsonl", charges(2_000, 3_000, 7));
    workspace.write("c.jsonl", charges(0, 500, 3) + "{\"charge_id\":\n");
    workspace.write("empty.jsonl", "");
    ["a.jsonl", "b.jsonl", "c.jsonl", "empty.jsonl"]
}

#[test]
fn files_have_the_same_report_whoever_reads_them() {
    let Some(spark) = Spark::new() else {
        return;
    };
    let files = write_logs(&spark.workspace);
    let accept = "--allow-undecodable";
    let native = with(
        &files,
        &[accept, "1", "-o", "native.json", "-o", "native.csv"],
    );
    spark.native(&native).expect_code(1);
    let words = with(
        &files,
        &[accept, "1", "-o", "spark.json", "-o", "spark.csv"],
    );
    let run = spark.run("local[2]", &words).start();
    run.finish_within(PATIENCE).expect_code(1);
    assert_eq!(spark.findings("spark.json"), spark.findings("native.json"));
    let csv = |name: &str| fs::read_to_string(spark.workspace.path().join(name)).unwrap();
    assert_eq!(csv("spark.csv"), csv("native.csv"));
    spark.assert_tidy();
}

#[test]
fn a_split_that_cannot_be_read_is_named_and_the_rest_is_reported() {
    let Some(mut spark) = Spark::new() else {
        return;
    };
    let files = write_logs(&spark.workspace);
    // It goes after the plan was made, and before a task reads it.
    let real = spark.submit.display().to_string();
    let script = format!("#!/bin/sh\nrm -f b.jsonl\nexec '{real}' \"$@\"\n");
    spark.submit = spark.workspace.write("submit.sh", script);
    let executable = PermissionsExt::from_mode(0o700);
    fs::set_permissions(&spark.submit, executable).unwrap();
    let words = with(&files, &["-o", "spark.json"]);
    let python = real.replace("spark-submit", "python3");
    let run = spark.run("local[2]", &words).env("PYSPARK_PYTHON", &python);
    let outcome = run.start().finish_within(PATIENCE).expect_code(1);
    let report = spark.workspace.report("spark.json");
    assert!(!report.is_complete());
    let reasons = report.0["summary"]["incomplete_reasons"].to_string();
    assert!(reasons.contains("b.jsonl"), "{reasons}");
    assert!(report.total("extra_records") > 0);
    outcome.expect_stderr("b.jsonl");
}

#[test]
fn a_dry_run_shows_the_job_and_the_line_that_submits_it() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", charges(0, 10, 2));
    let engine = [
        "--engine",
        "spark",
        "--master",
        "yarn",
        "--spark-submit",
        "/opt/submit",
    ];
    let words = [
        &["scan", "a.jsonl", "--by", "charge_id", "--dry-run"][..],
        &engine,
    ];
    let outcome = workspace.dupaudit(words.concat()).run().expect_code(0);
    let line = outcome.stdout.lines().nth(1).unwrap();
    assert!(line.starts_with("/opt/submit --name dupaudit"), "{line}");
    assert!(line.contains("--master yarn"), "{line}");
    assert!(outcome.stdout.contains("def extract("), "{outcome}");
}

#[test]
fn a_spark_that_is_not_there_or_refuses_is_said() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", charges(0, 10, 2));
    let engine = ["--engine", "spark", "-o", "x.json", "--spark-submit"];
    let words = [&["scan", "a.jsonl", "--by", "charge_id"][..], &engine].concat();
    let missing = [&words[..], &["/none/spark-submit"]].concat();
    workspace
        .dupaudit(missing)
        .run()
        .expect_code(2)
        .expect_stderr("`/none/spark-submit` cannot be started")
        .expect_stderr("pip install pyspark");
    let refusing = workspace.write("submit.sh", "#!/bin/sh\necho x.Exception: no >&2\nexit 1\n");
    fs::set_permissions(&refusing, PermissionsExt::from_mode(0o700)).unwrap();
    let refusing = refusing.display().to_string();
    let outcome = workspace
        .dupaudit([&words[..], &[&refusing]].concat())
        .run()
        .expect_code(4)
        .expect_stderr("x.Exception: no");
    assert!(!workspace.path().join("x.json").exists(), "{outcome}");
}

#[test]
fn what_the_report_takes_is_looked_at_before_a_job_is_submitted() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", charges(0, 10, 2));
    let submit = workspace.write("submit.sh", "#!/bin/sh\ntouch submitted\nexit 1\n");
    fs::set_permissions(&submit, PermissionsExt::from_mode(0o700)).unwrap();
    let submit = submit.display().to_string();
    let words = ["scan", "a.jsonl", "--by", "charge_id", "--engine", "spark"];
    let words = [&words[..], &["--spark-submit", &submit]].concat();
    let submitted = workspace.path().join("submitted");
    for (missing, word) in [
        (&["--baseline", "none.json"][..], "none.json"),
        (
            &["--redact", "hash", "--redact-key", "none.key"],
            "none.key",
        ),
    ] {
        let outcome = workspace.dupaudit([&words[..], missing].concat()).run();
        let outcome = outcome.expect_code(2).expect_stderr(word);
        assert!(!submitted.exists(), "{outcome}");
    }
    workspace.dupaudit(&words).run().expect_code(4);
    assert!(submitted.exists());
}

#[test]
fn an_interrupted_job_ends_with_all_that_it_started() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", charges(0, 10, 2));
    let script = "#!/bin/sh\ntouch up\nsleep 600\n";
    let waiting = workspace.write("submit.sh", script);
    fs::set_permissions(&waiting, PermissionsExt::from_mode(0o700)).unwrap();
    let waiting = waiting.display().to_string();
    let words = [
        "scan",
        "a.jsonl",
        "--by",
        "charge_id",
        "-o",
        "x.json",
        "--engine",
        "spark",
    ];
    let words = [&words[..], &["--spark-submit", &waiting]].concat();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(workspace.path())
        .args(words)
        .env("TMPDIR", workspace.path())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !workspace.path().join("up").exists() {
        assert!(Instant::now() < deadline, "the job is not submitted");
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(&child, "INT");
    assert_eq!(crate::support::wait(&mut child, deadline), Some(4));
    let mut left: Vec<String> = fs::read_dir(workspace.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .collect();
    left.sort();
    assert_eq!(left, ["a.jsonl", "submit.sh", "up"]);
}
