//! `-r`, `--schemas`, `--value-schema` and `--key-schema` come to what is inside keys and values.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::cli::resolve::kafka::{self, Environment};
use crate::cli::secret;
use crate::cli::usage_error::UsageError;
use crate::schema::{PartSpec, RegistrySettings, SchemaFile, SchemaSpec};

/// What is inside keys and values, where it is no JSON.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is inside")]
pub struct SchemaFlags {
    /// Read Avro, Protobuf and JSON Schema in the Confluent wire format with the schemas of this
    /// registry; its properties are -X schema.registry.NAME=VALUE, such as
    /// basic.auth.user.info=@FILE and ssl.ca.location=FILE
    #[arg(short = 'r', long, value_name = "URL", value_hint = ValueHint::Url)]
    pub schema_registry: Option<String>,
    /// Look here for schemas first, by their ids: 17.avsc, 17.proto, 17.desc (descriptors), or
    /// 17.json (JSON Schema, or what the registry answers for the id)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub schemas: Option<PathBuf>,
    /// Schema of values without an id: FILE.avsc, FILE.proto or FILE.desc, with the message after
    /// a colon where there are several; `none` leaves values as they are
    #[arg(long, value_name = "FILE[:MESSAGE]", value_hint = ValueHint::FilePath)]
    pub value_schema: Option<String>,
    /// Schema of keys without an id; the same forms
    #[arg(long, value_name = "FILE[:MESSAGE]", value_hint = ValueHint::FilePath)]
    pub key_schema: Option<String>,
}

/// Returns which schemas are asked for; `properties` are those of `-X`.
pub fn resolve(
    flags: &SchemaFlags,
    properties: &[String],
    environment: Environment<'_>,
) -> Result<SchemaSpec, UsageError> {
    let mut registry = RegistrySettings::default();
    let mut given = None;
    let typed = kafka::properties(properties, environment)?;
    for (name, value) in typed
        .iter()
        .filter(|(name, _)| RegistrySettings::owns(name))
    {
        if name == "schema.registry.url" {
            check_address(value).map_err(|error| error.at("-X", &masked(name, value)))?;
        }
        registry.add(name, value).map_err(UsageError::new)?;
        given = given.or(Some(name));
    }
    if let Some(url) = &flags.schema_registry {
        check_address(url).map_err(|error| error.at("--schema-registry", &secret::masked(url)))?;
        let added = registry.add("schema.registry.url", url);
        added.map_err(UsageError::new)?;
    }
    if let Some(name) = given.filter(|_| !registry.is_named()) {
        return Err(
            UsageError::new(format!("`-X {name}` is given, but no schema registry"))
                .hint("add its address, such as -r http://localhost:8081"),
        );
    }
    Ok(SchemaSpec {
        registry,
        folder: flags.schemas.clone(),
        key: part(flags.key_schema.as_deref()),
        value: part(flags.value_schema.as_deref()),
    })
}

fn masked(name: &str, value: &str) -> String {
    format!("{name}={}", secret::masked(value))
}

/// What is typed can be read by everyone, in the list of processes.
fn check_address(url: &str) -> Result<(), UsageError> {
    let has_credentials = url.split(',').any(|url| {
        let host = url.split_once("://").map_or(url, |(_, rest)| rest);
        host.contains('@')
    });
    if has_credentials {
        return Err(UsageError::new(
            "credentials on the command line can be read by everyone here",
        )
        .hint(
            "keep USER:PASSWORD in a file and give -X the property \
             schema.registry.basic.auth.user.info as NAME=@FILE, or in a variable, as \
             NAME=env:VARIABLE",
        ));
    }
    let has_scheme = |url: &str| {
        let host = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        host.is_some_and(|host| !host.is_empty())
    };
    if url.split(',').all(|url| has_scheme(url.trim())) {
        return Ok(());
    }
    Err(UsageError::new("this is no address of a schema registry")
        .hint("write it as in -r http://localhost:8081"))
}

fn part(text: Option<&str>) -> PartSpec {
    match text {
        None => PartSpec::ById,
        Some("none") => PartSpec::AsTheyAre,
        Some(text) => {
            let (path, message) = match text.rsplit_once(':') {
                Some((path, message)) if !Path::new(text).exists() => (path, Some(message)),
                Some(_) | None => (text, None),
            };
            PartSpec::With(SchemaFile {
                path: path.into(),
                message: message.map(str::to_owned),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::flags::{CommandFlags, Flags};

    fn schema(arguments: &[&str]) -> Result<SchemaSpec, UsageError> {
        let all = ["dupaudit", "scan", "a"].iter().chain(arguments);
        let CommandFlags::Scan(scan) = Flags::try_parse_from(all).unwrap().command else {
            panic!("a scan")
        };
        let environment = |name: &str| (name == "KEPT").then(|| "u:hunter2".to_owned());
        resolve(
            &scan.audit.schema,
            &scan.audit.sources.property,
            &environment,
        )
    }

    #[test]
    fn nothing_is_asked_for_by_default() {
        assert_eq!(schema(&[]), Ok(SchemaSpec::default()));
        assert!(!schema(&[]).unwrap().is_asked_for());
        assert!(schema(&["-r", "http://a:1/x"]).unwrap().is_asked_for());
        assert!(schema(&["--schemas", "x"]).unwrap().is_asked_for());
        let off = ["--value-schema", "none", "--key-schema", "none"];
        let spec = schema(&[&["-r", "http://a"], &off[..]].concat()).unwrap();
        assert!(!spec.is_asked_for());
    }

    #[test]
    fn a_message_may_follow_the_file() {
        let value = |text| schema(&["--value-schema", text]).unwrap().value;
        let file = |path: &str, message: Option<&str>| {
            PartSpec::With(SchemaFile {
                path: path.into(),
                message: message.map(str::to_owned),
            })
        };
        assert_eq!(value("a.avsc"), file("a.avsc", None));
        assert_eq!(value("b/a.proto:x.Y"), file("b/a.proto", Some("x.Y")));
    }

    #[test]
    fn credentials_are_refused_where_everyone_can_read_them() {
        for arguments in [
            ["-r", "http://u:hunter2@host"],
            ["-r", "http://a,https://u:hunter2@host/path"],
            ["-X", "schema.registry.url=http://u:hunter2@host"],
            ["-X", "schema.registry.basic.auth.user.info=u:hunter2"],
            ["-X", "basic.auth.user.info=u:hunter2"],
            ["-X", "schema.registry.bearer.auth.token=hunter2"],
        ] {
            let error = schema(&arguments).unwrap_err();
            assert!(error.message.contains("***"), "{error:?}");
            assert!(error.hint.is_some());
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let kept = "schema.registry.basic.auth.user.info=env:KEPT";
        assert!(schema(&["-r", "http://a", "-X", kept]).is_ok());
    }

    #[test]
    fn what_is_no_address_or_property_is_refused() {
        for (arguments, part) in [
            (&["-r", "localhost:8081"][..], "no address"),
            (&["-r", "ftp://a"], "no address"),
            (&["-r", "http://"], "no address"),
            (&["-X", "schema.registry.retries=1"], "none of this name"),
            (
                &["-X", "schema.registry.ssl.ca.location=a"],
                "no schema registry",
            ),
        ] {
            let error = schema(arguments).unwrap_err();
            assert!(error.message.contains(part), "{error:?}");
        }
    }
}
