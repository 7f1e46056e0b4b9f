//! Groups of records with the same dedup key, and their occurrences.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::finding::standing::GroupStanding;
use crate::record::TimestampType;

/// Why an extra record exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// A producer sent its request again after a lost acknowledgement.
    ProducerRetry,
    /// The application sent the same thing again.
    ApplicationResend,
    /// A consumer worked through its input again and produced again.
    ConsumerReplay,
    /// A mirrored topic stands beside its source.
    MirrorCopy,
    /// A dead-letter or retry topic stands beside its source.
    DeadLetterCopy,
    /// A copy belongs to an aborted transaction.
    AbortedTransaction,
    /// The evidence does not decide, or is not there.
    Undetermined,
}

impl Cause {
    /// All causes, in the order that decides ties.
    pub const ALL: [Self; 7] = [
        Self::ProducerRetry,
        Self::ApplicationResend,
        Self::ConsumerReplay,
        Self::MirrorCopy,
        Self::DeadLetterCopy,
        Self::AbortedTransaction,
        Self::Undetermined,
    ];

    /// Returns the stable code of the cause.
    pub fn code(self) -> &'static str {
        match self {
            Self::ProducerRetry => "producer-retry",
            Self::ApplicationResend => "application-resend",
            Self::ConsumerReplay => "consumer-replay",
            Self::MirrorCopy => "mirror-copy",
            Self::DeadLetterCopy => "dead-letter-copy",
            Self::AbortedTransaction => "aborted-transaction",
            Self::Undetermined => "undetermined",
        }
    }

    /// Returns whether such an extra record is a copy by design, which costs nobody anything.
    pub fn is_copy_by_design(self) -> bool {
        matches!(
            self,
            Self::MirrorCopy | Self::DeadLetterCopy | Self::AbortedTransaction
        )
    }
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confidence {
    /// Nothing else explains the evidence.
    Certain,
    /// Little else explains the evidence.
    Strong,
    /// The evidence leans this way.
    Weak,
}

impl Confidence {
    /// All confidences, the surest first.
    pub const ALL: [Self; 3] = [Self::Certain, Self::Strong, Self::Weak];

    /// Returns the stable code of the confidence.
    pub fn code(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Strong => "strong",
            Self::Weak => "weak",
        }
    }
}

/// One field of a dedup key, normalised, as a report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyText {
    /// Null or missing, under `--missing group`.
    Null,
    /// A string; bytes that are no UTF-8 are written `base64:…`.
    Text(String),
    /// A number's canonical text.
    Number(String),
    /// True or false.
    Boolean(bool),
    /// Canonical JSON of an object or array.
    Json(String),
}

impl KeyText {
    /// Returns the text as a CSV cell or a table shows it.
    pub fn plain(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Text(text) | Self::Number(text) | Self::Json(text) => text,
            Self::Boolean(true) => "true",
            Self::Boolean(false) => "false",
        }
    }
}

/// What a person who refunds from the report should look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Nothing.
    Ok,
    /// The group's amounts or currencies differ.
    AmountDiffers,
    /// The group's subjects differ.
    SubjectDiffers,
    /// An amount is missing or no number.
    AmountMissing,
    /// A copy by design: mirror, dead letter, aborted.
    Copy,
}

impl Review {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ok,
        Self::AmountDiffers,
        Self::SubjectDiffers,
        Self::AmountMissing,
        Self::Copy,
    ];

    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::AmountDiffers => "amount-differs",
            Self::SubjectDiffers => "subject-differs",
            Self::AmountMissing => "amount-missing",
            Self::Copy => "copy",
        }
    }
}

/// What is at risk in one currency, as plain decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountAtRisk {
    /// ISO 4217 code as recorded, or nothing where unknown.
    pub currency: Option<String>,
    /// Sum over the extra records.
    pub extra: String,
    /// What reversals have taken back of it.
    pub reversed: String,
    /// What is left.
    pub net: String,
}

