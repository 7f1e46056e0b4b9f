//! The last runs of a state as people read them: a chart, then a table.

use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use crate::finding::RunHistory;
use crate::finding::RunRecord;
use crate::report::terminal::LEAST_WIDTH;
use crate::report::terminal::Style;
use crate::report::terminal::escape::visible_start;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::{counted, duration, formatted, grouped, grouped_decimal};
use crate::report::terminal::sparkline::blocks;
use crate::report::terminal::tables::{TableColumn, add_table};

/// Columns behind a chart for its peak.
const PEAK_WIDTH: usize = 24;

/// Currencies that have a column; reports have all.
const CURRENCIES_MAX: usize = 4;

/// Characters of a currency that are shown: it comes from records.
const CURRENCY_WIDTH: usize = 8;

/// Writes the last runs for people.
#[derive(Clone, Copy, Debug)]
pub struct HistoryText {
    width: usize,
    style: Style,
}

impl HistoryText {
    /// Returns a writer of lines of at most `width` columns.
    pub fn new(width: usize, style: Style) -> Self {
        let width = width.max(LEAST_WIDTH);
        Self { width, style }
    }

    /// Writes the `last` runs of the state with this name, the newest first.
    pub fn write(
        self,
        name: &str,
        history: &RunHistory,
        last: usize,
        output: &mut impl Write,
    ) -> io::Result<()> {
        let mut screen = Screen::new(self.width, self.style);
        screen.labelled("STATE", &visible_start(name, self.width));
        let runs = history.last(last);
        if runs.is_empty() {
            screen.labelled("RUNS", "none has come to its end yet");
            return screen.write_to(output);
        }
        introduce(&mut screen, runs, history.totals.runs);
        screen.blank();
        chart(&mut screen, runs);
        screen.blank();
        add_table(&mut screen, columns(runs));
        screen.write_to(output)
    }
}

fn introduce(screen: &mut Screen, runs: &[RunRecord], runs_ever: u64) {
    let shown = u64::try_from(runs.len()).unwrap_or(u64::MAX);
    let incomplete = runs.iter().filter(|run| !run.complete).count();
    let first = if shown == runs_ever {
        counted(runs_ever, "run")
    } else {
        format!(
            "the last {} of {}",
            grouped(shown),
            counted(runs_ever, "run")
        )
    };
    let doubt = match incomplete {
        0 => "all read everything".to_owned(),
        some => format!("{some} of them did not read everything"),
    };
    screen.labelled("RUNS", &format!("{first}; {doubt}"));
    screen.labelled(
        "COUNTED",
        "what a run was the first to find, and no baseline or rule knows",
    );
}

