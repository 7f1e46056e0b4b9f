//! Reads some splits once, and leaves the fingerprints in parts.

use std::path::Path;

use crate::audit::collect::{self, Counts};
use crate::audit::overlap::CoordinateIndex;
use crate::audit::parts::survey::{Survey, SurveyedSource};
use crate::audit::parts::{COORDINATES_NAME, PARTS_MAX, Question, SURVEY_NAME};
use crate::audit::parts::{VERSION, part_path, write_json};
use crate::audit::plan::AuditPlan;
use crate::audit::progress::Phase;
use crate::audit::statement::reasons;
use crate::audit::{AuditContext, AuditError};
use crate::finding::Fingerprint;
use crate::index::DuplicateIndex;
use crate::index::MemoryBudget;
use crate::index::Occurrence;
use crate::sorted_run::{NO_TALLY, PartHeader, PartKind, PartWriter};
use crate::source::{ReadError, RecordSource};

/// What a task reads, and what it leaves where.
#[derive(Clone, Debug)]
pub struct FirstPassRequest<'a> {
    /// What is asked.
    pub question: &'a Question,
    /// Number of the task.
    pub task: u32,
    /// Parts of the fingerprints.
    pub parts: u32,
    /// Whether coordinates are noted even if no source here has them twice.
    pub notes_coordinates: bool,
    /// Folder to write into, which exists.
    pub dir: &'a Path,
}

impl FirstPassRequest<'_> {
    fn header(&self, plan: &AuditPlan, kind: PartKind, part: u32) -> PartHeader {
        header(plan, (self.question, self.task), kind, (part, self.parts))
    }
}

pub(super) fn header(
    plan: &AuditPlan,
    (question, task): (&Question, u32),
    kind: PartKind,
    (part, parts): (u32, u32),
) -> PartHeader {
    PartHeader {
        kind,
        plan: question.hash(),
        within_millis: plan.within_millis.unwrap_or(-1),
        task,
        part,
        parts,
    }
}

/// Reads the sources once, and writes what the other stages need of them.
pub fn extract(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    request: &FirstPassRequest<'_>,
    context: AuditContext<'_>,
) -> Result<(), AuditError> {
    let budget = MemoryBudget::from_bytes(plan.memory_bytes / 2);
    let index = DuplicateIndex::new(budget, context.spill_dir, plan.workers());
    context.progress.enter(Phase::Collect);
    let notes_coordinates = request.notes_coordinates || collect::may_overlap(plan, sources);
    let read = (sources, notes_coordinates);
    let mut collected = collect::collect(plan, read, &index, context)?;
    if context.stop.is_stopped() {
        return Err(stopped("stopped before all was read"));
    }
    context.progress.enter(Phase::Group);
    write_parts(plan, request, index, collected.writers)?;
    reasons::look_up_paths(plan, sources, &mut collected.counts);
    let coordinates = notes_coordinates.then_some(collected.coordinates);
    let spill = (context.spill_dir, plan.memory_share(8));
    let survey = survey(
        sources,
        (plan, request),
        collected.counts,
        (coordinates, spill),
    )?;
    // It comes last: a folder with a survey is whole.
    write_json(&request.dir.join(SURVEY_NAME), &survey)
}

/// Half a pass is none: nobody could tell what is missing of it.
pub(super) fn stopped(what: &str) -> AuditError {
    AuditError::Read(ReadError::Io(std::io::Error::other(what)))
}

