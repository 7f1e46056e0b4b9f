//! Looks at a sample of the records, and says which fields look like identities.

use anyhow::Context;

use crate::audit;
use crate::audit::AuditProgress;
use crate::command::print;
use crate::command::progress;
use crate::command::reports;
use crate::command::scan;
use crate::command::schemas;
use crate::command::sources;
use crate::command::{CommandError, Outcome, ScanCommand, Surroundings};
use crate::finding::shell_word;
use crate::finding::suggestion::Suggestion;
use crate::report::{SuggestionText, suggestion_json};

/// A look at records as asked for.
#[derive(Debug)]
pub struct SuggestCommand {
    /// The sources, and what of them is looked at.
    pub scan: ScanCommand,
    /// Most records; none for all.
    pub sample: Option<u64>,
    /// Whether the findings are written as JSON.
    pub is_json: bool,
    /// The words of a scan of the same sources, secrets masked.
    pub scan_words: Vec<String>,
}

/// Reads the sample and prints what it says.
pub fn run(
    command: &SuggestCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let plan = schemas::plan(&command.scan, surroundings)?;
    let sources = sources::open(&command.scan, (&plan, None), surroundings)?;
    let audit_progress = AuditProgress::default();
    let shows_progress = surroundings.is_stderr_terminal && !command.scan.report.is_quiet;
    let watched = (&audit_progress, &surroundings.stop);
    let surveyed = progress::with_progress_line(shows_progress, &sources, &audit_progress, || {
        audit::survey(&plan, &sources, command.sample, watched)
    });
    let suggestion = surveyed.map_err(scan::audit_failure)?;
    let next = scan_command(command, &suggestion);
    let mut text = Vec::new();
    let written = if command.is_json {
        suggestion_json(&suggestion, &next, &mut text)
    } else {
        let width = reports::width(surroundings);
        let writer = SuggestionText::new(width, reports::style(surroundings));
        writer.write(&suggestion, &next, &mut text)
    };
    written
        .context("write to standard output")
        .map_err(CommandError::failed)?;
    print::run(&text, surroundings)
}

/// Returns a word as it has to be typed: quoted only where the shell would take it apart.
fn typed_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    shell_word(word)
}

/// Returns the words of the scan to run next, with what was found; none where no dedup key was.
fn scan_command(command: &SuggestCommand, suggestion: &Suggestion) -> Vec<String> {
    let Some(best) = suggestion.candidates.first() else {
        return Vec::new();
    };
    let typed = command.scan_words.iter();
    let mut words: Vec<String> = typed.map(|word| typed_word(word)).collect();
    let mut add = |option: &str, value: &str| {
        words.push(option.to_owned());
        words.push(typed_word(value));
    };
    match best.preset {
        Some(preset) => add("--preset", preset),
        None => add("--by", &best.fields.join(",")),
    }
    let maps_time = command.scan.plan.mapping.timestamp.is_some();
    if let Some(field) = suggestion.timestamp.as_ref().filter(|_| !maps_time) {
        add("--map", &format!("timestamp={field}"));
    }
    let named = [
        ("--amount", &suggestion.amount),
        ("--currency", &suggestion.currency),
        ("--subject", &suggestion.subject),
    ];
    for (option, field) in named {
        if let Some(field) = field {
            add(option, field);
        }
    }
    if suggestion.is_amount_minor {
        add("--amount-unit", "minor");
    }
    words
}
