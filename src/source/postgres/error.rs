//! Why a database cannot be audited, told apart by what the user can do about it.

use postgres::Error;
use postgres::error::SqlState;
use thiserror::Error as ThisError;

use crate::source::ReadError;

/// Why a database cannot be audited.
#[derive(Debug, ThisError)]
pub enum PostgresError {
    /// What was named does not exist, or does not fit.
    #[error("{0}")]
    Configuration(String),
    /// The server cannot be reached, refuses, or gave up.
    #[error("{0}")]
    Server(String),
}

impl PostgresError {
    /// Returns whether the command line or configuration is at fault, not the server.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Configuration(_))
    }

    /// Returns the error of something that was being done.
    pub(super) fn of(doing: &str, error: &Error) -> Self {
        let text = format!("{doing}: {}", words(error));
        let Some(state) = error.code() else {
            return Self::Server(text);
        };
        let is_named = [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::UNDEFINED_OBJECT,
            SqlState::INVALID_CATALOG_NAME,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::INVALID_NAME,
            SqlState::SYNTAX_ERROR,
            SqlState::DATATYPE_MISMATCH,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ];
        if is_named.contains(state) {
            Self::Configuration(text)
        } else {
            Self::Server(text)
        }
    }
}

/// Returns an error in the server's words, or else the reason that lies deepest.
fn words(error: &Error) -> String {
    if let Some(of_server) = error.as_db_error() {
        let detail = of_server.detail().map(|detail| format!(" ({detail})"));
        let (message, state) = (of_server.message(), of_server.code().code());
        return format!("{message}{} [{state}]", detail.unwrap_or_default());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

/// Returns the error that lies in one of input and output.
pub(super) fn of_io(doing: &str, error: &std::io::Error) -> PostgresError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(inner) => PostgresError::of(doing, inner),
        None => PostgresError::Server(format!("{doing}: {error}")),
    }
}

impl From<PostgresError> for ReadError {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Configuration(text) | PostgresError::Server(text) => Self::Cluster(text),
        }
    }
}
