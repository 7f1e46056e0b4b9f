//! The same records for any size of the pieces that a file is read in, and in both passes.

use super::*;

proptest! {
    #![proptest_config(quiet())]

    #[test]
    fn lines_are_the_same_for_any_chunk_size(
        text in "[ab\"{}\t \r\n]{0,80}",
        chunk_bytes in 1_usize..40,
    ) {
        let options = options(Some(FileFormat::JsonLines), chunk_bytes);
        let (source, _file) = open(text.as_bytes(), &options);
        let piped = open_pipe(text.as_bytes(), &options);
        let records = drain(&source);
        let plain: Vec<_> = records
            .iter()
            .map(|seen| (seen.position, seen.line, seen.value.clone()))
            .collect();
        prop_assert_eq!(plain, naive_lines(text.as_bytes()));
        prop_assert_eq!(drain(&piped), records.clone());
        let coverage = coverage(&source);
        prop_assert!(coverage.is_complete());
        prop_assert_eq!(coverage.bytes, length_u64(text.len()));
        prop_assert_eq!(coverage.records_read, length_u64(records.len()));
    }

    #[test]
    fn rows_are_those_of_the_csv_crate_for_any_chunk_size(
        text in "[ab\",\r\n]{0,80}",
        chunk_bytes in 1_usize..40,
    ) {
        let text = format!("x,y\n{text}");
        let options = options(Some(FileFormat::Csv), chunk_bytes);
        let (source, _file) = open(text.as_bytes(), &options);
        let mut block = RecordBlock::default();
        let mut found = Vec::new();
        while source.next_block(&mut block).unwrap() {
            for view in block.views() {
                let slot = view.slot();
                let row = view.value().bytes().unwrap();
                let place = usize::try_from(slot.position).unwrap();
                prop_assert_eq!(&text.as_bytes()[place..place + row.len()], row);
                let line = 1 + text[..place].matches('\n').count();
                prop_assert_eq!(slot.line, length_u64(line));
                let cells = crate::source::file::cut::rows::cells(row, b',');
                let is_odd = slot.defect.is_some();
                let is_open = slot.defect == Some(RecordDefect::InvalidText);
                prop_assert!(is_open || is_odd == (cells.len() != 2), "{:?}", slot.defect);
                found.push(cells);
            }
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let expected: Vec<Vec<Box<[u8]>>> = reader
            .byte_records()
            .map(|record| record.unwrap().iter().map(Box::from).collect())
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn long_records_are_skipped_alike_for_any_chunk_size(
        text in "[a\",\r\n]{0,80}",
        chunk_bytes in 1_usize..40,
        is_csv: bool,
    ) {
        let format = if is_csv { FileFormat::Csv } else { FileFormat::JsonLines };
        let text = format!("x,y\n{text}");
        let mut few = options(Some(format), chunk_bytes);
        few.line_bytes_max = 6;
        let mut many = options(Some(format), 1000);
        many.line_bytes_max = 6;
        let (few, _few_file) = open(text.as_bytes(), &few);
        let (many, _many_file) = open(text.as_bytes(), &many);
        let records = drain(&few);
        prop_assert_eq!(&records, &drain(&many));
        prop_assert_eq!(coverage(&few).damage, coverage(&many).damage);
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        prop_assert_eq!(&fetch(&few, &positions), &records);
        prop_assert_eq!(&fetch(&many, &positions), &records);
        for record in records {
            prop_assert!(record.value.len() <= 6 * 4 + 1);
        }
    }

    #[test]
    fn a_revisit_returns_the_bytes_of_the_first_pass(
        lines in proptest::collection::vec("[a\" \r]{0,12}", 0..60),
        chosen in proptest::collection::vec(any::<bool>(), 60),
        chunk_bytes in 1_usize..60,
    ) {
        let text = lines.join("\n").into_bytes();
        let zipped = zstd::encode_all(&text[..], 0).unwrap();
        let options = options(Some(FileFormat::JsonLines), chunk_bytes);
        let (plain, _plain_file) = open(&text, &options);
        let (packed, _packed_file) = open(&zipped, &options);
        let sources = [plain, packed, open_pipe(&text, &options), open_pipe(&zipped, &options)];
        let mut expected = None;
        for source in sources {
            let mut records = drain(&source);
            let mut keep = chosen.iter();
            records.retain(|_| *keep.next().unwrap());
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            prop_assert_eq!(&fetch(&source, &positions), &records);
            let expected = expected.get_or_insert_with(|| records.clone());
            prop_assert_eq!(expected, &mut records);
        }
    }
}

#[test]
fn several_threads_read_every_record_once() {
    let text = numbered_lines(5_000);
    let packed = gzip(&text);
    for content in [text, packed] {
        let (source, _file) = open(&content, &options(None, 700));
        let (again, _again_file) = open(&content, &options(None, 1 << 20));
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| found.lock().unwrap().extend(drain(&source)));
            }
        });
        let mut found = found.into_inner().unwrap();
        found.sort();
        assert_eq!(found, drain(&again));
        assert_eq!(coverage(&source).records_read, 5_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..quiet() })]

    /// Quotes decide what is a row, and a quoted newline may lie on either side of a cut.
    #[test]
    fn rows_with_quoted_newlines_are_the_same_on_several_threads(
        rows in proptest::collection::vec("[ab]{0,3},\"([ab,\n\r]|\"\"){0,6}\"", 1..40),
        chunk_bytes in 1_usize..50,
    ) {
        let text = format!("id,note\n{}\n", rows.join("\n"));
        let format = Some(FileFormat::Csv);
        let (parallel, _file) = open(text.as_bytes(), &options(format, chunk_bytes));
        let (serial, _again) = open(text.as_bytes(), &options(format, 1 << 20));
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| found.lock().unwrap().extend(drain(&parallel)));
            }
        });
        let mut found = found.into_inner().unwrap();
        found.sort();
        prop_assert_eq!(found.len(), rows.len());
        prop_assert_eq!(found, drain(&serial));
    }
}

