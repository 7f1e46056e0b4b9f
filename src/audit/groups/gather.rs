//! Records in order → groups, and the pairs that the diagnosis looks at.

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

/// All groups, numbered from 0, and the pairs of their extra records.
pub(super) struct Gathered {
    /// Groups by number.
    pub(super) groups: SortedBlobs,
    /// Pairs by topic, partition and offset of the extra record.
    pub(super) pairs: SortedBlobs,
    pub(super) spool: OccurrenceSpool,
}

/// Builds groups from records that come in the order of their sort keys.
struct Gathering<'a> {
    plan: &'a AuditPlan,
    spool: OccurrenceSpool,
    groups: BlobSorter,
    pairs: BlobSorter,
    encoder: Encoder,
    group_count: u64,
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

/// Turns records, found and gone, into groups and pairs.
pub(super) fn gather(
    plan: &AuditPlan,
    (mut found, gone): (SortedBlobs, SortedBlobs),
    spill_dir: &Path,
) -> Result<Gathered, AuditError> {
    let mut gathering = Gathering {
        plan,
        spool: OccurrenceSpool::new(spill_dir, plan.show_values),
        groups: BlobSorter::new(spill_dir, plan.memory_share(8)),
        pairs: BlobSorter::new(spill_dir, plan.memory_share(8)),
        encoder: Encoder::default(),
        group_count: 0,
        current: None,
        held: Vec::new(),
        fingerprint: [0; 2],
        canonical_key: None,
        parts: 0,
        early: Reversals::default(),
        gone: GoneRecords::new(gone)?,
        last: None,
    };
    while let Some((sort_key, payload)) = found.next()? {
        let fingerprint = read_fingerprint(sort_key);
        gathering.take(fingerprint, postcard::from_bytes(payload)?)?;
    }
    gathering.finish_fingerprint()?;
    gathering.take_gone_until(None)?;
    Ok(Gathered {
        groups: gathering.groups.finish()?,
        pairs: gathering.pairs.finish()?,
        spool: gathering.spool,
    })
}

/// Records that could not be read again, one at a time.
struct GoneRecords {
    sorted: SortedBlobs,
    next: Option<GoneRecord>,
}

struct GoneRecord {
    fingerprint: [u64; 2],
    place: Vec<u8>,
    set_aside: SetAside,
}

impl GoneRecords {
    fn new(sorted: SortedBlobs) -> Result<Self, AuditError> {
        let mut gone = Self { sorted, next: None };
        gone.advance()?;
        Ok(gone)
    }

    fn advance(&mut self) -> Result<Option<GoneRecord>, AuditError> {
        let following = match self.sorted.next()? {
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

    /// Returns the next one if it is of the fingerprint.
    fn peek(&self, fingerprint: [u64; 2]) -> Option<&GoneRecord> {
        let next = self.next.as_ref();
        next.filter(|gone| gone.fingerprint == fingerprint)
    }
}

fn read_fingerprint(sort_key: &[u8]) -> [u64; 2] {
    let half = |start: usize| {
        let bytes = sort_key.get(start..start + 8);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        u64::from_be_bytes(bytes.expect("a sort key begins with a fingerprint"))
    };
    [half(0), half(8)]
}

impl Gathering<'_> {
    fn take(&mut self, fingerprint: [u64; 2], found: SetAside) -> Result<(), AuditError> {
        if fingerprint != self.fingerprint {
            self.finish_fingerprint()?;
            self.take_gone_until(Some(fingerprint))?;
            self.fingerprint = fingerprint;
        }
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
        let pair = group.add(detail, self.group_count, &mut self.spool)?;
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
        let number = self.group_count.to_be_bytes();
        let encoded = self.encoder.encode(&gathered)?;
        self.groups.push(&number, encoded)?;
        self.group_count += 1;
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
