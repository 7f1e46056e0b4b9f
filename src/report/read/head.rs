//! Header and summary of a report come back as they were.

use serde::Deserialize;

use crate::finding::AmountAtRisk;
use crate::finding::AmountTotal;
use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::Cause;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::KnownTotal;
use crate::finding::PartitionTotal;
use crate::finding::RedactionKind;
use crate::finding::ReversalTotal;
use crate::finding::SkippedRecords;
use crate::finding::SubjectTotal;
use crate::finding::TimeSpan;
use crate::finding::Verdict;
use crate::finding::{StandingTotal, ThresholdTotal};
use crate::record::TimestampType;
use crate::record::TopicPartition;
use crate::report::read::codes::{Code, Millis};
use crate::report::read::pictures::{CauseStep, OverTimeFields, PartitionStep, TimelineFields};

/// Members of `header`.
#[derive(Deserialize)]
pub(super) struct HeaderFields {
    dupaudit_version: String,
    command_line: Vec<String>,
    started_at: Millis,
    finished_at: Millis,
    by: Vec<String>,
    within_ms: Option<i64>,
    isolation: Code<&'static str>,
    amount_field: Option<String>,
    amount_unit: Option<Code<&'static str>>,
    subject_field: Option<String>,
    from: Option<Millis>,
    to: Option<Millis>,
    reversal: Option<String>,
    offset_range: Option<String>,
    #[serde(default)]
    shows_values: bool,
    preset: Option<String>,
    r#where: Option<String>,
    currency_field: Option<String>,
    redaction: Option<Code<RedactionKind>>,
    redaction_key: Option<String>,
}

impl From<HeaderFields> for AuditHeader {
    fn from(read: HeaderFields) -> Self {
        let key = read.redaction_key.as_deref();
        let key = key.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let redaction = read.redaction.map(|kind| match kind.0 {
            RedactionKind::Hash(_) => RedactionKind::Hash(key),
            RedactionKind::Mask => RedactionKind::Mask,
        });
        Self {
            dupaudit_version: read.dupaudit_version,
            command_line: read.command_line,
            started_at_millis: read.started_at.0,
            finished_at_millis: read.finished_at.0,
            preset: read.preset,
            by: read.by,
            filter: read.r#where,
            within_millis: read.within_ms,
            isolation: read.isolation.0,
            amount_field: read.amount_field,
            currency_field: read.currency_field,
            amount_unit: read.amount_unit.map_or("major", |unit| unit.0),
            subject_field: read.subject_field,
            reversal: read.reversal,
            from_millis: read.from.map(|of| of.0),
            to_millis: read.to.map(|of| of.0),
            offset_range: read.offset_range,
            shows_values: read.shows_values,
            redaction,
        }
    }
}

/// Members of `summary`.
#[derive(Deserialize)]
pub(super) struct SummaryFields {
    verdict: Code<Verdict>,
    complete: bool,
    records_read: u64,
    records_audited: u64,
    skipped: SkippedFields,
    groups: u64,
    extra_records: u64,
    conflicting_groups: u64,
    largest_group: u64,
    subjects: u64,
    amounts: Vec<AmountTotalFields>,
    causes: Vec<CauseFields>,
    distinct_keys: u64,
    amounts_unusable: u64,
    incomplete_reasons: Vec<String>,
    warnings: Vec<String>,
    reversals: Option<ReversalFields>,
    top_subjects: Vec<SubjectFields>,
    partitions: Vec<PartitionFields>,
    timeline: TimelineFields,
    #[serde(default)]
    uncompared_groups: u64,
    audited_span: Option<SpanFields>,
    #[serde(default)]
    timestamp_types: Vec<Option<Code<TimestampType>>>,
    extra_span: Option<SpanFields>,
    new_groups: Option<u64>,
    new_extra_records: Option<u64>,
    known_groups: Option<u64>,
    known_extra_records: Option<u64>,
    gone_groups: Option<u64>,
    new_amounts: Option<Vec<AmountFields>>,
    known_by: Option<Vec<KnownFields>>,
    fail_at: Option<Vec<ThresholdTotal>>,
    #[serde(default)]
    causes_over_time: OverTimeFields<CauseStep>,
    #[serde(default)]
    partitions_over_time: OverTimeFields<PartitionStep>,
}

#[derive(Deserialize)]
struct KnownFields {
    by: String,
    groups: u64,
    extra_records: u64,
}

impl From<KnownFields> for KnownTotal {
    fn from(read: KnownFields) -> Self {
        Self {
            by: read.by,
            groups: read.groups,
            extra_records: read.extra_records,
        }
    }
}

impl SummaryFields {
    /// Where something is asked that could have known a group, all of these are there.
    fn standing(&mut self) -> Option<StandingTotal> {
        let known_by = self.known_by.take().unwrap_or_default();
        Some(StandingTotal {
            new_groups: self.new_groups?,
            new_extra_records: self.new_extra_records?,
            new_amounts: amounts(self.new_amounts.take()?),
            known_groups: self.known_groups?,
            known_extra_records: self.known_extra_records?,
            known_by: known_by.into_iter().map(Into::into).collect(),
            gone_groups: self.gone_groups,
        })
    }
}

