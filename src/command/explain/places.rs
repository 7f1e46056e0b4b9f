//! Where the records of a group are now: which source, and which place in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::command::explain::{ExplainCommand, by_file};
use crate::command::sources;
use crate::command::stores;
use crate::command::{CommandError, Message, Surroundings};
use crate::record::{SplitId, TopicPartition};
use crate::report::read::{ReadGroup, ReadRecord};
use crate::source::file::{FileSource, walk};
use crate::source::kafka::KafkaSource;
use crate::source::{RecordSource, SplitCoverage, StopFlag};

/// Where a record is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here.
    At(SplitId, u64),
    /// The report does not say, or no source has such a place.
    Nowhere,
    /// It came from standard input.
    NotRead,
}

/// The sources of a group, and the places of its records.
pub(super) struct Opened {
    pub(super) sources: Vec<Box<dyn RecordSource>>,
    /// For each record of the group.
    pub(super) places: Vec<Place>,
    /// Files by the names that the report has for them, with what they are read from and how it
    /// is compressed.
    pub(super) files: BTreeMap<String, (PathBuf, String)>,
}

impl Opened {
    /// Returns the places by split, ascending.
    pub(super) fn wanted(&self) -> BTreeMap<SplitId, Vec<u64>> {
        let mut wanted: BTreeMap<SplitId, Vec<u64>> = BTreeMap::new();
        for place in &self.places {
            if let Place::At(split, position) = place {
                wanted.entry(*split).or_default().push(*position);
            }
        }
        for positions in wanted.values_mut() {
            positions.sort_unstable();
            positions.dedup();
        }
        wanted
    }
}

/// Opens what the records of the group came from, or what was named instead.
pub(super) fn open(
    explain: &ExplainCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Opened, CommandError> {
    let mut opened = Opened {
        sources: Vec::new(),
        places: Vec::new(),
        files: BTreeMap::new(),
    };
    let mut next_split = 0;
    let mut topics = open_topics(explain, &mut opened, &mut next_split, surroundings)?;
    topics.extend(open_store(
        explain,
        &mut opened,
        &mut next_split,
        surroundings,
    )?);
    let files = open_files(explain, &mut opened, &mut next_split, surroundings)?;
    for path in unused(&explain.scan.files, &opened.files) {
        let path = path.display();
        let text = format!("`{path}` is not read: the report has no record of the group there");
        (surroundings.say)(Message::Warning(text));
    }
    let records = explain.group.records.iter();
    opened.places = records
        .map(|record| match &record.file {
            Some(file) => match files.get(&**file) {
                Some(split) => at(*split, record.byte_offset),
                None => Place::NotRead,
            },
            None => place_in_topic(record, &topics),
        })
        .collect();
    Ok(opened)
}

type TopicSplits = BTreeMap<(String, i32), SplitId>;

fn at(split: SplitId, position: Option<u64>) -> Place {
    position.map_or(Place::Nowhere, |position| Place::At(split, position))
}

fn place_in_topic(record: &ReadRecord, splits: &TopicSplits) -> Place {
    let partition = record.partition.unwrap_or(TopicPartition::UNKNOWN);
    let of = record.topic.clone().map(|topic| (topic, partition));
    match of.and_then(|of| splits.get(&of)) {
        Some(split) => at(
            *split,
            record.offset.and_then(|offset| u64::try_from(offset).ok()),
        ),
        None => Place::Nowhere,
    }
}

fn note_splits(source: &dyn RecordSource, splits: &mut TopicSplits, next_split: &mut u32) {
    for split in source.splits() {
        if let Some(of) = source.topic_partition(split) {
            splits.insert((of.topic.to_string(), of.partition), split);
        }
        *next_split += 1;
    }
}

fn partitions_by_topic(group: &ReadGroup) -> BTreeMap<&str, BTreeSet<i32>> {
    let mut topics: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for record in group.records.iter().filter(|record| record.file.is_none()) {
        if let (Some(topic), Some(partition)) = (&record.topic, record.partition) {
            topics.entry(topic).or_default().insert(partition);
        }
    }
    topics
}

/// One source for each topic, its first pass stopped before it begins: only single offsets count.
fn open_topics(
    explain: &ExplainCommand,
    opened: &mut Opened,
    next_split: &mut u32,
    surroundings: &mut Surroundings<'_>,
) -> Result<TopicSplits, CommandError> {
    let mut splits = TopicSplits::new();
    let topics = partitions_by_topic(&explain.group);
    if topics.is_empty() {
        return Ok(splits);
    }
    let Some(mut spec) = sources::kafka_spec(&explain.scan, surroundings)? else {
        let error = anyhow!("the group's records lie in a topic, and no broker is known");
        return Err(CommandError::configuration(error).with_hint("add -b HOST:PORT, or -F FILE"));
    };
    for (topic, partitions) in topics {
        spec.topics = vec![topic.to_owned()];
        spec.partitions = Some(partitions);
        let stop = StopFlag::default();
        stop.stop();
        let source =
            KafkaSource::open(&spec, SplitId(*next_split), stop).map_err(sources::kafka_failure)?;
        note_splits(&source, &mut splits, next_split);
        opened.sources.push(Box::new(source));
    }
    Ok(splits)
}

/// What lies in a database is found by its positions alone, so its first pass never begins.
fn open_store(
    explain: &ExplainCommand,
    opened: &mut Opened,
    next_split: &mut u32,
    surroundings: &mut Surroundings<'_>,
) -> Result<TopicSplits, CommandError> {
    let mut splits = TopicSplits::new();
    let running = std::mem::take(&mut surroundings.stop);
    surroundings.stop.stop();
    let first = usize::try_from(*next_split).unwrap_or(usize::MAX);
    let source = stores::open(&explain.scan, first, surroundings);
    surroundings.stop = running;
    if let Some(source) = source? {
        note_splits(&*source, &mut splits, next_split);
        opened.sources.push(source);
    }
    Ok(splits)
}

fn open_files<'g>(
    explain: &'g ExplainCommand,
    opened: &mut Opened,
    next_split: &mut u32,
    surroundings: &mut Surroundings<'_>,
) -> Result<BTreeMap<&'g str, SplitId>, CommandError> {
    let mut splits = BTreeMap::new();
    let given = walk::expand(&explain.scan.files).map_err(CommandError::configuration)?;
    let files = by_file(&explain.group);
    let is_one = files.len() == 1;
    let options = sources::file_options(&explain.scan, surroundings)?;
    for name in files.into_keys() {
        let Some(path) = choose(name, &given.paths, is_one)? else {
            continue;
        };
        let split = SplitId(*next_split);
        let source = FileSource::open(&path, split, &options, surroundings.stop.clone());
        let source = source.map_err(|error| {
            CommandError::configuration(error)
                .with_hint("name the file behind the options if it lies elsewhere now")
        })?;
        *next_split += 1;
        let compression = compression_of(&source);
        opened.files.insert(name.to_owned(), (path, compression));
        opened.sources.push(Box::new(source));
        splits.insert(name, split);
    }
    Ok(splits)
}

