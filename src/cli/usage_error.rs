//! What is wrong with the command line, and what to type instead.

/// Why a command line cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    /// What is wrong, and where.
    pub message: String,
    /// What to type instead.
    pub hint: Option<String>,
    /// A text, and the column in it, from 1, where it is wrong.
    pub place: Option<(String, usize)>,
}

impl UsageError {
    /// Returns an error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            place: None,
        }
    }

    /// Returns the error with what to type instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Returns the error with the text that it is about and the column, from 1, where it is wrong.
    #[must_use]
    pub fn place(self, text: impl Into<String>, column: usize) -> Self {
        Self {
            place: Some((text.into(), column)),
            ..self
        }
    }

    /// Returns the error with the option and the value that it is about.
    #[must_use]
    pub fn at(self, option: &str, value: &str) -> Self {
        Self {
            message: format!("`{option} {value}`: {}", self.message),
            ..self
        }
    }
}
