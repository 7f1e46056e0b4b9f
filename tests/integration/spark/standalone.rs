//! A standalone cluster of one master and two workers on this machine.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupted::signal;
use crate::spark::{PATIENCE, Spark, charges};
use crate::support::{free_ports, is_soak, wait};

/// A process of the cluster; it ends with the test.
struct Daemon(Child);

impl Daemon {
    fn start(spark: &Spark, name: &str, words: &[&str]) -> Self {
        let folder = spark.workspace.path();
        let log = File::create(folder.join(format!("{name}.log"))).unwrap();
        let program = spark.submit.with_file_name("spark-class");
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(folder)
            .env("SPARK_LOCAL_DIRS", folder.join("local"))
            .env("PYSPARK_PYTHON", spark.submit.with_file_name("python3"))
            .stdout(Stdio::null())
            .stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        signal(&self.0, "TERM");
        wait(&mut self.0, Instant::now() + Duration::from_secs(20));
    }
}

fn wait_for(log: &Path, fragment: &str, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(log).unwrap().matches(fragment).count() < count {
        assert!(
            Instant::now() < deadline,
            "{} lacks `{fragment}`",
            log.display()
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_standalone_cluster_gives_the_same_report() {
    if !is_soak() {
        return;
    }
    let Some(spark) = Spark::new() else {
        return;
    };
    let folder = spark.workspace.path();
    fs::create_dir_all(folder.join("local")).unwrap();
    let [port] = free_ports().unwrap();
    let port = port.to_string();
    let master = "org.apache.spark.deploy.master.Master";
    let at = ["--host", "127.0.0.1", "--webui-port", "0"];
    let words = [&[master][..], &at, &["--port", &port]].concat();
    let _master = Daemon::start(&spark, "master", &words);
    let log = folder.join("master.log");
    wait_for(&log, "I have been elected leader", 1);
    let url = format!("spark://127.0.0.1:{port}");
    let worker = "org.apache.spark.deploy.worker.Worker";
    let size = ["--cores", "1", "--memory", "1g"];
    let _workers = ["one", "two"].map(|name| {
        let place = folder.join(name).display().to_string();
        let words = [&[worker][..], &at, &size, &["--work-dir", &place, &url]];
        Daemon::start(&spark, name, &words.concat())
    });
    wait_for(&log, "Registering worker", 2);
    let mut words = Vec::new();
    for number in 0..6 {
        let name = format!("{number}.jsonl");
        spark
            .workspace
            .write(&name, charges(number * 4_000, 6_000, 11));
        words.push(name);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let with = |report| [&words[..], &["--by", "charge_id", "-o", report]].concat();
    spark.native(&with("native.json")).expect_code(1);
    let run = spark.run(&url, &with("spark.json")).start();
    run.finish_within(PATIENCE).expect_code(1);
    assert_eq!(spark.findings("spark.json"), spark.findings("native.json"));
    spark.assert_tidy();
}
