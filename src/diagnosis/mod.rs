//! Why extra records exist: pairs in, causes with evidence and episodes out; no I/O.
//!
//! The stage works in three steps. [`CopyHistory`] chooses, within one group, the earlier copy that
//! each extra record is compared with. [`Diagnoser`] takes the pairs of all groups sorted by topic,
//! partition and offset of the extra record, finds runs of pairs whose copies move together, and
//! hands back a [`PairMark`] for each pair as soon as its run is known. [`Diagnoses`], once all
//! pairs are in, turns any mark into its [`Diagnosis`]. A run's cause is the cause of all its
//! pairs; evidence and confidence are a pair's own.
//!
//! Time is linear in the pairs. Memory is bounded whatever comes: of the partition at hand 16 open
//! runs and 64 bursts are looked at, a few pairs wait for their run, of a group 64 copies are kept,
//! and runs are sums, of which `run::finder` keeps a fixed number for each partition and in all.
//! Pairs and marks go through sorters that spill.

mod aborted_transaction;
mod application_resend;
mod consumer_replay;
mod dead_letter_copy;
mod judge;
mod majority;
mod mirror_copy;
mod pair;
mod producer_retry;
mod run;
mod stored;
mod undetermined;

pub use majority::{MajorityDiagnosis, Verdict};
pub use pair::{
    ContentHashes, CopyFacts, CopyHistory, PairFacts, PairFeatures, PairId, Reference,
    named_coordinates,
};
pub use stored::StoredCopy;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::diagnosis::judge::RunCase;
use crate::diagnosis::run::{Run, RunFinder, Together};
use crate::finding::{Cause, Confidence, Diagnosis, Episode};

/// What the diagnosis has to know of the audit as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiagnosisContext {
    /// Topics that were audited.
    pub topics: BTreeSet<String>,
    /// Frozen end of each partition's range, by topic and partition, where known.
    pub end_offsets: BTreeMap<(String, i32), i64>,
    /// Last timestamp of the records audited.
    pub last_timestamp_millis: Option<i64>,
}

/// An extra record with its run: all that its diagnosis is made of, small enough to set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairMark {
    /// Which extra record.
    pub id: PairId,
    run: u32,
    features: PairFeatures,
}

impl PairMark {
    fn new(pair: &PairFacts, features: PairFeatures, run: u32) -> Self {
        Self {
            id: pair.id,
            run,
            features,
        }
    }
}

/// Takes pairs and finds their runs.
#[derive(Debug)]
pub struct Diagnoser {
    context: DiagnosisContext,
    finder: RunFinder,
}

impl Diagnoser {
    /// Returns a diagnoser that has seen no pair.
    pub fn new(context: DiagnosisContext) -> Self {
        Self {
            context,
            finder: RunFinder::default(),
        }
    }

    /// Takes the next pair; pairs come sorted by topic, partition and offset of the extra record,
    /// or at least one partition after the other.
    pub fn push(&mut self, pair: PairFacts) {
        self.finder.push(pair);
    }

    /// Returns the next mark that is ready, until there is none; to be drained after each push.
    ///
    /// Each pair pushed gets one mark in the end, not always in the order of the pairs.
    pub fn next_mark(&mut self) -> Option<PairMark> {
        self.finder.next_ready()
    }

    /// Closes all runs and returns the diagnoses with the marks that are left, a few at most.
    pub fn finish(self) -> (Diagnoses, VecDeque<PairMark>) {
        let (runs, marks) = self.finder.finish();
        (Diagnoses::new(runs, self.context), marks)
    }
}

/// The runs of an audit, judged; turns marks into diagnoses.
#[derive(Debug)]
pub struct Diagnoses {
    runs: Vec<Run>,
    together: Vec<Together>,
    context: DiagnosisContext,
    episodes: Vec<Episode>,
    episode_numbers: Vec<u64>,
    /// The cause of each run, and how sure it is.
    decisions: Vec<Option<(Cause, Confidence)>>,
    /// Sources by mirrors, of the topics that runs lie in.
    mirrors: BTreeMap<String, String>,
}

impl Diagnoses {
    fn new(runs: Vec<Run>, context: DiagnosisContext) -> Self {
        let mut diagnoses = Self {
            together: run::together(&runs),
            mirrors: mirrors(&runs, &context),
            runs,
            context,
            episodes: Vec::new(),
            episode_numbers: Vec::new(),
            decisions: Vec::new(),
        };
        let cases = (0..diagnoses.runs.len()).filter_map(|index| diagnoses.case(index));
        diagnoses.decisions = cases.map(|case| judge::decision(&case)).collect();
        let cause = |decision: &Option<(Cause, Confidence)>| {
            decision.map_or(Cause::Undetermined, |(cause, _)| cause)
        };
        let causes: Vec<Cause> = diagnoses.decisions.iter().map(cause).collect();
        let (episodes, numbers) = run::episodes(&diagnoses.runs, &causes, &diagnoses.context);
        diagnoses.episodes = episodes;
        diagnoses.episode_numbers = numbers;
        diagnoses
    }

    /// Returns what the diagnosis of a marked extra record comes to; gathers no evidence.
    ///
    /// # Panics
    /// Where the mark is of another audit.
    pub fn verdict(&self, mark: &PairMark) -> Verdict {
        let (index, case) = self.run_of(mark);
        let decision = self.decisions.get(index).copied().flatten();
        Verdict {
            cause: decision.map_or(Cause::Undetermined, |(cause, _)| cause),
            confidence: decision.map(|of_run| judge::confidence(&case, &mark.features, of_run)),
            episode: self.episode_of(index),
        }
    }

    /// Returns the diagnosis of a marked extra record, with its evidence.
    ///
    /// # Panics
    /// Where the mark is of another audit.
    pub fn diagnosis(&self, mark: &PairMark) -> Diagnosis {
        let (index, case) = self.run_of(mark);
        judge::diagnose(&case, &mark.features, self.episode_of(index))
    }

    fn run_of(&self, mark: &PairMark) -> (usize, RunCase<'_>) {
        let index = usize::try_from(mark.run).unwrap_or(usize::MAX);
        let case = self.case(index);
        (index, case.expect("a mark is of a run of the same audit"))
    }

    fn episode_of(&self, run: usize) -> u64 {
        self.episode_numbers.get(run).copied().unwrap_or_default()
    }

    /// Returns the episodes, most extra records first; their groups and amounts are not counted.
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    fn case(&self, index: usize) -> Option<RunCase<'_>> {
        let run = self.runs.get(index)?;
        Some(RunCase {
            run,
            together: self.together.get(index).copied().unwrap_or_default(),
            mirror: run
                .topic
                .as_ref()
                .and_then(|topic| self.mirrors.get_key_value(topic))
                .map(|(mirror, source)| (source.as_str(), mirror.as_str())),
        })
    }
}

/// Returns the sources of the topics that are named as mirrors of audited ones.
fn mirrors(runs: &[Run], context: &DiagnosisContext) -> BTreeMap<String, String> {
    let topics: BTreeSet<&String> = runs.iter().filter_map(|run| run.topic.as_ref()).collect();
    let source_of = |mirror: &String| {
        let mut named = context
            .topics
            .iter()
            .filter_map(|other| pair::mirror_names(other, mirror));
        let (source, mirror) = named.find(|(_, named)| named == mirror)?;
        Some((mirror.to_owned(), source.to_owned()))
    };
    topics.into_iter().filter_map(source_of).collect()
}

#[cfg(test)]
mod scenarios;
