//! `dupaudit.toml` and the environment: flags over environment over file over default.

pub mod check;
pub mod file;
pub mod json_schema;
pub mod layers;
pub mod options;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, CommandFactory, ValueHint};

use crate::cli::config::file::{ConfigFile, Problem};
use crate::cli::config::layers::Setting;
use crate::cli::config::options::ConfigOption;
use crate::cli::flags::Flags;
use crate::cli::resolve::kafka::Environment;
use crate::cli::usage_error::UsageError;

/// What the file is called where nobody names it.
pub const FILE_NAME: &str = "dupaudit.toml";

/// Which file of audits, and which of them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigFlags {
    /// Take what is not typed from this audit of dupaudit.toml, as in `[audit.NAME]`
    #[arg(long, value_name = "NAME")]
    pub audit: Option<String>,
    /// File of audits [default: ./dupaudit.toml, else dupaudit/dupaudit.toml in the configuration
    /// folder]; without `--audit` only its `[defaults]` are taken
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Returns the command line that the typed one amounts to, with what the environment and the file
/// say; or everything that is wrong with them. What clap does not understand stays as it is.
pub fn effective(
    arguments: &[OsString],
    environment: Environment<'_>,
) -> Result<Vec<OsString>, Vec<UsageError>> {
    let unchanged = || Ok(arguments.to_vec());
    let mut root = Flags::command();
    root.build();
    let Ok(matches) = root.try_get_matches_from_mut(arguments) else {
        return unchanged();
    };
    let Some((name, matches)) = matches.subcommand() else {
        return unchanged();
    };
    let Some(command) = root.find_subcommand(name).filter(|of| takes_audits(of)) else {
        return unchanged();
    };
    let options = options::options_of(command);
    let of_environment = layers::of_environment(&options, environment)?;
    let choice = Choice::new(matches, environment);
    if of_environment.is_empty() && choice == Choice::default() {
        return unchanged();
    }
    let mut layers = choice.layers(&options, environment)?;
    layers.push(of_environment);
    layers.push(layers::typed(&options, matches));
    let settings = layers::merged(&options, layers);
    let first = arguments.first().cloned().unwrap_or_default();
    let mut effective = vec![first, name.into()];
    effective.extend(layers::words(&options, &settings));
    Ok(effective)
}

fn takes_audits(command: &clap::Command) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == "audit")
}

/// Which file is asked for, and which audit in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    audit: Option<String>,
    config: Option<PathBuf>,
}

impl Choice {
    fn new(matches: &ArgMatches, environment: Environment<'_>) -> Self {
        let variable = |name: &str| environment(&options::variable(name));
        let audit = matches.get_one::<String>("audit").cloned();
        let config = matches.get_one::<PathBuf>("config").cloned();
        Self {
            audit: audit.or_else(|| variable("audit")),
            config: config.or_else(|| variable("config").map(PathBuf::from)),
        }
    }

    /// Returns what the file says, the lowest layer first.
    fn layers(
        &self,
        options: &[ConfigOption],
        environment: Environment<'_>,
    ) -> Result<Vec<Vec<Setting>>, Vec<UsageError>> {
        if *self == Self::default() {
            return Ok(Vec::new());
        }
        let file = read(self.config.as_deref(), options, environment).map_err(|error| {
            vec![match &self.audit {
                Some(audit) if self.config.is_none() => error.at("--audit", audit),
                Some(_) | None => error,
            }]
        })?;
        let of_all = file.problems.iter().chain(&file.defaults.problems);
        let mut problems: Vec<Problem> = of_all.cloned().collect();
        let mut layers = vec![file.defaults.set.clone()];
        if let Some(name) = &self.audit {
            match file.audit(name) {
                Ok(audit) => {
                    problems.extend_from_slice(&audit.settings.problems);
                    layers.push(audit.settings.set.clone());
                }
                Err(error) if problems.is_empty() => return Err(vec![error]),
                Err(_) => {}
            }
        }
        if problems.is_empty() {
            return Ok(layers);
        }
        Err(file.all_told(problems))
    }
}

/// Reads the file that is named, or the one that is found.
fn read(
    named: Option<&Path>,
    options: &[ConfigOption],
    environment: Environment<'_>,
) -> Result<ConfigFile, UsageError> {
    let (path, text) = match named {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            (path.to_owned(), text)
        }
        None => found(environment)?,
    };
    Ok(ConfigFile::parse(&path, text, options))
}

