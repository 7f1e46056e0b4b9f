//! The largest episodes, one line each.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use crate::finding::Episode;
use crate::report::ReportHead;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::date_and_time;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::numbers::is_same_day;
use crate::report::terminal::numbers::time_of_day;
use crate::report::terminal::tables::TableColumn;
use crate::report::terminal::tables::add_table;
use crate::report::terminal::tables::sources::amount_columns;

/// Episodes shown at most, whatever `--top` allows.
const MOST_EPISODES: usize = 5;
/// Columns that a topic partition keeps, where there are so many.
const LEAST_PLACE: usize = 10;

/// Adds the largest episodes, `top` at most.
pub(in crate::report::terminal) fn episodes(
    screen: &mut Screen,
    report: &ReportHead<'_>,
    top: usize,
) {
    let shown = report.episodes.iter().take(top.min(MOST_EPISODES));
    let shown: Vec<&Episode> = shown.collect();
    // Without time and place a line would tell no more than the cause's own.
    let is_known =
        |episode: &&Episode| episode.topic.is_some() || episode.first_timestamp_millis.is_some();
    if !shown.iter().any(is_known) {
        return;
    }
    let title = format!(
        "LARGEST EPISODES ({} of {})",
        length(shown.len()),
        length(report.episodes.len())
    );
    let cells = |cell: &dyn Fn(&Episode) -> String| -> Vec<String> {
        shown.iter().map(|episode| cell(episode)).collect()
    };
    let records = cells(&|episode| grouped(episode.extra_records));
    let records = TableColumn::number("RECORDS", records);
    let (names, least) = names(report, &shown);
    let room = screen.width().saturating_sub(2 + records.natural_width());
    let mut columns = vec![
        TableColumn::text(title.clone(), names).shrinking_to(least.max(title.width()).min(room)),
        TableColumn::text("ORIGINALS", cells(&originals_text))
            .shrinking_to(14)
            .dropped(2),
        TableColumn::text(
            "EXTRA",
            cells(&|episode| range_text(episode.extra_offsets.as_ref())),
        )
        .dropped(1),
        records,
    ];
    let amounts = shown.iter().map(|episode| episode.amounts.as_slice());
    columns.extend(amount_columns(report, &amounts.collect::<Vec<_>>()));
    if report.summary.causes.len() > 1 {
        let causes = cells(&|episode| episode.cause.code().to_owned());
        columns.push(TableColumn::text("CAUSE", causes).dropped(3));
    }
    let state = |episode: &Episode| if episode.is_ongoing { "going on" } else { "" };
    let states = cells(&|episode| state(episode).to_owned());
    columns.push(TableColumn::text("STATE", states).dropped(3));
    screen.blank();
    add_table(screen, columns);
}

/// Returns number, first time and place of each, one below the other, and the columns needed.
fn names(report: &ReportHead<'_>, shown: &[&Episode]) -> (Vec<String>, usize) {
    let span = report.summary.audited_span;
    let is_one_day = span.is_some_and(|span| is_same_day(span.first_millis, span.last_millis));
    let time = |episode: &&Episode| match episode.first_timestamp_millis {
        Some(millis) if is_one_day => time_of_day(millis),
        Some(millis) => date_and_time(millis),
        None => String::new(),
    };
    let ids: Vec<String> = shown.iter().map(|episode| grouped(episode.id)).collect();
    let times: Vec<String> = shown.iter().map(time).collect();
    let (id_width, time_width) = (widest(&ids).max(2), widest(&times));
    let name = |((episode, id), time): ((&&Episode, &String), &String)| {
        let place = place_text(episode.topic.as_deref(), episode.partition);
        let time = if time_width == 0 {
            String::new()
        } else {
            format!("  {time:time_width$}")
        };
        format!("{id:>id_width$}{time}  {place}")
            .trim_end()
            .to_owned()
    };
    let all = shown.iter().zip(&ids).zip(&times);
    let least = id_width + 2 + time_width + 2 + LEAST_PLACE;
    (all.map(name).collect(), least)
}

fn widest(texts: &[String]) -> usize {
    texts
        .iter()
        .map(|text| text.width())
        .max()
        .unwrap_or_default()
}

fn length(length: usize) -> String {
    grouped(u64::try_from(length).unwrap_or(u64::MAX))
}

fn place_text(topic: Option<&str>, partition: Option<i32>) -> String {
    match (topic, partition) {
        (Some(topic), Some(partition)) => visible(&format!("{topic}-{partition}")),
        (Some(topic), None) => visible(topic),
        (None, _) => String::new(),
    }
}

