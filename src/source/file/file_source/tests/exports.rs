//! What tools write: told by content, and opened.

use super::*;
use crate::source::file::FileOpener;
use crate::source::kafka::Isolation;

#[test]
fn kcat_envelopes_are_opened() {
    let lines = [
        r#"{"topic":"orders","partition":0,"offset":7,"tstype":"create","ts":1602611620140,"#,
        r#""broker":-1,"headers":["h","1","h",null,"a\"b",""],"key":"k\u00e9\ud83d\ude00","#,
        r#""payload":"{\n  \"a\" : 1}"}#"#,
        r#"{"topic":"orders","partition":4,"offset":0,"key":"","payload":"plain"}#"#,
        r#"{"topic":"t","partition":0,"offset":7,"tstype":"logappend","ts":1700000000000,"#,
        r#""broker":1,"key":null,"payload":null}#"#,
        r#"{"topic":"t","partition":0,"offset":8,"tstype":"create","unknown":"ts","key":"k","#,
        r#""payload":{"a":[1,"]"]},"value_schema_id":3}#"#,
        r#"{"topic":"t","partition":0,"offset":9,"key":null,"key_error":"no schema","#,
        r#""payload":null,"payload_error":"no schema"}#"#,
        r#"{"topic":"t","partition":0,"offset":10,"tstype":"unknown","ts":-1,"payload":"x"}"#,
    ];
    let text = lines.concat().replace("}#", "}\n");
    let (source, _file) = open(text.as_bytes(), &options(None, 100));
    let records = drain(&source);
    assert_eq!(coverage(&source).format, "kcat");
    assert!(
        records.iter().all(|record| record.defect.is_none()),
        "{records:?}"
    );
    let first = &records[0];
    assert_eq!(first.coordinates.as_deref(), Some("orders-0@Some(7)"));
    assert_eq!(
        first.timestamp,
        Some((1_602_611_620_140, TimestampType::CreateTime))
    );
    assert_eq!(
        first.key,
        format!("={}", "k\u{e9}\u{1f600}".as_bytes().escape_ascii())
    );
    assert_eq!(
        first.value,
        format!("={}", b"{\n  \"a\" : 1}".escape_ascii())
    );
    assert_eq!(
        first.headers.as_deref(),
        Some(&b"\x02h\x021\x02h\x01\x06a\"b\x00"[..])
    );
    let values: Vec<_> = records[1..]
        .iter()
        .map(|record| record.value.as_str())
        .collect();
    let nested = "={\\\"a\\\":[1,\\\"]\\\"]}";
    assert_eq!(values, ["=plain", "Null", nested, "Unrecorded", "=x"]);
    let keys: Vec<_> = records[1..]
        .iter()
        .map(|record| record.key.as_str())
        .collect();
    assert_eq!(keys, ["=", "Null", "=k", "Unrecorded", "Null"]);
    assert_eq!(records[1].headers.as_deref(), Some(&b""[..]));
    let times: Vec<_> = records[1..].iter().map(|record| record.timestamp).collect();
    let appended = Some((1_700_000_000_000, TimestampType::LogAppendTime));
    assert_eq!(times, [None, appended, None, None, None]);
    let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
    assert_eq!(fetch(&source, &positions), records);
}

