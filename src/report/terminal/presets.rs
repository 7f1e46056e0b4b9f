//! The presets as people read them: a list of all, and what one of them sets.

use std::io;
use std::io::Write;

use crate::preset::PRESETS;
use crate::preset::Preset;
use crate::report::terminal::LEAST_WIDTH;
use crate::report::terminal::Style;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::layout::wrap;

/// Writes presets for people.
#[derive(Clone, Copy, Debug)]
pub struct PresetText {
    width: usize,
    style: Style,
}

impl PresetText {
    /// Returns a writer of lines of at most `width` columns.
    pub fn new(width: usize, style: Style) -> Self {
        let width = width.max(LEAST_WIDTH);
        Self { width, style }
    }

    /// Writes every preset with what it finds.
    pub fn list(self, output: &mut impl Write) -> io::Result<()> {
        let mut screen = Screen::new(self.width, self.style);
        let names = Preset::names().into_iter().map(str::len);
        let name_width = names.max().unwrap_or_default() + 2;
        screen.heading_line(&format!("{:name_width$}FINDS", "PRESET"));
        for preset in PRESETS {
            let lines = wrap(preset.finds, self.width - name_width);
            for (index, line) in lines.iter().enumerate() {
                let name = if index == 0 { preset.name } else { "" };
                screen.line(&format!("{name:name_width$}{line}"));
            }
        }
        screen.blank();
        screen.labelled("ONE OF THEM", "dupaudit presets NAME shows what it sets");
        screen.labelled("USE IT", "dupaudit scan … --preset NAME");
        screen.labelled(
            "NONE FITS",
            "dupaudit suggest … looks at the records instead",
        );
        screen.write_to(output)
    }

    /// Writes what one preset finds and sets.
    pub fn one(self, preset: &Preset, output: &mut impl Write) -> io::Result<()> {
        let mut screen = Screen::new(self.width, self.style);
        screen.labelled("PRESET", preset.name);
        screen.labelled("FINDS", preset.finds);
        if !preset.note.is_empty() {
            screen.labelled("NOTE", preset.note);
        }
        let mut label = "SETS";
        for (option, value) in preset.options() {
            let values: Vec<&str> = match option {
                "--by" => preset.by.to_vec(),
                _ => vec![&*value],
            };
            for value in values {
                // Room to break the line at, where one place follows another.
                let value = value.replace("//", " //").trim_start().to_owned();
                screen.labelled(label, &format!("{option} {value}"));
                label = "";
            }
        }
        if preset
            .options()
            .iter()
            .any(|(_, value)| value.contains("//"))
        {
            screen.below("(a // b: b where a record lacks a)");
        }
        screen.labelled(
            "SCAN",
            &format!("dupaudit scan FILE --preset {}", preset.name),
        );
        screen.write_to(output)
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut output = Vec::new();
        write(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn every_preset_fits_the_width_and_is_whole() {
        for width in [100, 80, 60, 40] {
            let writer = PresetText::new(width, Style::Plain);
            let list = text(|output| writer.list(output));
            for preset in PRESETS {
                assert!(list.contains(&format!("\n{} ", preset.name)), "{list}");
                let one = text(|output| writer.one(preset, output));
                let joined: String = one.split_whitespace().collect();
                for by in preset.by {
                    assert!(
                        joined.contains(&by.replace(' ', "")),
                        "{by} is not in\n{one}"
                    );
                }
                assert!(one.lines().all(|line| line.width() <= width), "{one}");
                let scan = format!("--preset{}", preset.name);
                assert!(joined.ends_with(&scan), "{one}");
            }
            assert!(list.lines().all(|line| line.width() <= width), "{list}");
        }
    }
}
