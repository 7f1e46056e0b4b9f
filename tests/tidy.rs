//! Holds the structure: layers, fences, file lengths, names; each rule is shown to fail once.
#![expect(clippy::unwrap_used, reason = "a broken check fails")]
#![expect(clippy::indexing_slicing, reason = "a broken check fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Modules of `src/` and their layers; a module imports only from lower ones.
const LAYERS: [(&str, u8); 25] = [
    ("record", 0),
    ("threads", 0),
    ("finding", 1),
    ("preset", 1),
    ("scan_json", 1),
    ("sorted_run", 1),
    ("typed_value", 1),
    ("source", 2),
    ("baseline", 2),
    ("decode", 2),
    ("dedup_key", 2),
    ("expression", 2),
    ("index", 2),
    ("diagnosis", 2),
    ("impact", 2),
    ("report", 2),
    ("schema", 2),
    ("state", 2),
    ("suggest", 2),
    ("audit", 3),
    ("spark", 4),
    ("command", 5),
    ("cli", 6),
    ("main", 7),
    ("lib", 8),
];

/// Third-party crates and keywords, with the only places that may name them.
const LIBRDKAFKA: &str = "source/kafka/librdkafka";
const FENCES: [(&str, &[&str]); 19] = [
    ("clap", &["cli/"]),
    ("cel", &["expression/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("rdkafka", &[LIBRDKAFKA, "source/kafka/demo_cluster"]),
    ("kafka_protocol", &["source/kafka/wire/"]),
    ("postgres", &["source/", "command/stores/", "cli/"]),
    ("tokio_postgres_rustls", &["source/postgres/"]),
    ("anyhow", &["command/", "cli/"]),
    ("comfy_table", &["report/", "cli/"]),
    ("terminal_size", &["report/", "cli/"]),
    ("strsim", &["cli/config/"]),
    ("toml", &["baseline/", "cli/config/"]),
    ("minijinja", &["report/html/"]),
    ("ureq", &["schema/registry/"]),
    ("prost_reflect", &["schema/protobuf/"]),
    ("protox", &["schema/protobuf/"]),
    ("rust_xlsxwriter", &["report/xlsx/"]),
    ("unsafe", &[LIBRDKAFKA]),
];

const DRAWERS: [&str; 9] = [
    "util", "utils", "helper", "helpers", "common", "misc", "types", "imp", "manager",
];

const MAX_SOURCE_LINES: usize = 400;
const MAX_INTEGRATION_LINES: usize = 500;
const MAX_LINE_CHARS: usize = 100;
const MAX_FILES_IN_FOLDER: usize = 10;

/// One file of the tree: its path under the root that was walked, and its text.
struct TreeFile {
    path: String,
    text: String,
}

fn file(path: &str, text: &str) -> TreeFile {
    TreeFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

/// Returns the files under `root` of the package, sorted by path; bytes that are no UTF-8 are lost.
fn tree(root: &str) -> Vec<TreeFile> {
    fn walk(folder: &Path, root: &Path, files: &mut Vec<TreeFile>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, files);
            } else {
                files.push(TreeFile {
                    path: path.strip_prefix(root).unwrap().display().to_string(),
                    text: String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut files = Vec::new();
    walk(&root, &root, &mut files);
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

fn rust_tree(root: &str) -> Vec<TreeFile> {
    let is_rust = |file: &TreeFile| Path::new(&file.path).extension() == Some("rs".as_ref());
    tree(root).into_iter().filter(is_rust).collect()
}

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

/// Returns the words and signs of Rust code, without comments and without what literals hold.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut tokens = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < chars.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '"' => index = after_string(&chars, index),
            '\'' if at(index + 1) == '\\' => {
                index += 3;
                while index < chars.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
            }
            '\'' if at(index + 2) == '\'' => index += 3,
            char if is_word(char) => {
                let start = index;
                while is_word(at(index)) {
                    index += 1;
                }
                let word: String = chars[start..index].iter().collect();
                let hashes = chars[index..].iter().take_while(|c| **c == '#').count();
                if (word == "r" || word == "br") && at(index + hashes) == '"' {
                    index = after_raw_string(&chars, index + hashes, hashes);
                } else {
                    tokens.push(word);
                }
            }
            char if char.is_whitespace() => index += 1,
            char => {
                tokens.push(char.to_string());
                index += 1;
            }
        }
    }
    tokens
}

fn after_string(chars: &[char], open: usize) -> usize {
    let mut index = open + 1;
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

fn after_raw_string(chars: &[char], open: usize, hashes: usize) -> usize {
    let closing: Vec<char> = format!("\"{}", "#".repeat(hashes)).chars().collect();
    (open + 1..chars.len())
        .find(|index| chars[*index..].starts_with(&closing))
        .map_or(chars.len(), |index| index + closing.len())
}

/// Returns the module of `src/` that a file belongs to, and how deep the file's own module is.
fn module_of(path: &str) -> (String, usize) {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let parts: Vec<&str> = stem.split('/').filter(|part| *part != "mod").collect();
    (parts[0].to_owned(), parts.len())
}

/// Returns the top-level modules that a file names, through `crate::`, `super::` or `dupaudit::`.
fn imports(file: &TreeFile) -> Vec<String> {
    let (code, tests) = split_tests(&file.text);
    let depth = module_of(&file.path).1;
    let mut modules = imports_of(&tokens(code), depth);
    modules.extend(imports_of(&tokens(tests), depth + 1));
    modules
}

fn imports_of(tokens: &[String], depth: usize) -> Vec<String> {
    let word = |index: usize| tokens.get(index).map_or("", String::as_str);
    let mut modules = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let mut after = index + 1;
        let reaches_root = match word(index) {
            "crate" => word(index.wrapping_sub(1)) != "(",
            "dupaudit" => word(after) == ":",
            "super" => {
                let mut supers = 1;
                while word(after) == ":" && word(after + 1) == ":" && word(after + 2) == "super" {
                    supers += 1;
                    after += 3;
                }
                supers == depth
            }
            _ => false,
        };
        if reaches_root && word(after) == ":" && word(after + 1) == ":" {
            modules.extend(first_words(tokens, after + 2));
        }
        index = after;
    }
    modules
}

/// Returns the word at `index`, or the first word of each path of the braces that open there.
fn first_words(tokens: &[String], index: usize) -> Vec<String> {
    let Some(first) = tokens.get(index) else {
        return Vec::new();
    };
    if first != "{" {
        return vec![first.clone()];
    }
    let (mut depth, mut words) = (0, Vec::new());
    for (place, token) in tokens.iter().enumerate().skip(index) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(tokens[place - 1].as_str(), "{" | ",") => {
                words.push(token.clone());
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    words
}

/// Splits a file into its code and the test module at its foot.
fn split_tests(text: &str) -> (&str, &str) {
    match text.rfind("\n#[cfg(test)]\nmod tests {") {
        Some(start) => text.split_at(start + 1),
        None => (text, ""),
    }
}

fn layer_violations(files: &[TreeFile]) -> Vec<String> {
    let layers = BTreeMap::from(LAYERS);
    let mut violations = Vec::new();
    for file in files {
        let module = module_of(&file.path).0;
        let Some(layer) = layers.get(module.as_str()) else {
            violations.push(format!("{}: `{module}` has no layer", file.path));
            continue;
        };
        for import in imports(file) {
            let is_lower = layers.get(import.as_str()).is_some_and(|of| of < layer);
            if import != module && !is_lower && layers.contains_key(import.as_str()) {
                violations.push(format!("{}: imports `{import}`", file.path));
            }
        }
    }
    violations
}

fn fence_violations(files: &[TreeFile]) -> Vec<String> {
    let mut violations = Vec::new();
    for file in files {
        // Tests may compare with any crate.
        let tokens = tokens(split_tests(&file.text).0);
        for (name, places) in FENCES {
            let is_inside = places.iter().any(|place| file.path.starts_with(place));
            if !is_inside && tokens.iter().any(|token| token == name) {
                violations.push(format!("{}: names `{name}`", file.path));
            }
        }
    }
    violations
}

fn length_violations(files: &[TreeFile], max_lines: usize) -> Vec<String> {
    let lines = |file: &TreeFile| split_tests(&file.text).0.lines().count();
    files
        .iter()
        .filter(|file| lines(file) > max_lines)
        .map(|file| format!("{}: {} lines", file.path, lines(file)))
        .collect()
}

fn width_violations(files: &[TreeFile]) -> Vec<String> {
    let mut violations = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if line.chars().count() > MAX_LINE_CHARS {
                violations.push(format!("{}:{}: too wide", file.path, number + 1));
            }
        }
    }
    violations
}

fn drawer_violations(files: &[TreeFile]) -> Vec<String> {
    let is_drawer = |part: &str| DRAWERS.contains(&part.strip_suffix(".rs").unwrap_or(part));
    files
        .iter()
        .filter(|file| file.path.split('/').any(is_drawer))
        .map(|file| format!("{}: name of a drawer", file.path))
        .collect()
}

fn head_violations(files: &[TreeFile]) -> Vec<String> {
    let has_head = |file: &TreeFile| {
        let head = file.text.lines().take_while(|line| line.starts_with("//!"));
        let sentence: Vec<&str> = head.take_while(|line| line.trim_end() != "//!").collect();
        sentence.last().is_some_and(|line| line.ends_with('.'))
            || file.text.starts_with("#![doc = include_str!")
    };
    files
        .iter()
        .filter(|file| !has_head(file))
        .map(|file| format!("{}: does not start with a `//!` sentence", file.path))
        .collect()
}

fn crowd_violations(files: &[TreeFile]) -> Vec<String> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder).or_default() += 1;
    }
    folders
        .into_iter()
        .filter(|(folder, count)| !folder.is_empty() && *count > MAX_FILES_IN_FOLDER)
        .map(|(folder, count)| format!("{folder}/: {count} files"))
        .collect()
}

