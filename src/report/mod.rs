//! Findings become reports, streamed: the first screen, HTML, Markdown, JSON, JSON Lines, CSV,
//! workbooks and Parquet.

mod answer;
pub mod csv;
pub mod diff;
pub mod hints;
pub mod html;
pub mod json;
pub mod markdown;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod prometheus;
pub mod read;
pub mod redact;
pub mod report_file;
pub mod reports;
pub mod target;
pub mod terminal;
mod timestamp_text;
#[cfg(feature = "xlsx")]
pub mod xlsx;

pub use csv::{CsvReport, CsvRows};
pub use hints::hints;
pub use html::HtmlReport;
pub use json::{JsonDiff, JsonReport, JsonlReport};
pub use json::{document_text, suggestion_json};
pub use markdown::MarkdownReport;
pub use prometheus::PrometheusReport;
pub use read::{ReadReport, ReportReadError, copy_report, read_group};
pub use redact::Redaction;
pub use report_file::{ReportFile, check_target};
pub use reports::{ReportFailure, Reports};
pub use target::{ReportFormat, ReportTarget, TargetError};
pub use terminal::escape::visible_start;
pub use terminal::explain;
pub use terminal::history::HistoryText;
pub use terminal::presets::PresetText;
pub use terminal::suggestion::SuggestionText;
pub use terminal::{ListingText, Style, TerminalDiff, TerminalOptions, TerminalReport};

use std::io;
use std::io::Write;

use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::RunTotals;

/// All of a report but its groups.
#[derive(Clone, Copy, Debug)]
pub struct ReportHead<'a> {
    /// How the report was made.
    pub header: &'a AuditHeader,
    /// What the audit came to.
    pub summary: &'a AuditSummary,
    /// What was read.
    pub coverage: &'a Coverage,
    /// Extra records that belong together.
    pub episodes: &'a [Episode],
    /// Sums over all runs with this one, where they are kept.
    pub totals: Option<&'a RunTotals>,
}

/// Writes one report: the head, every group in the order of the report, the end.
pub trait ReportWriter {
    /// Writes what comes before the groups.
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()>;

    /// Writes one group; its occurrences are walked, never held.
    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()>;

    /// Writes what comes after the groups, and flushes.
    fn end(&mut self) -> io::Result<()>;

    /// Returns what the report could not hold, once it has ended.
    fn doubt(&self) -> Option<String> {
        None
    }
}

/// What a machine-readable report shows beyond its defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportOptions {
    /// What a row of CSV, of a workbook or of Parquet is.
    pub rows: CsvRows,
    /// Whether CSV cells that a spreadsheet would run stay as they are.
    pub csv_raw: bool,
    /// Whether the values of records are written, where the format has a place for them.
    pub show_values: bool,
}

/// Returns the columns of the terminal that standard output is, if it is one.
pub fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns.into())
}

