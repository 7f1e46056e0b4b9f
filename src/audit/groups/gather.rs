//! Details in order → groups, and the pairs that the diagnosis looks at.

use std::path::Path;

use crate::audit::AuditError;
use crate::audit::detail::Detail;
use crate::audit::groups::group_builder::GroupBuilder;
use crate::audit::groups::spool::OccurrenceSpool;
use crate::audit::plan::AuditPlan;
use crate::diagnosis::PairFacts;
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

/// Builds groups from details that come in the order of their sort keys.
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
    /// Parts of the current dedup key reported so far.
    parts: u64,
    /// Records of the current fingerprint that could not be read again.
    gone: Vec<Detail>,
}

/// Turns details into groups and pairs.
pub(super) fn gather(
    plan: &AuditPlan,
    mut details: SortedBlobs,
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
        parts: 0,
        gone: Vec::new(),
    };
    while let Some((sort_key, payload)) = details.next()? {
        let fingerprint = read_fingerprint(sort_key);
        let detail: Detail = postcard::from_bytes(payload)?;
        gathering.take(fingerprint, detail)?;
    }
    gathering.finish_fingerprint()?;
    Ok(Gathered {
        groups: gathering.groups.finish()?,
        pairs: gathering.pairs.finish()?,
        spool: gathering.spool,
    })
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
    fn take(&mut self, fingerprint: [u64; 2], detail: Detail) -> Result<(), AuditError> {
        if fingerprint != self.fingerprint {
            self.finish_fingerprint()?;
            self.fingerprint = fingerprint;
        }
        if detail.canonical_key.is_none() {
            self.gone.push(detail);
            return Ok(());
        }
        let is_same_key =
            |group: &GroupBuilder| group.canonical_key() == detail.canonical_key.as_deref();
        if !self.current.as_ref().is_some_and(is_same_key) {
            self.finish_group()?;
            self.parts = 0;
        }
        let within = self.plan.within_millis;
        let is_apart = |group: &GroupBuilder| group.is_apart(&detail, within);
        if self.current.as_ref().is_some_and(is_apart) {
            self.finish_group()?;
        }
        self.add(detail)
    }

    fn add(&mut self, detail: Detail) -> Result<(), AuditError> {
        let Some(group) = &mut self.current else {
            self.current = Some(GroupBuilder::new(detail, &mut self.spool)?);
            return Ok(());
        };
        let pair = group.add(&detail, self.group_count, &mut self.spool)?;
        self.held.push(pair);
        if group.is_duplicate() {
            self.push_held()?;
        }
        Ok(())
    }

    /// What could not be read again stays in the group of its fingerprint.
    fn finish_fingerprint(&mut self) -> Result<(), AuditError> {
        for detail in std::mem::take(&mut self.gone) {
            self.add(detail)?;
        }
        self.finish_group()?;
        self.parts = 0;
        Ok(())
    }

    fn finish_group(&mut self) -> Result<(), AuditError> {
        self.held.clear();
        let Some(group) = self.current.take().filter(GroupBuilder::is_duplicate) else {
            return Ok(());
        };
        self.parts += 1;
        let gathered = group.finish(self.fingerprint, self.parts, &mut self.spool)?;
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