/// A fixture is named by a test, or its folder is; one of a case is named by the case.
fn fixture_violations(fixtures: &[TreeFile], tests: &[TreeFile]) -> Vec<String> {
    let is_named = |path: &str| {
        let mut parts = path.split('/');
        if parts.next() != Some("cases") {
            let name = path.rsplit('/').next().unwrap_or(path);
            let folder = path
                .rsplit_once('/')
                .map(|(folder, _)| format!("fixtures/{folder}\""));
            let is_told = |text: &str| {
                text.contains(name) || folder.as_ref().is_some_and(|folder| text.contains(folder))
            };
            return name == "README.md" || tests.iter().any(|file| is_told(&file.text));
        }
        let case = format!("cases/{}/case.toml", parts.next().unwrap_or(""));
        let case = fixtures.iter().find(|file| file.path == case);
        case.is_some_and(|case| {
            parts.any(|part| part == "case.toml" || case.text.contains(&format!("\"{part}")))
        })
    };
    fixtures
        .iter()
        .filter(|file| !is_named(&file.path))
        .map(|file| format!("fixtures/{}: no test names it", file.path))
        .collect()
}

#[test]
fn modules_import_only_lower_layers() {
    assert_none(&layer_violations(&rust_tree("src")));

    let bad = |path: &str, text: &str| layer_violations(&[file(path, text)]).len();
    assert_eq!(bad("record/mod.rs", "use crate::finding::Cause;"), 1);
    assert_eq!(
        bad("index/mod.rs", "use crate::{record::Record, decode};"),
        1
    );
    assert_eq!(
        bad("index/mod.rs", "use crate::{\n    decode::{A, B},\n};"),
        1
    );
    assert_eq!(bad("index/run.rs", "fn f() { crate::source::open() }\n"), 1);
    assert_eq!(bad("index/run.rs", "use super::super::source::Split;"), 1);
    assert_eq!(bad("impact.rs", "use super::report::Format;"), 1);
    assert_eq!(bad("main.rs", "use dupaudit::cli;"), 0);
    assert_eq!(bad("audit/mod.rs", "use crate::command::Outcome;"), 1);
    let tested = "\n#[cfg(test)]\nmod tests {\nuse super::super::report;";
    assert_eq!(bad("index/mod.rs", tested), 1);
    assert_eq!(bad("drawer/mod.rs", ""), 1);
    assert_eq!(bad("index/run.rs", "use super::record_count;"), 0);
    assert_eq!(bad("index/mod.rs", "// see crate::source\n"), 0);
    assert_eq!(bad("index/mod.rs", "const A: &str = \"crate::source\";"), 0);
}

