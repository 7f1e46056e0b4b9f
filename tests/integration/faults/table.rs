//! The table of faults beside the readers names tests, and every one of them exists.

use std::fs;
use std::path::Path;

/// Returns path and text of every file of Rust under a folder.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension() == Some("rs".as_ref()) {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

/// Returns the tests and files that a table names and that are not there. Names of tests are
/// sentences: four words and more.
fn missing(table: &str, sources: &[(String, String)]) -> Vec<String> {
    let is_file = |name: &str| Path::new(name).extension() == Some("rs".as_ref());
    let is_there = |name: &str| {
        let function = format!("fn {name}(");
        sources.iter().any(|(path, text)| {
            if is_file(name) {
                path.ends_with(name)
            } else {
                text.contains(&function)
            }
        })
    };
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let names = rows.flat_map(|line| line.split('`').skip(1).step_by(2));
    let of_tests = names.filter(|name| name.matches('_').count() >= 3 || is_file(name));
    let missing = of_tests.filter(|name| !is_there(name));
    missing.map(str::to_owned).collect()
}

#[test]
fn every_test_in_the_table_of_faults_exists() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(package.join("src/source/kafka/README.md")).unwrap();
    let mut found = Vec::new();
    sources(&package.join("src"), &mut found);
    sources(&package.join("tests"), &mut found);
    let none: [&str; 0] = [];
    assert_eq!(missing(&table, &found), none);
    assert!(table.lines().filter(|line| line.starts_with('|')).count() > 40);

    let found = [(
        "a/b.rs".to_owned(),
        "fn a_test_that_is_there() {}".to_owned(),
    )];
    let table = "| fault | `a_test_that_is_there`, `b.rs` |\n| `c.rs` | `no_such_test_here` |";
    assert_eq!(missing(table, &found), ["c.rs", "no_such_test_here"]);
}
