//! A record batch that unpacks to far more than there is memory for.

use std::fs;

use flate2::{Compress, Compression, FlushCompress};

use crate::batch_encoder::{TestBatch, TestRecord, push_varlong};
use crate::faults::READERS;
use crate::faults::logs::damage::{batches, overwrite};
use crate::support::broker;
use crate::support::cluster::{Cluster, charge, flush, send};
use crate::support::{Outcome, Run, Workspace};

/// Bytes that the one record of the bomb unpacks to.
const UNPACKED_BYTES: usize = 1_500_000_000;

/// Bytes of the record in whose place it is put.
const PACKED_BYTES: usize = 1_600_000;

/// Kibibytes of address space of the program.
const ADDRESS_SPACE: &str = "524288";

const YESTERDAY: &str = "the report of yesterday";

/// Appends `bytes` to a deflate stream, so that what follows may be anything.
fn deflate(bytes: &[u8], packed: &mut Vec<u8>) {
    let mut compress = Compress::new(Compression::best(), false);
    let mut room = Vec::with_capacity(bytes.len() / 2 + 1024);
    compress
        .compress_vec(bytes, &mut room, FlushCompress::Full)
        .unwrap();
    packed.extend(room);
}

/// Returns gzip of `head` and of zeros up to the length of a bomb, exactly so long.
fn gzip_of_zeros(head: &[u8], length: usize) -> Vec<u8> {
    const CHUNK: usize = 1 << 24;
    let zeros = vec![0; CHUNK];
    let mut stream = Vec::new();
    let mut checksum = crc32fast::Hasher::new();
    deflate(head, &mut stream);
    checksum.update(head);
    let (mut chunk, mut of_chunk) = (Vec::new(), crc32fast::Hasher::new());
    deflate(&zeros, &mut chunk);
    of_chunk.update(&zeros);
    let rest = UNPACKED_BYTES - head.len();
    for _ in 0..rest / CHUNK {
        stream.extend(&chunk);
        checksum.combine(&of_chunk);
    }
    let last = &zeros[..rest % CHUNK];
    deflate(last, &mut stream);
    checksum.update(last);
    // The last block, empty.
    stream.extend([3, 0]);
    stream.extend(checksum.finalize().to_le_bytes());
    stream.extend(u32::try_from(UNPACKED_BYTES).unwrap().to_le_bytes());
    // A file name of any length makes up for what is missing.
    let mut packed = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    packed.resize(length - stream.len() - 1, b'x');
    packed.push(0);
    packed.extend(stream);
    packed
}

/// Returns a batch of one record, `length` bytes in all, that unpacks to a bomb.
fn bomb(offset: i64, length: usize) -> Vec<u8> {
    let mut batch = TestBatch {
        base_offset: offset,
        leader_epoch: 0,
        attributes: 1,
        records: vec![TestRecord::default()],
        ..TestBatch::default()
    };
    // Attributes, times and key; then a value up to the last byte, which says: no headers.
    let mut fields = vec![0, 0, 0];
    push_varlong(&mut fields, -1);
    let all = i64::try_from(UNPACKED_BYTES).unwrap();
    // Both lengths take five bytes.
    push_varlong(&mut fields, all - 5 - 4 - 5 - 1);
    let mut head = Vec::new();
    push_varlong(&mut head, all - 5);
    head.extend(fields);
    let overhead = batch.encode_with(&[]).len();
    batch.record_count = Some(1);
    batch.encode_with(&gzip_of_zeros(&head, length - overhead))
}

/// Makes a topic whose second batch is a bomb.
fn mined_topic(broker: &broker::ApacheKafka) -> String {
    let cluster = Cluster::new(&broker.bootstrap);
    let configs = [("max.message.bytes", "2000000"), ("retention.ms", "-1")];
    let topic = cluster.create_topic("mined", 1, &configs);
    let producer = cluster.producer(&[("message.max.bytes", "2000000")]);
    let large = "x".repeat(PACKED_BYTES);
    for value in [charge("a"), large, charge("a"), charge("b")] {
        send(&producer, &topic, 0, &value);
        flush(&producer);
    }
    let folder = broker.data.join(format!("{topic}-0"));
    let segment = folder.join("00000000000000000000.log");
    let places = batches(&segment);
    let length = usize::try_from(places[2].position - places[1].position).unwrap();
    let packed = bomb(1, length);
    assert_eq!(packed.len(), length);
    overwrite(&segment, places[1].position, &packed);
    topic
}

/// Scans a topic in half a gibibyte of address space, over the report of yesterday.
fn scan(workspace: &Workspace, bootstrap: &str, topic: &str, reader: &str) -> Outcome {
    workspace.write("x.json", YESTERDAY);
    let limited = r#"ulimit -v "$0" && "$@"; exit $?"#;
    let program = ["-c", limited, ADDRESS_SPACE, env!("CARGO_BIN_EXE_dupaudit")];
    let sources = ["scan", "-b", bootstrap, "-t", topic, "--reader", reader];
    let options = ["--by", "charge_id", "-o", "x.json", "--memory", "64M"];
    let stall = ["--stall-timeout=5s", "--threads", "2"];
    let arguments = program.iter().chain(&sources).chain(&options).chain(&stall);
    Run::new("sh", workspace.path(), arguments).run()
}

#[test]
fn a_batch_that_unpacks_to_more_than_the_memory_is_never_taken_for_read() {
    let Some(broker) = broker::own() else {
        return;
    };
    let topic = mined_topic(broker);
    for reader in READERS {
        let workspace = Workspace::new();
        let outcome = scan(&workspace, &broker.bootstrap, &topic, reader);
        let kept = fs::read_to_string(workspace.path().join("x.json")).unwrap();
        if kept == YESTERDAY {
            // Killed, or given up before there was anything to report.
            assert!(matches!(outcome.exit_code, Some(4 | 128..)), "{outcome}");
            assert_eq!(reader, "librdkafka", "{outcome}");
            continue;
        }
        assert!(matches!(outcome.exit_code, Some(1 | 3)), "{outcome}");
        let report = workspace.report("x.json");
        assert!(!report.is_complete(), "{outcome}");
        let gaps = report.gaps(&topic, 0);
        if reader == "wire" {
            assert_eq!(gaps, [(1, 2, "corrupt".to_owned())], "{outcome}");
            assert_eq!(report.total("records_read"), 3);
        } else {
            let is_unread = |gap: &(i64, i64, String)| (gap.0..gap.1).contains(&1);
            assert!(gaps.iter().any(is_unread), "{outcome}");
        }
    }
}
