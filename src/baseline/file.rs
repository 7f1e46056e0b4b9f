//! The baseline as a file: TOML with a line for each group, sorted, so that a diff can be read.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Deserialize;
use thiserror::Error;
use toml::value::Datetime;

use crate::baseline::{Accepted, Baseline};

const VERSION: u64 = 1;

const HEAD: &str = "\
# Duplicates that are accepted: `dupaudit scan --baseline` counts them as known.
# `dupaudit baseline` writes this file and keeps its lines, but no comments of others.
";

/// Why a file is no baseline.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BaselineError {
    /// It is no such TOML.
    #[error("line {line}: {problem}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A later version of this program wrote it.
    #[error("it is of version {0}; this version of dupaudit reads version {VERSION}")]
    Newer(u64),
    /// A group's line says something that cannot be.
    #[error("`{id}`: {problem}")]
    Group {
        /// The line's id.
        id: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    /// Looked at before.
    #[serde(rename = "version")]
    _version: u64,
    by: Vec<String>,
    #[serde(default)]
    accepted: BTreeMap<String, GroupText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    extra: u64,
    accepted: Datetime,
    expires: Option<Datetime>,
    reason: String,
}

/// Looked at first, so that what a later version wrote is not called wrong.
#[derive(Deserialize)]
struct VersionText {
    version: Option<u64>,
}

impl Baseline {
    /// Reads a baseline.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let of: VersionText = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        if let Some(version) = of.version.filter(|version| *version > VERSION) {
            return Err(BaselineError::Newer(version));
        }
        let file: FileText = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        let mut accepted = BTreeMap::new();
        for (id, group) in file.accepted {
            let of = group_of(&id, group).map_err(|problem| BaselineError::Group {
                id: id.clone(),
                problem,
            })?;
            accepted.insert(id, of);
        }
        Ok(Self {
            by: file.by,
            accepted,
        })
    }

    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let by: Vec<String> = self.by.iter().map(|field| quoted(field)).collect();
        let mut text = format!(
            "{HEAD}version = {VERSION}\nby = [{}]\n\n[accepted]\n",
            by.join(", ")
        );
        for (id, accepted) in &self.accepted {
            let expires = accepted.expires_at_millis.map(time_text);
            let expires = expires.map_or_else(String::new, |at| format!("expires = {at}, "));
            let _ = writeln!(
                text,
                "{id} = {{ extra = {}, accepted = {}, {expires}reason = {} }}",
                accepted.extra_records,
                time_text(accepted.accepted_at_millis),
                quoted(&accepted.reason)
            );
        }
        text
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> BaselineError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    BaselineError::Syntax {
        line: before.matches('\n').count() + 1,
        problem: error.message().to_owned(),
    }
}

fn group_of(id: &str, group: GroupText) -> Result<Accepted, String> {
    if !is_group_id(id) {
        return Err("this is no id of a group, such as g_7c1e5b09… of 32 digits".to_owned());
    }
    if group.extra == 0 {
        return Err("`extra` must be 1 or more".to_owned());
    }
    if group.reason.trim().is_empty() {
        return Err("`reason` says nothing".to_owned());
    }
    let expires = group.expires.map(|expires| millis(&expires)).transpose()?;
    Ok(Accepted {
        extra_records: group.extra,
        accepted_at_millis: millis(&group.accepted)?,
        expires_at_millis: expires,
        reason: group.reason,
    })
}

