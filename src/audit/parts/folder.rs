//! What one task left, and the numbers of its splits among those of all.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::audit::AuditError;
use crate::audit::parts::survey::{RevisitSurvey, Survey, SurveyedSource};
use crate::audit::parts::{FAILED_NAME, REVISIT_NAME, SURVEY_NAME};
use crate::audit::parts::{PlanFile, PlannedSplit, Question};
use crate::audit::parts::{VERSION, part_path, read_json};
use crate::audit::plan::AuditPlan;
use crate::finding::{FileCoverage, PartitionCoverage};
use crate::record::{SplitId, TopicPartition};
use crate::sorted_run::{PartKind, PartReader};
use crate::source::kafka::PartitionPlan;
use crate::source::{PositionUnit, SplitCoverage};

/// A folder that a task left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFolder {
    /// Number of the task in the plan.
    pub task: u32,
    /// The folder.
    pub dir: PathBuf,
}

impl TaskFolder {
    /// Returns the folder with the number that its survey, or its name, states.
    pub fn at(dir: &Path) -> Result<Self, AuditError> {
        #[derive(Deserialize)]
        struct Numbered {
            task: u32,
        }
        let survey = dir.join(SURVEY_NAME);
        let name = dir.file_name().and_then(|name| name.to_str());
        let of_name = name.and_then(|name| name.strip_prefix("task-")?.parse().ok());
        let task = if survey.is_file() {
            read_json::<Numbered>(&survey)?.task
        } else {
            of_name.unwrap_or_default()
        };
        Ok(Self {
            task,
            dir: dir.to_owned(),
        })
    }
}

/// The numbers of splits in one task, and among all.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    all: HashMap<SplitId, SplitId>,
    one: HashMap<SplitId, SplitId>,
}

impl Numbers {
    fn add(&mut self, one: SplitId, all: SplitId) {
        self.all.insert(one, all);
        self.one.insert(all, one);
    }

    /// Returns the number among all.
    pub(super) fn of_all(&self, split: SplitId) -> Result<SplitId, AuditError> {
        self.all.get(&split).copied().ok_or_else(|| unknown(split))
    }

    /// Returns the number in the task.
    pub(super) fn of_one(&self, split: SplitId) -> Result<SplitId, AuditError> {
        self.one.get(&split).copied().ok_or_else(|| unknown(split))
    }
}

fn unknown(split: SplitId) -> AuditError {
    AuditError::Parts(format!(
        "a record is of split {}, which no survey names",
        split.0
    ))
}

/// What one task left.
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    pub(super) task: u32,
    survey: Option<Survey>,
    pub(super) revisit: Option<RevisitSurvey>,
    /// Why a pass could not be done.
    pub(super) failed: Option<String>,
    pub(super) numbers: Numbers,
}

impl Folder {
    /// Reads what a folder says of itself.
    pub(super) fn open(folder: &TaskFolder, question: &Question) -> Result<Self, AuditError> {
        let dir = &folder.dir;
        let failed = fs::read_to_string(dir.join(FAILED_NAME)).ok();
        let survey = dir.join(SURVEY_NAME);
        if failed.is_none() && !survey.is_file() {
            return Err(AuditError::Parts(format!(
                "`{}` is no folder that `dupaudit extract` finished: it has no {SURVEY_NAME}",
                dir.display()
            )));
        }
        let survey: Option<Survey> = survey.is_file().then(|| read_json(&survey)).transpose()?;
        let revisit = dir.join(REVISIT_NAME);
        let revisit: Option<RevisitSurvey> =
            revisit.is_file().then(|| read_json(&revisit)).transpose()?;
        let of_survey = survey.iter().map(|of| (of.version, &of.question));
        let of_revisit = revisit.iter().map(|of| (of.version, &of.question));
        for (version, asked) in of_survey.chain(of_revisit) {
            check(dir, version, (asked, question))?;
        }
        Ok(Self {
            dir: dir.clone(),
            task: folder.task,
            survey,
            revisit,
            failed: failed.map(|reason| reason.trim().to_owned()),
            numbers: Numbers::default(),
        })
    }

