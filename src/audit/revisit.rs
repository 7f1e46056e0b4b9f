//! Pass 2: reads the records of suspected groups again, confirms their dedup keys, and sets aside
//! what the report needs.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::AuditError;
use crate::audit::detail::{self, AmountText, Detail, owned};
use crate::audit::key_reader::KeyReader;
use crate::audit::overlap::Excluded;
use crate::audit::past::Past;
use crate::audit::placement::range::{self, RangePlace};
use crate::audit::placement::remap::Remapper;
use crate::audit::plan::AuditPlan;
use crate::audit::progress::AuditProgress;
use crate::audit::unread::gone::gone_detail;
use crate::audit::unread::{Payloads, UnreadReasons};
use crate::decode;
use crate::decode::FieldReader;
use crate::dedup_key::KeyOutcome;
use crate::dedup_key::fingerprint;
use crate::diagnosis::{ContentHashes, named_coordinates};
use crate::finding::Fingerprint;
use crate::impact;
use crate::index::Occurrence;
use crate::index::Seen;
use crate::index::Suspects;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::RecordBlock;
use crate::record::RecordView;
use crate::record::SplitId;
use crate::scan_json::field_text;
use crate::sorted_run::blob::{BlobSorter, SortedBlobs};
use crate::sorted_run::encoding::Encoder;
use crate::sorted_run::fixed::SortedFixed;
use crate::source::PositionUnit;
use crate::source::RecordRevisitor;
use crate::source::RecordSource;

/// Places asked of a reader at once.
const PLACES_PER_FETCH: usize = 4096;

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

/// A split that is being read again.
struct OpenSplit<'a> {
    split: SplitId,
    source: &'a dyn RecordSource,
    revisitor: Box<dyn RecordRevisitor + 'a>,
}

/// Reads suspects again and turns them into details.
pub(super) struct Revisit<'a> {
    plan: &'a AuditPlan,
    sources: HashMap<SplitId, &'a dyn RecordSource>,
    /// Splits of which earlier readings count only as far as they are found again.
    reread: Option<&'a HashSet<SplitId>>,
    /// Positions whose records are in no group.
    void: HashMap<SplitId, Range<u64>>,
    payloads: Payloads,
    remapper: Remapper,
    reader: DetailReader<'a>,
    found: BlobSorter,
    gone: BlobSorter,
    /// Of what is gone, records that this run has read.
    gone_count: u64,
    encoder: Encoder,
    progress: &'a AuditProgress,
}

impl<'a> Revisit<'a> {
    pub(super) fn new(
        plan: &'a AuditPlan,
        sources: impl Iterator<Item = &'a Box<dyn RecordSource>>,
        spill_dir: &Path,
        (progress, past): (&'a AuditProgress, Option<&'a Past<'a>>),
    ) -> Self {
        let by_split = sources.flat_map(|source| {
            source
                .splits()
                .into_iter()
                .map(move |split| (split, &**source))
        });
        let sources: HashMap<SplitId, &dyn RecordSource> = by_split.collect();
        let void_of = |(&split, source): (&SplitId, &&dyn RecordSource)| {
            Some((split, source.void_positions(split)?))
        };
        Self {
            plan,
            void: sources.iter().filter_map(void_of).collect(),
            sources,
            reread: past.map(|past| &past.reread),
            payloads: Payloads::new(plan),
            remapper: Remapper::new(plan),
            reader: DetailReader::new(plan),
            found: BlobSorter::new(spill_dir, plan.memory_share(4)),
            gone: BlobSorter::new(spill_dir, plan.memory_share(32)),
            gone_count: 0,
            encoder: Encoder::default(),
            progress,
        }
    }

    /// Reads every suspect again that is not excluded.
    pub(super) fn run(
        mut self,
        mut suspects: Suspects,
        mut excluded: Option<SortedFixed<Excluded>>,
    ) -> Result<Revisited, AuditError> {
        let mut next_excluded = next(&mut excluded)?;
        let mut pending: Vec<Occurrence> = Vec::with_capacity(PLACES_PER_FETCH);
        let mut open: Option<OpenSplit<'a>> = None;
        while let Some(suspect) = suspects.next().transpose()? {
            let place = Excluded {
                split: suspect.split,
                position: suspect.position,
            };
            while next_excluded.is_some_and(|excluded| excluded < place) {
                next_excluded = next(&mut excluded)?;
            }
            let is_other_split = open.as_ref().is_none_or(|open| open.split != suspect.split);
            if next_excluded == Some(place) || self.is_void(&suspect) {
                continue;
            }
            if is_other_split || pending.len() == PLACES_PER_FETCH {
                self.read_pending(open.as_mut(), &mut pending)?;
            }
            if is_other_split {
                open = Some(self.open(suspect.split)?);
            }
            pending.push(suspect);
        }
        self.read_pending(open.as_mut(), &mut pending)?;
        Ok(Revisited {
            gone_count: self.gone_count,
            gone: self.gone.finish()?,
            found: self.found.finish()?,
            unread: self.payloads.unread,
        })
    }

    /// Returns whether a suspect was read in place of something else.
    fn is_void(&self, suspect: &Occurrence) -> bool {
        let positions = self.void.get(&suspect.split);
        positions.is_some_and(|positions| positions.contains(&suspect.position))
    }

    /// Returns whether an earlier reading was not confirmed by the one of this run.
    fn is_dropped(&self, suspect: &Occurrence) -> bool {
        let is_reread = |reread: &HashSet<SplitId>| reread.contains(&suspect.split);
        suspect.seen != Seen::Now && self.reread.is_some_and(is_reread)
    }

    fn open(&self, split: SplitId) -> Result<OpenSplit<'a>, AuditError> {
        let source = *self.sources.get(&split).expect("every split has a source");
        Ok(OpenSplit {
            split,
            source,
            revisitor: source.revisit(split)?,
        })
    }

