//! `check`: every audit of a file as the scan that it amounts to, or everything that is wrong.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser as _, ValueHint};

use crate::cli::config::file::{ConfigFile, NamedAudit, Problem};
use crate::cli::config::layers::{self, Setting};
use crate::cli::config::options::{self, ConfigOption};
use crate::cli::config::{self, json_schema};
use crate::cli::flags::{CommandFlags, Flags};
use crate::cli::resolve::{self, RunContext};
use crate::cli::secret;
use crate::cli::usage_error::UsageError;
use crate::finding::shell_word;

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckFlags {
    /// File to check [default: the one that `scan --audit` takes]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print the JSON Schema of such files instead, for editors
    #[arg(long, conflicts_with = "config")]
    pub schema: bool,
}

/// Returns what to print, or everything that is wrong.
pub fn check(flags: &CheckFlags, context: &RunContext<'_>) -> Result<Vec<u8>, Vec<UsageError>> {
    let mut root = Flags::command();
    root.build();
    let scan = root.find_subcommand("scan");
    let options = scan.map(options::options_of).unwrap_or_default();
    if flags.schema {
        return Ok(format!("{:#}\n", json_schema::json_schema(&options)).into_bytes());
    }
    let named = flags.config.clone().or_else(|| {
        let variable = (context.environment)(&options::variable("config"));
        variable.map(PathBuf::from)
    });
    let file = config::read(named.as_deref(), &options, context.environment);
    let file = file.map_err(|error| vec![error])?;
    let from_environment = layers::of_environment(&options, context.environment)?;
    let mut problems: Vec<Problem> = file.problems.clone();
    problems.extend(file.defaults.problems.iter().cloned());
    let mut text = heading(&file, &options, &from_environment);
    for audit in &file.audits {
        let checker = Checker {
            file: &file,
            options: &options,
            from_environment: &from_environment,
            context,
        };
        match checker.audit(audit) {
            Ok(line) => {
                let _ = write!(text, "\n{}\n  {line}\n", audit.name);
            }
            Err(of_audit) => problems.extend(of_audit),
        }
    }
    if problems.is_empty() {
        return Ok(text.into_bytes());
    }
    Err(file.all_told(problems))
}

fn heading(file: &ConfigFile, options: &[ConfigOption], from_environment: &[Setting]) -> String {
    let audits = match file.audits.len() {
        1 => "1 audit".to_owned(),
        count => format!("{count} audits"),
    };
    let mut text = format!("{}: {audits}\n", file.path().display());
    let set = from_environment
        .iter()
        .filter_map(|setting| options.get(setting.option));
    let names: Vec<String> = set.map(ConfigOption::variable).collect();
    if !names.is_empty() {
        let _ = writeln!(text, "set in the environment: {}", names.join(", "));
    }
    text
}

struct Checker<'a> {
    file: &'a ConfigFile,
    options: &'a [ConfigOption],
    from_environment: &'a [Setting],
    context: &'a RunContext<'a>,
}

