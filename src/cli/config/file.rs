//! The file of audits: tables of settings, with the place of everything that is wrong in it.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::cli::config::layers::Setting;
use crate::cli::config::options::{ConfigOption, Count, Kind};
use crate::cli::usage_error::UsageError;

/// Names that are less alike than this are not proposed; clap draws the line there too.
const ALIKE: f64 = 0.7;

/// What a file may hold.
const TABLES: [&str; 2] = ["audit", "defaults"];

/// A file of audits.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    text: String,
    /// What is wrong with the file as a whole.
    pub problems: Vec<Problem>,
    /// What every audit has.
    pub defaults: Settings,
    /// The audits, in their order.
    pub audits: Vec<NamedAudit>,
}

/// One audit of a file.
#[derive(Debug)]
pub struct NamedAudit {
    /// What it is called.
    pub name: String,
    /// Where it begins.
    pub span: Range<usize>,
    /// What it sets.
    pub settings: Settings,
}

/// What one table sets, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Settings {
    /// What it sets.
    pub set: Vec<Setting>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Range<usize>,
    /// What.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Problem {
    fn new(span: Range<usize>, message: String) -> Self {
        Self {
            span,
            message,
            hint: None,
        }
    }

    fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

impl ConfigFile {
    /// Reads the text of a file, as far as it can be understood.
    pub fn parse(path: &Path, text: String, options: &[ConfigOption]) -> Self {
        let (root, errors) = DeTable::parse_recoverable(&text);
        let problems = errors.iter().map(|error| {
            let span = error.span().unwrap_or_default();
            Problem::new(span, error.message().to_owned())
        });
        let mut file = Self {
            path: path.to_owned(),
            problems: problems.collect(),
            defaults: Settings::default(),
            audits: Vec::new(),
            text: String::new(),
        };
        let reader = Reader {
            options,
            folder: path.parent().unwrap_or(Path::new("")),
        };
        for (key, value) in root.get_ref() {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            match (name, value.get_ref()) {
                ("audit", DeValue::Table(audits)) => file.add_audits(&reader, audits),
                ("defaults", DeValue::Table(table)) => file.defaults = reader.settings(table),
                ("audit" | "defaults", _) => {
                    let message = format!("`{name}` is a table");
                    file.problems.push(Problem::new(span, message));
                }
                _ => {
                    let problem = unknown("table or key", name, span, TABLES.into_iter());
                    file.problems.push(match problem.hint {
                        Some(_) => problem,
                        None => problem.hint(Some(
                            "a file holds [defaults] and tables such as [audit.charges]".to_owned(),
                        )),
                    });
                }
            }
        }
        file.audits.sort_by_key(|audit| audit.span.start);
        file.text = text;
        file
    }

    fn add_audits(&mut self, reader: &Reader<'_>, audits: &DeTable<'_>) {
        for (key, value) in audits {
            let (name, span) = (key.get_ref().to_string(), key.span());
            if let Some(table) = value.get_ref().as_table() {
                self.audits.push(NamedAudit {
                    name,
                    span,
                    settings: reader.settings(table),
                });
            } else {
                let message = format!("`audit.{name}` is a table of settings");
                let hint = format!("begin it with [audit.{name}]");
                self.problems
                    .push(Problem::new(span, message).hint(Some(hint)));
            }
        }
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the audit of this name.
    pub fn audit(&self, name: &str) -> Result<&NamedAudit, UsageError> {
        let found = self.audits.iter().find(|audit| audit.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self
                .audits
                .iter()
                .map(|audit| audit.name.as_str())
                .collect();
            let file = self.path.display();
            let error = UsageError::new(format!("there is no such audit in {file}"));
            let error = match nearest(name, names.iter().copied()) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None if names.is_empty() => error.hint(format!("begin it with [audit.{name}]")),
                None => error.hint(format!("it has {}", names.join(", "))),
            };
            error.at("--audit", name)
        })
    }

    /// Returns problems as they are told, in the order of the file.
    pub fn all_told(&self, mut problems: Vec<Problem>) -> Vec<UsageError> {
        problems.sort_by_key(|problem| problem.span.start);
        problems.iter().map(|problem| self.told(problem)).collect()
    }

    /// A problem is told with file, line and column, from 1.
    fn told(&self, problem: &Problem) -> UsageError {
        let start = self.text.floor_char_boundary(problem.span.start);
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let in_line = before.rsplit('\n').next().unwrap_or_default();
        let column = in_line.chars().count() + 1;
        let message = format!(
            "{}:{line}:{column}: {}",
            self.path.display(),
            problem.message
        );
        UsageError {
            message,
            hint: problem.hint.clone(),
            place: None,
        }
    }
}

