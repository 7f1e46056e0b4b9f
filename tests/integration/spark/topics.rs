//! Jobs on topics of a real broker, on executors that are killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::spark::{PATIENCE, Spark, charges};
use crate::support::Running;
use crate::support::broker;
use crate::support::cluster::{Cluster, flush, send};

/// What nobody may find anywhere.
const SECRET: &str = "hunter2-of-the-cluster";

/// Makes a topic whose partitions share charges; it takes seconds to read at [`RATE`].
fn topic(cluster: &Cluster) -> String {
    let topic = cluster.create_topic("cluster", 3, &[]);
    // Of one batch all would be read at once.
    let producer = cluster.producer(&[("batch.size", "40000")]);
    for (line, number) in charges(0, 36_000, 9).lines().zip(0..) {
        send(&producer, &topic, number % 3, line);
    }
    flush(&producer);
    topic
}

/// Bytes a second that a task reads: a partition takes about five seconds.
const RATE: &str = "200KB/s";

/// A process, by what `/proc` knows.
fn words_of(process: u32) -> String {
    let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

fn parent_of(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok()
}

/// Returns the processes that read for a job in this folder.
fn readers(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let processes = fs::read_dir("/proc").unwrap();
    let processes = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_reader = |process: &u32| {
        let words = words_of(*process);
        words.contains(" extract ") && words.contains(&folder) && !words.contains("--suspects")
    };
    processes.filter(is_reader).collect()
}

/// Kills the executor that a reader works for, while it reads.
fn kill_an_executor(run: &Running, folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(
            !run.is_over() && Instant::now() < deadline,
            "no executor reads"
        );
        let Some(reader) = readers(folder).into_iter().next() else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        // It has connected and reads by then; it would read for seconds more.
        thread::sleep(Duration::from_millis(500));
        let mut ancestor = parent_of(reader);
        while let Some(process) = ancestor {
            if words_of(process).contains("CoarseGrainedExecutorBackend") {
                let killed = Command::new("kill")
                    .args(["-9", &process.to_string()])
                    .status();
                assert!(killed.unwrap().success());
                return;
            }
            ancestor = parent_of(process);
        }
    }
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_topic_has_the_same_report_though_an_executor_is_killed_and_no_secret_is_shown() {
    let (Some(cluster), Some(spark)) = (broker::shared(), Spark::new()) else {
        return;
    };
    let topic = topic(&cluster);
    let folder = spark.workspace.path();
    spark.workspace.write("secret", SECRET);
    fs::create_dir(folder.join("events")).unwrap();
    let sources = ["-b", &cluster.bootstrap, "-t", &topic, "--by", "charge_id"];
    let secret = ["-X", "sasl.password=@secret"];
    let native = [&sources[..], &secret, &["-o", "native.json"]].concat();
    spark.native(&native).expect_code(1);

    let events = format!("spark.eventLog.dir=file://{}/events", folder.display());
    let plain = "spark.eventLog.compress=false";
    let logged = [
        "--conf",
        "spark.eventLog.enabled=true",
        "--conf",
        plain,
        "--conf",
        &events,
    ];
    let slow = ["--max-rate", RATE, "-o", "spark.json"];
    let words = [&sources[..], &secret, &slow, &logged].concat();
    let run = spark.run("local-cluster[2,1,1024]", &words).start();
    kill_an_executor(&run, folder);
    run.finish_within(PATIENCE).expect_code(1);
    assert_eq!(spark.findings("spark.json"), spark.findings("native.json"));

    let events = all_files(&folder.join("events"));
    let lost = |path: &PathBuf| {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        assert!(!text.contains(SECRET), "{}", path.display());
        text.contains("SparkListenerExecutorRemoved")
    };
    assert!(
        events.iter().filter(|path| lost(path)).count() > 0,
        "{events:?}"
    );
}
