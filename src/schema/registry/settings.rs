//! Where a schema registry is and how it is asked, under the names that its clients use.

use std::collections::BTreeMap;
use std::fmt;

/// Beginning of the names where they stand among those of a Kafka client.
const PREFIX: &str = "schema.registry.";

/// Names that stand for themselves in the properties of Java clients.
const BARE_PREFIXES: [&str; 2] = ["basic.auth.", "bearer.auth."];

/// Names without the prefix.
const KNOWN: [&str; 14] = [
    "url",
    "basic.auth.credentials.source",
    "basic.auth.user.info",
    "bearer.auth.credentials.source",
    "bearer.auth.token",
    "request.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.endpoint.identification.algorithm",
];

/// Properties of a schema registry; a later one replaces an earlier one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    values: BTreeMap<String, String>,
}

impl fmt::Debug for RegistrySettings {
    /// Leaves the values out: they may be secrets.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.values.keys()).finish()
    }
}

impl RegistrySettings {
    /// Returns whether a client's property of this name is one of a registry.
    pub fn owns(name: &str) -> bool {
        name.starts_with(PREFIX) || BARE_PREFIXES.iter().any(|bare| name.starts_with(bare))
    }

    /// Adds a property; the error says what is wrong with it and repeats no value.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let short = name.strip_prefix(PREFIX).unwrap_or(name);
        let value = value.trim();
        if !KNOWN.contains(&short) {
            let known = KNOWN.join(", ");
            return Err(format!(
                "property {name}: there is none of this name; after `{PREFIX}` come {known}"
            ));
        }
        let allowed: &[&str] = match short {
            "basic.auth.credentials.source" => &["USER_INFO", "URL"],
            "bearer.auth.credentials.source" => &["STATIC_TOKEN"],
            "ssl.keystore.type" | "ssl.truststore.type" => &["PEM"],
            "ssl.endpoint.identification.algorithm" => &["https"],
            _ => &[],
        };
        let is_allowed = allowed.iter().any(|one| one.eq_ignore_ascii_case(value));
        if !allowed.is_empty() && !is_allowed {
            let allowed = allowed.join(" or ");
            return Err(format!("property {name}: only {allowed} can be used here"));
        }
        self.values.insert(short.to_owned(), value.to_owned());
        Ok(())
    }

    /// Iterates over names, without the prefix, and values, secrets in clear.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.values.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds those properties of `later` in place of the own ones of the same names.
    pub fn extend(&mut self, later: &Self) {
        let later = later.values.clone();
        self.values.extend(later);
    }

    /// Returns whether there is an address.
    pub fn is_named(&self) -> bool {
        self.get("url").is_some()
    }

    /// Returns the value of a property by its name without the prefix.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Returns the first of several properties that mean the same.
    pub(super) fn first_of(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names
            .iter()
            .find_map(|name| self.get(name).map(|value| (*name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_its_clients() {
        let mut settings = RegistrySettings::default();
        for (name, value) in [
            ("schema.registry.url", " http://a "),
            ("basic.auth.user.info", "u:hunter2"),
            ("basic.auth.credentials.source", "USER_INFO"),
            ("schema.registry.ssl.truststore.type", "pem"),
        ] {
            assert!(RegistrySettings::owns(name));
            assert_eq!(settings.add(name, value), Ok(()));
        }
        assert_eq!(settings.get("url"), Some("http://a"));
        assert_eq!(settings.get("basic.auth.user.info"), Some("u:hunter2"));
        assert!(!format!("{settings:?}").contains("hunter2"));
        for (name, value, part) in [
            ("schema.registry.urls", "x", "there is none of this name"),
            (
                "basic.auth.credentials.source",
                "SASL_INHERIT",
                "USER_INFO or URL",
            ),
            ("schema.registry.ssl.keystore.type", "JKS", "only PEM"),
        ] {
            let error = settings.add(name, value).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(!RegistrySettings::owns("ssl.ca.location"));
    }
}