/// Returns the file to read for the one that the report names; nothing for standard input.
fn choose(name: &str, given: &[PathBuf], is_one: bool) -> Result<Option<PathBuf>, CommandError> {
    let named = Path::new(name);
    let is_stdin = walk::is_stdin(named);
    if given.is_empty() {
        return Ok((!is_stdin).then(|| named.to_owned()));
    }
    if let Some(same) = given.iter().find(|path| **path == named) {
        return Ok(Some(same.clone()));
    }
    let alike = |path: &&PathBuf| path.file_name() == named.file_name();
    let mut matching = given.iter().filter(alike);
    match (matching.next(), matching.next(), given) {
        (Some(one), None, _) => Ok(Some(one.clone())),
        (None, _, [one]) if is_one => Ok(Some(one.clone())),
        _ if is_stdin => Ok(None),
        _ => {
            let error = anyhow!("of the files named, none or several may be the report's `{name}`");
            Err(CommandError::configuration(error)
                .with_hint("name the files that the scan read, or leave them out"))
        }
    }
}

/// Returns the files and directories given of which nothing is read.
fn unused<'g>(given: &'g [PathBuf], files: &BTreeMap<String, (PathBuf, String)>) -> Vec<&'g Path> {
    let is_used = |path: &&PathBuf| files.values().any(|(read, _)| read.starts_with(path));
    let unused = given.iter().filter(|path| !is_used(path));
    unused.map(PathBuf::as_path).collect()
}

fn compression_of(source: &FileSource) -> String {
    let format = source
        .coverage()
        .into_iter()
        .find_map(|coverage| match coverage {
            SplitCoverage::File(file) => Some(file.format),
            SplitCoverage::Partition(_) => None,
        });
    let format = format.unwrap_or_default();
    match format.split_once('+') {
        Some((_, compression)) => compression.to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_of_which_nothing_is_read_are_named() {
        let given = ["logs", "a.jsonl", "b.jsonl", "other"].map(PathBuf::from);
        let read = |path: &str| (path.to_owned(), (PathBuf::from(path), String::new()));
        let files = BTreeMap::from([read("logs/x.jsonl"), read("b.jsonl")]);
        let names = [Path::new("a.jsonl"), Path::new("other")];
        assert_eq!(unused(&given, &files), names);
    }
}
