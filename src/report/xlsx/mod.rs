//! The report as a workbook for people: sheets with typed columns, ids as text, written row by row.

mod sheet;

use std::io;
use std::io::{Seek, Write};

use rust_xlsxwriter::Workbook;

use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::KeyText;
use crate::finding::ReportedRecord;
use crate::report::csv::{
    amount_at_risk, boolean, extra_amount, record_review, role, without_normalizers,
};
use crate::report::xlsx::sheet::{Formats, Row, failed};
use crate::report::{CsvRows, ReportHead, ReportWriter};

/// Rows below the headings of a sheet.
pub const XLSX_ROWS_MAX: u32 = 1_048_575;

const SUMMARY: usize = 0;
const ROWS: usize = 1;
const EPISODES: usize = 2;
const COVERAGE: usize = 3;

/// Writes the workbook.
pub struct XlsxReport<W> {
    output: W,
    rows: CsvRows,
    workbook: Workbook,
    formats: Formats,
    rows_max: u32,
    /// Rows of groups or records written.
    written: u32,
    left_out: u64,
    summary_rows: u32,
    columns: u16,
}

impl<W: Write> XlsxReport<W> {
    /// Returns the writer; `rows` says what a row of the second sheet is.
    pub fn new(output: W, rows: CsvRows) -> Self {
        Self {
            output,
            rows,
            workbook: Workbook::new(),
            formats: Formats::new(),
            rows_max: XLSX_ROWS_MAX,
            written: 0,
            left_out: 0,
            summary_rows: 0,
            columns: 0,
        }
    }

    fn add_sheets(&mut self) -> io::Result<()> {
        let rows = match self.rows {
            CsvRows::Records => "Records",
            CsvRows::Groups | CsvRows::Episodes => "Groups",
        };
        for name in ["Summary", rows, "Episodes", "Coverage"] {
            let sheet = self.workbook.add_worksheet_with_constant_memory();
            sheet
                .and_then(|sheet| sheet.set_name(name).map(drop))
                .map_err(failed)?;
        }
        Ok(())
    }

