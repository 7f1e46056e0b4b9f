//! The report for people: the first screen, then the largest groups, within the given width.

mod causes;
pub(super) mod coverage_lines;
mod diff;
pub mod escape;
pub mod explain;
pub mod history;
mod layout;
pub(super) mod numbers;
mod opening;
pub mod presets;
mod sparkline;
mod standing;
pub mod suggestion;
mod tables;

pub use diff::TerminalDiff;
pub use tables::listing::ListingText;

use std::io;
use std::io::Write;

use crate::finding::DuplicateGroup;
use crate::finding::Verdict;
use crate::report::ReportHead;
use crate::report::ReportWriter;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::tables::groups::GroupTable;

/// Below this nothing readable can be laid out.
const LEAST_WIDTH: usize = 40;

const EVERY_GROUP: &str = "-o duplicates.csv (or .json) writes them all, record by record";

/// Whether headings stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Characters only.
    #[default]
    Plain,
    /// Headings in bold, by ANSI escapes.
    Bold,
}

/// How the report for people is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Columns of the terminal; taken as 40 where there are fewer.
    pub width: usize,
    /// Largest groups shown; 0 shows totals only.
    pub top: usize,
    /// Whether headings stand out.
    pub style: Style,
    /// Whether to say what else could be done.
    pub hints: bool,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self {
            width: 80,
            top: 20,
            style: Style::Plain,
            hints: true,
        }
    }
}

/// Writes the report for people; of the groups it looks at the first few only.
pub struct TerminalReport<W> {
    output: W,
    options: TerminalOptions,
    groups: GroupTable,
    warnings: Vec<String>,
    json_report: Option<String>,
}

impl<W: Write> TerminalReport<W> {
    /// Returns the writer.
    pub fn new(output: W, options: TerminalOptions) -> Self {
        let options = TerminalOptions {
            width: options.width.max(LEAST_WIDTH),
            ..options
        };
        Self {
            output,
            options,
            groups: GroupTable::new(options.top, options.width),
            warnings: Vec::new(),
            json_report: None,
        }
    }

    /// Returns the writer of a report beside which a JSON report is written.
    #[must_use]
    pub fn beside_json(self, json_report: Option<String>) -> Self {
        Self {
            json_report,
            ..self
        }
    }

    fn screen(&self) -> Screen {
        Screen::new(self.options.width, self.options.style)
    }
}

