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

/// Gives what has to be read together to one task: the largest first, each to the task that has
/// least.
pub(super) fn share_out(plan: &mut PlanFile) {
    let bytes: Vec<u64> = plan.splits.iter().map(bytes_of).collect();
    let of_split = |split: &SplitId| usize::try_from(split.0).ok().and_then(|at| bytes.get(at));
    let of_unit = |unit: &Vec<SplitId>| unit.iter().filter_map(of_split).sum::<u64>();
    let units = plan.units().into_iter();
    let mut sizes: Vec<(u64, Vec<SplitId>)> = units.map(|unit| (of_unit(&unit), unit)).collect();
    sizes.sort_by_key(|(bytes, unit)| (Reverse(*bytes), unit.first().copied()));
    let by_size = total(plan) / TASK_BYTES;
    let wanted = usize::try_from(by_size).unwrap_or(TASKS_MAX);
    let count = wanted.clamp(TASKS_MIN, TASKS_MAX).min(sizes.len());
    let mut tasks: BinaryHeap<Reverse<(u64, usize, Vec<SplitId>)>> = BinaryHeap::new();
    tasks.extend((0..count).map(|task| Reverse((0, task, Vec::new()))));
    for (bytes, unit) in sizes {
        if let Some(Reverse((of_task, task, mut splits))) = tasks.pop() {
            splits.extend(unit);
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
        let file = |bytes| file(PathBuf::from("a"), bytes);
        plan.splits.extend(sizes.into_iter().map(file));
        share_out(&mut plan);
        plan
    }

    fn file(path: PathBuf, bytes: u64) -> PlannedSplit {
        PlannedSplit::File(FileSplit {
            path,
            bytes,
            modified_millis: None,
        })
    }

    #[test]
    fn segments_of_one_partition_are_of_one_task() {
        let mut plan = PlanFile::new(Vec::new(), 0, Question::default());
        // As paths are sorted: 4 segments of each of 20 partitions, then other files.
        for partition in 0..20 {
            for segment in 0..4 {
                let path = PathBuf::from(format!("logs/t-{partition}/{segment:020}.log"));
                plan.splits.push(file(path, 1 + partition + 7 * segment));
            }
        }
        let others = (0..9).map(|number| file(PathBuf::from(format!("{number}.jsonl")), 40));
        plan.splits.extend(others);
        share_out(&mut plan);
        assert_eq!(plan.tasks.len(), TASKS_MIN);
        let all: usize = plan.tasks.iter().map(Vec::len).sum();
        assert_eq!(all, plan.splits.len());
        for partition in 0..20 {
            let segments = (4 * partition..4 * partition + 4).map(SplitId);
            let segments: Vec<SplitId> = segments.collect();
            let holds_all = |task: &&Vec<SplitId>| segments.iter().all(|of| task.contains(of));
            assert_eq!(plan.tasks.iter().filter(holds_all).count(), 1);
        }
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
