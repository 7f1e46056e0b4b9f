//! Client properties: from the command line and from files, checked, with secrets masked.

mod names;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use thiserror::Error;

use names::{FORCED, REFUSED, SECRET, WITHOUT_MEANING, WITHOUT_MEANING_PREFIXES};

/// Extensions of stores that hold no PEM.
const STORE_EXTENSIONS: [&str; 5] = ["jks", "p12", "pfx", "keystore", "truststore"];

/// What to do about a store of a client's key that only Java can read.
const JAVA_KEY_STORE: &str = "a Java key store cannot be read; \
                              `keytool -importkeystore -deststoretype PKCS12` makes one that can";

/// Why a property is not taken.
#[derive(Debug, Error)]
pub enum PropertyError {
    /// There is no `=`, or no name before it.
    #[error("{place}: expected NAME=VALUE")]
    Syntax {
        /// Where.
        place: String,
    },
    /// The property loads code or runs a shell.
    #[error("property {0} loads code or runs a command; dupaudit does not accept it")]
    Refused(String),
    /// A file cannot be read.
    #[error("{name}: cannot read {path}: {error}")]
    Unreadable {
        /// Property, or `-F`.
        name: String,
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The environment lacks the variable.
    #[error("property {name}: the environment has no variable {variable}")]
    NoVariable {
        /// Property.
        name: String,
        /// Name of the variable.
        variable: String,
    },
    /// The value cannot be used here, and what to do instead.
    #[error("property {name}: {problem}")]
    Unusable {
        /// Property.
        name: String,
        /// Why, and what next; never the value of a secret.
        problem: String,
    },
}

/// Client properties under librdkafka's names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    values: BTreeMap<String, String>,
    /// Whether the key store holds certificate and key as PEM.
    has_pem_key_store: bool,
    notes: Vec<String>,
    /// Those of a schema registry, in the order added; clients of the cluster have none.
    registry: Vec<(String, String)>,
}

impl fmt::Debug for Properties {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| (name, masked(name, value)));
        out.debug_map().entries(shown).finish()
    }
}

impl Properties {
    /// Adds one property; its value is taken as it is.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        self.set(name, value.to_owned())
    }

    /// Adds the properties of a librdkafka or Java client properties file.
    pub fn add_file(
        &mut self,
        path: &Path,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<(), PropertyError> {
        const BYTE_ORDER_MARK: char = '\u{feff}';
        let text = read_text("-F", &path.display().to_string())?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        for (line, property) in logical_lines(text) {
            let (name, value) = split_property(&property).ok_or_else(|| PropertyError::Syntax {
                place: format!("{}:{line}", path.display()),
            })?;
            self.set(name, resolve(name, value, &lookup)?)?;
        }
        Ok(())
    }

    /// Checks what only the properties together show; to be called once all are added.
    pub fn check(&self) -> Result<(), PropertyError> {
        let protocol = self.get("security.protocol").unwrap_or_default();
        let is_sasl = protocol.to_ascii_lowercase().starts_with("sasl");
        let has_mechanism = self.get("sasl.mechanisms").is_some();
        if is_sasl && !has_mechanism {
            return Err(PropertyError::Unusable {
                name: "security.protocol".to_owned(),
                problem: format!("{protocol} needs sasl.mechanism, such as PLAIN or SCRAM-SHA-512"),
            });
        }
        Ok(())
    }

    /// Returns the value of a property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Iterates over names and values, secrets in clear.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.values.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes the properties of a schema registry out, in the order added.
    pub fn take_registry(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.registry)
    }

    /// Returns what was ignored or changed, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), PropertyError> {
        if REFUSED.contains(&name) {
            return Err(PropertyError::Refused(name.to_owned()));
        }
        if is_of_registry(name) {
            self.registry.push((name.to_owned(), value));
        } else if FORCED.contains(&name) || name.starts_with("group.") {
            self.notes.push(format!(
                "property {name} is ignored: dupaudit sets it itself"
            ));
        } else if is_without_meaning(name) {
            self.notes.push(format!(
                "property {name} is ignored: it has no meaning here"
            ));
        } else {
            self.set_translated(name, value)?;
        }
        Ok(())
    }

    /// Sets a property under librdkafka's name, whichever client the name comes from.
    fn set_translated(&mut self, name: &str, value: String) -> Result<(), PropertyError> {
        let unusable = |problem: &str| {
            Err(PropertyError::Unusable {
                name: name.to_owned(),
                problem: problem.to_owned(),
            })
        };
        match name {
            "sasl.jaas.config" => return self.set_jaas(&value),
            "ssl.keystore.type" => match &*value.to_ascii_uppercase() {
                "PEM" => {
                    self.has_pem_key_store = true;
                    self.open_pem_key_store();
                }
                "PKCS12" => {}
                _ => return unusable(JAVA_KEY_STORE),
            },
            "ssl.keystore.location" => {
                if has_extension(&value, &["jks", "keystore"]) {
                    return unusable(JAVA_KEY_STORE);
                }
                self.put(name, value);
                self.open_pem_key_store();
            }
            "ssl.truststore.type" => {
                if !value.eq_ignore_ascii_case("PEM") {
                    return unusable(
                        "only PEM stores can be read; `keytool -exportcert -rfc` \
                         or `openssl pkcs12` makes one",
                    );
                }
            }
            "ssl.truststore.location" => {
                if has_extension(&value, &STORE_EXTENSIONS) {
                    return unusable(
                        "a Java key store cannot be read; export the certificates with \
                         `keytool -exportcert -rfc` and give ssl.ca.location=FILE.pem",
                    );
                }
                self.put("ssl.ca.location", value);
            }
            "ssl.truststore.certificates" => self.put("ssl.ca.pem", value),
            "ssl.keystore.certificate.chain" => self.put("ssl.certificate.pem", value),
            "ssl.keystore.key" => self.put("ssl.key.pem", value),
            "sasl.mechanism" => self.put("sasl.mechanisms", value),
            "metadata.broker.list" => self.put("bootstrap.servers", value),
            "ssl.endpoint.identification.algorithm" if value.is_empty() => {
                self.put(name, "none".to_owned());
            }
            _ => self.put(name, value),
        }
        Ok(())
    }

    fn put(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// Takes certificate and key out of the one file in which Java keeps both.
    fn open_pem_key_store(&mut self) {
        if self.has_pem_key_store
            && let Some(path) = self.values.remove("ssl.keystore.location")
        {
            self.put("ssl.certificate.location", path.clone());
            self.put("ssl.key.location", path);
        }
    }

    /// Takes user name and password out of a JAAS login module line.
    fn set_jaas(&mut self, jaas: &str) -> Result<(), PropertyError> {
        let unusable = |problem: &str| PropertyError::Unusable {
            name: "sasl.jaas.config".to_owned(),
            problem: problem.to_owned(),
        };
        let module = jaas.split_whitespace().next().unwrap_or_default();
        let is_known = module.ends_with("PlainLoginModule") || module.ends_with("ScramLoginModule");
        if !is_known {
            return Err(unusable(
                "only PlainLoginModule and ScramLoginModule can be taken over; \
                 give librdkafka's own sasl.* properties instead",
            ));
        }
        let (Some(username), Some(password)) =
            (jaas_option(jaas, "username"), jaas_option(jaas, "password"))
        else {
            return Err(unusable("username=\"…\" or password=\"…\" is missing"));
        };
        self.put("sasl.username", username);
        self.put("sasl.password", password);
        Ok(())
    }
}

