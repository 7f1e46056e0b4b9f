//! The README's commands are run, and what they print is what it shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{Run, Workspace};

/// Commands that are shown but cannot be run by a test: they run this one, or install.
const NOT_RUN: [&str; 5] = [
    "cargo test",
    ".ci/run",
    "cargo install",
    "git clone",
    "cargo build",
];

/// Long options in the README that are other programs'.
const OF_OTHER_PROGRAMS: [&str; 9] = [
    "--all-targets",
    "--check",
    "--document-private-items",
    "--failed",
    "--no-deps",
    "--now",
    "--path",
    "--print-data-log",
    "--release",
];

/// Address of the broker in the README; a real one stands in for it.
const BROKER: &str = "kafka-1:9092";

/// A command of a `console` block, and the lines that it is shown to print.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    command: String,
    output: Vec<String>,
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the commands of all `console` blocks, in order.
fn shown_commands(readme: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let (mut is_inside, mut is_continued) = (false, false);
    for line in readme.lines() {
        if line.starts_with("```") {
            is_inside = line == "```console";
        } else if is_continued {
            let last = &mut shown.last_mut().unwrap().command;
            last.push('\n');
            last.push_str(line);
            is_continued = line.ends_with('\\');
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_inside) {
            is_continued = command.ends_with('\\');
            shown.push(Shown {
                command: command.to_owned(),
                output: Vec::new(),
            });
        } else if is_inside {
            let last = shown.last_mut().expect("a console block starts with `$ `");
            last.output.push(line.to_owned());
        }
    }
    shown
}

