//! Records in order → groups, and the pairs that the diagnosis looks at.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::audit::AuditError;
use crate::audit::detail::Detail;
use crate::audit::groups::group_builder::{GroupBuilder, GroupIdentity};
use crate::audit::groups::reversals::Reversals;
use crate::audit::groups::spool::OccurrenceSpool;
use crate::audit::plan::AuditPlan;
use crate::audit::revisit::SetAside;
use crate::diagnosis::PairFacts;
use crate::index::Seen;
use crate::sorted_run::BlobSorter;
use crate::sorted_run::SortedBlobs;
use crate::sorted_run::encoding::Encoder;
use crate::sorted_run::sort_key;
use crate::sorted_run::sorted_blobs::Item;

/// Builds groups from records that come in the order of their sort keys, batch by batch.
pub(super) struct Gathering<'a> {
    plan: &'a AuditPlan,
    spool: OccurrenceSpool,
    groups: BlobSorter,
    pairs: BlobSorter,
    encoder: Encoder,
    next_group: u64,
    current: Option<GroupBuilder>,
    /// Pairs of the current group while it is not known to be one to report.
    held: Vec<PairFacts>,
    fingerprint: [u64; 2],
    /// Current dedup key, once a record with it was found.
    canonical_key: Option<Vec<u8>>,
    /// Parts of the current dedup key reported so far.
    parts: u64,
    /// Reversals of the current dedup key that came before its first record.
    early: Reversals,
    gone: GoneRecords,
    /// The last record, where earlier runs may have read it too.
    last: Option<Detail>,
}

/// Groups by number, and pairs by topic, partition and offset of the extra record.
pub(super) struct Built {
    pub(super) groups: SortedBlobs,
    pub(super) pairs: SortedBlobs,
    pub(super) spool: Option<File>,
}

/// Records that could not be read again, one at a time.
struct GoneRecords {
    sorted: SortedBlobs,
    next: Option<GoneRecord>,
    /// What else there is of one fingerprint, and then of others.
    rest: Option<([u64; 2], SortedBlobs)>,
}

struct GoneRecord {
    fingerprint: [u64; 2],
    place: Vec<u8>,
    set_aside: SetAside,
}

impl GoneRecords {
    fn new(sorted: SortedBlobs) -> Result<Self, AuditError> {
        let mut gone = Self {
            sorted,
            next: None,
            rest: None,
        };
        gone.advance()?;
        Ok(gone)
    }

    fn advance(&mut self) -> Result<Option<GoneRecord>, AuditError> {
        let following = match self.following()? {
            None => None,
            Some((sort_key, payload)) => {
                let set_aside: SetAside = postcard::from_bytes(payload)?;
                Some(GoneRecord {
                    fingerprint: read_fingerprint(sort_key),
                    place: set_aside.detail.place(),
                    set_aside,
                })
            }
        };
        Ok(std::mem::replace(&mut self.next, following))
    }

    fn following(&mut self) -> io::Result<Option<Item<'_>>> {
        if self.sorted.peek()?.is_some() {
            return self.sorted.next();
        }
        let Some((fingerprint, rest)) = &mut self.rest else {
            return Ok(None);
        };
        match rest.peek()? {
            Some((sort_key, _)) if read_fingerprint(sort_key) == *fingerprint => rest.next(),
            Some(_) | None => Ok(None),
        }
    }

    /// Returns the next one if it is of the fingerprint.
    fn peek(&self, fingerprint: [u64; 2]) -> Option<&GoneRecord> {
        let next = self.next.as_ref();
        next.filter(|gone| gone.fingerprint == fingerprint)
    }
}

pub(super) fn read_fingerprint(sort_key: &[u8]) -> [u64; 2] {
    let half = |start: usize| {
        let bytes = sort_key.get(start..start + 8);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        u64::from_be_bytes(bytes.expect("a sort key begins with a fingerprint"))
    };
    [half(0), half(8)]
}

