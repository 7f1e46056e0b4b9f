//! How dedup keys and subjects are hidden, with a key of its own or one from a file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::command::{CommandError, RedactionRequest};
use crate::report::Redaction;

/// Fewer bytes could be guessed.
const KEY_BYTES_MIN: usize = 16;
/// More is no key.
const KEY_BYTES_MAX: u64 = 64 * 1024;

/// Returns the redaction asked for.
pub(in crate::command) fn open(
    request: Option<&RedactionRequest>,
) -> Result<Option<Redaction>, CommandError> {
    let made = |made: std::io::Result<Redaction>| {
        made.context("make a key for --redact")
            .map_err(CommandError::failed)
    };
    match request {
        None => Ok(None),
        Some(RedactionRequest::Random) => made(Redaction::random()).map(Some),
        Some(RedactionRequest::Mask) => made(Redaction::mask()).map(Some),
        Some(RedactionRequest::KeyFile(path)) => from_file(path).map(Some),
    }
}

fn from_file(path: &Path) -> Result<Redaction, CommandError> {
    let shown = path.display();
    let refused = |why: String, hint: String| {
        CommandError::configuration(anyhow!("`--redact-key {shown}`: {why}")).with_hint(hint)
    };
    let how_to_make = format!(
        "make it once, and keep it where reports do not go: \
         (umask 077; head -c 32 /dev/urandom | base64 > {shown})"
    );
    let metadata =
        fs::metadata(path).map_err(|error| refused(error.to_string(), how_to_make.clone()))?;
    if !metadata.is_file() {
        return Err(refused("it is no regular file".to_owned(), how_to_make));
    }
    if metadata.mode() & 0o077 != 0 {
        let why = "others than its owner may read it".to_owned();
        return Err(refused(why, format!("chmod 600 {shown}")));
    }
    if metadata.len() > KEY_BYTES_MAX {
        return Err(refused("it is too large for a key".to_owned(), how_to_make));
    }
    let key = fs::read(path).map_err(|error| refused(error.to_string(), how_to_make.clone()))?;
    let key = key.trim_ascii();
    if key.len() < KEY_BYTES_MIN {
        let why = format!("it holds fewer than {KEY_BYTES_MIN} bytes, which could be guessed");
        return Err(refused(why, how_to_make));
    }
    Ok(Redaction::from_secret(key))
}