#[test]
fn third_party_crates_stay_behind_their_fences() {
    assert_none(&fence_violations(&rust_tree("src")));

    for (name, _) in FENCES {
        let text = format!("use {name}::anything;");
        assert_eq!(fence_violations(&[file("record/mod.rs", &text)]).len(), 1);
    }
    let inside = file("cli/flags.rs", "use clap::Parser;");
    let oracle = "\n#[cfg(test)]\nmod tests {\nuse kafka_protocol::records;";
    let oracle = file("source/record_batch/mod.rs", oracle);
    let raw = file("report/mod.rs", "const A: &str = r#\"unsafe \" anyhow\"#;");
    assert_none(&fence_violations(&[inside, oracle, raw]));
}

#[test]
fn files_stay_short() {
    assert_none(&length_violations(&rust_tree("src"), MAX_SOURCE_LINES));
    let tests = rust_tree("tests");
    assert_none(&length_violations(&tests, MAX_INTEGRATION_LINES));

    let long = "line\n".repeat(MAX_SOURCE_LINES + 1);
    let too_long = [file("a.rs", &long)];
    assert_eq!(length_violations(&too_long, MAX_SOURCE_LINES).len(), 1);
    let tested = format!("code\n#[cfg(test)]\nmod tests {{\n{long}");
    let tested = [file("a.rs", &tested)];
    assert_none(&length_violations(&tested, MAX_SOURCE_LINES));
}