/// Returns whether the property's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

/// Returns the value as it may be shown.
pub fn masked<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret(name) { "***" } else { value }
}

fn is_of_registry(name: &str) -> bool {
    let prefixes = ["schema.registry.", "basic.auth.", "bearer.auth."];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn is_without_meaning(name: &str) -> bool {
    let is_class = name.ends_with(".deserializer") || name.ends_with(".serializer");
    let mut prefixes = WITHOUT_MEANING_PREFIXES.iter();
    is_class || WITHOUT_MEANING.contains(&name) || prefixes.any(|prefix| name.starts_with(prefix))
}

fn has_extension(path: &str, known: &[&str]) -> bool {
    let extension = Path::new(path).extension();
    let extension = extension
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    known
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

fn split_property(text: &str) -> Option<(&str, &str)> {
    // Java files may have a colon instead.
    let (name, value) = text.split_once(['=', ':'])?;
    let name = name.trim();
    (!name.is_empty()).then_some((name, value.trim()))
}

fn resolve(
    name: &str,
    value: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, PropertyError> {
    if let Some(path) = value.strip_prefix('@') {
        let text = read_text(name, path)?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    if let Some(variable) = value.strip_prefix("env:") {
        return lookup(variable).ok_or_else(|| PropertyError::NoVariable {
            name: name.to_owned(),
            variable: variable.to_owned(),
        });
    }
    Ok(value.to_owned())
}

fn read_text(name: &str, path: &str) -> Result<String, PropertyError> {
    std::fs::read_to_string(path).map_err(|error| PropertyError::Unreadable {
        name: name.to_owned(),
        path: path.to_owned(),
        error,
    })
}

/// Returns the properties of a file with their line numbers: comments and blank lines left out,
/// lines that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut joined = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_start = pending.is_none();
        if is_start && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let (number, mut property) = pending.take().unwrap_or((index + 1, String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            property.push_str(part);
            pending = Some((number, property));
        } else {
            property.push_str(line);
            joined.push((number, property));
        }
    }
    joined.extend(pending);
    joined
}

/// Returns the value of `name="…"` in a JAAS line, backslash escapes undone.
fn jaas_option(jaas: &str, name: &str) -> Option<String> {
    let is_boundary = |before: &str| before.ends_with([' ', '\t', ',', ';']);
    let start = jaas
        .match_indices(name)
        .filter(|(at, _)| jaas.get(..*at).is_some_and(is_boundary))
        .find_map(|(at, _)| {
            let rest = jaas.get(at + name.len()..)?.trim_start();
            Some(rest.strip_prefix('=')?.trim_start())
        })?;
    let Some(quoted) = start.strip_prefix('"') else {
        let end = start.find([' ', '\t', ';']).unwrap_or(start.len());
        return start.get(..end).map(str::to_owned);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "KAFKA_PASSWORD").then(|| "hunter2".to_owned())
    }

    fn from_file(text: &str) -> Result<Properties, PropertyError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut properties = Properties::default();
        properties.add_file(file.path(), lookup)?;
        Ok(properties)
    }

    #[test]
    fn secrets_of_files_come_from_files_and_the_environment_and_are_never_shown() {
        let taken = from_file("sasl.password=env:KAFKA_PASSWORD\n").unwrap();
        assert_eq!(taken.get("sasl.password"), Some("hunter2"));
        assert!(!format!("{taken:?}").contains("hunter2"));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hunter3\n").unwrap();
        let line = format!("sasl.password=@{}", file.path().display());
        assert_eq!(
            from_file(&line).unwrap().get("sasl.password"),
            Some("hunter3")
        );
        assert!(from_file("sasl.password=env:NONE").is_err());
        assert!(from_file("sasl.password=@/no/such/file").is_err());
    }

    #[test]
    fn what_loads_code_is_refused_and_what_exactness_depends_on_is_ignored() {
        for name in REFUSED {
            assert!(Properties::default().add(name, "x").is_err());
            assert!(from_file(&format!("{name}=x\n")).is_err());
        }
        let ignored = from_file("auto.offset.reset=latest\ngroup.id=g\nkey.deserializer=X\n");
        let ignored = ignored.unwrap();
        assert_eq!(ignored.iter().count(), 0);
        assert_eq!(ignored.notes().len(), 3);
    }

    #[test]
    fn a_java_client_file_is_taken_over() {
        let text = "# of the platform team\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n\
                    sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
                    required \\\n  username=\"au dit\" password=\"a\\\"b;c\";\n\
                    ssl.truststore.type=PEM\nssl.truststore.location=/etc/ca.pem\n";
        let properties = from_file(text).unwrap();
        properties.check().unwrap();
        let expected = [
            ("sasl.mechanisms", "PLAIN"),
            ("sasl.password", "a\"b;c"),
            ("sasl.username", "au dit"),
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", "/etc/ca.pem"),
        ];
        assert!(properties.iter().eq(expected), "{properties:?}");
    }

    #[test]
    fn what_java_clients_are_tuned_with_changes_nothing_here() {
        let text = "client.dns.lookup=use_all_dns_ips\nsession.timeout.ms=45000\nacks=all\n\
                    default.api.timeout.ms=60000\nssl.enabled.protocols=TLSv1.2,TLSv1.3\n\
                    sasl.login.refresh.window.factor=0.8\nmetrics.num.samples=2\n\
                    ssl.truststore.password=hunter2\n";
        let properties = from_file(text).unwrap();
        assert_eq!(properties.iter().count(), 0, "{properties:?}");
        assert_eq!(properties.notes().len(), 8);
        assert!(!properties.notes().concat().contains("hunter2"));
    }

    #[test]
    fn files_may_begin_with_a_byte_order_mark_and_have_colons() {
        let text = "\u{feff}bootstrap.servers=h:9092\r\nsasl.username : a=b\r\n";
        let properties = from_file(text).unwrap();
        let expected = [("bootstrap.servers", "h:9092"), ("sasl.username", "a=b")];
        assert!(properties.iter().eq(expected), "{properties:?}");
    }

    #[test]
    fn one_file_with_certificate_and_key_is_both_in_either_order() {
        let lines = ["ssl.keystore.type=PEM", "ssl.keystore.location=/etc/me.pem"];
        let expected = [
            ("ssl.certificate.location", "/etc/me.pem"),
            ("ssl.key.location", "/etc/me.pem"),
        ];
        for text in [lines.join("\n"), [lines[1], lines[0]].join("\n")] {
            let properties = from_file(&text).unwrap();
            assert!(properties.iter().eq(expected), "{properties:?}");
        }
        let other = "ssl.keystore.location=/etc/me.p12\nssl.keystore.type=PKCS12\n";
        let other = from_file(other).unwrap();
        assert_eq!(other.get("ssl.keystore.location"), Some("/etc/me.p12"));
    }

    #[test]
    fn what_cannot_be_taken_over_says_what_to_do() {
        let problem = |text: &str| from_file(text).unwrap_err().to_string();
        for line in ["ssl.keystore.location=/x/me.jks", "ssl.keystore.type=JKS"] {
            assert!(problem(line).contains("-deststoretype PKCS12"), "{line}");
        }
        assert!(problem("ssl.truststore.location=/x/trust.jks").contains("keytool"));
        assert!(problem("sasl.jaas.config=com.sun.Krb5LoginModule required;").contains("only"));
        assert!(problem("nonsense").contains(":1: expected NAME=VALUE"));
        let without_mechanism = from_file("security.protocol=sasl_plaintext").unwrap();
        assert!(without_mechanism.check().is_err());
    }
}
