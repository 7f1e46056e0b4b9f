//! A database as a source: one snapshot, and each selection a topic without partitions.

use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgres::Client;

use crate::finding::{GapReason, OffsetGap, PartitionCoverage};
use crate::record::{RecordBlock, SplitId, TopicPartition, counted};
use crate::source::postgres::PostgresSpec;
use crate::source::postgres::connection;
use crate::source::postgres::error::{PostgresError, of_io};
use crate::source::postgres::reader::{self, Shared, Task, Told};
use crate::source::postgres::relation::Relation;
use crate::source::postgres::rows::RowReader;
use crate::source::{
    PositionUnit, ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage, StopFlag,
};

/// How often a pass that waits looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Holes beyond these are counted, and no longer listed.
const HOLES_MAX: usize = 1000;

/// Positions that one statement of the second pass asks for.
const FETCH_INDEXED: usize = 2000;
const FETCH_MAX: usize = 50_000;

/// A database as a source.
pub struct PostgresSource {
    shared: Arc<Shared>,
    tasks: Vec<Task>,
    state: Mutex<State>,
    told: Mutex<Option<Receiver<Told>>>,
    /// Keeps the snapshot while it lives.
    _leader: Mutex<Client>,
    /// Transactions that were writing when the snapshot was taken.
    writers: i64,
}

/// How far the tasks have come.
#[derive(Debug, Default)]
struct State {
    /// The next position of each task, and whether it is done.
    tasks: Vec<(i64, bool)>,
    /// Records and positions that are not there, for each relation.
    relations: Vec<Tally>,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    records: u64,
    holes: Vec<Range<i64>>,
    hole_positions: i64,
    unlisted: bool,
}

