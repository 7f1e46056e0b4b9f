//! What ends each cause: one line, and where it is documented.

use crate::finding::group::Cause;

/// What to do about a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The setting or the change, one line.
    pub text: &'static str,
    /// Where that is documented.
    pub source: &'static str,
}

impl Cause {
    /// Returns what ends the cause.
    pub fn advice(self) -> Advice {
        let (text, source) = match self {
            Self::ProducerRetry => (
                "enable.idempotence=true on the producer, which needs acks=all, retries above 0 \
                 and at most 5 requests in flight",
                "Kafka producer configs: enable.idempotence; librdkafka CONFIGURATION.md",
            ),
            Self::ApplicationResend => (
                "have the consumer drop what it has done, by these fields, or send with a timeout \
                 above delivery.timeout.ms; an idempotent producer does not recognise a new send",
                "Kafka producer javadoc (KafkaProducer): idempotence and application level resends",
            ),
            Self::ConsumerReplay => (
                "make the work idempotent by these fields, or commit offsets and output in one \
                 transaction (Streams: processing.guarantee=exactly_once_v2)",
                "Kafka documentation: message delivery semantics",
            ),
            Self::MirrorCopy => (
                "audit the topic or its mirror, not both; for repeats inside a mirror, \
                 exactly.once.source.support=enabled on the Connect workers",
                "Kafka documentation: geo-replication; KIP-618",
            ),
            Self::DeadLetterCopy => (
                "nothing to stop: audit the topic without its dead-letter or retry topic",
                "Kafka Connect error reporting (KIP-298); Spring Kafka: dead-letter records",
            ),
            Self::AbortedTransaction => (
                "read with isolation.level=read_committed, in the consumers too",
                "Kafka consumer configs: isolation.level; KIP-98",
            ),
            Self::Undetermined => (
                "audit the topic itself or its segment files: they show timestamp types, \
                 producer ids and batches",
                "KIP-98: record batch header",
            ),
        };
        Advice { text, source }
    }
}

/// Returns the command that shows one record; `connection` is kcat's, such as `-b host:9092`.
pub fn kcat_command(connection: &str, topic: &str, partition: i32, offset: i64) -> String {
    let topic = shell_word(topic);
    format!("kcat {connection} -C -t {topic} -p {partition} -o {offset} -c 1 -J")
}

/// Returns the text as one word of a shell; an export may name any topic.
pub fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if text.bytes().all(is_plain) && !text.is_empty() && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_safe_to_paste() {
        let command = |topic| kcat_command("-F prod.conf", topic, 1, 88641);
        assert_eq!(
            command("charges"),
            "kcat -F prod.conf -C -t charges -p 1 -o 88641 -c 1 -J"
        );
        assert!(command("a'; rm -rf x").contains(r"-t 'a'\''; rm -rf x' "));
    }

    #[test]
    fn every_cause_has_one_line_of_advice_and_its_source() {
        for cause in Cause::ALL {
            let advice = cause.advice();
            assert!(!advice.text.contains('\n') && !advice.text.contains("  "));
            assert!(!advice.source.is_empty());
        }
    }
}
