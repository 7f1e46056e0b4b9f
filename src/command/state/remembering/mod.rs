//! What a scan with `--state` remembers of earlier runs, and leaves for those to come.

mod known_files;

pub(in crate::command) use known_files::FileToRead;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::audit::{Audit, Past, RememberedRecords};
use crate::command::state::files::{Fate, FileNow};
use crate::command::state::{failure, spec, time_text};
use crate::command::{CommandError, Message, ScanCommand, StateRequest, Surroundings};
use crate::finding::GapReason;
use crate::finding::{RunHistory, RunRecord};
use crate::record::{SplitId, TopicPartition};
use crate::source::file::{EarlierFile, FileOptions};
use crate::source::kafka::ResumePoint;
use crate::source::{GonePartition, RecordSource};
use crate::state::{FilePlace, Keeping, PartitionPlace, PlaceEnd};
use crate::state::{PreparedState, Progress, State};

/// A state in use by a scan.
pub(in crate::command) struct Remembering {
    state: State,
    request: StateRequest,
    now_millis: i64,
    progress: Progress,
    /// Places that are read whole again.
    reread: HashSet<u32>,
    /// Where each known place can be read again.
    splits: HashMap<u32, SplitId>,
    /// The place of each split that is read.
    places: HashMap<SplitId, u32>,
    /// The state of each file before this run, to be kept if it is not read to its end.
    files_before: Vec<FilePlace>,
}

impl Remembering {
    /// Opens the state that is asked for, if one is.
    pub(in crate::command) fn open(scan: &ScanCommand) -> Result<Option<Self>, CommandError> {
        let Some(request) = scan.state.clone() else {
            return Ok(None);
        };
        if scan.files.iter().any(|path| path == Path::new("-")) {
            return Err(cannot_be_read_on("standard input"));
        }
        let state = State::open(&request.dir, spec::spec_of(scan)).map_err(failure)?;
        Ok(Some(Self {
            now_millis: after_earlier_runs(scan.started_at_millis, &state),
            progress: state.progress(),
            files_before: state.files().to_vec(),
            state,
            request,
            reread: HashSet::new(),
            splits: HashMap::new(),
            places: HashMap::new(),
        }))
    }

    /// Returns whether an earlier run has audited anything: then nothing new is no reason to doubt.
    pub(in crate::command) fn has_audited(&self) -> bool {
        let runs = &self.state.history().runs;
        runs.iter().any(|run| run.records_audited > 0)
    }

    /// Returns where partitions are to be read on.
    pub(in crate::command) fn resume_points(&self) -> BTreeMap<TopicPartition, ResumePoint> {
        resume_points(&self.progress.partitions)
    }

    fn new_place(&mut self) -> u32 {
        let place = self.progress.next_place;
        self.progress.next_place += 1;
        place
    }

    /// Takes the partitions that are read, and tells those that are new from those that are known.
    pub(in crate::command) fn know_topics(
        &mut self,
        topics: Vec<(SplitId, TopicPartition, Option<[u8; 16]>)>,
    ) {
        for (split, name, topic_id) in topics {
            let known = self.progress.partitions.iter_mut();
            let mut known = known.filter(|known| {
                known.is_current && *known.topic == *name.topic && known.partition == name.partition
            });
            if let Some(known) = known.next() {
                let is_other = matches!((known.topic_id, topic_id), (Some(a), Some(b)) if a != b);
                if !is_other {
                    known.topic_id = topic_id.or(known.topic_id);
                    known.read_millis = self.now_millis;
                    let place = known.place;
                    self.read_place(place, split);
                    continue;
                }
                known.is_current = false;
            }
            let place = self.new_place();
            self.progress.partitions.push(PartitionPlace {
                place,
                topic: name.topic.to_string(),
                topic_id,
                partition: name.partition,
                next_offset: 0,
                is_current: true,
                read_millis: self.now_millis,
            });
            self.read_place(place, split);
        }
    }

    /// Notes that a place is read by this run.
    fn read_place(&mut self, place: u32, split: SplitId) {
        self.places.insert(split, place);
        self.splits.insert(place, split);
    }

