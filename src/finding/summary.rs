//! The audit as a whole: how it was asked for, what it came to.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::finding::coverage::SkippedRecords;
use crate::finding::group::{AmountAtRisk, Cause, Confidence};
use crate::finding::pictures::{OffsetLinks, OverTime};
use crate::finding::standing::{StandingTotal, ThresholdTotal};
use crate::finding::timeline::Timeline;
use crate::record::TimestampType;
use crate::record::TopicPartition;

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No duplicates, coverage complete.
    Clean,
    /// Duplicates found.
    Duplicates,
    /// No duplicates in what was read, which is not all.
    Incomplete,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 3] = [Self::Clean, Self::Duplicates, Self::Incomplete];

    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Duplicates => "duplicates",
            Self::Incomplete => "incomplete",
        }
    }
}

/// How a report was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHeader {
    /// Version of the program.
    pub dupaudit_version: String,
    /// The command line, secrets masked.
    pub command_line: Vec<String>,
    /// Start, milliseconds since the epoch.
    pub started_at_millis: i64,
    /// End, milliseconds since the epoch.
    pub finished_at_millis: i64,
    /// The preset that filled in what was not typed, if one was named.
    pub preset: Option<String>,
    /// Field paths of the dedup key with their normalisers, such as `value.email|trim`.
    pub by: Vec<String>,
    /// What `--where` asks, if anything.
    pub filter: Option<String>,
    /// `--within`, in milliseconds.
    pub within_millis: Option<i64>,
    /// `read_committed` or `read_uncommitted`; [`REPEATABLE_READ`] where only a database is read.
    pub isolation: &'static str,
    /// What `--amount` names, if anything.
    pub amount_field: Option<String>,
    /// What `--currency` names, if anything.
    pub currency_field: Option<String>,
    /// `major` or `minor`: what the numbers in that field count.
    pub amount_unit: &'static str,
    /// What `--subject` names, if anything.
    pub subject_field: Option<String>,
    /// What `--reversal` asks, if anything.
    pub reversal: Option<String>,
    /// Start of the range asked for, milliseconds since the epoch.
    pub from_millis: Option<i64>,
    /// End of the range asked for, milliseconds since the epoch.
    pub to_millis: Option<i64>,
    /// Offsets at which the range asked for begins and ends, for people; nothing where it has none.
    pub offset_range: Option<String>,
    /// Whether the values of records are shown.
    pub shows_values: bool,
    /// How dedup keys, subjects and record keys are hidden; nothing where they are shown.
    pub redaction: Option<RedactionKind>,
}

/// How dedup keys, subjects and record keys are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedactionKind {
    /// By keyed hashes; the number tells the keys of files apart, and a random key has none.
    Hash(Option<u64>),
    /// All of them alike.
    Mask,
}

/// The isolation level that databases are read at.
pub const REPEATABLE_READ: &str = "repeatable_read";

impl RedactionKind {
    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Hash(_) => "hash",
            Self::Mask => "mask",
        }
    }

    /// Returns whether another report of the same kind has the same ids.
    pub fn has_same_ids(self) -> bool {
        matches!(self, Self::Hash(Some(_)))
    }
}

/// What is at risk in one currency, as plain decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountTotal {
    /// Currency as recorded, or nothing where unknown.
    pub currency: Option<String>,
    /// Sum over extra records of groups that agree on amount, currency and subject.
    pub extra: String,
    /// What reversals have taken back of `extra`.
    pub reversed: String,
    /// What is left of `extra`.
    pub net: String,
    /// Extra records that `extra` is made of.
    pub extra_records: u64,
    /// Sum over extra records that are copies by design.
    pub copies: String,
    /// Extra records that `copies` is made of.
    pub copies_records: u64,
    /// Sum over extra records of groups that do not agree.
    pub conflicting: String,
    /// What reversals have taken back of `conflicting`.
    pub conflicting_reversed: String,
    /// Extra records that `conflicting` is made of.
    pub conflicting_records: u64,
}

/// Records that take something back: refunds, voids, reversals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReversalTotal {
    /// Of the records audited.
    pub records: u64,
    /// Those whose dedup key is that of a group.
    pub in_groups: u64,
    /// Of those in groups, copies of another, which take nothing back again.
    pub repeated: u64,
    /// Of those in groups, without a usable amount.
    pub unusable: u64,
}

/// Extra records of one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseTotal {
    /// The cause.
    pub cause: Cause,
    /// Groups with such an extra record.
    pub groups: u64,
    /// Such extra records.
    pub extra_records: u64,
    /// Such extra records by confidence, the surest first, none last.
    pub confidences: Vec<(Option<Confidence>, u64)>,
    /// Evidence for the cause, of its largest episode.
    pub evidence: Vec<String>,
    /// Evidence against it, of its largest episode.
    pub contrary: Vec<String>,
}

