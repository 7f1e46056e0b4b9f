//! What librdkafka's messages mean: records, ends and faults.

use super::codes;
use super::ffi::Message;
use crate::record::{RecordBlock, RecordDefect, RecordSlot, Span};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::FaultKind;

/// Returns what a message that is no record tells about a partition.
pub(super) fn event_of(message: &Message, partition: usize) -> ClientEvent {
    let offset = message.offset();
    let code = message.code();
    if code == codes::PARTITION_EOF {
        return ClientEvent::End { partition, offset };
    }
    let text = message.error_text();
    let kind = fault_kind(code, &text);
    let cut_at = cut_at(&text).filter(|_| kind == FaultKind::Truncated);
    ClientEvent::Fault {
        partition,
        offset: cut_at.unwrap_or(offset),
        kind,
        text,
    }
}

/// Returns where a log was cut off, which only the words of a truncation tell.
fn cut_at(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("broker end offset is ")?;
    rest.split(' ').next()?.parse().ok()
}

fn fault_kind(code: i32, text: &str) -> FaultKind {
    match code {
        codes::AUTO_OFFSET_RESET if text.contains("truncation") => FaultKind::Truncated,
        codes::LOG_TRUNCATION => FaultKind::Truncated,
        codes::AUTO_OFFSET_RESET | codes::OFFSET_OUT_OF_RANGE => FaultKind::OutOfRange,
        codes::BAD_MSG | codes::BAD_COMPRESSION | codes::NOT_IMPLEMENTED | codes::INVALID_MSG => {
            FaultKind::CorruptBatch
        }
        codes::TOPIC_AUTHORIZATION_FAILED => FaultKind::Forbidden,
        codes::MSG_SIZE_TOO_LARGE => FaultKind::Refused,
        _ => FaultKind::Transient,
    }
}

/// Appends the record that a message is.
pub(super) fn push_record(message: &Message, block: &mut RecordBlock) {
    let offset = message.offset();
    let mut slot = RecordSlot::new(u64::try_from(offset).unwrap_or_default());
    slot.offset = offset;
    // −1 is how formats before timestamps say that there is none.
    if let Some((millis, timestamp_type)) = message.timestamp().filter(|&(millis, _)| millis != -1)
    {
        slot.timestamp_millis = millis;
        slot.timestamp_type = timestamp_type;
    }
    slot.topic_partition = 0;
    slot.key = push_payload(message.key(), block);
    slot.value = push_payload(message.value(), block);
    let start = block.bytes.len();
    if message.push_headers(&mut block.bytes) {
        slot.headers = Span::new(start, block.bytes.len());
    } else {
        block.bytes.truncate(start);
        slot.defect = Some(RecordDefect::InvalidHeaders);
    }
    block.slots.push(slot);
}

fn push_payload(payload: Option<&[u8]>, block: &mut RecordBlock) -> Span {
    payload.map_or(Span::NULL, |bytes| block.push_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_truncation_tell_where_the_log_was_cut_off() {
        let text = "Partition log truncation detected at offset 700 (leader epoch 3): broker end \
                    offset is 600 (offset leader epoch 2). Reset to INVALID.: Local: truncation";
        assert_eq!(cut_at(text), Some(600));
        assert_eq!(cut_at("Local: Timed out"), None);
    }
}
