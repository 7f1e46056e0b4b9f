//! `-b`, `-t`, `-p`, `-X`, `-F` and the like come to one request to a cluster.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use crate::cli::flags::{IsolationFlag, ReaderFlag, SourceFlags};
use crate::cli::resolve::{duration, partitions, size};
use crate::cli::secret::{self, MASK};
use crate::cli::usage_error::UsageError;
use crate::command::KafkaRequest;
use crate::schema::RegistrySettings;
use crate::source::kafka::{Isolation, Reader};

/// Looks a variable of the environment up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Longest name that Kafka allows for a topic.
const TOPIC_LENGTH_MAX: usize = 249;

/// Properties that name the brokers.
const BROKER_PROPERTIES: [&str; 2] = ["bootstrap.servers", "metadata.broker.list"];

/// Returns the request, if topics are asked for, and the isolation level. What a job on a cluster
/// would be is shown for files too.
pub fn resolve(
    flags: &SourceFlags,
    (is_of_cluster, environment): (bool, Environment<'_>),
) -> Result<(Option<KafkaRequest>, Isolation), UsageError> {
    let mut properties = properties(&flags.property, environment)?;
    properties.retain(|(name, _)| !RegistrySettings::owns(name));
    let isolation = isolation(flags.isolation, &mut properties)?;
    if flags.topic.is_empty() {
        return no_topic(flags, is_of_cluster).map(|()| (None, isolation));
    }
    let names_brokers = |(name, _): &(String, String)| BROKER_PROPERTIES.contains(&&**name);
    let is_named_elsewhere =
        !flags.property_file.is_empty() || properties.iter().any(names_brokers);
    let request = KafkaRequest {
        brokers: brokers(&flags.brokers, is_named_elsewhere)?,
        topics: topics(&flags.topic)?,
        partitions: partitions(&flags.partitions)?,
        properties,
        property_files: flags.property_file.clone(),
        stall_timeout_millis: stall_timeout(&flags.stall_timeout)?,
        max_rate_bytes: flags.max_rate.as_deref().map(max_rate).transpose()?,
        reader: match flags.reader {
            None => Reader::Automatic,
            Some(ReaderFlag::Wire) => Reader::Wire,
            Some(ReaderFlag::Librdkafka) => Reader::Librdkafka,
        },
    };
    Ok((Some(request), isolation))
}

fn no_topic(flags: &SourceFlags, is_of_cluster: bool) -> Result<(), UsageError> {
    let option = if !flags.brokers.is_empty() {
        "-b/--brokers"
    } else if !flags.partitions.is_empty() {
        "-p/--partitions"
    } else if flags.property.iter().any(|of| !RegistrySettings::owns(of)) {
        "-X"
    } else if !flags.property_file.is_empty() {
        "-F"
    } else if flags.max_rate.is_some() {
        "--max-rate"
    } else if flags.dry_run && !is_of_cluster {
        "--dry-run"
    } else {
        return Ok(());
    };
    Err(
        UsageError::new(format!("`{option}` is given, but no topic to read"))
            .hint("add the topic, such as -t charges; `^` begins a regular expression"),
    )
}

fn brokers(texts: &[String], is_named_elsewhere: bool) -> Result<Option<String>, UsageError> {
    if texts.is_empty() {
        if is_named_elsewhere {
            return Ok(None);
        }
        return Err(
            UsageError::new("a topic is given, but no broker to ask").hint(
                "add the brokers, such as -b localhost:9092, or a file that names them with -F",
            ),
        );
    }
    let list = texts.join(",");
    for broker in list.split(',').map(str::trim) {
        let port = broker.rsplit_once(':').map(|(_, port)| port);
        let is_port_right =
            port.is_none_or(|port| port.ends_with(']') || port.parse::<u16>().is_ok_and(|n| n > 0));
        if broker.is_empty() || broker.contains(char::is_whitespace) || !is_port_right {
            return Err(UsageError::new(format!("`{broker}` is no HOST:PORT"))
                .hint("write one or more, comma-separated, such as -b one:9092,two:9092")
                .at("--brokers", &list));
        }
    }
    Ok(Some(list))
}

fn topics(texts: &[String]) -> Result<Vec<String>, UsageError> {
    let mut topics: Vec<String> = Vec::new();
    for text in texts {
        let checked = if text.starts_with('^') {
            check_pattern(text)
        } else {
            check_topic(text)
        };
        checked.map_err(|error| error.at("--topic", text))?;
        if !topics.contains(text) {
            topics.push(text.clone());
        }
    }
    Ok(topics)
}

fn check_pattern(text: &str) -> Result<(), UsageError> {
    Regex::new(text).map(drop).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim();
        UsageError::new(format!("this is no regular expression: {reason}"))
    })
}

