//! Reads of one record what the report needs.

use crate::audit::detail::{AmountText, Detail, owned};
use crate::audit::key_reader::KeyReader;
use crate::audit::placement::range::{self, RangePlace};
use crate::audit::plan::AuditPlan;
use crate::decode;
use crate::decode::FieldReader;
use crate::dedup_key::KeyOutcome;
use crate::dedup_key::fingerprint;
use crate::diagnosis::{ContentHashes, named_coordinates};
use crate::finding::Fingerprint;
use crate::impact;
use crate::index::Seen;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::RecordView;
use crate::scan_json::field_text;
use crate::source::PositionUnit;
use crate::source::RecordSource;

/// Reads the fields that the report needs of one record.
pub(in crate::audit) struct DetailReader<'a> {
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
    pub(in crate::audit) fn new(plan: &'a AuditPlan) -> Self {
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
    pub(in crate::audit) fn read(
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
        let mut detail = Detail {
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
            stored: None,
            headers: view.headers().map(|headers| headers.encoded().to_vec()),
            batch: view.batch().copied(),
            is_aborted: is_aborted(view, source),
            value: owned(view.value()),
            compared: decode::row_as_json(view),
            amount: amount_text(plan, value_of(self.amount), currency.as_deref()),
            currency,
            subject: value_of(self.subject).and_then(field_string),
            is_snapshot: value_of(self.operation) == Some(FieldValue::Bytes(b"r")),
            is_in_range: range::place(&plan.range, view) == RangePlace::Inside,
            seen: Seen::Now,
        };
        detail.note_store(source);
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

pub(in crate::audit) fn field_string(value: FieldValue<'_>) -> Option<String> {
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