#[test]
fn lines_stay_narrow() {
    for root in ["src", "tests", "benches"] {
        assert_none(&width_violations(&rust_tree(root)));
    }
    let wide = "x".repeat(MAX_LINE_CHARS + 1);
    assert_eq!(width_violations(&[file("a.rs", &wide)]).len(), 1);
}

#[test]
fn no_file_is_a_drawer() {
    for root in ["src", "tests", "benches"] {
        assert_none(&drawer_violations(&rust_tree(root)));
    }
    for name in DRAWERS {
        for path in [format!("{name}.rs"), format!("{name}/mod.rs")] {
            assert_eq!(drawer_violations(&[file(&path, "")]).len(), 1);
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for root in ["src", "tests", "benches"] {
        assert_none(&head_violations(&rust_tree(root)));
    }
    let bad = [
        "",
        "use a;\n",
        "//! no full stop\n",
        "//!\n//! Late sentence.\n",
    ];
    for bad in bad {
        assert_eq!(head_violations(&[file("a.rs", bad)]).len(), 1);
    }
    let good = [file("a.rs", "//! Two\n//! lines.\n//!\n//! more\n")];
    assert_none(&head_violations(&good));
}

#[test]
fn folders_stay_small() {
    for root in ["src", "tests"] {
        assert_none(&crowd_violations(&rust_tree(root)));
    }
    let crowd: Vec<TreeFile> = (0..=MAX_FILES_IN_FOLDER)
        .map(|number| file(&format!("record/{number}.rs"), ""))
        .collect();
    assert_eq!(crowd_violations(&crowd).len(), 1);
}

#[test]
fn every_fixture_is_used() {
    let mut tests = rust_tree("tests");
    tests.extend(rust_tree("src"));
    assert_none(&fixture_violations(&tree("fixtures"), &tests));

    let stray = [file("damaged/stray.log", "")];
    assert_eq!(fixture_violations(&stray, &tests[..0]).len(), 1);
    let walks = [file("a.rs", "read_dir(\"fixtures/damaged\")")];
    assert_none(&fixture_violations(&stray, &walks));
    let case = file("cases/one/case.toml", "inputs = [\"a.jsonl\"]");
    let fixtures = [
        case,
        file("cases/one/a.jsonl", ""),
        file("cases/one/b.jsonl", ""),
    ];
    assert_eq!(
        fixture_violations(&fixtures, &[]),
        ["fixtures/cases/one/b.jsonl: no test names it"]
    );
}
