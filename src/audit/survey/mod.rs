//! A sample of the records, field by field, to propose what identifies them.

mod spread;

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::audit::AuditError;
use crate::audit::filter::{Filter, Judgement, Unjudged};
use crate::audit::placement::range::{self, RangePlace};
use crate::audit::placement::remap::Remapper;
use crate::audit::plan::AuditPlan;
use crate::audit::progress::AuditProgress;
use crate::audit::statement::places::record_place;
use crate::audit::survey::spread::{Budget, Quotas};
use crate::decode;
use crate::decode::FieldReader;
use crate::finding::suggestion::Suggestion;
use crate::record::FieldValue;
use crate::record::Part;
use crate::record::Payload;
use crate::record::RecordBlock;
use crate::record::RecordView;
use crate::record::TopicPartition;
use crate::scan_json::field_text;
use crate::source::RecordSource;
use crate::source::StopFlag;
use crate::suggest::{Sample, SampledRecord, SampledValue};

/// Bytes of memory that a field of a record takes at most, with what is made of it.
const CELL_BYTES: u64 = 96;

/// Looks at a sample that is spread over files and partitions, or at all, and says which fields
/// look like identities. A sample that fills the memory ends early, and is not whole.
pub fn survey(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    sample_max: Option<u64>,
    (progress, stop): (&AuditProgress, &StopFlag),
) -> Result<Suggestion, AuditError> {
    let mut surveyor = Surveyor::new(plan);
    let mut is_whole = true;
    let mut budget = Budget::new(sources, sample_max);
    let spread = budget.order(sources.len());
    for source in spread.iter().filter_map(|place| sources.get(*place)) {
        let Some(quotas) = budget.next(source.as_ref()) else {
            is_whole = false;
            break;
        };
        let before = surveyor.taken;
        is_whole &= surveyor.read(source.as_ref(), quotas, progress)?;
        budget.spend(surveyor.taken - before);
    }
    let is_stopped = stop.is_stopped();
    let undecodable = surveyor.undecodable;
    let is_cut_short = is_stopped || surveyor.is_full();
    let place = |split, position, line| record_place(sources, split, position, line);
    let unjudged = surveyor.unjudged.warning("--where", "left them out", place);
    let mut suggestion = surveyor.sample.conclude();
    suggestion.warnings.splice(..0, unjudged);
    Ok(Suggestion {
        undecodable,
        sample: sample_max,
        is_whole: is_whole && !is_stopped,
        is_cut_short,
        ..suggestion
    })
}

struct Surveyor<'a> {
    plan: &'a AuditPlan,
    sample: Sample,
    cells_max: usize,
    undecodable: u64,
    filter: Option<(Filter, FieldReader)>,
    unjudged: Unjudged,
    partitions: HashMap<TopicPartition, u32>,
    /// Records in the sample.
    taken: u64,
}

impl<'a> Surveyor<'a> {
    fn new(plan: &'a AuditPlan) -> Self {
        let filter = plan.filter.as_ref().map(|filter| {
            let paths = filter.paths().to_vec();
            (Filter::new(filter), FieldReader::new(paths))
        });
        Self {
            cells_max: usize::try_from(plan.memory_bytes / CELL_BYTES).unwrap_or(usize::MAX),
            plan,
            sample: Sample::default(),
            undecodable: 0,
            filter,
            unjudged: Unjudged::default(),
            partitions: HashMap::new(),
            taken: 0,
        }
    }

    /// Reads what is wanted of a source; returns whether that was all of it.
    fn read(
        &mut self,
        source: &dyn RecordSource,
        mut quotas: Quotas,
        progress: &AuditProgress,
    ) -> Result<bool, AuditError> {
        let mut payloads = self.plan.payload_reader(&[Part::Key, Part::Value]);
        let mut remapper = Remapper::new(self.plan);
        let mut block = RecordBlock::default();
        let mut is_whole = true;
        while source.next_block(&mut block)? {
            if let Some(payloads) = &mut payloads {
                payloads.apply(&mut block);
            }
            remapper.apply(&mut block);
            progress.add_read(&block);
            for view in block.views() {
                if self.is_full() {
                    return Ok(false);
                }
                if !quotas.wants(block.split) {
                    is_whole = false;
                    if !quotas.pass_over() {
                        return Ok(false);
                    }
                } else if self.look(view) {
                    quotas.take(block.split);
                }
            }
        }
        Ok(is_whole)
    }

    /// Returns whether memory holds no more.
    fn is_full(&self) -> bool {
        self.sample.cells() >= self.cells_max
    }