/// One occurrence of a group, with all that a report shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRecord {
    /// 1 for the original, then counted by time.
    pub occurrence: u64,
    /// Topic, where known.
    pub topic: Option<String>,
    /// Partition, where known.
    pub partition: Option<i32>,
    /// Offset, where known.
    pub offset: Option<i64>,
    /// Milliseconds since the epoch, where known.
    pub timestamp_millis: Option<i64>,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// Why it exists; nothing for the original.
    pub cause: Option<Cause>,
    /// How sure the cause is.
    pub confidence: Option<Confidence>,
    /// The episode it belongs to.
    pub episode: Option<u64>,
    /// What speaks for and against its cause; nothing for the original.
    pub texts: Option<Arc<EvidenceTexts>>,
    /// The record's key as text; `base64:…` where it is no UTF-8; nothing for null and unrecorded.
    pub key: Option<String>,
    /// File that it was read from.
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: Option<u64>,
    /// Byte offset in the unpacked file.
    pub byte_offset: Option<u64>,
    /// The record's own amount, a plain decimal, where asked for and usable.
    pub amount: Option<String>,
    /// What reversals have taken back of an extra record's amount, and what is left of it; nothing
    /// for originals and copies by design.
    pub reversal: Option<ReversedAmount>,
    /// The record's own currency.
    pub currency: Option<String>,
    /// The record's own subject.
    pub subject: Option<String>,
    /// The value as text, only where asked for; `base64:…` where it is no UTF-8.
    pub value: Option<String>,
}

/// What speaks for and against a cause, one sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceTexts {
    /// Evidence for the cause.
    pub evidence: Vec<String>,
    /// Evidence against it.
    pub contrary: Vec<String>,
}

/// An extra record's amount after reversals, as plain decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversedAmount {
    /// What was taken back.
    pub reversed: String,
    /// What is left.
    pub net: String,
}

/// The occurrences of one group, which may be too many for memory; can be walked several times.
pub trait OccurrenceList {
    /// Walks the occurrences in order, the original first.
    fn walk(&self) -> Box<dyn Iterator<Item = io::Result<ReportedRecord>> + '_>;
}

impl OccurrenceList for Vec<ReportedRecord> {
    fn walk(&self) -> Box<dyn Iterator<Item = io::Result<ReportedRecord>> + '_> {
        Box::new(self.iter().cloned().map(Ok))
    }
}

/// All records with the same dedup key; two or more.
pub struct DuplicateGroup {
    /// `g_` and 128 bits of the fingerprint in hex; `-2`, `-3`… where `--within` splits a key.
    pub id: String,
    /// The dedup key: field paths in the order of `--by`, with their values.
    pub key: Vec<(String, KeyText)>,
    /// Occurrences.
    pub count: u64,
    /// Occurrences but the original.
    pub extra: u64,
    /// First timestamp, where any is known.
    pub first_timestamp_millis: Option<i64>,
    /// Last timestamp, where any is known.
    pub last_timestamp_millis: Option<i64>,
    /// Whether all values are byte-identical; nothing where a value could not be read again.
    pub identical: Option<bool>,
    /// Field paths whose values differ, sorted.
    pub differing_fields: Vec<String>,
    /// Cause of most of the extra records.
    pub cause: Cause,
    /// Confidence of that cause.
    pub confidence: Option<Confidence>,
    /// Evidence for the cause.
    pub evidence: Vec<String>,
    /// Evidence against it.
    pub contrary: Vec<String>,
    /// Episode of most of the extra records.
    pub episode: Option<u64>,
    /// What is at risk; nothing without `--amount`, or where the currencies differ.
    pub amount: Option<AmountAtRisk>,
    /// Refunds, voids and reversals that belong to it; nothing without `--reversal`.
    pub reversals: Option<u64>,
    /// What to look at before a refund.
    pub review: Review,
    /// Subject of the original.
    pub subject: Option<String>,
    /// What was known of it before; nothing where nothing is asked that could have known.
    pub standing: Option<GroupStanding>,
    /// The occurrences.
    pub records: Box<dyn OccurrenceList>,
}

impl DuplicateGroup {
    /// Returns the time from the first to the last occurrence, in milliseconds.
    pub fn span_millis(&self) -> Option<i64> {
        Some(
            self.last_timestamp_millis?
                .saturating_sub(self.first_timestamp_millis?),
        )
    }
}
