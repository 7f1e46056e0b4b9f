//! Registries that answer, that do not, and that do what they should not.

mod stub;
mod tls;

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use stub::{Stub, ok, response};

use crate::schema::reading::Language;
use crate::schema::registry::Registry;
use crate::schema::registry::settings::RegistrySettings;
use crate::schema::store::SchemaError;

fn settings(properties: &[(&str, &str)]) -> RegistrySettings {
    let mut settings = RegistrySettings::default();
    for (name, value) in properties {
        let name = format!("schema.registry.{name}");
        settings.add(&name, value).unwrap();
    }
    settings
}

fn open(url: &str, more: &[(&str, &str)]) -> Result<Registry, String> {
    let properties = [&[("url", url), ("request.timeout.ms", "2000")], more].concat();
    Registry::open(&settings(&properties)).map_err(|error| match error {
        SchemaError::Registry(why) => why,
        SchemaError::Setting(why) => format!("setting: {why}"),
    })
}

/// Returns what a schema of a registry that answers so comes to.
fn failure(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let stub = Stub::start(answer);
    let registry = open(&stub.url, &[("request.timeout.ms", "300")]).unwrap();
    registry.schema(7).unwrap_err()
}

#[test]
fn a_schema_comes_with_those_that_it_refers_to() {
    let stub = Stub::start(|path| match path {
        "/base/schemas/ids/7" => ok(
            r#"{"schema":"\"A\"","references":[{"name":"A","subject":"a/../b c","version":2},
            {"name":"C","subject":"c","version":1}]}"#,
        ),
        "/base/subjects/a%2F%2E%2E%2Fb%20c/versions/2"
        | "/base/subjects/a%2F..%2Fb%20c/versions/2" => ok(
            r#"{"subject":"a","id":3,"version":2,"schema":"of a","references":
            [{"name":"C","subject":"c","version":1}]}"#,
        ),
        "/base/subjects/c/versions/1" => ok(r#"{"schema":"of c"}"#),
        "/base/schemas/ids/8" => ok(r#"{"schemaType":"PROTOBUF","schema":"x"}"#),
        "/base/schemas/ids/9" => ok(r#"{"schemaType":"THRIFT","schema":"x"}"#),
        "/base/schemas/ids/10" => ok("<html>"),
        _ => response("404 Not Found", "{}"),
    });
    let registry = open(&format!("{}/base/", stub.url), &[]).unwrap();
    let schema = registry.schema(7).unwrap();
    let other = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(schema.language, Language::Avro);
    assert_eq!(schema.text, "\"A\"");
    assert_eq!(schema.others, [other("C", "of c"), other("A", "of a")]);
    assert_eq!(registry.schema(8).unwrap().language, Language::Protobuf);
    assert!(registry.schema(9).unwrap_err().contains("`THRIFT`"));
    assert!(
        registry
            .schema(10)
            .unwrap_err()
            .contains("no answer of a registry")
    );
    let missing = registry.schema(11).unwrap_err();
    assert_eq!(
        missing,
        format!("is not in the registry at {}/base", stub.url)
    );
}

#[test]
fn nobody_at_the_address_is_an_error_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = open(&url, &[]).err().unwrap();
    assert!(
        error.starts_with(&format!("{url} does not answer")),
        "{error}"
    );
    for url in ["ftp://a", "http://", "nonsense", "http://a?b=c"] {
        let error = open(url, &[]).err().unwrap();
        assert!(error.contains("no address of a schema registry"), "{error}");
    }
}

