//! `--memory` bounds the whole process, whatever it reads: the most that was ever resident.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::workspace;
use crate::support::{self, Workspace, is_soak};

/// The limit of all these scans, in MiB, and what may be resident: 1.15 of it.
const LIMIT: &str = "64M";
const RESIDENT_KIB_MAX: u64 = 64 * 1024 * 115 / 100;

/// Scans `file`, standard input where it is `-`, and returns the most KiB that were resident.
fn peak_kib(workspace: &Workspace, file: &str, input: Option<&Path>) -> u64 {
    let input = input.map_or(Stdio::null(), |path| fs::File::open(path).unwrap().into());
    let mut child = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .current_dir(workspace.path())
        .env("TMPDIR", workspace.path().join("aside"))
        .args(["scan", file, "--by", "charge_id", "--memory", LIMIT, "-q"])
        .args(["--threads", "8", "--top", "0", "-o", "x.json"])
        .stdin(input)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = support::peak_kib(&child).unwrap_or(peak);
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
    peak
}

/// Returns so many records: a third have one dedup key, a third are there twice.
fn records(count: usize) -> String {
    let mut log = String::new();
    for number in 0..count {
        let charge = match number % 3 {
            0 => 0,
            1 => number,
            _ => number / 6,
        };
        let padding = "x".repeat(number % 90);
        writeln!(log, r#"{{"charge_id":"ch_{charge}","note":"{padding}"}}"#).unwrap();
    }
    log
}

#[test]
fn memory_bounds_the_process_whatever_it_reads() {
    let count = if is_soak() { 6_000_000 } else { 150_000 };
    let workspace = workspace(1);
    let log = records(count);
    let plain = workspace.write("plain.jsonl", &log);
    let gzip = fs::File::create(workspace.path().join("packed.jsonl.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(gzip, flate2::Compression::fast());
    gzip.write_all(log.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let zstd = zstd::encode_all(log.as_bytes(), 1).unwrap();
    workspace.write("packed.jsonl.zst", zstd);
    let parts = log.as_bytes().chunks(200_000);
    let frames = parts.flat_map(|part| zstd::encode_all(part, 1).unwrap());
    workspace.write("frames.jsonl.zst", frames.collect::<Vec<u8>>());
    let mut csv = "charge_id,note\n".to_owned();
    for line in log.lines() {
        let cells = line.trim_matches(['{', '}']).replace("\"charge_id\":", "");
        writeln!(csv, "{}", cells.replace("\"note\":", "")).unwrap();
    }
    workspace.write("rows.csv", csv);
    drop(log);
    let files = [
        "plain.jsonl",
        "packed.jsonl.gz",
        "packed.jsonl.zst",
        "frames.jsonl.zst",
        "rows.csv",
    ];
    let mut peaks: Vec<(&str, u64)> = files
        .map(|file| (file, peak_kib(&workspace, file, None)))
        .into();
    peaks.push(("-", peak_kib(&workspace, "-", Some(&plain))));
    for (file, peak) in peaks {
        assert!(peak > 0, "{file}: nothing was measured");
        assert!(peak <= RESIDENT_KIB_MAX, "{file}: {peak} KiB");
    }
}