/// Extra records in one topic partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTotal {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Episodes whose extra records lie in it.
    pub episodes: u64,
    /// Groups with an extra record in it.
    pub groups: u64,
    /// Extra records in it.
    pub extra_records: u64,
    /// What is at risk in it, by currency, sorted.
    pub amounts: Vec<AmountAtRisk>,
}

/// Extra records of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTotal {
    /// The subject.
    pub subject: String,
    /// Groups with such an extra record.
    pub groups: u64,
    /// Such extra records.
    pub extra_records: u64,
    /// What is at risk of them, by currency, sorted.
    pub amounts: Vec<AmountAtRisk>,
}

/// Extra records of one cause that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Number, from 1, in the order of time.
    pub id: u64,
    /// Their cause.
    pub cause: Cause,
    /// Topic of the extra records, where known.
    pub topic: Option<String>,
    /// Partition of the extra records, where known.
    pub partition: Option<i32>,
    /// Groups with an extra record of the episode.
    pub groups: u64,
    /// Extra records.
    pub extra_records: u64,
    /// First timestamp of an extra record, milliseconds since the epoch.
    pub first_timestamp_millis: Option<i64>,
    /// Last timestamp of an extra record, milliseconds since the epoch.
    pub last_timestamp_millis: Option<i64>,
    /// Topic that the offsets of the originals count in, where known.
    pub original_topic: Option<String>,
    /// Partition that the offsets of the originals count in, where known.
    pub original_partition: Option<i32>,
    /// From the first original to behind the last one.
    pub original_offsets: Option<Range<i64>>,
    /// From the first extra record to behind the last one.
    pub extra_offsets: Option<Range<i64>>,
    /// What is at risk in it, by currency, sorted.
    pub amounts: Vec<AmountAtRisk>,
    /// Whether it may have gone on past the end of the range.
    pub is_ongoing: bool,
    /// Which original each extra record repeats, for the picture; none of small episodes where
    /// there are many.
    pub links: OffsetLinks,
}

/// First and last of something in time, milliseconds since the epoch, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpan {
    /// First.
    pub first_millis: i64,
    /// Last.
    pub last_millis: i64,
}

impl TimeSpan {
    /// Returns the span widened to hold `millis`.
    pub fn including(span: Option<Self>, millis: i64) -> Self {
        match span {
            None => Self {
                first_millis: millis,
                last_millis: millis,
            },
            Some(span) => Self {
                first_millis: span.first_millis.min(millis),
                last_millis: span.last_millis.max(millis),
            },
        }
    }
}

/// What an audit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSummary {
    /// The answer in one word.
    pub verdict: Verdict,
    /// Whether coverage is complete and nothing needed was undecodable.
    pub complete: bool,
    /// Why coverage is not complete, one sentence each, for people.
    pub incomplete_reasons: Vec<String>,
    /// Data records delivered.
    pub records_read: u64,
    /// Records that took part in the comparison.
    pub records_audited: u64,
    /// Records that did not, by reason.
    pub skipped: SkippedRecords,
    /// Distinct dedup keys among the records audited.
    pub distinct_keys: u64,
    /// Groups of two or more.
    pub groups: u64,
    /// Sum over groups of occurrences less one.
    pub extra_records: u64,
    /// Groups whose values are not byte-identical.
    pub conflicting_groups: u64,
    /// Groups of which a value could not be read again, and no two are known to differ.
    pub uncompared_groups: u64,
    /// Occurrences of the largest group; 0 without groups.
    pub largest_group: u64,
    /// Distinct subjects of extra records that are no copies by design.
    pub subjects: u64,
    /// Those with most at risk, the most first.
    pub top_subjects: Vec<SubjectTotal>,
    /// What is at risk, sorted by currency, unknown last.
    pub amounts: Vec<AmountTotal>,
    /// Extra records whose amount is missing or no number.
    pub amounts_unusable: u64,
    /// Reversals; nothing without `--reversal`.
    pub reversals: Option<ReversalTotal>,
    /// Extra records by cause, most first.
    pub causes: Vec<CauseTotal>,
    /// Extra records by topic partition, sorted.
    pub partitions: Vec<PartitionTotal>,
    /// Timestamps of the records audited.
    pub audited_span: Option<TimeSpan>,
    /// Who set these timestamps; several where records differ.
    pub timestamp_types: BTreeSet<TimestampType>,
    /// Timestamps of the extra records.
    pub extra_span: Option<TimeSpan>,
    /// Extra records by minute, or by longer steps where there are too many minutes.
    pub timeline: Timeline,
    /// What is new and what was known; nothing where nothing is asked that could have known.
    pub standing: Option<StandingTotal>,
    /// What the thresholds of `--fail-at` came to; nothing without one.
    pub thresholds: Option<Vec<ThresholdTotal>>,
    /// Extra records over time by their cause, for a picture.
    pub causes_over_time: OverTime<Cause>,
    /// Extra records over time by their partition, for a picture; those with most alone.
    pub partitions_over_time: OverTime<TopicPartition>,
    /// Warnings for people, such as an option that matched nothing.
    pub warnings: Vec<String>,
}