#[test]
fn records_of_a_dump_have_the_stamps_of_their_batch() {
    let batch = "producerId: 9 producerEpoch: 1 partitionLeaderEpoch: 4 isTransactional: true";
    let end = "size: 101 magic: 2 compresscodec: none crc: 79 isvalid: true";
    let sizes = "keySize: -1 valueSize: 1 sequence: 5 headerKeys: []";
    let text = [
        "Dumping d/orders-3/0.log\nLog starting offset: 0\n",
        "baseOffset: 6 lastOffset: 7 count: 2 baseSequence: 5 lastSequence: 6 ",
        &format!("{batch} isControl: false position: 0 CreateTime: 12 {end}\n"),
        &format!("| offset: 6 CreateTime: 11 {sizes} payload: a\n"),
        &format!("| offset: 7 CreateTime: 12 {sizes} payload: b\n"),
        "baseOffset: 8 lastOffset: 8 count: 1 baseSequence: -1 lastSequence: -1 ",
        &format!("{batch} isControl: true position: 101 CreateTime: 13 {end}\n"),
        "| offset: 8 CreateTime: 13 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] ",
        "endTxnMarker: COMMIT coordinatorEpoch: 0\n",
    ]
    .concat();
    let (source, _file) = open(text.as_bytes(), &options(None, 40));
    let records = drain(&source);
    let places: Vec<_> = records
        .iter()
        .map(|seen| seen.coordinates.as_deref())
        .collect();
    assert_eq!(places, [Some("orders-3@Some(6)"), Some("orders-3@Some(7)")]);
    assert_eq!(values(&records), ["=a", "=b"]);
    for record in fetch(&source, &[records[1].position]) {
        assert_eq!(record, records[1]);
        let batch = record.batch.unwrap();
        for stamp in [
            "base_offset: 6",
            "crc: 79",
            "producer_id: 9",
            "base_sequence: 5",
        ] {
            assert!(batch.contains(stamp), "{batch}");
        }
    }
}

/// What kcat 1.7.1 wrote of a tombstone, a binary payload and headers with and without value.
#[test]
fn what_kcat_wrote_comes_back_byte_for_byte() {
    let lines: [&[u8]; 4] = [
        br#"{"topic":"orders","partition":0,"offset":0,"tstype":"create","ts":1795505444976,"#,
        br#""broker":1,"headers":["h","1","h","","n",null],"key":"k1","payload":"{\"a\":1}"}"#,
        b"\n{\"topic\":\"orders\",\"partition\":0,\"offset\":1,\"tstype\":\"create\",\
          \"ts\":1795505444986,\"broker\":1,\"key\":\"k2\",\"payload\":null}\n",
        b"{\"topic\":\"orders\",\"partition\":0,\"offset\":2,\"tstype\":\"create\",\
          \"ts\":1795505444997,\"broker\":1,\"key\":null,\
          \"payload\":\"\xff\xfe\\u0001bin\\ttab\"}\n",
    ];
    let (source, _file) = open(&lines.concat(), &options(None, 64));
    let records = drain(&source);
    assert_eq!(coverage(&source).format, "kcat");
    let values = values(&records);
    let first = "={\\\"a\\\":1}";
    assert_eq!(values, [first, "Null", "=\\xff\\xfe\\x01bin\\ttab"]);
    let headers = records[0].headers.as_deref();
    assert_eq!(headers, Some(&b"\x02h\x021\x02h\x00\x02n\x01"[..]));
    assert!(records.iter().all(|record| record.defect.is_none()));
}

#[test]
fn lines_that_are_no_envelopes_are_defects_with_their_bytes() {
    let good = br#"{"topic":"t","partition":0,"offset":1,"key":null,"payload":"#;
    let cases: [(&[u8], Option<RecordDefect>); 8] = [
        (b"\"\xff\x00\"}", None),
        (b"\"\\q\"}", Some(RecordDefect::InvalidText)),
        (b"\"\\ud800\"}", Some(RecordDefect::InvalidText)),
        (b"\"x\"", Some(RecordDefect::InvalidText)),
        (b"\"x\"} 1", Some(RecordDefect::InvalidText)),
        (b"1,\"other\":2}", Some(RecordDefect::InvalidEnvelope)),
        (b"1,\"topic\":\"t\"}", Some(RecordDefect::InvalidEnvelope)),
        (
            b"1,\"headers\":[\"a\"]}",
            Some(RecordDefect::InvalidHeaders),
        ),
    ];
    let mut text = Vec::new();
    for (end, _) in cases {
        text.extend_from_slice(&[&good[..], end, b"\n"].concat());
    }
    let (source, _file) = open(&text, &options(Some(FileFormat::Kcat), 1 << 20));
    let records = drain(&source);
    let defects: Vec<_> = records.iter().map(|record| record.defect).collect();
    assert_eq!(defects, cases.map(|case| case.1));
    assert_eq!(records[0].value, "=\\xff\\x00");
    let line = [&good[..], cases[1].0].concat();
    assert_eq!(records[1].value, format!("={}", line.escape_ascii()));
    assert_eq!(records[1].coordinates, None);
}

