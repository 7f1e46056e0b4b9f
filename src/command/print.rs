//! Prints a ready text, such as a completion script or the manual page.

use std::io::ErrorKind;

use anyhow::Context;

use crate::command::{CommandError, Outcome, Surroundings};

/// Writes the text to standard output; whoever stops reading it has seen enough.
pub fn run(text: &[u8], surroundings: &mut Surroundings<'_>) -> Result<Outcome, CommandError> {
    match surroundings.stdout.write_all(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error)
            .context("write to standard output")
            .map_err(CommandError::failed),
        _ => Ok(Outcome::Done),
    }
}
