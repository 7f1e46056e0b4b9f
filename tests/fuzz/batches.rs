//! Record batches: what is damaged is stepped over, and what is decoded lies where it says.

use dupaudit::record::RecordBlock;
use dupaudit::source::file::FileFormat;
use dupaudit::source::record_batch::{
    AbortedSpans, BatchEvent, BatchReader, RecordDecoder, find_batch, peek_end,
};

use crate::files::check;
use crate::{Target, files_in, root};

/// Bytes that one batch may be unpacked to.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

const WORDS: &[&[u8]] = &[
    b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01",
    b"\x04\x22\x4d\x18",
    b"\x28\xb5\x2f\xfd",
    b"\x1f\x8b\x08\0",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x08",
    b"\0\0\0\0\x7f\xff\xff\xff",
];

fn target(corpus: &str) -> Target<'_> {
    let mut target = Target::new(corpus, WORDS);
    let segments = files_in(&root("fixtures/segments")).into_iter();
    // The text beside a segment is what another tool says of it.
    let is_segment = |bytes: &Vec<u8>| bytes.get(16).is_some_and(|&magic| magic <= 2);
    target.seeds = segments.filter(is_segment).collect();
    target.mend = mend;
    target
}

/// Makes the checksums of all batches right, of three inputs in four.
fn mend(bytes: &mut Vec<u8>) {
    if bytes.len().is_multiple_of(4) {
        return;
    }
    let mut rest = bytes.as_mut_slice();
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_be_bytes(length.try_into().unwrap());
        let size = usize::try_from(length).unwrap().saturating_add(12);
        if size > rest.len() || size < 22 {
            return;
        }
        let (batch, after) = std::mem::take(&mut rest).split_at_mut(size);
        if batch[16] == 2 {
            let sum = crc32c::crc32c(&batch[21..]);
            batch[17..21].copy_from_slice(&sum.to_be_bytes());
        } else {
            let sum = crc32fast::hash(&batch[16..]);
            batch[12..16].copy_from_slice(&sum.to_be_bytes());
        }
        rest = after;
    }
}

#[test]
fn record_batches_of_any_bytes_are_decoded_or_damaged() {
    let mut decoder = RecordDecoder::new(UNPACKED_BYTES_MAX);
    target("fixtures/corpus/batches").run(|_, bytes| {
        let mut block = RecordBlock::default();
        let mut spans = AbortedSpans::default();
        let mut last_position = None;
        for event in BatchReader::new(bytes, 0) {
            let position = match &event {
                BatchEvent::Data(batch) => batch.header.position,
                BatchEvent::Control { header, .. } => header.position,
                BatchEvent::Damaged(damaged) => damaged.position,
                BatchEvent::Incomplete { position, .. } => *position,
            };
            assert!(
                last_position.is_none_or(|last| last < position),
                "it goes back"
            );
            last_position = Some(position);
            match event {
                BatchEvent::Data(batch) => {
                    spans.take_batch(&batch.header);
                    block.bytes.clear();
                    block.slots.clear();
                    decode(&mut decoder, &batch, &mut block);
                }
                BatchEvent::Control { header, marker } => spans.pass_marker(&header, marker),
                BatchEvent::Damaged(damaged) => assert!(damaged.length > 0),
                BatchEvent::Incomplete { .. } => {}
            }
        }
        let _ = (peek_end(bytes), find_batch(bytes, 0), spans.contains(1, 5));
    });
}

fn decode(
    decoder: &mut RecordDecoder,
    batch: &dupaudit::source::record_batch::RecordBatch<'_>,
    block: &mut RecordBlock,
) {
    let wanted = 0..i64::MAX;
    let Ok(decoded) = decoder.decode_into(batch, &wanted, u32::MAX, block) else {
        assert!(
            block.slots.is_empty() && block.bytes.is_empty(),
            "all or nothing"
        );
        return;
    };
    let stamp = decoded.stamp;
    for view in block.views() {
        let offset = view.offset().unwrap();
        assert!((stamp.base_offset..=stamp.last_offset).contains(&offset));
        let _ = (view.key(), view.value(), view.timestamp(), view.batch());
        assert!(
            view.headers()
                .is_none_or(|headers| headers.count() <= block.bytes.len())
        );
    }
}

#[test]
fn segments_of_any_bytes_are_read_alike() {
    target("fixtures/corpus/segment").run(|path, input| {
        let chunk_bytes = 1 + input.len() % 997;
        check(path, Some(FileFormat::Segment), chunk_bytes);
    });
}