    /// Returns its number and where it is.
    pub(super) fn named(&self) -> TaskFolder {
        TaskFolder {
            task: self.task,
            dir: self.dir.clone(),
        }
    }

    /// Returns what the first pass left.
    pub(super) fn survey(&self) -> Result<&Survey, AuditError> {
        self.survey.as_ref().ok_or_else(|| {
            let reason = self.failed.as_deref().unwrap_or_default();
            AuditError::Parts(format!("`{}` was not read: {reason}", self.dir.display()))
        })
    }

    /// Returns what the first pass left, if it came to its end.
    pub(super) fn surveyed(&self) -> Option<&Survey> {
        self.survey.as_ref()
    }

    /// Takes the counts out, with splits by their numbers among all.
    pub(super) fn take_counts(&mut self) -> Result<crate::audit::collect::Counts, AuditError> {
        let Some(survey) = &mut self.survey else {
            return Ok(crate::audit::collect::Counts::default());
        };
        let mut counts = std::mem::take(&mut survey.counts);
        counts.renumber(|split| self.numbers.of_all(split))?;
        Ok(counts)
    }

    /// Opens one part of the fingerprints.
    pub(super) fn open_part(&self, plan: &AuditPlan, part: u32) -> Result<PartReader, AuditError> {
        let survey = self.survey()?;
        let reader = self.open_run(&part_path(&self.dir, part), PartKind::Occurrences)?;
        let header = reader.header();
        let is_as_stated = (header.part, header.parts) == (part, survey.parts)
            && header.within_millis == plan.within_millis.unwrap_or(-1);
        if is_as_stated {
            Ok(reader)
        } else {
            Err(AuditError::Parts(format!(
                "`{}` is not the file that its folder states",
                reader.path().display()
            )))
        }
    }

    /// Opens a run of the folder, which has to be of its task and question.
    pub(super) fn open_run(&self, path: &Path, kind: PartKind) -> Result<PartReader, AuditError> {
        let reader = PartReader::open(path, kind)?;
        let (header, survey) = (reader.header(), self.survey()?);
        if (header.plan, header.task) == (survey.question.hash(), survey.task) {
            return Ok(reader);
        }
        let path = path.display();
        Err(AuditError::Parts(format!(
            "`{path}` is of another task or question than its folder"
        )))
    }

    /// Returns the sources as they were read, or why not, with the numbers of the task.
    pub(super) fn sources(
        &self,
        plan: Option<&PlanFile>,
    ) -> Result<Vec<SurveyedSource>, AuditError> {
        let reason = self.failed.as_deref();
        if let Some(survey) = &self.survey {
            let mut sources = survey.sources.clone();
            let damaged = self.revisit.iter().flat_map(|revisit| &revisit.damaged);
            for (split, damage) in damaged {
                let of_split = |source: &&mut SurveyedSource| {
                    source.splits.iter().any(|(own, _)| own == split)
                };
                if let Some(source) = sources.iter_mut().find(of_split) {
                    damage_files(source, damage);
                }
            }
            if let Some(reason) = reason {
                let damage = format!("not read again: {reason}");
                for source in &mut sources {
                    damage_files(source, &damage);
                }
            }
            return Ok(sources);
        }
        let Some(plan) = plan else {
            self.survey()?;
            return Ok(Vec::new());
        };
        let splits = plan.splits_of(self.task)?;
        let unread =
            |(split, of): (SplitId, &PlannedSplit)| unread(split, of, reason.unwrap_or_default());
        Ok(splits.into_iter().map(unread).collect())
    }
}

fn check(
    dir: &Path,
    version: u32,
    (asked, question): (&Question, &Question),
) -> Result<(), AuditError> {
    let dir = dir.display();
    if version != VERSION {
        return Err(AuditError::Parts(format!(
            "`{dir}` has version {version} of the format, and this dupaudit reads {VERSION}: \
             extract with the same version that merges"
        )));
    }
    let differing = question.differing(asked);
    if differing.is_empty() {
        return Ok(());
    }
    Err(AuditError::Parts(format!(
        "`{dir}` was asked something else: it differs in {}",
        differing.join("; ")
    )))
}

