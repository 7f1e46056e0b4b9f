//! One decoder for Fetch responses and segment files: record batches of magic 2 and the message
//! sets before them.

mod aborted;
mod aborted_spans;
mod compression;
mod cursor;
mod damage;
mod header;
mod legacy;
mod reader;
mod records;

#[cfg(test)]
#[path = "../../../tests/integration/batch_encoder.rs"]
pub(crate) mod batch_encoder;

#[cfg(test)]
mod segment_oracle;

pub use aborted::{AbortedFilter, AbortedTransaction};
pub use aborted_spans::AbortedSpans;
pub use compression::Codec;
pub use damage::DamageReason;
pub use header::{BatchHeader, ControlMarker, sequence_at};
pub use reader::{BatchEvent, BatchReader, DamagedBatch, RecordBatch, find_batch, peek_end};
pub use records::{Decoded, RecordDecoder};

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use bytes::BytesMut;
    use kafka_protocol::records::{
        Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType as OtherType,
    };
    use proptest::prelude::*;

    use super::batch_encoder::{TestBatch, TestHeader, TestMessage, TestRecord, pack};
    use super::*;
    use crate::record::{Headers, RecordBlock, TimestampType};

    const ALL: Range<i64> = 0..i64::MAX;

    fn walk(bytes: &[u8]) -> (RecordBlock, Vec<DamageReason>) {
        let mut block = RecordBlock::default();
        let mut damage = Vec::new();
        let mut decoder = RecordDecoder::new(1 << 20);
        let mut filter = AbortedFilter::default();
        let mut covered = 0;
        for event in BatchReader::new(bytes, 0) {
            match event {
                BatchEvent::Data(batch) => {
                    assert!(!filter.is_aborted(&batch.header));
                    covered += usize::try_from(batch.header.stamp.length).unwrap();
                    match decoder.decode_into(&batch, &ALL, 0, &mut block) {
                        Ok(decoded) => assert_eq!(decoded.slots.end, block.slots.len()),
                        Err(reason) => damage.push(reason),
                    }
                }
                BatchEvent::Control { header, marker } => {
                    covered += usize::try_from(header.stamp.length).unwrap();
                    filter.pass_marker(&header, marker);
                }
                BatchEvent::Damaged(damaged) => {
                    covered += damaged.length;
                    damage.push(damaged.reason);
                }
                BatchEvent::Incomplete { available, .. } => covered += available,
            }
        }
        assert_eq!(covered, bytes.len());
        for view in block.views() {
            let _ = (
                view.key(),
                view.value(),
                view.headers().map(Iterator::count),
            );
        }
        (block, damage)
    }

    fn read_back(batch: &TestBatch, block: &RecordBlock) -> Vec<TestRecord> {
        let views = block.views();
        views
            .map(|view| TestRecord {
                offset_delta: i32::try_from(view.slot().offset - batch.base_offset).unwrap(),
                timestamp_delta: view.slot().timestamp_millis - batch.base_timestamp,
                key: view.key().bytes().map(<[u8]>::to_vec),
                value: view.value().bytes().map(<[u8]>::to_vec),
                headers: headers_of(view.headers().unwrap()),
            })
            .collect()
    }

    fn headers_of(headers: Headers<'_>) -> Vec<TestHeader> {
        headers
            .map(|header| (header.name.to_vec(), header.value.map(<[u8]>::to_vec)))
            .collect()
    }

    fn any_payload() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..40))
    }

    fn any_record() -> impl Strategy<Value = TestRecord> {
        let header = (prop::collection::vec(any::<u8>(), 0..6), any_payload());
        let headers = prop::collection::vec(header, 0..4);
        (
            1..4_i32,
            -50..5_000_i64,
            any_payload(),
            any_payload(),
            headers,
        )
            .prop_map(
                |(offset_delta, timestamp_delta, key, value, headers)| TestRecord {
                    offset_delta,
                    timestamp_delta,
                    key,
                    value,
                    headers,
                },
            )
    }

    fn any_batch() -> impl Strategy<Value = TestBatch> {
        let records = prop::collection::vec(any_record(), 1..30);
        (
            0..1_i64 << 40,
            0..5_i16,
            any::<i64>(),
            any::<i16>(),
            any::<i32>(),
            records,
        )
            .prop_map(
                |(base_offset, attributes, producer_id, producer_epoch, base_sequence, records)| {
                    let mut records = records;
                    let mut next = -1;
                    for record in &mut records {
                        next += record.offset_delta;
                        record.offset_delta = next;
                    }
                    TestBatch {
                        base_offset,
                        attributes,
                        producer_id,
                        producer_epoch,
                        base_sequence,
                        records,
                        ..TestBatch::default()
                    }
                },
            )
    }

    fn oracle_record(batch: &TestBatch, record: &TestRecord) -> Record {
        let offset = batch.base_offset + i64::from(record.offset_delta);
        Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: batch.leader_epoch,
            producer_id: batch.producer_id,
            producer_epoch: batch.producer_epoch,
            sequence: record.offset_delta,
            offset,
            timestamp: batch.base_timestamp + record.timestamp_delta,
            timestamp_type: OtherType::Creation,
            key: record.key.clone().map(Into::into),
            value: record.value.clone().map(Into::into),
            headers: kafka_protocol::indexmap::IndexMap::default(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_is_encoded_comes_back_in_every_codec(batch in any_batch()) {
            let bytes = batch.encode();
            let (block, damage) = walk(&bytes);
            prop_assert!(damage.is_empty(), "{:?}", damage);
            prop_assert_eq!(read_back(&batch, &block), batch.records.clone());
            let stamp = block.batches[0];
            prop_assert_eq!(stamp.base_offset, batch.base_offset);
            prop_assert_eq!(stamp.producer_id, batch.producer_id);
            prop_assert_eq!(stamp.producer_epoch, batch.producer_epoch);
            prop_assert_eq!(stamp.base_sequence, batch.base_sequence);
            prop_assert_eq!(stamp.leader_epoch, batch.leader_epoch);
            prop_assert_eq!(stamp.length, i32::try_from(bytes.len()).unwrap());
        }

        #[test]
        fn another_decoder_reads_the_same_records(mut batch in any_batch()) {
            batch.attributes = 0;
            // It refuses names that are no text, and keeps only the last of a repeated name.
            for record in &mut batch.records {
                record.headers.truncate(1);
                record.headers.iter_mut().for_each(|(name, _)| *name = b"name".to_vec());
            }
            let mut bytes = BytesMut::from(&*batch.encode()).freeze();
            let set = RecordBatchDecoder::decode(&mut bytes).unwrap();
            let (block, _) = walk(&batch.encode());
            prop_assert_eq!(set.records.len(), block.slots.len());
            for (theirs, ours) in set.records.iter().zip(block.views()) {
                prop_assert_eq!(theirs.offset, ours.offset().unwrap());
                prop_assert_eq!(theirs.timestamp, ours.timestamp().unwrap().millis);
                prop_assert_eq!(theirs.key.as_deref(), ours.key().bytes());
                prop_assert_eq!(theirs.value.as_deref(), ours.value().bytes());
                prop_assert_eq!(theirs.producer_id, ours.batch().unwrap().producer_id);
                let header = ours.headers().unwrap().next();
                let value = theirs.headers.first().map(|(_, value)| value.as_deref());
                prop_assert_eq!(value, header.map(|header| header.value));
            }
        }

        #[test]
        fn what_another_encoder_writes_is_read(mut batch in any_batch()) {
            batch.producer_id = -1;
            batch.producer_epoch = -1;
            let theirs: Vec<_> = batch.records.iter().map(|r| oracle_record(&batch, r)).collect();
            let mut bytes = BytesMut::new();
            let options = RecordEncodeOptions { version: 2, compression: Compression::None };
            RecordBatchEncoder::encode(&mut bytes, &theirs, &options).unwrap();
            let (block, damage) = walk(&bytes);
            prop_assert!(damage.is_empty(), "{:?}", damage);
            prop_assert_eq!(block.slots.len(), theirs.len());
            for (theirs, ours) in theirs.iter().zip(block.views()) {
                prop_assert_eq!(theirs.offset, ours.offset().unwrap());
                prop_assert_eq!(theirs.timestamp, ours.timestamp().unwrap().millis);
                prop_assert_eq!(theirs.value.as_deref(), ours.value().bytes());
            }
        }

        #[test]
        fn any_bytes_are_walked_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            walk(&bytes);
        }

        #[test]
        fn any_payload_under_a_true_checksum_is_records_or_damage(
            mut batch in any_batch(),
            payload in prop::collection::vec(any::<u8>(), 0..200),
            count in prop_oneof![-2..40_i32, Just(i32::MAX)],
        ) {
            batch.record_count = Some(count);
            let (block, damage) = walk(&batch.encode_with(&payload));
            prop_assert!(damage.len() == 1 || block.batches.len() == 1);
            let packed = pack(batch.attributes & 7, &payload);
            walk(&batch.encode_with(&packed));
        }

        #[test]
        fn a_flipped_byte_of_packed_records_under_a_true_checksum_does_no_harm(
            batch in any_batch(),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let mut packed = pack(batch.attributes & 7, &batch.encode_records());
            let at = at.index(packed.len());
            packed[at] ^= flip;
            walk(&batch.encode_with(&packed));
        }

        #[test]
        fn any_flipped_byte_of_a_log_never_makes_a_wrong_record(
            batches in prop::collection::vec(any_batch(), 1..5),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let mut batches = batches;
            let mut floor = 0;
            for batch in &mut batches {
                batch.base_offset = floor;
                floor += i64::from(batch.records.last().unwrap().offset_delta) + 1;
            }
            let mut bytes: Vec<u8> = batches.iter().flat_map(TestBatch::encode).collect();
            let (before, _) = walk(&bytes);
            let values = |block: &RecordBlock| -> Vec<_> {
                block.views().map(|view| view.value().bytes().map(<[u8]>::to_vec)).collect()
            };
            let before = values(&before);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let (after, _) = walk(&bytes);
            let mut left = before.iter();
            for value in values(&after) {
                prop_assert!(left.any(|known| *known == value));
            }
        }

        #[test]
        fn hostile_message_sets_are_walked_to_their_end(
            magic in 0..2_i8,
            attributes in any::<i8>(),
            offset in any::<i64>(),
            value in any_payload(),
        ) {
            let message = TestMessage {
                magic, offset, attributes, timestamp_millis: 5, key: None, value,
            };
            let set = message.encode();
            walk(&set);
            let wrapper = TestMessage {
                attributes: 1, offset: 9, value: Some(pack(1, &set)), ..message
            };
            walk(&wrapper.encode());
        }
    }

    #[test]
    fn timestamp_types_are_those_of_the_batch() {
        let batch = TestBatch {
            attributes: 8,
            ..TestBatch::of_records(0, 2)
        };
        let (block, _) = walk(&batch.encode());
        assert!(
            block
                .slots
                .iter()
                .all(|slot| slot.timestamp_type == TimestampType::LogAppendTime)
        );
    }
}
