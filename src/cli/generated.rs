//! Texts made from the definition of the command line: completions and the manual page.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::flags::Flags;

/// Options of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsFlags {
    /// Shell to print the script for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Returns the completion script for a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Flags::command(), "dupaudit", &mut script);
    script
}

/// Returns the manual page: the program, then each subcommand with its options.
pub fn manual() -> io::Result<Vec<u8>> {
    let mut root = Flags::command();
    root.build();
    let program = Man::new(root.clone());
    let mut page = Vec::new();
    program.render_title(&mut page)?;
    program.render_name_section(&mut page)?;
    program.render_synopsis_section(&mut page)?;
    program.render_description_section(&mut page)?;
    program.render_options_section(&mut page)?;
    for subcommand in root.get_subcommands() {
        if subcommand.get_name() != "help" {
            page.extend(manual_section(subcommand)?.into_bytes());
        }
    }
    program.render_extra_section(&mut page)?;
    Ok(page)
}

/// A page of its own becomes a section, and its sections become parts of that.
fn manual_section(subcommand: &clap::Command) -> io::Result<String> {
    let page = Man::new(subcommand.clone());
    let mut parts = Vec::new();
    page.render_synopsis_section(&mut parts)?;
    page.render_description_section(&mut parts)?;
    page.render_options_section(&mut parts)?;
    if subcommand.get_after_help().is_some() {
        page.render_extra_section(&mut parts)?;
    }
    let parts = String::from_utf8_lossy(&parts).replace("\n.SH ", "\n.SS ");
    let name = subcommand.get_name().to_uppercase();
    Ok(format!(".SH \"DUPAUDIT {name}\"\n{parts}"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_has_a_script_that_knows_the_options() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            assert!(script.contains("look-back"), "{shell}");
        }
    }

    #[test]
    fn the_manual_has_every_option_and_the_exit_codes() {
        let page = String::from_utf8(manual().unwrap()).unwrap();
        for text in [
            "look\\-back",
            "duplicates found",
            "dupaudit\\-scan",
            "Examples",
        ] {
            let is_there = page.contains(text) || page.contains(&text.replace("\\-", "-"));
            assert!(
                is_there || page.contains(&text.replace("\\-", " ")),
                "{text}\n{page}"
            );
        }
    }
}
