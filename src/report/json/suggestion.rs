//! What a sample says about dedup keys, for programs.

use std::io;
use std::io::Write;

use crate::finding::suggestion::{FieldFinding, KeyCandidate, Suggestion};
use crate::report::json::output::JsonOutput;

/// Writes a suggestion, with the scan to run next, as one JSON document.
pub fn suggestion_json(
    suggestion: &Suggestion,
    next: &[String],
    output: &mut impl Write,
) -> io::Result<()> {
    let mut json = JsonOutput::new(output);
    json.open("{")?;
    json.member("records", &suggestion.records)?;
    json.member("undecodable", &suggestion.undecodable)?;
    json.member("sample", &suggestion.sample)?;
    json.member("complete", &suggestion.is_whole)?;
    json.name_on_line("candidates")?;
    json.open("[")?;
    for found in &suggestion.candidates {
        json.item()?;
        candidate(&mut json, found)?;
    }
    json.close("]")?;
    json.member("amount", &suggestion.amount)?;
    let unit = if suggestion.is_amount_minor {
        "minor"
    } else {
        "major"
    };
    json.member("amount_unit", &suggestion.amount.as_ref().map(|_| unit))?;
    json.member("currency", &suggestion.currency)?;
    json.member("subject", &suggestion.subject)?;
    json.member("timestamp", &suggestion.timestamp)?;
    json.member("warnings", &suggestion.warnings)?;
    let next = (!next.is_empty()).then(|| next.join(" "));
    json.member("next", &next)?;
    json.name_on_line("fields")?;
    json.open("[")?;
    for found in &suggestion.fields {
        json.item()?;
        json.plain("\n")?;
        field(&mut json, found)?;
    }
    json.close("]")?;
    json.plain("}\n")
}

fn candidate<W: Write>(json: &mut JsonOutput<W>, found: &KeyCandidate) -> io::Result<()> {
    json.open("{")?;
    json.member("preset", &found.preset)?;
    json.member("by", &found.fields)?;
    json.member("reasons", &found.reasons)?;
    json.member("records", &found.present)?;
    let distinct = found.preset.is_none().then_some(found.distinct);
    json.member("values", &distinct)?;
    json.close("}")
}

fn field<W: Write>(json: &mut JsonOutput<W>, found: &FieldFinding) -> io::Result<()> {
    let repeats = found.repeats;
    json.open("{")?;
    json.member("field", &found.path)?;
    json.member("kind", found.kind)?;
    json.member("records", &found.present)?;
    json.member("values", &found.distinct)?;
    json.member("repeats", &repeats.records)?;
    json.member("alike", &repeats.alike)?;
    json.member("identical", &repeats.identical)?;
    json.member("close_in_time", &repeats.close)?;
    json.member("same_partition", &repeats.same_partition)?;
    json.member("adjacent", &repeats.adjacent)?;
    json.close("}")
}
