//! Runs that a disk gives back otherwise than they were written are never taken for data.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use dupaudit::sorted_run::{Run, RunReader, SpillFile};

use crate::Target;

/// Writes items of the lengths that the input says.
fn write(file: &mut SpillFile, input: &[u8]) -> (Run, Vec<u8>) {
    let mut written = Vec::new();
    let mut run = file.begin_run();
    for (number, length) in input.iter().enumerate() {
        let bytes = vec![u8::try_from(number % 251).unwrap(); usize::from(*length) * 40];
        run.item(bytes.len()).unwrap().copy_from_slice(&bytes);
        written.extend_from_slice(&bytes);
    }
    (run.finish().unwrap(), written)
}

/// Changes a byte of the file without a name that lies in `folder`.
fn damage(folder: &Path, place: u64, mask: u8) {
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        // Others may be closed meanwhile.
        if fs::read_link(&path).is_ok_and(|name| name.starts_with(folder)) {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).unwrap();
            file.write_all_at(&[byte[0] ^ mask], place).unwrap();
            return;
        }
    }
    panic!("the spilled file is not open");
}

#[test]
fn a_damaged_run_gives_what_was_written_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    Target::new("fixtures/corpus/runs", &[]).run(|_, input| {
        let Some((&[mask, high, low], lengths)) = input.split_first_chunk::<3>() else {
            return;
        };
        let lengths = &lengths[..lengths.len().min(60)];
        let mut file = SpillFile::create(&path).unwrap();
        let (run, written) = write(&mut file, lengths);
        let place = u64::from(high) * 256 + u64::from(low);
        let is_damaged = mask != 0 && place < file.held_bytes();
        if is_damaged {
            damage(&path, place, mask);
        }
        let mut reader = RunReader::new(run);
        let mut read = Vec::new();
        let outcome = loop {
            match reader.next_block(&file) {
                Ok(true) => read.extend_from_slice(reader.items()),
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(written.starts_with(&read));
        assert_eq!(outcome.is_err(), is_damaged, "{outcome:?}");
        assert!(is_damaged || read == written);
    });
}
