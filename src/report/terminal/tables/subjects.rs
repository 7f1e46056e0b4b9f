//! The subjects with most at risk, one line each.

use crate::finding::SubjectTotal;
use crate::report::ReportHead;
use crate::report::terminal::escape::visible_start;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::tables::TableColumn;
use crate::report::terminal::tables::add_table;
use crate::report::terminal::tables::sources::amount_columns;

/// Subjects shown at most, whatever `--top` allows.
const MOST_SUBJECTS: usize = 5;

/// Adds the subjects with most at risk, `top` at most. One alone is no table, and where each has
/// one extra record, and their amounts cannot be compared, none is worse hit than the others.
pub(in crate::report::terminal) fn subjects(
    screen: &mut Screen,
    report: &ReportHead<'_>,
    top: usize,
) {
    let summary = report.summary;
    let shown: Vec<&SubjectTotal> = summary
        .top_subjects
        .iter()
        .take(top.min(MOST_SUBJECTS))
        .collect();
    let is_ranked =
        summary.amounts.len() == 1 || shown.first().is_some_and(|worst| worst.extra_records > 1);
    if shown.is_empty() || !is_ranked || summary.subjects < 2 {
        return;
    }
    let length = grouped(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    let title = format!("TOP SUBJECTS ({length} of {})", grouped(summary.subjects));
    let width = screen.width();
    let cells = |cell: &dyn Fn(&SubjectTotal) -> String| -> Vec<String> {
        shown.iter().map(|total| cell(total)).collect()
    };
    let names = cells(&|total| visible_start(&total.subject, width));
    let mut columns = vec![
        TableColumn::text(title, names).shrinking_to(16),
        TableColumn::number("GROUPS", cells(&|total| grouped(total.groups))).dropped(1),
        TableColumn::number("EXTRA", cells(&|total| grouped(total.extra_records))),
    ];
    let amounts = shown.iter().map(|total| total.amounts.as_slice());
    columns.extend(amount_columns(report, &amounts.collect::<Vec<_>>()));
    screen.blank();
    add_table(screen, columns);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::Sample;
    use crate::report::sample::dollars;
    use crate::report::sample::sample;
    use crate::report::terminal::Style;

    fn shown(sample: &Sample, width: usize, top: usize) -> String {
        let mut screen = Screen::new(width, Style::Plain);
        subjects(&mut screen, &sample.head(), top);
        let mut output = Vec::new();
        screen.write_to(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn many() -> Sample {
        let mut sample = sample();
        let of = |(number, net): (u64, &str)| SubjectTotal {
            subject: format!("cus_{number:05}"),
            groups: number,
            extra_records: 1_000 * number,
            amounts: vec![dollars(net)],
        };
        let all = [(9, "1234.50"), (1, "57.75"), (2, "7.00")];
        sample.summary.top_subjects = all.into_iter().map(of).collect();
        sample.summary.subjects = 571;
        sample
    }

    #[test]
    fn the_worst_hit_are_named_with_what_is_left_at_risk() {
        let mut sample = many();
        sample.summary.top_subjects[0].amounts[0].net = "1000.00".to_owned();
        let expected = "
TOP SUBJECTS (2 of 571)  GROUPS  EXTRA       USD
cus_00009                     9  9,000  1,000.00
cus_00001                     1  1,000     57.75
";
        assert_eq!(shown(&sample, 80, 2), expected);
        assert_eq!(shown(&sample, 80, 20).lines().count(), 5);
        assert_eq!(shown(&sample, 80, 0), "");
    }

    #[test]
    fn subjects_that_cannot_be_ranked_are_not_shown() {
        let mut sample = many();
        sample.summary.amounts.clear();
        assert!(!shown(&sample, 80, 20).is_empty());
        for total in &mut sample.summary.top_subjects {
            total.extra_records = 1;
        }
        assert_eq!(shown(&sample, 80, 20), "");
    }

    #[test]
    fn one_subject_alone_is_no_table() {
        assert_eq!(shown(&sample(), 80, 20), "");
    }

    #[test]
    fn a_narrow_screen_keeps_name_and_extra_records() {
        let text = shown(&many(), 40, 1);
        assert_eq!(
            text,
            "\nTOP SUBJECTS (1 of 571)  GROUPS  EXTRA\ncus_00009                     9  9,000\n"
        );
    }
}
