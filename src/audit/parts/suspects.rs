//! Merges the runs of all tasks, and names what each has to read again.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::path::{Path, PathBuf};

use crate::audit::AuditError;
use crate::audit::parts::SUSPECTS_NAME;
use crate::audit::parts::first_pass::header;
use crate::audit::parts::folder::{Folder, Numbers};
use crate::audit::parts::second_pass::digest_of;
use crate::audit::plan::AuditPlan;
use crate::index::{self, Occurrence, Suspects};
use crate::record::SplitId;
use crate::sorted_run::{FixedPart, PartHeader, PartKind, PartReader, PartWriter};

/// Occurrences in order.
type Row<'a> = Box<dyn Iterator<Item = Result<Occurrence, AuditError>> + 'a>;

/// Occurrences of several runs as one.
struct RunMerge<'a> {
    /// Each with the number of who reads it.
    rows: Vec<(usize, Row<'a>)>,
    next: BinaryHeap<Reverse<(Occurrence, usize)>>,
    /// Who reads each split, as it comes to light.
    owners: &'a mut HashMap<SplitId, usize>,
}

impl<'a> RunMerge<'a> {
    fn start(
        rows: Vec<(usize, Row<'a>)>,
        owners: &'a mut HashMap<SplitId, usize>,
    ) -> Result<Self, AuditError> {
        let mut merge = Self {
            next: BinaryHeap::with_capacity(rows.len()),
            rows,
            owners,
        };
        for row in 0..merge.rows.len() {
            merge.advance(row)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, row: usize) -> Result<(), AuditError> {
        let Some((owner, occurrences)) = self.rows.get_mut(row) else {
            return Ok(());
        };
        if let Some(occurrence) = occurrences.next().transpose()? {
            self.owners.insert(occurrence.split, *owner);
            self.next.push(Reverse((occurrence, row)));
        }
        Ok(())
    }
}

impl Iterator for RunMerge<'_> {
    type Item = Result<Occurrence, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((occurrence, row)) = self.next.pop()?;
        if let Err(error) = self.advance(row) {
            self.next.clear();
            return Some(Err(error));
        }
        Some(Ok(occurrence))
    }
}

/// Merges the runs of one part of all tasks, and writes what each task has to read again to
/// `task-N.run` in `dir`. The first task has a file whether or not it has to: each carries how many
/// different fingerprints there are, and a digest of what all tasks have to read again.
pub fn cut_suspects(runs: &[PathBuf], dir: &Path, spill: (&Path, usize)) -> Result<(), AuditError> {
    let readers = open(runs)?;
    let Some(header) = readers.first().map(|reader| *reader.header()) else {
        return Err(AuditError::Parts("there is no run to merge".to_owned()));
    };
    let tasks: Vec<u32> = readers.iter().map(|reader| reader.header().task).collect();
    let rows = readers.into_iter().enumerate();
    let rows = rows
        .map(|(owner, reader)| (owner, row(reader, None)))
        .collect();
    let mut owners = HashMap::new();
    let suspects = compare(rows, header.within_millis, (&mut owners, spill))?;
    let distinct = suspects.distinct_fingerprints();
    let begin = |task: u32| {
        let header = PartHeader {
            kind: PartKind::Suspects,
            task,
            ..header
        };
        PartWriter::create(&dir.join(format!("task-{task}.run")), &header)
    };
    let mut writers: BTreeMap<u32, PartWriter> = BTreeMap::new();
    let first = tasks.iter().min().copied().unwrap_or_default();
    writers.insert(first, begin(first)?);
    let mut digest = 0_u64;
    for suspect in suspects {
        let suspect = suspect?;
        digest = digest.wrapping_add(digest_of(&suspect));
        let task = owners.get(&suspect.split).and_then(|of| tasks.get(*of));
        let task = task.copied().unwrap_or(first);
        match writers.entry(task) {
            Entry::Occupied(writer) => writer.into_mut().fixed(&suspect)?,
            Entry::Vacant(place) => place.insert(begin(task)?).fixed(&suspect)?,
        }
    }
    for writer in writers.into_values() {
        writer.finish([distinct, digest])?;
    }
    Ok(())
}

