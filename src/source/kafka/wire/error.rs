//! Why talking to a broker does not work, told apart by whether trying again can help.

use thiserror::Error;

use crate::source::kafka::KafkaError;

/// Why talking to a broker does not work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum WireError {
    /// A property has a value that cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The broker, or this side, refuses: password, certificate, version. Trying again is of no
    /// use.
    #[error("{0}")]
    Refused(String),
    /// There is no connection, or no longer.
    #[error("{0}")]
    Unreachable(String),
    /// No answer within the time allowed.
    #[error("{0}")]
    TimedOut(String),
    /// What came is no answer.
    #[error("{0}")]
    Protocol(String),
}

impl WireError {
    /// Returns whether trying again cannot help.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Setting(_) | Self::Refused(_))
    }
}

impl From<WireError> for KafkaError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Setting(text) => Self::Configuration(text),
            WireError::Refused(text)
            | WireError::Unreachable(text)
            | WireError::TimedOut(text)
            | WireError::Protocol(text) => Self::Cluster(text),
        }
    }
}
