//! Why a text is no JSON document.

use std::fmt;

use thiserror::Error;

/// Where and why a text stops being a JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct JsonError {
    /// Byte offset in the document of the byte that is wrong, from 0.
    pub byte_offset: usize,
    /// What is wrong there.
    pub what: JsonFault,
}

/// A [`JsonError`] in one word, so that results stay in registers on the hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop(usize);

impl Stop {
    #[cold]
    pub(super) fn new(byte_offset: usize, what: JsonFault) -> Self {
        let code = FAULTS.iter().position(|&fault| fault == what);
        Self(byte_offset * FAULTS.len() + code.unwrap_or_default())
    }
}

impl From<Stop> for JsonError {
    #[cold]
    fn from(Stop(word): Stop) -> Self {
        let what = FAULTS.get(word % FAULTS.len()).copied();
        Self {
            byte_offset: word / FAULTS.len(),
            what: what.unwrap_or(JsonFault::NoValue),
        }
    }
}

/// What makes a text no JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// The document is empty or all white space.
    Empty,
    /// The document starts with a byte order mark.
    ByteOrderMark,
    /// The bytes are no UTF-8.
    InvalidUtf8,
    /// There is no value where one must be.
    NoValue,
    /// There is no member name where one must be.
    NoName,
    /// There is no member name or end where an object starts.
    NoNameOrObjectEnd,
    /// There is no colon behind a member name.
    NoColon,
    /// An object neither goes on nor ends.
    NoCommaOrObjectEnd,
    /// An array neither goes on nor ends.
    NoCommaOrArrayEnd,
    /// The document ends inside a string.
    OpenString,
    /// A string holds a control character that is not escaped.
    ControlCharacter,
    /// A string holds an escape that JSON does not know.
    InvalidEscape,
    /// A string holds half of a surrogate pair.
    LoneSurrogate,
    /// A number breaks the grammar.
    NoDigit,
    /// Text follows the document.
    TrailingText,
}

/// All faults; the place of one is its code.
const FAULTS: [JsonFault; 15] = [
    JsonFault::Empty,
    JsonFault::ByteOrderMark,
    JsonFault::InvalidUtf8,
    JsonFault::NoValue,
    JsonFault::NoName,
    JsonFault::NoNameOrObjectEnd,
    JsonFault::NoColon,
    JsonFault::NoCommaOrObjectEnd,
    JsonFault::NoCommaOrArrayEnd,
    JsonFault::OpenString,
    JsonFault::ControlCharacter,
    JsonFault::InvalidEscape,
    JsonFault::LoneSurrogate,
    JsonFault::NoDigit,
    JsonFault::TrailingText,
];

impl fmt::Display for JsonFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Empty => "expected a value, the document is empty",
            Self::ByteOrderMark => "expected a value, found a byte order mark",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::NoValue => "expected a value",
            Self::NoName => "expected a member name in quotes",
            Self::NoNameOrObjectEnd => "expected a member name in quotes or `}`",
            Self::NoColon => "expected `:`",
            Self::NoCommaOrObjectEnd => "expected `,` or `}`",
            Self::NoCommaOrArrayEnd => "expected `,` or `]`",
            Self::OpenString => "the document ends inside a string",
            Self::ControlCharacter => "control character in a string; it must be escaped",
            Self::InvalidEscape => "invalid escape in a string",
            Self::LoneSurrogate => "lone surrogate in a string",
            Self::NoDigit => "expected a digit",
            Self::TrailingText => "expected the end of the document",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_errors_come_back_whole() {
        for what in FAULTS {
            for byte_offset in [0, 1, 17, usize::MAX / 32] {
                let error = JsonError { byte_offset, what };
                assert_eq!(JsonError::from(Stop::new(byte_offset, what)), error);
            }
        }
    }
}
