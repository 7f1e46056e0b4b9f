//! Connections that copy ranges of positions at the same time, over one snapshot.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use postgres::Client;

use crate::record::{RecordBlock, SplitId};
use crate::source::StopFlag;
use crate::source::postgres::PostgresSpec;
use crate::source::postgres::connection;
use crate::source::postgres::error::{PostgresError, of_io};
use crate::source::postgres::relation::Relation;
use crate::source::postgres::rows::RowReader;

/// A block is handed on at either: several of each connection are on their way.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCK_RECORDS: usize = 2048;

/// Fewer positions than these are no work for a connection of their own.
const TASK_POSITIONS_MIN: i64 = 20_000;

/// Tasks for each connection, so that none waits long for another.
const TASKS_PER_CONNECTION: i64 = 8;

/// A range of positions of one relation, read by one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Its place among the relations.
    pub(super) relation: usize,
    /// Its positions.
    pub(super) range: Range<i64>,
}

/// What a connection has to tell.
pub(super) enum Told {
    /// Records of a task, by its number, and the positions between them that are not there.
    Records(usize, RecordBlock, Vec<Range<i64>>),
    /// A task is done, and these last positions are not there.
    Done(usize, Vec<Range<i64>>),
    /// A connection cannot go on.
    Failed(PostgresError),
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) spec: PostgresSpec,
    pub(super) snapshot: String,
    pub(super) relations: Vec<Relation>,
    pub(super) first_split: SplitId,
    pub(super) stop: StopFlag,
}

impl Shared {
    /// Returns the split of a relation.
    pub(super) fn split(&self, relation: usize) -> SplitId {
        let number = u32::try_from(relation).unwrap_or(u32::MAX);
        SplitId(self.first_split.0.saturating_add(number))
    }
}

/// Returns the tasks that the ranges of relations are read in.
pub(super) fn tasks(relations: &[Relation], connections: usize) -> Vec<Task> {
    let connections = i64::try_from(connections).unwrap_or(1).max(1);
    let mut tasks = Vec::new();
    for (place, relation) in relations.iter().enumerate() {
        let Range { start, end } = relation.range;
        let positions = end.saturating_sub(start);
        let step = (positions / (connections * TASKS_PER_CONNECTION)).max(TASK_POSITIONS_MIN);
        // Without an index every statement would read everything.
        let step = if relation.is_indexed { step } else { positions };
        let mut from = start;
        while from < end {
            let to = from.saturating_add(step).min(end);
            tasks.push(Task {
                relation: place,
                range: from..to,
            });
            from = to;
        }
    }
    tasks
}

/// Starts the connections; what they tell ends when all are done.
pub(super) fn start(shared: &Arc<Shared>, tasks: &[Task]) -> io::Result<Receiver<Told>> {
    let connections = shared.spec.connections.clamp(1, tasks.len().max(1));
    let (sender, receiver) = sync_channel(connections);
    let numbered: VecDeque<(usize, Task)> = tasks.iter().cloned().enumerate().collect();
    let queue = Arc::new(Mutex::new(numbered));
    for number in 0..connections {
        let worker = Worker {
            shared: Arc::clone(shared),
            queue: Arc::clone(&queue),
            sender: sender.clone(),
        };
        thread::Builder::new()
            .name(format!("postgres-{number}"))
            .spawn(move || worker.run())?;
    }
    Ok(receiver)
}

struct Worker {
    shared: Arc<Shared>,
    queue: Arc<Mutex<VecDeque<(usize, Task)>>>,
    sender: SyncSender<Told>,
}

impl Worker {
    fn run(&self) {
        if let Err(error) = self.work() {
            // Nobody listens any more where this fails.
            let _ = self.sender.send(Told::Failed(error));
        }
    }

    fn work(&self) -> Result<(), PostgresError> {
        let mut client = None;
        loop {
            let next = self
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some((number, task)) = next else {
                return Ok(());
            };
            let client = match &mut client {
                Some(client) => client,
                empty @ None => {
                    let snapshot = Some(self.shared.snapshot.as_str());
                    empty.insert(connection::open(&self.shared.spec, snapshot)?)
                }
            };
            if !self.copy(client, number, &task)? {
                return Ok(());
            }
        }
    }

    /// Returns whether to go on.
    fn copy(&self, client: &mut Client, number: usize, task: &Task) -> Result<bool, PostgresError> {
        let Some(relation) = self.shared.relations.get(task.relation) else {
            return Ok(false);
        };
        let doing = format!("read {}", relation.topic);
        let copy = client.copy_out(&relation.copy_range(&task.range));
        let copy = copy.map_err(|error| PostgresError::of(&doing, &error))?;
        let mut rows = RowReader::new(copy, relation);
        let split = self.shared.split(task.relation);
        let mut next = task.range.start;
        let mut holes = Vec::new();
        let mut block = RecordBlock::default();
        block.clear(split);
        let is_told = |told: Told| self.sender.send(told).is_ok();
        while let Some(position) = rows
            .next(&mut block)
            .map_err(|error| of_io(&doing, &error))?
        {
            if position < next {
                let column = &relation.position;
                let text = format!("{doing}: {column} holds {position} twice; it must be unique");
                return Err(PostgresError::Configuration(text));
            }
            if position > next && relation.owns_positions {
                holes.push(next..position);
            }
            next = position.saturating_add(1);
            if block.bytes.len() >= BLOCK_BYTES || block.slots.len() >= BLOCK_RECORDS {
                let full = std::mem::take(&mut block);
                block.clear(split);
                let told = Told::Records(number, full, std::mem::take(&mut holes));
                if self.shared.stop.is_stopped() || !is_told(told) {
                    return Ok(false);
                }
            }
        }
        if !block.slots.is_empty()
            && !is_told(Told::Records(number, block, std::mem::take(&mut holes)))
        {
            return Ok(false);
        }
        if next < task.range.end && relation.owns_positions {
            holes.push(next..task.range.end);
        }
        Ok(is_told(Told::Done(number, holes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cover_every_position_once() {
        let relation = |start, end, is_indexed| {
            let mut relation = Relation::of_columns("a", Vec::new());
            (relation.range, relation.is_indexed) = (start..end, is_indexed);
            relation
        };
        let relations = [
            relation(5, 2_000_005, true),
            relation(1, 100, true),
            relation(0, 900_000, false),
            relation(7, 7, true),
        ];
        let tasks = tasks(&relations, 4);
        for (place, relation) in relations.iter().enumerate() {
            let mine = tasks.iter().filter(|task| task.relation == place);
            let mut next = relation.range.start;
            for task in mine {
                assert_eq!(task.range.start, next);
                assert!(task.range.end > next);
                next = task.range.end;
            }
            assert_eq!(next, relation.range.end);
        }
        let count = |place| tasks.iter().filter(|task| task.relation == place).count();
        assert_eq!([0, 1, 2, 3].map(count), [32, 1, 1, 0]);
    }
}
