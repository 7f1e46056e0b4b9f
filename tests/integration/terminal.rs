//! Runs on a real terminal: nothing moves the cursor but the program itself, and lines fit.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use crate::support::picture::svg;
use crate::support::{Outcome, Run, Workspace};

/// What a terminal obeys, or what hides or turns text.
const EVIL: [&str; 9] = [
    "\u{1b}[2J",
    "\u{1b}]0;title\u{7}",
    "\u{9b}31m",
    "\r",
    "\u{7}",
    "\u{8}",
    "\u{7f}",
    "\u{202e}",
    "\u{2066}",
];

/// What follows each of them, to see whether it has come through.
const MARK: &str = "HOSTILE";

/// What the progress line sends to draw itself again.
const PROGRESS: [&str; 3] = ["\r", "\u{1b}[2K", "\u{1b}[1A"];

/// The file of what a terminal has shown so far.
const SHOWN: &str = "shown";

/// Returns a run of a shell's line on a terminal that takes newlines as they are.
fn on_terminal(workspace: &Workspace, columns: usize, line: &str) -> Run {
    let script = format!("stty cols {columns} rows 50 -opost && {line}");
    let program = Path::new(env!("CARGO_BIN_EXE_dupaudit")).parent().unwrap();
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Run::new("script", workspace.path(), ["-qefc", &script, SHOWN])
        .env("PATH", &path)
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .env(
            "HOSTILE",
            &EVIL.map(|evil| format!("{evil}{MARK}")).concat(),
        )
}

/// A log of each kind with hostile names, keys, values, fields, topics and broken lines.
fn hostile() -> Workspace {
    let workspace = Workspace::new();
    fs::create_dir(workspace.path().join("logs")).unwrap();
    let (mut plain, mut topic) = (String::new(), String::new());
    for (number, evil) in EVIL.iter().enumerate() {
        let text = format!("{evil}{MARK}");
        for offset in [2 * number, 2 * number + 1] {
            let mut value = json!({"id": text, "customer": text, "currency": text, "amount": 1,
                "attempt": offset});
            value[&text] = json!(text);
            writeln!(plain, "{value}").unwrap();
            let record = json!({"topic": text, "partition": 0, "offset": offset,
                "tstype": "create", "ts": 1_768_444_200_000_u64, "broker": 0,
                "headers": [text, text], "key": text, "payload": value.to_string()});
            writeln!(topic, "{record}").unwrap();
        }
        fs::write(
            workspace.path().join("logs").join(format!("{text}.jsonl")),
            &plain,
        )
        .unwrap();
    }
    workspace.write("logs/topic.jsonl", topic);
    workspace.write(
        "broken.jsonl",
        EVIL.map(|evil| format!("{{{evil}{MARK}\n")).concat(),
    );
    workspace
}

/// Nothing of the data came through, and nothing is sent but `allowed`, headings and newlines.
fn assert_harmless(outcome: &Outcome, allowed: &[&str]) {
    let raw = &outcome.stdout;
    assert!(raw.contains(MARK), "nothing hostile was shown: {outcome}");
    for evil in EVIL {
        let passed = format!("{evil}{MARK}");
        assert!(!raw.contains(&passed), "{passed:?} came through: {raw:?}");
    }
    let own = ["\u{1b}[1m", "\u{1b}[0m"];
    let mut rest = raw.clone();
    for sent in own.iter().chain(allowed) {
        rest = rest.replace(sent, "");
    }
    let sent = rest
        .chars()
        .find(|&sent| (sent.is_control() && sent != '\n') || EVIL.contains(&&*sent.to_string()));
    assert_eq!(sent, None, "{raw:?}");
}

#[test]
fn hostile_data_neither_moves_the_cursor_nor_changes_colours() {
    let workspace = hostile();
    for (code, line) in [
        (
            1,
            "dupaudit scan logs --by id --subject customer --amount amount --currency currency \
             --show-values -o r.json",
        ),
        (
            3,
            "dupaudit scan logs/topic.jsonl broken.jsonl --by nothing",
        ),
        (2, "dupaudit scan logs --by \"value[\\\"$HOSTILE\\\"]\""),
        (0, "dupaudit report r.json"),
        (0, "dupaudit diff r.json r.json"),
        (0, "dupaudit suggest logs"),
        (2, "dupaudit scan \"$HOSTILE\" --by id"),
        (2, "dupaudit scan logs --by \"$HOSTILE\""),
        (2, "dupaudit scan logs --by id --where \"$HOSTILE\""),
        (2, "dupaudit scan logs --by id --from \"$HOSTILE\""),
        (2, "dupaudit scan logs --by id \"--$HOSTILE\""),
        (2, "dupaudit \"$HOSTILE\""),
        (2, "dupaudit report \"$HOSTILE\""),
    ] {
        let line = format!("unset NO_COLOR; {line}");
        let outcome = on_terminal(&workspace, 80, &line).run().expect_code(code);
        assert_harmless(&outcome, &PROGRESS);
    }
}

