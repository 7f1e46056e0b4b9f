//! Pass 1: reads everything once, on worker threads, and keeps 40 bytes of each record.

mod counts;
mod pending;

pub(super) use counts::Counts;

use std::path::Path;

use crate::audit::collect::pending::{NO_FINGERPRINT, PendingOccurrences, Taken};
use crate::audit::filter::{Filter, Judgement};
use crate::audit::key_reader::KeyReader;
use crate::audit::overlap::{BlockCoordinates, CoordinateIndex};
use crate::audit::past::{FreshEntries, Past, RememberedRecords};
use crate::audit::placement::range::{self, RangePlace};
use crate::audit::placement::remap::Remapper;
use crate::audit::plan::AuditPlan;
use crate::audit::probe::FieldProbe;
use crate::audit::progress::AuditProgress;
use crate::audit::{AuditContext, AuditError};
use crate::decode::FieldReader;
use crate::dedup_key::KeyOutcome;
use crate::finding::SkipReason;
use crate::finding::TimeSpan;
use crate::index::DuplicateIndex;
use crate::index::IndexWriter;
use crate::index::Occurrence;
use crate::index::Seen;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::Payload;
use crate::record::RecordBlock;
use crate::record::RecordView;
use crate::record::Timestamp;
use crate::record::TimestampType;
use crate::schema::PayloadReader;
use crate::sorted_run::FixedSorter;
use crate::source::RecordSource;
use crate::source::StopFlag;
use crate::threads::on_threads;

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It takes part in the comparison.
    Audited,
    /// It is audited, and takes something back.
    Reversal,
    /// It was left out.
    Skipped(SkipReason),
}

/// What the first pass leaves behind.
pub(super) struct Collected {
    pub(super) counts: Counts,
    pub(super) writers: Vec<IndexWriter>,
    pub(super) coordinates: CoordinateIndex,
    pub(super) remembered: RememberedRecords,
}

/// What all workers share.
struct Shared<'a> {
    plan: &'a AuditPlan,
    sources: &'a [Box<dyn RecordSource>],
    coordinates: &'a CoordinateIndex,
    notes_coordinates: bool,
    progress: &'a AuditProgress,
    stop: &'a StopFlag,
    past: Option<&'a Past<'a>>,
    spill_dir: &'a Path,
}

/// Returns whether records may be read from two places.
pub(super) fn may_overlap(plan: &AuditPlan, sources: &[Box<dyn RecordSource>]) -> bool {
    plan.mapping.offset.is_some() || sources.iter().any(|source| source.can_repeat_coordinates())
}

/// Reads every source to its end on `plan.workers()` threads.
pub(super) fn collect(
    plan: &AuditPlan,
    (sources, notes_coordinates): (&[Box<dyn RecordSource>], bool),
    index: &DuplicateIndex,
    context: AuditContext<'_>,
) -> Result<Collected, AuditError> {
    let AuditContext {
        spill_dir,
        progress,
        stop,
        past,
        ..
    } = context;
    let coordinates = CoordinateIndex::new(spill_dir, plan.memory_share(8));
    let shared = Shared {
        plan,
        sources,
        coordinates: &coordinates,
        notes_coordinates,
        progress,
        stop,
        past,
        spill_dir,
    };
    let work = |_| Worker::new(&shared, index.writer()).run();
    let outcomes = on_threads(plan.workers(), work);
    let mut counts = Counts::default();
    let mut writers = Vec::with_capacity(plan.workers());
    let mut remembered = RememberedRecords::default();
    for worked in outcomes {
        let worked = worked?;
        counts.add(worked.counts);
        writers.push(worked.index);
        remembered.add(worked.remembered);
    }
    Ok(Collected {
        counts,
        writers,
        coordinates,
        remembered,
    })
}

