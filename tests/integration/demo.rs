//! The demo makes duplicates, and finds exactly those that it made.

use crate::support::Workspace;

#[test]
fn the_demo_finds_what_it_made() {
    let workspace = Workspace::new();
    // 0 is said only where the groups found are those that were made.
    let outcome = workspace.dupaudit(["demo"]).run().expect_code(0);
    let first = outcome.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("DUPLICATES  "), "{outcome}");
    assert!(!first.contains(" 0 extra"), "{outcome}");
    assert!(outcome.stdout.contains("coverage complete"), "{outcome}");
}
