//! Why topics cannot be audited, told apart by what the user can do about it.

use thiserror::Error;

use crate::source::ReadError;

/// Why topics cannot be audited.
#[derive(Debug, Error)]
pub enum KafkaError {
    /// A topic or partition that was named does not exist, or no topic matches.
    #[error("{0}")]
    NotFound(String),
    /// The configuration or the range is wrong.
    #[error("{0}")]
    Configuration(String),
    /// The cluster cannot be reached, or refuses.
    #[error("{0}")]
    Cluster(String),
    /// A fault of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl KafkaError {
    /// Returns whether the command line or configuration is at fault, not the cluster.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::Configuration(_))
    }
}

impl From<KafkaError> for ReadError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::Internal(what) => Self::Internal(what),
            KafkaError::NotFound(what)
            | KafkaError::Configuration(what)
            | KafkaError::Cluster(what) => Self::Cluster(what),
        }
    }
}