fn survey(
    sources: &[Box<dyn RecordSource>],
    (plan, request): (&AuditPlan, &FirstPassRequest<'_>),
    counts: Counts,
    (coordinates, spill): (Option<CoordinateIndex>, (&Path, usize)),
) -> Result<Survey, AuditError> {
    let mut survey = Survey {
        version: VERSION,
        task: request.task,
        parts: request.parts,
        question: request.question.clone(),
        sources: sources.iter().map(|of| SurveyedSource::of(&**of)).collect(),
        counts,
        has_coordinates: coordinates.is_some(),
        topic_partitions: Vec::new(),
        spans: Vec::new(),
    };
    let Some(coordinates) = coordinates else {
        return Ok(survey);
    };
    let noted = coordinates.into_noted(spill)?;
    let path = request.dir.join(COORDINATES_NAME);
    let header = request.header(plan, PartKind::Coordinates, 0);
    let mut writer = PartWriter::create(&path, &header)?;
    for coordinates in noted.coordinates {
        writer.fixed(&coordinates?)?;
    }
    writer.finish(NO_TALLY)?;
    (survey.topic_partitions, survey.spans) = (noted.topic_partitions, noted.spans);
    Ok(survey)
}

/// Writes each part, the empty ones too: a part that is not there was lost.
fn write_parts(
    plan: &AuditPlan,
    request: &FirstPassRequest<'_>,
    index: DuplicateIndex,
    writers: Vec<crate::index::IndexWriter>,
) -> Result<(), AuditError> {
    let parts = request.parts.clamp(1, PARTS_MAX);
    let begin = |part: u32| {
        let header = request.header(plan, PartKind::Occurrences, part);
        PartWriter::create(&part_path(request.dir, part), &header)
    };
    let mut part = 0;
    let mut writer = begin(part)?;
    index.walk(
        writers,
        |occurrence: Occurrence| -> Result<(), AuditError> {
            let wanted = part_of(occurrence.fingerprint, parts);
            while part < wanted {
                part += 1;
                std::mem::replace(&mut writer, begin(part)?).finish(NO_TALLY)?;
            }
            Ok(writer.fixed(&occurrence)?)
        },
    )?;
    while part + 1 < parts {
        part += 1;
        std::mem::replace(&mut writer, begin(part)?).finish(NO_TALLY)?;
    }
    writer.finish(NO_TALLY)?;
    Ok(())
}

/// Parts are ranges of the first byte, so that they are in the order of the fingerprints.
fn part_of(Fingerprint([high, _]): Fingerprint, parts: u32) -> u32 {
    let [first, ..] = high.to_be_bytes();
    u32::from(first) * parts / PARTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditProgress;
    use crate::audit::scripted::ScriptedSource;
    use crate::source::StopFlag;

    #[test]
    fn a_pass_that_is_stopped_leaves_no_survey() {
        let folder = tempfile::tempdir().unwrap();
        let plan = AuditPlan::sample(&["id"]);
        let question = Question::of(&plan, "read_committed");
        let request = FirstPassRequest {
            question: &question,
            task: 0,
            parts: 2,
            notes_coordinates: false,
            dir: folder.path(),
        };
        for is_stopped in [true, false] {
            let records = [(1, r#"{"id":1}"#)];
            let sources: [Box<dyn RecordSource>; 1] =
                [Box::new(ScriptedSource::new(&records, &[]))];
            let stop = StopFlag::default();
            if is_stopped {
                stop.stop();
            }
            let context = AuditContext {
                spill_dir: folder.path(),
                progress: &AuditProgress::default(),
                stop: &stop,
                known: &[],
                past: None,
            };
            let extracted = extract(&plan, &sources, &request, context);
            assert_eq!(extracted.is_err(), is_stopped);
            assert_eq!(folder.path().join(SURVEY_NAME).exists(), !is_stopped);
        }
    }

    #[test]
    fn parts_ascend_with_fingerprints_and_none_is_left_out() {
        for parts in [1, 3, 16, 256] {
            let of = |first: u64| part_of(Fingerprint([first << 56, 0]), parts);
            let all: Vec<u32> = (0..256).map(of).collect();
            assert!(all.is_sorted());
            let mut different = all.clone();
            different.dedup();
            assert_eq!(different, (0..parts).collect::<Vec<_>>());
        }
    }
}
