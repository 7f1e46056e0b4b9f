//! Picks single records of a batch and takes no other apart.

use std::ops::Range;

use crate::record::RecordBlock;
use crate::source::record_batch::compression::Codec;
use crate::source::record_batch::cursor::Cursor;
use crate::source::record_batch::damage::DamageReason;
use crate::source::record_batch::header::BatchHeader;
use crate::source::record_batch::reader::RecordBatch;

use super::{Parts, Placement, RecordDecoder, millis_of, set_timestamp, take_record};

/// The memory of a batch that is larger than most is given back.
const SPARE_BYTES_MAX: usize = 8 << 20;

const ALL_OFFSETS: Range<i64> = 0..i64::MAX;

impl RecordDecoder {
    /// Appends those of the batch's records to `block` whose offsets are among `positions`, which
    /// ascend: all of them, or none where the batch is damaged before the last of them.
    pub fn pick_into(
        &mut self,
        batch: &RecordBatch<'_>,
        positions: &[u64],
        topic_partition: u32,
        block: &mut RecordBlock,
    ) -> Result<(), DamageReason> {
        let (bytes, slots) = (block.bytes.len(), block.slots.len());
        let RecordBatch { header, payload } = batch;
        if header.magic < 2 {
            self.decode_into(batch, &ALL_OFFSETS, topic_partition, block)?;
            let mut index = 0;
            block.slots.retain(|slot| {
                index += 1;
                index <= slots || positions.binary_search(&slot.position).is_ok()
            });
            return Ok(());
        }
        let placed = Placement::next_in(block, &ALL_OFFSETS, topic_partition)?;
        let picked = if header.codec == Codec::None {
            pick(header, payload, positions, &placed, block)
        } else {
            let mut unpacked = std::mem::take(&mut self.unpacked);
            unpacked.clear();
            let picked = self
                .unpack(header, payload, &mut unpacked)
                .and_then(|()| pick(header, &unpacked, positions, &placed, block));
            if unpacked.capacity() <= SPARE_BYTES_MAX {
                self.unpacked = unpacked;
            }
            picked
        };
        if picked.is_ok() {
            block.batches.push(header.stamp);
        } else {
            block.bytes.truncate(bytes);
            block.slots.truncate(slots);
        }
        picked
    }
}

fn pick(
    header: &BatchHeader,
    records: &[u8],
    positions: &[u64],
    placed: &Placement,
    block: &mut RecordBlock,
) -> Result<(), DamageReason> {
    let mut cursor = Cursor::new(records);
    let mut wanted = positions.iter().copied().peekable();
    for index in 0..header.stamp.record_count {
        if wanted.peek().is_none() {
            break;
        }
        let damaged = || DamageReason::Record(index);
        let record = take_record(&mut cursor).ok_or_else(damaged)?;
        let delta = offset_delta(record).ok_or_else(damaged)?;
        let offset = header.stamp.base_offset.saturating_add(delta.into());
        let position = u64::try_from(offset).map_err(|_| damaged())?;
        while wanted.next_if(|&next| next < position).is_some() {}
        if wanted.next_if_eq(&position).is_none() {
            continue;
        }
        block.bytes.extend_from_slice(record);
        let parts = Parts::take(record, block.bytes.len()).ok_or_else(damaged)?;
        let millis = millis_of(header, &parts).ok_or_else(damaged)?;
        let mut slot = parts.into_slot(placed.slot(offset));
        set_timestamp(&mut slot, millis, header.timestamp_type);
        block.slots.push(slot);
    }
    Ok(())
}

