//! Logs that grow, are rotated, replaced and left behind.

use std::fs;
use std::process::Command;

use crate::state::{append, files_of, lines, night, records, shown};
use crate::support::Workspace;

fn at(file: &str, line: u64) -> (String, Option<u64>) {
    (file.to_owned(), Some(line))
}

#[test]
fn a_copy_that_comes_the_next_day_is_found_in_both_files() {
    let workspace = Workspace::new();
    workspace.write("1.jsonl", records(&["a", "b", "c"]));
    night(&workspace, &["1.jsonl"], &[]).expect_code(0);
    workspace.write("2.jsonl", records(&["d", "b"]));
    night(&workspace, &["2.jsonl"], &[]).expect_code(1);
    assert_eq!(lines(&workspace), [[at("1.jsonl", 2), at("2.jsonl", 2)]]);
    let report = workspace.report("r.json");
    assert_eq!(
        (report.total("records_read"), report.is_complete()),
        (2, true)
    );
    assert_eq!(report.groups()[0]["identical"], true);
    // What is gone stands by what the state keeps.
    fs::remove_file(workspace.path().join("1.jsonl")).unwrap();
    workspace.write("3.jsonl", records(&["e", "c"]));
    night(&workspace, &["3.jsonl"], &["--new-for", "0"]).expect_code(1);
    let expected = [vec![("1.jsonl".to_owned(), None), at("3.jsonl", 2)]];
    let mut found = lines(&workspace);
    found[0].sort();
    assert_eq!(found, expected);
    let evidence = workspace.report("r.json").groups()[0]["evidence"].to_string();
    assert!(
        evidence.contains("not re-read: 1 record was gone"),
        "{evidence}"
    );
}

#[test]
fn only_what_was_appended_is_read_and_half_a_line_is_left_for_later() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b", "c", "d"]));
    night(&workspace, &["a.jsonl"], &[]).expect_code(0);
    append(
        &workspace,
        "a.jsonl",
        &format!("{}{{\"id\":\"c\"}}", records(&["e", "b"])),
    );
    night(&workspace, &["a.jsonl"], &[]).expect_code(1);
    let report = workspace.report("r.json");
    assert_eq!(report.total("records_read"), 3);
    let groups = [
        [at("a.jsonl", 2), at("a.jsonl", 6)],
        [at("a.jsonl", 3), at("a.jsonl", 7)],
    ];
    assert_eq!(lines(&workspace), groups);
    // The last line may have been half a record: it is read again with what follows.
    append(&workspace, "a.jsonl", &format!("\n{}", records(&["f"])));
    let outcome = night(&workspace, &["a.jsonl"], &[]).expect_code(1);
    assert!(
        outcome.stderr.contains("`a.jsonl`: read on from byte"),
        "{outcome}"
    );
    assert_eq!(workspace.report("r.json").total("records_read"), 2);
    assert_eq!(lines(&workspace), groups);
    night(&workspace, &["a.jsonl"], &["--new-for", "0"]).expect_code(0);
    assert_eq!(workspace.report("r.json").total("records_read"), 0);
}

#[test]
fn rows_of_csv_are_read_on_below_their_header() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "id,note\n1,\"two\nlines\"\n2,x\n3,y\n");
    night(&workspace, &["a.csv"], &[]).expect_code(0);
    append(&workspace, "a.csv", "4,z\n1,again\n");
    night(&workspace, &["a.csv"], &[]).expect_code(1);
    assert_eq!(lines(&workspace), [[at("a.csv", 2), at("a.csv", 7)]]);
    assert_eq!(workspace.report("r.json").total("records_read"), 2);
}

