//! Settings of several origins come to one command line: the higher replaces the lower.

use std::ffi::OsString;
use std::ops::Range;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::cli::config::options::{ConfigOption, Count};
use crate::cli::resolve::kafka::Environment;
use crate::cli::usage_error::UsageError;

/// One option as it is set somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its place among the options.
    pub option: usize,
    /// Its values; none where it is switched off.
    pub values: Vec<OsString>,
    /// Where in the file it is set.
    pub span: Option<Range<usize>>,
}

/// Returns what was typed.
pub fn typed(options: &[ConfigOption], matches: &ArgMatches) -> Vec<Setting> {
    let is_typed =
        |option: &ConfigOption| matches.value_source(option.id()) == Some(ValueSource::CommandLine);
    let numbered = options.iter().enumerate();
    numbered
        .filter(|(_, option)| is_typed(option))
        .map(|(place, option)| Setting {
            option: place,
            values: matches
                .get_raw(option.id())
                .into_iter()
                .flatten()
                .map(OsString::from)
                .collect(),
            span: None,
        })
        .collect()
}

/// Returns what variables of the environment set, or everything that is wrong with them.
pub fn of_environment(
    options: &[ConfigOption],
    environment: Environment<'_>,
) -> Result<Vec<Setting>, Vec<UsageError>> {
    let (mut settings, mut errors) = (Vec::new(), Vec::new());
    for (place, option) in options.iter().enumerate() {
        let name = option.variable();
        let Some(text) = environment(&name) else {
            continue;
        };
        match variable_values(option, &text) {
            Ok(values) => settings.push(Setting {
                option: place,
                values,
                span: None,
            }),
            Err(reason) => errors.push(UsageError::new(format!("variable {name}: {reason}"))),
        }
    }
    if errors.is_empty() {
        Ok(settings)
    } else {
        Err(errors)
    }
}

/// Several values are one a line: they may hold any other character.
fn variable_values(option: &ConfigOption, text: &str) -> Result<Vec<OsString>, String> {
    let texts: Vec<&str> = match option.count {
        Count::Switch => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => vec!["true"],
            "false" | "0" | "no" | "off" | "" => Vec::new(),
            _ => return Err("it is either true or false".to_owned()),
        },
        Count::One => vec![text].into_iter().filter(|of| !of.is_empty()).collect(),
        Count::Many => text.lines().filter(|line| !line.is_empty()).collect(),
    };
    let is_switch = option.count == Count::Switch;
    match texts.iter().find_map(|value| option.refusal(value)) {
        Some(refusal) if !is_switch => Err(refusal),
        Some(_) | None => Ok(texts.into_iter().map(OsString::from).collect()),
    }
}

/// Returns the layers, the lowest first, as one: an option of a higher layer replaces the same of a
/// lower one, and what cannot be given beside it.
pub fn merged(options: &[ConfigOption], layers: Vec<Vec<Setting>>) -> Vec<Setting> {
    let mut merged: Vec<Setting> = Vec::new();
    for layer in layers {
        let is_replaced = |lower: &Setting| {
            layer.iter().any(|higher| {
                let conflicts = options
                    .get(lower.option)
                    .zip(options.get(higher.option))
                    .is_some_and(|(lower, higher)| lower.conflicts_with(higher));
                higher.option == lower.option || (conflicts && !higher.values.is_empty())
            })
        };
        merged.retain(|lower| !is_replaced(lower));
        merged.extend(layer);
    }
    merged.sort_by_key(|setting| setting.option);
    merged
}

/// Returns the words of a command line that sets all of it, files last.
pub fn words(options: &[ConfigOption], settings: &[Setting]) -> Vec<OsString> {
    let (mut flags, mut files) = (Vec::new(), Vec::new());
    for setting in settings {
        if let Some(option) = options.get(setting.option) {
            let words = option.words(&setting.values);
            match option.flag() {
                Some(_) => flags.extend(words),
                None => files.extend(words),
            }
        }
    }
    let looks_like_flag =
        |word: &OsString| word.len() > 1 && word.as_encoded_bytes().starts_with(b"-");
    if files.iter().any(looks_like_flag) {
        flags.push("--".into());
    }
    flags.extend(files);
    flags
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::config::options::options_of;
    use crate::cli::flags::Flags;

    fn options() -> Vec<ConfigOption> {
        let mut root = Flags::command();
        root.build();
        options_of(root.find_subcommand("scan").unwrap())
    }

    fn line(layers: Vec<Vec<Setting>>) -> String {
        let options = options();
        let words = words(&options, &merged(&options, layers));
        words.join(&OsString::from(" ")).into_string().unwrap()
    }

    fn typed_line(arguments: &str) -> Vec<Setting> {
        let arguments = ["dupaudit", "scan"]
            .into_iter()
            .chain(arguments.split_whitespace());
        let matches = Flags::command().try_get_matches_from(arguments).unwrap();
        typed(&options(), matches.subcommand().unwrap().1)
    }

    fn variables(pairs: &[(&str, &str)]) -> Result<Vec<Setting>, Vec<UsageError>> {
        let found = |name: &str| {
            let pair = pairs.iter().find(|(of, _)| *of == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        of_environment(&options(), &found)
    }

    #[test]
    fn what_is_typed_is_written_anew() {
        let text = "a.jsonl -b one:1,two:2 -t a -t b -p 0 -X client.id=x --from -2h --by id -q \
                    --fail-on duplicates,error";
        assert_eq!(
            line(vec![typed_line(text)]),
            "--brokers one:1,two:2 --topic a --topic b --partitions 0 -X client.id=x \
             --from=-2h --by id --fail-on duplicates,error --quiet a.jsonl"
        );
        assert_eq!(line(vec![typed_line("-- -a")]), "-- -a");
    }

    #[test]
    fn higher_layers_replace_whole_options_of_lower_ones() {
        let low = typed_line("a.jsonl b.jsonl --by x --by y --top 3 --show-values");
        let high = typed_line("c.jsonl --by id --redact hash");
        assert_eq!(
            line(vec![low, high]),
            "--by id --top 3 --redact hash c.jsonl"
        );
    }

    #[test]
    fn variables_set_options() {
        let settings = variables(&[
            ("DUPAUDIT_BY", "a,b"),
            ("DUPAUDIT_TOPIC", "one\ntwo\n"),
            ("DUPAUDIT_QUIET", "yes"),
            ("DUPAUDIT_ALLOW_EMPTY", "false"),
            ("DUPAUDIT_TOP", ""),
        ])
        .unwrap();
        assert_eq!(
            line(vec![typed_line("--allow-empty --top 3"), settings]),
            "--topic one --topic two --by a,b --quiet"
        );
    }

    #[test]
    fn all_variables_that_are_wrong_are_told() {
        let errors = variables(&[
            ("DUPAUDIT_QUIET", "perhaps"),
            ("DUPAUDIT_TOP", "x"),
            ("DUPAUDIT_ROWS", "cells"),
            ("DUPAUDIT_BY", "id"),
        ])
        .unwrap_err();
        let messages: Vec<&str> = errors.iter().map(|of| of.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "variable DUPAUDIT_ROWS: `cells` is none of records, groups, episodes",
                "variable DUPAUDIT_TOP: `x` is no whole number from 0",
                "variable DUPAUDIT_QUIET: it is either true or false",
            ]
        );
    }
}
