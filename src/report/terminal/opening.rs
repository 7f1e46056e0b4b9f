//! The first lines: the verdict, the range, what is at risk, why and since when.

use std::cmp::Reverse;

use crate::finding::AmountTotal;
use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::Episode;
use crate::finding::TimeSpan;
use crate::report::ReportHead;
use crate::report::answer::{
    grouped_length, hidden_text, likeness_texts, range_text, short_field, uncompared_text,
    verdict_text,
};
use crate::report::terminal::causes;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::LABEL_WIDTH;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::counted;
use crate::report::terminal::numbers::duration;
use crate::report::terminal::numbers::formatted;
use crate::report::terminal::numbers::from_to;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::numbers::grouped_decimal;
use crate::report::terminal::numbers::is_same_day;
use crate::report::terminal::numbers::time_of_day;
use crate::report::terminal::sparkline::Buckets;

const MINUTE_MILLIS: i64 = 60_000;
/// Columns of the chart at most.
const CHART_COLUMNS: usize = 40;
/// Currencies whose sums are named at most; the reports name all.
const CURRENCIES_NAMED: usize = 5;

/// Adds the answer in one line.
pub(super) fn verdict(screen: &mut Screen, report: &ReportHead<'_>) {
    let (word, text) = verdict_text(report);
    screen.labelled(word, &text);
}

/// Adds what was looked at.
pub(super) fn range(screen: &mut Screen, report: &ReportHead<'_>) {
    let text = range_text(report);
    if !text.is_empty() {
        screen.labelled("RANGE", &text);
    }
    if let Some(hidden) = hidden_text(report.header) {
        screen.labelled("HIDDEN", hidden);
    }
    preset(screen, report.header);
}

/// Adds which preset was used, and what its fields are in this scan.
fn preset(screen: &mut Screen, header: &AuditHeader) {
    let Some(preset) = &header.preset else {
        return;
    };
    let by: Vec<String> = header.by.iter().map(|by| visible(by)).collect();
    // Room to break the line at, where one place follows another.
    let mut text = format!("{}: by {}", visible(preset), by.join(" + ")).replace("//", " // ");
    if let Some(filter) = &header.filter {
        text.push_str(", where ");
        text.push_str(&visible(filter));
    }
    if let Some(within) = header.within_millis {
        text.push_str(", within ");
        text.push_str(&duration(within));
    }
    screen.labelled("PRESET", &text);
}

/// Adds what the duplicates come to.
pub(super) fn findings(screen: &mut Screen, report: &ReportHead<'_>) {
    at_risk(screen, report);
    conflicts(screen, report);
    causes::why(screen, report);
    since(screen, report);
}

fn at_risk(screen: &mut Screen, report: &ReportHead<'_>) {
    let (header, summary) = (report.header, report.summary);
    let mut parts = Vec::new();
    if header.amount_field.is_some() {
        parts.push(amounts_text(&summary.amounts));
    }
    if let Some(subject) = &header.subject_field {
        let subjects = grouped(summary.subjects);
        parts.push(format!("{subjects} {}", short_field(subject)));
    }
    if let Some(reversals) = summary.reversals {
        let reversals = counted(reversals.in_groups, "reversal");
        parts.push(format!("net of {reversals}"));
    }
    if parts.is_empty() {
        return;
    }
    screen.labelled("AT RISK", &parts.join("; "));
    if header.amount_field.is_none() {
        return;
    }
    reversed(screen, summary);
    screen.below("if every extra record was charged; no payment ledger was compared");
    if header.amount_unit == "minor" {
        screen.below("read as minor units, such as cents, by each currency's ISO 4217 exponent");
    }
    let apart = |what: fn(&AmountTotal) -> &str| {
        let is_some = |total: &&AmountTotal| !is_zero(what(total));
        let totals: Vec<&AmountTotal> = summary.amounts.iter().filter(is_some).collect();
        sums_text(&totals, |total| money(total, what(total)))
    };
    let conflicting = apart(|total| &total.conflicting);
    if !conflicting.is_empty() {
        screen.below(&format!(
            "apart: {conflicting} in groups whose amount, currency or subject differ"
        ));
    }
    let copies = apart(|total| &total.copies);
    if !copies.is_empty() {
        screen.below(&format!("apart: {copies} in copies by design"));
    }
    if summary.amounts_unusable > 0 {
        let unusable = counted(summary.amounts_unusable, "extra record");
        screen.below(&format!("not counted: {unusable} without a usable amount"));
    }
}