fn offset_delta(record: &[u8]) -> Option<i32> {
    let mut cursor = Cursor::new(record);
    let _attributes = cursor.i8()?;
    let _timestamp_delta = cursor.varlong()?;
    cursor.varint()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::batch_encoder::{TestBatch, TestMessage, TestRecord, pack};
    use super::super::super::reader::{BatchEvent, BatchReader};
    use super::*;
    use crate::record::Payload;

    type Shown = (u64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

    fn only_batch(bytes: &[u8]) -> RecordBatch<'_> {
        match BatchReader::new(bytes, 0).next() {
            Some(BatchEvent::Data(batch)) => batch,
            event => panic!("{event:?}"),
        }
    }

    fn shown(block: &RecordBlock) -> Vec<Shown> {
        let bytes = |payload: Payload<'_>| payload.bytes().map(<[u8]>::to_vec);
        let views = block.views();
        views
            .map(|view| {
                let headers = view.headers().map(|headers| headers.encoded().to_vec());
                let slot = view.slot();
                let times = (slot.position, slot.timestamp_millis);
                (
                    times.0,
                    times.1,
                    bytes(view.key()),
                    bytes(view.value()),
                    headers,
                )
            })
            .collect()
    }

    fn both(bytes: &[u8], positions: &[u64]) -> (Vec<Shown>, Vec<Shown>) {
        let (batch, mut decoder) = (only_batch(bytes), RecordDecoder::new(1 << 20));
        let (mut all, mut picked) = (RecordBlock::default(), RecordBlock::default());
        picked.push_bytes(b"before");
        decoder
            .decode_into(&batch, &(0..i64::MAX), 0, &mut all)
            .unwrap();
        decoder
            .pick_into(&batch, positions, 0, &mut picked)
            .unwrap();
        let stamps = |block: &RecordBlock| block.views().next().map(|view| *view.batch().unwrap());
        assert!(picked.slots.is_empty() || stamps(&picked) == stamps(&all));
        all.slots.retain(|slot| positions.contains(&slot.position));
        (shown(&picked), shown(&all))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_is_picked_is_what_all_of_the_batch_holds(
            attributes in 0..5_i16,
            holes in prop::collection::vec(1..4_i32, 1..30),
            wanted in prop::collection::btree_set(90..200_u64, 0..40),
            value in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        ) {
            let header = (b"h".to_vec(), value.clone());
            let mut offset_delta = -1;
            let records = holes.iter().map(|hole| {
                offset_delta += hole;
                TestRecord {
                    offset_delta,
                    timestamp_delta: 7 * i64::from(offset_delta),
                    key: (hole % 2 == 0).then(|| offset_delta.to_string().into_bytes()),
                    value: value.clone(),
                    headers: vec![header.clone(); usize::try_from(hole % 3).unwrap()],
                }
            });
            let records = records.collect();
            let batch = TestBatch { base_offset: 100, attributes, records, ..TestBatch::default() };
            let wanted: Vec<u64> = wanted.into_iter().collect();
            let (picked, expected) = both(&batch.encode(), &wanted);
            prop_assert_eq!(picked, expected);
        }

        #[test]
        fn any_payload_is_picked_from_or_damaged_and_leaves_nothing_behind(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            wanted in prop::collection::btree_set(0..40_u64, 1..20),
        ) {
            let batch = TestBatch { record_count: Some(30), ..TestBatch::of_records(0, 30) };
            let bytes = batch.encode_with(&payload);
            let wanted: Vec<u64> = wanted.into_iter().collect();
            let mut block = RecordBlock::default();
            let mut decoder = RecordDecoder::new(1 << 20);
            let picked = decoder.pick_into(&only_batch(&bytes), &wanted, 0, &mut block);
            prop_assert!(picked.is_ok() || (block.slots.is_empty() && block.bytes.is_empty()));
            for view in block.views() {
                let _ = (view.key(), view.value(), view.headers().map(Iterator::count));
            }
        }
    }

    #[test]
    fn records_of_old_message_sets_are_picked_too() {
        let message = |offset, value: &[u8]| TestMessage {
            magic: 1,
            offset,
            attributes: 0,
            timestamp_millis: 5,
            key: None,
            value: Some(value.to_vec()),
        };
        let set: Vec<u8> = (0..5).flat_map(|at| message(at, b"v").encode()).collect();
        let wrapper = TestMessage {
            attributes: 1,
            value: Some(pack(1, &set)),
            ..message(24, b"")
        };
        let (picked, expected) = both(&wrapper.encode(), &[20, 22, 23, 99]);
        assert_eq!(picked.len(), 3);
        assert_eq!(picked, expected);
    }
}
