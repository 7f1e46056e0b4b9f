//! The JSON Lines report: the JSON report's objects, one a line, each with its `type`.

use std::io;
use std::io::Write;

use crate::finding::DuplicateGroup;
use crate::report::ReportHead;
use crate::report::ReportWriter;
use crate::report::json::fields;
use crate::report::json::fields::SCHEMA_VERSION;
use crate::report::json::fields::ShownFields;
use crate::report::json::output::JsonOutput;
use crate::report::json::summary;

/// Writes the JSON Lines report; the last line, `end`, tells a whole report from a cut one.
pub struct JsonlReport<W> {
    json: JsonOutput<W>,
    shown: ShownFields,
    groups: u64,
}

impl<W: Write> JsonlReport<W> {
    /// Returns the writer; the values of records are written only with `show_values`.
    pub fn new(output: W, show_values: bool) -> Self {
        Self {
            json: JsonOutput::new(output),
            shown: ShownFields::new(show_values),
            groups: 0,
        }
    }

    fn line(
        &mut self,
        kind: &str,
        members: impl FnOnce(&mut JsonOutput<W>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.json.open("{")?;
        self.json.member("type", kind)?;
        members(&mut self.json)?;
        self.json.close("}\n")
    }
}

impl<W: Write> ReportWriter for JsonlReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        self.shown.take_header(report.header);
        self.line("header", |json| {
            json.member("schema_version", &SCHEMA_VERSION)?;
            fields::header(json, report.header)
        })?;
        self.line("summary", |json| summary::summary(json, report.summary))?;
        self.line("coverage", |json| fields::coverage(json, report.coverage))?;
        for episode in report.episodes {
            self.line("episode", |json| fields::episode(json, episode))?;
        }
        Ok(())
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.groups += 1;
        let shown = self.shown;
        self.line("group", |json| fields::group(json, group, shown))
    }

    fn end(&mut self) -> io::Result<()> {
        let groups = self.groups;
        self.line("end", |json| json.member("groups", &groups))?;
        self.json.flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::JsonReport;
    use crate::report::sample::sample;

    #[test]
    fn the_lines_are_the_objects_of_the_document() {
        let sample = sample();
        let mut output = Vec::new();
        sample.write(&mut JsonlReport::new(&mut output, false));
        let mut document = Vec::new();
        sample.write(&mut JsonReport::new(&mut document, false));
        let document: Value = serde_json::from_slice(&document).unwrap();
        let text = String::from_utf8(output).unwrap();
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let kinds: Vec<Value> = lines
            .iter_mut()
            .map(|line| line.as_object_mut().unwrap().remove("type").unwrap())
            .collect();
        let expected = [
            "header", "summary", "coverage", "episode", "episode", "episode", "group", "group",
            "end",
        ];
        assert_eq!(kinds, expected);
        let version = lines[0].as_object_mut().unwrap().remove("schema_version");
        assert_eq!(version, Some(Value::from(1)));
        assert_eq!(lines[0], document["header"]);
        assert_eq!(lines[1], document["summary"]);
        assert_eq!(lines[2], document["coverage"]);
        assert_eq!(lines[3..6], document["episodes"].as_array().unwrap()[..]);
        assert_eq!(lines[6..8], document["groups"].as_array().unwrap()[..]);
        assert_eq!(lines[8], serde_json::json!({"groups": 2}));
        assert!(text.starts_with("{\"type\":\"header\",\"schema_version\":1,"));
    }
}
