//! The CSV report: one row per occurrence, one per group, or one per episode.

mod cell;
mod episodes;

use std::io;
use std::io::Write;

use crate::finding::AmountAtRisk;
use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::DuplicateGroup;
use crate::finding::KeyText;
use crate::finding::ReportedRecord;
use crate::finding::Review;
use crate::report::ReportHead;
use crate::report::ReportWriter;
use crate::report::csv::cell::CsvOutput;
use crate::report::timestamp_text::rfc3339;

/// What a row of the CSV report is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CsvRows {
    /// An occurrence.
    #[default]
    Records,
    /// A group.
    Groups,
    /// An episode.
    Episodes,
}

/// Writes the CSV report.
pub struct CsvReport<W> {
    csv: CsvOutput<W>,
    rows: CsvRows,
    coverage: &'static str,
    /// Whether there are columns of what reversals took back.
    has_reversals: bool,
    /// Whether there is a column of what is new.
    has_standing: bool,
}

impl<W: Write> CsvReport<W> {
    /// Returns the writer; `is_raw` turns the guard against formulas off.
    pub fn new(output: W, rows: CsvRows, is_raw: bool) -> Self {
        Self {
            csv: CsvOutput::new(output, is_raw),
            rows,
            coverage: "incomplete",
            has_reversals: false,
            has_standing: false,
        }
    }

    fn names(&mut self, before: &str, by: &[String], after: &str) -> io::Result<()> {
        for name in before.split(',') {
            self.csv.text(name)?;
        }
        for field in by {
            self.csv.text(without_normalizers(field))?;
        }
        for name in after.split(',') {
            self.csv.text(name)?;
        }
        if self.has_reversals {
            self.csv.text("reversed_amount")?;
            self.csv.text("net_amount")?;
        }
        if self.has_standing {
            self.csv.text("status")?;
        }
        self.csv.end_row()
    }

    /// Ends a row with its coverage, with what reversals took back, and with what is new.
    fn end(&mut self, group: &DuplicateGroup, reversal: Option<(&str, &str)>) -> io::Result<()> {
        self.csv.text(self.coverage)?;
        if self.has_reversals {
            self.amount(reversal.map(|(reversed, _)| reversed))?;
            self.amount(reversal.map(|(_, net)| net))?;
        }
        if self.has_standing {
            let standing = group.standing.as_ref().map(|of| of.standing.code());
            self.csv.optional_text(standing)?;
        }
        self.csv.end_row()
    }

    fn key(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        for (_, text) in &group.key {
            match text {
                KeyText::Number(text) => self.csv.decimal(text)?,
                KeyText::Null | KeyText::Text(_) | KeyText::Boolean(_) | KeyText::Json(_) => {
                    self.csv.text(text.plain())?;
                }
            }
        }
        Ok(())
    }

    fn amount(&mut self, amount: Option<&str>) -> io::Result<()> {
        self.csv.decimal(amount.unwrap_or_default())
    }

    fn timestamp(&mut self, millis: Option<i64>) -> io::Result<()> {
        self.csv.optional_text(millis.map(rfc3339).as_deref())
    }

    fn group_row(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        let at_risk = amount_at_risk(group);
        self.csv.text(&group.id)?;
        self.csv.number(Some(group.count))?;
        self.csv.number(Some(group.extra))?;
        self.csv.text(group.cause.code())?;
        self.csv
            .optional_text(group.confidence.map(Confidence::code))?;
        self.csv.text(group.review.code())?;
        self.key(group)?;
        self.timestamp(group.first_timestamp_millis)?;
        self.timestamp(group.last_timestamp_millis)?;
        self.csv.number(group.span_millis())?;
        self.csv.text(group.identical.map_or("", boolean))?;
        self.amount(at_risk.map(|amount| amount.extra.as_str()))?;
        let amount = group.amount.as_ref();
        self.csv
            .optional_text(amount.and_then(|amount| amount.currency.as_deref()))?;
        self.csv.optional_text(group.subject.as_deref())?;
        self.end(
            group,
            at_risk.map(|amount| (&*amount.reversed, &*amount.net)),
        )
    }

