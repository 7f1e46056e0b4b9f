//! Asks a schema registry for schemas by id; nobody but the operator says where it is.

pub(in crate::schema) mod answer;
pub(in crate::schema) mod settings;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::http::Uri;

use crate::schema::reading::SchemaText;
use crate::schema::registry::answer::SchemaAnswer;
use crate::schema::registry::settings::RegistrySettings;
use crate::schema::store::SchemaError;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Schemas that one may refer to, directly or not.
const REFERENCES_MAX: usize = 100;
/// How deep they may refer to each other.
const REFERENCE_DEPTH_MAX: usize = 16;
const TIMEOUT_MILLIS: u64 = 10_000;
/// What is said of a schema before the reason why it cannot be had.
const UNAVAILABLE: &str = "cannot be had: ";
/// Waits before the request is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
/// Ids in a row without an answer after which nobody waits for one any more.
const SILENT_MAX: u32 = 3;

/// A registry that answered once.
pub(in crate::schema) struct Registry {
    agent: Agent,
    /// Addresses, the first one to answer is asked.
    bases: Vec<String>,
    authorization: Option<String>,
    silent: AtomicU32,
}

/// Why there is no answer.
enum Failure {
    /// Nobody answers, or not in time, or only that it cannot now.
    Silent(String),
    /// It has no such thing.
    Missing(String),
    /// It answers with something else.
    Refused(String),
}

impl Registry {
    /// Checks the settings and that the registry answers.
    pub(in crate::schema) fn open(settings: &RegistrySettings) -> Result<Self, SchemaError> {
        let wrong = SchemaError::Setting;
        let (mut bases, mut user_info) = (Vec::new(), None);
        for url in settings.get("url").unwrap_or_default().split(',') {
            let (base, credentials) = split_credentials(url.trim());
            check_address(&base).map_err(wrong)?;
            bases.push(base.trim_end_matches('/').to_owned());
            user_info = credentials.or(user_info);
        }
        let user_info = settings
            .get("basic.auth.user.info")
            .map(str::to_owned)
            .or(user_info);
        let timeout = match settings.get("request.timeout.ms").map(str::parse) {
            None => TIMEOUT_MILLIS,
            Some(Ok(millis @ 1..)) => millis,
            Some(_) => {
                let text = "schema.registry.request.timeout.ms is no number of milliseconds";
                return Err(wrong(text.to_owned()));
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_millis(timeout)))
            .tls_config(tls::config(settings).map_err(wrong)?)
            .user_agent(concat!("dupaudit/", env!("CARGO_PKG_VERSION")));
        let registry = Self {
            agent: config.build().new_agent(),
            bases,
            authorization: authorization(settings, user_info),
            silent: AtomicU32::new(0),
        };
        match registry.ask("/schemas/types") {
            // Some do not say which languages they know.
            Ok(_) | Err(Failure::Missing(_)) => Ok(registry),
            Err(Failure::Silent(why) | Failure::Refused(why)) => {
                Err(SchemaError::Registry(why.replace(UNAVAILABLE, "")))
            }
        }
    }

    /// Returns the addresses, without credentials.
    pub(in crate::schema) fn name(&self) -> String {
        self.bases.join(",")
    }

    /// Returns the schema of an id with all that it refers to; the error says why there is none.
    pub(in crate::schema) fn schema(&self, id: u32) -> Result<SchemaText, String> {
        let answer = self.answer(&format!("/schemas/ids/{id}"))?;
        let mut others = References::default();
        self.add_references(&answer, &mut others, 0)?;
        Ok(SchemaText {
            language: answer.language()?,
            text: answer.schema,
            others: others.in_order,
        })
    }

    fn add_references(
        &self,
        answer: &SchemaAnswer,
        others: &mut References,
        depth: usize,
    ) -> Result<(), String> {
        if depth > REFERENCE_DEPTH_MAX {
            return Err(format!(
                "refers to schemas that refer to others, more than {REFERENCE_DEPTH_MAX} deep; \
                 do they refer to each other?"
            ));
        }
        for reference in &answer.references {
            let place = (reference.subject.clone(), reference.version);
            if !others.known.insert(place) {
                continue;
            }
            if others.known.len() > REFERENCES_MAX {
                return Err(format!("refers to more than {REFERENCES_MAX} schemas"));
            }
            let subject = path_segment(&reference.subject);
            let path = format!("/subjects/{subject}/versions/{}", reference.version);
            let other = self.answer(&path).map_err(|why| {
                let (name, version) = (&reference.subject, reference.version);
                format!("refers to version {version} of `{name}`, which {why}")
            })?;
            self.add_references(&other, others, depth + 1)?;
            others
                .in_order
                .push((reference.name.clone(), other.schema.clone()));
        }
        Ok(())
    }

