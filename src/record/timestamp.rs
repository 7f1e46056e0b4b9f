//! A record's timestamp, always with who set it.

use serde::{Deserialize, Serialize};

/// Who set a record's timestamp.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum TimestampType {
    /// The source does not say, or the record has no timestamp.
    #[default]
    Unrecorded,
    /// The producer, when it made the record.
    CreateTime,
    /// The broker, when it appended the record.
    LogAppendTime,
    /// The database, when it stored the record.
    Database,
}

impl TimestampType {
    /// Returns Kafka's name for the type, or nothing where it is unrecorded.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Unrecorded => None,
            Self::CreateTime => Some("CreateTime"),
            Self::LogAppendTime => Some("LogAppendTime"),
            Self::Database => Some("database"),
        }
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, with who set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    /// Milliseconds since the epoch, UTC.
    pub millis: i64,
    /// Who set it.
    pub timestamp_type: TimestampType,
}
