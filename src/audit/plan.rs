//! Everything decided before the first byte is read.

use std::sync::Arc;

use chrono_tz::Tz;

use crate::dedup_key::DedupKeySpec;
use crate::expression::Expression;
use crate::finding::Cause;
use crate::impact::ImpactSpec;
use crate::record::FieldPath;
use crate::record::Part;
use crate::record::PathStep;
use crate::record::Root;
use crate::schema::PayloadReader;
use crate::schema::Schemas;
use crate::source::RecordRange;
use crate::source::file::ValueMembers;

/// Memory that a worker thread should find: less is spent on spilling tiny runs.
const WORKER_BYTES_MIN: u64 = 1 << 20;

/// Unit of a mapped timestamp that is a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampUnit {
    /// By magnitude.
    ByMagnitude,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// Where a plain log keeps what Kafka keeps beside the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMapping {
    /// The timestamp, with its unit.
    pub timestamp: Option<(FieldPath, TimestampUnit)>,
    /// Zone of times that name none.
    pub zone: Option<Tz>,
    /// The topic.
    pub topic: Option<FieldPath>,
    /// The partition.
    pub partition: Option<FieldPath>,
    /// The offset.
    pub offset: Option<FieldPath>,
    /// The key.
    pub key: Option<FieldPath>,
    /// The value.
    pub value: Option<FieldPath>,
}

/// What is accepted without the coverage being called incomplete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acceptance {
    /// Records that may be undecodable.
    pub undecodable: u64,
    /// Whether a scan that audits no record may be clean.
    pub empty: bool,
    /// Largest share of records without the dedup key, 0 to 1.
    pub missing_rate: Option<f64>,
}

/// A rule for what repeats by design; such extra records are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedRepeat {
    /// Copies of this cause.
    Cause(Cause),
    /// Records of a Debezium snapshot: their `op` is `r`.
    Snapshot,
    /// Later records of a key in this topic, which is compacted.
    Compacted(String),
}

impl ExpectedRepeat {
    /// Returns the rule's name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cause(Cause::DeadLetterCopy) => "dead-letter",
            Self::Cause(Cause::MirrorCopy) => "mirror",
            Self::Cause(Cause::AbortedTransaction) => "aborted",
            Self::Cause(cause) => cause.code(),
            Self::Snapshot => "snapshot",
            Self::Compacted(_) => "compacted",
        }
    }
}

/// Everything decided before the first byte is read.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditPlan {
    /// What makes two records the same.
    pub dedup_key: DedupKeySpec,
    /// What is inside keys and values, where it is no JSON.
    pub schemas: Option<Arc<Schemas>>,
    /// Where plain logs keep coordinates and timestamps.
    pub mapping: FieldMapping,
    /// Topic of exports that carry none.
    pub assume_topic: Option<Arc<str>>,
    /// The range asked for.
    pub range: RecordRange,
    /// What a record has to be to be audited.
    pub filter: Option<Expression>,
    /// What a record has to be to take something back.
    pub reversal: Option<Expression>,
    /// Occurrences further apart than this are two groups; milliseconds.
    pub within_millis: Option<i64>,
    /// What is at risk.
    pub impact: ImpactSpec,
    /// What is accepted.
    pub acceptance: Acceptance,
    /// What repeats by design.
    pub expected: Vec<ExpectedRepeat>,
    /// Whether values are kept for the report.
    pub show_values: bool,
    /// Whether the evidence of each extra record is kept, beside that of its group.
    pub show_evidence: bool,
    /// Whether records that earlier runs have read are compared too.
    pub remembers: bool,
    /// Memory to stay within, in bytes.
    pub memory_bytes: u64,
    /// Worker threads, at least one.
    pub threads: usize,
}

impl AuditPlan {
    /// Returns a plan that asks for nothing but a dedup key, on one thread within 16 MiB.
    pub fn of(dedup_key: DedupKeySpec) -> Self {
        Self {
            dedup_key,
            schemas: None,
            mapping: FieldMapping::default(),
            assume_topic: None,
            range: RecordRange::default(),
            filter: None,
            reversal: None,
            within_millis: None,
            impact: ImpactSpec::default(),
            acceptance: Acceptance::default(),
            expected: Vec::new(),
            show_values: false,
            show_evidence: false,
            remembers: false,
            memory_bytes: 16 << 20,
            threads: 1,
        }
    }

    /// Returns the worker threads, fewer where their buffers would be too small to be of use.
    pub(super) fn workers(&self) -> usize {
        workers(self.threads, self.memory_bytes)
    }

    /// Returns a reader of what is inside keys and values, if schemas are given.
    pub(super) fn payload_reader(&self, parts: &[Part]) -> Option<PayloadReader> {
        let schemas = self.schemas.as_ref()?;
        Some(PayloadReader::new(schemas, parts))
    }

