//! Pass 2: reads the records of suspected groups again, confirms their dedup keys, and sets aside
//! what the report needs.

mod detail_reader;
mod suspect_queue;

pub(super) use detail_reader::{DetailReader, field_string};

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::AuditError;
use crate::audit::detail::Detail;
use crate::audit::overlap::Excluded;
use crate::audit::past::Past;
use crate::audit::placement::remap::Remapper;
use crate::audit::plan::AuditPlan;
use crate::audit::progress::AuditProgress;
use crate::audit::revisit::suspect_queue::{Splits, SuspectQueue, Turn, fetch};
use crate::audit::unread::gone::gone_detail;
use crate::audit::unread::{Payloads, UnreadReasons};
use crate::index::Occurrence;
use crate::index::Seen;
use crate::index::Suspects;
use crate::record::RecordBlock;
use crate::record::SplitId;
use crate::sorted_run::BlobSorter;
use crate::sorted_run::SortedBlobs;
use crate::sorted_run::encoding::Encoder;
use crate::sorted_run::fixed::SortedFixed;
use crate::source::RecordRevisitor;
use crate::source::RecordSource;
use crate::threads::on_threads;

/// So few are read by one worker sooner than others begin.
const SUSPECTS_FOR_ONE: u64 = 512;

/// What the second pass leaves behind.
pub(super) struct Revisited {
    /// Records in the order of their sort keys.
    pub(super) found: SortedBlobs,
    /// Places of records that could not be read again, in the same order.
    pub(super) gone: SortedBlobs,
    /// How many of those that this run has read could not be.
    pub(super) gone_count: u64,
    /// Why payloads of suspected groups are compared as bytes.
    pub(super) unread: UnreadReasons,
}

/// A record as it is set aside.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SetAside {
    /// Whether it takes something back.
    pub(super) is_reversal: bool,
    pub(super) detail: Detail,
}

/// Reads suspects again and turns them into details, on every thread.
pub(super) struct Revisit<'a> {
    plan: &'a AuditPlan,
    splits: Splits<'a>,
    spill_dir: &'a Path,
    progress: &'a AuditProgress,
}

impl<'a> Revisit<'a> {
    pub(super) fn new(
        plan: &'a AuditPlan,
        sources: impl Iterator<Item = &'a Box<dyn RecordSource>>,
        spill_dir: &'a Path,
        (progress, past): (&'a AuditProgress, Option<&'a Past<'a>>),
    ) -> Self {
        Self {
            plan,
            splits: Splits::new(sources, past.map(|past| &past.reread)),
            spill_dir,
            progress,
        }
    }

    /// Reads every suspect again that is not excluded.
    pub(super) fn run(
        self,
        suspects: Suspects,
        excluded: Option<SortedFixed<Excluded>>,
    ) -> Result<Revisited, AuditError> {
        let count = match suspects.total() {
            0..=SUSPECTS_FOR_ONE => 1,
            _ => self.plan.workers(),
        };
        let queue = SuspectQueue::new(&self.splits, suspects, excluded)?;
        let outcomes = on_threads(count, |_| Worker::new(&self, count).run(&queue));
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        let (mut gone_count, mut unread) = (0, UnreadReasons::default());
        for worked in outcomes {
            let worked = worked?;
            found.push(worked.found);
            gone.push(worked.gone);
            gone_count += worked.gone_count;
            unread.add(&worked.unread);
        }
        Ok(Revisited {
            found: SortedBlobs::merged(found)?,
            gone: SortedBlobs::merged(gone)?,
            gone_count,
            unread,
        })
    }
}

/// One of those that turn suspects into details.
struct Worker<'a> {
    shared: &'a Revisit<'a>,
    payloads: Payloads,
    remapper: Remapper,
    reader: DetailReader<'a>,
    found: BlobSorter,
    gone: BlobSorter,
    /// Of what is gone, records that this run has read.
    gone_count: u64,
    encoder: Encoder,
    /// A split that this worker alone reads again.
    open: Option<(SplitId, Box<dyn RecordRevisitor + 'a>)>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Revisit<'a>, count: usize) -> Self {
        let plan = shared.plan;
        let sorter = |part| BlobSorter::new(shared.spill_dir, plan.memory_share(part) / count);
        Self {
            shared,
            payloads: Payloads::new(plan),
            remapper: Remapper::new(plan),
            reader: DetailReader::new(plan),
            found: sorter(4),
            gone: sorter(32),
            gone_count: 0,
            encoder: Encoder::default(),
            open: None,
        }
    }

