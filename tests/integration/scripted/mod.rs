//! Both readers, through the program, against a scripted broker: every fault that librdkafka was
//! measured with (M1 to M22). No record is wrong, the ledger adds up, nothing is called complete
//! that is not, and the program ends.

mod lines;
mod refusals;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::batch_encoder::TestBatch;
use crate::scripted_broker::{Script, ScriptedBroker, ScriptedPartition};
use crate::support::report::{Place, Report};
use crate::support::{Outcome, Workspace};

/// The readers that were built in.
#[cfg(feature = "kafka")]
const READERS: [&str; 2] = ["wire", "librdkafka"];
#[cfg(not(feature = "kafka"))]
const READERS: [&str; 1] = ["wire"];

/// Reasons of gaps in which there was nothing to read.
const COMPLETE_REASONS: [&str; 4] = ["control", "aborted", "compacted", "control-or-compacted"];

/// How long a partition may be silent where it should not be at all.
const PATIENCE_SECONDS: u64 = 30;

/// How long it may be silent where it will be.
const STALL_SECONDS: u64 = 3;

/// What a run may take: silence, starting, looking twice, reading again.
const TIME_MAX: Duration = Duration::from_secs(25);

/// Gaps as start, end and reason.
type Gaps = &'static [(i64, i64, &'static str)];

/// What must be said of partition 0.
#[derive(Clone, Copy)]
enum Expected {
    /// These gaps and no others.
    Gaps(Gaps),
    /// That something in it was not read; all that was read is right all the same.
    Incomplete,
}

/// A log, and what can be read of it by offset: the record keys.
#[derive(Clone, Default)]
struct Log {
    batches: Vec<(i64, i64, Vec<u8>)>,
    keys: BTreeMap<i64, Vec<u8>>,
}

impl Log {
    /// Returns four batches of five records.
    fn of_four_batches() -> Self {
        [0, 5, 10, 15]
            .into_iter()
            .fold(Self::default(), |log, first| {
                log.with(&TestBatch::of_records(first, 5))
            })
    }

    /// Adds a batch that can be read.
    fn with(mut self, batch: &TestBatch) -> Self {
        for record in &batch.records {
            let offset = batch.base_offset + i64::from(record.offset_delta);
            self.keys.insert(offset, record.key.clone().unwrap());
        }
        self.hidden(batch)
    }

    /// Adds a batch of which nothing is to be read.
    fn hidden(self, batch: &TestBatch) -> Self {
        let last = batch.records.last().map_or(0, |record| record.offset_delta);
        let last = batch.base_offset + i64::from(batch.last_offset_delta.unwrap_or(last));
        let encoded = batch.encode();
        self.broken(batch.base_offset, last, encoded)
    }

    /// Adds bytes that the broker takes for a batch of these offsets.
    fn broken(mut self, first: i64, last: i64, bytes: Vec<u8>) -> Self {
        self.batches.push((first, last, bytes));
        self
    }

    /// Returns the log with the second of its batches replaced, of which nothing can be read.
    fn with_second_broken(mut self, bytes: Vec<u8>) -> Self {
        self.batches[1].2 = bytes;
        self.keys.retain(|offset, _| !(5..10).contains(offset));
        self
    }

    fn partition(&self) -> ScriptedPartition {
        ScriptedPartition::of_batches(self.batches.clone())
    }
}

/// One fault: the log of partition 0, what else happens, and what must be said of it. Partition 1,
/// on another broker, is whole.
struct Line {
    name: &'static str,
    log: Log,
    happening: fn(&mut Script),
    options: &'static [&'static str],
    stall_seconds: u64,
    time_max: Duration,
    /// Most fetches that it may take.
    fetches_max: usize,
    wire: Expected,
    librdkafka: Expected,
}

impl Line {
    /// Returns a line of which both readers say the same.
    fn new(name: &'static str, log: Log, expected: Expected) -> Self {
        Self {
            name,
            log,
            happening: |_| {},
            options: &[],
            stall_seconds: PATIENCE_SECONDS,
            time_max: TIME_MAX,
            fetches_max: usize::MAX,
            wire: expected,
            librdkafka: expected,
        }
    }

    fn happening(self, happening: fn(&mut Script)) -> Self {
        Self { happening, ..self }
    }

