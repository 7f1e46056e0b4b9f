//! What the properties ask of the wire reader, under librdkafka's names.

use std::time::Duration;

use crate::source::kafka::Isolation;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::KeptBatches;
use crate::source::kafka::Properties;

use super::connection::TlsSettings;
use super::error::WireError;
use super::sasl::SaslSettings;

const PORT_DEFAULT: u16 = 9092;

/// Properties that this reader follows.
const FOLLOWED: [&str; 22] = [
    "bootstrap.servers",
    "client.id",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.wait.max.ms",
    "max.partition.fetch.bytes",
    "receive.message.max.bytes",
    "sasl.mechanisms",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.token",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
];

/// Properties that tune what only librdkafka has, and change nothing of what is read.
const WITHOUT_EFFECT: [&str; 20] = [
    "api.version.request",
    "broker.address.ttl",
    "client.rack",
    "connections.max.idle.ms",
    "fetch.error.backoff.ms",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "log.connection.close",
    "metadata.max.age.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "topic.metadata.refresh.interval.ms",
];

/// Properties with the one value that this reader follows.
const ONE_VALUE: [(&str, &str); 3] = [
    ("enable.ssl.certificate.verification", "true"),
    ("sasl.oauthbearer.method", "default"),
    ("ssl.endpoint.identification.algorithm", "https"),
];

/// Returns the property that the wire reader cannot serve, if there is one.
pub(super) fn lacking(properties: &Properties) -> Option<String> {
    let is_served = |name: &str, value: &str| {
        let one_value = ONE_VALUE.iter().find(|(known, _)| *known == name);
        match one_value {
            Some((_, only)) => value.eq_ignore_ascii_case(only),
            None if name == "sasl.mechanisms" => !SaslSettings::is_lacking(value),
            None => FOLLOWED.contains(&name) || WITHOUT_EFFECT.contains(&name),
        }
    };
    let mut all = properties.iter();
    let (name, value) = all.find(|(name, value)| !is_served(name, value))?;
    Some(if name == "sasl.mechanisms" {
        format!("{name}={value}")
    } else {
        name.to_owned()
    })
}

/// What the properties ask of the wire reader.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) bootstrap: Vec<(String, u16)>,
    pub(super) client_id: String,
    pub(super) tls: Option<TlsSettings>,
    pub(super) sasl: Option<SaslSettings>,
    pub(super) isolation: Isolation,
    /// Longest wait for one broker to be connected and to accept the credentials.
    pub(super) setup_timeout: Duration,
    /// Longest silence of a broker that owes an answer.
    pub(super) socket_timeout: Duration,
    /// How long a broker waits for records at the end of the log.
    pub(super) fetch_wait: Duration,
    pub(super) fetch_bytes_max: i32,
    pub(super) partition_bytes_max: i32,
    pub(super) response_bytes_max: usize,
    pub(super) queue_bytes: usize,
    /// Bytes of a block from which it is handed on.
    pub(super) block_bytes: usize,
    pub(super) unpacked_bytes_max: usize,
    /// Bytes of answers to keep for the second pass.
    kept_bytes_max: usize,
}

impl Settings {
    /// Returns the settings that a spec comes to.
    pub(super) fn from_spec(spec: &KafkaSpec) -> Result<Self, WireError> {
        let properties = &spec.properties;
        if let Some(property) = lacking(properties) {
            let text = format!("{property} needs the reader librdkafka");
            return Err(WireError::Setting(text));
        }
        let protocol = properties.get("security.protocol").unwrap_or("PLAINTEXT");
        let (is_tls, is_sasl) = match &*protocol.to_ascii_uppercase() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                let text = format!("security.protocol={protocol} is not known");
                return Err(WireError::Setting(text));
            }
        };
        check_prefixes(&spec.brokers, protocol)?;
        let queue_bytes = usize::try_from(spec.queue_bytes).unwrap_or(usize::MAX);
        let queue_bytes = queue_bytes.clamp(1 << 20, 1 << 30);
        Ok(Self {
            bootstrap: parse_brokers(&spec.brokers)?,
            client_id: client_id(properties),
            tls: is_tls
                .then(|| TlsSettings::from_properties(properties))
                .transpose()?,
            sasl: is_sasl
                .then(|| SaslSettings::from_properties(properties))
                .transpose()?,
            isolation: spec.isolation,
            setup_timeout: millis(properties, "socket.connection.setup.timeout.ms", 10_000)?,
            socket_timeout: millis(properties, "socket.timeout.ms", 30_000)?,
            fetch_wait: millis(properties, "fetch.wait.max.ms", 100)?,
            fetch_bytes_max: number(properties, "fetch.max.bytes", part_of(queue_bytes, 2))?,
            partition_bytes_max: partition_bytes_max(properties, part_of(queue_bytes, 8))?,
            block_bytes: queue_bytes / 8,
            response_bytes_max: number(properties, "receive.message.max.bytes", 1_u32 << 30)
                .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))?,
            queue_bytes,
            unpacked_bytes_max: usize::try_from(spec.unpacked_bytes_max).unwrap_or(usize::MAX),
            kept_bytes_max: usize::try_from(spec.kept_bytes).unwrap_or(usize::MAX),
        })
    }

    /// Returns an empty store of what is kept for the second pass.
    pub(super) fn keep(&self) -> KeptBatches {
        KeptBatches::new(self.kept_bytes_max, self.unpacked_bytes_max)
    }

    /// Returns the isolation level as requests carry it.
    pub(super) fn isolation_level(&self) -> i8 {
        match self.isolation {
            Isolation::ReadUncommitted => 0,
            Isolation::ReadCommitted => 1,
        }
    }
}