/// What one worker leaves behind.
struct Worked {
    counts: Counts,
    index: IndexWriter,
    remembered: RememberedRecords,
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    counts: Counts,
    taken: Taken<'a>,
    payloads: Option<PayloadReader>,
    remapper: Remapper,
    fields: FieldReader,
    field_count: usize,
    key_count: usize,
    keys: KeyReader,
    filter: Option<Filter>,
    reversal: Option<Filter>,
    /// Values of the dedup key and of the filter; those that tell reversals come behind them.
    compared_count: usize,
    pending: PendingOccurrences,
    probe: FieldProbe,
    coordinates: BlockCoordinates,
    is_key_in_value: bool,
    /// Whether a part of the dedup key that is not in the value may be there instead.
    may_key_be_in_value: bool,
    /// Whether the values of the block at hand need no check of their own.
    is_block_utf8: bool,
    /// Type of the last timestamp: it seldom changes.
    last_timestamp_type: Option<TimestampType>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>, index: IndexWriter) -> Self {
        let plan = shared.plan;
        let fields = &plan.dedup_key.fields;
        let mut paths: Vec<_> = fields.iter().map(|field| field.path.clone()).collect();
        let key_count = paths.len();
        let is_key_in_value = paths.iter().any(FieldPath::is_in_value);
        let may_key_be_in_value = paths.iter().any(FieldPath::may_be_in_value);
        let filter = plan.filter.as_ref();
        paths.extend(filter.iter().flat_map(|filter| filter.paths()).cloned());
        let compared_count = paths.len();
        let reversal = plan.reversal.as_ref();
        paths.extend(
            reversal
                .iter()
                .flat_map(|reversal| reversal.paths())
                .cloned(),
        );
        Self {
            shared,
            counts: Counts::default(),
            taken: Taken {
                index,
                fresh: shared.past.map(|past| {
                    let memory_bytes = plan.memory_share(8) / plan.workers();
                    FreshEntries::new(past, FixedSorter::new(shared.spill_dir, memory_bytes))
                }),
            },
            payloads: plan.payload_reader(&plan.parts_looked_into()),
            remapper: Remapper::new(plan),
            field_count: paths.len(),
            key_count,
            is_key_in_value,
            may_key_be_in_value,
            filter: filter.map(Filter::new),
            reversal: reversal.map(Filter::new),
            compared_count,
            fields: FieldReader::new(paths),
            keys: KeyReader::new(plan),
            pending: PendingOccurrences::new(),
            probe: FieldProbe::new(plan),
            coordinates: BlockCoordinates::default(),
            is_block_utf8: false,
            last_timestamp_type: None,
        }
    }

    fn run(mut self) -> Result<Worked, AuditError> {
        let mut block = RecordBlock::default();
        let result = self.read_all(&mut block);
        if result.is_err() {
            // The others need not read on for an audit that has failed.
            self.shared.stop.stop();
        }
        self.counts.zoneless = self.remapper.zoneless();
        let mapped = self.remapper.unseen();
        self.counts.unseen = Some(self.probe.unseen().into_iter().chain(mapped).collect());
        result?;
        let remembered = self.taken.fresh.map(FreshEntries::finish).transpose()?;
        Ok(Worked {
            counts: self.counts,
            index: self.taken.index,
            remembered: remembered.unwrap_or_default(),
        })
    }

    fn read_all(&mut self, block: &mut RecordBlock) -> Result<(), AuditError> {
        for source in self.shared.sources {
            while source.next_block(block)? {
                if let Some(payloads) = &mut self.payloads {
                    payloads.apply(block);
                }
                self.remapper.apply(block);
                self.audit_block(block)?;
                self.shared.progress.add_read(block);
            }
        }
        Ok(())
    }

    fn audit_block(&mut self, block: &RecordBlock) -> Result<(), AuditError> {
        // One list for the whole block: nothing is allocated per record.
        let mut values = vec![FieldValue::Missing; self.field_count];
        self.is_block_utf8 = self.fields.is_utf8(block);
        for (index, view) in block.views().enumerate() {
            let outcome = self.audit(index, view, &mut values)?;
            self.counts.records_read += 1;
            match outcome {
                Outcome::Skipped(reason) => {
                    self.counts.skipped.count(reason);
                    self.counts.sample.note(view, reason, &mut self.fields);
                }
                Outcome::Audited => self.counts.records_audited += 1,
                Outcome::Reversal => {
                    self.counts.records_audited += 1;
                    self.counts.reversals += 1;
                }
            }
            if self.shared.notes_coordinates {
                self.coordinates.note(view, outcome);
            }
        }
        self.pending.finish(&mut self.taken)?;
        self.shared.coordinates.add(block, &mut self.coordinates)
    }

    /// Audits one record, or skips it for the first reason that applies.
    fn audit<'b>(
        &mut self,
        index: usize,
        view: RecordView<'b>,
        values: &mut [FieldValue<'b>],
    ) -> Result<Outcome, AuditError> {
        let timestamp = view.timestamp();
        self.counts.records_with_timestamp += u64::from(timestamp.is_some());
        if range::place(&self.shared.plan.range, view) == RangePlace::Outside {
            return Ok(Outcome::Skipped(self.outside(index, view)));
        }
        if self.is_key_in_value && view.value() == Payload::Null {
            return Ok(Outcome::Skipped(SkipReason::Tombstone));
        }
        self.fields.read_in(view, self.is_block_utf8, values);
        let is_reversal = match self.judge(view, values) {
            Ok(is_reversal) => is_reversal,
            Err(SkipReason::MissingKey)
                if self.may_key_be_in_value && view.value() == Payload::Null =>
            {
                return Ok(Outcome::Skipped(SkipReason::Tombstone));
            }
            Err(reason) => return Ok(Outcome::Skipped(reason)),
        };
        if !is_reversal {
            self.probe.look(view);
        }
        self.note_time(timestamp, is_reversal);
        let occurrence = Occurrence {
            fingerprint: NO_FINGERPRINT,
            is_reversal,
            timestamp_millis: timestamp.map_or(i64::MAX, |timestamp| timestamp.millis),
            split: view.block().split,
            position: view.slot().position,
            seen: Seen::Now,
        };
        self.pending.add(occurrence, &mut self.taken)?;
        Ok(if is_reversal {
            Outcome::Reversal
        } else {
            Outcome::Audited
        })
    }

    /// Returns why a record that lies not in the range is left out.
    fn outside(&mut self, index: usize, view: RecordView<'_>) -> SkipReason {
        let is_placed = range::can_place(&self.shared.plan.range, view);
        let is_unreadable = !is_placed
            && (view.slot().defect.is_some() || self.remapper.is_timestamp_unreadable(index));
        if is_unreadable {
            return SkipReason::Undecodable;
        }
        self.counts.records_unplaced += u64::from(!is_placed);
        SkipReason::OutsideRange
    }

    /// Writes the dedup key of a record whose fields are read; returns whether the record takes
    /// something back, or why it is left out.
    fn judge<'b>(
        &mut self,
        view: RecordView<'b>,
        values: &[FieldValue<'b>],
    ) -> Result<bool, SkipReason> {
        let (compared, reversal_values) = values.split_at(self.compared_count);
        let (key_values, filter_values) = compared.split_at(self.key_count);
        let key = self.keys.write(view, key_values, self.pending.canonical());
        if key == KeyOutcome::Undecodable {
            return Err(SkipReason::Undecodable);
        }
        if let Some(filter) = &self.filter {
            match filter.judge(view, filter_values, &mut self.counts.unjudged) {
                Judgement::Matches => {}
                Judgement::Undecodable => return Err(SkipReason::Undecodable),
                Judgement::Fails => return Err(SkipReason::Filtered),
            }
        }
        if key == KeyOutcome::Missing {
            return Err(SkipReason::MissingKey);
        }
        let Some(reversal) = &self.reversal else {
            return Ok(false);
        };
        match reversal.judge(view, reversal_values, &mut self.counts.unjudged_reversals) {
            Judgement::Matches => Ok(true),
            Judgement::Fails => Ok(false),
            Judgement::Undecodable => Err(SkipReason::Undecodable),
        }
    }

    fn note_time(&mut self, timestamp: Option<Timestamp>, is_reversal: bool) {
        let Some(timestamp) = timestamp else {
            let needs_time = self.shared.plan.within_millis.is_some() && !is_reversal;
            self.counts.records_unplaced += u64::from(needs_time);
            return;
        };
        let span = TimeSpan::including(self.counts.audited_span, timestamp.millis);
        self.counts.audited_span = Some(span);
        if self.last_timestamp_type != Some(timestamp.timestamp_type) {
            self.last_timestamp_type = Some(timestamp.timestamp_type);
            self.counts.timestamp_types.insert(timestamp.timestamp_type);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::scripted::ScriptedSource;
    use crate::expression::Expression;
    use crate::finding::SkippedRecords;
    use crate::index::MemoryBudget;
    use crate::record::SplitId;
    use crate::source::{Bound, RecordRange};

    fn counts(plan: &AuditPlan, records: &[(i64, &'static str)]) -> Counts {
        let dir = tempfile::tempdir().unwrap();
        let sources: [Box<dyn RecordSource>; 1] = [Box::new(ScriptedSource::new(records, &[]))];
        let context = AuditContext {
            spill_dir: dir.path(),
            progress: &AuditProgress::default(),
            known: &[],
            past: None,
            stop: &StopFlag::default(),
        };
        let index = DuplicateIndex::new(MemoryBudget::from_bytes(0), dir.path(), 1);
        collect(plan, (&sources, false), &index, context)
            .unwrap()
            .counts
    }

    fn expression(text: &str) -> Expression {
        Expression::compile(text).unwrap()
    }

    #[test]
    fn each_record_is_audited_or_skipped_for_the_first_reason_that_applies() {
        let mut plan = AuditPlan::sample(&["id"]);
        plan.filter = Some(expression("value.n > 0"));
        plan.reversal = Some(expression("value.type == 'void'"));
        plan.range = RecordRange {
            from: Some(Bound::Timestamp(5 * 60_000)),
            ..RecordRange::default()
        };
        let counts = counts(
            &plan,
            &[
                (0, "{"),
                (5, "{"),
                (5, r#"{"n":0}"#),
                (5, r#"{"id":1,"n":0}"#),
                (5, r#"{"n":1,"type":"void"}"#),
                (5, r#"{"id":1,"n":1}"#),
                (6, r#"{"id":2,"n":1,"type":"void"}"#),
                (7, r#"{"id":2,"n":1,"type":"charge"}"#),
            ],
        );
        let skipped = SkippedRecords {
            outside_range: 1,
            undecodable: 1,
            filtered: 2,
            missing_key: 1,
            ..SkippedRecords::default()
        };
        assert_eq!(counts.skipped, skipped);
        assert_eq!((counts.records_read, counts.records_audited), (8, 3));
        assert_eq!(counts.reversals, 1);
        let span = counts.audited_span.unwrap();
        let minutes = (span.first_millis / 60_000, span.last_millis / 60_000);
        assert_eq!(minutes, (5, 7));
        let place = |_: SplitId, position: u64, _: u64| position.to_string();
        let warning = counts
            .unjudged_reversals
            .warning("--reversal", "did", place);
        let warning = warning.unwrap();
        assert!(warning.contains("could not judge 1 record and did, the first at 5: "));
        assert_eq!(
            counts
                .unjudged
                .warning("--where", "did", |_, _, _| String::new()),
            None
        );
    }

    #[test]
    fn what_workers_counted_adds_up() {
        let plan = AuditPlan::sample(&["id"]);
        let mut one = counts(&plan, &[(1, r#"{"id":1}"#), (9, "{}")]);
        one.add(counts(&plan, &[(4, r#"{"id":1}"#), (3, r#"{"id":null}"#)]));
        assert_eq!((one.records_read, one.records_audited), (4, 2));
        assert_eq!(one.skipped.missing_key, 2);
        let span = one.audited_span.unwrap();
        assert_eq!((span.first_millis, span.last_millis), (60_000, 240_000));
    }

    #[test]
    fn a_field_is_unseen_only_where_no_worker_saw_it() {
        let mut plan = AuditPlan::sample(&["id"]);
        plan.impact.amount = Some(FieldPath::parse("amount").unwrap());
        let mut one = counts(&plan, &[(1, r#"{"id":1}"#)]);
        assert_eq!(one.unseen.as_ref().unwrap().len(), 1);
        one.add(counts(&plan, &[(1, r#"{"id":1,"amount":1}"#)]));
        assert_eq!(one.unseen.unwrap().len(), 0);
    }
}