fn found(environment: Environment<'_>) -> Result<(PathBuf, String), UsageError> {
    let mut places = vec![PathBuf::from(FILE_NAME)];
    // A relative path there is no path, as the specification of these folders says.
    let folder = environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_absolute());
    let home = || environment("HOME").map(|home| Path::new(&home).join(".config"));
    places.extend(
        folder
            .or_else(home)
            .map(|of| of.join("dupaudit").join(FILE_NAME)),
    );
    for path in &places {
        match std::fs::read_to_string(path) {
            Ok(text) => return Ok((path.clone(), text)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    let places: Vec<String> = places
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let message = format!("there is no file of audits: {}", places.join(", "));
    Err(UsageError::new(message).hint("write one, or name it with --config FILE"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> UsageError {
    UsageError::new(error.to_string()).at("--config", &path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective_line(
        arguments: &str,
        variables: &[(&str, &str)],
    ) -> Result<String, Vec<UsageError>> {
        let arguments = arguments.split_whitespace().map(OsString::from);
        let arguments: Vec<OsString> = arguments.collect();
        let found = |name: &str| {
            let pair = variables.iter().find(|(of, _)| *of == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        let words = effective(&arguments, &found)?;
        Ok(words.join(&OsString::from(" ")).into_string().unwrap())
    }

    fn folder(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dupaudit")).unwrap();
        std::fs::write(folder.path().join("dupaudit/dupaudit.toml"), text).unwrap();
        folder
    }

    #[test]
    fn flags_go_before_the_environment_before_the_file() {
        let folder = folder(
            "[defaults]\nbrokers = 'd:1'\ntop = 5\nwithin = '1m'\n\
             [audit.charges]\ntopic = 'charges'\nby = ['a', 'b']\ntop = 4\nquiet = true\n",
        );
        let home = folder.path().to_str().unwrap();
        let variables = [
            ("XDG_CONFIG_HOME", home),
            ("DUPAUDIT_BY", "c"),
            ("DUPAUDIT_TOP", "3"),
        ];
        assert_eq!(
            effective_line("dupaudit scan --audit charges --top 2", &variables).unwrap(),
            "dupaudit scan --brokers d:1 --topic charges --by c --within 1m --top 2 --quiet"
        );
        let variables = [("XDG_CONFIG_HOME", home), ("DUPAUDIT_AUDIT", "charges")];
        let line = effective_line("dupaudit scan", &variables).unwrap();
        assert!(line.contains("--by a --by b"), "{line}");
    }

    #[test]
    fn without_a_word_of_it_no_file_is_read() {
        let folder = folder("[defaults]\ntop = 5\n");
        let home = folder.path().to_str().unwrap();
        let variables = [("XDG_CONFIG_HOME", home)];
        for line in [
            "dupaudit scan a.jsonl --by id -q",
            "dupaudit demo -q",
            "dupaudit scan --nope",
        ] {
            assert_eq!(effective_line(line, &variables).unwrap(), line);
        }
        let named = format!("dupaudit scan a.jsonl --config {home}/dupaudit/dupaudit.toml");
        let line = effective_line(&named, &variables).unwrap();
        assert_eq!(line, "dupaudit scan --top 5 a.jsonl");
    }

    #[test]
    fn only_what_concerns_the_audit_keeps_it_from_running() {
        let folder = folder("[audit.a]\nby = 'id'\n[audit.b]\nbi = 'id'\ntop = 'x'\n");
        let home = folder.path().to_str().unwrap();
        let variables = [("XDG_CONFIG_HOME", home)];
        effective_line("dupaudit scan --audit a", &variables).unwrap();
        let errors = effective_line("dupaudit scan --audit b", &variables).unwrap_err();
        let messages: Vec<&str> = errors.iter().map(|of| of.message.as_str()).collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].ends_with("dupaudit.toml:4:1: unknown key `bi`"));
        assert!(messages[1].contains(":5:7: `top`"));
    }

    #[test]
    fn a_file_that_is_not_there_is_told_with_where_it_was_looked_for() {
        let variables = [("XDG_CONFIG_HOME", "/nowhere")];
        let errors = effective_line("dupaudit scan --audit a", &variables).unwrap_err();
        let message = &errors[0].message;
        assert!(message.contains("`--audit a`: there is no file of audits"));
        assert!(message.contains("dupaudit.toml, /nowhere/dupaudit/dupaudit.toml"));
        let errors = effective_line("dupaudit scan --config /no.toml", &[]).unwrap_err();
        assert!(errors[0].message.starts_with("`--config /no.toml`: "));
    }
}
