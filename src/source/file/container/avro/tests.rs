//! Avro files that fastavro wrote, whole and damaged.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::record::SplitId;
use crate::source::StopFlag;
use crate::source::file::container::both_passes;
use crate::source::file::container::both_passes::{fixture, read, read_bytes};
use crate::source::file::{FileOpener, FileOptions};

const FILES: [&str; 6] = [
    "charges.avro",
    "charges.deflate.avro",
    "charges.snappy.avro",
    "charges.zstandard.avro",
    "charges.bzip2.avro",
    "charges.xz.avro",
];

#[test]
fn every_codec_gives_the_same_records() {
    both_passes::every_codec_gives_the_same_records(&FILES, "avro");
}

#[test]
fn truncation_and_damage_are_stated() {
    let bytes = fs::read(fixture("charges.snappy.avro")).unwrap();
    let (values, coverage) = read_bytes(&bytes[..bytes.len() - 20]).unwrap();
    assert!(values.len() < 12);
    let damage = coverage.damage.unwrap();
    assert!(
        damage.starts_with("truncated within the block at byte"),
        "{damage}"
    );
    let mut flipped = bytes.clone();
    let at = bytes.len() - 40;
    flipped[at] ^= 1;
    let (values, coverage) = read_bytes(&flipped).unwrap();
    assert!(!values.is_empty() && values.len() < 12);
    assert!(coverage.damage.unwrap().contains("block at byte"));
}

#[test]
fn files_without_a_usable_header_are_refused() {
    for (bytes, part) in [
        (&b"Obj\x01"[..], "has no whole Avro header"),
        (b"Obj\x01\x00aaaaaaaaaaaaaaaa", "without a schema"),
        (
            b"Obj\x01\x02\x16avro.schema\x02x\x00aaaaaaaaaaaaaaaa",
            "is no JSON",
        ),
        (
            b"Obj\x01\x04\x16avro.schema\x0c\"long\"\x14avro.codec\x04lz\x00aaaaaaaaaaaaaaaa",
            "`lz`",
        ),
    ] {
        let error = read_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 128,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_damage_ends_in_records_or_words(
        file in 0..FILES.len(),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 1..=u8::MAX), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = fs::read(fixture(FILES[file])).unwrap();
        bytes.truncate(cut.index(bytes.len()).max(4));
        for (at, flip) in flips {
            let at = at.index(bytes.len()).max(4).min(bytes.len() - 1);
            bytes[at] ^= flip;
        }
        bytes[..4].copy_from_slice(b"Obj\x01");
        drop(read_bytes(&bytes));
    }
}

#[test]
fn a_pipe_is_read_packed_or_not() {
    use crate::source::file::unpack::length_u64;

    let bytes = fs::read(fixture("charges.deflate.avro")).unwrap();
    let packed = zstd::encode_all(&*bytes, 1).unwrap();
    for (stored, format) in [(bytes, "avro"), (packed, "avro+zstd")] {
        let options = FileOptions::new(std::env::temp_dir());
        let mut opener = FileOpener::new(&options, StopFlag::default());
        let length = length_u64(stored.len());
        let input = std::io::Cursor::new(stored);
        let opened = opener.open_pipe(Path::new("-"), input, SplitId(0));
        let (values, coverage) = read(&*opened.unwrap().source);
        assert_eq!((values.len(), coverage.format.as_str()), (12, format));
        assert_eq!((coverage.bytes, coverage.damage), (length, None));
    }
}
