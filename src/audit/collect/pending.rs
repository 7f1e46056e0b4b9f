//! Occurrences that wait, a few at a time, for the fingerprint of their dedup key.
//!
//! A dedup key is written in small pieces and its hash reads it in large ones. To read what was
//! written a moment before stalls the processor, so that some records lie between the two.

use crate::audit::AuditError;
use crate::audit::past::FreshEntries;
use crate::dedup_key::fingerprint;
use crate::finding::Fingerprint;
use crate::index::IndexWriter;
use crate::index::Occurrence;

/// Occurrences that wait at most.
const PENDING_MAX: usize = 32;

/// What one worker takes of the records: for this run, and for those to come.
pub(super) struct Taken<'a> {
    pub(super) index: IndexWriter,
    pub(super) fresh: Option<FreshEntries<'a>>,
}

impl Taken<'_> {
    fn add(&mut self, occurrence: Occurrence) -> Result<(), AuditError> {
        if let Some(fresh) = &mut self.fresh {
            fresh.add(&occurrence)?;
        }
        Ok(self.index.add(occurrence)?)
    }
}

/// Occurrences without their fingerprints, beside their canonical dedup keys.
#[derive(Debug)]
pub(super) struct PendingOccurrences {
    /// The keys of those that wait, and the one that is being written.
    canonicals: Vec<Vec<u8>>,
    occurrences: Vec<Occurrence>,
}

impl PendingOccurrences {
    /// Returns a list without any.
    pub(super) fn new() -> Self {
        Self {
            canonicals: vec![Vec::new(); PENDING_MAX],
            occurrences: Vec::with_capacity(PENDING_MAX),
        }
    }

    /// Returns the place for the canonical dedup key of the next occurrence.
    pub(super) fn canonical(&mut self) -> &mut Vec<u8> {
        let next = self.occurrences.len();
        self.canonicals
            .get_mut(next)
            .expect("a full list is emptied at once")
    }

    /// Adds an occurrence whose canonical dedup key is written.
    pub(super) fn add(
        &mut self,
        occurrence: Occurrence,
        taken: &mut Taken<'_>,
    ) -> Result<(), AuditError> {
        self.occurrences.push(occurrence);
        if self.occurrences.len() == PENDING_MAX {
            self.finish(taken)?;
        }
        Ok(())
    }

    /// Gives all that wait their fingerprints and hands them on.
    pub(super) fn finish(&mut self, taken: &mut Taken<'_>) -> Result<(), AuditError> {
        for (occurrence, canonical) in self.occurrences.iter_mut().zip(&self.canonicals) {
            occurrence.fingerprint = fingerprint(canonical);
        }
        for occurrence in self.occurrences.drain(..) {
            taken.add(occurrence)?;
        }
        Ok(())
    }
}

/// What an occurrence has in the place of its fingerprint while it waits.
pub(super) const NO_FINGERPRINT: Fingerprint = Fingerprint([0, 0]);
