//! Thirty nights over a topic that grows, on a broker that is started again, with runs that are
//! killed, records that retention takes, and records that come late.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use crate::state::{night, shown, start};
use crate::support::Workspace;
use crate::support::ack_proxy::mixed;
use crate::support::cluster::{Cluster, flush, send_at};
use crate::support::node::Nodes;
use crate::support::or_skip;

const NIGHTS: u64 = 30;
const PARTITIONS: i32 = 3;
const DAY_MILLIS: i64 = 86_400_000;

/// Start of the first night, milliseconds since the epoch.
const FIRST_MILLIS: i64 = 1_768_444_200_000;

/// Partition and offset.
type Place = (i64, i64);

/// What was produced, by id: the independent count.
#[derive(Default)]
struct Ledger {
    places: BTreeMap<u64, BTreeSet<Place>>,
    ends: BTreeMap<i64, i64>,
    sent: u64,
}

impl Ledger {
    /// Sends one night's records: most are new, some come again from an earlier night, some late.
    fn send_night(&mut self, cluster: &Cluster, topic: &str, number: u64) {
        let producer = cluster.producer(&[]);
        for _ in 0..40 {
            self.sent += 1;
            let chance = mixed(self.sent ^ (number << 32));
            let is_copy = chance.is_multiple_of(8);
            let id = if is_copy {
                self.sent - chance / 8 % self.sent.min(90)
            } else {
                self.sent
            };
            let partition = i64::try_from(chance / 1000 % 3).unwrap();
            // A late record's time lies up to three days before that of records read before it.
            let late = if chance.is_multiple_of(5) {
                i64::try_from(chance % 3).unwrap()
            } else {
                0
            };
            let day = i64::try_from(number).unwrap() - late;
            let millis = FIRST_MILLIS + day * DAY_MILLIS + i64::try_from(self.sent).unwrap();
            let value = format!("{{\"id\":\"{id}\",\"amount\":\"1.50\",\"currency\":\"USD\"}}");
            let end = self.ends.entry(partition).or_default();
            send_at(
                &producer,
                topic,
                i32::try_from(partition).unwrap(),
                &value,
                Some(millis),
            );
            self.places.entry(id).or_default().insert((partition, *end));
            *end += 1;
        }
        flush(&producer);
    }

    /// Forgets records that retention takes before any run has read them.
    fn lose(&mut self, partition: i64, offsets: std::ops::Range<i64>) {
        for places in self.places.values_mut() {
            places.retain(|place| place.0 != partition || !offsets.contains(&place.1));
        }
    }

    fn groups(&self) -> BTreeMap<String, Vec<Place>> {
        let groups = self.places.iter().filter(|(_, places)| places.len() > 1);
        groups
            .map(|(id, places)| (id.to_string(), places.iter().copied().collect()))
            .collect()
    }
}

fn arguments<'a>(bootstrap: &'a str, topic: &'a str) -> [&'a str; 4] {
    ["-b", bootstrap, "-t", topic]
}

const OPTIONS: [&str; 8] = [
    "--look-back",
    "365d",
    "--new-for",
    "0",
    "--amount",
    "amount",
    "--currency",
    "currency",
];

/// Starts a run and kills it at a moment of its own.
fn killed_run(workspace: &Workspace, sources: &[&str], moment: Duration) {
    let mut run = start(workspace, sources, &OPTIONS);
    thread::sleep(moment);
    drop(run.kill());
    run.wait().unwrap();
}

/// Takes a report's groups into what is known; a group is told once, and again when it has grown.
fn take(workspace: &Workspace, known: &mut BTreeMap<String, Vec<Place>>, is_first_try: bool) {
    for (id, places) in workspace.report("r.json").places_by("value.id") {
        let places: Vec<Place> = places.into_iter().map(|of| (of.1, of.2)).collect();
        let before = known.insert(id.clone(), places.clone());
        // A run that was killed behind its report may have told it already.
        assert!(
            !is_first_try || before.as_ref() != Some(&places),
            "{id} is told twice"
        );
        let is_grown = before.iter().flatten().all(|place| places.contains(place));
        assert!(is_grown, "{id} has lost a record: {before:?}, {places:?}");
    }
}

