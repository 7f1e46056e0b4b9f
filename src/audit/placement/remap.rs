//! Gives records of plain logs the coordinates and timestamps that `--map` finds in them.

use std::sync::Arc;

use crate::audit::placement::mapped_time::parse_timestamp;
use crate::audit::plan::{AuditPlan, TimestampUnit};
use crate::decode::FieldReader;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::RecordBlock;
use crate::record::RecordDefect;
use crate::record::RecordView;
use crate::record::Span;
use crate::record::ValueFormat;
use crate::scan_json::field_text;

/// Fields that can be mapped.
const TARGETS_MAX: usize = 6;

/// What a mapped field becomes.
#[derive(Clone, Copy, Debug)]
enum Target {
    Timestamp(TimestampUnit),
    Topic,
    Partition,
    Offset,
    Key,
    Value,
}

/// Applies `--map` and `--assume-topic` to blocks; what a source records itself stands.
#[derive(Debug)]
pub(in crate::audit) struct Remapper {
    reader: FieldReader,
    targets: Vec<Target>,
    /// Which fields were seen in any record.
    seen: [bool; TARGETS_MAX],
    assume_topic: Option<Arc<str>>,
    /// Indexes in the last block of records whose mapped timestamp is there but is none.
    unreadable_timestamps: Vec<usize>,
}

/// What the mapped fields of one record came to.
#[derive(Default)]
struct Mapped {
    timestamp_millis: Option<i64>,
    is_timestamp_unreadable: bool,
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    key: Option<MappedPayload>,
    value: Option<MappedPayload>,
    is_payload_undecodable: bool,
}

/// What stands in a field that is mapped to the key or the value; without bytes it is null.
type MappedPayload = Option<Vec<u8>>;

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Timestamp(_) => "timestamp",
            Self::Topic => "topic",
            Self::Partition => "partition",
            Self::Offset => "offset",
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

impl Mapped {
    fn take(&mut self, target: Target, value: FieldValue<'_>, scratch: &mut Vec<u8>) {
        match target {
            Target::Timestamp(unit) => {
                self.timestamp_millis = parse_timestamp(value, unit, scratch);
                self.is_timestamp_unreadable =
                    self.timestamp_millis.is_none() && !value.is_absent();
            }
            Target::Topic => self.topic = text(value, scratch),
            Target::Partition => self.partition = whole_number(value, scratch),
            Target::Offset => {
                self.offset = whole_number(value, scratch).filter(|offset| *offset >= 0);
            }
            Target::Key | Target::Value if value == FieldValue::Undecodable => {
                self.is_payload_undecodable = true;
            }
            Target::Key => self.key = Some(bytes(value, scratch)),
            Target::Value => self.value = Some(bytes(value, scratch)),
        }
    }
}

impl Remapper {
    pub(in crate::audit) fn new(plan: &AuditPlan) -> Self {
        let mapping = &plan.mapping;
        let mut paths = Vec::new();
        let mut targets = Vec::new();
        let mut map = |path: Option<&FieldPath>, target: Target| {
            if let Some(path) = path {
                paths.push(path.clone());
                targets.push(target);
            }
        };
        if let Some((path, unit)) = &mapping.timestamp {
            map(Some(path), Target::Timestamp(*unit));
        }
        map(mapping.topic.as_ref(), Target::Topic);
        map(mapping.partition.as_ref(), Target::Partition);
        map(mapping.offset.as_ref(), Target::Offset);
        map(mapping.key.as_ref(), Target::Key);
        map(mapping.value.as_ref(), Target::Value);
        Self {
            reader: FieldReader::new(paths),
            targets,
            seen: [false; TARGETS_MAX],
            assume_topic: plan.assume_topic.clone(),
            unreadable_timestamps: Vec::new(),
        }
    }

    /// Fills in what the block's records lack; records with coordinates of their own are left.
    pub(in crate::audit) fn apply(&mut self, block: &mut RecordBlock) {
        self.unreadable_timestamps.clear();
        if self.targets.is_empty() {
            return;
        }
        for index in 0..block.slots.len() {
            let Some(view) = block.view(index) else { break };
            if view.topic_partition().is_some() || view.slot().defect.is_some() {
                continue;
            }
            let mapped = self.read_mapped(view);
            if mapped.is_timestamp_unreadable {
                self.unreadable_timestamps.push(index);
            }
            self.fill(block, index, mapped);
        }
        if self.maps_value() {
            // What a cell holds is a value of its own, no longer a row.
            block.value_format = ValueFormat::Json;
        }
    }

    fn maps_value(&self) -> bool {
        let is_value = |target: &Target| matches!(target, Target::Value);
        self.targets.iter().any(is_value)
    }

    /// Returns whether the record at `index` of the last block has a mapped timestamp that is none.
    pub(in crate::audit) fn is_timestamp_unreadable(&self, index: usize) -> bool {
        self.unreadable_timestamps.binary_search(&index).is_ok()
    }

    /// Returns the flag and path of each mapped field that no record had.
    pub(in crate::audit) fn unseen(&self) -> impl Iterator<Item = (String, FieldPath)> {
        let flags = self.targets.iter().zip(self.reader.paths()).zip(self.seen);
        flags
            .filter(|(_, is_seen)| !is_seen)
            .map(|((target, path), _)| (format!("--map {}=", target.name()), path.clone()))
    }

    fn read_mapped(&mut self, view: RecordView<'_>) -> Mapped {
        let mut mapped = Mapped::default();
        let mut scratch = Vec::new();
        let mut values = [FieldValue::Missing; TARGETS_MAX];
        let wanted = values.get_mut(..self.targets.len());
        self.reader.read(view, wanted.unwrap_or_default());
        for ((target, value), is_seen) in self.targets.iter().zip(values).zip(&mut self.seen) {
            *is_seen |= value != FieldValue::Missing;
            mapped.take(*target, value, &mut scratch);
        }
        mapped
    }

    fn fill(&self, block: &mut RecordBlock, index: usize, mapped: Mapped) {
        let topic = mapped.topic.as_deref().or(self.assume_topic.as_deref());
        let topic_partition = match (topic, mapped.partition) {
            (Some(topic), Some(partition)) => block.intern_topic_partition(topic, partition),
            _ => u32::MAX,
        };
        let mut span = |payload: MappedPayload| match payload {
            Some(bytes) => block.push_bytes(&bytes),
            None => Span::NULL,
        };
        let key = mapped.key.map(&mut span);
        let value = mapped.value.map(&mut span);
        let Some(slot) = block.slots.get_mut(index) else {
            return;
        };
        slot.topic_partition = topic_partition;
        if let Some(offset) = mapped.offset {
            slot.offset = offset;
        }
        if let Some(millis) = mapped.timestamp_millis {
            slot.timestamp_millis = millis;
        }
        slot.key = key.unwrap_or(slot.key);
        slot.value = value.unwrap_or(slot.value);
        if mapped.is_payload_undecodable {
            slot.defect = Some(RecordDefect::InvalidEnvelope);
        }
        if slot.value == Span::UNRECORDED {
            slot.value = Span::NULL;
        }
    }
}

fn bytes(value: FieldValue<'_>, scratch: &mut Vec<u8>) -> Option<Vec<u8>> {
    field_text(value, scratch).map(<[u8]>::to_vec)
}

fn text(value: FieldValue<'_>, scratch: &mut Vec<u8>) -> Option<String> {
    let text = std::str::from_utf8(field_text(value, scratch)?).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn whole_number<T: std::str::FromStr>(value: FieldValue<'_>, scratch: &mut Vec<u8>) -> Option<T> {
    text(value, scratch)?.trim().parse().ok()
}
