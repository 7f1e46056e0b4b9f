//! What all tasks agree on: the question, the splits by number, and which task reads which.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::audit::AuditError;
use crate::audit::parts::{VERSION, read_json, write_json};
use crate::audit::plan::AuditPlan;
use crate::record::SplitId;
use crate::source::file::folder_read_as_one;
use crate::source::kafka::PartitionPlan;

/// One split of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedSplit {
    /// A file.
    File(FileSplit),
    /// A partition, its range frozen.
    Partition(Box<PartitionPlan>),
}

/// A file as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSplit {
    /// Its path.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When it was changed last, milliseconds since the epoch, where the system tells.
    pub modified_millis: Option<i64>,
}

/// What was asked, as far as parts of one audit have to agree on it: names of options, and their
/// values as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Question(BTreeMap<String, String>);

impl Question {
    /// Returns what a plan asks.
    pub fn of(plan: &AuditPlan, isolation: &str) -> Self {
        let text = |of: &dyn std::fmt::Debug| format!("{of:?}");
        let expression = |of: Option<&crate::expression::Expression>| of.map(ToString::to_string);
        let options = [
            ("--by, --ignore, --missing", text(&plan.dedup_key)),
            ("--map, --tz", text(&plan.mapping)),
            ("--assume-topic", text(&plan.assume_topic)),
            ("--from, --to, --look-back, --late", text(&plan.range)),
            ("--where", text(&expression(plan.filter.as_ref()))),
            ("--reversal", text(&expression(plan.reversal.as_ref()))),
            ("--within", text(&plan.within_millis)),
            (
                "--amount, --currency, --subject, --amount-unit",
                text(&plan.impact),
            ),
            ("--expect snapshot", text(&plan.operation_path().is_some())),
            ("--isolation", isolation.to_owned()),
        ];
        let options = options.into_iter();
        Self(
            options
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Returns the number that files of items carry.
    pub fn hash(&self) -> u64 {
        let mut text = String::new();
        for (name, value) in &self.0 {
            text.push_str(name);
            text.push('\0');
            text.push_str(value);
            text.push('\0');
        }
        xxh3_64(text.as_bytes())
    }

    /// Returns the options of which another question has another value.
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let own = self.0.iter();
        let differing = own.filter(|(name, value)| other.0.get(*name) != Some(value));
        differing.map(|(name, _)| name.as_str()).collect()
    }
}

/// What all tasks agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Version of the format.
    pub version: u32,
    /// The command line, secrets masked.
    pub command_line: Vec<String>,
    /// Start of the run, milliseconds since the epoch; relative times count from it.
    pub started_at_millis: i64,
    /// What is asked.
    pub question: Question,
    /// Whether each record's coordinates are noted, since others may lie in another task.
    pub notes_coordinates: bool,
    /// All splits; the number of one is its place.
    pub splits: Vec<PlannedSplit>,
    /// The splits of each task.
    pub tasks: Vec<Vec<SplitId>>,
}

impl PlanFile {
    /// Returns a plan without tasks.
    pub fn new(command_line: Vec<String>, started_at_millis: i64, question: Question) -> Self {
        Self {
            version: VERSION,
            command_line,
            started_at_millis,
            question,
            notes_coordinates: false,
            splits: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// Reads a plan.
    pub fn read(path: &Path) -> Result<Self, AuditError> {
        let plan: Self = read_json(path)?;
        if plan.version != VERSION {
            return Err(AuditError::Parts(format!(
                "`{}` has version {}, and this dupaudit reads {VERSION}",
                path.display(),
                plan.version
            )));
        }
        Ok(plan)
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<(), AuditError> {
        write_json(path, self)
    }

    /// Returns the files among the splits.
    pub fn files(&self) -> Vec<PathBuf> {
        let file = |split: &PlannedSplit| match split {
            PlannedSplit::File(file) => Some(file.path.clone()),
            PlannedSplit::Partition(_) => None,
        };
        self.splits.iter().filter_map(file).collect()
    }

    /// Returns splits that one task has to read together: the segments of one partition, and every
    /// other split by itself.
    pub fn units(&self) -> Vec<Vec<SplitId>> {
        let mut units: Vec<Vec<SplitId>> = Vec::with_capacity(self.splits.len());
        let mut folders: HashMap<PathBuf, usize> = HashMap::new();
        for (number, split) in (0..).map(SplitId).zip(&self.splits) {
            let folder = match split {
                PlannedSplit::File(file) => folder_read_as_one(&file.path),
                PlannedSplit::Partition(_) => None,
            };
            let next = units.len();
            let unit = folder.map_or(next, |folder| *folders.entry(folder).or_insert(next));
            match units.get_mut(unit) {
                Some(splits) => splits.push(number),
                None => units.push(vec![number]),
            }
        }
        units
    }

    /// Has one task read all splits.
    pub fn as_one_task(&mut self) {
        let splits = (0..).map(SplitId).zip(&self.splits);
        self.tasks = vec![splits.map(|(split, _)| split).collect()];
    }

    /// Returns the splits of a task, ascending.
    pub fn splits_of(&self, task: u32) -> Result<Vec<(SplitId, &PlannedSplit)>, AuditError> {
        let wanted = usize::try_from(task)
            .ok()
            .and_then(|task| self.tasks.get(task));
        let wanted = wanted.ok_or_else(|| {
            let count = self.tasks.len();
            AuditError::Parts(format!(
                "the plan has {count} tasks, from 0 on, and no task {task}"
            ))
        })?;
        let mut splits = Vec::with_capacity(wanted.len());
        for split in wanted {
            let place = usize::try_from(split.0).unwrap_or(usize::MAX);
            let of = self.splits.get(place).ok_or_else(|| {
                AuditError::Parts(format!(
                    "task {task} names split {}, and there is none",
                    split.0
                ))
            })?;
            splits.push((*split, of));
        }
        splits.sort_by_key(|(split, _)| *split);
        Ok(splits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(paths: &[&str]) -> PlanFile {
        let mut plan = PlanFile::new(Vec::new(), 0, Question::default());
        for path in paths {
            plan.splits.push(PlannedSplit::File(FileSplit {
                path: PathBuf::from(path),
                bytes: 1,
                modified_millis: None,
            }));
        }
        plan
    }

    #[test]
    fn segments_of_one_partition_are_read_by_one_task() {
        let segment = |folder: &str, offset: u64| format!("{folder}/{offset:020}.log");
        let paths = [
            segment("t-0", 0),
            "a.jsonl".to_owned(),
            segment("t-1", 0),
            segment("t-0", 70),
            "t-0/app.log".to_owned(),
        ];
        let plan = plan(&paths.each_ref().map(String::as_str));
        let units = [vec![0, 3], vec![1], vec![2], vec![4]];
        assert_eq!(
            plan.units(),
            units.map(|unit| unit.into_iter().map(SplitId).collect::<Vec<_>>())
        );
    }

    #[test]
    fn a_task_that_is_not_in_the_plan_is_named() {
        let mut plan = plan(&["a", "b"]);
        plan.as_one_task();
        assert_eq!(plan.splits_of(0).unwrap().len(), 2);
        let error = plan.splits_of(1).unwrap_err().to_string();
        assert!(
            error.contains("1 tasks, from 0 on, and no task 1"),
            "{error}"
        );
        plan.tasks.push(vec![SplitId(9)]);
        let error = plan.splits_of(1).unwrap_err().to_string();
        assert!(error.contains("names split 9"), "{error}");
    }
}
