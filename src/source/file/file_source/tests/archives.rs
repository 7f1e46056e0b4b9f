//! Compressed files: cut off, damaged, of several members, too large.

use super::*;

#[test]
fn an_archive_cut_anywhere_is_never_complete() {
    let text = numbered_lines(40);
    let mut options = options(None, 64);
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&text).unwrap();
    let zstd = zstd::encode_all(&text[..], 0).unwrap();
    for whole in [gzip(&text), zstd, lz4.finish().unwrap()] {
        let (source, _file) = open(&whole, &options);
        let all = drain(&source);
        assert_eq!(all.len(), 40);
        assert!(coverage(&source).is_complete(), "{:?}", coverage(&source));
        // The first byte of zstd alone is an opening parenthesis, those of lz4 are no text.
        let first_cut = match whole[0] {
            b'(' => 2,
            4 => 4,
            _ => 1,
        };
        for cut in first_cut..whole.len() {
            options.format = (cut % 2 == 0).then_some(FileFormat::JsonLines);
            let (source, _file) = open(&whole[..cut], &options);
            let piped = open_pipe(&whole[..cut], &options);
            let records = drain(&source);
            assert_eq!(records, all[..records.len()], "cut at {cut}");
            assert_eq!(drain(&piped), records);
            for source in [source, piped] {
                let damage = coverage(&source).damage.expect("it is not complete");
                assert!(
                    damage.contains("ends early after"),
                    "cut at {cut}: {damage}"
                );
            }
        }
    }
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