impl From<SummaryFields> for AuditSummary {
    fn from(mut read: SummaryFields) -> Self {
        let standing = read.standing();
        let types = read.timestamp_types.into_iter();
        Self {
            verdict: read.verdict.0,
            complete: read.complete,
            incomplete_reasons: read.incomplete_reasons,
            records_read: read.records_read,
            records_audited: read.records_audited,
            skipped: read.skipped.into(),
            distinct_keys: read.distinct_keys,
            groups: read.groups,
            extra_records: read.extra_records,
            conflicting_groups: read.conflicting_groups,
            uncompared_groups: read.uncompared_groups,
            largest_group: read.largest_group,
            subjects: read.subjects,
            top_subjects: read.top_subjects.into_iter().map(Into::into).collect(),
            amounts: read.amounts.into_iter().map(Into::into).collect(),
            amounts_unusable: read.amounts_unusable,
            reversals: read.reversals.map(Into::into),
            causes: read.causes.into_iter().map(Into::into).collect(),
            partitions: read.partitions.into_iter().map(Into::into).collect(),
            audited_span: read.audited_span.map(Into::into),
            timestamp_types: types
                .map(|kind| kind.map_or(TimestampType::Unrecorded, |kind| kind.0))
                .collect(),
            extra_span: read.extra_span.map(Into::into),
            timeline: read.timeline.into(),
            causes_over_time: read.causes_over_time.into(),
            partitions_over_time: read.partitions_over_time.into(),
            standing,
            thresholds: read.fail_at,
            warnings: read.warnings,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SkippedFields {
    missing_key: u64,
    undecodable: u64,
    tombstone: u64,
    filtered: u64,
    outside_range: u64,
    same_record: u64,
}

impl From<SkippedFields> for SkippedRecords {
    fn from(read: SkippedFields) -> Self {
        Self {
            missing_key: read.missing_key,
            undecodable: read.undecodable,
            tombstone: read.tombstone,
            filtered: read.filtered,
            outside_range: read.outside_range,
            same_record: read.same_record,
        }
    }
}

/// Members of what is at risk in one currency.
#[derive(Deserialize)]
pub(super) struct AmountFields {
    currency: Option<String>,
    extra: String,
    reversed: String,
    net: String,
}

impl From<AmountFields> for AmountAtRisk {
    fn from(read: AmountFields) -> Self {
        Self {
            currency: read.currency,
            extra: read.extra,
            reversed: read.reversed,
            net: read.net,
        }
    }
}

/// Returns what is at risk by currency.
pub(super) fn amounts(read: Vec<AmountFields>) -> Vec<AmountAtRisk> {
    read.into_iter().map(Into::into).collect()
}

#[derive(Deserialize)]
struct AmountTotalFields {
    currency: Option<String>,
    extra: String,
    copies: String,
    conflicting: String,
    extra_records: u64,
    reversed: String,
    net: String,
    copies_records: u64,
    conflicting_reversed: String,
    conflicting_records: u64,
}

impl From<AmountTotalFields> for AmountTotal {
    fn from(read: AmountTotalFields) -> Self {
        Self {
            currency: read.currency,
            extra: read.extra,
            reversed: read.reversed,
            net: read.net,
            extra_records: read.extra_records,
            copies: read.copies,
            copies_records: read.copies_records,
            conflicting: read.conflicting,
            conflicting_reversed: read.conflicting_reversed,
            conflicting_records: read.conflicting_records,
        }
    }
}

#[derive(Deserialize)]
struct CauseFields {
    cause: Code<Cause>,
    groups: u64,
    extra_records: u64,
    confidences: Vec<ConfidenceFields>,
    evidence: Vec<String>,
    contrary: Vec<String>,
}

#[derive(Deserialize)]
struct ConfidenceFields {
    confidence: Option<Code<Confidence>>,
    extra_records: u64,
}

impl From<CauseFields> for CauseTotal {
    fn from(read: CauseFields) -> Self {
        let confidences = read.confidences.into_iter();
        Self {
            cause: read.cause.0,
            groups: read.groups,
            extra_records: read.extra_records,
            confidences: confidences
                .map(|of| (of.confidence.map(|code| code.0), of.extra_records))
                .collect(),
            evidence: read.evidence,
            contrary: read.contrary,
        }
    }
}

#[derive(Deserialize)]
struct ReversalFields {
    records: u64,
    in_groups: u64,
    repeated: u64,
    unusable: u64,
}

impl From<ReversalFields> for ReversalTotal {
    fn from(read: ReversalFields) -> Self {
        Self {
            records: read.records,
            in_groups: read.in_groups,
            repeated: read.repeated,
            unusable: read.unusable,
        }
    }
}

#[derive(Deserialize)]
struct SubjectFields {
    subject: String,
    groups: u64,
    extra_records: u64,
    amounts: Vec<AmountFields>,
}

impl From<SubjectFields> for SubjectTotal {
    fn from(read: SubjectFields) -> Self {
        Self {
            subject: read.subject,
            groups: read.groups,
            extra_records: read.extra_records,
            amounts: amounts(read.amounts),
        }
    }
}

#[derive(Deserialize)]
struct PartitionFields {
    topic: String,
    partition: Option<i32>,
    episodes: u64,
    groups: u64,
    extra_records: u64,
    amounts: Vec<AmountFields>,
}

impl From<PartitionFields> for PartitionTotal {
    fn from(read: PartitionFields) -> Self {
        Self {
            topic_partition: TopicPartition::numbered(read.topic.into(), read.partition),
            episodes: read.episodes,
            groups: read.groups,
            extra_records: read.extra_records,
            amounts: amounts(read.amounts),
        }
    }
}

#[derive(Deserialize)]
struct SpanFields {
    first_timestamp: Millis,
    last_timestamp: Millis,
}

impl From<SpanFields> for TimeSpan {
    fn from(read: SpanFields) -> Self {
        Self {
            first_millis: read.first_timestamp.0,
            last_millis: read.last_timestamp.0,
        }
    }
}