    /// Reads pending suspects of one split, which ascend by position.
    fn read_pending(
        &mut self,
        open: Option<&mut OpenSplit<'a>>,
        pending: &mut Vec<Occurrence>,
    ) -> Result<(), AuditError> {
        let Some(open) = open else { return Ok(()) };
        let mut block = RecordBlock::default();
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let positions: Vec<u64> = rest.iter().map(|suspect| suspect.position).collect();
            block.clear(open.split);
            let dealt_with = open
                .revisitor
                .fetch(&positions, &mut block)?
                .clamp(1, rest.len());
            let (done, after) = rest.split_at(dealt_with);
            let (done_positions, _) = positions.split_at(dealt_with);
            let aborted = open.revisitor.aborted_among(done_positions)?;
            self.payloads.apply(&mut block);
            self.remapper.apply(&mut block);
            self.take_block(&block, done, (open.source, &aborted))?;
            self.progress.add_revisited(done.len());
            rest = after;
        }
        pending.clear();
        Ok(())
    }

    fn take_block(
        &mut self,
        block: &RecordBlock,
        suspects: &[Occurrence],
        (source, aborted): (&dyn RecordSource, &[u64]),
    ) -> Result<(), AuditError> {
        let mut sort_key = Vec::with_capacity(96);
        let mut views = block.views().peekable();
        for suspect in suspects {
            while views
                .next_if(|view| view.slot().position < suspect.position)
                .is_some()
            {}
            let found = views.next_if(|view| view.slot().position == suspect.position);
            let found = found.inspect(|view| self.payloads.unread.note(*view));
            let detail = found.and_then(|view| self.reader.read(self.plan, view, source));
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
                    let detail = gone_detail(self.plan, suspect, source);
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
        Ok(())
    }
}

fn next(excluded: &mut Option<SortedFixed<Excluded>>) -> Result<Option<Excluded>, AuditError> {
    Ok(match excluded {
        Some(excluded) => excluded.next().transpose()?,
        None => None,
    })
}

/// Reads the fields that the report needs of one record.
pub(super) struct DetailReader<'a> {
    fields: FieldReader,
    key_count: usize,
    amount: Option<usize>,
    currency: Option<usize>,
    subject: Option<usize>,
    operation: Option<usize>,
    field_count: usize,
    keys: KeyReader,
    assume_topic: Option<&'a str>,
}