/// Says what was taken back of what, and what nobody looked at.
fn reversed(screen: &mut Screen, summary: &AuditSummary) {
    if summary.reversals.is_none() {
        return;
    }
    let is_some = |total: &&AmountTotal| !is_zero(&total.reversed);
    let totals: Vec<&AmountTotal> = summary.amounts.iter().filter(is_some).collect();
    let text = sums_text(&totals, |total| {
        let extra = grouped_decimal(&total.extra);
        format!("{} of {extra}", money(total, &total.reversed))
    });
    if !text.is_empty() {
        screen.below(&format!("taken back by reversals: {text}"));
    }
    screen.below("only reversals among the records scanned count, extra records first");
}

fn amounts_text(amounts: &[AmountTotal]) -> String {
    if amounts.is_empty() {
        return "no usable amount".to_owned();
    }
    let is_hit = |total: &&AmountTotal| total.extra_records > 0;
    let mut totals: Vec<&AmountTotal> = amounts.iter().filter(is_hit).collect();
    if totals.is_empty() {
        totals = amounts.iter().collect();
    }
    sums_text(&totals, |total| {
        let sum = money(total, &total.net);
        format!("{sum} ({} extra)", grouped(total.extra_records))
    })
}

/// Names the sums in the currencies of most extra records, the most first, and how many more
/// there are.
fn sums_text(totals: &[&AmountTotal], text: impl Fn(&AmountTotal) -> String) -> String {
    let mut shown: Vec<&&AmountTotal> = totals.iter().collect();
    shown.sort_by_key(|total| Reverse(total.extra_records));
    shown.truncate(CURRENCIES_NAMED);
    let left = totals.len() - shown.len();
    let mut parts: Vec<String> = shown.iter().map(|total| text(total)).collect();
    if left > 0 {
        let noun = if left == 1 { "currency" } else { "currencies" };
        parts.push(format!("{} more {noun}", grouped_length(left)));
    }
    parts.join(" and ")
}

fn is_zero(sum: &str) -> bool {
    !sum.bytes().any(|digit| (b'1'..=b'9').contains(&digit))
}

fn money(total: &AmountTotal, sum: &str) -> String {
    match &total.currency {
        Some(currency) => format!("{} {}", visible(currency), grouped_decimal(sum)),
        None => grouped_decimal(sum),
    }
}

fn conflicts(screen: &mut Screen, report: &ReportHead<'_>) {
    let summary = report.summary;
    let (identical, differ) = likeness_texts(report);
    let uncompared = uncompared_text(summary);
    let mut text = match summary.conflicting_groups {
        0 if uncompared.is_none() => format!("0: all copies {identical}"),
        0 => "0 known".to_owned(),
        conflicting => format!(
            "{} of {}: their copies {differ}",
            grouped(conflicting),
            counted(summary.groups, "group")
        ),
    };
    if let Some(uncompared) = uncompared {
        text.push_str("; ");
        text.push_str(&uncompared);
    }
    screen.labelled("CONFLICTS", &text);
}

fn since(screen: &mut Screen, report: &ReportHead<'_>) {
    let Some(extra) = report.summary.extra_span else {
        return;
    };
    let range = shown_range(report, extra);
    let span = if is_same_day(range.first_millis, range.last_millis) {
        let (first, last) = (extra.first_millis, extra.last_millis);
        format!("{} to {} UTC", time_of_day(first), time_of_day(last))
    } else {
        from_to(extra.first_millis, extra.last_millis)
    };
    let quiet = range.last_millis.saturating_sub(extra.last_millis);
    let end = end_text(quiet / MINUTE_MILLIS * MINUTE_MILLIS, report.episodes);
    screen.labelled("SINCE", &format!("{span}{end}"));
    chart(screen, report.summary, range);
}