impl Checker<'_> {
    /// Returns the command line that an audit amounts to.
    fn audit(&self, audit: &NamedAudit) -> Result<String, Vec<Problem>> {
        if !audit.settings.problems.is_empty() {
            return Err(audit.settings.problems.clone());
        }
        let layers = vec![
            self.file.defaults.set.clone(),
            audit.settings.set.clone(),
            self.from_environment.to_vec(),
        ];
        let settings = layers::merged(self.options, layers);
        let mut words: Vec<OsString> = vec!["dupaudit".into(), "scan".into()];
        words.extend(layers::words(self.options, &settings));
        self.resolve(&words)
            .map_err(|error| vec![self.placed(audit, &settings, error)])?;
        let shown = words.iter().map(|word| {
            let masked = secret::masked_argument(&word.to_string_lossy());
            let needs_quotes = shell_word(masked.trim_start_matches('-')).starts_with('\'');
            if needs_quotes {
                shell_word(&masked)
            } else {
                masked
            }
        });
        Ok(shown.collect::<Vec<String>>().join(" "))
    }

    /// The scan is decided as if it were to run, so that whatever would keep it from that is told.
    fn resolve(&self, words: &[OsString]) -> Result<(), UsageError> {
        let flags = Flags::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default();
            UsageError::new(reason.trim_start_matches("error: "))
        })?;
        let CommandFlags::Scan(scan) = flags.command else {
            return Err(UsageError::new("this is no scan"));
        };
        let context = RunContext {
            command_line: Vec::new(),
            now_millis: self.context.now_millis,
            environment: self.context.environment,
            memory_bytes: self.context.memory_bytes,
            threads: self.context.threads,
        };
        resolve::scan(&scan, context).map(drop)
    }

    /// An error names the option that it is about, and that stands somewhere in the file.
    fn placed(&self, audit: &NamedAudit, settings: &[Setting], error: UsageError) -> Problem {
        let named = error.message.strip_prefix('`').unwrap_or_default();
        let named = named.split(['`', ' ', '/']).next().unwrap_or_default();
        let is_about = |setting: &&Setting| {
            let option = self.options.get(setting.option);
            option.is_some_and(|option| option.flag() == Some(named))
        };
        let setting = settings.iter().find(is_about);
        let span = setting.and_then(|setting| setting.span.clone());
        Problem {
            span: span.unwrap_or_else(|| audit.span.clone()),
            message: format!("audit `{}`: {}", audit.name, error.message),
            hint: error.hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, variables: &[(&str, &str)]) -> Result<String, Vec<UsageError>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.toml");
        std::fs::write(&path, text).unwrap();
        let found = |name: &str| {
            let pair = variables.iter().find(|(of, _)| *of == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        let context = RunContext {
            command_line: Vec::new(),
            now_millis: 0,
            environment: &found,
            memory_bytes: 8 << 30,
            threads: 1,
        };
        let flags = CheckFlags {
            config: Some(path),
            schema: false,
        };
        let shown = |text: &str| text.replace(&folder.path().display().to_string(), "DIR");
        let text = check(&flags, &context).map_err(|errors| {
            let all = errors.into_iter().map(|error| UsageError {
                message: shown(&error.message),
                ..error
            });
            all.collect::<Vec<UsageError>>()
        })?;
        Ok(shown(&String::from_utf8(text).unwrap()))
    }

    #[test]
    fn every_audit_is_shown_as_its_scan() {
        let text = "[defaults]\nmemory = '64M'\n\
                    [audit.mails]\nfiles = 'm.jsonl'\nby = 'id'\nwhere = 'value.n > 1'\n\
                    [audit.charges]\nbrokers = 'b:1'\ntopic = 'c'\nby = 'id'\n\
                    X.\"schema.registry.url\" = 'http://r'\nX.\"ssl.key.password\" = 'env:KEY'\n";
        let variables = [("DUPAUDIT_TOP", "7"), ("KEY", "hunter2")];
        assert_eq!(
            checked(text, &variables).unwrap(),
            "DIR/d.toml: 2 audits\nset in the environment: DUPAUDIT_TOP\n\n\
             mails\n  dupaudit scan --by id --where 'value.n > 1' --top 7 --memory 64M \
             DIR/m.jsonl\n\n\
             charges\n  dupaudit scan --brokers 'b:1' --topic c -X 'schema.registry.url=http://r' \
             -X 'ssl.key.password=***' --by id --top 7 --memory 64M\n"
        );
    }

    #[test]
    fn everything_that_would_keep_an_audit_from_running_is_told() {
        let text = "[audit.one]\nfiles = 'm.jsonl'\nby = 'id'\nwithin = 'soon'\n\
                    [audit.two]\nby = 'id'\n\
                    [audit.three]\nfiles = 'm'\nbi = 'id'\n\
                    [audit.four]\nbrokers = 'b:1'\ntopic = 'c'\nby = 'id'\n\
                    X.sasl.password = 'hunter2'\n";
        let errors = checked(text, &[]).unwrap_err();
        let messages: Vec<&str> = errors.iter().map(|of| of.message.as_str()).collect();
        let expected = [
            "DIR/d.toml:4:1: audit `one`: `--within soon`",
            "DIR/d.toml:5:8: audit `two`: there is nothing to read",
            "DIR/d.toml:9:1: unknown key `bi`",
            "DIR/d.toml:14:1: audit `four`: `-X sasl.password=***`: a secret",
        ];
        assert_eq!(messages.len(), expected.len(), "{messages:?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.starts_with(expected), "{message}");
        }
        let all = format!("{errors:?}");
        assert!(!all.contains("hunter2"), "{all}");
    }
}
