//! What cannot be opened is an error in time that says why.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::mock_tests::{cluster, open, spec};
use crate::source::RecordSource;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::Reader;

/// The connect timeout and a second.
const TIME_LIMIT: Duration = Duration::from_secs(16);

fn refusal(spec: &KafkaSpec) -> (KafkaError, Duration) {
    let begin = Instant::now();
    let Err(error) = open(spec) else {
        panic!("opened")
    };
    (error, begin.elapsed())
}

#[test]
fn what_does_not_exist_is_named_and_not_created() {
    let cluster = cluster(&[("orders", 2)]);
    let (error, _) = refusal(&spec(&cluster, &["^nothing"]));
    assert!(error.is_usage(), "{error}");
    assert_eq!(error.to_string(), "no topic matches ^nothing, of 1 topic");
    let mut partition = spec(&cluster, &["orders"]);
    partition.partitions = Some([0, 7].into());
    let (error, _) = refusal(&partition);
    assert!(
        error.is_usage() && error.to_string().contains("has no partition 7"),
        "{error}"
    );
    let (error, _) = refusal(&spec(&cluster, &["orders", "order"]));
    assert!(error.is_usage(), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("topic order does not exist on 127.0.0.1:"),
        "{error}"
    );
    assert_eq!(open(&spec(&cluster, &["^"])).unwrap().splits().len(), 2);
    let (error, _) = refusal(&spec(&cluster, &["^("]));
    assert!(error.is_usage(), "{error}");
}

#[test]
fn an_unreachable_broker_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let spec = KafkaSpec::new(format!("127.0.0.1:{port}"), vec!["t".to_owned()]);
    let (error, elapsed) = refusal(&spec);
    assert!(!error.is_usage());
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(elapsed < TIME_LIMIT, "{elapsed:?}");
}

#[test]
fn a_broker_that_says_nothing_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let spec = KafkaSpec::new(address, vec!["t".to_owned()]);
    let (error, elapsed) = refusal(&spec);
    assert!(!error.is_usage());
    assert!(elapsed < TIME_LIMIT, "{elapsed:?}");
}

#[test]
fn a_server_that_is_no_broker_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.and_then(|mut stream| stream.write_all(answer));
        }
    });
    let spec = KafkaSpec::new(address, vec!["t".to_owned()]);
    let (error, elapsed) = refusal(&spec);
    assert!(!error.is_usage());
    assert!(elapsed < TIME_LIMIT, "{error} {elapsed:?}");
}

#[test]
fn a_broker_that_speaks_plain_text_is_no_tls_broker() {
    let cluster = cluster(&[("t", 1)]);
    let mut spec = spec(&cluster, &["t"]);
    spec.properties.add("security.protocol", "ssl").unwrap();
    let (error, elapsed) = refusal(&spec);
    assert!(!error.is_usage());
    assert!(error.to_string().contains("SSL"), "{error}");
    assert!(elapsed < TIME_LIMIT, "{elapsed:?}");
}

#[test]
fn a_property_that_does_not_exist_is_named() {
    let mut spec = KafkaSpec::new("127.0.0.1:1", vec!["t".to_owned()]);
    spec.properties.add("fetch.max.byte", "1").unwrap();
    let (error, _) = refusal(&spec);
    assert!(error.is_usage());
    assert_eq!(error.to_string(), "there is no property fetch.max.byte");
}

#[test]
fn a_token_is_not_shown_to_those_who_cannot_use_it() {
    let mut spec = KafkaSpec::new("127.0.0.1:1", vec!["t".to_owned()]);
    spec.reader = Reader::Librdkafka;
    spec.properties
        .add("sasl.oauthbearer.token", "hunter2")
        .unwrap();
    let (error, _) = refusal(&spec);
    assert!(error.is_usage());
    assert!(error.to_string().contains("reader wire"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_partition_without_leader_is_an_error_in_time() {
    let cluster = cluster(&[("t", 2)]);
    cluster.partition_leader("t", 1, None).unwrap();
    let mut spec = spec(&cluster, &["t"]);
    spec.connect_timeout = Duration::from_secs(3);
    let (error, elapsed) = refusal(&spec);
    assert!(
        error.to_string().starts_with("t-1 has no leader"),
        "{error}"
    );
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}
