//! An audit in parts: what several processes extract and one merges is the report of one scan.

mod planned;
mod refusals;
#[cfg(feature = "kafka")]
mod topics;

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Outcome, Workspace};

/// How a scan in parts is asked for, and what came of it.
pub(crate) struct Shards<'a> {
    pub(crate) workspace: &'a Workspace,
    /// Options of all parts.
    pub(crate) options: &'a [&'a str],
}

impl Shards<'_> {
    fn arguments(&self, words: &[&str], sources: &[String]) -> Vec<String> {
        let words = words.iter().chain(self.options).map(ToString::to_string);
        words.chain(sources.iter().cloned()).collect()
    }

    /// Scans all sources at once, into `native.json` and `native.csv`.
    pub(crate) fn scan(&self, sources: &[String]) -> Outcome {
        let outputs = ["scan", "-o", "native.json", "-o", "native.csv"];
        self.workspace
            .dupaudit(self.arguments(&outputs, sources))
            .run()
    }

    pub(crate) fn extract(&self, folder: &str, sources: &[String], more: &[&str]) -> Outcome {
        let words = [&["extract", "-o", folder], more].concat();
        self.workspace
            .dupaudit(self.arguments(&words, sources))
            .run()
    }

    pub(crate) fn merge(&self, folders: &[String]) -> Outcome {
        let outputs = ["merge", "-o", "merged.json", "-o", "merged.csv"];
        let words = outputs.iter().map(ToString::to_string);
        self.workspace
            .dupaudit(words.chain(folders.iter().cloned()))
            .run()
    }

    /// Does by hand what there is to do until the report is there.
    #[track_caller]
    pub(crate) fn by_hand(&self, shards: &[Vec<String>]) -> Outcome {
        let folders: Vec<String> = (0..shards.len())
            .map(|shard| format!("shard-{shard}"))
            .collect();
        for (folder, sources) in folders.iter().zip(shards) {
            self.extract(folder, sources, &[]).expect_code(0);
        }
        let backwards: Vec<String> = folders.iter().rev().cloned().collect();
        let merged = self.merge(&backwards);
        if merged.exit_code != Some(4) {
            return merged;
        }
        for (folder, sources) in folders.iter().zip(shards) {
            if merged.stderr.contains(&format!("of `{folder}`")) {
                let suspects = format!("{folder}/suspects.run");
                self.extract(folder, sources, &["--suspects", &suspects])
                    .expect_code(0);
            }
        }
        self.merge(&folders)
    }

    /// Holds that the report in parts is that of one scan, to the byte.
    #[track_caller]
    pub(crate) fn expect_same(&self, merged: &Outcome, native: &Outcome) {
        assert_eq!(merged.exit_code, native.exit_code, "{merged}");
        let path = self.workspace.path();
        assert_same(path, "native.json", "merged.json");
        let [native, merged] = ["native.csv", "merged.csv"].map(|name| read(path, name));
        assert_eq!(native, merged);
    }
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// All but the header is the same; the header comes first.
#[track_caller]
fn assert_same(folder: &Path, native: &str, merged: &str) {
    let [native, merged] = [native, merged].map(|name| {
        let text = read(folder, name);
        text[text.find("\"summary\"").unwrap()..].to_owned()
    });
    let differs = native
        .lines()
        .zip(merged.lines())
        .find(|(left, right)| left != right);
    assert_eq!(differs, None);
    assert_eq!(native.len(), merged.len());
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Five logs with copies across them, some of them changed.
fn logs(workspace: &Workspace) -> Vec<String> {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut files = Vec::new();
    for file in 0..5 {
        let mut text = String::new();
        for line in 0..400 {
            let (id, seconds, note) = (next(900), next(100_000), next(3));
            let time = 1_768_444_200_000 + 1000 * seconds;
            let kind = if next(9) == 0 { "refund" } else { "charge" };
            let broken = if line > 150 && next(90) == 0 { "{" } else { "" };
            text.push_str(broken);
            let record = json!({"id": id, "t": time, "kind": kind, "amount": line.to_string(),
                "who": format!("w{note}")});
            text.push_str(&record.to_string());
            text.push('\n');
        }
        let name = format!("log-{file}.jsonl");
        workspace.write(&name, text);
        files.push(name);
    }
    files
}

#[test]
fn parts_in_any_order_make_the_report_of_one_scan() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    for options in [
        &["--by", "id"][..],
        &[
            "--by",
            "id",
            "--map",
            "timestamp=t:ms",
            "--amount",
            "amount",
            "--subject",
            "who",
            "--reversal",
            "value.kind == 'refund'",
            "--where",
            "value.amount != 'x'",
        ],
        &[
            "--by",
            "id,who",
            "--map",
            "timestamp=t:ms",
            "--within",
            "1h",
            "--ignore",
            "none",
        ][..6],
    ] {
        let shards = Shards {
            workspace: &workspace,
            options,
        };
        let native = shards.scan(&files);
        let native = native.expect_code(1);
        let parts = |parts: &[&[usize]]| -> Vec<Vec<String>> {
            let of = |part: &&[usize]| part.iter().map(|file| files[*file].clone()).collect();
            parts.iter().map(of).collect()
        };
        for parts in [
            parts(&[&[0, 1, 2, 3, 4]]),
            parts(&[&[4, 1], &[0, 2, 3]]),
            parts(&[&[3], &[1], &[0], &[4], &[2]]),
        ] {
            let merged = shards.by_hand(&parts);
            shards.expect_same(&merged, &native);
        }
    }
}

