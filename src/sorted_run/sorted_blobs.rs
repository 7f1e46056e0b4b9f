//! Items in the order of their sort keys, lent one at a time: from memory, from disk, or of both.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use super::blob::{LENGTHS_BYTES, write_item};
use super::merge::{RunCursor, RunMerge};
use super::spill_file::{Run, RunReader, RunWriter, SpillFile};

/// A sort key and its payload.
pub type Item<'a> = (&'a [u8], &'a [u8]);

/// Items one behind the other.
#[derive(Debug, Default)]
pub struct BlobList {
    pub(super) arena: Vec<u8>,
    pub(super) entries: Vec<Entry>,
}

/// Where an item lies in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// First eight bytes of the sort key, which decide most comparisons.
    pub(super) prefix: u64,
    pub(super) start: usize,
    pub(super) key_len: u32,
    pub(super) payload_len: u32,
}

impl Entry {
    pub(super) fn item<'a>(&self, arena: &'a [u8]) -> Item<'a> {
        let rest = arena.get(self.start..).unwrap_or_default();
        split_item(rest, self.key_len, self.payload_len)
    }
}

impl BlobList {
    /// Adds an item behind all others.
    pub(super) fn push_entry(&mut self, (sort_key, payload): Item<'_>, lengths: (u32, u32)) {
        self.entries.push(Entry {
            prefix: prefix(sort_key),
            start: self.arena.len(),
            key_len: lengths.0,
            payload_len: lengths.1,
        });
        self.arena.extend_from_slice(sort_key);
        self.arena.extend_from_slice(payload);
    }

    /// Adds an item that comes behind all others in the order too.
    pub fn push(&mut self, (sort_key, payload): Item<'_>) -> io::Result<()> {
        let lengths = super::blob::item_lengths(sort_key, payload)?;
        self.push_entry((sort_key, payload), lengths);
        Ok(())
    }

    /// Returns how many bytes the items have.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Returns the items, which were added in order.
    pub fn into_sorted(self) -> SortedBlobs {
        SortedBlobs::new(Sorted::InMemory {
            list: self,
            next: 0,
        })
    }
}

fn prefix(sort_key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(sort_key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// Items in order.
#[derive(Debug)]
pub struct SortedBlobs {
    sorted: Sorted,
    /// Whether the item at hand was lent, so that the next one is wanted.
    is_lent: bool,
}

#[derive(Debug)]
enum Sorted {
    InMemory { list: BlobList, next: usize },
    OnDisk(Box<RunMerge<BlobCursor>>),
    Several(BinaryHeap<Part>),
}

impl Default for SortedBlobs {
    fn default() -> Self {
        BlobList::default().into_sorted()
    }
}

impl SortedBlobs {
    fn new(sorted: Sorted) -> Self {
        Self {
            sorted,
            is_lent: false,
        }
    }

    pub(super) fn on_disk(merge: RunMerge<BlobCursor>) -> Self {
        Self::new(Sorted::OnDisk(Box::new(merge)))
    }

    /// Returns the items of all parts in one order.
    pub fn merged(mut parts: Vec<Self>) -> io::Result<Self> {
        if let [_] = parts.as_slice()
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let mut heap = BinaryHeap::with_capacity(parts.len());
        for mut part in parts {
            if part.peek()?.is_some() {
                heap.push(Part(part));
            }
        }
        Ok(Self::new(Sorted::Several(heap)))
    }

    /// Returns the next sort key and payload. After an error the items are not complete.
    #[expect(
        clippy::should_implement_trait,
        reason = "what is lent cannot be iterated"
    )]
    pub fn next(&mut self) -> io::Result<Option<Item<'_>>> {
        self.settle()?;
        self.is_lent = true;
        Ok(self.at_hand())
    }

    /// Returns what `next` will return.
    pub fn peek(&mut self) -> io::Result<Option<Item<'_>>> {
        self.settle()?;
        Ok(self.at_hand())
    }

    /// Returns whether all items are in memory, those of each part with no more bytes than that.
    pub fn is_small(&self, bytes: usize) -> bool {
        match &self.sorted {
            Sorted::InMemory { list, .. } => list.bytes() <= bytes,
            Sorted::OnDisk(_) => false,
            Sorted::Several(parts) => parts.iter().all(|part| part.0.is_small(bytes)),
        }
    }

    fn settle(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.is_lent) {
            return Ok(());
        }
        match &mut self.sorted {
            Sorted::InMemory { next, .. } => *next += 1,
            Sorted::OnDisk(merge) => merge.advance()?,
            Sorted::Several(parts) => {
                if let Some(mut first) = parts.peek_mut() {
                    first.0.is_lent = true;
                    if first.0.peek()?.is_none() {
                        PeekMut::pop(first);
                    }
                }
            }
        }
        Ok(())
    }

    fn at_hand(&self) -> Option<Item<'_>> {
        match &self.sorted {
            Sorted::InMemory { list, next } => Some(list.entries.get(*next)?.item(&list.arena)),
            Sorted::OnDisk(merge) => merge.first().map(BlobCursor::item),
            Sorted::Several(parts) => parts.peek()?.0.at_hand(),
        }
    }
}

