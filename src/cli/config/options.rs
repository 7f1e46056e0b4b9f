//! What can be set in a file or in the environment: the options of a subcommand, by their own
//! definition on the command line, so that a new flag is a key at once.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::Path;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ValueHint};

/// Options that choose the file and the audit, or end the program.
const NO_KEYS: [&str; 4] = ["audit", "config", "help", "version"];

/// Values of options with paths that are none: standard input and output, and no schema.
const NO_PATHS: [&str; 2] = ["-", "none"];

/// How many values an option has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// None: it is given, or it is not.
    Switch,
    /// One.
    One,
    /// Any number.
    Many,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Number,
    /// A path, or what begins with one.
    Path,
    /// `NAME=VALUE`.
    Pair,
}

/// One option that can be set.
#[derive(Clone, Debug)]
pub struct ConfigOption {
    /// Its key: the long name of the flag, or where it has none what it is called in the manual.
    pub name: String,
    /// What else it is called: with underscores, or by its one letter.
    pub aliases: Vec<String>,
    /// How many values it has.
    pub count: Count,
    /// What its values are.
    pub kind: Kind,
    /// The values that there are, where only some are.
    pub possible: Vec<String>,
    /// What it is for, in one paragraph.
    pub help: String,
    id: String,
    flag: Option<String>,
    delimiter: Option<char>,
    conflicts: Vec<String>,
}

/// Returns the options of a subcommand that can be set, in the order of its help.
pub fn options_of(command: &clap::Command) -> Vec<ConfigOption> {
    let keys = command
        .get_arguments()
        .filter(|arg| !NO_KEYS.contains(&arg.get_id().as_str()));
    keys.map(|arg| option(command, arg)).collect()
}

fn option(command: &clap::Command, arg: &Arg) -> ConfigOption {
    let id = arg.get_id().as_str();
    let name = arg.get_long().map_or(id.replace('_', "-"), str::to_owned);
    let mut aliases = Vec::new();
    for alias in [name.replace('-', "_"), id.replace('_', "-"), id.to_owned()] {
        // An id that differs from a long name is a name of the code, not of the user.
        let is_of_user = arg.get_long().is_none() || alias == name.replace('-', "_");
        if is_of_user && alias != name && !aliases.contains(&alias) {
            aliases.push(alias);
        }
    }
    if arg.get_long().is_none() {
        aliases.extend(arg.get_short().map(String::from));
    }
    let long = arg.get_long().map(|long| format!("--{long}"));
    let conflicts = command.get_arg_conflicts_with(arg);
    let possible = arg.get_possible_values();
    ConfigOption {
        count: count(arg),
        kind: kind(arg),
        possible: possible.iter().map(|of| of.get_name().to_owned()).collect(),
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        id: id.to_owned(),
        flag: long.or_else(|| arg.get_short().map(|short| format!("-{short}"))),
        delimiter: arg.get_value_delimiter(),
        conflicts: conflicts.iter().map(|of| of.get_id().to_string()).collect(),
        name,
        aliases,
    }
}

fn count(arg: &Arg) -> Count {
    let action = arg.get_action();
    if !action.takes_values() {
        Count::Switch
    } else if matches!(action, ArgAction::Append) {
        Count::Many
    } else {
        Count::One
    }
}

fn kind(arg: &Arg) -> Kind {
    let is_of =
        |parser: &ValueParser, types: &[TypeId]| types.iter().any(|of| parser.type_id() == *of);
    let numbers = [
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<u32>(),
        TypeId::of::<u16>(),
    ];
    if is_of(arg.get_value_parser(), &numbers) {
        return Kind::Number;
    }
    let paths = [ValueHint::AnyPath, ValueHint::FilePath, ValueHint::DirPath];
    if paths.contains(&arg.get_value_hint()) {
        return Kind::Path;
    }
    let names = arg.get_value_names().unwrap_or_default();
    match names {
        [name] if name.starts_with("NAME=") => Kind::Pair,
        _ => Kind::Text,
    }
}

impl ConfigOption {
    /// Returns whether the option is called this.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Returns the name of its value among what was parsed.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns what is typed for it; none for what is typed without a flag.
    pub fn flag(&self) -> Option<&str> {
        self.flag.as_deref()
    }

    /// Returns the variable of the environment that sets it.
    pub fn variable(&self) -> String {
        variable(&self.name)
    }