#[test]
fn formats_are_told_by_content() {
    let envelope = br#"{"topic":"t","partition":0,"offset":1,"payload":"x"}"#;
    let document = br#"{"topic":"t","partition":0,"offset":1,"payload":"x","id":1}"#;
    let mixed = [&envelope[..], b"\n", document].concat();
    let long = format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(100_000));
    let cases: [(&[u8], &str); 21] = [
        (b"[\n {\"a\":1},\n {\"a\":2}\n]\n", "json"),
        (b"[{\"a\":1},{\"a\":2}]", "json"),
        (b"{\n \"a\": 1\n}\n", "json"),
        (b"{ \"a\": 1,\n \"b\": 2 }\n", "json"),
        (b"{\"a\":1}{\"a\":2}\n{\"a\":3}", "json"),
        (b"{\"a\":1}\nnull\n{\n\"a\":2}\n", "json"),
        (b"{\"a\":1}\n{\"a\":\n{\"a\":2}\n", "jsonl"),
        (
            b"k1:{\"a\":1,\"b\":2}\nk2:\n:{\"a\":3,\"b\":4}\n",
            "console-consumer",
        ),
        (b"[]", "json"),
        (b"", "jsonl"),
        (b"\n \n", "jsonl"),
        (envelope, "kcat"),
        (document, "jsonl"),
        (&mixed, "jsonl"),
        (long.as_bytes(), "jsonl"),
        (b"[1,2]\n[3]\n", "jsonl"),
        (b"oops\n{\"a\":1}\n{\"a\":2}\n", "jsonl"),
        (b"id,amount\n1,2\n", "csv"),
        (b"id;amount\n1;2,5\n", "csv"),
        (b"id\tamount\n1\t2,5\n", "tsv"),
        (b"id,text\n1,\"a\nb\"\n", "csv"),
    ];
    for (content, format) in cases {
        let (source, _file) = open(content, &options(None, 1024));
        let shown = content[..content.len().min(40)].escape_ascii().to_string();
        assert_eq!(coverage(&source).format, format, "{shown}");
        drain(&source);
        assert!(coverage(&source).is_complete(), "{shown}");
    }
}

#[test]
fn what_is_not_read_is_refused_with_the_way_out() {
    let utf16: Vec<u8> = "{\"a\":1}\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&[u8], &str); 6] = [
        (&utf16, "iconv"),
        (b"\xff\xfe{\x00", "iconv"),
        (b"PK\x03\x04......", "unzip -p"),
        (b"PAR1....", "a Parquet file"),
        (
            b"17,2024-01-01,x\n18,2024-01-02,y\n",
            "without a header row",
        ),
        (
            b"hello \x1b[31m\nworld\n",
            "its first line is 11 bytes that begin with a letter",
        ),
    ];
    for (content, hint) in cases {
        let message = refusal(content);
        assert!(message.contains(hint), "{message}");
    }
}

/// A batch of one record, as kafka-dump-log 4.1 shows it.
fn dumped(offset: u64, producer_id: i64, marker: Option<&str>) -> String {
    let is_control = marker.is_some();
    let (sizes, rest) = match marker {
        Some(word) => (
            "keySize: 4 valueSize: 6",
            format!("endTxnMarker: {word} coordinatorEpoch: 0"),
        ),
        None => (
            "keySize: -1 valueSize: 8",
            format!("payload: {{\"id\":{offset}}}"),
        ),
    };
    format!(
        "baseOffset: {offset} lastOffset: {offset} count: 1 baseSequence: 0 lastSequence: 0 \
         producerId: {producer_id} producerEpoch: 0 partitionLeaderEpoch: 0 isTransactional: true \
         isControl: {is_control} deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: 1 \
         size: 76 magic: 2 compresscodec: none crc: 7 isvalid: true\n\
         | offset: {offset} CreateTime: 1 {sizes} sequence: 0 headerKeys: [] {rest}\n"
    )
}