fn damage_files(source: &mut SurveyedSource, damage: &str) {
    for coverage in &mut source.coverage {
        if let SplitCoverage::File(file) = coverage {
            file.damage.get_or_insert_with(|| damage.to_owned());
        }
    }
}

/// Returns what is to be said of a split that nobody could read.
fn unread(split: SplitId, of: &PlannedSplit, reason: &str) -> SurveyedSource {
    match of {
        PlannedSplit::File(file) => {
            let name = file.path.display().to_string();
            SurveyedSource {
                name: name.clone(),
                splits: vec![(split, None)],
                position_unit: PositionUnit::ByteOffset,
                coverage: vec![SplitCoverage::File(FileCoverage {
                    path: name,
                    format: "unknown".to_owned(),
                    format_reason: "it was not read".to_owned(),
                    bytes: 0,
                    records_read: 0,
                    damage: Some(format!("not read: {reason}")),
                    notes: Vec::new(),
                })],
            }
        }
        PlannedSplit::Partition(partition) => unread_partition(split, partition, reason),
    }
}

fn unread_partition(split: SplitId, of: &PartitionPlan, reason: &str) -> SurveyedSource {
    let mut notes = of.notes.clone();
    notes.push(format!("not read: {reason}"));
    SurveyedSource {
        name: of.topic_partition.topic.to_string(),
        splits: vec![(split, Some(of.topic_partition.clone()))],
        position_unit: PositionUnit::Offset,
        coverage: vec![SplitCoverage::Partition(PartitionCoverage {
            topic_partition: of.topic_partition.clone(),
            log_start_offset: of.bounds.log_start_offset,
            high_watermark: of.bounds.high_watermark,
            last_stable_offset: of.bounds.last_stable_offset,
            start_offset: of.start_offset,
            end_offset: of.end_offset,
            next_offset: of.read_start,
            records_read: 0,
            is_log_append_time: false,
            gaps: of.gap_before().into_iter().collect(),
            notes,
        })],
    }
}

/// What decides the number of a split: partitions by their names, then files by their paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Partition(TopicPartition),
    File(PathBuf),
}

/// Numbers the splits of all folders as one process would, and returns the sources; no split may be
/// there twice.
pub(super) fn number(
    folders: &mut [Folder],
    plan: Option<&PlanFile>,
) -> Result<Vec<SurveyedSource>, AuditError> {
    let mut sources = Vec::new();
    let mut ranks: BTreeMap<Rank, (usize, SplitId)> = BTreeMap::new();
    for (owner, folder) in folders.iter().enumerate() {
        for source in folder.sources(plan)? {
            for (split, topic_partition) in &source.splits {
                let rank = match topic_partition {
                    Some(of) => Rank::Partition(of.clone()),
                    None => Rank::File(PathBuf::from(&source.name)),
                };
                let known = ranks.insert(rank, (owner, *split));
                if let Some(other) = known.and_then(|(other, _)| folders.get(other)) {
                    return Err(twice(&source, topic_partition.as_ref(), (other, folder)));
                }
            }
            sources.push((owner, source));
        }
    }
    for (number, (owner, split)) in (0..).map(SplitId).zip(ranks.into_values()) {
        let number = if plan.is_some() { split } else { number };
        if let Some(folder) = folders.get_mut(owner) {
            folder.numbers.add(split, number);
        }
    }
    let mut numbered = Vec::with_capacity(sources.len());
    for (owner, mut source) in sources {
        if let Some(folder) = folders.get(owner) {
            for (split, _) in &mut source.splits {
                *split = folder.numbers.of_all(*split)?;
            }
        }
        numbered.push(source);
    }
    Ok(numbered)
}

fn twice(
    source: &SurveyedSource,
    topic_partition: Option<&TopicPartition>,
    (one, other): (&Folder, &Folder),
) -> AuditError {
    let name = topic_partition.map_or_else(|| source.name.clone(), ToString::to_string);
    AuditError::Parts(format!(
        "`{name}` is in `{}` and in `{}`: it would be counted twice",
        one.dir.display(),
        other.dir.display()
    ))
}
