//! Reads a JSON report back, whole or one group of it, without holding all groups.

mod codes;
mod copy;
mod coverage;
mod document;
mod group;
mod groups;
mod head;
mod one_group;
mod pictures;

pub use copy::copy_report;
pub use groups::{GroupOutline, read_groups};

use std::io;
use std::io::Read;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::report::read::document::{members, walk};
use crate::report::read::one_group::{Found, capped};

/// Newest version of the fields that is understood.
const NEWEST_VERSION: u64 = 1;

/// Occurrences of a group that are read; there may be millions.
pub const RECORDS_READ: usize = 6;

/// Why a report, or a group of it, cannot be had.
#[derive(Debug, Error)]
pub enum ReportReadError {
    /// It is not such a document.
    #[error("this is no JSON report of dupaudit: {0}")]
    NoReport(String),
    /// It is damaged, or not all of it is there.
    #[error("the report is damaged or cut off, in {place}: {reason}")]
    Damaged {
        /// The part of it.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// What was read cannot be written.
    #[error(transparent)]
    Write(io::Error),
    /// A later version of this program wrote it.
    #[error(
        "the report has schema_version {0}; this version of dupaudit reads up to {NEWEST_VERSION}"
    )]
    Newer(u64),
    /// No id begins so.
    #[error("the report has no group `{id}`; groups in it: {groups}")]
    NoGroup {
        /// What was asked for.
        id: String,
        /// Groups in the report.
        groups: u64,
    },
    /// Several ids begin so.
    #[error("`{id}` is the beginning of {count} groups, such as {first} and {second}")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// How many begin so.
        count: u64,
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
}

impl ReportReadError {
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoReport(_) => "name a report that `dupaudit scan … -o report.json` wrote",
            Self::Damaged { .. } => "reports are written whole: look for another copy of it",
            Self::Newer(_) => "read it with the version that wrote it, or a later one",
            Self::NoGroup { .. } => "the ids are the `id` members of its `groups`",
            Self::Ambiguous { .. } => "write more of the id",
            Self::Write(_) => "see that there is room for what is written",
        }
    }
}

/// What is read of a report: how it was made, and one group.
#[derive(Debug)]
pub struct ReadReport {
    /// How it was made.
    pub header: ReadHeader,
    /// The group.
    pub group: ReadGroup,
}

/// How a report was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ReadHeader {
    /// The command line, secrets masked.
    pub command_line: Vec<String>,
    /// Fields of the dedup key.
    pub by: Vec<String>,
}

/// A group as the report has it.
#[derive(Debug, Deserialize)]
pub struct ReadGroup {
    /// Its id.
    pub id: String,
    /// Field paths of the dedup key with their values, as JSON.
    #[serde(deserialize_with = "members")]
    pub key: Vec<(String, Box<RawValue>)>,
    /// Occurrences.
    pub count: u64,
    /// Occurrences but the original.
    pub extra: u64,
    /// Field paths whose values differ.
    #[serde(default)]
    pub differing_fields: Vec<String>,
    /// Code of the cause of most extras.
    pub cause: String,
    /// Code of its confidence.
    pub confidence: Option<String>,
    /// Evidence for the cause.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Evidence against it.
    #[serde(default)]
    pub contrary: Vec<String>,
    /// What is at risk.
    pub amount: Option<ReadAmount>,
    /// Who is hit.
    pub subject: Option<String>,
    /// The first occurrences.
    #[serde(deserialize_with = "capped")]
    pub records: Vec<ReadRecord>,
}

/// What is at risk in a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReadAmount {
    /// Its currency.
    pub currency: Option<String>,
    /// Sum over the extras, a plain decimal.
    pub extra: String,
    /// What reversals left of it, in reports that have it.
    pub net: Option<String>,
}