proptest! {
    #![proptest_config(quiet())]

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(
        start in prop::sample::select(vec![
            &b""[..],
            b"\x1f\x8b\x08\x00",
            b"\x28\xb5\x2f\xfd",
            b"\xef\xbb\xbf",
            b"{\"topic\":",
            b"a,b\n",
            b"[{\"a\":1},",
            b"{\"events\":[{\"message\":\"x\",\"timestamp\":1}",
            b"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},",
            b"a=1 b=2\n",
            b"CreateTime:1\tPartition:0\tOffset:0\tx\n",
            b"Dumping t-0/0.log\nbaseOffset: 0\n| offset: 0 keySize: -1 valueSize: 1 payload: ",
            b"\x04\x22\x4d\x18",
            b"\xff\x06\x00\x00sNaPpY",
            b"BZh91AY&SY",
            b"\xfd7zXZ\x00\x00\x04",
        ]),
        rest in proptest::collection::vec(any::<u8>(), 0..60),
        format in prop::option::of(prop::sample::select(FileFormat::ALL.to_vec())),
        chunk_bytes in 1_usize..20,
    ) {
        let content = [start, &rest].concat();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let options = options(format, chunk_bytes);
        let stop = StopFlag::default();
        if let Ok(source) = FileSource::open(file.path(), SplitId(3), &options, stop) {
            let records = drain(&source);
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            prop_assert_eq!(&fetch(&source, &positions), &records);
            prop_assert_eq!(coverage(&source).records_read, length_u64(records.len()));
        }
    }

    #[test]
    fn documents_are_the_same_for_any_chunk_size(
        text in "[a1\"{}\\[\\],: \n]{0,60}",
        chunk_bytes in 1_usize..40,
        is_array: bool,
    ) {
        let text = if is_array { format!("[{{{text}") } else { text };
        let many = options(Some(FileFormat::Json), 1000);
        let few = options(Some(FileFormat::Json), chunk_bytes);
        let (few, _few_file) = open(text.as_bytes(), &few);
        let (many, _many_file) = open(text.as_bytes(), &many);
        let records = drain(&few);
        prop_assert_eq!(&records, &drain(&many));
        prop_assert_eq!(coverage(&few).damage.is_some(), coverage(&many).damage.is_some());
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        prop_assert_eq!(&fetch(&few, &positions), &records);
        prop_assert_eq!(&fetch(&many, &positions), &records);
    }

    #[test]
    fn rows_are_revisited_as_they_were_read(
        text in "[ab\",\r\n]{0,80}",
        chunk_bytes in 1_usize..40,
    ) {
        let text = format!("x,y\n{text}");
        let options = options(Some(FileFormat::Csv), chunk_bytes);
        let (source, _file) = open(text.as_bytes(), &options);
        let records = drain(&source);
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        prop_assert_eq!(&fetch(&source, &positions), &records);
        // Where no record starts, none is returned.
        let between: Vec<u64> = (0..length_u64(text.len()))
            .filter(|place| !positions.contains(place))
            .collect();
        let strangers = fetch(&source, &between);
        prop_assert!(strangers.iter().all(|seen| !positions.contains(&seen.position)));
    }
}

#[test]
fn every_format_is_read_alike_in_any_pieces() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let list = walk::expand(&[folder]).unwrap();
    let mut read = 0;
    for path in list.paths {
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| name.starts_with("charges.")) {
            continue;
        }
        let content = std::fs::read(&path).unwrap();
        let open = |chunk_bytes| {
            let small = options(None, chunk_bytes);
            FileSource::open(&path, SplitId(3), &small, StopFlag::default())
        };
        let Ok(whole) = open(1 << 20) else {
            continue;
        };
        let records = drain(&whole);
        assert_eq!(records.len(), 12, "{}", path.display());
        assert!(records.iter().all(|record| record.defect.is_none()));
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        for chunk_bytes in [1, 7, 100, 1000] {
            let source = open(chunk_bytes).unwrap();
            assert_eq!(drain(&source), records, "{} {chunk_bytes}", path.display());
            assert_eq!(fetch(&source, &positions), records, "{}", path.display());
            assert!(coverage(&source).is_complete(), "{}", path.display());
        }
        let piped = open_pipe(&content, &options(None, 50));
        assert_eq!(drain(&piped), records, "{}", path.display());
        assert_eq!(fetch(&piped, &positions), records, "{}", path.display());
        read += 1;
    }
    assert_eq!(read, 32);
}
