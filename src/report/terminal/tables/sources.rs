//! Tables of the sources: topic partitions with their extra records, and files.

use std::cmp::Reverse;

use crate::finding::AmountAtRisk;
use crate::finding::PartitionTotal;
use crate::report::ReportHead;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::numbers::grouped_decimal;
use crate::report::terminal::tables::TableColumn;
use crate::report::terminal::tables::add_table;

/// Partitions or files shown at most.
const MOST_LINES: usize = 20;
/// Columns of currencies at most.
const MOST_CURRENCIES: usize = 3;

/// Adds the partitions that extra records lie in, those with most where there are too many.
pub(in crate::report::terminal) fn partitions(screen: &mut Screen, report: &ReportHead<'_>) {
    let totals = most_affected(&report.summary.partitions);
    if totals.is_empty() {
        return;
    }
    let name = |total: &PartitionTotal| visible(&total.topic_partition.to_string());
    let cells = |cell: &dyn Fn(&PartitionTotal) -> String| -> Vec<String> {
        totals.iter().map(|total| cell(total)).collect()
    };
    let mut columns = vec![
        TableColumn::text("PARTITION", cells(&name)).shrinking_to(12),
        TableColumn::number("EPISODES", cells(&|total| grouped(total.episodes))).dropped(2),
        TableColumn::number("GROUPS", cells(&|total| grouped(total.groups))).dropped(1),
        TableColumn::number("EXTRA", cells(&|total| grouped(total.extra_records))),
    ];
    let amounts = totals.iter().map(|total| total.amounts.as_slice());
    columns.extend(amount_columns(report, &amounts.collect::<Vec<_>>()));
    let offsets = |total: &PartitionTotal| {
        let mut read = report.coverage.partitions.iter();
        let read = read.find(|read| read.topic_partition == total.topic_partition);
        let text = read.map(|read| format!("[{}, {})", read.start_offset, read.next_offset));
        text.unwrap_or_default()
    };
    columns.push(TableColumn::text("OFFSETS READ", cells(&offsets)).dropped(3));
    screen.blank();
    add_table(screen, columns);
    left_out(
        screen,
        report.summary.partitions.len(),
        "partitions with extra records",
    );
}

/// Returns a column of what is at risk for each of the main currencies.
pub(super) fn amount_columns(
    report: &ReportHead<'_>,
    rows: &[&[AmountAtRisk]],
) -> Vec<TableColumn> {
    let column = |(rank, currency): (u8, Option<&str>)| {
        let cell = |amounts: &&[AmountAtRisk]| {
            let is_of = |amount: &&AmountAtRisk| amount.currency.as_deref() == currency;
            let net = amounts.iter().find(is_of);
            net.map(|amount| grouped_decimal(&amount.net))
                .unwrap_or_default()
        };
        let title = currency.map_or_else(|| "AMOUNT".to_owned(), visible);
        TableColumn::number(title, rows.iter().map(cell).collect()).dropped(rank)
    };
    (4..).zip(main_currencies(report)).map(column).collect()
}

/// Returns the partitions to show, in their order.
fn most_affected(totals: &[PartitionTotal]) -> Vec<&PartitionTotal> {
    let mut shown: Vec<&PartitionTotal> = totals.iter().collect();
    if shown.len() > MOST_LINES {
        shown.sort_by_key(|total| Reverse(total.extra_records));
        shown.truncate(MOST_LINES);
        shown.sort_by(|a, b| a.topic_partition.cmp(&b.topic_partition));
    }
    shown
}

/// Returns the currencies of most extra records, the most first.
fn main_currencies<'a>(report: &ReportHead<'a>) -> Vec<Option<&'a str>> {
    let amounts = &report.summary.amounts;
    let mut by_extra: Vec<usize> = (0..amounts.len()).collect();
    by_extra.sort_by_key(|&at| Reverse(amounts.get(at).map(|total| total.extra_records)));
    by_extra.truncate(MOST_CURRENCIES);
    let shown = by_extra.into_iter().filter_map(|at| amounts.get(at));
    shown.map(|total| total.currency.as_deref()).collect()
}

/// Adds the files with what was found in them.
pub(in crate::report::terminal) fn files(screen: &mut Screen, report: &ReportHead<'_>) {
    let files = &report.coverage.files;
    if files.is_empty() {
        return;
    }
    let shown = files.iter().take(MOST_LINES);
    let path = shown.clone().map(|file| visible(&file.path)).collect();
    let format = shown.clone().map(|file| visible(&file.format)).collect();
    let records = shown
        .clone()
        .map(|file| grouped(file.records_read))
        .collect();
    let bytes = shown.map(|file| grouped(file.bytes)).collect();
    screen.blank();
    add_table(
        screen,
        vec![
            TableColumn::text("FILE", path).shrinking_to(12),
            TableColumn::text("FORMAT", format)
                .shrinking_to(6)
                .dropped(1),
            TableColumn::number("RECORDS", records),
            TableColumn::number("BYTES", bytes).dropped(2),
        ],
    );
    left_out(screen, files.len(), "files");
}

fn left_out(screen: &mut Screen, length: usize, what: &str) {
    let left = length.saturating_sub(MOST_LINES);
    if left > 0 {
        let left = grouped(u64::try_from(left).unwrap_or(u64::MAX));
        screen.line(&format!("… and {left} more {what}"));
    }
}