#[test]
fn a_finding_is_news_for_retries_and_a_group_that_grows_is_news_again() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b", "a"]));
    night(&workspace, &["a.jsonl"], &[]).expect_code(1);
    // The job is tried again, and must not lose what the first try found.
    night(&workspace, &["a.jsonl"], &[]).expect_code(1);
    assert_eq!(lines(&workspace), [[at("a.jsonl", 1), at("a.jsonl", 3)]]);
    let later = ["--new-for", "0"];
    night(&workspace, &["a.jsonl"], &later).expect_code(0);
    append(&workspace, "a.jsonl", &records(&["a", "c"]));
    night(&workspace, &["a.jsonl"], &later).expect_code(1);
    let report = workspace.report("r.json");
    let group = &report.groups()[0];
    assert_eq!(
        (&group["count"], &group["new_extra"]),
        (&3.into(), &1.into())
    );
    let state = shown(&workspace);
    assert_eq!(state["totals"]["extra_records"], 2);
    assert_eq!(state["totals"]["runs"], 4);
    assert_eq!(state["runs"][1]["extra_records"], 1);
    assert_eq!(state["runs"][1]["new_extra_records"], 0);
}

#[test]
fn logs_that_are_rotated_replaced_or_cut_off_are_told() {
    let workspace = Workspace::new();
    let both = ["a.log", "a.log.1"];
    workspace.write("a.log", records(&["a", "b"]));
    night(&workspace, &["a.log"], &[]).expect_code(0);
    append(&workspace, "a.log", &records(&["c"]));
    let folder = workspace.path();
    fs::rename(folder.join("a.log"), folder.join("a.log.1")).unwrap();
    workspace.write("a.log", records(&["d", "b"]));
    let outcome = night(&workspace, &both, &["--new-for", "0"]).expect_code(1);
    assert!(
        outcome.stderr.contains("`a.log.1`, which was `a.log`"),
        "{outcome}"
    );
    assert_eq!(workspace.report("r.json").total("records_read"), 3);
    let mut found = lines(&workspace);
    found[0].sort();
    assert_eq!(found, [[at("a.log", 2), at("a.log.1", 2)]]);
    // Written anew with the same beginning: read whole, and no copy of itself.
    fs::rename(folder.join("a.log"), folder.join("old")).unwrap();
    workspace.write("a.log", records(&["d", "b", "e", "f"]));
    let outcome = night(&workspace, &["a.log"], &["--new-for", "0"]).expect_code(0);
    assert!(outcome.stderr.contains("written anew"), "{outcome}");
    assert_eq!(workspace.report("r.json").total("records_read"), 4);
    // Cut off and filled with something else: what it held is gone, and still remembered.
    workspace.write("a.log", records(&["g", "e"]));
    let outcome = night(&workspace, &["a.log"], &["--new-for", "0"]).expect_code(1);
    assert!(outcome.stderr.contains("another file"), "{outcome}");
    assert_eq!(workspace.report("r.json").total("groups"), 1);
}

#[test]
fn a_log_that_is_copied_and_emptied_is_no_copy_of_itself() {
    let workspace = Workspace::new();
    fs::create_dir(workspace.path().join("logs")).unwrap();
    let rotate = |from: &str, to: &str, ids: &[&str]| {
        let [from, to] = [from, to].map(|name| workspace.path().join("logs").join(name));
        fs::copy(&from, to).unwrap();
        fs::write(from, records(ids)).unwrap();
    };
    let later = ["--new-for", "0"];
    workspace.write("logs/a.log", records(&["a", "b", "c"]));
    night(&workspace, &["logs"], &later).expect_code(0);
    append(&workspace, "logs/a.log", &records(&["d"]));
    rotate("a.log", "a.log.1", &["e", "f"]);
    let outcome = night(&workspace, &["logs"], &later).expect_code(0);
    let note = "`logs/a.log.1` is a copy of what was `logs/a.log` in an earlier run";
    assert!(outcome.stderr.contains(note), "{outcome}");
    // A night later the first copy has made room for the second.
    let logs = workspace.path().join("logs");
    fs::rename(logs.join("a.log.1"), logs.join("a.log.2")).unwrap();
    rotate("a.log", "a.log.1", &["g", "d", "f"]);
    night(&workspace, &["logs"], &later).expect_code(1);
    let groups = [
        [at("logs/a.log", 2), at("logs/a.log.2", 4)],
        [at("logs/a.log", 3), at("logs/a.log.1", 2)],
    ];
    let mut found = lines(&workspace);
    for group in &mut found {
        group.sort();
    }
    found.sort();
    assert_eq!(found, groups);
    // The same batch under another name is one: nothing says that it was moved.
    workspace.write("1.jsonl", records(&["x", "y"]));
    night(&workspace, &["1.jsonl"], &later).expect_code(0);
    fs::remove_file(workspace.path().join("1.jsonl")).unwrap();
    workspace.write("2.jsonl", records(&["x", "y"]));
    night(&workspace, &["2.jsonl"], &later).expect_code(1);
    assert_eq!(workspace.report("r.json").total("extra_records"), 2);
}

