//! Concludes what tasks have read, as if one process had.

use std::collections::HashSet;
use std::path::Path;

use crate::audit::collect::Counts;
use crate::audit::overlap::{CoordinateIndex, Coordinates, Excluded, Overlap};
use crate::audit::parts::folder::{Folder, TaskFolder, number};
use crate::audit::parts::standing::{DistinctKeys, Standing};
use crate::audit::parts::survey::SurveyedSource;
use crate::audit::parts::{COORDINATES_NAME, FOUND_NAME, GONE_NAME};
use crate::audit::parts::{PlanFile, Question};
use crate::audit::plan::AuditPlan;
use crate::audit::progress::Phase;
use crate::audit::revisit::{Revisited, SetAside};
use crate::audit::unread::UnreadReasons;
use crate::audit::{Audit, AuditContext, AuditError, Read};
use crate::audit::{conclude as conclude_audit, move_same_records, statement};
use crate::finding::Verdict;
use crate::record::SplitId;
use crate::sorted_run::FixedPart;
use crate::sorted_run::FixedSorter;
use crate::sorted_run::SortedBlobs;
use crate::sorted_run::{BlobSorter, PartKind, PartReader};
use crate::source::RecordSource;

/// What folders came to.
pub enum Conclusion {
    /// All was read.
    Audit(Box<Audit>),
    /// These folders hold suspects that have to be read again where they were read first, and how
    /// many.
    ToRevisit(Vec<(TaskFolder, u64)>),
    /// Tasks of a plan, some of which have suspects that were not read again.
    Unrevisited(Vec<TaskFolder>),
}

/// Concludes what tasks have read. With a plan, each of its tasks has to be there; without one,
/// each folder is a plan of its own.
pub fn conclude(
    plan: &AuditPlan,
    (question, plan_file): (&Question, Option<&PlanFile>),
    folders: &[TaskFolder],
    context: AuditContext<'_>,
) -> Result<Conclusion, AuditError> {
    context.progress.enter(Phase::Group);
    let mut opened = Vec::with_capacity(folders.len());
    for folder in folders {
        opened.push(Folder::open(folder, question)?);
    }
    if let Some(plan_file) = plan_file {
        check_tasks(plan_file, folders)?;
    }
    let sources = number(&mut opened, plan_file)?;
    check_coordinates(&opened)?;
    let read = (&*opened, plan_file.is_some());
    let distinct_keys = match Standing::of(plan, read, context.spill_dir)? {
        Standing::Done(distinct_keys) => distinct_keys,
        Standing::ToRevisit(folders) => return Ok(Conclusion::ToRevisit(folders)),
        Standing::Unrevisited(folders) => return Ok(Conclusion::Unrevisited(folders)),
    };
    let audit = audit(plan, (opened, distinct_keys), sources, context)?;
    Ok(Conclusion::Audit(Box::new(audit)))
}

fn check_tasks(plan: &PlanFile, folders: &[TaskFolder]) -> Result<(), AuditError> {
    let mut there = HashSet::new();
    for folder in folders {
        if !there.insert(folder.task) {
            let problem = format!("task {} is there twice", folder.task);
            return Err(AuditError::Parts(problem));
        }
    }
    for task in (0..).take(plan.tasks.len()) {
        if !there.contains(&task) {
            let problem = format!("task {task} of the plan is not there");
            return Err(AuditError::Parts(problem));
        }
    }
    Ok(())
}

fn audit(
    plan: &AuditPlan,
    (mut folders, distinct_keys): (Vec<Folder>, DistinctKeys),
    sources: Vec<SurveyedSource>,
    context: AuditContext<'_>,
) -> Result<Audit, AuditError> {
    let mut counts = Counts::default();
    for folder in &mut folders {
        if folder.surveyed().is_some() {
            counts.add(folder.take_counts()?);
        }
    }
    statement::check_places(plan, &counts)?;
    let overlap = overlap(plan, &folders, context.spill_dir)?;
    move_same_records(&mut counts, &overlap.same_records);
    context.progress.enter(Phase::Revisit);
    let revisited = collect_details(plan, &folders, (overlap.excluded, context.spill_dir))?;
    let sources = sources.into_iter();
    let sources: Vec<Box<dyn RecordSource>> = sources
        .map(|source| -> Box<dyn RecordSource> { Box::new(source) })
        .collect();
    let coverage = statement::coverage(&sources, overlap.conflicts.listed);
    let read = Read {
        counts,
        distinct_keys: distinct_keys.count,
        conflicts: overlap.conflicts.count,
        revisited,
    };
    let place = (context.spill_dir, context.known, context.progress);
    let mut audit = conclude_audit(plan, &sources, (read, coverage), place)?;
    state_failures(&mut audit, &folders, distinct_keys.is_whole);
    Ok(audit)
}

/// A task whose suspects could not be read again leaves the audit incomplete.
fn state_failures(audit: &mut Audit, folders: &[Folder], is_counted: bool) {
    let summary = &mut audit.summary;
    for folder in folders {
        let (Some(survey), Some(reason)) = (folder.surveyed(), &folder.failed) else {
            continue;
        };
        let names = survey.sources.iter().flat_map(|source| &source.splits);
        for of in names.filter_map(|(_, of)| of.as_ref()) {
            let reason = format!("{of}: suspects were not read again: {reason}");
            summary.incomplete_reasons.push(reason);
        }
    }
    if !is_counted {
        let warning = "how many different dedup keys there are is not known of all parts";
        summary.warnings.push(warning.to_owned());
    }
    summary.complete = summary.incomplete_reasons.is_empty();
    if !summary.complete && summary.verdict == Verdict::Clean {
        summary.verdict = Verdict::Incomplete;
    }
}

