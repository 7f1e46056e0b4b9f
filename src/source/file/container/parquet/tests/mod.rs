//! Parquet files that `PyArrow` wrote, whole and damaged.

mod narrow;
mod oracle;

use std::fs;

use proptest::prelude::*;

use crate::source::file::container::both_passes;
use crate::source::file::container::both_passes::{fixture, read_bytes};

const FILES: [&str; 6] = [
    "charges.parquet",
    "charges.gzip.parquet",
    "charges.snappy.parquet",
    "charges.zstd.parquet",
    "charges.lz4.parquet",
    "charges.brotli.parquet",
];

#[test]
fn every_codec_gives_the_same_records() {
    both_passes::every_codec_gives_the_same_records(&FILES, "parquet");
}

#[test]
fn truncation_and_damage_are_stated() {
    let bytes = fs::read(fixture("charges.snappy.parquet")).unwrap();
    let (values, coverage) = read_bytes(&bytes[..bytes.len() - 20]).unwrap();
    assert_eq!(values.len(), 0);
    let damage = coverage.damage.unwrap();
    assert!(damage.contains("it may be truncated"), "{damage}");
    let mut flipped = bytes.clone();
    for byte in flipped.iter_mut().skip(1200).take(300) {
        *byte ^= 0xff;
    }
    let (values, coverage) = read_bytes(&flipped).unwrap();
    assert!(values.len() < 12);
    assert!(coverage.damage.unwrap().contains("row group"));
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
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()).max(4));
        }
        for (at, flip) in flips {
            let at = at.index(bytes.len()).max(4).min(bytes.len() - 1);
            bytes[at] ^= flip;
        }
        bytes[..4].copy_from_slice(b"PAR1");
        drop(read_bytes(&bytes));
    }
}