#[test]
fn compressed_files_are_read_whole_when_they_grow_and_nothing_is_found_twice() {
    let workspace = Workspace::new();
    let packed = |text: &str| {
        workspace.write("a.jsonl", text);
        let mut gzip = Command::new("gzip");
        gzip.arg("-nc").arg(workspace.path().join("a.jsonl"));
        let bytes = gzip.output().unwrap().stdout;
        let path = workspace.path().join("a.jsonl.gz");
        let mut all = fs::read(&path).unwrap_or_default();
        all.extend(bytes);
        fs::write(&path, all).unwrap();
    };
    let source = ["a.jsonl.gz"];
    packed(&records(&["a", "b", "a", "c"]));
    night(&workspace, &source, &["--new-for", "0"]).expect_code(1);
    let outcome = night(&workspace, &source, &["--new-for", "0"]).expect_code(0);
    assert!(
        outcome.stderr.contains("unchanged, and not read again"),
        "{outcome}"
    );
    workspace.write("b.jsonl", records(&["x", "c"]));
    night(&workspace, &["a.jsonl.gz", "b.jsonl"], &["--new-for", "0"]).expect_code(1);
    assert_eq!(lines(&workspace), [[at("a.jsonl.gz", 4), at("b.jsonl", 2)]]);
    packed(&records(&["d", "b"]));
    night(&workspace, &source, &["--new-for", "0"]).expect_code(1);
    assert_eq!(
        lines(&workspace),
        [[at("a.jsonl.gz", 2), at("a.jsonl.gz", 6)]]
    );
    night(&workspace, &source, &["--new-for", "0"]).expect_code(0);
    // Each record is remembered once.
    let entries = shown(&workspace)["entries"].clone();
    let entries = entries.as_array().unwrap().iter();
    assert_eq!(
        entries
            .map(|of| of["entries"].as_u64().unwrap())
            .sum::<u64>(),
        8
    );
}

#[test]
fn exports_that_overlap_hold_the_same_records() {
    let workspace = Workspace::new();
    let record = |offset: u64, id: &str| {
        format!(
            "{{\"topic\":\"t\",\"partition\":0,\"offset\":{offset},\"tstype\":\"create\",\
             \"ts\":{offset},\"broker\":1,\"headers\":[],\"key\":null,\
             \"payload\":\"{{\\\"id\\\":\\\"{id}\\\"}}\"}}\n"
        )
    };
    let write = |name: &str, all: &[(u64, &str)]| {
        let lines: String = all.iter().map(|(offset, id)| record(*offset, id)).collect();
        workspace.write(name, lines);
    };
    write("1.json", &[(0, "a"), (1, "b"), (2, "c")]);
    night(&workspace, &["1.json"], &[]).expect_code(0);
    write("2.json", &[(1, "b"), (2, "c"), (3, "d"), (4, "c")]);
    night(&workspace, &["2.json"], &[]).expect_code(1);
    let report = workspace.report("r.json");
    assert_eq!(report.groups().len(), 1);
    assert_eq!(report.groups()[0]["count"], 2);
}

