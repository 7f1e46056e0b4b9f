//! The Markdown report: totals, episodes and the largest groups in one screen of a pull request or
//! an incident channel.

use std::fmt::Write as _;
use std::io;
use std::io::Write;

use crate::finding::AmountAtRisk;
use crate::finding::AuditSummary;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::ReportedRecord;
use crate::report::ReportHead;
use crate::report::ReportWriter;
use crate::report::answer::{
    by_label, hidden_text, likeness_texts, range_text, short_field, uncompared_text, verdict_text,
};
use crate::report::terminal::coverage_lines::{missing_texts, read_parts};
use crate::report::terminal::escape::visible_start;
use crate::report::terminal::numbers::{counted, date_and_time, grouped, grouped_decimal};

/// Groups in the report, the largest.
const GROUPS_MAX: u64 = 10;
/// Episodes in the report, the worst.
const EPISODES_MAX: usize = 8;
/// Lines of any list.
const LINES_MAX: usize = 4;
/// Places of one group that are named.
const PLACES_MAX: usize = 3;
/// Currencies that are named.
const CURRENCIES_MAX: usize = 3;
/// Characters of a sentence.
const SENTENCE_CHARACTERS: usize = 300;

/// Writes the Markdown report; sixty lines at most.
pub struct MarkdownReport<W> {
    output: W,
    key: String,
    groups: u64,
}

impl<W: Write> MarkdownReport<W> {
    /// Returns the writer.
    pub fn new(output: W) -> Self {
        Self {
            output,
            key: String::new(),
            groups: 0,
        }
    }
}

impl<W: Write> ReportWriter for MarkdownReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        self.key = code(&by_label(report.header));
        let mut text = String::new();
        opening(&mut text, report);
        at_risk(&mut text, report);
        causes(&mut text, &report.summary.causes);
        episodes(&mut text, report.episodes);
        self.output.write_all(text.as_bytes())
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.groups += 1;
        if self.groups == 1 {
            let key = &self.key;
            writeln!(
                self.output,
                "\n### Largest groups\n\n| {key} | Extra | Cause | First, UTC | Where | At risk |\n\
                 |---|---:|---|---|---|---:|"
            )?;
        }
        if self.groups > GROUPS_MAX {
            return Ok(());
        }
        self.output.write_all(group_line(group)?.as_bytes())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.groups > GROUPS_MAX {
            let more = counted(self.groups - GROUPS_MAX, "smaller group");
            writeln!(
                self.output,
                "\n{more} in `-o groups.csv` or `-o report.json`."
            )?;
        }
        self.output.flush()
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn opening(text: &mut String, report: &ReportHead<'_>) {
    let summary = report.summary;
    let (word, headline) = verdict_text(report);
    push(text, &format!("## {word}: {}\n", sentence(&headline)));
    let coverage = if summary.complete {
        "Coverage is complete."
    } else {
        "Coverage is INCOMPLETE."
    };
    let undecodable = grouped(summary.skipped.undecodable);
    let missing_key = grouped(summary.skipped.missing_key);
    let read = sentence(&read_parts(report));
    let line =
        format!("**{coverage}** {read}; {undecodable} undecodable, {missing_key} without key");
    push(text, &line);
    let range = range_text(report);
    if !range.is_empty() {
        push(text, &format!("<br>{}", sentence(&range)));
    }
    if let Some(hidden) = hidden_text(report.header) {
        push(text, &format!("<br>Here {hidden}."));
    }
    if !summary.complete {
        push(text, "");
        for reason in summary.incomplete_reasons.iter().take(LINES_MAX) {
            push(text, &format!("- {}", sentence(reason)));
        }
        for missing in missing_texts(report.coverage, LINES_MAX).0 {
            push(text, &format!("- {}", sentence(&missing)));
        }
    }
    if !summary.warnings.is_empty() {
        push(text, "");
    }
    for warning in summary.warnings.iter().take(LINES_MAX) {
        push(text, &format!("- warning: {}", sentence(warning)));
    }
}

fn at_risk(text: &mut String, report: &ReportHead<'_>) {
    let (header, summary) = (report.header, report.summary);
    if summary.groups == 0 {
        return;
    }
    push(text, "");
    if header.amount_field.is_some() {
        let amounts = amounts_of(summary);
        push(
            text,
            &format!("**At risk: {amounts}**, if every extra record was charged."),
        );
    }
    let mut facts = Vec::new();
    match (summary.conflicting_groups, uncompared_text(summary)) {
        (0, None) => facts.push(format!("All copies are {}.", likeness_texts(report).0)),
        (0, Some(uncompared)) => facts.push(format!("Of conflicts: {uncompared}.")),
        (count, uncompared) => {
            let count = counted(count, "group");
            let uncompared = uncompared.map_or(String::new(), |text| format!("; {text}"));
            facts.push(format!("{count} with copies that differ{uncompared}."));
        }
    }
    if let Some(field) = &header.subject_field {
        let subjects = grouped(summary.subjects);
        facts.insert(
            0,
            format!("{subjects} {} hit.", sentence(&short_field(field))),
        );
    }
    push(text, &facts.join(" "));
}