/// What a line of the chart shows.
type Measure = (&'static str, fn(&RunRecord) -> u64, fn(u64) -> String);

const MEASURES: [Measure; 4] = [
    (
        "NEW EXTRA",
        |run| run.new_extra_records,
        |count| grouped(count),
    ),
    ("RECORDS", |run| run.records_read, |count| grouped(count)),
    ("TOOK", took_millis, took_text),
    ("LAG", |run| run.lag, |count| grouped(count)),
];

fn took_millis(run: &RunRecord) -> u64 {
    let millis = run.finished_at_millis.saturating_sub(run.started_at_millis);
    u64::try_from(millis).unwrap_or_default()
}

fn took_text(millis: u64) -> String {
    duration(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Adds a line of blocks for each measure, the newest run to the right.
fn chart(screen: &mut Screen, runs: &[RunRecord]) {
    let room = screen.text_width().saturating_sub(PEAK_WIDTH).max(1);
    let runs_each = runs.len().div_ceil(room).max(1);
    for (label, of, text) in MEASURES {
        let counts: Vec<u64> = runs.iter().map(of).collect();
        let most = most_each(&counts, runs_each);
        let peak = text(counts.iter().copied().max().unwrap_or_default());
        screen.labelled(label, &format!("{}  peak {peak}", blocks(&most)));
    }
    let doubts: Vec<u64> = runs.iter().map(|run| u64::from(!run.complete)).collect();
    if doubts.contains(&1) {
        let mark = |&doubt: &u64| if doubt == 0 { '·' } else { '!' };
        let marks: String = most_each(&doubts, runs_each).iter().map(mark).collect();
        screen.labelled("NOT ALL", &format!("{marks}  not everything was read"));
    }
    screen.below(&match runs_each {
        1 => "a column is a run, the last one to the right".to_owned(),
        many => format!("a column is the most of {many} runs, the last ones to the right"),
    });
}

/// Returns the most of each so many; the first may be of fewer.
fn most_each(counts: &[u64], many: usize) -> Vec<u64> {
    let chunks = counts.rchunks(many).rev();
    chunks
        .map(|chunk| chunk.iter().copied().max().unwrap_or_default())
        .collect()
}

fn columns(runs: &[RunRecord]) -> Vec<TableColumn> {
    let cells = |of: &dyn Fn(&RunRecord) -> String| runs.iter().rev().map(of).collect();
    let count = |of: fn(&RunRecord) -> u64| cells(&|run| grouped(of(run)));
    let started = cells(&|run| formatted(run.started_at_millis, "%Y-%m-%d %H:%M"));
    let sure = |run: &RunRecord| if run.complete { "yes" } else { "NO" }.to_owned();
    let mut columns = vec![
        TableColumn::text("STARTED, UTC", started),
        TableColumn::text("VERDICT", cells(&|run| run.verdict.clone())),
        TableColumn::text("SURE", cells(&sure)),
        TableColumn::number("GROUPS", count(|run| run.new_groups)),
        TableColumn::number("EXTRA", count(|run| run.new_extra_records)),
    ];
    columns.extend(amounts(runs));
    columns.extend([
        TableColumn::number("RECORDS", count(|run| run.records_read)).dropped(1),
        TableColumn::number("TOOK", cells(&|run| took_text(took_millis(run)))).dropped(4),
        TableColumn::number("LAG", count(|run| run.lag)).dropped(5),
    ]);
    columns
}

/// Returns a column for each of the first currencies; the first of them stays longest.
fn amounts(runs: &[RunRecord]) -> Vec<TableColumn> {
    let all = runs.iter().flat_map(|run| &run.new_amounts);
    let currencies: BTreeSet<_> = all.map(|amount| &amount.currency).collect();
    let ranks = [2, 3, 6, 7].into_iter().take(CURRENCIES_MAX);
    let column = |(currency, rank): (&Option<String>, u8)| {
        let title = match currency {
            Some(currency) => visible_start(currency, CURRENCY_WIDTH),
            None => "AMOUNT".to_owned(),
        };
        let cell = |run: &RunRecord| {
            let mut amounts = run.new_amounts.iter();
            let found = amounts.find(|amount| amount.currency == *currency);
            found.map_or("-".to_owned(), |amount| grouped_decimal(&amount.extra))
        };
        let cells = runs.iter().rev().map(cell).collect();
        TableColumn::number(title, cells).dropped(rank)
    };
    currencies.into_iter().zip(ranks).map(column).collect()
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::finding::Coverage;
    use crate::finding::NewFindings;
    use crate::finding::RunAmount;

    const NIGHT_MILLIS: i64 = 86_400_000;

    fn history(runs: u64, currency: &str) -> RunHistory {
        let mut history = RunHistory::default();
        for night in 0..runs {
            let started_at_millis =
                1_768_444_200_000 + i64::try_from(night).unwrap() * NIGHT_MILLIS;
            let amount = RunAmount {
                currency: Some(currency.to_owned()),
                extra: format!("{night}234.50"),
            };
            let run = RunRecord {
                started_at_millis,
                finished_at_millis: started_at_millis + 61_000,
                verdict: "duplicates".to_owned(),
                complete: night != 2,
                records_read: 1_000_000 + night,
                records_audited: 1_000_000,
                groups: night,
                extra_records: night,
                new_extra_records: night,
                new_groups: night,
                amounts: vec![amount.clone()],
                new_amounts: vec![amount],
                lag: 17,
                leaves_rest: false,
            };
            history.add(run, &NewFindings::default(), &Coverage::default());
        }
        history
    }

    fn written(history: &RunHistory, last: usize, width: usize) -> String {
        let mut text = Vec::new();
        let writer = HistoryText::new(width, Style::Plain);
        writer.write("seen", history, last, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn runs_are_charted_from_left_to_right_and_listed_from_the_newest() {
        let text = written(&history(9, "USD"), 5, 100);
        let expected = "\
STATE       seen
RUNS        the last 5 of 9 runs; all read everything
COUNTED     what a run was the first to find, and no baseline or rule knows

NEW EXTRA   ▄▅▆▇█  peak 8
RECORDS     █████  peak 1,000,008
TOOK        █████  peak 1 min 1 s
LAG         █████  peak 17
            a column is a run, the last one to the right

STARTED, UTC      VERDICT     SURE  GROUPS  EXTRA       USD    RECORDS       TOOK  LAG
2026-01-23 02:30  duplicates  yes        8      8  8,234.50  1,000,008  1 min 1 s   17
2026-01-22 02:30  duplicates  yes        7      7  7,234.50  1,000,007  1 min 1 s   17
";
        assert!(text.starts_with(expected), "{text}");
        let all = written(&history(9, "USD"), 30, 100);
        assert!(all.contains("9 runs; 1 of them did not read everything"));
        assert!(
            all.contains("NOT ALL     ··!······  not everything was read"),
            "{all}"
        );
        assert!(all.contains("2026-01-17 02:30  duplicates  NO "), "{all}");
    }

    #[test]
    fn what_does_not_fit_is_left_out_or_drawn_together_and_no_line_is_too_long() {
        for (width, left_out) in [(60, "TOOK"), (80, "LAG")] {
            let text = written(&history(200, "USD"), 200, width);
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
            let head = text
                .lines()
                .find(|line| line.starts_with("STARTED"))
                .unwrap();
            assert!(!head.contains(left_out) && head.contains("EXTRA"), "{head}");
            assert!(text.contains("a column is the most of"), "{text}");
        }
    }

    #[test]
    fn a_currency_from_records_is_harmless_and_no_runs_are_said() {
        let text = written(&history(2, "\u{1b}[31mred and long"), 30, 80);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(written(&history(0, "USD"), 30, 80).contains("none has come to its end yet"));
    }
}