fn overlap(plan: &AuditPlan, folders: &[Folder], spill_dir: &Path) -> Result<Overlap, AuditError> {
    let index = CoordinateIndex::new(spill_dir, plan.memory_share(8));
    let surveys = || folders.iter().filter_map(|of| Some((of, of.surveyed()?)));
    for (_, survey) in surveys() {
        index.take_over(&survey.topic_partitions, (&survey.spans, None))?;
    }
    if index.may_overlap() {
        for (folder, survey) in surveys().filter(|(_, survey)| survey.has_coordinates) {
            let path = folder.dir.join(COORDINATES_NAME);
            let noted =
                FixedPart::<Coordinates>::new(folder.open_run(&path, PartKind::Coordinates)?);
            let mut noted = noted.map(|noted| -> Result<Coordinates, AuditError> {
                let mut noted = noted?;
                noted.split = folder.numbers.of_all(SplitId(noted.split))?.0;
                Ok(noted)
            });
            index.take_over(&survey.topic_partitions, (&[], Some(&mut noted)))?;
        }
    }
    index.finish(plan.memory_share(8), spill_dir)
}

/// Records that may be in two folders have to be noted in both.
fn check_coordinates(folders: &[Folder]) -> Result<(), AuditError> {
    let surveys = || folders.iter().filter_map(|of| Some((of, of.surveyed()?)));
    let noted = surveys().find(|(_, survey)| !survey.spans.is_empty());
    let is_unnoted = |(_, survey): &(&Folder, &crate::audit::parts::survey::Survey)| {
        let mut splits = survey.sources.iter().flat_map(|source| &source.splits);
        !survey.has_coordinates && splits.any(|(_, of)| of.is_some())
    };
    let unnoted = surveys().find(is_unnoted);
    let (Some((noted, _)), Some((unnoted, _))) = (noted, unnoted) else {
        return Ok(());
    };
    Err(AuditError::Parts(format!(
        "`{}` may hold records that are in `{}` too, and does not say at which offsets: extract it \
         again with --coordinates",
        unnoted.dir.display(),
        noted.dir.display()
    )))
}

/// Puts the records that all tasks have read again together, without those that are left out.
fn collect_details(
    plan: &AuditPlan,
    folders: &[Folder],
    (excluded, spill_dir): (Option<crate::sorted_run::SortedFixed<Excluded>>, &Path),
) -> Result<Revisited, AuditError> {
    let excluded = match excluded {
        Some(excluded) => excluded_details(folders, excluded, (spill_dir, plan.memory_share(8)))?,
        None => HashSet::new(),
    };
    // Reasons of records that are left out here were counted there: they are true all the same.
    let mut unread = UnreadReasons::default();
    for revisit in folders.iter().filter_map(|folder| folder.revisit.as_ref()) {
        unread.add(&revisit.unread);
    }
    let take = |kind: PartKind, part: u64| -> Result<(SortedBlobs, u64), AuditError> {
        let mut sorter = BlobSorter::new(spill_dir, plan.memory_share(part));
        for folder in folders {
            let Some(mut reader) = details_of(folder, kind)? else {
                continue;
            };
            while let Some((sort_key, payload)) = reader.blob()? {
                if excluded.is_empty() || !excluded.contains(&place(folder, payload)?) {
                    sorter.push(sort_key, payload)?;
                }
            }
        }
        let count = sorter.count();
        Ok((sorter.finish()?, count))
    };
    let (found, _) = take(PartKind::Found, 4)?;
    let (gone, gone_count) = take(PartKind::Gone, 32)?;
    Ok(Revisited {
        found,
        gone,
        gone_count,
        unread,
    })
}

/// Returns which of the records that were read again are left out.
fn excluded_details(
    folders: &[Folder],
    mut excluded: crate::sorted_run::SortedFixed<Excluded>,
    (spill_dir, memory_bytes): (&Path, usize),
) -> Result<HashSet<Excluded>, AuditError> {
    let mut places = FixedSorter::new(spill_dir, memory_bytes);
    for folder in folders {
        for kind in [PartKind::Found, PartKind::Gone] {
            let Some(mut reader) = details_of(folder, kind)? else {
                continue;
            };
            while let Some((_, payload)) = reader.blob()? {
                places.push(place(folder, payload)?)?;
            }
        }
    }
    let mut both = HashSet::new();
    let mut next = excluded.next().transpose()?;
    for place in places.finish()? {
        let place = place?;
        while next.is_some_and(|next| next < place) {
            next = excluded.next().transpose()?;
        }
        if next == Some(place) {
            both.insert(place);
        }
    }
    Ok(both)
}

fn details_of(folder: &Folder, kind: PartKind) -> Result<Option<PartReader>, AuditError> {
    if folder.revisit.is_none() {
        return Ok(None);
    }
    let name = if kind == PartKind::Found {
        FOUND_NAME
    } else {
        GONE_NAME
    };
    Ok(Some(folder.open_run(&folder.dir.join(name), kind)?))
}

fn place(folder: &Folder, payload: &[u8]) -> Result<Excluded, AuditError> {
    let set_aside: SetAside = postcard::from_bytes(payload)?;
    Ok(Excluded {
        split: folder.numbers.of_all(SplitId(set_aside.detail.split))?,
        position: set_aside.detail.position,
    })
}
