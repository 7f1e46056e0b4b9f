//! Why a database cannot be audited, told apart by what the user can do about it.

use postgres::Error;
use postgres::error::SqlState;
use rustls::CertificateError;
use thiserror::Error as ThisError;

use crate::source::ReadError;

/// What others bring about while a statement runs.
const ENDS: [SqlState; 3] = [
    SqlState::QUERY_CANCELED,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
];

/// Why a database cannot be audited.
#[derive(Debug, ThisError)]
pub enum PostgresError {
    /// What was named does not exist, or does not fit.
    #[error("{0}")]
    Configuration(String),
    /// The server cannot be reached, refuses, or gave up.
    #[error("{0}")]
    Server(String),
    /// The server ended what it was doing.
    #[error("{0}")]
    Ended(String),
    /// The server does not show who it is, as it was asked to.
    #[error("{0}")]
    Certificate(String),
}

impl PostgresError {
    /// Returns the error of something that was being done.
    pub(super) fn of(doing: &str, error: &Error) -> Self {
        if let Some(reason) = certificate_fault(error) {
            return Self::Certificate(format!("{doing}: {reason}"));
        }
        Self::told(doing, &words(error), error.code())
    }

    /// Returns the error of what was said, by a server where it has a state.
    fn told(doing: &str, said: &str, state: Option<&SqlState>) -> Self {
        let text = format!("{doing}: {said}");
        let Some(state) = state else {
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
        // What was being done may have any name.
        if *state == SqlState::QUERY_CANCELED && said.contains("timeout") {
            Self::Ended(format!("{text}; --statement-timeout gives it longer"))
        } else if ENDS.contains(state) {
            Self::Ended(text)
        } else if is_named.contains(state) {
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

/// Returns what is wrong with the server's certificate, if that is what went wrong.
fn certificate_fault(error: &Error) -> Option<String> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let wrapped = inner.downcast_ref::<std::io::Error>();
        let wrapped = wrapped.and_then(std::io::Error::get_ref);
        let tls = inner.downcast_ref::<rustls::Error>();
        let tls = tls.or_else(|| wrapped?.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(fault)) = tls {
            return Some(fault_words(fault));
        }
        cause = inner.source();
    }
    None
}

fn fault_words(fault: &CertificateError) -> String {
    use CertificateError as Fault;
    if matches!(
        fault,
        Fault::UnknownIssuer | Fault::BadSignature | Fault::Other(_)
    ) {
        "the server's certificate is signed by no authority that is trusted".to_owned()
    } else if matches!(
        fault,
        Fault::NotValidForName | Fault::NotValidForNameContext { .. }
    ) {
        format!("the server's certificate is for another host: {fault}")
    } else {
        format!("the server's certificate: {fault}")
    }
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
            PostgresError::Configuration(text)
            | PostgresError::Server(text)
            | PostgresError::Ended(text)
            | PostgresError::Certificate(text) => Self::Cluster(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_says_that_it_was_a_timeout() {
        let told = |doing: &str, said: &str| {
            PostgresError::told(doing, said, Some(&SqlState::QUERY_CANCELED)).to_string()
        };
        let by_user = "canceling statement due to user request [57014]";
        let of_user = told("read public.timeouts", by_user);
        assert_eq!(of_user, format!("read public.timeouts: {by_user}"));
        let by_timeout = "canceling statement due to statement timeout [57014]";
        let hint = "; --statement-timeout gives it longer";
        let of_timeout = told("read charges", by_timeout);
        assert_eq!(of_timeout, format!("read charges: {by_timeout}{hint}"));
    }
}
