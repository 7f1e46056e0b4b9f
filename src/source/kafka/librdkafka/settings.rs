//! The client's settings: our defaults, the user's properties, and what is not negotiable.

use std::collections::BTreeMap;

use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;

/// Settings that the user may override. The small queue and short back-off make librdkafka five
/// times as fast as its own defaults do.
const DEFAULTS: [(&str, &str); 5] = [
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "50"),
    ("queued.min.messages", "20000"),
    ("socket.connection.setup.timeout.ms", "10000"),
    ("client.id", concat!("dupaudit/", env!("CARGO_PKG_VERSION"))),
];

/// Settings that exactness and modesty depend on.
const FORCED: [(&str, &str); 8] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    ("check.crcs", "true"),
    ("allow.auto.create.topics", "false"),
    ("enable.metrics.push", "false"),
    // Log lines go to a queue, not to standard error.
    ("log.queue", "true"),
];

/// A property of the other reader's only.
const TOKEN: &str = "sasl.oauthbearer.token";

/// Returns the settings of a client for `spec`.
pub(super) fn settings_of(spec: &KafkaSpec) -> Result<BTreeMap<&str, String>, KafkaError> {
    if spec.properties.get(TOKEN).is_some() {
        return Err(KafkaError::Configuration(format!(
            "property {TOKEN} is for the reader wire; librdkafka fetches its tokens with \
             sasl.oauthbearer.method=oidc"
        )));
    }
    let queue_kbytes = (spec.queue_bytes / 1024).max(1);
    let mut settings: BTreeMap<&str, String> = BTreeMap::new();
    let mut set = |name, value: &str| settings.insert(name, value.to_owned());
    for (name, value) in DEFAULTS {
        set(name, value);
    }
    set("queued.max.messages.kbytes", &queue_kbytes.to_string());
    for (name, value) in spec.properties.iter() {
        set(name, value);
    }
    for (name, value) in FORCED {
        set(name, value);
    }
    set("isolation.level", spec.isolation.name());
    set("bootstrap.servers", &spec.brokers);
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_overrides_defaults_but_not_what_exactness_depends_on() {
        let mut spec = KafkaSpec::new("b:9092", Vec::new());
        let mut add = |name, value| spec.properties.add(name, value).unwrap();
        add("fetch.wait.max.ms", "77");
        add("client.id", "me");
        add("check.crcs", "false");
        let settings = settings_of(&spec).unwrap();
        let value = |name| settings.get(name).map(String::as_str);
        assert_eq!(value("fetch.wait.max.ms"), Some("77"));
        assert_eq!(value("client.id"), Some("me"));
        assert_eq!(value("check.crcs"), Some("true"));
        assert_eq!(value("isolation.level"), Some("read_committed"));
        assert_eq!(value("group.id"), None);
    }
}
