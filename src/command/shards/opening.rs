//! Opens the splits of one task by their numbers in the plan.

use std::fs;
use std::sync::Arc;

use anyhow::anyhow;

use crate::audit::AuditPlan;
use crate::audit::parts::{FileSplit, PlanFile, PlannedSplit};
use crate::command::scan::audit_failure;
use crate::command::sources;
use crate::command::{CommandError, ScanCommand, Surroundings};
use crate::record::SplitId;
use crate::source::RecordSource;
use crate::source::file::FileOpener;
use crate::source::kafka::{KafkaSource, PartitionPlan};

/// Opens the splits of a task.
pub(super) fn open(
    scan: &ScanCommand,
    plan: &AuditPlan,
    (plan_file, task): (&PlanFile, u32),
    surroundings: &mut Surroundings<'_>,
) -> Result<Vec<Box<dyn RecordSource>>, CommandError> {
    let splits = plan_file.splits_of(task).map_err(audit_failure)?;
    let mut partitions: Vec<(SplitId, PartitionPlan)> = Vec::new();
    let mut files: Vec<(SplitId, &FileSplit)> = Vec::new();
    for (split, of) in splits {
        match of {
            PlannedSplit::Partition(of) => partitions.push((split, (**of).clone())),
            PlannedSplit::File(of) => files.push((split, of)),
        }
    }
    let mut sources = open_partitions(scan, &partitions, surroundings)?;
    sources.extend(open_files(scan, plan, &files, surroundings)?);
    Ok(sources)
}

/// One source for each row of partitions whose numbers follow each other.
fn open_partitions(
    scan: &ScanCommand,
    partitions: &[(SplitId, PartitionPlan)],
    surroundings: &mut Surroundings<'_>,
) -> Result<Vec<Box<dyn RecordSource>>, CommandError> {
    let mut sources: Vec<Box<dyn RecordSource>> = Vec::new();
    let follows = |(left, _): &(SplitId, PartitionPlan), (right, _): &(SplitId, PartitionPlan)| {
        left.0.checked_add(1) == Some(right.0)
    };
    for row in partitions.chunk_by(follows) {
        let Some((first, _)) = row.first() else {
            continue;
        };
        let Some(spec) = sources::kafka_spec(scan, surroundings)? else {
            let error = anyhow!("the plan names partitions, and no topic is given");
            return Err(CommandError::configuration(error).with_hint("add -b and -t as planned"));
        };
        let plans = row.iter().map(|(_, plan)| plan.clone()).collect();
        let stop = surroundings.stop.clone();
        let source = KafkaSource::open_frozen(&spec, plans, *first, stop);
        sources.push(Box::new(source.map_err(sources::kafka_failure)?));
    }
    Ok(sources)
}

fn open_files(
    scan: &ScanCommand,
    plan: &AuditPlan,
    files: &[(SplitId, &FileSplit)],
    surroundings: &mut Surroundings<'_>,
) -> Result<Vec<Box<dyn RecordSource>>, CommandError> {
    let mut options = sources::file_options(scan, surroundings)?;
    options.members = plan.value_members().map(Arc::new);
    let mut opener = FileOpener::new(&options, surroundings.stop.clone());
    let mut sources: Vec<Box<dyn RecordSource>> = Vec::with_capacity(files.len());
    for (split, file) in files {
        check_length(file)?;
        let opened = opener
            .open(&file.path, *split)
            .map_err(sources::open_error)?;
        sources::check_topic_of(scan, &opened)?;
        sources.push(opened.source);
    }
    Ok(sources)
}

/// A log may have grown since the plan was made; one that is shorter is another.
fn check_length(file: &FileSplit) -> Result<(), CommandError> {
    let length = fs::metadata(&file.path).map(|metadata| metadata.len());
    match length {
        Ok(length) if length < file.bytes => {
            let path = file.path.display();
            Err(CommandError::configuration(anyhow!(
                "`{path}` has {length} bytes, and had {} when the plan was made",
                file.bytes
            )))
        }
        // Opening tells what is wrong.
        Ok(_) | Err(_) => Ok(()),
    }
}