    /// Takes suspects until none is left.
    fn run(mut self, queue: &SuspectQueue<'_>) -> Result<Revisited, AuditError> {
        let worked = self.take_all(queue);
        if worked.is_err() {
            queue.fail();
        }
        worked?;
        Ok(Revisited {
            found: self.found.finish()?,
            gone: self.gone.finish()?,
            gone_count: self.gone_count,
            unread: self.payloads.unread,
        })
    }

    fn take_all(&mut self, queue: &SuspectQueue<'_>) -> Result<(), AuditError> {
        let mut block = RecordBlock::default();
        while let Some(turn) = queue.next(&mut block)? {
            match turn {
                Turn::Read(suspects, aborted) => {
                    self.take_block(&mut block, &suspects, &aborted)?;
                }
                Turn::ToRead(suspects) => self.read(&suspects, &mut block)?,
            }
        }
        Ok(())
    }

    /// Reads suspects of one split with a reader of its own.
    fn read(
        &mut self,
        mut suspects: &[Occurrence],
        block: &mut RecordBlock,
    ) -> Result<(), AuditError> {
        let Some(split) = suspects.first().map(|first| first.split) else {
            return Ok(());
        };
        let mut revisitor = match self.open.take() {
            Some((open, revisitor)) if open == split => revisitor,
            _ => self.shared.splits.source(split).revisit(split)?,
        };
        while !suspects.is_empty() {
            let (dealt_with, aborted) = fetch(&mut *revisitor, suspects, (split, block))?;
            let (done, rest) = suspects.split_at(dealt_with);
            self.take_block(block, done, &aborted)?;
            suspects = rest;
        }
        self.open = Some((split, revisitor));
        Ok(())
    }

    /// Returns whether an earlier reading was not confirmed by the one of this run.
    fn is_dropped(&self, suspect: &Occurrence) -> bool {
        let reread = self.shared.splits.reread;
        suspect.seen != Seen::Now && reread.is_some_and(|reread| reread.contains(&suspect.split))
    }

    fn take_block(
        &mut self,
        block: &mut RecordBlock,
        suspects: &[Occurrence],
        aborted: &[u64],
    ) -> Result<(), AuditError> {
        self.payloads.apply(block);
        self.remapper.apply(block);
        let plan = self.shared.plan;
        let source = self.shared.splits.source(block.split);
        let mut sort_key = Vec::with_capacity(96);
        let mut views = block.views().peekable();
        for suspect in suspects {
            while views
                .next_if(|view| view.slot().position < suspect.position)
                .is_some()
            {}
            let found = views.next_if(|view| view.slot().position == suspect.position);
            let found = found.inspect(|view| self.payloads.unread.note(*view));
            let detail = found.and_then(|view| self.reader.read(plan, view, source));
            // Another dedup key at the place: what was read first is gone.
            let detail = detail.filter(|(_, fingerprint)| *fingerprint == suspect.fingerprint);
            let (sorter, detail) = match detail {
                Some((mut detail, _)) => {
                    detail.is_aborted |= aborted.binary_search(&suspect.position).is_ok();
                    (&mut self.found, detail.seen_by(suspect.seen))
                }
                None if self.is_dropped(suspect) => continue,
                None => {
                    self.gone_count += u64::from(suspect.seen == Seen::Now);
                    let detail = gone_detail(plan, suspect, source);
                    (&mut self.gone, detail.seen_by(suspect.seen))
                }
            };
            detail.write_sort_key(suspect.fingerprint, &mut sort_key);
            let set_aside = SetAside {
                is_reversal: suspect.is_reversal,
                detail,
            };
            let payload = self.encoder.encode(&set_aside).map_err(AuditError::from)?;
            sorter.push(&sort_key, payload)?;
        }
        self.shared.progress.add_revisited(suspects.len());
        Ok(())
    }
}
