//! Has the records of all suspected groups made to groups, on every thread.

mod gathering;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::AuditError;
use crate::audit::groups::gather::gathering::{Built, Gathering, read_fingerprint};
use crate::audit::groups::spool::SpoolFiles;
use crate::audit::plan::AuditPlan;
use crate::sorted_run::BlobList;
use crate::sorted_run::SortedBlobs;
use crate::threads::on_threads;

/// How much of the records is held at once.
#[derive(Clone, Copy)]
struct BatchLimits {
    /// Bytes that one thread takes at once, and the records of the last fingerprint besides.
    bytes: usize,
    /// With more bytes, the rest of that fingerprint is taken one record at a time.
    open_bytes: usize,
}

const LIMITS: BatchLimits = BatchLimits {
    bytes: 128 * 1024,
    open_bytes: 1024 * 1024,
};

/// Groups that have numbers of their own in one batch, which has fewer bytes than that.
const NUMBERS_PER_BATCH: u64 = 1 << 32;

/// All groups, and the pairs of their extra records.
pub(super) struct Gathered {
    /// Groups by number.
    pub(super) groups: SortedBlobs,
    /// Pairs by topic, partition and offset of the extra record.
    pub(super) pairs: SortedBlobs,
    pub(super) spools: SpoolFiles,
}

/// Turns records, found and gone, into groups and pairs.
pub(super) fn gather(
    plan: &AuditPlan,
    records: (SortedBlobs, SortedBlobs),
    spill_dir: &Path,
) -> Result<Gathered, AuditError> {
    let is_one_batch = records.0.is_small(LIMITS.bytes) && records.1.is_small(LIMITS.bytes);
    let count = if is_one_batch { 1 } else { plan.workers() };
    gather_on(plan, records, spill_dir, (count, LIMITS))
}

fn gather_on(
    plan: &AuditPlan,
    (found, gone): (SortedBlobs, SortedBlobs),
    spill_dir: &Path,
    (count, limits): (usize, BatchLimits),
) -> Result<Gathered, AuditError> {
    let records = Mutex::new(Records {
        found,
        gone,
        limits,
        batches: 0,
        has_failed: false,
    });
    let worker = Worker {
        plan,
        records: &records,
    };
    let outcomes = on_threads(count, |number| worker.run((number, count), spill_dir));
    let (mut groups, mut pairs, mut spools) = (Vec::new(), Vec::new(), Vec::new());
    for built in outcomes {
        let built = built?;
        groups.push(built.groups);
        pairs.push(built.pairs);
        spools.push(built.spool);
    }
    Ok(Gathered {
        groups: SortedBlobs::merged(groups)?,
        pairs: SortedBlobs::merged(pairs)?,
        spools: spools.into(),
    })
}

/// Records in the order of their sort keys, of which batch after batch is taken.
struct Records {
    found: SortedBlobs,
    gone: SortedBlobs,
    limits: BatchLimits,
    batches: u64,
    has_failed: bool,
}

/// Records of whole fingerprints.
struct Batch {
    number: u64,
    found: BlobList,
    gone: BlobList,
    /// The last fingerprint, where more of its records are left.
    open: Option<[u64; 2]>,
}

impl Records {
    fn next_batch(&mut self) -> Result<Option<Batch>, AuditError> {
        let is_at_end = self.found.peek()?.is_none() && self.gone.peek()?.is_none();
        if self.has_failed || is_at_end {
            return Ok(None);
        }
        let mut batch = Batch {
            number: self.batches,
            found: BlobList::default(),
            gone: BlobList::default(),
            open: None,
        };
        self.batches += 1;
        let mut last = None;
        loop {
            let found = self.found.peek()?.map(|record| read_fingerprint(record.0));
            let gone = self.gone.peek()?.map(|record| read_fingerprint(record.0));
            let Some(next) = found.into_iter().chain(gone).min() else {
                break;
            };
            let bytes = batch.found.bytes() + batch.gone.bytes();
            let is_other = last.is_some_and(|last| last != next);
            if is_other && bytes >= self.limits.bytes {
                break;
            }
            if last.is_some() && bytes >= self.limits.open_bytes {
                batch.open = last;
                break;
            }
            last = Some(next);
            let (from, to) = if found == last {
                (&mut self.found, &mut batch.found)
            } else {
                (&mut self.gone, &mut batch.gone)
            };
            if let Some(record) = from.next()? {
                to.push(record)?;
            }
        }
        Ok(Some(batch))
    }