impl<'a> DetailReader<'a> {
    pub(super) fn new(plan: &'a AuditPlan) -> Self {
        let fields = &plan.dedup_key.fields;
        let mut paths: Vec<_> = fields.iter().map(|field| field.path.clone()).collect();
        let key_count = paths.len();
        let mut add = |path: &Option<FieldPath>| {
            path.as_ref().map(|path| {
                paths.push(path.clone());
                paths.len() - 1
            })
        };
        let amount = add(&plan.impact.amount);
        let currency = add(&plan.impact.currency);
        let subject = add(&plan.impact.subject);
        let operation = add(&plan.operation_path());
        Self {
            field_count: paths.len(),
            fields: FieldReader::new(paths),
            key_count,
            amount,
            currency,
            subject,
            operation,
            keys: KeyReader::new(plan),
            assume_topic: plan.assume_topic.as_deref(),
        }
    }

    /// Returns the detail and its fingerprint, or nothing where the record has no dedup key now.
    pub(super) fn read(
        &mut self,
        plan: &AuditPlan,
        view: RecordView<'_>,
        source: &dyn RecordSource,
    ) -> Option<(Detail, Fingerprint)> {
        let mut values = vec![FieldValue::Missing; self.field_count];
        self.fields.read(view, &mut values);
        let mut canonical = Vec::new();
        let key_values = values.get(..self.key_count).unwrap_or_default();
        if self.keys.write(view, key_values, &mut canonical) != KeyOutcome::Key {
            return None;
        }
        let fingerprint = fingerprint(&canonical);
        let value_of = |index: Option<usize>| values.get(index?).copied();
        let currency = value_of(self.currency).and_then(field_string);
        let timestamp = view.timestamp();
        let topic_partition = view.topic_partition();
        let is_file = source.topic_partition(view.block().split).is_none();
        let assumed = self.assume_topic.filter(|_| is_file);
        let detail = Detail {
            canonical_key: Some(canonical),
            split: view.block().split.0,
            position: view.slot().position,
            topic: view.topic().or(assumed).map(str::to_owned),
            partition: topic_partition.map(|known| known.partition),
            offset: view.offset(),
            timestamp_millis: timestamp.map(|timestamp| timestamp.millis),
            timestamp_type: timestamp.map(|of| of.timestamp_type).unwrap_or_default(),
            line: (view.slot().line > 0).then_some(view.slot().line),
            file: is_file.then(|| source.name()),
            has_byte_offset: is_file && source.position_unit() == PositionUnit::ByteOffset,
            key: owned(view.key()),
            content: ContentHashes::new(view.key(), view.headers().as_ref(), view.value()),
            named: view
                .headers()
                .and_then(|headers| named_coordinates(&headers)),
            stored: detail::stored(view, source),
            headers: view.headers().map(|headers| headers.encoded().to_vec()),
            batch: view.batch().copied(),
            is_aborted: is_aborted(view, source),
            value: owned(view.value()),
            row_json: decode::row_as_json(view),
            amount: amount_text(plan, value_of(self.amount), currency.as_deref()),
            currency,
            subject: value_of(self.subject).and_then(field_string),
            is_snapshot: value_of(self.operation) == Some(FieldValue::Bytes(b"r")),
            is_in_range: range::place(&plan.range, view) == RangePlace::Inside,
            seen: Seen::Now,
        };
        Some((detail, fingerprint))
    }
}

fn is_aborted(view: RecordView<'_>, source: &dyn RecordSource) -> bool {
    let batch = view.batch().filter(|batch| batch.is_transactional);
    let place = batch.zip(view.offset());
    place.is_some_and(|(batch, offset)| {
        // Segments stamp their batches; a topic tells once all its markers were read.
        batch
            .is_aborted
            .unwrap_or_else(|| source.is_aborted(view.block().split, batch.producer_id, offset))
    })
}

pub(super) fn field_string(value: FieldValue<'_>) -> Option<String> {
    if value.is_absent() {
        return None;
    }
    let mut scratch = Vec::new();
    field_text(value, &mut scratch).map(crate::record::lossless_text)
}

fn amount_text(
    plan: &AuditPlan,
    value: Option<FieldValue<'_>>,
    currency: Option<&str>,
) -> AmountText {
    let Some(value) = value else {
        return AmountText::NotAsked;
    };
    let amount = field_string(value)
        .and_then(|text| impact::parse_amount(&text, currency, plan.impact.unit));
    amount.map_or(AmountText::Unusable, AmountText::Decimal)
}
