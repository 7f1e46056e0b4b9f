//! Pictures of a terminal: the text of a run, with its bold words, as SVG.

use std::fmt::Write;

/// Width of a column, height of a line, and the room around the text, in pixels.
const COLUMN: usize = 8;
const LINE: usize = 18;
const MARGIN: usize = 16;

/// What the program sends before and after bold words.
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

/// Draws lines of a terminal of so many columns, on light and dark ground.
pub(crate) fn svg(text: &str, columns: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let width = columns * COLUMN + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n\
         <style>\n\
         rect {{ fill: #f6f8fa; stroke: #d0d7de }}\n\
         text {{ fill: #1f2328; font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', \
         monospace; white-space: pre }}\n\
         .b {{ font-weight: bold }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         rect {{ fill: #161b22; stroke: #30363d }}\n\
         text {{ fill: #e6edf3 }}\n\
         }}\n\
         </style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
        width - 1,
        height - 1
    );
    for (row, line) in lines.iter().enumerate() {
        push_line(&mut svg, line, MARGIN + row * LINE + 13);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Every run of one weight stands where its columns are, whatever the font.
fn push_line(svg: &mut String, line: &str, y: usize) {
    let mut column = 0;
    let mut is_bold = false;
    let mut rest = line;
    while !rest.is_empty() {
        let mark = if is_bold { PLAIN } else { BOLD };
        let (part, after) = rest.split_once(mark).unwrap_or((rest, ""));
        let length = part.chars().count();
        if !part.trim().is_empty() {
            let x = MARGIN + column * COLUMN;
            let class = if is_bold { " class=\"b\"" } else { "" };
            let room = length * COLUMN;
            let text = escaped(part);
            writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" textLength=\"{room}\" \
                 lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{class}>{text}</text>"
            )
            .unwrap();
        }
        column += length;
        is_bold = !is_bold;
        rest = after;
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    assert!(!text.contains(char::is_control), "{text:?}");
    text
}