    fn row(&mut self, sheet: usize, row: u32) -> io::Result<Row<'_>> {
        Row::new(&mut self.workbook, sheet, &self.formats, row)
    }

    fn headings(&mut self, sheet: usize, names: &[&str]) -> io::Result<()> {
        let mut row = self.row(sheet, 0)?;
        for name in names {
            row.heading(name)?;
        }
        Ok(())
    }

    /// Freezes the headings, and lets people filter by each column.
    fn finish(&mut self, index: usize, rows: u32, columns: u16) -> io::Result<()> {
        let sheet = self.workbook.worksheet_from_index(index).map_err(failed)?;
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        for column in 0..columns {
            sheet.set_column_width(column, 20).map_err(failed)?;
        }
        let last = columns.saturating_sub(1);
        sheet.autofilter(0, 0, rows, last).map(drop).map_err(failed)
    }

    fn summary_row(&mut self, name: &str) -> io::Result<Row<'_>> {
        let at = self.summary_rows;
        self.summary_rows += 1;
        let mut row = self.row(SUMMARY, at)?;
        row.heading(name)?;
        Ok(row)
    }

    fn say(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.summary_row(name)?.text(text)
    }

    fn summary(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        let summary = report.summary;
        self.say("verdict", summary.verdict.code())?;
        let coverage = if summary.complete {
            "complete"
        } else {
            "incomplete"
        };
        self.say("coverage", coverage)?;
        self.say("dedup key", &report.header.by.join(", "))?;
        for (name, count) in [
            ("records read", summary.records_read),
            ("records audited", summary.records_audited),
            ("groups", summary.groups),
            ("extra records", summary.extra_records),
            ("groups that are not identical", summary.conflicting_groups),
        ] {
            let mut row = self.summary_row(name)?;
            row.number(Some(count))?;
        }
        for total in &summary.amounts {
            let mut row = self.summary_row("at risk")?;
            row.amount(Some(&total.net))?;
            row.optional(total.currency.as_deref())?;
        }
        for cause in &summary.causes {
            let mut row = self.summary_row("extra records by cause")?;
            row.number(Some(cause.extra_records))?;
            row.text(cause.cause.code())?;
        }
        for doubt in summary.incomplete_reasons.iter().chain(&summary.warnings) {
            self.say("warning", doubt)?;
        }
        if let Some(kind) = report.header.redaction {
            self.say("redaction", kind.code())?;
        }
        self.say("made by", &report.header.command_line.join(" "))?;
        self.say("times", "UTC")?;
        self.say(
            "numbers",
            "of more than 15 digits are text, since a spreadsheet would round them",
        )?;
        let sheet = self
            .workbook
            .worksheet_from_index(SUMMARY)
            .map_err(failed)?;
        sheet.set_column_width(0, 30).map_err(failed)?;
        sheet.set_column_width(1, 40).map(drop).map_err(failed)
    }

    fn episodes(&mut self, episodes: &[Episode]) -> io::Result<()> {
        let names = [
            "episode",
            "cause",
            "topic",
            "partition",
            "groups",
            "extra_records",
            "first_timestamp",
            "last_timestamp",
            "original_start",
            "original_end",
            "extra_start",
            "extra_end",
            "ongoing",
            "at_risk",
            "currency",
        ];
        self.headings(EPISODES, &names)?;
        let mut at = 0;
        for episode in episodes {
            // One row, or one for each currency.
            let amounts = episode.amounts.iter().map(Some);
            let none = episode.amounts.is_empty().then_some(None);
            for amount in amounts.chain(none) {
                if at >= self.rows_max {
                    break;
                }
                at += 1;
                let mut row = self.row(EPISODES, at)?;
                row.number(Some(episode.id))?;
                row.text(episode.cause.code())?;
                row.optional(episode.topic.as_deref())?;
                row.number(episode.partition)?;
                row.number(Some(episode.groups))?;
                row.number(Some(episode.extra_records))?;
                row.time(episode.first_timestamp_millis)?;
                row.time(episode.last_timestamp_millis)?;
                for offsets in [&episode.original_offsets, &episode.extra_offsets] {
                    row.number(offsets.as_ref().map(|offsets| offsets.start))?;
                    row.number(offsets.as_ref().map(|offsets| offsets.end))?;
                }
                row.text(if episode.is_ongoing { "true" } else { "false" })?;
                row.amount(amount.map(|amount| &*amount.net))?;
                row.optional(amount.and_then(|amount| amount.currency.as_deref()))?;
            }
        }
        self.finish(EPISODES, at, 15)
    }

    fn coverage(&mut self, coverage: &Coverage) -> io::Result<()> {
        let names = [
            "source",
            "format",
            "complete",
            "records_read",
            "bytes",
            "start_offset",
            "end_offset",
            "next_offset",
            "missing",
        ];
        self.headings(COVERAGE, &names)?;
        let mut at = 0;
        for read in &coverage.partitions {
            at += 1;
            let gaps: Vec<String> = read
                .unread_gaps()
                .map(|gap| format!("[{}, {}) {}", gap.start, gap.end, gap.reason))
                .collect();
            let mut row = self.row(COVERAGE, at)?;
            row.text(&read.topic_partition.to_string())?;
            row.text("topic")?;
            row.text(if read.is_complete() { "true" } else { "false" })?;
            row.number(Some(read.records_read))?;
            row.text("")?;
            row.number(Some(read.start_offset))?;
            row.number(Some(read.end_offset))?;
            row.number(Some(read.next_offset))?;
            row.text(&gaps.join(", "))?;
        }
        for read in &coverage.files {
            at += 1;
            let mut row = self.row(COVERAGE, at)?;
            row.text(&read.path)?;
            row.text(&read.format)?;
            row.text(if read.is_complete() { "true" } else { "false" })?;
            row.number(Some(read.records_read))?;
            row.number(Some(read.bytes))?;
            for _ in 0..3 {
                row.text("")?;
            }
            row.optional(read.damage.as_deref())?;
        }
        self.finish(COVERAGE, at, 9)
    }

    fn row_names(&mut self, by: &[String]) -> io::Result<()> {
        let (before, after) = match self.rows {
            CsvRows::Records => (
                "group,role,occurrence,count,cause,confidence,review",
                "topic,partition,offset,timestamp,timestamp_type,identical,amount,extra_amount,\
                 currency,subject,file,line,byte_offset,key",
            ),
            CsvRows::Groups | CsvRows::Episodes => (
                "group,count,extra,cause,confidence,review",
                "first_timestamp,last_timestamp,identical,extra_amount,net_amount,currency,subject",
            ),
        };
        let by = by.iter().map(|field| without_normalizers(field));
        let names: Vec<&str> = before
            .split(',')
            .chain(by)
            .chain(after.split(','))
            .collect();
        self.columns = u16::try_from(names.len()).map_err(io::Error::other)?;
        self.headings(ROWS, &names)
    }

    /// Returns the next row, if the sheet has room for it.
    fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        if self.written >= self.rows_max {
            self.left_out += 1;
            return Ok(None);
        }
        self.written += 1;
        self.row(ROWS, self.written).map(Some)
    }

    fn group_row(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        let Some(mut row) = self.next_row()? else {
            return Ok(());
        };
        let amount = group.amount.as_ref();
        let at_risk = amount_at_risk(group);
        row.text(&group.id)?;
        row.number(Some(group.count))?;
        row.number(Some(group.extra))?;
        row.text(group.cause.code())?;
        row.optional(group.confidence.map(Confidence::code))?;
        row.text(group.review.code())?;
        for (_, text) in &group.key {
            row.text(key(text))?;
        }
        row.time(group.first_timestamp_millis)?;
        row.time(group.last_timestamp_millis)?;
        row.optional(group.identical.map(boolean))?;
        row.amount(at_risk.map(|amount| &*amount.extra))?;
        row.amount(at_risk.map(|amount| &*amount.net))?;
        row.optional(amount.and_then(|amount| amount.currency.as_deref()))?;
        row.optional(group.subject.as_deref())
    }

    fn record_row(&mut self, group: &DuplicateGroup, record: &ReportedRecord) -> io::Result<()> {
        let Some(mut row) = self.next_row()? else {
            return Ok(());
        };
        row.text(&group.id)?;
        row.text(role(record))?;
        row.number(Some(record.occurrence))?;
        row.number(Some(group.count))?;
        row.optional(record.cause.map(Cause::code))?;
        row.optional(record.confidence.map(Confidence::code))?;
        row.text(record_review(group, record).code())?;
        for (_, text) in &group.key {
            row.text(key(text))?;
        }
        row.optional(record.topic.as_deref())?;
        row.number(record.partition)?;
        row.number(record.offset)?;
        row.time(record.timestamp_millis)?;
        row.optional(record.timestamp_type.name())?;
        row.optional(group.identical.map(boolean))?;
        row.amount(record.amount.as_deref())?;
        row.amount(extra_amount(group, record))?;
        row.optional(record.currency.as_deref())?;
        row.optional(record.subject.as_deref())?;
        row.optional(record.file.as_deref())?;
        row.number(record.line)?;
        row.number(record.byte_offset)?;
        row.optional(record.key.as_deref())
    }
}

