//! Pictures over time: extra records by cause as stacked bars, by partition as a heat map.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::finding::AuditSummary;
use crate::finding::Cause;
use crate::record::TopicPartition;
use crate::report::html::axis::{Axis, tenths};
use crate::report::html::view::short;
use crate::report::terminal::numbers::{counted, grouped};

/// Height of the bars, in tenths.
const BARS_HEIGHT: u128 = 2_000;

/// Rows of the heat map at most.
const HEAT_ROWS_MAX: usize = 24;

/// Shades of the heat map.
const SHADES: u128 = 5;

/// A rectangle of a picture.
#[derive(Debug, Serialize)]
pub(super) struct Shape {
    x: String,
    y: String,
    width: String,
    height: String,
    class: String,
    title: String,
}

/// One line of a picture told as a table.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    time: String,
    of: String,
    extra_records: String,
}

/// Extra records over time.
#[derive(Debug, Serialize)]
pub(super) struct BarsView {
    bars: Vec<Shape>,
    ticks: Vec<String>,
    peak: String,
    step: String,
    legend: Vec<&'static str>,
    summary: String,
    told: Vec<Told>,
}

/// Extra records of one partition over time.
#[derive(Debug, Serialize)]
struct HeatRow {
    place: String,
    extra_records: String,
    cells: Vec<Shape>,
}

/// Extra records of partitions over time.
#[derive(Debug, Serialize)]
pub(super) struct HeatView {
    rows: Vec<HeatRow>,
    ticks: Vec<String>,
    peak: String,
    step: String,
    summary: String,
    more: usize,
}

/// Returns the bars; nothing without extra records that have a time.
pub(super) fn bars(summary: &AuditSummary) -> Option<BarsView> {
    let axis = Axis::new(summary)?;
    let counts = axis.counts(&summary.causes_over_time);
    let mut sums: BTreeMap<i64, u64> = BTreeMap::new();
    for (second, _, count) in counts.counts() {
        let sum = sums.entry(second).or_default();
        *sum = sum.saturating_add(count);
    }
    let peak = sums.values().copied().max()?;
    let mut tops: BTreeMap<i64, u128> = BTreeMap::new();
    let mut bars = Vec::new();
    let mut told = Vec::new();
    for (second, cause, count) in counts.counts() {
        let top = tops.entry(second).or_default();
        let below = *top * BARS_HEIGHT / u128::from(peak.max(1));
        *top += u128::from(count);
        let above = *top * BARS_HEIGHT / u128::from(peak.max(1));
        let time = axis.time(second);
        bars.push(bar(
            axis.place(second),
            (below, above),
            *cause,
            &time,
            count,
        ));
        told.push(Told {
            time,
            of: cause.code().to_owned(),
            extra_records: grouped(count),
        });
    }
    let at_peak = sums.iter().find(|(_, sum)| **sum == peak);
    let at_peak = at_peak
        .map(|(second, _)| axis.time(*second))
        .unwrap_or_default();
    let causes = summary.causes.iter().map(|total| total.cause.code());
    Some(BarsView {
        summary: format!(
            "Extra records per {} by cause: {} at most, at {at_peak} UTC",
            axis.step_text(),
            grouped(peak)
        ),
        bars,
        ticks: axis.ticks(),
        peak: grouped(peak),
        step: axis.step_text(),
        legend: causes.collect(),
        told,
    })
}

fn bar(
    (left, width): (i64, i64),
    (below, above): (u128, u128),
    cause: Cause,
    time: &str,
    count: u64,
) -> Shape {
    let height = |tall: u128| i64::try_from(tall).unwrap_or_default();
    // Something is seen wherever something is.
    let tall = height(above - below).max(15);
    Shape {
        x: tenths(left + width / 20),
        y: tenths((height(BARS_HEIGHT) - height(below) - tall).max(0)),
        width: tenths(width - width / 10),
        height: tenths(tall),
        class: format!("c-{}", cause.code()),
        title: format!(
            "{time}: {} by {}",
            counted(count, "extra record"),
            cause.code()
        ),
    }
}

/// Returns the heat map; nothing where no extra record has a partition and a time.
pub(super) fn heat(summary: &AuditSummary) -> Option<HeatView> {
    let axis = Axis::new(summary)?;
    let counts = axis.counts(&summary.partitions_over_time);
    let peak = counts.counts().map(|(.., count)| count).max()?;
    let mut rows: BTreeMap<&TopicPartition, (u64, Vec<Shape>)> = BTreeMap::new();
    for (second, place, count) in counts.counts() {
        let row = rows.entry(place).or_default();
        row.0 = row.0.saturating_add(count);
        row.1.push(cell(&axis, second, count, peak));
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, (sum, _))| std::cmp::Reverse(*sum));
    rows.truncate(HEAT_ROWS_MAX);
    rows.sort_by(|left, right| left.0.cmp(right.0));
    let shown = rows.len();
    Some(HeatView {
        summary: format!(
            "Extra records over time in {}: at most {} per {}",
            counted(u64::try_from(shown).unwrap_or(u64::MAX), "partition"),
            grouped(peak),
            axis.step_text()
        ),
        rows: rows.into_iter().map(heat_row).collect(),
        ticks: axis.ticks(),
        peak: grouped(peak),
        step: axis.step_text(),
        more: summary.partitions.len().saturating_sub(shown),
    })
}

fn heat_row((place, (sum, cells)): (&TopicPartition, (u64, Vec<Shape>))) -> HeatRow {
    HeatRow {
        place: short(&place.to_string()),
        extra_records: grouped(sum),
        cells,
    }
}

fn cell(axis: &Axis, second: i64, count: u64, peak: u64) -> Shape {
    let (left, width) = axis.place(second);
    // By the square root, so that a peak leaves shades for the rest.
    let part = u128::from(count) * SHADES * SHADES;
    let shade = part
        .div_ceil(u128::from(peak.max(1)))
        .isqrt()
        .clamp(1, SHADES);
    Shape {
        x: tenths(left),
        y: "0".to_owned(),
        width: tenths(width),
        height: "20".to_owned(),
        class: format!("heat-{shade}"),
        title: format!("{}: {}", axis.time(second), counted(count, "extra record")),
    }
}