impl Tally {
    fn add(&mut self, holes: Vec<Range<i64>>) {
        for hole in holes {
            self.hole_positions += hole.end - hole.start;
            if self.holes.len() < HOLES_MAX {
                self.holes.push(hole);
            } else {
                self.unlisted = true;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PostgresSource {
    /// Connects and takes the snapshot that everything is read from.
    pub fn open(
        spec: &PostgresSpec,
        first_split: SplitId,
        stop: StopFlag,
    ) -> Result<Self, PostgresError> {
        let mut leader = connection::open(spec, None)?;
        let failed = |error: &postgres::Error| PostgresError::of("take a snapshot", error);
        let question = "SELECT pg_export_snapshot(), (SELECT count(*) FROM pg_stat_activity \
             WHERE backend_xid IS NOT NULL AND datname = current_database() \
             AND pid <> pg_backend_pid())";
        let row = leader
            .query_one(question, &[])
            .map_err(|error| failed(&error))?;
        let snapshot = row.try_get(0).map_err(|error| failed(&error))?;
        let writers = row.try_get(1).map_err(|error| failed(&error))?;
        let selections = spec.selections.iter();
        let relations = selections
            .map(|selection| Relation::find(&mut leader, spec, selection))
            .collect::<Result<Vec<Relation>, PostgresError>>()?;
        let tasks = reader::tasks(&relations, spec.connections);
        let state = State {
            tasks: tasks.iter().map(|task| (task.range.start, false)).collect(),
            relations: vec![Tally::default(); relations.len()],
        };
        Ok(Self {
            shared: Arc::new(Shared {
                spec: spec.clone(),
                snapshot,
                relations,
                first_split,
                stop,
            }),
            tasks,
            state: Mutex::new(state),
            told: Mutex::new(None),
            _leader: Mutex::new(leader),
            writers,
        })
    }

    /// Returns what will be read, for people.
    pub fn ranges(&self) -> Vec<String> {
        let place = self.shared.spec.settings.place();
        let relations = self.shared.relations.iter();
        relations
            .map(|relation| {
                let Range { start, end } = relation.range;
                format!("{}: positions [{start}, {end}) of {place}", relation.topic)
            })
            .collect()
    }

    /// Returns the next thing told; nothing at the end, or when the scan was stopped.
    fn hear(&self) -> Result<Option<Told>, ReadError> {
        loop {
            if self.shared.stop.is_stopped() {
                return Ok(None);
            }
            let mut told = lock(&self.told);
            let receiver = match &mut *told {
                Some(receiver) => receiver,
                empty @ None => empty.insert(reader::start(&self.shared, &self.tasks)?),
            };
            match receiver.recv_timeout(PATIENCE) {
                Ok(told) => return Ok(Some(told)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    fn note(&self, task: usize, next: Option<i64>, records: usize, holes: Vec<Range<i64>>) {
        let mut state = lock(&self.state);
        if let Some(place) = state.tasks.get_mut(task) {
            match next {
                Some(next) => place.0 = next,
                None => place.1 = true,
            }
        }
        let relation = self.tasks.get(task).map_or(0, |task| task.relation);
        if let Some(tally) = state.relations.get_mut(relation) {
            tally.records += u64::try_from(records).unwrap_or_default();
            tally.add(holes);
        }
    }

    fn relation_coverage(&self, place: usize, relation: &Relation) -> PartitionCoverage {
        let state = lock(&self.state);
        let tally = state.relations.get(place).cloned().unwrap_or_default();
        let gap = |Range { start, end }: Range<i64>, reason| OffsetGap { start, end, reason };
        let holes = tally.holes.iter().cloned();
        let mut gaps: Vec<OffsetGap> = holes
            .map(|hole| gap(hole, GapReason::SequenceHole))
            .collect();
        let mine = self.tasks.iter().zip(&state.tasks);
        let unread = mine.filter(|(task, (_, is_done))| task.relation == place && !is_done);
        for (task, (next, _)) in unread {
            gaps.push(gap(*next..task.range.end, GapReason::Interrupted));
        }
        gaps.sort();
        // Holes that touch, and tasks that follow each other, leave one gap.
        gaps.dedup_by(|next, last| {
            let is_one = last.end == next.start && last.reason == next.reason;
            last.end = if is_one { next.end } else { last.end };
            is_one
        });
        let Range { start, end } = relation.range;
        let unread = gaps.iter().find(|gap| gap.reason == GapReason::Interrupted);
        PartitionCoverage {
            topic_partition: TopicPartition {
                topic: Arc::clone(&relation.topic),
                partition: TopicPartition::UNKNOWN,
            },
            log_start_offset: relation.extent.start,
            high_watermark: relation.extent.end,
            last_stable_offset: relation.extent.end,
            start_offset: start,
            end_offset: end,
            next_offset: unread.map_or(end, |gap| gap.start),
            records_read: tally.records,
            is_log_append_time: false,
            notes: self.notes(relation, &tally),
            gaps,
        }
    }

    fn notes(&self, relation: &Relation, tally: &Tally) -> Vec<String> {
        let mut notes = Vec::new();
        if tally.hole_positions > 0 {
            let holes = u64::try_from(tally.hole_positions).unwrap_or_default();
            let listed = if tally.unlisted {
                ", of which the first are listed"
            } else {
                ""
            };
            notes.push(format!(
                "{} in the sequence {} not there{listed}: rolled-back transactions and deleted \
                 records leave holes",
                counted(holes, "position"),
                if holes == 1 { "is" } else { "are" },
            ));
        }
        if self.writers > 0 {
            let writers = u64::try_from(self.writers).unwrap_or_default();
            notes.push(format!(
                "{} {} open when the snapshot was taken: what they commit is not in it, and may \
                 stand below position {}, since a sequence is no order",
                counted(writers, "transaction"),
                if writers == 1 { "was" } else { "were" },
                relation.extent.end
            ));
        }
        notes
    }
}

impl RecordSource for PostgresSource {
    fn name(&self) -> String {
        let topics = self
            .shared
            .relations
            .iter()
            .map(|relation| &*relation.topic);
        topics.collect::<Vec<&str>>().join(", ")
    }

    fn splits(&self) -> Vec<SplitId> {
        let places = 0..self.shared.relations.len();
        places.map(|place| self.shared.split(place)).collect()
    }

    fn topic_partition(&self, split: SplitId) -> Option<TopicPartition> {
        Some(TopicPartition {
            topic: Arc::clone(&self.relation(split)?.topic),
            partition: TopicPartition::UNKNOWN,
        })
    }

    fn store_members(&self, split: SplitId) -> Option<&[String]> {
        Some(&self.relation(split)?.own_columns)
    }

    fn position_unit(&self) -> PositionUnit {
        PositionUnit::Offset
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        loop {
            match self.hear()? {
                None => return Ok(false),
                Some(Told::Failed(error)) => {
                    // The others have no reason to go on.
                    self.shared.stop.stop();
                    return Err(error.into());
                }
                Some(Told::Done(task, holes)) => self.note(task, None, 0, holes),
                Some(Told::Records(task, records, holes)) => {
                    let last = records.slots.last().map_or(0, |slot| slot.offset);
                    self.note(task, Some(last + 1), records.slots.len(), holes);
                    *block = records;
                    return Ok(true);
                }
            }
        }
    }

    fn progress(&self) -> SourceProgress {
        let state = lock(&self.state);
        let (mut done, mut total) = (0, 0);
        for (task, (next, is_done)) in self.tasks.iter().zip(&state.tasks) {
            let Range { start, end } = task.range;
            total += end - start;
            done += if *is_done { end - start } else { next - start };
        }
        SourceProgress {
            done: u64::try_from(done).unwrap_or_default(),
            total: u64::try_from(total).unwrap_or_default(),
        }
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let relations = self.shared.relations.iter().enumerate();
        let covered = relations.map(|(place, relation)| self.relation_coverage(place, relation));
        covered.map(SplitCoverage::Partition).collect()
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        let relation = self
            .relation(split)
            .ok_or_else(|| ReadError::Internal(format!("no split {}", split.0)))?;
        let client = connection::open(&self.shared.spec, Some(&self.shared.snapshot))?;
        Ok(Box::new(Revisitor { client, relation }))
    }
}

impl PostgresSource {
    fn relation(&self, split: SplitId) -> Option<&Relation> {
        let place = split.0.checked_sub(self.shared.first_split.0)?;
        self.shared.relations.get(usize::try_from(place).ok()?)
    }
}

struct Revisitor<'a> {
    client: Client,
    relation: &'a Relation,
}

impl RecordRevisitor for Revisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        let is_indexed = self.relation.is_indexed;
        let most = if is_indexed { FETCH_INDEXED } else { FETCH_MAX };
        let wanted = positions
            .get(..positions.len().min(most))
            .unwrap_or_default();
        let doing = format!("read {} again", self.relation.topic);
        let copy = self.client.copy_out(&self.relation.copy_positions(wanted));
        let copy = copy.map_err(|error| PostgresError::of(&doing, &error))?;
        let mut rows = RowReader::new(copy, self.relation);
        while rows
            .next(block)
            .map_err(|error| of_io(&doing, &error))?
            .is_some()
        {}
        Ok(wanted.len())
    }
}
