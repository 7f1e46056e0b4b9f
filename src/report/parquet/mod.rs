//! The report as a Parquet file with typed columns, for those with millions of groups.

mod column;
mod names;
mod table;

use std::io;
use std::io::Write;

use crate::finding::AmountAtRisk;
use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::KeyText;
use crate::finding::ReportedRecord;
use crate::report::csv::{amount_at_risk, extra_amount, record_review, role, since_first};
use crate::report::parquet::table::Table;
use crate::report::{CsvRows, ReportHead, ReportWriter};

/// Writes the Parquet report; its columns are those of the CSV report.
pub struct ParquetReport<W> {
    table: Table<W>,
    rows: CsvRows,
    coverage: &'static str,
    has_reversals: bool,
    has_standing: bool,
}

impl<W: Write> ParquetReport<W> {
    /// Returns the writer; `rows` says what a row is.
    pub fn new(output: W, rows: CsvRows) -> Self {
        Self {
            table: Table::new(output),
            rows,
            coverage: "incomplete",
            has_reversals: false,
            has_standing: false,
        }
    }

    fn key(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        for (_, text) in &group.key {
            let is_null = matches!(text, KeyText::Null);
            self.table.text((!is_null).then(|| text.plain()))?;
        }
        Ok(())
    }

    fn group_row(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        let amount = group.amount.as_ref();
        let at_risk = amount_at_risk(group);
        self.table.text(Some(&group.id))?;
        self.table.count(Some(group.count))?;
        self.table.count(Some(group.extra))?;
        self.table.text(Some(group.cause.code()))?;
        self.table.text(group.confidence.map(Confidence::code))?;
        self.table.text(Some(group.review.code()))?;
        self.key(group)?;
        self.table.integer(group.first_timestamp_millis)?;
        self.table.integer(group.last_timestamp_millis)?;
        self.table.integer(group.span_millis())?;
        self.table.boolean(group.identical)?;
        self.table.amount(at_risk.map(|amount| &*amount.extra))?;
        let currency = amount.and_then(|amount| amount.currency.as_deref());
        self.table.text(currency)?;
        self.table.text(group.subject.as_deref())?;
        let reversal = at_risk.map(|amount| (&*amount.reversed, &*amount.net));
        self.end_row(group, reversal)
    }

    fn record_row(&mut self, group: &DuplicateGroup, record: &ReportedRecord) -> io::Result<()> {
        self.table.text(Some(&group.id))?;
        self.table.text(Some(role(record)))?;
        self.table.count(Some(record.occurrence))?;
        self.table.count(Some(group.count))?;
        self.table.text(record.cause.map(Cause::code))?;
        self.table.text(record.confidence.map(Confidence::code))?;
        self.table.text(Some(record_review(group, record).code()))?;
        self.key(group)?;
        self.table.text(record.topic.as_deref())?;
        self.table.partition(record.partition)?;
        self.table.integer(record.offset)?;
        self.table.integer(record.timestamp_millis)?;
        self.table.text(record.timestamp_type.name())?;
        self.table.integer(since_first(group, record))?;
        self.table.boolean(group.identical)?;
        self.table.amount(record.amount.as_deref())?;
        self.table.amount(extra_amount(group, record))?;
        self.table.text(record.currency.as_deref())?;
        self.table.text(record.subject.as_deref())?;
        self.table.text(record.file.as_deref())?;
        self.table.count(record.line)?;
        self.table.count(record.byte_offset)?;
        self.table.text(record.key.as_deref())?;
        let reversal = record.reversal.as_ref();
        self.end_row(group, reversal.map(|of| (&*of.reversed, &*of.net)))
    }

    /// Ends a row with its coverage, with what reversals took back, and with what is new.
    fn end_row(
        &mut self,
        group: &DuplicateGroup,
        reversal: Option<(&str, &str)>,
    ) -> io::Result<()> {
        self.table.text(Some(self.coverage))?;
        if self.has_reversals {
            self.table.amount(reversal.map(|(reversed, _)| reversed))?;
            self.table.amount(reversal.map(|(_, net)| net))?;
        }
        if self.has_standing {
            let standing = group.standing.as_ref();
            self.table.text(standing.map(|of| of.standing.code()))?;
        }
        self.table.end_row()
    }