/// Reads tables of settings.
struct Reader<'a> {
    options: &'a [ConfigOption],
    folder: &'a Path,
}

impl Reader<'_> {
    fn settings(&self, table: &DeTable<'_>) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in table {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            let is_called = |option: &ConfigOption| option.is_called(name);
            let Some(place) = self.options.iter().position(is_called) else {
                let names = self.options.iter().map(|option| option.name.as_str());
                settings.problems.push(unknown("key", name, span, names));
                continue;
            };
            if settings.set.iter().any(|other| other.option == place) {
                let message = format!("`{name}` is set twice");
                settings.problems.push(Problem::new(span, message));
                continue;
            }
            let values = self.options.get(place).map(|option| {
                let values = self.values(option, value.get_ref());
                values.map_err(|reason| Problem::new(value.span(), format!("`{name}`: {reason}")))
            });
            match values {
                Some(Ok(values)) => settings.set.push(Setting {
                    option: place,
                    values,
                    span: Some(span),
                }),
                Some(Err(problem)) => settings.problems.push(problem),
                None => {}
            }
        }
        settings
    }

    fn values(&self, option: &ConfigOption, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
        let texts = match (option.count, value) {
            (Count::Switch, value) => match value.as_bool() {
                Some(true) => return Ok(vec!["true".into()]),
                Some(false) => return Ok(Vec::new()),
                None => return Err("it is either true or false".to_owned()),
            },
            (Count::Many, DeValue::Array(values)) => {
                let texts = values.iter().map(|value| scalar(value.get_ref()));
                texts.collect::<Result<Vec<String>, String>>()?
            }
            (Count::Many, DeValue::Table(table)) if option.kind == Kind::Pair => pairs("", table)?,
            (Count::Many, value) => {
                vec![scalar(value).map_err(|_| "it is text, or a list of texts")?]
            }
            (Count::One, value) => vec![scalar(value)?],
        };
        if let Some(refusal) = texts.iter().find_map(|text| option.refusal(text)) {
            return Err(refusal);
        }
        let placed = texts.iter().map(|text| option.placed(text, self.folder));
        Ok(placed.map(OsString::from).collect())
    }
}

/// Returns `NAME=VALUE` of each member; names with dots may be written as tables in tables.
fn pairs(prefix: &str, table: &DeTable<'_>) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        let value = value.get_ref();
        if let Some(inner) = value.as_table() {
            texts.extend(pairs(&format!("{name}."), inner)?);
        } else if let Some(switch) = value.as_bool() {
            texts.push(format!("{name}={switch}"));
        } else {
            texts.push(format!("{name}={}", scalar(value)?));
        }
    }
    Ok(texts)
}

/// Numbers and dates are the text that would be typed.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|error| error.to_string()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Datetime(time) => Ok(time.to_string()),
        DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => Err("it is text".to_owned()),
    }
}

fn unknown<'a>(
    what: &str,
    name: &str,
    span: Range<usize>,
    names: impl Iterator<Item = &'a str>,
) -> Problem {
    let hint = nearest(name, names).map(|nearest| format!("did you mean `{nearest}`?"));
    Problem::new(span, format!("unknown {what} `{name}`")).hint(hint)
}

fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.replace('_', "-");
    names
        .map(|of| (strsim::jaro(&name, of), of))
        // Of short names little is alike when one letter is wrong.
        .filter(|(alike, of)| *alike > ALIKE || strsim::levenshtein(&name, of) == 1)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, of)| of)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::config::layers;
    use crate::cli::config::options::options_of;
    use crate::cli::flags::Flags;

    fn options() -> Vec<ConfigOption> {
        let mut root = Flags::command();
        root.build();
        options_of(root.find_subcommand("scan").unwrap())
    }

    fn parse(text: &str) -> ConfigFile {
        ConfigFile::parse(Path::new("conf/d.toml"), text.to_owned(), &options())
    }

    fn line(settings: &Settings) -> String {
        let settings = layers::merged(&options(), vec![settings.set.clone()]);
        let words = layers::words(&options(), &settings);
        words.join(&OsString::from(" ")).into_string().unwrap()
    }

    fn problems(text: &str) -> Vec<String> {
        let file = parse(text);
        let tables = file
            .audits
            .iter()
            .flat_map(|audit| &audit.settings.problems);
        let all = file.problems.iter().chain(&file.defaults.problems);
        let told = file.all_told(all.chain(tables).cloned().collect());
        told.into_iter()
            .map(|told| {
                let hint = told.hint.map(|hint| format!(" ({hint})"));
                format!("{}{}", told.message, hint.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn every_form_of_a_value_is_understood() {
        let file = parse(
            "[audit.one]\n\
             files = ['a.jsonl', '/b.jsonl', '-']\n\
             by = 'charge_id,key'\n\
             from = 2026-01-15\n\
             top = 1_0\n\
             max_missing = 0.01\n\
             partitions = 3\n\
             allow-empty = true\n\
             quiet = false\n\
             map = { timestamp = 'created:s' }\n\
             X.client.id = 'x'\n\
             X.\"sasl.password\" = '@key'\n\
             X.check.crcs = true\n\
             [audit.\"two words\"]\n",
        );
        assert_eq!(problems(&file.text), [""; 0]);
        let names: Vec<&str> = file
            .audits
            .iter()
            .map(|audit| audit.name.as_str())
            .collect();
        assert_eq!(names, ["one", "two words"]);
        assert_eq!(
            line(&file.audit("one").unwrap().settings),
            "--map timestamp=created:s --partitions 3 -X check.crcs=true -X client.id=x \
             -X sasl.password=@conf/key --from 2026-01-15 --by charge_id,key \
             --max-missing 0.01 --allow-empty --top 10 conf/a.jsonl /b.jsonl -"
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        assert_eq!(
            problems(
                "[default]\ntop = 3\n[audit.one]\nwher = 'x'\ntop = 'many'\nquiet = 'yes'\n\
                 by = [true]\n\"é\" = 1\nlook_back = '1h'\nlook-back = '2h'\n[defaults]\nbi = 1\n"
            ),
            [
                "conf/d.toml:1:2: unknown table or key `default` (did you mean `defaults`?)",
                "conf/d.toml:4:1: unknown key `wher` (did you mean `where`?)",
                "conf/d.toml:5:7: `top`: `many` is no whole number from 0",
                "conf/d.toml:6:9: `quiet`: it is either true or false",
                "conf/d.toml:7:6: `by`: it is text",
                "conf/d.toml:8:1: unknown key `é`",
                "conf/d.toml:9:1: `look_back` is set twice",
                "conf/d.toml:12:1: unknown key `bi` (did you mean `by`?)",
            ]
        );
    }

    #[test]
    fn text_that_is_no_toml_is_told_with_its_place() {
        let problems = problems("[audit.one]\nby = 'id\ntop = = 3\n");
        assert!(problems.len() > 1, "{problems:?}");
        assert!(problems[0].starts_with("conf/d.toml:2:"), "{problems:?}");
    }

    #[test]
    fn an_audit_that_is_not_there_is_refused_with_the_nearest() {
        let file = parse("[audit.charges]\n[audit.mails]\n");
        let hint = |name: &str| file.audit(name).unwrap_err().hint.unwrap();
        assert_eq!(hint("charge"), "did you mean `charges`?");
        assert_eq!(hint("xyz"), "it has charges, mails");
        let empty = parse("");
        assert!(
            empty
                .audit("a")
                .unwrap_err()
                .hint
                .unwrap()
                .contains("[audit.a]")
        );
    }
}
