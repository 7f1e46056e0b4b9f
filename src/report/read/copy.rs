//! Reads a whole report back, group by group, and has it written again.

use std::io;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::report::read::ReportReadError;
use crate::report::read::coverage::{CoverageFields, EpisodeFields};
use crate::report::read::document::{Part, Parts, walk};
use crate::report::read::group::GroupFields;
use crate::report::read::head::{HeaderFields, SummaryFields};
use crate::report::{Redaction, ReportHead, ReportWriter};

/// Reads a report to its end and has each part written as it comes, redacted if asked for; one
/// group is held at a time.
pub fn copy_report(
    input: impl Read,
    redaction: Option<&Redaction>,
    writer: &mut dyn ReportWriter,
) -> Result<(), ReportReadError> {
    let mut copier = Copier {
        writer,
        redaction,
        header: None,
        summary: None,
        coverage: None,
        episodes: Vec::new(),
        has_begun: false,
        failure: None,
    };
    let walked = walk(input, &mut copier);
    if let Some(error) = copier.failure {
        return Err(ReportReadError::Write(error));
    }
    let groups = walked?;
    copier.begin().map_err(|reason| damaged_end(&reason))?;
    let counted = copier.summary.map_or(0, |summary| summary.groups);
    if counted != groups {
        let reason = format!("its summary counts {counted} groups, and there are {groups}");
        return Err(damaged_end(&reason));
    }
    copier.writer.end().map_err(ReportReadError::Write)
}

fn damaged_end(reason: &str) -> ReportReadError {
    ReportReadError::Damaged {
        place: "its end".to_owned(),
        reason: reason.to_owned(),
    }
}

struct Copier<'w> {
    redaction: Option<&'w Redaction>,
    writer: &'w mut dyn ReportWriter,
    header: Option<AuditHeader>,
    summary: Option<AuditSummary>,
    coverage: Option<Coverage>,
    episodes: Vec<Episode>,
    has_begun: bool,
    /// Why the report cannot be written again.
    failure: Option<io::Error>,
}

impl Copier<'_> {
    /// Hands out what comes before the groups, once.
    fn begin(&mut self) -> Result<(), String> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        let lacks = |part: &str| format!("it has no `{part}` before its groups");
        let head = ReportHead {
            header: self.header.as_ref().ok_or_else(|| lacks("header"))?,
            summary: self.summary.as_ref().ok_or_else(|| lacks("summary"))?,
            coverage: self.coverage.as_ref().ok_or_else(|| lacks("coverage"))?,
            episodes: &self.episodes,
            totals: None,
        };
        let outcome = self.writer.begin(&head);
        self.note(outcome)
    }

    fn take_header(&mut self, header: AuditHeader) {
        self.header = Some(match self.redaction {
            Some(redaction) => redaction.redact_header(header),
            None => header,
        });
    }

    fn take_summary(&mut self, summary: AuditSummary) {
        self.summary = Some(match self.redaction {
            Some(redaction) => redaction.redact_summary(summary),
            None => summary,
        });
    }

    fn note(&mut self, outcome: io::Result<()>) -> Result<(), String> {
        outcome.map_err(|error| {
            let text = error.to_string();
            self.failure = Some(error);
            text
        })
    }
}