    fn record_row(&mut self, group: &DuplicateGroup, record: &ReportedRecord) -> io::Result<()> {
        self.csv.text(&group.id)?;
        self.csv.text(role(record))?;
        self.csv.number(Some(record.occurrence))?;
        self.csv.number(Some(group.count))?;
        self.csv.optional_text(record.cause.map(Cause::code))?;
        self.csv
            .optional_text(record.confidence.map(Confidence::code))?;
        self.csv.text(record_review(group, record).code())?;
        self.key(group)?;
        self.place(record)?;
        self.csv.number(since_first(group, record))?;
        self.csv.text(group.identical.map_or("", boolean))?;
        self.amount(record.amount.as_deref())?;
        self.amount(extra_amount(group, record))?;
        self.csv.optional_text(record.currency.as_deref())?;
        self.csv.optional_text(record.subject.as_deref())?;
        self.csv.optional_text(record.file.as_deref())?;
        self.csv.number(record.line)?;
        self.csv.number(record.byte_offset)?;
        self.csv.optional_text(record.key.as_deref())?;
        let reversal = record.reversal.as_ref();
        self.end(group, reversal.map(|of| (&*of.reversed, &*of.net)))
    }

    fn place(&mut self, record: &ReportedRecord) -> io::Result<()> {
        self.csv.optional_text(record.topic.as_deref())?;
        self.csv.number(record.partition)?;
        self.csv.number(record.offset)?;
        self.timestamp(record.timestamp_millis)?;
        self.csv.optional_text(record.timestamp_type.name())
    }
}

impl<W: Write> ReportWriter for CsvReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        if report.summary.complete {
            self.coverage = "complete";
        }
        self.has_reversals = report.header.reversal.is_some();
        self.has_standing = report.summary.standing.is_some();
        match self.rows {
            CsvRows::Records => self.names(
                "group,role,occurrence,count,cause,confidence,review",
                &report.header.by,
                "topic,partition,offset,timestamp,timestamp_type,ms_since_first,identical,\
                 amount,extra_amount,currency,subject,file,line,byte_offset,key,coverage",
            ),
            CsvRows::Groups => self.names(
                "group,count,extra,cause,confidence,review",
                &report.header.by,
                "first_timestamp,last_timestamp,span_ms,identical,\
                 extra_amount,currency,subject,coverage",
            ),
            CsvRows::Episodes => episodes::write(&mut self.csv, report.episodes, self.coverage),
        }
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        match self.rows {
            CsvRows::Episodes => Ok(()),
            CsvRows::Groups => self.group_row(group),
            CsvRows::Records => {
                for record in group.records.walk() {
                    self.record_row(group, &record?)?;
                }
                Ok(())
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// A copy by design is one whatever the others of its group are; it is summed apart, so that it
/// stays out of the column that people add up.
pub(super) fn record_review(group: &DuplicateGroup, record: &ReportedRecord) -> Review {
    if record.cause.is_some_and(Cause::is_copy_by_design) {
        Review::Copy
    } else {
        group.review
    }
}

/// Returns what a group adds to the sum of all.
pub(super) fn amount_at_risk(group: &DuplicateGroup) -> Option<&AmountAtRisk> {
    let amount = group.amount.as_ref();
    amount.filter(|_| group.review != Review::Copy)
}

/// Returns what a record adds to the sum of all.
pub(super) fn extra_amount<'r>(
    group: &DuplicateGroup,
    record: &'r ReportedRecord,
) -> Option<&'r str> {
    let is_at_risk = record.occurrence != 1 && record_review(group, record) != Review::Copy;
    record.amount.as_deref().filter(|_| is_at_risk)
}

pub(super) fn role(record: &ReportedRecord) -> &'static str {
    if record.occurrence == 1 {
        "original"
    } else {
        "extra"
    }
}

pub(super) fn since_first(group: &DuplicateGroup, record: &ReportedRecord) -> Option<i64> {
    let first = group.first_timestamp_millis?;
    Some(record.timestamp_millis?.saturating_sub(first))
}

