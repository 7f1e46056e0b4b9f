//! Reports whose place is taken, or wanted by another.

use std::fs;
use std::os::unix::fs::symlink;

use super::{YESTERDAY, log, scan_under, workspace};

#[test]
fn a_link_in_the_place_of_the_report_is_not_followed() {
    let workspace = workspace(100);
    workspace.write("elsewhere.json", YESTERDAY);
    symlink("elsewhere.json", workspace.path().join("link.json")).unwrap();
    let options = ["log.jsonl", "-o", "link.json"];
    let outcome = scan_under("true", &workspace, &options);
    assert!(matches!(outcome.exit_code, Some(2 | 4)), "{outcome}");
    assert!(outcome.stderr.contains("link.json"), "{outcome}");
    let kept = fs::read_to_string(workspace.path().join("elsewhere.json")).unwrap();
    assert_eq!(kept, YESTERDAY);
}

#[test]
fn of_two_that_write_one_report_at_once_one_wins_whole() {
    let workspace = workspace(3_000);
    workspace.write("other.jsonl", log(1_000));
    for _ in 0..10 {
        let start = |name: &str| {
            let arguments = ["scan", name, "--by", "charge_id", "-o", "x.json"];
            workspace.dupaudit(arguments).start()
        };
        let both = ["log.jsonl", "other.jsonl"].map(start);
        for running in both {
            running.finish().expect_code(1);
        }
        let report = workspace.report("x.json");
        let path = report.0["coverage"]["files"][0]["path"].as_str().unwrap();
        let groups = if path.contains("other") { 100 } else { 300 };
        assert_eq!(report.groups().len(), groups, "{path}");
        assert_eq!(report.total("groups"), i64::try_from(groups).unwrap());
    }
    // Logs, the report, and the folder: nothing is left behind.
    assert_eq!(super::count_files(workspace.path()), 4);
}
