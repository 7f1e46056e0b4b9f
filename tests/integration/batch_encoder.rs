//! Writes record batches and message sets, true ones and false ones, for tests.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lz4_flex::frame::FrameEncoder;

/// A header: its name, and its value or null.
pub(crate) type TestHeader = (Vec<u8>, Option<Vec<u8>>);

/// A record of magic 2 to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestRecord {
    pub(crate) offset_delta: i32,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<TestHeader>,
}

/// A record batch of magic 2 to be.
#[derive(Clone, Debug)]
pub(crate) struct TestBatch {
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) attributes: i16,
    /// Where nothing: that of the last record.
    pub(crate) last_offset_delta: Option<i32>,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    /// Where nothing: as many as there are.
    pub(crate) record_count: Option<i32>,
    pub(crate) records: Vec<TestRecord>,
}

impl Default for TestBatch {
    fn default() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: 7,
            attributes: 0,
            last_offset_delta: None,
            base_timestamp: 1_000,
            max_timestamp: 2_000,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: None,
            records: Vec::new(),
        }
    }
}

impl TestBatch {
    /// Returns a batch of `count` records from `base_offset` on, with values that differ.
    pub(crate) fn of_records(base_offset: i64, count: i32) -> Self {
        let record = |offset_delta: i32| TestRecord {
            offset_delta,
            timestamp_delta: i64::from(offset_delta),
            key: Some(format!("k{}", offset_delta % 3).into_bytes()),
            value: Some(format!("value {}", base_offset + i64::from(offset_delta)).into_bytes()),
            headers: Vec::new(),
        };
        Self {
            base_offset,
            records: (0..count).map(record).collect(),
            ..Self::default()
        }
    }

    /// Returns a batch of records within a producer's transaction.
    pub(crate) fn transactional(base_offset: i64, count: i32, producer_id: i64) -> Self {
        Self {
            attributes: 0x10,
            producer_id,
            ..Self::of_records(base_offset, count)
        }
    }

    /// Returns the marker that ends a producer's transaction.
    pub(crate) fn marker(base_offset: i64, producer_id: i64, marker_type: i16) -> Self {
        let key = [0_i16.to_be_bytes(), marker_type.to_be_bytes()].concat();
        let record = TestRecord {
            key: Some(key),
            value: Some(vec![0; 6]),
            ..TestRecord::default()
        };
        Self {
            base_offset,
            attributes: 0x30,
            producer_id,
            producer_epoch: 3,
            records: vec![record],
            ..Self::default()
        }
    }

    /// Returns the records as they are before packing.
    pub(crate) fn encode_records(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in &self.records {
            let body = encode_record(record);
            push_varlong(&mut bytes, length_of(&body));
            bytes.extend_from_slice(&body);
        }
        bytes
    }

    /// Returns the batch, its records packed as the attributes say.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.encode_with(&pack(self.attributes & 7, &self.encode_records()))
    }

    /// Returns the batch around any payload, its checksum right.
    pub(crate) fn encode_with(&self, payload: &[u8]) -> Vec<u8> {
        let last_delta = self.records.last().map_or(0, |record| record.offset_delta);
        let count = i32::try_from(self.records.len()).expect("a small test");
        let mut checked = Vec::new();
        checked.extend(self.attributes.to_be_bytes());
        checked.extend(self.last_offset_delta.unwrap_or(last_delta).to_be_bytes());
        checked.extend(self.base_timestamp.to_be_bytes());
        checked.extend(self.max_timestamp.to_be_bytes());
        checked.extend(self.producer_id.to_be_bytes());
        checked.extend(self.producer_epoch.to_be_bytes());
        checked.extend(self.base_sequence.to_be_bytes());
        checked.extend(self.record_count.unwrap_or(count).to_be_bytes());
        checked.extend_from_slice(payload);
        let mut body = Vec::new();
        body.extend(self.leader_epoch.to_be_bytes());
        body.push(2);
        body.extend(crc32c::crc32c(&checked).to_be_bytes());
        body.extend(checked);
        prefixed(self.base_offset, &body)
    }
}

/// A message of magic 0 or 1 to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestMessage {
    pub(crate) magic: i8,
    pub(crate) offset: i64,
    pub(crate) attributes: i8,
    pub(crate) timestamp_millis: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl TestMessage {
    /// Returns the message, its checksum right.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut checked = Vec::new();
        checked.extend(self.magic.to_be_bytes());
        checked.extend(self.attributes.to_be_bytes());
        if self.magic > 0 {
            checked.extend(self.timestamp_millis.to_be_bytes());
        }
        for payload in [&self.key, &self.value] {
            let length = payload.as_ref().map_or(-1, |payload| length_of(payload));
            checked.extend(i32::try_from(length).expect("a small test").to_be_bytes());
            checked.extend(payload.iter().flatten());
        }
        let mut body = crc32fast::hash(&checked).to_be_bytes().to_vec();
        body.extend(checked);
        prefixed(self.offset, &body)
    }
}

/// Packs bytes with the codec of that number.
pub(crate) fn pack(codec: i16, bytes: &[u8]) -> Vec<u8> {
    let done = "writing to memory works";
    match codec {
        1 => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).expect(done);
            encoder.finish().expect(done)
        }
        2 => snap::raw::Encoder::new().compress_vec(bytes).expect(done),
        3 => {
            let mut encoder = FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).expect(done);
            encoder.finish().expect(done)
        }
        4 => zstd::encode_all(bytes, 1).expect(done),
        _ => bytes.to_vec(),
    }
}

/// Packs bytes in the Snappy framing of snappy-java, `block_bytes` at a time.
pub(crate) fn pack_snappy_java(bytes: &[u8], block_bytes: usize) -> Vec<u8> {
    let mut packed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in bytes.chunks(block_bytes) {
        let block = pack(2, block);
        let length = i32::try_from(block.len()).expect("a small test");
        packed.extend(length.to_be_bytes());
        packed.extend(block);
    }
    packed
}

/// Appends a zigzag varint.
pub(crate) fn push_varlong(bytes: &mut Vec<u8>, number: i64) {
    let mut zigzag = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        let [low, ..] = (zigzag & 0x7f).to_le_bytes();
        bytes.push(low | 0x80);
        zigzag >>= 7;
    }
    let [low, ..] = zigzag.to_le_bytes();
    bytes.push(low);
}

fn encode_record(record: &TestRecord) -> Vec<u8> {
    let mut body = vec![0];
    push_varlong(&mut body, record.timestamp_delta);
    push_varlong(&mut body, record.offset_delta.into());
    push_payload(&mut body, record.key.as_deref());
    push_payload(&mut body, record.value.as_deref());
    push_varlong(
        &mut body,
        i64::try_from(record.headers.len()).expect("a small test"),
    );
    for (name, value) in &record.headers {
        push_payload(&mut body, Some(name));
        push_payload(&mut body, value.as_deref());
    }
    body
}

fn push_payload(body: &mut Vec<u8>, payload: Option<&[u8]>) {
    push_varlong(body, payload.map_or(-1, length_of));
    body.extend_from_slice(payload.unwrap_or_default());
}

fn length_of(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).expect("a small test")
}

fn prefixed(offset: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = offset.to_be_bytes().to_vec();
    let length = i32::try_from(body.len()).expect("a small test");
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}