pub(super) fn boolean(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// Returns the field path of a `--by` field.
pub(super) fn without_normalizers(field: &str) -> &str {
    let mut path = field;
    while let Some((before, last)) = path.rsplit_once('|') {
        if !matches!(last, "trim" | "lower" | "text" | "number") {
            break;
        }
        path = before;
    }
    path
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::finding::GroupStanding;
    use crate::finding::Standing;
    use crate::finding::StandingTotal;
    use crate::report::sample::Sample;
    use crate::report::sample::group;
    use crate::report::sample::record;
    use crate::report::sample::sample;

    fn written(sample: &Sample, rows: CsvRows, is_raw: bool) -> String {
        let mut output = Vec::new();
        sample.write(&mut CsvReport::new(&mut output, rows, is_raw));
        String::from_utf8(output).unwrap()
    }

    fn cells(text: &str, column: &str) -> Vec<String> {
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let mut names = reader.headers().unwrap().iter();
        let index = names.position(|name| name == column).unwrap();
        let rows = reader.records();
        rows.map(|row| row.unwrap()[index].to_owned()).collect()
    }

    #[test]
    fn rows_of_records_are_the_contract_to_the_byte() {
        let mut sample = sample();
        sample.groups.truncate(1);
        let expected = "\
group,role,occurrence,count,cause,confidence,review,value.charge_id,topic,partition,offset,\
timestamp,timestamp_type,ms_since_first,identical,amount,extra_amount,currency,subject,file,\
line,byte_offset,key,coverage
g_000102030405060708090a0b0c0d0e0f,original,1,3,,,ok,ch_004127,charges,1,88641,\
2026-01-15T02:41:07.218Z,CreateTime,0,true,19.25,,USD,cus_00913,,,,cus_00913,complete
g_000102030405060708090a0b0c0d0e0f,extra,2,3,producer-retry,certain,ok,ch_004127,charges,1,88677,\
2026-01-15T02:41:07.218Z,CreateTime,0,true,19.25,19.25,USD,cus_00913,,,,cus_00913,complete
g_000102030405060708090a0b0c0d0e0f,extra,3,3,producer-retry,certain,ok,ch_004127,charges,1,88713,\
2026-01-15T02:41:10.218Z,CreateTime,3000,true,19.25,19.25,USD,cus_00913,,,,cus_00913,complete
";
        assert_eq!(written(&sample, CsvRows::Records, false), expected);
    }

    #[test]
    fn rows_of_groups_are_the_contract_to_the_byte() {
        let mut sample = sample();
        sample.groups.truncate(1);
        sample.summary.complete = false;
        let expected = "\
group,count,extra,cause,confidence,review,value.charge_id,first_timestamp,last_timestamp,\
span_ms,identical,extra_amount,currency,subject,coverage
g_000102030405060708090a0b0c0d0e0f,3,2,producer-retry,certain,ok,ch_004127,\
2026-01-15T02:41:07.218Z,2026-01-15T02:41:10.218Z,3000,true,38.50,USD,cus_00913,incomplete
";
        assert_eq!(written(&sample, CsvRows::Groups, false), expected);
    }

    #[test]
    fn the_column_of_extra_amounts_adds_up_to_what_is_at_risk() {
        let sample = sample();
        for rows in [CsvRows::Records, CsvRows::Groups] {
            let text = written(&sample, rows, false);
            let sum = sum(&cells(&text, "extra_amount"));
            assert_eq!(sum.to_string(), sample.summary.amounts[0].extra);
        }
    }

    #[test]
    fn numbers_in_keys_are_numbers_and_texts_that_look_like_formulas_are_guarded() {
        let mut sample = sample();
        sample.groups[0].key[0].1 = KeyText::Number("-5".to_owned());
        sample.groups[1].key[0].1 = KeyText::Text("-5".to_owned());
        let guarded = written(&sample, CsvRows::Groups, false);
        assert_eq!(cells(&guarded, "value.charge_id"), ["-5", "'-5"]);
        assert!(guarded.contains(",\"'-5\","));
        let raw = written(&sample, CsvRows::Groups, true);
        assert_eq!(cells(&raw, "value.charge_id"), ["-5", "-5"]);
    }

    #[test]
    fn copies_by_design_stay_out_of_the_sum() {
        let mut sample = sample();
        let mut copies = vec![record(1, 5, 0), record(2, 5, 0), record(3, 5, 0)];
        copies[1].cause = Some(Cause::MirrorCopy);
        copies[2].cause = Some(Cause::DeadLetterCopy);
        sample.groups[0] = group(KeyText::Text("a".to_owned()), copies);
        sample.groups[0].review = Review::Copy;
        let text = written(&sample, CsvRows::Records, false);
        assert_eq!(cells(&text, "extra_amount"), ["", "", "", "", "19.25"]);
        assert_eq!(cells(&text, "amount"), ["19.25"; 5]);
        let reviews = ["copy", "copy", "copy", "ok", "ok"];
        assert_eq!(cells(&text, "review"), reviews);
        let by_group = written(&sample, CsvRows::Groups, false);
        assert_eq!(cells(&by_group, "extra_amount"), ["", "19.25"]);
    }

    #[test]
    fn each_extra_record_is_judged_by_its_own_cause() {
        let mut sample = sample();
        let mut records = vec![record(1, 5, 0), record(2, 6, 0), record(3, 6, 0)];
        records[2].cause = Some(Cause::MirrorCopy);
        records[2].confidence = None;
        sample.groups[0] = group(KeyText::Text("a".to_owned()), records);
        let mut disputed = vec![record(1, 7, 0), record(2, 8, 0), record(3, 9, 0)];
        disputed[1].amount = Some("20.00".to_owned());
        disputed[2].cause = Some(Cause::AbortedTransaction);
        sample.groups[1] = group(KeyText::Text("b".to_owned()), disputed);
        sample.groups[1].review = Review::AmountDiffers;
        let at_risk = &mut sample.summary.amounts[0];
        at_risk.extra = "19.25".to_owned();
        at_risk.copies = "38.50".to_owned();
        at_risk.conflicting = "20.00".to_owned();
        let text = written(&sample, CsvRows::Records, false);
        let causes = [
            "",
            "producer-retry",
            "mirror-copy",
            "",
            "producer-retry",
            "aborted-transaction",
        ];
        assert_eq!(cells(&text, "cause"), causes);
        let confidences = ["", "certain", "", "", "certain", "certain"];
        assert_eq!(cells(&text, "confidence"), confidences);
        let reviews = [
            "ok",
            "ok",
            "copy",
            "amount-differs",
            "amount-differs",
            "copy",
        ];
        assert_eq!(cells(&text, "review"), reviews);
        let total = &sample.summary.amounts[0];
        let expected = decimal(&total.extra) + decimal(&total.conflicting);
        assert_eq!(sum(&cells(&text, "extra_amount")), expected);
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn sum(cells: &[String]) -> Decimal {
        let amounts = cells.iter().filter(|cell| !cell.is_empty());
        amounts.map(|cell| decimal(cell)).sum()
    }

    #[test]
    fn what_is_new_is_the_last_column_where_it_is_asked() {
        let mut sample = sample();
        assert!(!written(&sample, CsvRows::Groups, false).contains("status"));
        sample.summary.standing = Some(StandingTotal::default());
        sample.header.reversal = Some("true".to_owned());
        for (group, standing) in sample
            .groups
            .iter_mut()
            .zip([Standing::New, Standing::Known])
        {
            group.standing = Some(GroupStanding {
                standing,
                new_extra: 0,
                first_found_millis: None,
                known_by: None,
            });
        }
        let by_group = written(&sample, CsvRows::Groups, false);
        assert_eq!(cells(&by_group, "status"), ["new", "known"]);
        assert!(
            by_group
                .lines()
                .next()
                .unwrap()
                .ends_with("net_amount,status")
        );
        let by_record = written(&sample, CsvRows::Records, false);
        let statuses = ["new", "new", "new", "known", "known"];
        assert_eq!(cells(&by_record, "status"), statuses);
    }

    #[test]
    fn normalizers_are_no_part_of_a_column_name() {
        assert_eq!(without_normalizers("value.email|trim|lower"), "value.email");
        assert_eq!(without_normalizers("value.a|b"), "value.a|b");
        assert_eq!(without_normalizers("key"), "key");
    }

    #[test]
    fn a_report_without_groups_still_has_its_columns() {
        let mut sample = sample();
        sample.groups.clear();
        sample.header.by = vec!["key".to_owned(), "headers.id|text".to_owned()];
        let text = written(&sample, CsvRows::Groups, false);
        assert!(text.starts_with("group,count,extra,cause,confidence,review,key,headers.id,first"));
        assert_eq!(text.lines().count(), 1);
    }
}
