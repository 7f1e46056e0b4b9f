//! Files that change while they are read, pipes, and scans that are stopped.

use super::*;

#[test]
fn a_file_that_changes_while_it_is_read_is_stated() {
    let text = numbered_lines(10);
    let (source, file) = open(&text[..text.len() - 3], &options(None, 50));
    let mut grown = std::fs::OpenOptions::new()
        .append(true)
        .open(file.path())
        .unwrap();
    grown.write_all(b"9\"}\nmore\n").unwrap();
    assert_eq!(drain(&source).len(), 9);
    let read = coverage(&source);
    assert!(read.is_complete());
    let note = "9 bytes were appended since the scan began, and not read";
    assert!(read.format_reason.contains(note), "{}", read.format_reason);

    let (source, file) = open(&text, &options(None, 50));
    file.as_file().set_len(101).unwrap();
    let records = drain(&source);
    assert_eq!(records.len(), naive_lines(&text[..101]).len() - 1);
    let damage = coverage(&source).damage.unwrap();
    assert!(
        damage.starts_with("file shrank while it was read"),
        "{damage}"
    );
    assert!(damage.contains("are no whole line"), "{damage}");
}

#[test]
fn a_stop_ends_the_file_between_records() {
    let text = numbered_lines(100);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&text).unwrap();
    let (stop, small) = (StopFlag::default(), options(None, 200));
    let source = FileSource::open(file.path(), SplitId(3), &small, stop.clone()).unwrap();
    let mut block = RecordBlock::default();
    assert!(source.next_block(&mut block).unwrap());
    let read = block.bytes.len();
    stop.stop();
    assert!(!source.next_block(&mut block).unwrap());
    let damage = coverage(&source).damage;
    assert_eq!(damage, Some(format!("interrupted at byte {read}")));
    let progress = source.progress();
    assert!(progress.done > 0 && progress.total == length_u64(text.len()));
}

#[test]
fn a_pipe_whose_writer_waits_can_be_stopped() {
    let (reader, mut writer) = io::pipe().unwrap();
    let text = numbered_lines(10_000);
    let stop = StopFlag::default();
    let feeder = std::thread::spawn(move || {
        writer.write_all(&text).unwrap();
        writer
    });
    let options = options(None, 1 << 20);
    let path = Path::new("-");
    let source = FileSource::open_pipe(path, reader, SplitId(3), &options, stop.clone());
    let source = source.unwrap();
    let writer = feeder.join().unwrap();
    stop.stop();
    drain(&source);
    let damage = coverage(&source).damage.unwrap();
    assert!(damage.starts_with("interrupted at byte"), "{damage}");
    drop(writer);
}

#[test]
fn what_a_pipe_gave_before_a_stop_is_read() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&numbered_lines(20)).unwrap();
    let stop = StopFlag::default();
    let stopped = stop.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        stopped.stop();
    });
    let (path, small) = (Path::new("-"), options(None, 1 << 20));
    let source = FileSource::open_pipe(path, reader, SplitId(3), &small, stop).unwrap();
    assert_eq!(drain(&source).len(), 20);
    assert!(coverage(&source).damage.is_some());
    stopper.join().unwrap();
    drop(writer);
}

#[test]
fn a_file_without_a_length_is_read() {
    let path = Path::new("/proc/self/status");
    let tsv = options(Some(FileFormat::Tsv), 1 << 20);
    let source = FileSource::open(path, SplitId(3), &tsv, StopFlag::default()).unwrap();
    assert!(!drain(&source).is_empty());
}

#[test]
fn a_pipe_named_as_a_file_is_read_twice() {
    let (reader, mut writer) = io::pipe().unwrap();
    let text = numbered_lines(20);
    let packed = gzip(&text);
    let feeder = std::thread::spawn(move || writer.write_all(&packed).unwrap());
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let list = walk::expand(&[path.into()]).unwrap();
    assert_eq!(list.notes, [""; 0]);
    let small = options(None, 100);
    let path = &list.paths[0];
    let source = FileSource::open(path, SplitId(3), &small, StopFlag::default()).unwrap();
    let records = drain(&source);
    feeder.join().unwrap();
    assert_eq!(records.len(), 20);
    let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
    assert_eq!(fetch(&source, &positions), records);
    assert_eq!(fetch(&source, &positions[7..9]), records[7..9]);
    assert!(coverage(&source).is_complete());
    let SourceProgress { done, total } = source.progress();
    assert!(done > 0 && total == 0);
}

