//! Hands suspects out in the order of reading, with their records where these are read in order.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::AuditError;
use crate::audit::overlap::Excluded;
use crate::index::Occurrence;
use crate::index::Suspects;
use crate::record::RecordBlock;
use crate::record::SplitId;
use crate::sorted_run::fixed::SortedFixed;
use crate::source::RecordRevisitor;
use crate::source::RecordSource;

/// Places asked of a reader at once.
const PLACES_PER_FETCH: usize = 4096;

/// Places that one worker reads by itself.
const PLACES_PER_WORKER: usize = 1024;

/// Splits of all sources, and what is in no group.
pub(super) struct Splits<'a> {
    sources: HashMap<SplitId, &'a dyn RecordSource>,
    /// Positions whose records are in no group.
    void: HashMap<SplitId, Range<u64>>,
    /// Splits of which earlier readings count only as far as they are found again.
    pub(super) reread: Option<&'a HashSet<SplitId>>,
}

impl<'a> Splits<'a> {
    pub(super) fn new(
        sources: impl Iterator<Item = &'a Box<dyn RecordSource>>,
        reread: Option<&'a HashSet<SplitId>>,
    ) -> Self {
        let by_split = sources.flat_map(|source| {
            let splits = source.splits().into_iter();
            splits.map(move |split| (split, &**source))
        });
        let sources: HashMap<SplitId, &dyn RecordSource> = by_split.collect();
        let void_of = |(&split, source): (&SplitId, &&dyn RecordSource)| {
            Some((split, source.void_positions(split)?))
        };
        Self {
            void: sources.iter().filter_map(void_of).collect(),
            sources,
            reread,
        }
    }

    pub(super) fn source(&self, split: SplitId) -> &'a dyn RecordSource {
        *self.sources.get(&split).expect("every split has a source")
    }

    /// Returns whether a suspect was read in place of something else.
    fn is_void(&self, suspect: &Occurrence) -> bool {
        let positions = self.void.get(&suspect.split);
        positions.is_some_and(|positions| positions.contains(&suspect.position))
    }
}

/// Suspects of one split, which ascend by position.
pub(super) enum Turn {
    /// Their records are in the block; of transactions that were aborted are these positions.
    Read(Vec<Occurrence>, Vec<u64>),
    /// Their records are to be read by a reader of the worker's own.
    ToRead(Vec<Occurrence>),
}

/// Suspects that no worker has taken yet.
pub(super) struct SuspectQueue<'a> {
    splits: &'a Splits<'a>,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    suspects: Suspects,
    excluded: Option<SortedFixed<Excluded>>,
    next_excluded: Option<Excluded>,
    /// The first suspect of another split than those before.
    ahead: Option<Occurrence>,
    /// Suspects of one split that are being read.
    pending: Vec<Occurrence>,
    open: Option<(SplitId, Box<dyn RecordRevisitor + 'a>)>,
    has_failed: bool,
}

impl<'a> SuspectQueue<'a> {
    pub(super) fn new(
        splits: &'a Splits<'a>,
        suspects: Suspects,
        mut excluded: Option<SortedFixed<Excluded>>,
    ) -> Result<Self, AuditError> {
        Ok(Self {
            splits,
            state: Mutex::new(State {
                suspects,
                next_excluded: next(&mut excluded)?,
                excluded,
                ahead: None,
                pending: Vec::new(),
                open: None,
                has_failed: false,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the others end too: the audit has failed.
    pub(super) fn fail(&self) {
        self.state().has_failed = true;
    }

    /// Returns suspects that are not excluded, and reads their records into the block where that
    /// cannot be done by several at once; nothing where none is left.
    pub(super) fn next(&self, block: &mut RecordBlock) -> Result<Option<Turn>, AuditError> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.has_failed {
            return Ok(None);
        }
        if state.pending.is_empty() {
            state.fill(self.splits)?;
        }
        let Some(first) = state.pending.first() else {
            return Ok(None);
        };
        let split = first.split;
        let source = self.splits.source(split);
        if source.can_revisit_at_once() {
            return Ok(Some(Turn::ToRead(std::mem::take(&mut state.pending))));
        }
        let revisitor = match &mut state.open {
            Some((open, revisitor)) if *open == split => revisitor,
            other => {
                // What reads the split before may hold what this one needs.
                *other = None;
                &mut other.insert((split, source.revisit(split)?)).1
            }
        };
        let (done, aborted) = fetch(&mut **revisitor, &state.pending, (split, block))?;
        Ok(Some(Turn::Read(
            state.pending.drain(..done).collect(),
            aborted,
        )))
    }
}

/// Reads records of suspects into the block; returns how many are dealt with, and which positions
/// are of aborted transactions.
pub(super) fn fetch(
    revisitor: &mut dyn RecordRevisitor,
    suspects: &[Occurrence],
    (split, block): (SplitId, &mut RecordBlock),
) -> Result<(usize, Vec<u64>), AuditError> {
    let positions: Vec<u64> = suspects.iter().map(|suspect| suspect.position).collect();
    block.clear(split);
    let dealt_with = revisitor
        .fetch(&positions, block)?
        .clamp(1, positions.len());
    let (done, _) = positions.split_at(dealt_with);
    Ok((dealt_with, revisitor.aborted_among(done)?))
}

impl State<'_> {
    /// Takes the next suspects of one split.
    fn fill(&mut self, splits: &Splits<'_>) -> Result<(), AuditError> {
        let mut most = PLACES_PER_FETCH;
        loop {
            let suspect = match self.ahead.take() {
                Some(suspect) => suspect,
                None => match self.suspects.next().transpose()? {
                    Some(suspect) => suspect,
                    None => return Ok(()),
                },
            };
            match self.pending.first() {
                Some(first) if first.split != suspect.split => {
                    self.ahead = Some(suspect);
                    return Ok(());
                }
                Some(_) => {}
                None if splits.source(suspect.split).can_revisit_at_once() => {
                    most = PLACES_PER_WORKER;
                }
                None => most = PLACES_PER_FETCH,
            }
            if self.is_excluded(&suspect)? || splits.is_void(&suspect) {
                continue;
            }
            self.pending.push(suspect);
            if self.pending.len() == most {
                return Ok(());
            }
        }
    }

    fn is_excluded(&mut self, suspect: &Occurrence) -> Result<bool, AuditError> {
        let place = Excluded {
            split: suspect.split,
            position: suspect.position,
        };
        while self.next_excluded.is_some_and(|excluded| excluded < place) {
            self.next_excluded = next(&mut self.excluded)?;
        }
        Ok(self.next_excluded == Some(place))
    }
}

fn next(excluded: &mut Option<SortedFixed<Excluded>>) -> Result<Option<Excluded>, AuditError> {
    Ok(match excluded {
        Some(excluded) => excluded.next().transpose()?,
        None => None,
    })
}