    fn options(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    /// Waits only for a short time, since something will be silent.
    fn silent(self) -> Self {
        Self {
            stall_seconds: STALL_SECONDS,
            ..self
        }
    }

    /// Changes what is expected of librdkafka.
    fn librdkafka(self, librdkafka: Expected) -> Self {
        Self { librdkafka, ..self }
    }

    fn broker(&self) -> ScriptedBroker {
        let mut whole = Log::of_four_batches().partition();
        whole.leader = 1;
        let broker = ScriptedBroker::start(vec![self.log.partition(), whole], 2);
        broker.change(self.happening);
        broker
    }

    fn expected_of(&self, reader: &str) -> Expected {
        if reader == "wire" {
            self.wire
        } else {
            self.librdkafka
        }
    }

    /// Scans by one reader and checks all that the report says.
    fn check(&self, reader: &str) {
        let broker = self.broker();
        let (workspace, outcome) = scan(&broker, (reader, self.stall_seconds), self.options);
        let context = || format!("{}, {reader}: {outcome}", self.name);
        assert!(outcome.elapsed < self.time_max, "{}", context());
        assert_eq!(outcome.exit_code, Some(1), "{}", context());
        let report = workspace.report("x.json");
        let gaps = report.gaps("orders", 0);
        let is_incomplete = gaps.iter().any(is_unread);
        match self.expected_of(reader) {
            Expected::Gaps(expected) => {
                let gaps: Vec<_> = gaps
                    .iter()
                    .map(|(start, end, reason)| (*start, *end, &**reason))
                    .collect();
                assert_eq!(gaps, expected, "{}", context());
            }
            Expected::Incomplete => assert!(is_incomplete, "{}", context()),
        }
        assert_eq!(report.is_complete(), !is_incomplete, "{}", context());
        assert_eq!(report.gaps("orders", 1), [], "{}", context());
        let whole = Log::of_four_batches();
        let delivered = [(0, &self.log), (1, &whole)]
            .into_iter()
            .flat_map(|(partition, log)| delivered(&report, partition, log, &context()));
        assert_groups(&report, delivered.collect(), &context());
        assert!(broker.fetch_count() <= self.fetches_max, "{}", context());
    }
}

fn is_unread((_, _, reason): &(i64, i64, String)) -> bool {
    !COMPLETE_REASONS.contains(&&**reason)
}

fn scan(
    broker: &ScriptedBroker,
    (reader, stall_seconds): (&str, u64),
    options: &[&str],
) -> (Workspace, Outcome) {
    let workspace = Workspace::new();
    let stall = format!("--stall-timeout={stall_seconds}s");
    let sources = ["scan", "-b", &broker.bootstrap, "-t", "orders"];
    let more = ["--reader", reader, "--by", "key", "-o", "x.json", &stall];
    let arguments = sources.iter().chain(&more).chain(options);
    let outcome = workspace.dupaudit(arguments).run();
    (workspace, outcome)
}

/// Returns place and record key of what must have been delivered by the gaps that are told of, and
/// checks that the account adds up and that no gap with nothing in it hides a record.
fn delivered(report: &Report, partition: i32, log: &Log, context: &str) -> Vec<(Place, Vec<u8>)> {
    let told = report.partition("orders", partition);
    let number = |name: &str| told[name].as_i64().unwrap();
    let asked = number("start_offset")..number("end_offset");
    let gaps = report.gaps("orders", partition);
    let mut place = asked.start;
    for (start, end, _) in &gaps {
        assert!(place <= *start && start < end, "{context}");
        place = *end;
    }
    assert!(place <= asked.end, "{context}");
    let mut delivered = Vec::new();
    for (&offset, key) in log.keys.iter().filter(|(offset, _)| asked.contains(offset)) {
        let gap = gaps.iter().find(|gap| (gap.0..gap.1).contains(&offset));
        assert!(gap.is_none_or(is_unread), "{offset} is hidden: {context}");
        if gap.is_none() {
            let place = ("orders".to_owned(), i64::from(partition), offset);
            delivered.push((place, key.clone()));
        }
    }
    let read = number("records_read");
    let expected = i64::try_from(delivered.len()).unwrap();
    // What is void was read all the same.
    let is_void = gaps.iter().any(|gap| gap.2 == "truncated");
    let is_right = read == expected || (is_void && read > expected);
    assert!(is_right, "{read} of {expected} records read: {context}");
    delivered
}

/// Checks that the groups are those of the records delivered, as far as all were read twice.
fn assert_groups(report: &Report, delivered: Vec<(Place, Vec<u8>)>, context: &str) {
    let mut by_key: BTreeMap<Vec<u8>, Vec<Place>> = BTreeMap::new();
    for (place, key) in delivered {
        by_key.entry(key).or_default().push(place);
    }
    let mut expected: Vec<Vec<Place>> = by_key.into_values().filter(|of| of.len() > 1).collect();
    for group in &mut expected {
        group.sort();
    }
    expected.sort();
    if report.is_complete() {
        assert_eq!(report.places(), expected, "{context}");
        return;
    }
    for group in report.places() {
        let is_known = expected
            .iter()
            .any(|whole| group.iter().all(|place| whole.contains(place)));
        assert!(is_known, "{group:?} is no group: {context}");
    }
}

/// Checks lines by all readers, all at once: most of them wait.
fn check_all(lines: &[Line]) {
    thread::scope(|scope| {
        for line in lines {
            for reader in READERS {
                scope.spawn(move || line.check(reader));
            }
        }
    });
}
