//! External sort of items of any length by the bytes of their sort key.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};

use super::merge::{RunCursor, RunMerge};
use super::spill_file::{Run, RunReader, RunWriter, SpillFile};
use super::stored_len;

/// Lengths of sort key and payload before each item as written.
const LENGTHS_BYTES: usize = 8;

/// Takes items in any order, within a fixed amount of memory.
///
/// Items are ordered by the bytes of their sort key, then by those of their payload.
#[derive(Debug)]
pub struct BlobSorter {
    dir: PathBuf,
    memory_bytes: usize,
    /// Items are kept in half of the memory, so that there is room to copy when they grow.
    limit: usize,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    spilled: Option<SpillFile>,
    runs: Vec<Run>,
    count: u64,
}

/// Where an item lies in the arena.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// First eight bytes of the sort key, which decide most comparisons.
    prefix: u64,
    start: usize,
    key_len: u32,
    payload_len: u32,
}

impl Entry {
    fn item<'a>(&self, arena: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let rest = arena.get(self.start..).unwrap_or_default();
        split_item(rest, self.key_len, self.payload_len)
    }
}

impl BlobSorter {
    /// Returns an empty sorter that makes its files, if it needs any, in `dir`.
    pub fn new(dir: &Path, memory_bytes: usize) -> Self {
        Self {
            dir: dir.to_owned(),
            memory_bytes,
            limit: memory_bytes / 2,
            arena: Vec::new(),
            entries: Vec::new(),
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
        let (key_len, payload_len) = item_lengths(sort_key, payload)?;
        let bytes = sort_key.len() + payload.len();
        self.count += 1;
        if self.used() + bytes + size_of::<Entry>() > self.limit {
            self.spill()?;
        }
        if bytes + size_of::<Entry>() > self.limit || !self.has_room(bytes) {
            self.spill()?;
            return self.write_alone(sort_key, payload);
        }
        self.entries.push(Entry {
            prefix: prefix(sort_key),
            start: self.arena.len(),
            key_len,
            payload_len,
        });
        self.arena.extend_from_slice(sort_key);
        self.arena.extend_from_slice(payload);
        Ok(())
    }

    /// Sorts what is left and returns all items in order.
    pub fn finish(mut self) -> io::Result<SortedBlobs> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(SortedBlobs(Sorted::InMemory {
                arena: self.arena,
                entries: self.entries.into_iter(),
            }));
        }
        self.spill()?;
        self.arena = Vec::new();
        self.entries = Vec::new();
        let Some(file) = self.spilled else {
            return Err(io::Error::other("internal error: runs without a file"));
        };
        let memory_bytes = stored_len(self.memory_bytes);
        let merge = RunMerge::start(&self.dir, file, self.runs, memory_bytes)?;
        Ok(SortedBlobs(Sorted::OnDisk(Box::new(merge))))
    }

    fn used(&self) -> usize {
        self.arena.len() + self.entries.len() * size_of::<Entry>()
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        grow(&mut self.arena, bytes, self.limit)
            && grow(&mut self.entries, 1, self.limit / size_of::<Entry>())
    }

    fn sort(&mut self) {
        let arena = self.arena.as_slice();
        self.entries.sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| left.item(arena).cmp(&right.item(arena)))
        });
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.sort();
        let mut writer = spill_file(&mut self.spilled, &self.dir)?.begin_run();
        for entry in &self.entries {
            let (sort_key, payload) = entry.item(&self.arena);
            write_item(&mut writer, sort_key, payload)?;
        }
        self.runs.push(writer.finish()?);
        self.arena.clear();
        self.entries.clear();
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

fn prefix(sort_key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(sort_key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

fn item_lengths(sort_key: &[u8], payload: &[u8]) -> io::Result<(u32, u32)> {
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

fn write_item(writer: &mut RunWriter<'_>, sort_key: &[u8], payload: &[u8]) -> io::Result<()> {
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

/// Cuts sort key and payload off the front; what is missing is empty.
fn split_item(bytes: &[u8], key_len: u32, payload_len: u32) -> (&[u8], &[u8]) {
    let cut = |bytes: &'_ [u8], length: u32| {
        usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    let (sort_key, rest) = bytes.split_at(cut(bytes, key_len));
    let (payload, _) = rest.split_at(cut(rest, payload_len));
    (sort_key, payload)
}

/// Items in order, lent one at a time.
#[derive(Debug)]
pub struct SortedBlobs(Sorted);

#[derive(Debug)]
enum Sorted {
    InMemory {
        arena: Vec<u8>,
        entries: std::vec::IntoIter<Entry>,
    },
    OnDisk(Box<RunMerge<BlobCursor>>),
}

impl SortedBlobs {
    /// Returns the next sort key and payload. After an error the items are not complete.
    #[expect(
        clippy::should_implement_trait,
        reason = "what is lent cannot be iterated"
    )]
    pub fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        match &mut self.0 {
            Sorted::InMemory { arena, entries } => {
                Ok(entries.next().map(|entry| entry.item(arena)))
            }
            Sorted::OnDisk(merge) => Ok(merge.next()?.map(BlobCursor::item)),
        }
    }
}

#[derive(Debug)]
struct BlobCursor {
    reader: RunReader,
    /// Where the item that the cursor is at begins, after its lengths.
    start: usize,
    key_len: u32,
    payload_len: u32,
}

impl BlobCursor {
    fn item(&self) -> (&[u8], &[u8]) {
        let rest = self.reader.items().get(self.start..).unwrap_or_default();
        split_item(rest, self.key_len, self.payload_len)
    }

    fn end(&self) -> usize {
        let (sort_key, payload) = self.item();
        self.start + sort_key.len() + payload.len()
    }
}

impl RunCursor for BlobCursor {
    fn open(run: Run) -> Self {
        Self {
            reader: RunReader::new(run),
            start: 0,
            key_len: 0,
            payload_len: 0,
        }
    }

    fn advance(&mut self, file: &SpillFile) -> io::Result<bool> {
        let mut next = self.end();
        if next >= self.reader.items().len() {
            next = 0;
            self.reader.next_block(file)?;
        }
        let rest = self.reader.items().get(next..).unwrap_or_default();
        let Some((key_len, rest)) = rest.split_first_chunk() else {
            return Ok(false);
        };
        let Some(payload_len) = rest.first_chunk() else {
            return Ok(false);
        };
        self.start = next + LENGTHS_BYTES;
        self.key_len = u32::from_le_bytes(*key_len);
        self.payload_len = u32::from_le_bytes(*payload_len);
        Ok(true)
    }

    fn copy_to(&self, writer: &mut RunWriter<'_>) -> io::Result<()> {
        let (sort_key, payload) = self.item();
        write_item(writer, sort_key, payload)
    }
}

impl Ord for BlobCursor {
    fn cmp(&self, other: &Self) -> Ordering {
        other.item().cmp(&self.item())
    }
}

impl PartialOrd for BlobCursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BlobCursor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for BlobCursor {}

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
