//! Text of `kafka-dump-log --print-data-log`: batch lines, and records under them.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use memchr::memmem;

use crate::record::{RecordDefect, TimestampType};
use crate::source::file::cut::text::batch_line::{field, number};
use crate::source::file::cut::text::dump_survey::{DumpSurvey, Log};
use crate::source::file::mark_ends::Marks;

/// What starts a batch, a record of old versions, or the dump of another segment.
pub(crate) const BATCH_MARKS: Marks = &[
    "baseOffset: ",
    "offset: ",
    "Dumping ",
    "Starting offset: ",
    "Log starting offset: ",
];

/// What starts a line that is not within a record.
pub(crate) const LINE_MARKS: Marks = &[
    "| offset: ",
    "baseOffset: ",
    "offset: ",
    "Dumping ",
    "Starting offset: ",
    "Log starting offset: ",
];

/// The segments of one dump, by where they start in it: noted when chunks are given out.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    starts: Mutex<Vec<(u64, String, i32)>>,
    survey: OnceLock<DumpSurvey>,
}

impl Segments {
    /// Notes the segments that start in a chunk.
    pub(crate) fn note(&self, chunk: &[u8], byte_offset: u64) {
        let mut place = 0;
        while let Some(found) = memmem::find(chunk.get(place..).unwrap_or_default(), b"Dumping ") {
            let at = place + found;
            let is_line_start = at == 0 || chunk.get(at - 1) == Some(&b'\n');
            let line = chunk.get(at..).unwrap_or_default();
            if let Some((topic, partition)) = topic_partition(line).filter(|_| is_line_start) {
                let at = byte_offset + u64::try_from(at).unwrap_or(u64::MAX);
                let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
                starts.push((at, topic, partition));
            }
            place = at + 1;
        }
    }

    /// Takes the transactions of the dump, which was looked through once.
    pub(crate) fn set_survey(&self, survey: DumpSurvey) {
        self.survey.get_or_init(|| survey);
    }

    /// Returns the transactions of the dump, once it was looked through.
    pub(crate) fn survey(&self) -> Option<&DumpSurvey> {
        self.survey.get()
    }

    /// Returns topic and partition of what lies at a place.
    pub(crate) fn at(&self, byte_offset: u64) -> Log {
        let starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        let after = starts.partition_point(|(start, ..)| *start <= byte_offset);
        let (_, topic, partition) = starts.get(after.checked_sub(1)?)?;
        Some((topic.clone(), *partition))
    }
}

/// Returns topic and partition of a `Dumping` line, from the folder `<topic>-<partition>`.
pub(crate) fn topic_partition(line: &[u8]) -> Log {
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    let line = std::str::from_utf8(line.get(..end)?).ok()?.trim_end();
    let path = line.strip_prefix("Dumping ")?;
    let folder = path.rsplit(['/', '\\']).nth(1)?;
    let (topic, partition) = folder.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|&number: &i32| number >= 0)?;
    (!topic.is_empty()).then(|| (topic.to_owned(), partition))
}

/// Returns whether a line shows a message set of Kafka 0.10 or older, as releases from 2.3 on write
/// it above its records; that of a record shows the sizes of its key and value.
pub(crate) fn is_old_batch(text: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let line = text.get(..end).unwrap_or_default();
    let has = |name: &[u8]| memmem::find(line, name).is_some();
    let is_record = has(b" keysize: ") || has(b" keySize: ");
    line.starts_with(b"offset: ") && has(b" size: ") && !is_record
}

/// One record as the dump shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DumpedRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<(i64, TimestampType)>,
    /// Place of the key; nothing where it is null or not shown.
    pub(crate) key: Option<Range<usize>>,
    /// Whether the dump does not show the key, as that of Kafka 2.0 of a record without a value.
    pub(crate) hides_key: bool,
    /// Place of the value; nothing where it is null.
    pub(crate) value: Option<Range<usize>>,
}

