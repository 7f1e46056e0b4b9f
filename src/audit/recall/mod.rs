//! Reads a few records again by their places, long after the audit that found them.

use std::collections::BTreeMap;

use crate::audit::AuditError;
use crate::audit::detail::{AmountText, Detail};
use crate::audit::placement::remap::Remapper;
use crate::audit::plan::AuditPlan;
use crate::audit::revisit::{DetailReader, field_string};
use crate::decode::FieldReader;
use crate::finding::Fingerprint;
use crate::finding::NamedCoordinates;
use crate::impact::plain_decimal;
use crate::record::BatchStamp;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::Part;
use crate::record::RecordBlock;
use crate::record::RecordView;
use crate::record::SplitId;
use crate::record::TimestampType;
use crate::schema::PayloadReader;
use crate::source::RecordSource;

/// A record as it is found now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecalledRecord {
    /// The fingerprint of its dedup key; nothing where it has none now.
    pub fingerprint: Option<Fingerprint>,
    /// Topic and partition, where known.
    pub topic_partition: Option<(String, i32)>,
    /// Its offset, where known.
    pub offset: Option<i64>,
    /// Milliseconds since the epoch, where known.
    pub timestamp_millis: Option<i64>,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// What its batch carries, where the source shows it.
    pub batch: Option<BatchStamp>,
    /// Its key; nothing for null and unrecorded.
    pub key: Option<Vec<u8>>,
    /// Its headers in their encoding, where the source shows them.
    pub headers: Option<Vec<u8>>,
    /// Coordinates of another record that the headers name.
    pub named: Option<NamedCoordinates>,
    /// Its value; nothing for null.
    pub value: Option<Vec<u8>>,
    /// Its own amount, where it has a usable one.
    pub amount: Option<String>,
    /// Its own currency.
    pub currency: Option<String>,
    /// The values at the paths asked for, as text; nothing where there is none.
    pub fields: Vec<Option<String>>,
}

/// Reads records of `sources` again and returns them by their places; those that are not there
/// any more are left out. The sources have been opened for this and are used up by it.
pub fn recall(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    places: &BTreeMap<SplitId, Vec<u64>>,
    paths: &[FieldPath],
) -> Result<BTreeMap<(SplitId, u64), RecalledRecord>, AuditError> {
    let mut recall = Recall {
        plan,
        payloads: plan.payload_reader(&[Part::Key, Part::Value]),
        remapper: Remapper::new(plan),
        details: DetailReader::new(plan),
        fields: FieldReader::new(paths.to_vec()),
        found: BTreeMap::new(),
    };
    for source in sources {
        let wanted = source.splits().into_iter();
        let wanted: Vec<_> = wanted
            .filter_map(|split| Some((split, places.get(&split)?)))
            .collect();
        let last = wanted.iter().filter_map(|(_, positions)| positions.last());
        pass_over(&**source, last.max().copied().unwrap_or_default())?;
        for (split, positions) in wanted {
            recall.read(&**source, split, positions)?;
        }
    }
    Ok(recall.found)
}

/// Lets the first pass of a source come past `position`, which a second pass stands on; that of a
/// stopped source is over at once.
fn pass_over(source: &dyn RecordSource, position: u64) -> Result<(), AuditError> {
    let mut block = RecordBlock::default();
    while source.next_block(&mut block)? {
        let last = block.slots.last().map(|slot| slot.position);
        if last.is_some_and(|last| last > position) {
            break;
        }
    }
    Ok(())
}

struct Recall<'a> {
    plan: &'a AuditPlan,
    payloads: Option<PayloadReader>,
    remapper: Remapper,
    details: DetailReader<'a>,
    fields: FieldReader,
    found: BTreeMap<(SplitId, u64), RecalledRecord>,
}

impl Recall<'_> {
    fn read(
        &mut self,
        source: &dyn RecordSource,
        split: SplitId,
        positions: &[u64],
    ) -> Result<(), AuditError> {
        let mut revisitor = source.revisit(split)?;
        let mut block = RecordBlock::default();
        let mut rest = positions;
        while !rest.is_empty() {
            block.clear(split);
            let dealt_with = revisitor.fetch(rest, &mut block)?.clamp(1, rest.len());
            if let Some(payloads) = &mut self.payloads {
                payloads.apply(&mut block);
            }
            self.remapper.apply(&mut block);
            for view in block.views() {
                let record = self.record(view, source);
                self.found.insert((split, view.slot().position), record);
            }
            rest = rest.get(dealt_with..).unwrap_or_default();
        }
        Ok(())
    }

    fn record(&mut self, view: RecordView<'_>, source: &dyn RecordSource) -> RecalledRecord {
        let mut values = vec![FieldValue::Missing; self.fields.paths().len()];
        self.fields.read(view, &mut values);
        let read = self.details.read(self.plan, view, source);
        let (detail, fingerprint) = match read {
            Some((detail, fingerprint)) => (detail, Some(fingerprint)),
            None => (Detail::default(), None),
        };
        let timestamp = view.timestamp();
        let bytes = |payload: crate::record::Payload<'_>| payload.bytes().map(<[u8]>::to_vec);
        RecalledRecord {
            fingerprint,
            topic_partition: detail.topic.zip(detail.partition),
            offset: view.offset(),
            timestamp_millis: timestamp.map(|timestamp| timestamp.millis),
            timestamp_type: timestamp.map(|of| of.timestamp_type).unwrap_or_default(),
            batch: view.batch().copied(),
            key: bytes(view.key()),
            headers: view.headers().map(|headers| headers.encoded().to_vec()),
            named: detail.named,
            value: bytes(view.value()),
            amount: match detail.amount {
                AmountText::Decimal(amount) => Some(plain_decimal(amount)),
                AmountText::NotAsked | AmountText::Unusable => None,
            },
            currency: detail.currency,
            fields: values.into_iter().map(field_string).collect(),
        }
    }
}