/// Returns whether the lines are as shown: `…` stands for any text of a line, and alone on a line
/// for any lines.
fn matches(shown: &[String], actual: &[&str]) -> bool {
    match (shown.split_first(), actual.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first.trim() == "…" => {
            (0..=actual.len()).any(|skipped| matches(rest, &actual[skipped..]))
        }
        (Some((first, rest)), Some((line, following))) => {
            line_matches(first.trim_end(), line.trim_end()) && matches(rest, following)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn line_matches(shown: &str, actual: &str) -> bool {
    let Some((before, after)) = shown.split_once('…') else {
        return shown == actual;
    };
    let Some(rest) = actual.strip_prefix(before) else {
        return false;
    };
    let places = rest.char_indices().map(|(place, _)| place);
    places
        .chain([rest.len()])
        .any(|place| line_matches(after, &rest[place..]))
}

/// Makes the topic that the README scans, of the example export; returns the broker's address.
#[cfg(feature = "kafka")]
fn example_broker() -> Option<(String, Box<dyn std::any::Any>)> {
    use crate::support::broker::{ApacheKafka, or_skip};
    use crate::support::cluster::Cluster;

    let broker = or_skip(ApacheKafka::start())?;
    let export = package().join("fixtures/examples/charges.kcat.jsonl");
    let cluster = Cluster::new(&broker.bootstrap);
    cluster.restore(&fs::read_to_string(export).unwrap());
    Some((broker.bootstrap.clone(), Box::new(broker)))
}

#[cfg(not(feature = "kafka"))]
fn example_broker() -> Option<(String, Box<dyn std::any::Any>)> {
    None
}

fn copy_examples(workspace: &Workspace) {
    let fixtures = package().join("fixtures");
    fs::create_dir_all(workspace.path().join("fixtures")).unwrap();
    let values = workspace.path().join("fixtures/values");
    std::os::unix::fs::symlink(fixtures.join("values"), values).unwrap();
    let examples = workspace.path().join("fixtures/examples");
    fs::create_dir_all(&examples).unwrap();
    for name in [
        "charges.jsonl",
        "charges.csv",
        "charges.kcat.jsonl",
        "dupaudit.toml",
    ] {
        let from = package().join("fixtures/examples").join(name);
        fs::copy(from, examples.join(name)).unwrap();
    }
}

/// Runs a command in a shell that finds the program; returns what is wrong with what it printed.
fn run_shown(workspace: &Workspace, shown: &Shown, broker: &str, last_code: &mut i32) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_dupaudit")).parent().unwrap();
    let command = shown
        .command
        .replace("cargo run --release --", "dupaudit")
        .replace(BROKER, broker);
    let script = format!(
        "PATH={}:$PATH\n(exit {last_code})\n{command}",
        program.display()
    );
    let outcome = Run::new("sh", workspace.path(), ["-c", &script]).run();
    *last_code = outcome.exit_code.unwrap();
    let is_error = matches!(last_code, 2 | 4);
    let errors = if is_error {
        outcome.stderr.as_str()
    } else {
        ""
    };
    let printed = format!("{}{errors}", outcome.stdout).replace(broker, BROKER);
    let lines: Vec<&str> = printed.lines().collect();
    let is_as_shown = if shown.output.is_empty() {
        !is_error && *last_code < 5
    } else {
        matches(&shown.output, &lines)
    };
    if is_as_shown {
        return String::new();
    }
    format!(
        "$ {}\n--- shown\n{}\n--- is\n{outcome}",
        shown.command,
        shown.output.join("\n")
    )
}

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    let readme = fs::read_to_string(package().join("README.md")).unwrap();
    let commands = shown_commands(&readme);
    assert!(!commands.is_empty(), "the README shows no command");
    let needs_broker = commands.iter().any(|shown| shown.command.contains(BROKER));
    let broker = if needs_broker { example_broker() } else { None };
    let workspace = Workspace::new();
    copy_examples(&workspace);
    let mut last_code = 0;
    let mut failures = Vec::new();
    for shown in &commands {
        let is_not_run = NOT_RUN.iter().any(|start| shown.command.starts_with(start));
        let is_without_broker = shown.command.contains(BROKER) && broker.is_none();
        if is_not_run || is_without_broker {
            continue;
        }
        let address = broker.as_ref().map_or(BROKER, |(address, _)| address);
        failures.push(run_shown(&workspace, shown, address, &mut last_code));
    }
    failures.retain(|failure| !failure.is_empty());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Returns the long options that a text names.
fn options(text: &str) -> BTreeSet<String> {
    let is_part = |part: char| part.is_ascii_lowercase() || part == '-';
    let words = text.split(|end: char| !is_part(end) && !end.is_ascii_digit());
    let options = words.filter(|word| {
        let name = word.strip_prefix("--").unwrap_or_default();
        name.starts_with(|first: char| first.is_ascii_lowercase())
    });
    options.map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_program_has_help_that_says_how_to_call_it() {
    let workspace = Workspace::new();
    let help = |command: &[&str]| {
        let arguments = command.iter().chain(&["--help"]);
        let outcome = workspace.dupaudit(arguments).run().expect_code(0);
        assert!(outcome.stdout.contains("Usage: dupaudit"), "{outcome}");
        assert!(outcome.stderr.is_empty(), "{outcome}");
        outcome.stdout
    };
    let root = help(&[]);
    let (_, commands) = root.split_once("\nCommands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names = commands.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then_some(name)
    });
    let mut helps: Vec<String> = names.map(|name| help(&[name])).collect();
    helps.push(help(&["state", "prune"]));
    assert!(helps.len() > 9, "{root}");
    helps.push(root);
    let readme = fs::read_to_string(package().join("README.md")).unwrap();
    for option in options(&readme) {
        let is_there = helps.iter().any(|help| options(help).contains(&option));
        let is_other = OF_OTHER_PROGRAMS.contains(&&*option);
        assert!(
            is_there || is_other,
            "the README has `{option}`, no help has"
        );
    }
    let version = workspace.dupaudit(["--version"]).run().expect_code(0);
    let expected = format!("dupaudit {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.stdout, expected);
}

#[test]
fn shown_output_is_compared_line_by_line() {
    let readme = "```console\n$ one \\\n    more\nout\n$ two\n```\n```\n$ not run\n```\n";
    let shown = shown_commands(readme);
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0].command, "one \\\n    more");
    assert_eq!(shown[0].output, ["out"]);

    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    for (shown, actual, expected) in [
        ("a\nb", "a\nb", true),
        ("a\nb", "a", false),
        ("a", "a\nb", false),
        ("a…c", "abbc", true),
        ("a…c", "abbd", false),
        ("…\nz", "a\nb\nz", true),
        ("…\nz", "a\nb", false),
        ("x …", "x 1.5 s", true),
    ] {
        let actual: Vec<&str> = actual.lines().collect();
        assert_eq!(
            matches(&lines(shown), &actual),
            expected,
            "{shown:?} {actual:?}"
        );
    }
}
