//! Files of many members: what is unpacked ahead is what one thread unpacks, and ends as that.

use std::io::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::source::file::unpack::compression::Compression;
use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::members::finding::Finder;

/// Ways to pack a member, each as some program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packer {
    Gzip,
    /// With its length in its head.
    Bgzip,
    Zstd,
    /// With a checksum, and without its length.
    ZstdStream,
    /// Behind a frame to skip that says how long it is.
    Pzstd,
}

fn pack(packer: Packer, text: &[u8]) -> Vec<u8> {
    match packer {
        Packer::Gzip => {
            let level = flate2::Compression::fast();
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
            gzip.write_all(text).unwrap();
            gzip.finish().unwrap()
        }
        Packer::Bgzip => bgzip(text),
        Packer::Zstd => zstd::bulk::compress(text, 3).unwrap(),
        Packer::ZstdStream => {
            let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
            zstd.include_checksum(true).unwrap();
            zstd.write_all(text).unwrap();
            zstd.finish().unwrap()
        }
        Packer::Pzstd => {
            let frame = pack(Packer::ZstdStream, text);
            let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
            [b"\x50\x2a\x4d\x18\x04\x00\x00\x00", &length[..], &frame].concat()
        }
    }
}

fn bgzip(text: &[u8]) -> Vec<u8> {
    let pack = |size: u16| {
        let extra = [&b"BC\x02\x00"[..], &size.to_le_bytes()].concat();
        let head = flate2::GzBuilder::new().extra(extra);
        let mut gzip = head.write(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    };
    pack(u16::try_from(pack(0).len() - 1).unwrap())
}

/// Returns numbered lines, which do not compress to nothing.
fn text(seed: usize, length: usize) -> Vec<u8> {
    let lines = (seed * 7919..).map(|number| format!("{{\"id\":{}}}\n", number * 48_271 % 65_537));
    lines.flat_map(String::into_bytes).take(length).collect()
}

fn placed(bytes: &[u8]) -> PlacedFile {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    PlacedFile {
        file: Arc::new(file),
        length: length_u64(bytes.len()),
    }
}

fn kind_of(packer: Packer) -> MemberKind {
    match packer {
        Packer::Gzip | Packer::Bgzip => MemberKind::Gzip,
        Packer::Zstd | Packer::ZstdStream | Packer::Pzstd => MemberKind::Zstd,
    }
}

/// Reads all there is; returns it with the error that ends it and the stored bytes counted.
fn read(
    file: &PlacedFile,
    kind: MemberKind,
    limits: Option<AheadLimits>,
) -> (Vec<u8>, String, u64) {
    let meter = Arc::new(Meter::default());
    let none = AheadLimits {
        threads: 0,
        bytes: 0,
    };
    let mut members = Members::new(file.clone(), kind, Arc::clone(&meter), none);
    members.ahead = limits.map(|limits| Ahead::start(file, kind, limits));
    let mut bytes = Vec::new();
    let mut room = [0; 10_000];
    let end = loop {
        match members.read(&mut room) {
            Ok(0) => break String::new(),
            Ok(count) => bytes.extend_from_slice(&room[..count]),
            Err(error) => break error.to_string(),
        }
    };
    (bytes, end, meter.bytes())
}

const PACKERS: [Packer; 5] = [
    Packer::Gzip,
    Packer::Bgzip,
    Packer::Zstd,
    Packer::ZstdStream,
    Packer::Pzstd,
];

#[test]
fn every_member_is_found_before_it_is_read() {
    for packer in PACKERS {
        let lengths = [5, 0, 30_000, 60_000, 1];
        let members = lengths.map(|length| pack(packer, &text(length, length)));
        let file = placed(&members.concat());
        let mut finder = Finder::new(file.clone(), kind_of(packer));
        let mut found = Vec::new();
        while finder.has_more(0) {
            found.extend(finder.step().map(|found| found.place));
        }
        let mut starts = Vec::new();
        let mut at = 0;
        for member in &members {
            if packer == Packer::Pzstd {
                starts.push(at);
                starts.push(at + 12);
            } else {
                starts.push(at);
            }
            at += length_u64(member.len());
        }
        assert_eq!(found, starts[1..], "{packer:?}");
    }
}

#[test]
fn what_is_ahead_is_unpacked_while_nobody_reads() {
    for packer in PACKERS {
        let texts = [text(1, 200_000), text(2, 50_000), text(3, 60_000)];
        let texts = if packer == Packer::Bgzip {
            texts.map(|text| text[..40_000].to_vec())
        } else {
            texts
        };
        let packed = texts.each_ref().map(|text| pack(packer, text));
        let file = placed(&packed.concat());
        let limits = AheadLimits {
            threads: 2,
            bytes: 16 << 20,
        };
        let ahead = Ahead::start(&file, kind_of(packer), limits);
        let head = if packer == Packer::Pzstd { 12 } else { 0 };
        let second = length_u64(packed[0].len()) + head;
        let third = second + length_u64(packed[1].len());
        let started = Instant::now();
        while !ahead.has_ended(third) {
            assert!(started.elapsed() < Duration::from_mins(1), "{packer:?}");
            std::thread::yield_now();
        }
        for (place, text) in [(second, &texts[1]), (third, &texts[2])] {
            assert!(ahead.go_to(place));
            let mut bytes = Vec::new();
            while let Next::Piece(piece) = ahead.next() {
                bytes.extend(piece);
            }
            assert_eq!(&bytes, text, "{packer:?}");
        }
    }
}

#[test]
fn bytes_that_look_like_a_member_are_none() {
    // Stored as they are, so that the head of a member is within one.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    let inner = pack(Packer::Gzip, &text(4, 3_000));
    gzip.write_all(&inner).unwrap();
    let outer = gzip.finish().unwrap();
    let parts = [&outer[..], &vec![0; 70_000], &outer, &inner].concat();
    let file = placed(&parts);
    let limits = AheadLimits {
        threads: 3,
        bytes: 1 << 20,
    };
    let (bytes, end, _) = read(&file, MemberKind::Gzip, Some(limits));
    assert_eq!(end, "");
    assert_eq!(bytes, [&inner[..], &inner, &text(4, 3_000)].concat());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ahead_makes_no_difference(
        packer in prop::sample::select(PACKERS.to_vec()),
        lengths in prop::collection::vec(0..65_000_usize, 1..8),
        long in prop::option::of(0..8_usize),
        flip in prop::option::of((any::<prop::sample::Index>(), 1..=u8::MAX)),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        (threads, bytes) in (1..4_usize, prop::sample::select(vec![100_000_u64, 600_000, 8 << 20])),
    ) {
        let mut texts: Vec<_> = lengths.iter().map(|&length| text(length, length)).collect();
        if let Some(text_of) = long.and_then(|at| texts.get_mut(at))
            && packer != Packer::Bgzip
        {
            *text_of = text(9, 700_000);
        }
        let mut packed: Vec<u8> = texts.iter().flat_map(|text| pack(packer, text)).collect();
        let is_damaged = flip.is_some() || cut.is_some();
        if let Some((at, by)) = flip {
            let at = at.index(packed.len());
            packed[at] ^= by;
        }
        if let Some(cut) = cut {
            packed.truncate(cut.index(packed.len()).max(1));
        }
        let file = placed(&packed);
        let kind = kind_of(packer);
        let alone = read(&file, kind, None);
        prop_assert_eq!(&read(&file, kind, Some(AheadLimits { threads, bytes })), &alone);
        if !is_damaged {
            prop_assert_eq!(&alone.0, &texts.concat());
            prop_assert_eq!((alone.1.as_str(), alone.2), ("", length_u64(packed.len())));
        }
        // As far as the readers of pipes come, these come too.
        let compression = match kind {
            MemberKind::Gzip => Compression::Gzip,
            MemberKind::Zstd => Compression::Zstd,
        };
        let mut piped = Vec::new();
        let end = compression
            .unpack(io::Cursor::new(packed))
            .and_then(|mut reader| reader.read_to_end(&mut piped));
        prop_assert_eq!(end.is_err(), !alone.1.is_empty());
        if end.is_ok() {
            prop_assert_eq!(piped, alone.0);
        }
    }
}
