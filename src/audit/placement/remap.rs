//! Gives records of plain logs the coordinates and timestamps that `--map` finds in them.

use std::sync::Arc;

use chrono_tz::Tz;

use crate::audit::placement::mapped_time::parse_timestamp;
use crate::audit::plan::{AuditPlan, TimestampUnit};
use crate::decode::FieldReader;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::RecordBlock;
use crate::record::RecordDefect;
use crate::record::RecordView;
use crate::record::Span;
use crate::record::TopicPartition;
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
    /// Zone of mapped times that name none.
    zone: Option<Tz>,
    /// Records whose mapped time names no zone.
    zoneless: u64,
    /// Indexes in the last block of records whose mapped timestamp is there but is none.
    unreadable_timestamps: Vec<usize>,
}

/// What the mapped fields of one record came to.
#[derive(Default)]
struct Mapped {
    timestamp_millis: Option<i64>,
    is_timestamp_unreadable: bool,
    is_zoneless: bool,
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
    fn take(
        &mut self,
        target: Target,
        value: FieldValue<'_>,
        (zone, scratch): (Option<Tz>, &mut Vec<u8>),
    ) {
        match target {
            Target::Timestamp(unit) => {
                let time = parse_timestamp(value, (unit, zone), scratch);
                self.timestamp_millis = time.map(|time| time.millis);
                self.is_zoneless = time.is_some_and(|time| time.is_zoneless);
                self.is_timestamp_unreadable = time.is_none() && !value.is_absent();
            }
            Target::Topic => self.topic = text(value, scratch),
            Target::Partition => {
                self.partition = whole_number(value, scratch).filter(|number| *number >= 0);
            }
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
            zone: mapping.zone,
            zoneless: 0,
            unreadable_timestamps: Vec::new(),
        }
    }

    /// Returns how many records have a mapped time that names no zone.
    pub(in crate::audit) fn zoneless(&self) -> u64 {
        self.zoneless
    }

