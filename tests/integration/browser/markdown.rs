//! Markdown reports of hostile records, as a reader of GitHub's tables sees them.

use std::fmt::Write;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::json;

use crate::browser::HOSTILE;
use crate::support::Workspace;

/// Texts that Markdown would obey.
const MARKDOWN: [&str; 8] = [
    "a|b\\|c\\\\|d",
    "`code` ``two``",
    "[link](https://evil.example) ![i](x.png)",
    "@everyone #123 https://evil.example www.evil.example",
    "**bold** _it_ ~~gone~~",
    "line\n\n# heading\n- list",
    "&lt;b&gt; &#64; <b>",
    " - ",
];

/// The cells of the tables, and what else than text the report holds.
#[derive(Default)]
struct Seen {
    rows: Vec<Vec<String>>,
    html: Vec<String>,
    strange: Vec<String>,
}

fn seen(markdown: &str) -> Seen {
    let mut seen = Seen::default();
    let mut cell = None;
    for event in Parser::new_ext(
        markdown,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH,
    ) {
        match event {
            Event::Start(Tag::TableRow | Tag::TableHead) => seen.rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => {
                let text = cell.take().unwrap();
                seen.rows.last_mut().unwrap().push(text);
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(cell) = &mut cell {
                    cell.push_str(&text);
                }
            }
            Event::InlineHtml(html) | Event::Html(html) => seen.html.push(html.trim().to_owned()),
            Event::Start(tag @ (Tag::Link { .. } | Tag::Image { .. } | Tag::Strikethrough)) => {
                seen.strange.push(format!("{tag:?}"));
            }
            Event::Start(_)
            | Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    seen
}

#[test]
fn hostile_records_are_text_in_the_cells_of_a_table_and_sixty_lines_hold_them() {
    let workspace = Workspace::new();
    for texts in [&HOSTILE[..7], &MARKDOWN[..]] {
        let mut log = String::new();
        for text in texts {
            for _ in 0..2 {
                let record = json!({"charge_id": text, "currency": text, "amount": 1});
                writeln!(log, "{record}").unwrap();
            }
        }
        workspace.write("log.jsonl", log);
        let run = workspace.dupaudit([
            "scan",
            "log.jsonl",
            "--by",
            "charge_id",
            "--amount",
            "amount",
            "--currency",
            "currency",
            "-q",
            "-o",
            "x.md",
        ]);
        run.run().expect_code(1);
        let markdown = std::fs::read_to_string(workspace.path().join("x.md")).unwrap();
        assert!(markdown.lines().count() <= 60, "{markdown}");
        let seen = seen(&markdown);
        assert_eq!(seen.strange, [""; 0], "{markdown}");
        let ours = ["<code>", "</code>", "<br>"];
        assert!(
            seen.html.iter().all(|tag| ours.contains(&&**tag)),
            "{:?}",
            seen.html
        );
        let head = seen
            .rows
            .iter()
            .position(|row| row[0] == "charge_id")
            .unwrap();
        let groups = &seen.rows[head + 1..];
        assert_eq!(groups.len(), texts.len(), "{markdown}");
        for text in texts {
            let shown = text.replace('\n', "\\x0a");
            let is_whole = |row: &&Vec<String>| row[0] == shown && row.len() == 6;
            assert_eq!(
                groups.iter().filter(is_whole).count(),
                1,
                "{shown}\n{markdown}"
            );
        }
    }
}
