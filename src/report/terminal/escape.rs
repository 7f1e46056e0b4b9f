//! Text from records, topics and file names, made harmless for a screen.

use std::fmt::Write;

/// Characters of one foreign text that a person would look at.
const MOST_CHARACTERS: usize = 1000;

/// Returns the text with all that a terminal obeys, or that hides or reorders text, written out;
/// of a text without end the start.
pub(in crate::report) fn visible(text: &str) -> String {
    visible_start(text, MOST_CHARACTERS)
}

/// Returns the start of a text that may be very long, for a place of `width` columns.
pub fn visible_start(text: &str, width: usize) -> String {
    let mut chars = text.chars();
    let mut shown = String::new();
    for character in chars.by_ref().take(width) {
        push_visible(&mut shown, character);
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

fn push_visible(shown: &mut String, character: char) {
    let code = u32::from(character);
    let outcome = match character {
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => write!(shown, "\\x{code:02x}"),
        _ if is_hidden(character) => write!(shown, "\\u{{{code:04x}}}"),
        _ => {
            shown.push(character);
            Ok(())
        }
    };
    outcome.expect("a String takes all text");
}

/// Bidirectional controls, zero-width characters, line separators, variation selectors, tags.
fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_written_out() {
        assert_eq!(
            visible("a\x1b[31m\r\n\t\x7f"),
            "a\\x1b[31m\\x0d\\x0a\\x09\\x7f"
        );
        assert_eq!(visible("\u{9b}2J"), "\\x9b2J");
        assert_eq!(
            visible("\u{202e}x\u{2066}\u{200b}"),
            "\\u{202e}x\\u{2066}\\u{200b}"
        );
        assert_eq!(visible("Zoë 東京"), "Zoë 東京");
    }

    #[test]
    fn long_text_is_cut_before_it_is_looked_at() {
        assert_eq!(visible_start("abc", 3), "abc");
        assert!(visible(&"x".repeat(10_000_000)).len() < 1_010);
        assert_eq!(visible_start(&"x".repeat(10_000_000), 3), "xxx…");
    }
}