/// Returns the writer of a format over any output; `name` tells the metrics of several audits
/// apart.
pub fn report_writer<'a>(
    format: ReportFormat,
    output: Box<dyn Write + 'a>,
    options: ReportOptions,
    name: &str,
) -> Box<dyn ReportWriter + 'a> {
    match format {
        ReportFormat::Json => Box::new(JsonReport::new(output, options.show_values)),
        ReportFormat::Jsonl => Box::new(JsonlReport::new(output, options.show_values)),
        ReportFormat::Csv => Box::new(CsvReport::new(output, options.rows, options.csv_raw)),
        ReportFormat::Html => Box::new(HtmlReport::new(output, options.show_values)),
        ReportFormat::Markdown => Box::new(MarkdownReport::new(output)),
        ReportFormat::Prom => Box::new(PrometheusReport::new(output, name.to_owned())),
        #[cfg(feature = "parquet")]
        ReportFormat::Parquet => Box::new(parquet::ParquetReport::new(output, options.rows)),
        #[cfg(feature = "xlsx")]
        ReportFormat::Xlsx => Box::new(xlsx::XlsxReport::new(output, options.rows)),
    }
}

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use proptest::prelude::*;
    use serde_json::Value;
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::finding::FileCoverage;
    use crate::finding::KeyText;
    use crate::finding::OccurrenceList;
    use crate::finding::ReportedRecord;
    use crate::report::sample::Sample;
    use crate::report::sample::group;
    use crate::report::sample::record;
    use crate::report::sample::sample;

    /// Returns a hundred texts that some reader of a report would obey.
    fn nasty_texts() -> Vec<String> {
        const BODIES: [&str; 10] = [
            "=cmd|' /C calc'!A0",
            "@SUM(1+1)*cmd",
            "\x1b[2J\x1b]0;title\x07",
            "\u{9b}31m\u{90}q\u{9c}",
            "\u{202e}txt.exe\u{2066}\u{2028}\u{200b}\u{feff}",
            "a\"b\"\",c;d|e\\",
            "line\r\nDUPLICATES  0\n",
            "</script><script>alert(1)</script>\0",
            "東京\u{e000}e\u{301}\u{1f468}\u{200d}\u{1f469}\u{fe0f}",
            "x 0123456789 0123456789012345678901234567890123456789012345678901234567890123",
        ];
        const STARTS: [&str; 10] = ["", "=", "+", "-", "@", "\t", "\r", "\n", "\0", " \"＝"];
        let texts = STARTS.iter().flat_map(|start| {
            let bodies = BODIES.iter();
            bodies.map(move |body| format!("{start}{body}"))
        });
        texts.collect()
    }

    /// A report in which every text that is not ours is `text`.
    fn hostile(text: &str) -> Sample {
        let mut sample = sample();
        let name = || text.to_owned();
        for read in &mut sample.coverage.partitions {
            read.topic_partition.topic = text.into();
            read.notes = vec![name()];
        }
        for total in &mut sample.summary.partitions {
            total.topic_partition.topic = text.into();
            total.amounts[0].currency = Some(name());
        }
        sample.summary.amounts[0].currency = Some(name());
        sample.summary.complete = false;
        sample.summary.warnings = vec![name()];
        sample.summary.incomplete_reasons = vec![name()];
        sample.header.by = vec![name()];
        sample.header.subject_field = Some(name());
        sample.header.reversal = Some(name());
        sample.summary.top_subjects[0].subject = name();
        sample.coverage.files = vec![FileCoverage {
            path: name(),
            format: name(),
            format_reason: name(),
            bytes: 1,
            records_read: 1,
            damage: Some(name()),
            notes: vec![name()],
        }];
        let mut in_file = record(1, 1, 0);
        in_file.file = Some(name());
        in_file.topic = None;
        let mut in_topic = record(2, 2, 0);
        in_topic.topic = Some(name());
        for record in [&mut in_file, &mut in_topic] {
            record.key = Some(name());
            record.subject = Some(name());
            record.currency = Some(name());
            record.value = Some(name());
        }
        let mut group = group(KeyText::Text(name()), vec![in_file, in_topic]);
        group.subject = Some(name());
        group.amount.as_mut().unwrap().currency = Some(name());
        group.differing_fields = vec![name()];
        group
            .key
            .push(("value.other".to_owned(), KeyText::Json(name())));
        sample.groups = vec![group];
        for total in &mut sample.summary.causes {
            total.evidence = vec![name(), name()];
            total.contrary = vec![name()];
        }
        for episode in &mut sample.episodes {
            episode.topic = Some(name());
            episode.original_topic = Some(format!("{text}-"));
            episode.amounts[0].currency = Some(name());
        }
        sample
    }

    fn written(sample: &Sample, format: ReportFormat, options: ReportOptions) -> String {
        let output = sample::Output::default();
        let mut writer = report_writer(format, Box::new(output.clone()), options, "x");
        sample.write(&mut *writer);
        output.text()
    }

    #[test]
    fn copies_that_could_not_be_compared_are_called_identical_by_no_report() {
        let mut sample = sample();
        sample.summary.conflicting_groups = 0;
        for uncompared in [0, 2] {
            sample.summary.uncompared_groups = uncompared;
            for (format, words) in [
                (ReportFormat::Html, "all copies identical"),
                (ReportFormat::Markdown, "All copies are byte-identical"),
            ] {
                let text = written(&sample, format, ReportOptions::default());
                assert_eq!(text.contains(words), uncompared == 0, "{format:?}");
                let is_told = text.contains("copies of 2 groups could not be read again");
                assert_eq!(is_told, uncompared > 0, "{format:?}");
            }
        }
    }

    fn obeyed(character: char) -> bool {
        character != '\n' && character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}')
    }

    #[test]
    fn json_holds_hostile_text_exactly_and_harmlessly() {
        let options = ReportOptions {
            show_values: true,
            ..ReportOptions::default()
        };
        for text in nasty_texts() {
            let sample = hostile(&text);
            for format in [ReportFormat::Json, ReportFormat::Jsonl] {
                let written = written(&sample, format, options);
                assert!(!written.contains(obeyed), "{written:?}");
                let group: Value = match format {
                    ReportFormat::Jsonl => {
                        assert_eq!(written.lines().count(), 5 + sample.episodes.len());
                        serde_json::from_str(written.lines().nth_back(1).unwrap()).unwrap()
                    }
                    #[cfg(feature = "parquet")]
                    ReportFormat::Parquet => continue,
                    #[cfg(feature = "xlsx")]
                    ReportFormat::Xlsx => continue,
                    ReportFormat::Json
                    | ReportFormat::Csv
                    | ReportFormat::Html
                    | ReportFormat::Markdown
                    | ReportFormat::Prom => {
                        serde_json::from_str::<Value>(&written).unwrap()["groups"][0].take()
                    }
                };
                assert_eq!(group["key"]["value.charge_id"], *text);
                assert_eq!(group["key"]["value.other"], *text);
                assert_eq!(group["records"][0]["value"], *text);
                assert_eq!(group["records"][1]["topic"], *text);
            }
        }
    }

    #[test]
    fn csv_holds_hostile_text_and_no_cell_that_a_spreadsheet_would_run() {
        for text in nasty_texts() {
            let mut sample = hostile(&text);
            sample.header.by = vec!["value.charge_id".to_owned(), "value.other".to_owned()];
            for (rows, csv_raw) in [(CsvRows::Records, false), (CsvRows::Groups, false)]
                .into_iter()
                .chain([(CsvRows::Records, true), (CsvRows::Groups, true)])
            {
                let options = ReportOptions {
                    rows,
                    csv_raw,
                    show_values: false,
                };
                let written = written(&sample, ReportFormat::Csv, options);
                let mut reader = ::csv::Reader::from_reader(written.as_bytes());
                let mut seen = 0;
                for row in reader.records() {
                    for cell in &row.unwrap() {
                        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
                            || cell.starts_with('\0')
                            || cell.starts_with(" \"＝");
                        assert!(csv_raw || !is_formula, "{cell:?}");
                        let inner = cell.strip_prefix('\'').filter(|_| !csv_raw);
                        seen += u32::from(inner.unwrap_or(cell) == text);
                    }
                }
                assert!(seen >= 4, "{written:?}");
            }
        }
    }

    #[test]
    fn pages_hold_hostile_text_and_nothing_of_it_is_a_tag_a_control_or_markdown() {
        let options = ReportOptions {
            show_values: true,
            ..ReportOptions::default()
        };
        let tags = |page: &str| page.matches('<').count();
        let harmless = tags(&written(&hostile("x"), ReportFormat::Html, options));
        for text in nasty_texts() {
            let sample = hostile(&text);
            let page = written(&sample, ReportFormat::Html, options);
            assert!(!page.contains(obeyed), "{text:?}");
            assert!(!page.contains("<script>alert"), "{text:?}");
            // A sign more or less is a tag of ours that has no text to stand around.
            assert!(tags(&page).abs_diff(harmless) <= 64, "{text:?}");
            let markdown = written(&sample, ReportFormat::Markdown, options);
            assert!(!markdown.contains(obeyed), "{text:?}");
            assert!(!markdown.replace("\\<", "").contains("<script"), "{text:?}");
            assert!(markdown.lines().count() <= 60, "{text:?}");
        }
    }

    #[test]
    fn the_screen_holds_hostile_text_within_its_width_and_obeys_none() {
        for text in nasty_texts() {
            for width in [1, 40, 60, 80, 120] {
                let options = TerminalOptions {
                    width,
                    ..TerminalOptions::default()
                };
                let mut output = Vec::new();
                hostile(&text).write(&mut TerminalReport::new(&mut output, options));
                let shown = String::from_utf8(output).unwrap();
                assert!(!shown.contains(obeyed), "{shown:?}");
                assert!(!shown.contains(['\u{200b}', '\u{feff}']), "{shown:?}");
                for line in shown.lines() {
                    assert!(line.width() <= width.max(40), "{width}: {line}");
                    assert!(!line.starts_with("DUPLICATES  0"), "{line}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_text_comes_back_from_csv_and_json_and_fits_the_screen(
            text in any::<String>(),
            width in 40_usize..130,
        ) {
            let sample = hostile(&text);
            let raw = ReportOptions { rows: CsvRows::Groups, csv_raw: true, show_values: false };
            let csv = written(&sample, ReportFormat::Csv, raw);
            let mut reader = ::csv::ReaderBuilder::new();
            let mut reader = reader.flexible(true).from_reader(csv.as_bytes());
            let row = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(&row[6], &text);
            let json = written(&sample, ReportFormat::Json, raw);
            let report: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&report["groups"][0]["key"]["value.charge_id"], &*text);
            let options = TerminalOptions { width, ..TerminalOptions::default() };
            let mut output = Vec::new();
            sample.write(&mut TerminalReport::new(&mut output, options));
            let shown = String::from_utf8(output).unwrap();
            prop_assert!(!shown.contains(obeyed));
            prop_assert!(shown.lines().all(|line| line.width() <= width), "{}", shown);
        }
    }

    #[test]
    fn the_screen_keeps_its_width_with_the_largest_numbers() {
        let mut sample = sample();
        let summary = &mut sample.summary;
        summary.groups = u64::MAX;
        summary.extra_records = u64::MAX;
        summary.distinct_keys = u64::MAX;
        summary.amounts = vec![summary.amounts[0].clone(); 30];
        for total in &mut summary.amounts {
            total.extra = "79228162514264337593543950335.01".to_owned();
            total.net = total.extra.clone();
            total.extra_records = u64::MAX;
        }
        summary.partitions = vec![summary.partitions[0].clone(); 30];
        summary.timeline.add(i64::MIN / 60_000, u64::MAX);
        summary.timeline.add(i64::MAX / 60_000, u64::MAX);
        for (total, partition) in summary.partitions.iter_mut().zip(0..) {
            total.topic_partition.partition = partition;
            total.extra_records = u64::MAX;
            total.amounts[0].net = "79228162514264337593543950335.01".to_owned();
        }
        let span = summary.audited_span.as_mut().unwrap();
        (span.first_millis, span.last_millis) = (i64::MIN, i64::MAX);
        sample.header.from_millis = None;
        sample.header.to_millis = None;
        sample.coverage.partitions[0].start_offset = i64::MIN;
        sample.coverage.partitions[0].end_offset = i64::MAX;
        sample.episodes = vec![sample.episodes[0].clone(); 30];
        for episode in &mut sample.episodes {
            episode.id = u64::MAX;
            episode.extra_records = u64::MAX;
            episode.partition = Some(i32::MIN);
            episode.original_offsets = Some(i64::MIN..i64::MAX);
            episode.extra_offsets = Some(i64::MIN..i64::MAX);
            episode.first_timestamp_millis = Some(i64::MAX);
        }
        summary.causes[0].confidences[0].1 = u64::MAX;
        sample.groups[0].count = u64::MAX;
        sample.groups[0].extra = u64::MAX;
        sample.groups[0].first_timestamp_millis = Some(i64::MIN);
        for width in [40, 60, 80, 120] {
            let options = TerminalOptions {
                width,
                ..TerminalOptions::default()
            };
            let mut output = Vec::new();
            sample.write(&mut TerminalReport::new(&mut output, options));
            for line in String::from_utf8(output).unwrap().lines() {
                assert!(line.width() <= width, "{line}");
            }
        }
    }

    /// Makes its records as they are asked for, and sees what was written in between.
    struct ManyRecords {
        count: u64,
        written: Rc<Cell<usize>>,
    }

    impl OccurrenceList for ManyRecords {
        fn walk(&self) -> Box<dyn Iterator<Item = io::Result<ReportedRecord>> + '_> {
            let before = self.written.get();
            Box::new((1..=self.count).map(move |occurrence| {
                let done = usize::try_from(occurrence - 1).unwrap();
                assert!(
                    self.written.get() - before >= done * 100,
                    "records are held"
                );
                Ok(record(occurrence, 0, 0))
            }))
        }
    }

    /// Counts what is written and drops it.
    struct Counter(Rc<Cell<usize>>);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_group_of_many_records_is_written_without_holding_them() {
        let redaction = Redaction::with_key(&[1; 16]);
        for format in [ReportFormat::Json, ReportFormat::Jsonl, ReportFormat::Csv] {
            let written = Rc::new(Cell::new(0));
            let records = vec![record(1, 0, 0), record(2, 1, 0)];
            let mut many = group(KeyText::Text("k".to_owned()), records);
            many.count = 100_000;
            many.records = Box::new(ManyRecords {
                count: many.count,
                written: Rc::clone(&written),
            });
            let many = redaction.redact(many);
            let output = Box::new(Counter(Rc::clone(&written)));
            let mut writer = report_writer(format, output, ReportOptions::default(), "x");
            writer.begin(&sample().head()).unwrap();
            writer.group(&many).unwrap();
            writer.end().unwrap();
            assert!(written.get() > 10_000_000);
        }
    }
}