/// Says whether it is over; a partition may end, in the midst of an episode, long before the range.
fn end_text(quiet_millis: i64, episodes: &[Episode]) -> String {
    let mut ongoing = episodes.iter().filter(|episode| episode.is_ongoing);
    let quiet = duration(quiet_millis);
    match (quiet_millis > 0, ongoing.next(), ongoing.count()) {
        (false, None, _) => String::new(),
        (true, None, _) => format!("; none in the last {quiet} of the range"),
        (false, Some(_), _) => "; still going on at the end of the range".to_owned(),
        (true, Some(first), more) => {
            let which = match more {
                0 => format!("episode {} was", first.id),
                more => format!("{} episodes were", grouped_length(more + 1)),
            };
            format!(
                "; none in the last {quiet} of the range, but {which} still going on at the end \
                 of what was read"
            )
        }
    }
}

/// Returns the range asked for as far as it is past, or where an end is open that of the
/// records, with all extras.
fn shown_range(report: &ReportHead<'_>, extra: TimeSpan) -> TimeSpan {
    let audited = report.summary.audited_span.unwrap_or(extra);
    let first = report.header.from_millis.unwrap_or(audited.first_millis);
    let past = audited.last_millis.max(report.header.started_at_millis);
    let asked = report.header.to_millis.map(|to| to.min(past));
    let last = asked.unwrap_or(audited.last_millis);
    TimeSpan {
        first_millis: first.min(extra.first_millis),
        last_millis: last.max(extra.last_millis),
    }
}

fn chart(screen: &mut Screen, summary: &AuditSummary, range: TimeSpan) {
    let (format, label_width) = if is_same_day(range.first_millis, range.last_millis) {
        ("%H:%M", 5)
    } else {
        ("%m-%d %H:%M", 11)
    };
    let before = LABEL_WIDTH.max(label_width + 4);
    let room = screen.width().saturating_sub(before + 1 + label_width);
    let first = range.first_millis.div_euclid(MINUTE_MILLIS);
    let last = range
        .last_millis
        .saturating_sub(1)
        .div_euclid(MINUTE_MILLIS);
    let columns = room.min(CHART_COLUMNS);
    let buckets = Buckets::new(&summary.timeline, first, last, columns);
    if buckets.counts.len() < 3 || buckets.peak() == 0 {
        return;
    }
    let length = i64::try_from(buckets.counts.len()).unwrap_or_default();
    let end = buckets
        .minutes
        .saturating_mul(length)
        .saturating_add(buckets.start_minute);
    let label = |minute: i64| formatted(minute.saturating_mul(MINUTE_MILLIS), format);
    let start = format!("   {}", label(buckets.start_minute));
    let line = format!("{start:before$}{} {}", buckets.line(), label(end));
    let each = match buckets.minutes {
        1 => "minute".to_owned(),
        minutes => duration(minutes.saturating_mul(MINUTE_MILLIS)),
    };
    let caption = format!("extra per {each}, peak {}", grouped(buckets.peak()));
    let is_one_line = line.chars().count() + 3 + caption.chars().count() <= screen.width();
    if is_one_line {
        screen.line(&format!("{line}   {caption}"));
    } else {
        screen.line(&line);
        screen.below(&caption);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(currency: &str, extra_records: u64) -> AmountTotal {
        crate::report::sample::total(Some(currency), "1.50", extra_records)
    }

    #[test]
    fn the_currencies_of_most_extra_records_are_named() {
        let mut totals = vec![total("EUR", 1), total("USD", 2)];
        let both = "USD 1.50 (2 extra) and EUR 1.50 (1 extra)";
        assert_eq!(amounts_text(&totals), both);
        totals.extend(["AAA", "BBB", "CCC"].map(|currency| total(currency, 9)));
        assert!(!amounts_text(&totals).contains("more"));
        totals.push(total("DDD", 9));
        let text = amounts_text(&totals);
        assert!(!text.contains("EUR") && text.contains("USD"), "{text}");
        assert!(
            text.ends_with("USD 1.50 (2 extra) and 1 more currency"),
            "{text}"
        );
    }

    #[test]
    fn currencies_without_anything_at_risk_are_left_out_beside_others() {
        let nothing = AmountTotal {
            net: "0.00".to_owned(),
            ..total("USD", 0)
        };
        let totals = [nothing.clone(), total("EUR", 1)];
        assert_eq!(amounts_text(&totals), "EUR 1.50 (1 extra)");
        assert_eq!(amounts_text(&[nothing]), "USD 0.00 (0 extra)");
    }
}