#[test]
fn no_value_of_a_record_is_in_the_state() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["key-of-a", "key-of-b", "key-of-a"]));
    night(&workspace, &["a.jsonl"], &["--redact", "hash"]).expect_code(1);
    let dir = workspace.path().join("s");
    for name in files_of(&dir) {
        let bytes = fs::read(dir.join(&name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("key-of") && !text.contains("value of"),
            "{name}: {text}"
        );
    }
    night(&workspace, &["a.jsonl"], &["--redact", "hash"]).expect_code(1);
    let report = fs::read_to_string(workspace.path().join("r.json")).unwrap();
    assert!(!report.contains("key-of"), "{report}");
}

#[test]
fn a_small_memory_and_many_records_give_the_same() {
    let workspace = Workspace::new();
    let ids = |from: u64, to: u64| {
        let lines: Vec<String> = (from..to)
            .map(|id| format!("{{\"id\":\"{id}\"}}\n"))
            .collect();
        lines.concat()
    };
    let little = ["--memory", "16M", "--threads", "2", "--new-for", "0"];
    workspace.write("a.jsonl", ids(0, 300_000));
    night(&workspace, &["a.jsonl"], &little).expect_code(0);
    append(&workspace, "a.jsonl", &ids(299_990, 600_000));
    night(&workspace, &["a.jsonl"], &little).expect_code(1);
    assert_eq!(workspace.report("r.json").total("extra_records"), 10);
    append(&workspace, "a.jsonl", &ids(5, 8));
    night(&workspace, &["a.jsonl"], &little).expect_code(1);
    let found = [[at("a.jsonl", 6), at("a.jsonl", 600_011)]];
    assert_eq!(lines(&workspace)[..1], found);
    assert_eq!(workspace.report("r.json").total("groups"), 3);
}

#[test]
fn logs_that_have_a_new_name_every_night_do_not_fill_the_state() {
    let workspace = Workspace::new();
    let night_of = |number: usize, code: i32| {
        let name = format!("log.{number}.jsonl");
        let copied = number.saturating_sub(1).to_string();
        let ids = [number.to_string(), copied];
        workspace.write(&name, records(&[&ids[0], &ids[1]]));
        let options = ["--new-for", "0", "--look-back", "0"];
        night(&workspace, &[&name], &options).expect_code(code);
        name
    };
    // One that stays where it is is known, however long ago it was read.
    workspace.write("kept.jsonl", records(&["kept"]));
    night(&workspace, &["kept.jsonl"], &[]).expect_code(0);
    for number in 0..20 {
        // The night before is remembered, though its log is gone.
        let name = night_of(number, 1);
        fs::remove_file(workspace.path().join(name)).unwrap();
        let shown = shown(&workspace);
        let known = shown["files"].as_array().unwrap();
        assert!(known.len() <= 3, "{known:?}");
        assert!(known.iter().any(|file| file["path"] == "kept.jsonl"));
    }
    let again = night(&workspace, &["kept.jsonl"], &["--new-for", "0"]).expect_code(0);
    assert!(
        again.stderr.contains("unchanged") || again.stderr.contains("read on"),
        "{again}"
    );
}

#[test]
fn a_log_is_read_on_after_a_night_in_another_working_directory() {
    let workspace = Workspace::new();
    let forget = ["--new-for", "0", "--look-back", "0"];
    for folder in ["a", "b"] {
        fs::create_dir(workspace.path().join(folder)).unwrap();
    }
    workspace.write("a/kept.jsonl", records(&["kept"]));
    workspace.write("b/1.jsonl", records(&["1"]));
    workspace.write("b/2.jsonl", records(&["2"]));
    let night_in = |folder: &str, file: &str| {
        let always = ["--by", "id", "--state", "../s", "-o", "../r.json"];
        let arguments = [&["scan", file], &always[..], &forget].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
            .current_dir(workspace.path().join(folder))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    night_in("a", "kept.jsonl");
    // Nothing that was read of the first log is remembered by the last of these.
    for file in ["1.jsonl", "2.jsonl", "1.jsonl"] {
        night_in("b", file);
    }
    let known = shown(&workspace)["files"].to_string();
    assert!(known.contains("kept.jsonl"), "{known}");
    let again = night_in("a", "kept.jsonl");
    assert!(
        again.contains("unchanged") || again.contains("read on"),
        "{again}"
    );
}
