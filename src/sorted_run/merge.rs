//! Merges sorted runs, in several rounds where their buffers would not fit in memory.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;
use std::path::Path;

use super::spill_file::{Run, RunWriter, SpillFile};

/// A place in one run. The greatest cursor is the one whose item comes first.
pub(super) trait RunCursor: Ord + Sized {
    /// Returns a cursor before the first item.
    fn open(run: Run) -> Self;

    /// Moves to the next item; false at the end.
    fn advance(&mut self, file: &SpillFile) -> io::Result<bool>;

    /// Writes the item that the cursor is at.
    fn copy_to(&self, writer: &mut RunWriter<'_>) -> io::Result<()>;
}

/// Walks over several sorted runs as one.
#[derive(Debug)]
pub(super) struct RunMerge<C: RunCursor> {
    file: SpillFile,
    /// Boxed, so that the heap moves pointers instead of buffers.
    cursors: BinaryHeap<Box<C>>,
    /// Whether the first item is still to be shown.
    at_start: bool,
}

impl<C: RunCursor> RunMerge<C> {
    /// Begins to merge `runs` within about `memory_bytes`, but never fewer than two at once.
    pub(super) fn start(
        dir: &Path,
        mut file: SpillFile,
        mut runs: Vec<Run>,
        memory_bytes: u64,
    ) -> io::Result<Self> {
        while runs.len() > next_group(&runs, memory_bytes) {
            let mut target = SpillFile::create(dir)?;
            let mut longer = Vec::new();
            let mut rest = runs.as_slice();
            while !rest.is_empty() {
                let (group, others) = rest.split_at(next_group(rest, memory_bytes));
                longer.push(merge_group::<C>(&file, group, &mut target)?);
                rest = others;
            }
            file = target;
            runs = longer;
        }
        Ok(Self {
            cursors: open_all(&file, &runs)?,
            file,
            at_start: true,
        })
    }

    /// Moves to the next item of all runs and returns the cursor that is at it.
    pub(super) fn next(&mut self) -> io::Result<Option<&C>> {
        if !std::mem::take(&mut self.at_start) {
            self.advance()?;
        }
        Ok(self.first())
    }

    /// Returns the cursor that is at the item at hand, at the start the first.
    pub(super) fn first(&self) -> Option<&C> {
        self.cursors.peek().map(Box::as_ref)
    }

    /// Moves to the item behind the one at hand.
    pub(super) fn advance(&mut self) -> io::Result<()> {
        advance_first(&mut self.cursors, &self.file)
    }
}

/// Returns how many of `runs` can be read at once: at least two, where there are two.
fn next_group(runs: &[Run], memory_bytes: u64) -> usize {
    let mut used = 0;
    let fitting = runs
        .iter()
        .take_while(|run| {
            used += run.buffer_bytes();
            used <= memory_bytes
        })
        .count();
    fitting.max(2).min(runs.len())
}

fn merge_group<C: RunCursor>(
    file: &SpillFile,
    group: &[Run],
    target: &mut SpillFile,
) -> io::Result<Run> {
    let mut cursors = open_all::<C>(file, group)?;
    let mut writer = target.begin_run();
    while let Some(first) = cursors.peek() {
        first.copy_to(&mut writer)?;
        advance_first(&mut cursors, file)?;
    }
    writer.finish()
}

fn open_all<C: RunCursor>(file: &SpillFile, runs: &[Run]) -> io::Result<BinaryHeap<Box<C>>> {
    let mut cursors = BinaryHeap::with_capacity(runs.len());
    for &run in runs {
        let mut cursor = Box::new(C::open(run));
        if cursor.advance(file)? {
            cursors.push(cursor);
        }
    }
    Ok(cursors)
}

fn advance_first<C: RunCursor>(
    cursors: &mut BinaryHeap<Box<C>>,
    file: &SpillFile,
) -> io::Result<()> {
    if let Some(mut first) = cursors.peek_mut()
        && !first.advance(file)?
    {
        PeekMut::pop(first);
    }
    Ok(())
}
