//! Merges entries that are in order, and decides which files of a state become one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::StateError;
use super::entry::Entry;
use super::manifest::RunFile;

/// Entries in order.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<Entry, StateError>> + 'a>;

/// Walks over several rows of entries as one.
pub(super) struct EntryMerge<'a> {
    rows: Vec<Entries<'a>>,
    first: BinaryHeap<Reverse<(Entry, usize)>>,
}

impl<'a> EntryMerge<'a> {
    pub(super) fn start(rows: Vec<Entries<'a>>) -> Result<Self, StateError> {
        let mut merge = Self {
            first: BinaryHeap::with_capacity(rows.len()),
            rows,
        };
        for (row, entries) in merge.rows.iter_mut().enumerate() {
            if let Some(entry) = entries.next() {
                merge.first.push(Reverse((entry?, row)));
            }
        }
        Ok(merge)
    }

    /// Returns the next entry of all.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, StateError> {
        let Some(Reverse((entry, row))) = self.first.pop() else {
            return Ok(None);
        };
        if let Some(next) = self.rows.get_mut(row).and_then(Iterator::next) {
            self.first.push(Reverse((next?, row)));
        }
        Ok(Some(entry))
    }
}

/// Parts the files of a state into those that stay and those that become one with `fresh` new
/// entries: the files that stay differ in size by so much that there are few of them, and that
/// an entry is seldom written again. Those all of whose entries are from before `keep_millis` are
/// in neither; those that hold too many of such are written again.
pub(super) fn choose(
    runs: &[RunFile],
    fresh: u64,
    keep_millis: i64,
) -> (Vec<RunFile>, Vec<RunFile>) {
    let kept = runs
        .iter()
        .filter(|run| run.last_read_millis >= keep_millis);
    let (mut merged, mut staying): (Vec<RunFile>, Vec<RunFile>) = kept
        .cloned()
        .partition(|run| run.first_read_millis < keep_millis);
    staying.sort_by_key(|run| Reverse(run.entries));
    let mut together = fresh + merged.iter().map(|run| run.entries).sum::<u64>();
    while let Some(smallest) = staying.pop_if(|run| run.entries <= together.saturating_mul(2)) {
        together += smallest.entries;
        merged.push(smallest);
    }
    (staying, merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(entries: u64, first_read_millis: i64, last_read_millis: i64) -> RunFile {
        RunFile {
            number: 0,
            entries,
            bytes: 0,
            first_read_millis,
            last_read_millis,
        }
    }

    #[test]
    fn files_are_few_and_what_is_forgotten_goes() {
        let mut runs: Vec<RunFile> = Vec::new();
        let mut most = 0;
        for night in 0..2000 {
            let (mut staying, merged) = choose(&runs, 100, night - 300);
            let of_merged = merged.iter().map(|run| run.entries).sum::<u64>();
            let first = merged.iter().map(|run| run.first_read_millis).min();
            let first = first.unwrap_or(night).max(night - 300);
            staying.push(run(100 + of_merged, first, night));
            // Nothing outlives the window by more than the file that it lies in.
            assert!(
                staying
                    .iter()
                    .all(|run| run.last_read_millis >= night - 300)
            );
            most = most.max(staying.len());
            runs = staying;
        }
        assert!(most <= 16, "{most}");
    }

    #[test]
    fn a_large_file_is_left_alone_by_a_small_run() {
        let (staying, merged) = choose(&[run(1_000_000, 5, 5), run(10, 6, 6)], 20, 0);
        assert_eq!((staying.len(), merged.len()), (1, 1));
        let (staying, merged) = choose(&[run(1_000_000, 5, 5)], 1, 6);
        assert_eq!((staying.len(), merged.len()), (0, 0));
    }
}
