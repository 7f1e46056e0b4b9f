//! Every parser on any bytes: no panic, no endless loop, no memory out of proportion, and the same
//! answer however it is asked.
//!
//! Each target starts from its corpus in `fixtures/corpus/`, and from fixtures of other tests;
//! then it changes them by chance for a second, or for seven with `DUPAUDIT_SOAK=1`. Chance is the
//! same in every run unless `DUPAUDIT_SEED` is another text. An input that fails is left in
//! `target/tmp/fuzz/`; once what it found is mended it belongs into the corpus.
//!
//! | module | what is fed |
//! |---|---|
//! | `batches` | record batches, as fetches and segments hold them |
//! | `files` | every format of files, each read in several ways |
//! | `json` | the JSON scanner beside `serde_json` |
//! | `ledger` | the account of offsets |
//! | `reports` | texts that want to be more than text, through the whole program |
//! | `rows` | the CSV cutter beside the `csv` crate |
//! | `runs` | spilled runs that the disk gives back damaged |
//! | `schemas` | schemas, and the payloads that are read with them |
//! | `typed` | what people type or hand over: field paths, expressions, options, files |
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a surprise in a test is a failing test"
)]

mod batches;
mod changes;
mod files;
mod json;
mod ledger;
mod reports;
mod rows;
mod runs;
mod schemas;
mod typed;

use std::alloc::System;
use std::any::Any;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cap::Cap;

use crate::changes::Changes;

/// Bytes that an input may ask for: what is more is refused, and ends the test.
const MEMORY_LIMIT: usize = 2 * 1024 * 1024 * 1024;

/// Bytes that reading one small input may take at once, unless its target says otherwise.
const MEMORY_EXPECTED: usize = 160 * 1024 * 1024;

/// Longest input.
const INPUT_BYTES_MAX: usize = 48 * 1024;

/// No input takes this long, on whatever machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY_LIMIT);

/// One target at a time, so that the memory is its own.
static TURN: Mutex<()> = Mutex::new(());

/// When the input that is being tried was begun.
static BEGUN: Mutex<Option<Instant>> = Mutex::new(None);

/// What is fed to one parser.
struct Target<'a> {
    /// Its folder below the root.
    corpus: &'a str,
    /// Inputs to begin with beside those of the corpus.
    seeds: Vec<Vec<u8>>,
    /// Words that are put into inputs.
    words: &'a [&'a [u8]],
    /// Bytes that reading one small input may take at once.
    memory_bytes_max: usize,
    /// Inputs tried at least, however slow the machine is.
    inputs_min: u32,
    /// Makes checksums right, where otherwise no change would come past them.
    mend: fn(&mut Vec<u8>),
}

impl<'a> Target<'a> {
    fn new(corpus: &'a str, words: &'a [&'a [u8]]) -> Self {
        Self {
            corpus,
            seeds: Vec::new(),
            words,
            memory_bytes_max: MEMORY_EXPECTED,
            inputs_min: 100,
            mend: |_| {},
        }
    }

    /// Feeds the corpus and what chance makes of it to `check`, which gets the path of a file that
    /// holds the input, and the input.
    fn run(self, mut check: impl FnMut(&Path, &[u8])) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        watch();
        let path = failure_path(self.corpus);
        let mut seeds = files_in(&root(self.corpus));
        assert!(!seeds.is_empty(), "{} has no file", self.corpus);
        seeds.extend(self.seeds);
        let memory_before = ALLOCATOR.allocated();
        let mut feed = |input: &[u8]| {
            // Before it is tried: it may end the process.
            fs::write(&path, input).unwrap();
            *BEGUN.lock().unwrap() = Some(Instant::now());
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&path, input)));
            *BEGUN.lock().unwrap() = None;
            outcome.unwrap_or_else(|panic| fail(&path, panic));
            let taken = ALLOCATOR.max_allocated().saturating_sub(memory_before);
            let shown = path.display();
            assert!(
                taken <= self.memory_bytes_max,
                "{taken} bytes of memory for {shown}"
            );
        };
        for seed in &seeds {
            feed(seed);
        }
        let seed = std::env::var("DUPAUDIT_SEED").unwrap_or_default();
        let mut changes = Changes::new(&(seed + self.corpus), self.words);
        let deadline = Instant::now() + budget();
        for number in 0.. {
            if number >= self.inputs_min && Instant::now() > deadline {
                break;
            }
            let mut input = changes.make(&seeds);
            input.truncate(INPUT_BYTES_MAX);
            (self.mend)(&mut input);
            feed(&input);
        }
        fs::remove_file(&path).unwrap();
    }
}

fn fail(path: &Path, panic: Box<dyn Any + Send>) {
    say(&format!("\nthe input is in {}\n", path.display()));
    resume_unwind(panic);
}

fn say(words: &str) {
    drop(std::io::stderr().write_all(words.as_bytes()));
}

/// Ends the process when an input takes too long, from another thread.
fn watch() {
    static WATCHER: std::sync::Once = std::sync::Once::new();
    WATCHER.call_once(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(Duration::from_secs(1));
                let begun = *BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
                if begun.is_some_and(|begun| begun.elapsed() > PATIENCE) {
                    say("\nan input in target/tmp/fuzz takes too long\n");
                    std::process::abort();
                }
            }
        });
    });
}

fn budget() -> Duration {
    let is_soak = std::env::var("DUPAUDIT_SOAK").is_ok_and(|value| value == "1");
    Duration::from_secs(if is_soak { 7 } else { 1 })
}

/// Returns where an input that fails is left.
fn failure_path(corpus: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    fs::create_dir_all(&folder).unwrap();
    folder.join(corpus.rsplit('/').next().unwrap_or(corpus))
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the contents of a folder's files, in the order of their names.
fn files_in(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Returns the start of a fixture, no longer than an input may be.
fn fixture(name: &str) -> Vec<u8> {
    let mut bytes = fs::read(root("fixtures").join(name)).unwrap();
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}