/// Checks the name of a topic as Kafka does.
pub fn check_topic(text: &str) -> Result<(), UsageError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.contains(',') {
        return Err(
            UsageError::new("a topic's name has no comma").hint("repeat the option: -t one -t two")
        );
    }
    if text.is_empty()
        || text.len() > TOPIC_LENGTH_MAX
        || text == "."
        || text == ".."
        || !text.bytes().all(is_legal)
    {
        return Err(UsageError::new("this is no name of a topic").hint(
            "names have 1 to 249 letters, digits, `.`, `_` and `-`; a regular expression begins \
             with `^`",
        ));
    }
    Ok(())
}

fn partitions(texts: &[String]) -> Result<Option<BTreeSet<i32>>, UsageError> {
    let mut partitions = BTreeSet::new();
    for text in texts {
        partitions::parse_into(&mut partitions, text)
            .map_err(|error| error.at("--partitions", text))?;
    }
    Ok((!texts.is_empty()).then_some(partitions))
}

fn stall_timeout(text: &str) -> Result<i64, UsageError> {
    let result = match duration::parse(text) {
        Ok(0) => Err(UsageError::new("nothing can be read without waiting")
            .hint("write at least 1s; 60s is the default")),
        parsed => parsed,
    };
    result.map_err(|error| error.at("--stall-timeout", text))
}

/// Returns bytes a second.
fn max_rate(text: &str) -> Result<u64, UsageError> {
    let result = match size::parse(text.strip_suffix("/s").unwrap_or(text)) {
        Ok(0) => Err(UsageError::new("nothing can be read at that rate")
            .hint("write bytes a second, such as 50MB/s")),
        parsed => parsed,
    };
    result.map_err(|error| error.at("--max-rate", text))
}

