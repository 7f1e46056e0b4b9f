//! Bytes of a real broker's segments that are not what they were.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::faults::network::ProxiedBroker;
use crate::faults::{FinishedScan, READERS, assert_exact, fill, unread_of};
use crate::support::ack_proxy::{AckProxy, FETCH, Fate};

/// Fetches that one damaged batch may cost at the most.
const FETCHES: usize = 50;

/// One record batch in a segment: where it lies, and the offsets in it.
pub(super) struct BatchPlace {
    pub(super) position: u64,
    offsets: (i64, i64),
}

/// Returns the batches of a segment by their first bytes: offset, length, …, last offset delta.
pub(super) fn batches(segment: &Path) -> Vec<BatchPlace> {
    let bytes = fs::read(segment).unwrap();
    let number = |at: usize| i32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let first = i64::from_be_bytes(*bytes[at..].first_chunk().unwrap());
        let next = first + i64::from(number(at + 23)) + 1;
        let position = u64::try_from(at).unwrap();
        let offsets = (first, next);
        places.push(BatchPlace { position, offsets });
        at += 12 + usize::try_from(number(at + 8)).unwrap();
    }
    places
}

/// Puts other bytes into a segment, while the broker serves it.
pub(super) fn overwrite(segment: &Path, position: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(segment).unwrap();
    file.seek(SeekFrom::Start(position)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Flips a bit of a segment.
fn flip(segment: &Path, position: u64) {
    let mut file = File::open(segment).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(position)).unwrap();
    file.read_exact(&mut byte).unwrap();
    overwrite(segment, position, &[byte[0] ^ 0x10]);
}

#[test]
fn a_byte_flipped_in_a_segment_costs_its_batch_and_few_fetches() {
    let Some(broker) = ProxiedBroker::shared() else {
        return;
    };
    let cluster = broker.cluster();
    let topic = fill(&cluster, 2, 8_000, 100);
    let seen = cluster.read_all(&topic, "read_committed");
    // In the checksum, in the attributes, in the records; of two batches that follow each other.
    let mut expected = [Vec::new(), Vec::new()];
    for (partition, batch, within) in [(0, 3, 18), (0, 20, 22), (1, 11, 600), (1, 12, 61)] {
        let folder = broker.data().join(format!("{topic}-{partition}"));
        let segment = folder.join("00000000000000000000.log");
        let place = &batches(&segment)[batch];
        flip(&segment, place.position + within);
        expected[partition].push(place.offsets);
    }
    let (listener, port) = broker.take_listener();
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    let proxy = AckProxy::start(listener, port, move |api_key, _| {
        counted.fetch_add(usize::from(api_key == FETCH), Ordering::Relaxed);
        Fate::Pass
    });
    for reader in READERS {
        fetches.store(0, Ordering::Relaxed);
        let scan = FinishedScan::of(&proxy.address, &topic, reader, &[]);
        let report = scan.expect(&[1]);
        assert!(!report.is_complete(), "{}", scan.outcome);
        assert_exact(&report, &topic, &seen);
        for (partition, expected) in (0..2).zip(&expected) {
            let gaps = unread_of(&report, &topic, partition);
            let corrupt = gaps.iter().filter(|gap| gap.2 == "corrupt");
            let offsets: i64 = corrupt.map(|gap| gap.1 - gap.0).sum();
            let all: i64 = expected.iter().map(|(start, end)| end - start).sum();
            assert_eq!(offsets, all, "{reader}: {gaps:?} of {expected:?}");
            for (start, end, _) in &gaps {
                let covers = |of: &&(i64, i64)| of.0 >= *start && of.1 <= *end;
                assert!(expected.iter().any(|of| covers(&of)), "{gaps:?}");
            }
        }
        let count = fetches.load(Ordering::Relaxed);
        assert!(count <= FETCHES * 4, "{reader}: {count} fetches");
        let stderr = &scan.outcome.stderr;
        assert!(!stderr.contains("gone when read again"), "{}", scan.outcome);
    }
}
