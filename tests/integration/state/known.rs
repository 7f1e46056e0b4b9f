//! A state and a baseline together: what is accepted stays known, the rest is news for a while.

use crate::state::{append, night, records};
use crate::support::Workspace;

/// Returns the groups and extra records that are new, and the groups that are known.
fn standing(workspace: &Workspace) -> [i64; 3] {
    let report = workspace.report("r.json");
    ["new_groups", "new_extra_records", "known_groups"].map(|name| report.total(name))
}

#[test]
fn what_a_baseline_accepts_stays_known_and_the_rest_is_news_for_a_while() {
    let workspace = Workspace::new();
    workspace.write("a.jsonl", records(&["a", "b", "a"]));
    let scan = ["scan", "a.jsonl", "--by", "id", "-o", "r.json"];
    workspace.dupaudit(scan).run().expect_code(1);
    let accept = ["baseline", "r.json", "-o", "k.toml", "--reason", "refunded"];
    workspace.dupaudit(accept).run().expect_code(0);
    let known = ["--baseline", "k.toml"];
    let known_later = ["--baseline", "k.toml", "--new-for", "0"];
    night(&workspace, &["a.jsonl"], &known).expect_code(0);
    assert_eq!(standing(&workspace), [0, 0, 1]);
    append(&workspace, "a.jsonl", &records(&["c", "b"]));
    // A retry of the second night tells again what the first try told.
    for _ in 0..2 {
        night(&workspace, &["a.jsonl"], &known).expect_code(1);
        assert_eq!(standing(&workspace), [1, 1, 1]);
        let report = workspace.report("r.json");
        let by = report.groups().iter().map(|group| &group["known_by"]);
        assert_eq!(by.filter(|by| *by == "baseline").count(), 1);
    }
    night(&workspace, &["a.jsonl"], &known_later).expect_code(0);
    assert_eq!(standing(&workspace), [0, 0, 0]);
    // Beyond what was accepted it is news.
    append(&workspace, "a.jsonl", &records(&["a"]));
    night(&workspace, &["a.jsonl"], &known_later).expect_code(1);
    assert_eq!(standing(&workspace), [1, 1, 0]);
}