/// Opens runs that go together: the same part, of one question, each task once.
fn open(runs: &[PathBuf]) -> Result<Vec<PartReader>, AuditError> {
    let mut readers: Vec<PartReader> = Vec::with_capacity(runs.len());
    for path in runs {
        let reader = PartReader::open(path, PartKind::Occurrences)?;
        let paths =
            |other: &PartReader| format!("`{}` and `{}`", other.path().display(), path.display());
        let is_alike = |first: &&PartReader| {
            let task = first.header().task;
            let alike = PartHeader {
                task,
                ..*reader.header()
            };
            alike == *first.header()
        };
        if let Some(first) = readers.first().filter(|first| !is_alike(first)) {
            return Err(AuditError::Parts(format!(
                "{} do not go together: they are other parts, or of another question",
                paths(first)
            )));
        }
        let is_same = |of: &&PartReader| of.header().task == reader.header().task;
        if let Some(other) = readers.iter().find(is_same) {
            let paths = paths(other);
            let problem = format!("{paths} are of one task, which would be counted twice");
            return Err(AuditError::Parts(problem));
        }
        readers.push(reader);
    }
    Ok(readers)
}

fn row(reader: PartReader, numbers: Option<&Numbers>) -> Row<'_> {
    let occurrences = FixedPart::<Occurrence>::new(reader);
    Box::new(occurrences.map(move |occurrence| {
        let occurrence = occurrence?;
        Ok(Occurrence {
            split: numbers.map_or(Ok(occurrence.split), |of| of.of_all(occurrence.split))?,
            ..occurrence
        })
    }))
}

fn compare(
    rows: Vec<(usize, Row<'_>)>,
    within_millis: i64,
    (owners, spill): (&mut HashMap<SplitId, usize>, (&Path, usize)),
) -> Result<Suspects, AuditError> {
    let merge = RunMerge::start(rows, owners)?;
    let within = (within_millis >= 0).then_some(within_millis);
    index::compare(merge, within, spill)
}

/// Compares what folders hold, and writes to each what has to be read again where it was read.
/// Returns how many different fingerprints there are.
pub(super) fn write_suspects(
    plan: &AuditPlan,
    folders: &[&Folder],
    spill: (&Path, usize),
) -> Result<u64, AuditError> {
    let within_millis = plan.within_millis.unwrap_or(-1);
    let mut writers = Vec::with_capacity(folders.len());
    for folder in folders {
        let survey = folder.survey()?;
        let header = header(
            plan,
            (&survey.question, survey.task),
            PartKind::Suspects,
            (0, 1),
        );
        writers.push(PartWriter::create(
            &folder.dir.join(SUSPECTS_NAME),
            &header,
        )?);
    }
    let parts = match folders.first() {
        Some(first) => first.survey()?.parts,
        None => 0,
    };
    let (mut distinct, mut digest) = (0, 0_u64);
    for part in 0..parts {
        let mut rows: Vec<(usize, Row<'_>)> = Vec::with_capacity(folders.len());
        for (owner, folder) in folders.iter().enumerate() {
            rows.push((
                owner,
                row(folder.open_part(plan, part)?, Some(&folder.numbers)),
            ));
        }
        let mut owners = HashMap::new();
        let suspects = compare(rows, within_millis, (&mut owners, spill))?;
        distinct += suspects.distinct_fingerprints();
        for suspect in suspects {
            let suspect = suspect?;
            let owner = owners.get(&suspect.split).copied().unwrap_or_default();
            if let (Some(writer), Some(folder)) = (writers.get_mut(owner), folders.get(owner)) {
                let own = Occurrence {
                    split: folder.numbers.of_one(suspect.split)?,
                    ..suspect
                };
                digest = digest.wrapping_add(digest_of(&own));
                writer.fixed(&own)?;
            }
        }
    }
    for writer in writers {
        writer.finish([distinct, digest])?;
    }
    Ok(distinct)
}