/// Returns the properties of `-X`, secrets looked up.
pub fn properties(
    texts: &[String],
    environment: Environment<'_>,
) -> Result<Vec<(String, String)>, UsageError> {
    texts
        .iter()
        .map(|text| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let name = name.trim();
            if name.is_empty() || !text.contains('=') {
                return Err(UsageError::new("this is no NAME=VALUE")
                    .hint(
                        "properties are written as librdkafka names them, such as \
                           -X security.protocol=SASL_SSL",
                    )
                    .at("-X", &secret::masked(text)));
            }
            let value = if secret::is_secret_name(name) {
                look_secret_up(value, environment)
                    .map_err(|error| error.at("-X", &format!("{name}={MASK}")))?
            } else {
                value.to_owned()
            };
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// Finds a secret where it is kept. What is typed is never repeated: it may be the secret itself.
fn look_secret_up(value: &str, environment: Environment<'_>) -> Result<String, UsageError> {
    const HINT: &str = "keep the secret in a file and write NAME=@FILE, in a variable and write \
                        NAME=env:VARIABLE, or in a file of properties for -F";
    if let Some(path) = value.strip_prefix('@') {
        let text = std::fs::read_to_string(Path::new(path)).map_err(|error| {
            UsageError::new(format!("the file that should hold the secret: {error}")).hint(HINT)
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(text.strip_suffix('\r').unwrap_or(text).to_owned());
    }
    if let Some(name) = value.strip_prefix("env:") {
        return environment(name).ok_or_else(|| {
            UsageError::new("the variable that should hold the secret is not set").hint(HINT)
        });
    }
    Err(UsageError::new("a secret on the command line can be read by everyone here").hint(HINT))
}

/// The level is `--isolation`, or as in kcat the property, which must not say otherwise.
fn isolation(
    flag: Option<IsolationFlag>,
    properties: &mut Vec<(String, String)>,
) -> Result<Isolation, UsageError> {
    let by_flag = flag.map(|flag| match flag {
        IsolationFlag::ReadCommitted => Isolation::ReadCommitted,
        IsolationFlag::ReadUncommitted => Isolation::ReadUncommitted,
    });
    let mut level = by_flag;
    for (name, value) in properties
        .iter()
        .filter(|(name, _)| name == "isolation.level")
    {
        let by_property = match value.as_str() {
            "read_committed" => Isolation::ReadCommitted,
            "read_uncommitted" => Isolation::ReadUncommitted,
            _ => {
                return Err(UsageError::new("there is no such isolation level")
                    .hint("write read_committed or read_uncommitted")
                    .at("-X", &format!("{name}={value}")));
            }
        };
        if by_flag.is_some_and(|by_flag| by_flag != by_property) {
            return Err(UsageError::new("`--isolation` says otherwise")
                .hint("keep one of them")
                .at("-X", &format!("{name}={value}")));
        }
        level = Some(by_property);
    }
    properties.retain(|(name, _)| name != "isolation.level");
    Ok(level.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;
    use crate::cli::flags::{CommandFlags, Flags};

    fn flags(arguments: &[&str]) -> SourceFlags {
        let arguments = ["dupaudit", "scan"].iter().chain(arguments);
        let flags = Flags::try_parse_from(arguments).unwrap();
        let CommandFlags::Scan(scan) = flags.command else {
            panic!("{:?}", flags.command)
        };
        scan.audit.sources
    }

    fn kafka(arguments: &[&str]) -> Result<(Option<KafkaRequest>, Isolation), UsageError> {
        let environment = |name: &str| (name == "KEPT").then(|| "hunter2".to_owned());
        resolve(&flags(arguments), (false, &environment))
    }

    fn request(arguments: &[&str]) -> KafkaRequest {
        kafka(arguments).unwrap().0.unwrap()
    }

    fn property(arguments: &[&str]) -> Result<String, UsageError> {
        let base = ["-b", "h:1", "-t", "a", "-X"];
        let all: Vec<&str> = base.iter().chain(arguments).copied().collect();
        kafka(&all).map(|(request, _)| request.unwrap().properties.remove(0).1)
    }

    #[test]
    fn every_option_comes_to_a_part_of_the_request() {
        let found = request(&[
            "-b",
            "one:9092",
            "-b",
            "two",
            "-t",
            "charges",
            "-t",
            "^pay.*",
            "-t",
            "charges",
            "-p",
            "3-4",
            "-p",
            "0",
            "-X",
            "security.protocol=SASL_SSL",
            "-X",
            "a=b=c",
            "-F",
            "prod.conf",
            "--stall-timeout",
            "5s",
            "--reader",
            "librdkafka",
            "--max-rate",
            "1.5MB/s",
        ]);
        let expected = KafkaRequest {
            brokers: Some("one:9092,two".to_owned()),
            topics: vec!["charges".to_owned(), "^pay.*".to_owned()],
            partitions: Some(BTreeSet::from([0, 3, 4])),
            properties: vec![
                ("security.protocol".to_owned(), "SASL_SSL".to_owned()),
                ("a".to_owned(), "b=c".to_owned()),
            ],
            property_files: vec!["prod.conf".into()],
            stall_timeout_millis: 5_000,
            max_rate_bytes: Some(1_500_000),
            reader: Reader::Librdkafka,
        };
        assert_eq!(found, expected);
        let found = request(&["-b", "one", "-t", "a"]);
        assert_eq!(found.stall_timeout_millis, 60_000);
        assert_eq!((found.partitions, found.max_rate_bytes), (None, None));
        assert_eq!(found.reader, Reader::Automatic);
    }

    #[test]
    fn a_rate_is_a_size_a_second_above_nothing() {
        for (text, bytes) in [("50MB/s", 50_000_000), ("2M", 2 << 20)] {
            assert_eq!(max_rate(text), Ok(bytes));
        }
        for text in ["0", "0MB/s", "fast", "5/s/s", "5M/m"] {
            assert!(max_rate(text).unwrap_err().message.contains("--max-rate"));
        }
    }

    #[test]
    fn without_kafka_options_nothing_is_asked_of_a_cluster() {
        let nothing = (None, Isolation::ReadCommitted);
        assert_eq!(kafka(&["file"]), Ok(nothing));
        let (request, level) = kafka(&["file", "--isolation", "read_uncommitted"]).unwrap();
        assert_eq!((request, level), (None, Isolation::ReadUncommitted));
    }

    #[test]
    fn a_topic_needs_brokers_and_brokers_need_a_topic() {
        let error = kafka(&["-t", "a"]).unwrap_err();
        assert!(error.message.contains("no broker") && error.hint.unwrap().contains("-b"));
        for arguments in [
            ["-b", "h:1"],
            ["-p", "0"],
            ["-X", "a=b"],
            ["-F", "prod.conf"],
            ["--max-rate", "1M"],
        ] {
            let error = kafka(&arguments).unwrap_err();
            assert!(error.message.contains(arguments[0]), "{error:?}");
            assert!(error.hint.unwrap().contains("-t"));
        }
    }

    #[test]
    fn properties_and_their_files_may_name_the_brokers() {
        for property in ["bootstrap.servers=h:1", "metadata.broker.list=h:1"] {
            assert_eq!(request(&["-t", "a", "-X", property]).brokers, None);
        }
        assert_eq!(request(&["-t", "a", "-F", "prod.conf"]).brokers, None);
    }

    #[test]
    fn wrong_brokers_and_topics_are_errors() {
        for brokers in ["", "a:1,", "a:x", "a:0", "a:99999", "a b:1", "a:"] {
            let error = kafka(&["-b", brokers, "-t", "a"]).unwrap_err();
            assert!(error.message.contains("--brokers"), "{error:?}");
        }
        for brokers in ["a", "[::1]:9092", "[::1]", "PLAINTEXT://a:1,b:2"] {
            assert!(kafka(&["-b", brokers, "-t", "a"]).is_ok(), "{brokers}");
        }
        let long = "a".repeat(250);
        for topic in ["", "a,b", "a b", ".", "..", "é", "^(", &long] {
            let error = kafka(&["-b", "h:1", "-t", topic]).unwrap_err();
            assert!(error.message.contains("--topic"), "{error:?}");
        }
    }

    #[test]
    fn wrong_partitions_and_timeouts_name_their_option() {
        let error = kafka(&["-b", "h:1", "-t", "a", "-p", "x"]).unwrap_err();
        assert!(error.message.starts_with("`--partitions x`: "));
        for text in ["0", "5", "x"] {
            let error = kafka(&["-b", "h:1", "-t", "a", "--stall-timeout", text]).unwrap_err();
            assert!(
                error
                    .message
                    .starts_with(&format!("`--stall-timeout {text}`: "))
            );
        }
    }

    #[test]
    fn a_property_is_a_name_and_a_value() {
        for text in ["list", "=b", " =b", ""] {
            let error = property(&[text]).unwrap_err();
            assert!(error.message.starts_with("`-X "), "{error:?}");
        }
        assert_eq!(property(&["a="]), Ok(String::new()));
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "sasl.jaas.config",
            "ssl.key.pem",
        ] {
            let error = property(&[&format!("{name}=hunter2")]).unwrap_err();
            assert!(error.message.starts_with(&format!("`-X {name}=***`: ")));
            assert!(error.hint.as_ref().unwrap().contains("@FILE"));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let error = kafka(&["-X", "sasl.password=hunter2"]).unwrap_err();
        assert!(error.message.contains("secret"));
    }

    #[test]
    fn a_secret_is_found_in_a_file_or_a_variable() {
        for (kept, secret) in [
            ("hunter2\n", "hunter2"),
            ("a b\r\n", "a b"),
            ("a\n\n", "a\n"),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(kept.as_bytes()).unwrap();
            let text = format!("sasl.password=@{}", file.path().display());
            assert_eq!(property(&[&text]), Ok(secret.to_owned()));
        }
        assert_eq!(
            property(&["sasl.password=env:KEPT"]),
            Ok("hunter2".to_owned())
        );
        for text in ["sasl.password=@hunter3", "sasl.password=env:hunter3"] {
            let error = property(&[text]).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter3"), "{error:?}");
        }
        assert_eq!(property(&["client.id=@x"]), Ok("@x".to_owned()));
    }

    #[test]
    fn the_isolation_level_may_be_a_property_that_does_not_contradict() {
        let base = ["-b", "h:1", "-t", "a", "-X"];
        let level = |arguments: &[&str]| {
            let all: Vec<&str> = base.iter().chain(arguments).copied().collect();
            kafka(&all).map(|(request, level)| (request.unwrap().properties.len(), level))
        };
        let uncommitted = "isolation.level=read_uncommitted";
        assert_eq!(level(&[uncommitted]), Ok((0, Isolation::ReadUncommitted)));
        assert!(level(&[uncommitted, "--isolation", "read_uncommitted"]).is_ok());
        assert!(level(&[uncommitted, "--isolation", "read_committed"]).is_err());
        assert!(level(&["isolation.level=serializable"]).is_err());
        assert_eq!(level(&["a=b"]), Ok((1, Isolation::ReadCommitted)));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_error_repeats_a_secret(
            secret in "[a-zA-Z0-9!]{0,9}Zq[ -~]{0,9}",
            name in "[a-z.]{0,9}password",
        ) {
            let error = property(&[&format!("{name}={secret}")]).unwrap_err();
            let shown = format!("{error:?}");
            prop_assert!(!shown.contains(&secret));
        }
    }
}
