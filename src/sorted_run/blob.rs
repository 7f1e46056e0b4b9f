//! External sort of items of any length by the bytes of their sort key.

use std::io;
use std::path::{Path, PathBuf};

use super::merge::RunMerge;
use super::sorted_blobs::{BlobList, Entry, SortedBlobs};
use super::spill_file::{Run, RunWriter, SpillFile};
use super::stored_len;

/// Lengths of sort key and payload before each item as written.
pub(super) const LENGTHS_BYTES: usize = 8;

/// Takes items in any order, within a fixed amount of memory.
///
/// Items are ordered by the bytes of their sort key, then by those of their payload.
#[derive(Debug)]
pub struct BlobSorter {
    dir: PathBuf,
    memory_bytes: usize,
    /// Items are kept in half of the memory, so that there is room to copy when they grow.
    limit: usize,
    items: BlobList,
    spilled: Option<SpillFile>,
    runs: Vec<Run>,
    count: u64,
}

impl BlobSorter {
    /// Returns an empty sorter that makes its files, if it needs any, in `dir`.
    pub fn new(dir: &Path, memory_bytes: usize) -> Self {
        Self {
            dir: dir.to_owned(),
            memory_bytes,
            limit: memory_bytes / 2,
            items: BlobList::default(),
            spilled: None,
            runs: Vec::new(),
            count: 0,
        }
    }

    /// Returns how many items were pushed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds one item.
    pub fn push(&mut self, sort_key: &[u8], payload: &[u8]) -> io::Result<()> {
        let lengths = item_lengths(sort_key, payload)?;
        let bytes = sort_key.len() + payload.len();
        self.count += 1;
        if self.used() + bytes + size_of::<Entry>() > self.limit {
            self.spill()?;
        }
        if bytes + size_of::<Entry>() > self.limit || !self.has_room(bytes) {
            self.spill()?;
            return self.write_alone(sort_key, payload);
        }
        self.items.push_entry((sort_key, payload), lengths);
        Ok(())
    }

    /// Sorts what is left and returns all items in order.
    pub fn finish(mut self) -> io::Result<SortedBlobs> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(self.items.into_sorted());
        }
        self.spill()?;
        self.items = BlobList::default();
        let Some(file) = self.spilled else {
            return Err(io::Error::other("internal error: runs without a file"));
        };
        let memory_bytes = stored_len(self.memory_bytes);
        let merge = RunMerge::start(&self.dir, file, self.runs, memory_bytes)?;
        Ok(SortedBlobs::on_disk(merge))
    }

    fn used(&self) -> usize {
        self.items.arena.len() + self.items.entries.len() * size_of::<Entry>()
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        grow(&mut self.items.arena, bytes, self.limit)
            && grow(&mut self.items.entries, 1, self.limit / size_of::<Entry>())
    }

    fn sort(&mut self) {
        let arena = self.items.arena.as_slice();
        self.items.entries.sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| left.item(arena).cmp(&right.item(arena)))
        });
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.items.entries.is_empty() {
            return Ok(());
        }
        self.sort();
        let mut writer = spill_file(&mut self.spilled, &self.dir)?.begin_run();
        for entry in &self.items.entries {
            let (sort_key, payload) = entry.item(&self.items.arena);
            write_item(&mut writer, sort_key, payload)?;
        }
        self.runs.push(writer.finish()?);
        self.items.arena.clear();
        self.items.entries.clear();
        Ok(())
    }

    /// Writes an item that does not fit in memory beside others as a run of its own.
    fn write_alone(&mut self, sort_key: &[u8], payload: &[u8]) -> io::Result<()> {
        let mut writer = spill_file(&mut self.spilled, &self.dir)?.begin_run();
        write_item(&mut writer, sort_key, payload)?;
        self.runs.push(writer.finish()?);
        Ok(())
    }
}

fn spill_file<'a>(spilled: &'a mut Option<SpillFile>, dir: &Path) -> io::Result<&'a mut SpillFile> {
    Ok(match spilled {
        Some(file) => file,
        none => none.insert(SpillFile::create(dir)?),
    })
}

/// Makes room for `more` elements, doubling up to `most`; false where memory is short.
fn grow<T>(vec: &mut Vec<T>, more: usize, most: usize) -> bool {
    let needed = vec.len() + more;
    if needed <= vec.capacity() {
        return true;
    }
    let wanted = (2 * vec.capacity()).max(1024).min(most).max(needed);
    vec.try_reserve_exact(wanted - vec.len()).is_ok()
}

pub(super) fn item_lengths(sort_key: &[u8], payload: &[u8]) -> io::Result<(u32, u32)> {
    // A block is one item at least, and states its length in 32 bits.
    let room = usize::try_from(u32::MAX).unwrap_or(usize::MAX) - LENGTHS_BYTES;
    let lengths = u32::try_from(sort_key.len())
        .ok()
        .zip(u32::try_from(payload.len()).ok());
    lengths
        .filter(|_| sort_key.len().saturating_add(payload.len()) <= room)
        .ok_or_else(|| {
            let message = "an item to be sorted is larger than 4 GiB";
            io::Error::new(io::ErrorKind::FileTooLarge, message)
        })
}

pub(super) fn write_item(
    writer: &mut RunWriter<'_>,
    sort_key: &[u8],
    payload: &[u8],
) -> io::Result<()> {
    let (key_len, payload_len) = item_lengths(sort_key, payload)?;
    let out = writer.item(LENGTHS_BYTES + sort_key.len() + payload.len())?;
    let (lengths, bytes) = out.split_at_mut(LENGTHS_BYTES);
    let (key_field, payload_field) = lengths.split_at_mut(LENGTHS_BYTES / 2);
    key_field.copy_from_slice(&key_len.to_le_bytes());
    payload_field.copy_from_slice(&payload_len.to_le_bytes());
    let (key_bytes, payload_bytes) = bytes.split_at_mut(sort_key.len());
    key_bytes.copy_from_slice(sort_key);
    payload_bytes.copy_from_slice(payload);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    type Items = Vec<(Vec<u8>, Vec<u8>)>;

    fn sorted(items: &Items, memory_bytes: usize) -> Items {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = BlobSorter::new(dir.path(), memory_bytes);
        for (sort_key, payload) in items {
            sorter.push(sort_key, payload).unwrap();
        }
        let mut blobs = sorter.finish().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut all = Vec::new();
        while let Some((sort_key, payload)) = blobs.next().unwrap() {
            all.push((sort_key.to_vec(), payload.to_vec()));
        }
        all
    }

    fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(255)], 0..most)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_memory_gives_the_same_order(
            items in proptest::collection::vec((bytes(12), bytes(40)), 0..80),
            memory_bytes in 0..6000_usize,
        ) {
            let mut expected = items.clone();
            expected.sort_unstable();
            prop_assert_eq!(sorted(&items, memory_bytes), expected);
        }
    }

    #[test]
    fn items_larger_than_the_memory_are_sorted_too() {
        let items: Items = (0..40_u8)
            .map(|number| {
                let size = if number % 3 == 0 { 200_000 } else { 10 };
                (vec![number.wrapping_mul(77)], vec![number; size])
            })
            .collect();
        let mut expected = items.clone();
        expected.sort_unstable();
        assert_eq!(sorted(&items, 100_000), expected);
    }

    #[test]
    fn a_damaged_run_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = BlobSorter::new(dir.path(), 1000);
        for number in 0..100_u8 {
            sorter.push(&[number], &[number; 50]).unwrap();
        }
        sorter.spilled.as_ref().unwrap().flip_bit(20);
        let error = sorter.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("run 0, block 0"), "{error}");
    }
}