#[test]
fn the_next_address_is_asked_where_one_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let down = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let stub = Stub::start(|_| ok(r#"{"schema":"x"}"#));
    let registry = open(&format!("{down},{}", stub.url), &[]).unwrap();
    assert_eq!(registry.schema(7).unwrap().text, "x");
}

#[test]
fn one_that_stops_answering_is_given_up() {
    let stub = Stub::start(|path| match path {
        "/schemas/types" => ok("[]"),
        _ => Vec::new(),
    });
    let registry = open(&stub.url, &[("request.timeout.ms", "50")]).unwrap();
    for id in 1..=3 {
        let error = registry.schema(id).unwrap_err();
        assert!(error.contains("does not answer"), "{error}");
    }
    let asked = stub.asked();
    let error = registry.schema(4).unwrap_err();
    assert!(error.contains("has stopped answering"), "{error}");
    assert_eq!(stub.asked(), asked);
}

#[test]
fn a_slow_answer_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let begin = Instant::now();
    let error = open(&url, &[("request.timeout.ms", "50")]).err().unwrap();
    assert!(error.contains("does not answer"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    drop(listener);
}

#[test]
fn an_endless_answer_is_cut_off() {
    let error = failure(|path| {
        if path == "/schemas/types" {
            return ok("[]");
        }
        let mut endless = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n".to_vec();
        endless.resize(11 << 20, b' ');
        endless
    });
    assert!(error.contains("more than 10485760 bytes"), "{error}");
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Stub::start(|_| ok(r#"{"schema":"\"string\""}"#));
    for target in [
        format!("{}/x", other.url),
        "http://169.254.169.254/".to_owned(),
    ] {
        let error = failure(move |path| match path {
            "/schemas/types" => ok("[]"),
            _ => format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")
                .into_bytes(),
        });
        assert!(
            error.contains("a redirect (302), which is not followed"),
            "{error}"
        );
    }
    assert_eq!(other.asked(), 0);
}

#[test]
fn schemas_that_refer_to_each_other_end() {
    let error = failure(|path| {
        let number: u32 = path
            .bytes()
            .filter(u8::is_ascii_digit)
            .count()
            .try_into()
            .unwrap();
        let next = "1".repeat(usize::try_from(number).unwrap() + 1);
        ok(&format!(
            r#"{{"schema":"x","references":[{{"name":"a","subject":"s{next}","version":1}}]}}"#
        ))
    });
    assert!(error.contains("do they refer to each other?"), "{error}");
    let stub = Stub::start(|_| {
        ok(r#"{"schema":"x","references":[{"name":"a","subject":"a","version":1}]}"#)
    });
    let schema = open(&stub.url, &[]).unwrap().schema(7).unwrap();
    assert_eq!(schema.others.len(), 1);
    let wide: Vec<String> = (0..200)
        .map(|at| format!(r#"{{"name":"a{at}","subject":"s","version":{at}}}"#))
        .collect();
    let wide = wide.join(",");
    let error = failure(move |path| {
        if path.starts_with("/subjects") {
            ok(r#"{"schema":"x"}"#)
        } else {
            ok(&format!(r#"{{"schema":"x","references":[{wide}]}}"#))
        }
    });
    assert!(error.contains("more than 100 schemas"), "{error}");
}

#[test]
fn credentials_are_sent_and_their_refusal_is_told() {
    let stub = Stub::start_with_login("Basic dXNlcjpodW50ZXIy");
    let user = ("basic.auth.user.info", "user:hunter2");
    assert!(open(&stub.url, &[user]).is_ok());
    let in_url = stub.url.replace("://", "://user:hunter2@");
    assert!(open(&in_url, &[]).is_ok());
    for wrong in [&[][..], &[("basic.auth.user.info", "user:hunter3")]] {
        let error = open(&stub.url, wrong).err().unwrap();
        assert!(error.contains("refuses the credentials (401)"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
    let stub = Stub::start_with_login("Bearer token-1");
    assert!(open(&stub.url, &[("bearer.auth.token", "token-1")]).is_ok());
    let name = open(&in_url, &[]).unwrap().name();
    assert!(!name.contains("hunter"), "{name}");
}

#[test]
fn threads_ask_for_a_schema_once() {
    use std::sync::Arc;

    use crate::schema::{SchemaSpec, Schemas};

    let stub = Stub::start(|path| match path {
        "/schemas/ids/7" => ok(r#"{"schema":"\"string\""}"#),
        _ => response("404 Not Found", ""),
    });
    let spec = SchemaSpec {
        registry: settings(&[("url", &stub.url)]),
        ..SchemaSpec::default()
    };
    let schemas = Arc::new(Schemas::open(&spec).unwrap());
    let asked = stub.asked();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                assert!(schemas.by_id(7).is_ok());
                let missing = schemas.by_id(8).err().unwrap();
                assert!(
                    missing.starts_with("schema 8 is not in the registry"),
                    "{missing}"
                );
            });
        }
    });
    assert_eq!(stub.asked(), asked + 2);
    for id in 100..2_300 {
        drop(schemas.by_id(id));
    }
    let full = schemas.by_id(5_000).err().unwrap();
    assert!(full.contains("too many schema ids"), "{full}");
    assert!(schemas.by_id(7).is_ok());
}