/// One of several whose items are merged. The greatest part is the one whose item comes first.
#[derive(Debug)]
struct Part(SortedBlobs);

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.at_hand().cmp(&self.0.at_hand())
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Part {}

/// Cuts sort key and payload off the front; what is missing is empty.
fn split_item(bytes: &[u8], key_len: u32, payload_len: u32) -> Item<'_> {
    let cut = |bytes: &'_ [u8], length: u32| {
        usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    let (sort_key, rest) = bytes.split_at(cut(bytes, key_len));
    let (payload, _) = rest.split_at(cut(rest, payload_len));
    (sort_key, payload)
}

#[derive(Debug)]
pub(super) struct BlobCursor {
    reader: RunReader,
    /// Where the item that the cursor is at begins, after its lengths.
    start: usize,
    key_len: u32,
    payload_len: u32,
}

impl BlobCursor {
    fn item(&self) -> Item<'_> {
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
    use proptest::prelude::*;

    use super::*;
    use crate::sorted_run::BlobSorter;

    type Owned = (Vec<u8>, Vec<u8>);

    fn owned(item: Option<Item<'_>>) -> Option<Owned> {
        item.map(|(sort_key, payload)| (sort_key.to_vec(), payload.to_vec()))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn parts_in_memory_and_on_disk_are_merged_and_looked_at_before_they_are_taken(
            parts in proptest::collection::vec(
                (proptest::collection::vec((any::<u8>(), 0..9_usize), 0..40), any::<bool>()),
                0..5,
            ),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (mut expected, mut sorted) = (Vec::new(), Vec::new());
            for (items, is_on_disk) in &parts {
                let memory_bytes = if *is_on_disk { 200 } else { 1 << 16 };
                let mut sorter = BlobSorter::new(dir.path(), memory_bytes);
                for (byte, length) in items {
                    let item = (vec![*byte; *length], vec![*byte]);
                    sorter.push(&item.0, &item.1).unwrap();
                    expected.push(item);
                }
                sorted.push(sorter.finish().unwrap());
            }
            expected.sort_unstable();
            let mut merged = SortedBlobs::merged(sorted).unwrap();
            for item in expected {
                for _ in 0..2 {
                    let peeked = owned(merged.peek().unwrap());
                    prop_assert_eq!(peeked.as_ref(), Some(&item));
                }
                let next = owned(merged.next().unwrap());
                prop_assert_eq!(next, Some(item));
            }
            prop_assert!(merged.next().unwrap().is_none());
            prop_assert!(merged.peek().unwrap().is_none());
        }
    }
}
