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

/// Bytes of records that one thread takes at once.
const BATCH_BYTES: usize = 128 * 1024;

/// Records of one fingerprint with more bytes are not held: they are taken one at a time.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

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
    (found, gone): (SortedBlobs, SortedBlobs),
    spill_dir: &Path,
) -> Result<Gathered, AuditError> {
    let count = if found.is_small(BATCH_BYTES) {
        1
    } else {
        plan.workers()
    };
    let records = Mutex::new(Records {
        found,
        gone,
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
        // The first fingerprint that is not in the batch.
        let mut end = None;
        while let Some(record) = self.found.peek()? {
            let fingerprint = Some(read_fingerprint(record.0));
            let is_same = fingerprint == last;
            if batch.found.bytes() >= BATCH_BYTES && !is_same {
                end = fingerprint;
                break;
            }
            if batch.found.bytes() >= BATCH_BYTES_MAX {
                batch.open = last;
                break;
            }
            batch.found.push(record)?;
            last = fingerprint;
            self.found.next()?;
        }
        while let Some(record) = self.gone.peek()? {
            let fingerprint = read_fingerprint(record.0);
            let is_behind = end.is_some_and(|end| fingerprint >= end)
                || batch.open.is_some_and(|last| fingerprint > last);
            if is_behind {
                break;
            }
            batch.gone.push(record)?;
            self.gone.next()?;
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
        let rest = batch.open.map(|fingerprint| (fingerprint, records));
        gathering.begin(batch.number * NUMBERS_PER_BATCH, batch.gone.into_sorted())?;
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
