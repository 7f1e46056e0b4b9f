//! What changed between two reports, as one JSON document, streamed.

use std::io;
use std::io::Write;

use crate::finding::DuplicateGroup;
use crate::report::diff::{Change, ChangeCounts, DiffHead, DiffWriter, StoredHead};
use crate::report::json::fields::{self, SCHEMA_VERSION};
use crate::report::json::output::JsonOutput;
use crate::report::json::summary;

/// Writes the changes as JSON.
pub struct JsonDiff<W> {
    json: JsonOutput<W>,
}

impl<W: Write> JsonDiff<W> {
    /// Returns the writer.
    pub fn new(output: W) -> Self {
        Self {
            json: JsonOutput::new(output),
        }
    }

    fn side(&mut self, name: &str, head: &StoredHead) -> io::Result<()> {
        let json = &mut self.json;
        json.name_on_line(name)?;
        json.open("{")?;
        json.timestamp("started_at", Some(head.header.started_at_millis))?;
        json.timestamp("from", head.header.from_millis)?;
        json.timestamp("to", head.header.to_millis)?;
        json.member("verdict", head.summary.verdict.code())?;
        json.member("complete", &head.summary.complete)?;
        json.member("groups", &head.summary.groups)?;
        json.member("extra_records", &head.summary.extra_records)?;
        summary::amounts(json, &head.summary)?;
        json.close("}")
    }
}

impl<W: Write> DiffWriter for JsonDiff<W> {
    fn begin(&mut self, head: &DiffHead) -> io::Result<()> {
        self.json.open("{")?;
        self.json.member("schema_version", &SCHEMA_VERSION)?;
        self.json.member("by", &head.new.header.by)?;
        self.side("old", &head.old)?;
        self.side("new", &head.new)?;
        self.json.name_on_line("notes")?;
        self.json.value(&head.notes)?;
        self.json.name_on_line("changes")?;
        self.json.open("[")
    }

    fn change(&mut self, group: &DuplicateGroup, change: Change) -> io::Result<()> {
        let json = &mut self.json;
        json.item()?;
        json.plain("\n")?;
        json.open("{")?;
        json.member("change", change.code())?;
        json.member("id", &group.id)?;
        fields::key(json, &group.key)?;
        json.member("count", &group.count)?;
        json.member("extra", &group.extra)?;
        json.member("was_extra", &change.was_extra())?;
        json.timestamp("first_timestamp", group.first_timestamp_millis)?;
        json.member("cause", group.cause.code())?;
        json.close("}")
    }

    fn end(&mut self, counts: ChangeCounts) -> io::Result<()> {
        let json = &mut self.json;
        json.close("]")?;
        json.name_on_line("counts")?;
        json.open("{")?;
        json.member("new", &counts.new)?;
        json.member("grown", &counts.grown)?;
        json.member("shrunk", &counts.shrunk)?;
        json.member("gone", &counts.gone)?;
        json.member("not_read", &counts.not_read)?;
        json.member("same", &counts.same)?;
        json.close("}")?;
        json.close("}\n")?;
        json.flush()
    }
}