impl<'a> Gathering<'a> {
    /// Returns one that has seen no record, the one of so many with this number.
    pub(super) fn new(
        plan: &'a AuditPlan,
        spill_dir: &Path,
        (number, count): (usize, usize),
    ) -> Result<Self, AuditError> {
        let sorter = || BlobSorter::new(spill_dir, plan.memory_share(8) / count);
        Ok(Self {
            plan,
            spool: OccurrenceSpool::new(spill_dir, number, plan.show_values),
            groups: sorter(),
            pairs: sorter(),
            encoder: Encoder::default(),
            next_group: 0,
            current: None,
            held: Vec::new(),
            fingerprint: [0; 2],
            canonical_key: None,
            parts: 0,
            early: Reversals::default(),
            gone: GoneRecords::new(SortedBlobs::default())?,
            last: None,
        })
    }

    /// Begins with records of other fingerprints than all before; their groups have numbers from
    /// `first_group` on.
    pub(super) fn begin(&mut self, first_group: u64, gone: SortedBlobs) -> Result<(), AuditError> {
        self.next_group = first_group;
        self.fingerprint = [0; 2];
        self.gone = GoneRecords::new(gone)?;
        Ok(())
    }

    /// Takes the next record by its sort key and payload.
    pub(super) fn take(&mut self, (sort_key, payload): Item<'_>) -> Result<(), AuditError> {
        self.take_record(read_fingerprint(sort_key), postcard::from_bytes(payload)?)
    }

    /// Lends what else could not be read again of a fingerprint that has more records.
    pub(super) fn lend_gone(
        &mut self,
        fingerprint: [u64; 2],
        rest: SortedBlobs,
    ) -> Result<(), AuditError> {
        self.gone.rest = Some((fingerprint, rest));
        if self.gone.next.is_none() {
            self.gone.advance()?;
        }
        Ok(())
    }

    /// Ends the groups of the fingerprint that something was lent for; gives back what is left.
    pub(super) fn return_gone(&mut self) -> Result<SortedBlobs, AuditError> {
        let Some((fingerprint, _)) = self.gone.rest else {
            return Ok(SortedBlobs::default());
        };
        self.reach(fingerprint)?;
        self.finish_fingerprint()?;
        let rest = self.gone.rest.take();
        Ok(rest.map(|(_, rest)| rest).unwrap_or_default())
    }

    /// Ends the groups of all fingerprints taken.
    pub(super) fn end(&mut self) -> Result<(), AuditError> {
        self.finish_fingerprint()?;
        self.take_gone_until(None)
    }

    /// Returns all groups and pairs.
    pub(super) fn finish(self) -> Result<Built, AuditError> {
        Ok(Built {
            groups: self.groups.finish()?,
            pairs: self.pairs.finish()?,
            spool: self.spool.into_file(),
        })
    }

    fn take_record(&mut self, fingerprint: [u64; 2], found: SetAside) -> Result<(), AuditError> {
        self.reach(fingerprint)?;
        if self.canonical_key != found.detail.canonical_key {
            if self.canonical_key.is_some() {
                self.finish_key()?;
            }
            self.canonical_key.clone_from(&found.detail.canonical_key);
        }
        if self.gone.peek(fingerprint).is_some() {
            self.take_gone(Some(&found.detail.place()))?;
        }
        self.add(found)
    }

    /// Ends what comes before a fingerprint.
    fn reach(&mut self, fingerprint: [u64; 2]) -> Result<(), AuditError> {
        if fingerprint != self.fingerprint {
            self.finish_fingerprint()?;
            self.take_gone_until(Some(fingerprint))?;
            self.fingerprint = fingerprint;
        }
        Ok(())
    }

    /// Takes the records of whole fingerprints of which nothing was found, up to one.
    fn take_gone_until(&mut self, end: Option<[u64; 2]>) -> Result<(), AuditError> {
        let fingerprint = |gone: &GoneRecords| gone.next.as_ref().map(|gone| gone.fingerprint);
        let is_before = |next: &[u64; 2]| end.is_none_or(|end| *next < end);
        while let Some(next) = fingerprint(&self.gone).filter(is_before) {
            self.fingerprint = next;
            self.finish_fingerprint()?;
        }
        Ok(())
    }