    /// Returns the parts of records that the first pass looks into.
    pub(super) fn parts_looked_into(&self) -> Vec<Part> {
        let impact = [
            &self.impact.amount,
            &self.impact.currency,
            &self.impact.subject,
        ];
        let judged = self.filter.iter().chain(&self.reversal);
        let judged = judged.flat_map(Expression::paths);
        let dedup_key = self.dedup_key.fields.iter().map(|field| &field.path);
        let all: Vec<&FieldPath> = dedup_key
            .chain(&self.dedup_key.ignore)
            .chain(judged)
            .chain(impact.into_iter().flatten())
            .collect();
        let is_in = |part: &Part| {
            let mut places = all.iter().flat_map(|path| path.places());
            places.any(|path| match part {
                Part::Key => path.root == Root::Key,
                Part::Value => path.root == Root::Value,
            })
        };
        [Part::Key, Part::Value].into_iter().filter(is_in).collect()
    }

    /// Returns the members of values that the first pass looks into; nothing where it looks into
    /// whole values.
    pub fn value_members(&self) -> Option<ValueMembers> {
        // Without a dedup key it is one that is looked for.
        let is_open = self.dedup_key.fields.is_empty();
        if is_open || self.schemas.is_some() || !self.dedup_key.ignore.is_empty() {
            return None;
        }
        let dedup_key = self.dedup_key.fields.iter().map(|field| &field.path);
        let judged = self.filter.iter().chain(&self.reversal);
        let mut members = ValueMembers::default();
        for path in dedup_key
            .chain(judged.flat_map(Expression::paths))
            .chain(self.mapping.paths())
        {
            add_member(path, &mut members.values)?;
        }
        // Of what is at risk the first pass tells only whether any record has it.
        let impact = &self.impact;
        for path in [&impact.amount, &impact.currency, &impact.subject] {
            let Some(path) = path else { continue };
            let is_member = path.steps.len() == 1 && path.otherwise.is_none();
            let found = if is_member {
                &mut members.presence
            } else {
                &mut members.values
            };
            add_member(path, found)?;
        }
        Some(members)
    }

    /// Returns where Debezium says what a record is, if a rule asks.
    pub(super) fn operation_path(&self) -> Option<FieldPath> {
        let is_asked = self.expected.contains(&ExpectedRepeat::Snapshot);
        is_asked.then(|| FieldPath::parse("value.op").expect("this is a path"))
    }

    /// Returns one `part`-th of the memory.
    pub(super) fn memory_share(&self, part: u64) -> usize {
        usize::try_from(self.memory_bytes / part).unwrap_or(usize::MAX)
    }
}

impl FieldMapping {
    fn paths(&self) -> impl Iterator<Item = &FieldPath> {
        let timestamp = self.timestamp.as_ref().map(|(path, _)| path);
        let others = [
            &self.topic,
            &self.partition,
            &self.offset,
            &self.key,
            &self.value,
        ];
        let others = others.into_iter().filter_map(Option::as_ref);
        timestamp.into_iter().chain(others)
    }
}

/// Adds the members that a path into the value starts with; nothing if it is the whole value.
fn add_member(path: &FieldPath, members: &mut Vec<Box<str>>) -> Option<()> {
    for place in path.places().filter(|place| place.is_in_value()) {
        match place.steps.first()? {
            PathStep::Member(name) => members.push(name.clone()),
            // A value that is an object has no items.
            PathStep::Item(_) => {}
        }
    }
    Some(())
}

#[cfg(test)]
impl AuditPlan {
    /// Returns a plan that asks for nothing but a dedup key, on one thread within 16 MiB.
    pub(super) fn sample(by: &[&str]) -> Self {
        let field = |text: &&str| crate::dedup_key::KeyField::parse(text).unwrap();
        Self::of(DedupKeySpec {
            fields: by.iter().map(field).collect(),
            ignore: Vec::new(),
            missing: crate::dedup_key::MissingPolicy::Skip,
        })
    }
}

fn workers(threads: usize, memory_bytes: u64) -> usize {
    let with_buffers = usize::try_from(memory_bytes / WORKER_BYTES_MIN).unwrap_or(usize::MAX);
    threads.min(with_buffers).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_values_only_the_members_that_are_named_are_looked_into() {
        let path = |text: &str| Some(FieldPath::parse(text).unwrap());
        let mut plan = AuditPlan::sample(&["charge.id", "key", "offset"]);
        plan.filter = Some(Expression::compile("value.kind == 'charge'").unwrap());
        plan.mapping.timestamp = path("at").map(|path| (path, TimestampUnit::ByMagnitude));
        plan.impact.amount = path("amount");
        plan.impact.subject = path("customer.id//buyer");
        let members = plan.value_members().unwrap();
        let names = |of: &[Box<str>]| of.join(" ");
        assert_eq!(names(&members.values), "charge kind at customer buyer");
        assert_eq!(names(&members.presence), "amount");
        plan.mapping.value = path("value");
        assert_eq!(plan.value_members(), None, "the whole value");
        assert_eq!(AuditPlan::sample(&["value"]).value_members(), None);
        assert_eq!(AuditPlan::sample(&[]).value_members(), None);
    }

    #[test]
    fn workers_have_memory_to_work_with() {
        assert_eq!(workers(4, 1 << 30), 4);
        assert_eq!(workers(1024, 16 << 20), 16);
        assert_eq!(workers(4, 0), 1);
    }
}
