//! Runs that are killed at any moment: the next neither loses a finding nor repeats one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::state::{append, shown, start};
use crate::support::{Workspace, is_soak};

const OPTIONS: [&str; 5] = ["--new-for", "0", "--threads", "1", "-q"];

/// Groups by id, with the lines of their records.
type Found = BTreeMap<String, Vec<u64>>;

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (number ^ (number >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11
}

fn runs(workspace: &Workspace) -> u64 {
    if !workspace.path().join("s/manifest").exists() {
        return 0;
    }
    shown(workspace)["totals"]["runs"].as_u64().unwrap()
}

fn found(workspace: &Workspace) -> Found {
    let report = workspace.report("r.json");
    let groups = report.groups().iter().map(|group| {
        let id = group["key"]["value.id"].as_str().unwrap().to_owned();
        let records = group["records"].as_array().unwrap().iter();
        let mut lines: Vec<u64> = records.map(|of| of["line"].as_u64().unwrap()).collect();
        lines.sort_unstable();
        (id, lines)
    });
    groups.collect()
}

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_comes_twice() {
    let kills_wanted = if is_soak() { 200 } else { 30 };
    let workspace = Workspace::new();
    let (mut kills, mut nights, mut lines) = (0, 0, 0);
    let mut all: Found = Found::new();
    let mut known: Found = Found::new();
    let mut usual = Duration::from_millis(50);
    while kills < kills_wanted {
        nights += 1;
        let mut text = String::new();
        for number in 0..40 {
            lines += 1;
            // Some come again, from this night or one of the last ones.
            let back = mixed(lines * 7 + number) % 60;
            let id = if back < 6 {
                lines.saturating_sub(back * 9)
            } else {
                lines
            };
            all.entry(id.to_string()).or_default().push(lines);
            writeln!(text, "{{\"id\":\"{id}\"}}").unwrap();
        }
        append(&workspace, "a.jsonl", &text);
        let before = runs(&workspace);
        for attempt in 0.. {
            drop(fs::remove_file(workspace.path().join("r.json")));
            let started = Instant::now();
            let mut run = start(&workspace, &["a.jsonl"], &OPTIONS);
            if attempt < 3 && kills < kills_wanted {
                let moment = mixed(nights * 31 + attempt)
                    % (u64::try_from(usual.as_micros()).unwrap() * 11 / 10);
                thread::sleep(Duration::from_micros(moment));
                if run.try_wait().unwrap().is_none() {
                    kills += 1;
                }
                drop(run.kill());
            }
            let is_over = run.wait().unwrap().code().is_some();
            if is_over {
                usual = started.elapsed();
            }
            if runs(&workspace) == before {
                assert!(!is_over, "a run that ended has not been");
                continue;
            }
            // The run has been, so its report is there and whole.
            for (id, lines) in found(&workspace) {
                assert_ne!(known.get(&id), Some(&lines), "{id} comes twice");
                known.insert(id, lines);
            }
            break;
        }
        assert_eq!(runs(&workspace), before + 1);
    }
    all.retain(|_, lines| lines.len() > 1);
    assert!(all.len() > 20, "{}", all.len());
    assert_eq!(known, all, "after {kills} kills in {nights} nights");
}