impl<W: Write> ReportWriter for TerminalReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        let mut screen = self.screen();
        opening::verdict(&mut screen, report);
        standing::new_and_known(&mut screen, report.summary);
        coverage_lines::sure(&mut screen, report);
        opening::range(&mut screen, report);
        if report.summary.verdict == Verdict::Duplicates {
            opening::findings(&mut screen, report);
            tables::sources::partitions(&mut screen, report);
        }
        tables::sources::files(&mut screen, report);
        if report.summary.verdict == Verdict::Duplicates {
            tables::episodes::episodes(&mut screen, report, self.options.top);
            tables::subjects::subjects(&mut screen, report, self.options.top);
        }
        self.groups.begin(report);
        self.warnings.clone_from(&report.summary.warnings);
        screen.write_to(&mut self.output)
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.groups.add(group)
    }

    fn end(&mut self) -> io::Result<()> {
        let mut screen = self.screen();
        self.groups.show(&mut screen);
        let has_groups = self.groups.has_groups();
        let is_hinted = self.options.hints && has_groups;
        if is_hinted || (has_groups && self.options.top > 0) || !self.warnings.is_empty() {
            screen.blank();
        }
        for warning in &self.warnings {
            screen.labelled("WARNING", &visible(warning));
        }
        if is_hinted {
            screen.labelled("EVERY GROUP", EVERY_GROUP);
        }
        let json_report = self.json_report.as_deref();
        self.groups.show_worst(&mut screen, json_report);
        screen.write_to(&mut self.output)?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::AmountTotal;
    use crate::finding::FileCoverage;
    use crate::finding::GapReason;
    use crate::finding::KeyText;
    use crate::finding::OffsetGap;
    use crate::finding::ReversalTotal;
    use crate::report::sample::START_MILLIS;
    use crate::report::sample::Sample;
    use crate::report::sample::sample;
    use crate::report::sample::total;

    fn shown(sample: &Sample, options: TerminalOptions) -> String {
        let mut output = Vec::new();
        sample.write(&mut TerminalReport::new(&mut output, options));
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_first_screen_is_as_the_contract_draws_it() {
        let expected = "\
DUPLICATES  2 of 5,997 charge_id came more than once: 3 extra records
SURE?       coverage complete: 6,000 of 6,000 offsets, 3 of 3 partitions;
            0 undecodable, 0 without key
RANGE       charges, 2026-01-15 02:30:00 to 03:10:00 UTC, by CreateTime,
            read_committed
AT RISK     USD 57.75 (3 extra); 1 customer_id
            if every extra record was charged; no payment ledger was compared
CONFLICTS   0: all copies byte-identical
WHY         producer-retry: certain for 2 extra, strong for 1; 3 episodes
   for      one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and
            at 88646; CreateTime is the same to the millisecond
   against  nothing found
   stop it  enable.idempotence=true on the producer, which needs acks=all,
            retries above 0 and at most 5 requests in flight
SINCE       02:41:07 to 02:52:44 UTC; none in the last 17 min of the range
   02:30    ···········▄··········█················· 03:10
            extra per minute, peak 2

PARTITION  EPISODES  GROUPS  EXTRA    USD  OFFSETS READ
charges-1         3       2      3  57.75  [87904, 89904)

LARGEST EPISODES (3 of 3)  ORIGINALS       EXTRA           RECORDS    USD
 1  02:41:07  charges-1    [88610, 88646)  [88646, 88682)        1  19.25
 2  02:41:10  charges-1    [88610, 88646)  [88682, 88718)        1  19.25
 3  02:52:44  charges-1    [90000, 90001)  [90001, 90002)        1  19.25

LARGEST GROUPS (2 of 2)
KEY               COUNT  EXTRA  FIRST, UTC   SPAN  WHERE                  AMOUNT
ch_004127             3      2  02:41:07    3.0 s  charges-1@88641, …  USD 38.50
9007199254740993      2      1  02:52:43    1.0 s  charges-1@90000, …  USD 19.25

EVERY GROUP -o duplicates.csv (or .json) writes them all, record by record
WORST GROUP ch_004127, 3 occurrences
";
        assert_eq!(shown(&late(sample()), options(80)), expected);
    }

    /// The scan began after the range had ended, as it does.
    fn late(mut sample: Sample) -> Sample {
        sample.header.started_at_millis += 3_600_000;
        sample
    }

    fn options(width: usize) -> TerminalOptions {
        TerminalOptions {
            width,
            ..TerminalOptions::default()
        }
    }

    #[test]
    fn a_wide_screen_names_the_places_and_holds_the_chart_on_one_line() {
        let text = shown(&late(sample()), options(120));
        assert!(text.contains("charges-1@88641, @88677, @88713"), "{text}");
        assert!(text.contains("▄··········█················· 03:10   extra per minute, peak 2"));
    }

    #[test]
    fn totals_only_where_no_groups_are_wanted() {
        let none = TerminalOptions {
            top: 0,
            ..options(80)
        };
        let totals = shown(&sample(), none);
        assert!(
            !totals.contains("LARGEST") && !totals.contains("WORST"),
            "{totals}"
        );
        let one = TerminalOptions {
            top: 1,
            hints: false,
            ..options(80)
        };
        let text = shown(&sample(), one);
        assert!(text.contains("LARGEST GROUPS (1 of 2)"), "{text}");
        let end = "USD 38.50\n\nWORST GROUP ch_004127, 3 occurrences\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn beside_a_json_report_the_worst_group_has_the_command_that_explains_it() {
        let shown = |width: usize| {
            let mut output = Vec::new();
            let report = TerminalReport::new(&mut output, options(width));
            let mut report = report.beside_json(Some("a b.json".to_owned()));
            late(sample()).write(&mut report);
            String::from_utf8(output).unwrap()
        };
        let line = "WORST GROUP ch_004127, 3 occurrences: dupaudit explain --report 'a b.json' \
                    --group g_00010203\n";
        assert!(shown(120).ends_with(line), "{}", shown(120));
        let two = "WORST GROUP ch_004127, 3 occurrences:\n            dupaudit explain --report \
                   'a b.json' --group g_00010203\n";
        assert!(shown(80).ends_with(two), "{}", shown(80));
    }

    fn files(damage: Option<&str>) -> Vec<FileCoverage> {
        vec![FileCoverage {
            path: "logs/charges.jsonl.gz".to_owned(),
            format: "jsonl+gzip".to_owned(),
            format_reason: "starts with a JSON object".to_owned(),
            bytes: 12_345,
            records_read: 6_000,
            damage: damage.map(str::to_owned),
            notes: Vec::new(),
        }]
    }

    #[test]
    fn a_clean_report_is_short() {
        let mut sample = sample();
        sample.summary.verdict = Verdict::Clean;
        sample.coverage.partitions.clear();
        sample.coverage.files = files(None);
        sample.groups.clear();
        let expected = "\
CLEAN       5,997 charge_id, none more than once
SURE?       coverage complete: 1 of 1 file, 6,000 records; 0 undecodable, 0 without key
RANGE       logs/charges.jsonl.gz, 2026-01-15 02:30:00 to 03:10:00 UTC, by CreateTime

FILE                   FORMAT      RECORDS   BYTES
logs/charges.jsonl.gz  jsonl+gzip    6,000  12,345
";
        assert_eq!(shown(&sample, options(100)), expected);
    }

    #[test]
    fn an_incomplete_report_names_every_reason_once() {
        let mut sample = sample();
        sample.summary.verdict = Verdict::Incomplete;
        sample.summary.complete = false;
        sample.summary.skipped.undecodable = 3;
        sample.summary.skipped.tombstone = 1_200;
        sample.summary.incomplete_reasons = vec![
            "3 records cannot be decoded".to_owned(),
            "charges-0: [88200, 88210) was removed by retention".to_owned(),
        ];
        sample.summary.warnings = vec!["`--ignore sent_at` matched nothing".to_owned()];
        sample.groups.clear();
        let gap = |start: i64, reason: GapReason| OffsetGap {
            start,
            end: start + 10,
            reason,
        };
        sample.coverage.partitions[0].gaps = vec![gap(88_200, GapReason::Retention)];
        sample.coverage.partitions[1].gaps = vec![gap(88_300, GapReason::Corrupt)];
        sample.coverage.partitions[2].next_offset = 89_021;
        sample.coverage.files = files(Some("cut off after 12,345 bytes"));
        let expected = "\
INCOMPLETE  5,997 charge_id, none more than once in what was read: not all was
SURE?       coverage INCOMPLETE: 4,980 of 6,000 offsets, 0 of 3 partitions, 0 of 1 file;
            3 undecodable, 0 without key
            not compared: 1,200 tombstone
            3 records cannot be decoded
            charges-0: [88200, 88210) was removed by retention
            charges-1: [88300, 88310) corrupt
            charges-2: [89021, 90021) not read
            logs/charges.jsonl.gz: cut off after 12,345 bytes
RANGE       charges, logs/charges.jsonl.gz, 2026-01-15 02:30:00 to 03:10:00 UTC, by CreateTime,
            read_committed

FILE                   FORMAT      RECORDS   BYTES
logs/charges.jsonl.gz  jsonl+gzip    6,000  12,345

WARNING     `--ignore sent_at` matched nothing
";
        assert_eq!(shown(&sample, options(100)), expected);
    }

    #[test]
    fn sums_of_each_kind_stand_apart() {
        let mut sample = sample();
        let euros = AmountTotal {
            copies: "3".to_owned(),
            conflicting: "0.10".to_owned(),
            ..total(None, "1234567.5", 7)
        };
        sample.summary.amounts.push(euros);
        sample.summary.amounts_unusable = 2;
        sample.summary.conflicting_groups = 1;
        let text = shown(&sample, options(100));
        for line in [
            "AT RISK     1,234,567.5 (7 extra) and USD 57.75 (3 extra); 1 customer_id\n",
            "apart: 0.10 in groups whose amount, currency or subject differ\n",
            "apart: 3 in copies by design\n",
            "not counted: 2 extra records without a usable amount\n",
            "CONFLICTS   1 of 2 groups: their copies are not byte-identical\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        sample.header.amount_field = None;
        sample.header.subject_field = None;
        assert!(!shown(&sample, options(100)).contains("RISK"));
    }

    #[test]
    fn reversals_are_set_against_what_is_at_risk() {
        let mut sample = sample();
        sample.header.reversal = Some("value.type == 'refund'".to_owned());
        sample.summary.reversals = Some(ReversalTotal {
            records: 9,
            in_groups: 2,
            ..ReversalTotal::default()
        });
        let none = shown(&sample, options(100));
        let line = "AT RISK     USD 57.75 (3 extra); 1 customer_id; net of 2 reversals\n";
        assert!(none.contains(line), "{none}");
        assert!(!none.contains("taken back"), "{none}");
        sample.summary.amounts[0].reversed = "1038.50".to_owned();
        sample.summary.amounts[0].extra = "1057.75".to_owned();
        sample.summary.amounts[0].net = "19.25".to_owned();
        let expected = "\
AT RISK     USD 19.25 (3 extra); 1 customer_id; net of 2 reversals
            taken back by reversals: USD 1,038.50 of 1,057.75
            only reversals among the records scanned count, extra records first
            if every extra record was charged; no payment ledger was compared
";
        let text = shown(&sample, options(100));
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_goes_on_at_the_end_of_the_range_is_said() {
        let mut sample = late(sample());
        sample.episodes[1].is_ongoing = true;
        let since = |sample: &Sample| {
            let text = shown(sample, options(200));
            let line = text.lines().find(|line| line.starts_with("SINCE"));
            line.unwrap().to_owned()
        };
        assert_eq!(
            since(&sample),
            "SINCE       02:41:07 to 02:52:44 UTC; none in the last 17 min of the range, but \
             episode 2 was still going on at the end of what was read"
        );
        sample.episodes[2].is_ongoing = true;
        assert!(since(&sample).contains("but 2 episodes were still going on at"));
        sample.header.to_millis = Some(START_MILLIS + 1_370_000);
        sample.summary.audited_span = sample.summary.extra_span;
        assert_eq!(
            since(&sample),
            "SINCE       02:41:07 to 02:52:44 UTC; still going on at the end of the range"
        );
    }

    #[test]
    fn a_report_without_duplicates_says_nothing_of_causes() {
        for verdict in [Verdict::Clean, Verdict::Incomplete] {
            let mut sample = sample();
            sample.summary.verdict = verdict;
            sample.groups.clear();
            let text = shown(&sample, options(80));
            for word in ["WHY", "against", "stop it", "EPISODES", "WORST"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn the_worst_group_stays_on_its_line_however_long_its_key_is() {
        let mut sample = sample();
        let key = KeyText::Text("k".repeat(500));
        sample.groups[0].key[0].1 = key;
        let text = shown(&sample, options(80));
        let last = text.lines().next_back().unwrap();
        assert_eq!(last.chars().count(), 80, "{last}");
        assert!(last.starts_with("WORST GROUP kkkk") && last.ends_with("k…, 3 occurrences"));
    }

    #[test]
    fn bold_marks_headings_and_moves_nothing() {
        let bold = TerminalOptions {
            style: Style::Bold,
            ..options(80)
        };
        let text = shown(&sample(), bold);
        assert!(text.starts_with("\x1b[1mDUPLICATES\x1b[0m  2 of"));
        let plain = text.replace("\x1b[1m", "").replace("\x1b[0m", "");
        assert_eq!(plain, shown(&sample(), options(80)));
    }
}