/// Has retention take records on some nights, mostly such as were read; returns whether it took
/// some that no run has read.
fn shorten(
    ledger: &mut Ledger,
    cluster: &Cluster,
    (topic, number): (&str, u64),
    read: &BTreeMap<i64, i64>,
) -> bool {
    if number % 6 != 5 {
        return false;
    }
    let partition = i64::try_from(number / 6 % 3).unwrap();
    let before = read.get(&partition).copied().unwrap_or_default();
    let is_gap = number == 17;
    let start = if is_gap { before + 2 } else { before / 2 };
    if is_gap {
        ledger.lose(partition, before..start);
    }
    cluster.delete_records(topic, i32::try_from(partition).unwrap(), start);
    is_gap
}

/// Compares what the nights have told with what one scan finds, and with what the state counts.
fn compare(workspace: &Workspace, sources: &[&str], known: &BTreeMap<String, Vec<Place>>) {
    let once = ["scan"].iter().chain(sources);
    let once = once.chain(&["--by", "id", "-o", "all.json"]);
    workspace.dupaudit(once).run().expect_code(1);
    // Of each group one scan finds what retention has left of it.
    for (id, places) in workspace.report("all.json").places_by("value.id") {
        let told = &known[&id];
        assert!(places.iter().all(|of| told.contains(&(of.1, of.2))), "{id}");
    }
    // Every extra record is counted once, however often its group was told.
    let extra: usize = known.values().map(|places| places.len() - 1).sum();
    let totals = shown(workspace)["totals"].clone();
    assert_eq!(totals["extra_records"], extra);
    assert_eq!(totals["runs"], NIGHTS);
}

#[test]
fn thirty_nights_find_what_one_scan_over_everything_finds() {
    let Some(mut broker) = or_skip(Nodes::one()) else {
        return;
    };
    let topic =
        broker
            .cluster()
            .create_topic("thirty-nights", PARTITIONS, &[("retention.ms", "-1")]);
    let workspace = Workspace::new();
    let bootstrap = broker.bootstrap.clone();
    let sources = arguments(&bootstrap, &topic);
    let mut ledger = Ledger::default();
    let mut known = BTreeMap::new();
    let mut read: BTreeMap<i64, i64> = BTreeMap::new();
    for number in 0..NIGHTS {
        if number == 11 || number == 22 {
            broker.processes[0].tell("KILL");
            broker.processes[0].tell("start");
            broker.wait_until_up();
        }
        ledger.send_night(&broker.cluster(), &topic, number);
        let is_gap = shorten(&mut ledger, &broker.cluster(), (&topic, number), &read);
        let runs = || shown(&workspace)["totals"]["runs"].clone();
        let is_killed = number % 3 == 1;
        let before = if number > 0 { runs() } else { 0.into() };
        if is_killed {
            let moment = Duration::from_millis(mixed(number) % 400);
            killed_run(&workspace, &sources, moment);
        }
        let is_done = number > 0 && runs() != before;
        if is_done {
            // It was killed behind its end.
            take(&workspace, &mut known, false);
        } else {
            let outcome = night(&workspace, &sources, &OPTIONS);
            assert!([0, 1, 3].contains(&outcome.exit_code.unwrap()), "{outcome}");
            assert_eq!(
                workspace.report("r.json").is_complete(),
                !is_gap,
                "{outcome}"
            );
            take(&workspace, &mut known, !is_killed);
        }
        read.clone_from(&ledger.ends);
    }
    let groups = ledger.groups();
    assert!(groups.len() > 60, "{}", groups.len());
    assert_eq!(known, groups);
    compare(&workspace, &sources, &known);
}