    fn answer(&self, path: &str) -> Result<SchemaAnswer, String> {
        match self.ask(path) {
            Ok(body) => SchemaAnswer::parse(&body),
            Err(Failure::Silent(why) | Failure::Missing(why) | Failure::Refused(why)) => Err(why),
        }
    }

    /// Sends a request, again where nobody answers, and returns the answer.
    fn ask(&self, path: &str) -> Result<Vec<u8>, Failure> {
        if self.silent.load(Ordering::Relaxed) >= SILENT_MAX {
            let name = self.name();
            return Err(Failure::Silent(format!(
                "was not asked for: the registry at {name} has stopped answering"
            )));
        }
        let mut pauses = PAUSES.iter();
        loop {
            let mut why = String::new();
            for base in &self.bases {
                match self.send(base, path) {
                    Err(Failure::Silent(reason)) => why = reason,
                    answered => {
                        self.silent.store(0, Ordering::Relaxed);
                        return answered;
                    }
                }
            }
            let Some(pause) = pauses.next() else {
                self.silent.fetch_add(1, Ordering::Relaxed);
                return Err(Failure::Silent(why));
            };
            thread::sleep(*pause);
        }
    }

    fn send(&self, base: &str, path: &str) -> Result<Vec<u8>, Failure> {
        let silent = |error: &ureq::Error| {
            Failure::Silent(format!("{UNAVAILABLE}{base} does not answer: {error}"))
        };
        let mut request = self.agent.get(format!("{base}{path}"));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request.header("Accept", "application/vnd.schemaregistry.v1+json, */*");
        let mut response = request.call().map_err(|error| silent(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(failure_of(status, base));
        }
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        body.read_to_vec().map_err(|error| {
            if let ureq::Error::BodyExceedsLimit(_) = error {
                let answers = "answers with more than";
                let text = format!("{UNAVAILABLE}{base} {answers} {ANSWER_BYTES_MAX} bytes");
                Failure::Refused(text)
            } else {
                silent(&error)
            }
        })
    }
}

fn failure_of(status: u16, base: &str) -> Failure {
    let answers = format!("{UNAVAILABLE}{base} answers with {status}");
    match status {
        300..=399 => Failure::Refused(format!(
            "{UNAVAILABLE}{base} answers with a redirect ({status}), which is not followed; \
             name the address that it leads to"
        )),
        401 | 403 => Failure::Refused(format!(
            "{UNAVAILABLE}{base} refuses the credentials ({status}); the property \
             schema.registry.basic.auth.user.info holds them"
        )),
        404 => Failure::Missing(format!("is not in the registry at {base}")),
        429 | 500.. => Failure::Silent(answers),
        400..=499 => Failure::Missing(answers),
        _ => Failure::Refused(answers),
    }
}

/// Schemas that were referred to.
#[derive(Default)]
struct References {
    known: BTreeSet<(String, i32)>,
    in_order: Vec<(String, String)>,
}

fn authorization(settings: &RegistrySettings, user_info: Option<String>) -> Option<String> {
    match (settings.get("bearer.auth.token"), user_info) {
        (Some(token), _) => Some(format!("Bearer {token}")),
        (None, Some(user_info)) => Some(format!("Basic {}", STANDARD.encode(user_info))),
        (None, None) => None,
    }
}

/// Returns an address without the credentials in it, and those.
fn split_credentials(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match host.rsplit_once('@') {
        Some((credentials, host)) => {
            let credentials = credentials.to_owned();
            (format!("{scheme}://{host}{path}"), Some(credentials))
        }
        None => (url.to_owned(), None),
    }
}

fn check_address(url: &str) -> Result<(), String> {
    let uri = url.parse::<Uri>().ok();
    let is_right = uri.is_some_and(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none()
    });
    if is_right {
        return Ok(());
    }
    Err(format!(
        "`{url}` is no address of a schema registry; write it as in http://localhost:8081"
    ))
}

/// Writes a name so that it is one segment of a path, whatever it holds.
fn path_segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) && name != "." && name != ".." {
            out.push(char::from(byte));
        } else {
            // Writing to memory meets no error.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
