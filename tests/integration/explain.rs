//! One group of a report, its records read again from files.

use crate::support::Workspace;

fn kcat_line(offset: i64, timestamp: i64, id: &str, attempt: i64) -> String {
    let place = format!(r#""topic":"charges","partition":1,"offset":{offset},"ts":{timestamp}"#);
    let value = format!(r#"{{\"id\":\"{id}\",\"attempt\":{attempt}}}"#);
    let rest = r#""tstype":"create","headers":["h","1"],"key":"cus_9""#;
    format!("{{{place},{rest},\"payload\":\"{value}\"}}\n")
}

const AT: i64 = 1_768_444_867_218;

fn export() -> String {
    kcat_line(40, AT, "ch_1", 1)
        + &kcat_line(41, AT, "ch_2", 1)
        + &kcat_line(52, AT, "ch_1", 1)
        + &kcat_line(53, AT + 1_500, "ch_1", 2)
}

fn scanned(name: &str, contents: impl AsRef<[u8]>) -> Workspace {
    let workspace = Workspace::new();
    workspace.write(name, contents);
    let arguments = ["scan", name, "--by", "id", "-o", "r.json", "-q"];
    workspace.dupaudit(arguments).run().expect_code(1);
    workspace
}

fn explain(workspace: &Workspace, more: &[&str]) -> crate::support::Outcome {
    let arguments = ["explain", "--report", "r.json", "--group", "g_"];
    workspace.dupaudit(arguments.iter().chain(more)).run()
}

#[test]
fn copies_stand_side_by_side() {
    let workspace = scanned("log.jsonl", export());
    let shown = explain(&workspace, &[]).expect_code(0).stdout;
    let rows = "
                ORIGINAL                 EXTRA 1       EXTRA 2
coordinates     charges-1@40             charges-1@52  charges-1@53
file            log.jsonl:1              log.jsonl:3   log.jsonl:4
distance                                 +12 offsets   +13 offsets, +1.500 s
CreateTime UTC  2026-01-15 02:41:07.218  =             02:41:08.718
key             cus_9                    =             =
headers         1 header                 =             =
value           25 B                     =             25 B, differs
attempt                                  =             differs
";
    assert!(shown.contains(rows), "{shown}");
    assert!(shown.contains("CAUSE       producer-retry"), "{shown}");
    assert!(shown.contains("CAUSE       application-resend"), "{shown}");
    // Each extra has the evidence of its own cause, not that of its group.
    for evidence in ["CreateTime is the same to", "CreateTime is 1.500 s later"] {
        assert!(shown.contains(evidence), "{evidence}: {shown}");
    }
    assert!(
        shown.contains("see it      sed -n '1p;3p;4p' log.jsonl"),
        "{shown}"
    );
    assert!(
        !shown.contains("read again") && !shown.contains("{\"id\""),
        "{shown}"
    );
}

#[test]
fn what_the_group_does_not_need_is_said() {
    let workspace = scanned("log.jsonl", export());
    workspace.write("other.jsonl", export());
    let more = ["log.jsonl", "other.jsonl", "-b", "localhost:1"];
    explain(&workspace, &more)
        .expect_code(0)
        .expect_stderr("`-b` is not used: the group's records are in files")
        .expect_stderr("`other.jsonl` is not read: the report has no record of the group there");
}

#[test]
fn values_are_shown_where_asked_for() {
    let workspace = scanned("log.jsonl", export());
    let shown = explain(&workspace, &["--show-values"])
        .expect_code(0)
        .stdout;
    for line in [
        "attempt         1                        =             2",
        "{\"id\":\"ch_1\",\"attempt\":1}",
        "{\"id\":\"ch_1\",\"attempt\":2}",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[test]
fn records_that_are_gone_or_replaced_are_said_so() {
    let workspace = scanned("log.jsonl", export());
    let lines = [
        kcat_line(40, AT, "ch_3", 1),
        kcat_line(41, AT, "ch_2", 1),
        kcat_line(53, AT, "ch_1", 2),
    ];
    workspace.write("log.jsonl", lines.concat());
    let shown = explain(&workspace, &[]).expect_code(0).stdout;
    let row = "read again      other dedup key now      another copy now  gone";
    assert!(shown.contains(row), "{shown}");
}

#[test]
fn a_file_that_moved_is_named_anew_and_one_that_is_missing_is_an_error() {
    let workspace = scanned("log.jsonl", export());
    std::fs::rename(
        workspace.path().join("log.jsonl"),
        workspace.path().join("moved.jsonl"),
    )
    .unwrap();
    explain(&workspace, &[])
        .expect_code(2)
        .expect_stderr("`log.jsonl` does not exist");
    let shown = explain(&workspace, &["moved.jsonl"]).expect_code(0).stdout;
    assert!(shown.contains("sed -n '1p;3p;4p' moved.jsonl"), "{shown}");
    assert!(!shown.contains("read again"), "{shown}");
}

#[test]
fn of_many_copies_the_first_are_shown() {
    let lines: Vec<String> = (0..9).map(|n| format!("{{\"id\":7,\"n\":{n}}}")).collect();
    let workspace = scanned("log.jsonl", lines.join("\n"));
    let shown = explain(&workspace, &[]).expect_code(0).stdout;
    assert!(shown.contains("and 3 more"), "{shown}");
    assert!(shown.contains("log.jsonl:6"), "{shown}");
    assert!(!shown.contains("log.jsonl:7"), "{shown}");
}

#[test]
fn dedup_keys_stay_hidden_where_the_report_hides_them() {
    let workspace = Workspace::new();
    workspace.write("log.jsonl", export());
    let arguments = [
        "scan",
        "log.jsonl",
        "--by",
        "id",
        "--redact",
        "hash",
        "-o",
        "r.json",
    ];
    workspace.dupaudit(arguments).run().expect_code(1);
    let shown = explain(&workspace, &[]).expect_code(0).stdout;
    assert!(
        !shown.contains("ch_1") && !shown.contains("cus_9"),
        "{shown}"
    );
    assert!(!shown.contains("read again"), "{shown}");
}

#[test]
fn standard_input_is_not_read_again_but_a_file_with_it_is() {
    let workspace = Workspace::new();
    let arguments = ["scan", "-", "--by", "id", "-o", "r.json"];
    let scan = workspace.dupaudit(arguments).stdin(export());
    scan.run().expect_code(1);
    let shown = explain(&workspace, &[]).expect_code(0).stdout;
    assert!(shown.contains("not read: stdin"), "{shown}");
    workspace.write("kept.jsonl", export());
    let shown = explain(&workspace, &["kept.jsonl"]).expect_code(0).stdout;
    assert!(!shown.contains("read again"), "{shown}");
}

#[test]
fn what_is_no_such_report_or_group_is_the_users_fault() {
    let workspace = scanned("log.jsonl", export());
    let with = |report: &str, group: &str| {
        let arguments = ["explain", "--report", report, "--group", group];
        workspace.dupaudit(arguments).run().expect_code(2)
    };
    with("r.json", "g_zz").expect_stderr("no group `g_zz`");
    with("missing.json", "g_").expect_stderr("missing.json");
    with("log.jsonl", "g_").expect_stderr("no JSON report of dupaudit");
    workspace.write("newer.json", r#"{"schema_version": 2}"#);
    with("newer.json", "g_").expect_stderr("schema_version 2");
}
