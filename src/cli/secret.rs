//! Which texts are secret, and how they are shown: as `***`.

/// What stands for a secret in every output.
pub const MASK: &str = "***";

/// Parts of the names of properties that hold secrets.
const SECRET_NAME_PARTS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "sasl.jaas.config",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.token",
    "key.pem",
    "keystore.key",
    "basic.auth.user.info",
    "bearer.auth.token",
];

/// Ends of names that say where a secret is, and are none themselves.
const PLACE_NAME_ENDS: [&str; 4] = [".file", ".location", ".path", ".url"];

/// Returns whether a property of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAME_PARTS.iter().any(|part| name.contains(part))
        && !PLACE_NAME_ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns a text with the values of secret properties and the credentials of URLs masked.
pub fn masked(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(masked_argument).collect();
    lines.join("\n")
}

/// Returns one argument of the command line, masked like a text of one line.
pub fn masked_argument(argument: &str) -> String {
    mask_credentials(&mask_properties(argument))
}

/// A secret may hold any character, so all that follows `NAME=` in the line goes; what our own
/// messages have masked stays, with its reason after it.
fn mask_properties(line: &str) -> String {
    let is_name_character =
        |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    for (place, _) in line.match_indices('=') {
        let (before, after) = line.split_at(place);
        let name = before.trim_end_matches(is_name_character);
        let is_masked = after.starts_with("=***`");
        if before.strip_prefix(name).is_some_and(is_secret_name) && !is_masked {
            return format!("{before}={MASK}");
        }
    }
    line.to_owned()
}

/// A password may hold `@` and `/`, so all up to the last `@` of a word goes.
fn mask_credentials(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let is_end = |character: char| character.is_whitespace() || "`\"'".contains(character);
        let end = after.find(is_end).unwrap_or(after.len());
        let end = after.find("://").map_or(end, |next| end.min(next));
        let (word, tail) = after.split_at(end);
        match word.rsplit_once('@') {
            Some((user, host)) => {
                // Of a database the user is no secret, and says who has read.
                let user = user.split_once(':').map_or(user, |(user, _)| user);
                let is_database = before.ends_with("postgresql") || before.ends_with("postgres");
                if is_database {
                    out.push_str(user);
                    out.push_str(if word.starts_with(&format!("{user}:")) {
                        ":***"
                    } else {
                        ""
                    });
                } else {
                    out.push_str(MASK);
                }
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(word),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::kafka::properties::is_secret;

    #[test]
    fn names_that_hold_secrets_are_known() {
        for name in [
            "sasl.password",
            "SASL.Password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.truststore.password",
            "ssl.key.pem",
            "ssl.keystore.key",
            "sasl.jaas.config",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.token",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.assertion.private.key.pem",
            "sasl.oauthbearer.assertion.private.key.passphrase",
        ] {
            assert!(is_secret_name(name), "{name}");
            assert!(is_secret(&name.to_ascii_lowercase()), "{name}");
        }
        for name in [
            "sasl.username",
            "ssl.ca.pem",
            "ssl.key.location",
            "ssl.keystore.location",
            "sasl.oauthbearer.token.endpoint.url",
            "sasl.oauthbearer.assertion.private.key.file",
            "security.protocol",
            "sasl.mechanism",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_of_secret_properties_are_masked() {
        for (text, shown) in [
            ("sasl.password=hunter2", "sasl.password=***"),
            ("-Xsasl.password=a=b c", "-Xsasl.password=***"),
            ("sasl.jaas.config=m password=\"x\";", "sasl.jaas.config=***"),
            (
                "`-X sasl.password=x`: no\nnext",
                "`-X sasl.password=***\nnext",
            ),
            ("`-X a.password=***`: no", "`-X a.password=***`: no"),
            ("security.protocol=SASL_SSL", "security.protocol=SASL_SSL"),
            ("a=b=c", "a=b=c"),
            ("=", "="),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn credentials_of_urls_are_masked() {
        for (text, shown) in [
            ("http://user:pass@host/path", "http://***@host/path"),
            ("see `https://u:p@h`: no", "see `https://***@h`: no"),
            ("x://a:p@q/w@h:1", "x://***@h:1"),
            ("a://u:p@h,b://u:p@h", "a://***@h,b://***@h"),
            ("http://host/path", "http://host/path"),
            ("mail@host", "mail@host"),
            ("postgresql://me:p@w@h/d", "postgresql://me:***@h/d"),
            ("postgres://me@h/d", "postgres://me@h/d"),
            ("://@", "://***@"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_secret_is_never_shown(secret in "Q[ -~é]{0,12}Q", before in "[a-z ]{0,9}") {
            let shown = masked(&format!("{before} -X sasl.password={secret}"));
            prop_assert!(!shown.contains(&secret));
        }

        #[test]
        fn masking_twice_changes_nothing(text in "[a-z:/@= \n]{0,30}") {
            prop_assert_eq!(masked(&masked(&text)), masked(&text));
        }
    }
}