    /// Writes one row per episode and currency; counts stand in the first of an episode only, so
    /// that every column adds up.
    fn episodes(&mut self, episodes: &[Episode]) -> io::Result<()> {
        for episode in episodes {
            self.episode_row(episode, episode.amounts.first(), true)?;
            for amount in episode.amounts.iter().skip(1) {
                self.episode_row(episode, Some(amount), false)?;
            }
        }
        Ok(())
    }

    fn episode_row(
        &mut self,
        episode: &Episode,
        amount: Option<&AmountAtRisk>,
        is_first: bool,
    ) -> io::Result<()> {
        self.table.count(Some(episode.id))?;
        self.table.text(Some(episode.cause.code()))?;
        self.table.text(episode.topic.as_deref())?;
        self.table.partition(episode.partition)?;
        self.table.count(is_first.then_some(episode.groups))?;
        self.table
            .count(is_first.then_some(episode.extra_records))?;
        self.table.integer(episode.first_timestamp_millis)?;
        self.table.integer(episode.last_timestamp_millis)?;
        self.table.boolean(Some(episode.is_ongoing))?;
        self.table.text(episode.original_topic.as_deref())?;
        self.table.partition(episode.original_partition)?;
        for offsets in [&episode.original_offsets, &episode.extra_offsets] {
            let offsets = offsets.as_ref();
            self.table.integer(offsets.map(|range| range.start))?;
            self.table.integer(offsets.map(|range| range.end))?;
        }
        self.table.amount(amount.map(|amount| &*amount.extra))?;
        self.table.amount(amount.map(|amount| &*amount.reversed))?;
        self.table.amount(amount.map(|amount| &*amount.net))?;
        let currency = amount.and_then(|amount| amount.currency.as_deref());
        self.table.text(currency)?;
        self.table.text(Some(self.coverage))?;
        self.table.end_row()
    }
}