#[test]
fn parts_of_other_formats_make_the_same_report_too() {
    let formats = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/formats");
    for name in [
        "charges.jsonl",
        "charges.csv",
        "charges.kcat.jsonl",
        "charges.console-4.0.txt",
        "charges.dump-3.3.txt",
        "charges.logfmt",
        "charges.array.json",
        "charges.otel.json",
        "charges.zstandard.avro",
        #[cfg(feature = "parquet")]
        "charges.parquet",
        "charges-0",
    ] {
        let workspace = Workspace::new();
        let shards = Shards {
            workspace: &workspace,
            options: &["--by", "charge_id"],
        };
        let sources = [
            names(&[&format!("{formats}/charges.pretty.json")]),
            names(&[&format!("{formats}/{name}")]),
        ];
        let native = shards.scan(&sources.concat());
        let native = native.expect_code(1);
        let merged = shards.by_hand(&sources);
        shards.expect_same(&merged, &native);
    }
}

#[test]
fn records_that_two_parts_export_are_one() {
    let workspace = Workspace::new();
    let line = |offset: u64, id: &str| {
        let payload = json!({ "id": id }).to_string();
        let line = json!({"topic": "t", "partition": 0, "offset": offset, "tstype": "create",
            "ts": offset, "key": null, "payload": payload});
        format!("{line}\n")
    };
    let export = |offsets: std::ops::Range<u64>, id: &dyn Fn(u64) -> String| -> String {
        offsets.map(|offset| line(offset, &id(offset))).collect()
    };
    workspace.write(
        "a.jsonl",
        export(0..60, &|offset| format!("{}", offset % 50)),
    );
    workspace.write(
        "b.jsonl",
        export(40..99, &|offset| format!("{}", offset % 50)),
    );
    // One of them holds other bytes.
    workspace.write("c.jsonl", export(55..58, &|_| "changed".to_owned()));
    let shards = Shards {
        workspace: &workspace,
        options: &["--by", "id"],
    };
    let native = shards.scan(&names(&["a.jsonl", "b.jsonl", "c.jsonl"]));
    let native = native.expect_code(1);
    let merged = shards.by_hand(&[
        names(&["c.jsonl"]),
        names(&["b.jsonl"]),
        names(&["a.jsonl"]),
    ]);
    shards.expect_same(&merged, &native);
    let report = workspace.report("merged.json");
    assert!(report.total("records_read") > 0 && !report.is_complete());
}
