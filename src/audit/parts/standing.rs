//! Tells whether all that is suspected was read again: a merge stands on nothing less.

use std::collections::BTreeMap;
use std::path::Path;

use crate::audit::AuditError;
use crate::audit::parts::folder::{Folder, TaskFolder};
use crate::audit::parts::second_pass::digest_of;
use crate::audit::parts::survey::SuspectsOfPart;
use crate::audit::parts::suspects::write_suspects;
use crate::audit::parts::{SUSPECTS_NAME, part_path};
use crate::audit::plan::AuditPlan;
use crate::index::Occurrence;
use crate::sorted_run::{FixedPart, PartKind};

/// Whether all suspects were read again.
pub(super) enum Standing {
    /// They were, but for those of folders that failed.
    Done(DistinctKeys),
    /// So many of each of these folders were not.
    ToRevisit(Vec<(TaskFolder, u64)>),
    /// Some of these folders' were not; which of them lack some is not known here.
    Unrevisited(Vec<TaskFolder>),
}

/// Different dedup keys.
#[derive(Clone, Copy)]
pub(super) struct DistinctKeys {
    pub(super) count: u64,
    /// Whether those of all parts are in the count.
    pub(super) is_whole: bool,
}

impl Standing {
    /// Compares the fingerprints where the folders still hold them; tasks of a plan may have given
    /// them away, and then tell what came of it.
    pub(super) fn of(
        plan: &AuditPlan,
        (folders, is_planned): (&[Folder], bool),
        spill_dir: &Path,
    ) -> Result<Self, AuditError> {
        let read: Vec<&Folder> = folders
            .iter()
            .filter(|of| of.surveyed().is_some())
            .collect();
        check_parts(&read)?;
        let without = read.iter().find(|of| !part_path(&of.dir, 0).is_file());
        match without {
            None => compare(plan, &read, spill_dir),
            Some(_) if is_planned => told(&read),
            Some(without) => Err(AuditError::Parts(format!(
                "`{}` has no fingerprints: they were taken out, or not copied",
                without.dir.display()
            ))),
        }
    }
}

/// Equal fingerprints are in one part only where all folders were cut alike.
fn check_parts(folders: &[&Folder]) -> Result<(), AuditError> {
    let mut cut = folders
        .iter()
        .filter_map(|of| Some((&of.dir, of.surveyed()?.parts)));
    let Some((first, parts)) = cut.next() else {
        return Ok(());
    };
    let Some((other, others)) = cut.find(|(_, of)| *of != parts) else {
        return Ok(());
    };
    Err(AuditError::Parts(format!(
        "`{}` is cut into {parts} parts and `{}` into {others}: extract one of them again with the \
         other's --parts",
        first.display(),
        other.display()
    )))
}

/// Compares the fingerprints of all folders; names those with suspects that were not read again.
fn compare(
    plan: &AuditPlan,
    folders: &[&Folder],
    spill_dir: &Path,
) -> Result<Standing, AuditError> {
    let count = write_suspects(plan, folders, (spill_dir, plan.memory_share(4)))?;
    let mut to_revisit = Vec::new();
    for folder in folders {
        let (mut count, mut digest) = (0, 0_u64);
        let path = folder.dir.join(SUSPECTS_NAME);
        for suspect in FixedPart::<Occurrence>::new(folder.open_run(&path, PartKind::Suspects)?) {
            count += 1;
            digest = digest.wrapping_add(digest_of(&suspect?));
        }
        let revisit = folder.revisit.as_ref();
        let is_done = revisit.is_some_and(|of| of.suspects_digest() == digest);
        if count > 0 && !is_done && folder.failed.is_none() {
            to_revisit.push((folder.named(), count));
        }
    }
    if to_revisit.is_empty() {
        let is_whole = true;
        return Ok(Standing::Done(DistinctKeys { count, is_whole }));
    }
    Ok(Standing::ToRevisit(to_revisit))
}

/// Holds what second passes were told against what they have read: of each part, all suspects.
fn told(folders: &[&Folder]) -> Result<Standing, AuditError> {
    let parts = match folders.first() {
        Some(first) => first.survey()?.parts,
        None => 0,
    };
    let mut of_parts: BTreeMap<u32, Vec<SuspectsOfPart>> =
        (0..parts).map(|part| (part, Vec::new())).collect();
    for told in folders.iter().filter_map(|of| of.revisit.as_ref()) {
        for of_part in &told.parts {
            of_parts.entry(of_part.part).or_default().push(*of_part);
        }
    }
    let unsettled = of_parts.iter().filter(|(_, told)| !is_settled(told));
    let unsettled: Vec<u32> = unsettled.map(|(part, _)| *part).collect();
    // What a task that failed would have read is not known: the report is incomplete by it.
    let has_failed = folders.iter().any(|of| of.failed.is_some());
    if !unsettled.is_empty() && !has_failed {
        return Ok(Standing::Unrevisited(lacking(folders, &unsettled)));
    }
    let firsts = of_parts.values().filter_map(|told| told.first());
    Ok(Standing::Done(DistinctKeys {
        count: firsts.map(|of_part| of_part.distinct_fingerprints).sum(),
        is_whole: of_parts.values().all(|told| !told.is_empty()),
    }))
}

/// Returns whether tasks have read again together what is suspected in a part.
fn is_settled(told: &[SuspectsOfPart]) -> bool {
    let read = told
        .iter()
        .fold(0_u64, |sum, of_part| sum.wrapping_add(of_part.own_digest));
    !told.is_empty() && told.iter().all(|of_part| of_part.digest == read)
}

/// Returns the folders that may lack suspects of these parts: those that were not told of one, or
/// all where they were told something else.
fn lacking(folders: &[&Folder], parts: &[u32]) -> Vec<TaskFolder> {
    let lacks = |folder: &&&Folder| {
        let told = folder.revisit.iter().flat_map(|revisit| &revisit.parts);
        let told: Vec<u32> = told.map(|of_part| of_part.part).collect();
        parts.iter().any(|part| !told.contains(part))
    };
    let mut lacking: Vec<&&Folder> = folders.iter().filter(lacks).collect();
    if lacking.is_empty() {
        lacking.extend(folders);
    }
    lacking.sort_by_key(|folder| folder.task);
    lacking.into_iter().map(|folder| folder.named()).collect()
}