    /// Returns what the audit has to know of earlier runs.
    pub(in crate::command) fn past(
        &mut self,
        first_split: usize,
        options: &FileOptions,
    ) -> Result<Past<'_>, CommandError> {
        self.retire_replaced();
        let split = |at: usize| {
            let split = u32::try_from(first_split + at).map(SplitId);
            split.map_err(|_| CommandError::configuration(anyhow!("too many files")))
        };
        let mut sources: Vec<Box<dyn RecordSource>> = Vec::new();
        for known in &self.progress.partitions {
            if !self.is_read(known.place) {
                let name = TopicPartition {
                    topic: known.topic.as_str().into(),
                    partition: known.partition,
                };
                let split = split(sources.len())?;
                self.splits.insert(known.place, split);
                sources.push(Box::new(GonePartition::new(split, name)));
            }
        }
        for known in &self.progress.files {
            if !self.is_read(known.place) {
                let split = split(sources.len())?;
                let path = PathBuf::from(&known.path);
                let now = FileNow::of(&path).ok().flatten();
                let is_there = now.is_some_and(|now| {
                    let fate = now.fate(&path, known);
                    known.is_current && matches!(fate, Ok(Fate::Same | Fate::Grown))
                });
                self.splits.insert(known.place, split);
                let file = EarlierFile::unasked(&path, split, options, is_there);
                sources.push(Box::new(file.with_byte_offsets(known.has_byte_offsets)));
            }
        }
        Ok(Past {
            state: &self.state,
            kept_since_millis: self.kept_since(),
            news_since_millis: self.now_millis.saturating_sub(self.request.new_for_millis),
            now_millis: self.now_millis,
            reread: self
                .places
                .iter()
                .filter(|(_, place)| self.reread.contains(place))
                .map(|(split, _)| *split)
                .collect(),
            splits: self.splits.clone(),
            places: self.places.clone(),
            sources,
        })
    }

    /// Returns whether a place is read by this run; asked before the others get their splits.
    fn is_read(&self, place: u32) -> bool {
        self.splits.contains_key(&place)
    }

    /// Entries from before this are dropped. What this run reads may have come right after the last
    /// run that read to the end, however long ago that was, so the look-back ends there; of the
    /// runs whose findings are still news, the first decides, so that one that is tried again finds
    /// what it found.
    fn kept_since(&self) -> i64 {
        let news_since = self.now_millis.saturating_sub(self.request.new_for_millis);
        let before = self.state.history().last_whole_start_by(news_since);
        let before = before.unwrap_or(news_since);
        before.saturating_sub(self.request.look_back_millis)
    }

    /// Returns what runs have come to, with this one.
    pub(in crate::command) fn history(
        &self,
        audit: &Audit,
        (finished_millis, is_stopped): (i64, bool),
    ) -> RunHistory {
        let times = (self.now_millis, finished_millis.max(self.now_millis));
        let mut run = RunRecord::of(times, &audit.summary, &audit.coverage, &audit.new);
        run.leaves_rest |= is_stopped && !audit.summary.complete;
        let mut history = self.state.history().clone();
        history.add(run, &audit.new, &audit.coverage);
        history
    }

    /// Puts what the next run goes on with on disk, and what runs have come to; it counts once it
    /// is committed.
    pub(in crate::command) fn prepare(
        &mut self,
        audit: &Audit,
        (remembered, history): (RememberedRecords, RunHistory),
        sources: &[Box<dyn RecordSource>],
        is_stopped: bool,
    ) -> Result<PreparedState<'_>, CommandError> {
        let mut keeping = Keeping {
            now_millis: self.now_millis,
            since_millis: self.kept_since(),
            ..Keeping::default()
        };
        self.end_partitions(audit, &mut keeping);
        self.end_files(sources, is_stopped, &mut keeping);
        self.note_gone_files(&mut keeping);
        keeping.reread.clone_from(&self.reread);
        let progress = mem::take(&mut self.progress);
        let rows = remembered.into_rows(&self.request.dir);
        self.state
            .prepare(progress, rows, &keeping, history)
            .map_err(failure)
    }

    /// Notes where each partition is read on.
    fn end_partitions(&mut self, audit: &Audit, keeping: &mut Keeping) {
        for read in &audit.coverage.partitions {
            let name = &read.topic_partition;
            let known = self.progress.partitions.iter_mut().find(|known| {
                known.is_current && *known.topic == *name.topic && known.partition == name.partition
            });
            let Some(known) = known else { continue };
            let is_void = |reason| matches!(reason, GapReason::Truncated | GapReason::Recreated);
            if read.gaps.iter().any(|gap| is_void(gap.reason)) {
                // What was read may be of another log: the next run looks at it anew.
                known.next_offset = read.start_offset;
                keeping.ends.insert(known.place, PlaceEnd::Nothing);
                continue;
            }
            keeping.is_cut |= read.next_offset < known.next_offset;
            known.next_offset = read.next_offset;
            let end = u64::try_from(read.next_offset).unwrap_or_default();
            keeping.ends.insert(known.place, PlaceEnd::Position(end));
        }
    }

    /// Says what is known, before the first record is read.
    pub(in crate::command) fn introduce(
        &self,
        started_millis: i64,
        surroundings: &mut Surroundings<'_>,
    ) {
        let text = match self.state.history().runs.last() {
            Some(run) => {
                let time = time_text(run.started_at_millis);
                format!(
                    "`{}`: reads on where the run of {time} ended",
                    self.request.dir.display()
                )
            }
            None => format!(
                "`{}`: a new state, so all is read",
                self.request.dir.display()
            ),
        };
        (surroundings.say)(Message::Note(text));
        if self.now_millis > started_millis {
            let last = time_text(self.now_millis);
            (surroundings.say)(Message::Warning(format!(
                "the clock is behind the run of {last}: this one counts as just after it, and what \
                 it finds is news until the clock is there"
            )));
        }
    }
}

/// Returns the start of a run by its clock, or just after the last run where that clock is behind:
/// what is read now must not be taken for old, and forgotten.
fn after_earlier_runs(started_millis: i64, state: &State) -> i64 {
    let last = state.history().last_start();
    last.map_or(started_millis, |last| {
        started_millis.max(last.saturating_add(1))
    })
}

fn cannot_be_read_on(what: &str) -> CommandError {
    CommandError::configuration(anyhow!("{what} cannot be read on by the next run"))
        .with_hint("with --state, name files or topics")
}

/// Returns where the partitions of a state are to be read on.
pub(in crate::command) fn resume_points(
    partitions: &[PartitionPlace],
) -> BTreeMap<TopicPartition, ResumePoint> {
    let current = partitions.iter().filter(|known| known.is_current);
    current
        .map(|known| {
            let name = TopicPartition {
                topic: known.topic.as_str().into(),
                partition: known.partition,
            };
            let point = ResumePoint {
                offset: known.next_offset,
                topic_id: known.topic_id,
                run: format!("the run of {}", time_text(known.read_millis)),
            };
            (name, point)
        })
        .collect()
}