/// `g_`, 32 hexadecimal digits, and the number of a part where `--within` splits a key.
fn is_group_id(id: &str) -> bool {
    let Some(id) = id.strip_prefix("g_") else {
        return false;
    };
    let (hash, part) = id.split_once('-').unwrap_or((id, "2"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_number(part)
}

/// A date is its first moment in UTC.
fn millis(time: &Datetime) -> Result<i64, String> {
    let text = time.to_string();
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Ok(time.timestamp_millis());
    }
    let date = text.parse::<NaiveDate>().ok();
    let midnight = date.and_then(|date| date.and_hms_opt(0, 0, 0));
    let midnight = midnight.ok_or_else(|| {
        format!("`{text}` is neither a date nor a time with a zone, such as 2026-04-15T00:00:00Z")
    })?;
    Ok(midnight.and_utc().timestamp_millis())
}

fn time_text(millis: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Strings of JSON are strings of TOML but for one character.
fn quoted(text: &str) -> String {
    let text = serde_json::Value::from(text).to_string();
    text.replace('\x7f', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "g_000102030405060708090a0b0c0d0e0f";

    #[test]
    fn a_baseline_comes_back_as_it_was_written() {
        let accepted = |expires_at_millis, reason: &str| Accepted {
            extra_records: 2,
            accepted_at_millis: 1_768_444_200_000,
            expires_at_millis,
            reason: reason.to_owned(),
        };
        let odd = "a\"b\\c\n\u{7f}\u{1b}東京 #";
        let baseline = Baseline {
            by: vec!["value.\"a.b\"|trim".to_owned()],
            accepted: BTreeMap::from([
                (format!("{ID}-2"), accepted(None, odd)),
                (ID.to_owned(), accepted(Some(1_776_220_200_000), "refunded")),
            ]),
        };
        let text = baseline.text();
        assert_eq!(Baseline::parse(&text).unwrap(), baseline);
        let line = "g_000102030405060708090a0b0c0d0e0f = { extra = 2, accepted = \
                    2026-01-15T02:30:00Z, expires = 2026-04-15T02:30:00Z, reason = \"refunded\" }";
        assert_eq!(text.lines().nth(6), Some(line));
        assert_eq!(text.lines().count(), 8);
        assert_eq!(
            Baseline::parse(&Baseline::default().text()),
            Ok(Baseline::default())
        );
    }

    fn parsed(line: &str) -> Result<Baseline, BaselineError> {
        Baseline::parse(&format!(
            "version = 1\nby = [\"key\"]\n[accepted]\n{line}\n"
        ))
    }

    #[test]
    fn dates_are_the_first_moment_of_their_day() {
        let line = format!(
            "{ID} = {{ extra = 1, accepted = 2026-01-15, expires = 2026-01-16, reason = 'r' }}"
        );
        let baseline = parsed(&line).unwrap();
        let expires = 1_768_521_600_000;
        let accepted = &baseline.accepted[ID];
        assert_eq!(accepted.expires_at_millis, Some(expires));
        assert!(!accepted.is_expired(expires - 1) && accepted.is_expired(expires));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let id = ID;
        for (line, problem) in [
            ("x = 1".to_owned(), "line 4"),
            (format!("{id} = {{ extra = 1 }}"), "line 4: missing field"),
            (
                format!("{id} = {{ extra = -1, accepted = 2026-01-15, reason = 'r' }}"),
                "line 4",
            ),
            (
                format!("{id} = {{ extra = 0, accepted = 2026-01-15, reason = 'r' }}"),
                "`extra` must be 1 or more",
            ),
            (
                format!("{id} = {{ extra = 1, accepted = 2026-01-15, reason = ' ' }}"),
                "`reason` says nothing",
            ),
            (
                format!("{id} = {{ extra = 1, accepted = 2026-01-15T02:30:00, reason = 'r' }}"),
                "a time with a zone",
            ),
            (
                format!("{id} = {{ extra = 1, accepted = 2026-01-15, reason = 'r', why = 1 }}"),
                "unknown field `why`",
            ),
            (
                "g_12 = { extra = 1, accepted = 2026-01-15, reason = 'r' }".to_owned(),
                "`g_12`: this is no id",
            ),
        ] {
            let error = parsed(&line).unwrap_err().to_string();
            assert!(error.contains(problem), "{line}: {error}");
        }
        let newer = Baseline::parse("version = 2\nnew_things = 1").unwrap_err();
        assert_eq!(newer, BaselineError::Newer(2));
        assert!(Baseline::parse("").is_err());
        assert!(Baseline::parse("{\"schema_version\": 1}").is_err());
    }
}