    /// Takes a record into the sample; returns whether it belongs there.
    fn look(&mut self, view: RecordView<'_>) -> bool {
        if range::place(&self.plan.range, view) != RangePlace::Inside || !self.matches(view) {
            return false;
        }
        let is_unread = [Part::Key, Part::Value]
            .iter()
            .any(|part| view.unread_reason(*part).is_some());
        let is_tombstone = view.value() == Payload::Null;
        if is_unread || view.slot().defect.is_some() || is_tombstone {
            self.undecodable += u64::from(!is_tombstone);
            return false;
        }
        let record = self.record(view);
        self.sample.begin_record(record);
        self.taken += 1;
        let sample = &mut self.sample;
        let mut scratch = Vec::new();
        decode::leaf_fields(view, &mut |path, value| {
            let is_number = matches!(value, FieldValue::Number(_));
            let value = match field_text(value, &mut scratch) {
                _ if value == FieldValue::Boolean(true) => SampledValue::Boolean(true),
                _ if value == FieldValue::Boolean(false) => SampledValue::Boolean(false),
                Some(text) if is_number => SampledValue::Number(text),
                Some(text) => SampledValue::Text(text),
                None => return,
            };
            sample.add_field(path, value);
        });
        true
    }

    fn matches(&mut self, view: RecordView<'_>) -> bool {
        let Some((filter, fields)) = &mut self.filter else {
            return true;
        };
        let mut values = vec![FieldValue::Missing; fields.paths().len()];
        fields.read(view, &mut values);
        let judgement = filter.judge(view, &values, &mut self.unjudged);
        self.undecodable += u64::from(judgement == Judgement::Undecodable);
        judgement == Judgement::Matches
    }

    fn record(&mut self, view: RecordView<'_>) -> SampledRecord {
        let part = |payload: Payload<'_>| payload.bytes().map_or(0, xxh3_64);
        let known = view
            .topic_partition()
            .filter(|of| of.partition != TopicPartition::UNKNOWN);
        let partition = known.map(|place| {
            let next = u32::try_from(self.partitions.len()).unwrap_or(u32::MAX);
            *self.partitions.entry(place.clone()).or_insert(next)
        });
        let number = i64::try_from(self.taken).unwrap_or(i64::MAX);
        SampledRecord {
            payload: part(view.key()).rotate_left(1) ^ part(view.value()),
            timestamp_millis: view.timestamp().map(|timestamp| timestamp.millis),
            partition,
            place: view.offset().unwrap_or(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::scripted::ScriptedSource;
    use crate::expression::Expression;

    fn surveyed(plan: &AuditPlan, sample_max: Option<u64>) -> Suggestion {
        let records: Vec<(i64, &'static str)> = vec![
            (0, r#"{"id":"a1","customer_id":"c1","n":1}"#),
            (1, r#"{"id":"a2","customer_id":"c1","n":2}"#),
            (2, r#"{"id":"a2","customer_id":"c1","n":2}"#),
            (3, r#"{"id":"a3","customer_id":"c2","n":0}"#),
        ];
        let sources: [Box<dyn RecordSource>; 1] = [Box::new(ScriptedSource::new(&records, &[]))];
        let watched = (&AuditProgress::default(), &StopFlag::default());
        survey(plan, &sources, sample_max, watched).unwrap()
    }

    #[test]
    fn a_sample_ends_where_it_is_said_to() {
        let plan = AuditPlan::sample(&["key", "value"]);
        let all = surveyed(&plan, None);
        assert_eq!((all.records, all.is_whole), (4, true));
        let some = surveyed(&plan, Some(2));
        assert_eq!((some.records, some.is_whole), (2, false));
        let mut tight = plan.clone();
        tight.memory_bytes = CELL_BYTES * 4;
        assert!(surveyed(&tight, None).records < 4);
        let is_cut_short = |plan, most| surveyed(plan, most).is_cut_short;
        assert!(is_cut_short(&tight, Some(3)) && !is_cut_short(&plan, Some(3)));
    }

    #[test]
    fn only_what_matches_is_looked_at() {
        let mut plan = AuditPlan::sample(&["key", "value"]);
        plan.filter = Some(Expression::compile("value.n > 1").unwrap());
        let some = surveyed(&plan, None);
        assert_eq!(some.records, 2);
        let id = some.fields.iter().find(|field| field.path == "id").unwrap();
        assert_eq!(
            (id.distinct, id.repeats.identical, id.repeats.adjacent),
            (1, 1, 1)
        );
        assert_eq!(id.repeats.close, Some(1));
    }

    #[test]
    fn what_cannot_be_judged_is_told_with_the_first_place() {
        let mut plan = AuditPlan::sample(&["key", "value"]);
        plan.filter = Some(Expression::compile("10 / value.n > 5").unwrap());
        let some = surveyed(&plan, None);
        assert_eq!(some.records, 1);
        let warning = some.warnings.first().unwrap();
        let told = "`--where` could not judge 1 record and left them out, the first at ";
        assert!(warning.starts_with(told), "{warning}");
    }
}