/// Offsets of the originals, with their partition where it is another than that of the extras.
fn originals_text(episode: &Episode) -> String {
    let offsets = range_text(episode.original_offsets.as_ref());
    let original = (&episode.original_topic, episode.original_partition);
    if original.0.is_none() || original == (&episode.topic, episode.partition) {
        return offsets;
    }
    let place = place_text(original.0.as_deref(), original.1);
    format!("{place} {offsets}").trim_end().to_owned()
}

fn range_text(offsets: Option<&Range<i64>>) -> String {
    offsets.map_or_else(String::new, |range| {
        format!("[{}, {})", range.start, range.end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::START_MILLIS;
    use crate::report::sample::Sample;
    use crate::report::sample::mixed;
    use crate::report::sample::sample;
    use crate::report::terminal::Style;

    fn shown(sample: &Sample, width: usize, top: usize) -> String {
        let mut screen = Screen::new(width, Style::Plain);
        episodes(&mut screen, &sample.head(), top);
        let mut output = Vec::new();
        screen.write_to(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_largest_episodes_are_as_the_contract_draws_them() {
        let expected = "
LARGEST EPISODES (2 of 3)  ORIGINALS       EXTRA           RECORDS    USD
 1  02:41:07  charges-1    [88610, 88646)  [88646, 88682)        1  19.25
 2  02:41:10  charges-1    [88610, 88646)  [88682, 88718)        1  19.25
";
        assert_eq!(shown(&sample(), 80, 2), expected);
        assert_eq!(shown(&sample(), 80, 0), "");
        let mut many = sample();
        many.episodes = vec![many.episodes[0].clone(); 16];
        assert!(shown(&many, 80, 20).starts_with("\nLARGEST EPISODES (5 of 16)"));
    }

    #[test]
    fn several_causes_and_other_partitions_are_named() {
        let expected = "
LARGEST EPISODES (5 of 5)        ORIGINALS           EXTRA     RECORDS    USD  CAUSE
 2  02:41:07  charges-1          [10, 90)            [20, 95)        7  19.25  application-resend
 3                                                                   5  19.25  undetermined
 1  02:31:00  mirror.charges-1   charges-1 [5, 7)    [5, 7)          2         mirror-copy
 4  02:50:00  charges-0          [30, 31)            [31, 32)        1  19.25  producer-retry
 5  02:55:00  charges.replies-2  charges-1 [77, 78)  [40, 41)        1  19.25  consumer-replay
";
        let mut sample = mixed();
        // A copy by design costs nothing.
        sample.episodes[2].amounts.clear();
        assert_eq!(shown(&sample, 120, 20), expected);
    }

    #[test]
    fn what_goes_on_is_said_and_what_it_cost_goes_first_where_there_is_no_room() {
        let mut sample = sample();
        sample.episodes[0].is_ongoing = true;
        let expected = "
LARGEST EPISODES (2 of 3)  ORIGINALS       EXTRA           RECORDS    USD  STATE
 1  02:41:07  charges-1    [88610, 88646)  [88646, 88682)        1  19.25  going on
 2  02:41:10  charges-1    [88610, 88646)  [88682, 88718)        1  19.25
";
        assert_eq!(shown(&sample, 100, 2), expected);
        let narrow = shown(&sample, 60, 2);
        let title = "\nLARGEST EPISODES (2 of 3)  EXTRA           RECORDS\n";
        assert!(narrow.starts_with(title), "{narrow}");
    }

    #[test]
    fn a_narrow_screen_keeps_name_and_records() {
        let expected = "
LARGEST EPISODES (1 of 3)  RECORDS
 1  02:41:07  charges-1          1
";
        assert_eq!(shown(&sample(), 40, 1), expected);
        let mut long = sample();
        long.episodes[0].topic = Some("a.topic.with.quite.a.long.name".to_owned());
        for line in shown(&long, 40, 3).lines().skip(1) {
            assert!(line.width() <= 40 && line.ends_with(['S', '1']), "{line}");
        }
    }

    #[test]
    fn episodes_without_coordinates_are_told_by_their_times_and_without_both_not_at_all() {
        let mut bare = mixed();
        bare.episodes.drain(..1);
        bare.episodes.truncate(1);
        bare.summary.causes.truncate(1);
        assert_eq!(shown(&bare, 80, 20), "");
        bare.episodes[0].first_timestamp_millis = Some(START_MILLIS);
        let expected = "
LARGEST EPISODES (1 of 1)  RECORDS    USD
 3  02:30:00                     5  19.25
";
        assert_eq!(shown(&bare, 80, 20), expected);
    }
}