fn client_id(properties: &Properties) -> String {
    let own = concat!("dupaudit/", env!("CARGO_PKG_VERSION"));
    properties.get("client.id").unwrap_or(own).to_owned()
}

fn part_of(bytes: usize, part: usize) -> i32 {
    i32::try_from(bytes / part).unwrap_or(i32::MAX)
}

fn partition_bytes_max(properties: &Properties, otherwise: i32) -> Result<i32, WireError> {
    let otherwise = number(properties, "max.partition.fetch.bytes", otherwise)?;
    number(properties, "fetch.message.max.bytes", otherwise)
}

fn number<N: std::str::FromStr>(
    properties: &Properties,
    name: &str,
    otherwise: N,
) -> Result<N, WireError> {
    match properties.get(name) {
        None => Ok(otherwise),
        Some(text) => text.trim().parse().map_err(|_| {
            WireError::Setting(format!(
                "property {name}: `{text}` is no number that it can have"
            ))
        }),
    }
}

fn millis(properties: &Properties, name: &str, otherwise: u32) -> Result<Duration, WireError> {
    let millis: u32 = number(properties, name, otherwise)?;
    Ok(Duration::from_millis(millis.max(1).into()))
}

/// Checks that no broker is named with another protocol than the one that is spoken.
fn check_prefixes(brokers: &str, protocol: &str) -> Result<(), WireError> {
    const KNOWN: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    let prefixes = brokers
        .split(',')
        .filter_map(|of| of.trim().split_once("://"));
    let others = prefixes.map(|(prefix, _)| prefix.to_ascii_uppercase());
    let mut others = others.filter(|prefix| !prefix.eq_ignore_ascii_case(protocol));
    match others.find(|prefix| KNOWN.contains(&prefix.as_str())) {
        Some(other) => Err(WireError::Setting(format!(
            "a broker is named with {other}, but security.protocol is {protocol}; \
             set it with -X security.protocol={other}"
        ))),
        None => Ok(()),
    }
}

/// Parses `host:port,host,[::1]:9092`, each perhaps behind `PROTOCOL://`.
fn parse_brokers(brokers: &str) -> Result<Vec<(String, u16)>, WireError> {
    let parse_one = |broker: &str| {
        let broker = broker.rsplit_once("://").map_or(broker, |(_, rest)| rest);
        let (host, port) = match broker.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse::<u16>().ok()?)
            }
            _ => (broker, PORT_DEFAULT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then(|| (host.to_owned(), port))
    };
    let parsed: Option<Vec<_>> = brokers
        .split(',')
        .map(str::trim)
        .filter(|broker| !broker.is_empty())
        .map(parse_one)
        .collect();
    match parsed {
        Some(parsed) if !parsed.is_empty() => Ok(parsed),
        _ => {
            let text = format!("`{brokers}` is no list of brokers; write HOST:PORT,HOST:PORT");
            Err(WireError::Setting(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[&str]) -> Properties {
        let mut properties = Properties::default();
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap();
            properties.add(name, value).unwrap();
        }
        properties
    }

    #[test]
    fn brokers_come_with_and_without_port_and_protocol() {
        let parsed = parse_brokers("a:1, b,SSL://c:3,[::1]:4,::1").unwrap();
        let shown: Vec<_> = parsed
            .iter()
            .map(|(host, port)| format!("{host} {port}"))
            .collect();
        assert_eq!(shown, ["a 1", "b 9092", "c 3", "::1 4", "::1 9092"]);
        assert!(parse_brokers("a:b").is_err());
        assert!(parse_brokers(" , ").is_err());
    }

    #[test]
    fn a_broker_named_with_another_protocol_is_not_spoken_to_in_clear() {
        let settings = |brokers: &str| Settings::from_spec(&KafkaSpec::new(brokers, Vec::new()));
        for brokers in ["plaintext://a:1", "OUTSIDE://a:1,b:2"] {
            settings(brokers).unwrap();
        }
        let error = settings("b:2, ssl://a:1").unwrap_err().to_string();
        assert!(error.contains("-X security.protocol=SSL"), "{error}");
    }

    #[test]
    fn what_the_reader_lacks_is_named() {
        assert_eq!(lacking(&properties(&["sasl.mechanism=PLAIN"])), None);
        assert_eq!(
            lacking(&properties(&["sasl.mechanism=GSSAPI"])).as_deref(),
            Some("sasl.mechanisms=GSSAPI")
        );
        let unverified = properties(&["enable.ssl.certificate.verification=false"]);
        assert!(lacking(&unverified).is_some());
        let verified = properties(&["enable.ssl.certificate.verification=true"]);
        assert_eq!(lacking(&verified), None);
        let misspelt = properties(&["fetch.max.byte=1"]);
        assert_eq!(lacking(&misspelt).as_deref(), Some("fetch.max.byte"));
        let unnamed = properties(&["ssl.endpoint.identification.algorithm=none"]);
        assert!(lacking(&unnamed).is_some());
    }
}
