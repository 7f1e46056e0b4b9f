//! What earlier runs have read: compared with what this one reads.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::audit::AuditError;
use crate::index::{IndexWriter, Occurrence, Seen};
use crate::record::SplitId;
use crate::sorted_run::{FixedSorter, SortedFixed};
use crate::source::RecordSource;
use crate::state::{Entries, Entry, State, StateError};

/// What earlier runs have read, and where that lies now.
pub struct Past<'a> {
    /// What they left.
    pub state: &'a State,
    /// What they read before this is forgotten, milliseconds since the epoch.
    pub kept_since_millis: i64,
    /// What they found before this is no news, milliseconds since the epoch.
    pub news_since_millis: i64,
    /// Start of this run, milliseconds since the epoch.
    pub now_millis: i64,
    /// Where the partitions and files that they read can be read again, by their numbers.
    pub splits: HashMap<u32, SplitId>,
    /// The number of each split that is read this time.
    pub places: HashMap<SplitId, u32>,
    /// Splits that are read whole again: what earlier runs have read of them and is not found at
    /// its place is not there any more.
    pub reread: HashSet<SplitId>,
    /// Sources that are only read again.
    pub sources: Vec<Box<dyn RecordSource>>,
}

impl Past<'_> {
    /// Adds what earlier runs have read to the index.
    pub(super) fn add_to(&self, index: &mut IndexWriter) -> Result<(), AuditError> {
        for entry in self.state.entries(self.kept_since_millis) {
            let entry = entry?;
            let Some(&split) = self.splits.get(&entry.place) else {
                continue;
            };
            index.add(Occurrence {
                fingerprint: entry.fingerprint,
                is_reversal: entry.is_reversal,
                timestamp_millis: entry.timestamp_millis,
                split,
                position: entry.position,
                seen: self.seen(&entry),
            })?;
        }
        Ok(())
    }

    fn seen(&self, entry: &Entry) -> Seen {
        if entry.read_millis >= self.news_since_millis {
            Seen::Lately
        } else {
            Seen::Before
        }
    }
}

/// What one worker reads, for the runs to come.
pub(super) struct FreshEntries<'a> {
    past: &'a Past<'a>,
    sorter: FixedSorter<Entry>,
}

impl<'a> FreshEntries<'a> {
    pub(super) fn new(past: &'a Past<'a>, sorter: FixedSorter<Entry>) -> Self {
        Self { past, sorter }
    }

    /// Takes a record.
    pub(super) fn add(&mut self, occurrence: &Occurrence) -> Result<(), AuditError> {
        let Some(&place) = self.past.places.get(&occurrence.split) else {
            return Ok(());
        };
        Ok(self.sorter.push(Entry {
            fingerprint: occurrence.fingerprint,
            is_reversal: occurrence.is_reversal,
            timestamp_millis: occurrence.timestamp_millis,
            place,
            position: occurrence.position,
            read_millis: self.past.now_millis,
        })?)
    }

    /// Returns what was taken, in order.
    pub(super) fn finish(self) -> Result<RememberedRecords, AuditError> {
        Ok(RememberedRecords {
            count: self.sorter.count(),
            rows: vec![self.sorter.finish()?],
        })
    }
}

/// What a run has read, for the runs to come.
#[derive(Default)]
pub struct RememberedRecords {
    count: u64,
    rows: Vec<SortedFixed<Entry>>,
}

impl RememberedRecords {
    /// Adds what another worker has read.
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.rows.extend(other.rows);
    }

    /// Returns the records in rows that are in order, and how many there are.
    pub fn into_rows(self, dir: &Path) -> (Vec<Entries<'_>>, u64) {
        let rows = self.rows.into_iter().map(|row| -> Entries<'_> {
            Box::new(row.map(|entry| {
                entry.map_err(|source| StateError::Io {
                    what: "sort what goes into",
                    dir: dir.to_owned(),
                    source,
                })
            }))
        });
        (rows.collect(), self.count)
    }
}
