//! The names of properties that are secret, refused, ignored or without a meaning.

/// Properties whose values are never shown: librdkafka's own list, and the Java client's.
pub(super) const SECRET: [&str; 16] = [
    "sasl.jaas.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.token",
    "sasl.password",
    "sasl.username",
    "ssl.ca.pem",
    "ssl.certificate.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.key",
    "ssl.keystore.password",
    "ssl.truststore.password",
];

/// Properties that load code or run a shell.
pub(super) const REFUSED: [&str; 3] = [
    "plugin.library.paths",
    "sasl.kerberos.kinit.cmd",
    "ssl.engine.location",
];

/// Properties that decide whether the audit is exact; dupaudit sets them itself.
pub(super) const FORCED: [&str; 8] = [
    "auto.offset.reset",
    "check.crcs",
    "enable.partition.eof",
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "allow.auto.create.topics",
    "enable.metrics.push",
];

/// Properties of producers, of groups, and of the Java client alone, without a meaning here.
pub(super) const WITHOUT_MEANING: [&str; 38] = [
    "acks",
    "auto.commit.interval.ms",
    "batch.size",
    "buffer.memory",
    "client.dns.lookup",
    "compression.type",
    "default.api.timeout.ms",
    "delivery.timeout.ms",
    "enable.idempotence",
    "exclude.internal.topics",
    "fetch.max.wait.ms",
    "heartbeat.interval.ms",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.poll.interval.ms",
    "max.poll.records",
    "max.request.size",
    "metric.reporters",
    "partition.assignment.strategy",
    "receive.buffer.bytes",
    "request.timeout.ms",
    "retries",
    "sasl.client.callback.handler.class",
    "security.providers",
    "send.buffer.bytes",
    "session.timeout.ms",
    "socket.connection.setup.timeout.max.ms",
    "ssl.enabled.protocols",
    "ssl.engine.factory.class",
    "ssl.keymanager.algorithm",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.password",
    "transaction.timeout.ms",
    "transactional.id",
];

/// What the names of more such properties begin with.
pub(super) const WITHOUT_MEANING_PREFIXES: [&str; 5] = [
    "interceptor.",
    "metadata.recovery.",
    "metrics.",
    "partitioner.",
    "sasl.login.",
];