fn amounts_of(summary: &AuditSummary) -> String {
    let one = |total: &crate::finding::AmountTotal| {
        let sum = money(total.currency.as_deref(), &total.net);
        format!("{sum} ({} extra)", grouped(total.extra_records))
    };
    let shown = summary.amounts.iter().take(CURRENCIES_MAX);
    listed(shown.map(one).collect(), summary.amounts.len())
}

fn causes(text: &mut String, causes: &[CauseTotal]) {
    if causes.is_empty() {
        return;
    }
    push(text, "");
    for total in causes.iter().take(LINES_MAX) {
        let confidences = total.confidences.iter().filter_map(|(confidence, count)| {
            let confidence = confidence.map(Confidence::code)?;
            Some(format!("{confidence} {}", grouped(*count)))
        });
        let confidences: Vec<String> = confidences.collect();
        let sure = if confidences.is_empty() {
            String::new()
        } else {
            format!(" ({})", confidences.join(", "))
        };
        let extra = counted(total.extra_records, "extra record");
        let advice = sentence(total.cause.advice().text);
        let code = total.cause.code();
        push(
            text,
            &format!("- **{code}**: {extra}{sure}. Stop it: {advice}"),
        );
    }
}

fn episodes(text: &mut String, episodes: &[Episode]) {
    if episodes.is_empty() {
        return;
    }
    push(text, "\n### Worst episodes\n");
    push(
        text,
        "| | Cause | When, UTC | Where | Originals | Extra | Records | At risk |",
    );
    push(text, "|---:|---|---|---|---|---|---:|---:|");
    for episode in episodes.iter().take(EPISODES_MAX) {
        let place = place(episode.topic.as_deref(), episode.partition);
        let offsets = |range: &Option<std::ops::Range<i64>>| {
            let text = range.as_ref();
            text.map_or_else(dash, |of| format!("\\[{}, {})", of.start, of.end))
        };
        let line = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            episode.id,
            episode.cause.code(),
            time(episode.first_timestamp_millis),
            place.as_deref().map_or_else(dash, code),
            offsets(&episode.original_offsets),
            offsets(&episode.extra_offsets),
            grouped(episode.extra_records),
            amounts_line(&episode.amounts),
        );
        push(text, &line);
    }
    if episodes.len() > EPISODES_MAX {
        let more = u64::try_from(episodes.len() - EPISODES_MAX).unwrap_or(u64::MAX);
        push(text, &format!("\n{}.", counted(more, "smaller episode")));
    }
}

fn group_line(group: &DuplicateGroup) -> io::Result<String> {
    let mut places = Vec::new();
    for record in group.records.walk().take(PLACES_MAX) {
        places.push(code(&place_of(&record?)));
    }
    let length = usize::try_from(group.count).unwrap_or(usize::MAX);
    let key: Vec<&str> = group.key.iter().map(|(_, text)| text.plain()).collect();
    let amount = group.amount.as_ref();
    let mut line = String::new();
    writeln!(
        line,
        "| {} | {} | {} | {} | {} | {} |",
        code(&key.join(" · ")),
        grouped(group.extra),
        group.cause.code(),
        time(group.first_timestamp_millis),
        listed(places, length),
        amount.map_or_else(dash, |amount| money(
            amount.currency.as_deref(),
            &amount.net
        )),
    )
    .map_err(io::Error::other)?;
    Ok(line)
}

fn place_of(record: &ReportedRecord) -> String {
    let place = place(record.topic.as_deref(), record.partition);
    match (place, record.offset, &record.file, record.line) {
        (Some(place), Some(offset), ..) => format!("{place}@{offset}"),
        (_, _, Some(file), Some(line)) => format!("{file}:{line}"),
        (_, _, Some(file), None) => file.clone(),
        (place, ..) => place.unwrap_or_default(),
    }
}

fn place(topic: Option<&str>, partition: Option<i32>) -> Option<String> {
    Some(match partition {
        Some(partition) => format!("{}-{partition}", topic?),
        None => topic?.to_owned(),
    })
}

