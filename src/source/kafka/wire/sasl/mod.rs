//! Logins: PLAIN, SCRAM and OAUTHBEARER.

mod scram;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::source::kafka::Properties;

use super::error::WireError;
use scram::{Scram, ScramHash};

/// A mechanism with what it needs.
#[derive(Clone)]
pub(super) enum SaslSettings {
    /// User name and password in clear.
    Plain { user: String, password: String },
    /// User name and proof of the password.
    Scram {
        hash: ScramHash,
        user: String,
        password: String,
    },
    /// A token.
    OauthBearer(Token),
}

/// Where the token comes from.
#[derive(Clone)]
pub(super) enum Token {
    /// It is given.
    Given(String),
    /// An unsecured one is made for this principal, for test clusters.
    Unsecured { principal: String },
}

impl fmt::Debug for SaslSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ***", self.mechanism())
    }
}

impl SaslSettings {
    /// Returns whether only librdkafka has the mechanism.
    pub(super) fn is_lacking(mechanism: &str) -> bool {
        const KNOWN: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
        !KNOWN.contains(&mechanism)
    }

    /// Returns the login that the properties ask for.
    pub(super) fn from_properties(properties: &Properties) -> Result<Self, WireError> {
        let mechanism = required(properties, "sasl.mechanisms")?;
        let credentials = || {
            let user = required(properties, "sasl.username")?;
            let password = required(properties, "sasl.password")?;
            Ok::<_, WireError>((user.to_owned(), password.to_owned()))
        };
        Ok(match mechanism {
            "PLAIN" => {
                let (user, password) = credentials()?;
                Self::Plain { user, password }
            }
            "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
                let (user, password) = credentials()?;
                let hash = if mechanism.ends_with("256") {
                    ScramHash::Sha256
                } else {
                    ScramHash::Sha512
                };
                Self::Scram {
                    hash,
                    user,
                    password,
                }
            }
            "OAUTHBEARER" => Self::OauthBearer(token(properties)?),
            other => {
                let text = format!("sasl.mechanisms={other} needs the reader librdkafka");
                return Err(WireError::Setting(text));
            }
        })
    }

    /// Returns Kafka's name of the mechanism.
    pub(super) fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { hash, .. } => match hash {
                ScramHash::Sha256 => "SCRAM-SHA-256",
                ScramHash::Sha512 => "SCRAM-SHA-512",
            },
            Self::OauthBearer(_) => "OAUTHBEARER",
        }
    }

    /// Logs in: `exchange` sends one message and returns the broker's answer.
    pub(super) fn log_in(
        &self,
        mut exchange: impl FnMut(Vec<u8>) -> Result<Vec<u8>, WireError>,
    ) -> Result<(), WireError> {
        match self {
            Self::Plain { user, password } => {
                exchange(format!("\0{user}\0{password}").into_bytes())?;
                Ok(())
            }
            Self::Scram {
                hash,
                user,
                password,
            } => {
                let mut scram = Scram::new(*hash, user, password, &nonce()?);
                let server_first = text(exchange(scram.first().into_bytes())?)?;
                let last = scram.last(&server_first).map_err(|text| refused(&text))?;
                let server_last = text(exchange(last.into_bytes())?)?;
                scram.verify(&server_last).map_err(|text| refused(&text))
            }
            Self::OauthBearer(token) => {
                let message = format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", token.text()?);
                let answer = exchange(message.into_bytes())?;
                if answer.is_empty() {
                    return Ok(());
                }
                Err(refused(&String::from_utf8_lossy(&answer)))
            }
        }
    }
}

impl Token {
    fn text(&self) -> Result<String, WireError> {
        /// How long an unsecured token is good for.
        const LIFETIME_SECONDS: u64 = 3_600;
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Unsecured { principal } => {
                let now = now_seconds();
                let claims = serde_json::json!({
                    "sub": principal,
                    "iat": now,
                    "exp": now + LIFETIME_SECONDS,
                });
                let claims = serde_json::to_vec(&claims)
                    .map_err(|error| WireError::Setting(error.to_string()))?;
                let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"none"}"#);
                Ok(format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims)))
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token says for the broker's clock until when it is good"
)]
fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

fn token(properties: &Properties) -> Result<Token, WireError> {
    if let Some(token) = properties.get("sasl.oauthbearer.token") {
        return Ok(Token::Given(token.trim().to_owned()));
    }
    let is_unsecured = properties
        .get("enable.sasl.oauthbearer.unsecure.jwt")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let config = properties
        .get("sasl.oauthbearer.config")
        .unwrap_or_default();
    let principal = config
        .split_whitespace()
        .find_map(|part| part.strip_prefix("principal="));
    match principal {
        Some(principal) if is_unsecured => Ok(Token::Unsecured {
            principal: principal.to_owned(),
        }),
        _ => Err(WireError::Setting(
            "OAUTHBEARER needs a token: sasl.oauthbearer.token=@FILE or env:NAME".to_owned(),
        )),
    }
}

fn required<'a>(properties: &'a Properties, name: &str) -> Result<&'a str, WireError> {
    let missing = || WireError::Setting(format!("property {name} is missing"));
    properties.get(name).ok_or_else(missing)
}

fn nonce() -> Result<String, WireError> {
    let mut bytes = [0; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| WireError::Setting("the machine gives no random numbers".to_owned()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn text(bytes: Vec<u8>) -> Result<String, WireError> {
    String::from_utf8(bytes).map_err(|_| refused("the broker's answer is no text"))
}

fn refused(text: &str) -> WireError {
    WireError::Refused(format!("SASL: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_tokens_are_sent_as_their_rfcs_say() {
        let plain = SaslSettings::Plain {
            user: "ann".to_owned(),
            password: "secret".to_owned(),
        };
        let mut sent = Vec::new();
        let answer = |message| {
            sent.push(message);
            Ok(Vec::new())
        };
        plain.log_in(answer).unwrap();
        assert_eq!(sent, [b"\0ann\0secret".to_vec()]);
        assert_eq!(format!("{plain:?}"), "PLAIN ***");

        let bearer = SaslSettings::OauthBearer(Token::Given("t0ken".to_owned()));
        let mut sent = Vec::new();
        let answer = |message| {
            sent.push(message);
            Ok(b"{\"status\":\"invalid_token\"}".to_vec())
        };
        let error = bearer.log_in(answer).unwrap_err();
        assert_eq!(sent, [b"n,,\x01auth=Bearer t0ken\x01\x01".to_vec()]);
        assert!(error.to_string().contains("invalid_token"));
    }

    #[test]
    fn an_unsecured_token_has_three_parts() {
        let token = Token::Unsecured {
            principal: "ann".to_owned(),
        };
        let text = token.text().unwrap();
        let parts: Vec<_> = text.split('.').collect();
        assert_eq!((parts.len(), parts[2]), (3, ""));
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        assert!(
            String::from_utf8(claims)
                .unwrap()
                .contains("\"sub\":\"ann\"")
        );
    }
}