impl Parts for Copier<'_> {
    fn take<'de, D: Deserializer<'de>>(&mut self, part: Part, from: D) -> Result<(), D::Error> {
        match part {
            Part::Header => self.take_header(HeaderFields::deserialize(from)?.into()),
            Part::Summary => self.take_summary(SummaryFields::deserialize(from)?.into()),
            Part::Coverage => self.coverage = Some(CoverageFields::deserialize(from)?.into()),
            Part::Episode => self.episodes.push(EpisodeFields::deserialize(from)?.into()),
            Part::Group => {
                let group: DuplicateGroup = GroupFields::deserialize(from)?.into();
                let group = match self.redaction {
                    Some(redaction) => redaction.redact(group),
                    None => group,
                };
                self.begin().map_err(D::Error::custom)?;
                let outcome = self.writer.group(&group);
                self.note(outcome).map_err(D::Error::custom)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::GroupStanding;
    use crate::finding::KeyText;
    use crate::finding::KnownTotal;
    use crate::finding::RedactionKind;
    use crate::finding::ReversalTotal;
    use crate::finding::ReversedAmount;
    use crate::finding::Standing;
    use crate::finding::StandingTotal;
    use crate::finding::ThresholdTotal;
    use crate::record::TimestampType;
    use crate::report::sample::{Sample, dollars, group, mixed, record, sample};
    use crate::report::{CsvReport, CsvRows, JsonReport, JsonlReport};
    use crate::report::{TerminalOptions, TerminalReport};

    type Written = Vec<u8>;

    fn written(
        sample: &Sample,
        make: impl Fn(&mut Written) -> Box<dyn ReportWriter + '_>,
    ) -> Written {
        let mut output = Vec::new();
        sample.write(&mut *make(&mut output));
        output
    }

    fn copied(
        input: &[u8],
        make: impl Fn(&mut Written) -> Box<dyn ReportWriter + '_>,
    ) -> Result<Written, ReportReadError> {
        let mut output = Vec::new();
        copy_report(input, None, &mut *make(&mut output))?;
        Ok(output)
    }

    fn json(output: &mut Written) -> Box<dyn ReportWriter + '_> {
        Box::new(JsonReport::new(output, true))
    }

    fn lines(output: &mut Written) -> Box<dyn ReportWriter + '_> {
        Box::new(JsonlReport::new(output, true))
    }

    fn csv(output: &mut Written) -> Box<dyn ReportWriter + '_> {
        Box::new(CsvReport::new(output, CsvRows::Records, false))
    }

    fn people(output: &mut Written) -> Box<dyn ReportWriter + '_> {
        Box::new(TerminalReport::new(output, TerminalOptions::default()))
    }

    /// Whatever a report may hold, and what terminals, browsers and spreadsheets obey.
    fn hostile() -> Sample {
        let mut sample = sample();
        let evil = "</script>\u{1b}[2J\u{202e}\u{9b}1m=cmd|' /C calc'!A0\n\"\\\u{2028}\0";
        sample.header.command_line.push(evil.to_owned());
        sample.header.by.push(format!("value.\"{evil}\""));
        sample.header.offset_range = Some("offset:7".to_owned());
        sample.header.reversal = Some("value.type == \"refund\"".to_owned());
        sample.header.within_millis = Some(7);
        sample.header.redaction = Some(RedactionKind::Hash(Some(u64::MAX)));
        sample.header.from_millis = Some(i64::MIN);
        let summary = &mut sample.summary;
        summary.warnings.push(evil.to_owned());
        summary.uncompared_groups = 3;
        summary.timestamp_types.insert(TimestampType::Unrecorded);
        summary.reversals = Some(ReversalTotal {
            records: 5,
            in_groups: 4,
            repeated: 2,
            unusable: 1,
        });
        summary.top_subjects[0].subject = evil.to_owned();
        sample.coverage.partitions[0].is_log_append_time = true;
        sample.coverage.partitions[1].notes.push(evil.to_owned());
        let mut records = vec![record(1, 5, 0), record(2, i64::MAX, i64::MAX)];
        records[1].reversal = Some(ReversedAmount {
            reversed: "1".to_owned(),
            net: "2".to_owned(),
        });
        records[0].value = Some(evil.repeat(1000));
        records[1].key = Some(evil.to_owned());
        records[1].file = Some(evil.to_owned());
        let keys = [
            KeyText::Text(evil.to_owned()),
            KeyText::Null,
            KeyText::Boolean(true),
            KeyText::Number("-9007199254740993.00000000000000000001e-400".to_owned()),
            KeyText::Json(format!(
                "{{\"a\":[{}]}}",
                serde_json::to_string(evil).unwrap()
            )),
            KeyText::Json(format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
        ];
        for key in keys {
            sample.groups.push(group(key, records.clone()));
        }
        sample.summary.standing = Some(StandingTotal {
            new_groups: 7,
            known_by: vec![KnownTotal {
                by: evil.to_owned(),
                groups: 1,
                extra_records: 2,
            }],
            new_amounts: vec![dollars("1.00")],
            ..StandingTotal::default()
        });
        sample.summary.thresholds = Some(vec![ThresholdTotal {
            threshold: evil.to_owned(),
            found: "1".to_owned(),
            is_reached: true,
        }]);
        sample.groups[4].standing = Some(GroupStanding {
            standing: Standing::Known,
            new_extra: 1,
            first_found_millis: Some(5),
            known_by: Some(evil.to_owned()),
        });
        sample.groups[2].identical = None;
        sample.groups[2].reversals = Some(4);
        sample.groups[3].differing_fields.push(evil.to_owned());
        sample.summary.groups = 8;
        sample
    }

    fn samples() -> [Sample; 4] {
        let mut bare = sample();
        let mut records = vec![record(1, 5, 0), record(2, 6, 0)];
        for record in &mut records {
            record.amount = None;
            record.currency = None;
            record.subject = None;
            record.value = None;
        }
        bare.groups = vec![group(KeyText::Null, records)];
        bare.summary.groups = 1;
        bare.header.amount_field = None;
        bare.header.subject_field = None;
        bare.header.shows_values = false;
        let mut mixed = mixed();
        mixed.summary.groups = 0;
        mixed.header.redaction = Some(RedactionKind::Mask);
        [sample(), bare, mixed, hostile()]
    }

    #[test]
    fn a_report_that_is_read_back_is_written_to_the_byte_in_every_format() {
        for sample in samples() {
            let document = written(&sample, json);
            let of_lines = written(&sample, lines);
            for input in [&document, &of_lines] {
                assert!(copied(input, json).unwrap() == document);
                assert!(copied(input, lines).unwrap() == of_lines);
                assert!(copied(input, csv).unwrap() == written(&sample, csv));
                let shown = String::from_utf8(copied(input, people).unwrap()).unwrap();
                let expected = String::from_utf8(written(&sample, people)).unwrap();
                assert_eq!(shown, expected);
            }
        }
    }

    #[test]
    fn a_report_that_is_cut_anywhere_is_damaged_and_the_place_is_said() {
        for make in [json, lines] {
            let whole = written(&sample(), make);
            let length = whole.trim_ascii_end().len();
            for length in (0..length).step_by(7).chain([length - 1]) {
                let error = copied(&whole[..length], csv).unwrap_err();
                assert!(
                    matches!(
                        error,
                        ReportReadError::Damaged { .. } | ReportReadError::NoReport(_)
                    ),
                    "{length}: {error}"
                );
            }
        }
        let whole = written(&sample(), json);
        let error = copied(&whole[..whole.len() - 90], csv)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("in group 2: EOF") && error.contains("line "),
            "{error}"
        );
    }

    #[test]
    fn what_does_not_add_up_or_is_not_known_is_refused() {
        let whole = String::from_utf8(written(&sample(), json)).unwrap();
        let error = |from: &str, to: &str| {
            assert!(whole.contains(from), "{from}");
            let changed = whole.replacen(from, to, 1);
            copied(changed.as_bytes(), csv).unwrap_err().to_string()
        };
        for (from, to, reason) in [
            (
                "\"groups\":2,\"extra_records\":3,\"conf",
                "\"groups\":7,\"extra_records\":3,\"conf",
                "counts 7 groups, and there are 2",
            ),
            (
                "\"schema_version\":1",
                "\"schema_version\":9",
                "schema_version 9",
            ),
            (
                "\"verdict\":\"duplicates\"",
                "\"verdict\":\"maybe\"",
                "in summary: `maybe` is no verdict",
            ),
            (
                "2026-01-15T02:41:07.218Z",
                "today",
                "`today` is no timestamp",
            ),
            ("\"count\":3", "\"count\":-3", "in group 1"),
            ("\n\"summary\":", "\n\"sum\":", "has no `summary`"),
        ] {
            let error = error(from, to);
            assert!(error.contains(reason), "{error}");
        }
        let of_lines = String::from_utf8(written(&sample(), lines)).unwrap();
        let fewer: Vec<&str> = of_lines
            .lines()
            .filter(|line| !line.contains("g_00"))
            .collect();
        let error = copied(fewer.join("\n").as_bytes(), csv)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("counts 2 groups, and there are 0"),
            "{error}"
        );
    }
}