impl<W: Write> ReportWriter for XlsxReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        self.add_sheets()?;
        self.summary(report)?;
        self.row_names(&report.header.by)?;
        self.episodes(report.episodes)?;
        self.coverage(report.coverage)
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        match self.rows {
            CsvRows::Groups | CsvRows::Episodes => self.group_row(group),
            CsvRows::Records => {
                for record in group.records.walk() {
                    self.record_row(group, &record?)?;
                }
                Ok(())
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(text) = self.doubt() {
            self.say("LEFT OUT", &text)?;
        }
        self.finish(ROWS, self.written, self.columns)?;
        let mut file = tempfile::tempfile()?;
        self.workbook.save_to_writer(&mut file).map_err(failed)?;
        file.rewind()?;
        io::copy(&mut file, &mut self.output)?;
        self.output.flush()
    }

    fn doubt(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!(
                "a sheet has no room for {} more rows; -o report.csv and -o report.parquet have \
                 them all",
                self.left_out
            )
        })
    }
}

/// A dedup key is text whatever it is in the records: nobody adds ids up.
fn key(text: &KeyText) -> &str {
    text.plain()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    fn written(rows: CsvRows, rows_max: u32) -> (u32, u64, Vec<u8>) {
        let mut output = Vec::new();
        let mut report = XlsxReport::new(&mut output, rows);
        report.rows_max = rows_max;
        sample().write(&mut report);
        let doubt = report.doubt().unwrap_or_default();
        assert_eq!(doubt.contains(".parquet"), report.left_out > 0, "{doubt}");
        (report.written, report.left_out, output)
    }

    #[test]
    fn a_sheet_that_is_full_leaves_rows_out_and_counts_them() {
        let (written_rows, left_out, whole) = written(CsvRows::Records, XLSX_ROWS_MAX);
        assert_eq!((written_rows, left_out), (5, 0));
        assert!(whole.starts_with(b"PK"));
        let (written_rows, left_out, _) = written(CsvRows::Records, 2);
        assert_eq!((written_rows, left_out), (2, 3));
        let (written_rows, left_out, _) = written(CsvRows::Groups, 1);
        assert_eq!((written_rows, left_out), (1, 1));
    }
}