/// An occurrence as the report has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ReadRecord {
    /// 1 for the original.
    pub occurrence: u64,
    /// Topic, where known.
    pub topic: Option<String>,
    /// Partition, where known.
    pub partition: Option<i32>,
    /// Offset, where known.
    pub offset: Option<i64>,
    /// RFC 3339, where known.
    pub timestamp: Option<String>,
    /// Who set the timestamp.
    pub timestamp_type: Option<String>,
    /// Code of the cause; nothing for the original.
    pub cause: Option<String>,
    /// Code of its confidence.
    pub confidence: Option<String>,
    /// The episode.
    pub episode: Option<u64>,
    /// Evidence for the cause of this extra, in reports that have it.
    pub evidence: Option<Vec<String>>,
    /// Evidence against it.
    pub contrary: Option<Vec<String>>,
    /// File that it was read from.
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: Option<u64>,
    /// Byte offset in the unpacked file.
    pub byte_offset: Option<u64>,
}

/// Returns the group whose id is `id`, or the only one whose id begins so.
pub fn read_group(input: impl Read, id: &str) -> Result<ReadReport, ReportReadError> {
    let mut found = Found::new(id);
    let groups = walk(input, &mut found)?;
    let header = found.header;
    let group = match (found.group, found.other) {
        (Some(group), None) => group,
        (Some(group), Some(_)) if found.is_exact => group,
        (Some(group), Some(second)) => {
            return Err(ReportReadError::Ambiguous {
                id: id.to_owned(),
                count: found.matching,
                first: group.id,
                second,
            });
        }
        (None, _) => {
            return Err(ReportReadError::NoGroup {
                id: id.to_owned(),
                groups,
            });
        }
    };
    Ok(ReadReport { header, group })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::KeyText;
    use crate::report::JsonReport;
    use crate::report::sample::{group, record, sample};

    fn report(ids: &[&str]) -> String {
        let mut sample = sample();
        let with_id = |id: &&str| {
            let records = (1..=9).map(|number| record(number, 1, 40)).collect();
            let mut group = group(KeyText::Number("1e400".to_owned()), records);
            group.id = (*id).to_owned();
            group
        };
        sample.groups = ids.iter().map(with_id).collect();
        let mut output = Vec::new();
        sample.write(&mut JsonReport::new(&mut output, false));
        String::from_utf8(output).unwrap()
    }

    fn error(text: &str, id: &str) -> String {
        read_group(text.as_bytes(), id).unwrap_err().to_string()
    }

    #[test]
    fn a_group_comes_back_as_it_was_written_but_for_its_many_records() {
        let read = read_group(report(&["g_12", "g_34"]).as_bytes(), "g_3").unwrap();
        assert_eq!(read.header.command_line, ["dupaudit", "scan"]);
        assert_eq!(read.group.id, "g_34");
        assert_eq!(read.group.key[0].1.get(), "1e400");
        assert_eq!(read.group.records.len(), RECORDS_READ);
        assert_eq!(read.group.records[5].occurrence, 6);
        assert!(read.group.count >= 9);
    }

    #[test]
    fn an_id_may_be_cut_where_only_one_group_begins_so() {
        let text = report(&["g_11-2", "g_11", "g_2"]);
        let id = |asked| read_group(text.as_bytes(), asked).unwrap().group.id;
        assert_eq!(id("g_11"), "g_11");
        assert_eq!(id("g_11-"), "g_11-2");
        assert_eq!(id("g_2"), "g_2");
        assert_eq!(
            error(&text, "g_1"),
            "`g_1` is the beginning of 2 groups, such as g_11-2 and g_11"
        );
        assert_eq!(
            error(&text, "g_9"),
            "the report has no group `g_9`; groups in it: 3"
        );
    }

    #[test]
    fn a_newer_report_is_refused_whatever_it_holds() {
        let newer = r#"{"schema_version": 2, "header": 7, "#;
        assert!(error(newer, "g_1").contains("schema_version 2"));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for (text, reason) in [
            ("", "EOF"),
            ("[1]", "schema_version"),
            ("{}", "it has no `schema_version`"),
            (r#"{"schema_version":1}"#, "it has no `header`"),
            (r#"{"type":"header","by":[]}"#, "no `schema_version`"),
            ("id,amount\n1,2\n", "expected value"),
        ] {
            let error = error(text, "g_1");
            assert!(error.contains(reason), "{text}: {error}");
        }
        let whole = report(&["g_1"]);
        for length in 0..whole.trim_end().len() {
            assert!(read_group(whole.as_bytes().get(..length).unwrap(), "g_1").is_err());
        }
    }
}
