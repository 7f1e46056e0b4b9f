//! A state over several runs, each of which may end at any step.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::finding::{Coverage, Fingerprint, NewFindings, RunRecord};

fn spec(by: &str) -> Vec<SpecPart> {
    [("--by", by), ("--where", "none")]
        .map(|(option, value)| SpecPart {
            option: option.to_owned(),
            value: value.to_owned(),
        })
        .to_vec()
}

fn entry(number: u64, read_millis: i64) -> Entry {
    Entry {
        fingerprint: Fingerprint([number.wrapping_mul(0x9E37_79B9_7F4A_7C15), number]),
        is_reversal: false,
        timestamp_millis: 0,
        place: 0,
        position: number,
        read_millis,
    }
}

fn run_record(started_at_millis: i64) -> RunRecord {
    RunRecord {
        started_at_millis,
        finished_at_millis: started_at_millis,
        verdict: "clean".to_owned(),
        complete: true,
        records_read: 10,
        records_audited: 10,
        groups: 0,
        extra_records: 0,
        new_extra_records: 0,
        new_groups: 0,
        amounts: Vec::new(),
        new_amounts: Vec::new(),
        lag: 0,
        leaves_rest: false,
    }
}

/// Reads ten records, number by number from where the state says, and remembers them for 35.
fn night(dir: &Path, now: i64, steps_left: Option<u64>) -> Result<u64, StateError> {
    let mut state = State::open(dir, spec("value.id"))?;
    *state.dir.steps_left.lock().unwrap() = steps_left;
    let next = state
        .partitions()
        .first()
        .map_or(0, |known| known.next_offset);
    let first = u64::try_from(next).unwrap();
    let mut fresh: Vec<Entry> = (first..first + 10)
        .map(|number| entry(number, now))
        .collect();
    fresh.sort();
    let rows: Vec<Entries<'_>> = vec![Box::new(fresh.into_iter().map(Ok))];
    let progress = Progress {
        partitions: vec![PartitionPlace {
            place: 0,
            topic: "t".to_owned(),
            topic_id: None,
            partition: 0,
            next_offset: next + 10,
            is_current: true,
            read_millis: now,
        }],
        files: Vec::new(),
        next_place: 1,
    };
    let keeping = Keeping {
        now_millis: now,
        since_millis: now - 35,
        ..Keeping::default()
    };
    let mut history = state.history().clone();
    history.add(
        run_record(now),
        &NewFindings::default(),
        &Coverage::default(),
    );
    let prepared = state.prepare(progress, (rows, 10), &keeping, history)?;
    prepared.commit()?;
    let left = *state.dir.steps_left.lock().unwrap();
    Ok(steps_left.unwrap_or_default() - left.unwrap_or_default())
}

/// Returns the numbers remembered, and the offset to go on at.
fn remembered(dir: &Path) -> (Vec<u64>, i64) {
    let state = State::open(dir, spec("value.id")).unwrap();
    let mut numbers: Vec<u64> = state
        .entries(i64::MIN)
        .map(|entry| entry.unwrap().position)
        .collect();
    numbers.sort_unstable();
    let next = state
        .partitions()
        .first()
        .map_or(0, |known| known.next_offset);
    (numbers, next)
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_run_that_ends_at_any_step_has_been_or_has_not() {
    let root = tempfile::tempdir().unwrap();
    let (dir, trial) = (root.path().join("state"), root.path().join("trial"));
    let mut kills = 0;
    for round in 0..12 {
        let now = round * 10;
        let before = if round == 0 {
            (Vec::new(), 0)
        } else {
            remembered(&dir)
        };
        if round > 0 {
            copy(&dir, &trial);
        }
        let steps = night(&dir, now, Some(1000)).unwrap();
        let after = remembered(&dir);
        assert_ne!(before, after);
        for steps_left in 0..steps {
            let from = root.path().join("from");
            if round == 0 {
                let _ = fs::remove_dir_all(&from);
            } else {
                copy(&trial, &from);
            }
            // What comes after the rename is done as far as it goes.
            let ended = night(&from, now, Some(steps_left));
            let found = remembered(&from);
            assert!(
                found == before || found == after,
                "{round}, {steps_left}: {found:?}"
            );
            assert!(ended.is_err() || found == after);
            kills += 1;
            // The next run goes on, and nothing is left of the one that ended.
            if found == before {
                night(&from, now, None).unwrap();
            }
            assert_eq!(remembered(&from), after, "{round}, {steps_left}");
            let names = StateDir::new(&from).names().unwrap();
            assert!(!names.iter().any(|name| name == NEW_NAME), "{names:?}");
            let runs = overview(&from).unwrap().runs;
            assert_eq!(names.len(), runs.len() + 2, "{names:?}, {runs:?}");
        }
    }
    assert!(kills > 60, "{kills}");
}

#[test]
fn what_is_older_than_the_window_is_forgotten_and_the_rest_is_not() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    for round in 0..50_u64 {
        let now = i64::try_from(round).unwrap() * 10;
        night(&dir, now, None).unwrap();
        let state = State::open(&dir, spec("value.id")).unwrap();
        let first = round.saturating_sub(3) * 10;
        let mut inside: Vec<u64> = state
            .entries(now - 35)
            .map(|entry| entry.unwrap().position)
            .collect();
        inside.sort_unstable();
        assert_eq!(inside, (first..(round + 1) * 10).collect::<Vec<_>>());
        let overview = overview(&dir).unwrap();
        assert!(overview.runs.len() <= 4, "{overview:?}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        for name in state.dir.names().unwrap() {
            assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
        }
    }
    assert_eq!(overview(&dir).unwrap().history.totals.runs, 50);
    let mut state = State::open_existing(&dir).unwrap();
    assert_eq!(state.prune(480).unwrap(), 20);
    drop(state);
    assert_eq!(remembered(&dir), ((480..500).collect(), 500));
}

