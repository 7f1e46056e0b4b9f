//! Runs that are stopped, or come late, and clocks that are wrong: what follows finds the rest.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::interrupted::{signal, wait_until_signals_are_caught};
use crate::state::{append, files_of, lines, night, records, shown, start};
use crate::support::{Workspace, wait};

const LATER: [&str; 2] = ["--new-for", "0"];

fn extra_in_state(workspace: &Workspace) -> u64 {
    shown(workspace)["totals"]["extra_records"]
        .as_u64()
        .unwrap()
}

#[test]
fn a_run_that_is_stopped_is_gone_on_from_where_it_was() {
    // More of them where the machine is so quick that each run was over before its signal.
    let is_one_stopped = [900_000, 3_600_000, 14_400_000].into_iter().any(|records| {
        let moments = (0..4).map(|number| Duration::from_millis(number * 60));
        let stopped = moments.filter(|&moment| is_stopped_and_gone_on_from(records, moment));
        stopped.count() > 0
    });
    assert!(is_one_stopped, "no run was stopped");
}

/// Returns whether a run over so many records was stopped by a signal at that moment; whether or
/// not, it and the next one together read and find everything once.
fn is_stopped_and_gone_on_from(records: u64, moment: Duration) -> bool {
    let extra_records = records / 1000;
    let workspace = Workspace::new();
    let little = [
        "--threads",
        "1",
        "--memory",
        "16M",
        "--new-for",
        "0",
        "--look-back",
        "0",
    ];
    // Some ids come again half the file further on: on the other side of a stop, or not.
    let id = |number: u64| {
        let is_copy = number.is_multiple_of(500) && number >= records / 2;
        number - if is_copy { records / 2 } else { 0 }
    };
    let line = |number: u64| format!("{{\"id\":\"{}\"}}\n", id(number));
    let text: String = (0..records).map(line).collect();
    // The originals of the first copies are read before, and are remembered for as long as there is
    // a rest: a run that is stopped does not end the look-back.
    let before: String = text.split_inclusive('\n').take(1000).collect();
    workspace.write("a.jsonl", &before);
    night(&workspace, &["a.jsonl"], &little).expect_code(0);
    append(&workspace, "a.jsonl", &text[before.len()..]);
    let mut child = start(&workspace, &["a.jsonl"], &little);
    wait_until_signals_are_caught(&child);
    thread::sleep(moment);
    signal(&child, "INT");
    let code = wait(&mut child, Instant::now() + Duration::from_mins(1));
    assert!(matches!(code, Some(1 | 3)), "{code:?} after {moment:?}");
    let first = workspace.report("r.json");
    let is_stopped = !first.is_complete();
    let records = i64::try_from(records).unwrap() - 1000;
    if is_stopped {
        assert!(first.total("records_read") < records);
    }
    let rest = night(&workspace, &["a.jsonl"], &little);
    let second = workspace.report("r.json");
    assert!(second.is_complete(), "{rest}");
    let sum = |name| first.total(name) + second.total(name);
    assert_eq!(sum("records_read"), records, "after {moment:?}");
    let found = u64::try_from(sum("extra_records")).unwrap();
    assert_eq!(found, extra_records, "after {moment:?}");
    assert_eq!(extra_in_state(&workspace), extra_records);
    is_stopped
}

#[test]
fn nights_that_were_missed_do_not_shorten_the_look_back() {
    let workspace = Workspace::new();
    let options = ["--new-for", "0", "--look-back", "1s"];
    workspace.write("a.jsonl", records(&["a", "b", "c"]));
    night(&workspace, &["a.jsonl"], &options).expect_code(0);
    // Nothing ran for longer than the look-back; the copy may have come at its beginning.
    thread::sleep(Duration::from_millis(1500));
    append(&workspace, "a.jsonl", &records(&["d", "b"]));
    night(&workspace, &["a.jsonl"], &options).expect_code(1);
    assert_eq!(lines(&workspace).len(), 1);
    // What was read longer than that before the last run is forgotten.
    append(&workspace, "a.jsonl", &records(&["c"]));
    night(&workspace, &["a.jsonl"], &options).expect_code(0);
}

#[test]
fn a_clock_that_was_set_back_loses_nothing_and_is_told() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b"]));
    night(&workspace, &["a.jsonl"], &[]).expect_code(0);
    let path = workspace.path().join("s/manifest");
    let text = fs::read_to_string(&path).unwrap();
    let (_, json) = text.split_once('\n').unwrap();
    let mut manifest: Value = serde_json::from_str(json).unwrap();
    let start = &mut manifest["history"]["runs"][0]["started_at_millis"];
    // The last run was ten years from now.
    *start = (start.as_i64().unwrap() + 315_360_000_000).into();
    let json = manifest.to_string();
    let sum = xxh3_64(json.as_bytes());
    fs::write(&path, format!("dupaudit-state 1 {sum:016x}\n{json}")).unwrap();
    append(&workspace, "a.jsonl", &records(&["c"]));
    let outcome = night(&workspace, &["a.jsonl"], &[]).expect_code(0);
    assert!(
        outcome.stderr.contains("the clock is behind the run of 20"),
        "{outcome}"
    );
    append(&workspace, "a.jsonl", &records(&["d", "c"]));
    night(&workspace, &["a.jsonl"], &[]).expect_code(1);
    assert_eq!(workspace.report("r.json").total("extra_records"), 1);
}

#[test]
fn a_full_disk_keeps_the_state_as_it_was_and_is_not_filled_by_it() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b"]));
    night(&workspace, &["a.jsonl"], &LATER).expect_code(0);
    let dir = workspace.path().join("s");
    let before = (files_of(&dir), fs::read(dir.join("manifest")).unwrap());
    let ids: Vec<String> = (0..20_000).map(|id| id.to_string()).collect();
    let more = records(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    append(&workspace, "a.jsonl", &format!("{}{more}", records(&["b"])));
    // Files of at most 256 blocks of 512 bytes stand for a disk without room.
    let binary = env!("CARGO_BIN_EXE_dupaudit");
    let script = format!(
        "trap '' XFSZ; ulimit -f 256; exec {binary} scan a.jsonl --by id --state s --new-for 0"
    );
    let run = Command::new("sh")
        .current_dir(workspace.path())
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(4), "{run:?}");
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(told.contains("cannot write the state in `s`"), "{told}");
    let after = (files_of(&dir), fs::read(dir.join("manifest")).unwrap());
    assert_eq!(after, before);
    night(&workspace, &["a.jsonl"], &LATER).expect_code(1);
    assert_eq!(workspace.report("r.json").total("extra_records"), 1);
}
