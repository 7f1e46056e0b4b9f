//! Shares the splits of a plan out among tasks of about the same size.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::audit::parts::{PARTS_MAX, PlanFile, PlannedSplit};
use crate::record::SplitId;

/// Most tasks: a merge has one run of each open, and systems allow 1,024 files.
const TASKS_MAX: usize = 900;

/// Tasks that are worth their start whatever their size.
const TASKS_MIN: usize = 8;

/// Bytes that a task should have at least.
const TASK_BYTES: u64 = 64 << 20;

/// A guess at the bytes of one record, to compare partitions with files.
const RECORD_BYTES: u64 = 300;

/// Records whose fingerprints are merged by one task.
const PART_RECORDS: u64 = 16 << 20;

/// Gives each split to one task: the largest first, each to the task that has least.
pub(super) fn share_out(plan: &mut PlanFile) {
    let mut sizes: Vec<(u64, SplitId)> = Vec::with_capacity(plan.splits.len());
    for (split, number) in plan.splits.iter().zip(0..) {
        sizes.push((bytes_of(split), SplitId(number)));
    }
    sizes.sort_by_key(|&(bytes, split)| (Reverse(bytes), split));
    let by_size = total(plan) / TASK_BYTES;
    let wanted = usize::try_from(by_size).unwrap_or(TASKS_MAX);
    let count = wanted.clamp(TASKS_MIN, TASKS_MAX).min(sizes.len());
    let mut tasks: BinaryHeap<Reverse<(u64, usize, Vec<SplitId>)>> = BinaryHeap::new();
    tasks.extend((0..count).map(|task| Reverse((0, task, Vec::new()))));
    for (bytes, split) in sizes {
        if let Some(Reverse((of_task, task, mut splits))) = tasks.pop() {
            splits.push(split);
            // Those without bytes are shared out too.
            tasks.push(Reverse((of_task + bytes.max(1), task, splits)));
        }
    }
    let tasks = tasks
        .into_iter()
        .map(|Reverse((_, task, splits))| (task, splits));
    let mut tasks: Vec<(usize, Vec<SplitId>)> = tasks.collect();
    tasks.sort();
    plan.tasks = tasks.into_iter().map(|(_, splits)| splits).collect();
    for splits in &mut plan.tasks {
        splits.sort();
    }
}

/// Returns the parts that fingerprints are cut into: each is merged by one task.
pub(super) fn parts_of(plan: &PlanFile) -> u32 {
    let records = total(plan) / RECORD_BYTES;
    u32::try_from(records.div_ceil(PART_RECORDS)).map_or(PARTS_MAX, |of| of.clamp(2, PARTS_MAX))
}

fn total(plan: &PlanFile) -> u64 {
    plan.splits.iter().map(bytes_of).sum()
}

fn bytes_of(split: &PlannedSplit) -> u64 {
    match split {
        PlannedSplit::File(file) => file.bytes,
        PlannedSplit::Partition(partition) => {
            let offsets = partition.read_end - partition.read_start;
            u64::try_from(offsets)
                .unwrap_or(0)
                .saturating_mul(RECORD_BYTES)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::audit::parts::{FileSplit, Question};

    fn plan(sizes: impl IntoIterator<Item = u64>) -> PlanFile {
        let mut plan = PlanFile::new(Vec::new(), 0, Question::default());
        let file = |bytes| {
            PlannedSplit::File(FileSplit {
                path: PathBuf::from("a"),
                bytes,
                modified_millis: None,
            })
        };
        plan.splits.extend(sizes.into_iter().map(file));
        share_out(&mut plan);
        plan
    }

    #[test]
    fn every_split_is_of_one_task_and_tasks_are_of_about_one_size() {
        let plan = plan((0..5_000).map(|number| (number % 97) << 20));
        let mut all: Vec<SplitId> = plan.tasks.iter().flatten().copied().collect();
        all.sort();
        assert_eq!(all, (0..5_000).map(SplitId).collect::<Vec<_>>());
        assert_eq!(plan.tasks.len(), TASKS_MAX);
        let size = |splits: &Vec<SplitId>| -> u64 {
            let numbers = splits.iter().map(|split| u64::from(split.0));
            numbers.map(|number| (number % 97) << 20).sum()
        };
        let sizes: Vec<u64> = plan.tasks.iter().map(size).collect();
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(most - least <= 97 << 20, "{least} to {most}");
    }

    #[test]
    fn few_splits_are_tasks_each_and_none_is_none() {
        assert_eq!(plan([5, 0, 7]).tasks.len(), 3);
        assert_eq!(plan([0; 20]).tasks.len(), TASKS_MIN);
        assert!(plan([]).tasks.is_empty());
    }

    #[test]
    fn parts_grow_with_the_records() {
        assert_eq!(parts_of(&plan([1000])), 2);
        assert_eq!(parts_of(&plan([1 << 40])), PARTS_MAX - 37);
        assert_eq!(parts_of(&plan([1 << 50])), PARTS_MAX);
    }
}