    /// Has the rest of an open batch's last fingerprint taken.
    fn take_rest(
        &mut self,
        fingerprint: [u64; 2],
        gathering: &mut Gathering<'_>,
    ) -> Result<(), AuditError> {
        while let Some(record) = self.found.peek()?
            && read_fingerprint(record.0) == fingerprint
        {
            gathering.take(record)?;
            self.found.next()?;
        }
        self.gone = gathering.return_gone()?;
        Ok(())
    }
}

/// What those share that build groups.
#[derive(Clone, Copy)]
struct Worker<'a> {
    plan: &'a AuditPlan,
    records: &'a Mutex<Records>,
}

impl Worker<'_> {
    /// Builds groups until no record is left, as the one of so many with this number.
    fn run(self, place: (usize, usize), spill_dir: &Path) -> Result<Built, AuditError> {
        let built = Gathering::new(self.plan, spill_dir, place).and_then(|mut gathering| {
            while self.take_batch(&mut gathering)? {}
            gathering.finish()
        });
        if built.is_err() {
            self.records().has_failed = true;
        }
        built
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds the groups of the next batch; returns false where there is none.
    fn take_batch(self, gathering: &mut Gathering<'_>) -> Result<bool, AuditError> {
        let mut records = self.records();
        let Some(batch) = records.next_batch()? else {
            return Ok(false);
        };
        // The others wait for the rest of an open batch.
        let mut rest = batch.open.map(|fingerprint| (fingerprint, records));
        gathering.begin(batch.number * NUMBERS_PER_BATCH, batch.gone.into_sorted())?;
        if let Some((fingerprint, records)) = &mut rest {
            gathering.lend_gone(*fingerprint, std::mem::take(&mut records.gone))?;
        }
        let mut found = batch.found.into_sorted();
        while let Some(record) = found.next()? {
            gathering.take(record)?;
        }
        if let Some((fingerprint, mut records)) = rest {
            records.take_rest(fingerprint, gathering)?;
        }
        gathering.end()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::groups::undiagnosed::{detail, plan, sorted};

    /// Returns the payloads in their order.
    fn payloads(mut blobs: SortedBlobs) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        while let Some((_, payload)) = blobs.next().unwrap() {
            payloads.push(payload.to_vec());
        }
        payloads
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, cases: 200, ..ProptestConfig::default()
        })]

        #[test]
        fn batches_of_any_size_make_the_same_groups(
            details in proptest::collection::vec(detail(), 0..80),
            within_millis in proptest::option::of(0_i64..3000),
            bytes in 0..3000_usize,
            more_bytes in 0..2000_usize,
            count in 1..4_usize,
        ) {
            let mut details = details;
            for (position, detail) in (0..).zip(&mut details) {
                detail.position = position;
                detail.offset = detail.topic.is_some().then(|| i64::try_from(position).unwrap());
            }
            let folder = tempfile::tempdir().unwrap();
            let (dir, plan) = (folder.path(), plan(within_millis));
            let limits = BatchLimits { bytes, open_bytes: bytes + more_bytes };
            let made = gather_on(&plan, sorted(&details, dir), dir, (count, limits)).unwrap();
            let once = gather(&plan, sorted(&details, dir), dir).unwrap();
            prop_assert_eq!(payloads(made.groups), payloads(once.groups));
            prop_assert_eq!(payloads(made.pairs).len(), payloads(once.pairs).len());
        }
    }
}
