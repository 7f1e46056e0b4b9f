//! Coverage and episodes of a report come back as they were.

use std::ops::Range;

use serde::Deserialize;

use crate::finding::Cause;
use crate::finding::Coverage;
use crate::finding::CoverageConflict;
use crate::finding::Episode;
use crate::finding::FileCoverage;
use crate::finding::GapReason;
use crate::finding::OffsetGap;
use crate::finding::PartitionCoverage;
use crate::record::TopicPartition;
use crate::report::read::codes::{Code, Millis};
use crate::report::read::head::{AmountFields, amounts};
use crate::report::read::pictures::{LinkFields, links};

/// Members of `coverage`.
#[derive(Deserialize)]
pub(super) struct CoverageFields {
    conflicts: Vec<ConflictFields>,
    partitions: Vec<PartitionFields>,
    files: Vec<FileFields>,
}

impl From<CoverageFields> for Coverage {
    fn from(read: CoverageFields) -> Self {
        Self {
            conflicts: read.conflicts.into_iter().map(Into::into).collect(),
            partitions: read.partitions.into_iter().map(Into::into).collect(),
            files: read.files.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Deserialize)]
struct ConflictFields {
    topic: String,
    partition: Option<i32>,
    offset: i64,
    audited: String,
    other: String,
}

impl From<ConflictFields> for CoverageConflict {
    fn from(read: ConflictFields) -> Self {
        Self {
            topic_partition: TopicPartition::numbered(read.topic.into(), read.partition),
            offset: read.offset,
            audited: read.audited,
            other: read.other,
        }
    }
}

#[derive(Deserialize)]
struct PartitionFields {
    topic: String,
    partition: Option<i32>,
    log_start_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
    start_offset: i64,
    end_offset: i64,
    next_offset: i64,
    records_read: u64,
    gaps: Vec<GapFields>,
    notes: Vec<String>,
    #[serde(default)]
    log_append_time: bool,
}

#[derive(Deserialize)]
struct GapFields {
    start: i64,
    end: i64,
    reason: Code<GapReason>,
}

impl From<PartitionFields> for PartitionCoverage {
    fn from(read: PartitionFields) -> Self {
        let gaps = read.gaps.into_iter();
        Self {
            topic_partition: TopicPartition::numbered(read.topic.into(), read.partition),
            log_start_offset: read.log_start_offset,
            high_watermark: read.high_watermark,
            last_stable_offset: read.last_stable_offset,
            start_offset: read.start_offset,
            end_offset: read.end_offset,
            next_offset: read.next_offset,
            records_read: read.records_read,
            is_log_append_time: read.log_append_time,
            gaps: gaps
                .map(|gap| OffsetGap {
                    start: gap.start,
                    end: gap.end,
                    reason: gap.reason.0,
                })
                .collect(),
            notes: read.notes,
        }
    }
}

#[derive(Deserialize)]
struct FileFields {
    path: String,
    format: String,
    bytes: u64,
    records_read: u64,
    damage: Option<String>,
    format_reason: String,
    notes: Vec<String>,
}

impl From<FileFields> for FileCoverage {
    fn from(read: FileFields) -> Self {
        Self {
            path: read.path,
            format: read.format,
            format_reason: read.format_reason,
            bytes: read.bytes,
            records_read: read.records_read,
            damage: read.damage,
            notes: read.notes,
        }
    }
}

/// Members of an episode.
#[derive(Deserialize)]
pub(super) struct EpisodeFields {
    id: u64,
    cause: Code<Cause>,
    topic: Option<String>,
    partition: Option<i32>,
    groups: u64,
    extra_records: u64,
    first_timestamp: Option<Millis>,
    last_timestamp: Option<Millis>,
    original_offsets: Option<Range<i64>>,
    extra_offsets: Option<Range<i64>>,
    original_topic: Option<String>,
    original_partition: Option<i32>,
    amounts: Vec<AmountFields>,
    ongoing: bool,
    #[serde(default)]
    links: Vec<LinkFields>,
}

impl From<EpisodeFields> for Episode {
    fn from(read: EpisodeFields) -> Self {
        Self {
            id: read.id,
            cause: read.cause.0,
            topic: read.topic,
            partition: read.partition,
            groups: read.groups,
            extra_records: read.extra_records,
            first_timestamp_millis: read.first_timestamp.map(|of| of.0),
            last_timestamp_millis: read.last_timestamp.map(|of| of.0),
            original_topic: read.original_topic,
            original_partition: read.original_partition,
            original_offsets: read.original_offsets,
            extra_offsets: read.extra_offsets,
            amounts: amounts(read.amounts),
            is_ongoing: read.ongoing,
            links: links(&read.links),
        }
    }
}
