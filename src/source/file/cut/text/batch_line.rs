//! Numbers and words in the lines of `kafka-dump-log`.

use std::str::FromStr;

use memchr::memmem;

use crate::record::BatchStamp;

/// Returns the word behind `name: `, where the name starts the line or follows a space.
pub(crate) fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a str> {
    let mut from = 0;
    loop {
        let rest = line.get(from..)?;
        let place = from + memmem::find(rest, name.as_bytes())?;
        let after = line.get(place + name.len()..)?;
        let is_start = place == 0 || line.get(place - 1) == Some(&b' ');
        if let Some(word) = after.strip_prefix(b": ").filter(|_| is_start) {
            let length = word.iter().position(u8::is_ascii_whitespace);
            let word = word.get(..length.unwrap_or(word.len()))?;
            return std::str::from_utf8(word).ok();
        }
        from = place + name.len();
    }
}

/// Returns the number behind `name: `.
pub(crate) fn number<T: FromStr>(line: &[u8], name: &str) -> Option<T> {
    field(line, name)?.parse().ok()
}

/// Returns the stamps that a batch line shows; nothing where one is missing.
pub(crate) fn stamp(line: &[u8]) -> Option<BatchStamp> {
    let base_offset = number(line, "baseOffset")?;
    let last_offset = number(line, "lastOffset")?;
    let span = || i32::try_from(last_offset - base_offset + 1).ok();
    Some(BatchStamp {
        base_offset,
        last_offset,
        crc: number(line, "crc")?,
        length: number(line, "size")?,
        record_count: number(line, "count").or_else(span)?,
        producer_id: number(line, "producerId")?,
        producer_epoch: number(line, "producerEpoch")?,
        base_sequence: number(line, "baseSequence")?,
        leader_epoch: number(line, "partitionLeaderEpoch").unwrap_or(-1),
        is_transactional: field(line, "isTransactional") == Some("true"),
        is_aborted: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that Kafka 4.1.0 wrote.
    const LINE: &[u8] = b"baseOffset: 6 lastOffset: 7 count: 2 baseSequence: 0 lastSequence: 1 \
        producerId: 1 producerEpoch: 0 partitionLeaderEpoch: 0 isTransactional: false isControl: \
        false deleteHorizonMs: OptionalLong.empty position: 493 CreateTime: 1795506144312 size: \
        101 magic: 2 compresscodec: none crc: 795332918 isvalid: true";

    #[test]
    fn a_batch_line_shows_its_stamps() {
        let expected = BatchStamp {
            base_offset: 6,
            last_offset: 7,
            crc: 795_332_918,
            length: 101,
            record_count: 2,
            producer_id: 1,
            producer_epoch: 0,
            base_sequence: 0,
            leader_epoch: 0,
            is_transactional: false,
            is_aborted: None,
        };
        assert_eq!(stamp(LINE), Some(expected));
        assert_eq!(field(LINE, "Offset"), None);
        assert_eq!(number::<i64>(LINE, "position"), Some(493));
        assert_eq!(stamp(b"baseOffset: 6"), None);
    }
}
