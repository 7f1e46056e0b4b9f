//! A key or value as recorded: unrecorded, null and bytes are three things.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Which of the two payloads of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Part {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

/// A record's key or value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The source does not say; not the same as null.
    Unrecorded,
    /// Null; a record whose value is null is a tombstone.
    Null,
    /// The bytes, possibly none.
    Bytes(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Returns the bytes, or nothing for null and unrecorded.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Null | Self::Unrecorded => None,
        }
    }
}

/// Returns the bytes as text, or as `base64:…` where they are no UTF-8.
pub fn lossless_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}
