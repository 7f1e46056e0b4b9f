//! What is new, what was known, and what is gone.

use std::fmt::Write;

use crate::finding::AmountAtRisk;
use crate::finding::AuditSummary;
use crate::finding::StandingTotal;
use crate::finding::ThresholdTotal;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::numbers::counted;
use crate::report::terminal::numbers::grouped;
use crate::report::terminal::numbers::grouped_decimal;

/// Currencies and reasons that are named at most; the JSON report names all.
const NAMED: usize = 5;

/// Adds what is new, where something is asked that could have known a group, and what the
/// thresholds came to.
pub(super) fn new_and_known(screen: &mut Screen, summary: &AuditSummary) {
    if let Some(standing) = &summary.standing {
        new(screen, standing);
    }
    if let Some(thresholds) = &summary.thresholds {
        let texts: Vec<String> = thresholds.iter().map(threshold_text).collect();
        screen.labelled("FAIL AT", &texts.join("; "));
    }
}

fn threshold_text(total: &ThresholdTotal) -> String {
    let reached = if total.is_reached { "reached" } else { "below" };
    format!("{}: {reached}, {}", visible(&total.threshold), total.found)
}

fn new(screen: &mut Screen, standing: &StandingTotal) {
    let mut parts = vec![new_text(standing)];
    parts.push(known_text(standing));
    match standing.gone_groups {
        None | Some(0) => {}
        Some(1) => parts.push("1 accepted group is gone".to_owned()),
        Some(gone) => parts.push(format!("{} accepted groups are gone", grouped(gone))),
    }
    screen.labelled("NEW", &parts.join("; "));
}

fn new_text(standing: &StandingTotal) -> String {
    if standing.new_groups == 0 {
        return "nothing".to_owned();
    }
    let groups = counted(standing.new_groups, "group");
    let extra = grouped(standing.new_extra_records);
    let mut text = format!("{groups}, {extra} extra");
    for amount in standing.new_amounts.iter().take(NAMED) {
        text.push_str(", ");
        text.push_str(&money(amount));
    }
    text
}

fn money(amount: &AmountAtRisk) -> String {
    let net = grouped_decimal(&amount.net);
    match &amount.currency {
        Some(currency) => format!("{} {net}", visible(currency)),
        None => net,
    }
}

fn known_text(standing: &StandingTotal) -> String {
    let groups = counted(standing.known_groups, "group");
    let mut text = format!("known: {groups}");
    let named = standing.known_by.iter().take(NAMED);
    let reasons: Vec<String> = named
        .map(|known| format!("{} {}", visible(&known.by), grouped(known.extra_records)))
        .collect();
    if !reasons.is_empty() {
        let extra = grouped(standing.known_extra_records);
        let _ = write!(text, ", {extra} extra ({})", reasons.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::KnownTotal;
    use crate::report::sample::dollars;
    use crate::report::sample::sample;
    use crate::report::terminal::{TerminalOptions, TerminalReport};

    fn line(standing: Option<StandingTotal>) -> Option<String> {
        let mut sample = sample();
        sample.summary.standing = standing;
        let mut output = Vec::new();
        let options = TerminalOptions {
            width: 200,
            ..TerminalOptions::default()
        };
        sample.write(&mut TerminalReport::new(&mut output, options));
        let text = String::from_utf8(output).unwrap();
        let second = text.lines().nth(1).unwrap();
        second.starts_with("NEW ").then(|| second.to_owned())
    }

    #[test]
    fn the_second_line_says_what_is_new() {
        let known = |by: &str, extra_records| KnownTotal {
            by: by.to_owned(),
            groups: 1,
            extra_records,
        };
        let standing = StandingTotal {
            new_groups: 2,
            new_extra_records: 1_003,
            new_amounts: vec![dollars("1057.75")],
            known_groups: 1,
            known_extra_records: 5,
            known_by: vec![known("baseline", 4), known("dead-letter", 1)],
            gone_groups: Some(3),
        };
        assert_eq!(
            line(Some(standing)).unwrap(),
            "NEW         2 groups, 1,003 extra, USD 1,057.75; known: 1 group, 5 extra (baseline 4, \
             dead-letter 1); 3 accepted groups are gone"
        );
        assert_eq!(
            line(Some(StandingTotal::default())).unwrap(),
            "NEW         nothing; known: 0 groups"
        );
        assert_eq!(line(None), None);
    }
}