#[test]
fn a_file_replaced_before_its_turn_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, "{}\n").unwrap();
    let options = options(None, 100);
    let late = SplitId(FILES_KEPT_OPEN);
    let source = FileSource::open(&path, late, &options, StopFlag::default()).unwrap();
    let kept = FileSource::open(&path, SplitId(0), &options, StopFlag::default()).unwrap();
    std::fs::write(folder.path().join("new"), "{\"a\":1}\n").unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert!(drain(&source).is_empty());
    let damage = coverage(&source).damage.unwrap();
    assert_eq!(
        damage,
        "cannot be opened again: it was replaced by another file"
    );
    assert_eq!(drain(&kept)[0].value, "={}");
    assert!(coverage(&kept).is_complete());
}

/// Reads a file once, changes it, and looks for its first and last record again.
fn changed_between_the_passes(
    content: &[u8],
    change: impl FnOnce(&Path),
) -> (Vec<Seen>, Vec<Seen>, FileCoverage) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, content).unwrap();
    let options = options(None, 50);
    let source = FileSource::open(&path, SplitId(3), &options, StopFlag::default()).unwrap();
    let first = drain(&source);
    change(&path);
    let again = fetch(&source, &[first[0].position, first[9].position]);
    (first, again, coverage(&source))
}

#[test]
fn a_file_that_changes_between_the_passes_is_stated() {
    let text = numbered_lines(10);
    let (all, again, read) = changed_between_the_passes(&text, |path| {
        std::fs::write(path, &text[..101]).unwrap();
    });
    assert_eq!(again, all[..1], "what is gone is not found again");
    let damage = read.damage.unwrap();
    assert!(
        damage.starts_with("file shrank since the scan began"),
        "{damage}"
    );

    let (all, again, read) = changed_between_the_passes(&text, |path| {
        std::fs::rename(path, path.with_extension("1")).unwrap();
        std::fs::write(path, "{}\n").unwrap();
    });
    assert_eq!(
        again,
        [all[0].clone(), all[9].clone()],
        "the first file is still open"
    );
    assert_eq!(read.damage, None);
    assert!(
        read.format_reason.contains("was replaced by another file"),
        "{}",
        read.format_reason
    );

    let (_, again, read) = changed_between_the_passes(&text, |path| {
        std::fs::remove_file(path).unwrap();
    });
    assert_eq!((again.len(), read.damage), (2, None));
    assert!(
        read.format_reason.contains("was moved or removed"),
        "{}",
        read.format_reason
    );

    for content in [text.clone(), gzip(&text)] {
        let (_, again, read) = changed_between_the_passes(&content, |path| {
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b"more\n").unwrap();
        });
        assert_eq!((again.len(), read.damage), (2, None));
        assert!(
            read.format_reason.contains("5 bytes were appended"),
            "{}",
            read.format_reason
        );
    }
}

#[test]
fn a_file_written_over_in_place_is_stated() {
    let text = numbered_lines(10);
    let (all, again, read) = changed_between_the_passes(&text, |path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"{\"ID\"", 0).unwrap();
        let later =
            file.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(9);
        file.set_modified(later).unwrap();
    });
    assert_ne!(again[0].value, all[0].value);
    assert!(
        read.format_reason.contains("was written to since"),
        "{}",
        read.format_reason
    );
}

#[test]
fn a_file_replaced_between_the_passes_is_lost_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, numbered_lines(10)).unwrap();
    let options = options(None, 100);
    let late = SplitId(FILES_KEPT_OPEN);
    let source = FileSource::open(&path, late, &options, StopFlag::default()).unwrap();
    let positions: Vec<u64> = drain(&source).iter().map(|seen| seen.position).collect();
    std::fs::rename(&path, folder.path().join("log.1")).unwrap();
    std::fs::write(&path, numbered_lines(10)).unwrap();
    let mut block = RecordBlock::default();
    let dealt_with = source
        .revisit(late)
        .unwrap()
        .fetch(&positions, &mut block)
        .unwrap();
    assert_eq!((dealt_with, block.slots.len()), (10, 0));
    let damage = coverage(&source).damage.unwrap();
    assert_eq!(
        damage,
        "cannot be opened again: it was replaced by another file"
    );
}
