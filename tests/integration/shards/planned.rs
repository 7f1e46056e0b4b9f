//! Tasks of one plan, each step a process of its own, as a cluster runs them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::shards::{Shards, logs};
use crate::support::Workspace;

/// Writes a plan of these tasks: that of one process, cut.
fn plan(shards: &Shards<'_>, files: &[String], tasks: &Value) {
    shards.extract("planned", files, &[]).expect_code(0);
    let folder = shards.workspace.path();
    let text = fs::read_to_string(folder.join("planned/plan.json")).unwrap();
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    plan["tasks"] = tasks.clone();
    fs::write(folder.join("plan.json"), plan.to_string()).unwrap();
}

fn extract(shards: &Shards<'_>, task: usize, more: &[&str], folder: &str) {
    let number = task.to_string();
    let words = [
        &["--plan", "plan.json", "--task", &number, "--parts", "4"],
        more,
    ]
    .concat();
    shards.extract(folder, &[], &words).expect_code(0);
}

/// Returns all files of a folder with their bytes.
fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Takes the parts of all tasks to one folder each, and compares them.
fn shuffle(workspace: &Workspace, tasks: &[usize]) {
    for part in 0..4 {
        let runs = format!("radix-{part}");
        fs::create_dir_all(workspace.path().join(&runs)).unwrap();
        for task in tasks {
            let from = format!("task-{task}/part-{part:03}.run");
            let to = format!("{runs}/task-{task}.run");
            fs::rename(workspace.path().join(from), workspace.path().join(to)).unwrap();
        }
        let out = format!("suspects-{part}");
        let arguments = ["merge", "--stage", "suspects", "-o", &out, &runs];
        workspace.dupaudit(arguments).run().expect_code(0);
    }
}

fn second_pass(shards: &Shards<'_>, task: usize) {
    let suspects = (0..4).map(|part| format!("suspects-{part}/task-{task}.run"));
    let is_there = |path: &String| shards.workspace.path().join(path).is_file();
    let suspects: Vec<String> = suspects.filter(is_there).collect();
    let words: Vec<&str> = suspects
        .iter()
        .flat_map(|path| ["--suspects", path])
        .collect();
    if !words.is_empty() {
        extract(shards, task, &words, &format!("task-{task}"));
    }
}

fn merge(workspace: &Workspace, folders: &[&str]) -> crate::support::Outcome {
    let words = [
        "merge",
        "--plan",
        "plan.json",
        "-o",
        "merged.json",
        "-o",
        "merged.csv",
    ];
    workspace.dupaudit(words.iter().chain(folders)).run()
}

const OPTIONS: [&str; 4] = ["--by", "id", "--map", "timestamp=t:ms"];