/// Returns the front of a record's line, up to what the record holds.
pub(crate) fn head(text: &[u8]) -> &[u8] {
    let starts = [" headerKeys: [", " payload: ", " key: "];
    let [names, payload, key] = starts.map(|start| memmem::find(text, start.as_bytes()));
    let end = names.or(payload.into_iter().chain(key).min());
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// Takes a record apart, from its mark to its end; nothing where it is a control record.
///
/// Sizes tell key and value: a text of another size was not what the log holds.
pub(crate) fn parse(text: &[u8]) -> Result<Option<DumpedRecord>, RecordDefect> {
    let start = if text.starts_with(b"| ") { 2 } else { 0 };
    let head_end = head(text).len();
    let head = text.get(start..head_end).unwrap_or_default();
    let invalid = RecordDefect::InvalidEnvelope;
    let offset = number(head, "offset").ok_or(invalid)?;
    let is_control = field(head, "isControl") == Some("true")
        || memmem::find(
            text.get(head_end..).unwrap_or_default(),
            b"] endTxnMarker: ",
        )
        .is_some();
    if is_control {
        return Ok(None);
    }
    let size = |names: [&str; 2]| names.iter().find_map(|name| number::<i64>(head, name));
    let key_size = size(["keySize", "keysize"]).ok_or(invalid)?;
    let value_size = size(["valueSize", "valuesize"]).ok_or(invalid)?;
    let (before, value) = match usize::try_from(value_size) {
        Ok(size) => place_behind(text, head_end, size, b" payload: ")?,
        Err(_) => (line_end(text, head_end), None),
    };
    let shown = text.get(head_end..before).unwrap_or_default();
    let hides_key = key_size >= 0 && value.is_none() && memmem::find(shown, b" key: ").is_none();
    let (_, key) = match usize::try_from(key_size) {
        Ok(size) if !hides_key => {
            let text = text.get(..before).unwrap_or_default();
            place_behind(text, head_end, size, b" key: ")?
        }
        Ok(_) | Err(_) => (0, None),
    };
    Ok(Some(DumpedRecord {
        offset,
        timestamp: timestamp(head),
        key,
        hides_key,
        value,
    }))
}

/// Returns the place of `size` bytes behind `name`, and where the name starts. They end the text,
/// or what follows them is another line.
fn place_behind(
    text: &[u8],
    from: usize,
    size: usize,
    name: &[u8],
) -> Result<(usize, Option<Range<usize>>), RecordDefect> {
    if size > text.len() {
        return Err(RecordDefect::InvalidText);
    }
    let matches_at = |start: usize| text.get(start..start + name.len()) == Some(name);
    let at_end = text.len().checked_sub(size + name.len());
    if let Some(start) = at_end.filter(|&start| start >= from && matches_at(start)) {
        return Ok((start, Some(start + name.len()..text.len())));
    }
    let mut at = from;
    while let Some(found) = memmem::find(text.get(at..).unwrap_or_default(), name) {
        let start = at + found;
        let inside = start + name.len()..start + name.len() + size;
        if matches!(text.get(inside.end), Some(b'\n' | b'\r')) {
            return Ok((start, Some(inside)));
        }
        at = start + 1;
    }
    Err(RecordDefect::InvalidText)
}

/// What the tool says itself behind the records of a segment.
const REMARKS: [&str; 10] = [
    "Found ",
    "Mismatches in :",
    "Non-consecutive offsets in ",
    "Non-secutive offsets in ",
    "The following indexed offsets are not found in the log.",
    "Index offset: ",
    "Indexed offset: ",
    "Index timestamp: ",
    "Skipping ",
    "Could not read ",
];

/// Returns where in the text of a mark the first line is that belongs to no dump.
pub(crate) fn stray_start(text: &[u8]) -> Option<usize> {
    if !LINE_MARKS
        .iter()
        .any(|mark| text.starts_with(mark.as_bytes()))
    {
        return Some(0);
    }
    let mut at = own_end(text);
    while at < text.len() {
        let end = line_end(text, at);
        let line = text.get(at..end).unwrap_or_default().trim_ascii();
        let is_remark = REMARKS.iter().any(|of| line.starts_with(of.as_bytes()))
            || memmem::find(line, b" is followed by ").is_some();
        if !line.is_empty() && !is_remark {
            return Some(at);
        }
        at = end + 1;
    }
    None
}

/// Returns what the tool says of bytes at a log's end that are no batch, behind what a mark starts.
pub(crate) fn invalid_end(text: &[u8]) -> Option<String> {
    const SAID: &[u8] = b" invalid bytes at the end of ";
    let said = memmem::rfind(text, SAID)?;
    let start = memchr::memrchr(b'\n', text.get(..said)?)? + 1;
    let line = text.get(start..line_end(text, start))?.trim_ascii();
    let is_said = line.starts_with(b"Found ") && start >= own_end(text);
    is_said.then(|| String::from_utf8_lossy(line).into_owned())
}

/// Returns where the record or the line ends that a mark starts; what cannot be told apart is all
/// of the record.
fn own_end(text: &[u8]) -> usize {
    let is_record = text.starts_with(b"| ") || text.starts_with(b"offset: ");
    if !is_record || is_old_batch(text) {
        return line_end(text, 0);
    }
    let head_end = head(text).len();
    match parse(text) {
        Ok(Some(record)) => {
            let places = [record.value, record.key];
            let end = places.into_iter().flatten().map(|place| place.end).max();
            end.unwrap_or_else(|| line_end(text, head_end))
        }
        Ok(None) => line_end(text, head_end),
        Err(_) => text.len(),
    }
}

fn line_end(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
    from + length.unwrap_or(rest.len())
}

fn timestamp(head: &[u8]) -> Option<(i64, TimestampType)> {
    let types = [TimestampType::CreateTime, TimestampType::LogAppendTime];
    let of = |kind: TimestampType| Some((number(head, kind.name()?)?, kind));
    types
        .into_iter()
        .find_map(of)
        .filter(|(millis, _)| *millis != -1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Shown<'a> = (i64, Option<&'a str>, Option<&'a str>);

    fn shown(text: &str) -> Result<Option<Shown<'_>>, RecordDefect> {
        let inside = |place: Option<Range<usize>>| place.map(|place| &text[place]);
        Ok(parse(text.as_bytes())?.map(|record| {
            let key = record.hides_key.then_some("(hidden)");
            let key = key.or(inside(record.key));
            (record.offset, key, inside(record.value))
        }))
    }

    #[test]
    fn every_line_format_is_read() {
        for (text, expected) in [
            (
                "| offset: 0 CreateTime: 1795506142204 keySize: 2 valueSize: 23 sequence: -1 \
                 headerKeys: [h,g] key: k1 payload: {\"id\":\"a\",\"note\":\"x\ty\"}",
                Some((0, Some("k1"), Some("{\"id\":\"a\",\"note\":\"x\ty\"}"))),
            ),
            (
                "| offset: 2 CreateTime: 1795506143235 keySize: 2 valueSize: -1 sequence: -1 \
                 headerKeys: [] key: k3",
                Some((2, Some("k3"), None)),
            ),
            (
                "offset: 2 position: 222 CreateTime: 1795515318280 isvalid: true keysize: 2 \
                 valuesize: -1 magic: 2 compresscodec: NONE producerId: -1 producerEpoch: -1 \
                 sequence: -1 isTransactional: false headerKeys: []",
                Some((2, Some("(hidden)"), None)),
            ),
            (
                "| offset: 3 CreateTime: 1 keySize: -1 valueSize: 14 sequence: -1 headerKeys: [] \
                 payload: {\n \"id\": \"c\"\n}",
                Some((3, None, Some("{\n \"id\": \"c\"\n}"))),
            ),
            (
                "| offset: 5 CreateTime: 1795506144310 keySize: 4 valueSize: 6 sequence: -1 \
                 headerKeys: [] endTxnMarker: COMMIT coordinatorEpoch: 0",
                None,
            ),
            (
                "| offset: 0 CreateTime: 1595837169568 keysize: -1 valuesize: 17 sequence: -1 \
                 headerKeys: [] payload: fangfang love you",
                Some((0, None, Some("fangfang love you"))),
            ),
            (
                "| offset: 0 isValid: true crc: null keySize: -1 valueSize: 2 CreateTime: \
                 1665297701410 baseOffset: 0 lastOffset: 0 baseSequence: -1 lastSequence: -1 \
                 producerEpoch: -1 partitionLeaderEpoch: 0 batchSize: 70 magic: 2 compressType: \
                 none position: 0 sequence: -1 headerKeys: [] payload: hi\nFound a mismatch",
                Some((0, None, Some("hi"))),
            ),
            (
                "offset: 5 position: 0 CreateTime: 123 isvalid: true keysize: 3 valuesize: 5 \
                 magic: 2 compresscodec: NONE producerId: 7 producerEpoch: 0 sequence: 4 \
                 isTransactional: false headerKeys: [h] key: abc payload: hello",
                Some((5, Some("abc"), Some("hello"))),
            ),
        ] {
            assert_eq!(shown(text), Ok(expected), "{text}");
        }
        let replaced = "| offset: 0 CreateTime: 1 keySize: -1 valueSize: 2 headerKeys: [] \
                        payload: \u{fffd}";
        assert_eq!(shown(replaced), Err(RecordDefect::InvalidText));
    }

    #[test]
    fn what_follows_a_record_is_a_remark_or_a_stray() {
        let record = "| offset: 0 CreateTime: 1 keySize: 1 valueSize: 3 sequence: -1 headerKeys: \
                      [] key: k payload: a\nb";
        let control = "| offset: 5 CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 headerKeys: \
                       [] endTxnMarker: COMMIT coordinatorEpoch: 0";
        let tombstone = "| offset: 2 CreateTime: 1 keySize: 2 valueSize: -1 sequence: -1 \
                         headerKeys: [] key: k3";
        let remarks = "Found 12 invalid bytes at the end of 0.log\nMismatches in :0.index\n  Index \
                       offset: 1, log offset: 2\n  3 is followed by 5\n\n";
        for own in [
            record,
            control,
            tombstone,
            "Dumping t-0/0.log",
            "baseOffset: 0 count: 1",
        ] {
            assert_eq!(stray_start(own.as_bytes()), None, "{own}");
            let text = format!("{own}\r\n{remarks}");
            assert_eq!(stray_start(text.as_bytes()), None, "{text}");
            let strayed = format!("{text}{{\"a\":1}}\n");
            assert_eq!(
                stray_start(strayed.as_bytes()),
                Some(text.len()),
                "{strayed}"
            );
        }
    }

    #[test]
    fn invalid_bytes_at_the_end_are_told_from_values_that_speak_of_them() {
        let record = "| offset: 0 CreateTime: 1 keySize: -1 valueSize: 44 sequence: -1 headerKeys: \
                      [] payload: a\nFound 12 invalid bytes at the end of 0.log";
        assert_eq!(invalid_end(record.as_bytes()), None);
        let text = format!("{record}\nFound 7 invalid bytes at the end of 0.log\n");
        let said = Some("Found 7 invalid bytes at the end of 0.log".to_owned());
        assert_eq!(invalid_end(text.as_bytes()), said);
    }

    #[test]
    fn a_message_set_is_no_record() {
        let set =
            b"offset: 119 position: 0 NoTimestampType: -1 size: 1631 magic: 0 compresscodec: \
                    GZIP crc: 1063732419 isvalid: true\n";
        assert!(is_old_batch(set));
        let record = b"offset: 1 position: 26 NoTimestampType: -1 isvalid: true keysize: 2 \
                       valuesize: 14 magic: 0 compresscodec: NONE crc: 1 key: k1 payload: size: 1";
        assert!(!is_old_batch(record));
        assert!(!is_old_batch(b"| offset: 1 size: 1"));
    }

    #[test]
    fn the_folder_names_topic_and_partition() {
        let segments = Segments::default();
        segments.note(
            b"Dumping a/b-c-3/0.log\nx\nDumping 0.log\nDumping C:\\d\\t-0\\0.log\r\n",
            5,
        );
        assert_eq!(segments.at(4), None);
        assert_eq!(segments.at(5), Some(("b-c".to_owned(), 3)));
        assert_eq!(segments.at(43), Some(("t".to_owned(), 0)));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_text_is_taken_apart_without_a_panic(
            words in proptest::collection::vec(prop::sample::select(vec![
                "| ", "offset: ", "0 ", "-1 ", "keySize: ", "valueSize: ", "9999999999 ", "2 ",
                " headerKeys: [", "] ", "key: ", "payload: ", "ab", "\n", "\u{fffd}",
            ]), 0..20),
        ) {
            let _ = parse(words.concat().as_bytes());
        }
    }
}
