//! Evidence in words: one sentence for each kind.

use std::fmt;

use crate::finding::diagnosis::{AbortedCopy, DeadLetterDialect, Evidence};
use crate::finding::group::Cause;

const MILLIS_PER_SECOND: i64 = 1000;

impl DeadLetterDialect {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "Kafka Connect's dead-letter headers",
            Self::SpringDeadLetter => "Spring's dead-letter headers",
            Self::SpringRetry => "Spring's retry-topic headers",
            Self::SmallRye => "SmallRye's dead-letter headers",
            Self::Other => "dead-letter headers",
        }
    }
}

impl fmt::Display for Evidence {
    #[expect(
        clippy::too_many_lines,
        reason = "a table of sentences, one for each kind"
    )]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdenticalContent { is_all_known: true } => {
                out.write_str("key, headers and value are the same bytes")
            }
            Self::IdenticalContent {
                is_all_known: false,
            } => out.write_str("what the source shows of key, headers and value is the same bytes"),
            Self::EqualCreateTime => out.write_str("CreateTime is the same to the millisecond"),
            Self::RepeatedBatch {
                record_count,
                crc,
                length,
                earlier_base_offset,
                extra_base_offset,
            } => write!(
                out,
                "one batch of {record_count} records (CRC {crc:08x}, {length} B) stands at \
                 {earlier_base_offset} and at {extra_base_offset}"
            ),
            Self::PartOfBatch { record_count } => write!(
                out,
                "the original's batch holds {record_count} records, and its neighbours did not \
                 come again; a producer sends a batch again as a whole"
            ),
            Self::SameBatch { base_offset } => write!(
                out,
                "both copies lie in one batch, at {base_offset}: they were sent as two records"
            ),
            Self::NoProducerId => out.write_str(
                "the batches carry producer id -1: without idempotence a retry is appended again",
            ),
            Self::SameSequence {
                producer_id,
                base_sequence,
            } => write!(
                out,
                "producer {producer_id} appended sequence {base_sequence} twice"
            ),
            Self::SequencesDiffer {
                producer_id,
                earlier,
                extra,
            } => write!(
                out,
                "producer {producer_id} numbered them as two sends, sequences {earlier} and {extra}"
            ),
            Self::ProducerEpochsDiffer {
                producer_id,
                earlier,
                extra,
            } => write!(
                out,
                "producer {producer_id} went from epoch {earlier} to {extra} between the copies"
            ),
            Self::ProducerIdsDiffer { earlier, extra } => write!(
                out,
                "two producers sent them, ids {earlier} and {extra}: another process, or a restart"
            ),
            Self::LeaderEpochChanged { earlier, extra } => write!(
                out,
                "the partition's leader epoch went from {earlier} to {extra} between the copies"
            ),
            Self::RunForward {
                pairs,
                distance: Some(distance),
            } => write!(
                out,
                "{pairs} records came again in the same order, each {distance} offsets on"
            ),
            Self::RunForward {
                pairs,
                distance: None,
            } => write!(out, "{pairs} records came again in the same order"),
            Self::RunReversed { pairs, blocks } => write!(
                out,
                "{pairs} records came again as {blocks} blocks in reverse order, as a Java \
                 producer sends what timed out"
            ),
            Self::Adjacent => out.write_str("the repeat follows the original at once"),
            Self::Alone => out.write_str("no neighbour came again with it"),
            Self::Scattered { pairs, offsets } => write!(
                out,
                "{pairs} extra records lie scattered over {offsets} offsets: they are no run"
            ),
            Self::LaterCreateTime { millis } => write!(
                out,
                "CreateTime is {} later: it was sent anew",
                Seconds(*millis)
            ),
            Self::TimerGap {
                timer_millis,
                pairs,
                of,
            } => write!(
                out,
                "{pairs} of {of} come about {} after the original, a usual timer",
                Seconds(*timer_millis)
            ),
            Self::FasterPace {
                original_millis,
                extra_millis,
            } => write!(
                out,
                "the originals took {}, the repeats {}: worked through again at full speed",
                Seconds(*original_millis),
                Seconds(*extra_millis)
            ),
            Self::PartitionsTogether { partitions, pairs } => write!(
                out,
                "{partitions} partitions saw such runs within a minute, {pairs} records in all"
            ),
            Self::ChangedAttempt { paths } => {
                write!(out, "a counter of attempts differs: {}", paths.join(", "))
            }
            Self::ChangedVolatile { paths } => write!(
                out,
                "only times, headers or ids of the sending differ: {}",
                paths.join(", ")
            ),
            Self::ChangedContent { paths } => write!(
                out,
                "what a repeat does not change differs: {}",
                paths.join(", ")
            ),
            Self::OtherTopic { earlier, extra } => write!(
                out,
                "the copies lie in two topics, `{earlier}` and `{extra}`"
            ),
            Self::OneTopic => out.write_str("both copies lie in one topic"),
            Self::MirrorName { source, mirror } => {
                write!(out, "`{mirror}` is named as a mirror of `{source}`")
            }
            Self::SamePartitionNumber => {
                out.write_str("the partition number is the same, as mirrors keep it")
            }
            Self::OtherPartition { earlier, extra } => write!(
                out,
                "the copies lie in partitions {earlier} and {extra}; a retry keeps its partition"
            ),
            Self::CopyElsewhere { topic } => write!(out, "a copy stands in `{topic}` too"),
            Self::NamedByHeaders(named) => {
                write!(out, "{} name the other copy, {named}", named.dialect.name())
            }
            Self::NamedTwice(named) => write!(
                out,
                "{} of both copies name {named}: it was handled twice",
                named.dialect.name()
            ),
            Self::NamesAnother(named) => write!(
                out,
                "{} name {named}, which is no copy in this group",
                named.dialect.name()
            ),
            Self::NotNamed => out.write_str("no header names the other copy"),
            Self::Aborted(AbortedCopy::Earlier) => {
                out.write_str("the earlier copy's transaction was aborted")
            }
            Self::Aborted(AbortedCopy::Extra) => {
                out.write_str("the extra record's transaction was aborted")
            }
            Self::Aborted(AbortedCopy::Both) => {
                out.write_str("the transactions of both copies were aborted")
            }
            Self::NoneAborted => out.write_str("no copy is known to be aborted"),
            Self::AppendedLate { at_least_millis } => write!(
                out,
                "it was appended at least {} after the original, past the time that producers \
                 retry for by default",
                Seconds(*at_least_millis)
            ),
            Self::CausesRemain(causes) => {
                let codes: Vec<&str> = causes.iter().map(|cause| Cause::code(*cause)).collect();
                write!(out, "{} explain it equally well", codes.join(" and "))
            }
            Self::OwnTimestampsPossible => out.write_str(
                "an application that sets its own timestamps and sends again looks the same",
            ),
            Self::KeptTimestampsPossible => out.write_str(
                "a restarted connector or mirror that keeps timestamps looks the same; \
                 producer ids and batches, which this source does not show, would tell",
            ),
            Self::ReplayOrResend => out.write_str(
                "a consumer that works again and an application that sends a stretch again look \
                 the same here; missing: a counter of attempts, headers that name the input \
                 record, or the commits of the consumer group",
            ),
            Self::BatchesDiffer => out.write_str(
                "most batches did not come again as they were: a restarted connector or mirror \
                 that keeps timestamps looks the same",
            ),
            Self::NoCauseFits => out.write_str("what was seen fits none of the causes"),
            Self::NoCoordinates => {
                out.write_str("missing: the source does not say topic, partition and offset")
            }
            Self::NoTimestamps => out.write_str("missing: timestamps"),
            Self::TimestampTypeUnknown => {
                out.write_str("missing: the source does not say who set the timestamps")
            }
            Self::LogAppendTime => out.write_str(
                "missing: CreateTime, which would decide; the broker set these timestamps \
                 (LogAppendTime)",
            ),
            Self::NoBatches => {
                out.write_str("missing: producer ids and batches, which this source does not show")
            }
            Self::ContentUnknown => {
                out.write_str("missing: the content of a copy, which could not be read again")
            }
            Self::SameInput { stream, position } => write!(
                out,
                "both follow the message at position {position} of {stream}: it was handled twice"
            ),
            Self::OtherInput => out.write_str("the copies follow different messages"),
            Self::WrittenTwice => out.write_str(
                "the store gave each copy an id and a position of its own: each was written anew",
            ),
            Self::Published => {
                out.write_str("one copy lies in the store, the other in a topic that it feeds")
            }
            Self::SameButForPlace => {
                out.write_str("but for ids, positions and times the copies say the same")
            }
            Self::SeveralPerInput => out.write_str(
                "a handler that writes this more than once for one message by design looks the \
                 same",
            ),
            Self::InputUnknown => out.write_str(
                "missing: what the copies follow (metadata.causationMessageStreamName and \
                 causationMessagePosition)",
            ),
            Self::TooManyRuns => {
                out.write_str("missing: the shape; there are too many runs to keep apart")
            }
        }
    }
}