#[test]
fn the_progress_line_shows_hostile_names_harmlessly_and_is_gone_at_the_end() {
    let workspace = hostile();
    let records = "{\"id\":\"no duplicate of the others\"}\n".repeat(200_000);
    workspace.write("large.jsonl", records);
    // The input ends once there has been something to see.
    let wait =
        format!("for _ in $(seq 400); do grep -q '[0-9]/s' {SHOWN} && break; sleep 0.05; done");
    let line = format!("(cat large.jsonl; {wait}) | dupaudit scan - logs --by id --top 9");
    let outcome = on_terminal(&workspace, 80, &line).run().expect_code(1);
    assert!(
        outcome.stdout.contains("records, "),
        "no progress: {outcome}"
    );
    assert!(outcome.stdout.contains("/s"), "no rate: {outcome}");
    assert_harmless(&outcome, &PROGRESS);
    let report = outcome.stdout.rsplit(PROGRESS[1]).next().unwrap();
    assert!(
        report.trim_start().starts_with("DUPLICATES"),
        "the line is still there: {outcome}"
    );
}

#[test]
fn lines_fit_into_the_terminal_and_there_are_no_colours_where_none_are_wanted() {
    let workspace = hostile();
    let scan = "dupaudit scan logs --by id --subject customer --amount amount --currency currency";
    for columns in [60, 80, 120] {
        let line = format!("{scan} 2>messages");
        let outcome = on_terminal(&workspace, columns, &line).run().expect_code(1);
        assert_harmless(&outcome, &[]);
        assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
        for line in outcome.stdout.lines() {
            assert!(line.width() <= columns, "{columns}: {line}");
        }
        let bold = format!("unset NO_COLOR; {line}");
        let outcome = on_terminal(&workspace, columns, &bold).run().expect_code(1);
        assert!(outcome.stdout.contains("\u{1b}[1mDUPLICATES\u{1b}[0m"));
    }
}

#[test]
fn a_hint_follows_the_report_unless_the_run_is_quiet() {
    let workspace = hostile();
    let scan = "dupaudit scan logs --by nothing --top 0";
    let shown = on_terminal(&workspace, 80, scan)
        .run()
        .expect_code(3)
        .stdout;
    let report = shown.find("INCOMPLETE").unwrap();
    let hint = shown.find("  hint: ").unwrap();
    assert!(report < hint, "{shown}");
    assert_eq!(shown.matches("  hint: ").count(), 1, "{shown}");
    let quiet = on_terminal(&workspace, 80, &format!("{scan} -q")).run();
    assert!(!quiet.stdout.contains("hint"), "{quiet}");
}

#[test]
fn the_picture_of_the_readme_is_what_the_terminal_shows() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = Workspace::new();
    let fixtures = workspace.path().join("fixtures");
    fs::create_dir(&fixtures).unwrap();
    let examples = package.join("fixtures/examples");
    std::os::unix::fs::symlink(examples, fixtures.join("examples")).unwrap();
    let command = "dupaudit scan fixtures/examples/charges.kcat.jsonl --by charge_id \\\n    \
                   --amount amount --currency currency --subject customer_id --top 3";
    let line = format!("unset NO_COLOR; {command} 2>messages");
    let outcome = on_terminal(&workspace, 100, &line).run().expect_code(1);
    let picture = svg(&format!("$ {command}\n{}", outcome.stdout), 100);
    let path = package.join("fixtures/pictures/terminal.svg");
    if std::env::var("DUPAUDIT_PICTURES").is_ok_and(|value| value == "1") {
        fs::write(&path, &picture).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == picture,
        "`DUPAUDIT_PICTURES=1 cargo test --test integration terminal` makes {} again",
        path.display()
    );
}
