//! What Kafka's own `DumpLogSegments` reads in segments of Apache Kafka, against what this reads.

use std::path::Path;

use super::{BatchEvent, BatchReader, ControlMarker, RecordDecoder, sequence_at};
use crate::record::{BatchStamp, Payload, RecordBlock, RecordView};

/// Returns the word behind `name: ` in a line of the tool.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let pattern = format!(" {name}: ");
    let padded = line.find(&pattern).map(|at| at + pattern.len());
    let at = padded.or_else(|| {
        let first = format!("{name}: ");
        line.starts_with(&first).then_some(first.len())
    })?;
    line[at..].split(' ').next()
}

fn payload_text(line: &str, name: &str, until: Option<&str>) -> Option<String> {
    let (_, text) = line.split_once(&format!(" {name}: "))?;
    let text = until.map_or(text, |until| text.split(until).next().unwrap_or(text));
    Some(text.to_owned())
}

/// Asserts that a record's line tells of this record.
fn check_record(line: &str, view: RecordView<'_>) {
    let is = |name: &str, value: i64| {
        let text = field(line, name).or_else(|| field(line, &name.to_lowercase()));
        assert_eq!(text, Some(&*value.to_string()), "{name} in {line}");
    };
    let length = |payload: Payload<'_>| {
        let bytes = payload.bytes();
        bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap())
    };
    is("offset", view.offset().unwrap());
    is("keySize", length(view.key()));
    is("valueSize", length(view.value()));
    match view.timestamp() {
        Some(time) => is(time.timestamp_type.name().unwrap(), time.millis),
        None => is("NoTimestampType", -1),
    }
    let text = |payload: Payload<'_>| {
        let bytes = payload.bytes();
        bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    assert_eq!(
        payload_text(line, "key", Some(" payload: ")),
        text(view.key())
    );
    assert_eq!(payload_text(line, "payload", None), text(view.value()));
    if field(line, "sequence").is_some() {
        let stamp = view.batch().unwrap();
        let delta = i32::try_from(view.slot().offset - stamp.base_offset).unwrap();
        is("sequence", sequence_at(stamp.base_sequence, delta).into());
    }
}

fn check_batch(line: &str, stamp: &BatchStamp, position: u64, is_control: bool) {
    let expected = [
        ("baseOffset", stamp.base_offset.to_string()),
        ("lastOffset", stamp.last_offset.to_string()),
        ("count", stamp.record_count.to_string()),
        ("baseSequence", stamp.base_sequence.to_string()),
        ("producerId", stamp.producer_id.to_string()),
        ("producerEpoch", stamp.producer_epoch.to_string()),
        ("partitionLeaderEpoch", stamp.leader_epoch.to_string()),
        ("isTransactional", stamp.is_transactional.to_string()),
        ("isControl", is_control.to_string()),
        ("position", position.to_string()),
        ("size", stamp.length.to_string()),
        ("crc", stamp.crc.to_string()),
    ];
    for (name, value) in expected {
        assert_eq!(field(line, name), Some(&*value), "{name} in {line}");
    }
}

fn check_segment(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/segments");
    let bytes = std::fs::read(folder.join(name).with_extension("log")).unwrap();
    let text = std::fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
    let mut batch_lines = text.lines().filter(|line| line.starts_with("baseOffset: "));
    let mut record_lines = text.lines().filter(|line| line.starts_with("| offset: "));
    let mut decoder = RecordDecoder::new(1 << 20);
    for event in BatchReader::new(&bytes, 0) {
        match event {
            BatchEvent::Data(batch) => {
                let mut block = RecordBlock::default();
                let all = 0..i64::MAX;
                let decoded = decoder.decode_into(&batch, &all, 0, &mut block).unwrap();
                if batch.header.magic == 2 {
                    let line = batch_lines.next().unwrap();
                    check_batch(line, &decoded.stamp, batch.header.position, false);
                }
                for view in block.views() {
                    check_record(record_lines.next().unwrap(), view);
                }
            }
            BatchEvent::Control { header, marker } => {
                let line = batch_lines.next().unwrap();
                check_batch(line, &header.stamp, header.position, true);
                let marker = match marker.unwrap() {
                    ControlMarker::Abort => "ABORT",
                    ControlMarker::Commit => "COMMIT",
                    ControlMarker::Other(_) => "other",
                };
                assert_eq!(
                    field(record_lines.next().unwrap(), "endTxnMarker"),
                    Some(marker)
                );
            }
            BatchEvent::Damaged(_) | BatchEvent::Incomplete { .. } => panic!("{name}: {event:?}"),
        }
    }
    assert_eq!(
        (batch_lines.next(), record_lines.next()),
        (None, None),
        "{name}"
    );
}

#[test]
fn segments_of_every_format_and_codec_read_as_kafka_reads_them() {
    for name in [
        "magic0-none",
        "magic0-gzip",
        "magic0-snappy",
        "magic0-lz4",
        "magic1-none",
        "magic1-gzip",
        "magic1-gzip-log-append-time",
        "magic1-snappy",
        "magic1-lz4",
        "magic2-lz4-log-append-time",
        "magic2-zstd-transactions",
    ] {
        check_segment(name);
    }
}