/// Milliseconds as people say them.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millis = self.0.saturating_abs();
        let (whole, rest) = (millis / MILLIS_PER_SECOND, millis % MILLIS_PER_SECOND);
        match rest {
            0 => write!(out, "{sign}{whole} s"),
            _ if whole == 0 => write!(out, "{sign}{rest} ms"),
            _ => write!(out, "{sign}{whole}.{rest:03} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::diagnosis::NamedCoordinates;

    #[test]
    fn evidence_reads_as_a_sentence_with_its_numbers() {
        let batch = Evidence::RepeatedBatch {
            record_count: 36,
            crc: 0x9d3f_01ac,
            length: 8119,
            earlier_base_offset: 88610,
            extra_base_offset: 88646,
        };
        assert_eq!(
            batch.to_string(),
            "one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and at 88646"
        );
        let named = Evidence::NamedByHeaders(NamedCoordinates {
            dialect: DeadLetterDialect::Connect,
            topic: "charges".to_owned(),
            partition: 2,
            offset: 88,
        });
        assert_eq!(
            named.to_string(),
            "Kafka Connect's dead-letter headers name the other copy, charges-2@88"
        );
    }

    #[test]
    fn times_are_seconds_or_milliseconds() {
        let text = |millis| Evidence::LaterCreateTime { millis }.to_string();
        assert!(text(5000).contains(" 5 s "));
        assert!(text(5003).contains(" 5.003 s "));
        assert!(text(7).contains(" 7 ms "));
    }
}