/// Returns what the file says of itself.
fn about(report: &ReportHead<'_>) -> Vec<(String, String)> {
    let header = report.header;
    let redaction = header.redaction.map_or("none", |kind| kind.code());
    let coverage = if report.summary.complete {
        "complete"
    } else {
        "incomplete"
    };
    let doubts = report.summary.incomplete_reasons.iter();
    let doubts: Vec<&str> = doubts
        .chain(&report.summary.warnings)
        .map(String::as_str)
        .collect();
    [
        ("dupaudit.command_line", &*header.command_line.join(" ")),
        ("dupaudit.by", &header.by.join(", ")),
        ("dupaudit.verdict", report.summary.verdict.code()),
        ("dupaudit.coverage", coverage),
        ("dupaudit.warnings", &doubts.join("\n")),
        ("dupaudit.redaction", redaction),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

impl<W: Write> ReportWriter for ParquetReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        if report.summary.complete {
            self.coverage = "complete";
        }
        self.has_reversals = report.header.reversal.is_some();
        self.has_standing = report.summary.standing.is_some();
        let optional = (self.has_reversals, self.has_standing);
        let columns = names::columns(self.rows, &report.header.by, optional);
        self.table.begin(columns, about(report))?;
        match self.rows {
            CsvRows::Episodes => self.episodes(report.episodes),
            CsvRows::Groups | CsvRows::Records => Ok(()),
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
        self.table.end()
    }

    fn doubt(&self) -> Option<String> {
        let unfit = self.table.unfit;
        (unfit > 0).then(|| {
            format!(
                "amounts with more than 20 digits before the point or 18 behind it are no \
                 numbers there but null ({unfit} cells), and whole in the columns that end in \
                 `_text`"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use ::parquet::file::metadata::RowGroupMetaData;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    use bytes::Bytes;

    use super::*;
    use crate::finding::GroupStanding;
    use crate::finding::Standing;
    use crate::finding::StandingTotal;
    use crate::report::CsvReport;
    use crate::report::sample::{Sample, mixed, sample};
    use crate::report::timestamp_text::rfc3339;

    fn written(sample: &Sample, rows: CsvRows, group_rows: usize) -> (Vec<u8>, Option<String>) {
        let mut output = Vec::new();
        let mut report = ParquetReport::new(&mut output, rows);
        report.table = report.table.with_group_rows(group_rows);
        sample.write(&mut report);
        let doubt = report.doubt();
        (output, doubt)
    }

    fn read(bytes: Vec<u8>) -> SerializedFileReader<Bytes> {
        SerializedFileReader::new(Bytes::from(bytes)).unwrap()
    }

    fn cells(reader: &SerializedFileReader<Bytes>) -> Vec<Vec<String>> {
        let rows = reader.get_row_iter(None).unwrap();
        rows.map(|row| {
            let row = row.unwrap();
            row.get_column_iter()
                .map(|(_, field)| shown(field))
                .collect()
        })
        .collect()
    }

    fn shown(field: &Field) -> String {
        if let Field::Str(text) = field {
            return text.clone();
        }
        if let Field::TimestampMillis(millis) = field {
            return rfc3339(*millis);
        }
        if let Field::Decimal(_) = field {
            return "number".to_owned();
        }
        if matches!(field, Field::Null) {
            return String::new();
        }
        field.to_string()
    }

    /// Returns the cells of the CSV report, with a number before each amount.
    fn csv_cells(sample: &Sample, rows: CsvRows) -> Vec<Vec<String>> {
        let mut output = Vec::new();
        sample.write(&mut CsvReport::new(&mut output, rows, true));
        let mut reader = ::csv::Reader::from_reader(&*output);
        let names = reader.headers().unwrap().clone();
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            let mut cells = Vec::new();
            for (name, cell) in names.iter().zip(&row) {
                if name.ends_with("amount") {
                    let number = if cell.is_empty() { "" } else { "number" };
                    cells.push(number.to_owned());
                }
                cells.push(cell.to_owned());
            }
            cells
        });
        rows.collect()
    }

    #[test]
    fn every_cell_is_that_of_the_csv_report() {
        let mut all = sample();
        all.header.reversal = Some("true".to_owned());
        all.summary.standing = Some(StandingTotal::default());
        all.groups[0].standing = Some(GroupStanding {
            standing: Standing::New,
            new_extra: 0,
            first_found_millis: None,
            known_by: None,
        });
        let every = [CsvRows::Records, CsvRows::Groups, CsvRows::Episodes];
        for (sample, rows) in [
            (sample(), every.as_slice()),
            (mixed(), &[CsvRows::Episodes]),
            (all, &every),
        ] {
            for &rows in rows {
                let expected = csv_cells(&sample, rows);
                assert!(!expected.is_empty());
                let (bytes, doubt) = written(&sample, rows, 1_000);
                assert_eq!(cells(&read(bytes)), expected, "{rows:?}");
                assert_eq!(doubt, None);
            }
        }
    }

    #[test]
    fn row_groups_are_bounded_and_lose_nothing() {
        let sample = sample();
        let (bytes, _) = written(&sample, CsvRows::Records, 2);
        let reader = read(bytes);
        let groups = reader.metadata().row_groups();
        let rows: Vec<i64> = groups.iter().map(RowGroupMetaData::num_rows).collect();
        assert_eq!(rows, [2, 2, 1]);
        assert_eq!(cells(&reader), csv_cells(&sample, CsvRows::Records));
    }

    #[test]
    fn a_report_without_groups_still_has_its_columns() {
        let mut sample = sample();
        sample.groups.clear();
        let (bytes, _) = written(&sample, CsvRows::Records, 2);
        let reader = read(bytes);
        let metadata = reader.metadata().file_metadata();
        assert_eq!(metadata.num_rows(), 0);
        assert_eq!(metadata.schema_descr().num_columns(), 26);
        let about = metadata.key_value_metadata().unwrap();
        let redaction = about.iter().find(|of| of.key == "dupaudit.redaction");
        assert_eq!(redaction.unwrap().value.as_deref(), Some("none"));
    }

    #[test]
    fn an_amount_that_fits_no_number_is_text_and_said() {
        let mut sample = sample();
        let amount = sample.groups[0].amount.as_mut().unwrap();
        amount.extra = "79228162514264337593543950335".to_owned();
        let (bytes, doubt) = written(&sample, CsvRows::Groups, 9);
        let cells = cells(&read(bytes));
        assert!(cells[0].contains(&"79228162514264337593543950335".to_owned()));
        assert!(!cells[0].contains(&"number".to_owned()));
        assert!(cells[1].contains(&"number".to_owned()));
        assert!(doubt.unwrap().contains("(1 cells)"));
    }
}
