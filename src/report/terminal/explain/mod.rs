//! One group explained: its copies side by side, the causes, and how to see each copy.

mod cells;
mod grid;

use std::io;
use std::io::Write;

use crate::record::{BatchStamp, TimestampType};
use crate::report::terminal::escape::{visible, visible_start};
use crate::report::terminal::explain::grid::add_grid;
use crate::report::terminal::layout::{LABEL_WIDTH, Screen, wrap};
use crate::report::terminal::numbers::{counted, grouped, grouped_decimal};
use crate::report::terminal::{LEAST_WIDTH, TerminalOptions};

/// Characters of a group's id that tell it from all others on a screen.
const ID_CHARACTERS: usize = 10;

/// Characters of one value; what is longer is for programs.
const VALUE_CHARACTERS: usize = 20_000;

/// A group as it is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainedGroup {
    /// Its id.
    pub id: String,
    /// The dedup key: field paths with their values.
    pub key: Vec<(String, String)>,
    /// Occurrences.
    pub count: u64,
    /// Occurrences but the original.
    pub extra: u64,
    /// What is at risk: its currency, and a plain decimal.
    pub amount: Option<(Option<String>, String)>,
    /// Who is hit.
    pub subject: Option<String>,
    /// Field paths whose values differ; each copy has its own.
    pub differing_fields: Vec<String>,
    /// The copies that are shown, the original first.
    pub copies: Vec<ExplainedCopy>,
    /// Why the extras exist.
    pub causes: Vec<ExplainedCause>,
    /// What the copies follow, where a message store says.
    pub inputs: Vec<String>,
    /// Commands that show the copies.
    pub commands: Vec<ExplainedCommand>,
    /// Whether values of records may be shown.
    pub shows_values: bool,
    /// Whether keys are shown.
    pub shows_keys: bool,
}

/// How a copy was found again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyState {
    /// At its place, with the dedup key of the group.
    #[default]
    Found,
    /// Another record is at its place.
    Replaced,
    /// Another copy of the group is at its place.
    OtherCopy,
    /// No record is at its place.
    Gone,
    /// Nobody looked: it came from standard input.
    NotRead,
}

/// One copy; what is not known of it is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainedCopy {
    /// How it was found again.
    pub state: CopyState,
    /// Topic and partition.
    pub topic_partition: Option<(String, i32)>,
    /// Its offset.
    pub offset: Option<i64>,
    /// File that it was read from.
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: Option<u64>,
    /// Byte offset in the unpacked file.
    pub byte_offset: Option<u64>,
    /// Milliseconds since the epoch.
    pub timestamp_millis: Option<i64>,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// What its batch carries.
    pub batch: Option<BatchStamp>,
    /// Its key as text.
    pub key: Option<String>,
    /// Its headers in their encoding.
    pub headers: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its currency and amount.
    pub amount: Option<(Option<String>, String)>,
    /// Its values at the differing paths, as text.
    pub fields: Vec<Option<String>>,
}

/// Why some of the extras exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainedCause {
    /// Numbers of the extras, from 1.
    pub extras: Vec<u64>,
    /// The cause's code.
    pub cause: String,
    /// The confidence's code.
    pub confidence: Option<String>,
    /// Episodes of these extras.
    pub episodes: Vec<u64>,
    /// What speaks for it; nothing where the report does not say.
    pub evidence: Option<Vec<String>>,
    /// What speaks against it.
    pub contrary: Vec<String>,
    /// Other causes, and why they are not it.
    pub ruled_out: Vec<String>,
}

/// A command that shows a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainedCommand {
    /// For a shell.
    pub text: String,
    /// What to put in for the other copies.
    pub others: Vec<String>,
}

/// Writes one group for people.
pub struct ExplainScreen<W> {
    output: W,
    options: TerminalOptions,
}

impl<W: Write> ExplainScreen<W> {
    /// Returns the writer.
    pub fn new(output: W, options: TerminalOptions) -> Self {
        let width = options.width.max(LEAST_WIDTH);
        Self {
            output,
            options: TerminalOptions { width, ..options },
        }
    }

    /// Writes the group.
    pub fn write(&mut self, group: &ExplainedGroup) -> io::Result<()> {
        let mut screen = Screen::new(self.options.width, self.options.style);
        heading(&mut screen, group);
        add_grid(&mut screen, &cells::rows(group));
        more(&mut screen, group);
        values(&mut screen, group);
        screen.blank();
        for cause in &group.causes {
            explain_cause(&mut screen, cause, group.extra);
        }
        for (index, input) in group.inputs.iter().enumerate() {
            screen.labelled(if index == 0 { "follows" } else { "" }, &visible(input));
        }
        for (index, command) in group.commands.iter().enumerate() {
            add_command(&mut screen, if index == 0 { "see it" } else { "" }, command);
        }
        screen.write_to(&mut self.output)?;
        self.output.flush()
    }
}

