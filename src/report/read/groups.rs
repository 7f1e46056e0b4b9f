//! Walks all groups of a JSON report, one after the other, and keeps none.

use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::report::read::document::{Part, Parts, members, walk};
use crate::report::read::{ReadHeader, ReportReadError};

/// What is read of each group.
#[derive(Debug, Deserialize)]
pub struct GroupOutline {
    /// Its id.
    pub id: String,
    /// Field paths of the dedup key with their values, as JSON.
    #[serde(deserialize_with = "members")]
    pub key: Vec<(String, Box<RawValue>)>,
    /// Occurrences but the original.
    pub extra: u64,
}

impl GroupOutline {
    /// Returns whether the dedup key, and with it the id, is hidden by `--redact hash`.
    pub fn is_redacted(&self) -> bool {
        let mut values = self.key.iter().map(|(_, value)| value.get());
        let is_hash = |value: &str| {
            let hash = value
                .strip_prefix("\"h_")
                .and_then(|of| of.strip_suffix('"'));
            hash.is_some_and(|hash| {
                hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
        };
        let is_hidden = |value: &str| value == "null" || is_hash(value);
        values.clone().any(is_hash) && values.all(is_hidden)
    }
}

/// Hands every group to `take`; returns how the report was made.
pub fn read_groups(
    input: impl Read,
    take: &mut dyn FnMut(GroupOutline),
) -> Result<ReadHeader, ReportReadError> {
    let mut outlines = Outlines {
        header: ReadHeader::default(),
        take,
    };
    walk(input, &mut outlines)?;
    Ok(outlines.header)
}

struct Outlines<'a> {
    header: ReadHeader,
    take: &'a mut dyn FnMut(GroupOutline),
}

impl Parts for Outlines<'_> {
    fn take<'de, D: Deserializer<'de>>(&mut self, part: Part, from: D) -> Result<(), D::Error> {
        match part {
            Part::Header => self.header = ReadHeader::deserialize(from)?,
            Part::Group => (self.take)(GroupOutline::deserialize(from)?),
            Part::Summary | Part::Coverage | Part::Episode => {
                IgnoredAny::deserialize(from)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::JsonReport;
    use crate::report::redact::Redaction;
    use crate::report::sample::{Sample, sample};

    fn written(sample: &Sample) -> String {
        let mut output = Vec::new();
        sample.write(&mut JsonReport::new(&mut output, false));
        String::from_utf8(output).unwrap()
    }

    fn read(text: &str) -> Result<Vec<GroupOutline>, ReportReadError> {
        let mut groups = Vec::new();
        read_groups(text.as_bytes(), &mut |group| groups.push(group)).map(|_| groups)
    }

    #[test]
    fn every_group_is_handed_over_with_what_is_hidden_of_it() {
        let mut sample = sample();
        let plain = read(&written(&sample)).unwrap();
        let extras: Vec<u64> = plain.iter().map(|group| group.extra).collect();
        assert_eq!(extras, [2, 1]);
        assert!(plain.iter().all(|group| !group.is_redacted()));
        let redaction = Redaction::with_key(&[7; 16]);
        sample.groups = sample
            .groups
            .into_iter()
            .map(|group| redaction.redact(group))
            .collect();
        let redacted = read(&written(&sample)).unwrap();
        assert!(redacted.iter().all(GroupOutline::is_redacted));
    }

    #[test]
    fn what_is_cut_or_no_report_is_refused() {
        let whole = written(&sample());
        for length in 0..whole.trim_end().len() {
            assert!(read(whole.get(..length).unwrap()).is_err(), "{length}");
        }
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error("{}").contains("schema_version"));
        assert!(error(r#"{"schema_version": 2, "groups": 7"#).contains("up to 1"));
    }
}
