//! Lists the presets, or shows what one of them sets.

use anyhow::Context;

use crate::command::print;
use crate::command::reports;
use crate::command::{CommandError, Outcome, Surroundings};
use crate::preset::Preset;
use crate::report::PresetText;

/// Prints the list, or the one that is named.
pub(super) fn run(
    preset: Option<&'static Preset>,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let writer = PresetText::new(reports::width(surroundings), reports::style(surroundings));
    let mut text = Vec::new();
    let result = match preset {
        Some(preset) => writer.one(preset, &mut text),
        None => writer.list(&mut text),
    };
    result
        .context("write to standard output")
        .map_err(CommandError::failed)?;
    print::run(&text, surroundings)
}
