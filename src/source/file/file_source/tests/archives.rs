//! Compressed files: cut off, damaged, of several members, too large.

use super::*;

fn lz4(text: &[u8]) -> Vec<u8> {
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(text).unwrap();
    lz4.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 0).unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(text).unwrap();
    bzip2.finish().unwrap()
}

fn snappy(text: &[u8]) -> Vec<u8> {
    let mut snappy = snap::write::FrameEncoder::new(Vec::new());
    snappy.write_all(text).unwrap();
    snappy.into_inner().unwrap()
}

/// What `xz` wrote of `{"id":1}`, `{"id":2}` and `{"id":3}`, each with a newline.
const XZ: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\
        \xe5\xa3\xe0\x00\x1a\x00\x13\x5d\x00\x3d\x88\x89\x26\x81\x93\x53\xb2\x72\xb7\xaf\
        \x1d\x82\x5b\xad\xfd\x34\x48\x00\x00\x00\xa1\x96\x3d\x27\x92\x7c\x0e\xd2\x00\x01\
        \x2f\x1b\xaa\x44\xff\xb8\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

/// Every compression, with how many first bytes are too few to tell it.
fn archives(text: &[u8]) -> Vec<(Vec<u8>, usize)> {
    vec![
        (gzip(text), 1),
        // The first byte of zstd alone is an opening parenthesis, those of lz4 are no text.
        (zstd(text), 2),
        (lz4(text), 4),
        (bzip2(text), 10),
        (snappy(text), 10),
    ]
}

/// Reads all first bytes of an archive, as a file and from a pipe.
fn cut_anywhere((whole, first_cut): (&[u8], usize), count: usize) {
    let mut options = options(None, 64);
    let (source, _file) = open(whole, &options);
    let all = drain(&source);
    assert_eq!(all.len(), count);
    assert!(coverage(&source).is_complete(), "{:?}", coverage(&source));
    for cut in first_cut..whole.len() {
        options.format = (cut % 2 == 0).then_some(FileFormat::JsonLines);
        let (source, _file) = open(&whole[..cut], &options);
        let piped = open_pipe(&whole[..cut], &options);
        let records = drain(&source);
        assert_eq!(records, all[..records.len()], "cut at {cut}");
        assert_eq!(drain(&piped), records);
        for source in [source, piped] {
            let damage = coverage(&source).damage.expect("it is not complete");
            assert!(damage.contains("ends early"), "cut at {cut}: {damage}");
        }
    }
}

#[test]
fn an_archive_cut_anywhere_is_never_complete() {
    for (whole, first_cut) in archives(&numbered_lines(40)) {
        cut_anywhere((&whole, first_cut), 40);
    }
    cut_anywhere((XZ, 6), 3);
}

#[test]
fn empty_members_hold_nothing_and_garbage_behind_them_is_damage() {
    let text = numbered_lines(9);
    let (plain, _file) = open(&text, &options(None, 64));
    let expected = drain(&plain);
    let (front, back) = text.split_at(100);
    for pack in [gzip, zstd, lz4, bzip2, snappy] {
        let members = [pack(b""), pack(front), pack(b""), pack(back), pack(b"")].concat();
        for source in [
            open(&members, &options(None, 64)).0,
            open_pipe(&members, &options(None, 64)),
        ] {
            assert_eq!(drain(&source), expected, "{}", coverage(&source).format);
            assert_eq!(coverage(&source).damage, None);
        }
        let garbage = [pack(&text), b"garbage".to_vec()].concat();
        let (source, _file) = open(&garbage, &options(None, 64));
        assert_eq!(drain(&source), expected, "{}", coverage(&source).format);
        assert!(
            coverage(&source).damage.is_some(),
            "{}",
            coverage(&source).format
        );
    }
    let (source, _file) = open(&[XZ, b"garbage"].concat(), &options(None, 64));
    assert_eq!(drain(&source).len(), 3);
    assert!(coverage(&source).damage.is_some());
}

#[test]
fn what_cannot_be_told_of_a_cut_is_stated() {
    let (source, _file) = open(&snappy(&numbered_lines(9)), &options(None, 64));
    let notes = coverage(&source).notes;
    assert!(notes[0].contains("has no end mark"), "{notes:?}");
}

#[test]
fn a_flipped_bit_in_an_archive_is_damage_and_revisits_agree() {
    let text = numbered_lines(20_000);
    for mut whole in [gzip(&text), zstd::encode_all(&text[..], 0).unwrap()] {
        let middle = whole.len() / 2;
        whole[middle] ^= 0x10;
        let (source, _file) = open(&whole, &options(None, 5_000));
        let records = drain(&source);
        // A flip that decodes to other text is found by the checksum of gzip only.
        let is_gzip = whole.starts_with(b"\x1f");
        let damage = coverage(&source).damage;
        assert!(damage.is_some() || !is_gzip);
        assert!(
            records.len() > 1_000 || !is_gzip,
            "{} before {damage:?}",
            records.len()
        );
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        assert_eq!(fetch(&source, &positions), records);
    }
}

#[test]
fn members_may_end_within_a_line() {
    let text = numbered_lines(100);
    let (front, back) = text.split_at(1_001);
    let parts = [gzip(front), gzip(back), vec![0; 512]].concat();
    let frames = [front, back]
        .map(|part| zstd::encode_all(part, 0).unwrap())
        .concat();
    let (plain, _file) = open(&text, &options(None, 300));
    let expected = drain(&plain);
    for (packed, format) in [(parts, "jsonl+gzip"), (frames, "jsonl+zstd")] {
        let (source, _file) = open(&packed, &options(None, 300));
        assert_eq!(drain(&source), expected);
        let coverage = coverage(&source);
        assert_eq!((coverage.format.as_str(), coverage.damage), (format, None));
        assert_eq!(coverage.bytes, length_u64(packed.len()));
    }
}

#[test]
fn a_limit_on_unpacked_bytes_is_damage() {
    let mut limited = options(None, 1 << 20);
    limited.decompressed_bytes_max = Some(10_000_000);
    let bomb = gzip(&b"{\"a\":1}\n".repeat(2_000_000));
    let (source, _file) = open(&bomb, &limited);
    assert_eq!(drain(&source).len(), 1_250_000);
    assert!(coverage(&source).damage.unwrap().contains("10,000,000"));
}
