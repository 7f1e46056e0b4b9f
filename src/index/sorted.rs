//! All occurrences in order: cut into parts for other processes, and compared once they are merged.

use std::path::Path;

use super::DuplicateIndex;
use super::IndexError;
use super::IndexWriter;
use super::Occurrence;
use super::group::GroupWalk;
use super::suspects::{Suspects, gather};
use crate::sorted_run::FixedSorter;

impl DuplicateIndex {
    /// Calls `each` with all that the writers took, in order.
    pub fn walk<E: From<IndexError>>(
        self,
        mut writers: Vec<IndexWriter>,
        mut each: impl FnMut(Occurrence) -> Result<(), E>,
    ) -> Result<(), E> {
        if writers.iter().any(IndexWriter::has_spilled) {
            writers.iter_mut().try_for_each(IndexWriter::flush)?;
        }
        let memory_bytes = self.budget.share(1, 4);
        let (buckets, files) = gather(writers);
        for bucket in buckets {
            let mut sorter = FixedSorter::new(&self.spill_dir, memory_bytes);
            bucket.drain(&files, |occurrence| Ok(sorter.push(occurrence)?))?;
            for occurrence in sorter.finish().map_err(IndexError::from)? {
                each(occurrence.map_err(IndexError::from)?)?;
            }
        }
        Ok(())
    }
}

/// Compares occurrences that come in order, and returns the suspects.
pub fn compare<E: From<IndexError>>(
    occurrences: impl Iterator<Item = Result<Occurrence, E>>,
    within_millis: Option<i64>,
    (dir, memory_bytes): (&Path, usize),
) -> Result<Suspects, E> {
    let mut walk = GroupWalk::new(within_millis);
    let mut places = Suspects::sorter(dir, memory_bytes);
    for occurrence in occurrences {
        walk.next(occurrence?, &mut |suspect| places.push(suspect))?;
    }
    Ok(places.finish(walk.counts())?)
}