    /// Fills in what the block's records lack; records with coordinates of their own are left.
    pub(in crate::audit) fn apply(&mut self, block: &mut RecordBlock) {
        self.unreadable_timestamps.clear();
        if self.targets.is_empty() {
            self.assume(block);
            return;
        }
        for index in 0..block.slots.len() {
            let Some(view) = block.view(index) else { break };
            if view.topic().is_some() || view.slot().defect.is_some() {
                continue;
            }
            let mapped = self.read_mapped(view);
            self.zoneless += u64::from(mapped.is_zoneless);
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

    /// Names the topic of records that name none.
    fn assume(&self, block: &mut RecordBlock) {
        let Some(topic) = self.assume_topic.as_deref() else {
            return;
        };
        let place = block.intern_topic_partition(topic, TopicPartition::UNKNOWN);
        for slot in &mut block.slots {
            if slot.topic_partition == u32::MAX {
                slot.topic_partition = place;
            }
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
            mapped.take(*target, value, (self.zone, &mut scratch));
        }
        mapped
    }

    fn fill(&self, block: &mut RecordBlock, index: usize, mapped: Mapped) {
        let topic = mapped.topic.as_deref().or(self.assume_topic.as_deref());
        let partition = mapped.partition.unwrap_or(TopicPartition::UNKNOWN);
        let topic_partition = match topic {
            Some(topic) => block.intern_topic_partition(topic, partition),
            None => u32::MAX,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Payload;
    use crate::record::RecordSlot;

    fn plan(maps: &[(&str, &str)]) -> AuditPlan {
        let mut plan = AuditPlan::sample(&["id"]);
        let mapping = &mut plan.mapping;
        for (name, path) in maps {
            let path = FieldPath::parse(path).unwrap();
            match *name {
                "timestamp" => mapping.timestamp = Some((path, TimestampUnit::ByMagnitude)),
                "topic" => mapping.topic = Some(path),
                "partition" => mapping.partition = Some(path),
                "offset" => mapping.offset = Some(path),
                "key" => mapping.key = Some(path),
                "value" => mapping.value = Some(path),
                other => panic!("{other}"),
            }
        }
        plan
    }

    fn block(values: &[&str]) -> RecordBlock {
        let mut block = RecordBlock::default();
        for (position, value) in (0..).zip(values) {
            let value = block.push_bytes(value.as_bytes());
            block.slots.push(RecordSlot {
                value,
                ..RecordSlot::new(position)
            });
        }
        block
    }

    const PLACED: &str = r#"{"t":"charges","p":"2","o":7,"at":1768444200,"k":null,"v":{"id":1}}"#;

    #[test]
    fn mapped_fields_become_coordinates_key_and_value() {
        let maps = [
            ("timestamp", "at"),
            ("topic", "t"),
            ("partition", "p"),
            ("offset", "o"),
            ("key", "k"),
            ("value", "v"),
        ];
        let mut remapper = Remapper::new(&plan(&maps));
        let mut block = block(&[PLACED]);
        remapper.apply(&mut block);
        let view = block.view(0).unwrap();
        let of = view.topic_partition().unwrap();
        assert_eq!(
            (&*of.topic, of.partition, view.offset()),
            ("charges", 2, Some(7))
        );
        assert_eq!(view.timestamp().unwrap().millis, 1_768_444_200_000);
        assert_eq!(view.key(), Payload::Null);
        assert_eq!(view.value(), Payload::Bytes(br#"{"id":1}"#));
        assert_eq!(remapper.unseen().count(), 0);
    }

    #[test]
    fn a_coordinate_that_is_none_is_not_made_up() {
        let maps = [("topic", "t"), ("partition", "p"), ("offset", "o")];
        for value in [
            r#"{"t":"","p":1,"o":1}"#,
            r#"{"t":"a","p":"x","o":1}"#,
            r#"{"t":"a","p":4294967296,"o":1}"#,
            r#"{"p":1,"o":1}"#,
        ] {
            let mut block = block(&[value]);
            Remapper::new(&plan(&maps)).apply(&mut block);
            assert_eq!(block.view(0).unwrap().topic_partition(), None, "{value}");
        }
        for value in [r#"{"t":"a","p":1,"o":-1}"#, r#"{"t":"a","p":1,"o":1.5}"#] {
            let mut block = block(&[value]);
            Remapper::new(&plan(&maps)).apply(&mut block);
            assert_eq!(block.view(0).unwrap().offset(), None, "{value}");
        }
    }

    #[test]
    fn a_topic_is_assumed_only_where_none_is_mapped() {
        let mut assumed = plan(&[("topic", "t"), ("partition", "p")]);
        assumed.assume_topic = Some("assumed".into());
        let mut block = block(&[r#"{"t":"own","p":1}"#, r#"{"p":1}"#, r#"{"t":"own"}"#]);
        Remapper::new(&assumed).apply(&mut block);
        let topics = block.views().map(RecordView::topic_partition);
        let topics: Vec<Option<&str>> = topics.map(|of| of.map(|of| &*of.topic)).collect();
        assert_eq!(topics, [Some("own"), Some("assumed"), None]);
    }

    #[test]
    fn timestamps_that_are_none_are_remembered_for_the_last_block_only() {
        let mut remapper = Remapper::new(&plan(&[("timestamp", "at")]));
        let mut first = block(&[r#"{"at":"soon"}"#, r#"{"at":null}"#, r#"{"at":1768444200}"#]);
        remapper.apply(&mut first);
        let unreadable = [0, 1, 2].map(|index| remapper.is_timestamp_unreadable(index));
        assert_eq!(unreadable, [true, false, false]);
        remapper.apply(&mut block(&[PLACED]));
        assert!(!remapper.is_timestamp_unreadable(0));
    }

    #[test]
    fn what_the_source_records_itself_stands_and_what_no_record_has_is_named() {
        let mut remapper = Remapper::new(&plan(&[("partition", "p"), ("offset", "none")]));
        let mut block = block(&[r#"{"p":9}"#]);
        let own = block.intern_topic_partition("own", 1);
        block.slots[0].topic_partition = own;
        block.slots[0].offset = 5;
        remapper.apply(&mut block);
        assert_eq!(block.view(0).unwrap().offset(), Some(5));
        let unseen: Vec<String> = remapper.unseen().map(|(flag, _)| flag).collect();
        assert_eq!(unseen, ["--map partition=", "--map offset="]);
    }

    #[test]
    fn a_payload_that_cannot_be_read_is_a_defect_of_its_record() {
        let mut remapper = Remapper::new(&plan(&[("value", "v")]));
        let mut block = block(&["{\"v\":", r#"{"v":"x"}"#]);
        remapper.apply(&mut block);
        assert!(block.slots[0].defect.is_some());
        assert_eq!(block.view(1).unwrap().value(), Payload::Bytes(b"x"));
        assert_eq!(block.value_format, ValueFormat::Json);
    }
}