    /// Returns whether one cannot be given beside the other.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.conflicts.contains(&other.id) || other.conflicts.contains(&self.id)
    }

    /// Returns what is wrong with a value, as far as the definition says.
    pub fn refusal(&self, value: &str) -> Option<String> {
        let parts = value.split(|character| Some(character) == self.delimiter);
        for part in parts {
            if !self.possible.is_empty() && !self.possible.iter().any(|of| of == part) {
                return Some(format!("`{part}` is none of {}", self.possible.join(", ")));
            }
        }
        let is_number = value.parse::<u64>().is_ok();
        (self.kind == Kind::Number && !is_number)
            .then(|| format!("`{value}` is no whole number from 0"))
    }

    /// Returns a value of a file with its path taken from where the file is.
    pub fn placed(&self, value: &str, folder: &Path) -> String {
        match self.kind {
            Kind::Path if !NO_PATHS.contains(&value) => joined(folder, value),
            Kind::Pair => match value.split_once("=@") {
                Some((name, path)) if !name.contains('=') => {
                    format!("{name}=@{}", joined(folder, path))
                }
                Some(_) | None => value.to_owned(),
            },
            Kind::Path | Kind::Text | Kind::Number => value.to_owned(),
        }
    }

    /// Returns the words that set the option on a command line.
    pub fn words(&self, values: &[OsString]) -> Vec<OsString> {
        let Some(flag) = &self.flag else {
            return values.to_vec();
        };
        if self.count == Count::Switch {
            return values.iter().map(|_| OsString::from(flag)).collect();
        }
        let mut words = Vec::new();
        for value in self.delimited(values) {
            // What looks like a flag would be taken for one.
            if value.as_encoded_bytes().starts_with(b"-") && value.len() > 1 {
                let equals = if flag.starts_with("--") { "=" } else { "" };
                let mut word = OsString::from(format!("{flag}{equals}"));
                word.push(value);
                words.push(word);
            } else {
                words.extend([OsString::from(flag), value]);
            }
        }
        words
    }

    fn delimited(&self, values: &[OsString]) -> Vec<OsString> {
        match self.delimiter {
            Some(delimiter) if !values.is_empty() => {
                vec![values.join(&OsString::from(String::from(delimiter)))]
            }
            Some(_) | None => values.to_vec(),
        }
    }
}

/// Returns the variable of the environment for a name on the command line.
pub fn variable(name: &str) -> String {
    format!("DUPAUDIT_{}", name.replace('-', "_").to_uppercase())
}

fn joined(folder: &Path, path: &str) -> String {
    folder.join(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::flags::Flags;

    fn option(name: &str) -> ConfigOption {
        let mut root = Flags::command();
        root.build();
        let options = options_of(root.find_subcommand("scan").unwrap());
        let mut called = options.into_iter().filter(|option| option.is_called(name));
        let option = called.next().unwrap_or_else(|| panic!("{name}"));
        assert!(called.next().is_none(), "{name} is two");
        option
    }

    fn words(name: &str, values: &[&str]) -> Vec<String> {
        let values: Vec<OsString> = values.iter().map(OsString::from).collect();
        let words = option(name).words(&values);
        let text = |word: OsString| word.into_string().unwrap();
        words.into_iter().map(text).collect()
    }

    #[test]
    fn options_are_known_by_their_flags_and_by_how_toml_writes_them() {
        for (name, count, kind) in [
            ("by", Count::Many, Kind::Text),
            ("where", Count::One, Kind::Text),
            ("look-back", Count::One, Kind::Text),
            ("look_back", Count::One, Kind::Text),
            ("allow_empty", Count::Switch, Kind::Text),
            ("top", Count::One, Kind::Number),
            ("files", Count::Many, Kind::Path),
            ("output", Count::Many, Kind::Path),
            ("schemas", Count::One, Kind::Path),
            ("map", Count::Many, Kind::Pair),
            ("X", Count::Many, Kind::Pair),
            ("property-file", Count::Many, Kind::Path),
            ("F", Count::Many, Kind::Path),
        ] {
            let option = option(name);
            assert_eq!((option.count, option.kind), (count, kind), "{name}");
        }
        assert_eq!(option("look-back").variable(), "DUPAUDIT_LOOK_BACK");
        assert_eq!(option("X").name, "property");
        assert!(option("show-values").conflicts_with(&option("redact")));
        assert!(option("redact").conflicts_with(&option("show-values")));
    }

    #[test]
    fn values_come_to_the_words_of_a_command_line() {
        assert_eq!(words("by", &["a", "b"]), ["--by", "a", "--by", "b"]);
        assert_eq!(words("from", &["-2h"]), ["--from=-2h"]);
        assert_eq!(words("output", &["-"]), ["--output", "-"]);
        assert_eq!(words("F", &["-a"]), ["-F-a"]);
        let list = ["--fail-on", "duplicates,error"];
        assert_eq!(words("fail-on", &["duplicates", "error"]), list);
        assert_eq!(words("quiet", &["true"]), ["--quiet"]);
        assert_eq!(words("quiet", &[]), [""; 0]);
        assert_eq!(words("files", &["a"]), ["a"]);
    }

    #[test]
    fn values_that_the_definition_does_not_allow_are_refused() {
        assert_eq!(option("top").refusal("5"), None);
        assert!(option("top").refusal("many").is_some());
        assert_eq!(option("fail-on").refusal("duplicates,error"), None);
        let refusal = option("fail-on").refusal("duplicates,all").unwrap();
        assert!(refusal.contains("`all` is none of duplicates, incomplete, error"));
    }

    #[test]
    fn paths_are_taken_from_where_the_file_is() {
        let folder = Path::new("conf");
        let placed = |name: &str, value: &str| option(name).placed(value, folder);
        assert_eq!(placed("files", "a.jsonl"), "conf/a.jsonl");
        assert_eq!(placed("files", "/a.jsonl"), "/a.jsonl");
        assert_eq!(placed("output", "-"), "-");
        assert_eq!(placed("value-schema", "none"), "none");
        assert_eq!(placed("X", "a.b=@key"), "a.b=@conf/key");
        assert_eq!(placed("X", "a=b=@key"), "a=b=@key");
        assert_eq!(placed("by", "id"), "id");
    }
}