#[test]
fn aborted_and_open_transactions_of_a_dump_are_left_out_and_stated() {
    let dump = [
        "Dumping /d/t-0/00.log\nLog starting offset: 0\n".to_owned(),
        dumped(0, 7, None),
        dumped(1, 8, None),
        dumped(2, 7, Some("ABORT")),
        dumped(3, 8, Some("COMMIT")),
        dumped(4, 7, None),
        dumped(5, 7, Some("COMMIT")),
        dumped(6, 9, None),
    ]
    .concat();
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        let mut options = options(None, 64);
        options.isolation = isolation;
        let compressed = gzip(dump.as_bytes());
        let (plain, _plain) = open(dump.as_bytes(), &options);
        let (packed, _packed) = open(&compressed, &options);
        let sources = [
            plain,
            packed,
            open_pipe(dump.as_bytes(), &options),
            open_pipe(&compressed, &options),
        ];
        for source in sources {
            let records = drain(&source);
            let offsets: Vec<_> = records
                .iter()
                .map(|record| record.coordinates.clone().unwrap())
                .collect();
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            assert_eq!(fetch(&source, &positions), records);
            let coverage = coverage(&source);
            let notes = coverage.notes.join("; ");
            assert!(
                notes.contains("3 transaction markers were passed over"),
                "{notes}"
            );
            let is_aborted = |record: &Seen| {
                let batch = record.batch.as_deref().unwrap_or_default();
                batch.contains("is_aborted: Some(true)")
            };
            if isolation == Isolation::ReadCommitted {
                assert_eq!(offsets, ["t-0@Some(1)", "t-0@Some(4)"]);
                assert!(
                    notes.contains("1 records of aborted transactions were left out"),
                    "{notes}"
                );
                let damage = coverage.damage.unwrap();
                assert!(
                    damage.contains("1 records of producer 9 from offset 6 on"),
                    "{damage}"
                );
            } else {
                assert_eq!(offsets.len(), 4);
                assert_eq!(
                    records.iter().filter(|record| is_aborted(record)).count(),
                    1
                );
                assert_eq!(coverage.damage, None);
                assert!(
                    notes.contains("1 records of open transactions were read"),
                    "{notes}"
                );
            }
        }
    }
}

#[test]
fn a_dump_that_is_cut_off_is_not_complete() {
    let dump = [dumped(0, 7, None), dumped(1, 7, Some("COMMIT"))].concat();
    let packed = gzip(dump.as_bytes());
    let cut = &packed[..packed.len() - 9];
    for source in [
        open(cut, &options(None, 64)).0,
        open_pipe(cut, &options(None, 64)),
    ] {
        drain(&source);
        let damage = coverage(&source).damage.unwrap();
        assert!(damage.contains("gzip stream ends early"), "{damage}");
    }
}

/// What kafka-dump-log showed of a segment comes to the records that are read of the segment.
#[test]
fn a_dump_comes_to_the_records_of_its_segment() {
    let segments = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/segments");
    let dump = segments.join("magic2-zstd-transactions.txt");
    for (isolation, count) in [
        (Isolation::ReadCommitted, 40),
        (Isolation::ReadUncommitted, 60),
    ] {
        let mut options = options(None, 1000);
        options.isolation = isolation;
        let source = FileSource::open(&dump, SplitId(3), &options, StopFlag::default()).unwrap();
        let records = drain(&source);
        assert_eq!(records.len(), count);
        let segment = segments.join("magic2-zstd-transactions.log");
        let mut opener = FileOpener::new(&options, StopFlag::default());
        let segment = opener.open(&segment, SplitId(3)).unwrap().source;
        let mut block = RecordBlock::default();
        let mut expected = Vec::new();
        while segment.next_block(&mut block).unwrap() {
            expected.extend(block.views().map(seen));
        }
        let shown = |records: &[Seen]| -> Vec<(String, String, bool)> {
            let of = |record: &Seen| {
                let batch = record.batch.as_deref().unwrap_or_default();
                let is_aborted = batch.contains("is_aborted: Some(true)");
                (record.key.clone(), record.value.clone(), is_aborted)
            };
            records.iter().map(of).collect()
        };
        assert_eq!(shown(&records), shown(&expected));
        let notes = coverage(&source).notes.join("; ");
        assert!(
            notes.contains("20 records of aborted transactions were"),
            "{notes}"
        );
        assert!(
            notes.contains("6 transaction markers were passed over"),
            "{notes}"
        );
    }
}