    /// Takes what could not be read again of the current fingerprint, up to a place: it stands
    /// where its first reading puts it.
    fn take_gone(&mut self, end: Option<&[u8]>) -> Result<(), AuditError> {
        let is_before = |gone: &GoneRecord| end.is_none_or(|end| &*gone.place < end);
        while self.gone.peek(self.fingerprint).is_some_and(is_before) {
            if let Some(gone) = self.gone.advance()? {
                self.add(gone.set_aside)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        SetAside {
            is_reversal,
            detail,
        }: SetAside,
    ) -> Result<(), AuditError> {
        if is_reversal {
            match &mut self.current {
                Some(group) => group.reversals.add(&detail),
                None => self.early.add(&detail),
            }
            return Ok(());
        }
        if self.is_read_again(&detail) {
            return Ok(());
        }
        let within = self.plan.within_millis;
        let is_apart = |group: &GroupBuilder| group.is_apart(&detail, within);
        if self.current.as_ref().is_some_and(is_apart) {
            self.finish_group()?;
        }
        let Some(group) = &mut self.current else {
            let mut group = GroupBuilder::new(detail, &mut self.spool)?;
            group.reversals = std::mem::take(&mut self.early);
            self.current = Some(group);
            return Ok(());
        };
        let pair = group.add(detail, self.next_group, &mut self.spool)?;
        self.held.push(pair);
        if group.is_duplicate() {
            self.push_held()?;
        }
        Ok(())
    }

    /// Returns whether an earlier run has read the very record, from this place or another: an
    /// export that overlaps, or a topic and its export.
    fn is_read_again(&mut self, detail: &Detail) -> bool {
        if !self.plan.remembers {
            return false;
        }
        if let (Some(last), Some(group)) = (&mut self.last, &mut self.current)
            && (last.seen, detail.seen) != (Seen::Now, Seen::Now)
            && last.is_same_record(detail)
        {
            group.take_again(last, detail);
            *last = last.clone().seen_by(last.seen.min(detail.seen));
            return true;
        }
        self.last = Some(detail.clone());
        false
    }

    fn finish_fingerprint(&mut self) -> Result<(), AuditError> {
        self.take_gone(None)?;
        self.finish_key()
    }

    fn finish_key(&mut self) -> Result<(), AuditError> {
        self.finish_group()?;
        self.canonical_key = None;
        self.parts = 0;
        self.early = Reversals::default();
        Ok(())
    }

    fn finish_group(&mut self) -> Result<(), AuditError> {
        self.held.clear();
        self.last = None;
        let Some(group) = self.current.take().filter(GroupBuilder::is_duplicate) else {
            return Ok(());
        };
        self.parts += 1;
        let identity = GroupIdentity {
            canonical_key: self.canonical_key.clone(),
            fingerprint: self.fingerprint,
            part: self.parts,
        };
        let gathered = group.finish(identity, &mut self.spool)?;
        let number = self.next_group.to_be_bytes();
        let encoded = self.encoder.encode(&gathered)?;
        self.groups.push(&number, encoded)?;
        self.next_group += 1;
        Ok(())
    }

    fn push_held(&mut self) -> Result<(), AuditError> {
        let mut place = Vec::with_capacity(64);
        for pair in self.held.drain(..) {
            let extra = &pair.extra;
            place.clear();
            let topic = extra.topic.as_deref().map(str::as_bytes);
            sort_key::push_optional(&mut place, topic, sort_key::push_bytes);
            sort_key::push_optional(
                &mut place,
                extra.partition.map(i64::from),
                sort_key::push_i64,
            );
            sort_key::push_optional(&mut place, extra.offset, sort_key::push_i64);
            let [group, _] = pair.id.fingerprint;
            sort_key::push_u64(&mut place, group);
            sort_key::push_u64(&mut place, pair.id.occurrence);
            self.pairs.push(&place, self.encoder.encode(&pair)?)?;
        }
        Ok(())
    }
}