#[test]
fn tasks_of_one_plan_make_the_report_of_one_scan() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    let shards = Shards {
        workspace: &workspace,
        options: &OPTIONS,
    };
    let native = shards.scan(&files);
    plan(&shards, &files, &json!([[3, 0], [4], [1, 2]]));
    for task in 0..3 {
        extract(&shards, task, &[], &format!("task-{task}"));
    }
    // A task that is run again leaves the same bytes.
    let first = files_of(&workspace.path().join("task-2"));
    extract(&shards, 2, &[], "task-2");
    assert_eq!(first, files_of(&workspace.path().join("task-2")));

    shuffle(&workspace, &[0, 1, 2]);
    for task in [2, 0, 1] {
        second_pass(&shards, task);
    }
    let merged = merge(&workspace, &["task-2", "task-0", "task-1"]);
    shards.expect_same(&merged, &native);

    // No task's second pass may be left out, nor what one is told of a part.
    let path = |name: &str| workspace.path().join(name);
    for (left_out, named) in [
        (&[0, 1, 2][..], &["task 0", "task 1", "task 2"][..]),
        (&[0], &["task 0 in `task-0`"]),
        (&[1], &["task 1 in `task-1`"]),
        (&[1, 2], &["task 1 in `task-1`, task 2 in `task-2`"]),
    ] {
        for task in left_out {
            fs::remove_file(path(&format!("task-{task}/revisit.json"))).unwrap();
        }
        let merged = merge(&workspace, &["task-2", "task-0", "task-1"]);
        let merged = merged.expect_code(4);
        for name in named {
            assert!(merged.stderr.contains(name), "{merged}");
        }
        for task in left_out {
            second_pass(&shards, *task);
        }
    }
    fs::rename(path("suspects-3/task-1.run"), path("kept.run")).unwrap();
    second_pass(&shards, 1);
    let merged = merge(&workspace, &["task-0", "task-1", "task-2"]);
    let merged = merged.expect_code(4);
    assert!(
        merged.stderr.contains("for one of: task 1 in `task-1`"),
        "{merged}"
    );
    fs::rename(path("kept.run"), path("suspects-3/task-1.run")).unwrap();
    second_pass(&shards, 1);
    let merged = merge(&workspace, &["task-2", "task-0", "task-1"]);
    shards.expect_same(&merged, &native);

    let missing = merge(&workspace, &["task-2", "task-0"]);
    let missing = missing.expect_code(2);
    assert!(
        missing.stderr.contains("task 1 of the plan is not there"),
        "{missing}"
    );
    merge(&workspace, &["task-2", "task-0", "task-1", "task-1"]).expect_code(2);
}

#[test]
fn tasks_that_keep_their_fingerprints_are_compared_by_the_merge() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    let shards = Shards {
        workspace: &workspace,
        options: &OPTIONS,
    };
    let native = shards.scan(&files);
    plan(&shards, &files, &json!([[3, 0], [4, 1, 2]]));
    for task in [0, 1] {
        extract(&shards, task, &[], &format!("task-{task}"));
    }
    for task in [0, 1] {
        let merged = merge(&workspace, &["task-0", "task-1"]);
        let merged = merged.expect_code(4);
        let folder = format!("task-{task}");
        assert!(
            merged.stderr.contains(&format!("of `{folder}`")),
            "{merged}"
        );
        let suspects = format!("{folder}/suspects.run");
        extract(&shards, task, &["--suspects", &suspects], &folder);
    }
    let merged = merge(&workspace, &["task-0", "task-1"]);
    shards.expect_same(&merged, &native);
}

#[test]
fn a_task_that_nobody_could_do_leaves_the_report_incomplete() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    let shards = Shards {
        workspace: &workspace,
        options: &OPTIONS,
    };
    plan(&shards, &files, &json!([[0, 1], [2], [3, 4]]));
    for task in [0, 2] {
        extract(&shards, task, &[], &format!("task-{task}"));
    }
    fs::create_dir(workspace.path().join("task-1")).unwrap();
    workspace.write("task-1/failed", "it was killed four times\n");
    shuffle(&workspace, &[0, 2]);
    second_pass(&shards, 0);
    second_pass(&shards, 2);
    merge(&workspace, &["task-0", "task-1", "task-2"]).expect_code(1);
    let report = workspace.report("merged.json");
    assert!(!report.is_complete());
    assert_eq!(report.total("records_read"), 1600);
    let text = fs::read_to_string(workspace.path().join("merged.json")).unwrap();
    assert!(text.contains("log-2.jsonl: not read: it was killed four times"));

    // The same of a second pass.
    for name in ["found.run", "gone.run", "revisit.json"] {
        fs::remove_file(workspace.path().join("task-2").join(name)).unwrap();
    }
    workspace.write("task-2/failed", "no such host");
    merge(&workspace, &["task-0", "task-1", "task-2"]).expect_code(1);
    let text = fs::read_to_string(workspace.path().join("merged.json")).unwrap();
    assert!(text.contains("log-4.jsonl: not read again: no such host"));
}