fn heading(screen: &mut Screen, group: &ExplainedGroup) {
    let mut id: String = group.id.chars().take(ID_CHARACTERS).collect();
    if id.len() < group.id.len() {
        id.push('…');
    }
    let keys = group.key.iter().map(|(path, value)| {
        let path = path.strip_prefix("value.").unwrap_or(path);
        format!("{} {}", visible(path), visible(value))
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "{}  {keys}  {}, {} extra",
        visible(&id),
        counted(group.count, "occurrence"),
        grouped(group.extra)
    );
    if let Some((currency, amount)) = &group.amount {
        text = format!("{text}, {} at risk", money(currency.as_deref(), amount));
    }
    if let Some(subject) = &group.subject {
        text = format!("{text}, subject {}", visible(subject));
    }
    screen.labelled("GROUP", &text);
}

fn money(currency: Option<&str>, amount: &str) -> String {
    let amount = grouped_decimal(amount);
    let shown = currency.map_or(amount.clone(), |currency| format!("{currency} {amount}"));
    visible(&shown)
}

fn more(screen: &mut Screen, group: &ExplainedGroup) {
    let shown = u64::try_from(group.copies.len()).unwrap_or(u64::MAX);
    let hidden = group.count.saturating_sub(shown);
    if hidden > 0 {
        screen.line(&format!(
            "and {} more; the report lists them all",
            grouped(hidden)
        ));
    }
}

/// Shows whole values, one where all are the same.
fn values(screen: &mut Screen, group: &ExplainedGroup) {
    if !group.shows_values {
        return;
    }
    let mut shown: Vec<&[u8]> = Vec::new();
    for (index, copy) in group.copies.iter().enumerate() {
        let Some(value) = copy.value.as_deref() else {
            continue;
        };
        if shown.contains(&value) {
            continue;
        }
        shown.push(value);
        screen.blank();
        let title = format!("VALUE of {}", cells::title(index).to_lowercase());
        screen.heading_line(&title);
        let text = crate::record::lossless_text(value);
        for line in wrap(&visible_start(&text, VALUE_CHARACTERS), screen.width()) {
            screen.line(&line);
        }
    }
}

fn explain_cause(screen: &mut Screen, cause: &ExplainedCause, extra_count: u64) {
    let mut text = cause.cause.clone();
    if let Some(confidence) = &cause.confidence {
        text = format!("{text}, {confidence}");
    }
    let mut of = Vec::new();
    if u64::try_from(cause.extras.len()) != Ok(extra_count) {
        of.push(format!("extra {}", listed(&cause.extras)));
    }
    match &*cause.episodes {
        [] => {}
        [one] => of.push(format!("episode {one}")),
        several => of.push(format!("episodes {}", listed(several))),
    }
    if !of.is_empty() {
        text = format!("{text} ({})", of.join("; "));
    }
    screen.labelled("CAUSE", &visible(&text));
    match &cause.evidence {
        None => screen.labelled(
            "for",
            "the report has the evidence of the group's main cause only",
        ),
        Some(evidence) => {
            let (supporting, contradicting) = if cause.confidence.is_some() {
                ("for", "against")
            } else {
                ("seen", "why not")
            };
            lines(screen, supporting, evidence, "nothing found");
            lines(screen, contradicting, &cause.contrary, "nothing found");
        }
    }
    if !cause.ruled_out.is_empty() {
        screen.labelled("not", &visible(&cause.ruled_out.join("; ")));
    }
}

fn lines(screen: &mut Screen, label: &str, texts: &[String], none: &str) {
    if texts.is_empty() {
        screen.labelled(label, none);
    }
    for (index, text) in texts.iter().enumerate() {
        screen.labelled(if index == 0 { label } else { "" }, &visible(text));
    }
}

fn listed(numbers: &[u64]) -> String {
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    match texts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// A command over several lines has to stay one for the shell; what follows it is for people.
fn add_command(screen: &mut Screen, label: &str, command: &ExplainedCommand) {
    let lines = wrap(&visible(&command.text), screen.width() - LABEL_WIDTH - 2);
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        if index < last {
            screen.labelled(label, &format!("{line} \\"));
        } else {
            screen.labelled(label, line);
        }
    }
    if !command.others.is_empty() {
        screen.below(&format!("(then {})", command.others.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::report::terminal::Style;

    fn stamp(base_offset: i64) -> BatchStamp {
        BatchStamp {
            base_offset,
            last_offset: base_offset + 35,
            crc: 0x9d3f_01ac,
            length: 8_000,
            record_count: 36,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            leader_epoch: 3,
            is_transactional: false,
            is_aborted: None,
        }
    }

    fn copy(offset: i64) -> ExplainedCopy {
        ExplainedCopy {
            topic_partition: Some(("charges".to_owned(), 1)),
            offset: Some(offset),
            timestamp_millis: Some(1_768_444_867_218),
            timestamp_type: TimestampType::CreateTime,
            batch: Some(stamp(offset - 31)),
            key: Some("cus_00913".to_owned()),
            headers: Some(Vec::new()),
            value: Some(vec![b'x'; 214]),
            amount: Some((Some("USD".to_owned()), "19.25".to_owned())),
            ..ExplainedCopy::default()
        }
    }

    fn group() -> ExplainedGroup {
        ExplainedGroup {
            id: "g_7c1e5b0912345678".to_owned(),
            key: vec![("value.charge_id".to_owned(), "\"ch_004127\"".to_owned())],
            count: 3,
            extra: 2,
            amount: Some((Some("USD".to_owned()), "38.50".to_owned())),
            subject: Some("cus_00913".to_owned()),
            copies: vec![copy(88_641), copy(88_677), copy(88_713)],
            causes: vec![ExplainedCause {
                extras: vec![1, 2],
                cause: "producer-retry".to_owned(),
                confidence: Some("certain".to_owned()),
                episodes: vec![1, 2],
                evidence: Some(vec!["one batch stands at three places".to_owned()]),
                contrary: Vec::new(),
                ruled_out: vec!["mirror-copy: one topic".to_owned()],
            }],
            commands: vec![ExplainedCommand {
                text: "kcat -F prod.conf -C -t charges -p 1 -o 88641 -c 1 -J".to_owned(),
                others: vec!["-o 88677".to_owned(), "-o 88713".to_owned()],
            }],
            shows_keys: true,
            ..ExplainedGroup::default()
        }
    }

    fn shown(group: &ExplainedGroup, width: usize) -> String {
        let mut output = Vec::new();
        let options = TerminalOptions {
            width,
            style: Style::Plain,
            ..TerminalOptions::default()
        };
        ExplainScreen::new(&mut output, options)
            .write(group)
            .unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_screen_is_as_the_contract_draws_it() {
        let expected = "\
GROUP       g_7c1e5b09…  charge_id \"ch_004127\"  3 occurrences, 2 extra, USD
            38.50 at risk, subject cus_00913
                ORIGINAL                 EXTRA 1          EXTRA 2
coordinates     charges-1@88641          charges-1@88677  charges-1@88713
distance                                 +36 offsets      +72 offsets
CreateTime UTC  2026-01-15 02:41:07.218  =                =
batch           [88610, 88646)           [88646, 88682)   [88682, 88718)
batch CRC       9d3f01ac                 =                =
producer        -1 (no id)               =                =
key             cus_00913                =                =
headers         0 headers                =                =
value           214 B                    =                =
amount          USD 19.25                =                =

CAUSE       producer-retry, certain (episodes 1 and 2)
for         one batch stands at three places
against     nothing found
not         mirror-copy: one topic
see it      kcat -F prod.conf -C -t charges -p 1 -o 88641 -c 1 -J
            (then -o 88677, -o 88713)
";
        assert_eq!(shown(&group(), 80), expected);
    }

    #[test]
    fn what_is_undetermined_has_neither_for_nor_against() {
        let mut group = group();
        group.causes[0].cause = "undetermined".to_owned();
        group.causes[0].confidence = None;
        group.causes[0].contrary = vec!["missing: timestamps".to_owned()];
        let expected = "\
CAUSE       undetermined (episodes 1 and 2)
seen        one batch stands at three places
why not     missing: timestamps
";
        let screen = shown(&group, 80);
        assert!(screen.contains(expected), "{screen}");
    }

    #[test]
    fn a_command_over_several_lines_stays_one() {
        let screen = shown(&group(), 60);
        let expected = "\
see it      kcat -F prod.conf -C -t charges -p 1 -o 88641 \\
            -c 1 -J
            (then -o 88677, -o 88713)
";
        assert!(screen.ends_with(expected), "{screen}");
    }

    #[test]
    fn hostile_text_is_harmless_and_fits_every_width() {
        let nasty = format!("\x1b[2J\u{202e}{}\n東京", "x ".repeat(90));
        let mut group = group();
        group.key = vec![(nasty.clone(), nasty.clone())];
        group.subject = Some(nasty.clone());
        group.differing_fields = vec![nasty.clone()];
        group.shows_values = true;
        group.causes[0].ruled_out = vec![nasty.clone()];
        group.causes[0].evidence = Some(vec![nasty.clone()]);
        group.causes[0].cause.clone_from(&nasty);
        group.commands[0].text.clone_from(&nasty);
        for (number, copy) in group.copies.iter_mut().enumerate() {
            copy.topic_partition = Some((nasty.clone(), 1));
            copy.file = Some(nasty.clone());
            copy.key = Some(nasty.clone());
            copy.value = Some(nasty.clone().into_bytes());
            copy.amount = Some((Some(nasty.clone()), nasty.clone()));
            copy.fields = vec![Some(format!("{nasty}{number}"))];
            copy.timestamp_millis = Some(i64::MAX);
            copy.offset = Some(i64::MIN);
        }
        group.copies[0].offset = Some(i64::MAX);
        group.copies[0].timestamp_millis = Some(i64::MIN);
        for width in [1, 40, 60, 80, 200] {
            let screen = shown(&group, width);
            assert!(!screen.contains(['\x1b', '\u{202e}']), "{screen:?}");
            for line in screen.lines() {
                assert!(line.width() <= width.max(40), "{width}: {line}");
            }
        }
    }
}