#[test]
fn a_thousand_nights_over_files_with_new_names_leave_a_small_state() {
    // In memory, where there is such a folder: what is written there need not wait for a disk.
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let root = root.unwrap();
    let dir = root.path().join("state");
    let mut sizes = Vec::new();
    for number in 0..1000_u32 {
        let mut state = State::open(&dir, spec("value.id")).unwrap();
        let now = i64::from(number);
        let mut files = state.files().to_vec();
        let gone = files.iter().map(|known| known.place).collect();
        files.push(file(number, now));
        let progress = Progress {
            files,
            next_place: number + 1,
            ..Progress::default()
        };
        let keeping = Keeping {
            now_millis: now,
            since_millis: now - 2,
            gone,
            ..Keeping::default()
        };
        let fresh = Entry {
            place: number,
            ..entry(7, now)
        };
        let rows: Vec<Entries<'_>> = vec![Box::new([Ok(fresh)].into_iter())];
        let history = state.history().clone();
        let prepared = state
            .prepare(progress, (rows, 1), &keeping, history)
            .unwrap();
        prepared.commit().unwrap();
        assert!(state.files().len() <= 3, "{:?}", state.files());
        let names = state.dir.names().unwrap();
        let size = |name: &String| fs::metadata(dir.join(name)).unwrap().len();
        sizes.push(names.iter().map(size).sum::<u64>());
    }
    let most = sizes.iter().max().unwrap();
    assert!(*most < 2 * sizes[2], "{most}, {}", sizes[2]);
}

/// A file that is read once.
fn file(number: u32, read_millis: i64) -> FilePlace {
    FilePlace {
        place: number,
        path: format!("log.{number}.jsonl"),
        folder: None,
        identity: FileIdentity {
            device: 1,
            inode: number.into(),
            head_bytes: 0,
            head_hash: 0,
        },
        size: 0,
        modified_nanos: 0,
        next: None,
        format: String::new(),
        has_byte_offsets: true,
        is_current: true,
        read_millis,
    }
}

#[test]
fn another_spec_is_named_and_reset_is_the_way_out() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    night(&dir, 0, None).unwrap();
    let error = State::open(&dir, spec("value.charge"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("was made with --by value.id, and this run has --by value.charge"));
    reset(&dir).unwrap();
    assert!(!dir.exists());
    State::open(&dir, spec("value.charge")).unwrap();
    assert!(matches!(
        reset(&root.path().join("none")),
        Err(StateError::Missing(_))
    ));
}

#[test]
fn directories_with_other_files_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("manifest"), "mine").unwrap();
    fs::write(root.path().join("notes.txt"), "mine").unwrap();
    let opened = State::open(root.path(), spec("value.id"));
    assert!(matches!(opened, Err(StateError::Foreign(_))));
    assert!(matches!(reset(root.path()), Err(StateError::Foreign(_))));
    assert_eq!(fs::read(root.path().join("notes.txt")).unwrap(), b"mine");
}

#[test]
fn damage_in_any_file_is_told() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    (0..3).for_each(|round| assert!(night(&dir, round, None).is_ok()));
    for name in StateDir::new(&dir).names().unwrap() {
        let path = dir.join(&name);
        let whole = fs::read(&path).unwrap();
        if name == LOCK_NAME {
            continue;
        }
        let mut damaged = whole.clone();
        let middle = whole.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let told = State::open(&dir, spec("value.id"))
            .and_then(|state| state.entries(i64::MIN).collect::<Result<Vec<_>, _>>());
        let error = told.unwrap_err().to_string();
        assert!(
            error.contains("is damaged") && error.contains(&name),
            "{error}"
        );
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn the_lock_stays_where_nobody_can_say_whether_a_state_is_there() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    night(&dir, 0, None).unwrap();
    let state = State::open(&dir, spec("value.id")).unwrap();
    // A link to itself is one that cannot be followed, as on a disk that fails.
    fs::remove_file(dir.join(NAME)).unwrap();
    std::os::unix::fs::symlink(NAME, dir.join(NAME)).unwrap();
    drop(state);
    assert!(dir.join(LOCK_NAME).try_exists().unwrap());
    fs::remove_file(dir.join(NAME)).unwrap();
    drop(State::open(&dir, spec("value.id")).unwrap());
    assert!(!dir.join(LOCK_NAME).try_exists().unwrap());
}

#[test]
fn a_state_that_cannot_be_pruned_is_left_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    (0..3).for_each(|round| night(&dir, round * 10, None).map(drop).unwrap());
    let damaged: Vec<_> = overview(&dir).unwrap().runs;
    for run in &damaged {
        let path = dir.join(name_of(run.number));
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
    let names = StateDir::new(&dir).names().unwrap();
    let mut state = State::open_existing(&dir).unwrap();
    state.prune(10).unwrap_err();
    assert_eq!(StateDir::new(&dir).names().unwrap(), names);
    assert_eq!(overview(&dir).unwrap().runs, damaged);
}
