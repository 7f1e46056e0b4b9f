//! What cannot be shared out, and parts that do not go together.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::shards::{Shards, logs, names};
use crate::support::Workspace;

#[test]
fn what_cannot_be_shared_out_is_refused() {
    let workspace = Workspace::new();
    logs(&workspace);
    for (sources, word) in [
        (&["-"][..], "standard input"),
        (&["log-0.jsonl", "--state", "s"], "`--state`"),
        (&["log-0.jsonl", "--dry-run"], "no dry run"),
        (&["/dev/null"], "no file that can be read twice"),
        (&["log-9.jsonl"], "log-9.jsonl"),
    ] {
        let arguments = ["extract", "--by", "id", "-o", "out"].iter().chain(sources);
        let outcome = workspace.dupaudit(arguments).run();
        let outcome = outcome.expect_code(2);
        assert!(outcome.stderr.contains(word), "{outcome}");
    }
}

#[test]
fn parts_that_do_not_go_together_are_refused() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    let shards = Shards {
        workspace: &workspace,
        options: &["--by", "id"],
    };
    shards.extract("one", &files[..1], &[]).expect_code(0);
    shards.extract("again", &files[..2], &[]).expect_code(0);
    shards.extract("two", &files[1..2], &[]).expect_code(0);
    let parts = shards.extract("parts", &files[1..2], &["--parts", "4"]);
    parts.expect_code(0);
    let other = Shards {
        workspace: &workspace,
        options: &["--by", "who"],
    };
    other.extract("other", &files[1..2], &[]).expect_code(0);
    fs::create_dir(workspace.path().join("empty")).unwrap();
    for (folders, word) in [
        (["one", "one"], "it would be counted twice"),
        (["one", "again"], "`log-0.jsonl` is in `one` and in `again`"),
        (["one", "other"], "it differs in --by"),
        (
            ["one", "parts"],
            "`one` is cut into 16 parts and `parts` into 4",
        ),
        (
            ["parts", "one"],
            "`parts` is cut into 4 parts and `one` into 16",
        ),
        (["one", "empty"], "empty"),
        (["one", "none"], "none"),
    ] {
        let outcome = shards.merge(&names(&folders));
        let outcome = outcome.expect_code(2);
        assert!(outcome.stderr.contains(word), "{outcome}");
    }
    // A run that is lost, cut or damaged.
    let path = workspace.path().join("two/part-003.run");
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[70] ^= 1;
    for (bytes, word) in [
        (&whole[..whole.len() - 9], "is cut off"),
        (&damaged, "is damaged"),
    ] {
        fs::write(&path, bytes).unwrap();
        let outcome = shards.merge(&names(&["one", "two"]));
        let outcome = outcome.expect_code(4);
        assert!(outcome.stderr.contains(word), "{outcome}");
    }
    fs::remove_file(&path).unwrap();
    let outcome = shards.merge(&names(&["one", "two"]));
    let outcome = outcome.expect_code(4);
    assert!(outcome.stderr.contains("part-003.run"), "{outcome}");
}

#[test]
fn a_second_pass_of_other_suspects_does_not_count() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    let shards = Shards {
        workspace: &workspace,
        options: &["--by", "id"],
    };
    let two = [files[..1].to_vec(), files[1..2].to_vec()];
    shards.by_hand(&two).expect_code(1);
    shards.extract("shard-2", &files[2..3], &[]).expect_code(0);
    let merged = shards.merge(&names(&["shard-0", "shard-1", "shard-2"]));
    let merged = merged.expect_code(4);
    assert!(merged.stderr.contains("of `shard-0`"), "{merged}");
}

#[test]
fn nobody_else_may_read_what_a_part_holds() {
    let workspace = Workspace::new();
    let files = logs(&workspace);
    let shards = Shards {
        workspace: &workspace,
        options: &["--by", "id"],
    };
    shards.by_hand(&[files]).expect_code(1);
    let folder = workspace.path().join("shard-0");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}
