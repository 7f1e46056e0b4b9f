//! Reads suspects again, where they were read first.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::audit::parts::first_pass::{header, stopped};
use crate::audit::parts::survey::{RevisitSurvey, SuspectsOfPart};
use crate::audit::parts::{FOUND_NAME, GONE_NAME, Question, REVISIT_NAME, VERSION, write_json};
use crate::audit::plan::AuditPlan;
use crate::audit::progress::Phase;
use crate::audit::revisit::Revisit;
use crate::audit::{AuditContext, AuditError};
use crate::index::{Occurrence, Suspects};
use crate::record::{RecordBlock, SplitId};
use crate::sorted_run::{FixedRecord, NO_TALLY, PartKind, PartReader, PartWriter, SortedBlobs};
use crate::source::{ReadError, RecordSource, SplitCoverage, StopFlag};
use crate::threads::on_threads;

/// Suspects out of files.
struct ReadSuspects {
    suspects: Suspects,
    splits: HashSet<SplitId>,
    parts: Vec<SuspectsOfPart>,
}

/// Reads the suspects in these files again, and writes what the report needs of them to `dir`. The
/// sources were opened for this, as for the first pass, and are used up.
pub fn revisit(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    (files, question, task): (&[PathBuf], &Question, u32),
    dir: &Path,
    context: AuditContext<'_>,
) -> Result<(), AuditError> {
    let spill = (context.spill_dir, plan.memory_share(4));
    let read = read_suspects(files, (question, task), spill)?;
    let known: HashSet<SplitId> = sources.iter().flat_map(|source| source.splits()).collect();
    if let Some(split) = read.splits.difference(&known).next() {
        let problem = format!(
            "a suspect is of split {}, which is none of task {task}",
            split.0
        );
        return Err(AuditError::Parts(problem));
    }
    context.progress.enter(Phase::Collect);
    let wanted = sources.iter().filter(|source| {
        let splits = source.splits();
        splits.iter().any(|split| read.splits.contains(split))
    });
    let wanted: Vec<&dyn RecordSource> = wanted.map(|source| &**source).collect();
    pass_over(&wanted, plan.workers(), context.stop)?;
    context.progress.enter(Phase::Revisit);
    let revisit = Revisit::new(
        plan,
        sources.iter(),
        context.spill_dir,
        (context.progress, None),
    );
    let revisited = revisit.run(read.suspects, None)?;
    for (name, kind, records) in [
        (FOUND_NAME, PartKind::Found, revisited.found),
        (GONE_NAME, PartKind::Gone, revisited.gone),
    ] {
        let header = header(plan, (question, task), kind, (0, 1));
        write(records, PartWriter::create(&dir.join(name), &header)?)?;
    }
    let survey = RevisitSurvey {
        version: VERSION,
        task,
        question: question.clone(),
        parts: read.parts,
        unread: revisited.unread,
        damaged: wanted
            .iter()
            .filter_map(|source| damage_of(*source))
            .collect(),
    };
    write_json(&dir.join(REVISIT_NAME), &survey)
}

fn read_suspects(
    files: &[PathBuf],
    (question, task): (&Question, u32),
    (dir, memory_bytes): (&Path, usize),
) -> Result<ReadSuspects, AuditError> {
    let mut sorter = Suspects::sorter(dir, memory_bytes);
    let (mut splits, mut parts) = (HashSet::new(), Vec::new());
    for path in files {
        let mut reader = PartReader::open(path, PartKind::Suspects)?;
        let header = *reader.header();
        if (header.plan, header.task) != (question.hash(), task) {
            let path = path.display();
            let problem = format!("`{path}` is of another question, or not for task {task}");
            return Err(AuditError::Parts(problem));
        }
        let mut own_digest = 0_u64;
        while let Some(suspect) = reader.fixed::<Occurrence>()? {
            splits.insert(suspect.split);
            own_digest = own_digest.wrapping_add(digest_of(&suspect));
            sorter.push(&suspect)?;
        }
        let [distinct_fingerprints, digest] = reader.tally();
        parts.push(SuspectsOfPart {
            part: header.part,
            distinct_fingerprints,
            digest,
            own_digest,
        });
    }
    parts.sort_unstable_by_key(|of_part| of_part.part);
    Ok(ReadSuspects {
        suspects: sorter.finish((0, 0))?,
        splits,
        parts,
    })
}

/// Returns what a suspect adds to the digest of all of them, whatever their order.
pub(super) fn digest_of(suspect: &Occurrence) -> u64 {
    let mut bytes = [0; Occurrence::BYTES];
    suspect.write(&mut bytes);
    xxh3_64(&bytes)
}

/// Goes through the records once without looking at them: a second pass stands on a first one.
fn pass_over(
    sources: &[&dyn RecordSource],
    workers: usize,
    stop: &StopFlag,
) -> Result<(), AuditError> {
    let work = || -> Result<(), ReadError> {
        let mut block = RecordBlock::default();
        for source in sources {
            while source.next_block(&mut block)? {}
        }
        Ok(())
    };
    let outcomes = on_threads(workers, |_| work());
    outcomes.into_iter().collect::<Result<(), _>>()?;
    if stop.is_stopped() {
        return Err(stopped("stopped before all suspects were read again"));
    }
    Ok(())
}

fn write(mut records: SortedBlobs, mut writer: PartWriter) -> Result<(), AuditError> {
    while let Some((sort_key, payload)) = records.next()? {
        writer.blob(sort_key, payload)?;
    }
    writer.finish(NO_TALLY)?;
    Ok(())
}

fn damage_of(source: &dyn RecordSource) -> Option<(SplitId, String)> {
    let split = source.splits().first().copied()?;
    let damage = source
        .coverage()
        .into_iter()
        .find_map(|coverage| match coverage {
            SplitCoverage::File(file) => file.damage,
            SplitCoverage::Partition(_) => None,
        });
    Some((split, damage?))
}