fn amounts_line(amounts: &[AmountAtRisk]) -> String {
    let one = |amount: &AmountAtRisk| money(amount.currency.as_deref(), &amount.net);
    let shown = amounts.iter().take(CURRENCIES_MAX).map(one).collect();
    listed(shown, amounts.len())
}

fn listed(mut shown: Vec<String>, length: usize) -> String {
    if shown.is_empty() {
        return dash();
    }
    if length > shown.len() {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

fn money(currency: Option<&str>, sum: &str) -> String {
    let sum = sentence(&grouped_decimal(sum));
    match currency {
        Some(currency) => format!("{} {sum}", sentence(currency)),
        None => sum,
    }
}

fn time(millis: Option<i64>) -> String {
    millis.map_or_else(dash, |millis| sentence(&date_and_time(millis)))
}

fn dash() -> String {
    "—".to_owned()
}

/// Returns a sentence that may hold foreign text: nothing in it is Markdown, HTML, a link or a
/// mention.
fn sentence(text: &str) -> String {
    let text = visible_start(text, SENTENCE_CHARACTERS);
    // What readers make links of after all escapes are gone, they leave alone as code.
    let is_link = |text: &str| text.contains(['@', '#']) || text.contains("://");
    if is_link(&text) || text.to_ascii_lowercase().contains("www.") {
        return code(&text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_{}[]<>|!~&$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Returns foreign text as code: as it is where that is safe, else as HTML with all signs as
/// entities, since a table takes a bar for its own even within code.
fn code(text: &str) -> String {
    let text = visible_start(text, SENTENCE_CHARACTERS);
    if text.trim().is_empty() {
        return dash();
    }
    let is_plain = |character: char| !character.is_ascii_punctuation() || is_harmless(character);
    if text.chars().all(is_plain) && text.trim() == text {
        return format!("`{text}`");
    }
    let mut escaped = String::from("<code>");
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            let entity = write!(escaped, "&#{};", u32::from(character));
            entity.expect("a String takes all text");
        } else {
            escaped.push(character);
        }
    }
    escaped.push_str("</code>");
    escaped
}

fn is_harmless(character: char) -> bool {
    "_-.,:;/+=@#()[]'\"%".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::KeyText;
    use crate::report::sample::group;
    use crate::report::sample::record;
    use crate::report::sample::sample;

    fn written(sample: &crate::report::sample::Sample) -> String {
        let mut output = Vec::new();
        sample.write(&mut MarkdownReport::new(&mut output));
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_report_says_what_how_sure_how_much_why_and_where() {
        let text = written(&sample());
        for said in [
            "## DUPLICATES: 2 of 5,997 charge\\_id came more than once: 3 extra records",
            "**Coverage is complete.** 6,000 of 6,000 offsets",
            "**At risk: USD 57.75 (3 extra)**",
            "- **producer-retry**: 3 extra records (certain 2, strong 1).",
            "| 1 | producer-retry | 2026-01-15 02:41:07 | `charges-1` | \\[88610, 88646) |",
            "| `ch_004127` | 2 | producer-retry | 2026-01-15 02:41:07 | `charges-1@88641`,",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
    }

    #[test]
    fn whatever_was_found_sixty_lines_say_it() {
        let mut sample = sample();
        sample.summary.complete = false;
        sample.summary.incomplete_reasons = vec!["one\ntwo".to_owned(); 50];
        sample.summary.warnings = vec!["a\r\nb".to_owned(); 50];
        sample.summary.causes = vec![sample.summary.causes[0].clone(); 7];
        sample.episodes = vec![sample.episodes[0].clone(); 100];
        let groups = (0..100).map(|number| {
            let records = vec![
                record(1, number, 0),
                record(2, number, 0),
                record(3, number, 0),
            ];
            group(KeyText::Text("a\nb|c".to_owned()), records)
        });
        sample.groups = groups.collect();
        let text = written(&sample);
        assert!(
            text.lines().count() <= 60,
            "{}\n{text}",
            text.lines().count()
        );
        assert!(text.contains("90 smaller groups in `-o groups.csv`"));
    }

    #[test]
    fn foreign_text_is_text() {
        assert_eq!(code("ch_1"), "`ch_1`");
        assert_eq!(code("a|b"), "<code>a&#124;b</code>");
        assert_eq!(code("`<b>"), "<code>&#96;&#60;b&#62;</code>");
        assert_eq!(code(" "), "—");
        assert_eq!(sentence("*_x_* <b>"), "\\*\\_x\\_\\* \\<b\\>");
        assert_eq!(sentence("ask @all"), "`ask @all`");
        assert_eq!(
            sentence("at https://x.y/|"),
            "<code>at https&#58;&#47;&#47;x&#46;y&#47;&#124;</code>"
        );
    }
}
